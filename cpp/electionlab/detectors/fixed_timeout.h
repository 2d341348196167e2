// A fixed time-out: a peer is suspected when nothing was heard of it for so long.
//
// Source:      the simple algorithm that W. Chen, S. Toueg and M. K. Aguilera compare with, "On the
//              Quality of Service of Failure Detectors", IEEE Transactions on Computers 51(5), 2002.
// Deviations:  none known. Their cut-off of heartbeats that are too old is left out: a late one
//              counts from its arrival, which is the weakness that NFD-S cures.
#pragma once

#include "electionlab/core/time.h"

namespace electionlab {

struct FixedTimeout {
    /// A heartbeat that arrives now keeps its sender trusted until then.
    static constexpr Instant trusted_until(Duration timeout, Instant now) { return now + timeout; }
};

}  // namespace electionlab

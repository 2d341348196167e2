// NFD-S and NFD-E: heartbeats judged by when they were due, not by when the last one came.
//
// Source:      W. Chen, S. Toueg, M. K. Aguilera, "On the Quality of Service of Failure Detectors",
//              IEEE Transactions on Computers 51(5), 2002: NFD-S sections 3 and 4, NFD-E section 6.3.
// Modelled:    heartbeat m_i leaves at i eta; from the freshness point tau_i on only m_i and later
//              ones count. NFD-S: tau_i = i eta + delta on a clock that both ends share. NFD-E:
//              tau_i = EA_i + alpha, EA_i the expected arrival of m_i as estimated from the last n.
// Deviations:  the first heartbeats are waited for before a peer is suspected (see detector.h); the
//              paper begins with a suspicion.
// Assumptions: NFD-S: synchronised clocks. NFD-E: clocks of equal rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/time.h"

namespace electionlab {

/// NFD-S at one peer: the number of the latest heartbeat received from it.
struct NfdS {
    std::int64_t latest = 0;

    /// tau_i: from here on a heartbeat before number i says nothing.
    static constexpr Instant freshness_point(std::int64_t i, Duration eta, Duration delta) {
        return Instant{} + eta * i + delta;
    }
    /// Heartbeat `number` arrives: until when its sender is trusted, perhaps no longer.
    Instant heard(std::int64_t number, Duration eta, Duration delta);

    EL_FIELDS(NfdS, latest)
};

/// NFD-E at one peer: how far each of the last n heartbeats came after its number's multiple of eta.
struct NfdE {
    std::int64_t latest = 0;
    std::vector<std::int64_t> offsets;  ///< A_i - i eta [ns], a ring of the last n
    std::size_t oldest = 0;             ///< the next to be overwritten, once there are n

    /// Heartbeat `number` arrives at `now` of the receiver's clock.
    Instant heard(std::int64_t number, Instant now, Duration eta, Duration alpha, std::size_t window);
    /// EA_i: the mean offset and i eta.
    [[nodiscard]] Instant expected_arrival(std::int64_t i, Duration eta) const;

    EL_FIELDS(NfdE, latest, offsets, oldest)
};

}  // namespace electionlab

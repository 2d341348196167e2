// A failure detector as a part that a protocol takes: which one is an option, the rest is the same.
//
// All of them turn an arriving heartbeat into one moment: until then its sender is trusted. The
// protocol keeps one `PeerWatch` for each peer and one timer about each peer:
//
//     on_start    effects.set_timer(Timer::suspect, peer, watch.begin(options, clock))
//     heartbeat   if (const auto patience = watch.heard(options, number, clock)) { set_timer ... }
//     timer       watch.suspect()
//
// Heartbeats carry numbers: number i leaves when the sender's clock shows i heartbeat intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "electionlab/core/errors.h"
#include "electionlab/core/fields.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"
#include "electionlab/detectors/fixed_timeout.h"
#include "electionlab/detectors/nfd.h"
#include "electionlab/detectors/phi_accrual.h"
#include "electionlab/node/options.h"
#include "electionlab/node/timer.h"

namespace electionlab {

enum class DetectorKind : std::uint8_t {
    fixed,  ///< silence since the last arrival
    nfd_s,  ///< freshness points on synchronised clocks
    nfd_e,  ///< freshness points around estimated arrivals
    phi,    ///< silence against the usual gaps
};

constexpr std::string_view enum_name(DetectorKind kind) {
    constexpr std::string_view names[] = {"fixed", "nfd_s", "nfd_e", "phi"};
    return static_cast<std::size_t>(kind) < 4 ? names[static_cast<std::size_t>(kind)] : "";
}

struct DetectorOptions {
    DetectorKind detector = DetectorKind::fixed;
    Duration heartbeat_interval = ms(50);
    Duration timeout = ms(200);
    Duration freshness_shift = ms(150);
    Duration freshness_margin = ms(150);
    std::uint32_t arrival_window = 32;
    double phi_threshold = 8;  // a level, not a duration
    std::uint32_t phi_window = 200;
    Duration phi_min_deviation = ms(10);
    Duration phi_acceptable_pause = ms(0);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("detector", self.detector,
               "What judges a peer's silence: a fixed time-out, Chen, Toueg and Aguilera's NFD-S "
               "(needs synchronised clocks) or NFD-E, or phi accrual.");
        option("heartbeat_interval_ms", self.heartbeat_interval,
               "Time between a node's heartbeats (eta); above 0.");
        option("timeout_ms", self.timeout,
               "fixed: silence after which a peer is suspected; above the heartbeat interval and "
               "the spread of the delay.");
        option("freshness_shift_ms", self.freshness_shift,
               "nfd_s: how long after its sending a heartbeat is due (delta); above the usual delay.");
        option("freshness_margin_ms", self.freshness_margin,
               "nfd_e: how long after its expected arrival a heartbeat is due (alpha).");
        option("arrival_window", self.arrival_window,
               "nfd_e: arrivals that the expected one is estimated from; 1 to 100000.");
        option("phi_threshold", self.phi_threshold,
               "phi: suspicion level at which a peer is suspected; above 0, at most 1000000.");
        option("phi_window", self.phi_window, "phi: gaps between arrivals kept; 2 to 100000.");
        option("phi_min_deviation_ms", self.phi_min_deviation,
               "phi: the gaps' standard deviation is taken for at least this; above 0.");
        option("phi_acceptable_pause_ms", self.phi_acceptable_pause,
               "phi: silence that is added to the mean gap, for pauses that are nothing unusual.");
    }
    void validate() const;
    [[nodiscard]] std::vector<std::string> warnings() const;

    [[nodiscard]] PhiAccrual::Options phi() const {
        return {phi_threshold, phi_window, phi_min_deviation, phi_acceptable_pause,
                heartbeat_interval};
    }
};

/// What a node knows of one peer: whether it suspects it, and what its detector remembers.
struct PeerWatch {
    bool suspected = false;
    NfdS nfd_s;
    NfdE nfd_e;
    PhiAccrual phi;

    /// Begins to watch a peer, trusting it. How long, if nothing is heard: one time-out; or, with
    /// freshness points, until the first heartbeat that it could send now is due.
    Duration begin(const DetectorOptions& options, Instant now);
    /// A heartbeat arrives: for how much longer the peer is trusted from now on; nothing if it came
    /// too late to say anything.
    std::optional<Duration> heard(const DetectorOptions& options, std::int64_t number, Instant now);
    /// The time that `begin` or `heard` gave is over.
    void suspect() { suspected = true; }

    EL_FIELDS(PeerWatch, suspected, nfd_s, nfd_e, phi)
};

/// The number of the next heartbeat after `now`, above `last`, and how long to wait for it.
struct NextBeat {
    std::int64_t number;
    Duration wait;
};
NextBeat next_beat(Duration interval, Instant now, std::int64_t last);

}  // namespace electionlab

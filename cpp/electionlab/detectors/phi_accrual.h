// The phi accrual detector: suspicion grows with the silence, measured against the usual gaps.
//
// Source:      N. Hayashibara, X. Defago, R. Yared, T. Katayama, "The phi Accrual Failure Detector",
//              SRDS 2004; options as in Akka's PhiAccrualFailureDetector (threshold, sample size,
//              minimum standard deviation, acceptable pause, a first guess of two samples).
// Modelled:    a window of gaps between arrivals, a normal distribution with their mean and
//              deviation, phi(t) = -log10 P(gap > t), suspicion when phi passes a threshold.
// Deviations:  phi only grows between two arrivals, so that the moment at which it passes the
//              threshold is worked out at each arrival, to the nanosecond; nothing is polled.
//              As in Akka, a gap that ended a suspicion is not taken into the window (one long
//              outage would make the detector blind), and the first two samples are a guess.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/time.h"

namespace electionlab {

struct PhiAccrual {
    struct Options {
        double threshold;         ///< phi at which the peer is suspected
        std::size_t window;       ///< gaps that are kept
        Duration min_deviation;   ///< the deviation is taken for at least this
        Duration acceptable_pause;///< added to the mean: a silence that is nothing unusual
        Duration first_estimate;  ///< guess of the gap before any was seen
    };

    Instant last;                     ///< the last arrival, or when watching began
    std::vector<std::int64_t> gaps;   ///< [ns], a ring of the last `window`
    std::size_t oldest = 0;
    /// How many deviations of silence the threshold is worth, in billionths; 0 before the start.
    std::int64_t nano_deviations = 0;

    /// Begins to watch: two gaps of estimate -+ a quarter of it, as if one had just ended.
    Instant start(Instant now, const Options& options);
    /// A heartbeat arrives: until when its sender is trusted. `suspected`: it ends a suspicion.
    Instant heard(Instant now, bool suspected, const Options& options);

    [[nodiscard]] double mean_ns() const;
    [[nodiscard]] double deviation_ns(const Options& options) const;
    /// The suspicion level at `now`.
    [[nodiscard]] double phi(Instant now, const Options& options) const;

    EL_FIELDS(PhiAccrual, last, gaps, oldest, nano_deviations)

private:
    [[nodiscard]] Instant trusted_until(const Options& options) const;
    void add_gap(std::int64_t gap, std::size_t window);
};

}  // namespace electionlab

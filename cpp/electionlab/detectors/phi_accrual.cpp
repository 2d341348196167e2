#include "electionlab/detectors/phi_accrual.h"

#include <algorithm>
#include <cmath>

#include "electionlab/detectors/phi.h"

namespace electionlab {

Instant PhiAccrual::start(Instant now, const Options& options) {
    const std::int64_t guess = options.first_estimate.ns;
    last = now;
    gaps = {guess - guess / 4, guess + guess / 4};
    oldest = 0;
    const double nano = deviations_of_phi(options.threshold) * 1e9;
    nano_deviations = static_cast<std::int64_t>(nano + (nano < 0 ? -0.5 : 0.5));
    return trusted_until(options);
}

Instant PhiAccrual::heard(Instant now, bool suspected, const Options& options) {
    if (!suspected) {
        add_gap((now - last).ns, options.window);
    }
    last = now;
    return trusted_until(options);
}

void PhiAccrual::add_gap(std::int64_t gap, std::size_t window) {
    if (gaps.size() < window) {
        gaps.push_back(gap);
    } else {
        gaps[oldest] = gap;
        oldest = (oldest + 1) % window;
    }
}

double PhiAccrual::mean_ns() const {
    std::int64_t sum = 0;
    for (const std::int64_t gap : gaps) {
        sum += gap;
    }
    return static_cast<double>(sum) / static_cast<double>(gaps.size());
}

double PhiAccrual::deviation_ns(const Options& options) const {
    const double mean = mean_ns();
    double squares = 0;
    for (const std::int64_t gap : gaps) {
        const double off = static_cast<double>(gap) - mean;
        squares += off * off;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(gaps.size()));
    return std::max(deviation, static_cast<double>(options.min_deviation.ns));
}

double PhiAccrual::phi(Instant now, const Options& options) const {
    const double silence = static_cast<double>((now - last - options.acceptable_pause).ns);
    return phi_of_deviations((silence - mean_ns()) / deviation_ns(options));
}

// mean + pause + z deviations, rounded up to a whole nanosecond and never beyond the longest
// duration; a threshold so low that even a usual gap passes it still leaves one nanosecond.
Instant PhiAccrual::trusted_until(const Options& options) const {
    const double z = static_cast<double>(nano_deviations) * 1e-9;
    const double patience = mean_ns() + static_cast<double>(options.acceptable_pause.ns) +
                            z * deviation_ns(options);
    const double bounded = std::clamp(patience, 1.0, static_cast<double>(longest_duration.ns));
    return last + Duration{static_cast<std::int64_t>(std::ceil(bounded))};
}

}  // namespace electionlab

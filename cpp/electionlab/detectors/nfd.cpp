#include "electionlab/detectors/nfd.h"

#include <algorithm>

namespace electionlab {

Instant NfdS::heard(std::int64_t number, Duration eta, Duration delta) {
    latest = std::max(latest, number);
    return freshness_point(latest + 1, eta, delta);
}

Instant NfdE::heard(std::int64_t number, Instant now, Duration eta, Duration alpha,
                    std::size_t window) {
    if (number > latest) {  // an old heartbeat changes nothing
        latest = number;
        const std::int64_t offset = (now - Instant{} - eta * number).ns;
        if (offsets.size() < window) {
            offsets.push_back(offset);
        } else {
            offsets[oldest] = offset;
            oldest = (oldest + 1) % window;
        }
    }
    return expected_arrival(latest + 1, eta) + alpha;
}

Instant NfdE::expected_arrival(std::int64_t i, Duration eta) const {
    // Differences to one of them are small, so that their sum is far from overflow.
    std::int64_t sum = 0;
    for (const std::int64_t offset : offsets) {
        sum += offset - offsets[0];
    }
    const auto count = static_cast<std::int64_t>(offsets.size());
    const std::int64_t mean = count == 0 ? 0 : offsets[0] + sum / count;
    return Instant{mean} + eta * i;
}

}  // namespace electionlab

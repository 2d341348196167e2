#include "electionlab/detectors/detector.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace electionlab {
namespace {

void positive(const char* name, Duration value) {
    if (value.ns <= 0) {
        invalid(name, show(value.to_ms()), "must be above 0");
    }
}

std::int64_t intervals_before(Duration interval, Instant now) {
    const std::int64_t whole = now.ns / interval.ns;
    return now.ns % interval.ns < 0 ? whole - 1 : whole;
}

}  // namespace

void DetectorOptions::validate() const {
    positive("heartbeat_interval_ms", heartbeat_interval);
    positive("timeout_ms", timeout);
    positive("phi_min_deviation_ms", phi_min_deviation);
    if (!(phi_threshold > 0 && phi_threshold <= 1e6)) {
        invalid("phi_threshold", show(phi_threshold), "must be above 0 and at most 1000000");
    }
    if (arrival_window < 1 || arrival_window > 100'000) {
        invalid("arrival_window", std::to_string(arrival_window), "must be from 1 to 100000");
    }
    if (phi_window < 2 || phi_window > 100'000) {
        invalid("phi_window", std::to_string(phi_window), "must be from 2 to 100000");
    }
}

std::vector<std::string> DetectorOptions::warnings() const {
    return detector == DetectorKind::fixed
               ? late_heartbeats(heartbeat_interval, "timeout_ms", timeout)
               : std::vector<std::string>();
}

Duration PeerWatch::begin(const DetectorOptions& options, Instant now) {
    *this = {};
    const Duration eta = options.heartbeat_interval;
    switch (options.detector) {
        case DetectorKind::fixed: return options.timeout;
        case DetectorKind::nfd_s: {
            const std::int64_t next = intervals_before(eta, now) + 1;
            nfd_s.latest = next - 1;
            return NfdS::freshness_point(next, eta, options.freshness_shift) - now;
        }
        case DetectorKind::nfd_e:
            // The peer's clock is not known yet: any phase of its interval, and the margin.
            nfd_e.latest = INT64_MIN;
            return eta + options.freshness_margin;
        case DetectorKind::phi: return phi.start(now, options.phi()) - now;
    }
    return options.timeout;
}

std::optional<Duration> PeerWatch::heard(const DetectorOptions& options, std::int64_t number,
                                         Instant now) {
    const Duration eta = options.heartbeat_interval;
    Instant until = now;
    switch (options.detector) {
        case DetectorKind::fixed: until = FixedTimeout::trusted_until(options.timeout, now); break;
        case DetectorKind::nfd_s: until = nfd_s.heard(number, eta, options.freshness_shift); break;
        case DetectorKind::nfd_e:
            until = nfd_e.heard(number, now, eta, options.freshness_margin, options.arrival_window);
            break;
        case DetectorKind::phi: until = phi.heard(now, suspected, options.phi()); break;
    }
    if (until <= now) {
        return std::nullopt;
    }
    suspected = false;
    return until - now;
}

NextBeat next_beat(Duration interval, Instant now, std::int64_t last) {
    const std::int64_t number = std::max(last + 1, intervals_before(interval, now) + 1);
    return {number, std::max(Duration{1}, Instant{} + interval * number - now)};
}

}  // namespace electionlab

// The parts themselves: numbers in, moments out.
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "electionlab/detectors/detector.h"
#include "electionlab/detectors/phi.h"

#include "catch_shim.h"

using namespace electionlab;

namespace {

Instant at(std::int64_t milliseconds) { return Instant{} + ms(milliseconds); }

DetectorOptions with(DetectorKind kind) {
    DetectorOptions options;
    options.detector = kind;
    return options;
}

bool is_near(double value, double reference, double relative) {
    return std::abs(value - reference) <= relative * std::abs(reference);
}

}  // namespace

TEST_CASE("phi: -log10 of the normal tail to 1e-12, from the middle to far out", "[detectors][phi]") {
    // Reference values with 20 digits, worked out with 700.
    const std::vector<std::pair<double, double>> known{
        {-30, 2.1309587828382920316e-198}, {-6, 4.2846957036515782520e-10},
        {-3, 0.00058664931379006669102},   {-1, 0.075026012957818023238},
        {0, 0.30102999566398119521},       {1, 0.79954554149197050003},
        {2.999999, 2.8696976100979415225}, {3, 2.8696990359293690772},
        {8, 15.206142551017154558},        {38, 315.53978970396250789},
        {1000, 217150.64004199438628}};
    for (const auto& [z, phi] : known) {
        CAPTURE(z, phi);
        CHECK(is_near(phi_of_deviations(z), phi, 1e-12));
    }
}

TEST_CASE("phi: rises with the silence, also where one method takes over from the other",
          "[detectors][phi]") {
    for (const double seam : {-37.0, -3.0, -1.0, 3.0}) {
        for (double step = 1e-12; step < 1; step *= 10) {
            CAPTURE(seam, step);
            CHECK(phi_of_deviations(seam - step) <= phi_of_deviations(seam));
            CHECK(phi_of_deviations(seam) <= phi_of_deviations(seam + step));
        }
    }
    for (const double phi : {1e-9, 0.01, 0.3, 1.0, 8.0, 300.0, 1e6}) {
        CAPTURE(phi);
        CHECK(is_near(phi_of_deviations(deviations_of_phi(phi)), phi, 1e-9));
    }
}

TEST_CASE("fixed time-out: counts from the arrival, however old the heartbeat",
          "[detectors][fixed]") {
    const auto options = with(DetectorKind::fixed);
    PeerWatch watch;
    CHECK(watch.begin(options, at(7)) == ms(200));
    watch.suspect();
    CHECK(watch.heard(options, 1, at(500)) == ms(200));
    CHECK_FALSE(watch.suspected);
}

TEST_CASE("NFD-S: a heartbeat counts until its successor is due, and not a moment longer",
          "[detectors][nfd]") {
    const auto options = with(DetectorKind::nfd_s);  // eta 50, delta 150: tau_i = 50 i + 150
    PeerWatch watch;
    // At 120 the next heartbeat is number 3; it is due at 300.
    CHECK(watch.begin(options, at(120)) == ms(180));
    CHECK(watch.heard(options, 3, at(155)) == ms(195));  // until tau_4 = 350
    CHECK(watch.heard(options, 5, at(255)) == ms(195));  // tau_6 = 450
    CHECK(watch.heard(options, 4, at(260)) == ms(190));  // late: number 5 still counts
    watch.suspect();
    CHECK_FALSE(watch.heard(options, 5, at(450)));  // stale at the very moment
    CHECK(watch.suspected);
    CHECK(watch.heard(options, 6, at(450)) == ms(50));
    CHECK_FALSE(watch.suspected);
    CHECK_FALSE(watch.heard(options, 2, at(501)));
}

TEST_CASE("NFD-E: expects the next heartbeat after the mean of the last n arrivals",
          "[detectors][nfd]") {
    auto options = with(DetectorKind::nfd_e);
    options.arrival_window = 3;
    PeerWatch watch;
    CHECK(watch.begin(options, at(0)) == ms(200));
    // The sender's clock is 1000 ms behind: number i leaves at 1000 + 50 i of the receiver's.
    CHECK(watch.heard(options, 1, at(1056)) == ms(50 + 150));        // offset 1006
    CHECK(watch.heard(options, 2, at(1112)) == ms(1009 + 150 + 150 - 1112));  // 1012: mean 1009
    CHECK(watch.heard(options, 3, at(1156)) == ms(1008 + 200 + 150 - 1156));  // 1006: mean 1008
    CHECK(watch.heard(options, 4, at(1200)) == ms(1006 + 250 + 150 - 1200));  // 1000 for 1006
    CHECK(watch.heard(options, 3, at(1201)) == ms(1006 + 250 + 150 - 1201));  // old: no sample
    CHECK(watch.nfd_e.offsets.size() == 3);
    CHECK(watch.nfd_e.expected_arrival(7, ms(50)) == at(1006 + 350));
}

TEST_CASE("phi accrual: patience is the silence at which phi reaches the threshold",
          "[detectors][phi]") {
    auto options = with(DetectorKind::phi);
    options.phi_window = 4;
    options.phi_min_deviation = us(1);
    options.phi_threshold = 3;
    PeerWatch watch;
    Instant now = at(1000);
    std::optional<Duration> patience = watch.begin(options, now);
    for (const std::int64_t gap : {48, 55, 47, 50, 61, 50, 50}) {
        // Just before it phi is below the threshold, and at it not.
        const PhiAccrual::Options phi = options.phi();
        CHECK(watch.phi.phi(now + Duration{patience->ns - 1000}, phi) < 3);
        CHECK(watch.phi.phi(now + *patience + us(1), phi) > 3);
        CHECK(is_near(watch.phi.phi(now + *patience, phi), 3, 1e-6));
        now = now + ms(gap);
        patience = watch.heard(options, 0, now);
        REQUIRE(patience);
    }
    // The window holds 50, 61, 50, 50: mean 52.75, variance 22.6875.
    CHECK(is_near(watch.phi.mean_ns(), 52.75e6, 1e-15));
    CHECK(is_near(watch.phi.deviation_ns(options.phi()), std::sqrt(22.6875) * 1e6, 1e-12));
    CHECK(is_near(static_cast<double>(patience->ns),
                  52.75e6 + 3.090232306167813 * std::sqrt(22.6875) * 1e6, 3e-8));
}

TEST_CASE("phi accrual: minimum deviation, acceptable pause, and what is no sample",
          "[detectors][phi]") {
    auto options = with(DetectorKind::phi);
    options.phi_window = 2;
    options.phi_threshold = 1;
    PeerWatch watch;
    static_cast<void>(watch.begin(options, at(0)));
    static_cast<void>(watch.heard(options, 0, at(50)));
    const auto steady = watch.heard(options, 0, at(100));
    REQUIRE(steady);  // no spread at all: 50 + z 10
    CHECK(is_near(static_cast<double>(steady->ns), 50e6 + 1.2815515655446004 * 10e6, 1e-8));
    options.phi_acceptable_pause = ms(30);
    const auto patient = watch.heard(options, 0, at(150));
    CHECK(patient->ns - steady->ns == ms(30).ns);
    // A gap that ended a suspicion is an outage, not a gap.
    watch.suspect();
    const auto after = watch.heard(options, 0, at(60'000));
    CHECK(*after == *patient);
    CHECK_FALSE(watch.suspected);
    // The first two samples are a guess: a quarter of the interval around it.
    PeerWatch fresh;
    options.phi_acceptable_pause = ms(0);
    CHECK(is_near(static_cast<double>(fresh.begin(options, at(0)).ns),
                  50e6 + 1.2815515655446004 * 12.5e6, 1e-8));
}

TEST_CASE("detector: heartbeat i leaves when the clock shows i intervals", "[detectors]") {
    const auto check = [](Instant now, std::int64_t last, std::int64_t number, Duration wait) {
        const NextBeat next = next_beat(ms(50), now, last);
        CHECK(next.number == number);
        CHECK(next.wait == wait);
    };
    check(at(0), INT64_MIN / 2, 1, ms(50));
    check(at(49), INT64_MIN / 2, 1, ms(1));
    check(at(50), 1, 2, ms(50));
    check(at(263), 3, 6, ms(37));      // it was paused: 4 and 5 are skipped
    check(at(-75), INT64_MIN / 2, -1, ms(25));
    check(at(100), 4, 5, ms(150));     // its clock jumped back: numbers still rise
}

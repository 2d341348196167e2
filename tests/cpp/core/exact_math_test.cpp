#include "electionlab/core/exact_math.h"

#include <cmath>

#include "electionlab/core/random.h"

#include "catch_shim.h"

using namespace electionlab;

namespace {

double relative_error(double got, double expected) {
    return expected == 0 ? std::abs(got) : std::abs((got - expected) / expected);
}

}  // namespace

TEST_CASE("exact math: log agrees with the library within 1e-14 relative", "[core][math]") {
    CHECK(exact::log(1.0) == 0.0);
    double worst = 0;
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        const double u = open_unit(RandomStream{3}.word(i));
        worst = std::max(worst, relative_error(exact::log(u), std::log(u)));
        const double wide = std::exp(1300 * u - 650);
        worst = std::max(worst, relative_error(exact::log(wide), std::log(wide)));
    }
    CHECK(worst < 1e-12);
    CHECK(worst < 1e-14);  // what the header promises
}

TEST_CASE("exact math: log is good beside 1, where it is small", "[core][math]") {
    double worst = 0;
    for (int k = 1; k <= 52; ++k) {
        const double near = 1 - std::ldexp(1.0, -k);
        worst = std::max(worst, relative_error(exact::log(near), std::log(near)));
        const double above = 1 + std::ldexp(1.0, -k);
        worst = std::max(worst, relative_error(exact::log(above), std::log(above)));
    }
    CHECK(worst < 1e-14);
}

TEST_CASE("exact math: exp agrees with the library within 1e-14 relative", "[core][math]") {
    CHECK(exact::exp(0.0) == 1.0);
    double worst = 0;
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        const double x = 1400 * open_unit(RandomStream{4}.word(i)) - 700;
        worst = std::max(worst, relative_error(exact::exp(x), std::exp(x)));
        worst = std::max(worst, relative_error(exact::exp(x / 1000), std::exp(x / 1000)));
    }
    CHECK(worst < 1e-12);
    CHECK(worst < 1e-14);
    CHECK(relative_error(exact::exp(700), std::exp(700)) < 1e-14);
    CHECK(relative_error(exact::exp(-700), std::exp(-700)) < 1e-14);
}

TEST_CASE("exact math: the normal quantile inverts the normal distribution function",
          "[core][math]") {
    // P(x) through the library's erfc; a relative error of e in x moves it by about x e density(x).
    double worst = 0;
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        const double p = open_unit(RandomStream{5}.word(i));
        const double x = exact::normal_quantile(p);
        const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
        const double step = (0.5 * std::erfc(-x / std::sqrt(2.0)) - p) / density;
        if (std::abs(x) > 1e-3) {
            worst = std::max(worst, std::abs(step / x));
        }
    }
    CHECK(worst < 2e-9);
    CHECK(exact::normal_quantile(0.5) == 0.0);
    CHECK(relative_error(exact::normal_quantile(0.975), 1.959963984540054) < 2e-9);
    CHECK(relative_error(exact::normal_quantile(1e-10), -6.361340902404056) < 2e-9);
    CHECK(exact::normal_quantile(0.25) == -exact::normal_quantile(0.75));
    CHECK(exact::normal_quantile(0.0078125) == -exact::normal_quantile(1 - 0.0078125));
}

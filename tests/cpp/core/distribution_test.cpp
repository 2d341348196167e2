#include "electionlab/core/distribution.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "electionlab/core/errors.h"

#include "catch_shim.h"

using namespace electionlab;

namespace {

constexpr std::uint64_t n = 200'000;

std::vector<double> draws_ms(const Distribution& distribution, std::uint64_t key = 11) {
    std::vector<double> drawn;
    for (std::uint64_t i = 0; i < n; ++i) {
        drawn.push_back(distribution.draw(RandomStream{key}.word(i)).to_ms());
    }
    std::sort(drawn.begin(), drawn.end());
    return drawn;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double v : values) {
        sum += v;
    }
    return sum / static_cast<double>(values.size());
}

// The sample's distribution function beside the true one at many places: Kolmogorov's bound with
// n = 200,000 is 1.95 / sqrt(n) = 0.00436 at a level of 1 in 1,000. Seeds are fixed.
template <class Cdf>
double distance(const std::vector<double>& sorted, Cdf&& cdf) {
    double worst = 0;
    const auto total = static_cast<double>(sorted.size());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const double f = cdf(sorted[i]);
        worst = std::max({worst, std::abs(f - static_cast<double>(i) / total),
                          std::abs(f - static_cast<double>(i + 1) / total)});
    }
    return worst;
}

constexpr double kolmogorov = 0.00436;
constexpr double sigmas = 4 / 447.2;  // four standard errors of a mean: 4 / sqrt(n)

double phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

std::vector<Distribution> one_of_each_kind() {
    return {Distribution::constant(ms(7)),
            Distribution::uniform(ms(5), ms(10)),
            Distribution::exponential(ms(4), ms(1)),
            Distribution::normal(ms(50), ms(5), ms(1)),
            Distribution::lognormal(ms(8), 0.5, ms(2)),
            Distribution::pareto(ms(3), 2.5, ms(1)),
            Distribution::hyperexponential(ms(1), ms(40), 0.05, ms(2)),
            Distribution::empirical({ms(1), ms(2), ms(8)})};
}

}  // namespace

TEST_CASE("distribution: constant and uniform are what they say", "[core][distribution]") {
    CHECK(Distribution::constant(us(1500)).draw(12345) == us(1500));
    const auto drawn = draws_ms(Distribution::uniform(ms(5), ms(10)));
    CHECK(drawn.front() >= 5.0);
    CHECK(drawn.back() <= 10.0);
    CHECK(distance(drawn, [](double x) { return (x - 5) / 5; }) < kolmogorov);
    CHECK(std::abs(mean(drawn) - 7.5) < sigmas * 5 / std::sqrt(12.0));
}

TEST_CASE("distribution: exponential has its mean and its tail", "[core][distribution]") {
    const auto drawn = draws_ms(Distribution::exponential(ms(4), ms(1)));
    CHECK(drawn.front() >= 1.0);
    CHECK(distance(drawn, [](double x) { return 1 - std::exp(-(x - 1) / 4); }) < kolmogorov);
    CHECK(std::abs(mean(drawn) - 5) < sigmas * 4);
}

TEST_CASE("distribution: normal has its mean and deviation, cut off at its minimum",
          "[core][distribution]") {
    const auto drawn = draws_ms(Distribution::normal(ms(50), ms(5)));
    CHECK(distance(drawn, [](double x) { return phi((x - 50) / 5); }) < kolmogorov);
    CHECK(std::abs(mean(drawn) - 50) < sigmas * 5);

    const auto cut = draws_ms(Distribution::normal(ms(10), ms(5), ms(8)));
    const auto at_minimum = std::count(cut.begin(), cut.end(), 8.0);
    const double expected = phi(-0.4);  // 0.3446: all that lay below the minimum
    CHECK(std::abs(static_cast<double>(at_minimum) / n - expected) <
          sigmas * std::sqrt(expected * (1 - expected)));
}

TEST_CASE("distribution: lognormal has its median and its mean", "[core][distribution]") {
    const auto drawn = draws_ms(Distribution::lognormal(ms(8), 0.5, ms(2)));
    CHECK(distance(drawn, [](double x) { return x <= 2 ? 0 : phi(std::log((x - 2) / 8) / 0.5); }) <
          kolmogorov);
    const double expected = 8 * std::exp(0.125);  // e^(sigma^2 / 2) times the median
    const double deviation = expected * std::sqrt(std::exp(0.25) - 1);
    CHECK(std::abs(mean(drawn) - 2 - expected) < sigmas * deviation);
}

TEST_CASE("distribution: pareto (Lomax) has its tail and its mean", "[core][distribution]") {
    const auto drawn = draws_ms(Distribution::pareto(ms(3), 2.5, ms(1)));
    CHECK(drawn.front() >= 1.0);
    CHECK(distance(drawn, [](double x) { return 1 - std::pow(1 + (x - 1) / 3, -2.5); }) <
          kolmogorov);
    const double deviation = 3 / 1.5 * std::sqrt(2.5 / 0.5);
    CHECK(std::abs(mean(drawn) - (1 + 3 / 1.5)) < sigmas * deviation);
}

TEST_CASE("distribution: hyperexponential mixes two exponentials", "[core][distribution]") {
    const auto drawn = draws_ms(Distribution::hyperexponential(ms(1), ms(40), 0.05, ms(2)));
    CHECK(distance(drawn, [](double x) {
              return 1 - 0.95 * std::exp(-(x - 2)) - 0.05 * std::exp(-(x - 2) / 40);
          }) < kolmogorov);
    const double second = 0.95 * 2 + 0.05 * 2 * 1600;
    const double m = 0.95 + 2;
    CHECK(std::abs(mean(drawn) - 2 - m) < sigmas * std::sqrt(second - m * m));
    // With the whole weight on one branch it is that exponential.
    const auto plain = draws_ms(Distribution::hyperexponential(ms(1), ms(40), 0));
    CHECK(distance(plain, [](double x) { return 1 - std::exp(-x); }) < kolmogorov);
    const auto tail = draws_ms(Distribution::hyperexponential(ms(1), ms(40), 1));
    CHECK(distance(tail, [](double x) { return 1 - std::exp(-x / 40); }) < kolmogorov);
}

TEST_CASE("distribution: empirical follows the line between its quantiles",
          "[core][distribution]") {
    const auto drawn = draws_ms(Distribution::empirical({ms(1), ms(2), ms(8)}));
    CHECK(drawn.front() >= 1.0);
    CHECK(drawn.back() <= 8.0);
    CHECK(distance(drawn, [](double x) { return x < 2 ? (x - 1) / 2 : 0.5 + (x - 2) / 12; }) <
          kolmogorov);
}

TEST_CASE("distribution: no draw is ever below lowest() or above highest()",
          "[core][distribution]") {
    for (const Distribution& d : one_of_each_kind()) {
        CAPTURE(d.to_value().to_json());
        for (const std::uint64_t word :
             {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
            CHECK(d.draw(word) >= d.lowest());
            CHECK(d.draw(word) <= d.highest());
        }
        for (std::uint64_t i = 0; i < 2000; ++i) {
            const Duration drawn = d.draw(RandomStream{8}.word(i));
            REQUIRE(drawn >= d.lowest());
            REQUIRE(drawn <= d.highest());
        }
    }
    // A tail without end stops at the longest duration there may be.
    CHECK(Distribution::pareto(seconds(1000), 0.01).draw(0) == longest_duration);
}

TEST_CASE("distribution: from_value reads what to_value wrote", "[core][distribution]") {
    for (const Distribution& d : one_of_each_kind()) {
        CAPTURE(d.to_value().to_json());
        CHECK(Distribution::from_value(d.to_value(), "delay_ms") == d);
    }
    const Distribution flat = Distribution::uniform(ms(5), ms(5));
    CHECK(Distribution::from_value(flat.to_value(), "delay_ms") == flat);
    CHECK(flat == Distribution::constant(ms(5)));
    CHECK_FALSE(Distribution::exponential(ms(4), ms(1)) == Distribution::exponential(ms(4), ms(2)));
}

TEST_CASE("distribution: a number is a constant, a pair is uniform", "[core][distribution]") {
    CHECK(Distribution::from_value(Value(2.5), "x") == Distribution::constant(us(2500)));
    CHECK(Distribution::from_value(Value(3), "x") == Distribution::constant(ms(3)));
    CHECK(Distribution::from_value(Value::List{1, 2.5}, "x") ==
          Distribution::uniform(ms(1), us(2500)));
}

TEST_CASE("distribution: bad values are refused by name", "[core][distribution][errors]") {
    const auto read = [](const Value& value) {
        return Distribution::from_value(value, "delay_ms");
    };
    CHECK_THROWS_WITH(read(-1), contains("delay_ms") && contains("-1"));
    CHECK_THROWS_WITH(read(std::nan("")), contains("delay_ms") && contains("nan"));
    CHECK_THROWS_WITH(read(1e300), contains("delay_ms"));
    CHECK_THROWS_WITH(read("soon"), contains("delay_ms") && contains("'soon'"));
    CHECK_THROWS_WITH(read(Value::List{2, 1}), contains("delay_ms") && contains("min <= max"));
    CHECK_THROWS_WITH(read(Value::List{1, 2, 3}), contains("delay_ms") && contains("pair"));
    CHECK_THROWS_WITH(read(Value::Dict{{"kind", "gaussian"}}),
                      contains("delay_ms.kind") && contains("'gaussian'") && contains("lognormal"));
    CHECK_THROWS_WITH(read(Value::Dict{{"kind", "exponential"}}), contains("delay_ms.mean_ms"));
    CHECK_THROWS_WITH(read(Value::Dict{{"kind", "constant"}, {"ms", 1}, {"mean_ms", 2}}),
                      contains("delay_ms.mean_ms") && contains("not known"));
    CHECK_THROWS_WITH(read(Value::Dict{{"kind", "pareto"}, {"scale_ms", 1}, {"shape", 0}}),
                      contains("delay_ms.shape") && contains("above 0"));
    CHECK_THROWS_WITH(read(Value::Dict{{"kind", "uniform"}, {"min_ms", 3}, {"max_ms", 2}}),
                      contains("delay_ms.max_ms") && contains("at least min_ms"));
    CHECK_THROWS_WITH(read(Value::Dict{{"kind", "empirical"}, {"quantiles_ms", Value::List{2, 1}}}),
                      contains("delay_ms.quantiles_ms") && contains("ascending"));
    CHECK_THROWS_WITH(read(Value::Dict{{"kind", "hyperexponential"},
                                       {"mean_ms", 1},
                                       {"tail_mean_ms", 2},
                                       {"tail_probability", 1.5}}),
                      contains("delay_ms.tail_probability") && contains("1.5"));
    CHECK_THROWS_AS(read(Value()), InvalidArgument);
}

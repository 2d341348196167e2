// Distributions of delays, drawn by inverting the distribution function of one uniform word.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "electionlab/core/random.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"

namespace electionlab {

/// How long something takes: a link's one-way delay, a durable write, a pause between faults.
///
/// Every kind is drawn from a single word (inverse transform), so a draw never disturbs another.
/// Results are whole nanoseconds, never below 0 and never above `longest_duration`.
class Distribution {
public:
    enum class Kind : std::uint8_t {
        constant,     ///< always `min`
        uniform,      ///< min..max, both included
        exponential,  ///< min + an exponential with the given mean
        normal,       ///< mean and standard deviation, cut off below `min`
        lognormal,    ///< min + exp(N(log median, sigma))
        pareto,       ///< min + scale * (U^(-1/shape) - 1): heavy tail
        hyperexponential,  ///< min + an exponential, of a larger mean with the given probability
        empirical,    ///< quantiles at equal steps of probability, linear between them
    };

    constexpr Distribution() = default;
    static Distribution constant(Duration value);
    static Distribution uniform(Duration min, Duration max);
    static Distribution exponential(Duration mean, Duration min = {});
    static Distribution normal(Duration mean, Duration deviation, Duration min = {});
    static Distribution lognormal(Duration median, double sigma, Duration min = {});
    static Distribution pareto(Duration scale, double shape, Duration min = {});
    static Distribution hyperexponential(Duration mean, Duration tail_mean, double tail_probability,
                                         Duration min = {});
    static Distribution empirical(std::vector<Duration> quantiles);

    /// The duration that belongs to a uniform word.
    [[nodiscard]] Duration draw(std::uint64_t word) const {
        switch (kind_) {
            case Kind::constant: return min_;
            case Kind::uniform: return {uniform_integer(word, min_.ns, other_.ns)};
            default: return draw_shaped(word);
        }
    }
    /// The same for a word of a stream, which is not drawn where nothing depends on it.
    [[nodiscard]] Duration draw(RandomStream stream, std::uint64_t index) const {
        return kind_ == Kind::constant ? min_ : draw(stream.word(index));
    }
    [[nodiscard]] bool is_zero() const { return kind_ == Kind::constant && min_.ns == 0; }
    [[nodiscard]] Kind kind() const { return kind_; }
    /// The smallest duration that can be drawn.
    [[nodiscard]] Duration lowest() const { return min_; }
    /// The largest duration that can be drawn; `longest_duration` where the tail has no end.
    [[nodiscard]] Duration highest() const;

    /// {"kind": "uniform", "min_ms": 5.0, "max_ms": 10.0}; `from_value` reads it, and also takes
    /// a number (constant) and a pair [min, max] (uniform), in milliseconds.
    [[nodiscard]] Value to_value() const;
    static Distribution from_value(const Value& value, std::string_view name);

    [[nodiscard]] std::uint64_t hash() const;

    friend bool operator==(const Distribution& a, const Distribution& b);

private:
    [[nodiscard]] Duration draw_shaped(std::uint64_t word) const;

    Kind kind_ = Kind::constant;
    Duration min_;
    Duration other_;     // uniform: max; exponential: mean; normal: mean; lognormal: median; pareto: scale
    double shape_ = 0;   // normal: deviation in ns; lognormal: sigma; pareto: shape;
                         // hyperexponential: the tail's probability
    Duration tail_;      // hyperexponential: the tail's mean
    std::shared_ptr<const std::vector<Duration>> quantiles_{};
};

/// A duration from milliseconds, rounded to the nearest nanosecond; `InvalidArgument` when it is
/// no number, negative or above `longest_duration`.
Duration duration_from_ms(const Value& value, std::string_view name);

/// (min, max) in milliseconds, or one number for both.
DurationRange range_from_ms(const Value& value, std::string_view name);

}  // namespace electionlab

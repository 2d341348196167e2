#include "electionlab/core/distribution.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>

#include "electionlab/core/errors.h"
#include "electionlab/core/exact_math.h"
#include "electionlab/core/fields.h"

namespace electionlab {
namespace {

constexpr std::array kind_names = {"constant", "uniform", "exponential", "normal",
                                   "lognormal", "pareto", "hyperexponential", "empirical"};

Duration rounded(double ns) {
    const double clamped = std::clamp(ns, 0.0, static_cast<double>(longest_duration.ns));
    return {static_cast<std::int64_t>(clamped + 0.5)};
}

double as_number(const Value& value, std::string_view name) {
    if (const auto* d = value.get_if<double>()) {
        return *d;
    }
    if (const auto* i = value.get_if<std::int64_t>()) {
        return static_cast<double>(*i);
    }
    invalid(std::string(name), show(value), "must be a number");
}

double positive_shape(Reader& in, std::string_view key) {
    const double shape = as_number(in.take(key), in.name(key));
    if (!(shape > 0 && shape <= 1000)) {
        invalid(in.name(key), show(Value(shape)), "must be above 0 and at most 1000");
    }
    return shape;
}

}  // namespace

Duration duration_from_ms(const Value& value, std::string_view name) {
    const double ms = as_number(value, name);
    if (!(ms >= 0 && ms <= longest_duration.to_ms())) {
        invalid(std::string(name), show(value),
                "must be a number of milliseconds from 0 to 1e9, and finite");
    }
    return rounded(ms * 1e6);
}

DurationRange range_from_ms(const Value& value, std::string_view name) {
    const auto* list = value.get_if<Value::List>();
    if (list == nullptr) {
        const Duration both = duration_from_ms(value, name);
        return {both, both};
    }
    if (list->size() != 2) {
        invalid(std::string(name), show(value), "must be one number or a pair (min, max)");
    }
    const DurationRange range{duration_from_ms((*list)[0], name), duration_from_ms((*list)[1], name)};
    if (range.min > range.max) {
        invalid(std::string(name), show(value), "must be a pair (min, max) with min <= max");
    }
    return range;
}

Distribution Distribution::constant(Duration value) {
    Distribution d;
    d.min_ = value;
    return d;
}

Distribution Distribution::uniform(Duration min, Duration max) {
    if (min == max) {
        return constant(min);
    }
    Distribution d;
    d.kind_ = Kind::uniform;
    d.min_ = min;
    d.other_ = max;
    return d;
}

Distribution Distribution::exponential(Duration mean, Duration min) {
    Distribution d;
    d.kind_ = Kind::exponential;
    d.min_ = min;
    d.other_ = mean;
    return d;
}

Distribution Distribution::normal(Duration mean, Duration deviation, Duration min) {
    Distribution d;
    d.kind_ = Kind::normal;
    d.min_ = min;
    d.other_ = mean;
    d.shape_ = static_cast<double>(deviation.ns);
    return d;
}

Distribution Distribution::lognormal(Duration median, double sigma, Duration min) {
    Distribution d;
    d.kind_ = Kind::lognormal;
    d.min_ = min;
    d.other_ = median;
    d.shape_ = sigma;
    return d;
}

Distribution Distribution::pareto(Duration scale, double shape, Duration min) {
    Distribution d;
    d.kind_ = Kind::pareto;
    d.min_ = min;
    d.other_ = scale;
    d.shape_ = shape;
    return d;
}

Distribution Distribution::hyperexponential(Duration mean, Duration tail_mean,
                                            double tail_probability, Duration min) {
    Distribution d = exponential(mean, min);
    d.kind_ = Kind::hyperexponential;
    d.tail_ = tail_mean;
    d.shape_ = tail_probability;
    return d;
}

Distribution Distribution::empirical(std::vector<Duration> quantiles) {
    EL_ASSERT(quantiles.size() >= 2 && std::is_sorted(quantiles.begin(), quantiles.end()));
    Distribution d;
    d.kind_ = Kind::empirical;
    d.min_ = quantiles.front();
    d.other_ = quantiles.back();
    d.quantiles_ = std::make_shared<const std::vector<Duration>>(std::move(quantiles));
    return d;
}

Duration Distribution::draw_shaped(std::uint64_t word) const {
    const double u = open_unit(word);
    const auto min = static_cast<double>(min_.ns);
    const auto other = static_cast<double>(other_.ns);
    switch (kind_) {
        case Kind::exponential: return rounded(min - other * exact::log(u));
        case Kind::normal:
            return std::max(min_, rounded(other + shape_ * exact::normal_quantile(u)));
        case Kind::lognormal:
            return rounded(min + other * exact::exp(std::clamp(
                                             shape_ * exact::normal_quantile(u), -600.0, 600.0)));
        case Kind::pareto:
            return rounded(min + other * (exact::exp(std::min(-exact::log(u) / shape_, 600.0)) - 1));
        case Kind::hyperexponential: {
            // One word chooses the branch, and what is left of it is uniform within the branch.
            const bool in_tail = u < shape_;
            const double rest = in_tail ? u / shape_ : (u - shape_) / (1 - shape_);
            const double mean = in_tail ? static_cast<double>(tail_.ns) : other;
            return rounded(min - mean * exact::log(std::max(rest, 1e-300)));
        }
        case Kind::empirical: {
            const double place = u * static_cast<double>(quantiles_->size() - 1);
            const auto cell = static_cast<std::size_t>(place);
            const auto low = static_cast<double>((*quantiles_)[cell].ns);
            const auto high = static_cast<double>((*quantiles_)[cell + 1].ns);
            return rounded(low + (place - static_cast<double>(cell)) * (high - low));
        }
        default: return min_;
    }
}

Duration Distribution::highest() const {
    switch (kind_) {
        case Kind::constant: return min_;
        case Kind::uniform:
        case Kind::empirical: return other_;
        default: return longest_duration;
    }
}

std::uint64_t Distribution::hash() const {
    std::uint64_t hash = static_cast<std::uint64_t>(kind_);
    for (const Duration part : {min_, other_, tail_}) {
        hash_into(hash, part);
    }
    hash_word(hash, std::bit_cast<std::uint64_t>(shape_));
    if (quantiles_) {
        hash_into(hash, *quantiles_);
    }
    return hash;
}

bool operator==(const Distribution& a, const Distribution& b) {
    return a.kind_ == b.kind_ && a.min_ == b.min_ && a.other_ == b.other_ && a.shape_ == b.shape_ && a.tail_ == b.tail_ &&
           (a.quantiles_ == b.quantiles_ ||
            (a.quantiles_ && b.quantiles_ && *a.quantiles_ == *b.quantiles_));
}

Value Distribution::to_value() const {
    Value::Dict dict{{"kind", kind_names[static_cast<std::size_t>(kind_)]}};
    const auto add = [&](const char* name, Value value) { dict.emplace_back(name, std::move(value)); };
    if (kind_ == Kind::constant) {
        add("ms", min_.to_ms());
        return dict;
    }
    if (kind_ == Kind::empirical) {
        Value::List list;
        for (const Duration q : *quantiles_) {
            list.emplace_back(q.to_ms());
        }
        add("quantiles_ms", std::move(list));
        return dict;
    }
    add("min_ms", min_.to_ms());
    switch (kind_) {
        case Kind::uniform: add("max_ms", other_.to_ms()); break;
        case Kind::exponential: add("mean_ms", other_.to_ms()); break;
        case Kind::normal:
            add("mean_ms", other_.to_ms());
            add("deviation_ms", shape_ / 1e6);
            break;
        case Kind::lognormal:
            add("median_ms", other_.to_ms());
            add("sigma", shape_);
            break;
        case Kind::hyperexponential:
            add("mean_ms", other_.to_ms());
            add("tail_mean_ms", tail_.to_ms());
            add("tail_probability", shape_);
            break;
        default:
            add("scale_ms", other_.to_ms());
            add("shape", shape_);
    }
    return dict;
}

Distribution Distribution::from_value(const Value& value, std::string_view name) {
    if (value.get_if<Value::Dict>() == nullptr) {
        const DurationRange range = range_from_ms(value, name);
        return uniform(range.min, range.max);
    }
    Reader in(value, std::string(name));
    const std::string kind = in.text("kind", "");
    const auto duration = [&](std::string_view key) {
        return duration_from_ms(in.take(key), in.name(key));
    };
    const auto min = [&] {
        const Value& v = in.take("min_ms");
        return v.is_null() ? Duration{} : duration_from_ms(v, in.name("min_ms"));
    };
    Distribution result;
    if (kind == "constant") {
        result = constant(duration("ms"));
    } else if (kind == "uniform") {
        const Duration low = min(), high = duration("max_ms");
        if (low > high) {
            invalid(in.name("max_ms"), show(Value(high.to_ms())), "must be at least min_ms");
        }
        result = uniform(low, high);
    } else if (kind == "exponential") {
        result = exponential(duration("mean_ms"), min());
    } else if (kind == "normal") {
        result = normal(duration("mean_ms"), duration("deviation_ms"), min());
    } else if (kind == "lognormal") {
        result = lognormal(duration("median_ms"), positive_shape(in, "sigma"), min());
    } else if (kind == "pareto") {
        result = pareto(duration("scale_ms"), positive_shape(in, "shape"), min());
    } else if (kind == "hyperexponential") {
        const Duration mean = duration("mean_ms"), tail = duration("tail_mean_ms");
        result = hyperexponential(mean, tail, in.number("tail_probability", 0.5, 0, 1), min());
    } else if (kind == "empirical") {
        std::vector<Duration> quantiles;
        const Value& list = in.take("quantiles_ms");
        if (const auto* items = list.get_if<Value::List>()) {
            for (const Value& item : *items) {
                quantiles.push_back(duration_from_ms(item, in.name("quantiles_ms")));
            }
        }
        if (quantiles.size() < 2 || !std::is_sorted(quantiles.begin(), quantiles.end())) {
            invalid(in.name("quantiles_ms"), show(list), "must be two or more ascending numbers");
        }
        result = empirical(std::move(quantiles));
    } else {
        invalid(in.name("kind"), show(Value(kind)),
                "must be constant, uniform, exponential, normal, lognormal, pareto, hyperexponential or "
                "empirical");
    }
    in.finish();
    return result;
}

}  // namespace electionlab

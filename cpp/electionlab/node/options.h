// How a protocol describes its options once, for reading, printing, documentation and Python.
//
//     struct RaftOptions {
//         DurationRange election_timeout{ms(150), ms(300)};
//         template <class Self, class Visit>
//         static void describe(Self& self, Visit&& option) {
//             option("election_timeout_ms", self.election_timeout, "How long ... [ms]");
//         }
//         void validate(NodeId nodes) const;
//         std::vector<std::string> warnings() const;  // optional: allowed, but hardly meant
//         void prepare(NodeId nodes);   // optional: tables that handlers look things up in
//     };
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "electionlab/core/distribution.h"
#include "electionlab/core/errors.h"
#include "electionlab/core/encoding.h"
#include "electionlab/core/fields.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"

namespace electionlab {

/// One option as documentation and Python see it.
struct OptionInfo {
    std::string name;                  ///< with its unit: election_timeout_ms
    std::string type;                  ///< range_ms, ms, integer, number, boolean, choice, list, quorum, mutations
    Value default_value;
    std::string doc;
    std::vector<std::string> choices;  ///< of a choice, or of mutations
};

namespace detail {

template <class T>
std::string option_type() {
    if constexpr (requires { T::option_type; }) {
        return std::string(T::option_type);
    } else if constexpr (std::same_as<T, DurationRange>) {
        return "range_ms";
    } else if constexpr (std::same_as<T, Duration>) {
        return "ms";
    } else if constexpr (std::same_as<T, bool>) {
        return "boolean";
    } else if constexpr (NamedEnum<T>) {
        return "choice";
    } else if constexpr (std::integral<T>) {
        return "integer";
    } else if constexpr (std::floating_point<T>) {
        return "number";
    } else {
        return "list";
    }
}

template <class T>
Value option_value(const T& option) {
    if constexpr (std::same_as<T, DurationRange>) {
        return Value::List{option.min.to_ms(), option.max.to_ms()};
    } else if constexpr (std::floating_point<T>) {
        return option;
    } else {
        return to_value(option);
    }
}

template <class T>
void read_option(T& option, const Value& value, std::string_view name) {
    if constexpr (std::same_as<T, DurationRange>) {
        option = range_from_ms(value, name);
    } else if constexpr (std::same_as<T, Duration>) {
        option = duration_from_ms(value, name);
    } else if constexpr (requires { T::from_value(value, name); }) {
        option = T::from_value(value, name);
    } else if constexpr (std::same_as<T, bool>) {
        const auto* b = value.get_if<bool>();
        if (b == nullptr) {
            invalid(std::string(name), show(value), "must be true or false");
        }
        option = *b;
    } else if constexpr (NamedEnum<T>) {
        std::string allowed;
        const auto* text = value.get_if<std::string>();
        for (int v = 0; !enum_name(static_cast<T>(v)).empty(); ++v) {
            const std::string_view known = enum_name(static_cast<T>(v));
            allowed += (v == 0 ? "'" : ", '") + std::string(known) + "'";
            if (text != nullptr && *text == known) {
                option = static_cast<T>(v);
                return;
            }
        }
        invalid(std::string(name), show(value), "must be one of " + allowed);
    } else if constexpr (std::floating_point<T>) {
        const auto* whole = value.get_if<std::int64_t>();
        const auto* real = value.get_if<double>();
        if (whole == nullptr && (real == nullptr || !std::isfinite(*real))) {
            invalid(std::string(name), show(value), "must be a finite number");
        }
        option = whole != nullptr ? static_cast<T>(*whole) : static_cast<T>(*real);
    } else if constexpr (std::integral<T>) {
        const auto* i = value.get_if<std::int64_t>();
        if (i == nullptr || *i < 0 || *i > (std::int64_t{1} << 52)) {
            invalid(std::string(name), show(value), "must be a whole number of at least 0");
        }
        if (!std::in_range<T>(*i)) {
            invalid(std::string(name), show(value),
                    "must be at most " + std::to_string(std::numeric_limits<T>::max()));
        }
        option = static_cast<T>(*i);
    } else if constexpr (HasFields<T>) {  // (1, 2) or {"term": 1, "index": 2}
        const auto* list = value.get_if<Value::List>();
        std::size_t at = 0;
        T::for_each_field(option, [&](std::string_view field, auto& target) {
            const Value* item = list == nullptr         ? value.find(field)
                                : at < list->size()     ? &(*list)[at]
                                                        : nullptr;
            ++at;
            if (item == nullptr) {
                invalid(std::string(name), show(value),
                        "each entry needs " + std::to_string(T::field_total) + " values, '" +
                            std::string(field) + "' is missing");
            }
            read_option(target, *item, name);
        });
    } else {
        const auto* list = value.get_if<Value::List>();
        if (list == nullptr) {
            invalid(std::string(name), show(value), "must be a list");
        }
        option.clear();
        for (const Value& item : *list) {
            option.emplace_back();
            read_option(option.back(), item, name);
        }
    }
}

}  // namespace detail

/// The options as a dictionary of Python-style names and units.
template <class Options>
Value options_to_value(const Options& options) {
    Value::Dict dict;
    Options::describe(options, [&](std::string_view name, const auto& option, std::string_view) {
        dict.emplace_back(std::string(name), detail::option_value(option));
    });
    return dict;
}

/// What a user should know of options that are allowed; one sentence each.
template <class Options>
std::vector<std::string> option_warnings(const Options& options) {
    if constexpr (requires { options.warnings(); }) {
        return options.warnings();
    } else {
        return {};
    }
}

/// The warning that a leader's signs of life are not more frequent than the silence `silence` (an
/// option called `name`) after which it is suspected, if so: such a cluster elects for ever.
template <class Silence>
std::vector<std::string> late_heartbeats(Duration interval, std::string_view name,
                                         const Silence& silence) {
    Duration least;
    if constexpr (std::same_as<Silence, DurationRange>) {
        least = silence.min;
    } else {
        least = silence;
    }
    if (interval < least) {
        return {};
    }
    return {"heartbeat_interval_ms=" + show(interval.to_ms()) + ": not below " + std::string(name) +
            "=" + show(detail::option_value(silence)) +
            ", so followers may suspect a leader that is alive"};
}

/// Reads a dictionary over the defaults; `InvalidArgument` for a bad or unknown entry. The caller
/// then calls `validate`.
template <class Options>
Options options_from_value(const Value& value) {
    Options options;
    Reader in(value, "");
    Options::describe(options, [&](std::string_view name, auto& option, std::string_view) {
        const Value& given = in.take(name);
        if (!given.is_null()) {
            detail::read_option(option, given, name);
        }
    });
    in.finish();
    return options;
}

template <class Options>
std::vector<OptionInfo> option_infos() {
    std::vector<OptionInfo> infos;
    const Options defaults;
    Options::describe(defaults, [&](std::string_view name, const auto& option, std::string_view doc) {
        using T = std::remove_cvref_t<decltype(option)>;
        OptionInfo info{std::string(name), detail::option_type<T>(), detail::option_value(option),
                        std::string(doc), {}};
        if constexpr (NamedEnum<T>) {
            info.choices = field_info<T>("").names;
        } else if constexpr (requires { typename T::Choice; }) {
            info.choices = field_info<typename T::Choice>("").names;
        }
        infos.push_back(std::move(info));
    });
    return infos;
}

}  // namespace electionlab

// Looking inside values: their moments of a clock, and their epochs.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"

namespace electionlab::check {

/// visit(instant) for each `Instant` in a value, in the order of its fields.
template <class T, class Visit>
void for_each_instant(T& value, Visit&& visit) {
    using Plain = std::remove_const_t<T>;
    if constexpr (std::same_as<Plain, Instant>) {
        visit(value);
    } else if constexpr (HasFields<Plain>) {
        Plain::for_each_field(value, [&](std::string_view, auto& field) {
            for_each_instant(field, visit);
        });
    } else if constexpr (detail::is_optional<Plain>) {
        if (value) {
            for_each_instant(*value, visit);
        }
    } else if constexpr (detail::is_list<Plain>) {
        for (auto& item : value) {
            for_each_instant(item, visit);
        }
    } else if constexpr (requires { std::variant_size<Plain>::value; }) {
        std::visit([&](auto& inner) { for_each_instant(inner, visit); }, value);
    }
}

/// A protocol that tells which of its fields are epochs, by the name of the struct and of the field:
/// terms, rounds of ballots. Whatever a node does, it does as well when all epochs that are not 0 are
/// greater by one number; 0 means that there is none, and stays.
template <class P>
concept HasEpochFields = requires(std::string_view name) {
    { P::is_epoch(name, name) } -> std::same_as<bool>;
};

/// visit(epoch) for each field in a value that P declares to be one.
template <class P, class T, class Visit>
void for_each_epoch(T& value, Visit&& visit) {
    using Plain = std::remove_const_t<T>;
    if constexpr (HasFields<Plain>) {
        Plain::for_each_field(value, [&](std::string_view name, auto& field) {
            if constexpr (std::same_as<std::remove_cvref_t<decltype(field)>, Epoch>) {
                if (P::is_epoch(Plain::type_name, name)) {
                    visit(field);
                }
            } else {
                for_each_epoch<P>(field, visit);
            }
        });
    } else if constexpr (detail::is_optional<Plain>) {
        if (value) {
            for_each_epoch<P>(*value, visit);
        }
    } else if constexpr (detail::is_list<Plain>) {
        for (auto& item : value) {
            for_each_epoch<P>(item, visit);
        }
    } else if constexpr (requires { std::variant_size<Plain>::value; }) {
        std::visit([&](auto& inner) { for_each_epoch<P>(inner, visit); }, value);
    }
}

}  // namespace electionlab::check

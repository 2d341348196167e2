// Renaming nodes inside values: for protocols that treat all nodes alike.
#pragma once

#include <concepts>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"

namespace electionlab::check {

/// Replaces every node id in a value: node i becomes names[i - 1]. A field of type `NodeId` is taken
/// for one; a protocol whose `symmetric` says yes has no other numbers of that type.
template <class T>
void rename(T& value, std::span<const NodeId> names) {
    if constexpr (std::same_as<T, NodeId>) {
        value = value == no_node ? no_node : names[value - 1];
    } else if constexpr (HasFields<T>) {
        T::for_each_field(value, [&](std::string_view, auto& field) { rename(field, names); });
    } else if constexpr (requires { T::capacity; }) {  // a NodeSet
        T renamed;
        value.for_each([&](NodeId node) { renamed.insert(names[node - 1]); });
        value = renamed;
    } else if constexpr (std::same_as<T, IdList>) {
        std::vector<NodeId> ids(value.begin(), value.end());
        rename(ids, names);
        value = IdList(std::span<const NodeId>(ids));
    } else if constexpr (detail::is_optional<T>) {
        if (value) {
            rename(*value, names);
        }
    } else if constexpr (detail::is_list<T> || std::same_as<T, std::vector<NodeId>>) {
        for (auto& item : value) {
            rename(item, names);
        }
    } else if constexpr (requires { std::variant_size<T>::value; }) {
        std::visit([&](auto& inner) { rename(inner, names); }, value);
    }
}

}  // namespace electionlab::check

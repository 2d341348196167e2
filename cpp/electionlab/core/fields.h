// One field list per state and per message. It feeds equality, hashing, printing, JSON and the
// trace, so that none of them can forget a field the others know.
//
//     struct VoteReply {
//         Term term = 0;
//         bool granted = false;
//         EL_FIELDS(VoteReply, term, granted)
//     };
//
// `check_fields<VoteReply>()` fails to compile when a member is missing from the list, or is of a
// type that a field cannot have. A field is a whole number, a truth value, an enumeration with
// names, a `Duration` or `Instant`, an `IdList` or `NodeSet`, text (`std::string`), another struct
// with EL_FIELDS, or a `std::optional` or `std::vector` of any of these.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "electionlab/core/id_list.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/node_set.h"
#include "electionlab/core/random.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"

// EL_EACH(macro, Type, a, b, c) writes macro(Type, a) macro(Type, b) macro(Type, c).
#define EL_PARENS ()
#define EL_EXPAND(...) EL_EXPAND_3(EL_EXPAND_3(EL_EXPAND_3(__VA_ARGS__)))
#define EL_EXPAND_3(...) EL_EXPAND_2(EL_EXPAND_2(EL_EXPAND_2(__VA_ARGS__)))
#define EL_EXPAND_2(...) EL_EXPAND_1(EL_EXPAND_1(EL_EXPAND_1(__VA_ARGS__)))
#define EL_EXPAND_1(...) __VA_ARGS__
#define EL_EACH(macro, Type, ...) __VA_OPT__(EL_EXPAND(EL_EACH_STEP(macro, Type, __VA_ARGS__)))
#define EL_EACH_STEP(macro, Type, a, ...) \
    macro(Type, a) __VA_OPT__(EL_EACH_AGAIN EL_PARENS(macro, Type, __VA_ARGS__))
#define EL_EACH_AGAIN() EL_EACH_STEP
#define EL_VISIT_FIELD(Type, field) visit(#field, self.field);
#define EL_COUNT_FIELD(Type, field) +1
#define EL_EQUAL_FIELD(Type, field) &&a.field == b.field

/// Declares the fields of a struct, all of them, in printing order.
#define EL_FIELDS(Type, ...)                                                         \
    static constexpr std::string_view type_name = #Type;                             \
    static constexpr std::size_t field_total =                                       \
        0 EL_EACH(EL_COUNT_FIELD, Type __VA_OPT__(, ) __VA_ARGS__);                  \
    template <class Self, class Visitor>                                             \
    static constexpr void for_each_field([[maybe_unused]] Self& self,                \
                                         [[maybe_unused]] Visitor&& visit) {         \
        EL_EACH(EL_VISIT_FIELD, Type __VA_OPT__(, ) __VA_ARGS__)                     \
    }                                                                                \
    friend bool operator==([[maybe_unused]] const Type& a,                           \
                           [[maybe_unused]] const Type& b) {                         \
        return true EL_EACH(EL_EQUAL_FIELD, Type __VA_OPT__(, ) __VA_ARGS__);        \
    }

namespace electionlab {

template <class T>
concept HasFields = requires { T::type_name; };

/// An enumeration whose values print by name: `constexpr std::string_view enum_name(E)`, by ADL,
/// empty past the last value; values count up from 0.
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E e) {
    { enum_name(e) } -> std::convertible_to<std::string_view>;
};

template <class T>
concept NodeIds = std::same_as<T, IdList> || std::same_as<T, std::vector<NodeId>> ||
                  requires(const T& set) { set.words(); set.for_each([](NodeId) {}); };

/// A duration or an instant.
template <class T>
concept TimeField = std::same_as<T, Duration> || std::same_as<T, Instant>;

/// A value that brings its own hash and plain form: a Python object.
template <class T>
concept OpaqueField = requires(const T& value) {
    { value.hash() } -> std::same_as<std::uint64_t>;
    { value.to_value() } -> std::same_as<Value>;
};

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = !std::same_as<T, NodeId> && !std::same_as<T, bool>;

struct AnyField {
    template <class T>
    operator T() const;  // NOLINT: the conversion only exists in unevaluated code
};
template <std::size_t>
using AnyFieldAt = AnyField;

template <class T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
    return requires { T{AnyFieldAt<I>{}...}; };
}

template <class T, std::size_t N = 0>
constexpr std::size_t member_count() {
    if constexpr (takes<T>(std::make_index_sequence<N + 1>{})) {
        return member_count<T, N + 1>();
    } else {
        return N;
    }
}

}  // namespace detail

/// What a field of a message or of a state may be.
template <class T>
concept FieldValue = HasFields<T> || NamedEnum<T> || std::integral<T> || TimeField<T> ||
                     NodeIds<T> || std::same_as<T, std::string> || OpaqueField<T> ||
                     detail::is_optional<T> || detail::is_list<T>;

/// Fails to compile when T cannot be the type of a field, or has members that cannot.
template <class T>
constexpr bool check_field();

/// Fails to compile unless the field list of T names every member of T, and each can be a field.
template <HasFields T>
constexpr bool check_fields() {
    static_assert(std::is_aggregate_v<T>);
    static_assert(detail::member_count<T>() == T::field_total,
                  "EL_FIELDS must name every member: a field left out is not compared or hashed");
    constexpr auto check = [](std::string_view, const auto& field) {
        static_assert(check_field<std::remove_cvref_t<decltype(field)>>());
    };
    // Naming the function instantiates it, and with it the check of every field.
    [[maybe_unused]] constexpr auto checked = &T::template for_each_field<const T, decltype(check)&>;
    return true;
}

template <class T>
constexpr bool check_field() {
    static_assert(FieldValue<T>,
                  "a field must be a whole number, bool, an enumeration with enum_name, Duration, "
                  "Instant, IdList, NodeSet, std::string, a struct with EL_FIELDS, or a "
                  "std::optional or std::vector of these; see the type of check_field above");
    if constexpr (HasFields<T>) {
        return check_fields<T>();
    } else if constexpr (detail::is_optional<T> || detail::is_list<T>) {
        return check_field<typename T::value_type>();
    } else {
        return true;
    }
}

// --- hashing: one 64-bit word after the other, equal on every platform ----------------------

template <class T>
void hash_into(std::uint64_t& hash, const T& value);

inline void hash_word(std::uint64_t& hash, std::uint64_t word) {
    hash = mix64(hash * golden_gamma + word + 1);
}

template <class T>
void hash_into(std::uint64_t& hash, const T& value) {
    if constexpr (HasFields<T>) {
        T::for_each_field(value, [&](std::string_view, const auto& f) { hash_into(hash, f); });
    } else if constexpr (std::is_enum_v<T> || std::integral<T>) {
        hash_word(hash, static_cast<std::uint64_t>(value));
    } else if constexpr (TimeField<T>) {
        hash_word(hash, static_cast<std::uint64_t>(value.ns));
    } else if constexpr (OpaqueField<T>) {
        hash_word(hash, value.hash());
    } else if constexpr (std::same_as<T, std::string>) {
        hash_word(hash, value.size());
        for (const char c : value) {
            hash_word(hash, static_cast<unsigned char>(c));
        }
    } else if constexpr (detail::is_optional<T>) {
        hash_word(hash, value.has_value() ? 1 : 0);
        if (value) {
            hash_into(hash, *value);
        }
    } else if constexpr (requires { value.words(); }) {
        for (const std::uint64_t word : value.words()) {
            hash_word(hash, word);
        }
    } else {  // a list: its length first, so that neighbours cannot be confused
        hash_word(hash, value.size());
        for (const auto& item : value) {
            hash_into(hash, item);
        }
    }
}

/// A 64-bit hash of all fields; equal values hash equal, on every platform and in every run.
template <class T>
std::uint64_t hash_of(const T& value) {
    std::uint64_t hash = golden_gamma;
    hash_into(hash, value);
    return hash;
}

// --- printing ---------------------------------------------------------------------------------

template <class T>
Value to_value(const T& value) {
    if constexpr (std::same_as<T, Value> || std::same_as<T, std::string>) {
        return value;
    } else if constexpr (requires { value.to_value(); }) {
        return value.to_value();
    } else if constexpr (HasFields<T>) {
        Value::Dict dict;
        T::for_each_field(value, [&](std::string_view name, const auto& field) {
            dict.emplace_back(std::string(name), to_value(field));
        });
        return dict;
    } else if constexpr (NamedEnum<T>) {
        return enum_name(value);
    } else if constexpr (std::same_as<T, bool>) {
        return value;
    } else if constexpr (std::integral<T>) {
        return static_cast<std::int64_t>(value);
    } else if constexpr (requires { value.to_ms(); }) {
        return value.to_ms();
    } else if constexpr (detail::is_optional<T>) {
        return value ? to_value(*value) : Value();
    } else if constexpr (requires { value.for_each([](NodeId) {}); }) {
        Value::List list;
        value.for_each([&](NodeId node) { list.emplace_back(node); });
        return list;
    } else {
        Value::List list;
        for (const auto& item : value) {
            list.push_back(to_value(item));
        }
        return list;
    }
}

// --- reading: what a user gives for a command -------------------------------------------------

/// Reads a field that `check_value` has let pass; what is not given keeps its default.
/// (Not inlined: GCC 12 would warn of the inside of an empty `std::optional`.)
template <class T>
#if defined(__GNUC__)
[[gnu::noinline]]
#endif
void from_value(const Value& value, T& field) {
    if constexpr (HasFields<T>) {
        T::for_each_field(field, [&](std::string_view name, auto& inner) {
            if (const Value* given = value.find(name)) {
                from_value(*given, inner);
            }
        });
    } else if constexpr (NamedEnum<T>) {
        for (int v = 0; !enum_name(static_cast<T>(v)).empty(); ++v) {
            field = enum_name(static_cast<T>(v)) == *value.get_if<std::string>() ? static_cast<T>(v)
                                                                                 : field;
        }
    } else if constexpr (std::same_as<T, bool> || std::same_as<T, std::string>) {
        field = *value.get_if<T>();
    } else if constexpr (std::integral<T>) {
        field = static_cast<T>(*value.get_if<std::int64_t>());
    } else if constexpr (TimeField<T>) {
        const auto* whole = value.get_if<std::int64_t>();
        const double ms = whole != nullptr ? static_cast<double>(*whole) : *value.get_if<double>();
        field.ns = static_cast<std::int64_t>(ms * 1e6 + 0.5);
    } else if constexpr (detail::is_optional<T>) {
        field.reset();
        if (!value.is_null()) {
            from_value(value, field.emplace());
        }
    } else if constexpr (NodeIds<T>) {
        std::vector<NodeId> ids;
        for (const Value& item : *value.get_if<Value::List>()) {
            ids.push_back(static_cast<NodeId>(*item.get_if<std::int64_t>()));
        }
        if constexpr (std::same_as<T, IdList>) {
            field = IdList(std::span<const NodeId>(ids));
        } else if constexpr (std::same_as<T, std::vector<NodeId>>) {
            field = std::move(ids);
        } else {
            field.clear();
            for (const NodeId id : ids) {
                field.insert(id);
            }
        }
    } else {
        field.clear();
        for (const Value& item : *value.get_if<Value::List>()) {
            from_value(item, field.emplace_back());
        }
    }
}

}  // namespace electionlab

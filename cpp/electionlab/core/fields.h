// One field list per state and per message. It feeds equality, hashing, printing, JSON and the
// trace, so that none of them can forget a field the others know.
//
//     struct VoteReply {
//         Term term = 0;
//         bool granted = false;
//         EL_FIELDS(VoteReply, term, granted)
//     };
//
// `check_fields<VoteReply>()` fails to compile when a member is missing from the list.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
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

namespace detail {

struct AnyField {
    template <class T>
    constexpr operator T() const;  // NOLINT: the conversion only exists in unevaluated code
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

/// Fails to compile unless the field list of T names every member of T.
template <HasFields T>
constexpr bool check_fields() {
    static_assert(std::is_aggregate_v<T>);
    static_assert(detail::member_count<T>() == T::field_total,
                  "EL_FIELDS must name every member: a field left out is not compared or hashed");
    return true;
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
    } else if constexpr (requires { value.ns; }) {
        hash_word(hash, static_cast<std::uint64_t>(value.ns));
    } else if constexpr (requires { value.words(); }) {
        for (const std::uint64_t word : value.words()) {
            hash_word(hash, word);
        }
    } else if constexpr (requires { value.hash(); }) {
        hash_word(hash, value.hash());
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
    if constexpr (std::same_as<T, Value>) {
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

// --- the trace's form: a few whole numbers, read back with the field types -------------------

enum class FieldType : std::uint8_t { integer, boolean, enumeration, duration, node_list, record, json };

struct FieldInfo {
    std::string name;
    FieldType type = FieldType::integer;
    std::vector<std::string> names{};  ///< of an enumeration's values, counted from 0
    std::vector<FieldInfo> fields{};   ///< of a record

    friend bool operator==(const FieldInfo&, const FieldInfo&) = default;
};

template <HasFields T>
std::vector<FieldInfo> field_infos();

template <class T>
FieldInfo field_info(std::string_view name) {
    FieldInfo info{std::string(name)};
    if constexpr (HasFields<T>) {
        info.type = FieldType::record;
        info.fields = field_infos<T>();
    } else if constexpr (std::same_as<T, bool>) {
        info.type = FieldType::boolean;
    } else if constexpr (NamedEnum<T>) {
        info.type = FieldType::enumeration;
        for (int v = 0; !enum_name(static_cast<T>(v)).empty(); ++v) {
            info.names.emplace_back(enum_name(static_cast<T>(v)));
        }
    } else if constexpr (std::integral<T>) {
        info.type = FieldType::integer;
    } else if constexpr (requires(T t) { t.to_ms(); }) {
        info.type = FieldType::duration;
    } else {
        info.type = FieldType::node_list;
    }
    return info;
}

template <HasFields T>
std::vector<FieldInfo> field_infos() {
    std::vector<FieldInfo> infos;
    const T sample{};
    T::for_each_field(sample, [&](std::string_view name, const auto& field) {
        infos.push_back(field_info<std::remove_cvref_t<decltype(field)>>(name));
    });
    return infos;
}

template <HasFields T, class Sink>
void encode_fields(const T& value, Sink& sink) {
    T::for_each_field(value, [&](std::string_view, const auto& field) {
        using Field = std::remove_cvref_t<decltype(field)>;
        if constexpr (HasFields<Field>) {
            encode_fields(field, sink);
        } else if constexpr (std::integral<Field> || std::is_enum_v<Field>) {
            sink.push_back(static_cast<std::int64_t>(field));
        } else if constexpr (requires { field.ns; }) {
            sink.push_back(field.ns);
        } else if constexpr (requires { field.for_each([](NodeId) {}); }) {
            sink.push_back(static_cast<std::int64_t>(field.size()));
            field.for_each([&](NodeId node) { sink.push_back(node); });
        } else {
            sink.push_back(static_cast<std::int64_t>(field.size()));
            for (const NodeId node : field) {
                sink.push_back(node);
            }
        }
    });
}

/// Text as a count of bytes and then eight bytes a word: fields of type `json`.
template <class Sink>
void encode_text(std::string_view text, Sink& sink) {
    sink.push_back(static_cast<std::int64_t>(text.size()));
    for (std::size_t i = 0; i < text.size(); i += 8) {
        std::uint64_t word = 0;
        for (std::size_t k = 0; k < 8 && i + k < text.size(); ++k) {
            word |= std::uint64_t{static_cast<unsigned char>(text[i + k])} << (8 * k);
        }
        sink.push_back(static_cast<std::int64_t>(word));
    }
}

/// The dictionary that `encode_fields` wrote, given the field types; moves `at` past it.
Value decode_fields(const std::vector<FieldInfo>& infos, const std::int64_t*& at);

}  // namespace electionlab

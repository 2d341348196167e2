// Fields as a trace keeps them: a few whole numbers each, read back with the types of the fields.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "electionlab/core/fields.h"

namespace electionlab {

enum class FieldType : std::uint8_t {
    integer,
    boolean,
    enumeration,
    duration,
    node_list,
    record,
    text,
    optional,  ///< 0, or 1 and then the value
    list,      ///< its length, then its items
    any,       ///< a `Value` of whatever make: messages of protocols written in Python
};

/// "integer", "nodes", ...: what the catalogue says to users; durations are in milliseconds.
constexpr std::string_view enum_name(FieldType type) {
    constexpr std::string_view names[] = {"integer", "boolean", "enumeration", "duration_ms",
                                          "nodes",   "record",  "text",        "optional",
                                          "list",    "any"};
    return static_cast<std::size_t>(type) < 10 ? names[static_cast<std::size_t>(type)] : "";
}

struct FieldInfo {
    std::string name;
    FieldType type = FieldType::integer;
    std::vector<std::string> names{};  ///< of an enumeration's values, counted from 0
    std::vector<FieldInfo> fields{};   ///< of a record; of an optional or a list: the one inside
    std::int64_t low = INT64_MIN;      ///< of an integer, and of the ids in a list of nodes
    std::int64_t high = INT64_MAX;

    friend bool operator==(const FieldInfo&, const FieldInfo&) = default;
};

template <HasFields T>
std::vector<FieldInfo> field_infos();

template <class T>
FieldInfo field_info(std::string_view name) {
    static_assert(check_field<T>());
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
        info.low = std::in_range<std::int64_t>(std::numeric_limits<T>::min())
                       ? static_cast<std::int64_t>(std::numeric_limits<T>::min())
                       : INT64_MIN;
        info.high = std::in_range<std::int64_t>(std::numeric_limits<T>::max())
                        ? static_cast<std::int64_t>(std::numeric_limits<T>::max())
                        : INT64_MAX;
    } else if constexpr (TimeField<T>) {
        info.type = FieldType::duration;
    } else if constexpr (NodeIds<T>) {
        info.type = FieldType::node_list;
        info.low = 1;
        info.high = std::numeric_limits<NodeId>::max();
        if constexpr (requires { T::capacity; }) {
            info.high = static_cast<std::int64_t>(T::capacity);
        }
    } else if constexpr (std::same_as<T, std::string>) {
        info.type = FieldType::text;
    } else if constexpr (OpaqueField<T>) {
        info.type = FieldType::any;
    } else {
        info.type = detail::is_optional<T> ? FieldType::optional : FieldType::list;
        info.fields = {field_info<typename T::value_type>("")};
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

template <class Sink>
void encode_text(std::string_view text, Sink& sink);
template <class Sink>
void encode_any(const Value& value, Sink& sink);

template <class T, class Sink>
void encode_field(const T& field, Sink& sink) {
    if constexpr (HasFields<T>) {
        T::for_each_field(field, [&](std::string_view, const auto& f) { encode_field(f, sink); });
    } else if constexpr (std::integral<T> || std::is_enum_v<T>) {
        sink.push_back(static_cast<std::int64_t>(field));
    } else if constexpr (TimeField<T>) {
        sink.push_back(field.ns);
    } else if constexpr (std::same_as<T, std::string>) {
        encode_text(field, sink);
    } else if constexpr (OpaqueField<T>) {
        encode_any(field.to_value(), sink);
    } else if constexpr (detail::is_optional<T>) {
        sink.push_back(field.has_value() ? 1 : 0);
        if (field) {
            encode_field(*field, sink);
        }
    } else if constexpr (requires { field.for_each([](NodeId) {}); }) {
        sink.push_back(static_cast<std::int64_t>(field.size()));
        field.for_each([&](NodeId node) { sink.push_back(node); });
    } else {
        sink.push_back(static_cast<std::int64_t>(field.size()));
        for (const auto& item : field) {
            encode_field(item, sink);
        }
    }
}

template <HasFields T, class Sink>
void encode_fields(const T& value, Sink& sink) {
    encode_field(value, sink);
}

/// Text as a count of bytes and then eight bytes a word.
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

/// A value of any make: a number for its kind, then what it holds.
template <class Sink>
void encode_any(const Value& value, Sink& sink) {
    sink.push_back(static_cast<std::int64_t>(value.data().index()));
    if (const auto* b = value.get_if<bool>()) {
        sink.push_back(*b ? 1 : 0);
    } else if (const auto* i = value.get_if<std::int64_t>()) {
        sink.push_back(*i);
    } else if (const auto* d = value.get_if<double>()) {
        sink.push_back(std::bit_cast<std::int64_t>(*d));
    } else if (const auto* s = value.get_if<std::string>()) {
        encode_text(*s, sink);
    } else if (const auto* list = value.get_if<Value::List>()) {
        sink.push_back(static_cast<std::int64_t>(list->size()));
        for (const Value& item : *list) {
            encode_any(item, sink);
        }
    } else if (const auto* dict = value.get_if<Value::Dict>()) {
        sink.push_back(static_cast<std::int64_t>(dict->size()));
        for (const auto& [name, item] : *dict) {
            encode_text(name, sink);
            encode_any(item, sink);
        }
    }
}

/// The dictionary that `encode_fields` wrote, given the field types; moves `at` past it.
Value decode_fields(const std::vector<FieldInfo>& infos, const std::int64_t*& at);

/// What `encode_field` wrote for one field.
Value decode_field(const FieldInfo& info, const std::int64_t*& at);

/// `InvalidArgument` unless `value` can be read into such a field; `name` is what it is called.
void check_value(const FieldInfo& info, const Value& value, const std::string& name);

}  // namespace electionlab

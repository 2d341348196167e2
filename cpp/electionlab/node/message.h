// Messages and commands: their kinds and names, read off a variant of small structs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "electionlab/core/errors.h"
#include "electionlab/core/encoding.h"
#include "electionlab/core/fields.h"

namespace electionlab {

/// A kind of message, or of command, with its fields.
struct KindInfo {
    std::string name;
    std::vector<FieldInfo> fields;

    /// Its fields are known at run time only: it is written in Python.
    [[nodiscard]] bool is_open() const { return fields.size() == 1 && fields[0].name.empty(); }
    /// What `MessageTraits::encode` wrote, as a dictionary; moves `at` past it.
    [[nodiscard]] Value decode(const std::int64_t*& at) const {
        return is_open() ? decode_field(fields[0], at) : decode_fields(fields, at);
    }
};

/// How to read the messages of a type: specialised for variants; a protocol whose messages are
/// made at run time (Python) provides its own.
template <class Message>
struct MessageTraits;

template <class... Kinds>
struct MessageTraits<std::variant<Kinds...>> {
    static_assert((check_fields<Kinds>() && ...));

    static std::size_t kind(const std::variant<Kinds...>& message) { return message.index(); }
    template <class Sink>
    static void encode(const std::variant<Kinds...>& message, Sink& sink) {
        std::visit([&](const auto& m) { encode_fields(m, sink); }, message);
    }
    static Value to_value(const std::variant<Kinds...>& message) {
        return std::visit([](const auto& m) { return electionlab::to_value(m); }, message);
    }
    static std::uint64_t hash(const std::variant<Kinds...>& message) {
        std::uint64_t hash = mix64(message.index() + 1);
        std::visit([&](const auto& m) { hash_into(hash, m); }, message);
        return hash;
    }
};

template <class... Kinds>
std::vector<KindInfo> message_kinds(std::type_identity<std::variant<Kinds...>>) {
    return {KindInfo{std::string(Kinds::type_name), field_infos<Kinds>()}...};
}

/// How to make a command from its name and fields, which `check_command` has let pass:
/// specialised for variants; a protocol written in Python provides its own.
template <class Command>
struct CommandTraits;

template <class... Kinds>
struct CommandTraits<std::variant<Kinds...>> {
    static_assert((check_fields<Kinds>() && ...));

    static std::variant<Kinds...> make(std::string_view name, const Value& fields) {
        std::variant<Kinds...> command;
        const auto read = [&]<class Kind>(std::type_identity<Kind>) {
            if (name == Kind::type_name) {
                Kind kind;
                from_value(fields, kind);
                command = std::move(kind);
            }
            return name == Kind::type_name;
        };
        const bool known = (read(std::type_identity<Kinds>{}) || ...);
        EL_ASSERT(known);
        return command;
    }
};

/// `InvalidArgument` unless one of the kinds has this name and these fields.
void check_command(const std::vector<KindInfo>& kinds, const std::string& name, const Value& fields);

}  // namespace electionlab

// A protocol written in Python, as one more protocol behind the same contract.
//
// The Python object's method `_handle` runs one input on copies of the state and returns new state
// and effects as plain tuples; nothing here decides anything. States and messages are shared
// references to objects that are never changed in place, so copying a node is cheap and safe.
// Every call needs the interpreter's lock, which a cluster of such a protocol therefore keeps.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "electionlab/node/protocol.h"

namespace electionlab::bindings {

/// A Python object as a value: compared with ==, hashed and printed by its plain form.
class Object {
public:
    Object() = default;
    explicit Object(pybind11::object object) : object_(std::move(object)) {}

    [[nodiscard]] pybind11::object get() const {
        return object_ ? object_ : pybind11::object(pybind11::none());
    }
    [[nodiscard]] Value to_value() const;
    [[nodiscard]] std::uint64_t hash() const;
    friend bool operator==(const Object& a, const Object& b) { return a.get().equal(b.get()); }

private:
    pybind11::object object_;
};

struct PythonMessage {
    std::int32_t kind = 0;
    Object fields;  ///< a dict

    friend bool operator==(const PythonMessage&, const PythonMessage&) = default;
};

struct PythonCommand {
    std::string name;
    Value fields;  ///< a dictionary
};

struct PythonProtocol {
    static constexpr bool handled_once = true;  ///< a user's function may print, or count

    struct Options {
        pybind11::object protocol;
        const Description* description = nullptr;
        std::vector<ActorKind> actors{};

        template <class Self, class Visit>
        static void describe(Self&, Visit&&) {}
    };
    using Disk = Object;
    using Memory = Object;
    using Message = PythonMessage;
    using Command = PythonCommand;
    enum class Timer : std::uint32_t {};
    using State = electionlab::State<PythonProtocol>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    static Disk initial_disk(const Options& options, NodeId node);
    static Disk empty_disk(const Options& options, NodeId node);
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, NodeId about, Effects& effects);
    static void on_command(State& s, const Context& ctx, const Command& command, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);
    static View view(const State& s, const Context& ctx);
    static About about() { return {}; }
    static std::vector<ActorKind> actors(const Options& options, NodeId) { return options.actors; }
};

}  // namespace electionlab::bindings

namespace electionlab {

template <>
struct CommandTraits<bindings::PythonCommand> {
    static bindings::PythonCommand make(const std::string& name, const Value& fields) {
        return {name, fields};
    }
};

template <>
struct MessageTraits<bindings::PythonMessage> {
    static std::size_t kind(const bindings::PythonMessage& m) { return static_cast<std::size_t>(m.kind); }
    static Value to_value(const bindings::PythonMessage& m) { return m.fields.to_value(); }
    static std::uint64_t hash(const bindings::PythonMessage& m) {
        return mix64(m.fields.hash() + static_cast<std::uint64_t>(m.kind));
    }
    template <class Sink>
    static void encode(const bindings::PythonMessage& m, Sink& sink) {
        encode_any(m.fields.to_value(), sink);
    }
};

}  // namespace electionlab

// The contract between a protocol and everything that runs one.
//
// A protocol is a struct P of types and static functions; nothing in it is virtual, and it never
// sees a clock, a network, a random source or whoever runs it:
//
//     P::Options                    validated once; describes itself (options.h)
//     P::Disk, P::Memory            the two parts of a node's state: what survives a crash, what
//                                   does not; plain values with EL_FIELDS
//     P::Message                    a std::variant of small structs with EL_FIELDS
//     P::Timer                      an enumeration with names, counted from 0
//     P::initial_disk(options, node)             what is on the disk before the first start
//     P::on_start  (state, context, effects)     first start of a node
//     P::on_message(state, context, from, message, effects)
//     P::on_timer  (state, context, timer, effects)
//     P::on_restart(state, context, effects)     start after a crash: memory is new, disk is kept
//     P::view(state, self)                       role, believed leader, epoch
//     P::about()                                 name, source, assumptions, in words
//
// Equal states and equal inputs give equal states and equal effects. That one property gives
// stepping, replay, undo, sweeps and exhaustive checking from the same code.
//
// Optional:
//     P::invariants()                            promises about one node before and after an event
//     P::actors(options, nodes)                  actors beyond the members (services, resources)
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/quorum.h"
#include "electionlab/node/effects.h"
#include "electionlab/node/options.h"
#include "electionlab/node/view.h"

namespace electionlab {

/// A node's state: a plain value. `disk` survives a crash as far as it was persisted.
template <class P>
struct State {
    typename P::Disk disk;
    typename P::Memory memory;

    EL_FIELDS(State, disk, memory)
};

/// Where a handler runs: which node it is, and what it may know without being told by a message.
template <class Options>
struct Context {
    const Options& options;
    NodeId self;
    NodeId members;         ///< nodes that take part in the election: 1..members
    NodeId actors;          ///< members and then services: members+1..actors
    NodeId initial_leader;  ///< `no_node` for a cold start; else who led in epoch 1 already
    Instant clock;          ///< the node's own clock, with its offset and drift; 0 when untimed

    [[nodiscard]] std::size_t quorum() const { return quorum_size(members); }
};

/// What a protocol is, in words; the catalogue, the command line and the documentation print it.
struct About {
    std::string_view name;         ///< "raft"
    std::string_view title;        ///< "Raft leader election"
    std::string_view source;       ///< author, year, section
    std::string_view assumptions;  ///< what it needs to be right
    std::string_view cost;         ///< messages per election
    std::string_view weaknesses;
    bool epochs = false;           ///< its epochs rise and name at most one leader each
    bool majority = false;         ///< it elects only with more than half of all members
};

/// A node as the outside knows it: what its messages may depend on, and its view.
template <class P>
struct Known {
    const typename P::Disk& disk;
    const View& view;
};

/// A promise about one node across one event, crashes and restarts included. It must hold between
/// equal states, so that nothing needs checking where nothing changed.
template <class P>
struct Promise {
    std::string_view name;
    bool (*holds)(const Known<P>& before, const Known<P>& after);
};

/// Actors beyond the members: a coordination service, a resource that leaders write to.
struct ActorKind {
    std::string_view name;
    NodeId count = 0;
};

template <class P>
concept Protocol = requires(State<P>& state, const Context<typename P::Options>& context, NodeId node,
                            const typename P::Message& message, typename P::Timer timer,
                            Effects<typename P::Message>& effects) {
    { P::initial_disk(context.options, node) } -> std::convertible_to<typename P::Disk>;
    P::on_start(state, context, effects);
    P::on_message(state, context, node, message, effects);
    P::on_timer(state, context, timer, effects);
    P::on_restart(state, context, effects);
    { P::view(state, context) } -> std::convertible_to<View>;
    { P::about() } -> std::convertible_to<About>;
};

template <class P>
std::vector<Promise<P>> promises_of() {
    if constexpr (requires { P::invariants(); }) {
        return P::invariants();
    } else {
        return {};
    }
}

/// The actors beyond the members; none for a protocol that does not say.
template <class P>
std::vector<ActorKind> actor_kinds(const typename P::Options& options, NodeId members) {
    if constexpr (requires { P::actors(options, members); }) {
        return P::actors(options, members);
    } else {
        return {};
    }
}

// --- messages: kinds and names, from the variant -------------------------------------------

/// A kind of message, or a kind of state, with its fields.
struct KindInfo {
    std::string name;
    std::vector<FieldInfo> fields;
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

/// All that is fixed about a protocol at run time: names, fields, options. Everything that is
/// printed, recorded or read back goes through it.
struct Description {
    About about{};
    std::vector<KindInfo> messages{};
    std::vector<std::string> timers{};
    std::vector<FieldInfo> disk{};
    std::vector<FieldInfo> memory{};
    std::vector<OptionInfo> options{};
    std::vector<std::string> promises{};
};

template <class... Kinds>
std::vector<KindInfo> message_kinds(std::type_identity<std::variant<Kinds...>>) {
    return {KindInfo{std::string(Kinds::type_name), field_infos<Kinds>()}...};
}

/// The description of a protocol written in C++, read off its types; made once.
template <class P>
const Description& describe() {
    static_assert(Protocol<P>);
    static_assert(check_fields<typename P::Disk>() && check_fields<typename P::Memory>());
    static const Description description = [] {
        Description d;
        d.about = P::about();
        d.messages = message_kinds(std::type_identity<typename P::Message>{});
        d.timers = field_info<typename P::Timer>("").names;
        d.disk = field_infos<typename P::Disk>();
        d.memory = field_infos<typename P::Memory>();
        d.options = option_infos<typename P::Options>();
        for (const auto& promise : promises_of<P>()) {
            d.promises.emplace_back(promise.name);
        }
        return d;
    }();
    return description;
}

}  // namespace electionlab

// The contract between a protocol and everything that runs one.
//
// A protocol is a struct P of types and static functions; nothing in it is virtual, and it never
// sees a clock, a network, a random source or whoever runs it:
//
//     P::Options                    validated once; describes itself (options.h)
//     P::Disk, P::Memory            the two parts of a node's state: what survives a crash, what
//                                   does not; plain values with EL_FIELDS
//     P::Message                    a std::variant of small structs with EL_FIELDS
//     P::initial_disk(options, node)             what is on the disk before the first start
//     P::on_start  (state, context, effects)     first start of a node
//     P::on_message(state, context, from, message, effects)
//     P::on_restart(state, context, effects)     start after a crash: memory is new, disk is kept
//     P::view(state, self)                       role, believed leader, epoch
//     P::about()                                 name, source, assumptions, in words
//
// Equal states and equal inputs give equal states and equal effects. That one property gives
// stepping, replay, undo, sweeps and exhaustive checking from the same code.
//
// Optional:
//     P::Timer                                   an enumeration with names, counted from 0, and with it
//     P::on_timer(state, context, timer, effects)      or (state, context, timer, about, effects)
//     P::draws                                   `true`: its handlers read `context.random`
//     P::per_peer(timer)                         which timers are about one peer each: a failure
//                                                detector's; on_timer then gets the peer, `about`
//     P::Command, P::on_command(state, context, command, effects)
//                                                what a client or user asks of a node from outside:
//                                                a variant of structs, as for messages
//     P::empty_disk(options, node)               the disk after it was lost; Disk{} if not given
//     P::invariants()                            promises about one node before and after an event
//     P::properties()                            what holds of all nodes together at any moment
//     P::why_no_leader(options, views)           why the live nodes can elect nobody, in words; without
//                                                it, about().majority says that most must live
//     P::actors(options, nodes)                  actors beyond the members (services, resources)
// For the checker (docs/checker.md):
//     P::symmetric(options)                      nodes differ by their names only
//     P::is_stale(state, context, message)       it can do nothing any more, whatever comes
//     P::is_epoch(part, field)                   which fields may be shifted by one number, all of them
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "electionlab/core/encoding.h"
#include "electionlab/core/fields.h"
#include "electionlab/core/quorum.h"
#include "electionlab/core/random.h"
#include "electionlab/node/effects.h"
#include "electionlab/node/message.h"
#include "electionlab/node/options.h"
#include "electionlab/node/properties.h"
#include "electionlab/node/state.h"
#include "electionlab/node/view.h"

namespace electionlab {

/// Where a handler runs: which node it is, and what it may know without being told by a message.
template <class Options>
struct Context {
    const Options& options;
    NodeId self;
    NodeId members;         ///< nodes that take part in the election: 1..members
    NodeId actors;          ///< members and then services: members+1..actors
    NodeId initial_leader;  ///< `no_node` for a cold start; else who led in epoch 1 already
    Instant clock;          ///< the node's own clock, with its offset and drift; 0 when untimed
    /// Words for this life of the node, of a protocol that `draws`. The node's state counts those
    /// that it has used, so that equal states and inputs give equal effects.
    RandomStream random{};

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
    bool fails_over = true;        ///< a crashed leader is replaced; else it elects once
    bool loose_epochs = false;     ///< its views have epochs that may name several leaders, or fall
};

/// Actors beyond the members: a coordination service, a resource that leaders write to.
struct ActorKind {
    std::string_view name;
    NodeId count = 0;
};

/// The timers of a protocol that has none.
enum class NoTimer : std::uint8_t {};
constexpr std::string_view enum_name(NoTimer) { return ""; }

template <class P>
concept HasTimers = requires { typename P::Timer; };

namespace detail {
template <class P>
struct TimerOf {
    using type = NoTimer;
};
template <HasTimers P>
struct TimerOf<P> {
    using type = typename P::Timer;
};
}  // namespace detail

/// A protocol's timers; `NoTimer` when it has none.
template <class P>
using TimerOf = typename detail::TimerOf<P>::type;

/// A protocol that draws by lot: see `Context::random`.
template <class P>
concept Draws = requires { requires P::draws; };

/// A protocol with timers about single peers: its `on_timer` is told which, `no_node` for others.
template <class P>
concept HasPeerTimers =
    requires(State<P>& state, const Context<typename P::Options>& context, NodeId about,
             TimerOf<P> timer, Effects<typename P::Message>& effects) {
        P::on_timer(state, context, timer, about, effects);
    };

/// A protocol that can be asked for something from outside.
template <class P>
concept HasCommands =
    requires(State<P>& state, const Context<typename P::Options>& context,
             const typename P::Command& command, Effects<typename P::Message>& effects) {
        P::on_command(state, context, command, effects);
    };

template <class P>
concept Protocol = requires(State<P>& state, const Context<typename P::Options>& context, NodeId node,
                            const typename P::Message& message,
                            Effects<typename P::Message>& effects) {
    { P::initial_disk(context.options, node) } -> std::convertible_to<typename P::Disk>;
    P::on_start(state, context, effects);
    P::on_message(state, context, node, message, effects);
    P::on_restart(state, context, effects);
    { P::view(state, context) } -> std::convertible_to<View>;
    { P::about() } -> std::convertible_to<About>;
} && (!HasTimers<P> || HasPeerTimers<P> ||
      requires(State<P>& state, const Context<typename P::Options>& context, TimerOf<P> timer,
               Effects<typename P::Message>& effects) {
    P::on_timer(state, context, timer, effects);
});

/// An expired timer reaches its handler; `about` is the peer of a timer that is about one.
template <class P>
void expire(State<P>& state, const Context<typename P::Options>& context, TimerOf<P> timer, NodeId about,
            Effects<typename P::Message>& effects) {
    if constexpr (HasPeerTimers<P>) {
        P::on_timer(state, context, timer, about, effects);
    } else if constexpr (HasTimers<P>) {
        P::on_timer(state, context, timer, effects);
    }
}

/// What a node finds after its disk was lost.
template <class P>
typename P::Disk empty_disk(const typename P::Options& options, NodeId node) {
    if constexpr (requires { P::empty_disk(options, node); }) {
        return P::empty_disk(options, node);
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

/// All that is fixed about a protocol at run time: names, fields, options. Everything that is
/// printed, recorded or read back goes through it.
struct Description {
    About about{};
    std::vector<KindInfo> messages{};
    std::vector<KindInfo> commands{};
    std::vector<std::string> timers{};
    std::vector<bool> per_peer{};         ///< of each timer: one for each peer
    std::vector<FieldInfo> disk{};
    std::vector<FieldInfo> memory{};
    std::vector<OptionInfo> options{};
    std::vector<std::string> promises{};
    std::vector<std::string> properties{};
};

/// The description of a protocol written in C++, read off its types; made once.
template <class P>
const Description& describe() {
    static_assert(Protocol<P>);
    static_assert(check_fields<typename P::Disk>() && check_fields<typename P::Memory>());
    static const Description description = [] {
        Description d;
        d.about = P::about();
        d.messages = message_kinds(std::type_identity<typename P::Message>{});
        if constexpr (HasCommands<P>) {
            d.commands = message_kinds(std::type_identity<typename P::Command>{});
        }
        d.timers = field_info<TimerOf<P>>("").names;
        for (std::size_t timer = 0; timer < d.timers.size(); ++timer) {
            if constexpr (requires { P::per_peer(TimerOf<P>{}); }) {
                static_assert(HasPeerTimers<P>, "on_timer must take the peer that a timer is about");
                d.per_peer.push_back(P::per_peer(static_cast<TimerOf<P>>(timer)));
            } else {
                d.per_peer.push_back(false);
            }
        }
        d.disk = field_infos<typename P::Disk>();
        d.memory = field_infos<typename P::Memory>();
        d.options = option_infos<typename P::Options>();
        for (const auto& promise : promises_of<P>()) {
            d.promises.emplace_back(promise.name);
        }
        for (const auto& property : properties_of<P>()) {
            d.properties.emplace_back(property.name);
        }
        return d;
    }();
    return description;
}

}  // namespace electionlab

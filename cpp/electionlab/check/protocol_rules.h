// The rules of one protocol, read off its handlers: the only part of the checker that is compiled
// for each protocol.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "electionlab/check/renaming.h"
#include "electionlab/check/rules.h"
#include "electionlab/node/timer_layout.h"

namespace electionlab::check {

template <class P>
class ProtocolRules final : public Rules {
public:
    using Options = typename P::Options;
    using Message = typename P::Message;
    using Traits = MessageTraits<Message>;

    /// `options` must be validated, and the commands checked.
    ProtocolRules(std::shared_ptr<const Options> options, NodeId members,
                  const Description& description, RulesRequest request)
        : options_(std::move(options)),
          members_(members),
          actors_(members),
          initial_leader_(request.initial_leader),
          description_(&description),
          commands_(std::move(request.commands)),
          twice_(request.twice),
          promises_(promises_of<P>()),
          properties_(properties_of<P>()),
          layout_(description.per_peer, members) {
        for (const ActorKind& kind : actor_kinds<P>(*options_, members)) {
            actors_ += kind.count;
        }
        layout_ = TimerLayout<HasPeerTimers<P>>(description.per_peer, actors_);
        if (layout_.per_node() > 64) {
            invalid("nodes", std::to_string(members),
                    "the checker takes at most 64 timers per node, and here are " +
                        std::to_string(layout_.per_node()));
        }
    }

    const Description& description() const override { return *description_; }
    NodeId members() const override { return members_; }
    NodeId actors() const override { return actors_; }

    LocalId initial(NodeId node) override {
        const std::scoped_lock lock(mutex_);
        Local local;
        local.node = node;
        local.state.disk = P::initial_disk(*options_, node);
        local.stable = local.state.disk;
        if constexpr (has_promises) {
            local.visible = local.state.disk;
        }
        return keep(std::move(local));
    }

    Reaction react(LocalId id, Input input) override {
        const std::scoped_lock lock(mutex_);
        Reaction reaction = handle(id, input, Instant{});
        if (!reads_clock_) {
            const Reaction later = handle(id, input, Instant{} + seconds(1'000'000));
            reads_clock_ = later.after != reaction.after || later.sends != reaction.sends;
        }
        if (twice_ && nondeterminism_.empty()) {
            const Reaction again = handle(id, input, Instant{});
            if (again.after != reaction.after || again.sends != reaction.sends) {
                nondeterminism_ = "node " + std::to_string(locals_[id].node) +
                                  " does different things on the same input in the same state";
            }
        }
        return reaction;
    }

    std::uint64_t broken_properties(std::span<const LocalId> locals) override {
        if constexpr (!has_properties) {
            return 0;
        } else {
            // Views are small and copied; states are not.
            std::array<const State<P>*, 64> states;
            std::array<View, 64> views;
            EL_ASSERT(locals.size() <= states.size());
            for (std::size_t i = 0; i < locals.size(); ++i) {
                states[i] = &kept_[locals[i]].state;
                views[i] = locals_[locals[i]].view;
            }
            const AllNodes<P> all(*options_, states.data(), {views.data(), locals.size()}, members_);
            std::uint64_t broken = 0;
            for (std::size_t i = 0; i < properties_.size(); ++i) {
                broken |= std::uint64_t{!properties_[i].holds(all)} << i;
            }
            return broken;
        }
    }

    bool is_stale(LocalId receiver, MessageId message) const override {
        if constexpr (tells_stale) {
            const Local& local = kept_[receiver];
            return P::is_stale(local.state, context(local.node), in_flight_[message].message);
        } else {
            return false;
        }
    }
    bool knows_stale() const override { return tells_stale; }

    bool symmetric() const override {
        if constexpr (requires { P::symmetric(*options_); }) {
            return actors_ == members_ && initial_leader_ == no_node && P::symmetric(*options_);
        } else {
            return false;
        }
    }

    std::uint64_t renamed_local(LocalId id, std::span<const NodeId> names) override {
        if constexpr (can_rename) {
            Local local = kept_[id];
            local.node = names[local.node - 1];
            rename(local.state, names);
            rename(local.stable, names);
            rename(local.visible, names);
            // The armed timers are no field: those about peers are renamed by their place.
            std::uint64_t armed = 0;
            for (std::size_t slot = 0; slot < layout_.per_node(); ++slot) {
                if ((local.armed >> slot & 1) != 0) {
                    const auto place = layout_.place(slot);
                    const NodeId about = place.about == no_node ? no_node : names[place.about - 1];
                    armed |= std::uint64_t{1} << layout_.slot(1, place.timer, about);
                }
            }
            local.armed = armed;
            return hash(local);
        } else {
            return locals_[id].hash;
        }
    }

    std::uint64_t renamed_message(MessageId id, std::span<const NodeId> names) override {
        if constexpr (can_rename) {
            InFlight m = in_flight_[id];
            m.from = names[m.from - 1];
            m.to = names[m.to - 1];
            rename(m.message, names);
            return hash(m);
        } else {
            return messages_[id].hash;
        }
    }

    Value local_value(LocalId id) const override {
        const Local& local = kept_[id];
        const View& view = locals_[id].view;
        Value::List timers;
        for (std::uint32_t slot = 0; slot < layout_.per_node(); ++slot) {
            if ((local.armed >> slot & 1) != 0) {
                timers.emplace_back(timer_name(slot) +
                                    (timer_about(slot) == no_node
                                         ? ""
                                         : " about " + std::to_string(timer_about(slot))));
            }
        }
        return Value::Dict{{"node", local.node},
                           {"role", enum_name(view.role)},
                           {"leader", view.leader},
                           {"epoch", view.epoch},
                           {"disk", to_value(local.state.disk)},
                           {"durable", to_value(local.stable)},
                           {"memory", to_value(local.state.memory)},
                           {"timers", std::move(timers)}};
    }

    Value message_value(MessageId id) const override {
        const InFlight& m = in_flight_[id];
        return Value::Dict{{"from", m.from},
                           {"to", m.to},
                           {"kind", description_->messages[Traits::kind(m.message)].name},
                           {"fields", Traits::to_value(m.message)}};
    }

    std::string timer_name(std::uint32_t slot) const override {
        return description_->timers[layout_.place(slot).timer];
    }
    NodeId timer_about(std::uint32_t slot) const override { return layout_.place(slot).about; }
    std::string nondeterminism() const override { return nondeterminism_; }
    bool reads_clock() const override { return reads_clock_; }

private:
    static constexpr bool has_promises = requires { P::invariants(); };
    static constexpr bool has_properties = requires { P::properties(); };
    static constexpr bool tells_stale =
        requires(const State<P>& state, const Context<Options>& ctx, const Message& message) {
            P::is_stale(state, ctx, message);
        };
    static constexpr bool can_rename = requires(const Options& options) { P::symmetric(options); };

    struct Local {
        NodeId node = no_node;
        State<P> state{};
        typename P::Disk stable{};   // what a crash leaves
        typename P::Disk visible{};  // what messages that left may depend on; of promises only
        std::uint64_t armed = 0;
        bool up = false;
        bool paused = false;

        friend bool operator==(const Local&, const Local&) = default;
    };
    struct InFlight {
        NodeId from = no_node;
        NodeId to = no_node;
        Message message{};

        friend bool operator==(const InFlight& a, const InFlight& b) {
            return a.from == b.from && a.to == b.to && a.message == b.message;
        }
    };

    static std::uint64_t hash(const Local& local) {
        std::uint64_t h = golden_gamma;
        hash_word(h, local.node);
        hash_into(h, local.state.disk);
        hash_into(h, local.state.memory);
        hash_word(h, local.stable == local.state.disk ? 0 : hash_of(local.stable));
        hash_word(h, local.visible == local.state.disk ? 0 : hash_of(local.visible));
        hash_word(h, local.armed);
        hash_word(h, (local.up ? 1U : 0U) + (local.paused ? 2U : 0U));
        return h;
    }
    static std::uint64_t hash(const InFlight& m) {
        std::uint64_t h = ~golden_gamma;
        hash_word(h, m.from);
        hash_word(h, m.to);
        hash_word(h, Traits::hash(m.message));
        return h;
    }

    [[nodiscard]] Context<Options> context(NodeId node) const {
        return {*options_, node, members_, actors_, initial_leader_, Instant{}};
    }

    [[nodiscard]] View view_of(const Local& local) const {
        if (!local.up) {
            return {Role::down, no_node, 0};
        }
        View view = P::view(local.state, context(local.node));
        if (local.paused) {
            view.role = Role::paused;
        }
        return view;
    }

    LocalId keep(Local local) {
        const std::uint64_t h = hash(local);
        for (auto [it, end] = local_ids_.equal_range(h); it != end; ++it) {
            if (kept_[it->second] == local) {
                return it->second;
            }
        }
        LocalInfo info{local.node, view_of(local), local.up, local.paused, local.armed, h};
        const LocalId id = kept_.add(std::move(local));
        locals_.add(info);
        local_ids_.emplace(h, id);
        return id;
    }

    MessageId keep(NodeId from, NodeId to, const Message& message) {
        InFlight m{from, to, message};
        const std::uint64_t h = hash(m);
        for (auto [it, end] = message_ids_.equal_range(h); it != end; ++it) {
            if (in_flight_[it->second] == m) {
                return it->second;
            }
        }
        MessageInfo info{from, to, static_cast<std::uint32_t>(Traits::kind(message)), h};
        const MessageId id = in_flight_.add(std::move(m));
        messages_.add(info);
        message_ids_.emplace(h, id);
        return id;
    }

    static void crash(Local& local) {
        local.state.disk = local.stable;
        local.state.memory = {};
        local.armed = 0;
        local.up = local.paused = false;
    }

    Reaction handle(LocalId id, Input input, Instant clock) {
        Local local = kept_[id];
        const View before = locals_[id].view;
        Context<Options> ctx = context(local.node);
        ctx.clock = clock;
        effects_.clear();
        Reaction reaction;
        reaction.before = id;
        bool handled = true;
        switch (input.kind) {
            case InputKind::start:
                local.up = true;
                P::on_start(local.state, ctx, effects_);
                break;
            case InputKind::deliver: {
                const InFlight& m = in_flight_[input.what];
                P::on_message(local.state, ctx, m.from, m.message, effects_);
                break;
            }
            case InputKind::fire: {
                local.armed &= ~(std::uint64_t{1} << input.what);
                const auto place = layout_.place(input.what);
                expire<P>(local.state, ctx, static_cast<TimerOf<P>>(place.timer), place.about, effects_);
                break;
            }
            case InputKind::restart_empty:
                local.stable = empty_disk<P>(*options_, local.node);
                [[fallthrough]];
            case InputKind::reboot:
                crash(local);
                [[fallthrough]];
            case InputKind::restart:
                local.up = true;
                P::on_restart(local.state, ctx, effects_);
                break;
            case InputKind::crash:
                crash(local);
                handled = false;
                break;
            case InputKind::pause:
                local.paused = true;
                handled = false;
                break;
            case InputKind::resume:
                local.paused = false;
                handled = false;
                break;
            case InputKind::command:
                if constexpr (HasCommands<P>) {
                    const GivenCommand& asked = commands_[input.what];
                    P::on_command(local.state, ctx,
                                  CommandTraits<typename P::Command>::make(asked.name, asked.fields),
                                  effects_);
                }
                break;
        }
        if (handled) {
            finish(local, before, reaction);
        }
        reaction.after = keep(std::move(local));
        const View& after = locals_[reaction.after].view;
        reaction.claims = after.leads() && (!before.leads() || before.epoch != after.epoch);
        return reaction;
    }

    // As Simulation::finish: a node's promises, then its disk, its timers and its messages.
    void finish(Local& local, const View& before, Reaction& reaction) {
        if constexpr (has_promises) {
            const bool tells_news = !effects_.sends().empty() && local.visible != local.state.disk;
            const View after = view_of(local);
            if (tells_news || after != before) {
                for (std::size_t i = 0; i < promises_.size(); ++i) {
                    const bool holds =
                        promises_[i].holds({local.visible, before}, {local.state.disk, after});
                    reaction.broken |= std::uint64_t{!holds} << i;
                }
            }
            if (tells_news || reaction.broken != 0) {
                local.visible = local.state.disk;
            }
        }
        if (effects_.persists()) {
            local.stable = local.state.disk;
        }
        for (const auto& change : effects_.timers()) {
            EL_ASSERT(layout_.has(local.node, change.timer, change.about));
            const auto slot = static_cast<std::uint32_t>(layout_.slot(1, change.timer, change.about));
            const std::uint64_t bit = std::uint64_t{1} << slot;
            local.armed = change.set ? local.armed | bit : local.armed & ~bit;
            reaction.timers.push_back({slot, change.set, change.spec});
        }
        for (const auto& outgoing : effects_.sends()) {
            if (outgoing.to != no_node) {
                reaction.sends.push_back(keep(local.node, outgoing.to, outgoing.message));
            } else {
                for (NodeId to = 1; to <= members_; ++to) {
                    if (to != local.node) {
                        reaction.sends.push_back(keep(local.node, to, outgoing.message));
                    }
                }
            }
        }
    }

    std::shared_ptr<const Options> options_;
    NodeId members_;
    NodeId actors_;
    NodeId initial_leader_;
    const Description* description_;
    std::vector<GivenCommand> commands_;
    bool twice_;
    std::vector<Promise<P>> promises_;
    std::vector<Property<P>> properties_;
    TimerLayout<HasPeerTimers<P>> layout_;
    std::mutex mutex_;
    StableArray<Local> kept_;
    StableArray<InFlight> in_flight_;
    std::unordered_multimap<std::uint64_t, LocalId> local_ids_;
    std::unordered_multimap<std::uint64_t, MessageId> message_ids_;
    Effects<Message> effects_;
    std::string nondeterminism_;
    bool reads_clock_ = false;
};

}  // namespace electionlab::check

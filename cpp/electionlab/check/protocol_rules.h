// The rules of one protocol, read off its handlers: the only part of the checker that is compiled
// for each protocol.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "electionlab/check/draws.h"
#include "electionlab/check/inside.h"
#include "electionlab/check/renaming.h"
#include "electionlab/check/rules.h"
#include "electionlab/node/timer_layout.h"

namespace electionlab::check {

/// A protocol whose draws by lot can be chosen: it tells how many words a node's state has used, and
/// into how many equal parts each word is divided.
template <class P>
concept CountsDraws = Draws<P> && requires(const State<P>& state, const typename P::Options& options,
                                           NodeId members) {
    { P::drawn(state) } -> std::convertible_to<std::uint64_t>;
    { P::draw_range(options, members) } -> std::convertible_to<std::int64_t>;
};

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
          shifts_(request.shifts),
          clocks_(std::move(request.clocks)),
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
        if constexpr (CountsDraws<P>) {
            const std::int64_t range = P::draw_range(*options_, members_);
            choices_ = range >= 1 && range <= most_choices ? static_cast<std::uint32_t>(range) : 0;
        }
        if (clocks_) {
            set_clocks();
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
        const Local& local = kept_[id];
        const InFlight* message = input.kind == InputKind::deliver ? &in_flight_[input.what] : nullptr;
        Outcome first = run(local, message, input, {});
        const bool handled = input.kind != InputKind::crash && input.kind != InputKind::pause &&
                             input.kind != InputKind::resume;
        if (handled) {
            look_for_draws(local, message, input, first);
            look_at_clock(local, message, input, first);
            if (twice_ && nondeterminism_.empty() &&
                !first.same(run(local, message, input, {}), clocks_.has_value())) {
                nondeterminism_ = "node " + std::to_string(local.node) +
                                  " does different things on the same input in the same state";
            }
        }
        if (clocks_ && (handled || many_rates_)) {
            look_at_moments(local, message, input, first);
        }
        Reaction reaction;
        reaction.before = id;
        reaction.shifts = !handled || shifts(local, message, input, first);
        reaction.choices = first.draws > 0 && choices_ > 0 ? choices_ : 1;
        reaction.broken = first.broken;
        reaction.timers = std::move(first.timers);
        for (InFlight& m : first.sends) {
            reaction.sends.push_back(keep(std::move(m)));
        }
        const View before = locals_[id].view;
        reaction.after = keep(std::move(first.after));
        const View& after = locals_[reaction.after].view;
        reaction.claims = after.leads() && (!before.leads() || before.epoch != after.epoch);
        return reaction;
    }

    LocalId aged(LocalId id) override {
        const std::scoped_lock lock(mutex_);
        if (!clocks_ || !locals_[id].ages) {
            return id;
        }
        const auto [place, is_new] = aged_locals_.try_emplace(id, 0);
        if (is_new) {
            Local local = kept_[id];
            if (clocks_->since_start) {
                ++local.ticks;
            } else {
                std::size_t i = 0;
                each_instant(local, [&](Instant& t) { age(t, owner(local.owners, i++, local.node)); });
            }
            place->second = keep(std::move(local));
        }
        return place->second;
    }

    MessageId aged_message(MessageId id) override {
        const std::scoped_lock lock(mutex_);
        if (!clocks_ || !messages_[id].ages) {
            return id;
        }
        const auto [place, is_new] = aged_messages_.try_emplace(id, 0);
        if (is_new) {
            InFlight m = in_flight_[id];
            std::size_t i = 0;
            for_each_instant(m.message, [&](Instant& t) { age(t, owner(m.owners, i++, m.from)); });
            place->second = keep(std::move(m));
        }
        return place->second;
    }

    LocalId raised(LocalId id, Epoch by) override {
        if constexpr (HasEpochFields<P>) {
            const std::scoped_lock lock(mutex_);
            const auto [place, is_new] = raised_locals_.try_emplace({id, by}, 0);
            if (is_new) {
                Local local = kept_[id];
                raise(local, by);
                place->second = keep(std::move(local));
            }
            return place->second;
        } else {
            return id;
        }
    }

    MessageId raised_message(MessageId id, Epoch by) override {
        if constexpr (HasEpochFields<P>) {
            const std::scoped_lock lock(mutex_);
            const auto [place, is_new] = raised_messages_.try_emplace({id, by}, 0);
            if (is_new) {
                InFlight m = in_flight_[id];
                raise(m, by);
                place->second = keep(std::move(m));
            }
            return place->second;
        } else {
            return id;
        }
    }

    bool has_epochs() const override { return HasEpochFields<P>; }

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
            return P::is_stale(local.state, context(local), in_flight_[message].message);
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
            rename(local.owners, names);
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
            rename(m.owners, names);
            return hash(m);
        } else {
            return messages_[id].hash;
        }
    }

    Value local_value(LocalId id) const override {
        Local local = kept_[id];
        if (clocks_) {
            each_instant(local, [&](Instant& t) { t.ns -= is_never(t) ? 0 : shown_.ns; });
        }
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
        InFlight m = in_flight_[id];
        if (clocks_) {
            for_each_instant(m.message, [&](Instant& t) { t.ns -= is_never(t) ? 0 : shown_.ns; });
        }
        return value_of(m);
    }

    Value message_value_at(MessageId id, std::int64_t ticks) const override {
        InFlight m = in_flight_[id];
        bool long_ago = false;
        if (clocks_ && !clocks_->since_start) {
            std::size_t i = 0;
            for_each_instant(m.message, [&](Instant& t) {
                const NodeId of = owner(m.owners, i++, m.from);
                if (!is_never(t)) {
                    long_ago = long_ago || t.ns <= 0;
                    t.ns += clocks_->step[of - 1].ns * ticks;
                }
            });
        }
        Value::Dict dict = value_of(m);
        if (long_ago) {
            dict.emplace_back("long_ago", true);
        }
        return dict;
    }
    Duration clocks_show() const override { return shown_; }

    std::string timer_name(std::uint32_t slot) const override {
        return description_->timers[layout_.place(slot).timer];
    }
    NodeId timer_about(std::uint32_t slot) const override { return layout_.place(slot).about; }
    std::string nondeterminism() const override { return nondeterminism_; }
    bool reads_clock() const override { return reads_clock_; }
    bool draws_unseen() const override { return draws_unseen_; }
    std::uint32_t draw_choices() const override { return choices_; }

private:
    static constexpr bool has_promises = requires { P::invariants(); };
    static constexpr bool has_properties = requires { P::properties(); };
    static constexpr bool tells_stale =
        requires(const State<P>& state, const Context<Options>& ctx, const Message& message) {
            P::is_stale(state, ctx, message);
        };
    static constexpr bool can_rename = requires(const Options& options) { P::symmetric(options); };

    static constexpr std::int64_t most_choices = 16;

    struct Local {
        NodeId node = no_node;
        State<P> state{};
        typename P::Disk stable{};   // what a crash leaves
        typename P::Disk visible{};  // what messages that left may depend on; of promises only
        std::uint64_t armed = 0;
        bool up = false;
        bool paused = false;
        bool started = false;
        std::uint32_t ticks = 0;        // where clocks show the time since the start
        std::vector<NodeId> owners{};   // where clocks differ: whose clock each moment is of

        friend bool operator==(const Local&, const Local&) = default;
    };
    struct InFlight {
        NodeId from = no_node;
        NodeId to = no_node;
        Message message{};
        std::vector<NodeId> owners{};

        friend bool operator==(const InFlight& a, const InFlight& b) {
            return a.from == b.from && a.to == b.to && a.message == b.message && a.owners == b.owners;
        }
    };
    // What a node did, before it is kept.
    struct Outcome {
        Local after{};
        std::vector<InFlight> sends{};
        std::vector<TimerChange> timers{};
        std::uint64_t broken = 0;
        std::uint64_t draws = 0;

        [[nodiscard]] bool same(const Outcome& other, bool with_spans) const {
            const auto same_timer = [&](const TimerChange& a, const TimerChange& b) {
                return a.slot == b.slot && a.armed == b.armed &&
                       (!with_spans || (a.spec.min == b.spec.min && a.spec.max == b.spec.max));
            };
            return after == other.after && sends == other.sends &&
                   std::equal(timers.begin(), timers.end(), other.timers.begin(), other.timers.end(),
                              same_timer);
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
        hash_word(h, (local.up ? 1U : 0U) + (local.paused ? 2U : 0U) + (local.started ? 0U : 4U));
        if (local.ticks != 0) {
            hash_word(h, local.ticks);
        }
        for (const NodeId node : local.owners) {
            hash_word(h, node);
        }
        return h;
    }
    static std::uint64_t hash(const InFlight& m) {
        std::uint64_t h = ~golden_gamma;
        hash_word(h, m.from);
        hash_word(h, m.to);
        hash_word(h, Traits::hash(m.message));
        for (const NodeId node : m.owners) {
            hash_word(h, node);
        }
        return h;
    }

    [[nodiscard]] Instant clock(const Local& local) const {
        return clocks_ && clocks_->since_start
                   ? Instant{} + clocks_->step[local.node - 1] * local.ticks
                   : Instant{} + shown_;
    }
    [[nodiscard]] Context<Options> context(const Local& local) const {
        return {*options_, local.node, members_, actors_, initial_leader_, clock(local)};
    }

    [[nodiscard]] View view_of(const Local& local) const {
        if (!local.up) {
            return {Role::down, no_node, 0};
        }
        View view = P::view(local.state, context(local));
        if (local.paused) {
            view.role = Role::paused;
        }
        return view;
    }

    [[nodiscard]] Value::Dict value_of(const InFlight& m) const {
        return Value::Dict{{"from", m.from},
                           {"to", m.to},
                           {"kind", description_->messages[Traits::kind(m.message)].name},
                           {"fields", Traits::to_value(m.message)}};
    }

    LocalId keep(Local local) {
        bool ages = clocks_ && clocks_->since_start;
        if (clocks_ && !clocks_->since_start) {
            std::size_t i = 0;
            each_instant(local, [&](Instant& t) { ages = settle(t, local.owners, i++, local.node) || ages; });
        }
        const std::uint64_t h = hash(local);
        for (auto [it, end] = local_ids_.equal_range(h); it != end; ++it) {
            if (kept_[it->second] == local) {
                return it->second;
            }
        }
        LocalInfo info{local.node, view_of(local), local.up, local.paused, local.started, ages,
                       local.ticks, 0, local.armed, h};
        each_epoch(local, [&](const Epoch& epoch) { note_epoch(info.least_epoch, epoch); });
        const LocalId id = kept_.add(std::move(local));
        locals_.add(info);
        local_ids_.emplace(h, id);
        return id;
    }

    MessageId keep(InFlight m) {
        bool ages = false;
        if (clocks_ && !clocks_->since_start) {
            std::size_t i = 0;
            for_each_instant(m.message,
                             [&](Instant& t) { ages = settle(t, m.owners, i++, m.from) || ages; });
        }
        const std::uint64_t h = hash(m);
        for (auto [it, end] = message_ids_.equal_range(h); it != end; ++it) {
            if (in_flight_[it->second] == m) {
                return it->second;
            }
        }
        MessageInfo info{m.from, m.to, static_cast<std::uint32_t>(Traits::kind(m.message)), ages, 0, h};
        each_epoch(m, [&](const Epoch& epoch) { note_epoch(info.least_epoch, epoch); });
        const MessageId id = in_flight_.add(std::move(m));
        messages_.add(info);
        message_ids_.emplace(h, id);
        return id;
    }

    // --- moments ---

    static bool is_never(Instant t) { return t.ns >= Instant::never().ns / 2; }
    static NodeId owner(const std::vector<NodeId>& owners, std::size_t i, NodeId otherwise) {
        return i < owners.size() ? owners[i] : otherwise;
    }
    template <class L, class Visit>
    static void each_instant(L& local, Visit&& visit) {
        for_each_instant(local.state.disk, visit);
        for_each_instant(local.state.memory, visit);
        for_each_instant(local.stable, visit);
        for_each_instant(local.visible, visit);
    }
    void age(Instant& t, NodeId of) const {
        if (t.ns > 0 && !is_never(t)) {
            t.ns = std::max<std::int64_t>(0, t.ns - clocks_->step[of - 1].ns);
        }
    }
    // As it is kept; whether time changes it.
    static bool settle(Instant& t, std::vector<NodeId>& owners, std::size_t i, NodeId otherwise) {
        t.ns = std::max<std::int64_t>(0, t.ns);
        const bool ages = t.ns > 0 && !is_never(t);
        if (!ages && i < owners.size()) {
            owners[i] = otherwise;  // it is of nobody's clock any more
        }
        return ages;
    }

    // The longest span that an option names says how far back a handler may look.
    void set_clocks() {
        const Clocks& clocks = *clocks_;
        EL_ASSERT(clocks.step.size() == actors_);
        if (clocks.since_start) {
            return;
        }
        many_rates_ = std::adjacent_find(clocks.step.begin(), clocks.step.end(),
                                         std::not_equal_to<>()) != clocks.step.end();
        Duration longest{};
        const auto look = [&](std::string_view, const auto& option, std::string_view) {
            using T = std::remove_cvref_t<decltype(option)>;
            if constexpr (std::same_as<T, Duration>) {
                longest = std::max(longest, option);
            } else if constexpr (std::same_as<T, DurationRange>) {
                longest = std::max(longest, option.max);
            }
        };
        Options::describe(*options_, look);
        shown_ = clocks.horizon.value_or(longest * 2 + clocks.longest_delay);
    }

    // Whether a handler asks what its clock shows though nobody knows how fast that goes.
    void look_at_clock(const Local& local, const InFlight* message, Input input, const Outcome& first) {
        const bool known = clocks_ && (clocks_->exact || clocks_->since_start);
        if (!reads_clock_ && !known) {
            reads_clock_ = !first.same(run(local, message, input, seconds(1'000'000)), clocks_.has_value());
        }
    }

    // By how much the clock of a node is moved to see what depends on it.
    [[nodiscard]] std::int64_t moved(NodeId node, std::int64_t by) const {
        // One clock's move is never the difference of two others.
        return many_rates_ ? by + by / 10'000 * node * node : by;
    }

    // Runs the handler again with all clocks and moments moved on, and with the oldest moments moved
    // back; sets whose clock each moment is of.
    void look_at_moments(const Local& local, const InFlight* message, Input input, Outcome& first) {
        if (clocks_->since_start) {
            return;
        }
        if (many_rates_) {  // in case they cannot be told
            first.after.owners.assign(count_instants(first.after), local.node);
            for (InFlight& m : first.sends) {
                m.owners.assign(count_instants(m), m.from);
            }
        }
        for (const std::int64_t by : {1'000'003'333'331, 2'000'503'333'317}) {
            if (!reads_clock_ || many_rates_) {
                Outcome again = run_moved(local, message, input, by);
                reads_clock_ = !same_moved(first, again, by) || reads_clock_;
            }
        }
        const auto oldest = count_oldest(local, message);
        for (int way = 0; way < 3 && oldest > 0 && !reads_clock_; ++way) {
            Outcome again = run_older(local, message, input, way, oldest);
            reads_clock_ = !same_settled(first, again);
        }
    }

    Outcome run_moved(Local local, const InFlight* message, Input input, std::int64_t by) {
        const auto move = [&](Instant& t, NodeId of) {
            t.ns += t.ns > 0 && !is_never(t) ? moved(of, by) : 0;
        };
        std::size_t i = 0;
        each_instant(local, [&](Instant& t) { move(t, owner(local.owners, i++, local.node)); });
        InFlight copy;
        if (message != nullptr) {
            copy = *message;
            i = 0;
            for_each_instant(copy.message, [&](Instant& t) { move(t, owner(copy.owners, i++, copy.from)); });
            message = &copy;
        }
        const Duration on{moved(local.node, by)};
        return run(std::move(local), message, input, on);
    }

    // Each moment has moved with one clock, or has always been long ago; all else is as it was.
    bool same_moved(Outcome& first, Outcome& again, std::int64_t by) const {
        bool same = first.sends.size() == again.sends.size();
        const auto look = [&](const std::vector<Instant*>& a, const std::vector<Instant*>& b,
                              std::vector<NodeId>& owners) {
            same = same && a.size() == b.size();
            for (std::size_t i = 0; i < a.size() && same; ++i) {
                const std::int64_t on = b[i]->ns - a[i]->ns;
                bool found = on == 0 && (a[i]->ns <= 0 || is_never(*a[i]));
                for (NodeId node = 1; node <= actors_ && !found; ++node) {
                    if (on == moved(node, by)) {
                        found = true;
                        if (many_rates_) {
                            owners[i] = node;
                        }
                    }
                }
                same = found;
                *b[i] = *a[i];
            }
        };
        look(instants(first.after), instants(again.after), first.after.owners);
        again.after.owners = first.after.owners;
        for (std::size_t i = 0; i < first.sends.size() && same; ++i) {
            look(instants(first.sends[i]), instants(again.sends[i]), first.sends[i].owners);
            again.sends[i].owners = first.sends[i].owners;
        }
        return same && first.same(again, true);
    }

    // Moments that have fallen behind by the horizon, each moved further back by another span.
    Outcome run_older(Local local, const InFlight* message, Input input, int way, std::int64_t oldest) {
        std::int64_t i = 0;
        const auto back = [&](Instant& t) {
            if (t.ns == 0) {
                ++i;
                t.ns = way == 0 ? -i : way == 1 ? -(seconds(1'000).ns + ms(977).ns * i)
                                                : -(seconds(1'000).ns + ms(977).ns * (oldest - i));
            }
        };
        // The three copies of the disk alike.
        for_each_instant(local.stable, back);
        i = 0;
        for_each_instant(local.visible, back);
        i = 0;
        for_each_instant(local.state.disk, back);
        for_each_instant(local.state.memory, back);
        InFlight copy;
        if (message != nullptr) {
            copy = *message;
            for_each_instant(copy.message, back);
            message = &copy;
        }
        return run(std::move(local), message, input, {});
    }

    bool same_settled(const Outcome& first, Outcome& again) const {
        bool same = first.sends.size() == again.sends.size();
        const auto look = [&](const std::vector<Instant*>& a, const std::vector<Instant*>& b) {
            same = same && a.size() == b.size();
            for (std::size_t i = 0; i < a.size() && same; ++i) {
                same = a[i]->ns == b[i]->ns || (a[i]->ns <= 0 && b[i]->ns <= 0);
                *b[i] = *a[i];
            }
        };
        Outcome settled = first;
        look(instants(settled.after), instants(again.after));
        again.after.owners = first.after.owners;
        for (std::size_t i = 0; i < first.sends.size() && same; ++i) {
            look(instants(settled.sends[i]), instants(again.sends[i]));
            again.sends[i].owners = first.sends[i].owners;
        }
        return same && first.same(again, true);
    }

    static std::vector<Instant*> instants(Local& local) {
        std::vector<Instant*> found;
        each_instant(local, [&](Instant& t) { found.push_back(&t); });
        return found;
    }
    static std::vector<Instant*> instants(InFlight& m) {
        std::vector<Instant*> found;
        for_each_instant(m.message, [&](Instant& t) { found.push_back(&t); });
        return found;
    }
    template <class Thing>
    static std::size_t count_instants(Thing& thing) {
        return instants(thing).size();
    }
    static std::int64_t count_oldest(const Local& local, const InFlight* message) {
        std::int64_t count = 0;
        const auto look = [&](const Instant& t) { count += t.ns == 0; };
        each_instant(local, look);
        if (message != nullptr) {
            for_each_instant(message->message, look);
        }
        return count;
    }

    // --- epochs ---

    template <class L, class Visit>
    static void each_epoch(L& thing, Visit&& visit) {
        if constexpr (HasEpochFields<P>) {
            if constexpr (requires { thing.state; }) {
                for_each_epoch<P>(thing.state.disk, visit);
                for_each_epoch<P>(thing.state.memory, visit);
                for_each_epoch<P>(thing.stable, visit);
                for_each_epoch<P>(thing.visible, visit);
            } else {
                for_each_epoch<P>(thing.message, visit);
            }
        }
    }
    static void note_epoch(Epoch& least, Epoch epoch) {
        least = epoch != 0 && (least == 0 || epoch < least) ? epoch : least;
    }
    template <class Thing>
    static void raise(Thing& thing, Epoch by) {
        each_epoch(thing, [&](Epoch& epoch) { epoch += epoch != 0 ? by : 0; });
    }

    // Runs the handler again with all epochs greater.
    bool shifts(const Local& local, const InFlight* message, Input input, const Outcome& first) {
        if constexpr (!HasEpochFields<P>) {
            return false;
        } else {
            bool same = shifts_;
            for (const Epoch by : {Epoch{1}, Epoch{1000}}) {
                if (!same) {
                    break;
                }
                Local higher = local;
                raise(higher, by);
                InFlight copy;
                if (message != nullptr) {
                    copy = *message;
                    raise(copy, by);
                }
                Outcome again = run(std::move(higher), message == nullptr ? nullptr : &copy, input, {});
                Outcome expected = first;
                raise(expected.after, by);
                again.after.owners = expected.after.owners;
                same = expected.sends.size() == again.sends.size() && expected.broken == again.broken;
                for (std::size_t i = 0; i < expected.sends.size() && same; ++i) {
                    raise(expected.sends[i], by);
                    again.sends[i].owners = expected.sends[i].owners;
                }
                same = same && expected.same(again, clocks_.has_value());
            }
            if (shifts_ && !same) {
                bool none = false;  // some are 0: what counts on from there is another matter
                const auto look = [&](const Epoch& epoch) { none = none || epoch == 0; };
                each_epoch(local, look);
                if (message != nullptr) {
                    each_epoch(*message, look);
                }
                if (!none) {
                    throw std::runtime_error(
                        std::string(description_->about.name) +
                        ": what it declares to be epochs (is_epoch) are none: node " +
                        std::to_string(local.node) +
                        " does something else when all of them are greater");
                }
            }
            return same;
        }
    }

    // --- draws ---

    // Words of which each is a choice; all others are those of one stream.
    void look_for_draws(const Local& local, const InFlight* message, Input input, const Outcome& first) {
        if constexpr (Draws<P>) {
            if (choices_ == 0 && !draws_unseen_) {
                input.choice = ~input.choice;  // another stream
                draws_unseen_ = !first.same(run(local, message, input, {}), clocks_.has_value());
            }
            draws_unseen_ = draws_unseen_ || first.draws > 1;
        }
    }
    RandomStream stream(const State<P>& state, std::uint32_t choice) const {
        if constexpr (CountsDraws<P>) {
            if (choices_ > 0) {
                return stream_with(P::drawn(state), choice, choices_);
            }
        }
        (void)state;
        return {mix64(choice)};
    }

    // --- running a handler ---

    static void crash(Local& local) {
        local.state.disk = local.stable;
        local.state.memory = {};
        local.armed = 0;
        local.up = local.paused = false;
    }

    // `on`: how much more than usual the clock shows.
    Outcome run(Local local, const InFlight* message, Input input, Duration on) {
        View before;
        if constexpr (has_promises) {
            before = view_of(local);
        }
        if (input.kind == InputKind::restart_empty) {
            local.stable = empty_disk<P>(*options_, local.node);
        }
        const bool gone = input.kind == InputKind::restart_empty || input.kind == InputKind::reboot ||
                          input.kind == InputKind::crash;
        if (gone) {
            crash(local);
        }
        Context<Options> ctx = context(local);
        ctx.clock = ctx.clock + on;
        if constexpr (Draws<P>) {
            ctx.random = stream(local.state, input.choice);
        }
        [[maybe_unused]] std::uint64_t drawn = 0;
        if constexpr (CountsDraws<P>) {
            drawn = P::drawn(local.state);
        }
        effects_.clear();
        Outcome outcome;
        bool handled = true;
        switch (input.kind) {
            case InputKind::start:
                local.up = local.started = true;
                P::on_start(local.state, ctx, effects_);
                break;
            case InputKind::deliver:
                P::on_message(local.state, ctx, message->from, message->message, effects_);
                break;
            case InputKind::fire: {
                local.armed &= ~(std::uint64_t{1} << input.what);
                const auto place = layout_.place(input.what);
                expire<P>(local.state, ctx, static_cast<TimerOf<P>>(place.timer), place.about, effects_);
                break;
            }
            case InputKind::restart_empty:
            case InputKind::reboot:
            case InputKind::restart:
                local.up = true;
                P::on_restart(local.state, ctx, effects_);
                break;
            case InputKind::crash: handled = false; break;
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
        if constexpr (CountsDraws<P>) {
            outcome.draws = P::drawn(local.state) - drawn;
        }
        if (handled) {
            finish(local, before, outcome);
        }
        outcome.after = std::move(local);
        return outcome;
    }

    // As Simulation::finish: a node's promises, then its disk, its timers and its messages.
    void finish(Local& local, const View& before, Outcome& outcome) {
        if constexpr (has_promises) {
            const bool tells_news = !effects_.sends().empty() && local.visible != local.state.disk;
            const View after = view_of(local);
            if (tells_news || after != before) {
                for (std::size_t i = 0; i < promises_.size(); ++i) {
                    const bool holds =
                        promises_[i].holds({local.visible, before}, {local.state.disk, after});
                    outcome.broken |= std::uint64_t{!holds} << i;
                }
            }
            if (tells_news || outcome.broken != 0) {
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
            outcome.timers.push_back({slot, change.set, change.spec});
        }
        for (const auto& outgoing : effects_.sends()) {
            if (outgoing.to != no_node) {
                outcome.sends.push_back({local.node, outgoing.to, outgoing.message});
            } else {
                for (NodeId to = 1; to <= members_; ++to) {
                    if (to != local.node) {
                        outcome.sends.push_back({local.node, to, outgoing.message});
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
    bool shifts_;
    std::optional<Clocks> clocks_;
    Duration shown_{};          // by the clocks, whenever something happens
    bool many_rates_ = false;
    std::uint32_t choices_ = 0;  // of each draw; 0: draws are not explored
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
    bool draws_unseen_ = false;
    std::unordered_map<LocalId, LocalId> aged_locals_;
    std::unordered_map<MessageId, MessageId> aged_messages_;
    std::map<std::pair<LocalId, Epoch>, LocalId> raised_locals_;
    std::map<std::pair<MessageId, Epoch>, MessageId> raised_messages_;
};

}  // namespace electionlab::check

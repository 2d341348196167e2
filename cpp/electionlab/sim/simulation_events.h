// Simulation, first half: the loop, how an input is handled, and how its effects are carried out.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
void Simulation<P>::reset(std::uint64_t seed, std::uint64_t trial) {
    key_ = trial_key(seed, trial);
    now_ = {};
    step_ = whole_step_ = 0;
    order_ = 1;
    next_message_ = 1;
    queue_.clear();
    bodies_.clear();
    first_free_ = no_slot;
    held_.clear();
    writes_.clear();
    scheduled_.clear();
    triggers_.clear();
    plans_.clear();
    network_ = config_->network;
    last_arrival_.reset(0);
    tracks_overtaking_ = false;
    message_triggers_ = false;
    target_draws_ = 0;
    counts_ = {};
    by_kind_.assign(description_->messages.size(), {});
    by_node_.assign(actors_ + 1, {});
    leader_traffic_ = 0;
    std::fill(std::begin(drops_), std::end(drops_), 0);
    last_ = {};

    broken_.assign(properties_.size(), 0);
    timers_.reset(actors_ * layout_.per_node());
    timer_draws_.assign(timers_.size(), 0);
    slots_.assign(actors_, Slot{});
    views_.assign(actors_, View{Role::down, no_node, 0});
    node_configs_.assign(actors_, config_->every_node);
    for (const auto& [node, own] : config_->nodes) {
        node_configs_[node - 1] = own;
    }
    for (NodeId node = 1; node <= actors_; ++node) {  // a spread of rates is drawn once a trial
        NodeConfig& c = node_configs_[node - 1];
        if (c.clock_drift_ppb != c.clock_drift_max_ppb) {
            c.clock_drift_ppb = uniform_integer(random_stream(key_, node, Purpose::clock, 1).word(0),
                                                c.clock_drift_ppb, c.clock_drift_max_ppb);
            c.clock_drift_max_ppb = c.clock_drift_ppb;
        }
    }
    monitor_.reset(members_, {.one_leader_per_epoch = description_->about.epochs,
                              .one_leader_at_a_time = config_->one_leader_at_a_time});
    for (NodeId node = 1; node <= actors_; ++node) {
        Slot& slot = slots_[node - 1];
        slot.state.disk = P::initial_disk(*options_, node);
        slot.stable = slot.visible = slot.state.disk;
        slot.network_key = random_stream(key_, node, Purpose::network).key;
        refresh_plain(node);
        const Distribution& start = node_configs_[node - 1].start;
        const Instant at = now_ + start.draw(random_stream(key_, node, Purpose::start).word(0));
        const std::uint32_t place = take_slot();
        bodies_[place].kind = PendingKind::start;
        bodies_[place].to = node;
        queue_.push(QueueKey::make(at, next_order(), place));
    }
    for (const Action& action : config_->actions) {
        carry_out(action, no_node);
    }
}

template <class P>
Instant Simulation<P>::next_time() {
    Instant next = scheduled_.empty() ? Instant::never() : scheduled_.back().at;
    if (!queue_.empty()) {
        next = std::min(next, Instant{queue_.top().at});
    }
    if (const std::size_t slot = timers_.earliest(); slot != TimerTable::none) {
        next = std::min(next, Instant{timers_.at(slot).at});
    }
    return next;
}

// One event, whatever is due first; false when nothing is due up to `until`.
template <class P>
bool Simulation<P>::advance(Instant until) {
    Instant at = Instant::never();
    std::uint64_t order = 0;
    const std::size_t timer = timers_.earliest();
    bool is_timer = false;
    if (timer != TimerTable::none && timers_.armed(timer)) {
        at = Instant{timers_.at(timer).at};
        order = timers_.at(timer).order;
        is_timer = true;
    }
    if (!queue_.empty()) {
        const QueueKey& top = queue_.top();
        if (top.at < at.ns || (top.at == at.ns && top.order() < order)) {
            at = Instant{top.at};
            is_timer = false;
        }
    }
    if (!scheduled_.empty() && scheduled_.back().at <= at) {
        if (scheduled_.back().at > until) {
            return false;
        }
        const Scheduled next = std::move(scheduled_.back());
        scheduled_.pop_back();
        now_ = next.at;
        if (next.plan >= 0) {
            run_plan(next.plan);
        } else {
            begin_event(RowKind::action, no_node);
            carry_out(*next.action, next.trigger);
        }
        return true;
    }
    if (at > until || at == Instant::never()) {
        return false;
    }
    now_ = at;
    if (is_timer) {
        expire(timer);
    } else {
        const std::uint32_t slot = queue_.top().slot();
        queue_.pop();
        handle(slot);
    }
    return true;
}

template <class P>
void Simulation<P>::begin_event(RowKind kind, NodeId node) {
    last_.step = ++step_;
    last_.at = now_;
    last_.kind = kind;
    last_.detail = 0;
    last_.message_kind = -1;
    last_.timer = -1;
    last_.node = node;
    last_.peer = no_node;
    last_.message = -1;
    last_.view = {};
}

// A timer has run out: its handler runs, unless its node is paused or busy; then it waits its turn.
template <class P>
void Simulation<P>::expire(std::size_t timer_slot) {
    const auto [node, timer, about] = layout_.place(timer_slot);
    const Slot& slot = slots_[node - 1];
    timers_.cancel(timer_slot);
    if (!slot.paused && slot.busy_until <= now_) {
        return handle_timer(node, timer, about);
    }
    const std::uint32_t place = take_slot();
    Pending& expiry = bodies_[place];
    expiry.kind = PendingKind::timer;
    expiry.from = about;
    expiry.to = node;
    expiry.timer = timer;
    expiry.number = timers_.generation(timer_slot);
    wait_for_turn(place);
}

// Something has arrived at its node, or is due there after a wait.
template <class P>
void Simulation<P>::handle(std::uint32_t slot) {
    const Pending& what = bodies_[slot];
    const NodeId node = what.to;
    const Slot& receiver = slots_[node - 1];
    if (what.kind == PendingKind::message && !what.arrived) {
        if (network_.is_cut(what.from, node)) {
            return drop_at_arrival(slot, DropReason::cut);
        }
        if (!receiver.up) {
            return drop_at_arrival(slot, DropReason::receiver_down);
        }
        if (tracks_overtaking_) {
            track_overtaking(what);
        }
    }
    if ((!receiver.plain || receiver.paused || receiver.busy_until > now_) && wait_for_turn(slot)) {
        return;
    }
    switch (what.kind) {
        case PendingKind::message: return handle_message(slot);
        case PendingKind::start: free_slot(slot); return handle_start(node);
        case PendingKind::timer: {
            const std::uint32_t timer = what.timer;
            const NodeId about = what.from;
            const bool stale = timers_.generation(slot_of(node, timer, about)) != what.number;
            free_slot(slot);
            if (!stale) {
                return handle_timer(node, timer, about);
            }
            begin_event(RowKind::lapse, node);  // set anew or cancelled while it waited
            last_.timer = static_cast<std::int8_t>(timer);
            last_.peer = about;
            last_.view = views_[node - 1];
            if (trace_) {
                TraceRow r = row_of(RowKind::lapse, node, about);
                r.timer = last_.timer;
                trace_->append(r);
            }
        }
    }
}

// Whether what has arrived must wait, which is an event too: a paused node holds it, a busy one
// takes it up in turn, a slow one needs time for it.
template <class P>
bool Simulation<P>::wait_for_turn(std::uint32_t slot) {
    Pending& what = bodies_[slot];
    Slot& node = slots_[what.to - 1];
    if (node.paused) {
        ++counts_.held_by_pause;
        held_.push_back(slot);
    } else if (what.served) {
        return false;
    } else if (node.busy_until > now_) {
        ++counts_.held_by_load;
        queue_.push(QueueKey::make(node.busy_until, next_order(), slot));
    } else {
        const Distribution& processing = node_configs_[what.to - 1].processing;
        if (what.kind != PendingKind::message || processing.is_zero()) {
            return false;
        }
        const auto stream = random_stream(key_, what.to, Purpose::processing);
        node.busy_until = now_ + processing.draw(stream.word(node.services++));
        what.served = true;
        ++counts_.held_by_load;
        queue_.push(QueueKey::make(node.busy_until, next_order(), slot));
    }
    what.arrived = true;
    begin_event(RowKind::wait, what.to);
    last_.view = views_[what.to - 1];
    if (what.kind == PendingKind::message) {
        last_.peer = what.from;
        last_.message = what.number;
        last_.message_kind = static_cast<std::int8_t>(Traits::kind(what.message));
    } else if (what.kind == PendingKind::timer) {
        last_.timer = static_cast<std::int8_t>(what.timer);
        last_.peer = what.from;
    }
    if (trace_) {
        TraceRow r = row_of(RowKind::wait, what.to, last_.peer);
        r.message = last_.message;
        r.message_kind = last_.message_kind;
        r.timer = last_.timer;
        r.body = what.body;
        r.other_ns = node.paused ? -1 : node.busy_until.ns;
        trace_->append(r);
    }
    return true;
}

// --- the protocol handles one input, then its effects are carried out ---------------------------

template <class P>
void Simulation<P>::handle_message(std::uint32_t place) {
    const Pending& what = bodies_[place];  // stays where it is until the handler is done
    const NodeId node = what.to;
    begin_event(RowKind::deliver, node);
    const auto kind = Traits::kind(what.message);
    last_.peer = what.from;
    last_.message = what.number;
    last_.message_kind = static_cast<std::int8_t>(kind);
    ++by_kind_[kind].delivered;
    ++by_node_[node].delivered;
    leader_traffic_ += views_[node - 1].leads() ? 1 : 0;
    effects_.clear();
    const Context<Options> ctx = context(node);
    P::on_message(slots_[node - 1].state, ctx, what.from, what.message, effects_);
    last_.view = current_view(ctx);
    if (trace_) {
        record_input(&what);
    }
    free_slot(place);
    finish(node);
}

template <class P>
void Simulation<P>::handle_timer(NodeId node, std::uint32_t timer, NodeId about) {
    begin_event(RowKind::timer, node);
    last_.timer = static_cast<std::int8_t>(timer);
    last_.peer = about;
    effects_.clear();
    const Context<Options> ctx = context(node);
    electionlab::expire<P>(slots_[node - 1].state, ctx, static_cast<typename P::Timer>(timer), about,
                           effects_);
    last_.view = current_view(ctx);
    if (trace_) {
        record_input(nullptr);
    }
    finish(node);
}

template <class P>
void Simulation<P>::handle_start(NodeId node) {
    begin_event(RowKind::start, node);
    slots_[node - 1].up = slots_[node - 1].started = true;
    effects_.clear();
    const Context<Options> ctx = context(node);
    P::on_start(slots_[node - 1].state, ctx, effects_);
    last_.view = current_view(ctx);
    if (trace_) {
        record_input(nullptr);
    }
    finish(node);
}

// The row of an input shows the view after it.
template <class P>
void Simulation<P>::record_input(const Pending* message) {
    TraceRow r = row_of(last_.kind, last_.node, last_.peer);
    r.role = last_.view.role;
    r.leader = last_.view.leader;
    r.epoch = last_.view.epoch;
    r.message = last_.message;
    r.message_kind = last_.message_kind;
    r.timer = last_.timer;
    r.body = message != nullptr ? message->body : -1;
    r.other_ns = message != nullptr ? message->sent.ns : -1;
    trace_->append(r);
}

template <class P>
void Simulation<P>::record_notes(NodeId node) {
    for (const Note& note : effects_.notes()) {
        TraceRow r = row_of(RowKind::note, node, no_node);
        r.text = trace_->intern(note.text);
        r.first = note.first;
        r.second = note.second;
        trace_->append(r);
    }
}

// After a handler: its reasons, its new view, its promises, and then its effects.
template <class P>
void Simulation<P>::finish(NodeId node) {
    if (trace_) {
        record_notes(node);
    }
    const View before = views_[node - 1];
    if (last_.kind == RowKind::action) {
        last_.view = current_view(node);
    }
    const View after = last_.view;
    const bool changed = after != before;
    if (changed) {
        change_view(node, after);
    }
    // What was not told to anybody yet is judged when a message tells it.
    if constexpr (has_promises) {
        if (changed || !effects_.sends().empty()) {
            check_promises(node, before, after);
        }
    }
    if constexpr (has_properties) {
        check_properties(node);
    }
    carry_out_effects(node);
}

// The order of duties: the disk is written, timers are set, messages leave.
template <class P>
void Simulation<P>::carry_out_effects(NodeId node) {
    Slot& slot = slots_[node - 1];
    const Instant leaves = effects_.persists() ? write(node) : std::max(now_, slot.disk_ready);
    if constexpr (has_promises) {
        if (!effects_.sends().empty() && !writes_.empty()) {
            settle_writes(now_);  // what was written before is known before this
        }
        if (!effects_.sends().empty() && slot.visible != slot.state.disk) {
            if (leaves == now_) {
                slot.visible = slot.state.disk;
            } else if (!effects_.persists()) {
                writes_.push_back({node, leaves, slot.state.disk, false});
            }
        }
    }
    for (const auto& change : effects_.timers()) {
        EL_ASSERT(layout_.has(node, change.timer, change.about));
        if (change.set) {
            arm(node, change.timer, change.about, change.spec);
        } else {
            timers_.cancel(slot_of(node, change.timer, change.about));
        }
    }
    for (auto& outgoing : effects_.sends()) {
        send_out(node, outgoing, leaves);
    }
}

template <class P>
View Simulation<P>::current_view(const Context<Options>& ctx) const {
    const Slot& slot = slots_[ctx.self - 1];
    if (!slot.up) {
        return {Role::down, no_node, 0};
    }
    View view = P::view(slot.state, ctx);
    if (slot.paused) {
        view.role = Role::paused;
    }
    return view;
}

template <class P>
void Simulation<P>::change_view(NodeId node, const View& after) {
    const View before = std::exchange(views_[node - 1], after);
    if (node <= members_) {
        const std::size_t known = monitor_.violations().size();
        monitor_.on_view(node, before, after, now_, step_, views());
        row(RowKind::view, node);
        if (after.leads() && !before.leads()) {
            row(RowKind::leader, node);
        }
        for (std::size_t i = known; trace_ && i < monitor_.violations().size(); ++i) {
            const Violation& violation = monitor_.violations()[i];
            TraceRow r = row_of(RowKind::violation, node, violation.other);
            r.text = trace_->intern(std::string(violation.invariant) + ": node {} led as well");
            r.first = violation.other;
            trace_->append(r);
        }
    } else {
        row(RowKind::view, node);
    }
    if (!triggers_.empty()) {
        match_triggers(node, before, after);
    }
}

template <class P>
void Simulation<P>::check_promises(NodeId node, const View& before, const View& after) {
    Slot& slot = slots_[node - 1];
    const bool same_disk = slot.visible == slot.state.disk;
    if (same_disk && before == after) {
        return;
    }
    bool broken = false;
    for (const Promise<P>& promise : promises_) {
        if (!promise.holds({slot.visible, before}, {slot.state.disk, after})) {
            report_violation(promise.name, node);
            broken = true;
        }
    }
    if (broken) {
        slot.visible = slot.state.disk;  // each is reported once
    }
}

// What holds of all nodes together; a property that breaks is reported once until it holds again.
template <class P>
void Simulation<P>::check_properties(NodeId node) {
    const AllNodes<P> all(&slots_[0].state, sizeof(Slot), {views_.data(), actors_}, members_);
    for (std::size_t i = 0; i < properties_.size(); ++i) {
        const bool broken = !properties_[i].holds(all);
        if (broken && broken_[i] == 0) {
            report_violation(properties_[i].name, node);
        }
        broken_[i] = broken ? 1 : 0;
    }
}

template <class P>
void Simulation<P>::report_violation(std::string_view name, NodeId node) {
    monitor_.add_violation({step_, now_, name, node, no_node, views_[node - 1].epoch});
    if (trace_) {
        TraceRow r = row_of(RowKind::violation, node, no_node);
        r.text = trace_->intern(name);
        trace_->append(r);
    }
}

// --- effects ------------------------------------------------------------------------------------

// Begins a durable write; returns when it is done.
template <class P>
Instant Simulation<P>::write(NodeId node) {
    Slot& slot = slots_[node - 1];
    const Distribution& delay = node_configs_[node - 1].write_delay;
    if (!writes_.empty()) {
        settle_writes(now_);  // an older write must not come after this one
    }
    if (delay.is_zero() && slot.disk_ready <= now_) {
        slot.stable = slot.state.disk;
        row(RowKind::write, node);
        return now_;
    }
    const auto stream = random_stream(key_, node, Purpose::disk);
    const Instant done = std::max(now_, slot.disk_ready) + delay.draw(stream.word(slot.writes++));
    slot.disk_ready = done;
    if (config_->write_mode == WriteMode::blocking) {
        slot.busy_until = std::max(slot.busy_until, done);
    }
    writes_.push_back({node, done, slot.state.disk, true});
    if (trace_) {
        TraceRow r = row_of(RowKind::write, node, no_node);
        r.other_ns = done.ns;
        trace_->append(r);
    }
    return done;
}

// Takes note of the writes that are done by now, oldest first.
template <class P>
void Simulation<P>::settle_writes(Instant t) {
    std::erase_if(writes_, [&](const Write& write) {
        if (write.done > t) {
            return false;
        }
        Slot& slot = slots_[write.node - 1];
        slot.visible = write.disk;
        if (write.persists) {
            slot.stable = write.disk;
        }
        return true;
    });
}

template <class P>
void Simulation<P>::arm(NodeId node, std::uint32_t timer, NodeId about, const TimerSpec& spec) {
    const std::size_t slot = slot_of(node, timer, about);
    Duration wait = spec.min;
    if (const std::uint32_t draw = ++timer_draws_[slot]; spec.policy != TimeoutPolicy::redrawn) {
        wait = draw_timeout(node, timer, about, spec, draw);
    } else if (spec.min != spec.max) {
        const auto stream = timer_stream(Purpose::timer, node, timer, about);
        wait = {uniform_integer(stream.word(draw), spec.min.ns, spec.max.ns)};
    }
    if (!slots_[node - 1].plain) {
        const NodeConfig& config = node_configs_[node - 1];
        if (config.clock_drift_ppb != 0) {  // the node counts on its own clock
            // At least a nanosecond: a timer that takes no time would stop the clock.
            wait.ns = std::max(scaled(wait.ns, billion, billion + config.clock_drift_ppb),
                               std::int64_t{1});
            ++counts_.timers_on_odd_clocks;
        }
        if (!config.timer_lateness.is_zero()) {
            const auto stream = timer_stream(Purpose::timer_lateness, node, timer, about);
            wait += config.timer_lateness.draw(stream.word(timer_draws_[slot]));
        }
    }
    timers_.set(slot, now_ + wait, next_order());
}

// A span of the node's own clock, drawn by the less common policies.
template <class P>
Duration Simulation<P>::draw_timeout(NodeId node, std::uint32_t timer, NodeId about,
                                     const TimerSpec& spec, std::uint32_t draws) {
    const auto stream = timer_stream(Purpose::timer, node, timer, about);
    switch (spec.policy) {
        case TimeoutPolicy::drawn_once: {
            const auto once = timer_stream(Purpose::timer, node, timer + 128, about);
            return {uniform_integer(once.word(slots_[node - 1].incarnation), spec.min.ns, spec.max.ns)};
        }
        case TimeoutPolicy::quantised: {
            // The timer counts the node's ticks, which run whatever it does: the first comes early.
            const std::int64_t tick = spec.tick.ns;
            const auto phase = uniform_integer(random_stream(key_, node, Purpose::clock).word(0), 0,
                                               tick - 1);
            const std::int64_t local = clock(node).ns - phase;
            const std::int64_t into_tick = ((local % tick) + tick) % tick;
            const std::int64_t ticks =
                uniform_integer(stream.word(draws), spec.min.ns / tick, spec.max.ns / tick);
            return {ticks * tick - into_tick};
        }
        case TimeoutPolicy::rounded: {
            const std::int64_t tick = spec.tick.ns;
            const auto drawn = uniform_integer(stream.word(draws), spec.min.ns, spec.max.ns);
            return {(drawn + tick / 2) / tick * tick};
        }
        default: {  // redrawn_each_tick
            const std::uint64_t own = stream.word(draws);
            const std::int64_t span = spec.max.ns - spec.min.ns;
            for (std::int64_t past = spec.tick.ns, tick = 1;; past += spec.tick.ns, ++tick) {
                const auto word = RandomStream{own}.word(static_cast<std::uint64_t>(tick));
                if (past > uniform_integer(word, 0, span)) {
                    return {spec.min.ns + past};
                }
            }
        }
    }
}

template <class P>
void Simulation<P>::send_out(NodeId from, typename Effects<Message>::Outgoing& outgoing,
                             Instant leaves) {
    if (outgoing.to != no_node) {
        EL_ASSERT(outgoing.to <= actors_ && outgoing.to != from);
        return send_one(from, outgoing.to, outgoing.message, leaves);
    }
    if (is_quiet()) {
        const NodeId copies = from <= members_ ? members_ - 1 : members_;
        count_sent(from, Traits::kind(outgoing.message), copies);
        for (NodeId to = 1; to <= members_; ++to) {
            if (to != from) {
                send_quietly(from, to, outgoing.message, leaves);
            }
        }
        return;
    }
    for (NodeId to = 1; to <= members_; ++to) {
        if (to != from) {
            send_through_faults(from, to, outgoing.message, leaves);
        }
    }
}

template <class P>
void Simulation<P>::send_one(NodeId from, NodeId to, const Message& message, Instant leaves) {
    if (is_quiet()) {
        count_sent(from, Traits::kind(message), 1);
        send_quietly(from, to, message, leaves);
    } else {
        send_through_faults(from, to, message, leaves);
    }
}

template <class P>
void Simulation<P>::count_sent(NodeId from, std::size_t kind, NodeId copies) {
    by_kind_[kind].sent += copies;
    by_node_[from].sent += copies;
    leader_traffic_ += views_[from - 1].leads() ? copies : 0;
}

// On a calm network, and with nobody watching, a message just takes its delay.
template <class P>
void Simulation<P>::send_quietly(NodeId from, NodeId to, const Message& message, Instant leaves) {
    Slot& sender = slots_[from - 1];
    const std::uint64_t draw = sender.messages++ * 8;
    const Duration delay =
        network_.everywhere().delay.draw(RandomStream{sender.network_key}.word(draw + 1));
    put_in_flight(from, to, message, leaves, leaves + delay, next_message_++, -1);
}

template <class P>
void Simulation<P>::put_in_flight(NodeId from, NodeId to, const Message& message, Instant leaves,
                                  Instant arrives, std::int64_t number, std::int64_t body) {
    const std::uint32_t place = take_slot();
    Pending& pending = bodies_[place];
    pending.message = message;
    pending.number = number;
    pending.sent = leaves;
    pending.body = body;
    pending.from = from;
    pending.to = to;
    queue_.push(QueueKey::make(arrives, next_order(), place));
}

template <class P>
void Simulation<P>::send_through_faults(NodeId from, NodeId to, const Message& message,
                                        Instant leaves) {
    const Link& link = network_.link(from, to);
    Slot& sender = slots_[from - 1];
    const RandomStream stream{sender.network_key};
    const std::uint64_t draw = sender.messages++ * 8;
    const auto kind = Traits::kind(message);
    const std::int64_t number = next_message_++;
    count_sent(from, kind, 1);
    if (message_triggers_) {
        match_message_triggers(from, kind);
    }

    DropReason lost = DropReason::none;
    if (network_.is_cut(from, to)) {
        lost = DropReason::cut;
        ++counts_.cut;
    } else if (link.loss > 0 && chance(stream.word(draw), link.loss)) {
        lost = DropReason::loss;
        ++counts_.lost;
    }
    Instant arrives = leaves + link.delay.draw(stream.word(draw + 1));
    if (link.reorder > 0 && chance(stream.word(draw + 2), link.reorder)) {
        arrives = arrives + link.reorder_delay.draw(stream.word(draw + 3));
        ++counts_.held_up;
    }
    if (link.reorder > 0 && !tracks_overtaking_) {
        tracks_overtaking_ = true;
        last_number_.reset(actors_);
    }
    if (link.fifo) {
        if (!last_arrival_.ready()) {
            last_arrival_.reset(actors_);
        }
        Instant& last = last_arrival_.at(from, to);
        arrives = std::max(arrives, last);
        last = lost == DropReason::none ? arrives : last;
    }
    std::int64_t body = -1;
    if (trace_) {
        TraceRow r = row_of(RowKind::send, from, to);
        r.message = number;
        r.message_kind = static_cast<std::int8_t>(kind);
        r.other_ns = lost == DropReason::none ? arrives.ns : -1;
        r.body = body = trace_->add_body(message);
        trace_->append(r);
    }
    if (lost != DropReason::none) {
        ++drops_[static_cast<std::size_t>(lost)];
        if (trace_) {
            TraceRow r = row_of(RowKind::drop, to, from);
            r.message = number;
            r.message_kind = static_cast<std::int8_t>(kind);
            r.detail = static_cast<std::uint8_t>(lost);
            r.body = body;
            trace_->append(r);
        }
        return;
    }
    if (link.duplicate > 0 && chance(stream.word(draw + 4), link.duplicate)) {
        ++counts_.duplicated;
        Instant again = leaves + link.delay.draw(stream.word(draw + 5));
        if (link.fifo) {
            Instant& last = last_arrival_.at(from, to);
            last = again = std::max(again, last);
        }
        put_in_flight(from, to, message, leaves, again, number, body);
    }
    put_in_flight(from, to, message, leaves, arrives, number, body);
}

// A place for something to come: a message unless told otherwise, neither arrived nor served.
template <class P>
std::uint32_t Simulation<P>::take_slot() {
    if (first_free_ != no_slot) {
        const std::uint32_t slot = first_free_;
        Pending& pending = bodies_[slot];
        first_free_ = pending.timer;
        pending.kind = PendingKind::message;
        pending.arrived = pending.served = false;
        return slot;
    }
    const auto slot = static_cast<std::uint32_t>(bodies_.size());
    if (slot >> QueueKey::slot_bits != 0) {
        invalid("messages in flight", std::to_string(slot),
                "a simulation holds at most 16777216; the protocol floods the network");
    }
    bodies_.emplace_back();
    return slot;
}

template <class P>
void Simulation<P>::free_slot(std::uint32_t slot) {
    if constexpr (!std::is_trivially_copyable_v<Message>) {
        bodies_[slot].message = Message{};  // lets go of what it refers to
    }
    bodies_[slot].timer = first_free_;
    first_free_ = slot;
}

template <class P>
void Simulation<P>::track_overtaking(const Pending& pending) {
    std::int64_t& last = last_number_.at(pending.from, pending.to);
    counts_.overtaken += pending.number < last ? 1 : 0;
    last = std::max(last, pending.number);
}

template <class P>
void Simulation<P>::drop_at_arrival(std::uint32_t slot, DropReason reason) {
    const Pending& what = bodies_[slot];
    begin_event(RowKind::drop, what.to);
    last_.peer = what.from;
    last_.message = what.number;
    last_.message_kind = static_cast<std::int8_t>(Traits::kind(what.message));
    last_.detail = static_cast<std::uint8_t>(reason);
    last_.view = views_[what.to - 1];
    ++drops_[static_cast<std::size_t>(reason)];
    counts_.cut += reason == DropReason::cut ? 1 : 0;
    counts_.receiver_down += reason == DropReason::receiver_down ? 1 : 0;
    if (trace_) {
        TraceRow r = row_of(RowKind::drop, what.to, what.from);
        r.message = last_.message;
        r.message_kind = last_.message_kind;
        r.detail = last_.detail;
        r.body = what.body;
        trace_->append(r);
    }
    free_slot(slot);
}

// --- rows ---------------------------------------------------------------------------------------

template <class P>
TraceRow Simulation<P>::row_of(RowKind kind, NodeId node, NodeId peer) const {
    TraceRow r;
    r.step = step_;
    r.at = now_;
    r.kind = kind;
    r.node = node;
    r.peer = peer;
    if (node != no_node) {
        const View& view = views_[node - 1];
        r.role = view.role;
        r.leader = view.leader;
        r.epoch = view.epoch;
    }
    return r;
}

template <class P>
void Simulation<P>::row(RowKind kind, NodeId node, NodeId peer) {
    if (trace_) {
        trace_->append(row_of(kind, node, peer));
    }
}

template <class P>
void Simulation<P>::refresh_plain(NodeId node) {
    const NodeConfig& c = node_configs_[node - 1];
    slots_[node - 1].clock_offset = c.clock_offset;
    slots_[node - 1].plain =
        c.processing.is_zero() && c.timer_lateness.is_zero() && c.clock_drift_ppb == 0;
}

}  // namespace electionlab

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
    stopped_.clear();
    writes_.clear();
    scheduled_.clear();
    triggers_.clear();
    plans_.clear();
    network_ = config_->network;
    last_arrival_.reset(0);
    cut_since_.reset(0);
    tracks_overtaking_ = false;
    message_triggers_ = false;
    target_draws_ = 0;
    counts_ = {};
    by_kind_.assign(description_->messages.size(), {});
    by_node_.assign(actors_ + 1, {});
    leader_traffic_ = 0;
    std::fill(std::begin(drops_), std::end(drops_), 0);
    last_ = {};

    timers_.reset(std::size_t{actors_} * timer_count_);
    timer_draws_.assign(timers_.size(), 0);
    slots_.assign(actors_, Slot{});
    views_.assign(actors_, View{Role::down, no_node, 0});
    node_configs_.assign(actors_, config_->every_node);
    for (const auto& [node, own] : config_->nodes) {
        node_configs_[node - 1] = own;
    }
    for (NodeId node = 1; node <= actors_; ++node) {  // a spread of rates is drawn once a trial
        NodeConfig& c = node_configs_[node - 1];
        c.clock_drift_ppb = c.clock_drift_max_ppb = configured_drift(node);
    }
    clock_since_.assign(actors_, Instant{});
    lines_.assign(actors_, Line{});
    monitor_.reset(members_, {.one_leader_per_epoch = description_->about.epochs,
                              .one_leader_at_a_time = config_->one_leader_at_a_time});
    for (NodeId node = 1; node <= actors_; ++node) {
        Slot& slot = slots_[node - 1];
        slot.state.disk = P::initial_disk(*options_, node);
        slot.stable = slot.visible = slot.state.disk;
        slot.network_key = random_stream(key_, node, Purpose::network).key;
        slot.clock_offset = node_configs_[node - 1].clock_offset;
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
        advance_schedule();
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
void Simulation<P>::advance_schedule() {
    const Scheduled next = std::move(scheduled_.back());
    scheduled_.pop_back();
    now_ = next.at;
    if (next.plan >= 0) {
        return run_plan(next.plan);
    }
    begin_event(RowKind::action, no_node);
    if (next.episode == 0 || next.episode == episode_of(*next.action)) {
        carry_out(*next.action, next.trigger);
    } else {
        pass_over(next.action->kind, next.action->node, "nothing: what it was to end is over");
    }
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
    const auto node = static_cast<NodeId>(timer_slot / timer_count_) + 1;
    const Slot& slot = slots_[node - 1];
    const auto timer = static_cast<std::uint32_t>(timer_slot % timer_count_);
    timers_.cancel(timer_slot);
    if (slot.plain && slot.busy_until <= now_) {
        return handle_timer(node, timer);
    }
    expire_later(node, timer);
}

template <class P>
void Simulation<P>::expire_later(NodeId node, std::uint32_t timer) {
    const std::uint32_t place = take_slot();
    Pending& expiry = bodies_[place];
    expiry.kind = PendingKind::timer;
    expiry.to = node;
    expiry.timer = timer;
    expiry.number = timers_.generation(slot_of(node, timer));
    if (!wait_for_turn(place)) {
        free_slot(place);
        handle_timer(node, timer);
    }
}

// Something is due: a message arrives, a node starts, or goes on with what waits there.
template <class P>
void Simulation<P>::handle(std::uint32_t slot) {
    const Pending& what = bodies_[slot];
    if (what.kind != PendingKind::message) {
        return handle_unusual(slot);
    }
    const NodeId node = what.to;
    const Slot& receiver = slots_[node - 1];
    if (what.doomed || network_.is_cut(what.from, node)) {
        return drop_at_arrival(slot, DropReason::cut);
    }
    if (!receiver.up) {
        return drop_at_arrival(slot, DropReason::receiver_down);
    }
    if (tracks_overtaking_) {
        track_overtaking(what);
    }
    if ((!receiver.plain || receiver.busy_until > now_) && wait_for_turn(slot)) {
        return;
    }
    handle_message(slot);
}

template <class P>
void Simulation<P>::handle_unusual(std::uint32_t slot) {
    const NodeId node = bodies_[slot].to;
    if (bodies_[slot].kind == PendingKind::turn) {
        return take_turn(node);
    }
    if (!wait_for_turn(slot)) {
        free_slot(slot);
        handle_start(node);
    }
}

// --- what waits at a node -----------------------------------------------------------------------

// Whether what has come must wait, which is an event: a paused node holds it, a busy one takes it
// up in turn, a slow one needs time for it.
template <class P>
bool Simulation<P>::wait_for_turn(std::uint32_t slot) {
    const NodeId node = bodies_[slot].to;
    const Slot& there = slots_[node - 1];
    Line& line = lines_[node - 1];
    const bool alone = line.first == no_slot, busy = there.busy_until > now_;
    const bool takes_time = bodies_[slot].kind == PendingKind::message &&
                            !node_configs_[node - 1].processing.is_zero();
    if (!there.paused && !busy && alone && !takes_time) {
        return false;
    }
    (alone ? line.first : bodies_[line.last].next) = slot;
    line.last = slot;
    bodies_[slot].next = no_slot;
    WaitReason why = WaitReason::handled;
    if (there.paused) {
        ++counts_.held_by_pause;
        why = WaitReason::paused;
    } else {
        ++counts_.held_by_load;
        if (busy || !alone) {
            why = alone ? WaitReason::writing : WaitReason::busy;
        } else {
            take_up_first(node);
        }
        call_first(node);
    }
    refresh_plain(node);
    tell_wait(slot, why);
    return true;
}

// The node is free and goes on with the first that waits.
template <class P>
void Simulation<P>::take_turn(NodeId node) {
    Line& line = lines_[node - 1];
    free_slot(std::exchange(line.turn, no_slot));
    const std::uint32_t slot = line.first;
    const PendingKind kind = bodies_[slot].kind;
    if (kind == PendingKind::message && !line.taken_up &&
        !node_configs_[node - 1].processing.is_zero()) {
        take_up_first(node);
        call_first(node);
        return tell_wait(slot, WaitReason::handled);
    }
    line.first = bodies_[slot].next;
    line.last = line.first == no_slot ? no_slot : line.last;
    line.taken_up = false;
    refresh_plain(node);
    if (kind == PendingKind::message) {
        handle_message(slot);
    } else {
        const std::uint32_t timer = bodies_[slot].timer;
        const std::int64_t generation = bodies_[slot].number;
        free_slot(slot);
        if (kind == PendingKind::start) {
            handle_start(node);
        } else if (timers_.generation(slot_of(node, timer)) == generation) {
            handle_timer(node, timer);
        } else {
            lapse(node, timer);
        }
    }
    call_first(node);
}

// A slow node begins to handle the message that is first in its line.
template <class P>
void Simulation<P>::take_up_first(NodeId node) {
    Slot& slot = slots_[node - 1];
    const auto stream = random_stream(key_, node, Purpose::processing);
    slot.busy_until = now_ + node_configs_[node - 1].processing.draw(stream.word(slot.services++));
    lines_[node - 1].taken_up = true;
}

// Sees to it that the first in line gets its turn as soon as the node is free.
template <class P>
void Simulation<P>::call_first(NodeId node) {
    const Slot& slot = slots_[node - 1];
    if (lines_[node - 1].first == no_slot || lines_[node - 1].turn != no_slot || slot.paused) {
        return;
    }
    const std::uint32_t place = take_slot();
    bodies_[place].kind = PendingKind::turn;
    bodies_[place].to = node;
    lines_[node - 1].turn = place;
    queue_.push(QueueKey::make(std::max(now_, slot.busy_until), next_order(), place));
}

template <class P>
void Simulation<P>::forget_turn(NodeId node) {
    if (const std::uint32_t turn = std::exchange(lines_[node - 1].turn, no_slot); turn != no_slot) {
        queue_.remove(turn);
        free_slot(turn);
    }
}

template <class P>
void Simulation<P>::tell_wait(std::uint32_t slot, WaitReason why) {
    const Pending& what = bodies_[slot];
    begin_event(RowKind::wait, what.to);
    last_.detail = static_cast<std::uint8_t>(why);
    last_.view = views_[what.to - 1];
    if (what.kind == PendingKind::message) {
        last_.peer = what.from;
        last_.message = what.number;
        last_.message_kind = static_cast<std::int8_t>(Traits::kind(what.message));
    } else if (what.kind == PendingKind::timer) {
        last_.timer = static_cast<std::int8_t>(what.timer);
    }
    if (trace_) {
        TraceRow r = row_of(RowKind::wait, what.to, last_.peer);
        r.detail = last_.detail;
        r.message = last_.message;
        r.message_kind = last_.message_kind;
        r.timer = last_.timer;
        r.body = what.kind == PendingKind::message ? what.body : -1;
        r.other_ns = why == WaitReason::handled ? slots_[what.to - 1].busy_until.ns : -1;
        trace_->append(r);
    }
}

// An expiry that had to wait, and whose timer was set anew or cancelled meanwhile.
template <class P>
void Simulation<P>::lapse(NodeId node, std::uint32_t timer) {
    begin_event(RowKind::lapse, node);
    last_.timer = static_cast<std::int8_t>(timer);
    last_.view = views_[node - 1];
    if (trace_) {
        TraceRow r = row_of(RowKind::lapse, node, no_node);
        r.timer = last_.timer;
        trace_->append(r);
    }
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
void Simulation<P>::handle_timer(NodeId node, std::uint32_t timer) {
    begin_event(RowKind::timer, node);
    last_.timer = static_cast<std::int8_t>(timer);
    effects_.clear();
    const Context<Options> ctx = context(node);
    P::on_timer(slots_[node - 1].state, ctx, static_cast<typename P::Timer>(timer), effects_);
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
        if (change.set) {
            arm(node, change.timer, change.spec);
        } else {
            timers_.cancel(slot_of(node, change.timer));
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
    for (const Promise<P>& promise : promises_) {
        if (!promise.holds({slot.visible, before}, {slot.state.disk, after})) {
            monitor_.add_violation({step_, now_, promise.name, node, no_node, after.epoch});
            if (trace_) {
                TraceRow r = row_of(RowKind::violation, node, no_node);
                r.text = trace_->intern(promise.name);
                trace_->append(r);
            }
            slot.visible = slot.state.disk;  // reported once
        }
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
void Simulation<P>::arm(NodeId node, std::uint32_t timer, const TimerSpec& spec) {
    const std::size_t slot = slot_of(node, timer);
    Duration wait = spec.min;
    if (const std::uint32_t draw = ++timer_draws_[slot]; spec.policy != TimeoutPolicy::redrawn) {
        wait = draw_timeout(node, timer, spec, draw);
    } else if (spec.min != spec.max) {
        const auto stream = random_stream(key_, node, Purpose::timer, timer);
        wait = {uniform_integer(stream.word(draw), spec.min.ns, spec.max.ns)};
    }
    if (!slots_[node - 1].plain) {
        const NodeConfig& config = node_configs_[node - 1];
        if (config.clock_drift_ppb != 0) {  // the node counts on its own clock
            // At least a nanosecond: a timer that takes no time would stop the clock.
            wait = std::max(after_local(node, wait) - now_, nanoseconds(1));
            ++counts_.timers_on_odd_clocks;
        }
        if (!config.timer_lateness.is_zero()) {
            const auto stream = random_stream(key_, node, Purpose::timer_lateness, timer);
            wait += config.timer_lateness.draw(stream.word(timer_draws_[slot]));
        }
    }
    timers_.set(slot, now_ + wait, next_order());
}

// A span of the node's own clock, drawn by the less common policies.
template <class P>
Duration Simulation<P>::draw_timeout(NodeId node, std::uint32_t timer, const TimerSpec& spec,
                                     std::uint32_t draws) {
    const auto stream = random_stream(key_, node, Purpose::timer, timer);
    switch (spec.policy) {
        case TimeoutPolicy::drawn_once: {
            const auto once = random_stream(key_, node, Purpose::timer, timer + 128);
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
    if (leaves == now_ && network_.is_cut(from, to)) {  // else it is judged when it leaves
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

// A place for something to come: a message unless told otherwise.
template <class P>
std::uint32_t Simulation<P>::take_slot() {
    if (first_free_ != no_slot) {
        const std::uint32_t slot = first_free_;
        Pending& pending = bodies_[slot];
        first_free_ = pending.next;
        pending.kind = PendingKind::message;
        pending.doomed = false;
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
    bodies_[slot].next = first_free_;
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

// What is lost as part of another event.
template <class P>
void Simulation<P>::lose(std::uint32_t slot, DropReason reason) {
    const Pending& what = bodies_[slot];
    ++drops_[static_cast<std::size_t>(reason)];
    if (trace_) {
        TraceRow r = row_of(RowKind::drop, what.to, what.from);
        r.message = what.number;
        r.message_kind = static_cast<std::int8_t>(Traits::kind(what.message));
        r.detail = static_cast<std::uint8_t>(reason);
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
    slots_[node - 1].plain = c.processing.is_zero() && c.timer_lateness.is_zero() &&
                             c.clock_drift_ppb == 0 && !slots_[node - 1].paused &&
                             lines_[node - 1].first == no_slot;
}

}  // namespace electionlab

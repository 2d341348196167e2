// Simulation: the loop: what is due next, and whom it concerns.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
void Simulation<P>::reset(std::uint64_t seed, std::uint64_t trial) {
    reset_core(seed, trial, properties_.size(), actors_ * layout_.per_node());
    bodies_.clear();
    writes_.clear();
    slots_.assign(actors_, Slot{});
    for (NodeId node = 1; node <= actors_; ++node) {
        Slot& slot = slots_[node - 1];
        slot.state.disk = P::initial_disk(*options_, node);
        slot.stable = slot.visible = slot.state.disk;
        slot.network_key = random_stream(key_, node, Purpose::network).key;
        slot.clock_offset = node_config(node).clock_offset;
        refresh_plain(node);
        const Distribution& start = node_config(node).start;
        const Instant at =
            now_ + (start.is_zero() ? Duration{}
                                    : start.draw(random_stream(key_, node, Purpose::start), 0));
        const std::uint32_t place = take_slot();
        bodies_[place].kind = PendingKind::start;
        bodies_[place].to = node;
        queue_.push(QueueKey::make(at, next_order(), place));
    }
    for (const Action& action : config_->actions) {
        carry_out(action, no_node);
    }
}

// All that usually happens at an event is in this one function, whatever the condition to stop.
template <class P>
bool Simulation<P>::loop(Instant until, std::int64_t last_step, Stops stops,
                         const void* condition) {
    while (step_ < last_step && advance(until)) {
        whole_step_ = step_;
        if (stops(condition, *this)) {
            return true;
        }
    }
    return false;
}

// One event, whatever is due first; false when nothing is due up to `until`.
template <class P>
bool Simulation<P>::advance(Instant until) {
    bool is_timer = true;
    std::size_t timer = 0;
    Instant at;
    if (!queue_.empty() && timers_.none_before(queue_.top().at, queue_.top().order())) {
        at = Instant{queue_.top().at};
        is_timer = false;
    } else {
        timer = timers_.earliest();
        at = Instant{timers_.at(timer).at};
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

// A timer has run out: its handler runs, unless its node is paused or busy; then it waits its turn.
template <class P>
void Simulation<P>::expire(std::size_t timer_slot) {
    const auto [node, timer, about] = layout_.place(timer_slot);
    const Slot& slot = slots_[node - 1];
    timers_.cancel(timer_slot);
    if (slot.plain && slot.busy_until <= now_) {
        return handle_timer(node, timer, about);
    }
    expire_later(node, timer, about);
}

template <class P>
void Simulation<P>::expire_later(NodeId node, std::uint32_t timer, NodeId about) {
    const std::uint32_t place = take_slot();
    Pending& expiry = bodies_[place];
    expiry.kind = PendingKind::timer;
    expiry.from = about;
    expiry.to = node;
    expiry.timer = timer;
    expiry.number = timers_.generation(slot_of(node, timer, about));
    if (!wait_for_turn(place)) {
        free_slot(place);
        handle_timer(node, timer, about);
    }
}

// Something is due: a message arrives, a node starts, or goes on with what waits there.
template <class P>
void Simulation<P>::handle(std::uint32_t place) {
    const Pending& what = bodies_[place];
    Slot& receiver = slots_[what.to - 1];
    const bool just_arrives = what.kind == PendingKind::message && !what.doomed &&
                              network_.cuts() == 0 && !tracks_overtaking_;
    if (just_arrives && receiver.up && receiver.plain && receiver.busy_until <= now_) {
        handle_message(place, what, receiver);
    } else {
        handle_unusual(place);
    }
}

template <class P>
void Simulation<P>::handle_unusual(std::uint32_t place) {
    const Pending& what = bodies_[place];
    const NodeId node = what.to;
    Slot& receiver = slots_[node - 1];
    if (what.kind == PendingKind::turn) {
        return take_turn(node);
    }
    if (what.kind == PendingKind::start) {
        if (!receiver.paused || !wait_for_turn(place)) {
            free_slot(place);
            handle_start(node);
        }
        return;
    }
    if (what.doomed || network_.is_cut(what.from, node)) {
        return drop_at_arrival(place, DropReason::cut);
    }
    if (!receiver.up) {
        return drop_at_arrival(place, DropReason::receiver_down);
    }
    if (tracks_overtaking_) {
        track_overtaking(what);
    }
    if (!wait_for_turn(place)) {
        handle_late_message(place);
    }
}

template <class P>
void Simulation<P>::refresh_plain(NodeId node) {
    const NodeConfig& c = node_config(node);
    slots_[node - 1].plain = c.processing.is_zero() && c.timer_lateness.is_zero() &&
                             c.clock_drift_ppb == 0 && !slots_[node - 1].paused &&
                             lines_[node - 1].first == no_slot;
}

}  // namespace electionlab

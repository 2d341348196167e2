// Simulation: what waits: at a node that is paused, busy or slow, first come, first
// served; and messages that a pause keeps from leaving.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

// Whether what has come must wait, which is an event: a paused node holds it, a busy one takes it
// up in turn, a slow one needs time for it.
template <class P>
bool Simulation<P>::wait_for_turn(std::uint32_t slot) {
    const NodeId node = bodies_[slot].to;
    const Slot& there = slots_[node - 1];
    Line& line = lines_[node - 1];
    const bool alone = line.first == no_slot, busy = there.busy_until > now_;
    const bool takes_time = bodies_[slot].kind == PendingKind::message &&
                            !node_config(node).processing.is_zero();
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
        !node_config(node).processing.is_zero()) {
        take_up_first(node);
        call_first(node);
        return tell_wait(slot, WaitReason::handled);
    }
    line.first = bodies_[slot].next;
    line.last = line.first == no_slot ? no_slot : line.last;
    line.taken_up = false;
    refresh_plain(node);
    if (kind == PendingKind::message) {
        handle_late_message(slot);
    } else {
        const std::uint32_t timer = bodies_[slot].timer;
        const NodeId about = bodies_[slot].from;
        const std::int64_t generation = bodies_[slot].number;
        free_slot(slot);
        if (kind == PendingKind::start) {
            handle_start(node);
        } else if (timers_.generation(slot_of(node, timer, about)) == generation) {
            handle_timer(node, timer, about);
        } else {
            lapse(node, timer, about);
        }
    }
    call_first(node);
}

// A slow node begins to handle the message that is first in its line.
template <class P>
void Simulation<P>::take_up_first(NodeId node) {
    Slot& slot = slots_[node - 1];
    const auto stream = random_stream(key_, node, Purpose::processing);
    slot.busy_until = now_ + node_config(node).processing.draw(stream.word(slot.services++));
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
        last_.peer = what.from;
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
void Simulation<P>::lapse(NodeId node, std::uint32_t timer, NodeId about) {
    begin_event(RowKind::lapse, node);
    last_.timer = static_cast<std::int8_t>(timer);
    last_.peer = about;
    last_.view = views_[node - 1];
    if (trace_) {
        TraceRow r = row_of(RowKind::lapse, node, about);
        r.timer = last_.timer;
        trace_->append(r);
    }
}

// What waits at a node goes with it.
template <class P>
void Simulation<P>::clear_line(NodeId node) {
    forget_turn(node);
    Line& line = lines_[node - 1];
    for (std::uint32_t slot = line.first; slot != no_slot;) {
        const std::uint32_t next = bodies_[slot].next;
        if (bodies_[slot].kind == PendingKind::message) {
            lose(slot, DropReason::receiver_down);
        } else {
            free_slot(slot);
        }
        slot = next;
    }
    line = Line{};
    refresh_plain(node);
}

// Takes the messages that a node has not sent yet out of the queue, earliest first.
template <class P>
void Simulation<P>::hold_unsent(NodeId node) {
    const std::size_t known = stopped_.size();
    queue_.for_each([&](const QueueKey& key) {
        const Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && p.from == node && p.sent > now_) {
            stopped_.push_back(key);
        }
    });
    const auto added = stopped_.begin() + static_cast<std::ptrdiff_t>(known);
    std::sort(added, stopped_.end(), [](const auto& a, const auto& b) { return a.before(b); });
    for (std::size_t i = known; i < stopped_.size(); ++i) {
        queue_.remove(stopped_[i].slot());
    }
}

// They leave when their writes are done, but not before now, and take the delay that they drew.
template <class P>
void Simulation<P>::release_unsent(NodeId node) {
    if (stopped_.empty()) {
        return;
    }
    std::vector<Instant> latest(std::size_t{actors_} + 1);  // arrival by receiver
    std::erase_if(stopped_, [&](const QueueKey& key) {
        Pending& p = bodies_[key.slot()];
        if (p.from != node) {
            return false;
        }
        const Duration late = std::max(now_, p.sent) - p.sent;
        p.sent = p.sent + late;
        if (p.sent == now_ && network_.is_cut(p.from, p.to)) {
            ++counts_.cut;
            lose(key.slot(), DropReason::cut);
            return true;
        }
        Instant arrives = Instant{key.at} + late;
        if (network_.link(p.from, p.to).fifo) {
            latest[p.to] = arrives = std::max(arrives, latest[p.to]);
            last_arrival_.at(p.from, p.to) = std::max(arrives, last_arrival_.at(p.from, p.to));
        }
        const bool as_it_was = arrives == Instant{key.at};
        queue_.push(as_it_was ? key : QueueKey::make(arrives, next_order(), key.slot()));
        return true;
    });
}

}  // namespace electionlab

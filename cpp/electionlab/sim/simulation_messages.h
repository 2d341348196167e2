// Simulation: messages: on their way, lost, copied, overtaken, and chosen by hand.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
void Simulation<P>::broadcast(NodeId from, Slot& sender, const Message& message, Instant leaves) {
    const bool quiet = is_quiet();
    if (quiet) {
        count_sent(from, Traits::kind(message), from <= members_ ? members_ - 1 : members_);
    }
    for (NodeId to = 1; to <= members_; ++to) {
        if (to == from) {
            continue;
        }
        if (quiet) {
            send_quietly(from, sender, to, message, leaves);
        } else {
            send_through_faults(from, to, message, leaves);
        }
    }
}

template <class P>
void Simulation<P>::send_one(NodeId from, Slot& sender, NodeId to, const Message& message,
                             Instant leaves) {
    if (is_quiet()) {
        count_sent(from, Traits::kind(message), 1);
        send_quietly(from, sender, to, message, leaves);
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
void Simulation<P>::send_quietly(NodeId from, Slot& sender, NodeId to, const Message& message,
                                 Instant leaves) {
    const std::uint64_t draw = sender.messages++ * 8;
    const Duration delay =
        network_.everywhere().delay.draw(RandomStream{sender.network_key}, draw + 1);
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
    Instant arrives = leaves + link.delay.draw(stream, draw + 1);
    if (link.reorder > 0 && chance(stream.word(draw + 2), link.reorder)) {
        arrives = arrives + link.reorder_delay.draw(stream, draw + 3);
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
            add_drop_row(to, from, number, kind, lost, body);
        }
        return;
    }
    if (link.duplicate > 0 && chance(stream.word(draw + 4), link.duplicate)) {
        ++counts_.duplicated;
        Instant again = leaves + link.delay.draw(stream, draw + 5);
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
        add_drop_row(what.to, what.from, what.number, Traits::kind(what.message), reason,
                     what.body);
    }
    free_slot(slot);
}

// What is lost as part of another event.
template <class P>
void Simulation<P>::lose(std::uint32_t slot, DropReason reason) {
    const Pending& what = bodies_[slot];
    ++drops_[static_cast<std::size_t>(reason)];
    if (trace_) {
        add_drop_row(what.to, what.from, what.number, Traits::kind(what.message), reason,
                     what.body);
    }
    free_slot(slot);
}

// Of the copies of a message, which share its number, the one that is due first.
template <class P>
std::optional<QueueKey> Simulation<P>::find_message(std::int64_t number) const {
    std::optional<QueueKey> found;
    queue_.for_each([&](const QueueKey& key) {
        const Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && p.number == number && (!found || key.before(*found))) {
            found = key;
        }
    });
    return found;
}

template <class P>
void Simulation<P>::refuse_message(std::int64_t number) const {
    const std::string shown = std::to_string(number);
    const auto is_it = [&](std::uint32_t slot) {
        return bodies_[slot].kind == PendingKind::message && bodies_[slot].number == number;
    };
    for (const Line& line : lines_) {
        for (std::uint32_t slot = line.first; slot != no_slot; slot = bodies_[slot].next) {
            if (is_it(slot)) {
                invalid("message", shown, "has arrived at node " + std::to_string(bodies_[slot].to) +
                                              ", where it waits its turn");
            }
        }
    }
    for (const QueueKey& key : stopped_) {
        if (is_it(key.slot())) {
            invalid("message", shown, "has not left node " + std::to_string(bodies_[key.slot()].from) +
                                          ", which is paused");
        }
    }
    invalid("message", shown, "is not in flight; see pending");
}

template <class P>
bool Simulation<P>::touch_message(const Action& action) {
    const std::optional<QueueKey> key = find_message(action.message);
    if (!key || (action.kind == ActionKind::deliver && !has_left(key->slot()))) {
        return false;  // a scheduled action: the message is gone by now, or still to come
    }
    const std::uint32_t slot = key->slot();
    const Instant due{key->at};
    if (action.kind == ActionKind::duplicate) {
        ++counts_.duplicated;
        const std::uint32_t place = take_slot();
        bodies_[place] = Pending(bodies_[slot]);  // the place may have moved the bodies
        Pending& copy = bodies_[place];
        if (trace_) {
            TraceRow r = row_of(RowKind::send, copy.from, copy.to);
            r.message = copy.number;
            r.message_kind = static_cast<std::int8_t>(Traits::kind(copy.message));
            r.other_ns = due.ns;
            r.body = copy.body = trace_->add_body(copy.message);
            trace_->append(r);
        }
        queue_.push(QueueKey::make(due, next_order(), place));
        return true;
    }
    if (action.kind == ActionKind::delay) {
        queue_.remove(slot);
        queue_.push(QueueKey::make(due + action.duration, next_order(), slot));
        return action.duration.ns > 0;
    }
    // What happens to the message is this very step, not a step after the action's.
    queue_.remove(slot);
    --step_;
    if (action.kind == ActionKind::drop) {
        drop_at_arrival(slot, DropReason::by_hand);
    } else {
        handle(slot);
    }
    return true;
}

}  // namespace electionlab

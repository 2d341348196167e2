// Simulation: looking without touching: the durable state, what may happen next, the
// fingerprint.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
const typename P::Disk& Simulation<P>::durable(NodeId node) const {
    const typename P::Disk* disk = &slots_[node - 1].stable;
    for (const Write& write : writes_) {  // oldest first
        disk = write.node == node && write.persists && write.done <= now_ ? &write.disk : disk;
    }
    return *disk;
}

template <class P>
std::vector<PendingEvent> Simulation<P>::pending() const {
    std::vector<OrderedPending> all;
    const auto describe = [&](std::uint32_t slot) {
        const Pending& p = bodies_[slot];
        PendingEvent e;
        e.node = p.to;
        if (p.kind == PendingKind::message) {
            e.kind = PendingEvent::Kind::message;
            e.peer = p.from;
            e.message = p.number;
            e.message_kind = static_cast<std::int8_t>(Traits::kind(p.message));
            e.sent = p.sent;
            e.fields = Traits::to_value(p.message);
        } else {
            e.kind = p.kind == PendingKind::start ? PendingEvent::Kind::start
                                                  : PendingEvent::Kind::timer;
            e.timer = p.kind == PendingKind::timer ? static_cast<std::int8_t>(p.timer) : std::int8_t{-1};
            e.peer = p.kind == PendingKind::timer ? p.from : no_node;
        }
        return e;
    };
    const auto add_line = [&](NodeId node, Instant at, std::uint64_t order) {
        const Line& line = lines_[node - 1];
        for (std::uint32_t slot = line.first; slot != no_slot; slot = bodies_[slot].next) {
            PendingEvent e = describe(slot);
            const bool first = slot == line.first;
            const bool writes = at > now_ && !line.taken_up;
            e.kind = PendingEvent::Kind::waiting;
            e.at = at;
            e.waits = slots_[node - 1].paused   ? WaitReason::paused
                      : !first                  ? WaitReason::busy
                      : line.taken_up           ? WaitReason::handled
                      : writes                  ? WaitReason::writing
                                                : WaitReason::busy;
            all.push_back({std::move(e), first ? order : last_of_its_instant});
        }
    };
    add_scheduled(all);
    for (const QueueKey& key : queue_.keys()) {
        if (bodies_[key.slot()].kind == PendingKind::turn) {
            add_line(bodies_[key.slot()].to, Instant{key.at}, key.order());
            continue;
        }
        PendingEvent e = describe(key.slot());
        e.at = Instant{key.at};
        all.push_back({std::move(e), key.order()});
    }
    for (std::size_t slot = 0; slot < timers_.size(); ++slot) {
        if (timers_.armed(slot)) {
            PendingEvent e;
            e.kind = PendingEvent::Kind::timer;
            e.at = Instant{timers_.at(slot).at};
            const auto place = layout_.place(slot);
            e.node = place.node;
            e.peer = place.about;
            e.timer = static_cast<std::int8_t>(place.timer);
            all.push_back({std::move(e), timers_.at(slot).order});
        }
    }
    for (NodeId node = 1; node <= actors_; ++node) {
        if (slots_[node - 1].paused) {
            add_line(node, Instant::never(), last_of_its_instant);
        }
    }
    for (const QueueKey& key : stopped_) {
        PendingEvent e = describe(key.slot());
        e.kind = PendingEvent::Kind::waiting;
        e.at = Instant::never();
        e.waits = WaitReason::sender_paused;
        all.push_back({std::move(e), last_of_its_instant});
    }
    return in_order(std::move(all));
}

// Order numbers count as the order that they give, not as numbers: only that decides anything.
template <class P>
std::uint64_t Simulation<P>::fingerprint() const {
    std::uint64_t hash = golden_gamma;
    const auto word = [&](auto value) { hash_word(hash, static_cast<std::uint64_t>(value)); };
    const auto hash_pending = [&](const Pending& p) {
        word(p.kind);
        word(p.to);
        if (p.kind == PendingKind::message) {
            word(p.from);
            word(p.number);
            word(Traits::hash(p.message));
            word(p.sent.ns);
            word(p.doomed);
        } else if (p.kind == PendingKind::timer) {  // that waits: only whether it is stale matters
            const std::size_t timer = slot_of(p.to, p.timer, p.from);
            word(p.from);
            word(p.timer * 2 + (timers_.generation(timer) == p.number ? 1 : 0));
        }
    };
    word(key_);
    word(now_.ns);
    word(step_);
    word(next_message_);
    word(target_draws_);

    for (NodeId node = 1; node <= actors_; ++node) {
        const Slot& slot = slots_[node - 1];
        const Line& line = lines_[node - 1];
        hash_into(hash, slot.state);
        hash_into(hash, durable(node));
        const typename P::Disk* visible = &slot.visible;
        for (const Write& write : writes_) {
            visible = write.node == node && write.done <= now_ ? &write.disk : visible;
        }
        hash_into(hash, *visible);
        hash_into(hash, views_[node - 1]);
        word(slot.up << 3 | slot.paused << 2 | slot.started << 1 | line.taken_up);
        word(std::max(slot.busy_until, now_).ns);
        word(std::max(slot.disk_ready, now_).ns);
        word(slot.messages);
        word(slot.writes);
        word(slot.services);
        word(std::uint64_t{slot.incarnation} << 32 | slot.pauses);
        word(clock(node).ns);
        word(clock_since_[node - 1].ns);
        hash_config(hash, node);
        word(line.taken_up && slot.paused ? line.left.ns : 0);
        for (std::uint32_t place = line.first; place != no_slot; place = bodies_[place].next) {
            hash_pending(bodies_[place]);
        }
    }
    for (const std::uint32_t draws : timer_draws_) {
        word(draws);
    }
    for (const std::uint8_t broken : broken_) {
        word(broken);
    }

    for (const Due& due : dues()) {
        word(due.at);
        if (due.is_timer) {
            word(due.what);
        } else {
            hash_pending(bodies_[due.what]);
        }
    }
    word(stopped_.size());
    for (const QueueKey& key : stopped_) {
        word(key.at);
        hash_pending(bodies_[key.slot()]);
    }
    for (const Write& write : writes_) {
        if (write.done > now_) {
            word(std::uint64_t{write.node} << 1 | std::uint64_t{write.persists});
            word(write.done.ns);
            hash_into(hash, write.disk);
        }
    }

    hash_surroundings(hash);
    return hash;
}

}  // namespace electionlab

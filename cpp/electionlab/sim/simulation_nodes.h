// Simulation: what is done to a node: crash, restart, pause, resume, another clock.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
bool Simulation<P>::crash(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (!slot.up && slot.started) {
        return false;
    }
    ++slot.incarnation;
    slot.paused = false;
    clear_line(node);
    if (!slot.up) {  // it does not start
        slot.started = true;
        std::uint32_t start = no_slot;
        queue_.for_each([&](const QueueKey& key) {
            const Pending& p = bodies_[key.slot()];
            start = p.kind == PendingKind::start && p.to == node ? key.slot() : start;
        });
        if (start != no_slot) {
            queue_.remove(start);
            free_slot(start);
        }
        return true;
    }
    settle_writes(now_);
    counts_.writes_lost += std::erase_if(writes_, [&](const Write& w) { return w.node == node; });
    slot.state.disk = slot.stable;
    slot.state.memory = {};
    slot.up = false;
    slot.busy_until = slot.disk_ready = now_;
    for (std::size_t i = 0; i < layout_.per_node(); ++i) {
        timers_.cancel(first_slot(node) + i);
    }
    hold_unsent(node);
    std::erase_if(stopped_, [&](const QueueKey& key) {
        if (bodies_[key.slot()].from != node) {
            return false;
        }
        ++counts_.unsent;
        lose(key.slot(), DropReason::sender_crashed);
        return true;
    });
    change_view(node, current_view(node));
    if constexpr (has_properties) {
        check_properties(node);
    }
    return true;
}

template <class P>
bool Simulation<P>::restart(NodeId node, bool lose_disk) {
    Slot& slot = slots_[node - 1];
    if (slot.up || !slot.started) {
        return false;
    }
    if (lose_disk) {
        const typename P::Disk empty = empty_disk<P>(*options_, node);
        counts_.disks_lost += slot.stable == empty ? 0 : 1;
        slot.stable = slot.state.disk = empty;
    }
    slot.up = true;
    monitor_.on_fault(now_);
    effects_.clear();
    P::on_restart(slot.state, context(node, slot), effects_);
    last_.view = current_view(node);
    if (trace_) {
        add_notes(node, effects_.notes());
    }
    finish(node, slot);
    return true;
}

// As SIGSTOP: the process does nothing, so nothing leaves it; its disk ends what it has begun.
template <class P>
bool Simulation<P>::pause(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (slot.paused || (!slot.up && slot.started)) {
        return false;
    }
    slot.paused = true;
    ++slot.pauses;
    forget_turn(node);
    if (Line& line = lines_[node - 1]; line.taken_up) {
        line.left = slot.busy_until - now_;
    }
    hold_unsent(node);
    refresh_plain(node);
    if (slot.up) {
        change_view(node, current_view(node));
    }
    return true;
}

// What waits is handled from now on, in the order in which it came, and what was kept leaves.
template <class P>
bool Simulation<P>::resume(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (!slot.paused) {
        return false;
    }
    slot.paused = false;
    refresh_plain(node);
    if (slot.up) {
        monitor_.on_fault(now_);
        change_view(node, current_view(node));
    }
    if (const Line& line = lines_[node - 1]; line.taken_up) {
        slot.busy_until = now_ + line.left;
    }
    release_unsent(node);
    call_first(node);
    return true;
}

// Without a new rate a clock just jumps; with one it goes on from where it is, or is set to.
template <class P>
bool Simulation<P>::set_clock(NodeId node, const Action& action) {
    NodeConfig& config = own_config(node);
    Slot& slot = slots_[node - 1];
    const Instant local = clock(node);
    const Duration jump = action.clock_offset ? now_ + *action.clock_offset - local : Duration{};
    const std::int64_t drift = action.drift_ppb.value_or(config.clock_drift_ppb);
    const bool changes_rate = drift != config.clock_drift_ppb;
    if (jump.ns == 0 && !changes_rate) {
        return false;
    }
    slot.clock_offset += jump;
    if (!changes_rate) {
        return true;
    }
    // Timers that run keep what is left of them on the node's clock, at its new rate.
    const Instant since = std::exchange(clock_since_[node - 1], now_);
    const std::int64_t old_rate = clock_rate(node);
    config.clock_drift_ppb = drift;
    slot.clock_offset = local + jump - now_;
    for (std::size_t i = 0; i < layout_.per_node(); ++i) {
        const std::size_t place = first_slot(node) + i;
        if (timers_.armed(place)) {
            const std::int64_t left =
                scaled(timers_.at(place).at - since.ns, old_rate, billion) -
                scaled(now_.ns - since.ns, old_rate, billion);
            timers_.set(place, after_local(node, {left}), timers_.at(place).order);
        }
    }
    refresh_plain(node);
    return true;
}

}  // namespace electionlab

// Simulation: a protocol handles one input, then its effects are carried out: the disk is
// written, timers are set, messages leave.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
void Simulation<P>::handle_message(std::uint32_t place, const Pending& what, Slot& slot) {
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
    const Context<Options> ctx = context(node, slot);
    P::on_message(slot.state, ctx, what.from, what.message, effects_);
    last_.view = P::view(slot.state, ctx);
    if (trace_) {
        record_input(what.body, what.sent.ns);
    }
    free_slot(place);
    finish(node, slot);
}

template <class P>
void Simulation<P>::handle_timer(NodeId node, std::uint32_t timer, NodeId about) {
    Slot& slot = slots_[node - 1];
    begin_event(RowKind::timer, node);
    last_.timer = static_cast<std::int8_t>(timer);
    last_.peer = about;
    effects_.clear();
    const Context<Options> ctx = context(node, slot);
    electionlab::expire<P>(slot.state, ctx, static_cast<TimerOf<P>>(timer), about, effects_);
    last_.view = P::view(slot.state, ctx);
    if (trace_) {
        record_input(-1, -1);
    }
    finish(node, slot);
}

template <class P>
void Simulation<P>::handle_start(NodeId node) {
    begin_event(RowKind::start, node);
    Slot& slot = slots_[node - 1];
    slot.up = slot.started = true;
    effects_.clear();
    const Context<Options> ctx = context(node, slot);
    P::on_start(slot.state, ctx, effects_);
    last_.view = P::view(slot.state, ctx);
    if (trace_) {
        record_input(-1, -1);
    }
    finish(node, slot);
}

// After a handler: its new view, its promises, and then its effects, in the order of duties: the
// disk is written, timers are set, messages leave.
template <class P>
void Simulation<P>::finish(NodeId node, Slot& slot) {
    const bool tells = !effects_.sends().empty();
    // What was not told to anybody yet is judged when a message tells it.
    bool tells_news = false;
    if constexpr (has_promises) {
        tells_news = tells && slot.visible != slot.state.disk;
    }
    if (tells_news || last_.view != views_[node - 1]) {
        judge_change(node, slot);
    }
    if constexpr (has_properties) {
        check_properties(node);
    }
    Instant leaves = std::max(now_, slot.disk_ready);
    if (tells_news || effects_.persists()) {
        // What use_disk does with a disk that takes no time.
        if (writes_.empty() && node_config(node).write_delay.is_zero()) {
            if (effects_.persists()) {
                slot.stable = slot.state.disk;
                row(RowKind::write, node);
            }
            if (tells_news) {
                slot.visible = slot.state.disk;
            }
        } else {
            leaves = use_disk(node, slot);
        }
    } else if (!writes_.empty()) {
        leaves = use_disk(node, slot);
    }
    for (const auto& change : effects_.timers()) {
        EL_ASSERT(layout_.has(node, change.timer, change.about));
        if (change.set) {
            arm(node, slot, change.timer, change.about, change.spec);
        } else {
            timers_.cancel(slot_of(node, change.timer, change.about));
        }
    }
    for (const auto& outgoing : effects_.sends()) {
        if (outgoing.to != no_node) {
            EL_ASSERT(outgoing.to <= actors_ && outgoing.to != node);
            send_one(node, slot, outgoing.to, outgoing.message, leaves);
        } else {
            broadcast(node, slot, outgoing.message, leaves);
        }
    }
}

// Writes the disk and keeps account of what is known of it; returns when messages may leave.
template <class P>
Instant Simulation<P>::use_disk(NodeId node, Slot& slot) {
    const Instant leaves = effects_.persists() ? write(node) : std::max(now_, slot.disk_ready);
    if constexpr (has_promises) {
        if (effects_.sends().empty()) {
            return leaves;
        }
        settle_writes(now_);  // what was written before is known before this
        if (slot.visible != slot.state.disk) {
            if (leaves == now_) {
                slot.visible = slot.state.disk;
            } else if (!effects_.persists()) {
                writes_.push_back({node, leaves, slot.state.disk, false});
            }
        }
    }
    return leaves;
}

template <class P>
View Simulation<P>::current_view(NodeId node) const {
    const Slot& slot = slots_[node - 1];
    if (!slot.up) {
        return {Role::down, no_node, 0};
    }
    View view = P::view(slot.state, context(node, slot));
    if (slot.paused) {
        view.role = Role::paused;
    }
    return view;
}

// A handler changed the node's view, or messages will tell of a change to its disk.
template <class P>
void Simulation<P>::judge_change(NodeId node, Slot& slot) {
    const View before = views_[node - 1], after = last_.view;
    if (after != before) {
        change_view(node, after);
    }
    if constexpr (has_promises) {
        bool broken = false;
        const Known<P> known{slot.visible, before}, now{slot.state.disk, after};
        for (const Promise<P>& promise : promises_) {
            if (!promise.holds(known, now)) {
                report_violation(promise.name, node);
                broken = true;
            }
        }
        if (broken) {
            slot.visible = slot.state.disk;  // each is reported once
        }
    }
}

// What holds of all nodes together; a property that breaks is reported once until it holds again.
template <class P>
void Simulation<P>::check_properties(NodeId node) {
    const AllNodes<P> all(*options_, &slots_[0].state, sizeof(Slot), {views_.data(), actors_},
                          members_);
    for (std::size_t i = 0; i < properties_.size(); ++i) {
        const bool broken = !properties_[i].holds(all);
        if (broken && broken_[i] == 0) {
            report_violation(properties_[i].name, node);
        }
        broken_[i] = broken ? 1 : 0;
    }
}

// Begins a durable write; returns when it is done.
template <class P>
Instant Simulation<P>::write(NodeId node) {
    Slot& slot = slots_[node - 1];
    const Distribution& delay = node_config(node).write_delay;
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
void Simulation<P>::arm(NodeId node, const Slot& owner, std::uint32_t timer, NodeId about,
                        const TimerSpec& spec) {
    const std::size_t slot = slot_of(node, timer, about);
    Duration wait = spec.min;
    if (const std::uint32_t draw = ++timer_draws_[slot]; spec.policy != TimeoutPolicy::redrawn) {
        wait = draw_timeout(node, timer, about, spec, draw);
    } else if (spec.min != spec.max) {
        const auto stream = timer_stream(Purpose::timer, node, timer, about);
        wait = {uniform_integer(stream.word(draw), spec.min.ns, spec.max.ns)};
    }
    if (!owner.plain) {
        const NodeConfig& config = node_config(node);
        if (config.clock_drift_ppb != 0) {  // the node counts on its own clock
            // At least a nanosecond: a timer that takes no time would stop the clock.
            wait = std::max(after_local(node, wait) - now_, nanoseconds(1));
            ++counts_.timers_on_odd_clocks;
        }
        if (!config.timer_lateness.is_zero()) {
            const auto stream = timer_stream(Purpose::timer_lateness, node, timer, about);
            wait += config.timer_lateness.draw(stream.word(timer_draws_[slot]));
        }
    }
    timers_.set(slot, now_ + wait, next_order());
}

template <class P>
Duration Simulation<P>::draw_timeout(NodeId node, std::uint32_t timer, NodeId about,
                                     const TimerSpec& spec, std::uint32_t draws) const {
    return draw_by_policy(spec, timer_stream(Purpose::timer, node, timer, about),
                          timer_stream(Purpose::timer, node, timer + 128, about), draws,
                          slots_[node - 1].incarnation, node, clock(node));
}

}  // namespace electionlab

// Simulation: what is done from outside. Every fault ends up in `carry_out`, whether it came
// by hand, at a time, at a condition or at random.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
const Event& Simulation<P>::apply(const Action& action) {
    // Bad references are refused before anything changes.
    switch (action.kind) {
        case ActionKind::deliver:
        case ActionKind::drop:
        case ActionKind::duplicate:
        case ActionKind::delay:
            if (const auto key = find_message(action.message); !key) {
                refuse_message(action.message);
            } else if (action.kind == ActionKind::deliver && !has_left(key->slot())) {
                invalid("message", std::to_string(action.message),
                        "has not left its node, which writes to its disk before it sends");
            }
            break;
        case ActionKind::fire:
            if (action.target == Target::node &&
                (!layout_.has(action.node, action.timer, action.about) ||
                 !timers_.armed(slot_of(action.node, action.timer, action.about)))) {
                invalid("timer", "'" + description_->timers[action.timer] + "'",
                        (action.about == no_node ? "" : "about " + std::to_string(action.about) + " ") +
                            "is not armed at node " + std::to_string(action.node));
            }
            break;
        case ActionKind::at:
            if (action.at < now_) {
                invalid("at_ms", show(action.at.to_ms()),
                        "must not lie in the past; it is " + show(now_.to_ms()) + " ms");
            }
            break;
        default: break;
    }
    begin_event(RowKind::action, no_node);
    carry_out(action, no_node);
    whole_step_ = step_;
    return last_;
}

// `word` decides whom a random target means, in place of the run's own stream.
template <class P>
bool Simulation<P>::carry_out(const Action& action, NodeId trigger, const std::uint64_t* word) {
    const auto kind = static_cast<std::size_t>(action.kind);
    ++counts_.asked[kind];
    const NodeId node = resolve(action, trigger, word);
    if (step_ > 0) {
        last_.node = node;
        last_.detail = static_cast<std::uint8_t>(action.kind);
    }
    const bool needs_node = action.kind <= ActionKind::resume || action.kind == ActionKind::clock ||
                            action.kind == ActionKind::slow || action.kind == ActionKind::disk ||
                            action.kind == ActionKind::fire || action.kind == ActionKind::command;
    if (trace_ && step_ > 0) {
        add_action_row(action, node);
    }
    bool effective = !needs_node || node != no_node;
    if (effective) {
        switch (action.kind) {
            case ActionKind::crash: effective = crash(node); break;
            case ActionKind::restart: effective = restart(node, action.lose_disk); break;
            case ActionKind::pause: effective = pause(node); break;
            case ActionKind::resume: effective = resume(node); break;
            case ActionKind::partition: effective = partition(action); break;
            case ActionKind::cut: effective = cut_links(action, true); break;
            case ActionKind::mend:
                doom_departed();
                effective = cut_links(action, false);
                break;
            case ActionKind::heal:
                doom_departed();
                effective = network_.heal() > 0;
                cut_since_.reset(0);
                break;
            case ActionKind::link:
                effective = change_links(action);
                keep_order_of_links();
                break;
            case ActionKind::clock: effective = set_clock(node, action); break;
            case ActionKind::slow: {
                Distribution& processing = own_config(node).processing;
                effective = !(processing == action.distribution);
                processing = action.distribution;
                refresh_plain(node);
                break;
            }
            case ActionKind::disk: {
                Distribution& write_delay = own_config(node).write_delay;
                effective = !(write_delay == action.distribution);
                write_delay = action.distribution;
                break;
            }
            case ActionKind::deliver:
            case ActionKind::drop:
            case ActionKind::duplicate:
            case ActionKind::delay: effective = touch_message(action); break;
            case ActionKind::fire: effective = fire(node, action.timer, action.about); break;
            case ActionKind::command: effective = command(node, action); break;
            case ActionKind::at:
            case ActionKind::when:
            case ActionKind::plan: effective = later(action); break;
        }
    }
    counts_.effective[kind] += effective ? 1 : 0;
    // A restart and a resume explain a change of leader within them: they have said so before it.
    if (effective && action.kind < ActionKind::deliver && action.kind != ActionKind::restart &&
        action.kind != ActionKind::resume) {
        monitor_.on_fault(now_);
    }
    if (effective && action.repair_after) {
        repair(action, node, *action.repair_after);
    }
    if (last_.kind == RowKind::action && node != no_node) {
        last_.view = views_[node - 1];
    }
    return effective;
}

template <class P>
NodeId Simulation<P>::resolve(const Action& action, NodeId trigger, const std::uint64_t* word) {
    switch (action.target) {
        case Target::node: return action.node;
        case Target::leader: return leader();
        case Target::trigger: return trigger;
        case Target::follower:
            for (NodeId node = 1; node <= members_; ++node) {
                if (slots_[node - 1].up && !slots_[node - 1].paused && !views_[node - 1].leads()) {
                    return node;
                }
            }
            return no_node;
        case Target::random: {
            // A restart or a resume means one that is down or paused; all else one that is live.
            const auto fits = [&](NodeId node) {
                const Slot& slot = slots_[node - 1];
                return action.kind == ActionKind::restart  ? slot.started && !slot.up
                       : action.kind == ActionKind::resume ? slot.paused
                                                           : slot.up && !slot.paused;
            };
            std::int64_t count = 0;
            for (NodeId node = 1; node <= members_; ++node) {
                count += fits(node) ? 1 : 0;
            }
            if (count == 0) {
                return no_node;
            }
            const auto stream = random_stream(key_, no_node, Purpose::fault_target);
            const std::uint64_t drawn = word != nullptr ? *word : stream.word(target_draws_++);
            std::int64_t left = uniform_integer(drawn, 0, count - 1);
            for (NodeId node = 1; node <= members_; ++node) {
                if (fits(node) && left-- == 0) {
                    return node;
                }
            }
            return no_node;
        }
    }
    return no_node;
}

template <class P>
bool Simulation<P>::fire(NodeId node, std::uint32_t timer, NodeId about) {
    if (!layout_.has(node, timer, about) || !timers_.armed(slot_of(node, timer, about))) {
        return false;
    }
    --step_;
    expire(slot_of(node, timer, about));
    return true;
}

// A node that is down or paused does not hear who asks; one that is busy does when it is free.
template <class P>
bool Simulation<P>::command(NodeId node, const Action& action) {
    if constexpr (HasCommands<P>) {
        Slot& slot = slots_[node - 1];
        if (!slot.up || slot.paused) {
            return false;
        }
        if (slot.busy_until > now_) {
            Action when_free = action;
            when_free.target = Target::node;
            when_free.node = node;
            schedule(slot.busy_until, std::make_shared<const Action>(std::move(when_free)));
            --counts_.asked[static_cast<std::size_t>(ActionKind::command)];  // counted when it is taken up
            return false;
        }
        const auto asked = CommandTraits<typename P::Command>::make(action.command, action.fields);
        effects_.clear();
        P::on_command(slot.state, context(node, slot), asked, effects_);
        last_.view = current_view(node);
        if (trace_) {
            add_notes(node, effects_.notes());
        }
        finish(node, slot);
        return true;
    } else {
        return false;
    }
}

}  // namespace electionlab

// Simulation: what is done later: at a time, at a condition, at random, and its repair.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
bool Simulation<P>::later(const Action& action) {
    if (action.kind == ActionKind::at) {
        schedule(std::max(action.at, now_), action.inner);
    } else if (action.kind == ActionKind::when) {
        Trigger trigger;
        trigger.when = std::make_shared<const Action>(action);
        trigger.left = action.condition.occurrence;
        for (std::size_t kind = 0; kind < description_->messages.size(); ++kind) {
            if (description_->messages[kind].name == action.condition.message) {
                trigger.message_kind = static_cast<int>(kind);
                message_triggers_ = true;
            }
        }
        triggers_.push_back(std::move(trigger));
    } else {
        plans_.push_back({action.plan, 0});
        const auto number = static_cast<int>(plans_.size()) - 1;
        Plan& plan = plans_.back();
        const auto stream = random_stream(key_ ^ mix64(plan.plan.seed), no_node, Purpose::fault_plan,
                                          static_cast<std::uint32_t>(number));
        const Instant first =
            std::max(now_, plan.plan.from) + plan.plan.interval.draw(stream.word(plan.draws++));
        if (first < plan.plan.until) {
            schedule(first, plan.plan.action, no_node, number);
        }
    }
    return true;
}

template <class P>
void Simulation<P>::schedule(Instant at, std::shared_ptr<const Action> action, NodeId trigger,
                             int plan, std::uint32_t episode) {
    Scheduled entry{at, next_order(), std::move(action), trigger, plan, episode};
    const auto place = std::upper_bound(
        scheduled_.begin(), scheduled_.end(), entry, [](const Scheduled& a, const Scheduled& b) {
            return a.at != b.at ? a.at > b.at : a.order > b.order;  // latest first
        });
    scheduled_.insert(place, std::move(entry));
}

template <class P>
void Simulation<P>::repair_later(const Action& action, NodeId node, Duration after) {
    Action repair;
    repair.node = node;
    switch (action.kind) {
        case ActionKind::crash:
            repair.kind = ActionKind::restart;
            repair.lose_disk = action.lose_disk;
            break;
        case ActionKind::pause: repair.kind = ActionKind::resume; break;
        case ActionKind::partition:
        case ActionKind::cut:
            repair.kind = ActionKind::mend;
            repair.groups = action.groups;
            repair.both_ways = action.both_ways || action.kind == ActionKind::partition;
            break;
        case ActionKind::clock:
            repair.kind = ActionKind::clock;
            if (action.drift_ppb) {
                repair.drift_ppb = configured_drift(node);
            }
            if (action.clock_offset) {  // to what it would show if nobody had touched it
                const std::int64_t then = (now_ + after).ns;
                repair.clock_offset =
                    config_->node(node).clock_offset +
                    Duration{scaled(then, billion + configured_drift(node), billion) - then};
            }
            break;
        case ActionKind::slow:
        case ActionKind::disk:
            repair.kind = action.kind;
            repair.distribution = action.kind == ActionKind::slow ? config_->node(node).processing
                                                                  : config_->node(node).write_delay;
            break;
        case ActionKind::link:
            repair.kind = ActionKind::link;
            repair.groups = action.groups;
            repair.both_ways = action.both_ways;
            repair.link = config_->network.everywhere().to_value();
            break;
        default: return;
    }
    if (action.kind == ActionKind::partition) {
        for (std::size_t i = 0; i + 1 < action.groups.size(); ++i) {
            for (std::size_t j = i + 1; j < action.groups.size(); ++j) {
                repair.groups = {action.groups[i], action.groups[j]};
                schedule(now_ + after, std::make_shared<const Action>(repair));
            }
        }
        return;
    }
    const bool of_episode =
        action.kind == ActionKind::crash || action.kind == ActionKind::pause;
    schedule(now_ + after, std::make_shared<const Action>(repair), no_node, -1,
             of_episode ? episode_of(repair) : 0);
    if (action.kind != ActionKind::link) {
        return;
    }
    // Links that were made unlike the others get back what is their own.
    const auto between = [&](NodeId from, NodeId to) {
        const auto in = [](const std::vector<NodeId>& group, NodeId id) {
            return std::find(group.begin(), group.end(), id) != group.end();
        };
        return action.groups.size() != 2 || (in(action.groups[0], from) && in(action.groups[1], to)) ||
               (action.both_ways && in(action.groups[0], to) && in(action.groups[1], from));
    };
    for (const LinkOverride& own : config_->network.exceptions()) {
        if (between(own.from, own.to)) {
            repair.groups = {{own.from}, {own.to}};
            repair.both_ways = false;
            repair.link = own.link.to_value();
            schedule(now_ + after, std::make_shared<const Action>(repair));
        }
    }
}

// An event that asks for an action and does nothing; every event has a row.
template <class P>
void Simulation<P>::pass_over(ActionKind kind, NodeId node, std::string_view why) {
    ++counts_.asked[static_cast<std::size_t>(kind)];
    last_.node = node;
    last_.detail = static_cast<std::uint8_t>(kind);
    last_.view = node != no_node ? views_[node - 1] : View{};
    if (trace_) {
        TraceRow r = row_of(RowKind::action, node, no_node);
        r.detail = last_.detail;
        r.text = trace_->intern(why);
        trace_->append(r);
    }
}

template <class P>
void Simulation<P>::run_plan(int number) {
    Plan& plan = plans_[static_cast<std::size_t>(number)];
    const Action action = draw_plan_action(plan, number);
    const auto stream = random_stream(key_ ^ mix64(plan.plan.seed), no_node, Purpose::fault_plan,
                                      static_cast<std::uint32_t>(number));
    const std::uint64_t target = action.target == Target::random ? stream.word(plan.draws++) : 0;
    const Duration repair_after = plan.plan.repair_after.draw(stream.word(plan.draws++));
    const Instant next = now_ + plan.plan.interval.draw(stream.word(plan.draws++));
    const bool takes_down = action.kind == ActionKind::crash || action.kind == ActionKind::pause;
    const bool repair = plan.plan.repair;
    if (next < plan.plan.until) {
        schedule(next, plan.plan.action, no_node, number);
    }
    begin_event(RowKind::action, no_node);
    if (takes_down && monitor_.live_members() <= plan.plan.keep_up) {
        return pass_over(action.kind, no_node, "of nobody: too few members are up");
    }
    if (carry_out(action, no_node, &target) && repair && !action.repair_after) {
        repair_later(action, last_.node, repair_after);
    }
}

// The plan's action with what is left open drawn from the seed: the sides of a partition (each
// node tosses a coin; the first two nodes of a shuffled order are kept apart) or the ends of a cut.
template <class P>
Action Simulation<P>::draw_plan_action(Plan& plan, int number) {
    Action action = *plan.plan.action;
    const auto stream = random_stream(key_ ^ mix64(plan.plan.seed), no_node, Purpose::fault_plan,
                                      static_cast<std::uint32_t>(number));
    const bool open = action.groups.empty() &&
                      (action.kind == ActionKind::partition || action.kind == ActionKind::cut);
    if (!open || members_ < 2) {
        return action;
    }
    const auto one = static_cast<NodeId>(uniform_integer(stream.word(plan.draws++), 1, members_));
    auto other = static_cast<NodeId>(uniform_integer(stream.word(plan.draws++), 1, members_ - 1));
    other += other >= one ? 1 : 0;
    action.groups = {{one}, {other}};
    if (action.kind == ActionKind::partition) {
        for (NodeId node = 1; node <= members_; ++node) {
            if (node != one && node != other) {
                action.groups[stream.word(plan.draws++) >> 63].push_back(node);
            }
        }
    }
    return action;
}

template <class P>
void Simulation<P>::match_triggers(NodeId node, const View& before, const View& after) {
    for (Trigger& trigger : triggers_) {
        const Condition& c = trigger.when->condition;
        const bool entered = (c.role && before.role != *c.role && after.role == *c.role) ||
                             (!c.role && before.epoch < c.epoch && after.epoch >= c.epoch) ||
                             (c.role && c.epoch > 0 && after.role == *c.role && before.epoch < c.epoch);
        const bool fits = entered && trigger.message_kind < 0 && trigger.left > 0 &&
                          (c.node == no_node || c.node == node) && after.epoch >= c.epoch;
        if (fits && --trigger.left == 0) {
            schedule(now_, trigger.when->inner, node);
        }
    }
}

template <class P>
void Simulation<P>::match_message_triggers(NodeId node, std::size_t kind) {
    for (Trigger& trigger : triggers_) {
        const Condition& c = trigger.when->condition;
        if (trigger.message_kind == static_cast<int>(kind) && trigger.left > 0 &&
            (c.node == no_node || c.node == node) && --trigger.left == 0) {
            schedule(now_, trigger.when->inner, node);
        }
    }
}

}  // namespace electionlab

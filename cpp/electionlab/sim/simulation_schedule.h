// Simulation: faults at random, and their repair.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
void Simulation<P>::run_plan(int number) {
    Plan& plan = plans_[static_cast<std::size_t>(number)];
    const Action action = draw_plan_action(plan, number);
    const auto stream = plan_stream(number);
    const std::uint64_t target = action.target == Target::random ? stream.word(plan.draws++) : 0;
    const Duration repair_after = plan.plan.repair_after.draw(stream.word(plan.draws++));
    const Instant next = now_ + plan.plan.interval.draw(stream.word(plan.draws++));
    const bool takes_down = action.kind == ActionKind::crash || action.kind == ActionKind::pause;
    const bool repairs = plan.plan.repair;
    if (next < plan.plan.until) {
        schedule(next, plan.plan.action, no_node, number);
    }
    begin_event(RowKind::action, no_node);
    if (takes_down && monitor_.live_members() <= plan.plan.keep_up) {
        return pass_over(action.kind, no_node, "of nobody: too few members are up");
    }
    if (carry_out(action, no_node, &target) && repairs && !action.repair_after) {
        repair(action, last_.node, repair_after);
    }
}

template <class P>
void Simulation<P>::repair(const Action& action, NodeId node, Duration after) {
    const std::uint32_t episode = action.kind == ActionKind::crash   ? slots_[node - 1].incarnation
                                  : action.kind == ActionKind::pause ? slots_[node - 1].pauses
                                                                     : 0;
    repair_later(action, node, after, episode);
}

}  // namespace electionlab

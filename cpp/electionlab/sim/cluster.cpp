#include "electionlab/sim/cluster.h"

namespace electionlab {
namespace {

Value time_or_null(Instant t) { return t == Instant::never() ? Value() : Value(t.to_ms()); }

Value since(Instant start, Instant t) {
    return t == Instant::never() ? Value() : Value((t - start).to_ms());
}

}  // namespace

Value measures_to_value(const Monitor& monitor, Instant now) {
    const Measures& m = monitor.measures();
    return Value::Dict{{"elapsed_ms", now.to_ms()},
                       {"first_leader_ms", time_or_null(m.first_leader)},
                       {"first_agreement_ms", time_or_null(m.first_agreement)},
                       {"recovery_ms", monitor.recovery() ? Value(monitor.recovery()->to_ms()) : Value()},
                       {"no_leader_ms", m.no_leader.to_ms()},
                       {"no_majority_leader_ms", m.no_majority_leader.to_ms()},
                       {"no_agreed_leader_ms", m.no_agreed_leader.to_ms()},
                       {"split_brain_ms", m.split_brain.to_ms()},
                       {"leaderships", m.leaderships},
                       {"leader_changes", m.leader_changes},
                       {"unexplained_changes", m.unexplained_changes},
                       {"failures_survived", m.failures_survived},
                       {"candidacies", m.candidacies},
                       {"epochs_stood", m.epochs_stood},
                       {"epochs_won", m.epochs_won},
                       {"split_votes", m.split_votes}};
}

Value failovers_to_value(std::span<const Failover> failovers) {
    Value::List list;
    for (const Failover& f : failovers) {
        list.push_back(Value::Dict{{"lost_ms", f.lost.to_ms()},
                                   {"leader", f.leader},
                                   {"by_fault", f.by_fault},
                                   {"successor", f.successor},
                                   {"detection_ms", since(f.lost, f.detected)},
                                   {"election_ms", f.detected == Instant::never()
                                                       ? Value()
                                                       : since(f.detected, f.elected)},
                                   {"until_elected_ms", since(f.lost, f.elected)},
                                   {"until_followed_ms", since(f.lost, f.followed)},
                                   {"until_agreed_ms", since(f.lost, f.agreed)}});
    }
    return list;
}

Value violations_to_value(std::span<const Violation> violations) {
    Value::List list;
    for (const Violation& v : violations) {
        list.push_back(Value::Dict{{"step", v.step},
                                   {"at_ms", v.at.to_ms()},
                                   {"invariant", v.invariant},
                                   {"node", v.node},
                                   {"other", v.other},
                                   {"epoch", v.epoch}});
    }
    return list;
}

Value faults_to_value(const FaultCounts& counts) {
    Value::Dict actions;
    for (std::size_t kind = 0; kind < action_kinds; ++kind) {
        if (counts.asked[kind] > 0) {
            actions.emplace_back(std::string(enum_name(static_cast<ActionKind>(kind))),
                                 Value::Dict{{"asked", counts.asked[kind]},
                                             {"effective", counts.effective[kind]}});
        }
    }
    return Value::Dict{{"actions", std::move(actions)},
                       {"messages_lost", counts.lost},
                       {"messages_duplicated", counts.duplicated},
                       {"messages_held_up", counts.held_up},
                       {"messages_overtaken", counts.overtaken},
                       {"messages_cut", counts.cut},
                       {"messages_to_down_nodes", counts.receiver_down},
                       {"messages_unsent", counts.unsent},
                       {"writes_lost", counts.writes_lost},
                       {"disks_lost", counts.disks_lost},
                       {"events_held_by_pause", counts.held_by_pause},
                       {"events_held_by_load", counts.held_by_load},
                       {"timers_on_odd_clocks", counts.timers_on_odd_clocks}};
}

}  // namespace electionlab

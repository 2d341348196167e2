#include "electionlab/protocols/bully.h"

#include <algorithm>
#include <string>

namespace electionlab {

void BullyOptions::validate(NodeId nodes) const {
    const auto positive = [](const char* name, Duration value) {
        if (value.ns <= 0) {
            invalid(name, show(value.to_ms()), "must be above 0");
        }
    };
    positive("answer_timeout_ms", answer_timeout);
    positive("coordinator_timeout_ms", coordinator_timeout);
    positive("heartbeat_interval_ms", heartbeat_interval);
    positive("leader_timeout_ms", leader_timeout);
    if (minimum_nodes < 1 || minimum_nodes > nodes) {
        invalid("minimum_nodes", std::to_string(minimum_nodes),
                "must be between 1 and " + std::to_string(nodes));
    }
}

About Bully::about() {
    return {.name = "bully",
            .title = "Bully election",
            .source = "Garcia-Molina, IEEE Transactions on Computers C-31(1), 1982; textbook form",
            .assumptions = "bounded delay, crash faults only, no pauses, no partitions",
            .cost = "m(m+1)/2 ELECTION + m(m-1)/2 OK + n-2 COORDINATOR, m = nodes above the detector",
            .weaknesses = "two leaders in a partition; no epoch, so nothing to fence with"};
}

View Bully::view(const State& s, const Context& ctx) {
    const Role role = s.memory.phase != Phase::idle    ? Role::candidate
                      : s.memory.leader == ctx.self ? Role::leader
                                                    : Role::follower;
    return {role, s.memory.leader, 0};
}

void Bully::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader == no_node) {
        effects.note("does not know who leads: holds an election");
        hold_election(s, ctx, no_node, effects);
    } else if (ctx.initial_leader == ctx.self) {
        s.memory.leader = ctx.self;
        for (NodeId lower = 1; lower < ctx.options.minimum_nodes; ++lower) {
            s.memory.followers.push_back(lower < ctx.self ? lower : lower + 1);
        }
        effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
    } else {
        follow(s, ctx, ctx.initial_leader, effects);
    }
}

// A node that recovers does not know who leads: it holds an election, and bullies its way to the
// top if it is the highest.
void Bully::on_restart(State& s, const Context& ctx, Effects& effects) {
    effects.note("is back and holds an election");
    hold_election(s, ctx, no_node, effects);
}

void Bully::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::leader:
            effects.note("has not heard leader {} for the leader timeout: holds an election",
                         s.memory.leader);
            return hold_election(s, ctx, s.memory.leader, effects);
        case Timer::answer:
            if (s.memory.phase == Phase::awaits_followers) {
                effects.note("is followed by too few: holds another election");
                return hold_election(s, ctx, no_node, effects);
            }
            effects.note(ctx.options.minimum_nodes > 1
                             ? "hears no answer from a higher node: announces itself"
                             : "hears no answer from a higher node: it leads");
            return announce(s, ctx, effects);
        case Timer::coordinator:
            effects.note("was answered by a higher node, but none announced itself: starts again");
            return hold_election(s, ctx, s.memory.missed, effects);
        case Timer::heartbeat:
            if (!has_enough(s, ctx)) {
                effects.note("is followed by too few: steps down, and holds an election");
                return hold_election(s, ctx, no_node, effects);
            }
            s.memory.followers.clear();
            effects.broadcast(Heartbeat{});
            effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
            return;
    }
}

void Bully::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                       Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

void Bully::on(State& s, const Context& ctx, NodeId from, const Election& m, Effects& effects) {
    effects.send(from, Ok{});
    if (ctx.options.mutations.has(BullyMutation::no_dedupe)) {
        effects.note("answers node {}, and starts an election", from);
        hold_election(s, ctx, m.missed, effects);
    } else if (s.memory.phase != Phase::idle) {
        effects.note("answers node {}, and holds an election already", from);
    } else if (s.memory.leader == ctx.self) {
        effects.note("answers node {}, and tells it who leads", from);
        effects.send(from, Coordinator{});
    } else if (m.missed == s.memory.leader && s.memory.missed != s.memory.leader) {
        effects.note("answers node {}, and follows the same lost leader: holds its own election",
                     from);
        hold_election(s, ctx, m.missed, effects);
    } else {
        effects.note("answers node {}, and sees no reason to leave its leader {}", from,
                     s.memory.leader);
    }
}

void Bully::on(State& s, const Context& ctx, NodeId from, const Ok&, Effects& effects) {
    if (s.memory.phase != Phase::awaits_answer) {
        return;
    }
    effects.cancel_timer(Timer::answer);
    if (ctx.options.mutations.has(BullyMutation::asks_lower_nodes)) {
        effects.note("is answered by node {}, which is lower: it leads", from);
        return announce(s, ctx, effects);
    }
    effects.note("hears that node {} is higher and alive: it will not lead", from);
    s.memory.phase = Phase::awaits_coordinator;
    if (!ctx.options.mutations.has(BullyMutation::no_second_timeout)) {
        effects.set_timer(Timer::coordinator, TimerSpec::fixed(ctx.options.coordinator_timeout));
    }
}

void Bully::on(State& s, const Context& ctx, NodeId from, const Coordinator&, Effects& effects) {
    if (from < ctx.self) {
        effects.note("is higher than node {}: does not follow it", from);
        return;
    }
    if (stays(s, ctx, from)) {
        effects.note("still hears its leader {}: does not follow node {}", s.memory.leader, from);
        return;
    }
    effects.note("accepts node {} as its leader", from);
    follow(s, ctx, from, effects);
    if (ctx.options.minimum_nodes > 1) {
        effects.send(from, Join{});
    }
}

void Bully::on(State& s, const Context& ctx, NodeId from, const Heartbeat&, Effects& effects) {
    if (from < ctx.self) {
        if (view(s, ctx).leads()) {
            effects.note("is higher than node {}, which believes that it leads: corrects it", from);
            effects.send(from, Coordinator{});
        }
        return;  // a node that does not lead has its own time-outs for a leader that is silent
    }
    if (stays(s, ctx, from)) {
        return;
    }
    if (s.memory.phase == Phase::idle) {
        s.memory.missed = no_node;
    }
    if (s.memory.phase != Phase::idle || from >= s.memory.leader) {
        follow(s, ctx, from, effects);
        if (ctx.options.minimum_nodes > 1) {
            effects.send(from, Join{});
        }
    }
}

// A leader asks with each heartbeat whether enough still follow it.
void Bully::on(State& s, const Context& ctx, NodeId from, const Join&, Effects& effects) {
    std::vector<NodeId>& followers = s.memory.followers;
    const auto place = std::ranges::lower_bound(followers, from);
    const bool known = place != followers.end() && *place == from;
    if (known || (s.memory.phase != Phase::awaits_followers && s.memory.leader != ctx.self)) {
        return;
    }
    followers.insert(place, from);
    if (s.memory.phase == Phase::awaits_followers && has_enough(s, ctx)) {
        effects.note("is followed by enough: it leads");
        effects.cancel_timer(Timer::answer);
        become_leader(s, ctx, effects);
    }
}

// Whoever could follow two at a time would make two quorums of one node.
bool Bully::stays(const State& s, const Context& ctx, NodeId from) {
    const NodeId leader = s.memory.leader;
    return ctx.options.minimum_nodes > 1 && s.memory.phase == Phase::idle && leader != no_node &&
           leader != ctx.self && leader != from;
}

bool Bully::has_enough(const State& s, const Context& ctx) {
    return s.memory.followers.size() + 1 >= ctx.options.minimum_nodes;
}

bool Bully::asks(const Context& ctx, NodeId other) {
    return ctx.options.mutations.has(BullyMutation::asks_lower_nodes) ? other < ctx.self
                                                                      : other > ctx.self;
}

void Bully::hold_election(State& s, const Context& ctx, NodeId missed, Effects& effects) {
    effects.cancel_timer(Timer::leader);
    effects.cancel_timer(Timer::heartbeat);
    effects.cancel_timer(Timer::coordinator);
    s.memory.followers.clear();
    s.memory.leader = no_node;
    s.memory.missed = missed;
    if (ctx.self == ctx.members) {
        effects.note(ctx.options.minimum_nodes > 1 ? "has no higher node to ask: announces itself"
                                                   : "has no higher node to ask: it leads");
        return announce(s, ctx, effects);
    }
    s.memory.phase = Phase::awaits_answer;
    for (NodeId other = 1; other <= ctx.members; ++other) {
        if (asks(ctx, other)) {
            effects.send(other, Election{missed});
        }
    }
    effects.set_timer(Timer::answer, TimerSpec::fixed(ctx.options.answer_timeout));
}

void Bully::announce(State& s, const Context& ctx, Effects& effects) {
    for (NodeId lower = 1; lower < ctx.self; ++lower) {
        effects.send(lower, Coordinator{});
    }
    if (has_enough(s, ctx)) {
        return become_leader(s, ctx, effects);
    }
    s.memory.phase = Phase::awaits_followers;
    effects.set_timer(Timer::answer, TimerSpec::fixed(ctx.options.answer_timeout));
}

void Bully::become_leader(State& s, const Context& ctx, Effects& effects) {
    s.memory.phase = Phase::idle;
    s.memory.leader = ctx.self;
    s.memory.missed = no_node;
    effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
}

void Bully::follow(State& s, const Context& ctx, NodeId leader, Effects& effects) {
    if (s.memory.phase != Phase::idle || s.memory.leader == ctx.self) {
        effects.cancel_timer(Timer::answer);
        effects.cancel_timer(Timer::coordinator);
        effects.cancel_timer(Timer::heartbeat);
    }
    s.memory.phase = Phase::idle;
    s.memory.leader = leader;
    s.memory.followers.clear();
    if (s.memory.missed != leader) {
        s.memory.missed = no_node;
    }
    effects.set_timer(Timer::leader, TimerSpec::fixed(ctx.options.leader_timeout));
}

}  // namespace electionlab

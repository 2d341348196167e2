#include "electionlab/protocols/ring.h"

#include <algorithm>
#include <string>

namespace electionlab {
namespace {

constexpr NodeId successor(NodeId node, NodeId members) { return node == members ? 1 : node + 1; }

}  // namespace

void RingOptions::validate(NodeId) const {
    const auto positive = [](const char* name, Duration value) {
        if (value.ns <= 0) {
            invalid(name, show(value.to_ms()), "must be above 0");
        }
    };
    positive("ack_timeout_ms", ack_timeout);
    positive("round_timeout_ms", round_timeout);
    positive("heartbeat_interval_ms", heartbeat_interval);
    positive("leader_timeout_ms", leader_timeout);
}

About Ring::about() {
    return {.name = "ring",
            .title = "Ring election with a collected list",
            .source = "Tanenbaum and van Steen, Distributed Systems; Chang and Roberts, CACM 1979",
            .assumptions = "bounded delay, crash faults only, no partitions, a known ring",
            .cost = "2 x live messages per initiator (Theta(n^2) ids), as many acknowledgements",
            .weaknesses = "two leaders in a partition; no epoch, so nothing to fence with"};
}

Value Ring::Unacknowledged::to_value() const {
    return Value::Dict{{"message", leader == no_node ? "Election" : "Coordinator"},
                       {"leader", leader},
                       {"ids", electionlab::to_value(ids)},
                       {"number", number}};
}

View Ring::view(const State& s, const Context& ctx) {
    const Role role = s.memory.electing               ? Role::candidate
                      : s.memory.leader == ctx.self ? Role::leader
                                                    : Role::follower;
    return {role, s.memory.leader, 0};
}

void Ring::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader == no_node) {
        effects.note("does not know who leads: starts an election");
        start_election(s, ctx, effects);
    } else if (ctx.initial_leader == ctx.self) {
        s.memory.leader = ctx.self;
        effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
    } else {
        follow(s, ctx, ctx.initial_leader, effects);
    }
}

void Ring::on_restart(State& s, const Context& ctx, Effects& effects) {
    effects.note("is back and starts an election");
    start_election(s, ctx, effects);
}

void Ring::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::leader:
            effects.note("has not heard leader {} for the leader timeout: starts an election",
                         s.memory.leader);
            return start_election(s, ctx, effects);
        case Timer::ack:
            effects.note("has no acknowledgement from node {}: skips it", s.memory.target);
            return skip_successor(s, ctx, effects);
        case Timer::round:
            effects.note("sees no end of the election: starts another");
            return start_election(s, ctx, effects);
        case Timer::heartbeat:
            effects.broadcast(Heartbeat{});
            effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
            return;
    }
}

void Ring::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                      Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

void Ring::on(State& s, const Context& ctx, NodeId from, const Election& m, Effects& effects) {
    effects.send(from, Ack{m.number});
    if (!m.visited.contains(ctx.self)) {
        effects.note("adds itself to the list of node {} and passes it on", m.visited.front());
        take_part(s, ctx, effects);
        return pass_on(s, ctx, no_node, m.visited.with(ctx.self), effects);
    }
    if (m.visited.front() != ctx.self && ctx.options.mutations.has(RingMutation::orphans_pass)) {
        effects.note("has seen this list before, and passes it on");
        return pass_on(s, ctx, no_node, m.visited, effects);
    }
    if (m.visited.front() == ctx.self) {
        effects.note("has its list back, with {} live nodes on it",
                     static_cast<std::int64_t>(m.visited.size()));
    } else {
        effects.note("has seen this list before: its initiator, node {}, is gone",
                     m.visited.front());
    }
    announce(s, ctx, m.visited, effects);
}

void Ring::on(State& s, const Context& ctx, NodeId from, const Coordinator& m, Effects& effects) {
    effects.send(from, Ack{m.number});
    if (m.told.contains(ctx.self)) {
        effects.note("has passed this announcement on before: it ends here");
        return;
    }
    effects.note("accepts node {} as its leader and passes the word on", m.leader);
    follow(s, ctx, m.leader, effects);
    pass_on(s, ctx, m.leader, m.told.with(ctx.self), effects);
}

void Ring::on(State& s, const Context& ctx, NodeId, const Ack& m, Effects& effects) {
    std::erase_if(s.memory.outbox, [&](const auto& message) { return message.number == m.number; });
    if (s.memory.outbox.empty()) {
        s.memory.target = no_node;  // the next message tries the immediate successor again
        effects.cancel_timer(Timer::ack);
    } else {
        effects.set_timer(Timer::ack, TimerSpec::fixed(ctx.options.ack_timeout));
    }
}

void Ring::on(State& s, const Context& ctx, NodeId from, const Heartbeat&, Effects& effects) {
    if (!s.memory.electing && from >= s.memory.leader) {
        follow(s, ctx, from, effects);
    }
}

void Ring::start_election(State& s, const Context& ctx, Effects& effects) {
    take_part(s, ctx, effects);
    pass_on(s, ctx, no_node, IdList{ctx.self}, effects);
}

void Ring::take_part(State& s, const Context& ctx, Effects& effects) {
    s.memory.electing = true;
    s.memory.leader = no_node;
    effects.cancel_timer(Timer::leader);
    effects.cancel_timer(Timer::heartbeat);
    effects.set_timer(Timer::round, TimerSpec::fixed(ctx.options.round_wait(ctx.members)));
}

// The list has been all round. Its highest node leads; the initiator, if it died, is not counted.
void Ring::announce(State& s, const Context& ctx, const IdList& visited, Effects& effects) {
    NodeId leader = ctx.self;
    for (const NodeId node : visited) {
        const bool initiator_died = node == visited.front() && node != ctx.self;
        if (!initiator_died) {
            leader = std::max(leader, node);
        }
    }
    if (ctx.options.mutations.has(RingMutation::first_on_list_leads)) {
        leader = visited.front();
        effects.note("finds node {} to be the first on the list: it leads", leader);
    } else {
        effects.note("finds node {} to be the highest on the list: it leads", leader);
    }
    follow(s, ctx, leader, effects);
    if (!ctx.options.mutations.has(RingMutation::no_coordinator_round)) {
        pass_on(s, ctx, leader, IdList{ctx.self}, effects);
    }
}

void Ring::follow(State& s, const Context& ctx, NodeId leader, Effects& effects) {
    const bool led_before = !s.memory.electing && s.memory.leader == ctx.self;
    s.memory.electing = false;
    s.memory.leader = leader;
    effects.cancel_timer(Timer::round);
    if (leader != ctx.self) {
        effects.cancel_timer(Timer::heartbeat);
        effects.set_timer(Timer::leader, TimerSpec::fixed(ctx.options.leader_timeout));
    } else if (!led_before) {
        effects.cancel_timer(Timer::leader);
        effects.broadcast(Heartbeat{});
        effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
    }
}

// To the successor, with a copy kept until it is acknowledged.
void Ring::pass_on(State& s, const Context& ctx, NodeId leader, IdList ids, Effects& effects) {
    if (ctx.members == 1) {  // a ring of one: what it sends comes straight back
        if (leader == no_node) {
            announce(s, ctx, ids, effects);
        }
        return;
    }
    if (ctx.options.mutations.has(RingMutation::dead_not_skipped)) {
        s.memory.target = successor(ctx.self, ctx.members);
        return send_to_target(s, {leader, std::move(ids), 0}, effects);
    }
    if (s.memory.outbox.empty()) {
        s.memory.target = successor(ctx.self, ctx.members);
        effects.set_timer(Timer::ack, TimerSpec::fixed(ctx.options.ack_timeout));
    }
    s.memory.outbox.push_back({leader, std::move(ids), s.memory.next_number++});
    send_to_target(s, s.memory.outbox.back(), effects);
}

void Ring::skip_successor(State& s, const Context& ctx, Effects& effects) {
    s.memory.target = successor(s.memory.target, ctx.members);
    if (s.memory.target != ctx.self) {
        effects.set_timer(Timer::ack, TimerSpec::fixed(ctx.options.ack_timeout));
        for (const auto& message : s.memory.outbox) {
            send_to_target(s, message, effects);
        }
        return;
    }
    // All round without an answer: this node is alone, and its lists are complete as they are.
    const std::vector<Unacknowledged> outbox = std::exchange(s.memory.outbox, {});
    s.memory.target = no_node;
    const bool holds_list = std::any_of(outbox.begin(), outbox.end(),
                                        [](const auto& m) { return m.leader == no_node; });
    if (holds_list) {
        effects.note("hears from nobody else: it leads");
        follow(s, ctx, ctx.self, effects);
    }
}

void Ring::send_to_target(const State& s, const Unacknowledged& message, Effects& effects) {
    if (message.leader == no_node) {
        effects.send(s.memory.target, Election{message.ids, message.number});
    } else {
        effects.send(s.memory.target, Coordinator{message.leader, message.ids, message.number});
    }
}

}  // namespace electionlab

#include "electionlab/protocols/multi_paxos.h"

#include <algorithm>
#include <string>

namespace electionlab {

namespace {

// Slots count from 1.
std::size_t place(std::int64_t slot) { return static_cast<std::size_t>(slot - 1); }

template <class List>
std::int64_t count(const List& list) {
    return static_cast<std::int64_t>(list.size());
}

}  // namespace

void MultiPaxosOptions::validate(NodeId) const {
    if (heartbeat_interval.ns <= 0) {
        invalid("heartbeat_interval_ms", show(heartbeat_interval.to_ms()), "must be above 0");
    }
    if (failure_timeout.min.ns <= 0) {
        invalid("failure_timeout_ms", show(detail::option_value(failure_timeout)),
                "both ends must be above 0");
    }
    if (patience == Patience::ranked && rank_step.ns <= 0) {
        invalid("rank_step_ms", show(rank_step.to_ms()),
                "must be above 0 where patience is ranked");
    }
}

About MultiPaxos::about() {
    return {.name = "multi_paxos",
            .title = "Multi-Paxos: leader election by Paxos",
            .source = "Lamport, Paxos Made Simple, SIGACT News 32(4), 2001, section 3",
            .assumptions = "crash faults, durable promises and acceptances; time only for liveness",
            .cost = "2(n-1) messages and n-1 heartbeats per attempt",
            .weaknesses = "needs a majority; a node that cannot hear the leader unseats it",
            .epochs = true,
            .majority = true};
}

// A warm start is the state in which everybody has just heard the leader of ballot 1.
void MultiPaxos::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader != no_node) {
        s.disk.promised = {1, ctx.initial_leader};
        s.memory.leader = ctx.initial_leader;
        effects.persist();
    }
    if (ctx.initial_leader == ctx.self) {
        s.memory.role = Role::leader;
        effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
    } else {
        effects.set_timer(Timer::patience, ctx.options.patience_of(ctx.self));
    }
}

void MultiPaxos::on_restart(State&, const Context& ctx, Effects& effects) {
    effects.set_timer(Timer::patience, ctx.options.patience_of(ctx.self));
}

void MultiPaxos::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    if (timer == Timer::heartbeat) {
        return send_heartbeats(s, ctx, effects);
    }
    effects.note("heard from no leader for long enough: tries to lead");
    stand(s, ctx, effects);
}

void MultiPaxos::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                            Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

// --- election: phase 1, once for all slots -------------------------------------------------------

// Its own acceptor promises at once, so that the ballot is on the disk: no restart uses it again.
void MultiPaxos::stand(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    s.disk.promised = {std::max(s.disk.promised.round, m.round_seen) + 1, ctx.self};
    effects.persist();
    m.role = Role::candidate;
    m.leader = no_node;
    m.promises.clear();
    m.reported.clear();
    take_in(s, ctx.self, s.disk.accepted);
    effects.set_timer(Timer::patience, ctx.options.patience_of(ctx.self));
    effects.broadcast(Prepare{s.disk.promised});
    if (has_quorum(m.promises.size(), ctx.members)) {
        become_leader(s, ctx, effects);  // a cluster of one
    }
}

void MultiPaxos::on(State& s, const Context& ctx, NodeId from, const Prepare& m, Effects& effects) {
    if (m.ballot < s.disk.promised) {
        effects.note("refuses: it promised ballot {} of node {}", s.disk.promised.round,
                     s.disk.promised.node);
        return effects.send(from, Nack{m.ballot, s.disk.promised});
    }
    if (m.ballot > s.disk.promised) {
        s.disk.promised = m.ballot;
        effects.persist();  // the promise is on the disk before the answer leaves
        wait_for_a_leader(s, ctx, effects);
        effects.note("promises ballot {} to node {}", m.ballot.round, from);
    }
    effects.send(from, Promise{m.ballot, s.disk.accepted});
}

void MultiPaxos::on(State& s, const Context& ctx, NodeId from, const Promise& m, Effects& effects) {
    if (s.memory.role != Role::candidate || m.ballot != s.disk.promised) {
        effects.note("needs this promise no more");
        return;
    }
    take_in(s, from, m.accepted);
    effects.note("has {} of {} promises", count(s.memory.promises), ctx.members);
    if (has_quorum(s.memory.promises.size(), ctx.members)) {
        become_leader(s, ctx, effects);
    }
}

// Of each slot the highest proposal that anybody accepted binds the new leader.
void MultiPaxos::take_in(State& s, NodeId from, const std::vector<Accepted>& accepted) {
    Memory& m = s.memory;
    m.promises.insert(from);  // a set: a duplicated message counts once
    m.reported.resize(std::max(m.reported.size(), accepted.size()));
    for (std::size_t i = 0; i < accepted.size(); ++i) {
        if (accepted[i].ballot > m.reported[i].ballot) {
            m.reported[i] = accepted[i];
        }
    }
}

// Section 3: it proposes again what phase 1 found, and no-ops where it found nothing.
void MultiPaxos::become_leader(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    m.role = Role::leader;
    m.leader = ctx.self;
    m.acceptors.clear();
    effects.cancel_timer(Timer::patience);
    effects.note("leads ballot {}", s.disk.promised.round);
    const std::vector<Accepted> found = std::exchange(m.reported, {});
    for (const Accepted& slot : found) {
        propose(s, ctx, count(m.acceptors) + 1, slot.ballot.used() ? slot.value : Value{}, effects);
    }
    send_heartbeats(s, ctx, effects);
}

// A higher ballot than its own, or nobody's yet.
void MultiPaxos::wait_for_a_leader(State& s, const Context& ctx, Effects& effects) {
    if (s.memory.role == Role::leader) {
        effects.note("steps down for a higher ballot");
        effects.cancel_timer(Timer::heartbeat);
    }
    s.memory.role = Role::follower;
    s.memory.leader = no_node;
    effects.set_timer(Timer::patience, ctx.options.patience_of(ctx.self));
}

void MultiPaxos::on(State& s, const Context& ctx, NodeId, const Nack& m, Effects& effects) {
    s.memory.round_seen = std::max(s.memory.round_seen, m.promised.round);
    if (s.memory.role != Role::follower && m.promised > s.disk.promised) {
        effects.note("gives way to ballot {} of node {}", m.promised.round, m.promised.node);
        wait_for_a_leader(s, ctx, effects);
    }
}

// --- leadership: phase 2, slot after slot --------------------------------------------------------

void MultiPaxos::on_command(State& s, const Context& ctx, const Command& command,
                            Effects& effects) {
    if (s.memory.role != Role::leader) {
        effects.note("does not lead: the client must ask another node");
        return;
    }
    propose(s, ctx, count(s.memory.acceptors) + 1, std::get<Propose>(command).value, effects);
}

void MultiPaxos::propose(State& s, const Context& ctx, std::int64_t slot, Value value,
                         Effects& effects) {
    accept(s, s.disk.promised, slot, value, effects);
    s.memory.acceptors.emplace_back().insert(ctx.self);
    effects.broadcast(Accept{s.disk.promised, slot, value});
    advance(s, ctx, effects);
}

void MultiPaxos::accept(State& s, Ballot ballot, std::int64_t slot, Value value, Effects& effects) {
    s.disk.promised = ballot;
    s.disk.accepted.resize(std::max(s.disk.accepted.size(), static_cast<std::size_t>(slot)));
    Accepted& held = s.disk.accepted[place(slot)];
    s.disk.changed = s.disk.changed || (held.ballot.used() && held.value != value);
    held = {ballot, value};
    s.disk.history.push_back({slot, ballot, value});
    effects.persist();
}

void MultiPaxos::on(State& s, const Context& ctx, NodeId from, const Accept& m, Effects& effects) {
    if (m.ballot < s.disk.promised) {
        effects.note("refuses: it promised ballot {} of node {}", s.disk.promised.round,
                     s.disk.promised.node);
        return effects.send(from, Nack{m.ballot, s.disk.promised});
    }
    follow(s, ctx, from, m.ballot, effects);
    const bool known = count(s.disk.accepted) >= m.slot &&
                       s.disk.accepted[place(m.slot)].ballot == m.ballot;
    if (!known) {
        accept(s, m.ballot, m.slot, m.value, effects);
        effects.note("accepts slot {}", m.slot);
    }
    effects.send(from, AcceptReply{m.ballot, m.slot});
}

void MultiPaxos::on(State& s, const Context& ctx, NodeId from, const AcceptReply& m,
                    Effects& effects) {
    if (s.memory.role == Role::leader && m.ballot == s.disk.promised) {
        s.memory.acceptors[place(m.slot)].insert(from);
        advance(s, ctx, effects);
    }
}

// A slot is chosen when more than half of all nodes accepted it under one ballot.
void MultiPaxos::advance(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    while (m.chosen < count(m.acceptors) &&
           has_quorum(m.acceptors[place(m.chosen + 1)].size(), ctx.members)) {
        ++m.chosen;
        effects.note("knows that slot {} is chosen", m.chosen);
    }
}

void MultiPaxos::send_heartbeats(State& s, const Context& ctx, Effects& effects) {
    effects.broadcast(Heartbeat{s.disk.promised, count(s.memory.acceptors), s.memory.chosen});
    effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
}

void MultiPaxos::follow(State& s, const Context& ctx, NodeId leader, Ballot ballot,
                        Effects& effects) {
    if (s.memory.role == Role::leader) {
        effects.note("steps down for a higher ballot");
        effects.cancel_timer(Timer::heartbeat);
    }
    if (ballot > s.disk.promised) {
        s.disk.promised = ballot;
        effects.persist();
    }
    s.memory.role = Role::follower;
    s.memory.leader = leader;
    effects.set_timer(Timer::patience, ctx.options.patience_of(ctx.self));
}

void MultiPaxos::on(State& s, const Context& ctx, NodeId from, const Heartbeat& m,
                    Effects& effects) {
    if (m.ballot < s.disk.promised) {
        effects.note("refuses a leader of the old ballot {}", m.ballot.round);
        return effects.send(from, Nack{m.ballot, s.disk.promised});
    }
    follow(s, ctx, from, m.ballot, effects);
    const auto& accepted = s.disk.accepted;
    const auto first_missing = std::find_if(
        accepted.begin(), accepted.end(), [&](const Accepted& a) { return a.ballot != m.ballot; });
    const std::int64_t held = first_missing - accepted.begin();
    s.memory.chosen = std::max(s.memory.chosen, std::min(held, m.chosen));
    if (held < m.proposed) {
        effects.send(from, Missing{m.ballot, held});
    }
}

void MultiPaxos::on(State& s, const Context&, NodeId from, const Missing& m, Effects& effects) {
    if (s.memory.role != Role::leader || m.ballot != s.disk.promised) {
        return;
    }
    for (std::int64_t slot = m.held + 1; slot <= count(s.memory.acceptors); ++slot) {
        effects.send(from, Accept{m.ballot, slot, s.disk.accepted[place(slot)].value});
    }
}

// --- what it promises ----------------------------------------------------------------------------

std::vector<electionlab::Promise<MultiPaxos>> MultiPaxos::invariants() {
    using Node = Known<MultiPaxos>;
    return {{"promise_never_decreases",
             [](const Node& before, const Node& after) {
                 return before.disk.promised <= after.disk.promised;
             }},
            {"accepts_nothing_below_its_promise", [](const Node& before, const Node& after) {
                 const auto &old = before.disk.accepted, &now = after.disk.accepted;
                 for (std::size_t i = 0; i < now.size(); ++i) {
                     const bool same = i < old.size() && old[i] == now[i];
                     if (!same && now[i].ballot.used() && now[i].ballot < before.disk.promised) {
                         return false;
                     }
                 }
                 return old.size() <= now.size();
             }}};
}

namespace {

using Vote = MultiPaxos::Vote;

bool is_chosen(const AllNodes<MultiPaxos>& nodes, const Vote& vote) {
    NodeId acceptors = 0;
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const auto& history = nodes.state(node).disk.history;
        acceptors += std::find(history.begin(), history.end(), vote) != history.end() ? 1 : 0;
    }
    return has_quorum(acceptors, nodes.members());
}

/// No acceptor ever accepted two values in one slot, and no two hold different ones: then no two
/// can have been chosen, and nothing more needs looking at.
bool undisputed(const AllNodes<MultiPaxos>& nodes) {
    NodeId most = 1;
    for (NodeId node = 2; node <= nodes.members(); ++node) {
        const std::size_t size = nodes.state(node).disk.accepted.size();
        most = size > nodes.state(most).disk.accepted.size() ? node : most;
    }
    const auto& first = nodes.state(most).disk.accepted;
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const auto& accepted = nodes.state(node).disk.accepted;
        if (nodes.state(node).disk.changed) {
            return false;
        }
        for (std::size_t i = 0; i < accepted.size(); ++i) {
            const bool both = accepted[i].ballot.used() && first[i].ballot.used();
            if ((both && accepted[i].value != first[i].value) || !first[i].ballot.used()) {
                return false;
            }
        }
    }
    return true;
}

/// No slot ever has two values that a majority accepted, or that somebody knows to be chosen.
bool one_value_per_slot(const AllNodes<MultiPaxos>& nodes) {
    if (undisputed(nodes)) {
        return true;
    }
    std::vector<std::optional<MultiPaxos::Value>> chosen;  // of each slot
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        chosen.resize(std::max(chosen.size(), nodes.state(node).disk.accepted.size()));
    }
    const auto choose = [&](std::int64_t slot, const MultiPaxos::Value& value) {
        auto& known = chosen[place(slot)];
        const bool agrees = !known.has_value() || *known == value;
        known = value;
        return agrees;
    };
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const auto& state = nodes.state(node);
        for (const Vote& vote : state.disk.history) {
            const auto& known = chosen[place(vote.slot)];
            const bool new_value = !known.has_value() || *known != vote.value;
            if (new_value && is_chosen(nodes, vote) && !choose(vote.slot, vote.value)) {
                return false;
            }
        }
        for (std::int64_t slot = 1; slot <= state.memory.chosen; ++slot) {
            if (!choose(slot, state.disk.accepted[place(slot)].value)) {
                return false;
            }
        }
    }
    return true;
}

}  // namespace

std::vector<Property<MultiPaxos>> MultiPaxos::properties() {
    return {{"one_value_per_slot", one_value_per_slot}};
}

}  // namespace electionlab

#include "electionlab/protocols/paxos.h"

#include <algorithm>
#include <string>

namespace electionlab {

void PaxosOptions::validate(NodeId nodes) const {
    const auto among = [&](NodeId node) { return node >= 1 && node <= nodes; };
    NodeSet<most_ballot_nodes> listed;
    for (const NodeId node : proposers) {
        if (!among(node) || listed.contains(node)) {
            invalid("proposers", show(detail::option_value(proposers)),
                    "must be nodes from 1 to " + std::to_string(nodes) + ", each once; empty: all");
        }
        listed.insert(node);
    }
    if (!values.empty() && values.size() != nodes) {
        invalid(
            "values", show(detail::option_value(values)),
            "must be empty or have one entry for each of the " + std::to_string(nodes) + " nodes");
    }
    if (round_timeout.ns <= 0) {
        invalid("round_timeout_ms", show(round_timeout.to_ms()), "must be above 0");
    }
    // Quorums of one phase need not share a node with each other, only with those of the other.
    for (const auto& [quorum, name] : {std::pair{&prepare_quorum, "prepare_quorum"},
                                       std::pair{&accept_quorum, "accept_quorum"}}) {
        Quorum alone = *quorum;
        alone.unsafe = true;
        alone.validate(nodes, name);
    }
    if (!prepare_quorum.unsafe && !accept_quorum.unsafe &&
        !intersect(prepare_quorum, accept_quorum, nodes)) {
        invalid("accept_quorum", show(accept_quorum.to_value()),
                "must share a node with every prepare_quorum, which is " +
                    show(prepare_quorum.to_value()) +
                    "; say 'unsafe': true in one of them to see two values chosen");
    }
}

About Paxos::about() {
    return {.name = "paxos",
            .title = "Paxos, single decree",
            .source = "Lamport, Paxos Made Simple, SIGACT News 32(4), 2001, sections 2.2 to 2.5",
            .assumptions = "crash faults, durable promises and acceptances; time only for liveness",
            .cost = "4(n-1) messages with one proposer, and n-1 to tell all",
            .weaknesses = "duelling proposers may never finish; it chooses once, and nobody "
                          "replaces the node that was chosen",
            .epochs = true,
            .fails_over = false};
}

// A warm start is the state in which everybody knows that ballot 1 of that node chose it.
void Paxos::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader != no_node) {
        const Ballot first{1, ctx.initial_leader};
        s.disk.promised = first;
        s.disk.accepted = s.disk.chosen = {first, ctx.options.value_of(ctx.initial_leader)};
        s.disk.history = {s.disk.accepted};
        effects.persist();
    }
    schedule_proposal(s, ctx, effects);
}

void Paxos::on_restart(State& s, const Context& ctx, Effects& effects) {
    schedule_proposal(s, ctx, effects);
}

void Paxos::schedule_proposal(const State& s, const Context& ctx, Effects& effects) {
    const auto& listed = ctx.options.proposers;
    const auto place = std::find(listed.begin(), listed.end(), ctx.self);
    if (s.disk.chosen.made() || (!listed.empty() && place == listed.end())) {
        return;
    }
    const std::int64_t before = listed.empty() ? ctx.self - 1 : place - listed.begin();
    const Duration extra = ctx.options.stagger * before;
    effects.set_timer(Timer::propose, TimerSpec{ctx.options.propose_after.min + extra,
                                                ctx.options.propose_after.max + extra});
}

void Paxos::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::propose: effects.note("begins to propose"); break;
        case Timer::backoff: effects.note("has waited long enough: tries again"); break;
        case Timer::round: effects.note("has no quorum of answers: tries again"); break;
    }
    prepare(s, ctx, effects);
}

void Paxos::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                       Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

// --- proposer ------------------------------------------------------------------------------------

// Phase 1a, with a ballot above all that this node has seen. Its own acceptor answers at once, so
// that the ballot is on the disk: no restart uses it again.
void Paxos::prepare(State& s, const Context& ctx, Effects& effects) {
    if (s.disk.chosen.made()) {
        return;
    }
    Memory& m = s.memory;
    m.ballot = {std::max(s.disk.promised.round, m.round_seen) + 1, ctx.self};
    m.phase = Phase::preparing;
    m.promises.clear();
    m.promises.insert(ctx.self);
    m.reported = s.disk.accepted;
    s.disk.promised = m.ballot;
    effects.persist();
    effects.broadcast(Prepare{m.ballot});
    effects.cancel_timer(Timer::backoff);
    effects.set_timer(Timer::round, TimerSpec::fixed(ctx.options.round_timeout));
    if (ctx.options.prepare_quorum.is_met(m.promises, ctx.members)) {
        ask_to_accept(s, ctx, effects);
    }
}

// Phase 1b at the proposer: the highest proposal that was accepted binds it.
void Paxos::on(State& s, const Context& ctx, NodeId from, const Promise& m, Effects& effects) {
    if (s.memory.phase != Phase::preparing || m.ballot != s.memory.ballot) {
        effects.note("needs this promise no more");
        return;
    }
    s.memory.promises.insert(from);
    if (m.accepted.ballot > s.memory.reported.ballot) {
        s.memory.reported = m.accepted;
    }
    if (ctx.options.prepare_quorum.is_met(s.memory.promises, ctx.members)) {
        ask_to_accept(s, ctx, effects);
    }
}

// Phase 2a.
void Paxos::ask_to_accept(State& s, const Context& ctx, Effects& effects) {
    s.memory.phase = Phase::accepting;
    const bool bound = s.memory.reported.made() &&
                       !ctx.options.mutations.has(PaxosMutation::proposes_own_value);
    const Proposal proposal{s.memory.ballot,
                            bound ? s.memory.reported.value : ctx.options.value_of(ctx.self)};
    effects.note(bound ? "has a quorum of promises and must propose {}, which was accepted before"
                       : "has a quorum of promises and proposes its own value {}",
                 proposal.value);
    effects.broadcast(Accept{proposal});
    accept(s, ctx, proposal, effects);
}

void Paxos::on(State& s, const Context& ctx, NodeId, const Nack& m, Effects& effects) {
    s.memory.round_seen = std::max(s.memory.round_seen, m.promised.round);
    give_way(s, ctx, m.promised, effects);
}

// A proposer that learns of a higher ballot abandons its own (2.4, 2.5).
void Paxos::give_way(State& s, const Context& ctx, Ballot to, Effects& effects) {
    const bool proposes = s.memory.phase == Phase::preparing || s.memory.phase == Phase::accepting;
    if (!proposes || to <= s.memory.ballot) {
        return;
    }
    effects.note("gives way to ballot {} of node {}", to.round, to.node);
    s.memory.round_seen = std::max(s.memory.round_seen, to.round);
    if (ctx.options.backoff.max.ns == 0) {
        return prepare(s, ctx, effects);
    }
    s.memory.phase = Phase::backing_off;
    effects.cancel_timer(Timer::round);
    effects.set_timer(Timer::backoff, TimerSpec::between(ctx.options.backoff));
}

// --- acceptor ------------------------------------------------------------------------------------

// Phase 1b.
void Paxos::on(State& s, const Context& ctx, NodeId from, const Prepare& m, Effects& effects) {
    if (s.disk.chosen.made()) {
        return effects.send(from, Chosen{s.disk.chosen});
    }
    if (m.ballot < s.disk.promised) {
        effects.note("refuses: it promised ballot {} of node {}", s.disk.promised.round,
                     s.disk.promised.node);
        return effects.send(from, Nack{m.ballot, s.disk.promised});
    }
    if (m.ballot > s.disk.promised) {
        s.disk.promised = m.ballot;
        if (!ctx.options.mutations.has(PaxosMutation::promise_not_persisted)) {
            effects.persist();  // the promise is on the disk before the answer leaves
        }
    }
    const bool silent = ctx.options.mutations.has(PaxosMutation::promise_reports_nothing);
    effects.send(from, Promise{m.ballot, silent ? Proposal{} : s.disk.accepted});
    give_way(s, ctx, m.ballot, effects);
}

// Phase 2b.
void Paxos::on(State& s, const Context& ctx, NodeId from, const Accept& m, Effects& effects) {
    const Ballot ballot = m.proposal.ballot;
    if (s.disk.chosen.made()) {
        return effects.send(from, Chosen{s.disk.chosen});
    }
    if (ballot < s.disk.promised) {
        effects.note("refuses: it promised ballot {} of node {}", s.disk.promised.round,
                     s.disk.promised.node);
        return effects.send(from, Nack{ballot, s.disk.promised});
    }
    accept(s, ctx, m.proposal, effects);
    give_way(s, ctx, ballot, effects);
}

void Paxos::accept(State& s, const Context& ctx, const Proposal& proposal, Effects& effects) {
    if (s.disk.accepted != proposal) {
        s.disk.promised = proposal.ballot;
        s.disk.accepted = proposal;
        if (s.disk.history.size() == most_remembered) {
            s.disk.history.erase(s.disk.history.begin());
        }
        s.disk.history.push_back(proposal);
        effects.persist();  // what was accepted is on the disk before anybody hears of it
        effects.note("accepts {} under ballot {}", proposal.value, proposal.ballot.round);
    }
    if (ctx.options.learning == Learning::broadcast) {
        effects.broadcast(Accepted{proposal});
        count(s, ctx, ctx.self, proposal, effects);
    } else if (proposal.ballot.node == ctx.self) {
        count(s, ctx, ctx.self, proposal, effects);
    } else {
        effects.send(proposal.ballot.node, Accepted{proposal});
    }
}

// --- learner -------------------------------------------------------------------------------------

void Paxos::on(State& s, const Context& ctx, NodeId from, const Accepted& m, Effects& effects) {
    count(s, ctx, from, m.proposal, effects);
}

// A value is chosen when a quorum has accepted it under one ballot (2.3). A learner counts for the
// highest ballot only: what was chosen under a lower one is proposed again under this.
void Paxos::count(State& s, const Context& ctx, NodeId acceptor, const Proposal& proposal,
                  Effects& effects) {
    Memory& m = s.memory;
    if (s.disk.chosen.made() || proposal.ballot < m.heard) {
        return;
    }
    if (proposal.ballot > m.heard) {
        m.heard = proposal.ballot;
        m.acceptors.clear();
    }
    m.acceptors.insert(acceptor);  // a set: a duplicated message counts once
    if (!ctx.options.accept_quorum.is_met(m.acceptors, ctx.members)) {
        return;
    }
    effects.note("learns that {} is chosen: a quorum accepted it", proposal.value);
    learn(s, proposal, effects);
    if (ctx.options.learning == Learning::told) {
        effects.broadcast(Chosen{proposal});
    }
}

void Paxos::on(State& s, const Context&, NodeId, const Chosen& m, Effects& effects) {
    if (!s.disk.chosen.made()) {
        effects.note("is told that {} is chosen", m.proposal.value);
        learn(s, m.proposal, effects);
    }
}

void Paxos::learn(State& s, const Proposal& chosen, Effects& effects) {
    s.disk.chosen = chosen;
    effects.persist();
    s.memory = {};
    effects.cancel_timer(Timer::propose);
    effects.cancel_timer(Timer::backoff);
    effects.cancel_timer(Timer::round);
}

// --- what it promises ----------------------------------------------------------------------------

// The node whose number was chosen leads. Whoever has learned so answers no request any more, so
// that its epoch stays.
View Paxos::view(const State& s, const Context& ctx) {
    const Disk& disk = s.disk;
    if (disk.chosen.made()) {
        const Epoch epoch = std::max(disk.promised, disk.chosen.ballot).epoch();
        const auto leader =
            ctx.options.values.empty() ? static_cast<NodeId>(disk.chosen.value) : no_node;
        return {leader == ctx.self ? Role::leader : Role::follower, leader, epoch};
    }
    const bool proposes = s.memory.phase == Phase::preparing || s.memory.phase == Phase::accepting;
    return {proposes ? Role::candidate : Role::follower, no_node, disk.promised.epoch()};
}

std::vector<electionlab::Promise<Paxos>> Paxos::invariants() {
    using Node = Known<Paxos>;
    return {{"promise_never_decreases",
             [](const Node& before, const Node& after) {
                 return before.disk.promised <= after.disk.promised;
             }},
            {"acceptance_never_decreases",
             [](const Node& before, const Node& after) {
                 return before.disk.accepted.ballot <= after.disk.accepted.ballot;
             }},
            {"accepts_nothing_below_its_promise",
             [](const Node& before, const Node& after) {
                 return before.disk.accepted == after.disk.accepted ||
                        !after.disk.accepted.made() ||
                        before.disk.promised <= after.disk.accepted.ballot;
             }},
            {"learned_value_never_changes",
             [](const Node& before, const Node& after) {
                 return !before.disk.chosen.made() ||
                        (after.disk.chosen.made() &&
                         before.disk.chosen.value == after.disk.chosen.value);
             }}};
}

namespace {

using Everybody = AllNodes<Paxos>;

bool contains(const std::vector<Paxos::Proposal>& history, const Paxos::Proposal& proposal) {
    return std::find(history.begin(), history.end(), proposal) != history.end();
}

/// Whether a quorum has accepted this proposal at some time, as far as acceptors remember.
/// `perhaps`: who has accepted too much since to remember counts, and who was never on (in a warm
/// start it has accepted, and does not know it yet).
bool is_chosen(const Everybody& nodes, const Paxos::Proposal& proposal, bool perhaps) {
    Paxos::Nodes acceptors;
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const Paxos::Disk& disk = nodes.state(node).disk;
        const bool unstarted = nodes.view(node).role == Role::down && !disk.promised.used();
        const bool forgot = disk.history.size() == Paxos::most_remembered &&
                            disk.history.front().ballot > proposal.ballot;
        if (contains(disk.history, proposal) || (perhaps && (unstarted || forgot))) {
            acceptors.insert(node);
        }
    }
    return nodes.options().accept_quorum.is_met(acceptors, nodes.members());
}

/// No two different values were accepted by anybody, or learned.
bool one_value_known(const Everybody& nodes) {
    const Paxos::Proposal* first = nullptr;
    bool one = true;
    const auto look = [&](const Paxos::Proposal& proposal) {
        first = first == nullptr ? &proposal : first;
        one = one && first->value == proposal.value;
    };
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const Paxos::Disk& disk = nodes.state(node).disk;
        std::for_each(disk.history.begin(), disk.history.end(), look);
        if (disk.chosen.made()) {
            look(disk.chosen);
        }
    }
    return one;
}

/// Only one value is ever chosen (2.1): what quorums accepted, and what anybody learned.
bool one_value_chosen(const Everybody& nodes) {
    if (one_value_known(nodes)) {
        return true;
    }
    bool any = false, one = true;
    std::int64_t value = 0;
    const auto chosen = [&](const Paxos::Proposal& proposal) {
        one = one && (!any || value == proposal.value);
        any = true;
        value = proposal.value;
    };
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const Paxos::Disk& disk = nodes.state(node).disk;
        if (disk.chosen.made()) {
            chosen(disk.chosen);
        }
        for (const Paxos::Proposal& proposal : disk.history) {
            if ((!any || proposal.value != value) && is_chosen(nodes, proposal, false)) {
                chosen(proposal);
            }
        }
    }
    return one;
}

/// Nobody learns that a value is chosen unless it is (2.1).
bool learned_was_chosen(const Everybody& nodes) {
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const Paxos::Proposal& learned = nodes.state(node).disk.chosen;
        if (learned.made() && !is_chosen(nodes, learned, true)) {
            return false;
        }
    }
    return true;
}

/// Only what somebody proposes may be chosen (2.1).
bool accepted_was_proposed(const Everybody& nodes) {
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const Paxos::Proposal& accepted = nodes.state(node).disk.accepted;
        bool known = !accepted.made();
        for (NodeId proposer = 1; !known && proposer <= nodes.members(); ++proposer) {
            known = nodes.options().value_of(proposer) == accepted.value;
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::vector<Property<Paxos>> Paxos::properties() {
    return {{"one_value_chosen", one_value_chosen},
            {"learned_was_chosen", learned_was_chosen},
            {"accepted_was_proposed", accepted_was_proposed}};
}

}  // namespace electionlab

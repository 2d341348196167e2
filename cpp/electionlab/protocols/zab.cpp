#include "electionlab/protocols/zab.h"

#include <algorithm>
#include <string>

namespace electionlab {

namespace {

// Ballots and learners are kept in ascending order of node.
template <class Entry>
Entry& entry_of(std::vector<Entry>& entries, NodeId node) {
    const auto place = std::lower_bound(entries.begin(), entries.end(), node,
                                        [](const Entry& e, NodeId wanted) { return e.node < wanted; });
    if (place != entries.end() && place->node == node) {
        return *place;
    }
    Entry fresh;
    fresh.node = node;
    return *entries.insert(place, fresh);
}

template <class Entry>
const Entry* find(const std::vector<Entry>& entries, NodeId node) {
    const auto place = std::lower_bound(entries.begin(), entries.end(), node,
                                        [](const Entry& e, NodeId wanted) { return e.node < wanted; });
    return place != entries.end() && place->node == node ? &*place : nullptr;
}

// Votes of nodes that look must agree in all; of an ensemble, whose members may have come to it by
// different rounds, leader and epoch say enough.
bool same(const Zab::Ballot& a, const Zab::Ballot& b) {
    if (a.state == Zab::Peer::looking || b.state == Zab::Peer::looking) {
        return a.vote == b.vote && a.round == b.round;
    }
    return a.vote.leader == b.vote.leader && a.vote.peer_epoch == b.vote.peer_epoch;
}

bool has_quorum_for(const std::vector<Zab::Ballot>& ballots, const Zab::Ballot& wanted,
                    NodeId members) {
    const auto agreeing = std::count_if(ballots.begin(), ballots.end(),
                                        [&](const Zab::Ballot& b) { return same(b, wanted); });
    return has_quorum(static_cast<std::size_t>(agreeing), members);
}

// The vote of a node for itself.
ZabVote own_vote(const Zab::State& s, NodeId self) {
    return {self, s.disk.last_zxid, s.disk.current_epoch};
}

}  // namespace

void ZabOptions::validate(NodeId nodes) const {
    const auto positive = [](const char* name, Duration value) {
        if (value.ns <= 0) {
            invalid(name, show(value.to_ms()), "must be above 0");
        }
    };
    const auto at_least_one = [](const char* name, std::int64_t value) {
        if (value < 1 || value > 1'000'000) {
            invalid(name, show(value), "must be at least 1 and at most 1000000");
        }
    };
    if (tick_time.ns < 2) {
        invalid("tick_time_ms", show(tick_time.to_ms()), "must be at least 2 nanoseconds");
    }
    at_least_one("init_limit", init_limit);
    at_least_one("sync_limit", sync_limit);
    positive("finalize_wait_ms", finalize_wait);
    positive("min_notification_interval_ms", min_notification_interval);
    if (max_notification_interval < min_notification_interval) {
        invalid("max_notification_interval_ms", show(max_notification_interval.to_ms()),
                "must be at least min_notification_interval_ms");
    }
    positive("connect_retry_ms", connect_retry);
    at_least_one("connect_tries", connect_tries);
    if (longest_duration.ns / std::max(init_limit, sync_limit) < tick_time.ns) {
        invalid("tick_time_ms", show(tick_time.to_ms()),
                "must be at most 10^9 ms divided by init_limit and by sync_limit");
    }
    if (!histories.empty() && histories.size() != nodes) {
        invalid("histories", show(detail::option_value(histories)),
                "must be empty or have one entry for each of the " + std::to_string(nodes) + " nodes");
    }
    for (const ZabHistory& h : histories) {
        if (h.zxid_epoch > h.current_epoch) {
            invalid("histories", show(detail::option_value(histories)),
                    "the epoch of a zxid must be at most the current epoch of its node");
        }
    }
}

TimerSpec ZabOptions::notification_interval(std::int64_t repeated) const {
    Duration interval = min_notification_interval;
    while (repeated-- > 0 && interval < max_notification_interval) {
        interval = interval * 2;
    }
    return TimerSpec::fixed(std::min(interval, max_notification_interval));
}

About Zab::about() {
    return {.name = "zab",
            .title = "Zab's fast leader election, discovery and new epoch",
            .source = "Junqueira, Reed and Serafini, DSN 2011; Medeiros 2012; ZooKeeper 3.9",
            .assumptions = "crash faults, durable epochs; time only for liveness",
            .cost = "(n-1)(2n-1) to n(n-1)(n+1)/2 notifications when all start, then 7(n-1)",
            .weaknesses = "needs a majority; waits for votes that are repeated ever more rarely",
            .epochs = true,
            .majority = true};
}

View Zab::view(const State& s, const Context& ctx) {
    const Memory& m = s.memory;
    if (m.peer == Peer::following) {
        const NodeId leader = m.stage == Stage::broadcast ? m.decided.leader : no_node;
        return {Role::follower, leader, s.disk.accepted_epoch};
    }
    if (m.peer == Peer::leading && m.phase == Phase::broadcast) {
        return {Role::leader, ctx.self, s.disk.accepted_epoch};
    }
    return {Role::candidate, no_node, s.disk.accepted_epoch};
}

auto Zab::initial_disk(const Options& options, NodeId node) -> Disk {
    Disk disk;
    if (node <= options.histories.size()) {
        const ZabHistory& h = options.histories[node - 1];
        disk = {h.current_epoch, h.current_epoch, {h.zxid_epoch, h.zxid_counter}};
    }
    return disk;
}

// A warm start is the state in which everybody has the UPTODATE of the given leader.
void Zab::on_start(State& s, const Context& ctx, Effects& effects) {
    const NodeId leader = ctx.initial_leader;
    if (leader == no_node) {
        return look(s, ctx, effects);
    }
    Epoch epoch = 1;
    for (const ZabHistory& h : ctx.options.histories) {
        epoch = std::max(epoch, h.current_epoch + 1);
    }
    s.disk = initial_disk(ctx.options, leader);
    s.disk.accepted_epoch = s.disk.current_epoch = epoch;
    effects.persist();
    s.memory.round = s.memory.decided_round = 1;
    s.memory.decided = {leader, s.disk.last_zxid, epoch};
    s.memory.epoch = epoch;
    if (leader != ctx.self) {
        s.memory.peer = Peer::following;
        s.memory.stage = Stage::broadcast;
        effects.set_timer(Timer::read, ctx.options.sync_time());
        return;
    }
    s.memory.peer = Peer::leading;
    s.memory.phase = Phase::broadcast;
    for (NodeId node = 1; node <= ctx.members; ++node) {
        if (node != ctx.self) {
            s.memory.learners.push_back(
                {node, Stage::broadcast, ctx.options.sync_limit, true, true, false});
        }
    }
    effects.set_timer(Timer::tick, ctx.options.half_tick());
}

// What was connected to the node before its crash learns that it no longer is.
void Zab::on_restart(State& s, const Context& ctx, Effects& effects) {
    effects.broadcast(Closed{});
    look(s, ctx, effects);
}

void Zab::on_command(State&, const Context&, const Command&, Effects& effects) {
    effects.broadcast(Closed{});
}

void Zab::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::notification:
            effects.note("hears no vote for a while: repeats its own");
            ++s.memory.repeated;
            send_notifications(s, ctx, effects);
            effects.set_timer(Timer::notification,
                              ctx.options.notification_interval(s.memory.repeated));
            return;
        case Timer::finalize:
            effects.note("hears no better vote than the quorum's for node {}",
                         s.memory.proposal.leader);
            return decide(s, ctx, s.memory.proposal, s.memory.round, effects);
        case Timer::connect:
            effects.send(s.memory.decided.leader, FollowerInfo{s.disk.accepted_epoch});
            effects.set_timer(Timer::connect, TimerSpec::fixed(ctx.options.connect_retry));
            return;
        case Timer::read:
            effects.note("has not heard node {} in time: looks again", s.memory.decided.leader);
            return leave(s, ctx, effects);
        case Timer::phase:
            effects.note("has no quorum of followers in time: looks again");
            return leave(s, ctx, effects);
        case Timer::tick: return half_tick(s, ctx, effects);
    }
}

void Zab::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                     Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

// --- FastLeaderElection ---

void Zab::look(State& s, const Context& ctx, Effects& effects) {
    const Epoch round = s.memory.round + 1;
    s.memory = {};
    s.memory.round = round;
    s.memory.proposal = own_vote(s, ctx.self);
    send_notifications(s, ctx, effects);
    effects.set_timer(Timer::notification, ctx.options.notification_interval(0));
    count_votes(s, ctx, effects);
}

void Zab::send_notifications(State& s, const Context& ctx, Effects& effects) {
    effects.broadcast(Notification{s.memory.proposal, s.memory.round, Peer::looking});
    entry_of(s.memory.votes, ctx.self) = {ctx.self, s.memory.proposal, s.memory.round, Peer::looking};
}

// Who is not looking tells who looks whom it has chosen. Who is looking and hears from an older
// round tells the sender of its own.
void Zab::on(State& s, const Context& ctx, NodeId from, const Notification& m, Effects& effects) {
    if (s.memory.peer != Peer::looking) {
        if (m.state == Peer::looking) {
            effects.send(from, Notification{s.memory.decided, s.memory.decided_round, s.memory.peer});
        }
        return;
    }
    if (m.state == Peer::looking && m.round < s.memory.round) {
        effects.note("is in round {}: tells node {}", s.memory.round, from);
        effects.send(from, Notification{s.memory.proposal, s.memory.round, Peer::looking});
    }
    if (s.memory.finalizing) {
        if (!better(m.vote, s.memory.proposal)) {  // read and dropped; the wait starts anew
            effects.set_timer(Timer::finalize, TimerSpec::fixed(ctx.options.finalize_wait));
            return;
        }
        effects.cancel_timer(Timer::finalize);
        s.memory.finalizing = false;
    }
    // Whatever came, the next repetition waits for a whole interval of silence again.
    effects.set_timer(Timer::notification, ctx.options.notification_interval(s.memory.repeated));
    if (m.state == Peer::looking) {
        on_vote(s, ctx, from, m, effects);
    } else {
        on_ensemble(s, ctx, from, m, effects);
    }
}

// A vote: a later round is joined, an earlier one is over; a better vote is taken over and told.
void Zab::on_vote(State& s, const Context& ctx, NodeId from, const Notification& m,
                  Effects& effects) {
    if (m.round < s.memory.round) {
        return;
    }
    if (m.round > s.memory.round) {
        effects.note("joins round {} of node {}", m.round, from);
        s.memory.round = m.round;
        s.memory.votes.clear();
        const Vote own = own_vote(s, ctx.self);
        s.memory.proposal = better(m.vote, own) ? m.vote : own;
        send_notifications(s, ctx, effects);
    } else if (better(m.vote, s.memory.proposal)) {
        effects.note("takes over the better vote for node {}", m.vote.leader);
        s.memory.proposal = m.vote;
        send_notifications(s, ctx, effects);
    }
    Ballot& ballot = entry_of(s.memory.votes, from);
    if (ballot.vote.leader == no_node || ballot.state != Peer::looking ||
        !better(ballot.vote, m.vote)) {
        ballot = {from, m.vote, m.round, m.state};
    }
    count_votes(s, ctx, effects);
}

void Zab::count_votes(State& s, const Context& ctx, Effects& effects) {
    const Ballot wanted{ctx.self, s.memory.proposal, s.memory.round, Peer::looking};
    if (!has_quorum_for(s.memory.votes, wanted, ctx.members)) {
        return;
    }
    effects.note("sees a quorum for node {}: waits whether a better vote comes",
                 s.memory.proposal.leader);
    s.memory.finalizing = true;
    effects.cancel_timer(Timer::notification);
    effects.set_timer(Timer::finalize, TimerSpec::fixed(ctx.options.finalize_wait));
}

// A node that has chosen already: with a quorum of such, and word of the leader itself, this one
// joins them, be it late or in a round of its own.
void Zab::on_ensemble(State& s, const Context& ctx, NodeId from, const Notification& m,
                      Effects& effects) {
    const Ballot ballot{from, m.vote, m.round, m.state};
    if (m.round == s.memory.round) {
        entry_of(s.memory.votes, from) = ballot;
        if (has_quorum_for(s.memory.votes, ballot, ctx.members) &&
            leads_indeed(s, ctx, s.memory.votes, m)) {
            return decide(s, ctx, m.vote, m.round, effects);
        }
    }
    entry_of(s.memory.ensemble, from) = ballot;
    if (has_quorum_for(s.memory.ensemble, ballot, ctx.members) &&
        leads_indeed(s, ctx, s.memory.ensemble, m)) {
        s.memory.round = m.round;
        decide(s, ctx, m.vote, m.round, effects);
    }
}

// A leader must have said itself that it leads, or the dead would be elected again and again; and
// who is said to lead believes it only of the round that it is in.
bool Zab::leads_indeed(const State& s, const Context& ctx, const std::vector<Ballot>& ballots,
                       const Notification& m) {
    if (m.vote.leader == ctx.self) {
        return m.round == s.memory.round ||
               ctx.options.mutations.has(ZabMutation::fle_backward_round);
    }
    const Ballot* const word = find(ballots, m.vote.leader);
    return word != nullptr && word->state == Peer::leading;
}

void Zab::decide(State& s, const Context& ctx, const Vote& vote, Epoch round, Effects& effects) {
    effects.cancel_timer(Timer::notification);
    effects.cancel_timer(Timer::finalize);
    s.memory.finalizing = false;
    s.memory.votes.clear();
    s.memory.ensemble.clear();
    s.memory.decided = vote;
    s.memory.decided_round = round;
    if (vote.leader == ctx.self) {
        lead(s, ctx, effects);
    } else {
        follow(s, ctx, effects);
    }
}

// --- a follower ---

void Zab::follow(State& s, const Context& ctx, Effects& effects) {
    effects.note("follows node {} and asks for the new epoch", s.memory.decided.leader);
    s.memory.peer = Peer::following;
    s.memory.stage = Stage::connecting;
    effects.send(s.memory.decided.leader, FollowerInfo{s.disk.accepted_epoch});
    effects.set_timer(Timer::connect, TimerSpec::fixed(ctx.options.connect_retry));
    effects.set_timer(Timer::read, ctx.options.init_time());
}

// A message of somebody else's leader finds no connection here.
bool Zab::is_from_leader(const State& s, NodeId from, Effects& effects) {
    if (s.memory.peer == Peer::following && s.memory.decided.leader == from) {
        return true;
    }
    effects.send(from, Closed{});
    return false;
}

void Zab::on(State& s, const Context& ctx, NodeId from, const LeaderInfo& m, Effects& effects) {
    if (!is_from_leader(s, from, effects)) {
        return;
    }
    if (s.memory.stage != Stage::connecting) {
        if (m.epoch == s.memory.epoch) {  // the answer was lost
            effects.send(from, s.memory.accepted);
        }
        return;
    }
    if (m.epoch < s.disk.accepted_epoch) {
        effects.note("has accepted epoch {} already: cannot join epoch {}", s.disk.accepted_epoch,
                     m.epoch);
        return leave(s, ctx, effects);
    }
    const bool counts = m.epoch > s.disk.accepted_epoch;
    if (counts) {
        s.disk.accepted_epoch = m.epoch;
        effects.persist();
    }
    s.memory.epoch = m.epoch;
    s.memory.stage = Stage::discovered;
    s.memory.accepted = {m.epoch, counts, s.disk.current_epoch, s.disk.last_zxid};
    effects.send(from, s.memory.accepted);
    effects.cancel_timer(Timer::connect);
    effects.set_timer(Timer::read, ctx.options.init_time());
}

void Zab::on(State& s, const Context& ctx, NodeId from, const NewLeader& m, Effects& effects) {
    if (!is_from_leader(s, from, effects) || s.memory.stage == Stage::connecting ||
        m.epoch != s.memory.epoch) {
        return;
    }
    if (s.memory.stage == Stage::discovered) {
        effects.note("takes over the history of node {} and with it epoch {}", from, m.epoch);
        s.disk.current_epoch = m.epoch;
        s.disk.last_zxid = m.zxid;
        effects.persist();
        s.memory.stage = Stage::synchronised;
        effects.set_timer(Timer::read, ctx.options.sync_time());
    }
    effects.send(from, Ack{m.epoch});
}

void Zab::on(State& s, const Context& ctx, NodeId from, const UpToDate& m, Effects& effects) {
    if (!is_from_leader(s, from, effects) || m.epoch != s.memory.epoch ||
        (s.memory.stage != Stage::synchronised && s.memory.stage != Stage::broadcast)) {
        return;
    }
    if (s.memory.stage == Stage::synchronised) {
        effects.note("follows node {} in epoch {}", from, m.epoch);
        s.memory.stage = Stage::broadcast;
        if (!ctx.options.mutations.has(ZabMutation::fle_mixed_epochs)) {
            s.memory.decided.peer_epoch = m.epoch;  // what all of an ensemble tell who looks
        }
    }
    effects.set_timer(Timer::read, ctx.options.sync_time());
    effects.send(from, Ack{m.epoch});
}

// Of a leader's: it lives. Of a learner's: so does that.
void Zab::on(State& s, const Context& ctx, NodeId from, const Ping& m, Effects& effects) {
    if (s.memory.peer == Peer::leading) {
        if (Learner* const l = learner_of(s, from, m.epoch, effects); l != nullptr) {
            l->deadline = s.memory.tick + ctx.options.sync_limit;
        }
        return;
    }
    if (!is_from_leader(s, from, effects) || m.epoch != s.memory.epoch ||
        s.memory.stage != Stage::broadcast) {
        return;
    }
    effects.set_timer(Timer::read, ctx.options.sync_time());
    effects.send(from, Ping{m.epoch});
}

void Zab::on(State& s, const Context& ctx, NodeId from, const Closed&, Effects& effects) {
    if (s.memory.peer == Peer::leading) {
        if (Learner* const l = learner(s, from); l != nullptr) {
            effects.note("loses its connection to node {}", from);
            l->stage = Stage::gone;
        }
        return;
    }
    if (s.memory.peer != Peer::following || s.memory.decided.leader != from) {
        return;
    }
    if (s.memory.stage == Stage::connecting && ++s.memory.refusals < ctx.options.connect_tries) {
        effects.note("is refused by node {}, which may come to lead: tries again", from);
        return;
    }
    effects.note("loses its connection to node {}: looks again", from);
    leave(s, ctx, effects);
}

// Whoever leads or follows, and does not any more: closes its connections and looks.
void Zab::leave(State& s, const Context& ctx, Effects& effects) {
    if (s.memory.peer == Peer::following) {
        effects.send(s.memory.decided.leader, Closed{});
        effects.cancel_timer(Timer::connect);
        effects.cancel_timer(Timer::read);
    } else {
        for (const Learner& l : s.memory.learners) {
            if (l.stage != Stage::gone) {
                effects.send(l.node, Closed{});
            }
        }
        effects.cancel_timer(Timer::phase);
        effects.cancel_timer(Timer::tick);
    }
    look(s, ctx, effects);
}

// --- a leader ---

void Zab::lead(State& s, const Context& ctx, Effects& effects) {
    effects.note("is chosen: waits for a quorum of followers to agree on a new epoch");
    s.memory.peer = Peer::leading;
    s.memory.phase = Phase::discovery;
    s.memory.epoch = s.disk.accepted_epoch + 1;
    effects.set_timer(Timer::phase, ctx.options.init_time());
    effects.set_timer(Timer::tick, ctx.options.half_tick());
    choose_epoch(s, ctx, effects);
}

auto Zab::learner(State& s, NodeId node) -> Learner* {
    const Learner* const found = find(s.memory.learners, node);
    return found == nullptr || found->stage == Stage::gone ? nullptr : const_cast<Learner*>(found);
}

// The learner that answers to this epoch; any other's connection is gone.
auto Zab::learner_of(State& s, NodeId from, Epoch epoch, Effects& effects) -> Learner* {
    Learner* const found = s.memory.peer == Peer::leading ? learner(s, from) : nullptr;
    if (found == nullptr) {
        effects.send(from, Closed{});
    }
    return found != nullptr && epoch == s.memory.epoch ? found : nullptr;
}

// The new epoch is above all that a quorum, the leader among it, has accepted.
void Zab::on(State& s, const Context& ctx, NodeId from, const FollowerInfo& m, Effects& effects) {
    if (s.memory.peer != Peer::leading) {
        effects.send(from, Closed{});
        return;
    }
    Learner& l = entry_of(s.memory.learners, from);
    l.stage = Stage::connecting;
    l.deadline = s.memory.tick + ctx.options.init_limit + ctx.options.sync_limit;
    if (s.memory.phase == Phase::discovery) {
        s.memory.epoch = std::max(s.memory.epoch, m.accepted_epoch + 1);
        choose_epoch(s, ctx, effects);
    } else {
        next_step(s, l, effects);
    }
}

void Zab::choose_epoch(State& s, const Context& ctx, Effects& effects) {
    if (!has_quorum(s.memory.learners.size() + 1, ctx.members)) {
        return;
    }
    effects.note("proposes the new epoch {}", s.memory.epoch);
    s.disk.accepted_epoch = s.memory.epoch;
    effects.persist();
    s.memory.phase = Phase::acceptance;
    effects.set_timer(Timer::phase, ctx.options.init_time());
    for (Learner& l : s.memory.learners) {
        next_step(s, l, effects);
    }
    accept_epoch(s, ctx, effects);
}

// A follower whose history goes further shows that the election went wrong; it must not be cut.
void Zab::on(State& s, const Context& ctx, NodeId from, const AckEpoch& m, Effects& effects) {
    Learner* const l = learner_of(s, from, m.epoch, effects);
    if (l == nullptr || l->stage != Stage::connecting) {
        return;
    }
    l->stage = Stage::discovered;
    if (s.memory.phase != Phase::acceptance) {
        return next_step(s, *l, effects);
    }
    if (m.counts) {
        if (m.current_epoch > s.disk.current_epoch ||
            (m.current_epoch == s.disk.current_epoch && m.zxid > s.disk.last_zxid)) {
            effects.note("cannot lead node {}, whose history goes further", from);
            l->stage = Stage::gone;
            effects.send(from, Closed{});
            return;
        }
        l->accepted = true;
    }
    accept_epoch(s, ctx, effects);
}

void Zab::accept_epoch(State& s, const Context& ctx, Effects& effects) {
    const auto& learners = s.memory.learners;
    const auto accepted = static_cast<std::size_t>(std::count_if(
        learners.begin(), learners.end(), [](const Learner& l) { return l.accepted; }));
    if (!has_quorum(accepted + 1, ctx.members)) {
        return;
    }
    effects.note("has a quorum that accepts epoch {}", s.memory.epoch);
    s.disk.current_epoch = s.memory.epoch;
    effects.persist();
    s.memory.phase = Phase::synchronisation;
    effects.set_timer(Timer::phase, ctx.options.init_time());
    for (Learner& l : s.memory.learners) {
        if (l.stage == Stage::discovered) {
            next_step(s, l, effects);
        }
    }
    establish(s, ctx, effects);
}

void Zab::on(State& s, const Context& ctx, NodeId from, const Ack& m, Effects& effects) {
    Learner* const l = learner_of(s, from, m.epoch, effects);
    if (l == nullptr || l->stage == Stage::connecting || s.memory.phase < Phase::synchronisation) {
        return;
    }
    l->deadline = s.memory.tick + ctx.options.sync_limit;
    if (s.memory.phase == Phase::synchronisation) {
        l->stage = Stage::synchronised;
        l->acknowledged = true;
        establish(s, ctx, effects);
    } else if (l->stage == Stage::discovered) {
        l->stage = Stage::synchronised;
        next_step(s, *l, effects);
    } else {
        l->stage = Stage::broadcast;  // it answers UPTODATE
    }
}

void Zab::establish(State& s, const Context& ctx, Effects& effects) {
    const auto& learners = s.memory.learners;
    const auto acknowledged = static_cast<std::size_t>(std::count_if(
        learners.begin(), learners.end(), [](const Learner& l) { return l.acknowledged; }));
    if (!has_quorum(acknowledged + 1, ctx.members)) {
        return;
    }
    effects.note("leads epoch {}", s.memory.epoch);
    s.memory.phase = Phase::broadcast;
    s.memory.half = false;
    s.memory.decided.peer_epoch = s.memory.epoch;
    effects.cancel_timer(Timer::phase);
    effects.set_timer(Timer::tick, ctx.options.half_tick());
    for (Learner& l : s.memory.learners) {
        if (l.stage == Stage::synchronised) {
            next_step(s, l, effects);
        }
    }
}

// What a learner is waiting for, as far as the leader itself has come.
void Zab::next_step(const State& s, Learner& l, Effects& effects) {
    l.waited = false;
    const Epoch epoch = s.memory.epoch;
    switch (l.stage) {
        case Stage::connecting:
            if (s.memory.phase >= Phase::acceptance) {
                effects.send(l.node, LeaderInfo{epoch});
            }
            return;
        case Stage::discovered:
            if (s.memory.phase >= Phase::synchronisation) {
                effects.send(l.node, NewLeader{epoch, s.disk.last_zxid});
            }
            return;
        case Stage::synchronised:
            if (s.memory.phase == Phase::broadcast) {
                effects.send(l.node, UpToDate{epoch});
            }
            return;
        case Stage::broadcast: effects.send(l.node, Ping{epoch}); return;
        case Stage::gone: return;
    }
}

// Pings leave at every half tick. At every other one a tick has passed: then the leader counts who
// is still with it, and repeats what a learner has not answered for a tick.
void Zab::half_tick(State& s, const Context& ctx, Effects& effects) {
    s.memory.half = !s.memory.half;
    const bool tick = !s.memory.half;
    if (tick && s.memory.phase == Phase::broadcast) {
        ++s.memory.tick;
        close_silent(s, effects);
        const auto& learners = s.memory.learners;
        const auto with = std::count_if(learners.begin(), learners.end(),
                                        [](const Learner& l) { return l.stage != Stage::gone; });
        if (!has_quorum(static_cast<std::size_t>(with) + 1, ctx.members)) {
            effects.note("has lost its quorum of followers: looks again");
            return leave(s, ctx, effects);
        }
    }
    for (Learner& l : s.memory.learners) {
        if (l.stage == Stage::broadcast || (tick && l.waited)) {
            next_step(s, l, effects);
        } else {
            l.waited = l.waited || tick;
        }
    }
    effects.set_timer(Timer::tick, ctx.options.half_tick());
}

void Zab::close_silent(State& s, Effects& effects) {
    for (Learner& l : s.memory.learners) {
        if (l.stage != Stage::gone && s.memory.tick > l.deadline) {
            effects.note("has not heard node {} for too long: closes its connection", l.node);
            l.stage = Stage::gone;
            effects.send(l.node, Closed{});
        }
    }
}

std::vector<Promise<Zab>> Zab::invariants() {
    using Known = electionlab::Known<Zab>;
    return {
        {"epochs_never_decrease",
         [](const Known& before, const Known& after) {
             return after.disk.accepted_epoch >= before.disk.accepted_epoch &&
                    after.disk.current_epoch >= before.disk.current_epoch;
         }},
        {"accepts_before_it_takes_part",
         [](const Known&, const Known& after) {
             return after.disk.current_epoch <= after.disk.accepted_epoch;
         }},
        {"leader_keeps_its_epoch",
         [](const Known& before, const Known& after) {
             return !before.view.leads() || !after.view.leads() ||
                    before.view.epoch == after.view.epoch;
         }},
    };
}

std::vector<Property<Zab>> Zab::properties() {
    return {{"a_quorum_has_the_epoch_of_a_leader", [](const AllNodes<Zab>& nodes) {
                 for (NodeId node = 1; node <= nodes.members(); ++node) {
                     if (!nodes.view(node).leads()) {
                         continue;
                     }
                     std::size_t have = 0;
                     for (NodeId other = 1; other <= nodes.members(); ++other) {
                         have += nodes.state(other).disk.current_epoch >= nodes.view(node).epoch;
                     }
                     if (!has_quorum(have, nodes.members())) {
                         return false;
                     }
                 }
                 return true;
             }}};
}

}  // namespace electionlab

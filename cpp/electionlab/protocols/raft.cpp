#include "electionlab/protocols/raft.h"

#include <string>

namespace electionlab {

void RaftOptions::validate(NodeId nodes) const {
    if (election_timeout.min.ns <= 0) {
        invalid("election_timeout_ms", show(detail::option_value(election_timeout)),
                "both ends must be above 0");
    }
    if (heartbeat_interval.ns <= 0) {
        invalid("heartbeat_interval_ms", show(heartbeat_interval.to_ms()), "must be above 0");
    }
    if (tick.ns <= 0) {
        invalid("tick_ms", show(tick.to_ms()), "must be above 0");
    }
    const bool ticks = timeout_policy != TimeoutPolicy::redrawn &&
                       timeout_policy != TimeoutPolicy::drawn_once;
    if (ticks && (election_timeout.min.ns < tick.ns || tick.ns * 1'000'000 < election_timeout.max.ns)) {
        invalid("tick_ms", show(tick.to_ms()),
                "must be at most the minimum of election_timeout_ms and at least a millionth of it");
    }
    if (!logs.empty() && logs.size() != nodes) {
        invalid("logs", show(detail::option_value(logs)),
                "must be empty or have one entry for each of the " + std::to_string(nodes) + " nodes");
    }
    if (!terms.empty() && terms.size() != nodes) {
        invalid("terms", show(to_value(terms)),
                "must be empty or have one for each of the " + std::to_string(nodes) + " nodes");
    }
    variants.validate(nodes, election_timeout.min);
    if (variants.stickiness_by_ticks &&
        (timeout_policy != TimeoutPolicy::quantised || election_timeout.min < tick * 2)) {
        invalid("stickiness_by_ticks", "True",
                "needs timeout_policy='quantised' and a minimum of election_timeout_ms of two ticks");
    }
}

bool RaftOptions::up_to_date(const LogEnd& candidate, const LogEnd& own) const {
    if (has(RaftMutation::no_log_check)) {
        return true;
    }
    if (has(RaftMutation::length_only_log_check)) {
        return candidate.index >= own.index;
    }
    if (has(RaftMutation::longer_and_later_log_check)) {
        return candidate.index >= own.index && candidate.term >= own.term;
    }
    return at_least_as_up_to_date(candidate, own);
}

template <std::size_t MaxNodes>
About Raft<MaxNodes>::about() {
    return {.name = "raft",
            .title = "Raft leader election",
            .source = "Ongaro and Ousterhout, USENIX ATC 2014, sections 5.1, 5.2, 5.4.1",
            .assumptions = "crash faults, durable votes; time only for liveness",
            .cost = "2(n-1) messages per attempt",
            .weaknesses = "needs a majority; an isolated node inflates terms (see pre_vote)",
            .epochs = true,
            .majority = true};
}

template <std::size_t MaxNodes>
auto Raft<MaxNodes>::initial_disk(const Options& options, NodeId node) -> Disk {
    Disk disk;
    if (node <= options.logs.size()) {
        disk.last_log = options.logs[node - 1];
    }
    if (node <= options.terms.size()) {
        disk.current_term = options.terms[node - 1];
    }
    return disk;
}

// Servers start as followers (5.2). A warm start is the state in which everybody has just handled
// the first heartbeat of the leader of term 1.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader != no_node) {
        s.disk.current_term = 1;
        s.disk.voted_for = ctx.initial_leader;
        s.memory.leader = ctx.initial_leader;
        effects.persist();
    }
    if (ctx.initial_leader == ctx.self) {
        s.memory.role = Role::leader;
        effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
        begin_office(s, ctx, effects);
    } else {
        await_leader(ctx, effects);
        if (ctx.initial_leader != no_node && ctx.options.variants.minds_leader()) {
            heard_leader(s, ctx, effects);
        }
    }
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on_restart(State& s, const Context& ctx, Effects& effects) {
    if (ctx.options.has(RaftMutation::vote_not_persisted)) {
        s.disk.voted_for = no_node;
    }
    await_leader(ctx, effects);
    if (ctx.options.variants.reads == ReadPolicy::lease) {
        heard_leader(s, ctx, effects);  // perhaps it did, just before the crash: a lease may hold
    }
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::election:
            if (s.memory.role == Role::leader) {
                return review_office(s, ctx, effects);
            }
            if (s.memory.more.withholds_until == Instant::never()) {
                return minimum_is_near(s, ctx, effects);
            }
            if (!ctx.options.variants.priorities.empty() && waits_for_better(s, ctx, effects)) {
                return;
            }
            if (ctx.options.variants.pre_vote) {
                return ask_who_would_vote(s, ctx, effects);
            }
            effects.note("heard from no leader for an election timeout: stands for election");
            return stand_for_election(s, ctx, effects);
        case Timer::heartbeat: return send_heartbeats(s, ctx, effects);
        case Timer::retry: return repeat_vote_requests(s, ctx, effects);
    }
}

// All servers (Figure 2): a message with a newer term makes the receiver a follower of that term.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                                Effects& effects) {
    std::visit(
        [&]<class Kind>(const Kind& m) {
            if constexpr (std::same_as<Kind, VoteRequest>) {  // thesis, 4.2.3
                if (m.term > s.disk.current_term && ctx.options.variants.withholds_votes() &&
                    hears_leader(s, ctx)) {
                    effects.note("ignores the request of node {}: there is a leader", from);
                    return;
                }
            }
            if constexpr (requires { m.term; }) {
                if (m.term > s.disk.current_term) {
                    adopt_term(s, ctx, m.term, effects);
                }
            }
            on(s, ctx, from, m, effects);
        },
        message);
}

// RequestVote, receiver (Figure 2, 5.2, 5.4.1).
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const VoteRequest& m,
                        Effects& effects) {
    const bool granted = accepts(s, ctx, from, effects) && grants_vote(s, ctx, from, m, effects);
    effects.send(from, VoteReply{s.disk.current_term, granted});
}

template <std::size_t MaxNodes>
bool Raft<MaxNodes>::grants_vote(State& s, const Context& ctx, NodeId from, const VoteRequest& m,
                                 Effects& effects) {
    if (m.term < s.disk.current_term) {
        effects.note("refuses: the request's term {} is old, this node is in term {}", m.term,
                     s.disk.current_term);
    } else if (s.disk.voted_for != no_node && s.disk.voted_for != from &&
               !ctx.options.has(RaftMutation::double_vote)) {
        effects.note("refuses: its vote of term {} went to node {}", m.term, s.disk.voted_for);
    } else if (!ctx.options.up_to_date(m.last_log, s.disk.last_log)) {
        effects.note("refuses: the candidate's log is behind its own");
    } else {
        if (s.disk.voted_for != from) {
            s.disk.voted_for = from;
            effects.persist();  // the vote is on the disk before the answer leaves
        }
        // Only a granted vote starts the timer anew; a refusal must not delay a better candidate.
        await_leader(ctx, effects);
        if (s.memory.more.polling) {
            stop_asking(s, effects);
        }
        effects.note("grants its vote of term {} to node {}", m.term, from);
        return true;
    }
    return false;
}

// RequestVote, answer at the candidate (5.2).
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const VoteReply& m,
                        Effects& effects) {
    const bool of_this_term = m.term == s.disk.current_term ||
                              ctx.options.has(RaftMutation::stale_grants_counted);
    if (s.memory.role != Role::candidate || !of_this_term) {
        effects.note("ignores an answer that comes too late to matter");
        return;
    }
    s.memory.answered.insert(from);
    if (!m.granted) {
        return;
    }
    if (ctx.options.has(RaftMutation::answers_counted)) {
        while (s.memory.votes.contains(from)) {  // a mere count: any node stands for one more
            from = from % ctx.members + 1;
        }
    }
    s.memory.votes.insert(from);  // a set: a duplicated answer counts once
    effects.note("has {} of {} votes", static_cast<std::int64_t>(s.memory.votes.size()), ctx.members);
    if (ctx.options.variants.is_quorum(s.memory.votes, ctx.members)) {
        become_leader(s, ctx, effects);
    }
}

// AppendEntries without entries, receiver (5.2).
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const Heartbeat& m,
                        Effects& effects) {
    if (m.term < s.disk.current_term && s.memory.leader == no_node &&
        ctx.options.has(RaftMutation::two_term_variables)) {
        effects.note("goes back to term {}: it has followed no leader of a newer one", m.term);
        s.disk.current_term = m.term;
        s.disk.voted_for = from;
    }
    if (m.term < s.disk.current_term) {
        effects.note("refuses a leader of the old term {}", m.term);
    } else {
        const bool steps_down = s.memory.role != Role::follower || s.memory.more.polling;
        if (ctx.options.has(RaftMutation::vote_cleared_by_leader) ||
            (steps_down && ctx.options.has(RaftMutation::vote_cleared_on_step_down))) {
            s.disk.voted_for = no_node;
        }
        follow(s, ctx, from, effects);
    }
    effects.send(from, HeartbeatReply{s.disk.current_term});
}

// A newer term in the answer has already made a stale leader step down.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const HeartbeatReply&, Effects&) {
    if (ctx.options.variants.check_quorum) {
        heard_follower(s, ctx, from);
    }
}

// Candidates (5.2): new term, vote for oneself, new timeout, ask everybody.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::stand_for_election(State& s, const Context& ctx, Effects& effects, bool told) {
    ++s.disk.current_term;
    s.disk.voted_for = ctx.self;
    if (!ctx.options.has(RaftMutation::candidacy_not_persisted)) {
        effects.persist();
    }
    s.memory.role = Role::candidate;
    s.memory.leader = no_node;
    s.memory.more.polling = false;
    s.memory.more.transferred = told;
    s.memory.votes.clear();
    s.memory.votes.insert(ctx.self);
    s.memory.answered.clear();
    s.memory.answered.insert(ctx.self);
    await_leader(ctx, effects);
    forget_leader(s, ctx);
    if (ctx.options.variants.is_quorum(s.memory.votes, ctx.members)) {
        return become_leader(s, ctx, effects);  // a cluster of one
    }
    ask_voters(s, ctx, true, effects);
    if (ctx.options.retry_interval.ns > 0) {
        effects.set_timer(Timer::retry, TimerSpec::fixed(ctx.options.retry_interval));
    }
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::become_leader(State& s, const Context& ctx, Effects& effects) {
    s.memory.role = Role::leader;
    s.memory.leader = ctx.self;
    effects.cancel_timer(Timer::election);
    effects.cancel_timer(Timer::retry);
    effects.note("leads term {}", s.disk.current_term);
    begin_office(s, ctx, effects);
    send_heartbeats(s, ctx, effects);
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::adopt_term(State& s, const Context& ctx, Term term, Effects& effects) {
    effects.note("adopts the newer term {}", term);
    if (s.memory.role == Role::leader) {  // leaders have no election timer running
        effects.cancel_timer(Timer::heartbeat);
        await_leader(ctx, effects);
        leave_office(s, effects);
    } else if (s.memory.role == Role::candidate) {
        effects.cancel_timer(Timer::retry);
    } else if (s.memory.more.polling) {
        stop_asking(s, effects);
    }
    s.disk.current_term = term;
    s.disk.voted_for = no_node;
    effects.persist();
    s.memory.role = Role::follower;
    s.memory.leader = no_node;
    if (ctx.options.variants.stickiness_by_ticks) {
        forget_leader(s, ctx);
        await_leader(ctx, effects);  // etcd counts anew in each term
    }
}

// Leaders (5.2): heartbeats at once on election and then at every interval.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::send_heartbeats(State& s, const Context& ctx, Effects& effects) {
    if (ctx.options.variants.reads == ReadPolicy::lease || s.memory.more.rounds.open != 0) {
        send_round(s, ctx, effects);
    } else {
        effects.broadcast(Heartbeat{s.disk.current_term});
    }
    effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
}

// Requests are repeated until they are answered (5.1).
template <std::size_t MaxNodes>
void Raft<MaxNodes>::repeat_vote_requests(State& s, const Context& ctx, Effects& effects) {
    ask_voters(s, ctx, false, effects);
    effects.set_timer(Timer::retry, TimerSpec::fixed(ctx.options.retry_interval));
}

template <std::size_t MaxNodes>
bool Raft<MaxNodes>::is_stale(const State& s, const Context& ctx, const Message& message) {
    if (!ctx.options.mutations.empty()) {
        return false;  // with some of them terms decrease, or old answers count
    }
    const Term current = s.disk.current_term;
    if (const auto* reply = std::get_if<VoteReply>(&message)) {
        return reply->term < current ||
               (reply->term == current && s.memory.role != Role::candidate);
    }
    const auto* reply = std::get_if<HeartbeatReply>(&message);
    return reply != nullptr && reply->term <= current && !ctx.options.variants.check_quorum;
}

template <std::size_t MaxNodes>
std::vector<Promise<Raft<MaxNodes>>> Raft<MaxNodes>::invariants() {
    using Known = electionlab::Known<Raft>;
    return {
        {"term_never_decreases",
         [](const Known& before, const Known& after) {
             return after.disk.current_term >= before.disk.current_term;
         }},
        {"one_vote_per_term",
         [](const Known& before, const Known& after) {
             return after.disk.current_term != before.disk.current_term ||
                    before.disk.voted_for == no_node ||
                    after.disk.voted_for == before.disk.voted_for;
         }},
        {"leader_keeps_its_term",
         [](const Known& before, const Known& after) {
             return !before.view.leads() || !after.view.leads() ||
                    before.view.epoch == after.view.epoch;
         }},
    };
}

template struct Raft<64>;
template struct Raft<10240>;

}  // namespace electionlab

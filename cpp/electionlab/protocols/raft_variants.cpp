// What raft.h declares beyond Figure 2; sources and deviations stand in raft_variants.h.
#include "electionlab/protocols/raft_variants.h"

#include <string>

#include "electionlab/protocols/raft.h"

namespace electionlab {

// --- options --------------------------------------------------------------------------------------

namespace {

void check_nodes(const std::vector<NodeId>& ids, NodeId nodes, std::string_view name) {
    for (const NodeId id : ids) {
        if (id < 1 || id > nodes || std::ranges::count(ids, id) > 1) {
            invalid(std::string(name), show(to_value(ids)),
                    "must be different nodes from 1 to " + std::to_string(nodes));
        }
    }
}

}  // namespace

void RaftVariants::validate(NodeId nodes, Duration least_timeout) const {
    const std::string all = std::to_string(nodes);
    if (clock_drift_bound_ppm < 0 || clock_drift_bound_ppm > 999'999) {
        invalid("clock_drift_bound_ppm", std::to_string(clock_drift_bound_ppm),
                "must be from 0 to 999999");
    }
    if (reads == ReadPolicy::lease && lease(least_timeout).ns < 1) {
        invalid("clock_drift_bound_ppm", std::to_string(clock_drift_bound_ppm),
                "leaves no lease of the minimum of election_timeout_ms");
    }
    constexpr std::int64_t highest = 1'000'000'000;
    if (!priorities.empty() &&
        (priorities.size() != nodes ||
         std::ranges::any_of(priorities, [](auto p) { return p < 0 || p > highest; }))) {
        invalid("priorities", show(to_value(priorities)),
                "must be empty or have one from 0 to 1000000000 for each of the " + all + " nodes");
    }
    check_nodes(non_voters, nodes, "non_voters");
    check_nodes(witnesses, nodes, "witnesses");
    for (const NodeId node : witnesses) {
        if (!may_vote(node)) {
            invalid("witnesses", show(to_value(witnesses)), "must not be among non_voters");
        }
    }
    bool somebody = false;
    for (NodeId node = 1; node <= nodes; ++node) {
        somebody = somebody || may_stand(node);
    }
    if (!somebody) {
        const std::string_view name = !non_voters.empty()  ? "non_voters"
                                      : !witnesses.empty() ? "witnesses"
                                                           : "priorities";
        invalid(std::string(name),
                show(name == "priorities"   ? to_value(priorities)
                     : name == "non_voters" ? to_value(non_voters)
                                            : to_value(witnesses)),
                "must leave a node that may stand for election");
    }
    const bool by_name = quorum.kind == Quorum::Kind::weighted || quorum.kind == Quorum::Kind::listed;
    quorum.validate(by_name ? nodes : voters(nodes), "quorum");
    for (const NodeId node : non_voters) {
        const bool counts =
            (quorum.kind == Quorum::Kind::weighted && quorum.weights[node - 1] > 0) ||
            (quorum.kind == Quorum::Kind::listed &&
             std::ranges::any_of(quorum.sets, [&](const IdList& set) { return set.contains(node); }));
        if (counts) {
            invalid("quorum", show(quorum.to_value()),
                    "must not count node " + std::to_string(node) + ", which is among non_voters");
        }
    }
}

// In whole nanoseconds, rounded down, and without a product that could overflow.
Duration RaftVariants::lease(Duration timeout) const {
    constexpr std::int64_t million = 1'000'000;
    const std::int64_t slow = million - clock_drift_bound_ppm, fast = million + clock_drift_bound_ppm;
    return {timeout.ns / fast * slow + timeout.ns % fast * slow / fast};
}

template <std::size_t MaxNodes>
std::string Raft<MaxNodes>::why_no_leader(const Options& options, std::span<const View> views) {
    NodeSet<MaxNodes> voters;
    std::size_t live = 0;
    bool somebody = false;
    for (NodeId node = 1; node <= views.size(); ++node) {
        const Role role = views[node - 1].role;
        if (role != Role::down && role != Role::paused) {
            ++live;
            somebody = somebody || options.variants.may_stand(node);
            if (options.variants.may_vote(node)) {
                voters.insert(node);
            }
        }
    }
    const auto members = static_cast<NodeId>(views.size());
    const std::string up = std::to_string(live) + (live == 1 ? " node is up" : " nodes are up");
    if (!options.variants.is_quorum(voters, members)) {
        const NodeId all = options.variants.voters(members);
        return "no leader is possible: " + up +
               (options.variants.quorum.kind != Quorum::Kind::majority
                    ? ", and these are no quorum"
                    : (all < members ? ", " + std::to_string(voters.size()) + " with a vote" : "") +
                          ", and a quorum of " + std::to_string(all) + " needs " +
                          std::to_string(quorum_size(all)));
    }
    return somebody ? "" : "no leader is possible: " + up + ", and none of them may stand";
}

// --- withheld votes (thesis, 4.2.3) ---------------------------------------------------------------

template <std::size_t MaxNodes>
bool Raft<MaxNodes>::hears_leader(const State& s, const Context& ctx) {
    return s.memory.role == Role::leader ||
           (s.memory.more.withholds && ctx.clock < s.memory.more.withholds_until);
}

// A newer term does not end it: a lease may depend on the silence that was promised.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::heard_leader(State& s, const Context& ctx, Effects& effects) {
    s.memory.more.withholds = true;
    s.memory.more.withholds_until = ctx.clock + ctx.options.election_timeout.min;
    if (ctx.options.variants.stickiness_by_ticks) {
        s.memory.more.withholds_until = Instant::never();
        effects.set_timer(Timer::election, ctx.options.minimum_timer());
    }
    s.memory.more.target_priority = 0;
    if (s.memory.more.polling) {
        stop_asking(s, effects);
    }
}

// Only the election timer counts the node's ticks: it tells when the one before the minimum is.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::minimum_is_near(State& s, const Context& ctx, Effects& effects) {
    effects.note("has not heard its leader for an election timeout, less a tick");
    s.memory.more.withholds_until = ctx.clock + ctx.options.tick;
    if (times_out(ctx)) {
        effects.set_timer(Timer::election, ctx.options.rest_timer());
    }
}

// Whether this node would vote for that one at all, whatever term and log.
template <std::size_t MaxNodes>
bool Raft<MaxNodes>::accepts(const State& s, const Context& ctx, NodeId candidate, Effects& effects) {
    const RaftVariants& variants = ctx.options.variants;
    if (!variants.may_vote(ctx.self)) {
        effects.note("refuses: it has no vote");
        return false;
    }
    if (!variants.priorities.empty() && variants.priority(candidate) < target_priority(s, ctx)) {
        effects.note("refuses: the priority of node {} is below {}", candidate,
                     target_priority(s, ctx));
        return false;
    }
    return true;
}

// --- priorities (NuRaft) --------------------------------------------------------------------------

template <std::size_t MaxNodes>
std::int64_t Raft<MaxNodes>::target_priority(const State& s, const Context& ctx) {
    return s.memory.more.target_priority > 0 ? s.memory.more.target_priority
                                             : ctx.options.variants.top_priority();
}

// The first timeout after a leader's silence compares with the highest priority of all; each one
// after it with a target that is lower by a fifth, and by 10 at least.
template <std::size_t MaxNodes>
bool Raft<MaxNodes>::waits_for_better(State& s, const Context& ctx, Effects& effects) {
    std::int64_t& target = s.memory.more.target_priority;
    if (target == 0) {
        target = ctx.options.variants.top_priority();
    } else {
        target = std::max<std::int64_t>(1, target - std::max<std::int64_t>(10, target / 5));
    }
    const std::int64_t own = ctx.options.variants.priority(ctx.self);
    if (own >= target && ctx.options.variants.may_stand(ctx.self)) {
        return false;
    }
    if (own < target) {
        effects.note("does not stand: its priority {} is below {}", own, target);
    }
    s.memory.leader = no_node;
    await_leader(ctx, effects);
    return true;
}

// --- PreVote (thesis, 9.6) ------------------------------------------------------------------------

template <std::size_t MaxNodes>
void Raft<MaxNodes>::ask_who_would_vote(State& s, const Context& ctx, Effects& effects) {
    effects.note("heard from no leader for an election timeout: asks who would vote for it");
    if (s.memory.role == Role::candidate) {
        effects.cancel_timer(Timer::retry);
    }
    s.memory.role = Role::follower;
    s.memory.leader = no_node;
    if (ctx.options.has(RaftMutation::precandidate_keeps_leader)) {
        s.memory.more.withholds_until = ctx.clock + ctx.options.election_timeout.min;
    }
    forget_leader(s, ctx);
    s.memory.more.polling = true;
    s.memory.votes.clear();
    s.memory.votes.insert(ctx.self);
    s.memory.answered.clear();
    s.memory.answered.insert(ctx.self);
    if (ctx.options.variants.is_quorum(s.memory.votes, ctx.members)) {
        return stand_for_election(s, ctx, effects);
    }
    await_leader(ctx, effects);
    ask_voters(s, ctx, true, effects);
    if (ctx.options.retry_interval.ns > 0) {
        effects.set_timer(Timer::retry, TimerSpec::fixed(ctx.options.retry_interval));
    }
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::stop_asking(State& s, Effects& effects) {
    s.memory.more.polling = false;
    effects.cancel_timer(Timer::retry);
}

// Nothing is promised: neither term nor vote changes, and no timer starts anew.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const PreVoteRequest& m,
                        Effects& effects) {
    if (m.next_term < s.disk.current_term &&
        ctx.options.has(RaftMutation::prevote_ignores_lower_term)) {
        return effects.note("ignores a question about the old term {}", m.next_term);
    }
    bool granted = false;
    const bool voted_for_another = m.next_term == s.disk.current_term &&
                                   s.disk.voted_for != no_node && s.disk.voted_for != from;
    if (hears_leader(s, ctx)) {
        effects.note("would not vote for node {}: there is a leader", from);
    } else if (m.next_term < s.disk.current_term || voted_for_another) {
        effects.note("would not vote for node {} in term {}", from, m.next_term);
    } else if (!ctx.options.up_to_date(m.last_log, s.disk.last_log)) {
        effects.note("would not vote for node {}: its log is behind", from);
    } else if (accepts(s, ctx, from, effects)) {
        granted = true;
        effects.note("would vote for node {} in term {}", from, m.next_term);
    }
    effects.send(from, PreVoteReply{s.disk.current_term, m.next_term, granted});
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const PreVoteReply& m,
                        Effects& effects) {
    if (!s.memory.more.polling || m.next_term != s.disk.current_term + 1) {
        return;
    }
    if (m.term < s.disk.current_term && ctx.options.has(RaftMutation::prevote_ignores_lower_term)) {
        return effects.note("ignores an answer from the old term {}", m.term);
    }
    s.memory.answered.insert(from);
    if (!m.granted) {
        return;
    }
    s.memory.votes.insert(from);
    if (ctx.options.variants.is_quorum(s.memory.votes, ctx.members)) {
        effects.note("{} of {} would vote for it: stands for election",
                     static_cast<std::int64_t>(s.memory.votes.size()), ctx.members);
        stand_for_election(s, ctx, effects);
    }
}

// The request of the moment, to all voters or to those that have not answered.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::ask_voters(const State& s, const Context& ctx, bool all, Effects& effects) {
    const Message request =
        s.memory.more.polling
            ? Message(PreVoteRequest{s.disk.current_term + 1, s.disk.last_log})
        : s.memory.more.transferred
            ? Message(TransferVoteRequest{s.disk.current_term, s.disk.last_log})
            : Message(VoteRequest{s.disk.current_term, s.disk.last_log});
    if (all && ctx.options.variants.non_voters.empty()) {
        return effects.broadcast(request);
    }
    for (NodeId node = 1; node <= ctx.members; ++node) {
        if (!s.memory.answered.contains(node) && ctx.options.variants.may_vote(node)) {
            effects.send(node, request);
        }
    }
}

// --- the leader in office: CheckQuorum (thesis, 6.2) and leadership transfer (3.10) ---------------

template <std::size_t MaxNodes>
void Raft<MaxNodes>::begin_office(State& s, const Context& ctx, Effects& effects) {
    RaftVariantMemory<MaxNodes>& more = s.memory.more;
    more.rounds = {};
    more.leased = more.lease_given_up = false;
    more.transfer_to = no_node;
    if (ctx.options.variants.check_quorum) {
        s.memory.answered.clear();
        s.memory.answered.insert(ctx.self);
        effects.set_timer(Timer::election, ctx.options.quorum_timer());
    }
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::leave_office(State& s, Effects& effects) {
    RaftVariantMemory<MaxNodes>& more = s.memory.more;
    more.transfer_to = no_node;
    more.leased = false;
    more.rounds = {};
    const std::int64_t unanswered = more.reads.waiting + more.reads.queued;
    if (unanswered > 0) {
        effects.note("leaves {} reads unanswered: it leads no longer", unanswered);
        more.reads.refused += unanswered;
        more.reads.waiting = more.reads.queued = 0;
    }
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::heard_follower(State& s, const Context& ctx, NodeId from) {
    if (s.memory.role == Role::leader && ctx.options.variants.may_vote(from)) {
        s.memory.answered.insert(from);
    }
}

// A quorum timeout is over.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::review_office(State& s, const Context& ctx, Effects& effects) {
    if (s.memory.more.transfer_to != no_node) {
        effects.note("no longer hands over to node {}: it takes too long", s.memory.more.transfer_to);
        s.memory.more.transfer_to = no_node;
    }
    if (!ctx.options.variants.check_quorum) {
        return;
    }
    if (!ctx.options.variants.is_quorum(s.memory.answered, ctx.members)) {
        effects.note("steps down: no quorum has answered for a quorum timeout");
        effects.cancel_timer(Timer::heartbeat);
        leave_office(s, effects);
        s.memory.role = Role::follower;
        s.memory.leader = no_node;
        return await_leader(ctx, effects);
    }
    s.memory.answered.clear();
    s.memory.answered.insert(ctx.self);
    effects.set_timer(Timer::election, ctx.options.quorum_timer());
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on_command(State& s, const Context& ctx, const Command& command,
                                Effects& effects) {
    std::visit([&](const auto& asked) { on(s, ctx, asked, effects); }, command);
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, const TransferLeadership& asked,
                        Effects& effects) {
    RaftVariantMemory<MaxNodes>& more = s.memory.more;
    if (s.memory.role != Role::leader) {
        return effects.note("cannot hand over: it does not lead");
    }
    if (asked.to < 1 || asked.to > ctx.members || asked.to == ctx.self ||
        !ctx.options.variants.may_stand(asked.to)) {
        return effects.note("cannot hand over to node {}", asked.to);
    }
    effects.note("hands over to node {}", asked.to);
    more.transfer_to = asked.to;
    if (!ctx.options.has(RaftMutation::transfer_keeps_lease)) {
        more.lease_given_up = true;  // for all of this term: the target may be told late
        more.leased = false;
    }
    effects.send(asked.to, TimeoutNow{s.disk.current_term});
    effects.set_timer(Timer::election, ctx.options.quorum_timer());
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const TimeoutNow& m,
                        Effects& effects) {
    if (m.term < s.disk.current_term || s.memory.role == Role::leader ||
        !ctx.options.variants.may_stand(ctx.self)) {
        return effects.note("does not take over from node {}", from);
    }
    effects.note("takes over from node {}: stands for election", from);
    if (s.memory.more.polling) {
        stop_asking(s, effects);
    }
    stand_for_election(s, ctx, effects, true);
}

// Neither a leader that is heard nor a priority stands against it: the leader wants it so.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const TransferVoteRequest& m,
                        Effects& effects) {
    const bool granted = ctx.options.variants.may_vote(ctx.self) &&
                         grants_vote(s, ctx, from, VoteRequest{m.term, m.last_log}, effects);
    effects.send(from, VoteReply{s.disk.current_term, granted});
}

// --- reads (thesis, 6.4 and 6.4.1) ----------------------------------------------------------------

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, const Read&, Effects& effects) {
    RaftVariantMemory<MaxNodes>& more = s.memory.more;
    if (s.memory.role != Role::leader || more.transfer_to != no_node) {
        effects.note(s.memory.role == Role::leader ? "refuses the read: it hands over"
                                                   : "refuses the read: it does not lead");
        ++more.reads.refused;
        return;
    }
    if (ctx.options.variants.reads == ReadPolicy::unchecked) {
        effects.note("answers the read of term {} unchecked", s.disk.current_term);
        ++more.reads.answered;
    } else if (more.leased && ctx.clock < more.lease_until) {
        effects.note("answers the read of term {}: its lease lasts {} us longer",
                     s.disk.current_term, (more.lease_until - ctx.clock).ns / 1000);
        ++more.reads.answered;
    } else {
        confirm(s, ctx, effects);
    }
}

// A round that was sent before the read was asked tells nothing about the moment of the read.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::confirm(State& s, const Context& ctx, Effects& effects) {
    RaftVariantMemory<MaxNodes>& more = s.memory.more;
    if (more.rounds.open != 0) {
        effects.note("waits with the read for the next round of heartbeats");
        ++more.reads.queued;
        return;
    }
    effects.note("waits with the read until a quorum confirms that it leads");
    ++more.reads.waiting;
    send_round(s, ctx, effects);
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::send_round(State& s, const Context& ctx, Effects& effects) {
    auto& rounds = s.memory.more.rounds;
    ++rounds.sent;
    effects.broadcast(RoundHeartbeat{s.disk.current_term, rounds.sent});
    if (rounds.open == 0) {
        rounds.open = rounds.sent;
        rounds.opened = ctx.clock;
        rounds.acknowledged.clear();
        rounds.acknowledged.insert(ctx.self);
        close_round(s, ctx, effects);  // a leader that is a quorum by itself
    }
}

// If a quorum has acknowledged the open round, nobody else was elected before it was sent.
template <std::size_t MaxNodes>
void Raft<MaxNodes>::close_round(State& s, const Context& ctx, Effects& effects) {
    RaftVariantMemory<MaxNodes>& more = s.memory.more;
    if (!ctx.options.variants.is_quorum(more.rounds.acknowledged, ctx.members)) {
        return;
    }
    more.rounds.open = 0;
    if (ctx.options.variants.reads == ReadPolicy::lease && !more.lease_given_up) {
        more.leased = true;
        more.lease_until =
            more.rounds.opened + ctx.options.variants.lease(ctx.options.election_timeout.min);
    }
    if (more.reads.waiting > 0) {
        effects.note("answers reads that waited, {} in all: a quorum has confirmed term {}", more.reads.waiting,
                     s.disk.current_term);
        more.reads.answered += more.reads.waiting;
    }
    more.reads.waiting = std::exchange(more.reads.queued, 0);
    if (more.reads.waiting > 0) {
        send_round(s, ctx, effects);
    }
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const RoundHeartbeat& m,
                        Effects& effects) {
    if (m.term < s.disk.current_term) {
        effects.note("refuses a leader of the old term {}", m.term);
    } else {
        follow(s, ctx, from, effects);
    }
    effects.send(from, RoundHeartbeatReply{s.disk.current_term, m.round});
}

template <std::size_t MaxNodes>
void Raft<MaxNodes>::on(State& s, const Context& ctx, NodeId from, const RoundHeartbeatReply& m,
                        Effects& effects) {
    auto& rounds = s.memory.more.rounds;
    if (s.memory.role != Role::leader || m.term != s.disk.current_term ||
        !ctx.options.variants.may_vote(from)) {
        return;
    }
    if (ctx.options.variants.check_quorum) {
        heard_follower(s, ctx, from);
    }
    if (rounds.open != 0 && m.round >= rounds.open) {
        rounds.acknowledged.insert(from);
        close_round(s, ctx, effects);
    }
}

// raft.cpp instantiates what it defines, and so does this file.
#define EL_RAFT_VARIANTS(R)                                                                        \
    template std::string R::why_no_leader(const Options&, std::span<const View>);                 \
    template void R::on(State&, const Context&, NodeId, const PreVoteRequest&, Effects&);         \
    template void R::on(State&, const Context&, NodeId, const PreVoteReply&, Effects&);           \
    template void R::on(State&, const Context&, NodeId, const TimeoutNow&, Effects&);             \
    template void R::on(State&, const Context&, NodeId, const TransferVoteRequest&, Effects&);    \
    template void R::on(State&, const Context&, NodeId, const RoundHeartbeat&, Effects&);         \
    template void R::on(State&, const Context&, NodeId, const RoundHeartbeatReply&, Effects&);    \
    template void R::on(State&, const Context&, const TransferLeadership&, Effects&);             \
    template void R::on(State&, const Context&, const Read&, Effects&);                           \
    template void R::on_command(State&, const Context&, const Command&, Effects&);                \
    template bool R::accepts(const State&, const Context&, NodeId, Effects&);                     \
    template bool R::hears_leader(const State&, const Context&);                                  \
    template void R::heard_leader(State&, const Context&, Effects&);                              \
    template void R::minimum_is_near(State&, const Context&, Effects&);                           \
    template void R::heard_follower(State&, const Context&, NodeId);                              \
    template bool R::waits_for_better(State&, const Context&, Effects&);                          \
    template std::int64_t R::target_priority(const State&, const Context&);                       \
    template void R::ask_who_would_vote(State&, const Context&, Effects&);                        \
    template void R::stop_asking(State&, Effects&);                                               \
    template void R::ask_voters(const State&, const Context&, bool, Effects&);                    \
    template void R::begin_office(State&, const Context&, Effects&);                              \
    template void R::leave_office(State&, Effects&);                                              \
    template void R::review_office(State&, const Context&, Effects&);                             \
    template void R::confirm(State&, const Context&, Effects&);                                   \
    template void R::send_round(State&, const Context&, Effects&);                                \
    template void R::close_round(State&, const Context&, Effects&);

EL_RAFT_VARIANTS(Raft<64>)
EL_RAFT_VARIANTS(Raft<10240>)
#undef EL_RAFT_VARIANTS

}  // namespace electionlab

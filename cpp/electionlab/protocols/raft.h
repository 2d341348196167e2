// Raft leader election: randomised timeouts, one vote per term, a majority decides.
//
// Source:      D. Ongaro and J. Ousterhout, "In Search of an Understandable Consensus Algorithm",
//              USENIX ATC 2014: Figure 2, sections 5.1, 5.2 and 5.4.1.
// Modelled:    terms, three roles, votes made durable before they are answered, heartbeats (empty
//              AppendEntries), the up-to-date rule by last term and then index, retried requests.
//              What is not in Figure 2 (PreVote, CheckQuorum, leases, ...) is off by default and
//              stands apart: raft_variants.h and raft_variants.cpp.
// Left out:    log replication (a node's log is its last term and index, given), membership change.
// Deviations:  none known. Retries (5.1) are off by default: a candidate then just times out.
// Assumptions: crash faults, a disk that keeps what was written; safety needs no timing at all,
//              liveness needs broadcast time << election timeout << time between failures (5.6).
// Cost:        n-1 vote requests and n-1 answers per attempt; the number of attempts is unbounded.
// Weaknesses:  a node that cannot hear the leader disturbs it with ever higher terms (see pre_vote).
// Scenarios:   tests/scenarios/raft/
#pragma once

#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "electionlab/core/inlining.h"
#include "electionlab/node/mutations.h"
#include "electionlab/node/protocol.h"
#include "electionlab/protocols/raft_variants.h"

namespace electionlab {

using Term = Epoch;

/// The end of a node's log: all that an election looks at (5.4.1).
struct LogEnd {
    Term term = 0;           ///< term of the last entry
    std::int64_t index = 0;  ///< its index; 0: the log is empty

    EL_FIELDS(LogEnd, term, index)
};

/// Whether a log that ends in `a` is at least as up-to-date as one that ends in `b`: the later
/// last term wins; in the same term the longer log (5.4.1).
constexpr bool at_least_as_up_to_date(const LogEnd& a, const LogEnd& b) {
    return a.term != b.term ? a.term > b.term : a.index >= b.index;
}

/// Documented bugs, for the museum; see docs/museum.md.
enum class RaftMutation : std::uint8_t {
    double_vote,                ///< a voter does not look whom it voted for
    vote_not_persisted,         ///< the disk has the term, and not the vote in it
    candidacy_not_persisted,    ///< who stands writes neither its new term nor its own vote
    vote_cleared_by_leader,     ///< who hears the leader of its term forgets its vote
    vote_cleared_on_step_down,  ///< who gives way to a leader of its own term forgets its vote
    no_log_check,               ///< a voter does not compare logs
    length_only_log_check,      ///< a voter compares the lengths of the logs alone
    longer_and_later_log_check, ///< a log must not be behind in length nor in its last term
    answers_counted,            ///< a candidate counts granted votes, whoever sent them
    stale_grants_counted,       ///< a candidate counts votes of its earlier terms
    two_term_variables,         ///< heartbeats are compared with the term of the last leader
    removed_server_campaigns,   ///< who has no vote stands for election nevertheless
    prevote_ignores_lower_term, ///< PreVote's messages of older terms are passed over in silence
    precandidate_keeps_leader,  ///< who asks for PreVotes takes its leader for alive once more
    transfer_keeps_lease,       ///< a leader that hands over keeps its lease
};
constexpr std::string_view enum_name(RaftMutation mutation) {
    constexpr std::string_view names[] = {
        "double_vote", "vote_not_persisted", "candidacy_not_persisted", "vote_cleared_by_leader",
        "vote_cleared_on_step_down", "no_log_check", "length_only_log_check",
        "longer_and_later_log_check", "answers_counted", "stale_grants_counted",
        "two_term_variables", "removed_server_campaigns", "prevote_ignores_lower_term",
        "precandidate_keeps_leader", "transfer_keeps_lease"};
    return static_cast<std::size_t>(mutation) < std::size(names)
               ? names[static_cast<std::size_t>(mutation)]
               : "";
}

struct RaftOptions {
    DurationRange election_timeout{ms(150), ms(300)};
    Duration heartbeat_interval = ms(50);
    TimeoutPolicy timeout_policy = TimeoutPolicy::redrawn;
    Duration tick = ms(1);
    Duration retry_interval{};
    std::vector<LogEnd> logs;
    std::vector<Term> terms;
    RaftVariants variants;
    Mutations<RaftMutation> mutations;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("election_timeout_ms", self.election_timeout,
               "Range of the election timeout, both ends included; above the heartbeat interval.");
        option("heartbeat_interval_ms", self.heartbeat_interval,
               "Time between a leader's heartbeats; above 0.");
        option("timeout_policy", self.timeout_policy,
               "How a timeout is drawn from its range: anew at every arming (the paper), once per "
               "start, anew at each tick past the minimum, as a whole number of ticks (etcd), or "
               "anew and rounded to whole ticks (LogCabin).");
        option("tick_ms", self.tick, "Length of a tick for the policies with ticks; above 0.");
        option("retry_interval_ms", self.retry_interval,
               "A candidate repeats its request to nodes that have not answered; 0: never.");
        option("logs", self.logs,
               "End of each node's log as (last term, last index), node 1 first; empty: all equal.");
        option("terms", self.terms,
               "Term that each node's disk has at first, node 1 first; empty: all 0.");
        RaftVariants::describe(self.variants, option);
        option("mutations", self.mutations, "Bugs to be put in, by name; see docs/museum.md.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        return late_heartbeats(heartbeat_interval, "election_timeout_ms", election_timeout);
    }

    [[nodiscard]] bool has(RaftMutation mutation) const { return mutations.has(mutation); }
    /// Whether a candidate's log may win the vote of a node with that log (5.4.1).
    [[nodiscard]] bool up_to_date(const LogEnd& candidate, const LogEnd& own) const;
    [[nodiscard]] TimerSpec election_timer() const {
        return {election_timeout.min, election_timeout.max, timeout_policy, tick};
    }
    /// `election_timer` in two parts, for `stickiness_by_ticks`: to the tick before the minimum, and
    /// from there.
    [[nodiscard]] TimerSpec minimum_timer() const {
        const Duration most = tick * (election_timeout.min.ns / tick.ns - 1);
        return {most, most, timeout_policy, tick};
    }
    [[nodiscard]] TimerSpec rest_timer() const {
        const std::int64_t extra = election_timeout.max.ns / tick.ns - election_timeout.min.ns / tick.ns;
        return {tick, tick * (extra + 1), timeout_policy, tick};
    }
    /// A leader's, see `check_quorum` and `TransferLeadership`.
    [[nodiscard]] TimerSpec quorum_timer() const {
        return TimerSpec::fixed(variants.quorum_timeout.ns > 0 ? variants.quorum_timeout
                                                               : election_timeout.min);
    }
};

/// Raft's election for clusters of up to `MaxNodes` nodes (it only sizes the set of votes).
template <std::size_t MaxNodes = 64>
struct Raft {
    using Options = RaftOptions;

    // --- messages (Figure 2) ---
    struct VoteRequest {
        Term term = 0;   ///< the candidate's term
        LogEnd last_log; ///< end of the candidate's log
        EL_FIELDS(VoteRequest, term, last_log)
    };
    struct VoteReply {
        Term term = 0;  ///< the voter's term, for the candidate to update itself
        bool granted = false;
        EL_FIELDS(VoteReply, term, granted)
    };
    struct Heartbeat {
        Term term = 0;  ///< the leader's term
        EL_FIELDS(Heartbeat, term)
    };
    struct HeartbeatReply {
        Term term = 0;  ///< the follower's term, for a stale leader to step down
        EL_FIELDS(HeartbeatReply, term)
    };

    // --- messages of the variants ---
    struct PreVoteRequest {
        Term next_term = 0;  ///< the term in which the sender would stand; nobody adopts it
        LogEnd last_log;
        EL_FIELDS(PreVoteRequest, next_term, last_log)
    };
    struct PreVoteReply {
        Term term = 0;       ///< the voter's term, for the sender to update itself
        Term next_term = 0;  ///< what was asked
        bool granted = false;
        EL_FIELDS(PreVoteReply, term, next_term, granted)
    };
    /// Leadership transfer (thesis, 3.10): the receiver is to stand at once.
    struct TimeoutNow {
        Term term = 0;
        EL_FIELDS(TimeoutNow, term)
    };
    /// A vote request of a node that its leader told to stand: it may disrupt (4.2.3).
    struct TransferVoteRequest {
        Term term = 0;
        LogEnd last_log;
        EL_FIELDS(TransferVoteRequest, term, last_log)
    };
    /// A heartbeat whose answer tells which one it answers, for leases and confirmed reads (6.4).
    struct RoundHeartbeat {
        Term term = 0;
        std::int64_t round = 0;
        EL_FIELDS(RoundHeartbeat, term, round)
    };
    struct RoundHeartbeatReply {
        Term term = 0;
        std::int64_t round = 0;
        EL_FIELDS(RoundHeartbeatReply, term, round)
    };
    using Message = std::variant<VoteRequest, VoteReply, Heartbeat, HeartbeatReply, PreVoteRequest,
                                 PreVoteReply, TimeoutNow, TransferVoteRequest, RoundHeartbeat,
                                 RoundHeartbeatReply>;

    // --- what a client asks of the leader ---
    struct TransferLeadership {
        NodeId to = no_node;
        EL_FIELDS(TransferLeadership, to)
    };
    struct Read {
        EL_FIELDS(Read)
    };
    using Command = std::variant<TransferLeadership, Read>;

    // --- state (Figure 2) ---
    /// Persistent state: written to the disk before any message that depends on it leaves.
    struct Disk {
        Term current_term = 0;
        NodeId voted_for = no_node;  ///< the candidate that got this node's vote in current_term
        LogEnd last_log;
        EL_FIELDS(Disk, current_term, voted_for, last_log)
    };
    /// Volatile state: gone after a crash.
    struct Memory {
        Role role = Role::follower;
        NodeId leader = no_node;
        NodeSet<MaxNodes> votes;     ///< candidate: who granted its vote in current_term
        /// Candidate: who answered at all, for retries. Leader with check_quorum: who answered
        /// since it last looked.
        NodeSet<MaxNodes> answered;
        RaftVariantMemory<MaxNodes> more;  ///< of the variants
        EL_FIELDS(Memory, role, leader, votes, answered, more)
    };
    using State = electionlab::State<Raft>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    /// A leader has no election timeout; with check_quorum, and while it hands over, its election
    /// timer is the quorum timeout (as in etcd).
    enum class Timer : std::uint8_t { election, heartbeat, retry };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"election", "heartbeat", "retry"};
        return static_cast<std::size_t>(timer) < 3 ? names[static_cast<std::size_t>(timer)] : "";
    }

    // --- inputs ---
    static Disk initial_disk(const Options& options, NodeId node);
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);
    static void on_command(State& s, const Context& ctx, const Command& command, Effects& effects);

    static View view(const State& s, const Context&) {
        return {s.memory.role, s.memory.leader, s.disk.current_term};
    }
    static About about();
    /// Terms, but for those of logs, which are given and stay.
    static constexpr bool is_epoch(std::string_view of, std::string_view field) {
        return of != "LogEnd" && (field == "current_term" || field == "term" || field == "next_term");
    }
    static std::vector<Promise<Raft>> invariants();

    /// Nodes differ by their names only, unless they were given different parts.
    static bool symmetric(const Options& options) {
        return options.variants.all_alike() && options.logs.empty() && options.terms.empty() &&
               !options.has(RaftMutation::answers_counted) &&
               (options.variants.quorum.kind == Quorum::Kind::majority ||
                options.variants.quorum.kind == Quorum::Kind::at_least);
    }
    /// Answers that can do nothing any more: terms never decrease, and who stands takes a new one.
    static bool is_stale(const State& s, const Context& ctx, const Message& message);

    /// Why these live nodes can elect nobody; empty when they can.
    static std::string why_no_leader(const Options& options, std::span<const View> views);

private:
    static void on(State& s, const Context& ctx, NodeId from, const VoteRequest& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const VoteReply& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Heartbeat& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const HeartbeatReply& m,
                   Effects& effects);

    static bool grants_vote(State& s, const Context& ctx, NodeId from, const VoteRequest& m,
                            Effects& effects);
    /// `told`: by its leader, which hands over (thesis, 3.10).
    static void stand_for_election(State& s, const Context& ctx, Effects& effects, bool told = false);
    static void become_leader(State& s, const Context& ctx, Effects& effects);
    static void adopt_term(State& s, const Context& ctx, Term term, Effects& effects);
    static void send_heartbeats(State& s, const Context& ctx, Effects& effects);
    static void repeat_vote_requests(State& s, const Context& ctx, Effects& effects);
    /// The election timeout begins, at a node that has one.
    EL_HOT static void await_leader(const Context& ctx, Effects& effects) {
        if (times_out(ctx)) {
            effects.set_timer(Timer::election, ctx.options.election_timer());
        }
    }
    EL_HOT static bool times_out(const Context& ctx) {
        return ctx.options.variants.all_alike() || ctx.options.variants.times_out(ctx.self) ||
               ctx.options.has(RaftMutation::removed_server_campaigns);
    }
    /// A leader of this term is heard. (Here because it is inlined at every heartbeat.)
    EL_HOT static void follow(State& s, const Context& ctx, NodeId leader, Effects& effects) {
        if (s.memory.role != Role::follower) {  // a candidate gives way to the winner of its term
            effects.cancel_timer(Timer::heartbeat);
            effects.cancel_timer(Timer::retry);
            leave_office(s, effects);
        }
        s.memory.role = Role::follower;
        s.memory.leader = leader;
        await_leader(ctx, effects);
        if (ctx.options.variants.minds_leader()) {
            heard_leader(s, ctx, effects);
        }
    }

    // --- the variants: raft_variants.cpp ---
    static void on(State& s, const Context& ctx, NodeId from, const PreVoteRequest& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const PreVoteReply& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const TimeoutNow& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const TransferVoteRequest& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const RoundHeartbeat& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const RoundHeartbeatReply& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, const TransferLeadership& asked, Effects& effects);
    static void on(State& s, const Context& ctx, const Read& asked, Effects& effects);

    static bool accepts(const State& s, const Context& ctx, NodeId candidate, Effects& effects);
    static bool hears_leader(const State& s, const Context& ctx);
    static void heard_leader(State& s, const Context& ctx, Effects& effects);
    static void minimum_is_near(State& s, const Context& ctx, Effects& effects);
    /// For `stickiness_by_ticks`: who knows no leader withholds nothing.
    static void forget_leader(State& s, const Context& ctx) {
        if (ctx.options.variants.stickiness_by_ticks) {
            s.memory.more.withholds = false;
            s.memory.more.withholds_until = {};
        }
    }
    static void heard_follower(State& s, const Context& ctx, NodeId from);
    static bool waits_for_better(State& s, const Context& ctx, Effects& effects);
    static std::int64_t target_priority(const State& s, const Context& ctx);
    static void ask_who_would_vote(State& s, const Context& ctx, Effects& effects);
    static void stop_asking(State& s, Effects& effects);
    static void ask_voters(const State& s, const Context& ctx, bool all, Effects& effects);
    static void begin_office(State& s, const Context& ctx, Effects& effects);
    static void leave_office(State& s, Effects& effects);
    static void review_office(State& s, const Context& ctx, Effects& effects);
    static void confirm(State& s, const Context& ctx, Effects& effects);
    static void send_round(State& s, const Context& ctx, Effects& effects);
    static void close_round(State& s, const Context& ctx, Effects& effects);
};

extern template struct Raft<64>;
extern template struct Raft<10240>;

}  // namespace electionlab

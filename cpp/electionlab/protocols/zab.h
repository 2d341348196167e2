// Zab as ZooKeeper elects: FastLeaderElection finds whom a quorum votes for, and discovery and
// synchronisation make that node the leader of a new epoch.
//
// Source:      F. Junqueira, B. Reed and M. Serafini, "Zab: High-performance broadcast for
//              primary-backup systems", DSN 2011, phases 0 to 2; A. Medeiros, "ZooKeeper's atomic
//              broadcast protocol: Theory and practice", 2012, sections 3 and 4; and ZooKeeper's
//              own rules where they differ: FastLeaderElection, Leader, LearnerHandler and Learner
//              of its server (3.9). These were read for the most part; the papers were not, and
//              their phases are from their widely known content. Discovery was compared with the
//              specification of the protocol in TLA+ that ZooKeeper publishes.
// Modelled:    votes ordered by (peer epoch, zxid, server), rounds (the logical clock),
//              notifications with the sender's state, the quorum and the wait that finalises it,
//              back-off of repeated notifications, late joiners that find the ensemble, the epoch
//              agreed on by FOLLOWERINFO, LEADERINFO and ACKEPOCH with both epochs on the disk,
//              NEWLEADER, ACK, UPTODATE, pings twice a tick, initLimit and syncLimit in ticks.
// Left out:    the broadcast phase (a node's history is its last zxid, given), observers, changes
//              of the ensemble, weights.
// Deviations:  ZooKeeper's messages travel on TCP connections; here they are single messages that a
//              link may lose, repeat or reorder. So they name the epoch that they belong to;
//              `Closed` is what closing a connection, or connecting to a closed port, tells the
//              other side (a node that crashes says nothing, as when its machine loses its power,
//              unless the command CloseConnections comes right before; one that restarts closes
//              what it had);
//              a leader repeats each step to a learner that does not answer for a tick, as TCP
//              would; and within a round a sender's vote only grows. A node counts its own vote at
//              once, not by a message to itself. NEWLEADER carries the leader's last zxid in place
//              of DIFF, TRUNC or SNAP. Time-outs on the leader's side of a connection are counted
//              in its ticks.
// Assumptions: crash faults, a disk that keeps what was written; safety needs no timing at all.
// Cost:        with all n starting at once, (n-1)(2n-1) to n(n-1)(n+1)/2 notifications; then 7(n-1)
//              messages of discovery and synchronisation.
// Weaknesses:  a vote that is not repeated in time is waited for up to max_notification_interval; a
//              follower that accepted an epoch above the leader's cannot join it.
// Scenarios:   tests/scenarios/zab/
#pragma once

#include <compare>
#include <variant>
#include <vector>

#include "electionlab/node/mutations.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

/// A transaction's number: the epoch of the leader that made it, and its place in that epoch.
struct Zxid {
    Epoch epoch = 0;
    std::int64_t counter = 0;

    friend constexpr auto operator<=>(const Zxid&, const Zxid&) = default;
    EL_FIELDS(Zxid, epoch, counter)
};

/// Who should lead, and the end of that node's history.
struct ZabVote {
    NodeId leader = no_node;
    Zxid zxid;             ///< its last transaction
    Epoch peer_epoch = 0;  ///< the last epoch that it took part in

    EL_FIELDS(ZabVote, leader, zxid, peer_epoch)
};

/// The order that decides an election: peer epoch, then zxid, then the server's number.
constexpr bool better(const ZabVote& a, const ZabVote& b) {
    if (a.peer_epoch != b.peer_epoch) {
        return a.peer_epoch > b.peer_epoch;
    }
    return a.zxid != b.zxid ? a.zxid > b.zxid : a.leader > b.leader;
}

/// Documented bugs, for the museum; see docs/museum.md.
enum class ZabMutation : std::uint8_t {
    fle_backward_round,  ///< who is said to lead in an earlier round believes it
    fle_mixed_epochs,    ///< a follower goes on telling the epoch it voted in
};
constexpr std::string_view enum_name(ZabMutation mutation) {
    constexpr std::string_view names[] = {"fle_backward_round", "fle_mixed_epochs"};
    return static_cast<std::size_t>(mutation) < 2 ? names[static_cast<std::size_t>(mutation)] : "";
}

/// What a node has on its disk at first.
struct ZabHistory {
    Epoch current_epoch = 0;
    Epoch zxid_epoch = 0;
    std::int64_t zxid_counter = 0;

    EL_FIELDS(ZabHistory, current_epoch, zxid_epoch, zxid_counter)
};

struct ZabOptions {
    Duration tick_time = ms(40);
    std::int64_t init_limit = 10;
    std::int64_t sync_limit = 5;
    Duration finalize_wait = ms(40);
    Duration min_notification_interval = ms(40);
    Duration max_notification_interval = ms(400);
    Duration connect_retry = ms(40);
    std::int64_t connect_tries = 5;
    std::vector<ZabHistory> histories;
    Mutations<ZabMutation> mutations;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("tick_time_ms", self.tick_time,
               "Length of a tick; a leader pings twice in each. ZooKeeper: 2000. Above 0.");
        option("init_limit", self.init_limit,
               "Ticks that each step of discovery and synchronisation may take. At least 1.");
        option("sync_limit", self.sync_limit,
               "Ticks of silence after which leader and follower give each other up. At least 1.");
        option("finalize_wait_ms", self.finalize_wait,
               "How long a quorum of votes must stay unchallenged. ZooKeeper: 200. Above 0; should "
               "exceed two one-way delays.");
        option("min_notification_interval_ms", self.min_notification_interval,
               "Silence after which a looking node repeats its vote at first. ZooKeeper: 200. Above 0.");
        option("max_notification_interval_ms", self.max_notification_interval,
               "The interval doubles up to this one. ZooKeeper: 60000. At least the first interval.");
        option("connect_retry_ms", self.connect_retry,
               "Time between attempts to reach the leader that was voted for. ZooKeeper: 100. Above 0.");
        option("connect_tries", self.connect_tries,
               "After so many refusals a follower looks again. ZooKeeper: 5. At least 1.");
        option("histories", self.histories,
               "Each node's disk at first as (current epoch, epoch of its last zxid, counter of its "
               "last zxid), node 1 first; empty: all are new.");
        option("mutations", self.mutations, "Bugs to be put in, by name; see docs/museum.md.");
    }
    void validate(NodeId nodes) const;

    [[nodiscard]] TimerSpec half_tick() const { return TimerSpec::fixed({tick_time.ns / 2}); }
    [[nodiscard]] TimerSpec init_time() const { return TimerSpec::fixed(tick_time * init_limit); }
    [[nodiscard]] TimerSpec sync_time() const { return TimerSpec::fixed(tick_time * sync_limit); }
    /// The wait before a vote is repeated, after so many repetitions.
    [[nodiscard]] TimerSpec notification_interval(std::int64_t repeated) const;
};

struct Zab {
    using Options = ZabOptions;
    using Vote = ZabVote;

    /// What a server does: LOOKING for a leader, FOLLOWING or LEADING.
    enum class Peer : std::uint8_t { looking, following, leading };
    friend constexpr std::string_view enum_name(Peer peer) {
        constexpr std::string_view names[] = {"looking", "following", "leading"};
        return static_cast<std::size_t>(peer) < 3 ? names[static_cast<std::size_t>(peer)] : "";
    }
    /// How far a learner has come with its leader, on either side.
    enum class Stage : std::uint8_t { connecting, discovered, synchronised, broadcast, gone };
    friend constexpr std::string_view enum_name(Stage stage) {
        constexpr std::string_view names[] = {"connecting", "discovered", "synchronised", "broadcast",
                                              "gone"};
        return static_cast<std::size_t>(stage) < 5 ? names[static_cast<std::size_t>(stage)] : "";
    }

    // --- messages of the election ---
    /// "I vote for", or from a node that is not looking: "we have".
    struct Notification {
        Vote vote;
        Epoch round = 0;  ///< the election that the vote belongs to
        Peer state = Peer::looking;
        EL_FIELDS(Notification, vote, round, state)
    };
    // --- messages between a leader and its learners ---
    /// "I have accepted this epoch; which is the new one?"
    struct FollowerInfo {
        Epoch accepted_epoch = 0;
        EL_FIELDS(FollowerInfo, accepted_epoch)
    };
    /// "The new epoch": above all that a quorum has accepted.
    struct LeaderInfo {
        Epoch epoch = 0;
        EL_FIELDS(LeaderInfo, epoch)
    };
    /// "I accept it, and my history is this."
    struct AckEpoch {
        Epoch epoch = 0;
        bool counts = false;  ///< not if this epoch was accepted before: one acceptance for each
        Epoch current_epoch = 0;
        Zxid zxid;
        EL_FIELDS(AckEpoch, epoch, counts, current_epoch, zxid)
    };
    /// "This history opens the epoch."
    struct NewLeader {
        Epoch epoch = 0;
        Zxid zxid;
        EL_FIELDS(NewLeader, epoch, zxid)
    };
    struct Ack {
        Epoch epoch = 0;
        EL_FIELDS(Ack, epoch)
    };
    /// "A quorum has it: begin."
    struct UpToDate {
        Epoch epoch = 0;
        EL_FIELDS(UpToDate, epoch)
    };
    /// From a leader, and back.
    struct Ping {
        Epoch epoch = 0;
        EL_FIELDS(Ping, epoch)
    };
    /// The connection is closed, or there is none to be had.
    struct Closed {
        EL_FIELDS(Closed)
    };
    using Message = std::variant<Notification, FollowerInfo, LeaderInfo, AckEpoch, NewLeader, Ack,
                                 UpToDate, Ping, Closed>;

    // --- commands ---
    /// What the system does for a process that is killed: its connections are closed, and all who
    /// were connected learn it. For a crash of the node right after, which is silent by itself.
    struct CloseConnections {
        EL_FIELDS(CloseConnections)
    };
    using Command = std::variant<CloseConnections>;

    // --- state ---
    struct Disk {
        Epoch accepted_epoch = 0;  ///< of the last LEADERINFO that was accepted
        Epoch current_epoch = 0;   ///< of the last NEWLEADER that was accepted
        Zxid last_zxid;
        EL_FIELDS(Disk, accepted_epoch, current_epoch, last_zxid)
    };
    struct Ballot {
        NodeId node = no_node;
        Vote vote;
        Epoch round = 0;
        Peer state = Peer::looking;
        EL_FIELDS(Ballot, node, vote, round, state)
    };
    /// What a leader knows of a learner.
    struct Learner {
        NodeId node = no_node;
        Stage stage = Stage::connecting;  ///< what it has answered last; gone: it was closed
        std::int64_t deadline = 0;        ///< the last tick at which its silence does not matter
        bool accepted = false;            ///< its ACKEPOCH counts
        bool acknowledged = false;        ///< its ACK counts
        bool waited = false;              ///< a tick has begun since it was last told something
        EL_FIELDS(Learner, node, stage, deadline, accepted, acknowledged, waited)
    };
    enum class Phase : std::uint8_t { election, discovery, acceptance, synchronisation, broadcast };
    friend constexpr std::string_view enum_name(Phase phase) {
        constexpr std::string_view names[] = {"election", "discovery", "acceptance",
                                              "synchronisation", "broadcast"};
        return static_cast<std::size_t>(phase) < 5 ? names[static_cast<std::size_t>(phase)] : "";
    }
    struct Memory {
        Peer peer = Peer::looking;
        // FastLeaderElection
        Epoch round = 0;                ///< the logical clock
        Vote proposal;                  ///< whom this node votes for in this round
        std::vector<Ballot> votes;      ///< of this round
        std::vector<Ballot> ensemble;   ///< of nodes that are not looking, of any round
        bool finalizing = false;        ///< a quorum agrees; a better vote may still come
        std::int64_t repeated = 0;      ///< how often this round's vote was repeated
        // once it is decided
        Vote decided;
        Epoch decided_round = 0;
        Epoch epoch = 0;                ///< the new epoch, once known
        Stage stage = Stage::connecting;  ///< a follower's
        std::int64_t refusals = 0;
        AckEpoch accepted;              ///< a follower's answer, to be repeated
        Phase phase = Phase::election;  ///< a leader's
        std::vector<Learner> learners;
        std::int64_t tick = 0;
        bool half = false;
        EL_FIELDS(Memory, peer, round, proposal, votes, ensemble, finalizing, repeated, decided,
                  decided_round, epoch, stage, refusals, accepted, phase, learners, tick, half)
    };
    using State = electionlab::State<Zab>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { notification, finalize, connect, read, phase, tick };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"notification", "finalize", "connect",
                                              "read",         "phase",    "tick"};
        return static_cast<std::size_t>(timer) < 6 ? names[static_cast<std::size_t>(timer)] : "";
    }

    // --- inputs ---
    static Disk initial_disk(const Options& options, NodeId node);
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);
    static void on_command(State& s, const Context& ctx, const Command& command, Effects& effects);

    static View view(const State& s, const Context& ctx);
    static About about();
    static std::vector<Promise<Zab>> invariants();
    static std::vector<Property<Zab>> properties();

private:
    static void on(State& s, const Context& ctx, NodeId from, const Notification& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const FollowerInfo& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const LeaderInfo& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const AckEpoch& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const NewLeader& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Ack& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const UpToDate& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Ping& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Closed& m, Effects& effects);

    // FastLeaderElection
    static void look(State& s, const Context& ctx, Effects& effects);
    static void send_notifications(State& s, const Context& ctx, Effects& effects);
    static void on_vote(State& s, const Context& ctx, NodeId from, const Notification& m,
                        Effects& effects);
    static void on_ensemble(State& s, const Context& ctx, NodeId from, const Notification& m,
                            Effects& effects);
    static bool leads_indeed(const State& s, const Context& ctx, const std::vector<Ballot>& ballots,
                             const Notification& m);
    static void count_votes(State& s, const Context& ctx, Effects& effects);
    static void decide(State& s, const Context& ctx, const Vote& vote, Epoch round, Effects& effects);
    // a follower
    static void follow(State& s, const Context& ctx, Effects& effects);
    static bool is_from_leader(const State& s, NodeId from, Effects& effects);
    static void leave(State& s, const Context& ctx, Effects& effects);
    // a leader
    static void lead(State& s, const Context& ctx, Effects& effects);
    static Learner* learner(State& s, NodeId node);
    static Learner* learner_of(State& s, NodeId from, Epoch epoch, Effects& effects);
    static void choose_epoch(State& s, const Context& ctx, Effects& effects);
    static void accept_epoch(State& s, const Context& ctx, Effects& effects);
    static void establish(State& s, const Context& ctx, Effects& effects);
    static void next_step(const State& s, Learner& l, Effects& effects);
    static void half_tick(State& s, const Context& ctx, Effects& effects);
    static void close_silent(State& s, Effects& effects);
};

}  // namespace electionlab

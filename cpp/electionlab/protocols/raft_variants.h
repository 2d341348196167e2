// Options of Raft that are not in Figure 2 of the paper, and what a node keeps for them.
//
// Source:      D. Ongaro, "Consensus: Bridging Theory and Practice", PhD thesis, Stanford 2014:
//              3.10 (leadership transfer), 4.2.1 (non-voting members), 4.2.3 (withheld votes),
//              6.2 (a leader without a majority steps down), 6.4 and 6.4.1 (reads), 9.6 (PreVote).
//              etcd's raft (CheckQuorum, the leader's use of its election timer), NuRaft
//              (docs/leader_election_priority.md: target priorities), Howard, Malkhi and Spiegelman,
//              "Flexible Paxos", OPODIS 2016 (quorums as a value).
// Modelled:    all of these, each by itself and together; every one is off by default.
// Left out:    bringing the target's log up to date before a transfer (logs are given and stay),
//              the no-op entry that a leader commits before it serves reads.
// Deviations:  PreVote has the thesis's rule (a node that hears a leader says no); etcd has that
//              part with CheckQuorum only. A leader that has sent TimeoutNow gives up its lease
//              for the rest of its term: the message may arrive late. A node that restarts
//              withholds its vote at first where leases are used. NuRaft lowers the target
//              priority also when another's request arrives; here only an own timeout does.
// Scenarios:   tests/scenarios/raft/
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/node_set.h"
#include "electionlab/core/quorum.h"
#include "electionlab/core/time.h"

namespace electionlab {

/// How a leader makes sure that it still leads before it answers a read (thesis, 6.4).
enum class ReadPolicy : std::uint8_t {
    confirmed,  ///< after a round of heartbeats that a quorum acknowledged (6.4, etcd's ReadIndex)
    lease,      ///< at once while its lease holds, else confirmed (6.4.1)
    unchecked,  ///< at once: a leader that was replaced answers with old data
};
constexpr std::string_view enum_name(ReadPolicy policy) {
    constexpr std::string_view names[] = {"confirmed", "lease", "unchecked"};
    return static_cast<std::size_t>(policy) < 3 ? names[static_cast<std::size_t>(policy)] : "";
}

struct RaftVariants {
    bool pre_vote = false;
    bool check_quorum = false;
    Duration quorum_timeout{};
    bool leader_stickiness = false;
    bool stickiness_by_ticks = false;
    ReadPolicy reads = ReadPolicy::confirmed;
    std::int64_t clock_drift_bound_ppm = 0;
    std::vector<std::int64_t> priorities;
    std::vector<NodeId> non_voters;
    std::vector<NodeId> witnesses;
    Quorum quorum;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("pre_vote", self.pre_vote,
               "A node asks who would vote for it before it raises its term; who hears a leader "
               "would not (thesis, 9.6).");
        option("check_quorum", self.check_quorum,
               "A leader steps down when no quorum has answered its heartbeats for a quorum "
               "timeout (6.2).");
        option("quorum_timeout_ms", self.quorum_timeout,
               "How often a leader with check_quorum looks who has answered, and how long it tries "
               "to hand over; 0: the minimum of election_timeout_ms.");
        option("leader_stickiness", self.leader_stickiness,
               "A node ignores requests for its vote while it leads, or for the minimum of "
               "election_timeout_ms after it heard the leader (4.2.3).");
        option("stickiness_by_ticks", self.stickiness_by_ticks,
               "With the policy quantised: votes and PreVotes are withheld until the node's own "
               "ticks since it heard the leader make the minimum, and only while it knows a leader "
               "(etcd); else by the time since.");
        option("reads", self.reads,
               "How a leader answers the command Read: after a confirming round of heartbeats, "
               "under a lease (votes are then withheld as with leader_stickiness), or unchecked.");
        option("clock_drift_bound_ppm", self.clock_drift_bound_ppm,
               "By how much a clock is assumed to run fast or slow at most, in millionths; a lease "
               "is shortened by it; 0 to 999999.");
        option("priorities", self.priorities,
               "Each node's priority, node 1 first: who is below the target neither stands nor is "
               "voted for, and the target sinks while there is no leader; 0: never stands; empty: "
               "all equal.");
        option("non_voters", self.non_voters,
               "Nodes that follow but neither vote nor stand (learners).");
        option("witnesses", self.witnesses, "Nodes that vote but never stand.");
        option("quorum", self.quorum,
               "Whose votes elect a leader; any two must share a voter, unless 'unsafe'.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate(NodeId nodes, Duration least_timeout) const;

    [[nodiscard]] NodeId voters(NodeId members) const {
        return members - static_cast<NodeId>(non_voters.size());
    }
    [[nodiscard]] bool may_vote(NodeId node) const {
        return non_voters.empty() || std::ranges::count(non_voters, node) == 0;
    }
    /// Whether all nodes have the same part; the first question of the hot loop.
    [[nodiscard]] bool all_alike() const {
        return non_voters.empty() && witnesses.empty() && priorities.empty();
    }
    [[nodiscard]] bool may_stand(NodeId node) const {
        return all_alike() ||
               (may_vote(node) && std::ranges::count(witnesses, node) == 0 && priority(node) > 0);
    }
    /// Whether the node has an election timeout. With priorities, who may not stand has one, too:
    /// its target must sink, or it would vote for nobody.
    [[nodiscard]] bool times_out(NodeId node) const {
        return may_stand(node) || (!priorities.empty() && may_vote(node));
    }
    [[nodiscard]] std::int64_t priority(NodeId node) const {
        return priorities.empty() ? 1 : priorities[node - 1];
    }
    /// The highest priority, where everybody's target begins.
    [[nodiscard]] std::int64_t top_priority() const { return *std::ranges::max_element(priorities); }
    template <class Set>
    [[nodiscard]] bool is_quorum(const Set& nodes, NodeId members) const {
        return quorum.is_met(nodes, voters(members));
    }
    /// Whether votes, and not only answers to a PreVote, are withheld.
    [[nodiscard]] bool withholds_votes() const {
        return leader_stickiness || reads == ReadPolicy::lease;
    }
    /// Whether anything depends on when the leader was last heard.
    [[nodiscard]] bool minds_leader() const {
        return pre_vote || withholds_votes() || !priorities.empty();
    }
    /// How long a leader's lease lasts on its own clock, from the sending of the round. Who
    /// acknowledged it withholds its vote for `timeout` on its own clock. With clock rates between
    /// 1 - r and 1 + r the lease ends first if it is timeout (1 - r) / (1 + r).
    [[nodiscard]] Duration lease(Duration timeout) const;
};

/// What a node keeps in memory for the variants.
template <std::size_t MaxNodes>
struct RaftVariantMemory {
    /// Rounds of heartbeats, to know that a quorum followed after a certain moment.
    struct Rounds {
        std::int64_t sent = 0;               ///< rounds sent in this term
        std::int64_t open = 0;               ///< the round that waits for a quorum; 0: none
        Instant opened;                      ///< when it was sent, on the own clock
        NodeSet<MaxNodes> acknowledged;      ///< who answered it or a later one
        EL_FIELDS(Rounds, sent, open, opened, acknowledged)
    };
    /// Reads asked of this node, since its start.
    struct Reads {
        std::int64_t answered = 0;
        std::int64_t refused = 0;
        std::int64_t waiting = 0;  ///< for the open round
        std::int64_t queued = 0;   ///< for the round after it
        EL_FIELDS(Reads, answered, refused, waiting, queued)
    };
    bool polling = false;             ///< PreVote: asks who would vote for it
    bool transferred = false;         ///< candidate: its leader told it to stand
    bool withholds = false;           ///< it has heard a leader, see withholds_until
    Instant withholds_until;          ///< on the own clock: no vote before; never: not known yet
    std::int64_t target_priority = 0; ///< 0: the highest of all, a leader has been heard
    NodeId transfer_to = no_node;     ///< leader: whom it hands over to
    bool lease_given_up = false;      ///< leader: it has told another to stand in this term
    Instant lease_until;              ///< leader: on the own clock
    bool leased = false;              ///< leader: lease_until means something
    Rounds rounds;
    Reads reads;
    EL_FIELDS(RaftVariantMemory, polling, transferred, withholds, withholds_until, target_priority,
              transfer_to, lease_given_up, lease_until, leased, rounds, reads)
};

}  // namespace electionlab

// Bully election: the highest live node leads, and says so to all below it.
//
// Source:      H. Garcia-Molina, "Elections in a Distributed Computing System", IEEE Transactions on
//              Computers C-31(1), 1982, in the form of the textbooks (Tanenbaum and van Steen,
//              Distributed Systems, section 6.5 / 5.4.1).
// Modelled:    ELECTION to higher nodes only, OK, COORDINATOR to lower nodes, a time-out for each of
//              the two, no second election while one is held, a recovered node takes over if it is
//              the highest; a leader's heartbeats and a time-out for them, which detect its crash.
// Left out:    the 1982 paper's node states, its task reorganisation and group numbers.
// Deviations:  ELECTION names the leader that is missed, and only a node that follows the same one,
//              and has not just heard it come forward, holds an election of its own; any other
//              merely answers OK, and a leader adds a COORDINATOR for the sender. Else each late
//              ELECTION would start elections all over.
//              With `minimum_nodes` (Elasticsearch before version 7, not the paper) who announces
//              itself leads once enough nodes have joined it, and until it hears of too few; a node
//              joins no other while it hears its leader.
//              A heartbeat of a higher node counts as a repeated COORDINATOR, so that a node that
//              missed the announcement still learns its leader; a leader answers a heartbeat of a
//              lower one with COORDINATOR.
// Assumptions: every message arrives within a known time, nodes crash but never pause, no partitions.
//              Dropped any of them, two nodes may lead at once: nothing here counts a majority.
// Cost:        best n-2 COORDINATOR messages (the next highest detects), worst O(n^2): with the
//              top node dead and m nodes above the detector, m(m+1)/2 ELECTION, m(m-1)/2 OK.
// Weaknesses:  no epoch, hence no fencing token; split brain in a partition.
// Scenarios:   tests/scenarios/bully/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/mutations.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

/// Documented bugs, for the museum; see docs/museum.md.
enum class BullyMutation : std::uint8_t {
    asks_lower_nodes,   ///< ELECTION goes to lower nodes, and an answer wins
    no_second_timeout,  ///< after an OK it waits for COORDINATOR for ever
    no_dedupe,          ///< each ELECTION starts an election, also while one is held
};
constexpr std::string_view enum_name(BullyMutation mutation) {
    constexpr std::string_view names[] = {"asks_lower_nodes", "no_second_timeout", "no_dedupe"};
    return static_cast<std::size_t>(mutation) < 3 ? names[static_cast<std::size_t>(mutation)] : "";
}

struct BullyOptions {
    Duration answer_timeout = ms(50);
    Duration coordinator_timeout = ms(150);
    Duration heartbeat_interval = ms(50);
    Duration leader_timeout = ms(200);
    NodeId minimum_nodes = 1;
    Mutations<BullyMutation> mutations;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("answer_timeout_ms", self.answer_timeout,
               "Wait for an OK after ELECTION; must exceed two one-way delays.");
        option("coordinator_timeout_ms", self.coordinator_timeout,
               "Wait for COORDINATOR after an OK, then the election starts again; must exceed "
               "answer_timeout_ms and two one-way delays.");
        option("heartbeat_interval_ms", self.heartbeat_interval,
               "Time between a leader's heartbeats; above 0.");
        option("leader_timeout_ms", self.leader_timeout,
               "Silence after which a node takes its leader for dead; above the heartbeat interval "
               "and the spread of the delay.");
        option("minimum_nodes", self.minimum_nodes,
               "A node leads only while so many follow it, itself included (Elasticsearch's "
               "minimum_master_nodes); 1: whoever they are. heartbeat_interval_ms must then exceed "
               "two one-way delays.");
        option("mutations", self.mutations, "Bugs to be put in, by name; see docs/museum.md.");
    }
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        return late_heartbeats(heartbeat_interval, "leader_timeout_ms", leader_timeout);
    }
};

struct Bully {
    using Options = BullyOptions;

    // --- messages ---
    /// "I hold an election": to every higher node.
    struct Election {
        NodeId missed = no_node;  ///< the leader that the sender missed; none after a (re)start
        EL_FIELDS(Election, missed)
    };
    /// "I am alive and higher; leave it to me."
    struct Ok {
        EL_FIELDS(Ok)
    };
    /// "I lead": to every lower node, and again to one that does not know.
    struct Coordinator {
        EL_FIELDS(Coordinator)
    };
    /// "I still lead": to every other node.
    struct Heartbeat {
        EL_FIELDS(Heartbeat)
    };
    /// "I follow you": with `minimum_nodes`, to a COORDINATOR or heartbeat that was believed.
    struct Join {
        EL_FIELDS(Join)
    };
    using Message = std::variant<Election, Ok, Coordinator, Heartbeat, Join>;

    // --- state ---
    /// Nothing is written down: the highest id decides, and ids do not change.
    struct Disk {
        EL_FIELDS(Disk)
    };
    enum class Phase : std::uint8_t { idle, awaits_answer, awaits_coordinator, awaits_followers };
    friend constexpr std::string_view enum_name(Phase phase) {
        constexpr std::string_view names[] = {"idle", "awaits_answer", "awaits_coordinator",
                                              "awaits_followers"};
        return static_cast<std::size_t>(phase) < 4 ? names[static_cast<std::size_t>(phase)] : "";
    }
    struct Memory {
        NodeId leader = no_node;
        Phase phase = Phase::idle;  ///< of the election this node holds
        /// The leader whose silence began it. Kept after it if this leader itself came forward, until
        /// its next heartbeat: what is still said about its silence is out of date.
        NodeId missed = no_node;
        /// With `minimum_nodes`: who said since the last heartbeat that it follows; ascending.
        std::vector<NodeId> followers;
        EL_FIELDS(Memory, leader, phase, missed, followers)
    };
    using State = electionlab::State<Bully>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { leader, answer, coordinator, heartbeat };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"leader", "answer", "coordinator", "heartbeat"};
        return static_cast<std::size_t>(timer) < 4 ? names[static_cast<std::size_t>(timer)] : "";
    }

    // --- inputs ---
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);

    static View view(const State& s, const Context& ctx);
    static About about();

private:
    static void on(State& s, const Context& ctx, NodeId from, const Election& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Ok&, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Coordinator&, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Heartbeat&, Effects& effects);

    static void on(State& s, const Context& ctx, NodeId from, const Join&, Effects& effects);

    static bool asks(const Context& ctx, NodeId other);
    static void hold_election(State& s, const Context& ctx, NodeId missed, Effects& effects);
    static void announce(State& s, const Context& ctx, Effects& effects);
    static void become_leader(State& s, const Context& ctx, Effects& effects);
    static bool stays(const State& s, const Context& ctx, NodeId from);
    static bool has_enough(const State& s, const Context& ctx);
    static void follow(State& s, const Context& ctx, NodeId leader, Effects& effects);
};

}  // namespace electionlab

// Ring election: a list travels once round the ring, and the highest node on it leads.
//
// Source:      The list-collecting form of the textbooks (Tanenbaum and van Steen, Distributed
//              Systems, "A Ring Algorithm"); after G. Le Lann, IFIP 1977, and E. Chang and
//              R. Roberts, CACM 22(5), 1979, who circulate ids rather than lists.
// Modelled:    ELECTION collects the live nodes, COORDINATOR goes round once to tell them; every hop
//              is acknowledged, and a successor that does not acknowledge is skipped; several
//              initiators at once; a leader's heartbeats and a time-out for them.
// Left out:    joining nodes; the ring's order is fixed: 1 -> 2 -> ... -> n -> 1.
// Deviations:  a message that comes back to a node which already passed it on, because its initiator
//              died, ends its round there: nothing circulates for ever. A heartbeat of a node above
//              the known leader is believed: two rounds that ran at once end in one leader.
// Assumptions: bounded delay, crash faults; a slow node that is skipped may not be on the list.
// Cost:        2 x live messages delivered for each initiator (the list makes them Theta(n^2) ids),
//              and as many acknowledgements.
// Weaknesses:  no epoch, hence no fencing token; each part of a partition elects its own leader.
// Scenarios:   tests/scenarios/ring/
#pragma once

#include <algorithm>
#include <string_view>
#include <variant>
#include <vector>

#include "electionlab/core/id_list.h"
#include "electionlab/node/mutations.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

/// Documented bugs, for the museum; see docs/museum.md.
enum class RingMutation : std::uint8_t {
    first_on_list_leads,   ///< the initiator of a list leads, and not its highest node
    no_coordinator_round,  ///< who leads is not told to the others
    dead_not_skipped,      ///< sends to its successor only, dead or alive, without acknowledgement
    orphans_pass,          ///< a list whose initiator died is passed on again
};
constexpr std::string_view enum_name(RingMutation mutation) {
    constexpr std::string_view names[] = {"first_on_list_leads", "no_coordinator_round",
                                          "dead_not_skipped", "orphans_pass"};
    return static_cast<std::size_t>(mutation) < 4 ? names[static_cast<std::size_t>(mutation)] : "";
}

struct RingOptions {
    Duration ack_timeout = ms(40);
    Duration round_timeout = ms(600);
    Duration heartbeat_interval = ms(50);
    Duration leader_timeout = ms(200);
    Mutations<RingMutation> mutations;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("ack_timeout_ms", self.ack_timeout,
               "Wait for the successor's acknowledgement, then it is skipped; must exceed two "
               "one-way delays.");
        option("round_timeout_ms", self.round_timeout,
               "Wait for the end of an election this node takes part in, then it starts one; at "
               "least 2 n ack_timeout_ms is waited, two rounds with every other node skipped.");
        option("heartbeat_interval_ms", self.heartbeat_interval,
               "Time between a leader's heartbeats; above 0.");
        option("leader_timeout_ms", self.leader_timeout,
               "Silence after which a node takes its leader for dead; above the heartbeat interval "
               "and the spread of the delay.");
        option("mutations", self.mutations, "Bugs to be put in, by name; see docs/museum.md.");
    }
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        return late_heartbeats(heartbeat_interval, "leader_timeout_ms", leader_timeout);
    }

    /// Shorter than two rounds, elections would be started anew before they can end, for ever.
    [[nodiscard]] Duration round_wait(NodeId members) const {
        return std::max(round_timeout, ack_timeout * (2 * std::int64_t{members}));
    }
};

struct Ring {
    using Options = RingOptions;

    // --- messages ---
    /// Collects the live nodes, the initiator first. `number` is the sender's, for the answer.
    struct Election {
        IdList visited;
        std::int64_t number = 0;
        EL_FIELDS(Election, visited, number)
    };
    /// Tells who leads; `told` holds the nodes it has passed.
    struct Coordinator {
        NodeId leader = no_node;
        IdList told;
        std::int64_t number = 0;
        EL_FIELDS(Coordinator, leader, told, number)
    };
    /// "Your message arrived, I am alive."
    struct Ack {
        std::int64_t number = 0;
        EL_FIELDS(Ack, number)
    };
    /// "I still lead": straight to every other node, not round the ring.
    struct Heartbeat {
        EL_FIELDS(Heartbeat)
    };
    using Message = std::variant<Election, Coordinator, Ack, Heartbeat>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    /// A message sent on and not yet acknowledged; `ids` is the list that it carries.
    struct Unacknowledged {
        NodeId leader = no_node;  ///< `no_node`: an ELECTION
        IdList ids;
        std::int64_t number = 0;
        EL_FIELDS(Unacknowledged, leader, ids, number)
        [[nodiscard]] Value to_value() const;
    };
    struct Memory {
        NodeId leader = no_node;
        bool electing = false;           ///< takes part in an election that has not ended
        NodeId target = no_node;         ///< the live successor, as far as known; while sending
        /// Of the next message: one more for each, and 1 again after a crash. An acknowledgement
        /// from before the crash may then pass for a new message's: that one is not repeated, and
        /// if it was lost as well, the round timeout starts the election anew.
        std::int64_t next_number = 1;
        std::vector<Unacknowledged> outbox;
        EL_FIELDS(Memory, leader, electing, target, next_number, outbox)
    };
    using State = electionlab::State<Ring>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { leader, ack, round, heartbeat };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"leader", "ack", "round", "heartbeat"};
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
    /// No epochs, but as good as: the numbers of messages, which are only compared and raised.
    static constexpr bool is_epoch(std::string_view, std::string_view field) {
        return field == "number" || field == "next_number";
    }

private:
    static void on(State& s, const Context& ctx, NodeId from, const Election& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Coordinator& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Ack& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Heartbeat&, Effects& effects);

    static void start_election(State& s, const Context& ctx, Effects& effects);
    static void take_part(State& s, const Context& ctx, Effects& effects);
    static void announce(State& s, const Context& ctx, const IdList& visited, Effects& effects);
    static void follow(State& s, const Context& ctx, NodeId leader, Effects& effects);
    static void pass_on(State& s, const Context& ctx, NodeId leader, IdList ids, Effects& effects);
    static void skip_successor(State& s, const Context& ctx, Effects& effects);
    static void send_to_target(const State& s, const Unacknowledged& message, Effects& effects);
};

}  // namespace electionlab

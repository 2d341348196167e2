// Multi-Paxos: a leader elected by phase 1 of Paxos, for all slots of a log at once.
//
// Source:      L. Lamport, "Paxos Made Simple", ACM SIGACT News 32(4), 2001, section 3. Practice: T.
//              Chandra, R. Griesemer and J. Redstone, "Paxos Made Live", PODC 2007, and R. van
//              Renesse and D. Altinbuken, "Paxos Made Moderately Complex", ACM Computing Surveys
//              47(3), 2015.
// Modelled:    a distinguished proposer that runs phase 1 once and then phase 2 for each slot;
//              values found in phase 1 are proposed again, gaps are filled with no-ops; heartbeats;
//              random or ranked patience; stepping down for a higher ballot; lost requests are
//              sent again.
// Left out:    clients, snapshots, leases of the leader, membership change.
// Deviations:  how silence is noticed is left open by section 3: heartbeats and patience are as in
//              practice. A promise reports the whole log, and a new leader proposes all of it
//              again, not only the slots that it does not know to be chosen.
// Assumptions: crash faults, a disk that keeps what was written. Safety needs no timing at all;
//              liveness needs more than half of all nodes up and connected, and patience well above
//              four one-way delays.
// Cost:        2(n-1) messages and n-1 heartbeats for a candidate that nobody overtakes; 2(n-1) for
//              each value after that.
// Weaknesses:  a node that cannot hear the leader disturbs it with ever higher ballots.
// Scenarios:   tests/scenarios/multi_paxos/
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/protocols/ballot.h"

namespace electionlab {

/// How long a node waits for its leader.
enum class Patience : std::uint8_t {
    random,  ///< drawn anew each time
    ranked,  ///< longer for each lower node that could lead as well
};

constexpr std::string_view enum_name(Patience patience) {
    constexpr std::string_view names[] = {"random", "ranked"};
    return static_cast<std::size_t>(patience) < 2 ? names[static_cast<std::size_t>(patience)] : "";
}

struct MultiPaxosOptions {
    DurationRange failure_timeout{ms(150), ms(300)};
    Duration heartbeat_interval = ms(50);
    Patience patience = Patience::random;
    Duration rank_step = ms(30);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("failure_timeout_ms", self.failure_timeout,
               "Range of the silence after which a node tries to lead; above the heartbeat "
               "interval.");
        option("heartbeat_interval_ms", self.heartbeat_interval,
               "Time between a leader's heartbeats; above 0, below the failure timeout.");
        option("patience", self.patience,
               "How a node's silence is chosen: anew each time from the range, or its minimum and "
               "one rank_step_ms more for each lower node.");
        option("rank_step_ms", self.rank_step,
               "Of ranked patience; above two one-way delays, so that the lowest node is not "
               "overtaken.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        return late_heartbeats(heartbeat_interval, "failure_timeout_ms", failure_timeout);
    }

    [[nodiscard]] TimerSpec patience_of(NodeId node) const {
        return patience == Patience::random
                   ? TimerSpec::between(failure_timeout)
                   : TimerSpec::fixed(failure_timeout.min + rank_step * (node - 1));
    }
};

struct MultiPaxos {
    using Options = MultiPaxosOptions;
    using Nodes = NodeSet<most_ballot_nodes>;
    using Value = std::optional<std::int64_t>;  ///< what a slot holds; none: a no-op

    /// A slot as an acceptor knows it: the highest ballot it accepted there; of round 0: none.
    struct Accepted {
        Ballot ballot;
        Value value;
        EL_FIELDS(Accepted, ballot, value)
    };

    // --- messages ---
    struct Prepare {  ///< phase 1a, for all slots
        Ballot ballot;
        EL_FIELDS(Prepare, ballot)
    };
    struct Promise {  ///< phase 1b
        Ballot ballot;
        std::vector<Accepted> accepted;  ///< slot 1 first
        EL_FIELDS(Promise, ballot, accepted)
    };
    struct Accept {  ///< phase 2a
        Ballot ballot;
        std::int64_t slot = 0;
        Value value;
        EL_FIELDS(Accept, ballot, slot, value)
    };
    struct AcceptReply {  ///< phase 2b
        Ballot ballot;
        std::int64_t slot = 0;
        EL_FIELDS(AcceptReply, ballot, slot)
    };
    struct Heartbeat {
        Ballot ballot;
        std::int64_t proposed = 0;  ///< the leader has sent so many slots under its ballot
        std::int64_t chosen = 0;    ///< and knows that the first so many are chosen
        EL_FIELDS(Heartbeat, ballot, proposed, chosen)
    };
    struct Missing {  ///< a follower holds only the first so many slots of this ballot
        Ballot ballot;
        std::int64_t held = 0;
        EL_FIELDS(Missing, ballot, held)
    };
    struct Nack {  ///< a message's ballot is below a promise
        Ballot ballot;
        Ballot promised;
        EL_FIELDS(Nack, ballot, promised)
    };
    using Message = std::variant<Prepare, Promise, Accept, AcceptReply, Heartbeat, Missing, Nack>;

    /// A client asks the leader to put a value into the next slot.
    struct Propose {
        std::int64_t value = 0;
        EL_FIELDS(Propose, value)
    };
    using Command = std::variant<Propose>;

    // --- state ---
    /// A slot that was accepted once.
    struct Vote {
        std::int64_t slot = 0;
        Ballot ballot;
        Value value;
        EL_FIELDS(Vote, slot, ballot, value)
    };
    /// The acceptor's: written to the disk before any answer leaves.
    struct Disk {
        Ballot promised;
        std::vector<Accepted> accepted;  ///< slot 1 first
        // No rule reads these two; "one value per slot" does.
        std::vector<Vote> history;  ///< all that it ever accepted
        bool changed = false;       ///< a slot came to hold another value than before
        EL_FIELDS(Disk, promised, accepted, history, changed)
    };
    struct Memory {
        Role role = Role::follower;
        NodeId leader = no_node;
        std::int64_t chosen = 0;         ///< the first so many slots are known to be chosen
        std::int64_t round_seen = 0;     ///< the highest round that anybody refused it for
        Nodes promises;                  ///< candidate: who promised its ballot
        std::vector<Accepted> reported;  ///< candidate: the highest of each slot in those promises
        std::vector<Nodes> acceptors;    ///< leader: who accepted each slot under its ballot
        EL_FIELDS(Memory, role, leader, chosen, round_seen, promises, reported, acceptors)
    };
    using State = electionlab::State<MultiPaxos>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { patience, heartbeat };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"patience", "heartbeat"};
        return static_cast<std::size_t>(timer) < 2 ? names[static_cast<std::size_t>(timer)] : "";
    }

    // --- inputs ---
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);
    static void on_command(State& s, const Context& ctx, const Command& command, Effects& effects);
    static View view(const State& s, const Context&) {
        return {s.memory.role, s.memory.leader, s.disk.promised.epoch()};
    }
    static About about();
    /// The rounds of ballots; whose ballot it is stays.
    static constexpr bool is_epoch(std::string_view of, std::string_view field) {
        return (of == "Ballot" && field == "round") || field == "round_seen";
    }
    static std::vector<electionlab::Promise<MultiPaxos>> invariants();
    static std::vector<Property<MultiPaxos>> properties();

private:
    static void on(State& s, const Context& ctx, NodeId from, const Prepare& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Promise& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Accept& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const AcceptReply& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Heartbeat& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Missing& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Nack& m, Effects& effects);

    static void wait_for_a_leader(State& s, const Context& ctx, Effects& effects);
    static void follow(State& s, const Context& ctx, NodeId leader, Ballot ballot,
                       Effects& effects);
    static void stand(State& s, const Context& ctx, Effects& effects);
    static void take_in(State& s, NodeId from, const std::vector<Accepted>& accepted);
    static void become_leader(State& s, const Context& ctx, Effects& effects);
    static void propose(State& s, const Context& ctx, std::int64_t slot, Value value,
                        Effects& effects);
    static void accept(State& s, Ballot ballot, std::int64_t slot, Value value, Effects& effects);
    static void advance(State& s, const Context& ctx, Effects& effects);
    static void send_heartbeats(State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

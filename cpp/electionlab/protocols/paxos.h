// Paxos, single decree: proposers, acceptors and learners choose one value, and only one.
//
// Source:      L. Lamport, "Paxos Made Simple", ACM SIGACT News 32(4), 2001, sections 2.2 to 2.5;
//              quorums of the two phases apart: H. Howard, D. Malkhi and A. Spiegelman, "Flexible
//              Paxos: Quorum Intersection Revisited", OPODIS 2016.
// Modelled:    a proposer, an acceptor and a learner in every node; both phases; who proposes, when
//              and what; back-off of a proposer that was overtaken; two ways of learning; any
//              quorums whose two phases meet.
// Left out:    more than one decision (see multi_paxos.h), membership change.
// Deviations:  an acceptor that cannot answer says so with a Nack, where the paper lets it ignore
//              the request and recommends to tell (2.5); a node that has learned the chosen value
//              answers any request with it; what was learned is kept on the disk. Requests go to
//              all nodes and not to one quorum.
// Assumptions: crash faults, a disk that keeps what was written. Safety needs no timing at all;
//              liveness needs that one proposer is left alone for three one-way delays.
// Cost:        one proposer: 4(n-1) messages, and n-1 more to tell the others.
// Weaknesses:  duelling proposers may go on for ever; nobody replaces the leader that was chosen.
// Scenarios:   tests/scenarios/paxos/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/mutations.h"
#include "electionlab/node/protocol.h"
#include "electionlab/protocols/ballot.h"

namespace electionlab {

/// How a choice becomes known (2.3).
enum class Learning : std::uint8_t {
    told,       ///< acceptances go to the proposer, which tells all nodes
    proposer,   ///< acceptances go to the proposer, and nobody else is told
    broadcast,  ///< every acceptor sends its acceptances to all nodes
};

constexpr std::string_view enum_name(Learning learning) {
    constexpr std::string_view names[] = {"told", "proposer", "broadcast"};
    return static_cast<std::size_t>(learning) < 3 ? names[static_cast<std::size_t>(learning)] : "";
}

/// Documented bugs, for the museum; see docs/museum.md.
enum class PaxosMutation : std::uint8_t {
    promise_not_persisted,    ///< an acceptor's promise is gone after a crash
    proposes_own_value,       ///< a proposer sends its own value, whatever was accepted
    promise_reports_nothing,  ///< a promise does not tell what was accepted
};
constexpr std::string_view enum_name(PaxosMutation mutation) {
    constexpr std::string_view names[] = {"promise_not_persisted", "proposes_own_value",
                                          "promise_reports_nothing"};
    return static_cast<std::size_t>(mutation) < 3 ? names[static_cast<std::size_t>(mutation)] : "";
}

struct PaxosOptions {
    std::vector<NodeId> proposers;
    DurationRange propose_after{ms(0), ms(100)};
    Duration stagger{};
    std::vector<std::int64_t> values;
    DurationRange backoff{ms(20), ms(100)};
    Duration round_timeout = ms(100);
    Learning learning = Learning::told;
    Quorum prepare_quorum;
    Quorum accept_quorum;
    Mutations<PaxosMutation> mutations;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("proposers", self.proposers, "Nodes that propose, in this order. Empty: all.");
        option("propose_after_ms", self.propose_after,
               "Range of the time from a proposer's start to its first proposal.");
        option("stagger_ms", self.stagger,
               "Each proposer waits so much longer than the one before it in the list.");
        option("values", self.values,
               "What each node proposes, node 1 first. Empty: itself, and the node that is chosen "
               "leads.");
        option("backoff_ms", self.backoff,
               "Range of the time until a proposer that was overtaken tries again. 0: at once; two "
               "equal ends: always the same.");
        option("round_timeout_ms", self.round_timeout,
               "A proposer without the answers of a quorum for so long tries again; above 0.");
        option("learning", self.learning,
               "How the choice becomes known: acceptances go to the proposer and it tells all, to "
               "the proposer alone, or every acceptance goes to all nodes.");
        option("prepare_quorum", self.prepare_quorum,
               "Which nodes must promise before a proposer may send its value.");
        option("accept_quorum", self.accept_quorum,
               "Which nodes must accept a proposal for its value to be chosen. Each such quorum "
               "must share a node with each quorum that promises, unless one of the two says "
               "'unsafe'.");
        option("mutations", self.mutations, "Bugs to be put in, by name; see docs/museum.md.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate(NodeId nodes) const;

    /// What this node proposes.
    [[nodiscard]] std::int64_t value_of(NodeId node) const {
        return values.empty() ? node : values[node - 1];
    }
};

struct Paxos {
    using Options = PaxosOptions;
    using Nodes = NodeSet<most_ballot_nodes>;

    /// A value under a ballot.
    struct Proposal {
        Ballot ballot;
        std::int64_t value = 0;
        EL_FIELDS(Proposal, ballot, value)

        [[nodiscard]] bool made() const { return ballot.used(); }
    };

    // --- messages (2.2) ---
    struct Prepare {  ///< phase 1a
        Ballot ballot;
        EL_FIELDS(Prepare, ballot)
    };
    struct Promise {  ///< phase 1b: nothing below this ballot will be accepted here
        Ballot ballot;
        Proposal accepted;  ///< the highest that was; of round 0: none
        EL_FIELDS(Promise, ballot, accepted)
    };
    struct Accept {  ///< phase 2a
        Proposal proposal;
        EL_FIELDS(Accept, proposal)
    };
    struct Accepted {  ///< phase 2b, to whoever learns
        Proposal proposal;
        EL_FIELDS(Accepted, proposal)
    };
    struct Nack {  ///< the request's ballot is below a promise
        Ballot ballot;
        Ballot promised;
        EL_FIELDS(Nack, ballot, promised)
    };
    struct Chosen {  ///< what a learner learned (2.3)
        Proposal proposal;
        EL_FIELDS(Chosen, proposal)
    };
    using Message = std::variant<Prepare, Promise, Accept, Accepted, Nack, Chosen>;

    // --- state ---
    /// Written to the disk before any answer leaves (2.5).
    struct Disk {
        Ballot promised;    ///< acceptor: the highest ballot it answered
        Proposal accepted;  ///< acceptor: the highest proposal it accepted
        Proposal chosen;    ///< learner: of a ballot that chose
        /// The last proposals that this acceptor accepted, oldest first. No rule reads it: "only
        /// one value is ever chosen" does.
        std::vector<Proposal> history;
        EL_FIELDS(Disk, promised, accepted, chosen, history)
    };
    enum class Phase : std::uint8_t { idle, preparing, accepting, backing_off };
    friend constexpr std::string_view enum_name(Phase phase) {
        constexpr std::string_view names[] = {"idle", "preparing", "accepting", "backing_off"};
        return static_cast<std::size_t>(phase) < 4 ? names[static_cast<std::size_t>(phase)] : "";
    }
    static constexpr std::size_t most_remembered = 16;  ///< of `history`
    struct Memory {
        Phase phase = Phase::idle;   ///< proposer
        Ballot ballot;               ///< proposer: its own, of this or its last attempt
        Nodes promises;              ///< proposer: who promised in it
        Proposal reported;           ///< proposer: the highest accepted proposal in those promises
        std::int64_t round_seen = 0; ///< proposer: the highest round that anybody told it of
        Ballot heard;                ///< learner: the highest ballot that it heard was accepted
        Nodes acceptors;             ///< learner: by whom
        EL_FIELDS(Memory, phase, ballot, promises, reported, round_seen, heard, acceptors)
    };
    using State = electionlab::State<Paxos>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { propose, backoff, round };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"propose", "backoff", "round"};
        return static_cast<std::size_t>(timer) < 3 ? names[static_cast<std::size_t>(timer)] : "";
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
    /// The rounds of ballots; whose ballot it is stays.
    static constexpr bool is_epoch(std::string_view of, std::string_view field) {
        return (of == "Ballot" && field == "round") || field == "round_seen";
    }
    static std::vector<electionlab::Promise<Paxos>> invariants();
    static std::vector<Property<Paxos>> properties();

private:
    static void on(State& s, const Context& ctx, NodeId from, const Prepare& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Promise& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Accept& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Accepted& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Nack& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Chosen& m, Effects& effects);

    static void schedule_proposal(const State& s, const Context& ctx, Effects& effects);
    static void prepare(State& s, const Context& ctx, Effects& effects);
    static void ask_to_accept(State& s, const Context& ctx, Effects& effects);
    static void accept(State& s, const Context& ctx, const Proposal& proposal, Effects& effects);
    static void give_way(State& s, const Context& ctx, Ballot to, Effects& effects);
    static void count(State& s, const Context& ctx, NodeId acceptor, const Proposal& proposal,
                      Effects& effects);
    static void learn(State& s, const Proposal& chosen, Effects& effects);
};

}  // namespace electionlab

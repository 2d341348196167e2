// Chang and Roberts' election: a node passes on only ids greater than its own, so that the greatest
// alone comes all the way round, and leads.
//
// Source:      E. Chang and R. Roberts, "An Improved Algorithm for Decentralized Extrema-Finding
//              in Circular Configurations of Processes", CACM 22(5), 1979, pages 281-283; in the
//              form of G. Coulouris et al., Distributed Systems, section 15.3 (5th ed.).
// Modelled:    ids on a unidirectional ring, in any order; any set of initiators; smaller ids are
//              stopped; the winner's announcement goes once round, as messages of their own kind.
// Left out:    how the need of an election is noticed: an election takes place at the start only,
//              and a leader's crash goes unnoticed.
// Deviations:  none known from the textbook's form, which also says what a node does that did not
//              begin: a smaller id makes it send its own instead; one that passed a greater id on
//              takes part, and never sends its own.
// Assumptions: no message is lost, no node crashes; all nodes are on before the first message
//              arrives; any delay, in any order. Where the greatest id is lost, as its node
//              crashes or a message is, nobody is ever elected.
// Cost:        ELECTION, all n >= 2 nodes begin: at most n(n+1)/2 (ids descend clockwise), at
//              least 2n-1 (they ascend), on average over all orders n H_n = n (1 + 1/2 + ... +
//              1/n). One node begins, d hops before the greatest: d + n. ELECTED: n more.
// Weaknesses:  no failure detection, no second election; no epoch, hence no fencing token.
// Scenarios:   tests/scenarios/chang_roberts/
#pragma once

#include <variant>

#include "electionlab/node/protocol.h"
#include "electionlab/protocols/id_ring.h"

namespace electionlab {

struct ChangRoberts {
    using Options = IdRingOptions;

    // --- messages ---
    /// An id on its way round the ring, as long as no greater one stops it.
    struct Election {
        NodeId id = no_node;
        EL_FIELDS(Election, id)
    };
    /// Who won: once round, back to the winner.
    struct Elected {
        NodeId leader = no_node;
        EL_FIELDS(Elected, leader)
    };
    using Message = std::variant<Election, Elected>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        NodeId successor = no_node;  ///< the only node that it sends to
        bool takes_part = false;     ///< has sent its own id or passed on a greater one
        NodeId leader = no_node;
        EL_FIELDS(Memory, successor, takes_part, leader)
    };
    using State = electionlab::State<ChangRoberts>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    // --- inputs ---
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);

    static View view(const State& s, const Context& ctx);
    static About about();

private:
    static void on(State& s, const Context& ctx, const Election& m, Effects& effects);
    static void on(State& s, const Context& ctx, const Elected& m, Effects& effects);

    static void begin(State& s, const Context& ctx, Effects& effects);
    static void win(State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

// Le Lann's election: every id goes all the way round the ring, and whoever has seen all of
// them knows the greatest.
//
// Source:      G. Le Lann, "Distributed Systems - Towards a Formal Approach", Information
//              Processing 77 (IFIP Congress), 1977, pages 155-160; as the textbooks tell it (G.
//              Tel, Introduction to Distributed Algorithms, section 7.2).
// Modelled:    ids on a unidirectional ring, in any order; any set of initiators; each node sends
//              its id round, collects the others' and passes them on; its own ends with it.
// Left out:    the token whose loss started the election, and how that is detected: an election
//              takes place at the start only, and a leader's crash goes unnoticed.
// Deviations:  A node that an id reaches before it has begun begins itself, its own id first. So
//              all ids are collected and all nodes decide, whoever begins; in Tel's form only
//              initiators send ids, and the others never know that the election is over.
//              A node decides when it has seen all n ids, its own included. The source decides
//              when the own id is back, for its links keep the order of messages and the own id is
//              then the last; here a message may overtake another (link option `fifo`), and n is
//              known.
//              The greatest id leads.
// Assumptions: no message is lost, no node crashes, all are on before the first message arrives;
//              any delay. One lost id, and the nodes that it did not reach wait for it for ever.
// Cost:        exactly n^2 messages for n >= 2, in every order and for every set of initiators.
// Weaknesses:  no failure detection, no second election; no epoch, hence no fencing token.
// Scenarios:   tests/scenarios/le_lann/
#pragma once

#include <variant>

#include "electionlab/core/id_list.h"
#include "electionlab/node/protocol.h"
#include "electionlab/protocols/id_ring.h"

namespace electionlab {

struct LeLann {
    using Options = IdRingOptions;

    // --- messages ---
    /// An id on its way round the ring.
    struct Election {
        NodeId id = no_node;
        EL_FIELDS(Election, id)
    };
    using Message = std::variant<Election>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        NodeId successor = no_node;  ///< the only node that it sends to
        bool began = false;          ///< its own id has left
        IdList collected;            ///< ids that came by, the own one when it was back
        NodeId leader = no_node;
        EL_FIELDS(Memory, successor, began, collected, leader)
    };
    using State = electionlab::State<LeLann>;
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
    static void begin(State& s, const Context& ctx, Effects& effects);
    static void collect(State& s, const Context& ctx, NodeId id, Effects& effects);
};

}  // namespace electionlab

// Hirschberg and Sinclair's election: a node asks wider and wider stretches of the ring, on both
// sides of it, whether anybody there has a greater id.
//
// Source:      D. S. Hirschberg and J. B. Sinclair, "Decentralized Extrema-Finding in Circular
//              Configurations of Processors", CACM 23(11), 1980, pages 627-628; the winner's
//              announcement as in Chang and Roberts' (see chang_roberts.h).
// Modelled:    ids on a ring whose nodes send both ways, in any order; any set of initiators;
//              stretches of 1, 2, 4, ... nodes; a reply at the end of a stretch, or a refusal from
//              the first greater node on it; whoever's question comes all the way round has won.
// Left out:    how the need of an election is noticed: an election takes place at the start only,
//              and a leader's crash goes unnoticed.
// Deviations:  A node that a message reaches before it has begun begins itself first, so that the
//              greatest of all ids wins, whoever begins.
// Assumptions: no message is lost or doubled, no node crashes, all are on before the first message
//              arrives; any delay, in any order. The number of nodes need not be known.
// Cost:        n >= 2 nodes: less than 8n messages (questions and replies) a phase of at most
//              1 + ceil(lg n), together at most 8n (1 + ceil(lg n)); n more to announce.
// Weaknesses:  no failure detection, no second election; no epoch, hence no fencing token.
// Scenarios:   tests/scenarios/hirschberg_sinclair/
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/protocols/id_ring.h"

namespace electionlab {

struct HirschbergSinclair {
    using Options = TwoWayRingOptions;

    // --- messages ---
    /// Is anybody greater than this id, `reach` nodes far in this direction?
    struct Election {
        NodeId id = no_node;
        std::int64_t hops = 0;   ///< so far, this one included
        std::int64_t reach = 0;
        bool clockwise = false;  ///< in a ring of two, both neighbours are the same node
        EL_FIELDS(Election, id, hops, reach, clockwise)
    };
    /// On its way back to the node with this id: nobody is greater, or somebody is.
    struct Reply {
        NodeId id = no_node;
        bool ok = false;
        bool clockwise = false;  ///< where the reply goes: against the question
        EL_FIELDS(Reply, id, ok, clockwise)
    };
    /// Who won: once round, clockwise, back to the winner.
    struct Elected {
        NodeId leader = no_node;
        EL_FIELDS(Elected, leader)
    };
    using Message = std::variant<Election, Reply, Elected>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        NodeId successor = no_node;    ///< clockwise
        NodeId predecessor = no_node;  ///< counterclockwise
        RingPart part = RingPart::asleep;
        std::int64_t reach = 0;        ///< of its questions: 1, 2, 4, ...
        bool ok_before = false;        ///< nobody greater, counterclockwise
        bool ok_after = false;         ///< nobody greater, clockwise
        NodeId leader = no_node;
        EL_FIELDS(Memory, successor, predecessor, part, reach, ok_before, ok_after, leader)
    };
    using State = electionlab::State<HirschbergSinclair>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    // --- inputs ---
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);

    static View view(const State& s, const Context& ctx) {
        return ring_view(ctx.self, s.memory.leader);
    }
    static About about();
    static std::vector<Property<HirschbergSinclair>> properties() {
        return {greatest_id_wins<HirschbergSinclair>()};
    }

private:
    static void on(State& s, const Context& ctx, const Election& m, Effects& effects);
    static void on(State& s, const Context& ctx, const Reply& m, Effects& effects);
    static void on(State& s, const Context& ctx, const Elected& m, Effects& effects);

    static void find_neighbours(State& s, const Context& ctx);
    static void ask(State& s, const Context& ctx, std::int64_t reach, Effects& effects);
    static void win(State& s, const Context& ctx, Effects& effects);
    static NodeId next(const State& s, bool clockwise) {
        return clockwise ? s.memory.successor : s.memory.predecessor;
    }
};

}  // namespace electionlab

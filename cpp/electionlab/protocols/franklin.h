// Franklin's election: in each round an active node compares its id with those of the next active
// nodes on both sides, and only a local maximum goes on.
//
// Source:      W. R. Franklin, "On an Improved Algorithm for Decentralized Extrema Finding in
//              Circular Configurations of Processors", CACM 25(5), 1982, pages 336-337; the
//              winner's announcement as in Chang and Roberts' (see chang_roberts.h).
// Modelled:    ids on a ring whose nodes send both ways, in any order; any set of initiators; a
//              node that has lost passes on what comes; the announcement goes once round.
// Left out:    how the need of an election is noticed: an election takes place at the start only,
//              and a leader's crash goes unnoticed.
// Deviations:  A node that a message reaches before it has begun begins itself first, so that the
//              greatest of all ids wins, whoever begins.
//              The source reads a link when it wants the next message. Here messages come when they
//              come: what is early waits at its node, in the order of arrival.
// Assumptions: no message is lost, no node crashes, all are on before the first message arrives;
//              any delay. Links keep the order of messages (link option `fifo`). Where one message
//              overtakes another, a node may compare its id with one of another round: the greatest
//              id still wins, but the rounds are no longer those of the order of ids.
// Cost:        n >= 2 nodes: exactly 2n ELECTION messages a round, of at most floor(lg n) + 1
//              rounds (fewer than half of the active nodes can be local maxima); n ELECTED more:
//              at most 2n floor(lg n) + 3n in all.
// Weaknesses:  no failure detection, no second election; no epoch, hence no fencing token.
// Scenarios:   tests/scenarios/franklin/
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "electionlab/core/id_list.h"
#include "electionlab/node/protocol.h"
#include "electionlab/protocols/id_ring.h"

namespace electionlab {

struct Franklin {
    using Options = TwoWayRingOptions;

    // --- messages ---
    /// The id of an active node, on its way to the next active one.
    struct Election {
        NodeId id = no_node;
        bool clockwise = false;  ///< in a ring of two, both neighbours are the same node
        EL_FIELDS(Election, id, clockwise)
    };
    /// Who won: once round, clockwise, back to the winner.
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
        NodeId successor = no_node;    ///< clockwise
        NodeId predecessor = no_node;  ///< counterclockwise
        RingPart part = RingPart::asleep;
        std::int64_t round = 0;        ///< 1 for the first
        IdList from_predecessor;       ///< ids that came and are not compared yet, oldest first
        IdList from_successor;
        NodeId leader = no_node;
        EL_FIELDS(Memory, successor, predecessor, part, round, from_predecessor, from_successor,
                  leader)
    };
    using State = electionlab::State<Franklin>;
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
    static std::vector<Property<Franklin>> properties() { return {greatest_id_wins<Franklin>()}; }

private:
    static void on(State& s, const Context& ctx, const Election& m, Effects& effects);
    static void on(State& s, const Context& ctx, const Elected& m, Effects& effects);

    static void find_neighbours(State& s, const Context& ctx);
    static void next_round(State& s, const Context& ctx, Effects& effects);
    static void compare(State& s, const Context& ctx, Effects& effects);
    static void give_up(State& s, Effects& effects);
    static void pass_on(const State& s, const Election& m, Effects& effects);
    static void win(State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

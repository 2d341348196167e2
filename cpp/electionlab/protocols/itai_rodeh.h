// Itai and Rodeh's election: nodes without names draw ids by lot, the greatest leads, and those who
// drew the same draw again.
//
// Source:      A. Itai and M. Rodeh, "Symmetry Breaking in Distributive Networks", FOCS 1981, pages
//              150-158, and Information and Computation 88(1), 1990, pages 60-87; in the form of W.
//              Fokkink and J. Pang, "Simplifying Itai-Rodeh Leader Election for Anonymous Rings",
//              ENTCS 128(6), 2005, pages 53-68: messages of id, round, hops and a bit.
// Modelled:    a unidirectional ring of known size; Chang and Roberts' elimination among ids that
//              are drawn, round by round; the bit that tells whether another node drew the same;
//              the winner's announcement, once round.
// Left out:    how the need of an election is noticed: an election takes place at the start only,
//              and a leader's crash goes unnoticed.
// Deviations:  A node that a message reaches before it has begun begins itself first.
//              The announcement counts hops, which tell each node where its leader is: they have no
//              names to tell. The view turns that place into the node's number, for the reader.
//              A node's number serves the wiring alone (`order`): no rule reads it.
// Assumptions: no message is lost or doubled, no node crashes, all are on before the first message
//              arrives; any delay, in any order; the number of nodes is known. Where it is not
//              (`ring_size` below the truth), several nodes may lead; where ids are not drawn by
//              lot (one possible id), nobody ever leads: no algorithm without chance elects among
//              nodes that are all alike (Angluin, STOC 1980).
// Cost:        ends with probability 1 and no bound. ELECTION, n = 2, K possible ids, equal delays:
//              exactly 3 + 4 (r - 1) in r rounds, and 3 + 4 / (K - 1) on average. In general
//              O(n log n) on average. ELECTED: n more.
// Weaknesses:  no failure detection, no second election; no epoch, hence no fencing token.
// Scenarios:   tests/scenarios/itai_rodeh/
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/protocols/id_ring.h"

namespace electionlab {

struct ItaiRodehOptions : IdRingOptions {
    std::int64_t ids = 0;
    std::int64_t ring_size = 0;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("order", self.order,
               "The nodes clockwise, each of 1 to nodes once; messages go clockwise only. "
               "Empty: 1 to nodes ascending.");
        option("initiators", self.initiators,
               "Nodes that begin at their start; the others begin when a message reaches them. "
               "Empty: all.");
        option("ids", self.ids, "Ids are drawn from 1 to this; at most 10^9. 0: the ring's size.");
        option("ring_size", self.ring_size,
               "The number of nodes as the nodes know it; at most 10^9. 0: the truth.");
    }
    void validate(NodeId nodes) const;

    [[nodiscard]] std::int64_t known_size(NodeId members) const {
        return ring_size == 0 ? members : ring_size;
    }
    [[nodiscard]] std::int64_t greatest_id(NodeId members) const {
        return ids == 0 ? known_size(members) : ids;
    }
    /// The node so many hops counterclockwise.
    [[nodiscard]] NodeId before(NodeId node, std::int64_t hops, NodeId members) const;
    /// How many hops clockwise it is from one node to the other.
    [[nodiscard]] std::int64_t hops_between(NodeId from, NodeId to, NodeId members) const;
};

struct ItaiRodeh {
    using Options = ItaiRodehOptions;
    static constexpr bool draws = true;

    // --- messages ---
    /// An id of this round on its way round the ring, as long as no greater one stops it.
    struct Election {
        std::int64_t round = 0;
        std::int64_t id = 0;
        std::int64_t hops = 0;  ///< so far, this one included
        bool unique = false;    ///< no other node on the way had the same
        EL_FIELDS(Election, round, id, hops, unique)
    };
    /// The winner is so many hops back: once round.
    struct Elected {
        std::int64_t hops = 0;
        EL_FIELDS(Elected, hops)
    };
    using Message = std::variant<Election, Elected>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        NodeId successor = no_node;  ///< the only node that it sends to
        RingPart part = RingPart::asleep;
        std::int64_t round = 0;      ///< 1 for the first
        std::int64_t id = 0;         ///< drawn for this round
        std::uint64_t drawn = 0;     ///< words used so far
        std::int64_t leader_hops = -1;  ///< how far back the leader is; -1: not known
        EL_FIELDS(Memory, successor, part, round, id, drawn, leader_hops)
    };
    using State = electionlab::State<ItaiRodeh>;
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
    static std::uint64_t drawn(const State& s) { return s.memory.drawn; }
    static std::int64_t draw_range(const Options& options, NodeId members) {
        return options.greatest_id(members);
    }
    static std::vector<Property<ItaiRodeh>> properties();

private:
    static void on(State& s, const Context& ctx, const Election& m, Effects& effects);
    static void on(State& s, const Context& ctx, const Elected& m, Effects& effects);

    static void next_round(State& s, const Context& ctx, Effects& effects);
    static void win(State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

// Peterson's election, and Dolev, Klawe and Rodeh's: Franklin's idea on a ring whose nodes send one
// way only. Ids move: an active node takes its active neighbour's id if that is a local maximum.
//
// Source:      G. L. Peterson, "An O(n log n) Unidirectional Algorithm for the Circular Extrema
//              Problem", ACM TOPLAS 4(4), 1982, pages 758-762; D. Dolev, M. Klawe and M. Rodeh, "An
//              O(n log n) Unidirectional Distributed Algorithm for Extrema Finding in a Circle",
//              Journal of Algorithms 3(3), 1982, pages 245-260: its first algorithm. Neither paper
//              could be read in full: their rules are from their widely known content.
// Modelled:    both, found independently, and Peterson's improved one; see `PetersonVariant`. Ids
//              in any order; any set of initiators; the announcement, which goes once round.
// Left out:    how the need of an election is noticed: an election takes place at the start only,
//              and a leader's crash goes unnoticed. The refinements of Dolev, Klawe and Rodeh that
//              need 1.5 and 1.356 n lg n messages.
// Deviations:  A node that a message reaches before it has begun begins itself first, so that the
//              greatest of all ids wins, whoever begins.
//              Peterson's improved variant is told from its idea and its bound: which of the two
//              rules comes first is ours, and that it ends as Dolev, Klawe and Rodeh's does.
// Assumptions: no message is lost, no node crashes, all are on before the first message arrives;
//              any delay. Links keep the order of messages (link option `fifo`): a node tells the
//              first message of a phase from the second by their order alone. Where one overtakes
//              another, all nodes may give up, and ids circulate for ever, or a node leads that has
//              not the greatest id.
// Cost:        n >= 2 nodes, ELECTION, in bounds that are derived in docs/protocols/peterson.md:
//              peterson, dolev_klawe_rodeh: 2n messages a phase of two active nodes or more, of
//              which there are at most floor(lg n), and at most n (dolev_klawe_rodeh: exactly n)
//              when one is left: at most 2n floor(lg n) + n.
//              peterson_improved: exactly n a phase, of at most p, the greatest number with
//              Fibonacci(p + 1) <= n: about 1.44 n lg n.
//              ELECTED: n more.
// Weaknesses:  no failure detection, no second election; no epoch, hence no fencing token.
// Scenarios:   tests/scenarios/peterson/
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/protocols/id_ring.h"

namespace electionlab {

enum class PetersonVariant : std::uint8_t {
    peterson,           ///< the second message is the greater id; an id that is back has won
    peterson_improved,  ///< one message a phase: an id is compared with one neighbour's only
    dolev_klawe_rodeh,  ///< the second message is the neighbour's id; the last active node knows
};

constexpr std::string_view enum_name(PetersonVariant variant) {
    constexpr std::string_view names[] = {"peterson", "peterson_improved", "dolev_klawe_rodeh"};
    return static_cast<std::size_t>(variant) < 3 ? names[static_cast<std::size_t>(variant)] : "";
}

struct PetersonOptions : IdRingOptions {
    PetersonVariant variant = PetersonVariant::peterson;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        IdRingOptions::describe(self, option);
        option("variant", self.variant,
               "Two messages a phase as Peterson's or as Dolev, Klawe and Rodeh's, or one.");
    }
};

struct Peterson {
    using Options = PetersonOptions;

    // --- messages ---
    /// An id on its way to the next active node.
    struct Election {
        NodeId id = no_node;
        EL_FIELDS(Election, id)
    };
    /// Who won: once round, back to the node that found out.
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
        NodeId successor = no_node;     ///< the only node that it sends to
        RingPart part = RingPart::asleep;
        std::int64_t phase = 0;         ///< 1 for the first
        NodeId temporary_id = no_node;  ///< the id for which it stands; its own at first
        NodeId neighbour_id = no_node;  ///< this phase's first message, if it has come
        bool announced = false;         ///< found out who leads
        NodeId leader = no_node;
        EL_FIELDS(Memory, successor, part, phase, temporary_id, neighbour_id, announced, leader)
    };
    using State = electionlab::State<Peterson>;
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
    static std::vector<Property<Peterson>> properties() { return {greatest_id_wins<Peterson>()}; }

private:
    static void on(State& s, const Context& ctx, const Election& m, Effects& effects);
    static void on(State& s, const Context& ctx, const Elected& m, Effects& effects);

    static void begin(State& s, const Context& ctx, Effects& effects);
    static void first(State& s, const Context& ctx, NodeId id, Effects& effects);
    static void second(State& s, NodeId id, Effects& effects);
    static void only(State& s, NodeId id, Effects& effects);
    static void go_on(State& s, NodeId id, Effects& effects);
    static void give_up(State& s, Effects& effects);
    static void announce(State& s, const Context& ctx, NodeId leader, Effects& effects);
};

}  // namespace electionlab

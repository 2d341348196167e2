// FloodMax: on any connected graph, every node tells its neighbours the greatest id that it knows,
// round by round, as many rounds as the graph's diameter.
//
// Source:      N. A. Lynch, Distributed Algorithms, 1996, section 4.1: FloodMax, and OptFloodMax,
//              which sends in a round only what it learned in the one before.
// Modelled:    both, on a ring, line, star, complete graph, grid, or any list of edges.
// Left out:    one-way edges. How the need of an election is noticed: an election takes place at
//              the start only, and a leader's crash goes unnoticed.
// Deviations:  The source's rounds are given: all nodes take them at once. Here a node makes them:
//              `plain` needs no clock, for something comes from every neighbour in every round: a
//              round is over when all of it is there. It then works with any delay.
//              `optimised` is silent when nothing is new, and silence takes a clock to hear: a
//              round lasts `round_ms`.
// Assumptions: no message is lost or doubled, no node crashes, the diameter is known (or a bound
//              above it). `plain`: all nodes are on before the first message arrives; any delay, in
//              any order. `optimised`: all start at once, clocks run alike, and every message takes
//              less than a round; or else several nodes lead.
// Cost:        `plain`: exactly diameter x 2 edges. `optimised`: at most that; a node of degree d
//              sends d messages in the first round and in each of the following that comes after
//              one in which it learned of a greater id.
// Weaknesses:  no failure detection, no second election; no epoch, hence no fencing token.
// Scenarios:   tests/scenarios/flood_max/
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "electionlab/core/id_list.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

enum class FloodVariant : std::uint8_t { plain, optimised };

constexpr std::string_view enum_name(FloodVariant variant) {
    constexpr std::string_view names[] = {"plain", "optimised"};
    return static_cast<std::size_t>(variant) < 2 ? names[static_cast<std::size_t>(variant)] : "";
}

enum class Topology : std::uint8_t { ring, line, star, complete, grid, edges };

constexpr std::string_view enum_name(Topology topology) {
    constexpr std::string_view names[] = {"ring", "line", "star", "complete", "grid", "edges"};
    return static_cast<std::size_t>(topology) < 6 ? names[static_cast<std::size_t>(topology)] : "";
}

/// Two nodes that can send to each other.
struct Edge {
    NodeId one = no_node;
    NodeId other = no_node;
    EL_FIELDS(Edge, one, other)
};

struct FloodMaxOptions {
    FloodVariant variant = FloodVariant::plain;
    Topology topology = Topology::ring;
    std::vector<Edge> edges;
    std::vector<NodeId> order;
    NodeId columns = 0;
    NodeId diameter = 0;
    Duration round = ms(20);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("variant", self.variant,
               "Every node sends in every round, or only when it learned of a greater id.");
        option("topology", self.topology, "Who is whose neighbour; 'edges': as listed there.");
        option("edges", self.edges,
               "Pairs of neighbours, each once; together they connect all nodes. "
               "Only with topology='edges'.");
        option("order", self.order,
               "The ids along the ring or line, from a star's centre, or a grid's rows. "
               "Empty: 1 to nodes ascending.");
        option("columns", self.columns,
               "Of a grid, whose last row may be shorter. 0: as square as can be.");
        option("diameter", self.diameter,
               "The rounds to take, as the nodes know it. 0: the truth.");
        option("round_ms", self.round,
               "How long a round of variant='optimised' lasts; above every one-way delay.");
    }
    void validate(NodeId nodes) const;
    /// Works the diameter out once for all nodes.
    void prepare(NodeId nodes) { true_diameter = rounds(nodes); }

    /// In ascending order.
    [[nodiscard]] std::vector<NodeId> neighbours(NodeId node, NodeId members) const;
    /// The greatest distance between two nodes, in edges; or what the option says.
    [[nodiscard]] NodeId rounds(NodeId members) const;

    NodeId true_diameter = 0;  ///< what `prepare` makes
};

struct FloodMax {
    using Options = FloodMaxOptions;

    // --- messages ---
    /// The greatest id that the sender knows at the beginning of this round.
    struct Greatest {
        std::int64_t round = 0;
        NodeId id = no_node;
        EL_FIELDS(Greatest, round, id)
    };
    using Message = std::variant<Greatest>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    /// What came in a round.
    struct Inbox {
        std::int64_t messages = 0;
        NodeId greatest = no_node;
        EL_FIELDS(Inbox, messages, greatest)
    };
    struct Memory {
        IdList neighbours;          ///< the only nodes that it sends to
        std::int64_t rounds = 0;    ///< to take in all
        std::int64_t round = 0;     ///< 1 for the first
        NodeId greatest = no_node;  ///< id known at the beginning of this round
        Inbox now;                  ///< of this round
        Inbox next;                 ///< a neighbour may be one round ahead
        NodeId leader = no_node;
        EL_FIELDS(Memory, neighbours, rounds, round, greatest, now, next, leader)
    };
    using State = electionlab::State<FloodMax>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { round };
    friend constexpr std::string_view enum_name(Timer timer) {
        return timer == Timer::round ? "round" : "";
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
    static std::vector<Property<FloodMax>> properties();

private:
    static void begin(State& s, const Context& ctx, Effects& effects);
    static void next_round(State& s, const Context& ctx, bool learned, Effects& effects);
    static void end_round(State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

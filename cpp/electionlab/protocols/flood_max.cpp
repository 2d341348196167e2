#include "electionlab/protocols/flood_max.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "electionlab/protocols/id_ring.h"

namespace electionlab {
namespace {

/// Distances from the first node to all others, in edges; `nodes` where there is no way.
std::vector<NodeId> distances(const FloodMaxOptions& options, NodeId from, NodeId nodes) {
    std::vector<std::vector<NodeId>> beside(nodes + std::size_t{1});
    for (const Edge& edge : options.edges) {
        beside[edge.one].push_back(edge.other);
        beside[edge.other].push_back(edge.one);
    }
    std::vector<NodeId> distance(nodes + std::size_t{1}, nodes);
    std::vector<NodeId> reached{from};
    distance[from] = 0;
    for (std::size_t i = 0; i < reached.size(); ++i) {
        for (const NodeId node : beside[reached[i]]) {
            if (distance[node] == nodes) {
                distance[node] = distance[reached[i]] + 1;
                reached.push_back(node);
            }
        }
    }
    distance.erase(distance.begin());
    return distance;
}

/// The least number of columns whose square is not below the nodes.
NodeId grid_columns(const FloodMaxOptions& options, NodeId nodes) {
    NodeId columns = options.columns;
    if (columns == 0) {
        while (columns * columns < nodes) {
            ++columns;
        }
    }
    return columns;
}

std::string show_edge(const Edge& edge) {
    return "(" + std::to_string(edge.one) + ", " + std::to_string(edge.other) + ")";
}

void check_edges(const FloodMaxOptions& options, NodeId nodes) {
    std::set<std::pair<NodeId, NodeId>> seen;
    for (const Edge& edge : options.edges) {
        if (std::min(edge.one, edge.other) < 1 || std::max(edge.one, edge.other) > nodes || edge.one == edge.other) {
            invalid("edges", show_edge(edge),
                    "must be two different nodes from 1 to " + std::to_string(nodes));
        }
        if (!seen.insert(std::minmax(edge.one, edge.other)).second) {
            invalid("edges", show_edge(edge), "must hold each pair once");
        }
    }
    const auto reached = distances(options, 1, nodes);
    const auto lost = std::ranges::find(reached, nodes);
    if (nodes > 1 && lost != reached.end()) {
        invalid("edges", std::to_string(options.edges.size()) + " of them",
                "must connect all nodes; there is no way from node 1 to node " +
                    std::to_string(lost - reached.begin() + 1));
    }
}

}  // namespace

void FloodMaxOptions::validate(NodeId nodes) const {
    check_order(order, nodes);
    if (topology == Topology::edges) {
        check_edges(*this, nodes);
        if (!order.empty()) {
            invalid("order", show(to_value(order)), "must be empty with topology='edges'");
        }
    } else if (!edges.empty()) {
        invalid("edges", std::to_string(edges.size()) + " of them",
                "must be empty without topology='edges'");
    }
    if (columns > (topology == Topology::grid ? nodes : 0)) {
        invalid("columns", std::to_string(columns),
                topology == Topology::grid ? "must be at most " + std::to_string(nodes)
                                           : "must be 0 without topology='grid'");
    }
    if (round.ns <= 0) {
        invalid("round_ms", show(round.to_ms()), "must be above 0");
    }
}

std::vector<NodeId> FloodMaxOptions::neighbours(NodeId node, NodeId members) const {
    std::vector<NodeId> found;
    if (topology == Topology::edges) {
        for (const Edge& edge : edges) {
            if (edge.one == node || edge.other == node) {
                found.push_back(edge.one == node ? edge.other : edge.one);
            }
        }
        std::ranges::sort(found);
        return found;
    }
    const auto id_at = [&](NodeId place) { return order.empty() ? place + 1 : order[place]; };
    const NodeId place =
        order.empty() ? node - 1
                      : static_cast<NodeId>(std::ranges::find(order, node) - order.begin());
    const NodeId columns_used = topology == Topology::grid ? grid_columns(*this, members) : members;
    const auto is_beside = [&](NodeId other) {
        const NodeId low = std::min(place, other), high = std::max(place, other);
        switch (topology) {
            case Topology::ring:
                return high - low == 1 || (low == 0 && high == members - 1);
            case Topology::star:
                return low == 0;
            case Topology::complete:
                return true;
            default:  // a line is a grid of one row
                return high - low == columns_used ||
                       (high - low == 1 && high % columns_used != 0);
        }
    };
    for (NodeId other = 0; other < members; ++other) {
        if (other != place && is_beside(other)) {
            found.push_back(id_at(other));
        }
    }
    std::ranges::sort(found);
    return found;
}

NodeId FloodMaxOptions::rounds(NodeId members) const {
    if (members == 1) {
        return 0;
    }
    if (diameter != 0 || true_diameter != 0) {
        return diameter != 0 ? diameter : true_diameter;
    }
    switch (topology) {
        case Topology::ring:
            return members / 2;
        case Topology::line:
            return members - 1;
        case Topology::star:
            return members == 2 ? 1 : 2;
        case Topology::complete:
            return 1;
        case Topology::grid: {  // from corner to corner
            const NodeId width = std::min(grid_columns(*this, members), members);
            return width - 1 + (members - 1) / width;
        }
        default: {
            NodeId greatest = 0;
            for (NodeId node = 1; node <= members; ++node) {
                greatest = std::max(greatest, std::ranges::max(distances(*this, node, members)));
            }
            return greatest;
        }
    }
}

About FloodMax::about() {
    return {.name = "flood_max",
            .title = "FloodMax: the greatest id floods a graph, round by round",
            .source = "Lynch, Distributed Algorithms, 1996, section 4.1",
            .assumptions = "a connected graph of known diameter, no message is lost or doubled, no "
                           "node crashes; optimised: all start at once, a delay below a round",
            .cost = "diameter x 2 edges; optimised: at most that",
            .weaknesses = "several leaders where the diameter is underrated, or a round of the "
                          "optimised variant too short; a leader's crash goes unnoticed; no epoch",
            .fails_over = false};
}

std::vector<Property<FloodMax>> FloodMax::properties() {
    return {{"greatest_id_wins", [](const AllNodes<FloodMax>& nodes) {
                 for (NodeId node = 1; node < nodes.members(); ++node) {
                     const Memory& memory = nodes.state(node).memory;
                     if (memory.round > 0 && memory.leader == node) {
                         return false;
                     }
                 }
                 return true;
             }}};
}

View FloodMax::view(const State& s, const Context& ctx) {
    return ring_view(ctx.self, s.memory.leader);
}

void FloodMax::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader != no_node) {
        s.memory.leader = ctx.initial_leader;
        return;
    }
    begin(s, ctx, effects);
}

// The source knows no crash; a node that lost its memory can but begin anew.
void FloodMax::on_restart(State& s, const Context& ctx, Effects& effects) {
    effects.note("is back and knows nothing");
    begin(s, ctx, effects);
}

void FloodMax::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                          Effects& effects) {
    const auto& m = std::get<Greatest>(message);
    if (s.memory.leader != no_node) {
        effects.note("has decided: ignores id {}", m.id);
        return;
    }
    const bool ahead = m.round > s.memory.round;
    effects.note(ahead ? "hears id {} from node {}, which is a round ahead"
                       : "hears id {} from node {}",
                 m.id, from);
    Inbox& inbox = ahead ? s.memory.next : s.memory.now;
    ++inbox.messages;
    inbox.greatest = std::max(inbox.greatest, m.id);
    if (ctx.options.variant == FloodVariant::plain) {
        end_round(s, ctx, effects);
    }
}

void FloodMax::on_timer(State& s, const Context& ctx, Timer, Effects& effects) {
    end_round(s, ctx, effects);
}

void FloodMax::begin(State& s, const Context& ctx, Effects& effects) {
    s.memory.neighbours = IdList(ctx.options.neighbours(ctx.self, ctx.members));
    s.memory.rounds = ctx.options.rounds(ctx.members);
    s.memory.greatest = ctx.self;
    next_round(s, ctx, true, effects);
}

void FloodMax::next_round(State& s, const Context& ctx, bool learned, Effects& effects) {
    ++s.memory.round;
    if (s.memory.round > s.memory.rounds) {
        s.memory.leader = s.memory.greatest;
        effects.note("has taken all its rounds: node {} leads", s.memory.leader);
        return;
    }
    if (learned || ctx.options.variant == FloodVariant::plain) {
        effects.note("round {}: sends id {}", s.memory.round, s.memory.greatest);
        for (const NodeId neighbour : s.memory.neighbours) {
            effects.send(neighbour, Greatest{s.memory.round, s.memory.greatest});
        }
    }
    if (ctx.options.variant == FloodVariant::optimised) {
        effects.set_timer(Timer::round, TimerSpec::fixed(ctx.options.round));
    }
}

// With a clock, a round ends by it; without, when every neighbour has been heard.
void FloodMax::end_round(State& s, const Context& ctx, Effects& effects) {
    const bool counts = ctx.options.variant == FloodVariant::plain;
    const auto all = static_cast<std::int64_t>(s.memory.neighbours.size());
    if (counts && s.memory.now.messages < all) {
        return;
    }
    const bool learned = s.memory.now.greatest > s.memory.greatest;
    s.memory.greatest = std::max(s.memory.greatest, s.memory.now.greatest);
    s.memory.now = std::exchange(s.memory.next, Inbox{});
    next_round(s, ctx, learned, effects);
    if (counts && s.memory.leader == no_node) {  // the next round may have overtaken this one
        end_round(s, ctx, effects);
    }
}

}  // namespace electionlab

#include "electionlab/check/graph.h"

#include <unordered_map>

namespace electionlab::check {

StateGraph state_graph(Space& space, std::size_t limit) {
    StateGraph graph;
    Space::Worker worker;
    std::unordered_map<std::uint64_t, std::size_t> places;  // by fingerprint
    const auto add = [&](std::uint64_t fingerprint, std::vector<std::uint32_t> world,
                         std::int64_t depth) {
        places.emplace(fingerprint, graph.nodes.size());
        const std::uint64_t broken = space.broken(world);
        graph.nodes.push_back({std::move(world), depth, broken, false});
    };
    std::vector<std::uint32_t> start = space.initial(worker);
    const std::uint64_t first = space.fingerprint(start, worker);
    add(first, std::move(start), 0);

    const auto& deepest = space.settings().bounds.depth;
    std::vector<Transition> transitions;
    for (std::size_t at = 0; at < graph.nodes.size(); ++at) {
        const std::vector<std::uint32_t> world = graph.nodes[at].world;
        const std::int64_t depth = graph.nodes[at].depth;
        transitions.clear();
        space.expand(world, worker, transitions);
        for (const Transition& t : transitions) {
            auto place = places.find(t.fingerprint);
            if (place == places.end()) {
                if (graph.nodes.size() >= limit || (deepest && depth >= *deepest)) {
                    graph.nodes[at].open = true;
                    continue;
                }
                std::vector<std::uint32_t> next;
                space.build(world, t, next);
                add(t.fingerprint, std::move(next), depth + 1);
                place = places.find(t.fingerprint);
            }
            graph.edges.push_back({at, place->second, t.step, t.broken});
        }
    }
    return graph;
}

}  // namespace electionlab::check

// A state graph small enough to be drawn.
#pragma once

#include <cstdint>
#include <vector>

#include "electionlab/check/space.h"

namespace electionlab::check {

/// States in the order in which a search breadth first finds them, and the steps between them.
struct StateGraph {
    struct Node {
        std::vector<std::uint32_t> world;
        std::int64_t depth = 0;
        std::uint64_t broken = 0;  ///< a bit for each invariant that does not hold here
        bool open = false;         ///< steps lead from here to states that are not in the graph
    };
    struct Edge {
        std::size_t from = 0;
        std::size_t to = 0;
        Step step{};
        std::uint64_t broken = 0;  ///< a bit for each invariant that the step itself breaks
    };
    std::vector<Node> nodes;
    std::vector<Edge> edges;
};

/// At most `limit` states, the nearest to the start first, and none beyond the bound on depth. With
/// symmetry one of each orbit. Steps that a bound cuts off are not there.
StateGraph state_graph(Space& space, std::size_t limit);

}  // namespace electionlab::check

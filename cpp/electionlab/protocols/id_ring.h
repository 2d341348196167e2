// A unidirectional ring of ids: what Le Lann's and Chang and Roberts' elections have in common.
//
// The source of both numbers the nodes in any order round the ring, and the cost of Chang and
// Roberts' depends on that order. Here the id is the node's number, and `order` arranges the nodes.
#pragma once

#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/node/options.h"

namespace electionlab {

struct IdRingOptions {
    std::vector<NodeId> order;
    std::vector<NodeId> initiators;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("order", self.order,
               "The ids clockwise, each of 1 to nodes once; messages go clockwise only. "
               "Empty: 1 to nodes ascending.");
        option("initiators", self.initiators,
               "Nodes that begin at their start; the others begin when a message reaches them. "
               "Empty: all.");
    }
    void validate(NodeId nodes) const;

    /// The next node clockwise; the node itself in a ring of one.
    [[nodiscard]] NodeId successor(NodeId node, NodeId members) const;
    [[nodiscard]] bool initiates(NodeId node) const;
};

}  // namespace electionlab

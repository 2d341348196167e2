#include "electionlab/protocols/id_ring.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "electionlab/core/errors.h"

namespace electionlab {
namespace {

void check_ids(const char* name, const std::vector<NodeId>& ids, NodeId nodes) {
    std::vector<bool> seen(nodes + std::size_t{1});
    for (const NodeId id : ids) {
        if (id < 1 || id > nodes) {
            invalid(name, std::to_string(id), "must hold nodes from 1 to " + std::to_string(nodes));
        }
        if (seen[id]) {
            invalid(name, std::to_string(id), "must hold each node once");
        }
        seen[id] = true;
    }
}

}  // namespace

void check_order(const std::vector<NodeId>& order, NodeId nodes) {
    check_ids("order", order, nodes);
    if (!order.empty() && order.size() != nodes) {
        invalid("order", show(to_value(order)),
                "must hold every node from 1 to " + std::to_string(nodes) + ", or none");
    }
}

void IdRingOptions::validate(NodeId nodes) const {
    check_order(order, nodes);
    check_ids("initiators", initiators, nodes);
}

NodeId IdRingOptions::successor(NodeId node, NodeId members) const {
    if (order.empty()) {
        return node == members ? 1 : node + 1;
    }
    const auto at = std::ranges::find(order, node);
    return at + 1 == order.end() ? order.front() : *(at + 1);
}

NodeId TwoWayRingOptions::predecessor(NodeId node, NodeId members) const {
    if (order.empty()) {
        return node == 1 ? members : node - 1;
    }
    const auto at = std::ranges::find(order, node);
    return at == order.begin() ? order.back() : *(at - 1);
}

bool IdRingOptions::initiates(NodeId node) const {
    return initiators.empty() || std::ranges::find(initiators, node) != initiators.end();
}

}  // namespace electionlab

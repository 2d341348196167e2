#include "electionlab/protocols/id_ring.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>

#include "electionlab/core/errors.h"
#include "electionlab/core/random.h"

namespace electionlab {
namespace {

void check_ids(const char* name, const std::vector<NodeId>& ids, NodeId nodes) {
    std::vector<bool> seen(nodes + std::size_t{1});
    for (const NodeId id : ids) {
        if (id < 1 || id > nodes) {
            invalid(name, show(to_value(ids)), "must hold nodes from 1 to " + std::to_string(nodes));
        }
        if (seen[id]) {
            invalid(name, show(to_value(ids)),
                    "must hold each node once, and has " + std::to_string(id) + " twice");
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
    if (shuffle != 0 && !order.empty()) {
        invalid("shuffle", std::to_string(shuffle), "must be 0 when `order` is given");
    }
    check_ids("initiators", initiators, nodes);
}

void IdRingOptions::prepare(NodeId nodes) {
    if (shuffle != 0) {  // Fisher and Yates
        const RandomStream stream = random_stream(
            trial_key(static_cast<std::uint64_t>(shuffle), 0), no_node, Purpose::scenario);
        tables.drawn.resize(nodes);
        std::iota(tables.drawn.begin(), tables.drawn.end(), NodeId{1});
        for (NodeId left = nodes; left > 1; --left) {
            const auto other = uniform_integer(stream.word(left), 0, std::int64_t{left} - 1);
            std::swap(tables.drawn[left - 1], tables.drawn[static_cast<std::size_t>(other)]);
        }
    }
    if (!clockwise().empty()) {
        tables.position.resize(nodes + std::size_t{1});
        for (NodeId at = 0; at < nodes; ++at) {
            tables.position[clockwise()[at]] = at;
        }
    }
    if (!initiators.empty()) {
        tables.initiates.resize(nodes + std::size_t{1});
        for (const NodeId node : initiators) {
            tables.initiates[node] = true;
        }
    }
}

const std::vector<NodeId>& IdRingOptions::clockwise() const {
    EL_ASSERT(shuffle == 0 || !tables.drawn.empty());
    return shuffle == 0 ? order : tables.drawn;
}

std::size_t IdRingOptions::position(NodeId node) const {
    if (!tables.position.empty()) {
        return tables.position[node];
    }
    const std::vector<NodeId>& ring = clockwise();
    return static_cast<std::size_t>(std::ranges::find(ring, node) - ring.begin());
}

NodeId IdRingOptions::successor(NodeId node, NodeId members) const {
    const std::vector<NodeId>& ring = clockwise();
    if (ring.empty()) {
        return node == members ? 1 : node + 1;
    }
    const std::size_t at = position(node) + 1;
    return at == ring.size() ? ring.front() : ring[at];
}

NodeId TwoWayRingOptions::predecessor(NodeId node, NodeId members) const {
    const std::vector<NodeId>& ring = clockwise();
    if (ring.empty()) {
        return node == 1 ? members : node - 1;
    }
    const std::size_t at = position(node);
    return at == 0 ? ring.back() : ring[at - 1];
}

bool IdRingOptions::initiates(NodeId node) const {
    if (!tables.initiates.empty()) {
        return tables.initiates[node];
    }
    return initiators.empty() || std::ranges::find(initiators, node) != initiators.end();
}

}  // namespace electionlab

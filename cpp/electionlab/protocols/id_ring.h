// A ring of ids: what the elections on rings have in common.
//
// Their sources number the nodes in any order round the ring, and the cost depends on that order.
// Here the id is the node's number, and `order` arranges the nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/node/options.h"
#include "electionlab/node/properties.h"
#include "electionlab/node/view.h"

namespace electionlab {

struct IdRingOptions {
    std::vector<NodeId> order;
    std::vector<NodeId> initiators;
    std::int64_t shuffle = 0;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("order", self.order,
               "The ids clockwise, each of 1 to nodes once; messages go clockwise only. "
               "Empty: 1 to nodes ascending.");
        option("initiators", self.initiators,
               "Nodes that begin at their start; the others begin when a message reaches them. "
               "Empty: all.");
        option("shuffle", self.shuffle,
               "Instead of `order`: a seed from which an order is drawn, all equally likely. 0: none.");
    }
    void validate(NodeId nodes) const;
    /// Makes tables, so that in a large ring a node finds its place at once.
    void prepare(NodeId nodes);

    /// The next node clockwise; the node itself in a ring of one.
    [[nodiscard]] NodeId successor(NodeId node, NodeId members) const;
    [[nodiscard]] bool initiates(NodeId node) const;
    /// The ids clockwise, as given or drawn; empty: 1 to nodes ascending.
    [[nodiscard]] const std::vector<NodeId>& clockwise() const;
    /// The position of a node in `clockwise()`, which is not empty.
    [[nodiscard]] std::size_t position(NodeId node) const;

    /// What `prepare` makes; each is empty where there is nothing to look up.
    struct Tables {
        std::vector<NodeId> drawn{};     ///< the order by `shuffle`
        std::vector<NodeId> position{};  ///< by node
        std::vector<bool> initiates{};   ///< by node
    };
    Tables tables{};
};

/// `InvalidArgument` unless it is empty or holds each of 1 to nodes once.
void check_order(const std::vector<NodeId>& order, NodeId nodes);

/// The same for rings whose nodes send both ways.
struct TwoWayRingOptions : IdRingOptions {
    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("order", self.order,
               "The ids clockwise, each of 1 to nodes once; messages go both ways. "
               "Empty: 1 to nodes ascending.");
        option("initiators", self.initiators,
               "Nodes that begin at their start; the others begin when a message reaches them. "
               "Empty: all.");
        option("shuffle", self.shuffle,
               "Instead of `order`: a seed from which an order is drawn, all equally likely. 0: none.");
    }

    /// The next node counterclockwise; the node itself in a ring of one.
    [[nodiscard]] NodeId predecessor(NodeId node, NodeId members) const;
};

/// What a node is in an election on a ring.
enum class RingPart : std::uint8_t {
    asleep,  ///< has not begun
    active,  ///< may still win
    passive, ///< has lost, and passes messages on
    won,
};

constexpr std::string_view enum_name(RingPart part) {
    constexpr std::string_view names[] = {"asleep", "active", "passive", "won"};
    return static_cast<std::size_t>(part) < 4 ? names[static_cast<std::size_t>(part)] : "";
}

/// The view of a node that knows a leader or none yet, in protocols without epochs.
constexpr View ring_view(NodeId self, NodeId leader) {
    const Role role = leader == no_node ? Role::candidate
                      : leader == self  ? Role::leader
                                        : Role::follower;
    return {role, leader, 0};
}

/// Whoever has won has the greatest id of all, and hence only one node has.
template <class P>
Property<P> greatest_id_wins() {
    return {"greatest_id_wins", [](const AllNodes<P>& nodes) {
                for (NodeId node = 1; node < nodes.members(); ++node) {
                    if (nodes.state(node).memory.part == RingPart::won) {
                        return false;
                    }
                }
                return true;
            }};
}

}  // namespace electionlab

// Where each timer of each node lies in one array: a slot per (node, timer), and per peer only for
// the timers that a protocol says are about single peers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "electionlab/core/ids.h"

namespace electionlab {

/// `PerPeer`: whether the protocol may have timers about peers; without, all of it is arithmetic.
template <bool PerPeer>
class TimerLayout {
public:
    struct Place {
        NodeId node;
        std::uint32_t timer;
        NodeId about;
    };

    TimerLayout(const std::vector<bool>& per_peer, NodeId actors)
        : timers_(static_cast<std::uint32_t>(per_peer.size())), per_node_(per_peer.size()) {
        if constexpr (PerPeer) {
            actors_ = actors;
            per_node_ = 0;
            for (const bool about_peers : per_peer) {
                first_.push_back(per_node_);
                per_node_ += about_peers ? actors : 1;
            }
            first_.push_back(per_node_);
            per_peer_ = per_peer;
        }
    }

    /// Timers by name.
    [[nodiscard]] std::uint32_t timers() const { return timers_; }
    /// Slots of one node; those of node n begin at (n - 1) * per_node().
    [[nodiscard]] std::size_t per_node() const { return per_node_; }

    /// Whether there is such a timer at this node: about another actor if it is per peer, about
    /// nobody if it is not.
    [[nodiscard]] bool has(NodeId node, std::uint32_t timer, NodeId about) const {
        if constexpr (PerPeer) {
            if (timer < timers_ && per_peer_[timer]) {
                return about >= 1 && about <= actors_ && about != node;
            }
        }
        return timer < timers_ && about == no_node;
    }
    [[nodiscard]] std::size_t slot(NodeId node, std::uint32_t timer, NodeId about) const {
        const std::size_t begin = std::size_t{node - 1} * per_node_;
        if constexpr (PerPeer) {
            return begin + first_[timer] + (about == no_node ? 0 : about - 1);
        } else {
            return begin + timer;
        }
    }
    [[nodiscard]] Place place(std::size_t slot) const {
        const auto node = static_cast<NodeId>(slot / per_node_) + 1;
        const std::size_t at = slot % per_node_;
        if constexpr (PerPeer) {
            std::uint32_t timer = 0;
            while (first_[timer + 1] <= at) {
                ++timer;
            }
            return {node, timer,
                    per_peer_[timer] ? static_cast<NodeId>(at - first_[timer]) + 1 : no_node};
        } else {
            return {node, static_cast<std::uint32_t>(at), no_node};
        }
    }

private:
    std::uint32_t timers_;
    std::size_t per_node_;
    NodeId actors_ = 0;
    std::vector<std::size_t> first_;  // of each timer, and the end
    std::vector<bool> per_peer_;
};

}  // namespace electionlab

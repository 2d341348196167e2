// Majorities, in one place: no protocol writes n / 2 + 1 itself.
#pragma once

#include <cstddef>

namespace electionlab {

/// The smallest number of nodes of which any two sets share a member: more than half of n.
constexpr std::size_t quorum_size(std::size_t nodes) { return nodes / 2 + 1; }

/// Whether so many nodes are a majority of the cluster (of all of it, the dead included).
constexpr bool has_quorum(std::size_t count, std::size_t nodes) {
    return count >= quorum_size(nodes);
}

}  // namespace electionlab

// Who takes part: nodes are numbered 1..n, and 0 means "nobody".
#pragma once

#include <cstdint>

namespace electionlab {

/// A node of the cluster, 1..n. In Bully and Ring the number is also the priority.
using NodeId = std::uint32_t;

/// The absent node: no leader known, no vote given.
inline constexpr NodeId no_node = 0;

/// A protocol's monotone number (Raft's term, Paxos' ballot, Zab's epoch); 0 where it has none.
using Epoch = std::int64_t;

}  // namespace electionlab

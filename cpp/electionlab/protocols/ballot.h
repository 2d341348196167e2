// Ballots: the numbers of proposals that Paxos orders. No two nodes ever use the same one, because
// each puts its own number behind the round.
//
// Source: L. Lamport, "Paxos Made Simple", ACM SIGACT News 32(4), 2001, sections 2.2 and 2.5
//         (different proposers choose their numbers from disjoint sets).
#pragma once

#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"

namespace electionlab {

/// A ballot; rounds count from 1, and the ballot of round 0 is below all that are ever used.
struct Ballot {
    std::int64_t round = 0;
    NodeId node = no_node;  ///< whose ballot it is; decides between ballots of one round

    EL_FIELDS(Ballot, round, node)

    friend constexpr bool operator<(const Ballot& a, const Ballot& b) {
        return a.round != b.round ? a.round < b.round : a.node < b.node;
    }
    friend constexpr bool operator>(const Ballot& a, const Ballot& b) { return b < a; }
    friend constexpr bool operator<=(const Ballot& a, const Ballot& b) { return !(b < a); }
    friend constexpr bool operator>=(const Ballot& a, const Ballot& b) { return !(a < b); }

    [[nodiscard]] constexpr bool used() const { return round > 0; }
    /// As one number in the same order, for a node's view: 3002 is round 3 of node 2.
    [[nodiscard]] constexpr Epoch epoch() const { return round * 1000 + node; }
};

/// The largest cluster whose ballots can be told apart in a view's epoch.
inline constexpr NodeId most_ballot_nodes = 999;

}  // namespace electionlab

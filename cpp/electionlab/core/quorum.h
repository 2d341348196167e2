// Quorums, in one place: no protocol writes n / 2 + 1 itself, and none counts votes otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "electionlab/core/fields.h"

namespace electionlab {

/// The smallest number of nodes of which any two sets share a member: more than half of n.
constexpr std::size_t quorum_size(std::size_t nodes) { return nodes / 2 + 1; }

/// Whether so many nodes are a majority of the cluster (of all of it, the dead included).
constexpr bool has_quorum(std::size_t count, std::size_t nodes) {
    return count >= quorum_size(nodes);
}

/// Which sets of nodes may decide: a value that a protocol takes as an option.
///
/// `validate` refuses a system with two quorums that share no member, because both could decide;
/// who wants to see what then happens says so with `unsafe`. Of two systems that must only meet
/// each other (Flexible Paxos) `intersect` tells, and each may be `unsafe` by itself.
struct Quorum {
    enum class Kind : std::uint8_t { majority, at_least, weighted, listed };
    friend constexpr std::string_view enum_name(Kind which) {
        constexpr std::string_view names[] = {"majority", "at_least", "weights", "sets"};
        return static_cast<std::size_t>(which) < 4 ? names[static_cast<std::size_t>(which)] : "";
    }

    Kind kind = Kind::majority;
    std::int64_t needed = 0;            ///< at_least: how many nodes; weighted: how much weight
    std::vector<std::int64_t> weights;  ///< weighted: node 1 first, 0 and up
    std::vector<IdList> sets;           ///< listed: a quorum is whatever holds one of them
    bool unsafe = false;                ///< two quorums may share no member

    EL_FIELDS(Quorum, kind, needed, weights, sets, unsafe)

    static Quorum at_least(std::int64_t nodes) { return {Kind::at_least, nodes, {}, {}, false}; }
    /// At least so much weight; 0: more than half of all.
    static Quorum weighted(std::vector<std::int64_t> node_weights, std::int64_t least = 0);
    static Quorum of_sets(std::vector<IdList> quorums) {
        return {Kind::listed, 0, {}, std::move(quorums), false};
    }

    /// Nodes 1, 2, ... in rows of so many columns: a quorum is a whole row and a whole column
    /// (Maekawa 1985), rows + columns - 1 nodes, and any two share a node.
    static Quorum grid(NodeId rows, NodeId columns);

    /// Whether these votes are a quorum of a cluster of so many nodes. `votes` is a `NodeSet`.
    template <class Set>
    [[nodiscard]] bool is_met(const Set& votes, NodeId nodes) const {
        if (kind == Kind::majority) {
            return has_quorum(votes.size(), nodes);
        }
        return is_met_otherwise(votes);
    }

    /// `InvalidArgument` naming the option, unless it fits so many nodes and is safe, or says that
    /// it is not.
    void validate(NodeId nodes, std::string_view name) const;

    // --- as an option ---
    static constexpr std::string_view option_type = "quorum";
    /// "majority", {"at_least": 2}, {"weights": [2, 1, 1], "needed": 3}, {"sets": [[1, 2], [3]]} or
    /// {"grid": [rows, columns]} (kept as its sets), all but the first also with "unsafe": true.
    static Quorum from_value(const Value& value, std::string_view name);
    [[nodiscard]] Value to_value() const;

private:
    template <class Set>
    [[nodiscard]] bool is_met_otherwise(const Set& votes) const {
        if (kind == Kind::at_least) {
            return static_cast<std::int64_t>(votes.size()) >= needed;
        }
        if (kind == Kind::weighted) {
            std::int64_t weight = 0;
            votes.for_each([&](NodeId node) { weight += node <= weights.size() ? weights[node - 1] : 0; });
            return weight >= needed;
        }
        for (const IdList& set : sets) {
            bool all = true;
            for (const NodeId node : set) {
                all = all && votes.contains(node);
            }
            if (all) {
                return true;
            }
        }
        return false;
    }
};

/// Whether every quorum of `a` shares a member with every quorum of `b`. Weights are compared
/// exactly up to 20 nodes; beyond, systems of different weights count as not meeting.
bool intersect(const Quorum& a, const Quorum& b, NodeId nodes);

}  // namespace electionlab

#include "electionlab/core/node_set.h"

#include <set>
#include <type_traits>
#include <vector>

#include "electionlab/core/quorum.h"
#include "electionlab/core/random.h"

#include "catch_shim.h"

using namespace electionlab;

TEST_CASE("node set: behaves as a set of ids, ends of words included", "[core][node_set]") {
    NodeSet<200> ours;
    std::set<NodeId> reference;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        const auto node = static_cast<NodeId>(uniform_integer(RandomStream{1}.word(2 * i), 1, 200));
        if (RandomStream{1}.word(2 * i + 1) >> 63 != 0) {
            ours.insert(node);
            reference.insert(node);
        } else {
            ours.erase(node);
            reference.erase(node);
        }
        REQUIRE(ours.size() == reference.size());
        REQUIRE(ours.contains(node) == (reference.count(node) == 1));
    }
    for (const NodeId edge : {1u, 64u, 65u, 128u, 129u, 200u}) {
        ours.insert(edge);
        reference.insert(edge);
    }
    std::vector<NodeId> walked;
    ours.for_each([&](NodeId node) { walked.push_back(node); });
    CHECK(walked == std::vector<NodeId>(reference.begin(), reference.end()));  // ascending
    ours.clear();
    CHECK(ours == NodeSet<200>{});
}

TEST_CASE("node set: a vote that is counted twice counts once", "[core][node_set]") {
    NodeSet<8> votes;
    votes.insert(3);
    votes.insert(3);
    CHECK(votes.size() == 1);
    static_assert(std::is_trivially_copyable_v<NodeSet<64>>);
    static_assert(sizeof(NodeSet<64>) == 8);
}

TEST_CASE("quorum: any two majorities share a node, and no smaller size has that",
          "[core][quorum]") {
    for (std::size_t n = 1; n <= 100; ++n) {
        CHECK(2 * quorum_size(n) > n);
        CHECK(2 * (quorum_size(n) - 1) <= n);
        CHECK(has_quorum(quorum_size(n), n));
        CHECK_FALSE(has_quorum(quorum_size(n) - 1, n));
    }
}

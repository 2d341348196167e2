#include "electionlab/core/quorum.h"

#include <string>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"

using namespace electionlab;

namespace {

NodeSet<64> nodes_of(std::uint32_t bits, NodeId nodes) {
    NodeSet<64> set;
    for (NodeId node = 1; node <= nodes; ++node) {
        if ((bits >> (node - 1) & 1) != 0) {
            set.insert(node);
        }
    }
    return set;
}

std::string refusal(const Quorum& q, NodeId nodes) {
    try {
        q.validate(nodes, "quorum");
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

Quorum read(const Value& value) { return Quorum::from_value(value, "quorum"); }

}  // namespace

TEST_CASE("quorum: the majority is the smallest count of which any two sets meet",
          "[core][quorum]") {
    for (NodeId nodes = 1; nodes <= 9; ++nodes) {
        const auto majority = static_cast<std::int64_t>(quorum_size(nodes));
        CHECK(refusal({}, nodes).empty());
        CHECK(refusal(Quorum::at_least(majority), nodes).empty());
        if (majority > 1) {
            CHECK_FALSE(refusal(Quorum::at_least(majority - 1), nodes).empty());
        }
        for (std::uint32_t bits = 0; bits < 1U << nodes; ++bits) {
            const auto votes = nodes_of(bits, nodes);
            REQUIRE(Quorum{}.is_met(votes, nodes) == (2 * votes.size() > nodes));
            REQUIRE(Quorum{}.is_met(votes, nodes) == Quorum::at_least(majority).is_met(votes, nodes));
        }
    }
}

TEST_CASE("quorum: weights and sets decide as they say", "[core][quorum]") {
    const Quorum heavy = Quorum::weighted({3, 1, 1});  // more than half of 5: 3
    CHECK(heavy.needed == 3);
    CHECK(heavy.is_met(nodes_of(0b001, 3), 3));
    CHECK_FALSE(heavy.is_met(nodes_of(0b110, 3), 3));
    const Quorum grid = Quorum::of_sets({{1, 2}, {2, 3}, {1, 3, 4}});
    CHECK(grid.is_met(nodes_of(0b0110, 4), 4));
    CHECK(grid.is_met(nodes_of(0b1101, 4), 4));
    CHECK_FALSE(grid.is_met(nodes_of(0b1001, 4), 4));
    CHECK(grid == Quorum::of_sets({{1, 2}, {2, 3}, {1, 3, 4}}));
    CHECK(hash_of(grid) != hash_of(Quorum::of_sets({{1, 2}, {2, 3}})));
}

TEST_CASE("quorum: two quorums that share no node are refused unless called unsafe",
          "[core][quorum][safety]") {
    Quorum two = Quorum::at_least(2);
    CHECK(refusal(two, 4).find("share no node") != std::string::npos);
    two.unsafe = true;
    CHECK(refusal(two, 4).empty());
    CHECK(refusal(Quorum::of_sets({{1, 2}, {3}}), 3).find("share no node") != std::string::npos);
    CHECK(refusal(Quorum::weighted({1, 1, 1, 1}, 2), 4).find("share no node") != std::string::npos);
    CHECK(refusal(Quorum::weighted({3, 3, 3}, 4), 3).empty());  // safe, though 4 is below half of 9
    CHECK(refusal(Quorum::weighted({1, 1}), 3).find("one weight for each of the 3") !=
          std::string::npos);
    CHECK_FALSE(refusal(Quorum::weighted({0, 0, 0}, 1), 3).empty());
    CHECK_FALSE(refusal(Quorum::of_sets({{1, 4}}), 3).empty());
    CHECK_FALSE(refusal(Quorum::of_sets({IdList{}}), 3).empty());
    CHECK_FALSE(refusal(Quorum::of_sets({}), 3).empty());
    CHECK_FALSE(refusal(Quorum::at_least(0), 3).empty());
    CHECK_FALSE(refusal(Quorum::at_least(4), 3).empty());
}

TEST_CASE("quorum: intersect is what trying every pair of disjoint sets finds", "[core][quorum]") {
    // Flexible Paxos: 4 of 5 to prepare and 2 of 5 to accept meet, though 2 and 2 do not.
    CHECK(intersect(Quorum::at_least(4), Quorum::at_least(2), 5));
    CHECK_FALSE(intersect(Quorum::at_least(3), Quorum::at_least(2), 5));
    const RandomStream stream{GENERATE(range<std::uint64_t>(1, 6))};
    std::uint64_t draw = 0;
    const auto next = [&](std::int64_t low, std::int64_t high) {
        return uniform_integer(stream.word(draw++), low, high);
    };
    int met = 0;
    for (int trial = 0; trial < 300; ++trial) {
        const auto nodes = static_cast<NodeId>(next(1, 6));
        const auto any = [&]() -> Quorum {
            switch (next(0, 3)) {
                case 0: return {};
                case 1: return Quorum::at_least(next(1, nodes));
                case 2: {
                    std::vector<std::int64_t> weights{1};
                    while (weights.size() < nodes) {
                        weights.push_back(next(0, 3));
                    }
                    return Quorum::weighted(weights, next(1, 4));
                }
                default: {
                    std::vector<IdList> sets;
                    for (auto left = next(1, 3); left > 0; --left) {
                        IdList set{static_cast<NodeId>(next(1, nodes))};
                        sets.push_back(next(0, 1) == 0 ? set : set.with(static_cast<NodeId>(next(1, nodes))));
                    }
                    return Quorum::of_sets(sets);
                }
            }
        };
        const Quorum a = any(), b = any();
        bool disjoint = false;
        for (std::uint32_t bits = 0; bits < 1U << nodes; ++bits) {
            disjoint = disjoint || (a.is_met(nodes_of(bits, nodes), nodes) &&
                                    b.is_met(nodes_of(~bits, nodes), nodes));
        }
        CAPTURE(trial, nodes, a.to_value().to_json(), b.to_value().to_json());
        REQUIRE(intersect(a, b, nodes) == !disjoint);
        REQUIRE(intersect(b, a, nodes) == !disjoint);
        met += disjoint ? 0 : 1;
    }
    CHECK(met > 20);
    CHECK(met < 280);
}

TEST_CASE("quorum: a grid's quorums are a row and a column, and any two share a node",
          "[core][quorum][safety]") {
    // 1 2 3
    // 4 5 6
    const Quorum two_by_three = Quorum::grid(2, 3);
    CHECK(two_by_three.sets.size() == 6);
    CHECK(two_by_three.is_met(nodes_of(0b100111, 6), 6));  // the first row, and 6 below 3
    CHECK(two_by_three.is_met(nodes_of(0b111001, 6), 6));  // the second row, and 1 above 4
    CHECK_FALSE(two_by_three.is_met(nodes_of(0b000111, 6), 6));
    CHECK_FALSE(two_by_three.is_met(nodes_of(0b011011, 6), 6));  // two columns, four nodes
    CHECK(read(Value::Dict{{"grid", Value::List{2, 3}}}) == two_by_three);
    CHECK(refusal(two_by_three, 5).find("={\"grid\": [2, 3]}: rows times columns must be at most "
                                        "the 5 nodes, and are 6") != std::string::npos);
    CHECK(refusal(Quorum::of_sets({{1, 2}, {2, 9}}), 5).find("from 1 to 5") != std::string::npos);
    CHECK(refusal(Quorum::of_sets({{1, 2, 1}}), 5).find("a node twice") != std::string::npos);
    for (NodeId rows = 1; rows <= 4; ++rows) {
        for (NodeId columns = 1; columns <= 4; ++columns) {
            const Quorum grid = Quorum::grid(rows, columns);
            CAPTURE(rows, columns);
            CHECK(refusal(grid, rows * columns).empty());
            for (const IdList& set : grid.sets) {
                REQUIRE(set.size() == rows + columns - 1);
            }
        }
    }
    const auto refused = [](const Value& sides) {
        try {
            (void)read(Value::Dict{{"grid", sides}});
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(refused(3).find("quorum.grid=3: must be two numbers") == 0);
    CHECK(refused(Value::List{2}).find("quorum.grid=[2]") == 0);
    CHECK(refused(Value::List{0, 2}).find("from 1 to 32") != std::string::npos);
    CHECK(refused(Value::List{2, 33}).find("from 1 to 32") != std::string::npos);
}

TEST_CASE("quorum: reads what it prints, and refuses the rest by name", "[core][quorum][format]") {
    for (const Quorum& q : {Quorum{}, Quorum::at_least(2), Quorum::weighted({2, 1, 1}, 3),
                            Quorum::of_sets({{1, 2}, {2, 3}})}) {
        CHECK(read(q.to_value()) == q);
        if (q.kind != Quorum::Kind::majority) {
            Quorum unsafe = q;
            unsafe.unsafe = true;
            CHECK(read(unsafe.to_value()) == unsafe);
        }
    }
    const auto refused = [](const Value& value) {
        try {
            (void)read(value);
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(refused("minority").find("quorum='minority': must be 'majority'") == 0);
    CHECK(refused(3).find("quorum=3: must be 'majority'") == 0);
    CHECK(refused(Value::Dict{}).find("must be 'majority'") != std::string::npos);
    CHECK(refused(Value::Dict{{"at_least", 0}}).find("quorum.at_least=0") == 0);
    CHECK(refused(Value::Dict{{"weights", Value::List{-1}}}).find("quorum.weights=[-1]") == 0);
    CHECK(refused(Value::Dict{{"sets", Value::List{Value::List{0}}}}).find("quorum.sets=0") == 0);
    CHECK(refused(Value::Dict{{"at_least", 2}, {"most", 3}}).find("quorum.most=3") == 0);
}

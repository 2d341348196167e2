#include "electionlab/protocols/le_lann.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "machine.h"
#include "story.h"

using namespace story;
using LeLannNode = Machine<LeLann>;

namespace {

Value as_list(const std::vector<NodeId>& ids) { return List(ids.begin(), ids.end()); }

std::vector<NodeId> ascending(NodeId count) {
    std::vector<NodeId> ids(count);
    std::iota(ids.begin(), ids.end(), NodeId{1});
    return ids;
}

/// A whole election: nothing is in flight at its end.
Story elected(const std::vector<NodeId>& order, const std::vector<NodeId>& initiators = {},
              const Value& config = Dict{{"network", network(1)}}) {
    Story s("le_lann", static_cast<NodeId>(order.size()),
            Dict{{"order", as_list(order)}, {"initiators", as_list(initiators)}}, config, false);
    s.until(1000);
    REQUIRE(s.in_flight().empty());
    return s;
}

void all_agree_for_n_squared(const Story& s, NodeId n) {
    REQUIRE(s.all_follow(n));
    REQUIRE(s.measures().leaderships == 1);
    REQUIRE(s.sent("Election") == std::int64_t{n} * n);
    REQUIRE(s.delivered("Election") == std::int64_t{n} * n);
    REQUIRE(s.violations() == 0);
}

}  // namespace

TEST_CASE("le_lann: exactly n^2 messages in every order, and the greatest id leads",
          "[le_lann][cost]") {
    const NodeId n = GENERATE(2u, 3u, 4u, 5u, 6u);
    auto order = ascending(n);
    do {
        CAPTURE(order);
        all_agree_for_n_squared(elected(order), n);
    } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("le_lann: exactly n^2 messages whoever begins", "[le_lann][cost]") {
    for (NodeId n = 2; n <= 4; ++n) {
        auto order = ascending(n);
        do {
            for (unsigned set = 1; set < 1u << n; ++set) {
                std::vector<NodeId> initiators;
                for (NodeId node = 1; node <= n; ++node) {
                    if ((set >> (node - 1) & 1) != 0) {
                        initiators.push_back(node);
                    }
                }
                CAPTURE(order, initiators);
                all_agree_for_n_squared(elected(order, initiators), n);
            }
        } while (std::ranges::next_permutation(order).found);
    }
}

TEST_CASE("le_lann: messages may overtake one another and take any time", "[le_lann][fault]") {
    for (std::int64_t seed = 0; seed < seeds(600); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 9);
        auto order = ascending(n);
        RandomStream stream{mix64(static_cast<std::uint64_t>(seed))};
        for (NodeId i = n; i > 1; --i) {
            std::swap(order[i - 1], order[static_cast<std::size_t>(
                                        uniform_integer(stream.word(i), 0, i - 1))]);
        }
        CAPTURE(seed, order);
        all_agree_for_n_squared(
            elected(order, {order[0]},
                    Dict{{"seed", seed}, {"network", Dict{{"one_way_delay_ms", List{0, 20}}}}}),
            n);
    }
}

TEST_CASE("le_lann: a copy of a message is a message more, and no id is counted twice",
          "[le_lann][fault]") {
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        CAPTURE(seed);
        const Story s = elected({2, 4, 1, 5, 3}, {},
                                Dict{{"seed", seed},
                                     {"network", Dict{{"one_way_delay_ms", List{0, 9}},
                                                      {"duplicate_probability", 0.2}}}});
        REQUIRE(s.all_follow(5));
        REQUIRE(s.measures().leaderships == 1);
    }
}

TEST_CASE("le_lann: a ring of one leads without a message", "[le_lann]") {
    const Story s = elected({1});
    CHECK(s.all_follow(1));
    CHECK(s.sent("Election") == 0);
}

TEST_CASE("le_lann: a lost id leaves those undecided that it did not reach, and misleads nobody",
          "[le_lann][fault]") {
    const NodeId n = 5;
    // The links 1 -> 2 -> ... -> 5 -> 1 carry n messages each; any one of them is lost.
    for (std::int64_t lost = 0; lost < n * n; ++lost) {
        Story s("le_lann", n, Dict{}, Dict{{"network", network(1)}}, false);
        s.until(0.5);
        std::int64_t before = 0;
        bool dropped = false;
        while (!dropped) {
            const auto flying = s.in_flight("Election");
            REQUIRE_FALSE(flying.empty());
            if (before == lost) {
                s.touch("drop", flying.front().message);
                dropped = true;
            } else {
                s.touch("deliver", flying.front().message);
                ++before;
            }
        }
        s.until(1000);
        CAPTURE(lost);
        int undecided = 0;
        for (NodeId node = 1; node <= n; ++node) {
            REQUIRE((s.believes(node) == no_node || s.believes(node) == n));
            undecided += s.role(node) == Role::candidate ? 1 : 0;
        }
        REQUIRE(undecided > 0);
        REQUIRE(s.measures().leaderships <= 1);
    }
}

TEST_CASE("le_lann: a node that an id reaches first sends its own before it", "[le_lann]") {
    LeLannNode node(2, 3, {{3, 1, 2}, {1}});
    node.start();
    CHECK(node.sent<LeLann::Election>().empty());
    CHECK(node.view() == View{Role::candidate, no_node, 0});
    node.receive(1, LeLann::Election{1});
    const auto sent = node.sent<LeLann::Election>();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0] == std::pair{NodeId{3}, LeLann::Election{2}});
    CHECK(sent[1] == std::pair{NodeId{3}, LeLann::Election{1}});
    node.receive(1, LeLann::Election{3});
    CHECK(node.sent<LeLann::Election>().size() == 1);
    CHECK(node.view() == View{Role::candidate, no_node, 0});
    node.receive(1, LeLann::Election{2});
    CHECK(node.sent<LeLann::Election>().empty());
    CHECK(node.view() == View{Role::follower, 3, 0});
}

TEST_CASE("le_lann: a node that comes back asks again, and nobody answers", "[le_lann][fault]") {
    Story s = elected({1, 2, 3});
    s.crash(2);
    s.restart(2);
    s.for_ms(1000);
    CHECK(s.in_flight().empty());
    CHECK(s.role(2) == Role::candidate);
    CHECK(s.sent("Election") == 9 + 3);
    CHECK(s.leader() == 3);
}

TEST_CASE("le_lann: an order must be a permutation, initiators nodes", "[le_lann][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("le_lann").check_options(options, 3);
    };
    CHECK_THROWS_WITH(check(Dict{{"order", List{1, 2}}}),
                      contains("order=[1, 2]") && contains("every node from 1 to 3"));
    CHECK_THROWS_WITH(check(Dict{{"order", List{1, 2, 2}}}),
                      contains("order=[1, 2, 2]: ") && contains("has 2 twice"));
    CHECK_THROWS_WITH(check(Dict{{"order", List{0, 1, 2}}}),
                      contains("order=[0, 1, 2]") && contains("from 1 to 3"));
    CHECK_THROWS_WITH(check(Dict{{"initiators", List{4}}}), contains("initiators=[4]"));
    CHECK_THROWS_WITH(check(Dict{{"initiators", List{2, 2}}}), contains("initiators=[2, 2]"));
    const std::int64_t wraps_to_1 = (std::int64_t{1} << 32) + 1;
    CHECK_THROWS_WITH(check(Dict{{"order", List{wraps_to_1, 2, 3}}}),
                      contains("order=4294967297") && contains("at most 4294967295"));
    CHECK_THROWS_WITH(check(Dict{{"order", 1}}), contains("order=1") && contains("a list"));
    CHECK_NOTHROW(check(Dict{{"order", List{2, 3, 1}}, {"initiators", List{3}}}));
}

TEST_CASE("le_lann: a node that knows the leader from the start passes an id on and adds none",
          "[le_lann]") {
    Story s("le_lann", 4, Dict{}, Dict{{"network", network(1)}, {"initial_leader", 4}});
    s.until(100);
    CHECK(s.all_follow(4));
    CHECK(s.sent("Election") == 0);
    s.crash(2);
    s.restart(2);
    s.for_ms(100);
    CHECK(s.in_flight().empty());
    CHECK(s.sent("Election") == 4);
    CHECK(s.role(2) == Role::candidate);
    CHECK(s.leader() == 4);
}

#include "electionlab/protocols/chang_roberts.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "machine.h"
#include "story.h"

using namespace story;
using ChangRobertsNode = Machine<ChangRoberts>;
using Election = ChangRoberts::Election;
using Elected = ChangRoberts::Elected;

namespace {

Value as_list(const std::vector<NodeId>& ids) { return List(ids.begin(), ids.end()); }

std::vector<NodeId> ascending(NodeId count) {
    std::vector<NodeId> ids(count);
    std::iota(ids.begin(), ids.end(), NodeId{1});
    return ids;
}

/// A whole election in which the greatest id wins; how many ELECTION messages it took.
std::int64_t cost(const std::vector<NodeId>& order, const std::vector<NodeId>& initiators = {},
                  const Value& config = Dict{{"network", network(1)}}) {
    const auto n = static_cast<NodeId>(order.size());
    Story s("chang_roberts", n,
            Dict{{"order", as_list(order)}, {"initiators", as_list(initiators)}}, config, false);
    s.until(1000);
    REQUIRE(s.in_flight().empty());
    REQUIRE(s.all_follow(n));
    REQUIRE(s.measures().leaderships == 1);
    REQUIRE(s.violations() == 0);
    REQUIRE(s.sent("Elected") == (n == 1 ? 0 : n));
    REQUIRE(s.delivered("Elected") == s.sent("Elected"));
    REQUIRE(s.delivered("Election") == s.sent("Election"));
    return s.sent("Election");
}

}  // namespace

TEST_CASE("chang_roberts: over all orders at least 2n-1, at most n(n+1)/2, on average n H_n",
          "[chang_roberts][cost]") {
    const NodeId most = seeds(40) > 20 ? 7 : 5;  // 5040 orders of 7
    for (NodeId n = 2; n <= most; ++n) {
        auto order = ascending(n);
        std::int64_t orders = 0, total = 0, least = 1'000'000, greatest = 0;
        do {
            CAPTURE(order);
            const std::int64_t messages = cost(order);
            ++orders;
            total += messages;
            least = std::min(least, messages);
            greatest = std::max(greatest, messages);
        } while (std::ranges::next_permutation(order).found);
        // orders = n!, which every k up to n divides: n H_n n! is a whole number.
        std::int64_t expected = 0;
        for (NodeId k = 1; k <= n; ++k) {
            REQUIRE(orders % k == 0);
            expected += n * (orders / k);
        }
        CAPTURE(n, orders);
        CHECK(least == 2 * std::int64_t{n} - 1);
        CHECK(greatest == std::int64_t{n} * (n + 1) / 2);
        CHECK(total == expected);
    }
}

TEST_CASE("chang_roberts: ascending ids cost 2n-1, descending ones n(n+1)/2",
          "[chang_roberts][cost]") {
    const NodeId n = GENERATE(2u, 3u, 5u, 10u, 40u, 100u);
    auto order = ascending(n);
    CAPTURE(n);
    CHECK(cost(order) == 2 * std::int64_t{n} - 1);
    std::ranges::reverse(order);
    CHECK(cost(order) == std::int64_t{n} * (n + 1) / 2);
}

TEST_CASE("chang_roberts: one initiator, d hops before the greatest id: d + n",
          "[chang_roberts][cost]") {
    for (NodeId n = 2; n <= 5; ++n) {
        auto order = ascending(n);
        do {
            const auto top = std::ranges::find(order, n) - order.begin();
            for (std::int64_t at = 0; at < n; ++at) {
                CAPTURE(order, at);
                const std::int64_t hops = (top - at + n) % n;
                REQUIRE(cost(order, {order[static_cast<std::size_t>(at)]}) == hops + n);
            }
        } while (std::ranges::next_permutation(order).found);
    }
}

TEST_CASE("chang_roberts: any initiators elect the greatest of all ids, within the bounds",
          "[chang_roberts][cost]") {
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
                const std::int64_t messages = cost(order, initiators);
                REQUIRE(messages >= n);
                REQUIRE(messages <= std::int64_t{n} * (n + 1) / 2);
            }
        } while (std::ranges::next_permutation(order).found);
    }
}

TEST_CASE("chang_roberts: delays and overtaking change nothing, not even the cost",
          "[chang_roberts][fault]") {
    for (std::int64_t seed = 0; seed < seeds(600); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 9);
        auto order = ascending(n);
        RandomStream stream{mix64(static_cast<std::uint64_t>(seed))};
        for (NodeId i = n; i > 1; --i) {
            std::swap(order[i - 1], order[static_cast<std::size_t>(
                                        uniform_integer(stream.word(i), 0, i - 1))]);
        }
        CAPTURE(seed, order);
        const Value delays =
            Dict{{"seed", seed}, {"network", Dict{{"one_way_delay_ms", List{1, 20}}}}};
        REQUIRE(cost(order, {}, delays) == cost(order));
    }
}

TEST_CASE("chang_roberts: a ring of one leads without a message", "[chang_roberts]") {
    CHECK(cost({1}) == 0);
}

TEST_CASE("chang_roberts: copies of messages cost messages, not agreement",
          "[chang_roberts][fault]") {
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        Story s("chang_roberts", 5, Dict{{"order", nodes({2, 4, 1, 5, 3})}},
                Dict{{"seed", seed},
                     {"network",
                      Dict{{"one_way_delay_ms", List{0, 9}}, {"duplicate_probability", 0.2}}}},
                false);
        s.until(1000);
        CAPTURE(seed);
        REQUIRE(s.in_flight().empty());
        REQUIRE(s.all_follow(5));
        REQUIRE(s.measures().leaderships == 1);
    }
}

TEST_CASE("chang_roberts: the greatest id lost, nobody is ever elected; it comes back, it is",
          "[chang_roberts][fault]") {
    const bool crashes = GENERATE(true, false);
    Story s("chang_roberts", 4, Dict{}, Dict{{"network", network(10)}});
    s.until(15);  // node 4's id is on its way from node 1 to node 2
    if (crashes) {
        s.crash(4);
    } else {
        for (const PendingEvent& message : s.in_flight("Election")) {
            if (*message.fields.find("id") == Value(4)) {
                s.touch("drop", message.message);
            }
        }
    }
    s.until(100'000);
    CAPTURE(crashes);
    CHECK(s.in_flight().empty());
    CHECK(s.measures().leaderships == 0);
    for (NodeId node = 1; node < 4; ++node) {
        CHECK(s.role(node) == Role::candidate);
        CHECK(s.believes(node) == no_node);
    }
    if (!crashes) {
        s.crash(4);
    }
    s.restart(4);
    s.for_ms(1000);
    CHECK(s.all_follow(4));
}

TEST_CASE("chang_roberts: a node stops smaller ids once it takes part, and replaces them before",
          "[chang_roberts]") {
    ChangRobertsNode node(3, 5, {{1, 3, 2, 5, 4}, {1}});
    node.start();
    CHECK(node.sent<Election>().empty());
    CHECK(node.view() == View{Role::candidate, no_node, 0});
    node.receive(1, Election{1});
    REQUIRE(node.sent<Election>().size() == 1);
    CHECK(node.sent<Election>()[0] == std::pair{NodeId{2}, Election{3}});
    node.receive(1, Election{2});
    CHECK(node.sent<Election>().empty());
    node.receive(1, Election{5});
    CHECK(node.sent<Election>()[0] == std::pair{NodeId{2}, Election{5}});
    node.receive(1, Elected{5});
    CHECK(node.sent<Elected>()[0] == std::pair{NodeId{2}, Elected{5}});
    CHECK(node.view() == View{Role::follower, 5, 0});
}

TEST_CASE("chang_roberts: a node that passed a greater id on never sends its own",
          "[chang_roberts]") {
    ChangRobertsNode node(3, 5, {{}, {5}});
    node.start();
    node.receive(2, Election{5});
    CHECK(node.sent<Election>()[0] == std::pair{NodeId{4}, Election{5}});
    node.receive(2, Election{2});
    CHECK(node.sent<Election>().empty());
}

TEST_CASE("chang_roberts: the winner announces itself once", "[chang_roberts]") {
    ChangRobertsNode node(5, 5);
    node.start();
    node.receive(4, Election{5});
    REQUIRE(node.sent<Elected>().size() == 1);
    CHECK(node.sent<Elected>()[0] == std::pair{NodeId{1}, Elected{5}});
    CHECK(node.view() == View{Role::leader, 5, 0});
    node.receive(4, Election{5});  // a copy
    CHECK(node.effects.sends().empty());
    node.receive(4, Elected{5});
    CHECK(node.effects.sends().empty());
    CHECK(node.view().leads());
}

TEST_CASE("chang_roberts: it has no timers, and says so", "[chang_roberts][errors]") {
    Story s("chang_roberts", 3);
    CHECK(find_protocol("chang_roberts").describe().timers.empty());
    CHECK_THROWS_WITH(s.fire(1, "leader"),
                      contains("fire.timer='leader'") && contains("this protocol has none"));
}

TEST_CASE("chang_roberts: a node that knows the leader from the start stops a smaller id and sends none",
          "[chang_roberts]") {
    Story s("chang_roberts", 4, Dict{}, Dict{{"network", network(1)}, {"initial_leader", 4}});
    s.until(100);
    CHECK(s.all_follow(4));
    CHECK(s.sent("Election") == 0);
    s.crash(2);
    s.restart(2);
    s.for_ms(100);
    CHECK(s.in_flight().empty());
    CHECK(s.sent("Election") == 1);
    CHECK(s.role(2) == Role::candidate);
    CHECK(s.leader() == 4);
}

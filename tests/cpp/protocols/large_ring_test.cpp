// Rings of very many nodes: the arrangement by seed, and a whole election.
#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "electionlab/protocols/id_ring.h"

#include "catch_shim.h"
#include "rings.h"

using namespace rings;

namespace {

IdRingOptions shuffled_ring(NodeId nodes, std::int64_t seed) {
    IdRingOptions options;
    options.shuffle = seed;
    options.validate(nodes);
    options.prepare(nodes);
    return options;
}

/// An id travels to the next greater one clockwise, the greatest all the way round: the sum of
/// these distances, each id looked at twice.
std::int64_t messages_by_order(const Ids& clockwise) {
    const std::size_t n = clockwise.size();
    auto sum = static_cast<std::int64_t>(n);
    std::vector<std::size_t> under_way;  // positions whose ids met no greater one yet; ids descend
    for (std::size_t at = 0; at < 2 * n; ++at) {
        while (!under_way.empty() && clockwise[under_way.back()] < clockwise[at % n]) {
            sum += static_cast<std::int64_t>(at - under_way.back());
            under_way.pop_back();
        }
        if (at < n) {
            under_way.push_back(at);
        }
    }
    return sum;
}

}  // namespace

TEST_CASE("id_ring: a seed's order holds every node once, the same for ever", "[rings][options]") {
    Ids order = shuffled_ring(1000, 3).clockwise();
    CHECK(order != ascending(1000));
    CHECK(order != shuffled_ring(1000, 4).clockwise());
    std::ranges::sort(order);
    CHECK(order == ascending(1000));
    CHECK(shuffled_ring(8, 1).clockwise() == Ids{7, 3, 5, 1, 8, 6, 2, 4});
    CHECK(shuffled_ring(1, 1).clockwise() == Ids{1});
}

TEST_CASE("id_ring: over all seeds each order comes as often as another", "[rings][options]") {
    std::map<Ids, int> times;
    const int seeds = 6000;
    for (int seed = 1; seed <= seeds; ++seed) {
        ++times[shuffled_ring(3, seed).clockwise()];
    }
    REQUIRE(times.size() == 6);
    double chi_squared = 0;
    for (const auto& [order, count] : times) {
        chi_squared += (count - seeds / 6.0) * (count - seeds / 6.0) / (seeds / 6.0);
    }
    CHECK(chi_squared < 20.5);  // 5 degrees of freedom: exceeded once in a thousand
}

TEST_CASE("id_ring: tables say what looking through the lists says", "[rings][options]") {
    TwoWayRingOptions slow;
    slow.order = {3, 1, 5, 2, 4};
    slow.initiators = {2, 5};
    TwoWayRingOptions fast = slow;
    fast.prepare(5);
    CHECK(slow.tables.position.empty());
    CHECK(fast.tables.position.size() == 6);
    for (NodeId node = 1; node <= 5; ++node) {
        CAPTURE(node);
        CHECK(fast.successor(node, 5) == slow.successor(node, 5));
        CHECK(fast.predecessor(node, 5) == slow.predecessor(node, 5));
        CHECK(fast.predecessor(fast.successor(node, 5), 5) == node);
        CHECK(fast.initiates(node) == slow.initiates(node));
    }
    CHECK(fast.successor(3, 5) == 1);
    CHECK(fast.successor(4, 5) == 3);
    CHECK(fast.initiates(5));
    CHECK_FALSE(fast.initiates(1));
}

TEST_CASE("id_ring: an order is given or drawn, not both", "[rings][options][errors]") {
    const auto make = [](const Value& options) { return Story("chang_roberts", 3, options); };
    CHECK_THROWS_WITH(make(Dict{{"order", List{1, 3, 2}}, {"shuffle", 1}}),
                      contains("shuffle=1: must be 0 when `order` is given"));
    CHECK_THROWS_WITH(make(Dict{{"shuffle", -1}}), contains("shuffle=-1"));
    CHECK(make(Dict{{"shuffle", 5}})->options().find("order")->to_json() == "[]");
}

TEST_CASE("chang_roberts: a large ring in random order takes exactly the messages of its order",
          "[chang_roberts][cost][scale]") {
    const auto n = static_cast<NodeId>(seeds(100'000));
    const std::int64_t seed = GENERATE(1, 2);
    CAPTURE(n, seed);
    const std::int64_t expected = messages_by_order(shuffled_ring(n, seed).clockwise());
    Story s("chang_roberts", n, Dict{{"shuffle", seed}}, any_delay(seed, false), false);
    REQUIRE(s.until_leader(1e9));
    CHECK(s.leader() == n);
    CHECK(s.sent("Election") == expected);
    CHECK(s.delivered("Election") == expected);
    CHECK(s.sent("Elected") == 1);
    double mean = 0;  // n H_n; the spread over all orders is about 0.6 n
    for (NodeId k = 1; k <= n; ++k) {
        mean += static_cast<double>(n) / k;
    }
    CHECK(static_cast<double>(expected) > mean - 3.0 * n);
    CHECK(static_cast<double>(expected) < mean + 3.0 * n);
    REQUIRE(s.until_agreement(1e9));
    CHECK(s.sent("Elected") <= n);
    CHECK(s.violations() == 0);
}

TEST_CASE("chang_roberts: a large ring keeps no trace and no history", "[chang_roberts][errors]") {
    CHECK_THROWS_WITH(Story("chang_roberts", 10'001, Dict{}, Dict{}, true),
                      contains("record=True: must be False with more than 10000 nodes"));
    CHECK(Story("chang_roberts", 10'001, Dict{}, Dict{}, false)->members() == 10'001);
}

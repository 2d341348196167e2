// Shared by the tests of elections on rings: orders, initiators, and whole elections.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "golden.h"
#include "story.h"

namespace rings {

using namespace story;  // NOLINT: tests only
using Ids = std::vector<NodeId>;

inline Value as_list(const Ids& ids) { return List(ids.begin(), ids.end()); }

inline Ids ascending(NodeId count) {
    Ids ids(count);
    std::iota(ids.begin(), ids.end(), NodeId{1});
    return ids;
}

inline Ids shuffled(NodeId count, std::int64_t seed) {
    Ids ids = ascending(count);
    const RandomStream stream{mix64(static_cast<std::uint64_t>(seed))};
    for (NodeId i = count; i > 1; --i) {
        const auto j = uniform_integer(stream.word(i), 0, i - 1);
        std::swap(ids[i - 1], ids[static_cast<std::size_t>(j)]);
    }
    return ids;
}

/// All orders of 1 to `count`.
template <class Visit>
void each_order(NodeId count, Visit&& visit) {
    Ids order = ascending(count);
    do {
        CAPTURE(order);
        visit(order);
    } while (std::ranges::next_permutation(order).found);
}

/// All sets of nodes of 1 to `count`, but the empty one.
template <class Visit>
void each_set(NodeId count, Visit&& visit) {
    for (unsigned bits = 1; bits < 1u << count; ++bits) {
        Ids set;
        for (NodeId node = 1; node <= count; ++node) {
            if ((bits >> (node - 1) & 1) != 0) {
                set.push_back(node);
            }
        }
        CAPTURE(set);
        visit(set);
    }
}

inline std::int64_t floor_lg(std::int64_t n) {
    return std::bit_width(static_cast<std::uint64_t>(n)) - 1;
}
inline std::int64_t ceil_lg(std::int64_t n) { return n == 1 ? 0 : floor_lg(n - 1) + 1; }

/// Every message takes any time from 0 to 20 ms.
inline Value any_delay(std::int64_t seed, bool fifo) {
    return Dict{{"seed", seed},
                {"network", Dict{{"one_way_delay_ms", List{0, 20}}, {"fifo", fifo}}}};
}

inline Value ring(const Ids& order, const Ids& initiators = {}, const Value& more = Dict{}) {
    return merged(Dict{{"order", as_list(order)}, {"initiators", as_list(initiators)}}, more);
}

/// The same with every kind of delay and drift of links and machines, for golden runs.
inline Value odd_machines(std::int64_t seed, bool fifo) {
    return merged(any_delay(seed, fifo),
                  Dict{{"every_node", merged(golden::machines(), Dict{{"start_ms", 0}})}});
}

/// A whole election on a ring in which the greatest id wins and all learn of it, once.
inline Story greatest_wins(std::string_view protocol, NodeId n, const Value& options,
                           const Value& config = Dict{{"network", network(1)}}) {
    Story s(protocol, n, options, config, false);
    s.until(10'000'000);
    REQUIRE(s.in_flight().empty());
    REQUIRE(s.all_follow(n));
    REQUIRE(s.measures().leaderships == 1);
    REQUIRE(s.violations() == 0);
    REQUIRE(s.sent("Elected") == (n == 1 ? 0 : n));
    REQUIRE(s.delivered("Elected") == s.sent("Elected"));
    REQUIRE(s.delivered("Election") == s.sent("Election"));
    return s;
}

}  // namespace rings

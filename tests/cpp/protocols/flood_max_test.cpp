#include "electionlab/protocols/flood_max.h"

#include <string>

#include "catch_shim.h"
#include "machine.h"
#include "rings.h"

using namespace rings;
using FloodMaxNode = Machine<FloodMax>;
using Greatest = FloodMax::Greatest;

namespace {

const Value optimised = Dict{{"variant", "optimised"}};

FloodMaxOptions options_of(const Value& options, NodeId n) {
    auto read = options_from_value<FloodMaxOptions>(options);
    read.validate(n);
    return read;
}

std::int64_t directed_edges(const FloodMaxOptions& options, NodeId n) {
    std::int64_t count = 0;
    for (NodeId node = 1; node <= n; ++node) {
        count += static_cast<std::int64_t>(options.neighbours(node, n).size());
    }
    return count;
}

/// What the optimised variant costs, by rounds that all nodes take at once.
std::int64_t counted(const FloodMaxOptions& options, NodeId n) {
    Ids greatest = ascending(n);
    std::vector<bool> learned(n, true);
    std::int64_t messages = 0;
    for (NodeId round = 1; round <= options.rounds(n); ++round) {
        Ids next = greatest;
        for (NodeId node = 1; node <= n; ++node) {
            for (const NodeId other : options.neighbours(node, n)) {
                messages += learned[node - 1] ? 1 : 0;
                next[node - 1] = std::max(next[node - 1], greatest[other - 1]);
            }
        }
        for (NodeId node = 1; node <= n; ++node) {
            learned[node - 1] = next[node - 1] > greatest[node - 1];
        }
        greatest = next;
    }
    return messages;
}

/// A whole election in which the greatest id wins.
Story greatest_leads(NodeId n, const Value& options,
                     const Value& config = Dict{{"network", network(1)}}) {
    Story s("flood_max", n, options, config, false);
    s.until(100'000);
    REQUIRE(s.in_flight().empty());
    REQUIRE(s.all_follow(n));
    REQUIRE(s.measures().leaderships == 1);
    REQUIRE(s.violations() == 0);
    REQUIRE(s.delivered("Greatest") == s.sent("Greatest"));
    return s;
}

/// Every topology with n nodes in some order, and a few graphs of edges: a tree with more edges.
std::vector<Value> graphs(NodeId n, std::int64_t seed) {
    std::vector<Value> found;
    const Ids order = shuffled(n, seed);
    for (const char* name : {"ring", "line", "star", "complete", "grid"}) {
        found.push_back(Dict{{"topology", name}, {"order", as_list(order)}});
    }
    for (NodeId columns = 1; columns <= std::min(n, NodeId{4}); ++columns) {
        found.push_back(Dict{{"topology", "grid"}, {"columns", columns}, {"order", as_list(order)}});
    }
    const RandomStream stream{mix64(static_cast<std::uint64_t>(seed) + 77)};
    List edges;
    for (NodeId i = 1; i < n; ++i) {
        const auto parent = static_cast<std::size_t>(uniform_integer(stream.word(i), 0, i - 1));
        edges.push_back(List{order[i], order[parent]});
        if (i >= 2 && stream.word(1000 + i) % 2 == 0 && parent + 1 < i) {
            edges.push_back(List{order[i], order[parent + 1]});
        }
    }
    found.push_back(Dict{{"topology", "edges"}, {"edges", edges}});
    return found;
}

}  // namespace

TEST_CASE("flood_max: exactly diameter x 2 edges messages on every graph, with any delay in any order",
          "[flood_max][cost]") {
    for (std::int64_t seed = 0; seed < seeds(400); ++seed) {
        const auto n = static_cast<NodeId>(1 + seed % 13);
        for (const Value& graph : graphs(n, seed)) {
            const FloodMaxOptions options = options_of(graph, n);
            CAPTURE(seed, n, show(graph));
            const Story s = greatest_leads(n, graph, any_delay(seed, false));
            REQUIRE(s.sent("Greatest") == options.rounds(n) * directed_edges(options, n));
        }
    }
}

TEST_CASE("flood_max: the named graphs have the edges and the diameter that they should",
          "[flood_max]") {
    for (NodeId n = 1; n <= 20; ++n) {
        for (const Value& graph : graphs(n, n)) {
            const FloodMaxOptions options = options_of(graph, n);
            List edges;
            for (NodeId node = 1; node <= n; ++node) {
                for (const NodeId other : options.neighbours(node, n)) {
                    if (other > node) {
                        edges.push_back(List{node, other});
                    }
                }
            }
            CAPTURE(n, show(graph));
            const auto count = static_cast<std::int64_t>(edges.size());
            REQUIRE(directed_edges(options, n) == 2 * count);
            const auto same = options_of(Dict{{"topology", "edges"}, {"edges", edges}}, n);
            REQUIRE(same.rounds(n) == options.rounds(n));  // from all pairs, not from a formula
            const std::int64_t all = n;
            switch (options.topology) {
                case Topology::ring:
                    REQUIRE(count == (n <= 2 ? all - 1 : all));
                    break;
                case Topology::line:
                case Topology::star:
                    REQUIRE(count == all - 1);
                    break;
                case Topology::complete:
                    REQUIRE(count == all * (all - 1) / 2);
                    break;
                default:
                    break;
            }
        }
    }
    const auto grid = options_of(Dict{{"topology", "grid"}}, 9);
    CHECK(grid.rounds(9) == 4);
    CHECK(grid.neighbours(5, 9) == Ids{2, 4, 6, 8});
    CHECK(grid.neighbours(3, 9) == Ids{2, 6});
}

TEST_CASE("flood_max: the optimised variant sends what is new, and no more", "[flood_max][cost]") {
    for (std::int64_t seed = 0; seed < seeds(400); ++seed) {
        const auto n = static_cast<NodeId>(1 + seed % 13);
        for (const Value& graph : graphs(n, seed)) {
            const Value options = merged(graph, optimised);
            const FloodMaxOptions read = options_of(options, n);
            CAPTURE(seed, n, show(graph));
            const Value delays =
                Dict{{"seed", seed}, {"network", Dict{{"one_way_delay_ms", List{0, 19}}}}};
            const Story s = greatest_leads(n, options, delays);
            REQUIRE(s.sent("Greatest") == counted(read, n));
            REQUIRE(s.sent("Greatest") <= read.rounds(n) * directed_edges(read, n));
        }
    }
}

TEST_CASE("flood_max: closed forms of the optimised variant", "[flood_max][cost]") {
    const std::int64_t n = GENERATE(3, 4, 10, 33);
    const auto nodes = static_cast<NodeId>(n);
    CAPTURE(n);
    const auto sent = [&](const char* topology, const Ids& order) {
        return greatest_leads(nodes, Dict{{"variant", "optimised"},
                                          {"topology", topology},
                                          {"order", as_list(order)}})
            .sent("Greatest");
    };
    Ids descending = ascending(nodes);
    std::ranges::reverse(descending);
    CHECK(sent("complete", ascending(nodes)) == n * (n - 1));
    // The centre has the greatest id: round 1 takes both directions of n-1 edges, and round 2 what
    // the leaves have learned.
    CHECK(sent("star", descending) == 3 * (n - 1));
    // Along a line of ascending ids, the k-th node learns in n-k rounds, the first in the last too.
    CHECK(sent("line", ascending(nodes)) ==
          [&] {
              std::int64_t messages = 0;
              for (std::int64_t k = 1; k <= n; ++k) {
                  const std::int64_t degree = k == 1 || k == n ? 1 : 2;
                  messages += degree * (1 + std::min(n - k, n - 2));
              }
              return messages;
          }());
}

TEST_CASE("flood_max: a message that takes longer than a round may make several leaders",
          "[flood_max][fault]") {
    std::int64_t several = 0;
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        const Value line = Dict{{"topology", "line"}, {"order", nodes({5, 1, 2, 3, 4})}};
        Story s("flood_max", 5, merged(optimised, line),
                Dict{{"seed", seed}, {"network", Dict{{"one_way_delay_ms", List{5, 60}}}}}, false);
        s.until(1000);
        CAPTURE(seed);
        REQUIRE((s.violations() > 0) == (s.measures().leaderships > 1));
        several += s.measures().leaderships > 1 ? 1 : 0;
        greatest_leads(5, line,  // without a clock, any delay will do
                       Dict{{"seed", seed}, {"network", Dict{{"one_way_delay_ms", List{5, 60}}}}});
    }
    CHECK(several > 0);
}

TEST_CASE("flood_max: an underrated diameter makes several leaders, an overrated one costs more",
          "[flood_max][fault]") {
    Story s("flood_max", 5, Dict{{"topology", "line"}, {"order", nodes({5, 1, 2, 3, 4})}, {"diameter", 2}},
            Dict{{"network", network(1)}});
    s.until(100);
    CHECK(s.role(5) == Role::leader);
    CHECK(s.role(4) == Role::leader);
    CHECK(s.violations() > 0);
    CHECK(greatest_leads(5, Dict{{"topology", "line"}, {"diameter", 9}}).sent("Greatest") == 9 * 8);
}

TEST_CASE("flood_max: a round is over when every neighbour has been heard, in any order",
          "[flood_max]") {
    FloodMaxNode node(2, 5, options_of(Dict{{"topology", "line"}}, 5));
    node.start();
    REQUIRE(node.sent<Greatest>().size() == 2);
    CHECK(node.sent<Greatest>()[0] == std::pair{NodeId{1}, Greatest{1, 2}});
    CHECK(node.sent<Greatest>()[1] == std::pair{NodeId{3}, Greatest{1, 2}});
    CHECK_FALSE(node.sets(FloodMax::Timer::round));
    node.receive(3, Greatest{2, 4});  // its round 2 before its round 1
    node.receive(1, Greatest{1, 1});
    CHECK(node.effects.sends().empty());
    SECTION("one neighbour ahead") {
        node.receive(3, Greatest{1, 3});
        CHECK(node.state.memory.round == 2);
        CHECK(node.state.memory.greatest == 3);
        CHECK(node.sent<Greatest>().at(0) == std::pair{NodeId{1}, Greatest{2, 3}});
        node.receive(1, Greatest{2, 2});
        CHECK(node.state.memory.round == 3);
        CHECK(node.state.memory.greatest == 4);
    }
    SECTION("both ahead: two rounds end at once") {
        node.receive(1, Greatest{2, 2});
        node.receive(3, Greatest{1, 3});
        CHECK(node.state.memory.round == 3);
        CHECK(node.sent<Greatest>().size() == 4);
    }
}

TEST_CASE("flood_max: by the clock, a node speaks only of what it learned", "[flood_max]") {
    FloodMaxNode node(2, 4, options_of(merged(optimised, Dict{{"topology", "line"}}), 4));
    node.start();
    CHECK(node.sent<Greatest>().size() == 2);
    CHECK(node.sets(FloodMax::Timer::round));
    node.receive(3, Greatest{1, 3});
    node.receive(1, Greatest{1, 1});
    CHECK(node.effects.sends().empty());
    node.expire(FloodMax::Timer::round);
    CHECK(node.sent<Greatest>().at(0) == std::pair{NodeId{1}, Greatest{2, 3}});
    node.expire(FloodMax::Timer::round);
    CHECK(node.effects.sends().empty());
    CHECK(node.sets(FloodMax::Timer::round));
    node.expire(FloodMax::Timer::round);
    CHECK_FALSE(node.sets(FloodMax::Timer::round));
    CHECK(node.view() == View{Role::follower, 3, 0});
    node.receive(3, Greatest{4, 4});  // too late
    CHECK(node.view() == View{Role::follower, 3, 0});
}

TEST_CASE("flood_max: a lost message stops the rounds for ever, or by the clock misleads",
          "[flood_max][fault]") {
    std::int64_t waiting = 0, misled = 0;
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        const Value lossy =
            Dict{{"seed", seed}, {"network", network(1, Dict{{"loss_probability", 0.3}})}};
        Story counts("flood_max", 6, Dict{{"topology", "line"}}, lossy, false);
        counts.until(10'000);
        CAPTURE(seed);
        REQUIRE(counts.in_flight().empty());
        REQUIRE(counts.violations() == 0);
        REQUIRE((counts.leader() == 6 || counts.dropped("loss") > 0));
        waiting += counts.leader() == no_node ? 1 : 0;
        Story clocked("flood_max", 6, merged(optimised, Dict{{"topology", "line"}}), lossy, false);
        clocked.until(10'000);
        misled += clocked.violations() > 0 ? 1 : 0;
    }
    CHECK(waiting > 0);
    CHECK(misled > 0);
}

TEST_CASE("flood_max: nodes that know the leader from the start send nothing", "[flood_max]") {
    Story s("flood_max", 4, Dict{}, Dict{{"network", network(1)}, {"initial_leader", 2}});
    s.until(100);
    CHECK(s.all_follow(2));
    CHECK(s.sent("Greatest") == 0);
}

TEST_CASE("flood_max: graphs that are none are refused", "[flood_max][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("flood_max").check_options(options, 4);
    };
    const auto with = [](const List& edges) {
        return Dict{{"topology", "edges"}, {"edges", edges}};
    };
    CHECK_NOTHROW(check(with({List{1, 2}, List{2, 3}, List{4, 2}})));
    CHECK_THROWS_WITH(check(with({List{1, 2}, List{3, 4}})),
                      contains("edges=2 of them") && contains("no way from node 1 to node 3"));
    CHECK_THROWS_WITH(check(with({})), contains("no way from node 1 to node 2"));
    CHECK_THROWS_WITH(check(with({Value(List{1, 5})})),
                      contains("edges=(1, 5)") && contains("from 1 to 4"));
    CHECK_THROWS_WITH(check(with({Value(List{0, 2})})), contains("edges=(0, 2)"));
    CHECK_THROWS_WITH(check(with({Value(List{2, 2})})), contains("edges=(2, 2)") && contains("different"));
    CHECK_THROWS_WITH(check(with({List{1, 2}, List{2, 1}})),
                      contains("edges=(2, 1)") && contains("each pair once"));
    CHECK_THROWS_WITH(check(with({Value(List{1})})), contains("edges"));
    CHECK_THROWS_WITH(check(Dict{{"edges", List{Value(List{1, 2})}}}), contains("topology='edges'"));
    CHECK_THROWS_WITH(check(Dict{{"topology", "torus"}}),
                      contains("topology='torus'") && contains("'grid'"));
    CHECK_THROWS_WITH(check(Dict{{"order", List{1, 2}}}), contains("order=[1, 2]"));
    CHECK_THROWS_WITH(check(Dict{{"topology", "grid"}, {"columns", 5}}),
                      contains("columns=5") && contains("at most 4"));
    CHECK_THROWS_WITH(check(Dict{{"columns", 2}}), contains("columns=2") && contains("must be 0"));
    CHECK_THROWS_WITH(check(Dict{{"round_ms", 0}}), contains("round_ms=0") && contains("above 0"));
}

TEST_CASE("flood_max: every run has the trace it always had", "[flood_max][golden]") {
    golden::check_runs("flood_max",
                       {
                           {"grid", "flood_max", 20, Dict{{"topology", "grid"}}, odd_machines(1, false), 1000},
                           {"ring", "flood_max", 20, Dict{{"order", as_list(shuffled(20, 2))}},
                            odd_machines(2, false), 1000},
                           {"by_the_clock", "flood_max", 20,
                            merged(optimised, Dict{{"topology", "line"}, {"round_ms", 40}}),
                            Dict{{"seed", 3}, {"network", Dict{{"one_way_delay_ms", List{1, 30}}}}}, 2000},
                       },
                       300);
}

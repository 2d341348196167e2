#include "electionlab/protocols/itai_rodeh.h"

#include <cmath>

#include "catch_shim.h"
#include "machine.h"
#include "rings.h"

using namespace rings;
using ItaiRodehNode = Machine<ItaiRodeh>;
using Election = ItaiRodeh::Election;
using Elected = ItaiRodeh::Elected;

namespace {

/// A whole election: one winner, whom all follow.
Story elected(NodeId n, const Value& options, const Value& config) {
    Story s("itai_rodeh", n, options, config, false);
    s.until(100'000);
    REQUIRE(s.in_flight().empty());
    REQUIRE(s.leader() != no_node);
    REQUIRE(s.all_follow(s.leader()));
    REQUIRE(s.measures().leaderships == 1);
    REQUIRE(s.violations() == 0);
    REQUIRE(s.sent("Elected") == (n == 1 ? 0 : n));
    return s;
}

Value seeded(std::int64_t seed) { return Dict{{"seed", seed}, {"network", network(1)}}; }

std::int64_t rounds(const Story& s) { return s.whole(s.leader(), "memory.round"); }

/// A node that is given words of its own.
ItaiRodehNode node_of(NodeId self, ItaiRodehOptions options = {}, std::uint64_t key = 1) {
    ItaiRodehNode node(self, 5, std::move(options));
    node.random = {key};
    node.start();
    return node;
}

/// The id that such a node draws in its n-th round.
std::int64_t drawn(std::uint64_t n, std::int64_t most = 5, std::uint64_t key = 1) {
    return uniform_integer(RandomStream{key}.word(n - 1), 1, most);
}

}  // namespace

TEST_CASE("itai_rodeh: one of the nodes leads and all know which, with any delay in any order",
          "[itai_rodeh]") {
    for (std::int64_t seed = 0; seed < seeds(4000); ++seed) {
        const auto n = static_cast<NodeId>(1 + seed % 12);
        const Ids order = shuffled(n, seed);
        CAPTURE(seed, order);
        elected(n, ring(order, {}, Dict{{"ids", 2 + seed % 3}}), any_delay(seed, false));
        elected(n, ring(order, {order[0]}), any_delay(seed, false));
    }
}

TEST_CASE("itai_rodeh: two nodes take exactly 3 + 4(r-1) messages in r rounds, and 3 + 4/(K-1) on average",
          "[itai_rodeh][cost]") {
    const std::int64_t ids = GENERATE(2, 3, 10);
    const std::int64_t trials = seeds(4000);
    double total = 0;
    for (std::int64_t seed = 0; seed < trials; ++seed) {
        CAPTURE(seed, ids);
        const Story s = elected(2, Dict{{"ids", ids}}, seeded(seed));
        REQUIRE(s.sent("Election") == 3 + 4 * (rounds(s) - 1));
        total += static_cast<double>(s.sent("Election"));
    }
    const auto k = static_cast<double>(ids), n = static_cast<double>(trials);
    const double error = 4 * std::sqrt(k / ((k - 1) * (k - 1)) / n);  // of rounds - 1: geometric
    CAPTURE(ids, total / n);
    CHECK(std::abs(total / n - (3 + 4 / (k - 1))) < 5 * error);
}

TEST_CASE("itai_rodeh: one round is enough exactly when the greatest draw is alone, as often as it should",
          "[itai_rodeh][cost]") {
    const NodeId n = 5;
    const std::int64_t ids = GENERATE(2, 5, 20);
    const std::int64_t trials = seeds(4000);
    std::int64_t first = 0;
    for (std::int64_t seed = 0; seed < trials; ++seed) {
        const Story s = elected(n, Dict{{"ids", ids}}, seeded(seed));
        // All draw before the first message arrives: what they drew stands in a cluster at 0.5 ms.
        Story early("itai_rodeh", n, Dict{{"ids", ids}}, seeded(seed), false);
        early.until(0.5);
        std::int64_t greatest = 0, times = 0;
        for (NodeId node = 1; node <= n; ++node) {
            const std::int64_t id = early.whole(node, "memory.id");
            times = id > greatest ? 1 : times + (id == greatest ? 1 : 0);
            greatest = std::max(greatest, id);
        }
        CAPTURE(seed, ids);
        REQUIRE((rounds(s) == 1) == (times == 1));
        first += times == 1 ? 1 : 0;
    }
    double p = 0;  // one of n draws m, all others less
    for (std::int64_t m = 1; m <= ids; ++m) {
        p += n * std::pow(static_cast<double>(m - 1) / static_cast<double>(ids), n - 1) /
             static_cast<double>(ids);
    }
    const auto count = static_cast<double>(trials);
    CAPTURE(ids, p, first);
    CHECK(std::abs(static_cast<double>(first) / count - p) < 5 * std::sqrt(p * (1 - p) / count));
}

TEST_CASE("itai_rodeh: one possible id, and nobody ever leads", "[itai_rodeh][fault]") {
    Story s("itai_rodeh", 4, Dict{{"ids", 1}}, seeded(1), false);
    s.until(10'000);
    CHECK(s.measures().leaderships == 0);
    CHECK(s.in_flight("Election").size() == 4);
    CHECK(s.whole(1, "memory.round") == 2500 + 1);  // each takes four hops of a millisecond
}

TEST_CASE("itai_rodeh: a ring larger than its nodes believe may have several leaders, a smaller one none",
          "[itai_rodeh][fault]") {
    std::int64_t several = 0;
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        Story s("itai_rodeh", 6, Dict{{"ring_size", 3}}, seeded(seed), false);
        s.until(1000);
        several += s.measures().leaderships > 1 ? 1 : 0;
        CAPTURE(seed);
        REQUIRE((s.violations() > 0) == (s.measures().leaderships > 1));
        Story none("itai_rodeh", 6, Dict{{"ring_size", 7}}, seeded(seed), false);
        none.until(200);
        REQUIRE(none.measures().leaderships == 0);
    }
    CHECK(several > 0);
}

TEST_CASE("itai_rodeh: a node's number decides nothing", "[itai_rodeh]") {
    // The same words, the same messages: what they do and keep differs in the successor only.
    for (std::uint64_t key = 1; key <= 50; ++key) {
        ItaiRodehNode a = node_of(1, {}, key);
        ItaiRodehNode b = node_of(4, {{{3, 5, 4, 1, 2}, {}}, 0, 0}, key);
        const RandomStream stream{key + 1000};
        for (std::uint64_t i = 0; i < 40; ++i) {
            const Election m{uniform_integer(stream.word(4 * i), 1, 3),
                             uniform_integer(stream.word(4 * i + 1), 1, 5),
                             uniform_integer(stream.word(4 * i + 2), 1, 5),
                             stream.word(4 * i + 3) % 2 == 0};
            a.receive(5, m);
            b.receive(5, m);
            CAPTURE(key, i);
            REQUIRE(a.sent<Election>().size() == b.sent<Election>().size());
            for (std::size_t j = 0; j < a.sent<Election>().size(); ++j) {
                REQUIRE(a.sent<Election>()[j].second == b.sent<Election>()[j].second);
            }
            auto state = b.state;
            state.memory.successor = a.state.memory.successor;
            REQUIRE(a.state == state);
        }
    }
}

TEST_CASE("itai_rodeh: nodes, seeds and lives draw apart; the same seed draws the same",
          "[itai_rodeh]") {
    const Value many = Dict{{"ids", 1'000'000'000}};
    const auto id_of = [&](std::int64_t seed, NodeId node, bool second_life) {
        Story s("itai_rodeh", 3, many, seeded(seed), false);
        s.until(0.5);
        if (second_life) {
            s.crash(node);
            s.restart(node);
        }
        return s.whole(node, "memory.id");
    };
    CHECK(id_of(1, 1, false) == id_of(1, 1, false));
    CHECK(id_of(1, 1, true) == id_of(1, 1, true));
    CHECK(id_of(1, 1, false) != id_of(1, 2, false));
    CHECK(id_of(1, 1, false) != id_of(2, 1, false));
    CHECK(id_of(1, 1, false) != id_of(1, 1, true));
}

TEST_CASE("itai_rodeh: greater ids are passed on, smaller ones stopped, equal ones marked",
          "[itai_rodeh]") {
    ItaiRodehNode node = node_of(2, {{}, 1000, 0});
    const std::int64_t own = drawn(1, 1000);
    REQUIRE(node.state.memory.id == own);
    SECTION("greater") {
        node.receive(1, Election{1, own + 1, 2, true});
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{3}, Election{1, own + 1, 3, true}});
        CHECK(node.state.memory.part == RingPart::passive);
        node.receive(1, Election{1, own - 1, 4, false});  // it only passes on from now
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{3}, Election{1, own - 1, 5, false}});
    }
    SECTION("smaller") {
        node.receive(1, Election{1, own - 1, 2, true});
        CHECK(node.effects.sends().empty());
        CHECK(node.state.memory.part == RingPart::active);
    }
    SECTION("a later round beats a greater id") {
        node.receive(1, Election{2, 1, 2, true});
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{3}, Election{2, 1, 3, true}});
        CHECK(node.state.memory.part == RingPart::passive);
    }
    SECTION("equal, of another node") {
        node.receive(1, Election{1, own, 2, true});
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{3}, Election{1, own, 3, false}});
        CHECK(node.state.memory.part == RingPart::active);
    }
    SECTION("its own, marked: it draws again") {
        node.receive(1, Election{1, own, 5, false});
        const std::int64_t again = drawn(2, 1000);
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{3}, Election{2, again, 1, true}});
        CHECK(again != own);
        node.receive(1, Election{1, 1000, 3, true});  // of the round before
        CHECK(node.effects.sends().empty());
    }
    SECTION("its own, unmarked: it leads") {
        node.receive(1, Election{1, own, 5, true});
        CHECK(node.sent<Elected>().at(0) == std::pair{NodeId{3}, Elected{1}});
        CHECK(node.view() == View{Role::leader, 2, 0});
        node.receive(1, Election{1, 1000, 3, true});
        CHECK(node.effects.sends().empty());
        node.receive(1, Elected{5});
        CHECK(node.effects.sends().empty());
        CHECK(node.view().leads());
    }
    SECTION("the announcement tells where the leader is") {
        node.receive(1, Elected{3});
        CHECK(node.sent<Elected>().at(0) == std::pair{NodeId{3}, Elected{4}});
        CHECK(node.view() == View{Role::follower, 4, 0});  // 4 -> 5 -> 1 -> 2
    }
}

TEST_CASE("itai_rodeh: places on the ring are counted back along the order", "[itai_rodeh]") {
    const ItaiRodehOptions options{{{3, 1, 5, 2, 4}, {}}, 0, 0};
    CHECK(options.before(5, 0, 5) == 5);
    CHECK(options.before(5, 2, 5) == 3);
    CHECK(options.before(5, 3, 5) == 4);
    CHECK(options.before(5, 5, 5) == 5);
    CHECK(options.hops_between(4, 5, 5) == 3);
    CHECK(ItaiRodehOptions{}.before(2, 4, 5) == 3);
    CHECK(ItaiRodehOptions{}.hops_between(3, 2, 5) == 4);
}

TEST_CASE("itai_rodeh: nodes that know the leader from the start send nothing", "[itai_rodeh]") {
    Story s("itai_rodeh", 4, Dict{}, Dict{{"network", network(1)}, {"initial_leader", 2}});
    s.until(100);
    CHECK(s.all_follow(2));
    CHECK(s.sent("Election") == 0);
}

TEST_CASE("itai_rodeh: options out of range are refused", "[itai_rodeh][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("itai_rodeh").check_options(options, 3);
    };
    CHECK_THROWS_WITH(check(Dict{{"ids", 1'000'000'001}}),
                      contains("ids=1000000001") && contains("from 0 to 1000000000"));
    CHECK_THROWS_WITH(check(Dict{{"ring_size", 1'000'000'001}}), contains("ring_size=1000000001"));
    CHECK_THROWS_WITH(check(Dict{{"ids", -1}}), contains("ids=-1"));
    CHECK_THROWS_WITH(check(Dict{{"order", List{1, 2}}}), contains("order=[1, 2]"));
    CHECK_NOTHROW(check(Dict{{"ids", 1}, {"ring_size", 7}}));
}

TEST_CASE("itai_rodeh: every run has the trace it always had", "[itai_rodeh][golden]") {
    golden::check_runs("itai_rodeh",
                       {
                           {"many_rounds", "itai_rodeh", 20, ring(shuffled(20, 1), {}, Dict{{"ids", 2}}),
                            odd_machines(1, false), 5000},
                           {"one_begins", "itai_rodeh", 20, ring(shuffled(20, 2), {4}), odd_machines(2, false),
                            5000},
                       },
                       300);
}

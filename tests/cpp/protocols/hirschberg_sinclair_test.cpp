#include "electionlab/protocols/hirschberg_sinclair.h"

#include "catch_shim.h"
#include "machine.h"
#include "rings.h"

using namespace rings;
using HirschbergSinclairNode = Machine<HirschbergSinclair>;
using Election = HirschbergSinclair::Election;
using Reply = HirschbergSinclair::Reply;
using Elected = HirschbergSinclair::Elected;

namespace {

std::int64_t cost(const Ids& order, const Ids& initiators = {},
                  const Value& config = Dict{{"network", network(1)}}) {
    const Story s = greatest_wins("hirschberg_sinclair", static_cast<NodeId>(order.size()),
                                  ring(order, initiators), config);
    REQUIRE(s.delivered("Reply") == s.sent("Reply"));
    return s.sent("Election") + s.sent("Reply");
}

std::int64_t bound(std::int64_t n) { return 8 * n * (1 + ceil_lg(n)); }

/// What it costs when all phases are taken by all at once, hop by hop.
std::int64_t counted(const Ids& order) {
    const auto n = static_cast<std::int64_t>(order.size());
    const auto id = [&](std::int64_t place) {
        return order[static_cast<std::size_t>(((place % n) + n) % n)];
    };
    std::int64_t messages = 0;
    std::vector<bool> active(order.size(), true);
    for (std::int64_t reach = 1;; reach *= 2) {
        std::vector<bool> next(order.size(), false);
        for (std::int64_t place = 0; place < n; ++place) {
            if (!active[static_cast<std::size_t>(place)]) {
                continue;
            }
            bool ok = true;
            for (const std::int64_t step : {1, -1}) {
                std::int64_t hops = 1;
                while (hops < reach && id(place + step * hops) < id(place)) {
                    ++hops;
                }
                const NodeId last = id(place + step * hops);
                messages += last == id(place) ? hops : 2 * hops;
                ok = ok && last <= id(place);
            }
            next[static_cast<std::size_t>(place)] = ok;
        }
        active = next;
        if (reach >= n) {
            return messages;
        }
    }
}

}  // namespace

TEST_CASE("hirschberg_sinclair: at most 8n(1 + ceil(lg n)) messages in every order",
          "[hirschberg_sinclair][cost]") {
    const NodeId most = seeds(40) > 20 ? 7 : 5;
    for (NodeId n = 2; n <= most; ++n) {
        each_order(n, [&](const Ids& order) {
            const std::int64_t messages = cost(order);
            REQUIRE(messages <= bound(n));
            REQUIRE(messages <= counted(order));  // a node that hears of a greater id stops sooner
        });
    }
}

TEST_CASE("hirschberg_sinclair: whoever begins, with any delay in any order, within the bound",
          "[hirschberg_sinclair][cost][fault]") {
    for (NodeId n = 2; n <= 4; ++n) {
        each_order(n, [&](const Ids& order) {
            each_set(n, [&](const Ids& set) { REQUIRE(cost(order, set) <= bound(n)); });
        });
    }
    for (std::int64_t seed = 0; seed < seeds(2000); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 30);
        const Ids order = shuffled(n, seed);
        CAPTURE(seed, order);
        REQUIRE(cost(order, {}, any_delay(seed, false)) <= bound(n));
    }
}

TEST_CASE("hirschberg_sinclair: large rings in any order keep the bound",
          "[hirschberg_sinclair][cost]") {
    const NodeId n = GENERATE(63u, 64u, 65u, 300u);
    const Ids order = shuffled(n, n);
    CAPTURE(n);
    CHECK(cost(order) <= bound(n));
    CHECK(cost(ascending(n)) <= bound(n));
}

TEST_CASE("hirschberg_sinclair: a ring of one leads without a message, one of two with twelve",
          "[hirschberg_sinclair]") {
    CHECK(cost({1}) == 0);
    // Node 2 asks node 1 both ways and is answered (4), and asks round the ring both ways (4); node
    // 1 asks both ways and is refused (4).
    CHECK(cost({1, 2}) == 12);
}

TEST_CASE("hirschberg_sinclair: smaller ids are refused, greater ones passed on, or answered at the end",
          "[hirschberg_sinclair]") {
    HirschbergSinclairNode node(3, 6);
    node.start();
    REQUIRE(node.sent<Election>().size() == 2);
    CHECK(node.sent<Election>()[0] == std::pair{NodeId{4}, Election{3, 1, 1, true}});
    CHECK(node.sent<Election>()[1] == std::pair{NodeId{2}, Election{3, 1, 1, false}});
    node.receive(2, Election{2, 1, 1, true});
    CHECK(node.sent<Reply>().at(0) == std::pair{NodeId{2}, Reply{2, false, false}});
    CHECK(node.state.memory.part == RingPart::active);
    node.receive(2, Election{5, 2, 4, true});
    CHECK(node.sent<Election>().at(0) == std::pair{NodeId{4}, Election{5, 3, 4, true}});
    CHECK(node.state.memory.part == RingPart::passive);
    node.receive(4, Election{6, 4, 4, false});
    CHECK(node.sent<Reply>().at(0) == std::pair{NodeId{4}, Reply{6, true, true}});
}

TEST_CASE("hirschberg_sinclair: two answers double the reach, a refusal ends it",
          "[hirschberg_sinclair]") {
    HirschbergSinclairNode node(3, 6);
    node.start();
    node.receive(4, Reply{3, true, false});
    CHECK(node.effects.sends().empty());
    SECTION("two answers") {
        node.receive(2, Reply{3, true, true});
        CHECK(node.state.memory.reach == 2);
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{4}, Election{3, 1, 2, true}});
        node.receive(2, Reply{3, true, true});
        CHECK(node.effects.sends().empty());  // the other side's answer to this reach is missing
    }
    SECTION("a refusal") {
        node.receive(2, Reply{3, false, true});
        CHECK(node.state.memory.part == RingPart::passive);
    }
    SECTION("a greater id came by meanwhile") {
        node.receive(2, Election{5, 1, 1, true});
        node.receive(2, Reply{3, true, true});
        CHECK(node.effects.sends().empty());
    }
    node.receive(2, Reply{1, true, true});
    CHECK(node.sent<Reply>().at(0) == std::pair{NodeId{4}, Reply{1, true, true}});
}

TEST_CASE("hirschberg_sinclair: its question is back: it leads, and announces it once",
          "[hirschberg_sinclair]") {
    HirschbergSinclairNode node(6, 6);
    node.start();
    node.receive(5, Election{6, 6, 8, true});
    CHECK(node.sent<Elected>().at(0) == std::pair{NodeId{1}, Elected{6}});
    CHECK(node.view() == View{Role::leader, 6, 0});
    node.receive(1, Election{6, 6, 8, false});
    CHECK(node.effects.sends().empty());
    node.receive(5, Elected{6});
    CHECK(node.effects.sends().empty());
    CHECK(node.view().leads());
}

TEST_CASE("hirschberg_sinclair: a lost message may leave nobody elected, and never elects another",
          "[hirschberg_sinclair][fault]") {
    std::int64_t none = 0;
    for (std::int64_t seed = 0; seed < seeds(1000); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 8);
        Story s("hirschberg_sinclair", n, ring(shuffled(n, seed)),
                Dict{{"seed", seed},
                     {"network",
                      Dict{{"one_way_delay_ms", List{0, 20}}, {"loss_probability", 0.05}}}},
                false);
        s.until(10'000);
        CAPTURE(seed);
        REQUIRE(s.in_flight().empty());
        REQUIRE((s.leader() == no_node || s.leader() == n));
        REQUIRE(s.violations() == 0);
        none += s.leader() == no_node ? 1 : 0;
    }
    CHECK(none > 0);
}

TEST_CASE("hirschberg_sinclair: nodes that know the leader from the start send nothing",
          "[hirschberg_sinclair]") {
    Story s("hirschberg_sinclair", 4, Dict{}, Dict{{"network", network(1)}, {"initial_leader", 2}});
    s.until(100);
    CHECK(s.all_follow(2));
    CHECK(s.sent("Election") == 0);
    s.crash(1);
    s.restart(1);
    s.for_ms(100);
    CHECK(s.role(1) == Role::candidate);  // it is refused by its neighbours
    CHECK(s.in_flight().empty());
    CHECK(s.leader() == 2);
}

TEST_CASE("hirschberg_sinclair: every run has the trace it always had", "[hirschberg_sinclair][golden]") {
    golden::check_runs("hirschberg_sinclair",
                       {
                           {"all_begin", "hirschberg_sinclair", 20, ring(shuffled(20, 1)),
                            odd_machines(1, false), 3000},
                           {"two_begin", "hirschberg_sinclair", 20, ring(shuffled(20, 2), {4, 9}),
                            odd_machines(2, false), 3000},
                       },
                       300);
}

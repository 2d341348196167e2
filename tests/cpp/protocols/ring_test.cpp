#include "electionlab/protocols/ring.h"

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "machine.h"
#include "story.h"

using namespace story;
using RingNode = Machine<Ring>;

namespace {

Story warm(NodeId count, const Value& options = Dict{{"leader_timeout_ms", 1e6}},
           const Value& config = Dict{}) {
    Story s("ring", count, options,
            merged(Dict{{"network", network(5)}, {"initial_leader", count}}, config));
    s.until(1);
    return s;
}

std::int64_t rounds(const Story& s) { return s.delivered("Election") + s.delivered("Coordinator"); }

std::size_t circulating(const Story& s) {
    return s.in_flight("Election").size() + s.in_flight("Coordinator").size();
}

}  // namespace

TEST_CASE("ring: worked example, A -> B -> C -> A: C fails, A starts: the list is (A, B), B leads",
          "[ring][example]") {
    Story s = warm(3);
    s.crash(3);
    s.fire(1, "leader");
    s.until(12);
    // B has added itself; it waits for C's acknowledgement in vain, and skips it.
    CHECK(s.field(2, "memory.target") == Value(3));
    s.until(47);
    const auto back = s.in_flight("Election");
    REQUIRE(back.size() == 1);
    CHECK(back[0].node == 1);
    CHECK(*back[0].fields.find("visited") == nodes({1, 2}));
    s.until(200);
    CHECK(s.all_follow(2));
    CHECK(rounds(s) == 4);  // two live nodes, twice round
}

TEST_CASE("ring: 2 x live messages are delivered for one initiator, whoever starts",
          "[ring][cost]") {
    const NodeId n = GENERATE(3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u);
    for (NodeId initiator = 1; initiator <= n; ++initiator) {
        for (NodeId dead = 0; dead <= n; ++dead) {  // 0: all are alive
            if (dead == initiator) {
                continue;
            }
            Story s = warm(n, Dict{{"leader_timeout_ms", 1e6}, {"round_timeout_ms", 1e6}});
            if (dead != 0) {
                s.crash(dead);
            }
            if (initiator == n) {  // a leader has no timer for its own silence: it comes back
                s.crash(n);
                s.restart(n);
            } else {
                s.fire(initiator, "leader");
            }
            s.until(800);
            const NodeId live = dead == 0 ? n : n - 1;
            CAPTURE(n, initiator, dead, live);
            REQUIRE(s.all_follow(dead == n ? n - 1 : n));
            CHECK(rounds(s) == 2 * live);
            CHECK(s.delivered("Ack") == 2 * live);
            CHECK(circulating(s) == 0);
        }
    }
}

TEST_CASE("ring: k initiators at once cost k times as much and agree", "[ring][cost]") {
    const NodeId n = GENERATE(3u, 5u, 8u, 10u);
    for (NodeId k = 1; k < n; ++k) {
        Story s = warm(n, Dict{{"leader_timeout_ms", 1e6}, {"round_timeout_ms", 1e6}});
        s.crash(n);
        for (NodeId initiator = 1; initiator <= k; ++initiator) {
            s.fire(initiator, "leader");
        }
        s.until(1000);
        CAPTURE(n, k);
        REQUIRE(s.all_follow(n - 1));
        CHECK(rounds(s) == std::int64_t{k} * 2 * (n - 1));
        CHECK(circulating(s) == 0);
    }
}

TEST_CASE("ring: no orphan message goes round for ever when its initiator dies",
          "[ring][liveness]") {
    for (std::int64_t seed = 0; seed < seeds(1500); ++seed) {
        const auto n = static_cast<NodeId>(3 + seed % 7);
        Story s("ring", n, Dict{}, Dict{{"seed", seed}, {"initial_leader", n}}, false);
        const RandomStream stream{mix64(static_cast<std::uint64_t>(seed))};
        const auto initiator = static_cast<NodeId>(uniform_integer(stream.word(0), 1, n - 1));
        s.until(100);
        s.fire(initiator, "leader");
        s.for_ms(200 * open_unit(stream.word(1)));
        s.crash(initiator);
        // Two rounds, a skip in each, a lost list replaced after its time-out, two more rounds.
        s.for_ms(2 * (n * 10 + 40) + 600 + 2 * (n * 10 + 40));
        CAPTURE(seed, n, initiator);
        REQUIRE(circulating(s) == 0);
        REQUIRE(s.all_follow(n));
        const auto sent = s.sent("Election");
        s.for_ms(2000);
        REQUIRE(s.sent("Election") == sent);
    }
}

TEST_CASE("ring: lost acknowledgements cost messages, not the election", "[ring][fault]") {
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        Story s("ring", 5, Dict{}, Dict{{"seed", seed}, {"initial_leader", 5}}, false);
        s.until(100);
        s.crash(5);
        // Every acknowledgement of the election is lost.
        while (s.now_ms() < 600 && s->step()) {
            for (const PendingEvent& ack : s.in_flight("Ack")) {
                s.touch("drop", ack.message);
            }
        }
        CAPTURE(seed);
        REQUIRE(s.dropped("by_hand") > 0);
        s.for_ms(2500);
        REQUIRE(s.all_follow(4));
        REQUIRE(circulating(s) == 0);
    }
}

TEST_CASE("ring: a node that is alone leads itself", "[ring]") {
    Story one("ring", 1);
    REQUIRE(one.until_agreement(10));
    Story s = warm(4, Dict{});
    s.crash(4);
    s.crash(3);
    s.crash(2);
    REQUIRE(s.until_agreement(200 + 3 * 40 + 10));
    CHECK(s.all_follow(1));
}

TEST_CASE("ring: large rings elect with a third of their nodes dead, without a storm",
          "[ring][liveness][cost]") {
    const NodeId n = GENERATE(20u, 50u, 100u);
    // A round of the largest takes longer than 200 ms, and who leads is told within one only.
    const double leader_timeout = n == 100 ? 4000 : 200;
    Story s("ring", n, Dict{{"leader_timeout_ms", leader_timeout}}, Dict{{"seed", 5}}, false);
    s.until(3000);
    const std::int64_t all = n;
    CAPTURE(n);
    REQUIRE(s.all_follow(n));
    CHECK(rounds(s) == 2 * all * all);  // everybody is an initiator at a cold start
    CHECK(s.sent("Ack") == 2 * all * all);
    for (NodeId node = 2; node <= n / 3; ++node) {
        s.crash(node);
    }
    s.crash(n);
    const NodeId live = n - n / 3, dead = n / 3;
    // The bound of the documentation, as no election is under way.
    REQUIRE(s.until_agreement(leader_timeout + 10 + 2 * (live * 10 + dead * 40)));
    s.for_ms(10'000);
    REQUIRE(s.all_follow(n - 1));
    CHECK(circulating(s) == 0);
    CHECK(rounds(s) <= 2 * all * all + 2 * std::int64_t{live} * live + 4 * all * live);
}

TEST_CASE("ring: skips dead successors, and tries the next one again later", "[ring]") {
    RingNode node(2, 5);
    node.initial_leader = 5;
    node.start();
    node.expire(Ring::Timer::leader);
    REQUIRE(node.sent<Ring::Election>().size() == 1);
    CHECK(node.sent<Ring::Election>()[0].first == 3);
    node.expire(Ring::Timer::ack);
    CHECK(node.sent<Ring::Election>()[0].first == 4);
    const auto number = node.sent<Ring::Election>()[0].second.number;
    node.receive(4, Ring::Ack{number});
    CHECK(node.cancels(Ring::Timer::ack));
    CHECK(node.state.memory.outbox.empty());
    node.receive(1, Ring::Election{IdList{4, 5, 1}, 8});
    CHECK(node.sent<Ring::Ack>().size() == 1);
    REQUIRE(node.sent<Ring::Election>().size() == 1);
    CHECK(node.sent<Ring::Election>()[0].first == 3);  // it may be back
    CHECK(node.sent<Ring::Election>()[0].second.visited == IdList{4, 5, 1, 2});
}

TEST_CASE("ring: the list of an initiator that died is finished without it", "[ring]") {
    RingNode node(1, 5);
    node.initial_leader = 5;
    node.start();
    node.receive(4, Ring::Election{IdList{5, 1, 2, 3, 4}, 7});  // node 5 was skipped: it is gone
    REQUIRE(node.sent<Ring::Coordinator>().size() == 1);
    CHECK(node.sent<Ring::Coordinator>()[0].second.leader == 4);
    CHECK(node.sent<Ring::Election>().empty());
    CHECK(node.view() == View{Role::follower, 4, 0});

    RingNode initiator(5, 5);
    initiator.start();
    initiator.receive(4, Ring::Election{IdList{5, 1, 2, 3, 4}, 7});  // its own list is back
    REQUIRE(initiator.sent<Ring::Coordinator>().size() == 1);
    CHECK(initiator.sent<Ring::Coordinator>()[0].second.leader == 5);
    CHECK(initiator.view().leads());
}

TEST_CASE("ring: an announcement that has been all round ends there", "[ring]") {
    RingNode node(2, 3);
    node.start();
    node.receive(1, Ring::Coordinator{3, IdList{1}, 5});
    REQUIRE(node.sent<Ring::Coordinator>().size() == 1);
    CHECK(node.sent<Ring::Coordinator>()[0].second.told == IdList{1, 2});
    node.receive(1, Ring::Coordinator{3, IdList{2, 3, 1}, 6});
    CHECK(node.sent<Ring::Ack>().size() == 1);
    CHECK(node.sent<Ring::Coordinator>().empty());
}

TEST_CASE("ring: each side of a partition elects its own leader, and a heal ends that",
          "[ring][split_brain]") {
    Story s("ring", 5, Dict{}, Dict{{"network", network(5)}, {"initial_leader", 5}});
    s.until(100.5);
    s.partition(groups({{1, 2}, {3, 4, 5}}));
    s.until(1500);
    CHECK(s.role(2) == Role::leader);
    CHECK(s.role(5) == Role::leader);
    CHECK(s.measures().split_brain > ms(500));
    s.act("heal");
    s.for_ms(1500);
    CHECK(s.all_follow(5));
}

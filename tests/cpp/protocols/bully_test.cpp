#include "electionlab/protocols/bully.h"

#include "catch_shim.h"
#include "machine.h"
#include "story.h"

using namespace story;
using BullyNode = Machine<Bully>;

namespace {

// All follow node n and nobody notices anything until a timer is fired by hand.
Story warm(NodeId count, const Value& options = Dict{{"leader_timeout_ms", 1e6}},
           const Value& config = Dict{}) {
    Story s("bully", count, options,
            merged(Dict{{"network", network(5)}, {"initial_leader", count}}, config));
    s.until(1);
    return s;
}

}  // namespace

TEST_CASE("bully: worked example, A(1) B(2) C(3): C fails, B detects it, B leads",
          "[bully][example]") {
    Story s = warm(3);
    s.crash(3);
    s.fire(2, "leader");
    // B asks only C: there is nobody else above it.
    CHECK(s.sent("Election") == 1);
    const auto asked = s.in_flight("Election");
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].node == 3);
    s.until(100);
    CHECK(s.all_follow(2));
    // A takes no part: it only hears who leads.
    CHECK(s.sent("Ok") == 0);
    CHECK(s.sent("Coordinator") == 1);
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        const auto& kind = s->description().messages[static_cast<std::size_t>(r.message_kind)].name;
        CHECK((r.node != 1 || kind == "Coordinator" || kind == "Heartbeat"));
    }
}

TEST_CASE("bully: the messages of an election are the closed forms, for every detector",
          "[bully][cost]") {
    const std::int64_t n = GENERATE(3, 4, 5, 6, 7, 8, 9, 10);
    for (std::int64_t detector = 1; detector < n; ++detector) {
        Story s = warm(static_cast<NodeId>(n));
        s.crash(static_cast<NodeId>(n));
        s.fire(static_cast<NodeId>(detector), "leader");
        s.until(200);
        const std::int64_t m = n - detector;
        CAPTURE(n, detector, m);
        REQUIRE(s.all_follow(static_cast<NodeId>(n - 1)));
        CHECK(s.sent("Election") == m * (m + 1) / 2);
        CHECK(s.sent("Ok") == m * (m - 1) / 2);
        CHECK(s.sent("Coordinator") == n - 2);
    }
}

TEST_CASE("bully: the closed forms hold with the delays of a real network, too", "[bully][cost]") {
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        Story s("bully", 6, Dict{{"leader_timeout_ms", 1e6}},
                Dict{{"seed", seed}, {"initial_leader", 6}}, false);
        s.until(1);
        s.crash(6);
        s.fire(1, "leader");
        s.until(200);
        CAPTURE(seed);
        REQUIRE(s.all_follow(5));
        REQUIRE(s.sent("Election") == 15);
        REQUIRE(s.sent("Ok") == 10);
        REQUIRE(s.sent("Coordinator") == 4);
    }
}

TEST_CASE("bully: holds no second election while it holds one", "[bully]") {
    BullyNode node(2, 4);
    node.initial_leader = 4;
    node.start();
    node.receive(1, Bully::Election{4});
    CHECK(node.sent<Bully::Ok>().size() == 1);
    CHECK(node.sent<Bully::Election>().size() == 2);  // to 3 and 4
    CHECK(node.sets(Bully::Timer::answer));
    node.receive(1, Bully::Election{4});
    CHECK(node.sent<Bully::Ok>().size() == 1);
    CHECK(node.sent<Bully::Election>().empty());
    CHECK_FALSE(node.sets(Bully::Timer::answer));  // and its time-out goes on
    node.receive(3, Bully::Ok{});
    node.receive(1, Bully::Election{4});
    CHECK(node.sent<Bully::Election>().empty());
}

TEST_CASE("bully: a leader answers OK and tells the sender alone who leads", "[bully]") {
    const bool top = GENERATE(true, false);
    BullyNode node(4, top ? 4 : 5);
    node.start();
    if (!top) {
        node.expire(Bully::Timer::answer);
    }
    REQUIRE(node.view().leads());
    // A node that starts, and one that missed this leader's heartbeats.
    for (const NodeId missed : {no_node, NodeId{4}, NodeId{5}}) {
        node.receive(2, Bully::Election{missed});
        REQUIRE(node.sent<Bully::Ok>().size() == 1);
        const auto told = node.sent<Bully::Coordinator>();
        REQUIRE(told.size() == 1);
        CHECK(told[0].first == 2);
        CHECK(node.sent<Bully::Election>().empty());
        CHECK(node.view().leads());
        CHECK_FALSE(node.sets(Bully::Timer::heartbeat));  // and its heartbeats go on
    }
    node.receive(3, Bully::Heartbeat{});  // a rival: corrected
    REQUIRE(node.sent<Bully::Coordinator>().size() == 1);
    CHECK(node.sent<Bully::Coordinator>()[0].first == 3);
}

TEST_CASE("bully: a follower holds an election only if the leader that is missed is its own",
          "[bully]") {
    BullyNode node(2, 4);
    node.start();
    node.receive(3, Bully::Coordinator{});
    REQUIRE(node.view() == View{Role::follower, 3, 0});
    for (const NodeId missed : {no_node, NodeId{4}, NodeId{2}}) {
        node.receive(1, Bully::Election{missed});
        CHECK(node.sent<Bully::Ok>().size() == 1);
        CHECK(node.sent<Bully::Election>().empty());
        CHECK(node.view() == View{Role::follower, 3, 0});
        CHECK_FALSE(node.sets(Bully::Timer::leader));  // no heartbeat: its patience is not renewed
    }
    node.receive(1, Bully::Heartbeat{});  // a lower node believes that it leads: not followed
    CHECK(node.view() == View{Role::follower, 3, 0});
    node.receive(1, Bully::Election{3});
    CHECK(node.sent<Bully::Ok>().size() == 1);
    const auto asked = node.sent<Bully::Election>();
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].second.missed == 3);  // and tells those above whom it is about
    CHECK(node.view().role == Role::candidate);
    node.receive(3, Bully::Ok{});
    node.expire(Bully::Timer::coordinator);
    REQUIRE(node.sent<Bully::Election>().size() == 2);
    CHECK(node.sent<Bully::Election>()[0].second.missed == 3);
    node.receive(3, Bully::Coordinator{});  // it lives: late news of its silence are old
    node.receive(1, Bully::Election{3});
    CHECK(node.sent<Bully::Ok>().size() == 1);
    CHECK(node.view() == View{Role::follower, 3, 0});
    node.receive(3, Bully::Heartbeat{});  // what is missed from now on is missed anew
    node.receive(1, Bully::Election{3});
    CHECK(node.view().role == Role::candidate);
}

TEST_CASE("bully: a cold start costs O(n^2) messages, however late they arrive", "[bully][cost]") {
    const NodeId n = GENERATE(2u, 3u, 5u, 10u, 20u, 50u, 100u);
    for (std::int64_t seed = 0; seed < seeds(20); ++seed) {
        Story s("bully", n, Dict{}, Dict{{"seed", seed}}, false);
        s.until(1000);
        const std::int64_t pairs = std::int64_t{n} * (n - 1) / 2;
        CAPTURE(n, seed, pairs);
        REQUIRE(s.all_follow(n));
        REQUIRE(s.sent("Election") == pairs);
        REQUIRE(s.sent("Ok") == pairs);
        // One round of announcements, and at most one more to each node that asked.
        REQUIRE(s.sent("Coordinator") >= n - 1);
        REQUIRE(s.sent("Coordinator") <= 2 * (n - 1));
    }
}

TEST_CASE("bully: nodes that recover, or miss a live leader, start no storm", "[bully][cost]") {
    const NodeId n = GENERATE(5u, 20u, 50u, 100u);
    for (std::int64_t seed = 0; seed < seeds(10); ++seed) {
        Story s("bully", n, Dict{}, Dict{{"seed", seed}, {"initial_leader", n}}, false);
        s.until(100);
        CAPTURE(n, seed);
        s.crash(1);
        s.until(200);
        s.restart(1);
        s.until(400);
        REQUIRE(s.all_follow(n));
        REQUIRE(s.sent("Election") == n - 1);
        REQUIRE(s.sent("Ok") == n - 1);
        REQUIRE(s.sent("Coordinator") == 1);
        // Node 1 misses the leader for no reason: all above it look into it.
        s.fire(1, "leader");
        s.until(1000);
        REQUIRE(s.all_follow(n));
        // Once each, and once more if a heartbeat came in between.
        REQUIRE(s.sent("Election") <= n - 1 + std::int64_t{2} * (n * (n - 1) / 2));
    }
}

TEST_CASE("bully: lost messages delay a leader, and no more", "[bully][liveness][fault]") {
    const NodeId n = GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u);
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        Story s("bully", n, Dict{},
                Dict{{"seed", seed}, {"network", network(8, Dict{{"loss_probability", 0.3}})}}, false);
        CAPTURE(n, seed);
        REQUIRE(s.until_agreement(20'000));
        s.until(3000 + 10 * static_cast<double>(seed % 100));
        s.crash(n);
        REQUIRE(s.until_agreement(30'000));
        // From now on nothing is lost any more: L, C, A and two delays later all is well, for good.
        s.act(Dict{{"action", "link"}, {"link", Dict{{"loss_probability", 0}}}});
        s.for_ms(2 * (200 + 150 + 50 + 20));
        REQUIRE(s.all_follow(n - 1));
        const auto changes = s.measures().leaderships;
        s.for_ms(2000);
        REQUIRE(s.all_follow(n - 1));
        REQUIRE(s.measures().leaderships == changes);
    }
}

TEST_CASE("bully: asks higher nodes only, tells lower nodes only", "[bully]") {
    BullyNode node(3, 5);
    node.start();
    const auto asked = node.sent<Bully::Election>();
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].first == 4);
    CHECK(asked[1].first == 5);
    node.expire(Bully::Timer::answer);
    const auto told = node.sent<Bully::Coordinator>();
    REQUIRE(told.size() == 2);
    CHECK(told[0].first == 1);
    CHECK(told[1].first == 2);
    CHECK(node.view().leads());
}

TEST_CASE("bully: both time-outs lead on: no answer leads, no coordinator asks again", "[bully]") {
    BullyNode node(2, 3);
    node.start();
    node.receive(3, Bully::Ok{});
    CHECK(node.cancels(Bully::Timer::answer));
    CHECK(node.sets(Bully::Timer::coordinator));
    CHECK(node.view().role == Role::candidate);
    node.receive(3, Bully::Ok{});  // a second answer changes nothing
    CHECK_FALSE(node.sets(Bully::Timer::coordinator));
    node.expire(Bully::Timer::coordinator);  // node 3 answered and died
    CHECK(node.sent<Bully::Election>().size() == 1);
    node.expire(Bully::Timer::answer);
    CHECK(node.view() == View{Role::leader, 2, 0});
}

TEST_CASE("bully: a node that answers and dies is noticed by the coordinator time-out", "[bully]") {
    Story s = warm(4);
    s.crash(4);
    s.fire(1, "leader");
    s.until(7);  // 2 and 3 have been asked; 3 answers 1 and 2, then it dies
    s.until(12);
    s.crash(3);
    s.until(500);
    CHECK(s.all_follow(2));
}

TEST_CASE("bully: a recovered higher node takes over", "[bully]") {
    Story s = warm(4, Dict{});
    s.crash(4);
    REQUIRE(s.until_agreement(1000));
    CHECK(s.leader() == 3);
    s.restart(4);
    CHECK(s.role(4) == Role::leader);  // nobody is above it
    s.for_ms(6);
    CHECK(s.all_follow(4));
    CHECK(s.measures().unexplained_changes == 0);  // the restart explains it
    s.crash(2);
    s.for_ms(20);
    s.restart(2);  // a lower node that recovers changes nothing
    s.for_ms(500);
    CHECK(s.all_follow(4));
}

TEST_CASE("bully: a partition has two leaders, and a heal ends that", "[bully][split_brain]") {
    Story s("bully", 4, Dict{}, Dict{{"network", network(5)}, {"initial_leader", 4}});
    s.until(100.5);
    s.partition(groups({{1, 2}, {3, 4}}));
    s.until(400);
    CHECK(s.role(2) == Role::leader);
    CHECK(s.role(4) == Role::leader);
    CHECK(s.believes(1) == 2);
    CHECK(s.measures().split_brain > ms(50));
    s.until(500.5);
    s.act("heal");
    s.until(700);
    CHECK(s.all_follow(4));
    const Duration once = s.measures().split_brain;
    s.until(3000);
    CHECK(s.measures().split_brain == once);
}

TEST_CASE("bully: two leaders at one instant are reported when asked for", "[bully][split_brain]") {
    Story s("bully", 4, Dict{},
            Dict{{"network", network(5)}, {"initial_leader", 4}, {"one_leader_at_a_time", true}});
    s.until(100.5);
    s.partition(groups({{1, 2}, {3, 4}}));
    s.until(400);
    REQUIRE(s.violations() == 1);
    CHECK(s->monitor().violations()[0].invariant == "one_leader_at_a_time");
    CHECK(s->monitor().violations()[0].node == 2);
    CHECK(s->monitor().violations()[0].other == 4);
}

TEST_CASE("bully: time-outs must be above zero", "[bully][errors]") {
    const char* name = GENERATE("answer_timeout_ms", "coordinator_timeout_ms",
                                "heartbeat_interval_ms", "leader_timeout_ms");
    CHECK_THROWS_WITH(find_protocol("bully").check_options(Dict{{name, 0}}, 3), contains(name));
}

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
    node.receive(1, Bully::Election{});
    CHECK(node.sent<Bully::Ok>().size() == 1);
    CHECK(node.sent<Bully::Election>().size() == 2);  // to 3 and 4
    CHECK(node.sets(Bully::Timer::answer));
    node.receive(1, Bully::Election{});
    CHECK(node.sent<Bully::Ok>().size() == 1);
    CHECK(node.sent<Bully::Election>().empty());
    CHECK_FALSE(node.sets(Bully::Timer::answer));  // and its time-out goes on
    node.receive(3, Bully::Ok{});
    node.receive(1, Bully::Election{});
    CHECK(node.sent<Bully::Election>().empty());
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

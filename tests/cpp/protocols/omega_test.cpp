#include "electionlab/protocols/omega.h"

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using OmegaNode = Machine<Omega>;
using Timer = Omega::Timer;

namespace {

std::int64_t sent_by(const Value& by_node, NodeId node) {
    return whole_at((*by_node.get_if<List>())[node - 1], "sent");
}

}  // namespace

TEST_CASE("omega: settled, exactly n-1 messages in each interval, all from the leader",
          "[omega][cost]") {
    const NodeId n = GENERATE(2u, 3u, 5u, 9u);
    Story s("omega", n, Dict{}, Dict{{"seed", 5}});
    s.until(500);
    REQUIRE(s.all_follow(1));
    const std::int64_t alive = s.sent("Alive"), accusations = s.sent("Accusation");
    const Value by_node = at_path(s->traffic(), "by_node");
    s.for_ms(50 * 40);
    CHECK(s.sent("Alive") - alive == 40 * (std::int64_t{n} - 1));
    CHECK(s.sent("Accusation") == accusations);
    CHECK(s.sent("Reminder") == 0);
    const Value later = at_path(s->traffic(), "by_node");
    for (NodeId node = 2; node <= n; ++node) {
        CHECK(sent_by(later, node) == sent_by(by_node, node));
    }
    CHECK(sent_by(later, 1) - sent_by(by_node, 1) == 40 * (std::int64_t{n} - 1));
}

TEST_CASE("omega: the least accused leads, the lowest among equals, of those heard of late",
          "[omega]") {
    OmegaNode node(3, 5);
    node.start();
    CHECK(node.view() == View{Role::leader, 3, 0});
    CHECK(node.sent<Omega::Alive>().size() == 1);
    node.receive(4, Omega::Alive{0, 0});
    CHECK(node.view().leader == 3);
    node.receive(2, Omega::Alive{0, 0});
    CHECK(node.view() == View{Role::follower, 2, 0});
    CHECK(node.cancels(Timer::alive));
    node.receive(1, Omega::Alive{1, 0});
    CHECK(node.view().leader == 2);
    node.receive(2, Omega::Alive{2, 0});  // accused since: node 3 and 4 were not
    CHECK(node.view() == View{Role::leader, 3, 0});
}

TEST_CASE("omega: who is late is accused, and gets more time", "[omega]") {
    OmegaNode node(3, 5);
    node.start();
    node.receive(2, Omega::Alive{0, 7});
    node.expire(Timer::silence, 2);
    const auto accused = node.sent<Omega::Accusation>();
    REQUIRE(accused.size() == 1);
    CHECK(accused[0].first == 2);
    CHECK(accused[0].second.phase == 7);
    CHECK(node.view().leads());
    const auto patience = [&] {
        node.receive(2, Omega::Alive{0, 7});
        for (const auto& change : node.effects.timers()) {
            if (change.about == 2) {
                return change.spec.min;
            }
        }
        return Duration{};
    };
    CHECK(patience() == ms(160));
    node.expire(Timer::silence, 2);
    CHECK(patience() == ms(170));
}

TEST_CASE("omega: an accusation counts in the present phase only", "[omega]") {
    OmegaNode node(2, 4);
    node.start();
    node.receive(3, Omega::Accusation{0});
    CHECK(node.state.disk.accusations == 1);
    CHECK(node.effects.persists());
    node.receive(1, Omega::Alive{0, 0});  // stops on its own: phase 1
    node.receive(3, Omega::Accusation{0});
    CHECK(node.state.disk.accusations == 1);
    node.receive(3, Omega::Accusation{1});
    CHECK(node.state.disk.accusations == 2);
}

TEST_CASE("omega: silence after stopping is not held against a node", "[omega][stability]") {
    // Every start has all nodes come forward and all but one stop; none is accused for it.
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        Story s("omega", 6, Dict{}, Dict{{"seed", seed}}, false);
        s.until(1000);
        CAPTURE(seed);
        for (NodeId node = 1; node <= 6; ++node) {
            REQUIRE(s.whole(node, "disk.accusations") == 0);
        }
        REQUIRE(s.sent("Accusation") > 0);
        REQUIRE(s.all_follow(1));
    }
}

TEST_CASE("omega: one timely source is enough", "[omega][liveness]") {
    // Only node 4's messages are timely; all others take up to ten seconds, or are lost.
    List links;
    for (int from = 1; from <= 5; ++from) {
        for (int to = 1; to <= 5; ++to) {
            if (from != to && from != 4) {
                links.push_back(Dict{{"from", from},
                                     {"to", to},
                                     {"link", Dict{{"one_way_delay_ms", List{1, 10'000}},
                                                   {"loss_probability", 0.5}}}});
            }
        }
    }
    for (std::int64_t seed = 0; seed < seeds(20); ++seed) {
        Story s("omega", 5, Dict{},
                Dict{{"seed", seed}, {"network", Dict{{"one_way_delay_ms", 5}, {"links", links}}}},
                false);
        s.until(4'000'000);
        CAPTURE(seed);
        REQUIRE(s.violations() == 0);
        // Whoever it is, it is one, and it stays.
        const NodeId leader = s.leader();
        REQUIRE(s.all_follow(leader));
        const auto changes = s.measures().leaderships;
        s.for_ms(100'000);
        REQUIRE(s.measures().leaderships == changes);
    }
}

TEST_CASE("omega: a node that comes back does not take the lead back", "[omega][stability]") {
    Story s("omega", 4);
    s.until(500);
    s.crash(1);
    s.for_ms(500);
    REQUIRE(s.all_follow(2));
    s.restart(1);
    CHECK(s.whole(1, "disk.accusations") == 1);
    s.for_ms(500);
    CHECK(s.all_follow(2));
    s.crash(2);
    s.for_ms(500);
    CHECK(s.all_follow(3));  // never accused
}

TEST_CASE("omega: a node that lost its disk is reminded, so that there is one leader again",
          "[omega][fault]") {
    Story s("omega", 3);
    s.until(500);
    for (int times = 0; times < 3; ++times) {
        s.crash(1);
        s.for_ms(500);
        s.restart(1);
        s.for_ms(500);
    }
    REQUIRE(s.all_follow(2));
    s.crash(1);
    s.act(Dict{{"action", "restart"}, {"node", 1}, {"lose_disk", true}});
    s.for_ms(500);
    CHECK(s.sent("Reminder") > 0);
    CHECK(s->monitor().acting_leaders() == 1);
    CHECK(s.all_follow(2));
    CHECK(s.violations() == 1);  // a count that shrank: disks must not be lost
}

TEST_CASE("omega: a leader known from the start keeps the lead", "[omega]") {
    Story s("omega", 5, Dict{}, Dict{{"initial_leader", 3}});
    s.until(1);
    CHECK(s.all_follow(3));
    s.until(2000);
    CHECK(s.all_follow(3));
    CHECK(s.measures().leaderships == 1);
    CHECK(s.sent("Accusation") == 0);
}

TEST_CASE("omega: bad options are refused by name", "[omega][errors]") {
    CHECK_THROWS_WITH(Story("omega", 3, Dict{{"heartbeat_interval_ms", 0}}),
                      contains("heartbeat_interval_ms=0") && contains("above 0"));
    CHECK_THROWS_WITH(Story("omega", 3, Dict{{"timeout_ms", 0}}),
                      contains("timeout_ms=0") && contains("above 0"));
    CHECK_THROWS_WITH(Story("omega", 3, Dict{{"timeout_increment_ms", 0}}),
                      contains("timeout_increment_ms=0") && contains("above 0"));
}

// T + 2 delays, T the time-out and an increment for each time that it ran out; derived in
// docs/protocols/omega.md.
TEST_CASE("leader crash: Omega of 2 to 9 finds a new leader whenever the old one dies",
          "[omega][liveness][acceptance]") {
    leader_crash::survives({.protocol = "omega",
                            .bound_ms =
                                [](const leader_crash::Crash& crash) {
                                    return 150 + 10.0 * crash.dead + 2 * 10;
                                },
                            .stays_ms = 500,
                            .alive = 0.85,
                            .seeds = 2000},
                           GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("omega: golden runs", "[omega][golden]") {
    golden::check_runs(
        "omega",
        {{"omega_crashes", "omega", 5, Dict{},
          Dict{{"seed", 51}, {"actions", List{golden::plan(golden::random_node("crash"), 400)}}},
          6000},
         {"omega_bad_links", "omega", 4, Dict{},
          Dict{{"seed", 52},
               {"network", golden::bad_links()},
               {"every_node", golden::machines()},
               {"actions", List{golden::plan(golden::random_node("pause"), 500)}}},
          6000},
         {"omega_partitions", "omega", 5, Dict{},
          Dict{{"seed", 53}, {"actions", List{golden::plan(Dict{{"action", "partition"}}, 700)}}},
          6000}},
        300);
}

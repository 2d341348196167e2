// Each measure has one definition; these runs are short enough to work them out by hand.
#include "electionlab/sim/monitor.h"

#include <optional>
#include <vector>

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

// A monitor that is told views by hand.
struct Told {
    explicit Told(NodeId members, Monitor::Checks checks = {true, false})
        : views(members, View{Role::down, no_node, 0}) {
        monitor.reset(members, checks);
    }
    void say(std::int64_t at_ms, NodeId node, Role role, NodeId leader, Epoch epoch) {
        const View before = views[node - 1];
        views[node - 1] = {role, leader, epoch};
        monitor.on_view(node, before, views[node - 1], Instant{} + ms(at_ms), ++step, views);
    }
    void all_start() {
        for (NodeId node = 1; node <= views.size(); ++node) {
            say(0, node, Role::follower, no_node, 0);
        }
    }
    Monitor monitor;
    std::vector<View> views;
    std::int64_t step = 0;
};

}  // namespace

TEST_CASE("measures: a failover in Bully, to the millisecond", "[sim][measures][bully]") {
    // Delay 5; heartbeats of node 3 at 50 and 100, the last one arrives at 105. It dies at 100.5.
    // At 305 nodes 1 and 2 give up (leader timeout 200); node 2 waits for an answer until 355 and
    // leads; node 1 hears of it at 360.
    Story s("bully", 3, Dict{}, Dict{{"network", network(5)}, {"initial_leader", 3}});
    s.until(100.5);
    CHECK(s.measures().no_leader.ns == 0);
    s.crash(3);
    s.until(400);
    const auto failovers = s->monitor().failovers();
    REQUIRE(failovers.size() == 1);
    const Failover& f = failovers[0];
    CHECK(f.lost.to_ms() == 100.5);
    CHECK(f.leader == 3);
    CHECK(f.by_fault);
    CHECK(f.detected == Instant{} + ms(305));
    CHECK(f.elected == Instant{} + ms(355));
    CHECK(f.followed == Instant{} + ms(360));  // two of three: a majority of all members
    CHECK(f.agreed == Instant{} + ms(360));
    CHECK(f.successor == 2);
    CHECK(s.measures().no_leader.to_ms() == 254.5);
    CHECK(s.measures().no_majority_leader.to_ms() == 259.5);
    CHECK(s.measures().no_agreed_leader.to_ms() == 259.5);
    CHECK(s.measures().leaderships == 2);
    CHECK(s.measures().leader_changes == 1);
    CHECK(s.measures().unexplained_changes == 0);
    CHECK(s.measures().candidacies == 2);
    CHECK(s.measures().split_brain.ns == 0);
    const Value shown = failovers_to_value(failovers);
    CHECK(shown.to_json() ==
          R"([{"lost_ms": 100.5, "leader": 3, "by_fault": true, "successor": 2, )"
          R"("detection_ms": 204.5, "election_ms": 50.0, "until_elected_ms": 254.5, )"
          R"("until_followed_ms": 259.5, "until_agreed_ms": 259.5}])");
}

TEST_CASE("measures: split brain in Bully, to the millisecond", "[sim][measures][split_brain]") {
    // Cut off at 100.5, the heartbeats of 100 are lost under way: nodes 1 and 2 last heard at 55
    // and give up at 255; node 2 leads from 305. The heal is at 500.5. Node 2's heartbeat of 505
    // reaches node 4 at 510, which says again that it leads; node 2 hears that at 515.
    Story s("bully", 4, Dict{}, Dict{{"network", network(5)}, {"initial_leader", 4}});
    s.until(100.5);
    s.partition(groups({{1, 2}, {3, 4}}));
    s.until(500.5);
    CHECK(s.measures().split_brain.to_ms() == 195.5);
    s.act("heal");
    s.until(1000);
    CHECK(s.measures().split_brain.to_ms() == 210.0);
    CHECK(s.measures().no_leader.ns == 0);
    CHECK(s->monitor().failovers().empty());  // somebody led all the time
}

TEST_CASE("measures: the first leader and the first agreement", "[sim][measures]") {
    Story s("bully", 3, Dict{}, Dict{{"network", network(5)}});
    s.until(100);
    CHECK(s.measures().first_leader == Instant{});  // node 3, as it starts
    CHECK(s.measures().first_agreement == Instant{} + ms(5));
    CHECK(s.measures().no_agreed_leader == ms(5));
}

TEST_CASE("measures: agreement waits for every member that ever starts", "[sim][measures]") {
    Told t(3);
    t.say(0, 1, Role::follower, no_node, 0);
    t.say(0, 2, Role::follower, no_node, 0);
    t.say(5, 1, Role::leader, 1, 1);
    t.say(6, 2, Role::follower, 1, 1);
    CHECK_FALSE(t.monitor.agreed());  // node 3 has not been switched on yet
    t.say(7, 3, Role::follower, no_node, 0);
    CHECK_FALSE(t.monitor.agreed());
    t.say(8, 3, Role::follower, 1, 1);
    CHECK(t.monitor.agreed());
    t.say(9, 2, Role::down, no_node, 0);
    CHECK(t.monitor.agreed());  // the dead are not asked
    CHECK(t.monitor.live_members() == 2);
}

TEST_CASE("measures: a leader that is paused does not act, and acts again when it wakes",
          "[sim][measures]") {
    Told t(3);
    t.all_start();
    t.say(10, 1, Role::leader, 1, 1);
    t.say(20, 1, Role::paused, 1, 1);
    CHECK(t.monitor.acting_leaders() == 0);
    t.say(50, 1, Role::leader, 1, 1);
    t.monitor.advance(Instant{} + ms(60));
    CHECK(t.monitor.measures().no_leader == ms(40));  // 0 to 10 and 20 to 50
    CHECK(t.monitor.measures().leaderships == 2);
    CHECK(t.monitor.measures().leader_changes == 0);  // it is the same node
    REQUIRE(t.monitor.failovers().size() == 1);
    CHECK(t.monitor.failovers()[0].by_fault);
    CHECK(t.monitor.failovers()[0].successor == 1);
}

TEST_CASE("measures: a change of leader without a fault is told apart", "[sim][measures]") {
    Told t(3);
    t.all_start();
    t.say(10, 1, Role::leader, 1, 1);
    t.say(20, 1, Role::follower, no_node, 2);
    t.say(20, 2, Role::candidate, no_node, 2);
    t.say(30, 2, Role::leader, 2, 2);
    CHECK(t.monitor.measures().leader_changes == 1);
    CHECK(t.monitor.measures().unexplained_changes == 1);
    CHECK_FALSE(t.monitor.failovers()[0].by_fault);
    t.monitor.on_fault(Instant{} + ms(35));
    t.say(40, 2, Role::down, no_node, 0);
    t.say(50, 3, Role::leader, 3, 3);
    CHECK(t.monitor.measures().unexplained_changes == 1);
}

TEST_CASE("measures: a term without a winner is a split vote once a later term is stood in",
          "[sim][measures]") {
    Told t(4);
    t.all_start();
    t.say(10, 1, Role::candidate, no_node, 1);
    t.say(10, 2, Role::candidate, no_node, 1);
    CHECK(t.monitor.measures().split_votes == 0);
    t.say(20, 1, Role::candidate, no_node, 2);
    CHECK(t.monitor.measures().split_votes == 1);
    t.say(30, 1, Role::leader, 1, 2);
    t.say(40, 3, Role::candidate, no_node, 3);
    CHECK(t.monitor.measures().split_votes == 1);  // term 2 was won
    CHECK(t.monitor.measures().epochs_stood == 3);
    CHECK(t.monitor.measures().epochs_won == 1);
    CHECK(t.monitor.measures().candidacies == 4);
}

TEST_CASE("measures: a term that is won late, after a later one was stood in, was no split vote",
          "[sim][measures]") {
    // The answer that decides term 1 is slow: by then node 2 has stood in term 2.
    Told t(5);
    t.all_start();
    t.say(10, 1, Role::candidate, no_node, 1);
    t.say(20, 2, Role::candidate, no_node, 2);
    CHECK(t.monitor.measures().split_votes == 1);  // so far
    t.say(21, 1, Role::leader, 1, 1);
    CHECK(t.monitor.measures().split_votes == 0);
    CHECK(t.monitor.measures().epochs_won == 1);
    t.say(30, 2, Role::leader, 2, 2);
    CHECK(t.monitor.measures().epochs_stood == 2);
    CHECK(t.monitor.measures().epochs_won == 2);
    CHECK(t.monitor.measures().split_votes == 0);
}

TEST_CASE("measures: a minority that stands in vain does not hide the majority's elections",
          "[sim][measures]") {
    // Node 5 is cut off and stands in terms 2, 3 and 4; then the others lose their leader of term 1
    // and elect in term 2, and later in term 3: each term once, won or not.
    Told t(5);
    t.all_start();
    t.say(5, 1, Role::leader, 1, 1);
    for (const Epoch term : {2, 3, 4}) {
        t.say(10 * term, 5, Role::candidate, no_node, term);
    }
    CHECK(t.monitor.measures().epochs_stood == 3);
    CHECK(t.monitor.measures().split_votes == 2);  // term 4 may still be won
    t.say(50, 1, Role::down, no_node, 0);
    t.say(60, 2, Role::candidate, no_node, 2);
    t.say(70, 2, Role::leader, 2, 2);
    CHECK(t.monitor.measures().epochs_stood == 3);
    CHECK(t.monitor.measures().epochs_won == 1);
    CHECK(t.monitor.measures().split_votes == 1);
    t.say(80, 2, Role::down, no_node, 0);
    t.say(90, 3, Role::candidate, no_node, 3);
    t.say(95, 3, Role::leader, 3, 3);
    CHECK(t.monitor.measures().epochs_stood == 3);
    CHECK(t.monitor.measures().epochs_won == 2);
    CHECK(t.monitor.measures().split_votes == 0);
    CHECK(t.monitor.measures().candidacies == 5);
}

TEST_CASE("measures: an older epoch that is first stood in late counts, won or not",
          "[sim][measures]") {
    // Epochs need not follow each other: node 2 stands in 7, then node 1 in 4 and wins it.
    Told t(3);
    t.all_start();
    t.say(10, 2, Role::candidate, no_node, 7);
    t.say(20, 1, Role::candidate, no_node, 4);
    CHECK(t.monitor.measures().epochs_stood == 2);
    CHECK(t.monitor.measures().split_votes == 1);
    t.say(30, 1, Role::leader, 1, 4);
    CHECK(t.monitor.measures().epochs_won == 1);
    CHECK(t.monitor.measures().split_votes == 0);
    t.say(40, 1, Role::paused, 1, 4);
    t.say(50, 1, Role::leader, 1, 4);  // the same leader of the same epoch
    CHECK(t.monitor.measures().epochs_won == 1);
    CHECK(t.monitor.violations().empty());
}

TEST_CASE("measures: hundreds of thousands of epochs are counted, in bounded memory",
          "[sim][measures]") {
    Told t(3);
    t.all_start();
    const Epoch last = 300'000;
    for (Epoch term = 1; term <= last; ++term) {
        t.say(term, 1, Role::candidate, no_node, term);
        if (term % 3 == 0) {
            t.say(term, 1, Role::leader, 1, term);
            t.say(term, 1, Role::follower, no_node, term);
        }
    }
    CHECK(t.monitor.measures().epochs_stood == last);
    CHECK(t.monitor.measures().epochs_won == last / 3);
    CHECK(t.monitor.measures().split_votes == last - last / 3);
    CHECK(t.monitor.epochs_kept() <= Monitor::most_epochs_kept);
    t.say(last, 2, Role::candidate, no_node, last - 1);  // not long ago: known as stood in
    CHECK(t.monitor.measures().epochs_stood == last);
    t.say(last, 2, Role::leader, 2, last);
    CHECK(t.monitor.violations().size() == 1);  // node 1 led it
    t.say(last, 2, Role::candidate, no_node, last + 1);
    t.say(last, 2, Role::candidate, no_node, last + 2);
    t.say(last, 2, Role::follower, no_node, last + 2);
    const auto before = t.monitor.measures().epochs_stood;
    t.say(last, 3, Role::candidate, no_node, 5);  // long ago: too old to be looked at
    CHECK(t.monitor.measures().epochs_stood == before);
}

TEST_CASE("measures: a leader that never stood is its own detection", "[sim][measures][raft]") {
    // A cluster of one: the crash at 100, the restart at 300, an election timeout of 200; it stands
    // and wins in one step.
    Story s("raft", 1, Dict{{"election_timeout_ms", 200}}, Dict{{"initial_leader", 1}});
    s.until(100);
    s.crash(1);
    s.until(300);
    s.restart(1);
    s.until(1000);
    const auto failovers = s->monitor().failovers();
    REQUIRE(failovers.size() == 1);
    CHECK(failovers[0].lost == Instant{} + ms(100));
    CHECK(failovers[0].detected == Instant{} + ms(500));
    CHECK(failovers[0].elected == Instant{} + ms(500));
    CHECK(failovers[0].agreed == Instant{} + ms(500));
    CHECK(failovers[0].successor == 1);
}

TEST_CASE("measures: a loss that a candidate brought about is detected as it happens",
          "[sim][measures]") {
    // Node 2 stands at 10; the leader hears of the newer term at 15 and steps down: nobody needs
    // to notice anything any more.
    Told t(3);
    t.all_start();
    t.say(0, 1, Role::leader, 1, 1);
    t.say(10, 2, Role::candidate, no_node, 2);
    t.say(15, 1, Role::follower, no_node, 2);
    REQUIRE(t.monitor.failovers().size() == 1);
    CHECK(t.monitor.failovers()[0].detected == Instant{} + ms(15));
    t.say(20, 2, Role::leader, 2, 2);
    CHECK(t.monitor.failovers()[0].elected == Instant{} + ms(20));
    // A candidate that is down or paused notices nothing.
    t.say(30, 3, Role::candidate, no_node, 3);
    t.say(31, 3, Role::paused, no_node, 3);
    t.say(40, 2, Role::down, no_node, 0);
    REQUIRE(t.monitor.failovers().size() == 2);
    CHECK(t.monitor.failovers()[1].detected == Instant::never());
}

TEST_CASE("measures: recovery is counted from the last fault to the agreement that lasts",
          "[sim][measures][liveness]") {
    Told t(3);
    t.all_start();
    CHECK(t.monitor.recovery() == std::nullopt);  // no agreement yet
    t.say(10, 3, Role::leader, 3, 1);
    t.say(12, 1, Role::follower, 3, 1);
    t.say(14, 2, Role::follower, 3, 1);
    CHECK(t.monitor.recovery() == ms(14));  // no fault so far: since the start
    t.say(50, 3, Role::down, no_node, 0);
    t.monitor.on_fault(Instant{} + ms(50));
    CHECK(t.monitor.recovery() == std::nullopt);
    t.say(60, 2, Role::leader, 2, 2);
    t.say(65, 1, Role::follower, 2, 2);
    CHECK(t.monitor.recovery() == ms(15));
    t.monitor.on_fault(Instant{} + ms(80));  // a link that nobody uses: it changes nothing
    CHECK(t.monitor.recovery() == ms(0));
    t.say(90, 1, Role::candidate, no_node, 3);  // or does it
    CHECK(t.monitor.recovery() == std::nullopt);
    t.say(95, 1, Role::follower, 2, 2);
    CHECK(t.monitor.recovery() == ms(15));
}

TEST_CASE("measures: failures survived are the leaders lost to a fault and replaced",
          "[sim][measures][fault]") {
    Story s("raft", 5, Dict{}, Dict{{"seed", 1}});
    REQUIRE(s.until_agreement(5000));
    CHECK(s.measures().failures_survived == 0);
    for (std::int64_t killed = 1; killed <= 2; ++killed) {
        s.act(Dict{{"action", "crash"}, {"node", "leader"}});
        CHECK(s.measures().failures_survived == killed - 1);
        REQUIRE(s.until_agreement(5000));
        CHECK(s.measures().failures_survived == killed);
    }
    s.act(Dict{{"action", "crash"}, {"node", "leader"}});  // two of five are no majority
    s.for_ms(5000);
    CHECK(s.measures().failures_survived == 2);

    Told t(3);  // the successor is lost before all name it: both failures are survived in the end
    t.all_start();
    t.say(10, 1, Role::leader, 1, 1);
    t.say(20, 1, Role::down, no_node, 0);
    t.say(30, 2, Role::leader, 2, 2);
    t.say(40, 2, Role::paused, 2, 2);
    t.say(50, 3, Role::leader, 3, 3);
    CHECK(t.monitor.measures().failures_survived == 2);  // node 3 is all that lives
    t.say(60, 3, Role::follower, no_node, 4);            // no fault: it steps down
    t.say(70, 3, Role::leader, 3, 5);
    CHECK(t.monitor.measures().failures_survived == 2);
}

TEST_CASE("measures: two leaders of one epoch are a violation, whenever they led",
          "[sim][measures][safety]") {
    Told t(3);
    t.all_start();
    t.say(10, 1, Role::leader, 1, 4);
    t.say(20, 1, Role::down, no_node, 0);
    t.say(30, 2, Role::leader, 2, 4);  // never at one instant, but of one epoch
    REQUIRE(t.monitor.violations().size() == 1);
    CHECK(t.monitor.violations()[0].invariant == "one_leader_per_epoch");
    CHECK(t.monitor.violations()[0].node == 2);
    CHECK(t.monitor.violations()[0].other == 1);
    CHECK(t.monitor.violations()[0].epoch == 4);
    t.say(40, 3, Role::leader, 3, 5);  // another epoch: two at one instant are allowed
    CHECK(t.monitor.violations().size() == 1);
    CHECK(t.monitor.leader(t.views) == 3);
}

TEST_CASE("measures: the leaders' share of the load counts both directions", "[sim][measures]") {
    Story s("raft", 5, Dict{{"election_timeout_ms", 1e6}},
            Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(1040);
    // Nothing but heartbeats and answers: the leader is at one end of each.
    CHECK(at_path(s->traffic(), "leader_share") == Value(0.5));
    CHECK(whole_at(s->traffic(), "sent") == 2 * 4 * 20);
    CHECK(whole_at(s->traffic(), "delivered") == 2 * 4 * 20);
    CHECK(at_path(s->traffic(), "by_node").get_if<List>()->at(0).to_json() ==
          R"({"node": 1, "sent": 80, "delivered": 80})");
}

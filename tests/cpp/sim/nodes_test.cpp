// What can happen to one node: crash, restart, a lost disk, pause, slowness.
#include <map>

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

const Value steady = Dict{{"election_timeout_ms", 1e8}, {"heartbeat_interval_ms", 10}};

Story led_by_1(NodeId count, const Value& more = Dict{}) {
    return Story("raft", count, steady,
                 merged(Dict{{"initial_leader", 1}, {"network", network(3)}}, more));
}

}  // namespace

TEST_CASE("crash: memory, timers and unhandled messages are gone, the disk is kept",
          "[sim][crash][fault]") {
    Story s("raft", 3, Dict{}, Dict{{"network", network(5)}});
    REQUIRE(s.until_agreement(5000));
    const NodeId leader = s.leader();
    const auto term = s.whole(leader, "disk.current_term");
    s.crash(leader);
    CHECK(s.role(leader) == Role::down);
    CHECK(s.believes(leader) == no_node);
    CHECK(s.field(leader, "timers_due_ms") == Value(Dict{}));
    CHECK(s.whole(leader, "memory.leader") == 0);
    CHECK(s.whole(leader, "disk.current_term") == term);
    CHECK(s.whole(leader, "disk.voted_for") == leader);
    s.until(s.now_ms() + 20);
    CHECK(s.dropped("receiver_down") == s.faults().receiver_down);
    s.crash(leader);  // again: nothing is left to crash
    CHECK(s.asked(ActionKind::crash) == 2);
    CHECK(s.effective(ActionKind::crash) == 1);

    s.restart(leader);
    CHECK(s.role(leader) == Role::follower);
    CHECK(s.whole(leader, "disk.current_term") == term);
    CHECK(s.due_ns(leader, "election") > 0);
    s.restart(leader);
    CHECK(s.effective(ActionKind::restart) == 1);
}

TEST_CASE("crash: messages that have left arrive all the same", "[sim][crash][fault]") {
    Story s = led_by_1(3);
    s.until(11);  // the heartbeats of 10 ms are under way
    s.crash(1);
    s.until(14);
    CHECK(s.delivered("Heartbeat") == 2);
    s.until(20);
    CHECK(s.dropped("receiver_down") == 2);  // the answers
}

TEST_CASE("restart with a lost disk: the node forgets its term and its vote",
          "[sim][restart][fault]") {
    Story s("raft", 3, Dict{}, Dict{{"network", network(5)}});
    REQUIRE(s.until_agreement(5000));
    const NodeId leader = s.leader();
    const NodeId other = leader == 1 ? 2 : 1;
    s.crash(other);
    s.act(Dict{{"action", "restart"}, {"node", other}, {"lose_disk", true}});
    CHECK(s.whole(other, "disk.current_term") == 0);
    CHECK(s.whole(other, "disk.voted_for") == 0);
    CHECK(s.faults().disks_lost == 1);
    // The promise is broken, and is reported as what it is: a result.
    CHECK(s.violations() >= 1);
    CHECK((*s).monitor().violations()[0].node == other);
}

TEST_CASE("crash with a restart after a while", "[sim][crash][fault]") {
    Story s = led_by_1(3);
    s.until(15);
    s.act(Dict{{"action", "crash"}, {"node", 2}, {"restart_after_ms", 40}});
    s.until(54.9);
    CHECK(s.role(2) == Role::down);
    s.until(55);
    CHECK(s.role(2) == Role::follower);
    CHECK(s.effective(ActionKind::restart) == 1);
}

TEST_CASE("pause: events are held, and happen late and in their order at the resume",
          "[sim][pause][fault]") {
    Story s = led_by_1(2);
    s.until(15);
    s.pause(2);
    CHECK(s.role(2) == Role::paused);
    const auto handled = s.delivered("Heartbeat");
    s.until(45);
    CHECK(s.delivered("Heartbeat") == handled);
    CHECK(s.faults().held_by_pause == 3);  // the heartbeats of 20, 30 and 40 ms
    s.resume(2);
    CHECK(s.role(2) == Role::follower);
    s.until(45);
    CHECK(s.delivered("Heartbeat") == handled + 3);
    std::int64_t last = 0, at_resume = 0;
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        if (r.node == 2) {
            CHECK(r.message > last);
            last = r.message;
            at_resume += r.at == Instant{} + ms(45) ? 1 : 0;
        }
    }
    CHECK(at_resume == 3);
    s.resume(2);
    s.pause(2);
    s.pause(2);
    CHECK(s.effective(ActionKind::resume) == 1);
    CHECK(s.effective(ActionKind::pause) == 2);
    CHECK(s.asked(ActionKind::pause) == 3);
}

TEST_CASE("pause: a timer that runs out meanwhile expires at the resume", "[sim][pause][fault]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 100}, {"heartbeat_interval_ms", 10}},
            Dict{{"initial_leader", 1}, {"network", network(3)}});
    s.until(15);
    s.pause(1);  // the leader stands still
    CHECK(s.leader() == no_node);
    const auto beats = s.sent("Heartbeat");
    s.until(80);
    CHECK(s.sent("Heartbeat") == beats);
    s.resume(1);
    CHECK(s.leader() == 1);
    s.until(80);
    CHECK(s.sent("Heartbeat") == beats + 2);  // the one of 20 ms, late; the next at 90
    CHECK(s.due_ns(1, "heartbeat") == 90'000'000);
}

TEST_CASE("pause: an expiry that a held message makes stale lapses", "[sim][pause][fault]") {
    // Node 2 is paused; a heartbeat arrives and then its election timer runs out. At the resume the
    // heartbeat comes first and sets the timer anew: nobody stands.
    Story s("raft", 2, Dict{{"election_timeout_ms", 40}, {"heartbeat_interval_ms", 10}},
            Dict{{"initial_leader", 1}, {"network", network(3)}});
    s.until(15);
    s.pause(2);
    s.until(70);
    s.resume(2);
    s.until(70);
    CHECK(s.rows(RowKind::lapse).size() == 1);
    CHECK(s.role(2) == Role::follower);
    CHECK(s.sent("VoteRequest") == 0);
}

TEST_CASE("pause: a crash ends it and takes what was held with it", "[sim][pause][crash][fault]") {
    Story s = led_by_1(2);
    s.until(15);
    s.pause(2);
    s.until(45);
    s.crash(2);
    CHECK(s.role(2) == Role::down);
    CHECK(s.dropped("receiver_down") == 3);
    s.restart(2);
    s.until(45);
    CHECK(s.role(2) == Role::follower);
    CHECK(s.delivered("Heartbeat") == 1);
}

TEST_CASE("slow node: takes its events one at a time, in their order", "[sim][slow][fault]") {
    // Four followers; their answers reach the leader together, and it needs 4 ms for each.
    Story s = led_by_1(
        5, Dict{{"nodes", List{Dict{{"node", 1}, {"config", Dict{{"processing_ms", 4}}}}}}});
    s.until(40);
    std::vector<std::int64_t> handled;
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        if (r.node == 1) {
            handled.push_back(r.at.ns / 1'000'000);
        }
    }
    // Sent at 10, back at 16, done at 20, 24, 28 and 32.
    REQUIRE(handled.size() >= 4);
    CHECK(std::vector<std::int64_t>(handled.begin(), handled.begin() + 4) ==
          std::vector<std::int64_t>{20, 24, 28, 32});
    CHECK(s.faults().held_by_load > 0);
}

TEST_CASE("slow node: made slow and quick again while it runs", "[sim][slow][fault]") {
    Story s = led_by_1(2);
    s.act(Dict{{"action", "slow"}, {"node", 2}, {"processing_ms", 5}});
    s.until(25);
    s.act(Dict{{"action", "slow"}, {"node", 2}, {"processing_ms", 0}});
    s.until(40);
    std::vector<std::int64_t> handled;
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        if (r.node == 2) {
            handled.push_back(r.at.ns / 1'000'000);
        }
    }
    CHECK(handled == std::vector<std::int64_t>{18, 28, 33});  // the second was taken up while slow
    s.act(Dict{{"action", "slow"}, {"node", 2}, {"processing_ms", 0}});
    CHECK(s.effective(ActionKind::slow) == 2);  // the third changed nothing
    CHECK(s.asked(ActionKind::slow) == 3);
}

TEST_CASE("a node that is switched on later is down until then", "[sim][start]") {
    Story s("bully", 3, Dict{},
            Dict{{"nodes", List{Dict{{"node", 3}, {"config", Dict{{"start_ms", 400}}}}}}});
    s.until(399);
    CHECK(s.role(3) == Role::down);
    CHECK(s.leader() == 2);
    CHECK_FALSE((*s).monitor().agreed());  // the third has not been asked yet
    s.restart(3);                          // it is not down for a crash
    CHECK(s.effective(ActionKind::restart) == 0);
    SECTION("then it starts") {
        s.until(500);
        CHECK(s.leader() == 3);
        CHECK(s.all_follow(3));
    }
    SECTION("unless a crash comes first") {
        s.crash(3);
        s.crash(3);
        CHECK(s.effective(ActionKind::crash) == 1);
        s.until(500);
        CHECK(s.role(3) == Role::down);
        s.restart(3);
        s.until(700);
        CHECK(s.all_follow(3));
    }
}

// What may be done to a cluster, as a dictionary; what makes no sense is refused and changes
// nothing.
#include "electionlab/sim/action.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

Story running(const char* protocol = "raft") {
    Story s(protocol, 3, Dict{}, Dict{{"network", network(5)}});
    s.until(170);
    return s;
}

}  // namespace

TEST_CASE("action: what makes no sense is refused by name and changes nothing", "[sim][errors]") {
    Story s = running();
    const auto state = s->fingerprint(), trace = s->trace().hash();
    const auto steps = s->steps();
    const auto refused = [&](const Value& action, auto&& message) {
        CHECK_THROWS_WITH(s.act(action), message);
        CHECK_THROWS_AS(s.act(action), InvalidArgument);
        CHECK(s->fingerprint() == state);
        CHECK(s->trace().hash() == trace);
        CHECK(s->steps() == steps);
        CHECK(s.asked(ActionKind::crash) == 0);
    };
    refused(Dict{{"action", "explode"}}, contains("'explode'") && contains("'crash'"));
    refused(Dict{{"action", "crash"}}, contains("crash.node=None"));
    refused(Dict{{"action", "crash"}, {"node", 0}}, contains("crash.node=0") && contains("1 to 3"));
    refused(Dict{{"action", "crash"}, {"node", 4}}, contains("crash.node=4") && contains("1 to 3"));
    refused(Dict{{"action", "crash"}, {"node", -1}}, contains("crash.node=-1"));
    refused(Dict{{"action", "crash"}, {"node", "boss"}},
            contains("'boss'") && contains("'leader'"));
    refused(Dict{{"action", "crash"}, {"node", 1}, {"nod", 1}}, contains("crash.nod"));
    refused(Dict{{"action", "crash"}, {"node", 1}, {"restart_after_ms", -1}},
            contains("crash.restart_after_ms=-1"));
    refused(Dict{{"action", "drop"}}, contains("drop.message"));
    refused(Dict{{"action", "drop"}, {"message", 0}}, contains("drop.message=0"));
    refused(Dict{{"action", "drop"}, {"message", 987654}},
            contains("message=987654") && contains("not in flight"));
    refused(Dict{{"action", "delay"}, {"message", 1}}, contains("delay.by_ms"));
    refused(Dict{{"action", "fire"}, {"node", 1}, {"timer", "lunch"}},
            contains("fire.timer='lunch'") && contains("'election'"));
    refused(Dict{{"action", "fire"}, {"node", 1}, {"timer", "heartbeat"}},
            contains("'heartbeat'") && contains("not armed at node 1"));
    refused(Dict{{"action", "at"}, {"at_ms", 100}, {"do", Dict{{"action", "heal"}}}},
            contains("at_ms=100.0") && contains("past") && contains("170.0"));
    refused(Dict{{"action", "at"}, {"at_ms", 500}, {"do", Dict{{"action", "crash"}, {"node", 9}}}},
            contains("crash.node=9"));
    refused(Dict{{"action", "partition"}, {"groups", groups({{1, 2}, {2, 3}})}},
            contains("partition.groups=2") && contains("two groups"));
    refused(Dict{{"action", "partition"}, {"groups", nodes({1})}}, contains("partition.groups"));
    refused(Dict{{"action", "cut"}, {"from", nodes({1})}}, contains("cut.to"));
    refused(Dict{{"action", "cut"}, {"from", nodes({1})}, {"to", nodes({7})}},
            contains("cut.to=7"));
    refused(Dict{{"action", "clock"}, {"node", 1}, {"drift_ppm", 600'000}},
            contains("clock.drift_ppm"));
    refused(Dict{{"action", "link"}, {"link", Dict{{"loss_probability", 2}}}},
            contains("link.loss_probability=2"));
    refused(Dict{{"action", "when"}, {"condition", Dict{}}, {"do", Dict{{"action", "heal"}}}},
            contains("when"));
    refused(Dict{{"action", "when"},
                 {"condition", Dict{{"message", "Ok"}}},
                 {"do", Dict{{"action", "heal"}}}},
            contains("when.message='Ok'") && contains("'VoteRequest'"));
    refused(Dict{{"action", "plan"},
                 {"plan", Dict{{"do", Dict{{"action", "heal"}}}, {"interval_ms", 0}}}},
            contains("plan.interval_ms"));
    refused(Dict{{"action", "plan"},
                 {"plan", Dict{{"do", Dict{{"action", "heal"}}},
                               {"interval_ms", Dict{{"kind", "exponential"}, {"mean_ms", 0}}}}}},
            contains("plan.interval_ms"));  // its every draw is 0: the run would never end
    refused(
        Dict{{"action", "plan"},
             {"plan",
              Dict{{"do",
                    Dict{{"action", "at"}, {"at_ms", 900}, {"do", Dict{{"action", "heal"}}}}}}}},
        contains("plan.do"));
    refused(Dict{{"action", "plan"},
                 {"plan", Dict{{"do", Dict{{"action", "heal"}}}, {"from_ms", 900}, {"until_ms", 800}}}},
            contains("plan.until_ms=800") && contains("plan.from_ms=900"));
}

TEST_CASE("action: only what a condition does at once knows who met it", "[sim][errors]") {
    Story s = running();
    const Value crash = Dict{{"action", "crash"}, {"node", "trigger"}};
    const Value later = Dict{{"action", "at"}, {"at_ms", 5000}, {"do", crash}};
    const auto when = [](const Value& action) {
        return Dict{{"action", "when"}, {"condition", Dict{{"role", "leader"}}}, {"do", action}};
    };
    const Value plan = Dict{{"action", "plan"}, {"plan", Dict{{"do", crash}}}};
    for (const Value& action : {crash, later, Value(when(later)), plan, Value(when(plan))}) {
        CAPTURE(action.to_json());
        CHECK_THROWS_WITH(s.act(action), contains("crash.node='trigger': must be a node"));
    }
    s.act(when(crash));
    s.act(Dict{{"action", "at"}, {"at_ms", 5000}, {"do", when(crash)}});
}

TEST_CASE("action: no condition waits for an epoch of a protocol without epochs", "[sim][errors]") {
    const auto when = [](std::int64_t epoch) {
        return Dict{{"action", "when"},
                    {"condition", Dict{{"role", "leader"}, {"epoch", epoch}}},
                    {"do", Dict{{"action", "heal"}}}};
    };
    Story ring("ring", 3);
    CHECK_THROWS_WITH(ring.act(when(2)), contains("when.epoch=2") && contains("ring has no epochs"));
    ring.act(when(0));
    Story working("ring_at_work", 3);
    CHECK_THROWS_WITH(working.act(when(1)), contains("when.epoch=1"));
    Story("raft", 3).act(when(1));
    Story("invitation", 3).act(when(1));  // that fence nothing, but epochs
}

TEST_CASE("action: to_value and action_from_value are inverse", "[sim][format]") {
    Story s = running();
    const std::vector<Value> all = {
        Dict{{"action", "crash"}, {"node", 1}, {"restart_after_ms", 5.0}, {"lose_disk", true}},
        Dict{{"action", "restart"}, {"node", "random"}, {"lose_disk", true}},
        Dict{{"action", "pause"}, {"node", "leader"}, {"resume_after_ms", 7.5}},
        Dict{{"action", "resume"}, {"node", "follower"}},
        Dict{{"action", "partition"}, {"groups", groups({{1, 2}, {3}})}},
        Dict{{"action", "cut"}, {"from", nodes({1})}, {"to", nodes({2, 3})}, {"both_ways", false}},
        Dict{{"action", "mend"}, {"from", nodes({1})}, {"to", nodes({2})}, {"both_ways", true}},
        Dict{{"action", "heal"}},
        Dict{{"action", "link"}, {"both_ways", true}, {"link", Dict{{"fifo", true}}}},
        Dict{{"action", "clock"}, {"node", 2}, {"offset_ms", -3.5}, {"drift_ppm", 0.001}},
        Dict{{"action", "slow"},
             {"node", 2},
             {"processing_ms", Distribution::exponential(ms(2)).to_value()}},
        Dict{{"action", "disk"},
             {"node", 2},
             {"write_delay_ms", Distribution::uniform(ms(2), ms(3)).to_value()}},
        Dict{{"action", "deliver"}, {"message", 12}},
        Dict{{"action", "delay"}, {"message", 12}, {"by_ms", 3.25}},
        Dict{{"action", "fire"}, {"node", 2}, {"timer", "election"}},
        Dict{{"action", "at"}, {"at_ms", 900.0}, {"do", Dict{{"action", "heal"}}}},
        Dict{{"action", "when"},
             {"condition",
              Dict{{"node", 2}, {"epoch", 3}, {"occurrence", 4}, {"role", "candidate"}}},
             {"do", Dict{{"action", "crash"}, {"node", "trigger"}}}},
    };
    for (const Value& action : all) {
        CAPTURE(action.to_json());
        CHECK(s.action(action).to_value() == action);
    }
    const Value plan = s.action(Dict{{"action", "plan"},
                                     {"plan", Dict{{"do", Dict{{"action", "heal"}}},
                                                   {"interval_ms", 10},
                                                   {"repair_after_ms", false},
                                                   {"until_ms", 99},
                                                   {"keep_up", 2},
                                                   {"seed", 4}}}})
                           .to_value();
    CHECK(s.action(plan).to_value() == plan);
}

TEST_CASE("action: a message in flight is delivered, dropped, doubled or delayed by hand",
          "[sim][adversary]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}, {"heartbeat_interval_ms", 50}},
            Dict{{"network", network(20)}, {"initial_leader", 1}});
    s.until(51);
    auto flying = s.in_flight("Heartbeat");
    REQUIRE(flying.size() == 2);
    const Event event = s.touch("deliver", flying[0].message);
    CHECK(event.kind == RowKind::deliver);
    CHECK(event.node == flying[0].node);
    CHECK(event.at == Instant{} + ms(51));  // before its time, and one step in all
    CHECK(event.step == s->steps());
    CHECK(s.delivered("Heartbeat") == 1);

    s.touch("duplicate", flying[1].message);
    CHECK(s.in_flight("Heartbeat").size() == 2);
    CHECK(s.faults().duplicated == 1);
    s.act(Dict{{"action", "delay"}, {"message", flying[1].message}, {"by_ms", 15}});
    s.until(84.9);
    CHECK(s.delivered("Heartbeat") == 2);  // one copy at 70
    s.until(85);
    CHECK(s.delivered("Heartbeat") == 3);  // the other at 85

    s.until(101);
    flying = s.in_flight("Heartbeat");
    REQUIRE(flying.size() == 2);
    const Event lost = s.touch("drop", flying[0].message);
    CHECK(lost.kind == RowKind::drop);
    CHECK(lost.detail == static_cast<std::uint8_t>(DropReason::by_hand));
    s.until(140);
    CHECK(s.delivered("Heartbeat") == 4);
    CHECK(s.dropped("by_hand") == 1);
}

TEST_CASE("action: a message that has not left its node cannot be delivered by hand",
          "[sim][adversary][disk]") {
    // Its sender still writes what the message depends on: persist before send holds for everybody.
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}},
            Dict{{"network", network(5)}, {"every_node", Dict{{"write_delay_ms", 10}}}});
    s.until(1);
    s.fire(1, "election");
    const auto requests = s.in_flight("VoteRequest");
    REQUIRE(requests.size() == 2);
    CHECK_THROWS_WITH(s.touch("deliver", requests[0].message), contains("has not left"));
    s.until(11);
    s.touch("deliver", requests[0].message);
    CHECK(s.delivered("VoteRequest") == 1);
}

TEST_CASE("action: fire makes a timer expire now, as one step", "[sim][adversary]") {
    Story s("bully", 3, Dict{}, Dict{{"initial_leader", 3}});
    s.until(10);
    const auto steps = s->steps();
    const Event event = s.fire(1, "leader");
    CHECK(event.kind == RowKind::timer);
    CHECK(event.node == 1);
    CHECK(s->steps() == steps + 1);
    CHECK(s.role(1) == Role::candidate);
    CHECK(s.due_ns(1, "leader") == -1);
}

// Faults at a time, at a condition and at random.
#include <algorithm>
#include <set>

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

Value at(double at_ms, const Value& action) {
    return Dict{{"action", "at"}, {"at_ms", at_ms}, {"do", action}};
}

Value when(const Value& condition, const Value& action) {
    return Dict{{"action", "when"}, {"condition", condition}, {"do", action}};
}

Value plan(const Value& entries) { return Dict{{"action", "plan"}, {"plan", entries}}; }

const Value crash_the_trigger = Dict{{"action", "crash"}, {"node", "trigger"}};

Value with(const Value& action, std::int64_t seed = 1) {
    return Dict{{"seed", seed}, {"network", network(5)}, {"actions", List{action}}};
}

}  // namespace

TEST_CASE("schedule: an action at a time happens then, before all else of that instant",
          "[sim][schedule]") {
    // Heartbeats leave at 10, 20, ...; the crash at 20 comes before the one of 20.
    Story s(
        "raft", 2, Dict{{"election_timeout_ms", 1e6}, {"heartbeat_interval_ms", 10}},
        merged(with(at(20, Dict{{"action", "crash"}, {"node", 1}})), Dict{{"initial_leader", 1}}));
    s.until(19.9);
    CHECK(s.role(1) == Role::leader);
    s.until(20);
    CHECK(s.role(1) == Role::down);
    CHECK(s.sent("Heartbeat") == 1);
}

TEST_CASE("schedule: actions of one instant happen in the order given", "[sim][schedule]") {
    Story s("raft", 3, Dict{},
            Dict{{"actions", List{at(50, Dict{{"action", "crash"}, {"node", 1}}),
                                  at(50, Dict{{"action", "restart"}, {"node", 1}}),
                                  at(50, Dict{{"action", "pause"}, {"node", 1}})}}});
    s.until(50);
    CHECK(s.role(1) == Role::paused);
    CHECK(s.effective(ActionKind::restart) == 1);
}

TEST_CASE("schedule: a condition on a role is met when a node takes it", "[sim][schedule]") {
    const std::int64_t seed = GENERATE(range(1, 11));
    CAPTURE(seed);
    Story s("raft", 5, Dict{}, with(when(Dict{{"role", "leader"}}, crash_the_trigger), seed));
    s.until(5000);
    CHECK(s.effective(ActionKind::crash) == 1);
    const auto leaders = s.rows(RowKind::leader);
    REQUIRE(leaders.size() >= 2);
    CHECK(s.role(leaders[0].node) == Role::down);
    for (const TraceRow& r : s.rows(RowKind::action)) {
        if (r.detail == static_cast<std::uint8_t>(ActionKind::crash)) {
            CHECK(r.at == leaders[0].at);  // at that very instant
            CHECK(r.node == leaders[0].node);
        }
    }
    CHECK(s.leader() != no_node);
}

TEST_CASE("schedule: a condition may ask for a node, an occurrence and an epoch",
          "[sim][schedule]") {
    SECTION("the second time that anybody stands") {
        Story s(
            "raft", 3, Dict{},
            with(when(Dict{{"role", "candidate"}, {"occurrence", 2}}, Dict{{"action", "heal"}})));
        s.until(2);
        s.fire(1, "election");
        CHECK(s.asked(ActionKind::heal) == 0);
        s.fire(2, "election");
        s.until(2);
        CHECK(s.asked(ActionKind::heal) == 1);
        s.fire(3, "election");
        s.until(2);
        CHECK(s.asked(ActionKind::heal) == 1);
    }
    SECTION("only node 2") {
        Story s("raft", 3, Dict{},
                with(when(Dict{{"role", "candidate"}, {"node", 2}}, crash_the_trigger)));
        s.until(2);
        s.fire(1, "election");
        s.until(2);
        CHECK(s.role(1) == Role::candidate);
        s.fire(2, "election");
        s.until(2);
        CHECK(s.role(2) == Role::down);
    }
    SECTION("when an epoch is reached") {
        Story s("raft", 3, Dict{}, with(when(Dict{{"epoch", 3}}, Dict{{"action", "heal"}})));
        s.until(2);
        s.fire(1, "election");
        s.fire(1, "election");
        s.until(2);
        CHECK(s.asked(ActionKind::heal) == 0);
        s.fire(1, "election");
        s.until(2);
        CHECK(s.asked(ActionKind::heal) == 1);
    }
}

TEST_CASE("schedule: a condition on a message is met when it is sent", "[sim][schedule]") {
    // The leader dies right after its first heartbeats have left.
    Story s("raft", 3, Dict{}, with(when(Dict{{"message", "Heartbeat"}}, crash_the_trigger)));
    REQUIRE_FALSE(s.until_agreement(1));
    s.until(400);
    CHECK(s.effective(ActionKind::crash) == 1);
    CHECK(s.rows(RowKind::leader).size() >= 1);
    CHECK(s.role(s.rows(RowKind::leader)[0].node) == Role::down);
}

TEST_CASE("plan: repeats its action at the told rate", "[sim][schedule][plan]") {
    Story s("raft", 5, Dict{},
            with(plan(Dict{{"do", Dict{{"action", "pause"}, {"node", "random"}}},
                           {"interval_ms", Dict{{"kind", "exponential"}, {"mean_ms", 100}}},
                           {"repair_after_ms", 30}})));
    s.until(100'000);
    // A Poisson process: 1,000 expected, four standard deviations are 126.
    CHECK(std::abs(s.asked(ActionKind::pause) - 1000) < 127);
    CHECK(s.asked(ActionKind::resume) >= s.effective(ActionKind::pause) - 1);
    CHECK(s.violations() == 0);
}

TEST_CASE("plan: never takes more down than it may", "[sim][schedule][plan]") {
    const std::int64_t seed = GENERATE(range(1, 6));
    const std::int64_t keep_up = GENERATE(1, 3, 4);
    CAPTURE(seed, keep_up);
    Story s("raft", 5, Dict{},
            with(plan(Dict{{"do", Dict{{"action", "crash"}, {"node", "random"}}},
                           {"interval_ms", 20},
                           {"repair_after_ms", List{50, 2000}},
                           {"keep_up", keep_up}}),
                 seed));
    s.until(10);
    std::size_t fewest = 5;
    while (s.now_ms() < 10'000 && s->step()) {
        std::size_t up = 0;
        for (NodeId node = 1; node <= 5; ++node) {
            up += s.role(node) != Role::down ? 1 : 0;
        }
        fewest = std::min(fewest, up);
        REQUIRE(up >= static_cast<std::size_t>(keep_up));
    }
    CHECK(fewest == static_cast<std::size_t>(keep_up));  // it goes to the limit
    CHECK(s.effective(ActionKind::restart) > 0);
}

TEST_CASE("plan: a random partition always keeps somebody from somebody", "[sim][schedule][plan]") {
    Story s("raft", 5, Dict{},
            with(plan(Dict{{"do", Dict{{"action", "partition"}}},
                           {"interval_ms", 500},
                           {"repair_after_ms", 200}})));
    std::set<std::string> shapes;
    for (int i = 1; i <= 40; ++i) {
        s.until(500.0 * i + 1);
        std::string shape;
        for (NodeId a = 1; a <= 5; ++a) {
            for (NodeId b = 1; b <= 5; ++b) {
                shape += a != b && s->is_cut(a, b) ? '1' : '0';
                REQUIRE(s->is_cut(a, b) == s->is_cut(b, a));
            }
        }
        REQUIRE(shape.find('1') != std::string::npos);
        shapes.insert(shape);
        s.until(500.0 * i + 201);
        REQUIRE(shape.size() == 25);
        for (NodeId a = 1; a <= 5; ++a) {
            for (NodeId b = 1; b <= 5; ++b) {
                REQUIRE_FALSE(s->is_cut(a, b));  // repaired
            }
        }
    }
    CHECK(shapes.size() > 5);
    CHECK(s.effective(ActionKind::partition) == 40);
}

TEST_CASE("plan: starts and ends when told, and repairs nothing when told",
          "[sim][schedule][plan]") {
    Story s("bully", 4, Dict{},
            with(plan(Dict{{"do", Dict{{"action", "crash"}, {"node", "random"}}},
                           {"interval_ms", 100},
                           {"repair_after_ms", false},
                           {"from_ms", 1000},
                           {"until_ms", 1250}})));
    s.until(1099);
    CHECK(s.asked(ActionKind::crash) == 0);
    s.until(5000);
    CHECK(s.effective(ActionKind::crash) == 2);  // at 1100 and 1200
    CHECK(s.asked(ActionKind::restart) == 0);
}

TEST_CASE("plan: two plans and two seeds draw apart", "[sim][schedule][plan]") {
    const auto crashes = [](std::int64_t plan_seed) {
        Story s("raft", 5, Dict{},
                with(plan(Dict{{"do", Dict{{"action", "crash"}, {"node", "random"}}},
                               {"interval_ms", List{50, 150}},
                               {"seed", plan_seed}})));
        s.until(3000);
        std::vector<std::int64_t> times;
        for (const TraceRow& r : s.rows(RowKind::action)) {
            if (r.detail == static_cast<std::uint8_t>(ActionKind::crash)) {
                times.push_back(r.at.ns);
            }
        }
        return times;
    };
    CHECK(crashes(1) == crashes(1));
    CHECK(crashes(1) != crashes(2));
}

TEST_CASE("plan: after a random change of links each link gets back what is its own",
          "[sim][schedule][plan]") {
    Story s(
        "raft", 3, Dict{{"election_timeout_ms", 1e6}, {"heartbeat_interval_ms", 10}},
        Dict{{"initial_leader", 1},
             {"network",
              Dict{{"one_way_delay_ms", 5},
                   {"links",
                    List{Dict{{"from", 1}, {"to", 2}, {"link", Dict{{"one_way_delay_ms", 30}}}}}}}},
             {"actions", List{plan(Dict{{"do", Dict{{"action", "link"},
                                                    {"link", Dict{{"one_way_delay_ms", 2}}}}},
                                        {"interval_ms", 100},
                                        {"repair_after_ms", 20},
                                        {"until_ms", 150}})}}});
    s.until(300);
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        const bool changed = r.other_ns >= 100'000'000 && r.other_ns < 120'000'000;
        const bool own = r.peer == 1 && r.node == 2;
        CAPTURE(r.at.ns, r.peer, r.node);
        REQUIRE(r.at.ns - r.other_ns == (changed ? 2 : own ? 30 : 5) * 1'000'000);
    }
}

TEST_CASE("schedule: a repair ends the crash or pause that it belongs to, and no later one",
          "[sim][schedule][fault]") {
    const bool crash = GENERATE(true, false);
    const char* fault = crash ? "crash" : "pause";
    const char* repair = crash ? "restart" : "resume";
    const ActionKind repairs = crash ? ActionKind::restart : ActionKind::resume;
    const Role role = crash ? Role::down : Role::paused;
    CAPTURE(fault);
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}}, Dict{{"network", network(5)}});
    s.until(10);
    s.act(Dict{{"action", fault},
               {"node", 1},
               {crash ? "restart_after_ms" : "resume_after_ms", 40}});
    s.until(20);
    s.act(repair, 1);
    s.until(30);
    s.act(fault, 1);  // this one is to last
    s.until(60);
    CHECK(s.role(1) == role);
    CHECK(s.asked(repairs) == 2);
    CHECK(s.effective(repairs) == 1);
    CHECK_THAT(s.told(), contains(std::string(repair)));
    s.act(repair, 1);
    CHECK(s.role(1) == Role::follower);
}

TEST_CASE("plan: whom it hits comes from its own seed, not from what else is drawn",
          "[sim][schedule][plan]") {
    const auto hits = [](bool others) {
        List actions{plan(Dict{{"do", Dict{{"action", "pause"}, {"node", "random"}}},
                               {"interval_ms", 100},
                               {"repair_after_ms", 5},
                               {"seed", 3}})};
        Story s("raft", 5, Dict{{"election_timeout_ms", 1e6}},
                Dict{{"seed", 1}, {"network", network(5)}, {"actions", actions}});
        std::vector<NodeId> nodes;
        for (int i = 1; i <= 20; ++i) {
            s.until(100.0 * i - 50);
            if (others) {  // a random clock by hand draws from the run's own stream
                s.act(Dict{{"action", "clock"}, {"node", "random"}, {"offset_ms", i}});
            }
        }
        for (const TraceRow& r : s.rows(RowKind::action)) {
            if (r.detail == static_cast<std::uint8_t>(ActionKind::pause)) {
                nodes.push_back(r.node);
            }
        }
        return nodes;
    };
    const auto alone = hits(false);
    REQUIRE(alone.size() == 19);
    CHECK(std::set<NodeId>(alone.begin(), alone.end()).size() > 2);
    CHECK(alone == hits(true));
}

TEST_CASE("faults: a crash or a pause before the start takes effect", "[sim][fault][crash]") {
    const bool by_hand = GENERATE(true, false);
    const bool crash = GENERATE(true, false);
    const Value fault = Dict{{"action", crash ? "crash" : "pause"}, {"node", 3}};
    CAPTURE(by_hand, crash);
    Story s("raft", 3, Dict{},
            Dict{{"network", network(5)}, {"actions", by_hand ? List{} : List{fault}}});
    if (by_hand) {
        s.act(fault);
    }
    CHECK(s.effective(crash ? ActionKind::crash : ActionKind::pause) == 1);
    CHECK(s.until_leader(5000));
    CHECK(s.role(3) == Role::down);  // it has not started
    CHECK(s.due_ns(3, "election") == -1);
    s.act(crash ? "restart" : "resume", 3);
    s.until(s.now_ms());
    CHECK(s.role(3) == Role::follower);
    CHECK(s.until_agreement(5000));
    CHECK(s.rows(RowKind::start).size() == (crash ? 2 : 3));
}

TEST_CASE("faults: what can mean nothing before the start is refused", "[sim][fault][errors]") {
    const auto refused = [](const Value& action) {
        CHECK_THROWS_WITH(Story("raft", 3, Dict{}, with(action)),
                          contains("actions") && contains("before the first event"));
    };
    refused(Dict{{"action", "crash"}, {"node", "leader"}});
    refused(Dict{{"action", "slow"}, {"node", "random"}, {"processing_ms", 1}});
    refused(Dict{{"action", "fire"}, {"node", 1}, {"timer", "election"}});
    refused(Dict{{"action", "drop"}, {"message", 1}});
    refused(Dict{{"action", "restart"}, {"node", 1}});
    refused(Dict{{"action", "resume"}, {"node", 1}});
}

TEST_CASE("faults: one that touches nothing is asked for, but not effective", "[sim][fault]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}, {"heartbeat_interval_ms", 10}},
            Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(12);
    const Value one = nodes({1}), two = nodes({2});
    struct Case {
        const char* name;
        Value effective;
        Value ineffective;
    };
    const std::vector<Case> cases = {
        {"crash", Dict{{"action", "crash"}, {"node", 3}}, Dict{{"action", "crash"}, {"node", 3}}},
        {"restart", Dict{{"action", "restart"}, {"node", 3}},
         Dict{{"action", "restart"}, {"node", 3}}},
        {"pause", Dict{{"action", "pause"}, {"node", 3}}, Dict{{"action", "pause"}, {"node", 3}}},
        {"resume", Dict{{"action", "resume"}, {"node", 3}},
         Dict{{"action", "resume"}, {"node", 3}}},
        {"partition", Dict{{"action", "partition"}, {"groups", groups({{1, 2}, {3}})}},
         Dict{{"action", "partition"}, {"groups", groups({{1, 2, 3}})}}},
        {"heal", Dict{{"action", "heal"}}, Dict{{"action", "heal"}}},
        {"cut", Dict{{"action", "cut"}, {"from", one}, {"to", two}},
         Dict{{"action", "cut"}, {"from", one}, {"to", two}}},
        {"mend", Dict{{"action", "mend"}, {"from", one}, {"to", two}},
         Dict{{"action", "mend"}, {"from", one}, {"to", two}}},
        {"link", Dict{{"action", "link"}, {"link", Dict{{"loss_probability", 0.5}}}},
         Dict{{"action", "link"}, {"link", Dict{{"loss_probability", 0.5}}}}},
        {"clock", Dict{{"action", "clock"}, {"node", 2}, {"offset_ms", 5}},
         Dict{{"action", "clock"}, {"node", 2}, {"offset_ms", 5}}},
        {"slow", Dict{{"action", "slow"}, {"node", 2}, {"processing_ms", 1}},
         Dict{{"action", "slow"}, {"node", 2}, {"processing_ms", 1}}},
        {"disk", Dict{{"action", "disk"}, {"node", 2}, {"write_delay_ms", 1}},
         Dict{{"action", "disk"}, {"node", 2}, {"write_delay_ms", 1}}},
    };
    for (const Case& c : cases) {
        const Action action = s.action(c.effective);
        CAPTURE(c.name);
        const auto asked = s.asked(action.kind), effective = s.effective(action.kind);
        s.act(c.effective);
        CHECK(s.asked(action.kind) == asked + 1);
        CHECK(s.effective(action.kind) == effective + 1);
        s.act(c.ineffective);
        CHECK(s.asked(action.kind) == asked + 2);
        CHECK(s.effective(action.kind) == effective + 1);
    }
}

TEST_CASE("faults: a target that nobody fits is asked for, but not effective", "[sim][fault]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}}, Dict{{"network", network(5)}});
    s.until(1);
    s.act(Dict{{"action", "crash"}, {"node", "leader"}});  // there is none
    s.act(Dict{{"action", "resume"}, {"node", "random"}});
    s.act(Dict{{"action", "restart"}, {"node", "random"}});
    CHECK(s.effective(ActionKind::crash) == 0);
    CHECK(s.asked(ActionKind::crash) == 1);
    CHECK(s.effective(ActionKind::resume) == 0);
    CHECK(s.effective(ActionKind::restart) == 0);
    const Value report = faults_to_value(s.faults());
    CHECK(whole_at(report, "actions.crash.asked") == 1);
    CHECK(whole_at(report, "actions.crash.effective") == 0);
}

#include "electionlab/protocols/heartbeat.h"

#include <limits>
#include <string>

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using HeartbeatNode = Machine<HeartbeatElection>;
using Timer = HeartbeatElection::Timer;
using Heartbeat = HeartbeatElection::Heartbeat;

namespace {

Value detector(const char* name) { return Dict{{"detector", name}}; }

NodeId lowest_live(const Story& s) {
    NodeId lowest = 1;
    while (s.role(lowest) == Role::down) {
        ++lowest;
    }
    return lowest;
}

}  // namespace

TEST_CASE("heartbeat: the lowest trusted node leads, each as its own detector says", "[heartbeat]") {
    HeartbeatNode node(3, 4);
    node.start();
    CHECK(node.view() == View{Role::follower, 1, 0});
    node.expire(Timer::suspect, 2);
    CHECK(node.view().leader == 1);
    node.expire(Timer::suspect, 1);
    CHECK(node.view() == View{Role::leader, 3, 0});
    node.receive(2, Heartbeat{1});
    CHECK(node.view() == View{Role::follower, 2, 0});
    node.receive(4, Heartbeat{1});
    CHECK(node.view().leader == 2);
    node.receive(1, Heartbeat{1});
    CHECK(node.view().leader == 1);
}

TEST_CASE("heartbeat: the highest leads if that is preferred", "[heartbeat]") {
    HeartbeatOptions options;
    options.prefers = Preference::highest;
    HeartbeatNode node(3, 4, options);
    node.start();
    CHECK(node.view().leader == 4);
    node.expire(Timer::suspect, 4);
    CHECK(node.view() == View{Role::leader, 3, 0});
}

TEST_CASE("heartbeat: n(n-1) messages in each interval, numbered by the sender's clock",
          "[heartbeat][cost]") {
    const NodeId n = GENERATE(2u, 3u, 5u, 9u);
    Story s("heartbeat", n);
    s.until(951);
    CHECK(s.sent("Heartbeat") == 19 * std::int64_t{n} * (n - 1));  // at 50, 100, ..., 950
    CHECK(s.measures().leaderships == 1);
    for (const PendingEvent& message : s.in_flight("Heartbeat")) {
        CHECK(message.sent.ns % 50'000'000 == 0);
        CHECK(message.fields.find("number")->get_if<std::int64_t>()[0] * 50'000'000 == message.sent.ns);
    }
}

TEST_CASE("heartbeat: NFD-S detects a crash within delta + eta, and no sooner than due",
          "[heartbeat][nfd]") {
    // eta 50, delta 150. The last heartbeat leaves at 500; number 11 is due at 550 + 150.
    Story s("heartbeat", 3, detector("nfd_s"), Dict{{"network", network(7)}});
    s.until(500.001);
    s.crash(1);
    CHECK(s.until_agreement(1000));
    CHECK(s.now_ms() == 700);
    Story late("heartbeat", 3, detector("nfd_s"), Dict{{"network", network(7)}});
    late.until(549.999);
    late.crash(1);
    CHECK(late.until_agreement(1000));
    CHECK(late.now_ms() == 700);
}

TEST_CASE("heartbeat: with a fixed time-out, the last heartbeat's delay counts on top",
          "[heartbeat][fixed]") {
    Story s("heartbeat", 3, detector("fixed"), Dict{{"network", network(7)}});
    s.until(500.001);
    s.crash(1);
    CHECK(s.until_agreement(1000));
    CHECK(s.now_ms() == 500 + 7 + 200);
}

TEST_CASE("heartbeat: with NFD-E, the expected arrival and the margin", "[heartbeat][nfd]") {
    Story s("heartbeat", 3, detector("nfd_e"), Dict{{"network", network(7)}});
    s.until(500.001);
    s.crash(1);
    CHECK(s.until_agreement(1000));
    CHECK(s.now_ms() == 550 + 7 + 150);
}

TEST_CASE("heartbeat: with phi, constant gaps leave the guess and the minimum deviation",
          "[heartbeat][phi]") {
    Story s("heartbeat", 3, Dict{{"detector", "phi"}, {"phi_window", 4}},
            Dict{{"network", network(7)}});
    s.until(500.001);
    s.crash(1);
    CHECK(s.until_agreement(1000));
    // z of phi = 8 is 5.612001244 (mpmath): 507 + 50 + 10 z.
    CHECK(s.now_ms() > 507 + 50 + 56.12001243);
    CHECK(s.now_ms() < 507 + 50 + 56.12001345);  // rounded up to a nanosecond
}

TEST_CASE("heartbeat: NFD-S needs clocks that agree, the others do not", "[heartbeat][clock]") {
    const std::string name = GENERATE("fixed", "nfd_s", "nfd_e", "phi");
    // Node 1's clock is 400 ms behind: its heartbeats look 400 ms older than they are.
    Story s("heartbeat", 2, Dict{{"detector", name}},
            Dict{{"nodes", List{Dict{{"node", 2}, {"config", Dict{{"clock_offset_ms", 400}}}}}}});
    s.until(3000);
    CAPTURE(name);
    CHECK(s->monitor().acting_leaders() == (name == "nfd_s" ? 2 : 1));
    // Its heartbeats go on arriving, and do not end the suspicion.
    CHECK((s.measures().leaderships == 2) == (name == "nfd_s"));
}

TEST_CASE("heartbeat: a leader known from the start leads until its betters are heard",
          "[heartbeat]") {
    for (const NodeId n : {2u, 4u}) {
        Story s("heartbeat", n, Dict{}, Dict{{"initial_leader", n}});
        s.until(1);
        CHECK(s.all_follow(n));
        s.until(100);
        CHECK(s.all_follow(1));
        CHECK(s.violations() == 0);
    }
}

TEST_CASE("heartbeat: in a partition each side has a leader, and one when it heals",
          "[heartbeat][split_brain]") {
    Story s("heartbeat", 5);
    s.until(300);
    s.partition(groups({{1, 2}, {3, 4, 5}}));
    s.for_ms(300);
    CHECK(s.believes(2) == 1);
    CHECK(s.role(3) == Role::leader);
    s.act("heal");
    s.for_ms(100);
    CHECK(s.all_follow(1));
}

TEST_CASE("heartbeat: a restarted node trusts everybody for a first while", "[heartbeat][fault]") {
    Story s("heartbeat", 3);
    s.until(100);
    s.crash(1);
    s.crash(3);
    s.until(400);
    s.restart(3);
    CHECK(s.believes(3) == 1);
    s.for_ms(201);
    CHECK(s.all_follow(2));
    s.restart(1);
    s.for_ms(100);
    CHECK(s.all_follow(1));
}

TEST_CASE("heartbeat: bad options are refused by name", "[heartbeat][errors]") {
    const auto refused = [](const char* name, const Value& value, const char* why) {
        CAPTURE(name);
        CHECK_THROWS_WITH(Story("heartbeat", 3, Dict{{name, value}}),
                          contains(name) && contains(why));
    };
    refused("heartbeat_interval_ms", 0, "above 0");
    refused("timeout_ms", 0, "above 0");
    refused("phi_min_deviation_ms", 0, "above 0");
    refused("phi_threshold", 0, "above 0");
    refused("phi_threshold", -3.5, "above 0");
    refused("phi_threshold", 1e7, "at most 1000000");
    refused("phi_threshold", "high", "must be a finite number");
    refused("phi_threshold", std::numeric_limits<double>::quiet_NaN(), "must be a finite number");
    refused("phi_window", 1, "from 2");
    refused("arrival_window", 0, "from 1");
    refused("detector", "nfd", "'nfd_s'");
    refused("prefers", "best", "'lowest'");
}

// The bounds are derived in docs/protocols/heartbeat.md, "How long after a crash".
TEST_CASE("leader crash: heartbeat election of 2 to 9 keeps the bound of its detector",
          "[heartbeat][liveness][acceptance]") {
    struct Bound {
        const char* name;
        double ms;
        double alive;
    };
    const Bound bound = GENERATE(Bound{"fixed", 200 + 10, 0.97}, Bound{"nfd_s", 50 + 150, 0.97},
                                 Bound{"nfd_e", 50 + 10 + 150, 0.9}, Bound{"phi", 134, 0.7});
    const NodeId nodes = GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u);
    leader_crash::survives({.protocol = "heartbeat",
                            .options = detector(bound.name),
                            .bound_ms = [=](const leader_crash::Crash&) { return bound.ms; },
                            .heir = lowest_live,
                            .stays_ms = 300,
                            .alive = bound.alive,
                            .seeds = 500},
                           nodes);
}

TEST_CASE("heartbeat: golden runs", "[heartbeat][golden]") {
    const auto crashes = [](int seed) {
        return Dict{{"seed", seed},
                    {"network", golden::bad_links()},
                    {"every_node", golden::machines()},
                    {"actions", List{golden::plan(golden::random_node("crash"), 500),
                                     golden::plan(golden::random_node("pause"), 700)}}};
    };
    golden::check_runs("heartbeat",
                       {{"heartbeat_fixed", "heartbeat", 4, detector("fixed"), crashes(41), 4000},
                        {"heartbeat_nfd_s", "heartbeat", 4, detector("nfd_s"), crashes(42), 4000},
                        {"heartbeat_nfd_e", "heartbeat", 4, detector("nfd_e"), crashes(43), 4000},
                        {"heartbeat_phi", "heartbeat", 4, detector("phi"), crashes(44), 4000},
                        {"heartbeat_partitions", "heartbeat", 5, Dict{{"prefers", "highest"}},
                         Dict{{"seed", 45},
                              {"actions", List{golden::plan(Dict{{"action", "partition"}}, 700)}}},
                         4000}});
}

#include "electionlab/protocols/swim.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using SwimNode = Machine<Swim>;
using Timer = Swim::Timer;
using Status = Swim::Status;
using Update = Swim::Update;

namespace {

NodeId lowest_live(const Story& s) {
    NodeId lowest = 1;
    while (s.role(lowest) == Role::down) {
        ++lowest;
    }
    return lowest;
}

/// A node whose first period began; node 1 of `n` unless told otherwise.
SwimNode probing(NodeId self, NodeId n, SwimOptions options = {}) {
    SwimNode node(self, n, options);
    node.start();
    node.expire(Timer::period);
    return node;
}

NodeId target_of(SwimNode& node) {
    const auto pings = node.sent<Swim::Ping>();
    return pings.empty() ? no_node : pings[0].first;
}

}  // namespace

TEST_CASE("swim: what overrides what", "[swim][4.2]") {
    const auto news = [](Status status, std::int64_t incarnation) {
        return Update{2, status, incarnation};
    };
    for (const Status known : {Status::alive, Status::suspect, Status::dead}) {
        const std::map<Status, std::int64_t> first{
            {Status::alive, 6},
            {Status::suspect, known == Status::alive ? 5 : 6},
            {Status::dead, known == Status::dead ? 6 : 5}};
        for (const auto& [status, since] : first) {
            for (std::int64_t incarnation = 3; incarnation <= 8; ++incarnation) {
                CAPTURE(enum_name(known), enum_name(status), incarnation);
                CHECK(Swim::overrides(news(status, incarnation), known, 5) == (incarnation >= since));
            }
        }
    }
}

TEST_CASE("swim: without faults two messages for each node in each period", "[swim][cost]") {
    const NodeId n = GENERATE(2u, 3u, 6u, 12u);
    Story s("swim", n, Dict{}, Dict{{"network", network(5)}});
    s.until(200);  // every node has begun its first period
    const std::int64_t pings = s.sent("Ping");
    s.for_ms(200 * 50);
    CHECK(s.sent("Ping") - pings == 50 * std::int64_t{n});
    CHECK(s.sent("PingReq") == 0);
    s.for_ms(15);
    CHECK(std::abs(s.sent("Ack") - s.sent("Ping")) <= n);
    CHECK(s.all_follow(1));
    CHECK(s.measures().leaderships == 1);
}

TEST_CASE("swim: a round probes every other node once, the next in another order", "[swim][4.3]") {
    SwimNode node(3, 9);
    node.start();
    std::vector<std::vector<NodeId>> rounds;
    for (int round = 0; round < 6; ++round) {
        rounds.emplace_back();
        for (int turn = 0; turn < 8; ++turn) {
            node.expire(Timer::period);
            const NodeId target = target_of(node);
            rounds.back().push_back(target);
            node.receive(target, Swim::Ack{3, target, node.state.memory.probe, {}});
        }
        const std::set<NodeId> seen(rounds.back().begin(), rounds.back().end());
        CHECK(seen.size() == 8);
        CHECK(seen.count(3) == 0);
        CHECK(std::count(rounds.begin(), rounds.end(), rounds.back()) == 1);
    }
}

TEST_CASE("swim: seeds give different orders", "[swim]") {
    std::set<std::string> orders;
    for (int seed = 0; seed < 8; ++seed) {
        Story s("swim", 6, Dict{}, Dict{{"seed", seed}}, false);
        s.until(1000);
        orders.insert(s.field(2, "memory.order").to_json());
    }
    CHECK(orders.size() >= 6);
}

TEST_CASE("swim: a silent target is asked for through k others, then suspected, then dead",
          "[swim][3.1]") {
    SwimNode node = probing(1, 7);
    const NodeId target = target_of(node);
    node.expire(Timer::ack);
    const auto asked = node.sent<Swim::PingReq>();
    REQUIRE(asked.size() == 3);
    std::set<NodeId> proxies;
    for (const auto& [to, request] : asked) {
        CHECK(request.target == target);
        CHECK(to != target);
        CHECK(to != 1);
        proxies.insert(to);
    }
    CHECK(proxies.size() == 3);
    node.expire(Timer::period);
    CHECK(node.state.memory.members[target - 1].status == Status::suspect);
    CHECK(node.sets(Timer::suspicion));
    node.expire(Timer::suspicion, target);
    CHECK(node.state.memory.members[target - 1].status == Status::dead);
}

TEST_CASE("swim: an answer through a proxy is as good", "[swim][3.1]") {
    SwimNode origin = probing(1, 4);
    const NodeId target = target_of(origin);
    origin.expire(Timer::ack);
    const auto asked = origin.sent<Swim::PingReq>();
    REQUIRE(asked.size() == 2);  // there are only two others
    SwimNode proxy(asked[0].first, 4), other(target, 4);
    proxy.start();
    other.start();
    proxy.receive(1, asked[0].second);
    const auto ping = proxy.sent<Swim::Ping>();
    REQUIRE(ping.size() == 1);
    CHECK(ping[0].first == target);
    other.receive(proxy.self, ping[0].second);
    const auto ack = other.sent<Swim::Ack>();
    REQUIRE(ack.size() == 1);
    CHECK(ack[0].first == proxy.self);
    proxy.receive(target, ack[0].second);
    const auto passed = proxy.sent<Swim::Ack>();
    REQUIRE(passed.size() == 1);
    CHECK(passed[0].first == 1);
    origin.receive(proxy.self, passed[0].second);
    origin.expire(Timer::period);
    CHECK(origin.state.memory.members[target - 1].status == Status::alive);
}

TEST_CASE("swim: an answer to an earlier probe is no answer", "[swim][3.1]") {
    SwimNode node = probing(1, 2);
    const std::int64_t first = node.state.memory.probe;
    node.receive(2, Swim::Ack{1, 2, first, {}});
    node.expire(Timer::period);
    node.receive(2, Swim::Ack{1, 2, first, {}});
    node.expire(Timer::period);
    CHECK(node.state.memory.members[1].status == Status::suspect);
}

TEST_CASE("swim: a suspect refutes with a higher incarnation, and only the owner raises it",
          "[swim][4.2]") {
    SwimNode node(2, 3);
    node.start();
    node.receive(1, Swim::Ping{1, 1, {{2, Status::suspect, 0}}});
    CHECK(node.state.disk.incarnation == 1);
    CHECK(node.effects.persists());
    const auto ack = node.sent<Swim::Ack>();
    REQUIRE(ack.size() == 1);
    const Update refuted{2, Status::alive, 1};
    CHECK(std::count(ack[0].second.updates.begin(), ack[0].second.updates.end(), refuted) == 1);
    node.receive(1, Swim::Ping{1, 2, {{2, Status::suspect, 0}}});  // old news
    CHECK(node.state.disk.incarnation == 1);
    node.receive(1, Swim::Ping{1, 3, {{2, Status::dead, 4}}});
    CHECK(node.state.disk.incarnation == 5);

    SwimNode other(1, 3);
    other.start();
    other.receive(3, Swim::Ping{3, 1, {{2, Status::suspect, 0}}});
    CHECK(other.sets(Timer::suspicion));
    other.receive(2, ack[0].second);
    CHECK(other.cancels(Timer::suspicion));
    CHECK(other.state.memory.members[1] == Swim::Member{Status::alive, 1});
}

TEST_CASE("swim: who is thought suspect or dead is told so in every message to it", "[swim]") {
    SwimNode node(1, 3);
    node.start();
    node.receive(3, Swim::Ping{3, 1, {{2, Status::dead, 6}}});
    for (int times = 0; times < 50; ++times) {  // long after the gossip of it has ended
        node.receive(2, Swim::Ping{2, times, {}});
        const auto ack = node.sent<Swim::Ack>();
        REQUIRE(ack.size() == 1);
        REQUIRE(ack[0].second.updates.size() == 1);  // once
        CHECK(ack[0].second.updates[0] == Update{2, Status::dead, 6});
    }
}

TEST_CASE("swim: each update is told lambda ceil(log2(n + 1)) times, the least told first",
          "[swim][4.1]") {
    struct Case {
        NodeId n;
        std::uint32_t times;
    };
    const Case c = GENERATE(Case{3, 6}, Case{4, 9}, Case{7, 9}, Case{8, 12}, Case{100, 21});
    SwimOptions options;
    options.updates_per_message = 1;
    CHECK(Swim::times_told(options, c.n) == c.times);
    SwimNode node(1, c.n, options);
    node.start();
    node.receive(2, Swim::Ping{2, 0, {{c.n, Status::suspect, 3}}});
    std::uint32_t told = 0;
    for (std::int64_t probe = 0; probe < 60; ++probe) {
        for (const auto& [to, ack] : node.sent<Swim::Ack>()) {
            REQUIRE(to == 2);
            told += static_cast<std::uint32_t>(
                std::count(ack.updates.begin(), ack.updates.end(), Update{c.n, Status::suspect, 3}));
        }
        node.receive(2, Swim::Ping{2, probe + 1, {}});
    }
    CHECK(told == c.times);
}

TEST_CASE("swim: what was told least often goes first", "[swim][4.1]") {
    SwimOptions options;
    options.updates_per_message = 1;
    SwimNode node(1, 6, options);
    node.start();
    const auto told = [&](std::vector<Update> news) {
        node.receive(2, Swim::Ping{2, 0, std::move(news)});
        return node.sent<Swim::Ack>()[0].second.updates;
    };
    const Update first{3, Status::suspect, 1}, second{4, Status::suspect, 1};
    CHECK(told({first}) == std::vector{first});
    CHECK(told({}) == std::vector{first});
    CHECK(told({second}) == std::vector{second});  // twice against never
    CHECK(told({}) == std::vector{second});
}

TEST_CASE("swim: news of a member replaces what was still to be told of it", "[swim]") {
    SwimNode node(1, 4);
    node.start();
    node.receive(2, Swim::Ping{2, 0, {{3, Status::suspect, 0}}});
    node.receive(2, Swim::Ping{2, 1, {{3, Status::alive, 1}}});
    REQUIRE(node.state.memory.rumours.size() == 1);
    CHECK(node.state.memory.rumours[0].update == Update{3, Status::alive, 1});
}

TEST_CASE("swim: with lost messages proxies and suspicion save nodes that live", "[swim][stability]") {
    const auto deaths = [](int proxies, double suspicion_ms) {
        std::int64_t changes = 0;
        for (std::int64_t seed = 0; seed < 5; ++seed) {
            Story s("swim", 6,
                    Dict{{"proxies", proxies}, {"suspicion_timeout_ms", suspicion_ms}},
                    Dict{{"seed", seed}, {"network", network(5, Dict{{"loss_probability", 0.1}})}},
                    false);
            s.until(30'000);
            changes += s.measures().leader_changes;
        }
        return changes;
    };
    const std::int64_t bare = deaths(0, 0), asked = deaths(3, 0), suspected = deaths(3, 600);
    CAPTURE(bare, asked, suspected);
    CHECK(bare > 4 * asked);
    CHECK(asked > 0);
    CHECK(suspected == 0);
}

TEST_CASE("swim: views agree again after a partition, and a restarted node comes back",
          "[swim][fault]") {
    for (std::int64_t seed = 0; seed < seeds(30); ++seed) {
        Story s("swim", 6, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        s.until(1000);
        s.partition(groups({{1, 2}, {3, 4, 5, 6}}));
        s.for_ms(4000);
        REQUIRE(s.believes(6) == 3);
        REQUIRE(s.believes(2) == 1);
        s.act("heal");
        s.for_ms(4000);
        REQUIRE(s.all_follow(1));
        s.crash(1);
        s.for_ms(3000);
        REQUIRE(s.all_follow(2));
        s.restart(1);
        REQUIRE(s.whole(1, "disk.incarnation") >= 1);
        s.for_ms(3000);
        REQUIRE(s.all_follow(1));
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("swim: a crash is first noticed after e / (e - 1) periods or less, on average",
          "[swim][cost]") {
    // Random targets: the chance that nobody of m live members probes it in a period is
    // (1 - 1/m)^m. A random order is no worse. Counted from the crash to the end of the period.
    const NodeId n = 12;
    double total = 0;
    const std::int64_t count = seeds(400);
    for (std::int64_t seed = 0; seed < count; ++seed) {
        Story s("swim", n, Dict{{"proxies", 0}, {"suspicion_timeout_ms", 0}},
                Dict{{"seed", seed}, {"network", network(1)}}, false);
        s.until(3000 + static_cast<double>(seed % 20) * 10);
        s.crash(1);
        const double crashed = s.now_ms();
        while (s.measures().leaderships == 1) {
            s->step();
        }
        total += (s.now_ms() - crashed) / 200;
    }
    const double periods = total / static_cast<double>(count);
    CAPTURE(periods);
    // The probe is 1/(m+1) of a period away on average at the least, and its own period follows.
    CHECK(periods > 1.0);
    CHECK(periods < (seeds(400) == 400 ? 1.0 : 2.0) + std::exp(1.0) / (std::exp(1.0) - 1));
}

TEST_CASE("swim: a leader known from the start leads until lower members come forward", "[swim]") {
    Story s("swim", 5, Dict{}, Dict{{"initial_leader", 4}});
    s.until(1);
    CHECK(s.all_follow(4));
    s.until(4000);
    CHECK(s.all_follow(1));
}

TEST_CASE("swim: bad options are refused by name", "[swim][errors]") {
    const auto refused = [](const char* name, const Value& value, const char* why) {
        CAPTURE(name);
        CHECK_THROWS_WITH(Story("swim", 3, Dict{{name, value}}), contains(name) && contains(why));
    };
    refused("period_ms", 0, "above 0");
    refused("ping_timeout_ms", 0, "above 0");
    refused("proxies", 1001, "from 0 to 1000");
    refused("retransmissions", 0, "from 1 to 1000");
    refused("updates_per_message", 0, "from 1 to 1000");
    refused("suspicion_timeout_ms", -1, "suspicion_timeout_ms");
}

// 2 (n - 1) periods and the suspicion time-out: derived in docs/protocols/swim.md.
TEST_CASE("leader crash: SWIM of 2 to 9 finds a new leader whenever the old one dies",
          "[swim][liveness][acceptance]") {
    const NodeId nodes = GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u);
    leader_crash::survives({.protocol = "swim",
                            .bound_ms =
                                [](const leader_crash::Crash& crash) {
                                    return 2 * 200.0 * (crash.nodes - 1) + 600;
                                },
                            .heir = lowest_live,
                            .alive = nodes == 2 ? 0.95 : nodes == 3 ? 0.7 : 0.3,
                            .seeds = 1000},
                           nodes);
}

TEST_CASE("swim: golden runs", "[swim][golden]") {
    golden::check_runs(
        "swim",
        {{"swim_crashes", "swim", 6, Dict{},
          Dict{{"seed", 61}, {"actions", List{golden::plan(golden::random_node("crash"), 900)}}},
          8000},
         {"swim_bad_links", "swim", 5, Dict{},
          Dict{{"seed", 62},
               {"network", golden::bad_links()},
               {"every_node", golden::machines()},
               {"actions", List{golden::plan(golden::random_node("pause"), 900)}}},
          8000},
         {"swim_partitions", "swim", 5, Dict{{"updates_per_message", 2}},
          Dict{{"seed", 63}, {"actions", List{golden::plan(Dict{{"action", "partition"}}, 1500)}}},
          8000}},
        300);
}

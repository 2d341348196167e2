// A node's own clock, and how its timeouts are drawn.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

Value clock_of_1(const Value& config) {
    return Dict{{"network", network(5)}, {"nodes", List{Dict{{"node", 1}, {"config", config}}}}};
}

// Node 1 leads and sends a heartbeat each millisecond, so that node 2 draws a timeout as often.
// Returns (when it was armed, when it would expire) in nanoseconds.
std::vector<std::pair<std::int64_t, std::int64_t>> timeouts(const char* policy, double tick_ms,
                                                            int count, std::int64_t seed,
                                                            const Value& config = Dict{}) {
    Story s("raft", 2,
            Dict{{"election_timeout_ms", List{150, 300}},
                 {"heartbeat_interval_ms", 1.0007},  // no multiple of a tick
                 {"timeout_policy", policy},
                 {"tick_ms", tick_ms}},
            merged(Dict{{"seed", seed}, {"initial_leader", 1}, {"network", network(5)}}, config),
            false);
    std::vector<std::pair<std::int64_t, std::int64_t>> drawn;
    while (static_cast<int>(drawn.size()) < count) {
        const Event& event = s->step();
        if (event.kind == RowKind::deliver && event.node == 2) {
            drawn.emplace_back(event.at.ns, s.due_ns(2, "election"));
        }
    }
    return drawn;
}

// Chi-square of counts against shares of the total; the seeds are fixed.
double chi_square(const std::map<std::int64_t, int>& counts,
                  const std::map<std::int64_t, double>& shares, int total) {
    double sum = 0;
    for (const auto& [value, share] : shares) {
        const auto found = counts.find(value);
        const double got = found == counts.end() ? 0 : found->second;
        sum += (got - share * total) * (got - share * total) / (share * total);
    }
    for (const auto& [value, count] : counts) {
        sum += shares.count(value) == 0 && count > 0 ? 1e9 : 0;
    }
    return sum;
}

}  // namespace

TEST_CASE("clock: a timer on a clock that runs 10 % fast expires after 1/1.1 of the time",
          "[sim][clock][fault]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 110}},
            clock_of_1(Dict{{"clock_drift_ppm", 1e5}}));
    s.until(1);
    CHECK(s.due_ns(1, "election") == 100'000'000);  // to the nanosecond
    CHECK(s.due_ns(2, "election") == 110'000'000);
    s.until(99.999999);
    CHECK(s.role(1) == Role::follower);
    s.until(100);
    CHECK(s.role(1) == Role::candidate);
    CHECK(s.faults().timers_on_odd_clocks >= 1);
}

TEST_CASE("clock: for any rate the timer is right to the nanosecond", "[sim][clock][fault]") {
    const std::int64_t ppb =
        GENERATE(1, -1, 1000, 20'000, -20'000, 200'000'000, -500'000'000, 500'000'000, 123'456'789);
    CAPTURE(ppb);
    Story s("raft", 3, Dict{{"election_timeout_ms", 123.456789}},
            clock_of_1(Dict{{"clock_drift_ppm", static_cast<double>(ppb) / 1e3}}));
    s.until(0);
    const double exact = 123'456'789.0 * 1e9 / (1e9 + static_cast<double>(ppb));
    CHECK(std::abs(static_cast<double>(s.due_ns(1, "election")) - exact) <= 1.0);
}

TEST_CASE("clock: a timer takes a nanosecond at least, however short it is and fast the clock",
          "[sim][clock][fault]") {
    Story s("raft", 2, Dict{{"election_timeout_ms", 1e6}, {"heartbeat_interval_ms", 1e-6}},
            merged(clock_of_1(Dict{{"clock_drift_ppm", 500'000}}), Dict{{"initial_leader", 1}}),
            false);
    s->run(Instant{1000}, 10'000, StopWhen::never, {});
    CHECK(s->now() == Instant{1000});
    CHECK(s.sent("Heartbeat") == 1000);
}

TEST_CASE("clock: shows its offset and its rate", "[sim][clock]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}},
            clock_of_1(Dict{{"clock_offset_ms", -20}, {"clock_drift_ppm", 1e5}}));
    s.until(1000);
    CHECK(s.field(1, "clock_ms") == Value(1080.0));
    CHECK(s.field(2, "clock_ms") == Value(1000.0));
    CHECK(s.due_ns(2, "election") == 1'000'000'000'000);
}

TEST_CASE("clock: a timer that runs keeps what is left of it when the rate changes",
          "[sim][clock][fault]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 100}}, Dict{{"network", network(5)}});
    s.until(40);
    s.act(Dict{{"action", "clock"}, {"node", 1}, {"drift_ppm", 500'000}});  // 60 ms are left
    CHECK(s.due_ns(1, "election") == 80'000'000);
    s.until(60);  // half of them are gone
    s.act(Dict{{"action", "clock"}, {"node", 1}, {"drift_ppm", 0}});
    CHECK(s.due_ns(1, "election") == 90'000'000);
    s.act(Dict{{"action", "clock"}, {"node", 1}, {"drift_ppm", 0}});
    CHECK(s.effective(ActionKind::clock) == 2);
    CHECK(s.asked(ActionKind::clock) == 3);
}

TEST_CASE("clock: a change of its rate does not make it jump", "[sim][clock][fault]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}},
            clock_of_1(Dict{{"clock_offset_ms", -20}, {"clock_drift_ppm", 1e5}}));
    s.until(1000);
    REQUIRE(s.field(1, "clock_ms") == Value(1080.0));
    s.act(Dict{{"action", "clock"}, {"node", 1}, {"drift_ppm", -5e5}});
    CHECK(s.field(1, "clock_ms") == Value(1080.0));
    s.until(1100);
    CHECK(s.field(1, "clock_ms") == Value(1130.0));
    // The offset is set to so much beyond true time, and the rate stays.
    s.act(Dict{{"action", "clock"}, {"node", 1}, {"offset_ms", 7}});
    CHECK(s.field(1, "clock_ms") == Value(1107.0));
    s.until(1200);
    CHECK(s.field(1, "clock_ms") == Value(1157.0));
    CHECK_THROWS_WITH(s.act(Dict{{"action", "clock"}, {"node", 1}}),
                      contains("offset_ms") && contains("drift_ppm"));
}

TEST_CASE("clock: after a random fault it is what it would have been without",
          "[sim][clock][fault][plan]") {
    const Value fault = GENERATE(Value(Dict{{"action", "clock"}, {"node", 1}, {"drift_ppm", 4e5}}),
                                 Value(Dict{{"action", "clock"},
                                            {"node", 1},
                                            {"offset_ms", 900},
                                            {"drift_ppm", 4e5}}));
    const bool steps = fault.find("offset_ms") != nullptr;
    const std::int64_t seed = GENERATE(1, 2, 3);
    const auto run = [&](bool with_fault) {
        const Value plan = Dict{{"action", "plan"},
                                {"plan", Dict{{"do", fault},
                                              {"interval_ms", 100},
                                              {"until_ms", 150},
                                              {"repair_after_ms", 40}}}};
        Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}},
                Dict{{"seed", seed},
                     {"every_node", Dict{{"clock_drift_ppm", List{-2e5, 2e5}},
                                         {"clock_offset_ms", 3}}},
                     {"actions", with_fault ? List{plan} : List{}}});
        std::vector<double> clocks;
        for (const double at : {90.0, 120.0, 200.0, 300.0}) {
            s.until(at);
            clocks.push_back(*s.field(1, "clock_ms").get_if<double>());
        }
        return clocks;
    };
    const auto plain = run(false), faulty = run(true);
    CAPTURE(steps, seed, plain[2], faulty[2]);
    CHECK(faulty[0] == plain[0]);
    CHECK(std::abs(faulty[1] - plain[1]) > 1);
    // The rate of this node and trial is back, and so is its offset if that was touched.
    CHECK(std::abs((faulty[3] - faulty[2]) - (plain[3] - plain[2])) < 1e-5);
    CHECK((std::abs(faulty[3] - plain[3]) < 1e-5) == steps);
}

TEST_CASE("clock: no timer expires early by its node's own clock, not by a nanosecond",
          "[sim][clock][fault]") {
    // Heartbeats on clocks of many rates, whose rate changes while they wait.
    const auto ns = [](const Value& clock_ms) {
        return static_cast<std::int64_t>(std::llround(*clock_ms.get_if<double>() * 1e6));
    };
    const std::int64_t interval = 7'000'003;
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        const RandomStream draws{mix64(static_cast<std::uint64_t>(seed) + 77)};
        std::uint64_t draw = 0;
        const auto rate = [&] {
            return static_cast<double>(uniform_integer(draws.word(draw++), -500'000'000,
                                                       500'000'000)) / 1e3;
        };
        Story s("raft", 2, Dict{{"election_timeout_ms", 1e6}, {"heartbeat_interval_ms", 7.000003}},
                merged(clock_of_1(Dict{{"clock_drift_ppm", rate()}}), Dict{{"initial_leader", 1}}),
                false);
        s.until(0);
        std::int64_t set_at = ns(s.field(1, "clock_ms"));
        for (int beat = 0; beat < 20; ++beat) {
            const bool changes = beat % 3 == 1;
            if (changes) {
                s.for_ms(static_cast<double>(uniform_integer(draws.word(draw++), 0, 3'000'000)) /
                         1e6);
                s.act(Dict{{"action", "clock"}, {"node", 1}, {"drift_ppm", rate()}});
            }
            Event event;
            do {
                event = s->step();
            } while (event.kind != RowKind::timer || event.node != 1);
            const std::int64_t now = ns(s.field(1, "clock_ms"));
            CAPTURE(seed, beat, now, set_at);
            REQUIRE(now - set_at >= interval);
            REQUIRE(now - set_at <= interval + (changes ? 3 : 1));
            set_at = now;
        }
    }
}

TEST_CASE("clock: a spread of rates is drawn once for each node and trial", "[sim][clock]") {
    std::set<std::int64_t> dues;
    for (int trial = 0; trial < 20; ++trial) {
        Story s("raft", 5, Dict{{"election_timeout_ms", 1000}},
                Dict{{"trial", trial}, {"every_node", Dict{{"clock_drift_ppm", List{-200, 200}}}}});
        s.until(0);
        for (NodeId node = 1; node <= 5; ++node) {
            const auto due = s.due_ns(node, "election");
            CHECK(std::abs(due - 1'000'000'000) <= 200'041);  // 200 ppm of a second, and its square
            dues.insert(due);
        }
    }
    CHECK(dues.size() == 100);
}

TEST_CASE("timer lateness delays the handler and nothing else", "[sim][clock]") {
    Story s("raft", 3, Dict{{"election_timeout_ms", 100}},
            Dict{{"network", network(5)}, {"every_node", Dict{{"timer_lateness_ms", 2}}}});
    s.until(0);
    CHECK(s.due_ns(1, "election") == 102'000'000);
}

TEST_CASE("timeouts: redrawn is uniform over its range", "[sim][timeout]") {
    const auto drawn = timeouts("redrawn", 1, 15'000, 1);
    std::map<std::int64_t, int> cells;
    std::map<std::int64_t, double> shares;
    for (const auto& [at, due] : drawn) {
        const std::int64_t wait = due - at;
        REQUIRE(wait >= 150'000'000);
        REQUIRE(wait <= 300'000'000);
        ++cells[std::min<std::int64_t>((wait - 150'000'000) / 10'000'000, 14)];
    }
    for (int i = 0; i < 15; ++i) {
        shares[i] = 1.0 / 15;
    }
    CHECK(chi_square(cells, shares, 15'000) < 36.1);  // 14 degrees of freedom, 1 in 1,000
}

TEST_CASE("timeouts: drawn once is kept until the node starts again", "[sim][timeout]") {
    const auto drawn = timeouts("drawn_once", 1, 100, 1);
    for (const auto& [at, due] : drawn) {
        REQUIRE(due - at == drawn[0].second - drawn[0].first);
    }
    CHECK(timeouts("drawn_once", 1, 1, 2)[0].second != drawn[0].second);
    Story s("raft", 2,
            Dict{{"election_timeout_ms", List{150, 300}}, {"timeout_policy", "drawn_once"}},
            Dict{{"network", network(5)}});
    s.until(0);
    const auto first = s.due_ns(1, "election");
    CHECK(first != s.due_ns(2, "election"));
    s.until(10);
    s.crash(1);
    s.restart(1);
    CHECK(s.due_ns(1, "election") - 10'000'000 != first);
}

TEST_CASE("timeouts: rounded has half the weight at both ends", "[sim][timeout]") {
    const auto drawn = timeouts("rounded", 10, 30'000, 1);
    std::map<std::int64_t, int> counts;
    std::map<std::int64_t, double> shares;
    for (const auto& [at, due] : drawn) {
        REQUIRE((due - at) % 10'000'000 == 0);
        ++counts[(due - at) / 10'000'000];
    }
    for (int ticks = 15; ticks <= 30; ++ticks) {
        shares[ticks] = ticks == 15 || ticks == 30 ? 1.0 / 30 : 1.0 / 15;
    }
    CHECK(chi_square(counts, shares, 30'000) < 37.7);  // 15 degrees of freedom, 1 in 1,000
}

TEST_CASE(
    "timeouts: quantised fires at a tick of the node, a whole number of them after the arming",
    "[sim][timeout]") {
    for (const std::int64_t seed : {1, 2, 3}) {
        const auto drawn = timeouts("quantised", 10, 11'000, seed);
        const std::int64_t tick = 10'000'000, phase = drawn[0].second % tick;
        std::map<std::int64_t, int> counts;
        std::map<std::int64_t, double> shares;
        for (const auto& [at, due] : drawn) {
            REQUIRE(due % tick == phase);  // the tick goes on whatever the node does
            // Ticks that pass after the arming, the one that fires included.
            const std::int64_t before = (at - phase + tick) / tick,
                               last = (due - phase + tick) / tick;
            ++counts[last - before];
        }
        for (int ticks = 15; ticks <= 30; ++ticks) {
            shares[ticks] = 1.0 / 16;
        }
        CAPTURE(seed);
        CHECK(chi_square(counts, shares, 11'000) < 37.7);
    }
}

TEST_CASE("timeouts: quantised ticks run on the node's own clock", "[sim][timeout][clock]") {
    const auto drawn = timeouts(
        "quantised", 10, 200, 1,
        Dict{{"nodes", List{Dict{{"node", 2}, {"config", Dict{{"clock_drift_ppm", 250'000}}}}}}});
    const std::int64_t tick = 8'000'000;  // 10 ms of a clock that runs 1.25 times too fast
    const std::int64_t phase = drawn[0].second % tick;
    for (const auto& [at, due] : drawn) {
        const std::int64_t off = std::abs(due % tick - phase);
        REQUIRE(std::min(off, tick - off) <= 2);  // both roundings of a nanosecond
    }
}

TEST_CASE("timeouts: redrawn each tick fires as likely as the time past the minimum has grown",
          "[sim][timeout]") {
    // At the i-th tick past the minimum it fires with probability i * tick / (max - min).
    const auto drawn = timeouts("redrawn_each_tick", 15, 20'000, 1);
    std::map<std::int64_t, int> counts;
    std::map<std::int64_t, double> shares;
    for (const auto& [at, due] : drawn) {
        REQUIRE((due - at - 150'000'000) % 15'000'000 == 0);
        ++counts[std::min<std::int64_t>((due - at - 150'000'000) / 15'000'000, 7)];
    }
    double left = 1;
    for (int i = 1; i <= 6; ++i) {
        shares[i] = left * i / 10.0;
        left *= 1 - i / 10.0;
    }
    shares[7] = left;                                  // seventh and later
    CHECK(chi_square(counts, shares, 20'000) < 22.5);  // 6 degrees of freedom, 1 in 1,000
}

TEST_CASE("timeouts: the first of s live Raft timers is where theory says",
          "[sim][timeout][raft]") {
    // The minimum of s draws from U(a, b) has mean a + (b-a)/(s+1) and variance
    // (b-a)^2 s / ((s+1)^2 (s+2)); the band is four standard errors.
    const NodeId live = GENERATE(1u, 2u, 4u, 8u);
    const auto trials = seeds(4000);
    double sum = 0;
    for (std::int64_t trial = 0; trial < trials; ++trial) {
        Story s("raft", live, Dict{}, Dict{{"seed", 5}, {"trial", trial}}, false);
        std::int64_t first = INT64_MAX;
        s.until(0);
        for (NodeId node = 1; node <= live; ++node) {
            first = std::min(first, s.due_ns(node, "election"));
        }
        sum += static_cast<double>(first) / 1e6;
    }
    const double n = live;
    const double error =
        150 * std::sqrt(n / ((n + 1) * (n + 1) * (n + 2)) / static_cast<double>(trials));
    CAPTURE(live, sum / static_cast<double>(trials), error);
    CHECK(std::abs(sum / static_cast<double>(trials) - (150 + 150 / (n + 1))) < 4 * error);
}

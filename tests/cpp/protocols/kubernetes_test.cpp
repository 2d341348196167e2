#include "electionlab/protocols/kubernetes.h"

#include <algorithm>
#include <string>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using K = Kubernetes;
using Record = K::Record;

namespace {

constexpr std::int64_t million = 1'000'000;

// A clock that runs ppm fast: what it shows after a span of true time, and the first moment at
// which it shows so much.
std::int64_t shows(std::int64_t ns, std::int64_t ppm) {
    return ns / million * (million + ppm) + ns % million * (million + ppm) / million;
}
std::int64_t first_shows(std::int64_t local, std::int64_t ppm) {
    const std::int64_t rate = million + ppm;
    return local / rate * million + (local % rate * million + rate - 1) / rate;
}

Value clock_of(NodeId node, std::int64_t ppm) {
    return Dict{{"node", node}, {"config", Dict{{"clock_drift_ppm", ppm}}}};
}

struct Elector : Machine<K> {  // node 1 of two
    explicit Elector(KubernetesOptions given = {}) : Machine<K>(1, 2, given) { start(); }
    [[nodiscard]] electionlab::Context<KubernetesOptions> at(std::int64_t clock_ms) const {
        return {this->options, 1, 2, 3, no_node, Instant{} + ms(clock_ms), {}};
    }
    template <class Kind>
    void receives(std::int64_t clock_ms, Kind message) {
        effects.clear();
        message.request = state.memory.request;
        K::on_message(state, at(clock_ms), 3, message, effects);
    }
    void fires(std::int64_t clock_ms, K::Timer timer) {
        effects.clear();
        K::on_timer(state, at(clock_ms), timer, effects);
    }
    void got(std::int64_t clock_ms, std::int64_t version, const Record& record) {
        receives(clock_ms, K::GetReply{0, true, version, record});
    }
    void wrote(std::int64_t clock_ms, bool written, std::int64_t version) {
        receives(clock_ms, K::WriteReply{0, written, version});
    }
    [[nodiscard]] bool leads() const { return K::view(state, at(0)).leads(); }
    [[nodiscard]] Record updates(std::int64_t version) {
        const auto asked = sent<K::Update>();
        REQUIRE(asked.size() == 1);
        CHECK(asked[0].first == 3);
        CHECK(asked[0].second.resource_version == version);
        return asked[0].second.record;
    }
};

Record record_of(NodeId holder, Epoch transitions, std::int64_t renewed_ms = 0) {
    return {.holder = holder,
            .process = 1,
            .lease_duration_seconds = 15,
            .acquire_time = {},
            .renew_time = Instant{} + ms(renewed_ms),
            .leader_transitions = transitions};
}

}  // namespace

TEST_CASE("kubernetes: creates the record where there is none, with no transitions",
          "[kubernetes][lease]") {
    Elector elector;
    CHECK(elector.sent<K::Get>().size() == 1);
    elector.receives(5, K::GetReply{});
    const auto created = elector.sent<K::Create>();
    REQUIRE(created.size() == 1);
    CHECK(created[0].second.record == record_of(1, 0));
    CHECK_FALSE(elector.leads());
    elector.wrote(10, true, 1);
    CHECK(elector.leads());
    CHECK(elector.view().epoch == 0);
    CHECK(elector.updates(1).holder == 1);  // renew begins at once
    CHECK(elector.sets(K::Timer::deadline));
}

TEST_CASE("kubernetes: an elector that loses the race waits and looks again", "[kubernetes][lease]") {
    Elector elector;
    elector.receives(5, K::GetReply{});
    elector.wrote(10, false, 1);
    CHECK_FALSE(elector.leads());
    CHECK(elector.sets(K::Timer::retry));
    for (const auto& change : elector.effects.timers()) {
        if (change.timer == static_cast<std::uint32_t>(K::Timer::retry)) {  // JitterUntil
            CHECK(change.spec.min == seconds(2));
            CHECK(change.spec.max == ms(4400));
        }
    }
}

TEST_CASE("kubernetes: a lease is over when the record has not changed for its duration",
          "[kubernetes][lease][safety]") {
    Elector elector;
    // The times in the record may say anything: it counts from when it saw them.
    elector.got(1'000, 7, record_of(2, 3, 999'999'999));
    CHECK(elector.sent<K::Update>().empty());
    CHECK(elector.view().leader == 2);
    elector.fires(5'000, K::Timer::retry);
    elector.got(5'005, 8, record_of(2, 3, 1'000'000'000));  // renewed
    elector.fires(20'004, K::Timer::retry);                 // not 15 s since 5.005
    elector.got(20'010, 8, record_of(2, 3, 1'000'000'000));
    CHECK(elector.sent<K::Update>().empty());
    elector.fires(20'005, K::Timer::retry);
    elector.got(20'010, 8, record_of(2, 3, 1'000'000'000));
    const Record taken = elector.updates(8);
    CHECK(taken.holder == 1);
    CHECK(taken.leader_transitions == 4);
    CHECK(taken.acquire_time == Instant{} + ms(20'005));
    elector.wrote(20'015, true, 9);
    CHECK(elector.leads());
    CHECK(elector.view().epoch == 4);
}

TEST_CASE("kubernetes: a record whose holder is gone is free at once", "[kubernetes][lease]") {
    Elector elector;
    elector.got(5, 7, record_of(no_node, 3));
    CHECK(elector.updates(7).leader_transitions == 4);
}

TEST_CASE("kubernetes: a process that restarts waits like any other, unless its identity is stable",
          "[kubernetes][lease][fault]") {
    KubernetesOptions options;
    options.stable_identity = GENERATE(false, true);
    Elector elector(options);
    elector.restart();
    CHECK(elector.state.disk.process == 2);
    Record left = record_of(1, 3);
    left.process = options.stable_identity ? 0 : 1;
    elector.got(5, 7, left);
    if (options.stable_identity) {  // it takes itself for the leader: the same token once more
        CHECK(elector.updates(7).leader_transitions == 3);
        elector.wrote(10, true, 8);
        CHECK(elector.leads());
        CHECK(elector.view().epoch == 3);
    } else {
        CHECK(elector.sent<K::Update>().empty());
    }
}

TEST_CASE("kubernetes: a leader updates without looking, and looks when that fails",
          "[kubernetes][lease]") {
    Elector elector;
    elector.receives(5, K::GetReply{});
    elector.wrote(10, true, 1);
    elector.wrote(15, true, 2);  // the renewal
    CHECK(elector.cancels(K::Timer::deadline));
    elector.fires(2'015, K::Timer::retry);
    Record renewed = elector.updates(2);
    CHECK(renewed.renew_time == Instant{} + ms(2'015));
    CHECK(renewed.acquire_time == Instant{});
    elector.wrote(2'020, false, 3);  // somebody has touched the record
    CHECK(elector.sent<K::Get>().size() == 1);
    elector.got(2'025, 3, record_of(1, 0, 15));
    renewed = elector.updates(3);
    CHECK(renewed.leader_transitions == 0);
    elector.wrote(2'030, true, 4);
    CHECK(elector.leads());
    CHECK(elector.cancels(K::Timer::deadline));
}

TEST_CASE("kubernetes: answers to requests given up do not count", "[kubernetes][lease]") {
    Elector elector;
    elector.fires(5'000, K::Timer::request);
    CHECK(elector.sets(K::Timer::retry));
    elector.effects.clear();
    K::on_message(elector.state, elector.at(5'001), 3, K::GetReply{1, false, 0, {}},
                  elector.effects);
    CHECK(elector.effects.sends().empty());
    elector.fires(7'000, K::Timer::retry);
    elector.effects.clear();
    K::on_message(elector.state, elector.at(7'001), 3, K::GetReply{1, false, 0, {}},
                  elector.effects);  // of the first try
    CHECK(elector.effects.sends().empty());
    elector.receives(7'002, K::GetReply{});
    CHECK(elector.sent<K::Create>().size() == 1);
}

TEST_CASE("kubernetes: a tick that finds a try under way is dropped", "[kubernetes][lease]") {
    Elector elector;
    elector.receives(5, K::GetReply{});
    elector.wrote(10, true, 1);  // the first renewal is under way
    elector.fires(2'010, K::Timer::retry);
    CHECK(elector.effects.sends().empty());
    CHECK(elector.sets(K::Timer::retry));
    elector.fires(5'010, K::Timer::request);
    elector.fires(5'010, K::Timer::request);  // the look that follows it
    elector.fires(6'010, K::Timer::retry);
    CHECK(elector.effects.sends().size() == 1);
    elector.fires(10'010, K::Timer::deadline);
    CHECK_FALSE(elector.leads());
    CHECK(elector.sent<K::Update>().size() == 1);  // and runs again, at once
}

TEST_CASE("kubernetes: the API server takes an update of the version that it has, and no other",
          "[kubernetes][lease][safety]") {
    Machine<K> server(3, 2);
    server.start();
    const auto written = [&] {
        const auto replies = server.sent<K::WriteReply>();
        REQUIRE(replies.size() == 1);
        CHECK(server.effects.persists() == replies[0].second.written);
        return replies[0].second;
    };
    server.receive(1, K::Update{1, 0, record_of(1, 0)});
    CHECK(written() == K::WriteReply{1, false, 0});
    server.receive(1, K::Create{2, record_of(1, 0)});
    CHECK(written() == K::WriteReply{2, true, 1});
    server.receive(2, K::Create{3, record_of(2, 0)});
    CHECK(written() == K::WriteReply{3, false, 1});
    server.receive(2, K::Update{4, 1, record_of(2, 1)});
    CHECK(written() == K::WriteReply{4, true, 2});
    server.receive(1, K::Update{5, 1, record_of(1, 0)});
    CHECK(written() == K::WriteReply{5, false, 2});
    server.receive(1, K::Get{6});
    CHECK(server.sent<K::GetReply>()[0].second == K::GetReply{6, true, 2, record_of(2, 1)});
}

TEST_CASE("kubernetes: bad options are refused, as client-go refuses them",
          "[kubernetes][lease][format]") {
    const auto refused = [](const Value& options, const std::string& why) {
        CHECK_THROWS_WITH(Story("kubernetes", 3, options), why);
    };
    refused(Dict{{"retry_period_ms", 0}}, "retry_period_ms=0.0: must be above 0");
    refused(Dict{{"request_timeout_ms", 0}}, "request_timeout_ms=0.0: must be above 0");
    refused(Dict{{"jitter_percent", 10'001}}, "jitter_percent=10001: must be from 0 to 10000");
    refused(Dict{{"lease_duration_ms", 999}}, "lease_duration_ms=999.0: must be at least 1000");
    refused(Dict{{"lease_duration_ms", 10'000}},
            "lease_duration_ms=10000.0: must be above renew_deadline_ms, 10000.0");
    refused(Dict{{"renew_deadline_ms", 2400}},
            "renew_deadline_ms=2400.0: must be above retry_period_ms times jitter_percent, 2400.0");
}

// --- clocks that drift, and slow answers --------------------------------------------------------

namespace {

// Node 1 leads and is cut off after a renewal; node 2 sees that renewal as early as it can, and
// tries to take over as early as it may.
struct Takeover {
    std::int64_t applied;  // the renewal, at the API server
    std::int64_t answered;
    std::int64_t stopped;  // node 1 stops acting
    std::int64_t acts;     // node 2 begins to act
    std::int64_t two_lead;
};

constexpr std::int64_t delay_ns = 5'000'000;

Takeover takeover(std::int64_t slow, std::int64_t fast, const Value& options = Dict{},
                  double answer_ms = 5) {
    Story s("kubernetes", 2, options,
            Dict{{"network", network(5)},
                 {"initial_leader", 1},
                 {"one_leader_at_a_time", true},
                 {"nodes", List{clock_of(1, -slow), clock_of(2, fast)}}});
    Takeover found{};
    s.until(1);
    s.act(Dict{{"action", "link"}, {"from", nodes({3})}, {"to", nodes({1})},
               {"both_ways", false}, {"link", Dict{{"one_way_delay_ms", answer_ms}}}});
    const std::int64_t asked = s.due_ns(1, "retry");
    found.applied = asked + delay_ns;
    found.answered = found.applied + static_cast<std::int64_t>(answer_ms * 1e6);
    s.until(static_cast<double>(asked + 1) / 1e6);
    REQUIRE(s.due_ns(2, "retry") > 0);  // it waits
    s.fire(2, "retry");
    s.until(static_cast<double>(found.applied + 2) / 1e6);
    // The answer is on its way; nothing that node 1 sends from now on arrives.
    s.cut(nodes({1}), nodes({3}), false);
    s.until(static_cast<double>(found.answered + 1'000'000) / 1e6);
    REQUIRE(s.role(1) == Role::leader);
    const std::int64_t seen = asked + 1 + 2 * delay_ns;
    const double tries =
        static_cast<double>(first_shows(shows(seen, fast) + seconds(15).ns, fast)) / 1e6;
    s.until(tries);
    REQUIRE(s.leader() != 2);
    REQUIRE(s.due_ns(2, "retry") > 0);
    s.fire(2, "retry");
    found.acts = first_shows(shows(seen, fast) + seconds(15).ns, fast) + 4 * delay_ns;
    s.until(static_cast<double>(found.acts) / 1e6);
    REQUIRE(s.role(2) == Role::leader);
    REQUIRE(s.epoch(2) == 1);
    if (s.role(1) == Role::leader) {
        found.stopped = s.due_ns(1, "deadline");
        s.until(static_cast<double>(found.stopped) / 1e6);
    }
    REQUIRE(s.role(1) == Role::follower);
    found.two_lead = s.measures().split_brain.ns;
    CHECK((s.violations() > 0) == (found.two_lead > 0));
    return found;
}

// When node 1 stops: RetryPeriod and then RenewDeadline after its last answer, on its clock.
std::int64_t stops(const Takeover& t, std::int64_t slow, Duration retry, Duration deadline) {
    const std::int64_t round = first_shows(shows(t.answered, -slow) + retry.ns, -slow);
    return first_shows(shows(round, -slow) + deadline.ns, -slow);
}

}  // namespace

TEST_CASE("kubernetes: a leader acts for RetryPeriod + RenewDeadline after its last answer, and "
          "that is what LeaseDuration must cover",
          "[kubernetes][lease][drift][safety]") {
    // Fastest clock to slowest: 1.105, 1.222, then 1.286, 1.4 and 1.5.
    const auto [rho, overlaps] = GENERATE(std::pair{50'000, false}, std::pair{100'000, false},
                                          std::pair{125'000, true}, std::pair{166'666, true},
                                          std::pair{199'999, true});
    CAPTURE(rho);
    const Takeover t = takeover(rho, rho);
    const std::int64_t expected = stops(t, rho, seconds(2), seconds(10)) - t.acts;
    CHECK(t.two_lead == std::max<std::int64_t>(0, expected));  // to the nanosecond
    CHECK((expected > 0) == overlaps);
    // The source's comment promises about 15 / 10 = 1.5. It is 15 / (10 + 2) = 1.25 and latency.
    const double ratio = static_cast<double>(million + rho) / static_cast<double>(million - rho);
    CHECK((ratio > 1.25) == overlaps);
    CHECK(ratio < 1.5);
}

TEST_CASE("kubernetes: a slow answer makes two leaders with perfect clocks",
          "[kubernetes][lease][safety]") {
    // An answer may take as long as its request is waited for, 5 s: more than 15 - 10 - 2.
    CHECK(takeover(0, 0).two_lead == 0);
    CHECK(takeover(0, 0, Dict{}, 3'000).two_lead == 0);
    const Takeover t = takeover(0, 0, Dict{}, 4'900);
    CHECK(t.stopped == t.applied + ms(4'900).ns + seconds(12).ns);
    CHECK(t.acts == t.applied + 1 + seconds(15).ns + 5 * delay_ns);
    CHECK(t.two_lead == ms(1'900).ns - 5 * delay_ns - 1);
}

TEST_CASE("kubernetes: what the configuration is checked for is not enough",
          "[kubernetes][lease][safety]") {
    // LeaseDuration > RenewDeadline is asked for; RenewDeadline + RetryPeriod is what is needed.
    const Takeover t = takeover(0, 0, Dict{{"renew_deadline_ms", 14'900}});
    CHECK(t.two_lead == ms(1'900).ns + delay_ns - 1 - 5 * delay_ns);
    // And the record holds whole seconds: of 15.999 it says 15.
    CHECK(takeover(0, 0, Dict{{"lease_duration_ms", 15'999}, {"renew_deadline_ms", 14'900}})
              .two_lead == t.two_lead);
}

TEST_CASE("kubernetes: a renewal tried twice writes the same bytes twice, and one lost answer makes "
          "two leaders with perfect clocks",
          "[kubernetes][lease][safety]") {
    Story s("kubernetes", 2, Dict{},
            Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
    s.until(2'000.000'001);
    s.fire(2, "retry");  // it sees the renewal of 2 s at 2.01
    s.cut(nodes({3}), nodes({1}), false);
    s.until(6'000);
    s.act("heal");
    s.until(6'999);
    CHECK(s.whole(3, "disk.resource_version") == 2);
    // At 7 s the request of 2 s is given up; the try looks, and writes what it wanted to write.
    s.until(7'021);
    CHECK(s.whole(3, "disk.resource_version") == 3);
    CHECK(s.field(3, "disk.record.renew_time") == Value(2'000.0));
    REQUIRE(s.due_ns(1, "retry") == ms(9'020).ns);
    s.cut(nodes({1}), nodes({3}), true);
    s.until(17'010.000'001);  // 15 s since node 2 saw a change
    s.fire(2, "retry");
    s.until(30'000);
    CHECK(s.leader() == 2);
    CHECK(s.measures().split_brain == ms(19'020) - ms(17'030) - nanoseconds(1));
    CHECK(s.violations() == 1);
}

TEST_CASE("kubernetes: renewals within one second look the same", "[kubernetes][lease]") {
    Elector elector;
    elector.got(100, 7, record_of(2, 3, 1'000));
    elector.fires(5'000, K::Timer::retry);
    elector.got(5'005, 8, record_of(2, 3, 1'999));
    CHECK(elector.state.memory.observed_at == Instant{} + ms(100));
    elector.fires(6'000, K::Timer::retry);
    elector.got(6'005, 9, record_of(2, 3, 2'000));
    CHECK(elector.state.memory.observed_at == Instant{} + ms(6'005));
}

TEST_CASE("kubernetes: clock offsets do not matter", "[kubernetes][lease]") {
    Story s("kubernetes", 3, Dict{},
            Dict{{"network", network(5)},
                 {"one_leader_at_a_time", true},
                 {"nodes", List{Dict{{"node", 1}, {"config", Dict{{"clock_offset_ms", -9e6}}}},
                                Dict{{"node", 2}, {"config", Dict{{"clock_offset_ms", 8e6}}}}}}});
    s.until(60'000);
    CHECK(s.leader() != no_node);
    CHECK(s.measures().leader_changes == 0);
    CHECK(s.violations() == 0);
}

TEST_CASE("kubernetes: within the true bound nothing makes two leaders",
          "[kubernetes][lease][safety][fault]") {
    std::int64_t leaderships = 0;
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        List clocks;
        for (NodeId node = 1; node <= 4; ++node) {  // 18 / 1.1 > (12 + 3 * 0.3 + 1) / 0.9
            clocks.push_back(Dict{{"node", node}, {"config", Dict{{"clock_drift_ppm", List{-100'000, 100'000}}}}});
        }
        Story s("kubernetes", 4, Dict{{"lease_duration_ms", 18'000}, {"request_timeout_ms", 300}},
                Dict{{"seed", seed},
                     {"network", Dict{{"one_way_delay_ms", List{0.1, 90}},
                                      {"loss_probability", 0.1},
                                      {"duplicate_probability", 0.2}}},
                     {"nodes", clocks},
                     {"one_leader_at_a_time", true}},
                false);
        CAPTURE(seed);
        const RandomStream stream{mix64(static_cast<std::uint64_t>(seed))};
        for (std::uint64_t i = 0; i < 20; ++i) {
            s.for_ms(2'000 + 15'000 * open_unit(stream.word(3 * i)));
            const auto victim = static_cast<NodeId>(1 + stream.word(3 * i + 1) % 5);
            switch (stream.word(3 * i + 2) % 5) {
                case 0: s.crash(victim); break;
                case 1: s.restart(victim); break;
                case 2: s.cut(List{victim}, nodes({5}), victim % 2 == 0); break;
                case 3:
                    s.act(Dict{{"action", "command"}, {"node", victim},
                               {"command", seed % 3 == 0 ? "Cancel" : "Run"}});
                    break;
                default: s.act("heal"); break;
            }
        }
        REQUIRE(s.violations() == 0);
        leaderships += s.measures().leaderships;
    }
    CHECK(leaderships > seeds(200));
}

// --- what else goes wrong -----------------------------------------------------------------------

TEST_CASE("kubernetes: a leader that wakes late finds the other's record and acts on for its "
          "whole RenewDeadline",
          "[kubernetes][lease][fault]") {
    Story s("kubernetes", 2, Dict{},
            Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
    s.until(3'000);
    s.pause(1);
    s.until(40'000);
    REQUIRE(s.role(2) == Role::leader);
    s.resume(1);
    s.for_ms(100);
    CHECK(s.field(1, "memory.observed.holder") == Value(2));  // it knows
    CHECK(s.role(1) == Role::leader);
    s.for_ms(9'899);
    CHECK(s.role(1) == Role::leader);
    s.for_ms(2);
    CHECK(s.role(1) == Role::follower);
    CHECK(s.measures().split_brain == seconds(10));
    CHECK(s.epoch(2) == 1);  // the transitions tell them apart, for a resource that checks them
}

TEST_CASE("kubernetes: whoever deletes the lease makes two leaders and the same token twice",
          "[kubernetes][lease][fault]") {
    Story s("kubernetes", 2, Dict{},
            Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(2'100);
    s.act(Dict{{"action", "command"}, {"node", 3}, {"command", "DeleteLease"}});
    s.fire(2, "retry");  // it happens to look first
    s.for_ms(100);
    CHECK(s.role(1) == Role::leader);
    CHECK(s.role(2) == Role::leader);
    CHECK(s.epoch(1) == 0);
    CHECK(s.epoch(2) == 0);
    REQUIRE(s.violations() == 1);
    CHECK(s->monitor().violations()[0].invariant == "one_leader_per_epoch");
    s.for_ms(20'000);
    CHECK(s.all_follow(2));
}

TEST_CASE("kubernetes: with ReleaseOnCancel the next leader need not wait for the lease",
          "[kubernetes][lease]") {
    const bool release = GENERATE(true, false);
    Story s("kubernetes", 3, Dict{{"release_on_cancel", release}},
            Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
    s.until(30'500);
    s.act(Dict{{"action", "command"}, {"node", 1}, {"command", "Cancel"}});
    CHECK(s.role(1) == Role::follower);
    CHECK(s.until_leader(4'400 + 25) == release);  // one wait, and two requests
    REQUIRE(s.until_leader(15'000));
    CHECK(s.leader() != 1);
    CHECK(s.epoch(s.leader()) == 1);
    s.for_ms(20'000);
    CHECK(s.field(1, "memory.phase") == Value("stopped"));
    s.act(Dict{{"action", "command"}, {"node", 1}, {"command", "Run"}});
    s.for_ms(5'000);
    CHECK(s.believes(1) == s.leader());
    CHECK(s.violations() == 0);
}

TEST_CASE("kubernetes: with ReleaseOnCancel a leader that misses its deadline acts until the release "
          "is answered",
          "[kubernetes][lease][safety]") {
    Story s("kubernetes", 2, Dict{{"release_on_cancel", true}},
            Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
    s.until(3'000);
    s.cut(nodes({1}), nodes({3}), true);
    s.until(4'100);  // its round began at 4.01 s
    const std::int64_t deadline = s.due_ns(1, "deadline");
    s.until(static_cast<double>(deadline) / 1e6 - 0.1);
    s.act("heal");
    s.act(Dict{{"action", "link"}, {"from", nodes({3})}, {"to", nodes({1})}, {"both_ways", false},
               {"link", Dict{{"one_way_delay_ms", 3'000}}}});
    s.for_ms(6);  // the release has arrived
    CHECK(s.field(3, "disk.record.holder") == Value(0));
    s.fire(2, "retry");
    s.for_ms(20);
    CHECK(s.role(2) == Role::leader);
    CHECK(s.role(1) == Role::leader);
    s.for_ms(3'000);
    CHECK(s.role(1) == Role::follower);
    CHECK(s.measures().split_brain == nanoseconds(deadline) + ms(3'005) -
                                          (nanoseconds(deadline) - us(100) + ms(26)));
    CHECK(s.violations() == 1);
}

TEST_CASE("kubernetes: a leader costs two messages a RetryPeriod", "[kubernetes][lease][cost]") {
    Story s("kubernetes", 1, Dict{}, Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(20'100);  // one round: 2 s and two delays
    CHECK(s.sent("Update") == 10);
    CHECK(s.sent("WriteReply") == 10);
    CHECK(s.sent("Get") == 0);
}

// --- the leader crashes -------------------------------------------------------------------------

TEST_CASE("kubernetes: whenever the leader crashes, 2 to 9 electors have a new one in time",
          "[kubernetes][lease][liveness][acceptance]") {
    // LeaseDuration + 3 W + 12 d, with W = RetryPeriod (1 + JitterFactor); docs/protocols/kubernetes.md.
    leader_crash::survives({.protocol = "kubernetes",
                            .config = Dict{{"one_leader_at_a_time", true}},
                            .bound_ms = [](const leader_crash::Crash&) {
                                return 15'000 + 3 * 4'400 + 12 * 10;
                            },
                            .stays_ms = 30'000,
                            .patience_ms = 60'000,
                            .heartbeat_ms = 2'500,
                            .alive = 0.6,
                            .seeds = 1000},
                           GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("kubernetes: golden runs", "[kubernetes][lease][golden]") {
    golden::check_runs("kubernetes", {
        {"kubernetes_plain", "kubernetes", 3, Dict{}, Dict{{"seed", 1}}, 400'000},
        {"kubernetes_crashes", "kubernetes", 5, Dict{},
         Dict{{"seed", 2}, {"actions", List{golden::plan(golden::random_node("crash"), 20'000)}}},
         300'000},
        {"kubernetes_bad_world", "kubernetes", 5,
         Dict{{"release_on_cancel", true}, {"stable_identity", true}},
         Dict{{"seed", 3}, {"network", golden::bad_links()}, {"every_node", golden::machines()}},
         200'000},
    });
}

#include "electionlab/protocols/lease.h"

#include <algorithm>
#include <string>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using LeaseNode = Machine<Lease>;
using Ask = Lease::Ask;
using Answer = Lease::Answer;

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

struct Manager : LeaseNode {  // of two members
    explicit Manager(LeaseOptions given = {}) : LeaseNode(3, 2, given) { start(); }
    [[nodiscard]] electionlab::Context<LeaseOptions> at(std::int64_t clock_ms) const {
        return {this->options, 3, 2, 3, no_node, Instant{} + ms(clock_ms), {}};
    }
    Answer ask(NodeId from, std::int64_t clock_ms, Instant asked_at = {}) {
        effects.clear();
        Lease::on_message(state, at(clock_ms), from, Ask{asked_at}, effects);
        const auto answers = sent<Answer>();
        REQUIRE(answers.size() == 1);
        REQUIRE(answers[0].first == from);
        return answers[0].second;
    }
    void crash_and_restart(std::int64_t clock_ms) {
        effects.clear();
        state.memory = {};
        Lease::on_restart(state, at(clock_ms), effects);
    }
};

struct Member : LeaseNode {  // node 1 of two
    explicit Member(LeaseOptions given = {}) : LeaseNode(1, 2, given) {}
    [[nodiscard]] electionlab::Context<LeaseOptions> at(std::int64_t clock_ms) const {
        return {this->options, 1, 2, 3, no_node, Instant{} + ms(clock_ms), {}};
    }
    void answered(std::int64_t clock_ms, std::int64_t asked_ms, NodeId holder, Epoch token) {
        effects.clear();
        Lease::on_message(state, at(clock_ms), 3, Answer{Instant{} + ms(asked_ms), holder, token},
                          effects);
    }
    [[nodiscard]] bool leads() const { return Lease::view(state, at(0)).leads(); }
    // How long the expiry timer was set by the last input; -1: it was not.
    [[nodiscard]] std::int64_t expires_in_ns() const {
        std::int64_t span = -1;
        for (const auto& change : effects.timers()) {
            if (change.timer == static_cast<std::uint32_t>(Lease::Timer::expiry) && change.set) {
                span = change.spec.min.ns;
            }
        }
        return span;
    }
};

LeaseOptions exact_clocks() {
    LeaseOptions options;
    options.drift_bound_ppm = 0;
    return options;
}

}  // namespace

TEST_CASE("lease: a holder believes in D (1 - rho) / (1 + rho) of a term D", "[lease]") {
    LeaseOptions options;
    options.lease_ttl = seconds(10);
    const auto held = [&](std::int64_t ppm) {
        options.drift_bound_ppm = ppm;
        return options.held().ns;
    };
    CHECK(held(0) == 10'000'000'000);
    CHECK(held(1000) == 9'980'019'980);  // 10 s * 999 / 1001, rounded down
    CHECK(held(200'000) == 6'666'666'666);
    options.lease_ttl = longest_duration;  // and nothing overflows
    CHECK(held(499'999) == 333'334'222'222'814);
}

TEST_CASE("lease: the manager lends to the first who asks, and to nobody else", "[lease][safety]") {
    Manager manager;
    const Answer first = manager.ask(1, 10, Instant{} + ms(3));
    CHECK(first == Answer{Instant{} + ms(3), 1, 1});
    CHECK(manager.effects.persists());  // before the answer leaves
    CHECK(manager.ask(2, 20) == Answer{{}, 1, 1});
    CHECK_FALSE(manager.effects.persists());
    CHECK_FALSE(manager.sets(Lease::Timer::expiry));  // asking in vain makes no lease longer
    // A renewal: the same number, and a new term.
    CHECK(manager.ask(1, 60) == Answer{{}, 1, 1});
    CHECK(manager.sets(Lease::Timer::expiry));
    CHECK_FALSE(manager.effects.persists());
    CHECK(manager.state.memory.until == Instant{} + ms(210));
    // Not before the term is over; and at that very instant it is.
    CHECK(manager.ask(2, 209).holder == 1);
    CHECK(manager.ask(2, 210) == Answer{{}, 2, 2});
}

TEST_CASE("lease: who lets its lease run out gets a new number, who renews does not", "[lease]") {
    Manager manager;
    manager.ask(1, 0);
    manager.expire(Lease::Timer::expiry);
    CHECK(manager.view().leader == no_node);
    CHECK(manager.ask(1, 200).token == 2);
}

TEST_CASE("lease: with durable grants the manager knows after a crash whose lease it was",
          "[lease][fault]") {
    Manager manager;
    manager.ask(1, 0);
    manager.crash_and_restart(100);
    CHECK(manager.sets(Lease::Timer::expiry));
    CHECK(manager.ask(2, 249) == Answer{{}, 1, 1});  // renewed at 99, for all it knows
    CHECK(manager.ask(1, 249) == Answer{{}, 1, 1});  // and may be renewed
    CHECK(manager.ask(2, 398).holder == 1);
    CHECK(manager.ask(2, 399) == Answer{{}, 2, 2});
}

TEST_CASE("lease: without durable grants it waits for the longest term, and keeps its numbers",
          "[lease][fault]") {
    LeaseOptions options;
    options.durable_grants = false;
    Manager manager(options);
    manager.ask(1, 0);
    manager.crash_and_restart(100);
    CHECK(manager.ask(1, 110) == Answer{{}, no_node, 1});
    CHECK(manager.ask(2, 249) == Answer{{}, no_node, 1});
    CHECK(manager.ask(2, 250) == Answer{{}, 2, 2});
}

TEST_CASE("lease: only the number that was lent last can be given back", "[lease]") {
    Manager manager;
    manager.ask(1, 0);
    manager.receive(2, Lease::Release{1});
    CHECK(manager.view().leader == 1);
    manager.receive(1, Lease::Release{1});
    CHECK(manager.view().leader == no_node);
    CHECK(manager.ask(2, 1).token == 2);
    manager.receive(1, Lease::Release{1});  // a copy
    CHECK(manager.view().leader == 2);
    CHECK(manager.ask(2, 1).token == 2);
    manager.receive(2, Lease::Release{2});
    CHECK(manager.ask(1, 2).token == 3);
    manager.receive(1, Lease::Release{1});  // a copy that comes when its sender leads anew
    CHECK(manager.view().leader == 1);
    CHECK(manager.ask(1, 3).token == 3);
}

TEST_CASE("lease: a holder counts from the sending of its request", "[lease][safety]") {
    Member member(exact_clocks());
    member.answered(40, 10, 1, 1);
    CHECK(member.leads());
    CHECK(member.expires_in_ns() == ms(120).ns);  // 10 + 150 - 40
    CHECK(member.sets(Lease::Timer::ask));
    // The wrong way, for showing.
    LeaseOptions wrong = exact_clocks();
    wrong.count_from = CountFrom::receiving;
    Member other(wrong);
    other.answered(40, 10, 1, 1);
    CHECK(other.expires_in_ns() == ms(150).ns);
}

TEST_CASE("lease: an answer that took longer than the term makes nobody leader", "[lease][safety]") {
    Member member(exact_clocks());
    member.answered(160, 10, 1, 1);
    CHECK_FALSE(member.leads());
    member.answered(159, 10, 1, 1);
    CHECK(member.leads());
}

TEST_CASE("lease: copies and late answers neither shorten nor stretch a lease", "[lease][safety]") {
    Member member(exact_clocks());
    member.answered(20, 10, 1, 3);
    member.answered(70, 60, 1, 3);
    CHECK(member.expires_in_ns() == ms(140).ns);
    CHECK_FALSE(member.sets(Lease::Timer::ask));  // nor do they make it ask more often
    member.answered(90, 10, 1, 3);                // a copy of the first
    CHECK(member.expires_in_ns() == ms(120).ns);
    member.answered(95, 61, 2, 2);  // overtaken: of the lease before
    CHECK(member.leads());
    member.answered(100, 80, 2, 4);
    CHECK_FALSE(member.leads());
    CHECK(member.view().leader == 2);
    CHECK(member.view().epoch == 4);
    member.answered(105, 70, 1, 3);
    CHECK_FALSE(member.leads());
}

TEST_CASE("lease: a holder that does not renew stops by itself", "[lease][safety]") {
    Member member;
    member.answered(20, 10, 1, 1);
    member.expire(Lease::Timer::expiry);
    CHECK_FALSE(member.leads());
    CHECK(member.view().leader == no_node);
}

TEST_CASE("lease: after giving back it stops first, and late answers do not wake it", "[lease]") {
    Member member(exact_clocks());
    member.answered(20, 10, 1, 1);
    member.effects.clear();
    Lease::on_command(member.state, member.at(30), Lease::Resign{}, member.effects);
    CHECK_FALSE(member.leads());
    REQUIRE(member.sent<Lease::Release>().size() == 1);
    CHECK(member.sent<Lease::Release>()[0].second.token == 1);
    CHECK(member.cancels(Lease::Timer::expiry));
    member.answered(35, 30, 1, 1);  // asked just before
    CHECK_FALSE(member.leads());
    member.answered(35, 31, 1, 2);
    CHECK(member.leads());
    member.command(Lease::Resign{});
    member.command(Lease::Resign{});  // has none
    CHECK(member.effects.sends().empty());
}

TEST_CASE("lease: what it asked before a crash is not answered to it after", "[lease][fault]") {
    Member member(exact_clocks());
    member.effects.clear();
    Lease::on_restart(member.state, member.at(50), member.effects);
    CHECK(member.sent<Ask>().size() == 1);
    member.answered(60, 40, 1, 1);
    CHECK_FALSE(member.leads());
    member.answered(60, 50, 1, 1);
    CHECK(member.leads());
}

TEST_CASE("lease: bad options are refused", "[lease][format]") {
    const auto refused = [](const Value& options, const std::string& why) {
        CHECK_THROWS_WITH(Story("lease", 3, options), why);
    };
    refused(Dict{{"lease_ttl_ms", 0}}, "lease_ttl_ms=0.0: must be above 0");
    refused(Dict{{"renew_interval_ms", 0}}, "renew_interval_ms=0.0: must be above 0");
    refused(Dict{{"retry_interval_ms", 0}}, "retry_interval_ms=0.0: must be above 0");
    refused(Dict{{"drift_bound_ppm", 500'000}},
            "drift_bound_ppm=500000: must be from 0 to below 500000");
    refused(Dict{{"lease_ttl_ms", 50}, {"drift_bound_ppm", 0}},
            "renew_interval_ms=50.0: must be below what a holder believes in of lease_ttl_ms, "
            "50.0 ms");
}

// --- clocks that drift --------------------------------------------------------------------------

namespace {

// The holder's clock is slow, the manager's fast. After its second request the holder is cut off;
// node 2 asks such that it is heard at the very moment at which the lease ends.
struct Overlap {
    std::int64_t asked;     // true time: the holder's last request leaves
    std::int64_t granted;   // the manager lends to node 2
    std::int64_t stopped;   // the holder stops
    std::int64_t two_lead;  // for so long both act
    std::int64_t violations;
};

Overlap overlap(std::int64_t rho, std::int64_t believed_rho, std::int64_t ttl_ms, double delay_ms,
                const char* count_from = "sending") {
    constexpr NodeId manager = 3;
    Story s("lease", 2,
            Dict{{"lease_ttl_ms", ttl_ms},
                 {"renew_interval_ms", ttl_ms / 3},
                 {"retry_interval_ms", 1e8},
                 {"drift_bound_ppm", believed_rho},
                 {"count_from", count_from}},
            Dict{{"network", network(delay_ms)},
                 {"initial_leader", 1},
                 {"one_leader_at_a_time", true},
                 {"nodes", List{clock_of(1, -rho), clock_of(manager, rho)}}});
    Overlap found{};
    s.until(1);
    found.asked = s.due_ns(1, "ask");
    s.until(static_cast<double>(found.asked) / 1e6 + 2 * delay_ms + 1);
    REQUIRE(s.role(1) == Role::leader);
    s.cut(nodes({1}), nodes({3}), true);
    found.granted = s.due_ns(manager, "expiry");
    found.stopped = s.due_ns(1, "expiry");
    s.until(static_cast<double>(found.granted) / 1e6 - delay_ms);
    s.fire(2, "ask");
    s.until(static_cast<double>(std::max(found.granted, found.stopped)) / 1e6 + delay_ms);
    REQUIRE(s.role(1) == Role::follower);
    REQUIRE(s.role(2) == Role::leader);
    REQUIRE(s.epoch(2) == 2);
    found.two_lead = s.measures().split_brain.ns;
    found.violations = static_cast<std::int64_t>(s.violations());
    return found;
}

}  // namespace

TEST_CASE("lease: holding the whole term D overlaps by 2 rho D / (1 - rho^2) less the delay",
          "[lease][drift][fault]") {
    const std::int64_t rho = GENERATE(100, 1'000, 10'000, 123'456);
    const std::int64_t ttl_ms = GENERATE(10'000, 777'777);
    constexpr std::int64_t delay = 500'000;
    CAPTURE(rho, ttl_ms);
    const Overlap o = overlap(rho, 0, ttl_ms, 0.5);
    // To the nanosecond: each clock shows whole nanoseconds, and no timer expires early by it.
    const std::int64_t term = ms(ttl_ms).ns;
    const std::int64_t stopped = first_shows(shows(o.asked, -rho) + term, -rho);
    const std::int64_t granted = first_shows(shows(o.asked + delay, rho) + term, rho);
    CHECK(o.stopped == stopped);
    CHECK(o.granted == granted);
    CHECK(o.two_lead == std::max<std::int64_t>(0, stopped - (granted + delay)));
    // And that is the formula; the new leader's answer takes one delay more.
    const auto r = static_cast<long double>(rho) / million;
    const long double formula = 2 * r * static_cast<long double>(term) / (1 - r * r) - delay;
    CHECK(std::abs(static_cast<long double>(o.stopped - o.granted) - formula) <= 2);
    CHECK(o.violations == (o.two_lead > 0 ? 1 : 0));
    CHECK(o.two_lead > 0);
}

TEST_CASE("lease: holding D (1 - rho) / (1 + rho) never overlaps, and is tight but for the delay",
          "[lease][drift][safety]") {
    const std::int64_t rho = GENERATE(100, 1'000, 10'000, 123'456, 499'999);
    const std::int64_t ttl_ms = GENERATE(10'000, 777'777);
    constexpr std::int64_t delay = 500'000;
    CAPTURE(rho, ttl_ms);
    const Overlap o = overlap(rho, rho, ttl_ms, 0.5);
    const std::int64_t term = ms(ttl_ms).ns;
    const std::int64_t held =
        term / (million + rho) * (million - rho) +
        term % (million + rho) * (million - rho) / (million + rho);
    CHECK(o.stopped == first_shows(shows(o.asked, -rho) + held, -rho));
    CHECK(o.granted == first_shows(shows(o.asked + delay, rho) + term, rho));
    CHECK(o.two_lead == 0);
    CHECK(o.violations == 0);
    // The holder stops one delay before the next grant; the clocks' nanoseconds account for the rest.
    CHECK(std::abs(o.granted - o.stopped - delay) <= 4);
}

TEST_CASE("lease: one part per million less than rho believed in is too much", "[lease][drift]") {
    // D so long that what a part per million makes, 2e-6 D, exceeds both delays.
    CHECK(overlap(1'000, 1'000, 100'000'000, 0.001).two_lead == 0);
    const Overlap o = overlap(1'000, 999, 100'000'000, 0.001);
    CHECK(o.two_lead > 190'000'000);
    CHECK(o.two_lead < 210'000'000);
}

TEST_CASE("lease: counting from the receiving of a slow answer overlaps even with perfect clocks",
          "[lease][safety]") {
    // Asked at 140, granted at 145 until 295, answered at 225: believed in until 290, or 375. The
    // next leader is granted its lease at 295 and hears of it at 300.
    const auto two_lead = [](const char* from) {
        Story s("lease", 2,
                Dict{{"drift_bound_ppm", 0},
                     {"renew_interval_ms", 140},
                     {"retry_interval_ms", 1e8},
                     {"count_from", from}},
                Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
        s.until(1);
        s.act(Dict{{"action", "link"}, {"from", nodes({3})}, {"to", nodes({1})},
                   {"both_ways", false}, {"link", Dict{{"one_way_delay_ms", 80}}}});
        s.until(226);
        REQUIRE(s.role(1) == Role::leader);
        s.cut(nodes({1}), nodes({3}), true);
        REQUIRE(s.due_ns(3, "expiry") == 295'000'000);
        s.until(290);
        s.fire(2, "ask");
        s.for_ms(100);
        REQUIRE(s.leader() == 2);
        CHECK((s.violations() == 0) == (s.measures().split_brain.ns == 0));
        return s.measures().split_brain;
    };
    CHECK(two_lead("sending") == ms(0));
    CHECK(two_lead("receiving") == ms(75));
}

// --- clusters -----------------------------------------------------------------------------------

TEST_CASE("lease: a renewed lease lasts, with one number and two messages a renewal",
          "[lease][cost]") {
    Story s("lease", 1, Dict{},
            Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
    s.until(10'049);
    CHECK(s.role(1) == Role::leader);
    CHECK(s.epoch(1) == 1);
    CHECK(s.sent("Ask") == 200);
    CHECK(s.sent("Answer") == 200);
    CHECK(s.measures().leader_changes == 0);
}

TEST_CASE("lease: giving back makes the next leader without a wait", "[lease]") {
    Story s("lease", 3, Dict{}, Dict{{"network", network(5)}, {"initial_leader", 2}});
    s.until(500);
    s.act(Dict{{"action", "command"}, {"node", 2}, {"command", "Resign"}});
    CHECK(s.role(2) == Role::follower);
    REQUIRE(s.until_leader(60 + 10));  // a retry interval and two delays, and no term
    CHECK(s.leader() != 2);
    REQUIRE(s.until_agreement(200));
    CHECK(s.epoch(s.leader()) == 2);
}

TEST_CASE("lease: the manager down, nobody leads after a term; back, somebody does, newly numbered",
          "[lease][fault]") {
    const bool durable = GENERATE(true, false);
    Story s("lease", 3, Dict{{"durable_grants", durable}},
            Dict{{"network", network(5)}, {"one_leader_at_a_time", true}});
    REQUIRE(s.until_agreement(1000));
    const Epoch token = s.epoch(s.leader());
    s.crash(4);
    s.for_ms(150);
    CHECK(s.leader() == no_node);
    s.restart(4);
    const double back = s.now_ms();
    REQUIRE(s.until_leader(2000));
    CHECK(s.epoch(s.leader()) >= token);
    if (!durable) {
        CHECK(s.epoch(s.leader()) == token + 1);
        CHECK(s.now_ms() - back >= 150);
    }
    CHECK(s.violations() == 0);
}

TEST_CASE("lease: a manager whose disk is lost is not believed", "[lease][fault]") {
    Story s("lease", 3, Dict{}, Dict{{"network", network(5)}, {"one_leader_at_a_time", true}});
    for (int i = 0; i < 3; ++i) {  // some numbers are used up
        REQUIRE(s.until_agreement(1000));
        s.act(Dict{{"action", "command"}, {"node", s.leader()}, {"command", "Resign"}});
    }
    REQUIRE(s.until_agreement(1000));
    REQUIRE(s.epoch(s.leader()) == 4);
    s.crash(4);
    s.act(Dict{{"action", "restart"}, {"node", 4}, {"lose_disk", true}});
    s.for_ms(151);
    for (int i = 0; i < 20; ++i) {
        s.for_ms(7);
        if (s.leader() != no_node) {
            CHECK(s.epoch(s.leader()) >= 4);
        }
    }
}

TEST_CASE("lease: loss, copies, reordering, crashes, cuts and drift never make two leaders",
          "[lease][safety][fault]") {
    std::int64_t grants = 0;
    for (std::int64_t seed = 0; seed < seeds(400); ++seed) {
        const std::int64_t rho = 1000 * (1 + seed % 100);
        const bool durable = seed % 2 == 0;
        const Dict link{{"one_way_delay_ms", List{0.1, 40}},
                        {"loss_probability", 0.2},
                        {"duplicate_probability", 0.3},
                        {"reorder_probability", 0.2},
                        {"reorder_delay_ms", List{0, 300}}};
        List clocks;
        for (NodeId node = 1; node <= 5; ++node) {
            clocks.push_back(Dict{
                {"node", node},
                {"config", Dict{{"clock_drift_ppm", List{-rho, rho}},
                                {"clock_offset_ms", static_cast<double>(seed % 7) * 1000.0 - 3000}}}});
        }
        Story s("lease", 4, Dict{{"drift_bound_ppm", rho}, {"renew_interval_ms", 30},
                                 {"durable_grants", durable}},
                Dict{{"seed", seed},
                     {"network", link},
                     {"nodes", clocks},
                     {"one_leader_at_a_time", true}},
                false);
        CAPTURE(seed, rho, durable);
        const RandomStream stream{mix64(static_cast<std::uint64_t>(seed))};
        for (std::uint64_t i = 0; i < 20; ++i) {
            s.for_ms(100 + 150 * open_unit(stream.word(3 * i)));
            const auto victim = static_cast<NodeId>(1 + stream.word(3 * i + 1) % 5);
            switch (stream.word(3 * i + 2) % 4) {
                case 0: s.crash(victim); break;
                case 1: s.restart(victim); break;
                case 2: s.cut(List{victim}, nodes({5}), victim % 2 == 0); break;
                default: s.act("heal"); break;
            }
        }
        REQUIRE(s.violations() == 0);
        REQUIRE(s.measures().split_brain.ns == 0);
        grants += s.measures().leaderships;
    }
    CHECK(grants > 3 * seeds(400));  // and there was something to see
}

TEST_CASE("lease: a holder that sleeps through the end of its lease wakes as a second leader",
          "[lease][fault]") {
    Story s("lease", 3, Dict{},
            Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
    s.until(100);
    s.pause(1);
    s.until(1000);
    REQUIRE(s.leader() != no_node);
    REQUIRE(s.leader() != 1);
    REQUIRE(s.violations() == 0);
    s.resume(1);
    CHECK(s.violations() == 1);  // it acts, if only until it looks at its clock
    CHECK(s.epoch(1) == 1);      // and its number says that it is late
    s.for_ms(100);
    CHECK(s.epoch(s.leader()) == 2);
    CHECK(s.role(1) == Role::follower);
}

// --- the leader crashes -------------------------------------------------------------------------

TEST_CASE("lease: whenever the leader crashes, 2 to 9 members have a new one in time",
          "[lease][liveness][acceptance]") {
    // TTL + retry + 3 d; derived in docs/protocols/lease.md.
    leader_crash::survives({.protocol = "lease",
                            .config = Dict{{"one_leader_at_a_time", true}},
                            .bound_ms = [](const leader_crash::Crash&) {
                                return 150 + 60 + 3 * 10;
                            },
                            .alive = 0.9,
                            .seeds = 2000},
                           GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("lease: golden runs", "[lease][golden]") {
    golden::check_runs("lease", {
        {"lease_plain", "lease", 3, Dict{}, Dict{{"seed", 1}}, 2000},
        {"lease_warm", "lease", 4, Dict{{"drift_bound_ppm", 0}},
         Dict{{"seed", 2}, {"initial_leader", 2}}, 2000},
        {"lease_crashes", "lease", 5, Dict{},
         Dict{{"seed", 3}, {"actions", List{golden::plan(golden::random_node("crash"), 300)}}},
         4000},
        {"lease_bad_world", "lease", 5,
         Dict{{"durable_grants", false}, {"drift_bound_ppm", 200'000}, {"lease_ttl_ms", 400}},
         Dict{{"seed", 4}, {"network", golden::bad_links()}, {"every_node", golden::machines()}},
         4000},
    });
}

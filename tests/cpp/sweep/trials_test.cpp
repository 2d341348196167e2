#include "electionlab/sweep/trials.h"

#include <cmath>
#include <stdexcept>

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

RunnerFactory leader_crashes(const char* protocol, const Value& more = Dict{},
                             const Experiment& experiment = Experiment::leader_crash()) {
    return find_protocol(protocol).make_trials(
        Dict{}, 5, merged(Dict{{"seed", 3}, {"initial_leader", 5}}, more), experiment);
}

}  // namespace

TEST_CASE("trials: each stage of a failover comes after the one before", "[sweep]") {
    const char* protocol = GENERATE("raft", "bully", "ring");
    const TrialTable table = run_parallel(leader_crashes(protocol), 0, seeds(2000), 2, {});
    for (std::size_t i = 0; i < table.size(); ++i) {
        CAPTURE(protocol, i);
        REQUIRE(table.censored[i] == 0);
        REQUIRE(table.violated[i] == 0);
        REQUIRE(table.from_ms[i] >= 0);
        REQUIRE(table.from_ms[i] <= 75);
        REQUIRE(table.detection_ms[i] > 0);
        REQUIRE(table.elected_ms[i] >= table.detection_ms[i]);
        REQUIRE(table.followed_ms[i] >= table.elected_ms[i]);
        REQUIRE(table.agreed_ms[i] >= table.followed_ms[i]);
        REQUIRE(table.candidacies[i] >= 1);
        REQUIRE(table.messages[i] > 0);
        REQUIRE(table.events[i] > 0);
        REQUIRE((table.rounds[i] >= 1) == (std::string(protocol) == "raft"));
    }
}

TEST_CASE("trials: detection in Raft takes as long as theory says", "[sweep][raft]") {
    // The crash is uniform in the heartbeat interval of 50 ms, whose beats arrive 5 to 10 ms later.
    // Four survivors draw from U(150, 300) when the last beat reached them: the first timer has
    // mean 180 after it, if all were reached at once; the spread of the delay lowers that by less
    // than 5. The last beat arrived 7.5 - 25 = -17.5 ms before the crash on average.
    const auto trials = seeds(20'000);
    const TrialTable table = run_parallel(
        leader_crashes("raft", Dict{},
                       Experiment::leader_crash({ms(50), ms(100)})),
        0, trials, 2, {});
    double sum = 0;
    for (const double detection : table.detection_ms) {
        sum += detection;
    }
    const double mean = sum / static_cast<double>(trials);
    const double error = 40 / std::sqrt(static_cast<double>(trials));
    CAPTURE(mean, error);
    CHECK(mean < 180 - 17.5 + 4 * error);
    CHECK(mean > 180 - 17.5 - 5 - 4 * error);
}

TEST_CASE("trials: a crash that hits nobody is no measurement", "[sweep]") {
    // A cold start: the first leader comes after 150 ms at the earliest, in some trials later than
    // the crash.
    const Experiment early = Experiment::leader_crash({ms(150), ms(250)});
    const auto make = find_protocol("raft").make_trials(Dict{}, 5, Dict{{"seed", 3}}, early);
    const TrialTable table = run_parallel(make, 0, 400, 1, {});
    std::int64_t hits = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
        const double at = table.from_ms[i];
        CAPTURE(i, at);
        // The same trial by hand: who acts at that moment?
        Story s("raft", 5, Dict{}, Dict{{"seed", 3}, {"trial", i}}, false);
        s.until(at);
        REQUIRE(table.measured[i] == (s.leader() != no_node ? 1 : 0));
        hits += table.measured[i];
        if (table.measured[i] == 0) {
            REQUIRE(std::isnan(table.detection_ms[i]));
            REQUIRE(std::isnan(table.elected_ms[i]));
            REQUIRE(std::isnan(table.agreed_ms[i]));
            REQUIRE(table.candidacies[i] == 0);
            REQUIRE(table.messages[i] == 0);
            REQUIRE(table.censored[i] == 0);
        } else {
            REQUIRE(table.elected_ms[i] > 0);
            REQUIRE(table.agreed_ms[i] > 0);
        }
    }
    CHECK(hits > 40);
    CHECK(hits < 360);
}

TEST_CASE("trials: the stages of the crash are measured, not those of a later loss", "[sweep]") {
    // Many messages are lost, so that successors are lost before everybody names them.
    const Experiment experiment = Experiment::leader_crash({ms(1000), ms(1100)});
    const Value lossy = Dict{{"network", network(5, Dict{{"loss_probability", 0.35}})}};
    const TrialTable table = run_parallel(leader_crashes("raft", lossy, experiment), 0, 400, 1, {});
    std::int64_t lost_again = 0, hits = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
        CAPTURE(i);
        if (table.measured[i] == 0 || table.censored[i] == 1) {
            continue;
        }
        ++hits;
        REQUIRE(table.detection_ms[i] >= 0);
        REQUIRE(table.elected_ms[i] >= table.detection_ms[i]);
        REQUIRE(table.followed_ms[i] >= table.elected_ms[i]);
        REQUIRE(table.agreed_ms[i] >= table.elected_ms[i]);
        Story s("raft", 5, Dict{}, merged(merged(Dict{{"seed", 3}, {"initial_leader", 5}}, lossy),
                                          Dict{{"trial", i}}), false);
        s.until(table.from_ms[i]);
        const auto earlier = s->monitor().failovers().size();
        s.act(Dict{{"action", "crash"}, {"node", "leader"}});
        REQUIRE(s.until_leader(60'000));
        REQUIRE(std::abs(s.now_ms() - table.from_ms[i] - table.elected_ms[i]) < 1e-6);
        REQUIRE(s.until_agreement(60'000));
        REQUIRE(std::abs(s.now_ms() - table.from_ms[i] - table.agreed_ms[i]) < 1e-6);
        lost_again += s->monitor().failovers().size() > earlier + 1 ? 1 : 0;
    }
    CHECK(hits > 100);
    CHECK(lost_again > 0);
}

TEST_CASE("trials: without a majority every trial is censored, and says so with NaN", "[sweep]") {
    Experiment experiment = Experiment::leader_crash();
    experiment.horizon = seconds(2);
    const auto make =
        find_protocol("raft").make_trials(Dict{}, 2, Dict{{"initial_leader", 1}}, experiment);
    const TrialTable table = run_parallel(make, 0, 20, 1, {});
    for (std::size_t i = 0; i < table.size(); ++i) {
        CHECK(table.censored[i] == 1);
        CHECK(std::isnan(table.elected_ms[i]));
        CHECK(std::isnan(table.agreed_ms[i]));
        CHECK_FALSE(std::isnan(table.detection_ms[i]));
    }
}

TEST_CASE("trials: may end as soon as somebody acts as leader", "[sweep]") {
    Experiment early = Experiment::leader_crash();
    early.until = Until::elected;
    const TrialTable table = run_parallel(leader_crashes("raft", Dict{}, early), 0, 100, 1, {});
    for (std::size_t i = 0; i < table.size(); ++i) {
        CHECK_FALSE(std::isnan(table.elected_ms[i]));
        CHECK(std::isnan(table.agreed_ms[i]));
    }
}

TEST_CASE("trials: progress is told, and returning false cancels", "[sweep]") {
    std::int64_t last = -1;
    run_parallel(leader_crashes("raft"), 0, 1000, 2, [&](std::int64_t finished) {
        CHECK(finished >= last);
        last = finished;
        return true;
    });
    CHECK(last <= 1000);
    const TrialTable cut = run_parallel(leader_crashes("raft"), 0, 400'000, 2,
                                        [](std::int64_t finished) { return finished < 100; });
    CHECK(cut.size() < 400'000);
    const TrialTable whole =
        run_parallel(leader_crashes("raft"), 0,
                     static_cast<std::int64_t>(std::min<std::size_t>(cut.size(), 500)), 1, {});
    for (std::size_t i = 0; i < whole.size(); ++i) {
        REQUIRE(whole.agreed_ms[i] == cut.agreed_ms[i]);  // what was finished is kept
    }
}

TEST_CASE("trials: an error in a thread or in the progress call reaches the caller",
          "[sweep][errors]") {
    CHECK_THROWS_WITH(
        run_parallel(leader_crashes("raft"), 0, 5000, 2,
                     [](std::int64_t) -> bool { throw std::runtime_error("stop it"); }),
        contains("stop it"));
    const RunnerFactory broken = []() -> BlockRunner { throw std::runtime_error("no runner"); };
    CHECK_THROWS_WITH(run_parallel(broken, 0, 10, 2, {}), contains("no runner"));
}

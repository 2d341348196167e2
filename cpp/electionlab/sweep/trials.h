// Many trials of one experiment: the leader of a running cluster crashes; how long until the next?
//
// A trial is a pure function of (experiment, seed, trial number): it comes out the same in any
// chunk, thread or machine. The simulation is reset in place; a trial allocates nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "electionlab/core/random.h"
#include "electionlab/core/time.h"
#include "electionlab/sim/simulation.h"

namespace electionlab {

/// The leader crashes once, at a uniformly random moment of a window.
struct LeaderCrash {
    /// When it crashes, counted from the start: drawn uniformly, both ends included.
    DurationRange window{Duration{0}, ms(75)};
    /// A trial ends this long after the crash, censored, when no leader was found.
    Duration horizon = seconds(60);
    /// What ends a trial: every live node names the new leader, or a node acts as leader.
    bool until_agreed = true;
};

/// One array per measure, an entry per trial. Times are milliseconds since the crash; NaN where
/// the trial ended before. A crash that took no leader away (nobody acted as leader, or another one
/// went on) ends its trial at once: `crashed` is 0, times are NaN and counts 0.
struct TrialTable {
    std::vector<double> crash_ms;         ///< since the start
    std::vector<double> detection_ms;     ///< first survivor that stands for election
    std::vector<double> elected_ms;       ///< first survivor that acts as leader
    std::vector<double> followed_ms;      ///< a majority of all members names one
    std::vector<double> agreed_ms;        ///< every live node names one
    std::vector<std::int64_t> candidacies;  ///< times a survivor stood
    std::vector<std::int64_t> rounds;     ///< epochs first stood in since; 0 without epochs
    std::vector<std::int64_t> messages;   ///< sent after the crash until the end of the trial
    std::vector<std::int64_t> events;     ///< handled in the whole trial
    std::vector<std::uint8_t> crashed;    ///< 1: the crash left nobody who acts as leader
    std::vector<std::uint8_t> censored;   ///< 1: the horizon came first
    std::vector<std::uint8_t> violated;   ///< 1: an invariant broke

    void resize(std::size_t trials);
    [[nodiscard]] std::size_t size() const { return crash_ms.size(); }
};

/// Runs trials first..first+count-1 into `table` at `offset`; stops early when `cancelled` is set.
/// Returns how many were finished, in order.
template <class P>
std::int64_t run_trials(Simulation<P>& simulation, const LeaderCrash& experiment, std::uint64_t seed,
                        std::int64_t first, std::int64_t count, TrialTable& table, std::int64_t offset,
                        const std::atomic<bool>& cancelled, std::atomic<std::int64_t>& finished) {
    const Action crash = [] {
        Action action;
        action.kind = ActionKind::crash;
        action.target = Target::leader;
        return action;
    }();
    std::int64_t unreported = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto trial = static_cast<std::uint64_t>(first + i);
        const auto row = static_cast<std::size_t>(offset + i);
        simulation.reset(seed, trial);
        const auto stream = random_stream(trial_key(seed, trial), no_node, Purpose::scenario);
        const Instant at{uniform_integer(stream.word(0), experiment.window.min.ns,
                                         experiment.window.max.ns)};
        simulation.run(at, INT64_MAX, [](const auto&) { return false; });
        simulation.wait_until(at);
        std::int64_t sent_before = 0;
        for (const auto& traffic : simulation.traffic_by_kind()) {
            sent_before += traffic.sent;
        }
        const std::int64_t candidacies_before = simulation.monitor().measures().candidacies;
        const std::int64_t rounds_before = simulation.monitor().measures().epochs_stood;
        const std::size_t earlier = simulation.monitor().failovers().size();
        simulation.apply(crash);
        const bool crashed = simulation.monitor().failovers().size() > earlier;
        const bool agreed = experiment.until_agreed;
        const bool found = !crashed || simulation.run(at + experiment.horizon, INT64_MAX, [&](const auto& s) {
            return agreed ? s.monitor().agreed() : s.monitor().acting_leaders() > 0;
        });
        const Monitor& monitor = simulation.monitor();
        // A successor may be lost before all name it: a later failover then has the later stages.
        const auto since_crash = [&](Instant Failover::*stage) {
            for (const Failover& failover : monitor.failovers().subspan(earlier)) {
                if (failover.*stage != Instant::never()) {
                    return (failover.*stage - at).to_ms();
                }
            }
            return std::numeric_limits<double>::quiet_NaN();
        };
        std::int64_t sent = 0;
        for (const auto& traffic : simulation.traffic_by_kind()) {
            sent += traffic.sent;
        }
        table.crash_ms[row] = at.to_ms();
        table.detection_ms[row] = since_crash(&Failover::detected);
        table.elected_ms[row] = since_crash(&Failover::elected);
        table.followed_ms[row] = since_crash(&Failover::followed);
        table.agreed_ms[row] = since_crash(&Failover::agreed);
        table.candidacies[row] = monitor.measures().candidacies - candidacies_before;
        table.rounds[row] = monitor.measures().epochs_stood - rounds_before;
        table.messages[row] = sent - sent_before;
        table.events[row] = simulation.steps();
        table.crashed[row] = crashed ? 1 : 0;
        table.censored[row] = found ? 0 : 1;
        table.violated[row] = monitor.violations().empty() ? 0 : 1;
        if (++unreported == 64) {
            finished.fetch_add(unreported, std::memory_order_relaxed);
            unreported = 0;
            if (cancelled.load(std::memory_order_relaxed)) {
                return i + 1;
            }
        }
    }
    finished.fetch_add(unreported, std::memory_order_relaxed);
    return count;
}

/// Work that runs blocks of trials: (first, count, table, offset, cancelled, finished) -> finished.
using BlockRunner = std::function<std::int64_t(std::int64_t first, std::int64_t count, TrialTable& table,
                                               std::int64_t offset, const std::atomic<bool>& cancelled,
                                               std::atomic<std::int64_t>& finished)>;

/// Makes a runner of its own for each thread.
using RunnerFactory = std::function<BlockRunner()>;

/// Runs trials first..first+count-1 on so many threads (0: all cores). `progress(finished)` is
/// called about ten times a second on the calling thread; returning false cancels. Returns the
/// table of the finished trials: all of them, or after a cancel the longest run from `first` on.
TrialTable run_parallel(const RunnerFactory& make_runner, std::int64_t first, std::int64_t count,
                        unsigned threads, const std::function<bool(std::int64_t)>& progress);

}  // namespace electionlab

// Many trials of one experiment: what is done to a cluster, and how long until it has a leader again.
//
// A trial is a pure function of (experiment, seed, trial number): it comes out the same in any
// chunk, thread or machine. The simulation is reset in place; a trial allocates nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "electionlab/core/random.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"
#include "electionlab/sim/action.h"
#include "electionlab/sim/simulation.h"

namespace electionlab {

/// What ends a trial, once all that is to be done was done.
enum class Until : std::uint8_t {
    agreed,   ///< every live node names the one that acts as leader
    elected,  ///< a node acts as leader
    horizon,  ///< nothing: it lasts until the horizon
};

constexpr std::string_view enum_name(Until until) {
    constexpr std::string_view names[] = {"agreed", "elected", "horizon"};
    return static_cast<std::size_t>(until) < 3 ? names[static_cast<std::size_t>(until)] : "";
}

/// What is done to a cluster, from when on it is measured, and when a trial ends.
struct Experiment {
    struct Moment {
        /// Since the start: drawn uniformly for each trial, both ends included.
        DurationRange at{};
        Value what{};     ///< an action, as `action_from_value` reads it
        Action action{};  ///< the same; see `prepare`
    };
    std::vector<Moment> moments{};
    /// From which moment on is measured; -1: from the start.
    std::int64_t from = -1;
    Until until = Until::agreed;
    /// A trial ends so long after `from`, censored unless it is to last so long.
    Duration horizon = seconds(60);
    /// A trial in which somebody acts as leader right after `from` measures nothing: the leader to
    /// be lost was not there, or is not alone.
    bool only_leaderless = false;

    /// {"moments": [{"at_ms": [0, 75], "action": {...}}], "from": 0, "until": "agreed",
    /// "horizon_ms": 60000, "only_leaderless": true}; `InvalidArgument` names a bad entry.
    static Experiment from_value(const Value& value);
    /// The leader crashes once, at a uniformly random moment of a window.
    static Experiment leader_crash(DurationRange window = {Duration{0}, ms(75)},
                                   Duration horizon = seconds(60), bool until_agreed = true);
    /// Reads the actions; `InvalidArgument` names a bad one.
    void prepare(const ActionScope& scope);
};

/// One array per measure, an entry per trial. Times are milliseconds since the moment that is
/// measured from; NaN where the trial ended before. A trial that measures nothing ends at once:
/// `measured` is 0, times are NaN and counts 0.
struct TrialTable {
    std::vector<double> from_ms;          ///< that moment, since the start
    std::vector<double> detection_ms;     ///< first member that stands for election
    std::vector<double> elected_ms;       ///< first member that acts as leader
    std::vector<double> followed_ms;      ///< a majority of all members names one
    std::vector<double> agreed_ms;        ///< every live node names one
    std::vector<double> ended_ms;         ///< the end of the trial
    std::vector<double> no_leader_ms;     ///< how long nobody acted as leader
    std::vector<double> no_majority_leader_ms;  ///< ... no acting leader was named by a majority
    std::vector<double> no_agreed_leader_ms;    ///< ... the live nodes did not all name one
    std::vector<double> split_brain_ms;   ///< ... two or more acted as leader
    std::vector<std::int64_t> candidacies;  ///< times a member stood
    std::vector<std::int64_t> rounds;     ///< epochs first stood in; 0 without epochs
    std::vector<std::int64_t> split_votes;  ///< ... in which nobody won
    std::vector<std::int64_t> leaderships;  ///< times a member began to act as leader
    std::vector<std::int64_t> leader_changes;  ///< ... another than before
    std::vector<std::int64_t> messages;   ///< sent
    std::vector<std::int64_t> events;     ///< handled in the whole trial
    std::vector<std::uint8_t> measured;   ///< 0: see `Experiment::only_leaderless`
    std::vector<std::uint8_t> censored;   ///< 1: the horizon came first
    std::vector<std::uint8_t> violated;   ///< 1: an invariant broke

    /// visit(name, column) for each.
    template <class Self, class Visit>
    static void for_each(Self& self, Visit&& visit) {
        visit("from_ms", self.from_ms);
        visit("detection_ms", self.detection_ms);
        visit("elected_ms", self.elected_ms);
        visit("followed_ms", self.followed_ms);
        visit("agreed_ms", self.agreed_ms);
        visit("ended_ms", self.ended_ms);
        visit("no_leader_ms", self.no_leader_ms);
        visit("no_majority_leader_ms", self.no_majority_leader_ms);
        visit("no_agreed_leader_ms", self.no_agreed_leader_ms);
        visit("split_brain_ms", self.split_brain_ms);
        visit("candidacies", self.candidacies);
        visit("rounds", self.rounds);
        visit("split_votes", self.split_votes);
        visit("leaderships", self.leaderships);
        visit("leader_changes", self.leader_changes);
        visit("messages", self.messages);
        visit("events", self.events);
        visit("measured", self.measured);
        visit("censored", self.censored);
        visit("violated", self.violated);
    }
    void resize(std::size_t trials) {
        for_each(*this, [&](std::string_view, auto& column) { column.resize(trials); });
    }
    [[nodiscard]] std::size_t size() const { return from_ms.size(); }
};

/// When each moment of an experiment comes in a trial; kept from trial to trial.
using DueMoments = std::vector<std::pair<Instant, std::size_t>>;

/// Runs trials first..first+count-1 into `table` at `offset`; stops early when `cancelled` is set.
/// `experiment` was prepared. Returns how many were finished, in order.
template <class P>
std::int64_t run_trials(Simulation<P>& simulation, const Experiment& experiment, std::uint64_t seed,
                        std::int64_t first, std::int64_t count, TrialTable& table, std::int64_t offset,
                        const std::atomic<bool>& cancelled, std::atomic<std::int64_t>& finished,
                        DueMoments& due) {
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    constexpr std::int64_t slice = 4096;  // events between two looks at `cancelled`
    std::int64_t unreported = 0;
    // As `Simulation::run`, but whether `cancelled` ended it.
    const auto run = [&](Instant until, bool& found, const auto& stop) {
        for (;;) {
            const std::int64_t before = simulation.steps();
            found = simulation.run(until, slice, stop);
            if (found || simulation.steps() - before < slice) {
                return false;
            }
            if (cancelled.load(std::memory_order_relaxed)) {
                finished.fetch_add(unreported, std::memory_order_relaxed);
                return true;
            }
        }
    };
    for (std::int64_t i = 0; i < count; ++i) {
        const auto trial = static_cast<std::uint64_t>(first + i);
        const auto row = static_cast<std::size_t>(offset + i);
        simulation.reset(seed, trial);
        const auto stream = random_stream(trial_key(seed, trial), no_node, Purpose::scenario);
        due.clear();
        for (std::size_t k = 0; k < experiment.moments.size(); ++k) {
            const DurationRange& at = experiment.moments[k].at;
            due.emplace_back(Instant{uniform_integer(stream.word(k), at.min.ns, at.max.ns)}, k);
        }
        std::sort(due.begin(), due.end());

        const Monitor& monitor = simulation.monitor();
        const auto sent = [&] {
            std::int64_t sum = 0;
            for (const auto& traffic : simulation.traffic_by_kind()) {
                sum += traffic.sent;
            }
            return sum;
        };
        Instant from{};
        Measures before;
        std::int64_t sent_before = 0;
        std::size_t earlier = 0;
        bool measured = true;
        for (const auto& [at, k] : due) {
            if (bool found; run(at, found, [](const auto&) { return false; })) {
                return i;
            }
            simulation.wait_until(at);
            if (static_cast<std::int64_t>(k) != experiment.from) {
                simulation.apply(experiment.moments[k].action);
                continue;
            }
            from = at;
            simulation.settle();
            before = monitor.measures();
            sent_before = sent();
            earlier = monitor.failovers().size();
            simulation.apply(experiment.moments[k].action);
            if (experiment.only_leaderless && monitor.failovers().size() == earlier) {
                measured = false;
                break;
            }
        }
        const Instant end = from + experiment.horizon;
        const auto is_over = [&](const auto& s) {
            return experiment.until == Until::agreed    ? s.monitor().agreed()
                   : experiment.until == Until::elected ? s.monitor().acting_leaders() > 0
                                                        : false;
        };
        bool found = !measured || is_over(simulation);
        if (!found && run(end, found, is_over)) {
            return i;
        }
        if (!found) {
            simulation.wait_until(end);
        }
        simulation.settle();
        const Measures& after = monitor.measures();
        // A successor may be lost before all name it: a later failover then has the later stages.
        const auto stage = [&](Instant Failover::*of, Instant first_time) {
            for (const Failover& failover : monitor.failovers().subspan(earlier)) {
                if (failover.*of != Instant::never()) {
                    return (failover.*of - from).to_ms();
                }
            }
            return experiment.from >= 0 || first_time == Instant::never() ? none : first_time.to_ms();
        };
        const auto lasted = [&](Duration Measures::*of) {
            return measured ? (after.*of - before.*of).to_ms() : none;
        };
        table.from_ms[row] = from.to_ms();
        table.detection_ms[row] = stage(&Failover::detected, Instant::never());
        table.elected_ms[row] = stage(&Failover::elected, after.first_leader);
        table.followed_ms[row] = stage(&Failover::followed, Instant::never());
        table.agreed_ms[row] = stage(&Failover::agreed, after.first_agreement);
        table.ended_ms[row] = measured ? (simulation.now() - from).to_ms() : none;
        table.no_leader_ms[row] = lasted(&Measures::no_leader);
        table.no_majority_leader_ms[row] = lasted(&Measures::no_majority_leader);
        table.no_agreed_leader_ms[row] = lasted(&Measures::no_agreed_leader);
        table.split_brain_ms[row] = lasted(&Measures::split_brain);
        table.candidacies[row] = after.candidacies - before.candidacies;
        table.rounds[row] = after.epochs_stood - before.epochs_stood;
        table.split_votes[row] = after.split_votes - before.split_votes;
        table.leaderships[row] = after.leaderships - before.leaderships;
        table.leader_changes[row] = after.leader_changes - before.leader_changes;
        table.messages[row] = sent() - sent_before;
        table.events[row] = simulation.steps();
        table.measured[row] = measured ? 1 : 0;
        table.censored[row] = found || experiment.until == Until::horizon ? 0 : 1;
        table.violated[row] = monitor.violations().empty() ? 0 : 1;
        if (++unreported == 64 || simulation.steps() > slice) {
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

// The engine's loop beside a bare event loop that does the same heap operations with a trivial
// handler, interleaved in one run: the ratio is the figure, absolute speeds swing with the machine.
//
//     engine_loop [rounds [milliseconds of one measurement]]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "electionlab/core/random.h"
#include "electionlab/protocols/raft.h"
#include "electionlab/sim/event_queue.h"
#include "electionlab/sim/simulation.h"
#include "electionlab/sweep/trials.h"

namespace {

using namespace electionlab;
using Clock = std::chrono::steady_clock;

/// Events a second of a piece of work that reports how many it did, repeated for about `ms`.
double rate(double ms, const std::function<std::int64_t()>& work) {
    std::int64_t events = 0;
    const auto start = Clock::now();
    double elapsed = 0;
    do {
        events += work();
        elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (elapsed * 1e3 < ms);
    return static_cast<double>(events) / elapsed;
}

/// The limit: take the earliest event, touch its body, draw a delay, put the next event in.
class BareLoop {
public:
    explicit BareLoop(std::uint32_t pending) : bodies_(pending) {
        for (std::uint32_t slot = 0; slot < pending; ++slot) {
            push(Instant{}, slot);
        }
    }
    std::int64_t run(std::int64_t events) {
        for (std::int64_t i = 0; i < events; ++i) {
            const QueueKey key = queue_.top();
            queue_.pop();
            ++bodies_[key.slot()];
            push(Instant{key.at}, key.slot());
        }
        return events;
    }
    [[nodiscard]] std::int64_t touched() const { return bodies_.front(); }

private:
    void push(Instant now, std::uint32_t slot) {
        const Duration delay{uniform_integer(stream_.word(order_), 5'000'000, 10'000'000)};
        queue_.push(QueueKey::make(now + delay, order_++, slot));
    }

    EventQueue queue_;
    std::vector<std::int64_t> bodies_;
    RandomStream stream_ = random_stream(trial_key(1, 0), 1, Purpose::network);
    std::uint64_t order_ = 1;
};

template <std::size_t MaxNodes>
Simulation<Raft<MaxNodes>> make_raft(NodeId nodes, NodeId initial_leader) {
    auto config = std::make_shared<SimulationConfig>();
    config->seed = 1;
    config->initial_leader = initial_leader;
    return {std::make_shared<RaftOptions>(), nodes, config, describe<Raft<MaxNodes>>()};
}

template <std::size_t MaxNodes>
double heartbeats(double ms, Simulation<Raft<MaxNodes>>& simulation) {
    return rate(ms, [&] {
        const std::int64_t before = simulation.steps();
        simulation.run(Instant::never(), 20'000, [](const auto&) { return false; });
        return simulation.steps() - before;
    });
}

struct Rates {
    std::vector<double> values;
    [[nodiscard]] double quantile(double q) const {
        std::vector<double> sorted = values;
        std::sort(sorted.begin(), sorted.end());
        return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
    }
};

void print_ratio(const char* what, const Rates& ours, const Rates& limit) {
    Rates ratio;
    for (std::size_t i = 0; i < ours.values.size(); ++i) {
        ratio.values.push_back(ours.values[i] / limit.values[i]);
    }
    std::printf("%-44s %8.1f M/s   bare loop %6.1f M/s   ratio %.2f (%.2f to %.2f)\n", what,
                ours.quantile(0.5) / 1e6, limit.quantile(0.5) / 1e6, ratio.quantile(0.5),
                ratio.quantile(0), ratio.quantile(1));
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    const double ms = argc > 2 ? std::atof(argv[2]) : 200;

    auto five = make_raft<64>(5, 1);
    auto hundred = make_raft<10240>(100, 1);
    auto crash = make_raft<64>(5, 1);
    BareLoop bare_five(10), bare_hundred(200);
    Rates engine5, bare5, engine100, bare100, crashes;
    TrialTable table;
    table.resize(200);
    std::int64_t next_trial = 0;
    const std::atomic<bool> cancelled{false};
    std::atomic<std::int64_t> finished{0};
    Experiment experiment = Experiment::leader_crash({Duration{0}, electionlab::ms(25)});
    experiment.prepare({5, nullptr, nullptr, nullptr});
    DueMoments due;
    for (int i = 0; i < rounds; ++i) {
        bare5.values.push_back(rate(ms, [&] { return bare_five.run(20'000); }));
        engine5.values.push_back(heartbeats(ms, five));
        crashes.values.push_back(rate(ms, [&] {
            run_trials(crash, experiment, 1, next_trial, 200, table, 0, cancelled, finished, due);
            next_trial += 200;
            return std::int64_t{200};
        }));
        bare100.values.push_back(rate(ms, [&] { return bare_hundred.run(20'000); }));
        engine100.values.push_back(heartbeats(ms, hundred));
    }
    std::printf("engine against a bare event loop, one thread, %d interleaved rounds: median (range)\n",
                rounds);
    print_ratio("Raft, 5 nodes, heartbeats, invariants on", engine5, bare5);
    print_ratio("Raft, 100 nodes, heartbeats, invariants on", engine100, bare100);
    std::printf("%-44s %8.0f k/s (%.0f to %.0f)\n", "Raft, 5 nodes, leader-crash trials",
                crashes.quantile(0.5) / 1e3, crashes.quantile(0) / 1e3, crashes.quantile(1) / 1e3);
    return bare_five.touched() + bare_hundred.touched() > 0 ? 0 : 1;
}

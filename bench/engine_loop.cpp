// The engine's loop beside bare event loops that do the same queue operations with a trivial
// handler, interleaved in one run: the ratio is the figure, absolute speeds swing with the machine.
// The loops have the engine's own queue, the standard library's binary heap, and a calendar queue; the
// limit is the fastest of them.
//
//     engine_loop [rounds [milliseconds of one measurement]]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <queue>
#include <utility>
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

class BinaryHeap {
public:
    [[nodiscard]] const QueueKey& top() const { return heap_.top(); }
    void pop() { heap_.pop(); }
    void push(QueueKey key) { heap_.push(key); }

private:
    struct Later {
        bool operator()(const QueueKey& a, const QueueKey& b) const { return b.before(a); }
    };
    std::priority_queue<QueueKey, std::vector<QueueKey>, Later> heap_;
};

/// Brown's calendar (1988), for delays that are known beforehand: a ring of days that is longer than
/// the longest delay, each day a sorted chain. It would not do for timers of any length.
class Calendar {
public:
    explicit Calendar(std::uint32_t pending) : chain_(pending) {
        while ((std::int64_t{10'000'000} >> day_bits_) > pending) {
            ++day_bits_;
        }
        std::size_t days = 16;
        while (static_cast<std::int64_t>(days) << day_bits_ < 20'000'000) {
            days *= 2;
        }
        days_.assign(days, none);
    }
    [[nodiscard]] const QueueKey& top() {
        while (days_[today_] == none) {
            today_ = (today_ + 1) & (days_.size() - 1);
        }
        return chain_[days_[today_]].key;
    }
    void pop() { days_[today_] = chain_[days_[today_]].next; }
    void push(QueueKey key) {
        std::uint32_t* at =
            &days_[static_cast<std::size_t>(key.at >> day_bits_) & (days_.size() - 1)];
        while (*at != none && chain_[*at].key.before(key)) {
            at = &chain_[*at].next;
        }
        chain_[key.slot()] = {key, *at};
        *at = key.slot();
    }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    struct Link {
        QueueKey key;
        std::uint32_t next = none;
    };
    std::vector<Link> chain_;
    std::vector<std::uint32_t> days_;
    int day_bits_ = 0;
    std::size_t today_ = 0;
};

/// The limit: take the earliest event, touch its body, draw a delay, put the next event in.
template <class Queue>
class BareLoop {
public:
    explicit BareLoop(std::uint32_t pending, Queue queue = {})
        : queue_(std::move(queue)), bodies_(pending) {
        for (std::uint32_t slot = 0; slot < pending; ++slot) {
            push(Instant{}, slot);
        }
    }
    std::int64_t run(std::int64_t events) {
        for (std::int64_t i = 0; i < events; ++i) {
            const QueueKey key = queue_.top();
            queue_.pop();
            ++bodies_[key.slot()];
            check_ += static_cast<std::uint64_t>(key.at) ^ key.order_and_slot;
            push(Instant{key.at}, key.slot());
        }
        return events;
    }
    /// The same for all queues after the same number of events: they keep one order.
    [[nodiscard]] std::uint64_t check() const { return check_; }

private:
    void push(Instant now, std::uint32_t slot) {
        const Duration delay{uniform_integer(stream_.word(order_), 5'000'000, 10'000'000)};
        queue_.push(QueueKey::make(now + delay, order_++, slot));
    }

    Queue queue_;
    std::vector<std::int64_t> bodies_;
    RandomStream stream_ = random_stream(trial_key(1, 0), 1, Purpose::network);
    std::uint64_t order_ = 1, check_ = 0;
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

/// The three loops with so many events pending, and the engine with so many nodes.
template <std::size_t MaxNodes>
struct Race {
    explicit Race(NodeId count)
        : nodes(count),
          engine(make_raft<MaxNodes>(count, 1)),
          own(2 * count),
          binary(2 * count),
          calendar(2 * count, Calendar(2 * count)) {}

    void round(double ms) {
        rates[1].values.push_back(rate(ms, [&] { return own.run(20'000); }));
        rates[0].values.push_back(heartbeats(ms, engine));
        rates[2].values.push_back(rate(ms, [&] { return binary.run(20'000); }));
        rates[3].values.push_back(rate(ms, [&] { return calendar.run(20'000); }));
    }
    void print() const {
        const char* names[] = {"engine", "its queue", "binary heap", "calendar"};
        std::size_t best = 1;
        std::printf("Raft, %4u nodes:", nodes);
        for (std::size_t i = 0; i < 4; ++i) {
            best = i > 0 && rates[i].quantile(0.5) > rates[best].quantile(0.5) ? i : best;
            std::printf("%s %s %.1f (%.1f to %.1f)", i > 0 ? ";" : "", names[i],
                        rates[i].quantile(0.5) / 1e6, rates[i].quantile(0) / 1e6,
                        rates[i].quantile(1) / 1e6);
        }
        Rates ratio;
        for (std::size_t i = 0; i < rates[0].values.size(); ++i) {
            ratio.values.push_back(rates[0].values[i] / rates[best].values[i]);
        }
        std::printf("\n  engine / %s: %.2f (%.2f to %.2f), goal %.1f\n", names[best],
                    ratio.quantile(0.5), ratio.quantile(0), ratio.quantile(1), nodes == 5 ? 0.6 : 0.4);
    }

    NodeId nodes;
    Simulation<Raft<MaxNodes>> engine;
    BareLoop<EventQueue> own;
    BareLoop<BinaryHeap> binary;
    BareLoop<Calendar> calendar;
    Rates rates[4];
};

/// Whether the queues give one and the same order; a fast queue with another would be no limit.
bool same_order(std::uint32_t pending) {
    BareLoop<EventQueue> own(pending);
    BareLoop<BinaryHeap> binary(pending);
    BareLoop<Calendar> calendar(pending, Calendar(pending));
    own.run(100'000);
    binary.run(100'000);
    calendar.run(100'000);
    return own.check() == binary.check() && own.check() == calendar.check();
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    const double ms = argc > 2 ? std::atof(argv[2]) : 200;
    for (const std::uint32_t pending : {10U, 200U, 2000U}) {
        if (!same_order(pending)) {
            std::fprintf(stderr, "the queues differ with %u events\n", pending);
            return 1;
        }
    }

    Race<64> five(5);
    Race<10240> hundred(100), thousand(1000);
    auto crash = make_raft<64>(5, 1);
    Rates crashes;
    TrialTable table;
    table.resize(200);
    std::int64_t next_trial = 0;
    const std::atomic<bool> cancelled{false};
    std::atomic<std::int64_t> finished{0};
    Experiment experiment = Experiment::leader_crash({Duration{0}, electionlab::ms(25)});
    experiment.prepare({5, nullptr, nullptr, nullptr});
    DueMoments due;
    for (int i = 0; i < rounds; ++i) {
        five.round(ms);
        crashes.values.push_back(rate(ms, [&] {
            run_trials(crash, experiment, 1, next_trial, 200, table, 0, cancelled, finished, due);
            next_trial += 200;
            return std::int64_t{200};
        }));
        hundred.round(ms);
        thousand.round(ms);
    }
    std::printf("Heartbeats, invariants on, not recorded, beside bare event loops; one thread, %d "
                "interleaved rounds:\nmillions of events a second, median (range)\n", rounds);
    five.print();
    hundred.print();
    thousand.print();
    std::printf("Leader-crash trials, 5 nodes, in C++: %.0f k/s (%.0f to %.0f)\n",
                crashes.quantile(0.5) / 1e3, crashes.quantile(0) / 1e3, crashes.quantile(1) / 1e3);
    return 0;
}

#include "electionlab/sweep/trials.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace electionlab {

Experiment Experiment::from_value(const Value& value) {
    Experiment experiment;
    Reader in(value, "experiment");
    const Value& moments = in.take("moments");
    if (const auto* list = moments.get_if<Value::List>()) {
        for (const Value& each : *list) {
            Reader moment(each, "experiment.moments");
            Moment& read = experiment.moments.emplace_back();
            read.at = range_from_ms(moment.take("at_ms"), "experiment.moments.at_ms");
            read.what = moment.take("action");
            moment.finish();
        }
    } else if (!moments.is_null()) {
        invalid("experiment.moments", show(moments), "must be a list");
    }
    const auto count = static_cast<std::int64_t>(experiment.moments.size());
    experiment.from = in.integer("from", -1, -1, count - 1);
    const std::string until = in.text("until", "agreed");
    experiment.until = until == "agreed"    ? Until::agreed
                       : until == "elected" ? Until::elected
                                            : Until::horizon;
    if (until != enum_name(experiment.until)) {
        invalid("experiment.until", show(Value(until)), "must be one of 'agreed', 'elected', 'horizon'");
    }
    if (const Value& horizon = in.take("horizon_ms"); !horizon.is_null()) {
        experiment.horizon = duration_from_ms(horizon, "experiment.horizon_ms");
    }
    experiment.only_leaderless = in.boolean("only_leaderless", false);
    in.finish();
    return experiment;
}

Experiment Experiment::leader_crash(DurationRange window, Duration horizon, bool until_agreed) {
    Experiment experiment;
    Moment& crash = experiment.moments.emplace_back();
    crash.at = window;
    crash.what = Value::Dict{{"action", "crash"}, {"node", "leader"}};
    experiment.from = 0;
    experiment.until = until_agreed ? Until::agreed : Until::elected;
    experiment.horizon = horizon;
    experiment.only_leaderless = true;
    return experiment;
}

void Experiment::prepare(const ActionScope& scope) {
    for (Moment& moment : moments) {
        moment.action = action_from_value(moment.what, scope);
    }
}

TrialTable run_parallel(const RunnerFactory& make_runner, std::int64_t first, std::int64_t count,
                        unsigned threads, const std::function<bool(std::int64_t)>& progress) {
    constexpr std::int64_t block = 256;  // small enough that cancelling is felt at once
    TrialTable table;
    table.resize(static_cast<std::size_t>(count));
    const std::int64_t blocks = (count + block - 1) / block;
    std::vector<std::int64_t> done(static_cast<std::size_t>(blocks), 0);
    std::atomic<std::int64_t> next{0}, finished{0};
    std::atomic<bool> cancelled{false};
    std::exception_ptr failure;
    std::mutex mutex;
    std::condition_variable changed;
    unsigned running = threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
    running = static_cast<unsigned>(std::clamp<std::int64_t>(blocks, 1, running));

    const auto work = [&] {
        try {
            const BlockRunner run = make_runner();
            for (std::int64_t b = next++; b < blocks && !cancelled; b = next++) {
                const std::int64_t size = std::min(block, count - b * block);
                done[static_cast<std::size_t>(b)] =
                    run(first + b * block, size, table, b * block, cancelled, finished);
            }
        } catch (...) {
            const std::lock_guard lock(mutex);
            failure = std::current_exception();
            cancelled = true;
        }
        const std::lock_guard lock(mutex);
        --running;
        changed.notify_all();
    };
    std::vector<std::thread> pool;
    for (unsigned i = running; i > 0; --i) {
        pool.emplace_back(work);
    }
    std::exception_ptr interrupted;
    {
        std::unique_lock lock(mutex);
        while (running > 0) {
            changed.wait_for(lock, std::chrono::milliseconds(50));
            lock.unlock();
            try {
                if (!interrupted && progress && !progress(finished)) {
                    cancelled = true;
                }
            } catch (...) {  // the threads are joined before anybody hears of it
                interrupted = std::current_exception();
                cancelled = true;
            }
            lock.lock();
        }
    }
    for (std::thread& thread : pool) {
        thread.join();
    }
    if (failure || interrupted) {
        std::rethrow_exception(failure ? failure : interrupted);
    }
    std::int64_t whole = 0;
    for (std::int64_t b = 0; b < blocks; ++b) {
        const std::int64_t size = std::min(block, count - b * block);
        whole += done[static_cast<std::size_t>(b)];
        if (done[static_cast<std::size_t>(b)] < size) {
            break;
        }
    }
    table.resize(static_cast<std::size_t>(whole));
    return table;
}

}  // namespace electionlab

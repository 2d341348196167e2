// Threads that share a search's work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace electionlab::check {

/// A few threads that do numbered pieces of work; the caller is one of them.
class Crew {
public:
    explicit Crew(int threads) {
        for (int i = 1; i < threads; ++i) {
            threads_.emplace_back([this, i] { live(i); });
        }
    }
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    ~Crew() {
        {
            const std::scoped_lock lock(mutex_);
            ends_ = true;
        }
        wake_.notify_all();
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

    /// work(thread, piece) for each piece; the first exception comes through when all have stopped.
    void run(std::size_t pieces, const std::function<void(int, std::size_t)>& work) {
        if (threads_.empty() || pieces <= 1) {
            for (std::size_t piece = 0; piece < pieces; ++piece) {
                work(0, piece);
            }
            return;
        }
        {
            const std::scoped_lock lock(mutex_);
            work_ = &work;
            pieces_ = pieces;
            next_ = 0;
            failure_ = nullptr;
            busy_ = static_cast<int>(threads_.size());
            ++round_;
        }
        wake_.notify_all();
        share(0);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
        if (failure_) {
            std::rethrow_exception(failure_);
        }
    }

private:
    void share(int thread) {
        for (;;) {
            const std::size_t piece = next_.fetch_add(1);
            if (piece >= pieces_) {
                return;
            }
            try {
                (*work_)(thread, piece);
            } catch (...) {
                const std::scoped_lock lock(mutex_);
                if (!failure_) {
                    failure_ = std::current_exception();
                }
                next_ = pieces_;
            }
        }
    }
    void live(int thread) {
        std::uint64_t seen = 0;
        for (;;) {
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return ends_ || round_ != seen; });
                if (ends_) {
                    return;
                }
                seen = round_;
            }
            share(thread);
            const std::scoped_lock lock(mutex_);
            if (--busy_ == 0) {
                done_.notify_one();
            }
        }
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(int, std::size_t)>* work_ = nullptr;
    std::size_t pieces_ = 0;
    std::atomic<std::size_t> next_{0};
    std::exception_ptr failure_;
    std::uint64_t round_ = 0;
    int busy_ = 0;
    bool ends_ = false;
};

}  // namespace electionlab::check

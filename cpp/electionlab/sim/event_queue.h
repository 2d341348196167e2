// The queue of events to come: a 4-ary heap of 16-byte keys.
//
// The order is (time, order number) and nothing else, so that any other queue with that order may
// take its place without changing a single run. Bodies stay where they are; only keys move.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "electionlab/core/time.h"

namespace electionlab {

/// A key of the queue: when, then in which order it was scheduled, and where its body lies.
struct QueueKey {
    static constexpr int slot_bits = 24;

    std::int64_t at = 0;
    std::uint64_t order_and_slot = 0;

    static constexpr QueueKey make(Instant at, std::uint64_t order, std::uint32_t slot) {
        return {at.ns, order << slot_bits | slot};
    }
    [[nodiscard]] std::uint64_t order() const { return order_and_slot >> slot_bits; }
    [[nodiscard]] std::uint32_t slot() const {
        return static_cast<std::uint32_t>(order_and_slot & ((1U << slot_bits) - 1));
    }
    [[nodiscard]] bool before(const QueueKey& other) const {
        return at != other.at ? at < other.at : order_and_slot < other.order_and_slot;
    }
};

class EventQueue {
public:
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }
    [[nodiscard]] const QueueKey& top() const { return heap_.front(); }
    /// All keys, in no particular order.
    [[nodiscard]] const std::vector<QueueKey>& keys() const { return heap_; }
    void clear() { heap_.clear(); }

    void push(QueueKey key) {
        heap_.push_back(key);
        sift_up(heap_.size() - 1, key);
    }

    void pop() {
        const QueueKey last = heap_.back();
        heap_.pop_back();
        if (!heap_.empty()) {
            sift_down(0, last);
        }
    }

    /// Takes out the key of a body; linear, for what users do by hand.
    bool remove(std::uint32_t slot) {
        for (std::size_t i = 0; i < heap_.size(); ++i) {
            if (heap_[i].slot() == slot) {
                const QueueKey last = heap_.back();
                heap_.pop_back();
                if (i < heap_.size()) {
                    if (i > 0 && last.before(heap_[(i - 1) / 4])) {
                        sift_up(i, last);
                    } else {
                        sift_down(i, last);
                    }
                }
                return true;
            }
        }
        return false;
    }

private:
    void sift_up(std::size_t hole, QueueKey key) {
        while (hole > 0) {
            const std::size_t parent = (hole - 1) / 4;
            if (!key.before(heap_[parent])) {
                break;
            }
            heap_[hole] = heap_[parent];
            hole = parent;
        }
        heap_[hole] = key;
    }

    void sift_down(std::size_t hole, QueueKey key) {
        const std::size_t size = heap_.size();
        for (;;) {
            const std::size_t first = hole * 4 + 1;
            if (first >= size) {
                break;
            }
            std::size_t best = first;
            const std::size_t end = first + 4 < size ? first + 4 : size;
            for (std::size_t child = first + 1; child < end; ++child) {
                best = heap_[child].before(heap_[best]) ? child : best;
            }
            if (!heap_[best].before(key)) {
                break;
            }
            heap_[hole] = heap_[best];
            hole = best;
        }
        heap_[hole] = key;
    }

    std::vector<QueueKey> heap_;
};

}  // namespace electionlab

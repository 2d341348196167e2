// A 4-ary heap of the queue's 16-byte keys. Bodies stay where they are; only keys move.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "electionlab/core/inlining.h"
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

class KeyHeap {
public:
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Whether the next one makes it grow.
    [[nodiscard]] bool full() const { return size_ == heap_.size(); }
    [[nodiscard]] const QueueKey& top() const { return heap_.front(); }
    /// All keys, in no particular order.
    [[nodiscard]] std::span<const QueueKey> keys() const { return {heap_.data(), size_}; }
    void clear() { size_ = 0; }

    EL_HOT void push(QueueKey key) {
        if (full()) {
            grow();
        }
        sift_up(size_++, key);
    }

    EL_HOT void pop() {
        if (--size_ > 0) {
            sift_down(0, heap_[size_]);
        }
    }

    /// Takes out the key of a body; linear.
    EL_COLD bool remove(std::uint32_t slot) {
        for (std::size_t i = 0; i < size_; ++i) {
            if (heap_[i].slot() == slot) {
                const QueueKey last = heap_[--size_];
                if (i < size_) {
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
    EL_COLD void grow() { heap_.resize(std::max(2 * size_, std::size_t{16})); }

    EL_HOT void sift_up(std::size_t hole, QueueKey key) {
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

    EL_HOT void sift_down(std::size_t hole, QueueKey key) {
        for (;;) {
            const std::size_t first = hole * 4 + 1;
            if (first >= size_) {
                break;
            }
            std::size_t best = first;
            const std::size_t end = first + 4 < size_ ? first + 4 : size_;
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

    std::vector<QueueKey> heap_;  // the first `size_` of them; the others are room
    std::size_t size_ = 0;
};

}  // namespace electionlab

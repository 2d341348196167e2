// The queue of events to come: a heap, and once many wait, a heap of today's and a calendar.
//
// The order is (time, order number) and nothing else, so that any other queue with that order may
// take its place without changing a single run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "electionlab/core/inlining.h"
#include "electionlab/sim/calendar.h"
#include "electionlab/sim/key_heap.h"

namespace electionlab {

class EventQueue {
public:
    EventQueue() = default;
    EventQueue(const EventQueue& other) : near_(other.near_), calendar_(copy(other.calendar_)) {}
    EventQueue& operator=(const EventQueue& other) {
        if (this != &other) {
            near_ = other.near_;
            calendar_ = copy(other.calendar_);
        }
        return *this;
    }
    EventQueue(EventQueue&&) = default;
    EventQueue& operator=(EventQueue&&) = default;
    ~EventQueue() = default;

    [[nodiscard]] bool empty() const { return near_.empty(); }
    [[nodiscard]] std::size_t size() const {
        return near_.size() + (calendar_ ? calendar_->size() : 0);
    }
    [[nodiscard]] const QueueKey& top() const { return near_.top(); }

    /// Shows all keys to `visit`, in no particular order.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const QueueKey& key : near_.keys()) {
            visit(key);
        }
        if (calendar_) {
            calendar_->for_each(visit);
        }
    }
    /// All keys, earliest first.
    [[nodiscard]] EL_COLD std::vector<QueueKey> keys() const {
        std::vector<QueueKey> keys;
        keys.reserve(size());
        for_each([&](const QueueKey& key) { keys.push_back(key); });
        std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.before(b); });
        return keys;
    }

    void clear() {
        near_.clear();
        if (calendar_) {
            calendar_->clear();
        }
    }

    EL_HOT void push(QueueKey key) {
        if (calendar_ && is_for_later(key)) {
            return;
        }
        if (near_.full()) {
            return grow(key);
        }
        near_.push(key);
    }

    EL_HOT void pop() {
        near_.pop();
        if (calendar_) {
            if (near_.empty()) {
                turn();
            }
            calendar_->note_pop(near_);
        }
    }

    /// Takes out the key of a body; linear, for what users do by hand.
    EL_COLD bool remove(std::uint32_t slot) {
        const bool found = near_.remove(slot) || (calendar_ && calendar_->remove(slot));
        if (near_.empty() && calendar_) {
            turn();
        }
        return found;
    }

private:
    static constexpr std::size_t many = 32;  // beyond these a calendar is faster than a heap

    static std::unique_ptr<Calendar> copy(const std::unique_ptr<Calendar>& other) {
        return other ? std::make_unique<Calendar>(*other) : nullptr;
    }

    // The earliest key is always in `near_`.
    bool is_for_later(QueueKey key) {
        if (near_.empty()) {
            calendar_->start_at(key);
        }
        return calendar_->take(key, near_);
    }

    EL_COLD void grow(QueueKey key) {
        near_.push(key);
        if (!calendar_ && near_.size() > many) {
            calendar_ = std::make_unique<Calendar>(near_);
        }
    }
    EL_COLD void turn() {
        if (!calendar_->empty()) {
            calendar_->turn(near_);
        }
    }

    KeyHeap near_;  // what is due today
    std::unique_ptr<Calendar> calendar_;
};

}  // namespace electionlab

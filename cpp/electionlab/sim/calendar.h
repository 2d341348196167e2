// A ring of days for the keys that are not due today, after Brown's calendar queue (1988).
//
// A day holds its keys unsorted: they are sorted when it comes. What lies beyond the ring waits in a
// heap. However badly the length of a day suits the keys, one costs no more than two heaps; days are
// made longer or shorter by what was seen.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "electionlab/core/inlining.h"
#include "electionlab/sim/key_heap.h"

namespace electionlab {

class Calendar {
public:
    /// Makes a calendar of the keys of `near`, which keeps those of the first day.
    explicit Calendar(KeyHeap& near) { lay_out_afresh(near); }

    [[nodiscard]] std::size_t size() const { return in_ring_ + far_.size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }

    /// Takes a key that is due on a later day; false: it is due today, or earlier, and for `near`.
    EL_HOT bool take(QueueKey key, KeyHeap& near) {
        const std::int64_t day = key.at >> day_bits_;
        if (day <= today_) {
            return false;
        }
        if (day - today_ < days()) {
            put(day, key);
        } else {
            put_far(key, near);
        }
        return true;
    }

    /// Nothing is here: the key's day begins.
    void start_at(QueueKey key) { today_ = std::max(today_, key.at >> day_bits_); }

    /// Moves the keys of the next day that has any into `near`, which is empty.
    EL_COLD void turn(KeyHeap& near) {
        today_ = in_ring_ > 0 ? next_day() : far_.top().at >> day_bits_;
        while (!far_.empty() && (far_.top().at >> day_bits_) - today_ < days()) {
            const QueueKey key = far_.top();
            far_.pop();
            if (!take(key, near)) {
                near.push(key);
            }
        }
        std::uint32_t& first = heads_[place(today_)];
        for (std::uint32_t slot = first; slot != none; slot = links_[slot].next) {
            near.push(links_[slot].key);
            --in_ring_;
        }
        first = none;
        mark(today_, false);
        ++turns_;
        most_waiting_ = std::max(most_waiting_, size() + near.size());
    }

    /// To be called when a key was taken out of `near`: now and then the days' length is looked at.
    EL_HOT void note_pop(KeyHeap& near) {
        if (++popped_ + skipped_ >= look_after_ && !near.empty()) {
            look_at_days(near);
        }
    }

    EL_COLD bool remove(std::uint32_t slot) {
        if (slot < links_.size()) {
            const std::int64_t day = links_[slot].key.at >> day_bits_;
            for (std::uint32_t* at = &heads_[place(day)]; *at != none; at = &links_[*at].next) {
                if (*at == slot) {
                    *at = links_[slot].next;
                    mark(day, heads_[place(day)] != none);
                    --in_ring_;
                    return true;
                }
            }
        }
        return far_.remove(slot);
    }

    template <class Visit>
    void for_each(const Visit& visit) const {
        for_each_marked([&](std::size_t day) {
            for (std::uint32_t slot = heads_[day]; slot != none; slot = links_[slot].next) {
                visit(links_[slot].key);
            }
        });
        for (const QueueKey& key : far_.keys()) {
            visit(key);
        }
    }

    void clear() {
        for_each_marked([&](std::size_t day) {
            heads_[day] = none;
            mark(static_cast<std::int64_t>(day), false);
        });
        far_.clear();
        in_ring_ = 0;
        today_ = 0;
        start_looking(0, 0);
    }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr std::size_t least_days = 256;

    struct Link {
        QueueKey key;
        std::uint32_t next = none;
    };

    [[nodiscard]] std::int64_t days() const { return static_cast<std::int64_t>(heads_.size()); }
    [[nodiscard]] std::size_t place(std::int64_t day) const {
        return static_cast<std::size_t>(day) & (heads_.size() - 1);
    }

    static int bits_for(std::int64_t gap) {
        return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(gap)));
    }

    EL_HOT void put(std::int64_t day, QueueKey key) {
        const std::uint32_t slot = key.slot();
        if (slot >= links_.size()) {
            make_room(slot);
        }
        std::uint32_t& first = heads_[place(day)];
        links_[slot] = {key, first};
        first = slot;
        mark(day, true);
        ++in_ring_;
    }
    // When most lie beyond the ring, its days are too short.
    EL_COLD void put_far(QueueKey key, KeyHeap& near) {
        far_.push(key);
        if (far_.size() > heads_.size()) {
            lay_out_afresh(near);
        }
    }
    EL_COLD void make_room(std::uint32_t slot) {
        links_.resize(std::max<std::size_t>(std::bit_ceil(std::size_t{slot} + 1), 128));
    }

    // A bit for each day that has keys, so that empty ones are passed over 64 at a time.
    EL_HOT void mark(std::int64_t day, bool has_keys) {
        const std::uint64_t bit = std::uint64_t{1} << (place(day) % 64);
        std::uint64_t& word = marks_[place(day) / 64];
        word = has_keys ? word | bit : word & ~bit;
    }
    template <class Visit>
    void for_each_marked(const Visit& visit) const {
        for (std::size_t word = 0; in_ring_ > 0 && word < marks_.size(); ++word) {
            for (std::uint64_t bits = marks_[word]; bits != 0; bits &= bits - 1) {
                visit(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
            }
        }
    }
    EL_HOT std::int64_t next_day() {
        const std::size_t from = place(today_ + 1);
        std::size_t word = from / 64;
        std::uint64_t bits = marks_[word] & (~std::uint64_t{0} << (from % 64));
        while (bits == 0) {
            word = (word + 1) & (marks_.size() - 1);
            bits = marks_[word];
            ++skipped_;
        }
        const std::size_t found = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        return today_ + 1 + static_cast<std::int64_t>((found - from) & (heads_.size() - 1));
    }

    // A day is as long as the time between two keys, or a quarter of it where they come in bursts, and
    // the ring has four days for each key. Found by trying: half or twice as much matters little.
    EL_COLD void look_at_days(KeyHeap& near) {
        const std::size_t waiting = std::max(most_waiting_, size() + near.size());
        const std::int64_t gap = (near.top().at - looked_at_) / popped_;
        int bits = day_bits_;
        if (gap > 0) {
            const int usual = bits_for(gap);
            const std::int64_t in_a_day = popped_ / std::max<std::int64_t>(turns_, 1);
            const bool bursts = in_a_day << std::clamp(usual - day_bits_, 0, 20) >= 6;
            bits = std::max(bursts ? usual - 2 : usual, 0);
        }
        if (std::abs(bits - day_bits_) < 2 && heads_.size() >= 2 * waiting &&
            heads_.size() <= 16 * std::max(waiting, least_days / 4)) {
            return start_looking(near.top().at, waiting);
        }
        lay_out(bits, waiting, all_keys(near), near);
    }

    // Nothing is known of how often keys come: the earlier half of those that wait must do.
    EL_COLD void lay_out_afresh(KeyHeap& near) {
        std::vector<QueueKey> keys = all_keys(near);
        const auto middle = keys.begin() + static_cast<std::ptrdiff_t>(keys.size() / 2);
        std::nth_element(keys.begin(), middle, keys.end(),
                         [](const QueueKey& a, const QueueKey& b) { return a.before(b); });
        const std::int64_t gap = (middle->at - near.top().at) / (middle - keys.begin());
        lay_out(gap > 0 ? bits_for(gap) : 14, keys.size(), keys, near);
    }

    [[nodiscard]] std::vector<QueueKey> all_keys(const KeyHeap& near) const {
        std::vector<QueueKey> keys(near.keys().begin(), near.keys().end());
        keys.reserve(size() + near.size());
        for_each([&](const QueueKey& key) { keys.push_back(key); });
        return keys;
    }

    void lay_out(int day_bits, std::size_t room, const std::vector<QueueKey>& keys, KeyHeap& near) {
        const std::int64_t first = near.top().at;
        heads_.assign(std::bit_ceil(std::max(4 * room, least_days)), none);
        marks_.assign(heads_.size() / 64, 0);
        far_.clear();
        near.clear();
        in_ring_ = 0;
        day_bits_ = day_bits;
        today_ = first >> day_bits;
        for (const QueueKey& key : keys) {
            if (!take(key, near)) {
                near.push(key);
            }
        }
        start_looking(first, room);
    }
    void start_looking(std::int64_t now, std::size_t keys) {
        looked_at_ = now;
        popped_ = skipped_ = turns_ = 0;
        most_waiting_ = 0;
        look_after_ = static_cast<std::int64_t>(1024 + 4 * keys);
    }

    std::vector<Link> links_;             // by slot of the body
    std::vector<std::uint32_t> heads_;    // by day: the first of its chain
    std::vector<std::uint64_t> marks_;    // a bit by day
    KeyHeap far_;                         // beyond the ring
    std::int64_t today_ = 0;
    int day_bits_ = 0;                    // a day has 2^day_bits_ ns
    std::size_t in_ring_ = 0;
    // Since the days' length was last looked at: keys that came out, days that began, words of marks
    // that were passed over.
    std::int64_t looked_at_ = 0, popped_ = 0, turns_ = 0, skipped_ = 0, look_after_ = 0;
    std::size_t most_waiting_ = 0;
};

}  // namespace electionlab

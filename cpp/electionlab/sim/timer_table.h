// Timers beside the nodes: one slot per (node, timer), so that re-arming is a store.
//
// The earliest slot is found by scanning blocks of 64; a block is scanned again only after its
// earliest slot moved later. With few nodes that beats every heap, because a heartbeat re-arms a
// timer that is nearly never the earliest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "electionlab/core/time.h"

namespace electionlab {

class TimerTable {
public:
    struct Slot {
        std::int64_t at;
        std::uint64_t order;
    };
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    void reset(std::size_t slots) {
        slots_.assign(slots, Slot{Instant::never().ns, 0});
        generations_.assign(slots, 0);
        blocks_.assign((slots + block_size - 1) / block_size, Block{});
        earliest_ = none;
        stale_ = false;
    }

    void set(std::size_t slot, Instant at, std::uint64_t order) {
        const Slot next{at.ns, order};
        const bool later = before(slots_[slot], next);
        slots_[slot] = next;
        ++generations_[slot];
        if (blocks_.size() > 1) {
            Block& block = blocks_[slot / block_size];
            if (block.earliest == slot) {
                block.stale = block.stale || later;
            } else if (!block.stale &&
                       (block.earliest == none || before(next, slots_[block.earliest]))) {
                block.earliest = slot;
            }
        }
        if (earliest_ == slot) {
            stale_ = stale_ || later;
        } else if (!stale_ && (earliest_ == none || before(next, slots_[earliest_]))) {
            earliest_ = slot;
        }
    }

    /// Also of a timer that is not armed: an expiry of it that still waits becomes stale.
    void cancel(std::size_t slot) {
        if (armed(slot)) {
            set(slot, Instant::never(), 0);
        } else {
            ++generations_[slot];
        }
    }

    [[nodiscard]] bool armed(std::size_t slot) const {
        return slots_[slot].at != Instant::never().ns;
    }
    [[nodiscard]] const Slot& at(std::size_t slot) const { return slots_[slot]; }
    [[nodiscard]] std::size_t size() const { return slots_.size(); }
    /// Counts what was done to a slot: an expiry that was held up is stale when this has moved on.
    [[nodiscard]] std::uint32_t generation(std::size_t slot) const { return generations_[slot]; }

    /// The slot that expires first; an unarmed one (at = never) when none is armed.
    [[nodiscard]] std::size_t earliest() {
        if (stale_) {
            find_earliest();
        }
        return earliest_;
    }

private:
    static constexpr std::size_t block_size = 64;
    struct Block {
        std::size_t earliest = none;
        bool stale = false;
    };

    static bool before(const Slot& a, const Slot& b) {
        return a.at != b.at ? a.at < b.at : a.order < b.order;
    }

    void find_earliest() {
        stale_ = false;
        if (blocks_.size() == 1) {
            earliest_ = scan(0);
            return;
        }
        earliest_ = none;
        for (std::size_t b = 0; b < blocks_.size(); ++b) {
            Block& block = blocks_[b];
            if (block.stale) {
                block = {scan(b), false};
            }
            if (block.earliest != none &&
                (earliest_ == none || before(slots_[block.earliest], slots_[earliest_]))) {
                earliest_ = block.earliest;
            }
        }
    }

    [[nodiscard]] std::size_t scan(std::size_t block) const {
        const std::size_t begin = block * block_size;
        const std::size_t end = std::min(begin + block_size, slots_.size());
        std::size_t best = begin;
        for (std::size_t slot = begin + 1; slot < end; ++slot) {
            best = before(slots_[slot], slots_[best]) ? slot : best;
        }
        return best;
    }

    std::vector<Slot> slots_;
    std::vector<std::uint32_t> generations_;
    std::vector<Block> blocks_;
    std::size_t earliest_ = none;
    bool stale_ = false;
};

}  // namespace electionlab

// Timers beside the nodes: one slot per (node, timer), so that re-arming is a store.
//
// The earliest slot is found by scanning blocks of 64, blocks of 64 blocks, and so on; a block is
// scanned again only after its earliest slot moved later. With few nodes that beats every heap,
// because a heartbeat re-arms a timer that is nearly never the earliest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "electionlab/core/inlining.h"
#include "electionlab/core/time.h"

namespace electionlab {

class TimerTable {
public:
    struct Slot {
        std::int64_t at;
        std::uint64_t order;
    };

    void reset(std::size_t slots) {
        slots = std::max(slots, std::size_t{1});  // there is always an earliest one
        slots_.assign(slots, Slot{Instant::never().ns, 0});
        generations_.assign(slots, 0);
        std::size_t levels = 0;
        for (std::size_t blocks = slots; blocks > block_size; ++levels) {
            blocks = (blocks + block_size - 1) / block_size;
            if (levels == levels_.size()) {
                levels_.emplace_back();
            }
            levels_[levels].assign(blocks, unknown);
        }
        levels_.resize(levels);
        earliest_ = unknown;
        bound_ = {Instant::never().ns, 0};
    }

    void set(std::size_t slot, Instant at, std::uint64_t order) {
        const Slot changed{at.ns, order};
        if (slot == earliest_) {  // all others come after what it was
            bound_ = slots_[slot];
            earliest_ = before(bound_, changed) ? unknown : slot;
        } else if (before(changed, earliest_ == unknown ? bound_ : slots_[earliest_])) {
            earliest_ = slot;
        }
        slots_[slot] = changed;
        ++generations_[slot];
        std::size_t block = slot;
        for (std::vector<std::size_t>& level : levels_) {
            block /= block_size;
            note_change(slot, level[block]);
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
        if (earliest_ == unknown) {
            find_earliest();
        }
        return earliest_;
    }
    /// Whether no timer expires before that; looks for the earliest only if that is not clear.
    [[nodiscard]] EL_HOT bool none_before(std::int64_t at, std::uint64_t order) {
        if (earliest_ == unknown) {
            if (before({at, order}, bound_)) {
                return true;
            }
            find_earliest();
        }
        return before({at, order}, slots_[earliest_]);
    }

private:
    static constexpr std::size_t block_size = 64;
    static constexpr std::size_t unknown = static_cast<std::size_t>(-1);  // to be looked for

    static bool before(const Slot& a, const Slot& b) {
        return a.at != b.at ? a.at < b.at : a.order < b.order;
    }

    // When the earliest slot of a block changes, it may be so no longer.
    void note_change(std::size_t slot, std::size_t& earliest) const {
        if (earliest == slot) {
            earliest = unknown;
        } else if (earliest != unknown && before(slots_[slot], slots_[earliest])) {
            earliest = slot;
        }
    }

    void find_earliest() {
        earliest_ = levels_.empty() ? scan(0, slots_.size())
                                    : find(levels_.size() - 1, 0, levels_.back().size());
    }

    // The earliest slot of some blocks of a level.
    std::size_t find(std::size_t level, std::size_t begin, std::size_t end) {
        std::vector<std::size_t>& blocks = levels_[level];
        std::size_t best = unknown;
        for (std::size_t b = begin; b < end; ++b) {
            if (blocks[b] == unknown) {
                const std::size_t below = level == 0 ? slots_.size() : levels_[level - 1].size();
                const std::size_t first = b * block_size;
                const std::size_t last = std::min(first + block_size, below);
                blocks[b] = level == 0 ? scan(first, last) : find(level - 1, first, last);
            }
            best = best == unknown || before(slots_[blocks[b]], slots_[best]) ? blocks[b] : best;
        }
        return best;
    }

    [[nodiscard]] std::size_t scan(std::size_t begin, std::size_t end) const {
        std::size_t best = begin;
        Slot earliest = slots_[begin];
        for (std::size_t slot = begin + 1; slot < end; ++slot) {
            if (before(slots_[slot], earliest)) {
                best = slot;
                earliest = slots_[slot];
            }
        }
        return best;
    }

    std::vector<Slot> slots_;
    std::vector<std::uint32_t> generations_;
    std::vector<std::vector<std::size_t>> levels_;  // the earliest slot of each block
    std::size_t earliest_ = unknown;
    Slot bound_{};  // while that is unknown: no timer expires before
};

}  // namespace electionlab

// An array that grows at its end while others read it: an entry never moves.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "electionlab/core/errors.h"

namespace electionlab::check {

/// One thread at a time may add; any may read entries whose numbers it was given since.
template <class T>
class StableArray {
public:
    StableArray() = default;
    StableArray(const StableArray&) = delete;
    StableArray& operator=(const StableArray&) = delete;
    ~StableArray() {
        for (auto& block : blocks_) {
            delete[] block.load(std::memory_order_relaxed);
        }
    }

    /// The number of the new entry.
    std::uint32_t add(T value) {
        const std::uint32_t id = size_.load(std::memory_order_relaxed);
        EL_ASSERT(id < 0xffff'ffffU - first);
        const Place place = place_of(id);
        auto& block = blocks_[place.block];
        if (block.load(std::memory_order_relaxed) == nullptr) {
            block.store(new T[std::size_t{first} << place.block], std::memory_order_release);
        }
        block.load(std::memory_order_relaxed)[place.offset] = std::move(value);
        size_.store(id + 1, std::memory_order_release);
        return id;
    }
    [[nodiscard]] const T& operator[](std::uint32_t id) const {
        const Place place = place_of(id);
        return blocks_[place.block].load(std::memory_order_acquire)[place.offset];
    }
    [[nodiscard]] T& at(std::uint32_t id) {
        const Place place = place_of(id);
        return blocks_[place.block].load(std::memory_order_acquire)[place.offset];
    }
    [[nodiscard]] std::uint32_t size() const { return size_.load(std::memory_order_acquire); }

private:
    struct Place {
        std::uint32_t block;
        std::uint32_t offset;
    };
    static constexpr std::uint32_t first = 256;  // entries of block 0; each block doubles

    static Place place_of(std::uint32_t id) {
        const std::uint32_t n = id + first;
        const auto top = static_cast<std::uint32_t>(std::bit_width(n)) - 1;
        return {top - 8, n - (1U << top)};
    }

    std::array<std::atomic<T*>, 24> blocks_{};
    std::atomic<std::uint32_t> size_{0};
};

}  // namespace electionlab::check

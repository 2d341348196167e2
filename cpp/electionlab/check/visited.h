// Which states were seen, by fingerprint, and from which state each was first reached.
//
// A state costs 12 bytes in a table that is filled to between 53 and 80 percent, and 4 for the state
// before it: 19 to 27 bytes, everything included that a shortest path needs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "electionlab/check/large_array.h"
#include "electionlab/core/random.h"

namespace electionlab::check {

/// The number of a state, in the order in which they were found.
using StateId = std::uint32_t;
inline constexpr StateId no_state = ~StateId{0};

/// One part of the table; different threads may work on different parts.
class VisitedPart {
public:
    VisitedPart() { resize(64); }

    /// Looks at fingerprints only: most of what is asked has been seen, and a number costs a second
    /// trip to memory.
    [[nodiscard]] bool contains(std::uint64_t fingerprint) const {
        return fingerprints_[look_for(fingerprint)] != 0;
    }
    /// The number that a state was given; `no_state` if it was not seen.
    [[nodiscard]] StateId find(std::uint64_t fingerprint) const {
        const std::size_t i = look_for(fingerprint);
        return fingerprints_[i] != 0 ? ids_[i] : no_state;
    }
    void prefetch(std::uint64_t fingerprint) const {
#if defined(__GNUC__)
        __builtin_prefetch(&fingerprints_[place(fingerprint)]);
#endif
    }
    /// Adds a state that is not there yet.
    void add(std::uint64_t fingerprint, StateId id, StateId parent) {
        if ((count_ + 1) * 5 > size_ * 4) {
            resize((size_ + size_ / 2) / in_line * in_line);
        }
        insert(fingerprint, id);
        if (count_ % block == 0) {
            parents_.push_back(std::make_unique_for_overwrite<StateId[]>(block));
        }
        parents_.back()[count_ % block] = parent;
        ++count_;
    }
    [[nodiscard]] std::size_t size() const { return count_; }
    /// The state from which the `index`-th state of this part was first reached.
    [[nodiscard]] StateId parent(std::size_t index) const {
        return parents_[index / block][index % block];
    }
    /// The fingerprint of a state of this part; looks at all of it.
    [[nodiscard]] std::uint64_t fingerprint_of(StateId id) const {
        for (std::size_t i = 0; i < size_; ++i) {
            if (fingerprints_[i] != 0 && ids_[i] == id) {
                return fingerprints_[i];
            }
        }
        return 0;
    }
    [[nodiscard]] std::size_t bytes() const { return size_ * 12 + parents_.size() * block * 4; }

private:
    static constexpr std::size_t block = 4096;
    static constexpr std::size_t in_line = 8;  // fingerprints in a line of cache

    [[nodiscard]] std::size_t place(std::uint64_t fingerprint) const {
        // The high word of a product: any size will do, and the low bits choose the part.
        return static_cast<std::size_t>(scale_word(fingerprint, size_));
    }
    // The next place to look: first round the line of cache, then in the next one.
    [[nodiscard]] std::size_t after(std::size_t i, std::size_t tried) const {
        const std::size_t line = i / in_line * in_line;
        if (tried % in_line != 0) {
            return line + (i + 1) % in_line;
        }
        return line + in_line == size_ ? 0 : line + in_line;
    }
    // Where a fingerprint is, or would be: what is there is free then.
    [[nodiscard]] std::size_t look_for(std::uint64_t fingerprint) const {
        std::size_t i = place(fingerprint), tried = 1;
        while (fingerprints_[i] != 0 && fingerprints_[i] != fingerprint) {
            i = after(i, tried++);
        }
        return i;
    }
    void insert(std::uint64_t fingerprint, StateId id) {
        const std::size_t i = look_for(fingerprint);
        fingerprints_[i] = fingerprint;
        ids_[i] = id;
    }
    void resize(std::size_t size) {
        const auto old = std::move(fingerprints_);
        const auto old_ids = std::move(ids_);
        const std::size_t old_size = size_;
        size_ = size;
        fingerprints_ = make_large<std::uint64_t>(size);
        std::fill_n(fingerprints_.get(), size, 0);
        ids_ = make_large<StateId>(size);
        for (std::size_t i = 0; i < old_size; ++i) {
            if (old[i] != 0) {
                insert(old[i], old_ids[i]);
            }
        }
    }

    std::size_t size_ = 0;
    std::size_t count_ = 0;
    LargeArray<std::uint64_t> fingerprints_;  // 0: free
    LargeArray<StateId> ids_;
    std::vector<std::unique_ptr<StateId[]>> parents_;
};

/// All parts. A state's part is in the low bits of its fingerprint, and in those of its number.
class Visited {
public:
    static constexpr std::uint32_t parts = 16;

    [[nodiscard]] VisitedPart& part(std::uint64_t fingerprint) { return parts_[fingerprint % parts]; }
    [[nodiscard]] VisitedPart& at(std::uint32_t part) { return parts_[part]; }
    [[nodiscard]] StateId find(std::uint64_t fingerprint) const {
        return parts_[fingerprint % parts].find(fingerprint);
    }
    [[nodiscard]] bool contains(std::uint64_t fingerprint) const {
        return parts_[fingerprint % parts].contains(fingerprint);
    }
    void prefetch(std::uint64_t fingerprint) const { parts_[fingerprint % parts].prefetch(fingerprint); }
    /// The number of the next state of a part.
    [[nodiscard]] StateId next_id(std::uint32_t part) const {
        return static_cast<StateId>(parts_[part].size() * parts + part);
    }
    [[nodiscard]] StateId parent(StateId id) const { return parts_[id % parts].parent(id / parts); }
    [[nodiscard]] std::uint64_t fingerprint_of(StateId id) const {
        return parts_[id % parts].fingerprint_of(id);
    }
    [[nodiscard]] std::size_t size() const {
        std::size_t sum = 0;
        for (const VisitedPart& part : parts_) {
            sum += part.size();
        }
        return sum;
    }
    [[nodiscard]] std::size_t bytes() const {
        std::size_t sum = 0;
        for (const VisitedPart& part : parts_) {
            sum += part.bytes();
        }
        return sum;
    }

private:
    VisitedPart parts_[parts];
};

}  // namespace electionlab::check

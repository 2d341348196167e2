// A set of nodes as bits: votes received, answers heard.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "electionlab/core/ids.h"

namespace electionlab {

/// A set of node ids 1..MaxNodes. Trivially copyable; iterates in ascending order.
template <std::size_t MaxNodes>
class NodeSet {
public:
    static constexpr std::size_t capacity = MaxNodes;

    constexpr void insert(NodeId node) { words_[word(node)] |= bit(node); }
    constexpr void erase(NodeId node) { words_[word(node)] &= ~bit(node); }
    constexpr void clear() { words_.fill(0); }
    [[nodiscard]] constexpr bool contains(NodeId node) const {
        return (words_[word(node)] & bit(node)) != 0;
    }
    [[nodiscard]] constexpr std::size_t size() const {
        std::size_t count = 0;
        for (const std::uint64_t w : words_) {
            count += static_cast<std::size_t>(std::popcount(w));
        }
        return count;
    }
    template <class Visitor>
    constexpr void for_each(Visitor&& visit) const {
        for (std::size_t i = 0; i < words_.size(); ++i) {
            for (std::uint64_t w = words_[i]; w != 0; w &= w - 1) {
                visit(static_cast<NodeId>(i * 64 + static_cast<std::size_t>(std::countr_zero(w)) + 1));
            }
        }
    }
    [[nodiscard]] constexpr const auto& words() const { return words_; }

    friend constexpr bool operator==(const NodeSet&, const NodeSet&) = default;

private:
    static constexpr std::size_t word(NodeId node) { return (node - 1) / 64; }
    static constexpr std::uint64_t bit(NodeId node) { return std::uint64_t{1} << ((node - 1) % 64); }

    std::array<std::uint64_t, (MaxNodes + 63) / 64> words_{};
};

}  // namespace electionlab

// Draws by lot as choices: a random stream whose next word is the one that is wanted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "electionlab/core/ids.h"
#include "electionlab/core/random.h"

namespace electionlab::check {

/// The word that `mix64` makes this one of.
constexpr std::uint64_t unmix64(std::uint64_t z) {
    z ^= z >> 31 ^ z >> 62;
    z *= 0x319642b2d24d8ec3ULL;
    z ^= z >> 27 ^ z >> 54;
    z *= 0x96de1b173f119089ULL;
    return z ^ z >> 30 ^ z >> 60;
}
static_assert(unmix64(mix64(0x0123'4567'89ab'cdefULL)) == 0x0123'4567'89ab'cdefULL);

/// A stream whose word `index` falls into part `choice` of `choices` equal parts of all words.
constexpr RandomStream stream_with(std::uint64_t index, std::uint32_t choice, std::uint32_t choices) {
    const std::uint64_t part = ~std::uint64_t{0} / choices;
    return {unmix64(part * choice + part / 2) - (index + 1) * golden_gamma};
}

/// A draw of a run: word `index` in this life of a node fell into part `choice` of `choices`.
struct Draw {
    NodeId node = no_node;
    std::uint32_t life = 0;  ///< crashes before
    std::uint64_t index = 0;
    std::uint32_t choice = 0;
    std::uint32_t choices = 1;
};

/// The first seed, below `most`, with which a simulated cluster draws so; nothing: there is none.
std::optional<std::uint64_t> seed_that_draws(std::span<const Draw> draws, std::uint64_t most);

}  // namespace electionlab::check

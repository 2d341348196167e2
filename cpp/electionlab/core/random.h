// Counter-based random streams: draw i of stream k is a pure function of (k, i).
//
// Source: SplitMix64, Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
//         OOPSLA 2014; the constants are the published ones. The bounded draw is the high word of
//         a 64 x 64 product (Lemire 2019, without rejection: the bias is below range / 2^64).
// Why own: the standard's distributions differ between libraries, and one more draw in one place
//         must disturb nothing elsewhere.
#pragma once

#include <cstdint>

#include "electionlab/core/ids.h"

namespace electionlab {

/// SplitMix64's finaliser: a bijection of 64-bit words that mixes every bit into every other.
constexpr std::uint64_t mix64(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

inline constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15ULL;

/// What a stream is for. The numbers are part of every golden trace: append, never renumber.
enum class Purpose : std::uint32_t {
    network = 1,        ///< loss, duplication, delay and reordering of a node's messages
    timer = 2,          ///< election timeouts and the like; plus the timer's number times 256
    timer_lateness = 3,
    disk = 4,
    processing = 5,
    start = 6,
    fault_plan = 7,         ///< `extra` is the plan's number
    fault_target = 8,
    scenario = 9,       ///< choices of a trial: where in the heartbeat interval a leader crashes
    clock = 10,
    protocol = 11,      ///< what a protocol draws itself; `extra` counts the node's crashes
};

/// A stream of 64-bit words, keyed by who draws and what for.
struct RandomStream {
    std::uint64_t key = 0;

    /// Word number `index` of the stream, uniform over all 64-bit values.
    [[nodiscard]] constexpr std::uint64_t word(std::uint64_t index) const {
        return mix64(key + (index + 1) * golden_gamma);
    }
};

/// What all streams of one trial have in common.
constexpr std::uint64_t trial_key(std::uint64_t seed, std::uint64_t trial) {
    return mix64(mix64(seed + golden_gamma) ^ (trial * golden_gamma + 1));
}

/// The stream of (trial, node, purpose); `extra` (below 2^24) tells the streams of one purpose apart.
constexpr RandomStream random_stream(std::uint64_t key, NodeId node, Purpose purpose,
                                     std::uint32_t extra = 0) {
    return {mix64(key ^ ((std::uint64_t{node} << 32 | std::uint64_t{extra} << 8 |
                          static_cast<std::uint32_t>(purpose)) *
                         golden_gamma))};
}

/// High word of the 128-bit product: maps a uniform word to 0..span-1 (all of it when span is 0).
constexpr std::uint64_t scale_word(std::uint64_t word, std::uint64_t span) {
#ifdef __SIZEOF_INT128__
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(static_cast<Wide>(word) * span >> 64);
#else
    const std::uint64_t a = word >> 32, b = word & 0xffffffffU;
    const std::uint64_t c = span >> 32, d = span & 0xffffffffU;
    const std::uint64_t middle = a * d + ((b * d) >> 32);
    const std::uint64_t low = (middle & 0xffffffffU) + b * c;
    return a * c + (middle >> 32) + (low >> 32);
#endif
}

/// Uniform over the whole numbers low..high, both ends included.
constexpr std::int64_t uniform_integer(std::uint64_t word, std::int64_t low, std::int64_t high) {
    const auto span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + scale_word(word, span));
}

/// True with probability p; exact for 0 and 1.
constexpr bool chance(std::uint64_t word, double p) {
    if (p <= 0) {
        return false;
    }
    // 2^53 steps: the comparison is between exactly represented numbers.
    return static_cast<double>(word >> 11) < p * 9007199254740992.0;
}

/// Uniform in the open interval (0, 1), never 0 or 1: the middle of one of 2^52 equal cells.
constexpr double open_unit(std::uint64_t word) {
    return (static_cast<double>(word >> 12) + 0.5) * (1.0 / 4503599627370496.0);
}

}  // namespace electionlab

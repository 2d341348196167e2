#include "electionlab/check/draws.h"

#include <algorithm>

namespace electionlab::check {

std::optional<std::uint64_t> seed_that_draws(std::span<const Draw> draws, std::uint64_t most) {
    for (std::uint64_t seed = 0; seed < most; ++seed) {
        const std::uint64_t key = trial_key(seed, 0);
        const bool fits = std::all_of(draws.begin(), draws.end(), [&](const Draw& d) {
            const RandomStream stream = random_stream(key, d.node, Purpose::protocol, d.life);
            return scale_word(stream.word(d.index), d.choices) == d.choice;
        });
        if (fits) {
            return seed;
        }
    }
    return std::nullopt;
}

}  // namespace electionlab::check

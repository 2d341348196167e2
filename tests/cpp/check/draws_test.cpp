#include "electionlab/check/draws.h"

#include <cstdint>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"

using namespace electionlab;
using namespace electionlab::check;

TEST_CASE("draws: a stream can be made to say what is wanted, and a seed be found that does",
          "[check][draws]") {
    for (std::uint32_t choices = 1; choices <= 16; ++choices) {
        for (std::uint32_t choice = 0; choice < choices; ++choice) {
            for (const std::uint64_t index : {0ULL, 1ULL, 77ULL}) {
                CAPTURE(choices, choice, index);
                CHECK(scale_word(stream_with(index, choice, choices).word(index), choices) == choice);
            }
        }
    }
    const std::vector<Draw> draws{{1, 0, 0, 2, 3}, {2, 0, 0, 0, 3}, {2, 1, 0, 1, 3}, {1, 0, 1, 2, 3}};
    const auto seed = seed_that_draws(draws, 100'000);
    REQUIRE(seed);
    for (const Draw& d : draws) {
        const auto stream = random_stream(trial_key(*seed, 0), d.node, Purpose::protocol, d.life);
        CHECK(scale_word(stream.word(d.index), d.choices) == d.choice);
    }
    CHECK_FALSE(seed_that_draws(draws, *seed));  // the first
}

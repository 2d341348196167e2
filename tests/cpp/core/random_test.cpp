#include "electionlab/core/random.h"

#include <array>
#include <cstdint>
#include <set>

#include "catch_shim.h"

using namespace electionlab;

TEST_CASE("random: SplitMix64 gives the published words", "[core][random]") {
    // The reference program (S. Vigna, splitmix64.c) with the seeds of its published test vectors.
    constexpr std::array<std::uint64_t, 5> of_1234567 = {
        6457827717110365317ULL, 3203168211198807973ULL, 9817491932198370423ULL,
        4593380528125082431ULL, 16408922859458223821ULL};
    constexpr std::array<std::uint64_t, 3> of_0 = {0xe220a8397b1dcdafULL, 0x6e789e6aa1b965f4ULL,
                                                   0x06c45d188009454fULL};
    for (std::size_t i = 0; i < of_1234567.size(); ++i) {
        CHECK(RandomStream{1234567}.word(i) == of_1234567[i]);
    }
    for (std::size_t i = 0; i < of_0.size(); ++i) {
        CHECK(RandomStream{0}.word(i) == of_0[i]);
    }
}

TEST_CASE("random: the high word of a product equals the compiler's 128-bit product",
          "[core][random]") {
    __extension__ typedef unsigned __int128 wide;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        const std::uint64_t a = RandomStream{1}.word(i);
        const std::uint64_t b = RandomStream{2}.word(i) >> (i % 64);
        CAPTURE(a, b);
        REQUIRE(scale_word(a, b) == static_cast<std::uint64_t>(static_cast<wide>(a) * b >> 64));
    }
}

TEST_CASE("random: uniform_integer reaches both ends and never leaves them", "[core][random]") {
    CHECK(uniform_integer(0, -3, 4) == -3);
    CHECK(uniform_integer(~std::uint64_t{0}, -3, 4) == 4);
    CHECK(uniform_integer(~std::uint64_t{0}, 7, 7) == 7);
    CHECK(uniform_integer(0, INT64_MIN, INT64_MAX) == INT64_MIN);
    CHECK(uniform_integer(~std::uint64_t{0}, INT64_MIN + 5, INT64_MAX) == INT64_MAX);
    CHECK(uniform_integer(~std::uint64_t{0}, 0, INT64_MAX) == INT64_MAX);
}

TEST_CASE("random: uniform_integer is uniform", "[core][random]") {
    // Chi-square of 17 cells: 16 degrees of freedom, 39.25 is exceeded once in 1,000 runs; the
    // seeds are fixed, so this either always passes or never.
    const std::uint64_t seed = GENERATE(1u, 2u, 3u, 4u, 5u);
    CAPTURE(seed);
    constexpr int draws = 170'000;
    std::array<int, 17> cells{};
    for (std::uint64_t i = 0; i < draws; ++i) {
        const auto drawn = uniform_integer(RandomStream{seed}.word(i), -8, 8);
        REQUIRE(drawn >= -8);
        REQUIRE(drawn <= 8);
        ++cells[static_cast<std::size_t>(drawn + 8)];
    }
    double chi_square = 0;
    for (const int count : cells) {
        chi_square += (count - 10'000.0) * (count - 10'000.0) / 10'000.0;
    }
    CHECK(chi_square < 39.25);
    CHECK(chi_square > 3.94);  // too even is as unlikely: 1 in 1,000
}

TEST_CASE("random: chance is exact at 0 and at 1", "[core][random]") {
    for (const std::uint64_t word : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
        CHECK_FALSE(chance(word, 0.0));
        CHECK_FALSE(chance(word, -1.0));
        CHECK(chance(word, 1.0));
    }
    int hits = 0;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        hits += chance(RandomStream{9}.word(i), 0.3) ? 1 : 0;
    }
    CHECK(std::abs(hits - 30'000) <
          4 * 145);  // four standard deviations: sqrt(n p (1 - p)) = 144.9
}

TEST_CASE("random: open_unit stays inside (0, 1)", "[core][random]") {
    CHECK(open_unit(0) > 0.0);
    CHECK(open_unit(~std::uint64_t{0}) < 1.0);
    CHECK(open_unit(0) == 1.0 - open_unit(~std::uint64_t{0}));
}

TEST_CASE("random: no two streams of a trial share a key", "[core][random]") {
    std::set<std::uint64_t> keys;
    std::size_t made = 0;
    for (std::uint64_t trial = 0; trial < 20; ++trial) {
        const std::uint64_t key = trial_key(7, trial);
        for (NodeId node = 0; node <= 20; ++node) {
            for (std::uint32_t purpose = 1; purpose <= 10; ++purpose) {
                for (const std::uint32_t extra : {0u, 1u, 2u, 128u, 1000u}) {
                    keys.insert(random_stream(key, node, static_cast<Purpose>(purpose), extra).key);
                    ++made;
                }
            }
        }
    }
    CHECK(keys.size() == made);
}

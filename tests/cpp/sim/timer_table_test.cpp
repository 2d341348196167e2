#include "electionlab/sim/timer_table.h"

#include <algorithm>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"

using namespace electionlab;

namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

// The slot that a look at every slot finds.
std::size_t earliest_of(const std::vector<TimerTable::Slot>& slots) {
    std::size_t best = none;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i].at == Instant::never().ns) {
            continue;
        }
        if (best == none || slots[i].at < slots[best].at ||
            (slots[i].at == slots[best].at && slots[i].order < slots[best].order)) {
            best = i;
        }
    }
    return best;
}

}  // namespace

TEST_CASE("timer table: finds the earliest timer as a look at every slot does", "[sim][timers]") {
    const std::size_t size = GENERATE(1u, 2u, 63u, 64u, 65u, 300u, 777u, 4096u, 4200u);
    const std::uint64_t seed = GENERATE(range(1u, 6u));
    CAPTURE(size, seed);
    TimerTable table;
    table.reset(size);
    std::vector<TimerTable::Slot> reference(size, {Instant::never().ns, 0});
    std::vector<std::uint32_t> armings(size, 0);
    std::uint64_t draw = 0, order = 1;
    std::int64_t now = 0;
    const auto next = [&](std::int64_t low, std::int64_t high) {
        return uniform_integer(RandomStream{seed}.word(draw++), low, high);
    };
    for (int i = 0; i < 6000; ++i) {
        const auto slot = static_cast<std::size_t>(next(0, static_cast<std::int64_t>(size) - 1));
        const auto what = next(0, 9);
        if (what < 5) {  // often to the same instant, so that the order number decides
            const Instant at{now + next(0, 20)};
            table.set(slot, at, order);
            reference[slot] = {at.ns, order++};
            ++armings[slot];
        } else if (what < 7) {
            ++armings[slot];  // armed or not: what waits is stale
            table.cancel(slot);
            reference[slot] = {Instant::never().ns, 0};
        } else {  // the earliest one expires
            const std::size_t expected = earliest_of(reference);
            const std::size_t found = table.earliest();
            if (expected == none) {
                REQUIRE_FALSE(table.armed(found));
                continue;
            }
            REQUIRE(found == expected);
            now = std::max(now, reference[found].at);
            table.cancel(found);
            ++armings[found];
            reference[found] = {Instant::never().ns, 0};
        }
        REQUIRE(table.generation(slot) == armings[slot]);
        REQUIRE(table.armed(slot) == (reference[slot].at != Instant::never().ns));
    }
}

TEST_CASE("timer table: a very large one lets its timers expire in order", "[sim][timers][scale]") {
    const std::size_t size = 300'000;
    TimerTable table;
    table.reset(size);
    std::vector<std::int64_t> times;
    for (std::size_t slot = 0; slot < size; ++slot) {
        times.push_back(uniform_integer(RandomStream{1}.word(slot), 0, 1'000'000'000));
        table.set(slot, Instant{times.back()}, slot + 1);
    }
    std::sort(times.begin(), times.end());
    for (std::size_t i = 0; i < 2000; ++i) {
        const std::size_t slot = table.earliest();
        CAPTURE(i, slot);
        REQUIRE(table.at(slot).at == times[i]);
        if (i % 2 == 0) {
            table.cancel(slot);
        } else {
            table.set(slot, Instant{2'000'000'000}, size + i);
        }
    }
}

TEST_CASE("timer table: starts afresh after a reset", "[sim][timers]") {
    TimerTable table;
    table.reset(10);
    table.set(3, Instant{5}, 1);
    CHECK(table.earliest() == 3);
    table.reset(10);
    CHECK_FALSE(table.armed(3));
    CHECK(table.generation(3) == 0);
    const std::size_t found = table.earliest();
    CHECK_FALSE(table.armed(found));
}

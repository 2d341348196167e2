#include "electionlab/sim/event_queue.h"

#include <algorithm>
#include <set>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"

using namespace electionlab;

namespace {

struct Earlier {
    bool operator()(const QueueKey& a, const QueueKey& b) const { return a.before(b); }
};

}  // namespace

TEST_CASE("event queue: gives out keys by time and then by order number", "[sim][queue]") {
    const std::uint64_t seed = GENERATE(range(1u, 41u));
    CAPTURE(seed);
    EventQueue queue;
    std::set<QueueKey, Earlier> reference;
    std::uint64_t order = 1, draw = 0;
    const auto next = [&](std::int64_t low, std::int64_t high) {
        return uniform_integer(RandomStream{seed}.word(draw++), low, high);
    };
    const auto same_first = [&] {
        return queue.empty() == reference.empty() &&
               (reference.empty() || (queue.top().at == reference.begin()->at &&
                                      queue.top().order_and_slot == reference.begin()->order_and_slot));
    };
    std::int64_t now = 0, longest = 0;  // of delays, in some stretches of the run
    int pushes = 0;
    std::vector<std::uint32_t> slots;
    for (int i = 0; i < 20'000; ++i) {
        if (i % 2500 == 0) {  // from ties to years; more come than go, or fewer
            const std::int64_t scales[] = {0, 15, 1000, 10'000'000, 400'000'000, 1'000'000'000'000'000};
            longest = scales[next(0, 5)];
            pushes = static_cast<int>(next(3, 6));
        }
        const auto what = next(0, 9);
        if (what < pushes) {
            const auto slot = static_cast<std::uint32_t>(i);
            const bool is_far = next(0, 999) == 0;
            const Instant at = is_far ? Instant::never() : Instant{now + next(0, longest)};
            const QueueKey key = QueueKey::make(at, order++, slot);
            queue.push(key);
            reference.insert(key);
            slots.push_back(slot);
        } else if (what < 9 && !reference.empty()) {
            now = std::min(queue.top().at, std::int64_t{1} << 60);
            queue.pop();
            reference.erase(reference.begin());
        } else if (!slots.empty()) {  // by hand, out of the middle; sometimes it is gone already
            const auto pick =
                static_cast<std::size_t>(next(0, static_cast<std::int64_t>(slots.size()) - 1));
            const auto slot = slots[pick];
            const auto found = std::find_if(reference.begin(), reference.end(),
                                            [&](const QueueKey& k) { return k.slot() == slot; });
            REQUIRE(queue.remove(slot) == (found != reference.end()));
            if (found != reference.end()) {
                reference.erase(found);
            }
        }
        if (i % 1000 == 999) {
            const EventQueue copied(queue);
            queue = copied;
            const auto keys = queue.keys();
            REQUIRE(std::equal(keys.begin(), keys.end(), reference.begin(), reference.end(),
                               [](const QueueKey& a, const QueueKey& b) {
                                   return a.at == b.at && a.order_and_slot == b.order_and_slot;
                               }));
        }
        if (i % 7000 == 6999 && seed % 2 == 0) {  // a trial ends, the next one begins
            queue.clear();
            reference.clear();
            slots.clear();
            now = 0;
        }
        REQUIRE(queue.size() == reference.size());
        REQUIRE(same_first());
    }
    while (!reference.empty()) {
        REQUIRE(same_first());
        queue.pop();
        reference.erase(reference.begin());
    }
    CHECK(queue.empty());
}

TEST_CASE("event queue: a key keeps its time, order and slot apart", "[sim][queue]") {
    const auto key = QueueKey::make(Instant{-5}, (std::uint64_t{1} << 40) - 1, (1U << 24) - 1);
    CHECK(key.at == -5);
    CHECK(key.order() == (std::uint64_t{1} << 40) - 1);
    CHECK(key.slot() == (1U << 24) - 1);
}

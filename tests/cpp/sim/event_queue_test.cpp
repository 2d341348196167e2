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
    const std::uint64_t seed = GENERATE(range(1u, 21u));
    CAPTURE(seed);
    EventQueue queue;
    std::set<QueueKey, Earlier> reference;
    std::uint64_t order = 1, draw = 0;
    const auto next = [&](std::int64_t low, std::int64_t high) {
        return uniform_integer(RandomStream{seed}.word(draw++), low, high);
    };
    std::vector<std::uint32_t> slots;
    for (int i = 0; i < 4000; ++i) {
        const auto what = next(0, 9);
        if (what < 5) {  // few different times, so that ties are the rule
            const auto slot = static_cast<std::uint32_t>(i);
            const QueueKey key = QueueKey::make(Instant{next(0, 15)}, order++, slot);
            queue.push(key);
            reference.insert(key);
            slots.push_back(slot);
        } else if (what < 8 && !reference.empty()) {
            REQUIRE(queue.top().order_and_slot == reference.begin()->order_and_slot);
            REQUIRE(queue.top().at == reference.begin()->at);
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
        REQUIRE(queue.size() == reference.size());
    }
    while (!reference.empty()) {
        REQUIRE(queue.top().order_and_slot == reference.begin()->order_and_slot);
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

// In steady state no event allocates: counted by replacing the allocation functions.
#include <atomic>
#include <cstdlib>
#include <new>

#include "catch_shim.h"
#include "story.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::int64_t> allocations{0};

void* counted_or_null(std::size_t size) {
    if (counting.load(std::memory_order_relaxed)) {
        allocations.fetch_add(1, std::memory_order_relaxed);
    }
    return std::malloc(size == 0 ? 1 : size);
}

void* counted(std::size_t size) {
    if (void* memory = counted_or_null(size)) {
        return memory;
    }
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return counted_or_null(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return counted_or_null(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

using namespace story;

namespace {

template <class Work>
std::int64_t allocations_of(Work&& work) {
    allocations = 0;
    counting = true;
    work();
    counting = false;
    return allocations;
}

}  // namespace

TEST_CASE("allocation: the counter counts", "[sim][allocation]") {
    CHECK(allocations_of([] { delete new int(3); }) == 1);
}

TEST_CASE("allocation: a running cluster allocates nothing", "[sim][allocation]") {
    const char* protocol = GENERATE("raft", "bully", "ring");
    const bool faulty = GENERATE(false, true);
    const Value link = faulty ? network(5, Dict{{"loss_probability", 0.01},
                                                {"duplicate_probability", 0.05},
                                                {"reorder_probability", 0.05},
                                                {"fifo", true}})
                              : network(5);
    Story s(protocol, 5, Dict{}, Dict{{"network", link}}, false);
    s.until(20'000);  // every buffer has its size
    CAPTURE(protocol, faulty);
    const std::int64_t steps = s->steps();
    const Instant end = s->now() + seconds(60);
    CHECK(allocations_of([&] { s->run(end, INT64_MAX, StopWhen::never, {}); }) == 0);
    CHECK(s->steps() - steps >= 6000);
}

TEST_CASE("allocation: what waits for a slow, writing or paused node needs no new memory",
          "[sim][allocation][waiting]") {
    const char* mode = GENERATE("blocking", "pipelined");
    const Value node = Dict{{"processing_ms", List{0, 1}}, {"write_delay_ms", List{1, 6}}};
    Story s("raft", 5, Dict{{"election_timeout_ms", List{20, 30}}, {"heartbeat_interval_ms", 9}},
            Dict{{"network", network(5)}, {"write_mode", mode}, {"every_node", node}}, false);
    s.until(20'000);
    CAPTURE(mode);
    const std::int64_t waits = s.faults().held_by_load;
    const Instant end = s->now() + seconds(20);
    CHECK(allocations_of([&] { s->run(end, INT64_MAX, StopWhen::never, {}); }) == 0);
    CHECK(s.faults().held_by_load - waits > 10'000);
    s.pause(1);
    const Instant later = end + seconds(1);
    s->run(later, INT64_MAX, StopWhen::never, {});
    CHECK(s.faults().held_by_pause > 100);
    // The places of what was held are used again.
    s.resume(1);
    s->run(later + seconds(1), INT64_MAX, StopWhen::never, {});
    CHECK(allocations_of([&] { s->run(later + seconds(3), INT64_MAX, StopWhen::never, {}); }) == 0);
}

TEST_CASE("allocation: a trial that follows others allocates nothing", "[sim][allocation][sweep]") {
    const char* protocol = GENERATE("raft", "bully");
    const bool disk = GENERATE(false, true);
    const auto make = find_protocol(protocol).make_trials(
        Dict{}, 5,
        Dict{{"seed", 1},
             {"initial_leader", 5},
             {"every_node", Dict{{"write_delay_ms", disk ? 2 : 0}}}},
        Experiment::leader_crash());
    const BlockRunner run = make();
    TrialTable table;
    table.resize(600);
    const std::atomic<bool> cancelled{false};
    std::atomic<std::int64_t> finished{0};
    run(0, 300, table, 0, cancelled, finished);
    CAPTURE(protocol, disk);
    // The same trials again: whatever they need is there.
    CHECK(allocations_of([&] { run(0, 300, table, 300, cancelled, finished); }) == 0);
    CHECK(finished == 600);
}

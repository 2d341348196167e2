// Durable writes: the order of duties is persist, then send; a crash between loses both.
#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

// Node 1 will stand for election when told; nobody else stirs. Writes take 8 ms, links 5 ms.
Story slow_disks(const char* mode, const Value& every_node = Dict{{"write_delay_ms", 8}}) {
    return Story("raft", 3, Dict{{"election_timeout_ms", 1e8}, {"heartbeat_interval_ms", 50}},
                 Dict{{"network", network(5)}, {"write_mode", mode}, {"every_node", every_node}});
}

}  // namespace

TEST_CASE("disk: a message leaves only when the write before it is done", "[sim][disk]") {
    const char* mode = GENERATE("blocking", "pipelined");
    CAPTURE(mode);
    Story s = slow_disks(mode);
    s.until(10);
    s.fire(1, "election");  // votes for itself: a write until 18, then the requests leave
    CHECK(s.whole(1, "disk.current_term") == 1);
    CHECK(s.whole(1, "durable.current_term") == 0);
    const auto requests = s.in_flight("VoteRequest");
    REQUIRE(requests.size() == 2);
    for (const PendingEvent& request : requests) {
        CHECK(request.sent == Instant{} + ms(18));
        CHECK(request.at == Instant{} + ms(23));
    }
    s.until(23);
    // The voters write their vote until 31, then the answers leave.
    const auto replies = s.in_flight("VoteReply");
    REQUIRE(replies.size() == 2);
    CHECK(replies[0].sent == Instant{} + ms(31));
    CHECK(s.whole(2, "disk.voted_for") == 1);
    CHECK(s.whole(2, "durable.voted_for") == 0);
    s.until(36);
    CHECK(s.leader() == 1);
}

TEST_CASE("disk: a crash during the write loses the write and the message", "[sim][disk][crash]") {
    const char* mode = GENERATE("blocking", "pipelined");
    CAPTURE(mode);
    Story s = slow_disks(mode);
    s.until(10);
    s.fire(1, "election");
    s.until(25);  // node 2 is writing its vote
    s.crash(2);
    CHECK(s.faults().writes_lost == 1);
    CHECK(s.faults().unsent == 1);
    CHECK(s.dropped("sender_crashed") == 1);
    CHECK(s.whole(2, "disk.voted_for") == 0);
    CHECK(s.whole(2, "disk.current_term") == 0);
    s.until(60);
    CHECK(s.delivered("VoteReply") == 1);  // node 3's
    CHECK(s.leader() == 1);
    s.restart(2);
    CHECK(s.whole(2, "disk.voted_for") == 0);
    CHECK(s.violations() == 0);
}

TEST_CASE("disk: a crash after the write loses neither", "[sim][disk][crash]") {
    const char* mode = GENERATE("blocking", "pipelined");
    CAPTURE(mode);
    Story s = slow_disks(mode);
    s.until(10);
    s.fire(1, "election");
    s.until(32);
    s.crash(2);
    CHECK(s.faults().writes_lost == 0);
    CHECK(s.whole(2, "disk.voted_for") == 1);
    s.until(40);
    CHECK(s.delivered("VoteReply") == 2);
}

TEST_CASE("disk: a blocked node handles nothing while it writes, a pipelined one does",
          "[sim][disk]") {
    const bool blocking = GENERATE(true, false);
    Story s = slow_disks(blocking ? "blocking" : "pipelined");
    s.until(10);
    s.fire(1, "election");
    s.until(10);
    s.fire(2, "election");  // both write until 18, the requests arrive at 23 and are refused
    s.until(14);
    CHECK(s.whole(3, "disk.current_term") == 0);
    s.fire(1, "election");  // in the middle of its write
    if (blocking) {
        CHECK(s.whole(1, "disk.current_term") == 1);  // it waits for its turn
        s.until(18);
        CHECK(s.whole(1, "disk.current_term") == 2);
        CHECK(s.faults().held_by_load > 0);
    } else {
        CHECK(s.whole(1, "disk.current_term") == 2);
        // Its second write queues behind the first: 18 + 8.
        std::int64_t leave_last = 0;
        for (const PendingEvent& e : s.in_flight("VoteRequest")) {
            leave_last = std::max(leave_last, e.sent.ns);
        }
        CHECK(leave_last == 26'000'000);
    }
}

TEST_CASE("disk: what is written later is never replaced by an older write", "[sim][disk][crash]") {
    // The disk becomes quick after a slow write; the slow one must not come back at the crash.
    const char* mode = GENERATE("blocking", "pipelined");
    CAPTURE(mode);
    Story s = slow_disks(mode);
    s.until(10);
    s.fire(1, "election");  // term 1, durable at 18
    s.until(20);
    s.act(Dict{{"action", "disk"}, {"node", 1}, {"write_delay_ms", 0}});
    s.fire(1, "election");  // term 2, durable at once
    CHECK(s.whole(1, "durable.current_term") == 2);
    s.crash(1);
    CHECK(s.whole(1, "disk.current_term") == 2);
    s.restart(1);
    CHECK(s.whole(1, "disk.current_term") == 2);
    CHECK(s.violations() == 0);
}

TEST_CASE("disk: no vote is counted twice however often voters crash while they write",
          "[sim][disk][crash][safety]") {
    // Many crashes and restarts in the middle of writes: the classic way to elect two leaders.
    for (std::int64_t seed = 0; seed < seeds(400); ++seed) {
        Story s("raft", 5,
                Dict{{"election_timeout_ms", List{20, 40}}, {"heartbeat_interval_ms", 10}},
                Dict{{"seed", seed},
                     {"network", network(1, Dict{{"duplicate_probability", 0.2}})},
                     {"write_mode", seed % 2 == 0 ? "blocking" : "pipelined"},
                     {"every_node", Dict{{"write_delay_ms", List{0, 10}}}},
                     {"actions",
                      List{Dict{{"action", "plan"},
                                {"plan", Dict{{"do", Dict{{"action", "crash"}, {"node", "random"}}},
                                              {"interval_ms", List{1, 30}},
                                              {"repair_after_ms", List{1, 10}}}}}}}},
                false);
        s.until(3000);
        CAPTURE(seed);
        REQUIRE(s.faults().writes_lost > 0);
        REQUIRE(s.violations() == 0);
    }
}

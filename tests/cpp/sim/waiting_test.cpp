// What arrives at a node that is paused, busy or slow waits there in a line: first come, first
// served, whatever else happens at the same instant.
#include <algorithm>
#include <map>

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

const Value steady = Dict{{"election_timeout_ms", 1e8}, {"heartbeat_interval_ms", 10}};

Story led_by_1(NodeId count, const Value& more = Dict{}) {
    return Story("raft", count, steady,
                 merged(Dict{{"initial_leader", 1}, {"network", network(3)}}, more));
}

Value at_node(int node, const Value& config) {
    return List{Dict{{"node", node}, {"config", config}}};
}

struct Visit {
    std::int64_t message;
    std::int8_t timer;
    bool operator==(const Visit&) const = default;
};

// What came to a node, in the order in which it came, and in the order in which it was handled.
// A row of `wait` that follows another one of the same thing tells of the same visit.
void check_first_come_first_served(const Story& s) {
    std::map<NodeId, std::vector<Visit>> line;
    const Trace& trace = s->trace();
    for (std::size_t i = 0; i < trace.size(); ++i) {
        const TraceRow r = trace.row(i);
        const Visit visit{r.message, r.timer};
        auto& waits = line[r.node];
        if (r.kind == RowKind::wait) {
            if (std::find(waits.begin(), waits.end(), visit) == waits.end()) {
                waits.push_back(visit);
            }
        } else if (r.kind == RowKind::deliver || r.kind == RowKind::timer ||
                   r.kind == RowKind::lapse) {
            if (!waits.empty()) {
                CAPTURE(i, r.at.ns, r.node, r.message, int{r.timer});
                REQUIRE(waits.front() == visit);
                waits.erase(waits.begin());
            }
        } else if (r.kind == RowKind::action &&
                   r.detail == static_cast<std::uint8_t>(ActionKind::crash)) {
            waits.clear();
        }
    }
}

std::size_t waits_of(const Story& s, NodeId node) {
    const auto rows = s.rows(RowKind::wait);
    return static_cast<std::size_t>(
        std::count_if(rows.begin(), rows.end(), [&](const auto& r) { return r.node == node; }));
}

}  // namespace

TEST_CASE("waiting: an expiry whose timer is cancelled while it waits does not fire",
          "[sim][waiting][pause][timers]") {
    // A request of a higher term comes to the paused leader, then its heartbeat timer expires. At
    // the resume the request makes it step down, and cancels the timer that waits behind.
    Story s = led_by_1(2);
    s.until(15);
    s.pause(1);
    s.fire(2, "election");
    s.until(25);
    s.resume(1);
    s.until(25);
    CAPTURE(s.told());
    REQUIRE(s.role(1) == Role::follower);
    CHECK(s.rows(RowKind::lapse).size() == 1);
    for (const TraceRow& r : s.rows(RowKind::timer)) {
        CHECK((r.node != 1 || r.at < Instant{} + ms(15)));
    }
}

TEST_CASE("waiting: what waits for a write comes before what arrives when the write is done",
          "[sim][waiting][disk]") {
    // Node 2 writes its vote from 13 to 21. A message of node 3 arrives at 14 and waits; one of
    // node 1, sent earlier, arrives at 21.
    Story s("raft", 3, steady,
            Dict{{"network",
                  Dict{{"one_way_delay_ms", 3},
                       {"links", List{Dict{{"from", 1},
                                           {"to", 2},
                                           {"link", Dict{{"one_way_delay_ms", 11}}}},
                                      Dict{{"from", 3},
                                           {"to", 2},
                                           {"link", Dict{{"one_way_delay_ms", 4}}}}}}}},
                 {"nodes", at_node(2, Dict{{"write_delay_ms", 8}})}});
    s.until(9);
    s.fire(3, "election");  // its request arrives at node 2 at 13
    s.until(10);
    s.fire(1, "election");  // at node 2 at 21
    s.fire(3, "election");  // at node 2 at 14
    s.until(60);
    CAPTURE(s.told());
    std::vector<NodeId> senders;
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        if (r.node == 2 && r.message_kind == 0) {  // requests
            senders.push_back(r.peer);
        }
    }
    REQUIRE(senders.size() >= 3);
    CHECK(std::vector<NodeId>(senders.begin(), senders.begin() + 3) ==
          std::vector<NodeId>{3, 3, 1});
    check_first_come_first_served(s);
}

TEST_CASE("waiting: first come, first served, with any disks, speeds, pauses and crashes",
          "[sim][waiting][property]") {
    for (std::int64_t seed = 0; seed < seeds(60); ++seed) {
        const auto plan = [](const char* kind, double mean) {
            return Dict{{"action", "plan"},
                        {"plan", Dict{{"do", Dict{{"action", kind}, {"node", "random"}}},
                                      {"interval_ms", Dict{{"kind", "exponential"},
                                                           {"mean_ms", mean}}},
                                      {"repair_after_ms", List{1, 30}}}}};
        };
        Story s("raft", 5,
                Dict{{"election_timeout_ms", List{30, 60}}, {"heartbeat_interval_ms", 5}},
                Dict{{"seed", seed},
                     {"network", network(2, Dict{{"one_way_delay_ms", List{1, 4}}})},
                     {"write_mode", seed % 2 == 0 ? "blocking" : "pipelined"},
                     {"every_node", Dict{{"write_delay_ms", seed % 3 == 0 ? 0 : 4},
                                         {"processing_ms", seed % 5 == 0 ? 0 : 1}}},
                     {"actions", List{plan("pause", 40), plan("crash", 90)}}});
        s.until(1500);
        CAPTURE(seed);
        check_first_come_first_served(s);
        REQUIRE(waits_of(s, 1) > 10);
    }
}

TEST_CASE("waiting: the longer the line, the more waits, and no more than that",
          "[sim][waiting][slow]") {
    // 39 answers reach the leader together; it takes them up one after the other.
    Story s = led_by_1(40, Dict{{"nodes", at_node(1, Dict{{"processing_ms", 0.1}})}});
    s.until(19.9);
    CHECK(s.delivered("HeartbeatReply") == 39);
    CHECK(waits_of(s, 1) <= 2 * 39);
    CHECK(s.faults().held_by_load == 39);  // each of them once
}

TEST_CASE("waiting: a pause stops what a slow node is at; it needs the rest of its time after it",
          "[sim][waiting][pause][slow]") {
    Story s = led_by_1(2, Dict{{"nodes", at_node(2, Dict{{"processing_ms", 6}})}});
    s.until(15);  // the heartbeat of 10 arrived at 13 and would be done at 19
    s.pause(2);
    s.until(50);
    CHECK(s.delivered("Heartbeat") == 0);
    s.resume(2);
    s.until(53.9);
    CHECK(s.delivered("Heartbeat") == 0);
    s.until(54);
    CHECK(s.delivered("Heartbeat") == 1);
    s.until(60);
    CHECK(s.delivered("Heartbeat") == 2);
    check_first_come_first_served(s);
}

TEST_CASE("waiting: a stopped process sends nothing; what it was about to send leaves later",
          "[sim][waiting][pause][disk]") {
    // As with SIGSTOP in fsync: the disk ends its write, but the call returns only at SIGCONT.
    const char* mode = GENERATE("blocking", "pipelined");
    CAPTURE(mode);
    Story s("raft", 3, steady,
            Dict{{"network", network(5)},
                 {"write_mode", mode},
                 {"every_node", Dict{{"write_delay_ms", 8}}}});
    s.until(10);
    s.fire(1, "election");  // writes until 18; the requests would arrive at 23
    s.until(15);
    s.pause(1);
    s.until(40);
    CHECK(s.delivered("VoteRequest") == 0);
    CHECK(s.whole(1, "durable.voted_for") == 1);  // the write itself is the disk's
    s.resume(1);
    for (const PendingEvent& request : s.in_flight("VoteRequest")) {
        CHECK(request.sent == Instant{} + ms(40));
        CHECK(request.at == Instant{} + ms(45));
    }
    CHECK(s.in_flight("VoteRequest").size() == 2);
    s.until(45);
    CHECK(s.delivered("VoteRequest") == 2);

    SECTION("a pause that ends before the write does delays nothing") {
        Story t("raft", 3, steady,
                Dict{{"network", network(5)},
                     {"write_mode", mode},
                     {"every_node", Dict{{"write_delay_ms", 8}}}});
        t.until(10);
        t.fire(1, "election");
        t.until(12);
        t.pause(1);
        t.until(14);
        t.resume(1);
        t.until(23);
        CHECK(t.delivered("VoteRequest") == 2);
    }
    SECTION("a crash during the pause takes them") {
        Story t("raft", 3, steady,
                Dict{{"network", network(5)},
                     {"write_mode", mode},
                     {"every_node", Dict{{"write_delay_ms", 8}}}});
        t.until(10);
        t.fire(1, "election");
        t.until(15);
        t.pause(1);
        t.until(30);
        t.crash(1);
        CHECK(t.faults().unsent == 2);
        CHECK(t.dropped("sender_crashed") == 2);
        t.until(60);
        CHECK(t.delivered("VoteRequest") == 0);
        CHECK(t.whole(1, "durable.voted_for") == 1);
    }
}

TEST_CASE("waiting: messages that left before the pause arrive during it", "[sim][waiting]") {
    Story s = led_by_1(2);
    s.until(11);
    s.pause(1);
    s.until(13);
    CHECK(s.delivered("Heartbeat") == 1);
}

namespace {

// Kind, receiver or node, why it waits, and when it is due.
std::string told(const PendingEvent& e, const Cluster& cluster) {
    std::string text(enum_name(e.kind));
    if (e.message_kind >= 0) {
        text += " " + cluster.description().messages[static_cast<std::size_t>(e.message_kind)].name;
    }
    if (e.timer >= 0) {
        text += " " + cluster.description().timers[static_cast<std::size_t>(e.timer)];
    }
    text += " at " + std::to_string(e.node);
    if (e.waits != WaitReason::none) {
        text += ", " + std::string(enum_name(e.waits));
    }
    return text + (e.at == Instant::never() ? "" : ", " + std::to_string(e.at.ns / 1'000'000));
}

std::vector<std::string> waiting(const Story& s) {
    std::vector<std::string> found;
    for (const PendingEvent& e : s->pending()) {
        if (e.kind == PendingEvent::Kind::waiting) {
            found.push_back(told(e, *s));
        }
    }
    return found;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("waiting: pending lists what waits, and why", "[sim][waiting][pending]") {
    SECTION("at a paused node, or unsent by one") {
        Story s("raft", 3, Dict{{"election_timeout_ms", List{1e8, 1e8}}},
                Dict{{"network", network(5)},
                     {"every_node", Dict{{"write_delay_ms", 8}}}});
        s.until(10);
        s.fire(1, "election");
        s.until(11);
        s.pause(1);
        s.fire(2, "election");  // its request arrives at 24
        s.until(25);
        CHECK(waiting(s) == Lines{"waiting VoteRequest at 1, paused",
                                  "waiting VoteRequest at 2, sender_paused",
                                  "waiting VoteRequest at 3, sender_paused"});
        const auto pending = s->pending();
        const auto& held = pending[pending.size() - 3];
        CHECK_THROWS_WITH(s.touch("drop", held.message), contains("waits its turn"));
        CHECK_THROWS_WITH(s.touch("deliver", pending.back().message), contains("paused"));
    }
    SECTION("at a node that writes") {
        Story s("raft", 3, steady,
                Dict{{"network", network(5)},
                     {"nodes", at_node(3, Dict{{"write_delay_ms", 8}})}});
        s.until(10);
        s.fire(1, "election");
        s.until(11);
        s.fire(2, "election");  // node 3 votes at 15 and writes until 23; this comes at 16
        s.fire(2, "election");
        s.until(17);
        CHECK(waiting(s) == Lines{"waiting VoteRequest at 3, writing, 23",
                                  "waiting VoteRequest at 3, busy, 23"});
    }
    SECTION("at a slow node") {
        Story s = led_by_1(4, Dict{{"nodes", at_node(1, Dict{{"processing_ms", 4}})}});
        s.until(17);  // three answers came at 16
        CHECK(waiting(s) == Lines{"waiting HeartbeatReply at 1, handled, 20",
                                  "waiting HeartbeatReply at 1, busy, 20",
                                  "waiting HeartbeatReply at 1, busy, 20"});
        s.until(20);
        CHECK(waiting(s) == Lines{"waiting HeartbeatReply at 1, handled, 24",
                                  "waiting HeartbeatReply at 1, busy, 24",
                                  "waiting heartbeat at 1, busy, 24"});
        CHECK(s.rows(RowKind::wait).back().detail !=
              static_cast<std::uint8_t>(WaitReason::none));
    }
}

TEST_CASE("waiting: what is first in pending is what happens next", "[sim][waiting][pending]") {
    for (std::int64_t seed = 0; seed < seeds(40); ++seed) {
        Story s("raft", 4,
                Dict{{"election_timeout_ms", List{20, 40}}, {"heartbeat_interval_ms", 8}},
                Dict{{"seed", seed},
                     {"network", network(2)},
                     {"every_node", Dict{{"write_delay_ms", 4}, {"processing_ms", 1}}}});
        for (int i = 0; i < 400; ++i) {
            CAPTURE(seed, i);
            if (i % 50 == 20) {
                s.act(Dict{{"action", "pause"},
                           {"node", 1 + i / 50 % 4},
                           {"resume_after_ms", 5}});
            }
            const PendingEvent first = s->pending().front();
            const Event& event = s->step();
            REQUIRE(event.at == first.at);
            REQUIRE((first.kind == PendingEvent::Kind::action || event.node == first.node));
            REQUIRE((event.kind == RowKind::action || event.message == first.message));
            REQUIRE((event.kind == RowKind::action || event.timer == first.timer));
        }
    }
}

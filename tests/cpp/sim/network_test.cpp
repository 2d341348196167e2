#include "electionlab/sim/network.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

// Node 1 leads for ever and sends a heartbeat to everybody each millisecond; all answer.
Story chatter(NodeId count, const Value& link, std::uint64_t seed = 1, bool record = false) {
    return Story("raft", count, Dict{{"election_timeout_ms", 1e8}, {"heartbeat_interval_ms", 1}},
                 Dict{{"seed", seed}, {"initial_leader", 1}, {"network", link}}, record);
}

// How far a count is from its expectation, in standard deviations of a binomial.
double sigmas_off(std::int64_t count, std::int64_t total, double p) {
    const auto n = static_cast<double>(total);
    return std::abs(static_cast<double>(count) - n * p) / std::sqrt(n * p * (1 - p));
}

// Arrivals that are older than one that came before on the same link.
std::int64_t overtaken(const Story& s) {
    std::map<std::pair<NodeId, NodeId>, std::int64_t> last;
    std::int64_t late = 0;
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        auto& newest = last[{r.peer, r.node}];
        late += r.message < newest ? 1 : 0;
        newest = std::max(newest, r.message);
    }
    return late;
}

const Value jitter = Dict{{"one_way_delay_ms", List{0, 20}}};

}  // namespace

TEST_CASE("network: messages are lost as often as told", "[sim][network][fault]") {
    const double p = GENERATE(0.01, 0.2, 0.9);
    Story s = chatter(2, network(5, Dict{{"loss_probability", p}}));
    s.until(20'000);
    const std::int64_t sent = s.sent("Heartbeat") + s.sent("HeartbeatReply");
    CAPTURE(p, sent, s.faults().lost);
    CHECK(sent > 20'000);
    CHECK(sigmas_off(s.faults().lost, sent, p) < 4);
    CHECK(s.dropped("loss") == s.faults().lost);
    // What was sent was lost, arrived, or is on its way.
    CHECK(sent == s.dropped("loss") + s.delivered("Heartbeat") + s.delivered("HeartbeatReply") +
                      static_cast<std::int64_t>(s.in_flight().size()));
}

TEST_CASE("network: loss 0 loses nothing and loss 1 everything", "[sim][network][fault]") {
    Story sure = chatter(2, network(5));
    sure.until(1000);
    CHECK(sure.faults().lost == 0);
    Story dead = chatter(2, network(5, Dict{{"loss_probability", 1}}));
    dead.until(1000);
    CHECK(dead.delivered("Heartbeat") == 0);
    CHECK(dead.dropped("loss") == dead.sent("Heartbeat"));
}

TEST_CASE("network: messages are doubled as often as told", "[sim][network][fault]") {
    Story s = chatter(2, network(5, Dict{{"duplicate_probability", 0.1}}));
    s.until(20'000);
    const std::int64_t sent = s.sent("Heartbeat") + s.sent("HeartbeatReply");
    CHECK(sigmas_off(s.faults().duplicated, sent, 0.1) < 4);
    CHECK(sent + s.faults().duplicated == s.delivered("Heartbeat") + s.delivered("HeartbeatReply") +
                                              static_cast<std::int64_t>(s.in_flight().size()));
}

TEST_CASE("network: the delay is drawn anew for each message, from its range", "[sim][network]") {
    Story s = chatter(2, jitter, 3, true);
    s.until(3000);
    double low = 1e9, high = 0, sum = 0;
    const auto arrivals = s.rows(RowKind::deliver);
    for (const TraceRow& r : arrivals) {
        const double took = Duration{r.at.ns - r.other_ns}.to_ms();
        low = std::min(low, took);
        high = std::max(high, took);
        sum += took;
    }
    const auto count = static_cast<double>(arrivals.size());
    CHECK(low >= 0);
    CHECK(high <= 20);
    CHECK(high > 19.9);
    // Four standard errors of the mean of U(0, 20).
    CHECK(std::abs(sum / count - 10) < 4 * 20 / std::sqrt(12 * count));
}

TEST_CASE("network: a link without order lets messages overtake, a FIFO link never does",
          "[sim][network][fault]") {
    const std::uint64_t seed = GENERATE(range(1u, 6u));
    CAPTURE(seed);
    Story loose = chatter(3, jitter, seed, true);
    loose.until(1000);
    CHECK(overtaken(loose) > 100);

    Story fifo = chatter(3, merged(jitter, Dict{{"fifo", true}}), seed, true);
    fifo.until(1000);
    CHECK(fifo.rows(RowKind::deliver).size() > 3000);
    CHECK(overtaken(fifo) == 0);

    // Neither held-up messages nor second copies jump the queue.
    Story busy = chatter(3,
                         merged(jitter, Dict{{"fifo", true},
                                             {"reorder_probability", 0.3},
                                             {"duplicate_probability", 0.3},
                                             {"loss_probability", 0.1}}),
                         seed, true);
    busy.until(1000);
    CHECK(busy.faults().duplicated > 100);
    CHECK(overtaken(busy) == 0);
    CHECK(busy.faults().overtaken == 0);
}

TEST_CASE("network: reordering holds some messages up, and later ones overtake them",
          "[sim][network][fault]") {
    Story s = chatter(2, network(5, Dict{{"reorder_probability", 0.25}, {"reorder_delay_ms", 10}}),
                      1, true);
    s.until(5000);
    const std::int64_t sent = s.sent("Heartbeat") + s.sent("HeartbeatReply");
    CHECK(sigmas_off(s.faults().held_up, sent, 0.25) < 4);
    CHECK(overtaken(s) > 0);
    CHECK(s.faults().overtaken == overtaken(s));
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        const auto took = Duration{r.at.ns - r.other_ns};
        REQUIRE((took == ms(5) || took == ms(15)));
    }
}

TEST_CASE("network: a one-way cut stops one direction only", "[sim][network][fault]") {
    Story s = chatter(2, network(5));
    s.until(100.5);
    s.cut(nodes({2}), nodes({1}), false);
    CHECK((*s).is_cut(2, 1));
    CHECK_FALSE((*s).is_cut(1, 2));
    const auto before = s.delivered("Heartbeat"), answers = s.delivered("HeartbeatReply");
    s.for_ms(100);
    CHECK(s.delivered("Heartbeat") == before + 100);
    CHECK(s.delivered("HeartbeatReply") == answers);  // even those that were under way
    CHECK(s.dropped("cut") == s.faults().cut);
    CHECK(s.faults().cut > 90);
    s.act(Dict{{"action", "mend"}, {"from", nodes({2})}, {"to", nodes({1})}, {"both_ways", false}});
    CHECK_FALSE((*s).is_cut(2, 1));
    const auto mended_at = s.delivered("HeartbeatReply");
    s.for_ms(100);
    CHECK(s.delivered("HeartbeatReply") > mended_at + 80);
}

TEST_CASE("network: a partition cuts exactly the links between its groups",
          "[sim][network][fault]") {
    const auto cut_links = [](const Story& s) {
        std::vector<std::pair<NodeId, NodeId>> links;
        for (NodeId a = 1; a <= 5; ++a) {
            for (NodeId b = 1; b <= 5; ++b) {
                if (a != b && (*s).is_cut(a, b)) {
                    links.emplace_back(a, b);
                }
            }
        }
        return links;
    };
    const auto expect = [](std::initializer_list<std::pair<int, int>> both_ways) {
        std::vector<std::pair<NodeId, NodeId>> links;
        for (const auto& [a, b] : both_ways) {
            links.emplace_back(a, b);
            links.emplace_back(b, a);
        }
        std::sort(links.begin(), links.end());
        return links;
    };
    Story s = chatter(5, network(5));
    SECTION("full: two halves") {
        s.partition(groups({{1, 2}, {3, 4, 5}}));
        CHECK(cut_links(s) == expect({{1, 3}, {1, 4}, {1, 5}, {2, 3}, {2, 4}, {2, 5}}));
    }
    SECTION("partial: node 3 is a bridge that both sides still reach") {
        s.partition(groups({{1, 2}, {4, 5}}));
        CHECK(cut_links(s) == expect({{1, 4}, {1, 5}, {2, 4}, {2, 5}}));
    }
    SECTION("chained: each node reaches its neighbours only") {
        s.cut(nodes({1}), nodes({3, 4, 5}), true);
        s.cut(nodes({2}), nodes({4, 5}), true);
        s.cut(nodes({3}), nodes({5}), true);
        CHECK(cut_links(s) == expect({{1, 3}, {1, 4}, {1, 5}, {2, 4}, {2, 5}, {3, 5}}));
    }
    SECTION("into single nodes") {
        s.partition(groups({{1}, {2}, {3}, {4}, {5}}));
        CHECK(cut_links(s).size() == 20);
    }
    s.until(50);
    s.act("heal");
    CHECK(cut_links(s).empty());
    CHECK(s.effective(ActionKind::heal) == 1);
    s.act("heal");
    CHECK(s.effective(ActionKind::heal) == 1);  // nothing was left to mend
}

TEST_CASE("network: one direction of one link may differ from all others", "[sim][network]") {
    Story s(
        "raft", 3, Dict{{"election_timeout_ms", 1e8}, {"heartbeat_interval_ms", 50}},
        Dict{{"initial_leader", 1},
             {"network", Dict{{"one_way_delay_ms", 5},
                              {"links", List{Dict{{"from", 1},
                                                  {"to", 2},
                                                  {"link", Dict{{"one_way_delay_ms", 30}}}}}}}}});
    s.until(200);
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        const bool slow = r.peer == 1 && r.node == 2;
        REQUIRE(Duration{r.at.ns - r.other_ns} == ms(slow ? 30 : 5));
    }
}

TEST_CASE("network: a change of all links keeps what one link has of its own",
          "[sim][network][fault]") {
    Story s(
        "raft", 3, Dict{{"election_timeout_ms", 1e8}, {"heartbeat_interval_ms", 50}},
        Dict{{"initial_leader", 1},
             {"network", Dict{{"one_way_delay_ms", 5},
                              {"links", List{Dict{{"from", 1},
                                                  {"to", 2},
                                                  {"link", Dict{{"one_way_delay_ms", 30}}}}}}}}});
    s.act(Dict{{"action", "link"}, {"link", Dict{{"duplicate_probability", 1}}}});
    s.until(100);
    CHECK(s.faults().duplicated == s.sent("Heartbeat") + s.sent("HeartbeatReply"));
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        const bool slow = r.peer == 1 && r.node == 2;
        REQUIRE(Duration{r.at.ns - r.other_ns} == ms(slow ? 30 : 5));
    }
}

TEST_CASE("network: what is under way when a link is cut is lost, after a heal it is not",
          "[sim][network][fault]") {
    Story s = chatter(2, network(5));
    s.until(1.5);  // the first heartbeat is under way
    s.cut(nodes({1}), nodes({2}), true);
    s.until(4);
    s.act("heal");
    s.until(6.5);
    CHECK(s.delivered("Heartbeat") == 1);  // it arrived after the heal
    CHECK(s.dropped("cut") == 3);          // those of 2, 3 and 4 ms met the cut when they were sent
}

TEST_CASE("network: a cut link is judged when a message leaves, not when its handler ran",
          "[sim][network][disk][fault]") {
    // Node 1 stands at 10 and writes until 18; its requests leave then and arrive at 23.
    const auto stands = [] {
        Story s("raft", 3, Dict{{"election_timeout_ms", 1e8}, {"heartbeat_interval_ms", 50}},
                Dict{{"network", network(5)},
                     {"nodes", List{Dict{{"node", 1}, {"config", Dict{{"write_delay_ms", 8}}}}}}});
        s.until(5);
        return s;
    };
    SECTION("cut when the handler ran, mended when they left: they arrive") {
        Story s = stands();
        s.cut(nodes({1}), nodes({2, 3}), true);
        s.until(10);
        s.fire(1, "election");
        s.until(15);
        s.act("heal");
        s.until(23);
        CHECK(s.delivered("VoteRequest") == 2);
    }
    SECTION("cut when they left, mended when they arrive: they are lost") {
        Story s = stands();
        s.until(10);
        s.fire(1, "election");
        s.until(15);
        s.cut(nodes({1}), nodes({2, 3}), false);
        s.until(20);
        s.act(Dict{{"action", "mend"}, {"from", nodes({1})}, {"to", nodes({2})}});
        s.until(22);
        s.act("heal");
        s.until(23);
        CHECK(s.delivered("VoteRequest") == 0);
        CHECK(s.dropped("cut") == 2);
        CHECK(s.faults().cut == 2);
    }
    SECTION("cut while they wait and while they travel only: they arrive") {
        Story s = stands();
        s.until(10);
        s.fire(1, "election");
        s.until(12);
        s.cut(nodes({1}), nodes({2, 3}), true);
        s.until(14);
        s.act("heal");
        s.until(19);
        s.cut(nodes({1}), nodes({2, 3}), true);
        s.until(21);
        s.act("heal");
        s.until(23);
        CHECK(s.delivered("VoteRequest") == 2);
    }
    SECTION("held by a pause, they leave at its end") {
        Story s = stands();
        s.until(10);
        s.fire(1, "election");
        s.until(12);
        s.pause(1);
        s.until(30);
        s.cut(nodes({1}), nodes({2}), false);
        s.until(40);
        s.resume(1);
        s.act("heal");
        s.until(45);
        CHECK(s.delivered("VoteRequest") == 1);
        CHECK(s.dropped("cut") == 1);
    }
}

TEST_CASE("network: a link that becomes FIFO keeps the order of what is on its way, too",
          "[sim][network][fault]") {
    const bool one_link = GENERATE(false, true);
    const std::uint64_t seed = GENERATE(range(1u, 6u));
    CAPTURE(one_link, seed);
    Story s = chatter(2, jitter, seed, true);
    s.until(100);
    const std::int64_t last_before = [&] {
        std::int64_t last = 0;
        for (const PendingEvent& e : s.in_flight()) {
            last = std::max(last, e.message);
        }
        return last;
    }();
    Dict change{{"action", "link"}, {"link", Dict{{"fifo", true}}}};
    if (one_link) {
        change.emplace_back("from", nodes({1}));
        change.emplace_back("to", nodes({2}));
    }
    s.act(change);
    s.until(400);
    std::map<std::pair<NodeId, NodeId>, std::int64_t> last;
    for (const TraceRow& r : s.rows(RowKind::deliver)) {
        auto& newest = last[{r.peer, r.node}];
        if (r.at > Instant{} + ms(100)) {
            CAPTURE(r.peer, r.node, r.message, newest, last_before);
            // Those sent before may still overtake each other; nothing sent after overtakes.
            REQUIRE((r.message > newest || newest <= last_before));
        }
        newest = std::max(newest, r.message);
    }
}

TEST_CASE("network: copies share a number, and what is done by it happens to the earliest",
          "[sim][network][fault]") {
    Story s = chatter(2, network(5));
    s.until(1.5);
    const auto number = s.in_flight()[0].message;
    s.act(Dict{{"action", "delay"}, {"message", number}, {"by_ms", 3}});
    s.touch("duplicate", number);
    s.act(Dict{{"action", "delay"}, {"message", number}, {"by_ms", 4}});
    const auto dues = [&] {
        std::vector<double> found;
        for (const PendingEvent& e : s.in_flight()) {
            if (e.message == number) {
                found.push_back(e.at.to_ms());
            }
        }
        return found;
    };
    REQUIRE(dues() == std::vector<double>{9, 13});
    s.act(Dict{{"action", "delay"}, {"message", number}, {"by_ms", 10}});
    CHECK(dues() == std::vector<double>{13, 19});
    SECTION("drop") {
        s.touch("drop", number);
        CHECK(dues() == std::vector<double>{19});
    }
    SECTION("deliver") {
        s.touch("deliver", number);
        CHECK(dues() == std::vector<double>{19});
    }
}

TEST_CASE("network: an options dictionary is read back as it was written",
          "[sim][network][format]") {
    const Value given =
        Dict{{"one_way_delay_ms", List{1, 2}},
             {"loss_probability", 0.5},
             {"links", List{Dict{{"from", 2}, {"to", 1}, {"link", Dict{{"fifo", true}}}}}}};
    const Network once = Network::from_value(given, 3);
    CHECK(once.link(2, 1).fifo);
    CHECK(once.link(2, 1).loss == 0.5);
    CHECK_FALSE(once.link(1, 2).fifo);
    CHECK(Network::from_value(once.to_value(), 3).to_value() == once.to_value());
    CHECK_THROWS_WITH(Network::from_value(Dict{{"loss_probability", 1.5}}, 3),
                      contains("network.loss_probability") && contains("1.5"));
    CHECK_THROWS_WITH(Network::from_value(Dict{{"links", List{Dict{{"from", 1}, {"to", 1}}}}}, 3),
                      contains("network.links"));
    CHECK_THROWS_WITH(Network::from_value(
                          Dict{{"links", List{Dict{{"from", 1}, {"to", 4}, {"link", Dict{}}}}}}, 3),
                      contains("to=4") && contains("from 1 to 3"));
}

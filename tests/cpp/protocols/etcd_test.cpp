#include "electionlab/protocols/etcd.h"

#include <algorithm>
#include <string>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using EtcdNode = Machine<Etcd>;

namespace {

kv::Txn put(std::string key, std::int64_t value, kv::LeaseId lease = kv::no_lease,
            kv::Revision expected = 0) {
    return {1, std::move(key), expected, kv::Then::put, value, lease};
}
kv::Txn erase(std::string key, kv::Revision expected) {
    return {1, std::move(key), expected, kv::Then::erase, 0, kv::no_lease};
}
std::vector<std::int64_t> values(const std::vector<kv::KeyValue>& kvs) {
    std::vector<std::int64_t> found;
    for (const kv::KeyValue& kv : kvs) {
        found.push_back(kv.value);
    }
    return found;
}

Value command(NodeId node, const char* name) {
    return Dict{{"action", "command"}, {"node", node}, {"command", name}};
}

// Sessions without polls and of 10 s, as a reader would make them up.
Value plain(const Value& more = Dict{}) {
    return merged(Dict{{"session_ttl_ms", 10'000},
                       {"deadline_poll_ms", 0},
                       {"server_poll_ms", 0}},
                  more);
}

}  // namespace

// --- the service --------------------------------------------------------------------------------

TEST_CASE("etcd: a key's revisions are those of the store as it was written", "[etcd][lease]") {
    kv::Store store;
    CHECK(store.revision == 1);
    CHECK(store.commit(put("a", 10)).revision == 2);
    CHECK(store.commit(put("b", 20)).revision == 3);
    const kv::TxnReply again = store.commit(put("a", 11, kv::no_lease, 2));
    CHECK(again.succeeded);
    CHECK(*store.find("a") == kv::KeyValue{"a", 11, 2, 4, 2, kv::no_lease});
    CHECK(*store.find("b") == kv::KeyValue{"b", 20, 3, 3, 1, kv::no_lease});
    // Deleted and made anew: a new create revision, and a first version.
    CHECK(store.commit(erase("a", 2)).revision == 5);
    CHECK(store.find("a") == nullptr);
    store.commit(put("a", 12));
    CHECK(*store.find("a") == kv::KeyValue{"a", 12, 6, 6, 1, kv::no_lease});
}

TEST_CASE("etcd: a transaction whose comparison fails gets, and writes nothing", "[etcd][lease]") {
    kv::Store store;
    store.commit(put("a", 10));
    const kv::Store before = store;
    kv::TxnReply reply = store.commit(put("a", 11));
    CHECK_FALSE(reply.succeeded);
    REQUIRE(reply.kv);
    CHECK(*reply.kv == *store.find("a"));
    CHECK(reply.revision == 2);
    reply = store.commit(erase("a", 3));
    CHECK_FALSE(reply.succeeded);
    reply = store.commit(erase("b", 3));
    CHECK_FALSE(reply.succeeded);
    CHECK_FALSE(reply.kv);
    CHECK(store == before);
}

TEST_CASE("etcd: a range is by prefix, in the order of creation", "[etcd][lease]") {
    kv::Store store;
    store.commit(put("leader/9", 1));
    store.commit(put("leader/1", 2));
    store.commit(put("leader", 7));
    store.commit(put("leades/", 8));
    store.commit(put("leader/5", 3));
    store.commit(put("leader/9", 4, kv::no_lease, 2));  // written again: not younger by that
    using kv::Order;
    CHECK(values(store.range({1, "leader/", Order::first_created, 0, 0})) ==
          std::vector<std::int64_t>{4, 2, 3});
    CHECK(values(store.range({1, "leader/", Order::last_created, 0, 1})) ==
          std::vector<std::int64_t>{3});
    CHECK(values(store.range({1, "leader/", Order::last_created, 5, 1})) ==
          std::vector<std::int64_t>{2});
    CHECK(store.range({1, "leader/", Order::last_created, 1, 1}).empty());
}

TEST_CASE("etcd: a lease takes its keys with it, in one revision", "[etcd][lease]") {
    kv::Store store;
    const kv::LeaseId a = store.grant(seconds(1)), b = store.grant(seconds(1));
    CHECK(store.revision == 1);  // a grant is no write of a key
    store.commit(put("x", 1, a));
    store.commit(put("y", 2, b));
    store.commit(put("z", 3, a));
    REQUIRE(store.revision == 4);
    CHECK(store.revoke(a));
    CHECK(store.revision == 5);
    CHECK(values(store.keys) == std::vector<std::int64_t>{2});
    CHECK(store.events("", true, 5).size() == 2);
    CHECK_FALSE(store.revoke(a));
    CHECK(store.revision == 5);
    const kv::TxnReply late = store.commit(put("x", 1, a));  // etcd: requested lease not found
    CHECK(late.lease_not_found);
    CHECK_FALSE(late.succeeded);
    CHECK(store.revision == 5);
    CHECK(store.grant(seconds(1)) == 3);  // no number twice
}

TEST_CASE("etcd: a watch tells what happened from its revision on, also before it was made",
          "[etcd][lease]") {
    EtcdNode service(4, 3);
    service.self = 4;
    service.start();
    const auto told = [&](NodeId client) {
        std::vector<std::pair<bool, kv::Revision>> events;
        for (const auto& [to, reply] : service.sent<kv::WatchReply>()) {
            for (const kv::Event& e : reply.events) {
                if (to == client) {
                    events.emplace_back(e.deleted, e.kv.mod_revision);
                }
            }
        }
        return events;
    };
    using Told = std::vector<std::pair<bool, kv::Revision>>;
    std::int64_t request = 0;
    const auto commits = [&](kv::Txn txn) {
        txn.request = ++request;
        service.receive(1, txn);
    };
    commits(put("a", 1));    // 2
    commits(erase("a", 2));  // 3
    commits(put("a", 2));    // 4
    service.receive(2, kv::WatchCreate{1, 9, "a", false, 3});
    CHECK(told(2) == Told{{true, 3}, {false, 4}});
    commits(put("b", 1));  // 5
    CHECK(told(2).empty());
    commits(erase("a", 4));
    CHECK(told(2) == Told{{true, 6}});
    service.receive(2, kv::WatchCreate{2, 9, "a", false, 3});  // the same once more: made anew
    CHECK(told(2).size() == 3);
    CHECK(service.state.memory.service.watches.size() == 1);
    service.receive(2, kv::WatchCancel{9});
    commits(put("a", 3));
    CHECK(told(2).empty());
}

TEST_CASE("etcd: a watch that starts before the history is refused as compacted", "[etcd][lease]") {
    kv::Store store;
    store.commit(put("a", 0));
    for (int i = 0; i < 1000; ++i) {
        store.commit(put("a", i, kv::no_lease, 2));
    }
    CHECK(store.history.size() == kv::Store::most_history);
    CHECK(store.compacted == store.revision - 128);
    kv::Service service;
    Effects<Etcd::Message> effects;
    service.watch(store, 1, {1, 9, "a", false, store.compacted}, effects);
    REQUIRE(effects.sends().size() == 1);
    CHECK(std::get<kv::WatchReply>(effects.sends()[0].message).compacted);
    CHECK(service.watches.empty());
    effects.clear();
    service.watch(store, 1, {1, 9, "a", false, store.compacted + 1}, effects);
    CHECK(std::get<kv::WatchReply>(effects.sends()[0].message).events.size() == 128);
}

TEST_CASE("etcd: a lease that is over is not renewed, also before the look that deletes it",
          "[etcd][lease][safety]") {
    EtcdNode service(3, 2);
    service.start();
    service.receive(1, kv::LeaseGrant{1, seconds(9)});
    const kv::LeaseId lease = service.state.disk.store.leases.at(0).id;
    const auto renewed = [&](Instant at) {
        service.clock = at;
        service.receive(1, kv::LeaseKeepAlive{lease, at});
        const auto replies = service.sent<kv::LeaseKeepAliveReply>();
        REQUIRE(replies.size() == 1);
        CHECK(replies[0].second.lease == lease);
        CHECK(replies[0].second.sent_at == at);
        return replies[0].second.ttl;
    };
    CHECK(renewed(Instant{} + ms(8'900)) == seconds(9));
    CHECK(renewed(Instant{17'899'999'999}) == seconds(9));
    const Instant over{26'899'999'999};
    CHECK(renewed(over) == Duration{});
    CHECK(service.state.disk.store.leases.size() == 1);  // looked at next at 27 s
    service.clock = Instant{} + seconds(27);
    service.expire(Etcd::Timer::expiry);
    CHECK(service.state.disk.store.leases.empty());
    CHECK(renewed(service.clock) == Duration{});
}

TEST_CASE("etcd: what the network copies or lets overtake, a connection drops", "[etcd][lease]") {
    EtcdNode service(4, 3);
    service.start();
    service.receive(1, kv::LeaseGrant{5, seconds(9)});
    CHECK(service.sent<kv::LeaseGrantReply>().size() == 1);
    service.receive(1, kv::LeaseGrant{5, seconds(9)});
    CHECK(service.effects.sends().empty());
    CHECK(service.state.disk.store.leases.size() == 1);
    kv::Txn late = put("a", 1);
    late.request = 4;
    service.receive(1, late);
    CHECK(service.effects.sends().empty());
    CHECK(service.state.disk.store.revision == 1);
    service.receive(2, late);  // another's
    CHECK(service.sent<kv::TxnReply>().size() == 1);
    service.receive(1, kv::Range{3, "", kv::Order::first_created, 0, 0});  // reading does no harm
    CHECK(service.sent<kv::RangeReply>().size() == 1);
    service.receive(1, kv::WatchCreate{7, 9, "a", false, 3});
    service.receive(1, kv::WatchCreate{6, 9, "b", false, 3});
    REQUIRE(service.state.memory.service.watches.size() == 1);
    CHECK(service.state.memory.service.watches[0].key == "a");
}

TEST_CASE("etcd: polls are multiples of the interval, not before", "[etcd][lease]") {
    const Instant first{7};
    const auto poll = [&](std::int64_t at) {
        return kv::poll_at_or_after(first, nanoseconds(10), Instant{at}).ns;
    };
    CHECK(poll(3) == 3);
    CHECK(poll(7) == 7);
    CHECK(poll(8) == 17);
    CHECK(poll(17) == 17);
    CHECK(poll(18) == 27);
    CHECK(kv::poll_at_or_after(first, {}, Instant{9}).ns == 9);
}

// --- the election -------------------------------------------------------------------------------

TEST_CASE("etcd: keys are named by their lease in hexadecimal", "[etcd][lease]") {
    CHECK(Etcd::key_of(1) == "leader/1");
    CHECK(Etcd::key_of(0x694d) == "leader/694d");
}

TEST_CASE("etcd: the line is the order of the create revisions, whoever asks when",
          "[etcd][lease]") {
    // Each death or resignation makes the next in line leader: first come, first served.
    Story s("etcd", 5, plain(), Dict{{"seed", 5}, {"one_leader_at_a_time", true}});
    s.until(1000);
    std::vector<std::pair<Epoch, NodeId>> line;
    for (NodeId node = 1; node <= 5; ++node) {
        line.emplace_back(s.whole(node, "memory.member.revision"), node);
    }
    std::sort(line.begin(), line.end());
    Epoch last = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        const auto [revision, node] = line[i];
        REQUIRE(s.leader() == node);
        CHECK(s.epoch(node) == revision);
        CHECK(revision > last);
        last = revision;
        if (i % 2 == 0) {
            s.act(command(node, "Resign"));
            s.for_ms(100);
        } else {
            s.crash(node);
            s.for_ms(10'100);
        }
    }
    CHECK(s.violations() == 0);
}

TEST_CASE("etcd: a death wakes the next in line alone", "[etcd][lease][cost]") {
    const NodeId n = GENERATE(3u, 5u, 9u);
    Story s("etcd", n, plain(), Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(500);
    s.crash(1);
    s.until(9'990);
    const std::int64_t before = s.sent("Range");
    std::int64_t waiting = 0;
    for (NodeId node = 2; node <= n; ++node) {
        waiting += s.field(node, "memory.member.waits_for") == Value("leader/1") ? 1 : 0;
    }
    CHECK(waiting == 1);
    s.until(10'300);
    REQUIRE(s.leader() != no_node);
    // One of the candidates looks whether it is its turn; and all that observe look who leads.
    CHECK(s.sent("Range") - before == 1 + (n - 1));
}

TEST_CASE("etcd: a key in the middle of the line may go; who waited for it waits for the one "
          "before",
          "[etcd][lease]") {
    Story s("etcd", 3, plain(), Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(500);
    const NodeId second = s.field(2, "memory.member.waits_for") == Value("leader/1") ? 2 : 3;
    const NodeId third = 5 - second;
    s.act(command(second, "Resign"));
    s.for_ms(100);
    CHECK(s.leader() == 1);
    CHECK(s.field(third, "memory.member.waits_for") == Value("leader/1"));
    CHECK(s.field(second, "memory.member.step") == Value("out"));
    s.act(command(second, "Campaign"));
    s.for_ms(100);
    s.act(command(1, "Resign"));
    s.for_ms(100);
    CHECK(s.all_follow(third));  // who campaigned again stands behind
}

TEST_CASE("etcd: closing a session hands over at once", "[etcd][lease]") {
    Story s("etcd", 3, plain(),
            Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
    s.until(500);
    s.act(command(1, "Close"));
    s.for_ms(30);  // revoked, told, looked
    CHECK(s.leader() != 1);
    CHECK(s.leader() != no_node);
    CHECK(s.violations() == 0);
}

TEST_CASE("etcd: a lost answer to the put makes no second key", "[etcd][lease][fault]") {
    Story s("etcd", 2, plain(), Dict{{"network", network(5)}, {"initial_leader", 2}});
    while (s.in_flight("TxnReply").empty()) {
        s->step();
    }
    s.touch("drop", s.in_flight("TxnReply")[0].message);
    s.until(2000);
    CHECK(s.sent("Txn") == 2);
    CHECK(s.field(1, "memory.member.step") == Value("waiting"));
    CHECK(s.field(3, "disk.store.revision") == Value(3));
    CHECK(s.whole(1, "memory.member.revision") == 3);
}

TEST_CASE("etcd: a lost answer to the grant leaves a lease without keys, until it is over",
          "[etcd][lease][fault]") {
    Story s("etcd", 2, plain(), Dict{{"network", network(5)}, {"initial_leader", 2}});
    while (s.in_flight("LeaseGrantReply").empty()) {
        s->step();
    }
    s.touch("drop", s.in_flight("LeaseGrantReply")[0].message);
    s.until(2000);
    CHECK(s.field(3, "disk.store.leases").get_if<List>()->size() == 3);
    s.until(12'000);
    CHECK(s.field(3, "disk.store.leases").get_if<List>()->size() == 2);
    CHECK(s.all_follow(2));
}

TEST_CASE("etcd: a lost event is told again when the watch is made again", "[etcd][lease][fault]") {
    Story s("etcd", 2, plain(), Dict{{"network", network(5)}, {"initial_leader", 2}});
    s.until(500);
    s.act(command(2, "Resign"));
    s.until(506);
    for (const PendingEvent& event : s.in_flight("WatchReply")) {
        s.touch("drop", event.message);
    }
    s.until(1000);
    CHECK(s.leader() == no_node);
    s.until(2600);
    CHECK(s.all_follow(1));
}

TEST_CASE("etcd: proclaiming puts the key again, and finds out when it is gone", "[etcd][lease]") {
    Story s("etcd", 2, plain(), Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(500);
    s.act(command(1, "Proclaim"));
    s.until(520);
    const Value key = (*s.field(3, "disk.store.keys").get_if<List>())[0];
    CHECK(at_path(key, "version") == Value(2));
    CHECK(at_path(key, "create_revision") == Value(2));
    CHECK(s.role(1) == Role::leader);
    CHECK(s.epoch(1) == 2);
    s.pause(1);
    s.until(11'000);
    REQUIRE(s.role(2) == Role::leader);
    s.act(Dict{{"action", "clock"}, {"node", 1}, {"offset_ms", -20'000}});  // it would not notice
    s.resume(1);
    s.act(command(1, "Proclaim"));
    s.for_ms(11);
    CHECK(s.role(1) == Role::follower);
}

// --- sessions -----------------------------------------------------------------------------------

TEST_CASE("etcd: keep-alives leave each third of the TTL after an answer, and until answered",
          "[etcd][lease][cost]") {
    Story s("etcd", 1, Dict{}, Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(19'999);
    CHECK(s.sent("LeaseKeepAlive") == 1);  // at once
    // Answered at 10 ms: due at 20.010 s, and looked for at 20.5 s.
    s.until(20'499);
    CHECK(s.sent("LeaseKeepAlive") == 1);
    s.cut(nodes({2}), nodes({1}), false);
    s.until(20'500);
    CHECK(s.sent("LeaseKeepAlive") == 2);
    s.until(22'999);
    CHECK(s.sent("LeaseKeepAlive") == 6);
}

TEST_CASE("etcd: a session ends at the first look after a TTL without an answer",
          "[etcd][lease][safety]") {
    const bool sending = GENERATE(false, true);
    Story s("etcd", 1, Dict{{"count_from", sending ? "sending" : "receiving"}},
            Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(30'000);  // the second keep-alive left at 20.5 s and was answered at 20.51 s
    s.cut(nodes({1}), nodes({2}), true);
    // 80.5 or 80.51 s; seen at 81 s.
    s.until(80'999.999'999);
    CHECK(s.role(1) == Role::leader);
    s.until(81'000);
    CHECK(s.role(1) == Role::follower);
    CHECK(s.sent("LeaseGrant") == 1);  // it tries a new session at once
}

TEST_CASE("etcd: with perfect clocks two lead for the poll and the delay that a session lasts "
          "beyond its lease",
          "[etcd][lease][safety]") {
    // The service's polls and the client's fall together. The last keep-alive arrives at 20.505 s:
    // the lease is over at 80.505 and found so at 81; the client's deadline is 80.51, seen at 81.
    const auto two_lead = [](const Value& options, std::int64_t* stopped, std::int64_t* acts) {
        Story s("etcd", 2, options,
                Dict{{"network", network(5)}, {"initial_leader", 1}, {"one_leader_at_a_time", true}});
        s.until(30'000);
        s.cut(nodes({1}), nodes({3}), true);
        *stopped = s.due_ns(1, "deadline");
        *acts = s.due_ns(3, "expiry") + ms(15).ns;  // told, looks, is answered
        s.until(100'000);
        CHECK(s.role(2) == Role::leader);
        CHECK((s.violations() > 0) == (s.measures().split_brain.ns > 0));
        return s.measures().split_brain.ns;
    };
    std::int64_t stopped = 0, acts = 0;
    // As etcd ships, and these polls: the service is told last, and nothing happens.
    CHECK(two_lead(Dict{}, &stopped, &acts) == 0);
    CHECK(stopped == seconds(81).ns);
    CHECK(acts == seconds(81).ns + ms(15).ns);
    // A service that looks more often, as one whose polls fall otherwise does: half a second.
    CHECK(two_lead(Dict{{"server_poll_ms", 0}}, &stopped, &acts) == ms(480).ns);
    CHECK(acts == ms(80'505 + 15).ns);
    // Without polls, the answer's delay against three more: none.
    CHECK(two_lead(Dict{{"server_poll_ms", 0}, {"deadline_poll_ms", 0}}, &stopped, &acts) == 0);
    CHECK(stopped == ms(80'510).ns);
    // Counting from the sending does not help against the polls; both together do.
    CHECK(two_lead(Dict{{"server_poll_ms", 0}, {"count_from", "sending"}}, &stopped, &acts) ==
          ms(480).ns);
    CHECK(two_lead(Dict{{"server_poll_ms", 0}, {"deadline_poll_ms", 0}, {"count_from", "sending"}},
                   &stopped, &acts) == 0);
    CHECK(stopped == ms(80'500).ns);
}

TEST_CASE("etcd: a candidate whose own key has gone wins, and finds out later",
          "[etcd][lease][safety]") {
    // waitDeletes looks at earlier keys only. What node 2 sends is lost for a while, and its lease
    // runs out; its slow clock has not told it when the leader resigns.
    Story s("etcd", 3, plain(),
            Dict{{"network", network(5)},
                 {"initial_leader", 1},
                 {"nodes", List{Dict{{"node", 2}, {"config", Dict{{"clock_drift_ppm", -300'000}}}}}}});
    s.until(200);
    REQUIRE(s.field(2, "memory.member.waits_for") == Value("leader/1"));
    s.cut(nodes({2}), nodes({4}), false);
    s.until(10'300);
    const Value keys = s.field(4, "disk.store.keys");
    for (const Value& key : *keys.get_if<List>()) {
        REQUIRE_FALSE(at_path(key, "value") == Value(2));
    }
    s.act("heal");
    s.act(command(1, "Resign"));
    s.for_ms(26);
    CHECK(s.role(2) == Role::leader);  // and so does node 3, whose key is the first
    CHECK(s.role(3) == Role::leader);
    s.for_ms(1'000);
    CHECK(s.role(2) == Role::follower);  // it has heard that its lease is over
    CHECK(s.all_follow(3));
}

TEST_CASE("etcd: after a crash of the service all leases begin anew", "[etcd][lease][fault]") {
    Story s("etcd", 3, plain(), Dict{{"network", network(5)}, {"one_leader_at_a_time", true}});
    s.until(5'000);
    const NodeId leader = s.leader();
    const Epoch revision = s.epoch(leader);
    s.crash(4);
    s.for_ms(4'000);
    CHECK(s.leader() == leader);
    s.restart(4);
    s.crash(leader);
    const double back = s.now_ms();
    REQUIRE(s.until_leader(20'000));
    CHECK(s.now_ms() - back > 11'000);  // a TTL and promote_extend_ms
    CHECK(s.now_ms() - back <= 11'000 + 2'000 + 20);  // at the latest when the watch is made again
    CHECK(s.epoch(s.leader()) > revision);
    CHECK(s.violations() == 0);
}

TEST_CASE("etcd: bad options are refused", "[etcd][lease][format]") {
    const auto refused = [](const char* name, const Value& value, const std::string& must) {
        CHECK_THROWS_WITH(Story("etcd", 3, Dict{{name, value}}), contains(name) && contains(must));
    };
    refused("session_ttl_ms", 999, "must be a whole number of seconds, at least 1000");
    refused("session_ttl_ms", 1500, "must be a whole number of seconds, at least 1000");
    refused("keep_alive_poll_ms", 0, "must be above 0");
    refused("retry_interval_ms", 0, "must be above 0");
    refused("watch_check_ms", 0, "must be above 0");
}

TEST_CASE("etcd: with sessions counted from the sending and looked at at once, loss, copies, cuts "
          "and crashes make no two leaders",
          "[etcd][lease][safety][fault]") {
    std::int64_t leaderships = 0;
    for (std::int64_t seed = 0; seed < seeds(150); ++seed) {
        Story s("etcd", 4,
                plain(Dict{{"count_from", "sending"}, {"session_ttl_ms", 3'000},
                           {"keep_alive_poll_ms", 100}}),
                Dict{{"seed", seed},
                     {"network", Dict{{"one_way_delay_ms", List{0.1, 90}},
                                      {"loss_probability", 0.1},
                                      {"duplicate_probability", 0.2}}},
                     {"one_leader_at_a_time", true}},
                false);
        CAPTURE(seed);
        const RandomStream stream{mix64(static_cast<std::uint64_t>(seed))};
        for (std::uint64_t i = 0; i < 20; ++i) {
            s.for_ms(500 + 4'000 * open_unit(stream.word(3 * i)));
            const auto victim = static_cast<NodeId>(1 + stream.word(3 * i + 1) % 5);
            switch (stream.word(3 * i + 2) % 5) {
                case 0: s.crash(victim); break;
                case 1: s.restart(victim); break;
                case 2: s.cut(List{victim}, nodes({5}), victim % 2 == 0); break;
                case 3: s.act(command(victim, seed % 2 == 0 ? "Resign" : "Campaign")); break;
                default: s.act("heal"); break;
            }
        }
        REQUIRE(s.violations() == 0);
        leaderships += s.measures().leaderships;
        // And it is not stuck.
        s.act("heal");
        for (NodeId node = 1; node <= 5; ++node) {
            s.restart(node);
            if (node < 5) {
                s.act(command(node, "Campaign"));
            }
        }
        s.for_ms(20'000);
        REQUIRE(s.leader() != no_node);
    }
    CHECK(leaderships > seeds(150));
}

// --- the leader crashes -------------------------------------------------------------------------

TEST_CASE("etcd: whenever the leader crashes, 2 to 9 members have a new one in time",
          "[etcd][lease][liveness][acceptance]") {
    // TTL + server_poll + 4 d; docs/protocols/etcd.md.
    leader_crash::survives({.protocol = "etcd",
                            .bound_ms = [](const leader_crash::Crash&) {
                                return 60'000 + 500 + 4 * 10;
                            },
                            .stays_ms = 30'000,
                            .patience_ms = 70'000,
                            .heartbeat_ms = 21'000,
                            .alive = 0.95,
                            .seeds = 300},
                           GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("etcd: golden runs", "[etcd][lease][golden]") {
    golden::check_runs("etcd", {
        {"etcd_plain", "etcd", 3, Dict{}, Dict{{"seed", 1}}, 300'000},
        {"etcd_crashes", "etcd", 5, Dict{{"session_ttl_ms", 5'000}},
         Dict{{"seed", 2}, {"actions", List{golden::plan(golden::random_node("crash"), 10'000)}}},
         100'000},
        {"etcd_bad_world", "etcd", 5, Dict{{"session_ttl_ms", 3'000}, {"count_from", "sending"}},
         Dict{{"seed", 3}, {"network", golden::bad_links()}, {"every_node", golden::machines()}},
         60'000},
    });
}

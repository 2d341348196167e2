#include "electionlab/protocols/zk_recipe.h"

#include <algorithm>
#include <string>
#include <vector>

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using namespace electionlab::coordination;

namespace {

using Strings = std::vector<std::string>;

// --- one member, answered by hand ----------------------------------------------------------------

struct Member : Machine<ZkRecipe> {
    explicit Member(ZkRecipeOptions given = {}) : Machine(2, 3, std::move(given)) {
        start();
        receive(4, Connected{7, 1, 1});
    }
    template <class Kind>
    Kind asked() {
        const auto found = sent<Kind>();
        REQUIRE(found.size() == 1);
        REQUIRE(found[0].first == 4);
        return found[0].second;
    }
    Reply reply(Code code = Code::ok) const {
        Reply r;
        r.session = state.memory.client.session;
        r.connection = state.memory.client.connection;
        r.order = state.memory.client.received + 1;
        r.xid = state.memory.client.xid;
        r.code = code;
        return r;
    }
    void created(const std::string& name) {
        Reply r = reply();
        r.path = "/election/" + name;
        receive(4, r);
    }
    void listed(Strings names) {
        Reply r = reply();
        r.children = std::move(names);
        receive(4, r);
    }
    void deleted(const std::string& name) {
        receive(4, WatchEvent{state.memory.client.session, state.memory.client.connection,
                              state.memory.client.received + 1, 50, EventType::deleted,
                              "/election/" + name});
    }
    bool silent() { return effects.sends().empty(); }
};

const std::string own = "2.1.1-n_0000000005";

}  // namespace

TEST_CASE("zk_recipe: a member makes a sequential ephemeral znode with its guid, then lists",
          "[zk_recipe]") {
    Member m;
    const Create create = m.asked<Create>();
    CHECK(create.path == "/election/2.1.1-n_");
    CHECK(create.ephemeral);
    CHECK(create.sequential);
    m.created(own);
    CHECK_FALSE(m.asked<GetChildren>().watch);  // a watch on all children would be a herd
}

TEST_CASE("zk_recipe: the smallest number leads, whatever the names before it",
          "[zk_recipe][safety]") {
    Member m;
    m.created(own);
    m.listed({"1.1.1-n_0000000009", "10.1.1-n_0000000007", own, "3.9.9-n_0000000006"});
    CHECK(m.view() == View{Role::leader, 2, 6});  // the number, and 1
    CHECK(m.silent());
}

TEST_CASE("zk_recipe: others watch the predecessor, or all the leader", "[zk_recipe]") {
    const Strings queue{"1.1.1-n_0000000003", "10.1.1-n_0000000001", own, "3.1.1-n_0000000006"};
    Member m;
    m.created(own);
    m.listed(queue);
    CHECK(m.view() == View{Role::follower, 10, 2});
    CHECK(m.asked<Exists>().path == "/election/1.1.1-n_0000000003");
    CHECK(m.asked<Exists>().watch);
    m.receive(4, m.reply());
    CHECK(m.silent());
    m.expire(ZkRecipe::Timer::look);
    m.listed(queue);
    CHECK(m.silent());  // the watch is set

    ZkRecipeOptions options;
    options.watch = WatchedZnode::leader;
    Member herd(options);
    herd.created(own);
    herd.listed(queue);
    CHECK(herd.asked<Exists>().path == "/election/10.1.1-n_0000000001");
}

TEST_CASE("zk_recipe: exists() that finds nothing goes back to listing", "[zk_recipe][liveness]") {
    Member m;
    m.created(own);
    m.listed({"1.1.1-n_0000000003", own});
    m.receive(4, m.reply(Code::no_node));
    m.asked<GetChildren>();
    CHECK_FALSE(m.view().leads());  // it looks first
    m.listed({own});
    CHECK(m.view().leads());
}

TEST_CASE("zk_recipe: who is woken looks whether it is the smallest now", "[zk_recipe][safety]") {
    Member m;
    m.created(own);
    m.listed({"1.1.1-n_0000000003", "3.1.1-n_0000000001", own});
    m.receive(4, m.reply());
    m.deleted("1.1.1-n_0000000003");  // its predecessor, not the leader
    CHECK(m.view() == View{Role::follower, 3, 2});
    m.listed({"3.1.1-n_0000000001", own});
    CHECK_FALSE(m.view().leads());
    CHECK(m.asked<Exists>().path == "/election/3.1.1-n_0000000001");
    m.receive(4, m.reply());
    m.deleted("3.1.1-n_0000000001");
    CHECK(m.view().role == Role::candidate);
    m.listed({own});
    CHECK(m.view() == View{Role::leader, 2, 6});
    CHECK(m.state.memory.woken == 2);
}

TEST_CASE("zk_recipe: a create whose reply is lost is found again by its guid",
          "[zk_recipe][safety]") {
    Member m;
    m.expire(ZkRecipe::Timer::silence);  // no reply: disconnected
    CHECK(m.asked<Connect>().session == 7);
    m.receive(4, Connected{7, 1, 2});
    m.asked<GetChildren>();                                        // before it makes another
    m.listed({"2.0.9-n_0000000001", "2.1.10-n_0000000002", own});  // of other lives and sessions
    CHECK(m.state.memory.own == own);
    CHECK(m.asked<Exists>().path == "/election/2.1.10-n_0000000002");
    CHECK(m.view().leader == no_node);  // not itself: that one was an earlier life's

    Member lost;
    lost.expire(ZkRecipe::Timer::silence);
    lost.receive(4, Connected{7, 1, 2});
    lost.listed({"1.1.1-n_0000000003"});  // the request was lost, not the reply
    CHECK(lost.asked<Create>().path == "/election/2.1.1-n_");

    ZkRecipeOptions options;
    options.protected_create = false;
    Member careless(options);
    careless.expire(ZkRecipe::Timer::silence);
    careless.receive(4, Connected{7, 1, 2});
    careless.listed({own});
    careless.asked<Create>();  // a second one
}

TEST_CASE("zk_recipe: a leader that is disconnected stops acting, if it is told to",
          "[zk_recipe][safety]") {
    for (const bool steps_down : {true, false}) {
        ZkRecipeOptions options;
        options.step_down_on_disconnect = steps_down;
        Member m(options);
        m.created(own);
        m.listed({own});
        m.expire(ZkRecipe::Timer::silence);
        CAPTURE(steps_down);
        CHECK(m.view().leads() == !steps_down);
        m.receive(4, Connected{7, 1, 2});
        CHECK(m.view().leads() == !steps_down);  // it has to look first
        m.listed({own});
        CHECK(m.view() == View{Role::leader, 2, 6});  // the same znode, the same number
        m.expire(ZkRecipe::Timer::silence);
        m.receive(4, Expired{7});
        CHECK_FALSE(m.view().leads());
        CHECK(m.asked<Connect>().session == 0);
        m.receive(4, Connected{9, 1, m.state.memory.client.connection});
        CHECK(m.asked<Create>().path == "/election/2.1.2-n_");  // a new guid for a new session
    }
}

TEST_CASE("zk_recipe: a start after a crash is a new life with a new session",
          "[zk_recipe][fault]") {
    Member m;
    m.created(own);
    m.listed({own});
    m.restart();
    CHECK(m.effects.persists());
    CHECK(m.asked<Connect>() == Connect{0, 2, 1, 0, {}});
    CHECK_FALSE(m.view().leads());
    m.receive(4, Connected{9, 2, 1});
    CHECK(m.asked<Create>().path == "/election/2.2.1-n_");
}

TEST_CASE("zk_recipe: who resigns stops acting before its znode goes, and joins at the end",
          "[zk_recipe]") {
    Member m;
    m.created(own);
    m.listed({own, "3.1.1-n_0000000006"});
    m.command(ZkRecipe::Resign{});
    CHECK_FALSE(m.view().leads());
    CHECK(m.asked<Delete>().path == "/election/" + own);
    m.receive(4, m.reply());
    CHECK(m.asked<Create>().path == "/election/2.1.2-n_");
}

// --- clusters ------------------------------------------------------------------------------------

namespace {

constexpr double d = 10, tick = 50, timeout = 300, look = 50;

NodeId service(const Story& s) { return s->members() + 1; }

std::int64_t woken(const Story& s) {
    std::int64_t sum = 0;
    for (NodeId node = 1; node <= s->members(); ++node) {
        sum += s.role(node) == Role::down ? 0 : s.whole(node, "memory.woken");
    }
    return sum;
}

std::size_t queue_length(const Story& s) {
    std::size_t length = 0;
    const Value znodes = s.field(service(s), "disk.service.znodes");
    for (const Value& znode : *znodes.get_if<List>()) {
        length += whole_at(znode, "owner") != 0 ? 1 : 0;
    }
    return length;
}

Dict quiet(const char* watch, double look_ms = 0) {
    return {{"watch", watch}, {"look_interval_ms", look_ms}};
}

const Dict steady{{"network", network(d)}, {"initial_leader", 1}};

}  // namespace

TEST_CASE("zk_recipe: a leader's death wakes exactly one, in the herd exactly n-1",
          "[zk_recipe][cost]") {
    const NodeId n = GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u);
    CAPTURE(n);
    for (const bool herd : {false, true}) {
        Story s("zk_recipe", n, quiet(herd ? "leader" : "predecessor"), steady);
        s.until(400);
        REQUIRE(s.leader() == 1);
        REQUIRE(s.sent("GetChildren") == 0);
        for (NodeId dead = 1; dead < n; ++dead) {  // again and again, to the last
            const auto events = s.delivered("WatchEvent"), lists = s.sent("GetChildren"),
                       exists = s.sent("Exists"), replies = s.sent("Reply");
            s.crash(dead);
            const auto before = woken(s);  // of those that are up
            s.for_ms(timeout + tick + d + 10 * d);
            CAPTURE(herd, dead);
            const std::int64_t left = n - dead;  // nodes that are up
            const std::int64_t wakes = herd ? left : 1;
            REQUIRE(s.leader() == dead + 1);
            CHECK(s.delivered("WatchEvent") - events == wakes);
            CHECK(woken(s) - before == wakes);
            CHECK(s.sent("GetChildren") - lists == wakes);
            CHECK(s.sent("Exists") - exists == (herd ? left - 1 : 0));
            CHECK(s.sent("Reply") - replies == wakes + (herd ? left - 1 : 0));
        }
        CHECK(s.violations() == 0);
    }
}

TEST_CASE("zk_recipe: the death of one in the middle wakes one, and elects nobody",
          "[zk_recipe][cost]") {
    Story s("zk_recipe", 5, quiet("predecessor"), steady);
    s.until(400);
    s.crash(3);
    s.for_ms(600);
    CHECK(s.delivered("WatchEvent") == 1);
    CHECK(s.whole(4, "memory.woken") == 1);
    CHECK(s.measures().candidacies == 0);
    s.crash(1);
    s.for_ms(600);
    CHECK(s.leader() == 2);
    s.crash(2);
    s.for_ms(600);
    CHECK(s.leader() == 4);  // it watches 2 now
    CHECK(s.delivered("WatchEvent") == 3);
}

TEST_CASE("zk_recipe: first come, first served: they lead in the order of their creates",
          "[zk_recipe][fairness]") {
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 8);
        Story s("zk_recipe", n, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(n, seed);
        REQUIRE(s.until_agreement(1000));
        s.for_ms(50);
        std::vector<std::pair<std::string, NodeId>> created;  // ten digits and the node
        for (NodeId node = 1; node <= n; ++node) {
            const Value name = s.field(node, "memory.own");
            created.emplace_back(
                name.get_if<std::string>()->substr(name.get_if<std::string>()->rfind('_')), node);
        }
        std::sort(created.begin(), created.end());
        for (NodeId turn = 0; turn < n; ++turn) {
            REQUIRE(s.until_agreement(1000));
            REQUIRE(s.leader() == created[turn].second);
            REQUIRE(s.epoch(s.leader()) == turn + 1);
            // The first half resign and queue up again, the others crash.
            if (turn < n / 2) {
                s.act(Dict{{"action", "command"}, {"node", s.leader()}, {"command", "Resign"}});
            } else {
                s.crash(s.leader());
            }
        }
        if (n > 1) {
            REQUIRE(s.until_agreement(1000));
            REQUIRE(s.leader() == created[0].second);  // the first to resign is next
        }
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("zk_recipe: a lost reply leaves no orphan; without the guid one leads in vain",
          "[zk_recipe][safety]") {
    const auto run = [](bool protect) {
        Story s("zk_recipe", 2, Dict{{"protected_create", protect}}, Dict{{"network", network(d)}});
        s.until(35);
        for (const PendingEvent& reply : s.in_flight("Reply")) {
            if (reply.node == 1) {
                s.touch("drop", reply.message);  // of node 1's create, the first
            }
        }
        s.for_ms(1000);
        return s;
    };
    const Story safe = run(true);
    CHECK(queue_length(safe) == 2);
    CHECK(safe.leader() == 1);
    CHECK(safe.violations() == 0);
    const Story orphaned = run(false);
    CHECK(queue_length(orphaned) == 3);
    CHECK(orphaned.leader() == no_node);  // the smallest znode is nobody's, and its session lives
    REQUIRE(orphaned.violations() == 1);
    CHECK(orphaned->monitor().violations()[0].invariant == "one_znode_per_session");
}

TEST_CASE("zk_recipe: no majority is needed, the last of nine leads", "[zk_recipe][liveness]") {
    Story s("zk_recipe", 9, Dict{}, Dict{{"seed", 3}});
    REQUIRE(s.until_agreement(1000));
    for (int i = 0; i < 8; ++i) {
        s.act(Dict{{"action", "crash"}, {"node", "leader"}});
        REQUIRE(s.until_agreement(1000));
    }
    CHECK(s->monitor().live_members() == 1);
    CHECK(s->why_no_leader().empty());
}

TEST_CASE("zk_recipe: without the service nobody is elected, and with it the order stands",
          "[zk_recipe][fault]") {
    Story s("zk_recipe", 3, Dict{}, steady);
    s.until(400);
    s.crash(service(s));
    s.for_ms(200 + 2 * d);
    CHECK(s.leader() == no_node);  // disconnected: it stops
    s.for_ms(3000);
    CHECK(s.leader() == no_node);
    s.crash(1);
    s.for_ms(3000);
    CHECK(s.leader() == no_node);
    s.restart(service(s));
    s.for_ms(300);  // sessions have their whole time-out again, a dead node's too
    CHECK(s.leader() == no_node);
    REQUIRE(s.until_agreement(300));
    CHECK(s.leader() == 2);
    CHECK(s.epoch(2) == 2);
    CHECK(s.whole(2, "memory.client.session") == 4);  // the session it always had
    CHECK(s.violations() == 0);
}

TEST_CASE("zk_recipe: a leader that is cut off from the service and goes on is one of two",
          "[zk_recipe][safety][fault]") {
    for (const bool steps_down : {true, false}) {
        Story s("zk_recipe", 5, Dict{{"step_down_on_disconnect", steps_down}},
                merged(steady, Dict{{"one_leader_at_a_time", true}}));
        s.until(400);
        s.cut(List{1}, List{service(s)}, true);  // members still reach each other
        s.for_ms(1000);
        CAPTURE(steps_down);
        CHECK(s.role(2) == Role::leader);
        CHECK(s.role(1) == (steps_down ? Role::follower : Role::leader));
        CHECK((s.measures().split_brain.ns > 0) == !steps_down);
        CHECK(s.violations() == (steps_down ? 0u : 1u));
        CHECK(s.epoch(2) > 1);  // fencing would tell them apart
        s.act("heal");
        REQUIRE(s.until_agreement(200));  // it learns of its expiry as it comes back
        CHECK(s.leader() == 2);
    }
}

TEST_CASE(
    "zk_recipe: who steps down does so before the others elect if answers take less than a "
    "third of the time-out",
    "[zk_recipe][safety][fault]") {
    // It counts 200 ms from the last answer, the service at least 300 from the ping: 100 are left
    // for the way back. A longer one is not even taken, unless the one before was late as well: the
    // 200 ms from that would be over.
    struct Case {
        double before, last;  // the way back of the pings of 200 and 300 ms
        bool two_act;
    };
    const Case c =
        GENERATE(values<Case>({{8, 8, false}, {99, 99, false}, {8, 180, false}, {90, 180, true}}));
    for (int seed = 0; seed < 50; ++seed) {
        Story s("zk_recipe", 3, Dict{},
                Dict{{"seed", seed}, {"initial_leader", 1}, {"one_leader_at_a_time", true}}, false);
        const auto way_back = [&](double delay_ms) {
            s.act(Dict{{"action", "link"},
                       {"from", List{4}},
                       {"to", List{1}},
                       {"both_ways", false},
                       {"link", Dict{{"one_way_delay_ms", delay_ms}}}});
        };
        s.until(195);
        way_back(c.before);
        s.until(298);
        way_back(c.last);
        s.until(315);
        s.cut(List{1}, List{4}, false);  // the pings from now on are lost
        s.for_ms(1000);
        CAPTURE(c.before, c.last, seed);
        REQUIRE(s.leader() == 2);
        REQUIRE(s.violations() == (c.two_act ? 1u : 0u));
    }
}

TEST_CASE("zk_recipe: a paused leader wakes into another's time, and only then stops",
          "[zk_recipe][safety][fault]") {
    Story s("zk_recipe", 3, Dict{}, merged(steady, Dict{{"one_leader_at_a_time", true}}));
    s.until(400);
    s.pause(1);
    s.for_ms(1000);
    REQUIRE(s.leader() == 2);
    s.resume(1);
    CHECK(s.violations() == 1);  // at the very instant of its waking
    REQUIRE(s.until_agreement(200));
    CHECK(s.leader() == 2);
    CHECK(s.measures().split_brain.ns == 0);  // its timer runs out before anything else happens
}

TEST_CASE("zk_recipe: the service's disk is what all rests on", "[zk_recipe][safety][fault]") {
    Story s("zk_recipe", 3, Dict{{"step_down_on_disconnect", false}}, steady);
    s.until(400);
    s.crash(service(s));
    s.act(Dict{{"action", "restart"}, {"node", service(s)}, {"lose_disk", true}});
    s.crash(2);
    s.restart(2);
    s.for_ms(500);
    CHECK(s.role(1) == Role::leader);  // refused by a service that knows less than it
    CHECK(s.role(2) == Role::leader);
    CHECK(s.epoch(1) == s.epoch(2));
    Strings broken;
    for (const Violation& v : s->monitor().violations()) {
        broken.emplace_back(v.invariant);
    }
    CHECK(std::count(broken.begin(), broken.end(), "one_leader_per_epoch") == 1);
    CHECK(std::count(broken.begin(), broken.end(), "numbers_are_not_used_twice") == 1);
    CHECK(std::count(broken.begin(), broken.end(), "zxid_never_falls") == 1);
}

TEST_CASE("zk_recipe: one leader per number and no orphan, whatever the network does",
          "[zk_recipe][safety][fault]") {
    std::int64_t changes = 0;
    for (std::int64_t seed = 0; seed < seeds(60); ++seed) {
        const Dict links{{"one_way_delay_ms", List{1, 30}},
                         {"loss_probability", 0.03},
                         {"duplicate_probability", 0.1},
                         {"reorder_probability", 0.1}};
        List actions{golden::plan(golden::random_node("crash"), 1500),
                     golden::plan(Dict{{"action", "crash"}, {"node", 6}}, 4000),
                     golden::plan(Dict{{"action", "partition"}}, 2500)};
        Story s("zk_recipe", 5,
                Dict{{"watch", seed % 2 == 0 ? "predecessor" : "leader"},
                     {"step_down_on_disconnect", seed % 3 != 0}},
                Dict{{"seed", seed},
                     {"network", links},
                     {"every_node", Dict{{"write_delay_ms", List{0, 5}}}},
                     {"actions", actions}},
                false);
        s.until(10'000);
        CAPTURE(seed);
        REQUIRE(s.violations() == 0);
        REQUIRE(s.measures().leaderships > 0);
        changes += s.measures().leader_changes;
    }
    CHECK(changes > seeds(60));
}

TEST_CASE("zk_recipe: without looking around everybody still leads in turn",
          "[zk_recipe][liveness]") {
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        Story s("zk_recipe", 6, quiet(seed % 2 == 0 ? "predecessor" : "leader"),
                Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        for (int i = 0; i < 5; ++i) {
            REQUIRE(s.until_leader(1000));
            s.for_ms(static_cast<double>(seed));
            s.act(Dict{{"action", "crash"}, {"node", "leader"}});
            REQUIRE(s.until_leader(timeout + tick + 6 * d));
        }
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("zk_recipe: options that make no sense are refused by name", "[zk_recipe][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("zk_recipe").check_options(options, 3);
    };
    CHECK_THROWS_WITH(check(Dict{{"session_timeout_ms", 0}}), contains("session_timeout_ms=0"));
    CHECK_THROWS_WITH(check(Dict{{"tick_ms", 200}}), contains("tick_ms=200"));
    CHECK_THROWS_WITH(check(Dict{{"connect_timeout_ms", List{0, 1}}}),
                      contains("connect_timeout_ms"));
    CHECK_THROWS_WITH(check(Dict{{"watch", "all"}}),
                      contains("watch='all'") && contains("'leader'"));
    CHECK_THROWS_WITH(check(Dict{{"look_interval_ms", -1}}), contains("look_interval_ms=-1"));
}

// docs/protocols/zk_recipe.md, "How long after a crash": the service misses the last word up to a
// delay after the crash, ends the session within T + tick, and the others know within a look and
// its round trip, or the woken one leads within 6 delays.
TEST_CASE("leader crash: ZooKeeper's recipe with 2 to 9 finds a new leader within its bound",
          "[zk_recipe][liveness][safety][acceptance]") {
    leader_crash::Promise promise{.protocol = "zk_recipe"};
    promise.bound_ms = [](const leader_crash::Crash&) {
        return d + timeout + tick + std::max(6 * d, look + 3 * d);
    };
    promise.alive = 0.75;
    promise.seeds = 1000;
    leader_crash::survives(promise, GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
    promise.options = Dict{{"watch", "leader"}};
    promise.seeds = 250;
    promise.alive = 0;
    leader_crash::survives(promise, 6);
}

TEST_CASE("zk_recipe: golden runs", "[zk_recipe][golden][determinism]") {
    golden::check_runs(
        "zk_recipe",
        {{"calm", "zk_recipe", 5, Dict{}, Dict{{"seed", 1}}, 2000},
         {"crashes", "zk_recipe", 5, Dict{},
          Dict{{"seed", 2}, {"actions", List{golden::plan(golden::random_node("crash"), 500)}}},
          6000},
         {"service_crashes", "zk_recipe", 4, Dict{{"watch", "leader"}},
          Dict{{"seed", 3},
               {"actions", List{golden::plan(Dict{{"action", "crash"}, {"node", 5}}, 900)}}},
          6000},
         {"pauses", "zk_recipe", 4, Dict{{"step_down_on_disconnect", false}},
          Dict{{"seed", 4}, {"actions", List{golden::plan(golden::random_node("pause"), 600)}}},
          6000},
         {"bad_links", "zk_recipe", 5, Dict{},
          Dict{{"seed", 5}, {"network", golden::bad_links()}, {"every_node", golden::machines()}},
          6000},
         {"warm", "zk_recipe", 6, Dict{},
          Dict{{"seed", 6},
               {"initial_leader", 4},
               {"actions", List{golden::plan(Dict{{"action", "partition"}}, 900)}}},
          6000}});
}

#include "electionlab/protocols/garcia_molina.h"

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using G = GarciaMolina;
using Node = Machine<G>;
using Status = G::Status;
using leader_crash::Crash;

namespace {

constexpr double d = 10;  // one-way delay [ms]

Node started(NodeId self, NodeId members) {
    Node node(self, members);
    node.start();
    return node;
}

// A member of the group of the highest of so many nodes.
Node member(NodeId self, NodeId members) {
    Node node(self, members);
    node.initial_leader = members;
    node.start();
    return node;
}

// The one answer that the last input sent.
bool answers(Node& node, NodeId to, std::int64_t call, bool yes = true) {
    const auto sent = node.sent<G::Answer>();
    return sent.size() == 1 && sent[0].first == to && sent[0].second == G::Answer{call, yes};
}

// All follow node n; nobody misses anybody until a timer is fired by hand.
Story warm(NodeId n, const Value& config = Dict{}) {
    Story s("garcia_molina", n, Dict{{"coordinator_timeout_ms", 1e6}},
            merged(Dict{{"network", network(d)}, {"initial_leader", n}}, config));
    s.until(1);
    return s;
}

std::int64_t calls(const Story& s) {
    std::int64_t sum = 0;
    for (const char* kind : {"AreYouThere", "Halt", "NewCoordinator", "Ready"}) {
        sum += s.sent(kind);
    }
    return sum;
}

}  // namespace

TEST_CASE("garcia_molina: every call is answered, whatever it changes", "[garcia_molina]") {
    Node node = member(2, 4);
    node.receive(1, G::AreYouThere{7});
    CHECK(answers(node, 1, 7));
    node.receive(3, G::AreYouNormal{8});
    CHECK(answers(node, 3, 8, true));
    node.receive(3, G::Halt{9});
    CHECK(answers(node, 3, 9));
    CHECK(node.state.memory.status == Status::election);
    CHECK(node.view() == View{Role::follower, no_node, 0});
    node.receive(3, G::AreYouNormal{10});
    CHECK(answers(node, 3, 10, false));
    node.receive(3, G::NewCoordinator{11});
    CHECK(answers(node, 3, 11));
    CHECK(node.state.memory.status == Status::reorganization);
    CHECK(node.view().leader == no_node);
    node.receive(3, G::Ready{12, IdList{2, 3}});
    CHECK(answers(node, 3, 12));
    CHECK(node.view() == View{Role::follower, 3, 0});
    CHECK(node.state.memory.task == IdList{2, 3});
}

TEST_CASE("garcia_molina: only who halted a node last becomes its coordinator, and only in order",
          "[garcia_molina][safety]") {
    Node node = member(1, 4);
    node.receive(3, G::NewCoordinator{1});  // not halted
    CHECK(node.state.memory.coordinator == 4);
    node.receive(3, G::Halt{2});
    node.receive(4, G::Halt{3});
    node.receive(3, G::NewCoordinator{4});
    CHECK(answers(node, 3, 4));
    CHECK(node.state.memory.status == Status::election);
    node.receive(4, G::Ready{5, IdList{1, 4}});  // not yet its coordinator
    CHECK(node.state.memory.status == Status::election);
    node.receive(4, G::NewCoordinator{6});
    CHECK(node.state.memory.coordinator == 4);
    node.receive(3, G::Ready{7, IdList{1, 3}});
    CHECK(node.state.memory.status == Status::reorganization);
}

TEST_CASE("garcia_molina: asks upwards one by one, and leaves it to the first that is there",
          "[garcia_molina]") {
    Node node = started(2, 5);
    for (const NodeId next : {3, 4}) {
        const auto asked = node.sent<G::AreYouThere>();
        REQUIRE(asked.size() == 1);
        CHECK(asked[0].first == next);
        node.expire(G::Timer::answer);
    }
    REQUIRE(node.sent<G::AreYouThere>().size() == 1);
    const std::int64_t call = node.sent<G::AreYouThere>()[0].second.call;
    node.receive(5, G::Answer{call - 1, true});  // to an older call
    CHECK(node.state.memory.loop == G::Loop::ask);
    node.receive(4, G::Answer{call, true});  // of somebody else
    CHECK(node.state.memory.loop == G::Loop::ask);
    node.receive(5, G::Answer{call, true});
    CHECK(node.state.memory.loop == G::Loop::none);
    CHECK(node.effects.sends().empty());
    CHECK(node.sets(G::Timer::timeout));
}

TEST_CASE("garcia_molina: halts downwards one by one, then names itself, then hands out the task",
          "[garcia_molina]") {
    Node node = started(4, 4);
    const auto answer = [&](NodeId from) {
        node.receive(from, G::Answer{node.state.memory.call, true});
    };
    REQUIRE(node.sent<G::Halt>().size() == 1);  // one at a time: who is halted cannot halt others
    CHECK(node.sent<G::Halt>()[0].first == 3);
    answer(3);
    REQUIRE(node.sent<G::Halt>().size() == 1);
    CHECK(node.sent<G::Halt>()[0].first == 2);
    node.expire(G::Timer::answer);  // node 2 is down
    REQUIRE(node.sent<G::Halt>().size() == 1);
    answer(1);
    CHECK(node.state.memory.status == Status::reorganization);
    for (const NodeId next : {3, 1}) {
        REQUIRE(node.sent<G::NewCoordinator>().size() == 1);
        CHECK(node.sent<G::NewCoordinator>()[0].first == next);
        answer(next);
    }
    for (const NodeId next : {3, 1}) {
        REQUIRE(node.sent<G::Ready>().size() == 1);
        CHECK(node.sent<G::Ready>()[0].first == next);
        CHECK(node.sent<G::Ready>()[0].second.task == IdList{3, 1, 4});
        CHECK_FALSE(node.view().leads());
        answer(next);
    }
    CHECK(node.view() == View{Role::leader, 4, 0});
    CHECK(node.sets(G::Timer::check));
}

TEST_CASE("garcia_molina: a member that is lost between Halt and Ready is a new election",
          "[garcia_molina]") {
    const bool after_one = GENERATE(true, false);
    Node node = started(2, 2);
    node.receive(1, G::Answer{node.state.memory.call, true});
    if (after_one) {
        node.receive(1, G::Answer{node.state.memory.call, true});
        CHECK(node.state.memory.loop == G::Loop::ready);
    }
    node.expire(G::Timer::answer);
    CHECK(node.state.memory.status == Status::election);
    CHECK(node.sent<G::Halt>().size() == 1);
}

TEST_CASE("garcia_molina: who is halted drops the election that it holds", "[garcia_molina][safety]") {
    Node node = started(3, 4);
    node.expire(G::Timer::answer);  // node 4 is not there: it halts
    const std::int64_t call = node.state.memory.call;
    node.receive(4, G::Halt{1});  // it was just coming
    CHECK(node.cancels(G::Timer::answer));
    node.receive(2, G::Answer{call, true});
    CHECK(node.effects.sends().empty());
    CHECK(node.state.memory.halted_by == 4);
}

TEST_CASE("garcia_molina: the coordinator's check finds who is not normal, and holds an election",
          "[garcia_molina]") {
    Node node = member(4, 4);
    node.expire(G::Timer::check);
    for (const NodeId next : {1, 2}) {
        REQUIRE(node.sent<G::AreYouNormal>().size() == 1);
        CHECK(node.sent<G::AreYouNormal>()[0].first == next);
        node.receive(next, G::Answer{node.state.memory.call, true});
    }
    node.expire(G::Timer::answer);  // node 3 is down: no reason
    CHECK(node.view().leads());
    CHECK(node.sets(G::Timer::check));
    node.expire(G::Timer::check);
    node.receive(1, G::Answer{node.state.memory.call, false});
    CHECK(node.sent<G::Halt>().size() == 1);
    CHECK(node.state.memory.status == Status::election);
}

TEST_CASE("garcia_molina: starting together costs 8(n-1) messages and 6(n-1) delays",
          "[garcia_molina][cost]") {
    const std::int64_t n = GENERATE(2, 3, 4, 5, 6, 7, 8, 9, 10);
    CAPTURE(n);
    Story s("garcia_molina", static_cast<NodeId>(n), Dict{{"coordinator_timeout_ms", 1e6}},
            Dict{{"network", network(d)}});
    const double end = 6 * d * static_cast<double>(n - 1);
    s.until(end - 0.001);
    CHECK(s.leader() == no_node);
    s.until(end + 0.001);
    CHECK(s.all_follow(static_cast<NodeId>(n)));
    CHECK(calls(s) == 4 * (n - 1));
    CHECK(calls(s) + s.sent("Answer") == 8 * (n - 1));
}

TEST_CASE("garcia_molina: with the highest dead and all looking for it, 9n-16 messages",
          "[garcia_molina][cost]") {
    const std::int64_t n = GENERATE(3, 4, 5, 6, 7, 8, 9, 10);
    CAPTURE(n);
    Story s = warm(static_cast<NodeId>(n));
    s.crash(static_cast<NodeId>(n));
    for (NodeId node = 1; node < n; ++node) {
        s.fire(node, "timeout");
    }
    // Two calls that nobody answers, then the election of n-1 nodes.
    s.until(1 + 2 * 50 + 6 * d * static_cast<double>(n - 2) + 0.001);
    REQUIRE(s.all_follow(static_cast<NodeId>(n - 1)));
    CHECK(calls(s) + s.sent("Answer") == 9 * n - 16);
}

TEST_CASE("garcia_molina: a lower node that misses the coordinator starts no election",
          "[garcia_molina]") {
    Story s = warm(5);
    s.crash(5);
    s.fire(1, "timeout");
    s.until(1000);
    CHECK(s.sent("AreYouThere") == 2);  // node 5, and then node 2, which is there
    CHECK(s.sent("Halt") == 0);
    CHECK(s.leader() == no_node);
    s.fire(4, "timeout");
    s.until(2000);
    CHECK(s.all_follow(4));
}

TEST_CASE("garcia_molina: a recovered higher node takes over, a lower one is taken in",
          "[garcia_molina]") {
    Story s("garcia_molina", 4, Dict{}, Dict{{"network", network(d)}, {"initial_leader", 4}});
    s.until(100);
    s.crash(4);
    REQUIRE(s.until_agreement(1000));
    CHECK(s.leader() == 3);
    s.restart(4);
    s.for_ms(6 * d * 3 + 1);
    CHECK(s.all_follow(4));
    s.crash(2);
    s.for_ms(20);
    s.restart(2);
    s.for_ms(50 + 50 + 6 * d * 3 + 4 * d);
    CHECK(s.all_follow(4));
    CHECK(s.violations() == 0);
}

TEST_CASE("garcia_molina: whatever crashes and recovers, nobody works for two coordinators",
          "[garcia_molina][safety][fault]") {
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 7);
        // Delays from next to nothing up to the bound: the order of arrival is anybody's guess.
        const Value net = Dict{{"one_way_delay_ms", List{0.1, 20}}};
        Story s("garcia_molina", n, Dict{},
                Dict{{"seed", seed},
                     {"network", net},
                     {"actions", List{golden::plan(golden::random_node("crash"), 150)}}},
                false);
        CAPTURE(seed, n);
        s.until(6000);
        REQUIRE(s.violations() == 0);
        REQUIRE(s.measures().leaderships > 0);
    }
}

TEST_CASE("garcia_molina: a partition breaks the promise, and its heal does not mend it",
          "[garcia_molina][split_brain]") {
    Story s("garcia_molina", 5, Dict{}, Dict{{"network", network(d)}, {"initial_leader", 5}});
    s.until(100.5);
    s.partition(groups({{1, 2}, {3, 4, 5}}));
    s.until(2000);
    CHECK(s.role(2) == Role::leader);
    CHECK(s.role(5) == Role::leader);
    REQUIRE(s.violations() > 0);
    CHECK(s->monitor().violations()[0].invariant == "one_coordinator");
    s.act("heal");
    s.until(10'000);  // all are normal, and nobody asks for more
    CHECK(s.role(2) == Role::leader);
    CHECK(s.role(5) == Role::leader);
    CHECK(s.believes(1) == 2);
}

TEST_CASE("garcia_molina: a coordinator that pauses breaks the promise", "[garcia_molina][split_brain]") {
    Story s("garcia_molina", 3, Dict{}, Dict{{"network", network(d)}, {"initial_leader", 3}});
    s.until(100.5);
    s.pause(3);
    s.until(1000);
    CHECK(s.role(2) == Role::leader);
    s.resume(3);
    s.for_ms(1);
    CHECK(s.role(3) == Role::leader);
    CHECK(s.violations() > 0);
}

TEST_CASE("garcia_molina: options that make no sense are refused by name", "[garcia_molina][errors]") {
    const char* name =
        GENERATE("answer_timeout_ms", "check_interval_ms", "coordinator_timeout_ms");
    CHECK_THROWS_WITH(find_protocol("garcia_molina").check_options(Dict{{name, 0}}, 3),
                      contains(name));
}

// The bound is derived in docs/protocols/garcia_molina.md, "How long after a crash".
TEST_CASE("garcia_molina: 2 to 9 nodes find a new leader whenever the old one dies",
          "[garcia_molina][liveness][safety][acceptance]") {
    leader_crash::survives({.protocol = "garcia_molina",
                            .bound_ms =
                                [](const Crash& crash) {
                                    const double live = crash.nodes - crash.dead;
                                    return d + 200 + 50 + 50 * crash.dead + 6 * d * (live - 1);
                                },
                            .heir = leader_crash::highest_live,
                            .alive = 0.85,
                            .seeds = 2000},
                           GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("garcia_molina: golden runs", "[garcia_molina][golden][determinism]") {
    using namespace golden;
    check_runs("garcia_molina",
               {{"garcia_molina_plain", "garcia_molina", 5, Dict{}, Dict{{"seed", 1}}, 4000},
                {"garcia_molina_crashes", "garcia_molina", 5, Dict{},
                 Dict{{"seed", 2}, {"actions", List{plan(random_node("crash"), 600)}}}, 8000},
                {"garcia_molina_warm", "garcia_molina", 7, Dict{},
                 Dict{{"seed", 3},
                      {"initial_leader", 4},
                      {"actions", List{plan(random_node("crash"), 900)}}},
                 6000}});
}

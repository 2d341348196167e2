#include "electionlab/protocols/invitation.h"

#include <algorithm>
#include <vector>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using I = Invitation;
using Node = Machine<I>;
using Status = I::Status;
using leader_crash::Crash, leader_crash::Moment;

namespace {

constexpr double d = 10;  // one-way delay [ms]

Node alone(NodeId self, NodeId members) {
    Node node(self, members);
    node.start();
    return node;
}

Node member(NodeId self, NodeId members, NodeId coordinator) {
    Node node(self, members);
    node.initial_leader = coordinator;
    node.start();
    return node;
}

// Node 3 of 4 has checked; these say that they coordinate.
Node checked(std::initializer_list<NodeId> coordinators) {
    Node node = alone(3, 4);
    node.expire(I::Timer::check);
    for (const NodeId other : {1, 2, 4}) {
        bool yes = false;
        for (const NodeId c : coordinators) {
            yes = yes || c == other;
        }
        node.receive(other, I::Answer{node.state.memory.call, yes});
    }
    return node;
}

double step_ms(const Node& node) {
    double span = -1;
    for (const auto& change : node.effects.timers()) {
        if (change.timer == static_cast<std::uint32_t>(I::Timer::step)) {
            span = change.set ? change.spec.min.to_ms() : -1;
        }
    }
    return span;
}

// These nodes are one group with one coordinator that knows them all. (It may still count on some
// that it was cut off from: nothing tells it.)
bool one_group(const Story& s, const std::vector<NodeId>& nodes) {
    NodeId coordinators = 0;
    for (const NodeId node : nodes) {
        if (s.epoch(node) != s.epoch(nodes[0]) || s.believes(node) == no_node) {
            return false;
        }
        if (s.role(node) == Role::leader) {
            ++coordinators;
            const Value task = s.field(node, "memory.task");
            for (const NodeId other : nodes) {
                const List& in = *task.get_if<List>();
                if (std::find(in.begin(), in.end(), Value(other)) == in.end()) {
                    return false;
                }
            }
        }
    }
    return coordinators == 1;
}

}  // namespace

TEST_CASE("invitation: a node that starts is a group of its own, under a number never used before",
          "[invitation][safety]") {
    Node node = alone(2, 3);
    CHECK(node.effects.persists());
    CHECK(node.view() == View{Role::leader, 2, 12});  // its group 1: the counter, then the node
    node.restart();
    CHECK(node.effects.persists());
    CHECK(node.view() == View{Role::leader, 2, 22});
    CHECK(I::epoch_of({3, 7}, 9) == 37);
    CHECK(I::epoch_of({3, 7}, 10) == 307);
}

TEST_CASE("invitation: only a normal coordinator says that it coordinates", "[invitation]") {
    Node node = alone(2, 3);
    node.receive(1, I::AreYouCoordinator{5, {1, 1}});
    CHECK(node.sent<I::Answer>()[0].second == I::Answer{5, true});
    node.receive(3, I::Invite{{4, 3}});
    node.receive(1, I::AreYouCoordinator{6, {1, 1}});
    CHECK(node.sent<I::Answer>()[0].second == I::Answer{6, false});
}

TEST_CASE("invitation: the call of its own coordinator in its own group is a sign of life, no other",
          "[invitation][liveness]") {
    Node node = member(1, 3, 3);
    node.receive(3, I::AreYouCoordinator{5, {1, 3}});
    CHECK(node.sets(I::Timer::timeout));
    node.receive(3, I::AreYouCoordinator{6, {2, 3}});  // it has lost this member, and forms another
    CHECK_FALSE(node.sets(I::Timer::timeout));
    node.receive(2, I::AreYouCoordinator{7, {1, 2}});
    CHECK_FALSE(node.sets(I::Timer::timeout));
}

TEST_CASE("invitation: AreYouThere asks for a member of that very group", "[invitation]") {
    Node node = member(3, 3, 3);
    node.receive(1, I::AreYouThere{1, {1, 3}});
    CHECK(node.sent<I::Answer>()[0].second.yes);
    node.receive(1, I::AreYouThere{2, {2, 3}});
    CHECK_FALSE(node.sent<I::Answer>()[0].second.yes);
    Node single = alone(3, 3);
    single.receive(1, I::AreYouThere{3, {1, 3}});  // not invited
    CHECK_FALSE(single.sent<I::Answer>()[0].second.yes);
}

TEST_CASE("invitation: the highest merges at once, the others wait for each number above them",
          "[invitation]") {
    Node low = checked({1, 2});
    CHECK(low.sent<I::Invite>().size() == 2);
    CHECK(low.state.memory.group == GroupNumber{2, 3});
    CHECK(low.effects.persists());
    CHECK(step_ms(low) == 50);
    Node high = checked({1, 4});
    CHECK(high.sent<I::Invite>().empty());
    CHECK(step_ms(high) == 100);
    high.expire(I::Timer::step);  // node 4 did nothing
    CHECK(high.sent<I::Invite>().size() == 2);
    Node nobody = checked({});
    CHECK(nobody.effects.sends().empty());
    CHECK(nobody.sets(I::Timer::check));

    Node one = alone(1, 4);
    one.expire(I::Timer::check);
    one.receive(4, I::Answer{one.state.memory.call, true});
    one.expire(I::Timer::step);
    CHECK(step_ms(one) == 300);
    one.receive(4, I::Invite{{2, 4}});  // the wait was for this
    CHECK(one.cancels(I::Timer::step));
    CHECK(one.sent<I::Accept>().size() == 1);
}

TEST_CASE("invitation: a coordinator that accepts passes the invitation on to its members",
          "[invitation]") {
    Node node = member(2, 4, 2);
    node.receive(4, I::Invite{{5, 4}});
    const auto passed = node.sent<I::Invite>();
    REQUIRE(passed.size() == 2);  // not to who invites
    CHECK(passed[0].first == 1);
    CHECK(passed[1].first == 3);
    CHECK(passed[0].second.group == GroupNumber{5, 4});
    REQUIRE(node.sent<I::Accept>().size() == 1);
    CHECK(node.sent<I::Accept>()[0].first == 4);
    CHECK(node.view() == View{Role::follower, no_node, 54});
    node.receive(3, I::Invite{{9, 3}});  // in an election already
    CHECK(node.effects.sends().empty());

    Node follower = member(1, 4, 2);
    follower.receive(2, I::Invite{{5, 4}});
    CHECK(follower.sent<I::Invite>().empty());
    REQUIRE(follower.sent<I::Accept>().size() == 1);
    CHECK(follower.sent<I::Accept>()[0].first == 4);  // to the coordinator, not to who passed it on
}

TEST_CASE("invitation: a member is normal when it is ready, and alone when it is not answered",
          "[invitation]") {
    Node node = alone(1, 3);
    node.receive(3, I::Invite{{2, 3}});
    const std::int64_t call = node.state.memory.call;
    SECTION("answered, and ready") {
        node.receive(3, I::Answer{call, true});
        CHECK(node.state.memory.status == Status::reorganization);
        node.receive(3, I::Ready{9, {1, 3}, IdList{1, 3}});  // of another group
        CHECK(node.state.memory.status == Status::reorganization);
        node.receive(3, I::Ready{9, {2, 3}, IdList{1, 3}});
        CHECK(node.view() == View{Role::follower, 3, 23});
    }
    SECTION("the answer is overtaken") {
        node.receive(3, I::Ready{9, {2, 3}, IdList{1, 3}});
        CHECK(node.view() == View{Role::follower, 3, 23});
        node.receive(3, I::Answer{call, true});
        CHECK(node.view() == View{Role::follower, 3, 23});
    }
    SECTION("not answered") {
        node.expire(I::Timer::step);
        CHECK(node.view() == View{Role::leader, 1, 21});
    }
    SECTION("answered, and then nothing") {
        node.receive(3, I::Answer{call, true});
        node.expire(I::Timer::timeout);
        CHECK(node.sent<I::AreYouThere>().size() == 1);
        const bool silent = GENERATE(true, false);
        if (silent) {
            node.expire(I::Timer::step);
        } else {
            node.receive(3, I::Answer{node.state.memory.call, false});
        }
        CHECK(node.view() == View{Role::leader, 1, 21});
    }
}

TEST_CASE("invitation: a merge counts who accepts in time, and is undone if one is lost",
          "[invitation]") {
    Node node = checked({1, 2});
    node.receive(1, I::Accept{1, {2, 3}});
    node.receive(1, I::Accept{1, {2, 3}});
    node.receive(2, I::Accept{1, {1, 3}});  // of another group
    node.expire(I::Timer::step);
    REQUIRE(node.sent<I::Ready>().size() == 1);
    CHECK(node.sent<I::Ready>()[0].second.task == IdList{1, 3});
    node.receive(2, I::Accept{1, {2, 3}});  // too late
    CHECK(node.state.memory.up == IdList{1});
    CHECK(node.view().role == Role::candidate);
    SECTION("ready") {
        node.receive(1, I::Answer{node.state.memory.call, true});
        CHECK(node.view() == View{Role::leader, 3, 23});
    }
    SECTION("lost") {
        node.expire(I::Timer::step);
        CHECK(node.view() == View{Role::leader, 3, 33});
        CHECK(node.state.memory.up.empty());
    }
}

TEST_CASE("invitation: starting together costs 2n(n-1) messages to look around and 5(n-1) to merge",
          "[invitation][cost]") {
    const std::int64_t n = GENERATE(2, 3, 4, 5, 6, 7, 8, 9, 10);
    CAPTURE(n);
    Story s("invitation", static_cast<NodeId>(n), Dict{}, Dict{{"network", network(d)}});
    const double end = 50 + 2 * d + 50 + 2 * d;  // a check, and a merge
    s.until(end - 0.001);
    CHECK_FALSE(s->monitor().agreed());
    s.until(end + 0.001);
    CHECK(s.all_follow(static_cast<NodeId>(n)));
    CHECK(s.sent("AreYouCoordinator") == n * (n - 1));
    CHECK(s.sent("Invite") == n - 1);
    CHECK(s.sent("Accept") == n - 1);
    CHECK(s.sent("Ready") == n - 1);
    CHECK(s.sent("Answer") == n * (n - 1) + 2 * (n - 1));
}

TEST_CASE("invitation: every part of a partition settles to one group, and a heal to one of all",
          "[invitation][partition][liveness]") {
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        const RandomStream stream{mix64(static_cast<std::uint64_t>(seed) + 9)};
        const auto n = static_cast<NodeId>(2 + seed % 8);
        std::vector<std::vector<NodeId>> parts(3);
        for (NodeId node = 1; node <= n; ++node) {
            parts[static_cast<std::size_t>(uniform_integer(stream.word(node), 0, 2))].push_back(node);
        }
        List cut;
        for (const auto& part : parts) {
            List ids;
            for (const NodeId node : part) {
                ids.emplace_back(node);
            }
            if (!ids.empty()) {
                cut.emplace_back(ids);
            }
        }
        Story s("invitation", n, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed, n);
        s.until(static_cast<double>(seed % 400));
        s.partition(cut);
        s.for_ms(600);
        for (const auto& part : parts) {
            REQUIRE((part.empty() || one_group(s, part)));
        }
        s.for_ms(static_cast<double>(seed % 97));
        s.act("heal");
        s.for_ms(600);
        std::vector<NodeId> all;
        for (NodeId node = 1; node <= n; ++node) {
            all.push_back(node);
        }
        REQUIRE(one_group(s, all));
        const auto changes = s.measures().leaderships;
        s.for_ms(1000);
        REQUIRE(s.measures().leaderships == changes);
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("invitation: no loss, delay or pause gives a group two tasks", "[invitation][safety][fault]") {
    for (std::int64_t seed = 0; seed < seeds(150); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 6);
        Story s("invitation", n, Dict{},
                Dict{{"seed", seed},
                     {"network", golden::bad_links()},
                     {"actions", List{golden::plan(golden::random_node("crash"), 400),
                                      golden::plan(golden::random_node("pause"), 500)}}},
                false);
        CAPTURE(seed, n);
        s.until(6000);
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("invitation: after lost messages all come together again", "[invitation][liveness][fault]") {
    for (std::int64_t seed = 0; seed < seeds(150); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 6);
        Story s("invitation", n, Dict{},
                Dict{{"seed", seed}, {"network", network(8, Dict{{"loss_probability", 0.3}})}}, false);
        CAPTURE(seed, n);
        s.until(2000 + static_cast<double>(seed % 50));
        s.act(Dict{{"action", "link"}, {"link", Dict{{"loss_probability", 0}}}});
        s.for_ms(900);
        std::vector<NodeId> all;
        for (NodeId node = 1; node <= n; ++node) {
            all.push_back(node);
        }
        REQUIRE(one_group(s, all));
    }
}

TEST_CASE("invitation: a lost disk uses a group's number twice", "[invitation][safety][fault]") {
    Story s("invitation", 3, Dict{{"coordinator_timeout_ms", 1e6}}, Dict{{"network", network(d)}});
    s.until(160);
    REQUIRE(s.all_follow(3));
    s.partition(groups({{1}, {2, 3}}));
    s.crash(3);
    s.act(Dict{{"action", "restart"}, {"node", 3}, {"lose_disk", true}});
    s.fire(2, "timeout");
    s.for_ms(500);
    CHECK(s.epoch(1) == s.epoch(2));
    REQUIRE(s.violations() > 0);
    CHECK(s->monitor().violations().back().invariant == "one_task_per_group");
}

TEST_CASE("invitation: options that make no sense are refused by name", "[invitation][errors]") {
    const char* name = GENERATE("check_interval_ms", "answer_timeout_ms", "invitation_timeout_ms",
                                "merge_delay_ms", "coordinator_timeout_ms");
    CHECK_THROWS_WITH(find_protocol("invitation").check_options(Dict{{name, 0}}, 3), contains(name));
}

// The bounds are derived in docs/protocols/invitation.md, "How long after a crash".
TEST_CASE("invitation: 2 to 9 nodes find a new leader whenever the old one dies",
          "[invitation][liveness][acceptance]") {
    const double answer = 30, alone = d + 200 + answer;    // d + L + A
    const double round = 50 + answer + 50;                 // P + A + W
    leader_crash::survives({.protocol = "invitation",
                            .bound_ms =
                                [=](const Crash& crash) {
                                    const bool single = crash.nodes - crash.dead == 1;
                                    if (crash.moment == Moment::any) {
                                        return single ? alone : alone + round + 2 * d;
                                    }
                                    // It may wait for the invitations of the dead first.
                                    const double first =
                                        answer + std::max(alone, answer + 100 * crash.dead);
                                    return first + (single ? 50 : 2 * (round + answer));
                                },
                            .alive = 0.85,
                            .seeds = 2000},
                           GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("invitation: golden runs", "[invitation][golden][determinism]") {
    using namespace golden;
    check_runs("invitation",
               {{"invitation_plain", "invitation", 5, Dict{}, Dict{{"seed", 1}}, 3000},
                {"invitation_crashes", "invitation", 5, Dict{},
                 Dict{{"seed", 2}, {"actions", List{plan(random_node("crash"), 600)}}}, 8000},
                {"invitation_bad_links", "invitation", 5, Dict{},
                 Dict{{"seed", 3}, {"network", bad_links()}}, 4000},
                {"invitation_machines", "invitation", 5, Dict{},
                 Dict{{"seed", 4},
                      {"every_node", machines()},
                      {"actions", List{plan(random_node("pause"), 900)}}},
                 6000},
                {"invitation_partitions", "invitation", 5, Dict{},
                 Dict{{"seed", 5},
                      {"initial_leader", 3},
                      {"actions", List{plan(Dict{{"action", "partition"}}, 800)}}},
                 8000}});
}

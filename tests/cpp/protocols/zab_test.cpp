#include "electionlab/protocols/zab.h"

#include <algorithm>
#include <array>
#include <string>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using Node = Machine<Zab>;
using Peer = Zab::Peer;
using Told = Zab::Notification;
using leader_crash::Crash, leader_crash::Moment;

namespace {

constexpr double d = 10;  // one-way delay [ms]

ZabVote vote_for(NodeId leader, std::int64_t counter = 0, Epoch epoch = 0) {
    return {leader, {epoch, counter}, epoch};
}

Node looking(NodeId self, NodeId members = 5) {
    Node node(self, members);
    node.start();
    return node;
}

// How long the last input armed a timer for; none: -1.
double armed_ms(const Node& node, Zab::Timer timer) {
    double span = -1;
    for (const auto& change : node.effects.timers()) {
        if (change.timer == static_cast<std::uint32_t>(timer)) {
            span = change.set ? change.spec.min.to_ms() : -1;
        }
    }
    return span;
}

// Node 3 of 5, voted for by nodes 1 and 2, waits for its followers.
Node chosen() {
    Node node = looking(3);
    node.receive(1, Told{vote_for(3), 1, Peer::looking});
    node.receive(2, Told{vote_for(3), 1, Peer::looking});
    node.expire(Zab::Timer::finalize);
    REQUIRE(node.state.memory.peer == Peer::leading);
    return node;
}

// Node 1 of 5 follows node 3, which has not answered yet.
Node following(Epoch accepted = 0) {
    Node node = looking(1);
    node.state.disk.accepted_epoch = accepted;
    node.receive(3, Told{vote_for(3), 1, Peer::looking});
    node.receive(2, Told{vote_for(3), 1, Peer::looking});
    node.expire(Zab::Timer::finalize);
    REQUIRE(node.state.memory.peer == Peer::following);
    return node;
}

Story zab(NodeId n, const Value& options = Dict{}, const Value& config = Dict{}) {
    return Story("zab", n, options, merged(Dict{{"network", network(d)}}, config));
}

}  // namespace

// --- FastLeaderElection ---

TEST_CASE("zab: votes are ordered by peer epoch, then zxid, then server", "[zab][fle]") {
    CHECK(better({1, {1, 0}, 2}, {9, {1, 99}, 1}));
    CHECK(better({1, {2, 0}, 2}, {9, {1, 99}, 2}));
    CHECK(better({1, {1, 5}, 2}, {9, {1, 4}, 2}));
    CHECK(better({9, {1, 5}, 2}, {1, {1, 5}, 2}));
    CHECK_FALSE(better({9, {1, 5}, 2}, {9, {1, 5}, 2}));
}

TEST_CASE("zab: with all looking and connected, the maximum triple wins", "[zab][fle][liveness]") {
    for (std::int64_t seed = 0; seed < seeds(400); ++seed) {
        const RandomStream stream{mix64(static_cast<std::uint64_t>(seed) + 5)};
        std::uint64_t draw = 0;
        const auto next = [&](std::int64_t low, std::int64_t high) {
            return uniform_integer(stream.word(draw++), low, high);
        };
        const auto n = static_cast<NodeId>(next(3, 9));
        List histories;
        ZabVote best;
        for (NodeId node = 1; node <= n; ++node) {
            const std::int64_t epoch = next(0, 2), zxid_epoch = next(0, epoch), counter = next(0, 3);
            histories.emplace_back(List{epoch, zxid_epoch, counter});
            const ZabVote own{node, {zxid_epoch, counter}, epoch};
            best = node == 1 || better(own, best) ? own : best;
        }
        Story s("zab", n, Dict{{"histories", histories}}, Dict{{"seed", seed}}, false);
        CAPTURE(seed, n, best.leader);
        REQUIRE(s.until_agreement(2000));
        REQUIRE(s.leader() == best.leader);
        for (NodeId node = 1; node <= n; ++node) {  // and all have its history and its new epoch
            REQUIRE(s.whole(node, "disk.last_zxid.epoch") == best.zxid.epoch);
            REQUIRE(s.whole(node, "disk.last_zxid.counter") == best.zxid.counter);
            REQUIRE(s.whole(node, "disk.current_epoch") == s.epoch(s.leader()));
            REQUIRE(s.epoch(node) > best.peer_epoch);
        }
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("zab: starting together costs n(n-1)(n+1)/2 notifications and 7(n-1) messages, 8d + F",
          "[zab][cost]") {
    const std::int64_t n = GENERATE(3, 4, 5, 6, 7, 8, 9);
    CAPTURE(n);
    Story s = zab(static_cast<NodeId>(n));
    s.until(7 * d + 40 - 0.001);
    CHECK(s.leader() == no_node);
    s.until(7 * d + 40 + 0.001);
    CHECK(s.leader() == n);
    s.until(8 * d + 40 + 0.001);
    CHECK(s.all_follow(static_cast<NodeId>(n)));
    CHECK(s.sent("Notification") == n * (n - 1) * (n + 1) / 2);  // in the worst order of arrival
    for (const char* kind : {"FollowerInfo", "LeaderInfo", "AckEpoch", "NewLeader", "UpToDate"}) {
        CAPTURE(kind);
        CHECK(s.sent(kind) == n - 1);
    }
    CHECK(s.sent("Ack") == 2 * (n - 1));
    CHECK(s.sent("Closed") == 0);
}

TEST_CASE("zab: in any order of arrival the notifications stay between the two closed forms",
          "[zab][cost]") {
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        const std::int64_t n = 3 + seed % 7;
        Story s("zab", static_cast<NodeId>(n), Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed, n);
        REQUIRE(s.until_agreement(1000));
        REQUIRE(s.sent("Notification") >= (n - 1) * (2 * n - 1));
        REQUIRE(s.sent("Notification") <= n * (n - 1) * (n + 1) / 2);
    }
}

TEST_CASE("zab: a better vote is taken over and told, a worse one is only counted", "[zab][fle]") {
    Node node = looking(2);
    node.receive(4, Told{vote_for(4), 1, Peer::looking});
    REQUIRE(node.sent<Told>().size() == 1);
    CHECK(node.sent<Told>()[0].first == no_node);
    CHECK(node.sent<Told>()[0].second.vote.leader == 4);
    node.receive(3, Told{vote_for(3), 1, Peer::looking});
    CHECK(node.sent<Told>().empty());
    CHECK(node.state.memory.proposal.leader == 4);
    CHECK(node.state.memory.votes.size() == 3);
}

TEST_CASE("zab: a later round is joined with votes forgotten, an earlier one is told of this",
          "[zab][fle]") {
    Node node = looking(3);
    node.receive(4, Told{vote_for(4), 1, Peer::looking});
    node.receive(1, Told{vote_for(1), 5, Peer::looking});  // its vote is worse than node 3's own
    CHECK(node.state.memory.round == 5);
    CHECK(node.state.memory.proposal.leader == 3);
    CHECK(node.state.memory.votes.size() == 2);
    REQUIRE(node.sent<Told>().size() == 1);
    CHECK(node.sent<Told>()[0].second.round == 5);
    node.receive(4, Told{vote_for(4), 4, Peer::looking});
    CHECK(node.state.memory.proposal.leader == 3);
    REQUIRE(node.sent<Told>().size() == 1);
    CHECK(node.sent<Told>()[0].first == 4);
    node.receive(2, Told{vote_for(4), 6, Peer::looking});
    CHECK(node.state.memory.proposal.leader == 4);
}

TEST_CASE("zab: a quorum is final after an unchallenged wait; a late vote in it breaks it",
          "[zab][fle]") {
    Node node = looking(1);
    node.receive(3, Told{vote_for(3), 1, Peer::looking});
    CHECK_FALSE(node.sets(Zab::Timer::finalize));  // two of five
    node.receive(2, Told{vote_for(3), 1, Peer::looking});
    CHECK(armed_ms(node, Zab::Timer::finalize) == 40);
    CHECK(armed_ms(node, Zab::Timer::notification) == -1);
    node.receive(2, Told{vote_for(3), 1, Peer::looking});
    CHECK(armed_ms(node, Zab::Timer::finalize) == 40);  // read and dropped; the wait starts anew
    node.receive(5, Told{vote_for(5), 1, Peer::looking});
    CHECK(node.cancels(Zab::Timer::finalize));
    CHECK(node.state.memory.proposal.leader == 5);
    CHECK(node.view().role == Role::candidate);
    node.receive(2, Told{vote_for(5), 1, Peer::looking});
    node.expire(Zab::Timer::finalize);
    REQUIRE(node.sent<Zab::FollowerInfo>().size() == 1);
    CHECK(node.sent<Zab::FollowerInfo>()[0].first == 5);
}

TEST_CASE("zab: an unheard vote is repeated at intervals that double up to a limit",
          "[zab][fle][liveness]") {
    Node node = looking(2);
    CHECK(armed_ms(node, Zab::Timer::notification) == 40);
    for (const double next : {80.0, 160.0, 320.0, 400.0, 400.0}) {
        node.expire(Zab::Timer::notification);
        CHECK(node.sent<Told>().size() == 1);
        CHECK(armed_ms(node, Zab::Timer::notification) == next);
    }
    node.receive(1, Told{vote_for(1), 1, Peer::looking});
    CHECK(armed_ms(node, Zab::Timer::notification) == 400);  // the interval stays as long as it is
}

TEST_CASE("zab: an older vote of a sender does not replace its newer one", "[zab][fle]") {
    Node node = looking(5);
    node.receive(1, Told{vote_for(5), 1, Peer::looking});
    node.receive(1, Told{vote_for(1), 1, Peer::looking});  // overtaken on its way
    node.receive(2, Told{vote_for(5), 1, Peer::looking});
    CHECK(node.sets(Zab::Timer::finalize));
}

TEST_CASE("zab: who has a leader tells who looks; nobody else is answered", "[zab][fle]") {
    Node node = following();
    node.receive(4, Told{vote_for(4, 9, 9), 7, Peer::looking});
    REQUIRE(node.sent<Told>().size() == 1);
    CHECK(node.sent<Told>()[0].first == 4);
    CHECK(node.sent<Told>()[0].second == Told{vote_for(3), 1, Peer::following});
    node.receive(4, Told{vote_for(3), 1, Peer::following});
    CHECK(node.sent<Told>().empty());
}

TEST_CASE("zab: a late joiner follows a quorum, if the leader itself says that it leads",
          "[zab][fle][safety]") {
    const bool same_round = GENERATE(true, false);
    CAPTURE(same_round);
    const Epoch round = same_round ? 1 : 4;
    Node node = looking(5);
    // Members that came by different rounds and zxids: leader and epoch say enough.
    node.receive(1, Told{{2, {1, 3}, 2}, round, Peer::following});
    node.receive(3, Told{{2, {1, 4}, 2}, round, Peer::following});
    node.receive(4, Told{{2, {1, 4}, 2}, round, Peer::following});
    CHECK(node.state.memory.peer == Peer::looking);  // a quorum, but node 2 may be dead
    node.receive(2, Told{{2, {1, 3}, 2}, round, Peer::leading});
    CHECK(node.state.memory.peer == Peer::following);
    CHECK(node.state.memory.decided.leader == 2);
    CHECK(node.state.memory.round == round);
}

TEST_CASE("zab: two of five that follow a leader are no reason to join it", "[zab][fle][safety]") {
    Node node = looking(5);
    node.receive(1, Told{{2, {}, 2}, 4, Peer::following});
    node.receive(2, Told{{2, {}, 2}, 4, Peer::leading});
    node.receive(3, Told{{2, {}, 1}, 4, Peer::following});  // of another epoch
    CHECK(node.state.memory.peer == Peer::looking);
}

TEST_CASE("zab: who is said to lead by nodes of another round does not believe it", "[zab][fle]") {
    Node node = looking(2);
    for (const NodeId other : {1, 3, 4}) {
        node.receive(other, Told{{2, {}, 1}, 3, Peer::following});
    }
    CHECK(node.state.memory.peer == Peer::looking);
}

// --- discovery and synchronisation ---

TEST_CASE("zab: the new epoch is above all that a quorum has accepted, and on the disk first",
          "[zab][discovery][safety]") {
    Node node = chosen();
    node.receive(1, Zab::FollowerInfo{4});
    CHECK(node.sent<Zab::LeaderInfo>().empty());
    CHECK_FALSE(node.effects.persists());
    node.receive(1, Zab::FollowerInfo{4});  // the same one again is no second follower
    CHECK(node.sent<Zab::LeaderInfo>().empty());
    node.receive(2, Zab::FollowerInfo{2});
    CHECK(node.effects.persists());
    CHECK(node.state.disk.accepted_epoch == 5);
    REQUIRE(node.sent<Zab::LeaderInfo>().size() == 2);
    CHECK(node.sent<Zab::LeaderInfo>()[0].second.epoch == 5);
    CHECK(node.view() == View{Role::candidate, no_node, 5});
    node.receive(4, Zab::FollowerInfo{9});  // too late to matter: the epoch is chosen
    REQUIRE(node.sent<Zab::LeaderInfo>().size() == 1);
    CHECK(node.sent<Zab::LeaderInfo>()[0].second.epoch == 5);
}

TEST_CASE("zab: a follower accepts each epoch once, written down before it is answered",
          "[zab][discovery][safety]") {
    Node node = following(2);
    node.receive(3, Zab::LeaderInfo{3});
    CHECK(node.effects.persists());
    CHECK(node.state.disk.accepted_epoch == 3);
    REQUIRE(node.sent<Zab::AckEpoch>().size() == 1);
    CHECK(node.sent<Zab::AckEpoch>()[0].second.counts);
    CHECK(armed_ms(node, Zab::Timer::read) == 400);

    Node again = following(3);
    again.receive(3, Zab::LeaderInfo{3});
    CHECK_FALSE(again.effects.persists());
    REQUIRE(again.sent<Zab::AckEpoch>().size() == 1);
    CHECK_FALSE(again.sent<Zab::AckEpoch>()[0].second.counts);

    Node ahead = following(4);
    ahead.receive(3, Zab::LeaderInfo{3});
    CHECK(ahead.sent<Zab::AckEpoch>().empty());
    CHECK(ahead.sent<Zab::Closed>().size() == 1);
    CHECK(ahead.state.memory.peer == Peer::looking);
    CHECK(ahead.state.disk.accepted_epoch == 4);
}

TEST_CASE("zab: a leader needs a quorum that accepts, and then one that has its history",
          "[zab][discovery][safety]") {
    Node node = chosen();
    node.receive(1, Zab::FollowerInfo{0});
    node.receive(2, Zab::FollowerInfo{0});
    node.receive(4, Zab::FollowerInfo{0});
    node.receive(1, Zab::AckEpoch{1, true, 0, {}});
    node.receive(2, Zab::AckEpoch{1, false, 0, {}});  // accepted from somebody else: does not count
    CHECK(node.sent<Zab::NewLeader>().empty());
    CHECK(node.state.disk.current_epoch == 0);
    node.receive(1, Zab::AckEpoch{1, true, 0, {}});  // twice is once
    CHECK(node.sent<Zab::NewLeader>().empty());
    node.receive(4, Zab::AckEpoch{1, true, 0, {}});
    CHECK(node.sent<Zab::NewLeader>().size() == 3);  // also to who could not count
    CHECK(node.state.disk.current_epoch == 1);
    CHECK(node.effects.persists());
    node.receive(1, Zab::Ack{1});
    CHECK_FALSE(node.view().leads());
    node.receive(2, Zab::Ack{0});  // of another epoch
    CHECK_FALSE(node.view().leads());
    node.receive(2, Zab::Ack{1});
    CHECK(node.view() == View{Role::leader, 3, 1});
    CHECK(node.sent<Zab::UpToDate>().size() == 2);
    node.receive(5, Zab::FollowerInfo{0});  // a late one takes the same steps
    CHECK(node.sent<Zab::LeaderInfo>().size() == 1);
    node.receive(5, Zab::AckEpoch{1, true, 0, {}});
    CHECK(node.sent<Zab::NewLeader>().size() == 1);
    node.receive(5, Zab::Ack{1});
    CHECK(node.sent<Zab::UpToDate>().size() == 1);
}

TEST_CASE("zab: a follower whose history goes further is not led, and not cut",
          "[zab][discovery][safety]") {
    const Zab::AckEpoch ahead = GENERATE(Zab::AckEpoch{1, true, 1, {}},
                                         Zab::AckEpoch{1, true, 0, {0, 1}});
    Node node = chosen();
    node.receive(1, Zab::FollowerInfo{0});
    node.receive(2, Zab::FollowerInfo{0});
    node.receive(1, ahead);
    CHECK(node.sent<Zab::Closed>().size() == 1);
    node.receive(2, Zab::AckEpoch{1, true, 0, {}});
    CHECK(node.sent<Zab::NewLeader>().empty());
}

TEST_CASE("zab: a follower has history and epoch on the disk before its ACK, and begins at UPTODATE",
          "[zab][synchronisation][safety]") {
    Node node = following();
    node.receive(3, Zab::NewLeader{1, {0, 7}});  // before it has accepted the epoch
    CHECK(node.sent<Zab::Ack>().empty());
    node.receive(3, Zab::LeaderInfo{1});
    node.receive(3, Zab::NewLeader{1, {0, 7}});
    CHECK(node.effects.persists());
    CHECK(node.state.disk.current_epoch == 1);
    CHECK(node.state.disk.last_zxid == Zxid{0, 7});
    CHECK(node.sent<Zab::Ack>().size() == 1);
    CHECK(armed_ms(node, Zab::Timer::read) == 200);
    CHECK(node.view() == View{Role::follower, no_node, 1});
    node.receive(3, Zab::UpToDate{1});
    CHECK(node.view() == View{Role::follower, 3, 1});
    node.receive(3, Zab::Ping{1});
    CHECK(node.sent<Zab::Ping>().size() == 1);
    CHECK(armed_ms(node, Zab::Timer::read) == 200);
    node.receive(4, Zab::Ping{1});  // somebody else's leader finds no connection here
    CHECK(node.sent<Zab::Closed>().size() == 1);
    CHECK(node.view().leader == 3);
    node.expire(Zab::Timer::read);
    CHECK(node.view().role == Role::candidate);
    CHECK(node.sent<Zab::Closed>().size() == 1);
}

TEST_CASE("zab: a follower that is refused tries again, and then looks again", "[zab][discovery]") {
    Node node = following();
    for (int refusal = 1; refusal < 5; ++refusal) {
        node.receive(3, Zab::Closed{});
        CHECK(node.state.memory.peer == Peer::following);
        node.expire(Zab::Timer::connect);
        CHECK(node.sent<Zab::FollowerInfo>().size() == 1);
    }
    node.receive(3, Zab::Closed{});
    CHECK(node.state.memory.peer == Peer::looking);
    CHECK(node.state.memory.round == 2);
}

// --- whole clusters ---

TEST_CASE("zab: a node that comes late follows the ensemble that is there", "[zab][liveness]") {
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        Story s("zab", 5, Dict{}, Dict{{"seed", seed}, {"initial_leader", 2}}, false);
        CAPTURE(seed);
        s.until(100 + static_cast<double>(seed % 40));
        s.crash(5);
        s.for_ms(500);
        s.restart(5);  // the highest: it would win an election
        REQUIRE(s.until_agreement(200));
        REQUIRE(s.leader() == 2);
        REQUIRE(s.epoch(5) == 1);
        REQUIRE(s.measures().leaderships == 1);
    }
}

TEST_CASE("zab: a leader without a quorum of followers steps down, and the others go on",
          "[zab][safety][partition]") {
    Story s = zab(5, Dict{}, Dict{{"initial_leader", 5}});
    s.until(100.5);
    s.partition(groups({{1, 2, 3}, {4, 5}}));
    // At most S + 2 ticks after the last answer came in.
    s.until(100.5 + d + 7 * 40);
    CHECK(s.role(5) != Role::leader);
    s.until(2000);
    CHECK(s.role(4) == Role::candidate);
    CHECK(s.role(5) == Role::candidate);
    CHECK(s.role(3) == Role::leader);
    CHECK(s.epoch(3) == 2);
    s.act("heal");
    REQUIRE(s.until_agreement(1000));
    CHECK(s.leader() == 3);
    CHECK(s.epoch(5) == 2);
    CHECK(s.violations() == 0);
}

TEST_CASE("zab: a leader that restarts at once closes its old connections, and all elect anew",
          "[zab][liveness]") {
    std::int64_t soon = 0;
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        Story s("zab", 5, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        REQUIRE(s.until_agreement(1000));
        s.for_ms(50 + static_cast<double>(seed));
        s.crash(5);
        s.restart(5);
        // In its first round it may overtake its own news, hear from who followed it in that round
        // that it leads, and wait init_limit ticks for followers that look again.
        s.for_ms(200);
        soon += s->monitor().agreed() ? 1 : 0;
        REQUIRE(s.until_agreement(1000));
        REQUIRE(s.epoch(s.leader()) >= 2);
        REQUIRE(s.violations() == 0);
    }
    CHECK(soon >= seeds(100) * 8 / 10);  // sooner than a silence would show
}

TEST_CASE("zab: no faults of links and nodes make two leaders of one epoch", "[zab][safety][fault]") {
    for (std::int64_t seed = 0; seed < seeds(150); ++seed) {
        const auto n = static_cast<NodeId>(3 + seed % 5);
        Story s("zab", n, Dict{},
                Dict{{"seed", seed},
                     {"network", golden::bad_links()},
                     {"actions", List{golden::plan(golden::random_node("crash"), 400),
                                      golden::plan(golden::random_node("pause"), 700)}}},
                false);
        CAPTURE(seed, n);
        s.until(8000);
        REQUIRE(s.violations() == 0);
        REQUIRE(s.measures().leaderships > 0);
    }
}

TEST_CASE("zab: lost messages delay a leader, and no more", "[zab][liveness][fault]") {
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        const auto n = static_cast<NodeId>(3 + seed % 5);
        Story s("zab", n, Dict{},
                Dict{{"seed", seed}, {"network", network(8, Dict{{"loss_probability", 0.2}})}}, false);
        CAPTURE(seed, n);
        REQUIRE(s.until_leader(30'000));
        s.act(Dict{{"action", "link"}, {"link", Dict{{"loss_probability", 0}}}});
        REQUIRE(s.until_agreement(3000));
        s.for_ms(2000);
        REQUIRE(s->monitor().agreed());
    }
}

// A known limit of ZooKeeper: acceptance is one-way, and a leader's epoch does not move.
TEST_CASE("zab: who accepted an epoch above the leader's cannot join it", "[zab][discovery]") {
    Story s = zab(3);
    for (std::int64_t attempt = 1; attempt <= 2; ++attempt) {
        while (s.whole(3, "disk.accepted_epoch") < attempt) {
            REQUIRE(s.now_ms() < 3000);
            s.for_ms(1);
        }
        for (const PendingEvent& told : s.in_flight("LeaderInfo")) {
            s.touch("drop", told.message);
        }
        s.crash(3);
        if (attempt == 1) {
            s.restart(3);
        }
    }
    REQUIRE(s.until_agreement(3000));
    CHECK(s.leader() == 2);
    CHECK(s.epoch(2) == 1);
    s.restart(3);
    s.for_ms(3000);
    CHECK(s.leader() == 2);
    CHECK(s.believes(3) == no_node);
    CHECK(s.epoch(3) == 2);
    s.crash(2);  // the next epoch is above all
    REQUIRE(s.until_agreement(3000));
    CHECK(s.epoch(s.leader()) == 3);
}

TEST_CASE("zab: a lost disk makes two leaders of one epoch", "[zab][safety][fault]") {
    Story s = zab(3);
    s.partition(groups({{1}, {2, 3}}));
    REQUIRE(s.until_leader(1000));
    CHECK(s.leader() == 3);
    s.crash(3);
    s.crash(2);
    s.act(Dict{{"action", "restart"}, {"node", 2}, {"lose_disk", true}});
    s.act("heal");
    REQUIRE(s.until_leader(3000));
    CHECK(s.leader() == 2);
    bool twice = false;
    for (const auto& violation : s->monitor().violations()) {
        twice = twice || violation.invariant == "one_leader_per_epoch";
    }
    CHECK(twice);
}

TEST_CASE("zab: a cluster of one leads itself", "[zab][liveness]") {
    Story s = zab(1);
    s.until(41);
    CHECK(s.all_follow(1));
    CHECK(s.sent("Notification") == 0);
}

TEST_CASE("zab: options that make no sense are refused by name", "[zab][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("zab").check_options(options, 3);
    };
    const char* name = GENERATE("tick_time_ms", "init_limit", "sync_limit", "finalize_wait_ms",
                                "min_notification_interval_ms", "connect_retry_ms", "connect_tries");
    CHECK_THROWS_WITH(check(Dict{{name, 0}}), contains(name));
    CHECK_THROWS_WITH(check(Dict{{"max_notification_interval_ms", 39}}),
                      contains("max_notification_interval_ms"));
    CHECK_THROWS_WITH(check(Dict{{"tick_time_ms", 1e6}, {"init_limit", 1'000'000}}),
                      contains("tick_time_ms"));
    CHECK_THROWS_WITH(check(Dict{{"histories", List{Value(List{1, 1, 1})}}}),
                      contains("histories") && contains("3 nodes"));
    CHECK_THROWS_WITH(check(Dict{{"histories", List{List{1, 2, 0}, List{1, 1, 0}, List{1, 1, 0}}}}),
                      contains("histories") && contains("at most the current epoch"));
}

// The bounds are derived in docs/protocols/zab.md, "How long after a crash".
TEST_CASE("zab: 3 to 9 nodes find a new leader whenever the old one dies",
          "[zab][liveness][safety][acceptance]") {
    const double election = 2 * 40 + 40 + 40 + 9 * d;  // 2m + F + R + 9 delays
    leader_crash::survives(
        {.protocol = "zab",
         .bound_ms =
             [election](const Crash& crash) {
                 const double silence = d + 200;
                 return crash.moment == Moment::any ? silence + election
                                                    : silence + election + 400 + 400 + election;
             },
         .alive = 0.65,  // the longest way that two nodes have is shorter among many
         .seeds = 2000},
        GENERATE(3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("zab: golden runs", "[zab][golden][determinism]") {
    using namespace golden;
    check_runs("zab",
               {{"zab_plain", "zab", 5, Dict{}, Dict{{"seed", 1}}, 3000},
                {"zab_crashes", "zab", 5, Dict{},
                 Dict{{"seed", 2}, {"actions", List{plan(random_node("crash"), 700)}}}, 8000},
                {"zab_bad_links", "zab", 5, Dict{}, Dict{{"seed", 3}, {"network", bad_links()}}, 4000},
                {"zab_machines", "zab", 5,
                 Dict{{"histories", List{List{2, 1, 3}, List{2, 2, 1}, List{1, 1, 9}, List{2, 2, 1},
                                         List{0, 0, 0}}}},
                 Dict{{"seed", 4},
                      {"every_node", machines()},
                      {"actions", List{plan(random_node("pause"), 900)}}},
                 6000},
                {"zab_partitions", "zab", 5, Dict{},
                 Dict{{"seed", 5},
                      {"initial_leader", 3},
                      {"actions", List{plan(Dict{{"action", "partition"}}, 800)}}},
                 8000}});
}

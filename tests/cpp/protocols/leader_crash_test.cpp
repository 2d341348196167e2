// The first promise of the whole project: whenever the leader crashes, every live node names one
// live leader within a bound that follows from the options.
#include <algorithm>
#include <cmath>
#include <string>

#include "electionlab/core/quorum.h"
#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

constexpr double delay = 10;  // the default link's largest one-way delay [ms]

// Raft: no time is certain, an election may be split again and again. A node notices within
// b = 300 ms (and one delay, for a heartbeat under way). A term has a winner unless a second of the
// s live timers, U(a, b), ends within two delays after the first, before the request has arrived
// and stopped it. The chance of that is at most p = 1 - (1 - 2D / (b - a))^(s-1), and a lost term
// costs at most b and two delays. So many terms in a row fail once in 10^9.
double raft_bound(NodeId live) {
    const double p = 1 - std::pow(1 - 2 * delay / 150, static_cast<double>(live) - 1);
    const double terms = p <= 0 ? 1 : std::ceil(std::log(1e-9) / std::log(p));
    return 300 + delay + (terms + 1) * (300 + 2 * delay);
}

// Bully, D = delay, L = leader_timeout, C = coordinator_timeout, A = answer_timeout: D after the
// last crash nothing of the dead is under way. The highest live node h then waits for a dead leader
// (L) or for the COORDINATOR of one that answered (C) at most; nobody answers its election (A); it
// leads, and D later all know. An ELECTION that was sent before that may still reach h within 2D
// and makes it hold one more (A), which all know of D later:
// D + max(L, C) + A + D + 2D ... + A = max(L, C) + 2A + 4D (the last D is within the first 2D).
double bully_bound() { return 200 + 2 * 50 + 4 * delay + delay; }

// Ring, K = ack_timeout, R = round_timeout: a message is once round all s live nodes within
// T = s D + d K, as each of the d dead is skipped once. A list that a dead node is on may still
// make it the leader (2T), which is noticed after L; a list that died with its holder is replaced
// after R. The last round begins by then, and takes 2T.
double ring_bound(NodeId live, NodeId dead) {
    const double round = live * delay + dead * 40.0;
    return std::max(2 * round + 200, delay + 600) + 2 * round + delay;
}

double bound(const std::string& protocol, NodeId nodes, NodeId dead) {
    return protocol == "raft"    ? raft_bound(nodes - dead)
           : protocol == "bully" ? bully_bound()
                                 : ring_bound(nodes - dead, dead);
}

// The most nodes that may be down: Raft needs a majority, the others somebody.
NodeId most_dead(const std::string& protocol, NodeId nodes) {
    return protocol == "raft" ? nodes - static_cast<NodeId>(quorum_size(nodes)) : nodes - 1;
}

// How the leader is found and killed; each is one kind of bad luck.
enum class Moment { any, during_elections, after_first_heartbeat, twice };

NodeId count_down(const Story& s) {
    NodeId down = 0;
    for (NodeId node = 1; node <= s->members(); ++node) {
        down += s.role(node) == Role::down ? 1 : 0;
    }
    return down;
}

void kill_leaders(Story& s, Moment moment, NodeId may_die, std::uint64_t seed) {
    std::uint64_t draw = 0;
    const RandomStream stream{mix64(seed + 77)};
    const auto random_ms = [&](double low, double high) {
        return low + (high - low) * open_unit(stream.word(draw++));
    };
    const Dict leader{{"action", "crash"}, {"node", "leader"}};
    switch (moment) {
        case Moment::any:  // a leader that is followed, at any moment of its heartbeat interval
            s.until_agreement(20'000);
            s.for_ms(random_ms(0, 200));
            s.act(leader);
            break;
        case Moment::during_elections:  // somebody, at any moment of the first elections
            s.until(random_ms(0.001, 600));
            s.act(Dict{{"action", "crash"}, {"node", s.leader() != no_node ? "leader" : "random"}});
            break;
        case Moment::after_first_heartbeat:  // with the messages of its first step under way
            s.until_leader(20'000);
            s.act(leader);
            break;
        case Moment::twice:  // as many as may die, each as soon as it leads or somewhat later
            for (NodeId killed = 0; killed < std::min<NodeId>(may_die, 3); ++killed) {
                s.until_leader(20'000);
                s.for_ms(random_ms(-30, 60) > 0 ? random_ms(0, 60) : 0);
                s.act(Dict{{"action", "crash"},
                           {"node", s.leader() != no_node ? "leader" : "random"}});
            }
            break;
    }
}

void survives(const std::string& protocol, NodeId nodes) {
    const NodeId may_die = most_dead(protocol, nodes);
    double slowest = 0;
    for (std::int64_t seed = 0; seed < seeds(4000); ++seed) {
        const auto moment = static_cast<Moment>(seed % 4);
        if (moment == Moment::twice && may_die < 2) {
            continue;
        }
        Story s(protocol, nodes, Dict{}, Dict{{"seed", seed}}, false);
        kill_leaders(s, moment, may_die, static_cast<std::uint64_t>(seed));
        const NodeId dead = count_down(s);
        const double limit = bound(protocol, nodes, dead), killed = s.now_ms();
        CAPTURE(protocol, nodes, seed, dead, killed, limit);
        REQUIRE(dead >= 1);
        const bool agreed = s.until_agreement(limit);
        slowest = std::max(slowest, s.now_ms() - killed);
        REQUIRE(agreed);
        // Not by luck: at the bound and ever after it is so.
        s.until(killed + limit);
        const bool lasts = protocol != "raft";  // a Raft node may still time out by bad luck
        if (lasts) {
            const NodeId leader = s.leader();
            REQUIRE(s.all_follow(leader));
            const auto changes = s.measures().leaderships;
            s.for_ms(1000);
            REQUIRE(s.all_follow(leader));
            REQUIRE(s.measures().leaderships == changes);
            NodeId highest = nodes;
            while (s.role(highest) == Role::down) {
                --highest;
            }
            REQUIRE(leader == highest);
        }
        REQUIRE(s.violations() == 0);
    }
    INFO(protocol << " of " << nodes << ": slowest " << slowest << " ms");
    CHECK(slowest > 0);
}

}  // namespace

TEST_CASE("leader crash: Raft of 3 to 9 finds a new leader whenever the old one dies",
          "[raft][liveness][safety][acceptance]") {
    survives("raft", GENERATE(3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("leader crash: Bully of 2 to 9 finds a new leader whenever the old one dies",
          "[bully][liveness][acceptance]") {
    survives("bully", GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("leader crash: Ring of 2 to 9 finds a new leader whenever the old one dies",
          "[ring][liveness][acceptance]") {
    survives("ring", GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("leader crash: Raft of two has no leader any more, and says why", "[raft][liveness]") {
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        Story s("raft", 2, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        REQUIRE(s.until_agreement(20'000));
        REQUIRE(s->why_no_leader().empty());
        s.act(Dict{{"action", "crash"}, {"node", "leader"}});
        REQUIRE_FALSE(s.until_leader(10'000));
        REQUIRE(s->why_no_leader() ==
                "no leader is possible: 1 node is up, and a quorum of 2 needs 2");
        REQUIRE(s.violations() == 0);
    }
}

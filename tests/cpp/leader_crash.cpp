#include "leader_crash.h"

#include <algorithm>

#include "electionlab/core/quorum.h"
#include "electionlab/core/random.h"

#include "catch_shim.h"

namespace leader_crash {

using namespace story;

NodeId highest_live(const Story& s) {
    NodeId highest = s->members();
    while (s.role(highest) == Role::down) {
        --highest;
    }
    return highest;
}

NodeId count_down(const Story& s) {
    NodeId down = 0;
    for (NodeId node = 1; node <= s->members(); ++node) {
        down += s.role(node) == Role::down ? 1 : 0;
    }
    return down;
}

namespace {

NodeId most_dead(const Promise& promise, const Story& s) {
    const NodeId nodes = s->members();
    if (promise.most_dead) {
        return promise.most_dead(nodes);
    }
    const bool majority = s->description().about.majority;
    return majority ? nodes - static_cast<NodeId>(quorum_size(nodes)) : nodes - 1;
}

void kill_leaders(Story& s, const Promise& promise, Moment moment, NodeId may_die,
                  std::uint64_t seed) {
    std::uint64_t draw = 0;
    const RandomStream stream{mix64(seed + 77)};
    const auto random_ms = [&](double low, double high) {
        return low + (high - low) * open_unit(stream.word(draw++));
    };
    const Dict leader{{"action", "crash"}, {"node", "leader"}};
    const auto leader_or_random = [&] {
        const bool led = s.leader() != no_node;
        s.act(Dict{{"action", "crash"}, {"node", led ? "leader" : "random"}});
    };
    switch (moment) {
        case Moment::any:
            s.until_agreement(promise.patience_ms);
            s.for_ms(random_ms(0, promise.heartbeat_ms));
            s.act(leader);
            break;
        case Moment::during_elections:
            s.until(random_ms(0.001, promise.first_elections_ms));
            leader_or_random();
            break;
        case Moment::after_first_heartbeat:
            s.until_leader(promise.patience_ms);
            s.act(leader);
            break;
        case Moment::twice:
            for (NodeId killed = 0; killed < std::min<NodeId>(may_die, 3); ++killed) {
                s.until_leader(promise.patience_ms);
                s.for_ms(random_ms(-30, 60) > 0 ? random_ms(0, 60) : 0);
                leader_or_random();
            }
            break;
        case Moment::heir:
            s.until_agreement(promise.patience_ms);
            s.for_ms(random_ms(0, promise.heartbeat_ms));
            s.act(leader);
            s.for_ms(random_ms(100, 450));
            if (open_unit(stream.word(draw++)) < 0.7) {
                s.crash(highest_live(s));
            } else {
                s.act(Dict{{"action", "crash"}, {"node", "random"}});
            }
            break;
    }
}

}  // namespace

void survives(const Promise& promise, NodeId nodes) {
    double slowest = 0;
    for (std::int64_t seed = 0; seed < seeds(promise.seeds); ++seed) {
        const auto moment = static_cast<Moment>(seed % moments);
        Story s(promise.protocol, nodes, promise.options,
                merged(promise.config, Dict{{"seed", seed}}), false);
        const NodeId may_die = most_dead(promise, s);
        if (moment >= Moment::twice && may_die < 2) {
            continue;
        }
        CAPTURE(promise.protocol, nodes, seed);
        kill_leaders(s, promise, moment, may_die, static_cast<std::uint64_t>(seed));
        const Crash crash{s, nodes, count_down(s), moment};
        REQUIRE(crash.dead >= 1);
        const double limit = promise.bound_ms(crash), killed = s.now_ms();
        CAPTURE(crash.dead, killed, limit);
        const bool agreed = s.until_agreement(limit);
        const double took = s.now_ms() - killed;
        slowest = std::max(slowest, took / limit);
        REQUIRE(agreed);
        if (promise.seen) {
            promise.seen(crash, took);
        }
        s.until(killed + limit);
        if (promise.stays) {
            const NodeId leader = s.leader();
            REQUIRE(s.all_follow(leader));
            const auto changes = s.measures().leaderships;
            s.for_ms(promise.stays_ms);
            REQUIRE(s.all_follow(leader));
            REQUIRE(s.measures().leaderships == changes);
            if (promise.heir) {
                REQUIRE(leader == promise.heir(s));
            }
        }
        REQUIRE(s.violations() == 0);
    }
    INFO(promise.protocol << " of " << nodes << ": the slowest took " << slowest
                          << " of its bound");
    if (seeds(promise.seeds) == promise.seeds) {
        CHECK(slowest > promise.alive);
    }
}

}  // namespace leader_crash

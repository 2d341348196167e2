// Raft, Bully and Ring keep the first promise of the project (leader_crash.h). The bounds are
// derived in docs/protocols/*.md, "How long after a crash".
#include <algorithm>
#include <array>
#include <cmath>

#include "catch_shim.h"
#include "leader_crash.h"
#include "story.h"

using namespace story;
using leader_crash::Crash, leader_crash::Moment, leader_crash::survives;

namespace {

constexpr double delay = 10;  // the default link's largest one-way delay [ms]

// Raft: no time is certain, as a term may be split again and again. Later than k b + 4 delays come
// at most p^k of all crashes of a leader that all follow; one term more where the crash hits an
// election, whose timers were not set together.
constexpr double raft_min = 150, raft_max = 300;
double raft_lost_term(NodeId live) {
    return 1 - std::pow(1 - 3 * delay / (raft_max - raft_min), static_cast<double>(live));
}
double raft_terms(double terms) { return terms * raft_max + 4 * delay; }

// What less than one crash in 10^9 may pass.
double raft_bound(const Crash& crash) {
    const double terms = std::log(1e-9) / std::log(raft_lost_term(crash.nodes - crash.dead));
    return raft_terms(std::ceil(terms) + 1);
}

// Bully: max(L, C) + A + 2 delays, with L = leader_timeout, C = coordinator_timeout and
// A = answer_timeout.
double bully_bound(const Crash&) { return std::max(200, 150) + 50 + 2 * delay; }

// Ring: one round takes T. A leader that all follow, with no election under way: L + delay + 2 T.
// In the middle of elections: delay + max(2 T + L, R) + 2 T, with R = max(round_timeout, 2 n ack_timeout).
double ring_bound(const Crash& crash) {
    const double live = crash.nodes - crash.dead, dead = crash.dead;
    const bool quiet = crash.moment == Moment::any && crash.story.in_flight("Election").empty() &&
                       crash.story.in_flight("Coordinator").empty();
    const double round = live * delay + dead * 40.0;
    const double restart = std::max(600.0, 2 * 40.0 * (live + dead));
    return quiet ? 200 + delay + 2 * round
                 : delay + std::max(2 * round + 200, restart) + 2 * round;
}

// Raft's other side: how many crashes of each kind took longer than k terms.
struct LateTerms {
    static constexpr int most_terms = 5;
    void add(const Crash& crash, double took_ms) {
        const double p = raft_lost_term(crash.nodes - crash.dead);
        for (int k = 1; k <= most_terms; ++k) {
            late[k - 1] += took_ms > raft_terms(k + (crash.moment != Moment::any ? 1 : 0)) ? 1 : 0;
            allowed[k - 1] += std::pow(p, k);
        }
        ++count;
    }
    void check() const {
        for (int k = 1; k <= most_terms; ++k) {
            CAPTURE(k, count);
            CHECK(late[k - 1] <= allowed[k - 1]);
        }
        // The bounds are generous; in truth two terms do nearly always.
        CHECK(late[1] <= 0.02 * count + 3);
    }
    std::array<double, most_terms> late{}, allowed{};
    double count = 0;
};

}  // namespace

TEST_CASE("leader crash: Raft of 3 to 9 finds a new leader whenever the old one dies",
          "[raft][liveness][safety][acceptance]") {
    LateTerms late;
    survives({.protocol = "raft",
              .bound_ms = raft_bound,
              .stays = false,  // a Raft node may still time out by bad luck
              .seen = [&](const Crash& crash, double took) { late.add(crash, took); }},
             GENERATE(3u, 4u, 5u, 6u, 7u, 8u, 9u));
    late.check();
}

TEST_CASE("leader crash: Bully of 2 to 9 finds a new leader whenever the old one dies",
          "[bully][liveness][acceptance]") {
    survives({.protocol = "bully",
              .bound_ms = bully_bound,
              .heir = leader_crash::highest_live,
              .alive = 0.95},
             GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("leader crash: Ring of 2 to 9 finds a new leader whenever the old one dies",
          "[ring][liveness][acceptance]") {
    survives({.protocol = "ring",
              .bound_ms = ring_bound,
              .heir = leader_crash::highest_live,
              .alive = 0.8},
             GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u));
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

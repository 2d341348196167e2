#include "electionlab/protocols/paxos.h"

#include <cmath>
#include <string>
#include <vector>

#include "catch_shim.h"
#include "golden.h"
#include "machine.h"
#include "story.h"

using namespace story;
using PaxosNode = Machine<Paxos>;
using Proposal = Paxos::Proposal;
using Phase = Paxos::Phase;

namespace {

PaxosNode member(NodeId self, NodeId count = 3, PaxosOptions options = {}) {
    PaxosNode node(self, count, std::move(options));
    node.start();
    return node;
}

/// The only message of the last input, and of this kind.
template <class Kind>
bool only(PaxosNode& node, NodeId to, const Kind& message) {
    const auto sent = node.sent<Kind>();
    return node.effects.sends().size() == 1 && sent.size() == 1 && sent[0].first == to &&
           sent[0].second == message;
}

bool is_told(const Story& s, const std::string& text) {
    return s.told().find(text) != std::string::npos;
}

std::vector<std::string> broken(const Story& s) {
    std::vector<std::string> names;
    for (const Violation& violation : s->monitor().violations()) {
        names.emplace_back(violation.invariant);
    }
    return names;
}

const Dict alone{{"proposers", nodes({1})}, {"propose_after_ms", 0}};

}  // namespace

// --- the acceptor (2.2) --------------------------------------------------------------------------

TEST_CASE("paxos: an acceptor promises the highest ballot and refuses those below",
          "[paxos][safety][2.2]") {
    PaxosNode node = member(1);
    node.receive(2, Paxos::Prepare{{2, 2}});
    CHECK(only(node, 2, Paxos::Promise{{2, 2}, {}}));
    node.receive(3, Paxos::Prepare{{1, 3}});
    CHECK(only(node, 3, Paxos::Nack{{1, 3}, {2, 2}}));
    node.receive(3, Paxos::Prepare{{2, 3}});  // the same round: the node's number decides
    CHECK(only(node, 3, Paxos::Promise{{2, 3}, {}}));
    node.receive(2, Paxos::Prepare{{2, 2}});
    CHECK(only(node, 2, Paxos::Nack{{2, 2}, {2, 3}}));
    CHECK(node.state.disk.promised == Ballot{2, 3});
}

TEST_CASE("paxos: an acceptor accepts what it has not promised to refuse, and reports the highest",
          "[paxos][safety][2.2]") {
    PaxosNode node = member(1);
    node.receive(2, Paxos::Accept{{{1, 2}, 20}});  // without any promise
    CHECK(only(node, 2, Paxos::Accepted{{{1, 2}, 20}}));
    node.receive(3, Paxos::Prepare{{5, 3}});
    CHECK(only(node, 3, Paxos::Promise{{5, 3}, {{1, 2}, 20}}));
    node.receive(2, Paxos::Accept{{{4, 2}, 40}});
    CHECK(only(node, 2, Paxos::Nack{{4, 2}, {5, 3}}));
    CHECK(node.state.disk.accepted == Proposal{{1, 2}, 20});
    node.receive(3, Paxos::Accept{{{5, 3}, 50}});
    CHECK(only(node, 3, Paxos::Accepted{{{5, 3}, 50}}));
    node.receive(2, Paxos::Accept{{{6, 2}, 60}});  // higher than promised: also a promise
    CHECK(node.state.disk.promised == Ballot{6, 2});
    node.receive(3, Paxos::Prepare{{7, 3}});
    CHECK(only(node, 3, Paxos::Promise{{7, 3}, {{6, 2}, 60}}));
    CHECK(node.state.disk.history.size() == 3);
}

TEST_CASE("paxos: promises and acceptances are durable before they are answered",
          "[paxos][safety][2.5]") {
    PaxosNode node = member(1);
    node.receive(2, Paxos::Prepare{{1, 2}});
    CHECK(node.effects.persists());
    node.receive(2, Paxos::Prepare{{1, 2}});
    CHECK(only(node, 2, Paxos::Promise{{1, 2}, {}}));  // its answer was lost
    CHECK_FALSE(node.effects.persists());              // it is durable already
    node.receive(2, Paxos::Accept{{{1, 2}, 9}});
    CHECK(node.effects.persists());
    node.receive(2, Paxos::Accept{{{1, 2}, 9}});
    CHECK(only(node, 2, Paxos::Accepted{{{1, 2}, 9}}));
    CHECK_FALSE(node.effects.persists());
    CHECK(node.state.disk.history.size() == 1);
    node.restart();
    node.receive(3, Paxos::Prepare{{1, 1}});
    CHECK(only(node, 3, Paxos::Nack{{1, 1}, {1, 2}}));
    node.receive(3, Paxos::Prepare{{2, 3}});
    CHECK(only(node, 3, Paxos::Promise{{2, 3}, {{1, 2}, 9}}));
    node.expire(Paxos::Timer::propose);
    CHECK(node.effects.persists());  // its own promise to itself
}

// --- the proposer (2.2) --------------------------------------------------------------------------

TEST_CASE("paxos: a proposer needs a quorum of promises in its ballot, a duplicate counts once",
          "[paxos][safety][2.2]") {
    PaxosNode node = member(1, 5);
    node.expire(Paxos::Timer::propose);
    CHECK(only(node, no_node, Paxos::Prepare{{1, 1}}));
    CHECK(node.view() == View{Role::candidate, no_node, 1001});
    node.receive(2, Paxos::Promise{{1, 1}, {}});
    node.receive(2, Paxos::Promise{{1, 1}, {}});
    node.receive(2, Paxos::Promise{{1, 1}, {}});
    CHECK(node.state.memory.phase == Phase::preparing);
    node.expire(Paxos::Timer::round);
    CHECK(only(node, no_node, Paxos::Prepare{{2, 1}}));
    node.receive(2, Paxos::Promise{{2, 1}, {}});
    node.receive(3, Paxos::Promise{{1, 1}, {}});  // of the old ballot
    CHECK(node.state.memory.phase == Phase::preparing);
    node.receive(4, Paxos::Promise{{2, 1}, {}});
    CHECK(only(node, no_node, Paxos::Accept{{{2, 1}, 1}}));  // its own number is its value
    CHECK(node.state.disk.accepted == Proposal{{2, 1}, 1});
    CHECK(node.effects.persists());
    node.receive(5, Paxos::Promise{{2, 1}, {}});
    CHECK(node.effects.sends().empty());
}

TEST_CASE(
    "paxos: a proposer is bound by the highest proposal accepted, its own acceptor's included",
    "[paxos][safety][2.2]") {
    const bool own_is_highest = GENERATE(true, false);
    PaxosNode node = member(1, 5);
    node.receive(5, Paxos::Accept{{{own_is_highest ? 7 : 2, 5}, 50}});
    node.expire(Paxos::Timer::propose);
    const Ballot ballot{own_is_highest ? 8 : 3, 1};
    node.receive(2, Paxos::Promise{ballot, {{6, 2}, 20}});
    node.receive(3, Paxos::Promise{ballot, {{4, 3}, 30}});  // came later, and is lower
    CHECK(only(node, no_node, Paxos::Accept{{ballot, own_is_highest ? 50 : 20}}));
}

TEST_CASE("paxos: a proposer gives way to a higher ballot, and the next is higher still",
          "[paxos][liveness][2.4]") {
    PaxosNode node = member(1);
    node.expire(Paxos::Timer::propose);
    node.receive(2, Paxos::Nack{{1, 1}, {6, 3}});
    CHECK(node.state.memory.phase == Phase::backing_off);
    CHECK(node.view() == View{Role::follower, no_node, 1001});
    CHECK(node.sets(Paxos::Timer::backoff));
    CHECK(node.cancels(Paxos::Timer::round));
    CHECK(node.effects.sends().empty());
    node.receive(2, Paxos::Promise{{1, 1}, {}});  // too late
    CHECK(node.effects.sends().empty());
    node.expire(Paxos::Timer::backoff);
    CHECK(only(node, no_node, Paxos::Prepare{{7, 1}}));
    node.receive(2, Paxos::Nack{{1, 1}, {6, 3}});  // about the ballot that it gave up
    CHECK(node.state.memory.phase == Phase::preparing);
    node.receive(3, Paxos::Prepare{{8, 3}});  // heard as an acceptor
    CHECK(only(node, 3, Paxos::Promise{{8, 3}, {}}));
    CHECK(node.state.memory.phase == Phase::backing_off);
    node.expire(Paxos::Timer::backoff);
    node.receive(2, Paxos::Promise{{9, 1}, {}});
    CHECK(node.state.memory.phase == Phase::accepting);
    node.receive(3, Paxos::Accept{{{10, 3}, 3}});  // in its second phase as well
    CHECK(node.state.memory.phase == Phase::backing_off);
}

TEST_CASE("paxos: without back-off a proposer tries again in the same step", "[paxos][2.4]") {
    PaxosOptions options;
    options.backoff = {ms(0), ms(0)};
    PaxosNode node = member(1, 3, options);
    node.expire(Paxos::Timer::propose);
    node.receive(3, Paxos::Prepare{{1, 3}});
    CHECK(node.sent<Paxos::Promise>().size() == 1);
    REQUIRE(node.sent<Paxos::Prepare>().size() == 1);
    CHECK(node.sent<Paxos::Prepare>()[0].second.ballot == Ballot{2, 1});
    CHECK(node.state.disk.promised == Ballot{2, 1});
}

TEST_CASE("paxos: no ballot is used twice, also after a crash", "[paxos][safety][2.5]") {
    PaxosNode node = member(2);
    Ballot last;
    for (int attempt = 0; attempt < 5; ++attempt) {
        node.expire(Paxos::Timer::propose);
        REQUIRE(node.sent<Paxos::Prepare>().size() == 1);
        const Ballot ballot = node.sent<Paxos::Prepare>()[0].second.ballot;
        CHECK(ballot > last);
        CHECK(ballot.node == 2);
        last = ballot;
        node.restart();
        CHECK(node.sets(Paxos::Timer::propose));
    }
}

TEST_CASE("paxos: ballots are ordered by round and then by node, and so are their epochs",
          "[paxos][2.5]") {
    const std::vector<Ballot> ascending{{}, {1, 1}, {1, 2}, {1, 999}, {2, 1}, {10, 3}};
    for (std::size_t a = 0; a < ascending.size(); ++a) {
        for (std::size_t b = 0; b < ascending.size(); ++b) {
            CHECK((ascending[a] < ascending[b]) == (a < b));
            CHECK((ascending[a] <= ascending[b]) == (a <= b));
            CHECK((ascending[a].epoch() < ascending[b].epoch()) == (a < b));
            CHECK((ascending[a] == ascending[b]) == (a == b));
        }
    }
    CHECK(Ballot{3, 2}.epoch() == 3002);
}

// --- the learner (2.3) ---------------------------------------------------------------------------

TEST_CASE("paxos: a value is learned from a quorum that accepted it under one ballot",
          "[paxos][safety][2.3]") {
    PaxosOptions options;
    options.learning = Learning::broadcast;
    PaxosNode node = member(5, 5, options);
    node.receive(1, Paxos::Accepted{{{1, 1}, 7}});
    node.receive(1, Paxos::Accepted{{{1, 1}, 7}});
    node.receive(2, Paxos::Accepted{{{1, 1}, 7}});
    node.receive(3, Paxos::Accepted{{{2, 1}, 7}});  // the same value, another ballot
    node.receive(3, Paxos::Accepted{{{2, 1}, 7}});
    node.receive(5, Paxos::Accepted{{{2, 1}, 7}});
    node.receive(4, Paxos::Accepted{{{1, 1}, 7}});  // of the lower ballot: no longer counted
    CHECK_FALSE(node.state.disk.chosen.made());
    node.receive(4, Paxos::Accepted{{{2, 1}, 7}});
    CHECK(node.state.disk.chosen == Proposal{{2, 1}, 7});
    CHECK(node.effects.persists());
    CHECK(node.cancels(Paxos::Timer::propose));
}

TEST_CASE("paxos: who has learned answers with what was chosen, and proposes no more",
          "[paxos][2.3]") {
    PaxosNode node = member(3);
    node.receive(1, Paxos::Chosen{{{4, 1}, 3}});
    CHECK(node.view() == View{Role::leader, 3, 4001});
    CHECK(node.effects.persists());
    node.receive(2, Paxos::Prepare{{9, 2}});
    CHECK(only(node, 2, Paxos::Chosen{{{4, 1}, 3}}));
    node.receive(2, Paxos::Accept{{{9, 2}, 2}});
    CHECK(only(node, 2, Paxos::Chosen{{{4, 1}, 3}}));
    CHECK(node.view() == View{Role::leader, 3, 4001});
    node.expire(Paxos::Timer::propose);
    CHECK(node.effects.sends().empty());
    node.restart();
    CHECK(node.effects.timers().empty());
    CHECK(node.view() == View{Role::leader, 3, 4001});
}

// --- what it costs -------------------------------------------------------------------------------

TEST_CASE("paxos: one proposer and n acceptors: exactly 4(n-1) messages, and what telling costs",
          "[paxos][cost]") {
    const NodeId n = GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u);
    for (NodeId proposer = 1; proposer <= n; ++proposer) {
        for (const char* learning : {"proposer", "told", "broadcast"}) {
            CAPTURE(n, proposer, learning);
            Story s("paxos", n,
                    Dict{{"proposers", List{proposer}},
                         {"propose_after_ms", 0},
                         {"learning", learning}},
                    Dict{{"network", network(10)}}, false);
            s.until(1000);
            REQUIRE(s.in_flight().empty());
            CHECK(s.leader() == proposer);
            const std::int64_t others = n - 1, all = n;
            CHECK(s.delivered("Prepare") == others);
            CHECK(s.delivered("Promise") == others);
            CHECK(s.delivered("Accept") == others);
            CHECK(s.sent("Nack") == 0);
            std::int64_t total = 0;
            for (const char* kind :
                 {"Prepare", "Promise", "Accept", "Accepted", "Nack", "Chosen"}) {
                total += s.sent(kind);
            }
            const std::string how(learning);
            CHECK(total == (how == "proposer" ? 4 : how == "told" ? 5 : all + 3) * others);
            CHECK(s.all_follow(proposer) == (how != "proposer"));
            CHECK(s.violations() == 0);
        }
    }
}

TEST_CASE("paxos: a lone proposer knows after four delays, the others after five, or four if all "
          "acceptances go to all", "[paxos][cost]") {
    for (const bool broadcast : {false, true}) {
        Story s("paxos", 5, merged(alone, Dict{{"learning", broadcast ? "broadcast" : "told"}}),
                Dict{{"network", network(10)}});
        const auto knows = [&](NodeId node) { return s.believes(node) == 1; };
        s.until(39.999);
        CHECK_FALSE(knows(1));
        CHECK(knows(2) == false);
        s.until(40);
        CHECK(knows(1));
        CHECK(knows(2) == broadcast);
        s.until(50);
        CHECK(s.all_follow(1));
    }
}

TEST_CASE("paxos: a cluster of one chooses by itself", "[paxos]") {
    Story s("paxos", 1, alone);
    s.until(1);
    CHECK(s.all_follow(1));
    CHECK(s.in_flight().empty());
}

// --- duels (2.4) ---------------------------------------------------------------------------------

namespace {

/// Two proposers of three nodes, the second 5 ms behind, all delays 10 ms.
Story duel(const Value& backoff_ms, std::int64_t seed = 1, NodeId n = 3) {
    return Story("paxos", n,
                 Dict{{"proposers", nodes({1, 2})},
                      {"propose_after_ms", 0},
                      {"stagger_ms", 5},
                      {"round_timeout_ms", 1000},
                      {"backoff_ms", backoff_ms}},
                 Dict{{"seed", seed}, {"network", network(10)}}, false);
}

}  // namespace

TEST_CASE("paxos: with equal delays and no back-off, duelling proposers never finish",
          "[paxos][liveness][2.4]") {
    // Each hears of the other's ballot one delay later, and overtakes it before its second phase.
    const double backoff = GENERATE(0.0, 5.0, 9.999);  // also with one that is always the same
    const NodeId n = GENERATE(2u, 3u, 5u, 9u);
    CAPTURE(backoff, n);
    Story s = duel(backoff, 1, n);
    s.until(100'000);
    CHECK(s->monitor().acting_leaders() == 0);
    CHECK(s.measures().epochs_stood > 5000);
    CHECK(s.measures().epochs_won == 0);
    CHECK(s.measures().split_votes == s.measures().epochs_stood - 1);
    CHECK(s.delivered("Accepted") == 0);
    const Value kept = s.field(1, "disk.history");
    CHECK(kept.get_if<List>()->size() <= Paxos::most_remembered);
    CHECK(s.violations() == 0);
}

TEST_CASE("paxos: a back-off longer than one delay ends the duel, the same or random",
          "[paxos][liveness][2.4]") {
    Story fixed = duel(10.001);
    CHECK(fixed.until_agreement(100));
    CHECK(fixed.leader() == 2);
    CHECK(fixed.measures().epochs_stood <= 3);
}

TEST_CASE("paxos: with random back-off each round ends the duel with the chance 1 - d/B",
          "[paxos][liveness][2.4]") {
    // Overtaken, a proposer waits U(0, B). If it waits more than a delay d, the other's Accept is
    // at node 3 before its Prepare. So round r is passed with probability (d/B)^r: here (1/4)^r.
    const std::int64_t count = seeds(4000);
    std::vector<std::int64_t> passed(4);
    for (std::int64_t seed = 0; seed < count; ++seed) {
        Story s = duel(List{0, 40}, seed);
        CAPTURE(seed);
        REQUIRE(s.until_agreement(2000));
        REQUIRE(s.violations() == 0);
        const Value first = (*s.field(3, "disk.history").get_if<List>())[0];
        const std::int64_t round = whole_at(first, "ballot.round");
        for (std::int64_t r = 1; r < 4; ++r) {
            passed[static_cast<std::size_t>(r)] += round > r ? 1 : 0;
        }
    }
    for (std::size_t r = 1; r < 4; ++r) {
        const double p = std::pow(0.25, static_cast<double>(r)), all = static_cast<double>(count);
        CAPTURE(r, passed[r], p * all);
        CHECK(std::abs(static_cast<double>(passed[r]) - p * all) <=
              4 * std::sqrt(all * p * (1 - p)) + 1);
    }
}

TEST_CASE("paxos: all propose, with random times and back-off: all agree, whatever is lost",
          "[paxos][liveness][fault]") {
    const auto plan = [](const char* kind, int every_ms) {
        return Dict{{"action", "plan"},
                    {"plan", Dict{{"do", Dict{{"action", kind}, {"node", "random"}}},
                                  {"interval_ms", every_ms},
                                  {"repair_after_ms", 100}}}};
    };
    for (std::int64_t seed = 0; seed < seeds(400); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 6);
        const char* learning = seed % 3 == 0 ? "broadcast" : "told";
        Story s("paxos", n, Dict{{"learning", learning}},
                Dict{{"seed", seed},
                     {"network", Dict{{"one_way_delay_ms", List{1, 20}},
                                      {"loss_probability", 0.2},
                                      {"duplicate_probability", 0.1}}},
                     {"every_node", Dict{{"write_delay_ms", List{0, 5}}}},
                     {"actions", List{plan("crash", 300), plan("pause", 200)}}},
                false);
        CAPTURE(seed, n);
        REQUIRE(s.until_agreement(60'000));
        REQUIRE(s.violations() == 0);
        const NodeId leader = s.leader();
        s.for_ms(500);
        REQUIRE(s.violations() == 0);
        for (NodeId node = 1; node <= n; ++node) {
            // A crash may have undone what a disk was still writing: that node learns it again.
            REQUIRE((s.believes(node) == leader || s.believes(node) == no_node));
        }
    }
}

// --- one value -----------------------------------------------------------------------------------

TEST_CASE("paxos: a later proposer finds the chosen value although nobody learned it",
          "[paxos][safety][2.2]") {
    Story s("paxos", 3, merged(alone, Dict{{"proposers", nodes({1, 3})}, {"stagger_ms", 1000}}),
            Dict{{"network", network(10)}});
    s.until(35);  // all have accepted node 1
    s.crash(1);
    CHECK(s.in_flight("Accepted").size() == 2);
    s.until(2000);
    CHECK(s.believes(3) == 1);
    CHECK(s.believes(2) == 1);
    CHECK(is_told(s, "must propose 1, which was accepted before"));
    s.restart(1);
    s.until(3000);
    CHECK(s.all_follow(1));
    CHECK(s.violations() == 0);
}

TEST_CASE("paxos: a minority chooses nothing", "[paxos][safety][partition]") {
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        Story s("paxos", 5, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        s.partition(groups({{1, 2}, {3, 4, 5}}));
        s.until(3000);
        REQUIRE(s.leader() >= 3);
        REQUIRE(s.believes(1) == no_node);
        REQUIRE(s.believes(2) == no_node);
        s.act("heal");
        REQUIRE(s.until_agreement(3000));
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("paxos: an acceptor that loses its disk lets two values be chosen",
          "[paxos][safety][fault]") {
    Story s("paxos", 3, merged(alone, Dict{{"proposers", nodes({1, 3})}, {"stagger_ms", 1000}}),
            Dict{{"network", network(10)}});
    s.partition(groups({{1, 2}, {3}}));
    s.until(45);  // nodes 1 and 2 have chosen 1, and node 2 has not been told
    REQUIRE(s.believes(1) == 1);
    REQUIRE(s.believes(2) == no_node);
    const bool loses_disk = GENERATE(true, false);
    s.crash(2);
    s.act(Dict{{"action", "restart"}, {"node", 2}, {"lose_disk", loses_disk}});
    s.act("heal");
    s.partition(groups({{1}, {2, 3}}));  // what was on its way to node 2 is lost
    s.until(2000);
    if (!loses_disk) {
        CHECK(s.believes(3) == 1);
        CHECK(s.violations() == 0);
        return;
    }
    CHECK(s.believes(3) == 3);
    CHECK(s->monitor().acting_leaders() == 2);
    CHECK(broken(s) == std::vector<std::string>{"promise_never_decreases",
                                                "acceptance_never_decreases", "learned_was_chosen",
                                                "one_value_chosen"});
}

// --- quorums -------------------------------------------------------------------------------------

TEST_CASE("paxos: only the quorums of different phases need to meet", "[paxos][safety][quorum]") {
    const Dict flexible{{"prepare_quorum", Dict{{"at_least", 4}}},
                        {"accept_quorum", Dict{{"at_least", 2}}}};
    Story s("paxos", 5, merged(alone, flexible), Dict{{"network", network(10)}});
    s.until(25);  // all have promised; then three fail
    s.crash(3);
    s.crash(4);
    s.crash(5);
    s.until(100);
    CHECK(s.all_follow(1));
    CHECK(s.violations() == 0);

    Story none("paxos", 5, merged(alone, flexible), Dict{{"network", network(10)}});
    none.crash(4);
    none.crash(5);
    none.until(5000);
    CHECK(none.leader() == no_node);  // three promises are no quorum of four

    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        Story many("paxos", 5, flexible,
                   Dict{{"seed", seed}, {"network", Dict{{"loss_probability", 0.2}}}}, false);
        CAPTURE(seed);
        REQUIRE(many.until_agreement(60'000));
        REQUIRE(many.violations() == 0);
    }
}

TEST_CASE("paxos: quorums that do not meet let two values be chosen, if they say unsafe",
          "[paxos][safety][quorum]") {
    const auto options = [](bool unsafe) {
        return Dict{{"propose_after_ms", 0},
                    {"prepare_quorum", Dict{{"at_least", 2}}},
                    {"accept_quorum", Dict{{"at_least", 2}, {"unsafe", unsafe}}}};
    };
    CHECK_THROWS_WITH(find_protocol("paxos").check_options(options(false), 4),
                      contains("accept_quorum") && contains("must share a node") &&
                          contains(R"({"at_least": 2})") && contains("unsafe"));
    find_protocol("paxos").check_options(options(false), 3);
    Story s("paxos", 4, options(true), Dict{{"network", network(10)}});
    s.partition(groups({{1, 2}, {3, 4}}));
    s.until(1000);
    CHECK(s.believes(1) <= 2);
    CHECK(s.believes(3) >= 3);
    CHECK(s->monitor().acting_leaders() == 2);
    CHECK(broken(s) == std::vector<std::string>{"one_value_chosen"});
}

// --- what is watched -----------------------------------------------------------------------------

namespace {

/// Whether a property of Paxos holds in this state of three nodes.
bool holds(const std::string& name, const std::vector<State<Paxos>>& states,
           const PaxosOptions& options = {}) {
    const std::vector<View> views(states.size());
    const AllNodes<Paxos> all(options, states.data(), sizeof(State<Paxos>), views,
                              static_cast<NodeId>(states.size()));
    for (const Property<Paxos>& property : Paxos::properties()) {
        if (property.name == name) {
            return property.holds(all);
        }
    }
    throw std::out_of_range(name);
}

State<Paxos> acceptor_of(std::vector<Proposal> history) {
    State<Paxos> state;
    state.disk.accepted = history.empty() ? Proposal{} : history.back();
    state.disk.promised = state.disk.accepted.ballot;
    state.disk.history = std::move(history);
    return state;
}

}  // namespace

TEST_CASE("paxos: 'only one value is ever chosen' reads what acceptors ever accepted",
          "[paxos][safety][properties]") {
    const Proposal one{{1, 1}, 1}, two{{2, 2}, 2}, again{{2, 2}, 1};
    const auto states = [](std::vector<Proposal> a, std::vector<Proposal> b,
                           std::vector<Proposal> c) {
        return std::vector<State<Paxos>>{acceptor_of(std::move(a)), acceptor_of(std::move(b)),
                                         acceptor_of(std::move(c))};
    };
    CHECK(holds("one_value_chosen", states({}, {}, {})));
    CHECK(holds("one_value_chosen", states({one}, {two}, {})));
    CHECK(holds("one_value_chosen", states({one}, {two}, {two})));
    CHECK(holds("one_value_chosen", states({one}, {one, again}, {again})));
    // 1 was chosen by nodes 1 and 2; then node 2 accepted what it should not.
    CHECK_FALSE(holds("one_value_chosen", states({one}, {one, two}, {two})));
    auto learned = states({}, {}, {});
    learned[0].disk.chosen = one;
    CHECK(holds("one_value_chosen", learned));
    CHECK_FALSE(holds("learned_was_chosen", learned));
    learned[2].disk.chosen = again;
    CHECK(holds("one_value_chosen", learned));
    learned[2].disk.chosen = two;
    CHECK_FALSE(holds("one_value_chosen", learned));
    CHECK(holds("accepted_was_proposed", states({one}, {two}, {})));
    CHECK_FALSE(holds("accepted_was_proposed", states({{{1, 1}, 4}}, {}, {})));
    PaxosOptions all_of_three;
    all_of_three.accept_quorum = Quorum::at_least(3);
    CHECK(holds("one_value_chosen", states({one}, {one, two}, {two}), all_of_three));
}

TEST_CASE("paxos: a value that is no node is agreed on, and nobody leads", "[paxos]") {
    Story s("paxos", 3, merged(alone, Dict{{"values", List{70, 71, 72}}}),
            Dict{{"network", network(10)}});
    s.until(1000);
    for (NodeId node = 1; node <= 3; ++node) {
        CHECK(s.whole(node, "disk.chosen.value") == 70);
        CHECK(s.believes(node) == no_node);
    }
    CHECK(s.leader() == no_node);
    CHECK(s.violations() == 0);
}

TEST_CASE("paxos: a node that is known to lead from the start was chosen before", "[paxos]") {
    Story s("paxos", 5, Dict{}, Dict{{"initial_leader", 3}});
    s.until(1000);
    CHECK(s.all_follow(3));
    CHECK(s.epoch(1) == 1003);
    CHECK(s.sent("Prepare") == 0);
    CHECK(s.violations() == 0);
    s.crash(3);
    s.for_ms(5000);
    CHECK(s.leader() == no_node);  // it chooses once
    s.restart(3);
    CHECK(s.all_follow(3));
}

TEST_CASE("paxos: options that make no sense are refused by name", "[paxos][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("paxos").check_options(options, 3);
    };
    CHECK_THROWS_WITH(check(Dict{{"proposers", nodes({1, 4})}}),
                      contains("proposers=[1, 4]") && contains("from 1 to 3"));
    CHECK_THROWS_WITH(check(Dict{{"proposers", nodes({2, 2})}}), contains("proposers=[2, 2]"));
    CHECK_THROWS_WITH(check(Dict{{"values", List{1, 2}}}), contains("values=[1, 2]"));
    CHECK_THROWS_WITH(check(Dict{{"round_timeout_ms", 0}}), contains("round_timeout_ms=0"));
    CHECK_THROWS_WITH(check(Dict{{"backoff_ms", List{9, 1}}}), contains("backoff_ms"));
    CHECK_THROWS_WITH(check(Dict{{"learning", "guess"}}),
                      contains("learning='guess'") && contains("'broadcast'"));
    CHECK_THROWS_WITH(check(Dict{{"accept_quorum", Dict{{"at_least", 4}}}}),
                      contains("accept_quorum") && contains("from 1 to 3"));
    CHECK_THROWS_WITH(check(Dict{{"prepare_quorum", Dict{{"weights", List{1, 1}}}}}),
                      contains("prepare_quorum") && contains("3 nodes"));
    CHECK_THROWS_AS(find_protocol("paxos").check_options(Dict{}, 1000), InvalidArgument);
}

TEST_CASE("paxos: golden runs", "[paxos][golden]") {
    using namespace golden;
    check_runs("paxos",
               {{"paxos_storm", "paxos", 5, Dict{{"learning", "broadcast"}},
                 Dict{{"seed", 41},
                      {"network", bad_links()},
                      {"every_node", machines()},
                      {"actions", List{plan(random_node("crash"), 200)}}},
                 3000},
                {"paxos_duel", "paxos", 3,
                 Dict{{"proposers", nodes({1, 2})},
                      {"propose_after_ms", 0},
                      {"stagger_ms", 5},
                      {"backoff_ms", List{0, 11}}},
                 Dict{{"seed", 42}, {"network", network(10)}}, 3000}},
               100);
}

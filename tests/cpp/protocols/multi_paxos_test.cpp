#include "electionlab/protocols/multi_paxos.h"

#include <algorithm>
#include <string>
#include <vector>

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using P = MultiPaxos;
using PaxosNode = Machine<P>;
using Accepted = P::Accepted;

namespace {

PaxosNode member(NodeId self, NodeId count = 3, MultiPaxosOptions options = {}) {
    PaxosNode node(self, count, options);
    node.start();
    return node;
}

/// Node 1 of three leads ballot (1, 1).
PaxosNode leader() {
    PaxosNode node = member(1);
    node.expire(P::Timer::patience);
    node.receive(2, P::Promise{{1, 1}, {}});
    REQUIRE(node.view() == View{Role::leader, 1, 1001});
    return node;
}

template <class Kind>
bool only(PaxosNode& node, NodeId to, const Kind& message) {
    const auto sent = node.sent<Kind>();
    return node.effects.sends().size() == 1 && sent.size() == 1 && sent[0].first == to &&
           sent[0].second == message;
}

Value propose(NodeId node, std::int64_t value) {
    return Dict{{"action", "command"},
                {"node", node},
                {"command", "Propose"},
                {"fields", Dict{{"value", value}}}};
}

/// What a node holds in its slots; none: a no-op.
Value values(const Story& s, NodeId node) {
    List list;
    const Value accepted = s.field(node, "disk.accepted");
    for (const Value& slot : *accepted.get_if<List>()) {
        list.push_back(*slot.find("value"));
    }
    return list;
}

constexpr double delay = 10;  // the default link's largest one-way delay [ms]

/// docs/protocols/multi_paxos.md, "How long after a crash".
double longest_patience(const leader_crash::Crash& crash, bool ranked) {
    return ranked ? 150 + 30.0 * (leader_crash::highest_live(crash.story) - 1) : 300;
}
double bound(const leader_crash::Crash& crash, bool ranked) {
    const bool quiet = crash.moment == leader_crash::Moment::any &&
                       crash.story.in_flight("Prepare").empty() &&
                       crash.story.in_flight("Promise").empty();
    return longest_patience(crash, ranked) + (quiet ? 5 : 6) * delay;
}

}  // namespace

// --- election ------------------------------------------------------------------------------------

TEST_CASE("multi_paxos: a promise is for the highest ballot, durable, and reports every slot",
          "[multi_paxos][safety]") {
    PaxosNode node = member(1);
    node.receive(2, P::Accept{{1, 2}, 2, 22});  // slot 1 is still unknown
    CHECK(only(node, 2, P::AcceptReply{{1, 2}, 2}));
    CHECK(node.effects.persists());
    CHECK(node.view() == View{Role::follower, 2, 1002});
    const std::vector<Accepted> held{{}, {{1, 2}, 22}};
    node.receive(3, P::Prepare{{2, 3}});
    CHECK(only(node, 3, P::Promise{{2, 3}, held}));
    CHECK(node.effects.persists());
    CHECK(node.sets(P::Timer::patience));
    CHECK(node.view() == View{Role::follower, no_node, 2003});  // nobody leads that ballot yet
    node.receive(3, P::Prepare{{2, 3}});                        // its answer was lost
    CHECK(only(node, 3, P::Promise{{2, 3}, held}));
    CHECK_FALSE(node.effects.persists());
    CHECK_FALSE(node.sets(P::Timer::patience));
    node.receive(2, P::Prepare{{2, 2}});
    CHECK(only(node, 2, P::Nack{{2, 2}, {2, 3}}));
    CHECK_FALSE(node.sets(P::Timer::patience));  // a refused candidate keeps nobody quiet
    node.receive(2, P::Accept{{1, 2}, 1, 11});
    CHECK(only(node, 2, P::Nack{{1, 2}, {2, 3}}));
    node.receive(2, P::Heartbeat{{1, 2}, 2, 0});
    CHECK(only(node, 2, P::Nack{{1, 2}, {2, 3}}));
    CHECK(node.view().leader == no_node);
    node.restart();
    node.receive(2, P::Prepare{{2, 2}});
    CHECK(only(node, 2, P::Nack{{2, 2}, {2, 3}}));
}

TEST_CASE(
    "multi_paxos: a majority of promises in its ballot makes a leader, a duplicate counts once",
    "[multi_paxos][safety]") {
    PaxosNode node = member(4, 5);
    node.expire(P::Timer::patience);
    CHECK(only(node, no_node, P::Prepare{{1, 4}}));
    CHECK(node.effects.persists());
    CHECK(node.view() == View{Role::candidate, no_node, 1004});
    node.receive(2, P::Promise{{1, 4}, {}});
    node.receive(2, P::Promise{{1, 4}, {}});
    CHECK(node.view().role == Role::candidate);
    node.expire(P::Timer::patience);
    node.receive(3, P::Promise{{1, 4}, {}});  // of the old ballot
    node.receive(2, P::Promise{{2, 4}, {}});
    CHECK(node.view().role == Role::candidate);
    node.receive(1, P::Promise{{2, 4}, {}});
    CHECK(node.view() == View{Role::leader, 4, 2004});
    CHECK(only(node, no_node, P::Heartbeat{{2, 4}, 0, 0}));  // at once
    CHECK(node.sets(P::Timer::heartbeat));
    CHECK(node.cancels(P::Timer::patience));
}

TEST_CASE("multi_paxos: a new leader proposes again what phase 1 found, and no-ops in the gaps",
          "[multi_paxos][safety]") {
    PaxosNode node = member(3, 5);
    node.receive(1, P::Accept{{2, 1}, 1, 21});
    node.expire(P::Timer::patience);
    const Ballot ballot{3, 3};
    node.receive(1, P::Promise{ballot, {{{1, 5}, 15}, {}, {{2, 2}, 22}}});
    node.receive(2, P::Promise{ballot, {{}, {}, {{1, 5}, 35}, {{1, 5}, 45}}});
    const auto accepts = node.sent<P::Accept>();
    REQUIRE(accepts.size() == 4);
    CHECK(accepts[0].second == P::Accept{ballot, 1, 21});  // its own acceptor's was higher
    CHECK(accepts[1].second == P::Accept{ballot, 2, std::nullopt});
    CHECK(accepts[2].second == P::Accept{ballot, 3, 22});  // the higher ballot of the two
    CHECK(accepts[3].second == P::Accept{ballot, 4, 45});
    CHECK(node.effects.persists());
    CHECK(node.sent<P::Heartbeat>()[0].second == P::Heartbeat{ballot, 4, 0});
}

TEST_CASE("multi_paxos: candidates and leaders give way to a higher ballot, and go above it next",
          "[multi_paxos][safety]") {
    PaxosNode node = leader();
    const int how = GENERATE(0, 1, 2, 3);
    if (how == 0) {
        node.receive(3, P::Prepare{{1, 3}});
        CHECK(node.view() == View{Role::follower, no_node, 1003});
    } else if (how == 1) {
        node.receive(3, P::Heartbeat{{5, 3}, 0, 0});
        CHECK(node.view() == View{Role::follower, 3, 5003});
    } else if (how == 2) {
        node.receive(3, P::Accept{{5, 3}, 1, 7});
        CHECK(node.view() == View{Role::follower, 3, 5003});
    } else {
        node.receive(2, P::Nack{{1, 1}, {5, 3}});
        CHECK(node.view() == View{Role::follower, no_node, 1001});
        node.receive(2, P::Nack{{1, 1}, {5, 3}});
        CHECK_FALSE(node.sets(P::Timer::patience));  // it gave way already
    }
    const Ballot known = how == 0 ? Ballot{1, 3} : Ballot{5, 3};
    node.expire(P::Timer::patience);
    CHECK(only(node, no_node, P::Prepare{{known.round + 1, 1}}));
    node.receive(2, P::Nack{{1, 1}, {1, 2}});  // about an old ballot of its own
    CHECK(node.view().role == Role::candidate);
    node.receive(3, P::Prepare{{9, 3}});
    CHECK(node.view() == View{Role::follower, no_node, 9003});
}

TEST_CASE("multi_paxos: stepping down stops the heartbeats", "[multi_paxos]") {
    PaxosNode node = leader();
    node.receive(3, P::Prepare{{2, 3}});
    CHECK(node.cancels(P::Timer::heartbeat));
    CHECK(node.sets(P::Timer::patience));
    PaxosNode other = leader();
    other.receive(3, P::Heartbeat{{2, 3}, 0, 0});
    CHECK(other.cancels(P::Timer::heartbeat));
    CHECK(other.sets(P::Timer::patience));
}

TEST_CASE("multi_paxos: no ballot is used twice, also after a crash", "[multi_paxos][safety]") {
    PaxosNode node = member(2);
    Ballot last;
    for (int attempt = 0; attempt < 5; ++attempt) {
        node.expire(P::Timer::patience);
        REQUIRE(node.sent<P::Prepare>().size() == 1);
        const Ballot ballot = node.sent<P::Prepare>()[0].second.ballot;
        CHECK(ballot > last);
        last = ballot;
        node.restart();
    }
}

// --- the log -------------------------------------------------------------------------------------

TEST_CASE("multi_paxos: a slot is chosen by a majority under the leader's ballot",
          "[multi_paxos][safety]") {
    PaxosNode node = member(1, 5);
    node.expire(P::Timer::patience);
    node.receive(2, P::Promise{{1, 1}, {}});
    node.receive(3, P::Promise{{1, 1}, {}});
    node.command(P::Propose{7});
    CHECK(only(node, no_node, P::Accept{{1, 1}, 1, 7}));
    CHECK(node.effects.persists());
    node.command(P::Propose{8});
    node.receive(2, P::AcceptReply{{1, 1}, 1});
    node.receive(2, P::AcceptReply{{1, 1}, 1});
    node.receive(4, P::AcceptReply{{1, 1}, 2});
    node.receive(5, P::AcceptReply{{1, 1}, 2});
    CHECK(node.state.memory.chosen == 0);  // slot 2 is chosen, and waits for slot 1
    node.receive(3, P::AcceptReply{{1, 1}, 1});
    CHECK(node.state.memory.chosen == 2);
    node.expire(P::Timer::heartbeat);
    CHECK(only(node, no_node, P::Heartbeat{{1, 1}, 2, 2}));
}

TEST_CASE(
    "multi_paxos: a follower knows as chosen what it holds of the leader's ballot, and asks for "
    "the rest",
    "[multi_paxos][safety]") {
    PaxosNode node = member(2);
    node.receive(1, P::Accept{{1, 1}, 1, 7});
    node.receive(1, P::Accept{{1, 1}, 2, 8});
    node.receive(3, P::Heartbeat{{2, 3}, 3, 2});  // it holds these slots of an older ballot
    CHECK(only(node, 3, P::Missing{{2, 3}, 0}));
    CHECK(node.state.memory.chosen == 0);
    node.receive(3, P::Accept{{2, 3}, 1, 7});
    node.receive(3, P::Accept{{2, 3}, 3, 9});
    node.receive(3, P::Heartbeat{{2, 3}, 3, 2});
    CHECK(only(node, 3, P::Missing{{2, 3}, 1}));
    CHECK(node.state.memory.chosen == 1);
    node.receive(3, P::Accept{{2, 3}, 2, 8});
    node.receive(3, P::Heartbeat{{2, 3}, 3, 2});
    CHECK(node.effects.sends().empty());
    CHECK(node.state.memory.chosen == 2);

    PaxosNode first = leader();
    first.command(P::Propose{5});
    first.command(P::Propose{6});
    first.receive(2, P::Missing{{1, 1}, 1});
    CHECK(only(first, 2, P::Accept{{1, 1}, 2, 6}));
    first.receive(2, P::Missing{{0, 1}, 0});
    CHECK(first.effects.sends().empty());
}

TEST_CASE("multi_paxos: only the leader takes a client's value", "[multi_paxos]") {
    PaxosNode node = member(2);
    node.command(P::Propose{7});
    CHECK(node.effects.sends().empty());
    CHECK(node.state.disk.accepted.empty());
}

TEST_CASE("multi_paxos: a chosen value outlives its leader, and a gap becomes a no-op",
          "[multi_paxos][safety]") {
    Story s("multi_paxos", 3, Dict{{"failure_timeout_ms", List{5000, 9000}}},
            Dict{{"network", network(10)}, {"initial_leader", 1}});
    s.until(1);
    s.act(propose(1, 71));
    s.act(propose(1, 72));
    for (const PendingEvent& accept : s.in_flight("Accept")) {
        if (*accept.fields.find("slot") == Value(1)) {
            s.touch("drop", accept.message);  // nobody else hears of slot 1
        }
    }
    s.until(25);
    s.crash(1);
    s.fire(3, "patience");
    s.until(100);
    CHECK(s.all_follow(3));
    CHECK(values(s, 3) == Value(List{Value(), 72}));
    CHECK(values(s, 2) == Value(List{Value(), 72}));
    CHECK(s.whole(3, "memory.chosen") == 2);
    s.act(propose(3, 73));
    s.restart(1);
    s.for_ms(200);
    CHECK(values(s, 1) == Value(List{Value(), 72, 73}));
    CHECK(s.whole(1, "memory.chosen") == 3);
    CHECK(s.violations() == 0);
}

TEST_CASE("multi_paxos: one value per slot and one order, whatever is lost",
          "[multi_paxos][safety][fault]") {
    std::int64_t most_chosen = 0;
    for (std::int64_t seed = 0; seed < seeds(150); ++seed) {
        const auto n = static_cast<NodeId>(3 + seed % 4);
        Story s("multi_paxos", n, Dict{},
                Dict{{"seed", seed},
                     {"network", Dict{{"one_way_delay_ms", List{1, 20}},
                                      {"loss_probability", 0.1},
                                      {"duplicate_probability", 0.1}}},
                     {"every_node", Dict{{"write_delay_ms", List{0, 5}}}},
                     {"actions", List{golden::plan(golden::random_node("crash"), 500),
                                      golden::plan(Dict{{"action", "partition"}}, 700)}}},
                false);
        CAPTURE(seed, n);
        for (std::int64_t value = 1; value <= 40; ++value) {
            s.for_ms(100);
            for (NodeId node = 1; node <= n; ++node) {
                if (s.role(node) == Role::leader) {
                    s.act(propose(node, value));
                }
            }
        }
        REQUIRE(s.violations() == 0);
        for (NodeId node = 1; node <= n; ++node) {
            most_chosen = std::max(most_chosen, s.whole(node, "memory.chosen"));
        }
    }
    CHECK(most_chosen >= (seeds(150) == 150 ? 30 : 20));
}

TEST_CASE("multi_paxos: an acceptor that loses its disk lets a slot have two values",
          "[multi_paxos][safety][fault]") {
    for (const bool loses_disk : {true, false}) {
        Story s("multi_paxos", 3, Dict{{"failure_timeout_ms", List{5000, 9000}}},
                Dict{{"network", network(10)}, {"initial_leader", 1}});
        s.until(1);
        s.partition(groups({{1, 2}, {3}}));
        s.act(propose(1, 71));
        s.until(25);
        CHECK(s.whole(1, "memory.chosen") == 1);
        s.crash(2);
        s.act(Dict{{"action", "restart"}, {"node", 2}, {"lose_disk", loses_disk}});
        s.act("heal");
        s.partition(groups({{1}, {2, 3}}));
        s.fire(3, "patience");
        s.for_ms(30);
        CHECK(s.leader() == 3);
        s.act(propose(3, 99));
        s.for_ms(30);
        std::vector<std::string> names;
        for (const Violation& violation : s->monitor().violations()) {
            names.emplace_back(violation.invariant);
        }
        CAPTURE(loses_disk, names);
        CHECK((std::count(names.begin(), names.end(), "one_value_per_slot") == 1) == loses_disk);
        CHECK(names.empty() == !loses_disk);
    }
}

TEST_CASE("multi_paxos: 'one value per slot' reads what acceptors ever accepted",
          "[multi_paxos][safety][properties]") {
    const auto holds = [](const std::vector<State<P>>& states) {
        const std::vector<View> views(states.size());
        const MultiPaxosOptions options;
        return P::properties()[0].holds(AllNodes<P>(options, states.data(), sizeof(State<P>), views,
                                                    static_cast<NodeId>(states.size())));
    };
    const P::Vote one{1, {1, 1}, 71}, other{1, {2, 3}, 99}, again{1, {2, 3}, 71};
    const auto node = [](std::vector<P::Vote> history) {
        State<P> state;
        state.disk.history = history;
        for (const P::Vote& vote : history) {
            state.disk.accepted.resize(1);
            state.disk.changed = state.disk.changed || (state.disk.accepted[0].ballot.used() &&
                                                        state.disk.accepted[0].value != vote.value);
            state.disk.accepted[0] = {vote.ballot, vote.value};
        }
        return state;
    };
    CHECK(holds({node({}), node({one}), node({other})}));
    CHECK(holds({node({one}), node({other}), node({other})}));
    CHECK(holds({node({one}), node({one, again}), node({again})}));
    CHECK_FALSE(holds({node({one}), node({one, other}), node({other})}));
    CHECK_FALSE(holds({node({one, other}), node({one, other}), node({})}));  // nobody holds 71 now
    std::vector<State<P>> known{node({one}), node({other}), node({other})};
    known[0].memory.chosen = 1;
    CHECK_FALSE(holds(known));
}

// --- clusters ------------------------------------------------------------------------------------

TEST_CASE("multi_paxos: a clean election costs 2(n-1) messages and n-1 heartbeats, whoever stands",
          "[multi_paxos][cost]") {
    const NodeId n = GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u);
    for (NodeId candidate = 1; candidate <= n; ++candidate) {
        Story s("multi_paxos", n, Dict{{"failure_timeout_ms", 1e6}}, Dict{{"network", network(5)}});
        s.until(1);
        s.fire(candidate, "patience");
        s.until(20);
        CAPTURE(n, candidate);
        REQUIRE(s.all_follow(candidate));
        CHECK(s.delivered("Prepare") == n - 1);
        CHECK(s.delivered("Promise") == n - 1);
        CHECK(s.delivered("Heartbeat") == n - 1);
        s.act(propose(candidate, 5));
        s.until(40);
        CHECK(s.delivered("Accept") == n - 1);
        CHECK(s.delivered("AcceptReply") == n - 1);
        CHECK(s.whole(candidate, "memory.chosen") == 1);
    }
}

TEST_CASE("multi_paxos: of two that stand at once the higher ballot wins, without another round",
          "[multi_paxos][liveness]") {
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        Story s("multi_paxos", 5, Dict{{"failure_timeout_ms", List{5000, 9000}}},
                Dict{{"seed", seed}}, false);
        s.until(1);
        s.fire(2, "patience");
        s.fire(4, "patience");
        s.until(1 + 4 * delay);
        CAPTURE(seed);
        REQUIRE(s.all_follow(4));
        REQUIRE(s.epoch(1) == 1004);
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("multi_paxos: with ranked patience the lowest live node leads, in the time it says",
          "[multi_paxos][liveness]") {
    Story s("multi_paxos", 5, Dict{{"patience", "ranked"}}, Dict{{"network", network(10)}});
    s.until(150 + 2 * 10);
    CHECK(s.leader() == 1);
    s.until(150 + 3 * 10);
    CHECK(s.all_follow(1));
    CHECK(s.measures().candidacies == 1);
    s.until(500);
    s.crash(1);
    s.crash(2);
    s.until_agreement(1000);
    CHECK(s.all_follow(3));
    CHECK(s.measures().candidacies == 2);
}

TEST_CASE("multi_paxos: a minority elects nobody, and the old leader gives way when it hears",
          "[multi_paxos][safety][partition]") {
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        Story s("multi_paxos", 5, Dict{}, Dict{{"seed", seed}, {"initial_leader", 1}}, false);
        CAPTURE(seed);
        s.partition(groups({{1, 2}, {3, 4, 5}}));
        s.until(2000);
        REQUIRE(s.role(1) == Role::leader);  // it hears of nothing
        REQUIRE(s.role(2) == Role::follower);
        REQUIRE(s->monitor().acting_leaders() == 2);
        s.act("heal");
        REQUIRE(s.until_agreement(2000));
        REQUIRE(s.leader() >= 3);
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("multi_paxos: leader crash: 3 to 9 nodes have a new leader within the bound",
          "[multi_paxos][liveness][safety][acceptance]") {
    const NodeId n = GENERATE(3u, 4u, 5u, 6u, 7u, 8u, 9u);
    leader_crash::survives({.protocol = "multi_paxos",
                            .bound_ms = [](const auto& crash) { return bound(crash, false); },
                            .alive = n <= 5 ? 0.85 : 0.7,
                            .seeds = 2000},
                           n);
}

TEST_CASE("multi_paxos: leader crash with ranked patience",
          "[multi_paxos][liveness][safety][acceptance]") {
    leader_crash::survives({.protocol = "multi_paxos",
                            .options = Dict{{"patience", "ranked"}},
                            .bound_ms = [](const auto& crash) { return bound(crash, true); },
                            .seeds = 600},
                           GENERATE(3u, 5u, 9u));
}

TEST_CASE("multi_paxos: two nodes have no leader after a crash, and say why", "[multi_paxos]") {
    Story s("multi_paxos", 2);
    REQUIRE(s.until_agreement(1000));
    s.act(Dict{{"action", "crash"}, {"node", "leader"}});
    CHECK_FALSE(s.until_leader(10'000));
    CHECK(s->why_no_leader() == "no leader is possible: 1 node is up, and a quorum of 2 needs 2");
}

TEST_CASE("multi_paxos: options that make no sense are refused by name", "[multi_paxos][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("multi_paxos").check_options(options, 3);
    };
    CHECK_THROWS_WITH(check(Dict{{"heartbeat_interval_ms", 0}}),
                      contains("heartbeat_interval_ms=0"));
    CHECK_THROWS_WITH(check(Dict{{"failure_timeout_ms", List{0, 200}}}),
                      contains("failure_timeout_ms=[0") && contains("above 0"));
    CHECK_THROWS_WITH(check(Dict{{"failure_timeout_ms", List{300, 200}}}),
                      contains("failure_timeout_ms"));
    CHECK_THROWS_WITH(check(Dict{{"patience", "endless"}}),
                      contains("patience='endless'") && contains("'ranked'"));
    CHECK_THROWS_WITH(check(Dict{{"patience", "ranked"}, {"rank_step_ms", 0}}),
                      contains("rank_step_ms=0"));
    check(Dict{{"rank_step_ms", 0}});
}

TEST_CASE("multi_paxos: golden runs", "[multi_paxos][golden]") {
    using namespace golden;
    const Value ask = Dict{{"action", "command"}, {"node", "leader"}, {"command", "Propose"},
                           {"fields", Dict{{"value", 5}}}};
    check_runs("multi_paxos",
               {{"multi_paxos_crashes", "multi_paxos", 5, Dict{},
                 Dict{{"seed", 31}, {"actions", List{plan(random_node("crash"), 400)}}}, 6000},
                {"multi_paxos_bad", "multi_paxos", 4, Dict{{"patience", "ranked"}},
                 Dict{{"seed", 32},
                      {"network", bad_links()},
                      {"every_node", machines()},
                      {"actions", List{plan(Dict{{"action", "partition"}}, 700)}}},
                 5000}});
}

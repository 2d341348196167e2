#include "electionlab/protocols/viewstamped.h"

#include <algorithm>
#include <string>
#include <vector>

#include "catch_shim.h"
#include "golden.h"
#include "leader_crash.h"
#include "machine.h"
#include "story.h"

using namespace story;
using V = Viewstamped;
using Replica = Machine<V>;
using Log = V::Log;
using Status = V::Status;

namespace {

Replica member(NodeId self, NodeId count = 3, ViewstampedOptions options = {}) {
    Replica node(self, count, options);
    node.start();
    return node;
}

/// A replica that has begun to change to this view.
Replica changing(NodeId self, NodeId count, Epoch view, ViewstampedOptions options = {}) {
    Replica node = member(self, count, options);
    node.receive(self == 1 ? 2 : 1, V::StartViewChange{view});
    return node;
}

template <class Kind>
bool only(Replica& node, NodeId to, const Kind& message) {
    const auto sent = node.sent<Kind>();
    return node.effects.sends().size() == 1 && sent.size() == 1 && sent[0].first == to &&
           sent[0].second == message;
}

Value request(NodeId node, std::int64_t operation) {
    return Dict{{"action", "command"},
                {"node", node},
                {"command", "Request"},
                {"fields", Dict{{"operation", operation}}}};
}

std::vector<std::string> broken(const Story& s) {
    std::vector<std::string> names;
    for (const Violation& violation : s->monitor().violations()) {
        names.emplace_back(violation.invariant);
    }
    return names;
}

const Value patient = Dict{{"primary_timeout_ms", 1e5}, {"view_change_timeout_ms", 1e5}};

constexpr double delay = 10;  // the default link's largest one-way delay [ms]

/// The most live nodes in a row, round the views, of whom none is up.
NodeId longest_gap(const Story& s) {
    NodeId longest = 0, gap = 0;
    for (NodeId i = 0; i < 2 * s->members(); ++i) {
        gap = s.role(i % s->members() + 1) == Role::down ? gap + 1 : 0;
        longest = std::max(longest, gap);
    }
    return longest;
}

/// docs/protocols/viewstamped.md, "How long after a crash": the dead in a row before a live primary
/// cost a time-out each; that of the crashed primary is the silence.
double bound(const leader_crash::Crash& crash) {
    const double silence = 200, view_change = 100;
    const double dead = longest_gap(crash.story);
    const bool quiet = crash.moment == leader_crash::Moment::any;
    return silence + (dead - (quiet ? 1 : 0)) * view_change + 5 * delay;
}

}  // namespace

// --- normal operation (4.1) ----------------------------------------------------------------------

TEST_CASE("viewstamped: all know the first primary; the next one is the next node, round robin",
          "[viewstamped][4.1]") {
    CHECK(member(1).view() == View{Role::leader, 1, 1});
    CHECK(member(3).view() == View{Role::follower, 1, 1});
    CHECK(V::primary_of(1, 5) == 1);
    CHECK(V::primary_of(5, 5) == 5);
    CHECK(V::primary_of(6, 5) == 1);
    CHECK(V::primary_of(13, 5) == 3);
    Story s("viewstamped", 5, Dict{}, Dict{{"initial_leader", 3}});
    s.until(1000);
    CHECK(s.all_follow(3));
    CHECK(s.epoch(1) == 3);
    CHECK(s.sent("StartViewChange") == 0);
}

TEST_CASE("viewstamped: an operation is committed when a majority holds it, in order",
          "[viewstamped][safety][4.1]") {
    Replica primary = member(1, 5);
    primary.command(V::Request{71});
    CHECK(only(primary, no_node, V::Prepare{1, 1, 71, 0}));
    primary.command(V::Request{72});
    primary.receive(2, V::PrepareOk{1, 1});
    primary.receive(2, V::PrepareOk{1, 1});
    CHECK(primary.state.memory.committed == 0);
    primary.receive(3, V::PrepareOk{1, 2});  // and so operation 1
    CHECK(primary.state.memory.committed == 1);
    primary.receive(2, V::PrepareOk{1, 2});
    CHECK(primary.state.memory.committed == 2);
    primary.expire(V::Timer::heartbeat);
    CHECK(only(primary, no_node, V::Commit{1, 2}));
    primary.command(V::Request{73});
    primary.expire(V::Timer::heartbeat);  // not committed: sent again
    CHECK(only(primary, no_node, V::Prepare{1, 3, 73, 2}));
}

TEST_CASE("viewstamped: a backup takes operations in order and asks for what it missed",
          "[viewstamped][safety][4.1]") {
    Replica backup = member(2);
    backup.receive(1, V::Prepare{1, 1, 71, 0});
    CHECK(only(backup, 1, V::PrepareOk{1, 1}));
    CHECK(backup.sets(V::Timer::silence));
    backup.receive(1, V::Prepare{1, 1, 71, 0});
    CHECK(only(backup, 1, V::PrepareOk{1, 1}));
    CHECK(backup.state.memory.log == Log{71});
    backup.receive(1, V::Prepare{1, 3, 73, 1});
    CHECK(only(backup, 1, V::GetState{1}));
    CHECK(backup.state.memory.log == Log{71});
    backup.receive(1, V::Commit{1, 1});
    CHECK(backup.state.memory.committed == 1);
    backup.receive(1, V::Commit{1, 3});
    CHECK(only(backup, 1, V::GetState{1}));
    CHECK(backup.state.memory.committed == 1);
    backup.receive(1, V::NewState{1, {71, 72, 73}, 2});
    CHECK(backup.state.memory.log == Log{71, 72, 73});
    CHECK(backup.state.memory.committed == 2);
    CHECK(only(backup, 1, V::PrepareOk{1, 3}));
    backup.receive(1, V::NewState{1, {71, 72}, 2});  // came late
    CHECK(backup.state.memory.log == Log{71, 72, 73});
    backup.command(V::Request{9});
    CHECK(backup.effects.sends().empty());
}

// --- the view change (4.2) -----------------------------------------------------------------------

TEST_CASE("viewstamped: silence of the primary, or word of a later view, begins a view change",
          "[viewstamped][4.2]") {
    const int how = GENERATE(0, 1, 2);
    Replica node = member(3, 5);
    if (how == 0) {
        node.expire(V::Timer::silence);
    } else if (how == 1) {
        node.receive(4, V::StartViewChange{2});
    } else {
        node.receive(4, V::DoViewChange{2, {}, 1, 0});
    }
    CHECK(only(node, no_node, V::StartViewChange{2}));
    CHECK(node.view() == View{Role::candidate, no_node, 2});
    CHECK(node.cancels(V::Timer::silence));
    CHECK(node.sets(V::Timer::view_change));
    node.expire(V::Timer::view_change);  // its primary does not come: the next
    CHECK(only(node, no_node, V::StartViewChange{3}));
    node.receive(1, V::StartViewChange{2});
    CHECK(node.effects.sends().empty());
    CHECK(node.view().epoch == 3);
}

TEST_CASE("viewstamped: a report goes to the next primary when a majority changes, and once",
          "[viewstamped][safety][4.2]") {
    Replica node = member(3, 5);
    node.receive(1, V::Prepare{1, 1, 71, 0});
    node.receive(1, V::Commit{1, 1});
    node.expire(V::Timer::silence);
    node.receive(4, V::StartViewChange{2});
    node.receive(4, V::StartViewChange{2});
    CHECK(node.effects.sends().empty());  // f = 2 others are needed
    node.receive(5, V::StartViewChange{2});
    CHECK(only(node, 2, V::DoViewChange{2, {71}, 1, 1}));
    node.receive(2, V::StartViewChange{2});
    CHECK(node.effects.sends().empty());
    node.receive(1, V::Prepare{1, 2, 72, 1});  // nobody goes on in the old view
    CHECK(node.effects.sends().empty());
    CHECK(node.state.memory.log == Log{71});
    node.expire(V::Timer::view_change);
    node.receive(4, V::StartViewChange{3});
    node.receive(5, V::StartViewChange{3});
    CHECK(node.view().epoch == 3);
    CHECK(node.state.memory.last_normal == 1);  // view 2 never was normal here
}

TEST_CASE("viewstamped: the new primary takes the log of the latest normal view, the longest of it",
          "[viewstamped][safety][4.2]") {
    Replica node = changing(4, 5, 4);
    node.receive(1, V::DoViewChange{4, {1, 2, 3, 4}, 1, 4});
    node.receive(2, V::DoViewChange{4, {1, 2, 5}, 3, 1});
    node.receive(3, V::DoViewChange{4, {1, 2}, 3, 2});
    CHECK(node.state.memory.status == Status::view_change);  // its own report is missing
    node.receive(2, V::StartViewChange{4});
    const auto started = node.sent<V::StartView>();
    REQUIRE(started.size() == 1);
    CHECK(started[0].first == no_node);
    CHECK(started[0].second == V::StartView{4, {1, 2, 5}, 4});
    CHECK(node.view() == View{Role::leader, 4, 4});
    CHECK(node.sets(V::Timer::heartbeat));
    CHECK(node.cancels(V::Timer::view_change));
    node.receive(5, V::DoViewChange{4, {1, 2, 3, 4, 5, 6}, 3, 6});  // came late
    CHECK(node.effects.sends().empty());
    CHECK(node.state.memory.log == Log{1, 2, 5});
}

TEST_CASE("viewstamped: a view needs reports of a majority, duplicates count once",
          "[viewstamped][safety][4.2]") {
    Replica node = changing(2, 5, 2);
    node.receive(3, V::StartViewChange{2});
    CHECK(node.state.memory.found.senders.size() == 1);  // its own
    node.receive(3, V::DoViewChange{2, {}, 1, 0});
    node.receive(3, V::DoViewChange{2, {}, 1, 0});
    node.receive(4, V::DoViewChange{1, {}, 1, 0});  // of an old view
    CHECK(node.view().role == Role::candidate);
    node.receive(4, V::DoViewChange{2, {}, 1, 0});
    CHECK(node.view().leads());
}

TEST_CASE("viewstamped: a backup takes the log of the new view and answers for what is open",
          "[viewstamped][safety][4.2]") {
    Replica node = member(3);
    node.receive(1, V::Prepare{1, 1, 71, 0});
    node.receive(1, V::Prepare{1, 2, 72, 0});
    node.receive(2, V::StartViewChange{2});
    node.receive(2, V::StartView{2, {71}, 0});
    CHECK(node.view() == View{Role::follower, 2, 2});
    CHECK(node.state.memory.log == Log{71});
    CHECK(only(node, 2, V::PrepareOk{2, 1}));
    CHECK(node.sets(V::Timer::silence));
    node.receive(2, V::StartView{2, {}, 0});  // a copy
    CHECK(node.state.memory.log == Log{71});
    node.receive(1, V::StartView{1, {5}, 0});
    CHECK(node.view().epoch == 2);
    node.receive(1, V::Commit{1, 0});  // the old primary keeps nobody quiet
    CHECK_FALSE(node.sets(V::Timer::silence));
}

TEST_CASE(
    "viewstamped: who missed the start of a view asks, and keeps its log until it has the new",
    "[viewstamped][safety][5.2]") {
    Replica node = member(1);  // the old primary
    node.command(V::Request{71});
    node.receive(2, V::Commit{2, 0});
    CHECK(only(node, 2, V::GetState{2}));
    CHECK(node.view().leads());
    CHECK(node.state.memory.log == Log{71});
    node.receive(2, V::NewState{2, {81, 82}, 1});
    CHECK(node.view() == View{Role::follower, 2, 2});
    CHECK(node.state.memory.log == Log{81, 82});
    CHECK(node.cancels(V::Timer::heartbeat));

    Replica other = changing(3, 3, 2);
    other.receive(2, V::Commit{2, 0});
    CHECK(only(other, 2, V::GetState{2}));
    CHECK_FALSE(other.cancels(V::Timer::view_change));
    other.receive(2, V::NewState{2, {}, 0});
    CHECK(other.view() == View{Role::follower, 2, 2});

    Replica primary = member(1);
    primary.command(V::Request{71});
    primary.receive(3, V::GetState{1});
    CHECK(only(primary, 3, V::NewState{1, {71}, 0}));
    primary.receive(3, V::GetState{2});
    CHECK(primary.effects.sends().empty());
}

TEST_CASE("viewstamped: a view change costs (n-1)(n+2) messages", "[viewstamped][cost]") {
    const NodeId n = GENERATE(2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u);
    Story s("viewstamped", n, patient, Dict{{"network", network(10)}});
    s.until(1);
    s.fire(n, "silence");  // the old primary is up and takes part
    s.until(45);
    CAPTURE(n);
    REQUIRE(s.all_follow(2));
    const std::int64_t others = n - 1, all = n;
    CHECK(s.sent("StartViewChange") == all * others);
    CHECK(s.sent("DoViewChange") == others);
    CHECK(s.sent("StartView") == others);
    CHECK(s.violations() == 0);
}

TEST_CASE("viewstamped: a committed operation outlives its primary", "[viewstamped][safety][4.2]") {
    Story s("viewstamped", 3, Dict{}, Dict{{"network", network(10)}});
    s.until(1);
    s.act(request(1, 71));
    s.until(25);
    CHECK(s.whole(1, "memory.committed") == 1);
    CHECK(s.whole(2, "memory.committed") == 0);
    s.crash(1);
    s.until(400);
    CHECK(s.all_follow(2));
    for (NodeId node = 2; node <= 3; ++node) {
        CHECK(s.field(node, "memory.log") == nodes({71}));
        CHECK(s.whole(node, "memory.committed") == 1);
    }
    s.restart(1);
    s.for_ms(100);
    CHECK(s.all_follow(2));
    CHECK(s.field(1, "memory.log") == nodes({71}));
    CHECK(s.violations() == 0);
}

// --- recovery (4.3) ------------------------------------------------------------------------------

TEST_CASE("viewstamped: a recovering node takes part in nothing, and asks with a new nonce",
          "[viewstamped][safety][4.3]") {
    Replica node = member(2, 5);
    node.restart();
    CHECK(only(node, no_node, V::Recovery{1, 0}));
    CHECK(node.effects.persists());
    CHECK(node.view() == View{Role::follower, no_node, 0});
    node.receive(1, V::Prepare{1, 1, 71, 0});
    node.receive(3, V::StartViewChange{2});
    node.receive(3, V::DoViewChange{2, {}, 1, 0});
    node.receive(3, V::StartView{3, {}, 0});
    node.receive(3, V::Recovery{1, 0});
    CHECK(node.effects.sends().empty());
    CHECK(node.state.memory.status == Status::recovering);
    node.expire(V::Timer::recovery);
    CHECK(only(node, no_node, V::Recovery{1, 0}));
    node.restart();
    CHECK(only(node, no_node, V::Recovery{2, 0}));
}

TEST_CASE("viewstamped: only normal nodes answer a recovery, and only the primary with its log",
          "[viewstamped][safety][4.3]") {
    Replica primary = member(1);
    primary.command(V::Request{71});
    primary.receive(3, V::PrepareOk{1, 1});
    primary.receive(2, V::Recovery{4, 0});
    CHECK(only(primary, 2, V::RecoveryResponse{1, 4, {71}, 1}));
    Replica backup = member(3);
    backup.receive(1, V::Prepare{1, 1, 71, 1});
    backup.receive(2, V::Recovery{4, 0});
    CHECK(only(backup, 2, V::RecoveryResponse{1, 4, {}, 0}));
    backup.expire(V::Timer::silence);
    backup.receive(2, V::Recovery{4, 0});
    CHECK(backup.effects.sends().empty());
}

TEST_CASE(
    "viewstamped: recovery needs answers of this nonce, enough of them, and the latest primary's",
    "[viewstamped][safety][4.3]") {
    Replica node(4, 5);
    node.restart();
    node.receive(1, V::RecoveryResponse{1, 1, {71}, 1});
    node.receive(2, V::RecoveryResponse{1, 0, {}, 0});  // of an earlier recovery
    node.receive(3, V::RecoveryResponse{1, 1, {}, 0});
    node.receive(3, V::RecoveryResponse{1, 1, {}, 0});
    CHECK(node.state.memory.status == Status::recovering);  // two of three
    node.receive(5, V::RecoveryResponse{2, 1, {}, 0});      // there is a later view
    CHECK(node.state.memory.status == Status::recovering);
    node.receive(2, V::RecoveryResponse{2, 1, {71, 72}, 1});
    CHECK(node.view() == View{Role::follower, 2, 2});
    CHECK(node.state.memory.log == Log{71, 72});
    CHECK(node.state.memory.committed == 1);
    CHECK(node.cancels(V::Timer::recovery));
    CHECK(node.sets(V::Timer::silence));
    CHECK(only(node, 2, V::PrepareOk{2, 2}));
}

TEST_CASE("viewstamped: with itself, as many answers as it needs meet every majority",
          "[viewstamped][safety][4.3]") {
    for (NodeId n = 2; n <= 12; ++n) {
        const std::size_t q = quorum_size(n), a = V::answers_needed(n);
        CHECK(a + (q - 1) == n);  // of n - 1 others: a + (q - 1) > n - 1
        if (n % 2 == 1) {
            CHECK(a == q);  // f + 1 of 2f + 1
        }
    }
}

TEST_CASE("viewstamped: a node that was down comes back with everything, one after another",
          "[viewstamped][fault][4.3]") {
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        const auto n = static_cast<NodeId>(3 + seed % 5);
        Story s("viewstamped", n, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed, n);
        for (std::int64_t round = 0; round < 6; ++round) {
            REQUIRE(s.until_agreement(1000));
            s.act(request(s.leader(), round));
            s.for_ms(25);
            const auto victim = static_cast<NodeId>(1 + (seed + round * 5) % n);
            s.crash(victim);
            s.for_ms(static_cast<double>(seed % 7) * 50);
            s.restart(victim);
        }
        REQUIRE(s.until_agreement(1000));
        s.for_ms(100);
        for (NodeId node = 1; node <= n; ++node) {
            REQUIRE(s.field(node, "memory.log") == nodes({0, 1, 2, 3, 4, 5}));
            REQUIRE(s.whole(node, "memory.committed") == 6);
        }
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("viewstamped: when more than a minority forgets at once, the state is lost for good",
          "[viewstamped][fault][4.3]") {
    Story s("viewstamped", 3, Dict{}, Dict{{"network", network(10)}});
    s.until(100);
    s.crash(1);
    s.crash(2);
    s.restart(1);
    s.restart(2);
    s.until(20'000);
    CHECK(s.leader() == no_node);
    CHECK(s.field(1, "memory.status") == Value("recovering"));
    CHECK(s.violations() == 0);
}

namespace {

/// Michael et al. 2017, appendix B.1: messages of a view change that were sent before a crash
/// arrive after the recovery. Returns the cluster at the end.
Story late_view_change(bool durable_view) {
    Story s("viewstamped", 3, Dict{{"durable_view", durable_view}}, Dict{{"network", network(1)}});
    const auto recover = [&](NodeId node) {
        s.crash(node);
        s.restart(node);
        s.for_ms(1000);
        REQUIRE(s->monitor().agreed());  // the others were all normal, or came to be
    };
    const auto hold = [&](const char* kind) {  // what a node has just sent is under way for long
        for (const PendingEvent& message : s.in_flight(kind)) {
            s.act(Dict{{"action", "delay"}, {"message", message.message}, {"by_ms", 5000}});
        }
    };
    const auto deliver = [&](const char* kind, NodeId from, NodeId to) {
        for (const PendingEvent& message : s.in_flight(kind)) {
            if (message.peer == from && message.node == to) {
                s.touch("deliver", message.message);
                return true;
            }
        }
        return false;
    };
    s.until(0.5);
    s.fire(2, "silence");
    hold("StartViewChange");
    recover(2);
    if (s.role(3) == Role::follower) {
        s.fire(3, "silence");
        hold("StartViewChange");
        deliver("StartViewChange", 2, 3);
        hold("DoViewChange");
    }
    recover(3);
    if (s.epoch(1) == 1) {  // all are normal in view 1 again
        s.partition(groups({{1, 3}, {2}}));
        s.act(request(1, 71));
        s.for_ms(5);
        CHECK(s.whole(1, "memory.committed") == 1);
        s.act("heal");
        s.partition(groups({{1}, {2, 3}}));
        CHECK(deliver("StartViewChange", 3, 2));
        CHECK(deliver("DoViewChange", 3, 2));
    }
    s.for_ms(20);
    if (s.role(2) == Role::leader) {
        s.act(request(2, 99));
    }
    s.for_ms(10'000);
    return s;
}

}  // namespace

TEST_CASE("viewstamped: a slow message of a view change undoes what was committed, as 4.3 has it",
          "[viewstamped][safety][fault][4.3]") {
    const Story s = late_view_change(false);
    CHECK(s.role(1) == Role::leader);
    CHECK(s.role(2) == Role::leader);
    CHECK(s.field(1, "memory.log") == nodes({71}));
    CHECK(s.field(2, "memory.log") == nodes({99}));
    CHECK(broken(s) == std::vector<std::string>{"primary_has_what_was_committed",
                                                "one_operation_per_number"});
}

TEST_CASE("viewstamped: with a durable view nobody recovers into a view that it had left",
          "[viewstamped][safety][fault][4.3]") {
    const Story s = late_view_change(true);
    CHECK(s.violations() == 0);
    REQUIRE(s->monitor().agreed());
    CHECK(s.epoch(s.leader()) >= 2);

    ViewstampedOptions options;
    options.durable_view = true;
    Replica node = member(3, 5, options);
    CHECK(node.state.disk.view == 1);
    node.expire(V::Timer::silence);
    CHECK(node.effects.persists());
    CHECK(node.state.disk.view == 2);
    node.restart();
    CHECK(only(node, no_node, V::Recovery{1, 2}));
    node.receive(1, V::RecoveryResponse{1, 1, {}, 0});
    node.receive(2, V::RecoveryResponse{1, 1, {}, 0});
    node.receive(4, V::RecoveryResponse{1, 1, {}, 0});
    CHECK(node.state.memory.status == Status::recovering);
    node.receive(2, V::RecoveryResponse{2, 1, {}, 0});
    CHECK(node.view() == View{Role::follower, 2, 2});
    Replica other = member(1, 5, options);
    other.receive(3, V::Recovery{1, 2});  // goes there itself, and answers when it is done
    CHECK(only(other, no_node, V::StartViewChange{2}));
}

TEST_CASE("viewstamped: what is committed stays, whatever is lost",
          "[viewstamped][safety][fault]") {
    std::int64_t most = 0;
    for (std::int64_t seed = 0; seed < seeds(150); ++seed) {
        const auto n = static_cast<NodeId>(3 + seed % 4);
        const Value crash = Dict{{"action", "plan"},
                                 {"plan", Dict{{"do", golden::random_node("crash")},
                                               {"interval_ms", 900},
                                               {"repair_after_ms", 50},
                                               {"keep_up", n - 1}}}};
        Story s("viewstamped", n, Dict{{"durable_view", true}},
                Dict{{"seed", seed},
                     {"network", Dict{{"one_way_delay_ms", List{1, 20}},
                                      {"loss_probability", 0.05},
                                      {"duplicate_probability", 0.1}}},
                     {"actions", List{crash, golden::plan(Dict{{"action", "partition"}}, 900)}}},
                false);
        CAPTURE(seed, n);
        for (std::int64_t operation = 1; operation <= 30; ++operation) {
            s.for_ms(100);
            for (NodeId node = 1; node <= n; ++node) {
                if (s.role(node) == Role::leader) {
                    s.act(request(node, operation));
                }
            }
        }
        for (NodeId node = 1; node <= n; ++node) {
            most = std::max(most, s.whole(node, "memory.committed"));
        }
        REQUIRE(s.violations() == 0);
    }
    CHECK(most >= 20);
}

TEST_CASE("viewstamped: its properties see a lost operation and a changed one",
          "[viewstamped][safety][properties]") {
    const auto holds = [](std::size_t which, const std::vector<State<V>>& states) {
        std::vector<View> views;
        for (const State<V>& state : states) {
            const NodeId self = static_cast<NodeId>(views.size()) + 1;
            const bool leads = V::primary_of(state.memory.view, 3) == self;
            views.push_back({leads ? Role::leader : Role::follower, self, state.memory.view});
        }
        const ViewstampedOptions options;
        return V::properties()[which].holds(
            AllNodes<V>(options, states.data(), sizeof(State<V>), views, 3));
    };
    const auto node = [](Epoch view, Log log, std::int64_t committed) {
        State<V> state;
        state.memory.view = state.memory.last_normal = view;
        state.memory.log = std::move(log);
        state.memory.committed = committed;
        return state;
    };
    CHECK(holds(0, {node(1, {7, 8}, 2), node(1, {7}, 1), node(2, {7, 9}, 1)}));
    CHECK_FALSE(holds(0, {node(1, {7, 8}, 2), node(1, {7}, 1), node(2, {7, 9}, 2)}));
    CHECK(holds(1, {node(1, {7, 8}, 1), node(2, {7, 9}, 1), node(1, {7}, 1)}));
    CHECK_FALSE(holds(1, {node(1, {7, 8}, 2), node(2, {7, 9}, 1), node(1, {7}, 1)}));
    CHECK(holds(1, {node(1, {7}, 1), node(2, {7, 9}, 2), node(2, {7, 9}, 2)}));  // an old primary
}

// --- clusters ------------------------------------------------------------------------------------

TEST_CASE("viewstamped: a minority starts no view, and the old primary follows when it hears",
          "[viewstamped][safety][partition]") {
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        Story s("viewstamped", 5, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        s.until(100);
        s.partition(groups({{1, 2}, {3, 4, 5}}));
        s.for_ms(2000);
        REQUIRE(s.role(1) == Role::leader);
        REQUIRE(s.believes(2) <= 1);
        REQUIRE(s.leader() >= 3);
        s.act("heal");
        REQUIRE(s.until_agreement(2000));
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("viewstamped: leader crash: 3 to 9 nodes have a new leader within the bound",
          "[viewstamped][liveness][safety][acceptance]") {
    leader_crash::survives({.protocol = "viewstamped",
                            .bound_ms = bound,
                            .alive = 0.9,
                            .seeds = 2000},
                           GENERATE(3u, 4u, 5u, 6u, 7u, 8u, 9u));
}

TEST_CASE("viewstamped: two nodes have no leader after a crash, and say why", "[viewstamped]") {
    Story s("viewstamped", 2);
    REQUIRE(s.until_agreement(1000));
    s.act(Dict{{"action", "crash"}, {"node", "leader"}});
    CHECK_FALSE(s.until_leader(10'000));
    CHECK(s->why_no_leader() == "no leader is possible: 1 node is up, and a quorum of 2 needs 2");
}

TEST_CASE("viewstamped: options that make no sense are refused by name", "[viewstamped][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("viewstamped").check_options(options, 3);
    };
    CHECK_THROWS_WITH(check(Dict{{"heartbeat_interval_ms", 0}}),
                      contains("heartbeat_interval_ms=0"));
    CHECK_THROWS_WITH(check(Dict{{"primary_timeout_ms", 0}}),
                      contains("primary_timeout_ms=0") && contains("above 0"));
    CHECK_THROWS_WITH(check(Dict{{"view_change_timeout_ms", 0}}),
                      contains("view_change_timeout_ms=0"));
    CHECK_THROWS_WITH(check(Dict{{"recovery_retry_ms", 0}}), contains("recovery_retry_ms=0"));
    CHECK_THROWS_WITH(check(Dict{{"durable_view", 3}}), contains("durable_view=3"));
}

TEST_CASE("viewstamped: golden runs", "[viewstamped][golden]") {
    using namespace golden;
    check_runs("viewstamped",
               {{"viewstamped_crashes", "viewstamped", 5, Dict{},
                 Dict{{"seed", 51}, {"actions", List{plan(random_node("crash"), 900)}}}, 6000},
                {"viewstamped_bad", "viewstamped", 4, Dict{{"durable_view", true}},
                 Dict{{"seed", 52},
                      {"network", bad_links()},
                      {"every_node", machines()},
                      {"actions", List{plan(Dict{{"action", "partition"}}, 900)}}},
                 5000}});
}

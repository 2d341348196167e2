#include "electionlab/protocols/raft.h"

#include "catch_shim.h"
#include "machine.h"
#include "story.h"

using namespace story;
using R = Raft<64>;
using Request = R::VoteRequest;
using Reply = R::VoteReply;

namespace {

using RaftNode = Machine<R>;

RaftNode member(NodeId self, NodeId count = 5, RaftOptions options = {}) {
    RaftNode node(self, count, std::move(options));
    node.start();
    return node;
}

bool only_reply(RaftNode& node, NodeId to, Term term, bool granted) {
    const auto replies = node.sent<Reply>();
    return replies.size() == 1 && replies[0].first == to &&
           replies[0].second == Reply{term, granted} && node.effects.sends().size() == 1;
}

const Value quiet = Dict{{"election_timeout_ms", 1e7}, {"heartbeat_interval_ms", 50}};

Story quiet_raft(NodeId count, const Value& more = Dict{}, const Value& config = Dict{}) {
    Story s("raft", count, merged(quiet, more), merged(Dict{{"network", network(5)}}, config));
    s.until(1);
    return s;
}

}  // namespace

TEST_CASE("raft: a node grants at most one vote per term", "[raft][safety][5.2]") {
    RaftNode node = member(1);
    node.receive(2, Request{1, {}});
    CHECK(only_reply(node, 2, 1, true));
    node.receive(3, Request{1, {}});
    CHECK(only_reply(node, 3, 1, false));
    CHECK(node.state.disk.voted_for == 2);
    node.receive(2, Request{1, {}});  // the same candidate again: its answer was lost
    CHECK(only_reply(node, 2, 1, true));
    node.receive(3, Request{2, {}});  // a new term is a new vote
    CHECK(only_reply(node, 3, 2, true));
    CHECK(node.state.disk.voted_for == 3);
}

TEST_CASE("raft: a vote is made durable before it is answered", "[raft][safety][5.1]") {
    RaftNode node = member(1);
    node.receive(2, Request{1, {}});
    CHECK(node.effects.persists());
    node.receive(2, Request{1, {}});
    CHECK_FALSE(node.effects.persists());  // it is durable already
    node.expire(R::Timer::election);
    CHECK(node.effects.persists());  // the vote for itself
    CHECK(node.state.disk.voted_for == 1);
}

TEST_CASE("raft: after a crash a node still knows its term and its vote", "[raft][safety][5.1]") {
    RaftNode node = member(1);
    node.receive(2, Request{4, {}});
    node.restart();
    CHECK(node.view() == View{Role::follower, no_node, 4});
    node.receive(3, Request{4, {}});
    CHECK(only_reply(node, 3, 4, false));
}

TEST_CASE("raft: only a granted vote starts the election timer anew", "[raft][liveness][5.2]") {
    RaftNode node = member(1);
    node.receive(2, Request{1, {}});
    CHECK(node.sets(R::Timer::election));
    node.receive(3, Request{1, {}});  // refused: voted already
    CHECK_FALSE(node.sets(R::Timer::election));
    node.state.disk.last_log = {1, 5};
    node.receive(3, Request{2, {1, 4}});  // refused: its log is behind; the newer term is adopted
    CHECK(only_reply(node, 3, 2, false));
    CHECK_FALSE(node.sets(R::Timer::election));
    node.receive(3, Request{1, {9, 9}});  // refused: an old term
    CHECK_FALSE(node.sets(R::Timer::election));
    CHECK_FALSE(node.cancels(R::Timer::election));
}

TEST_CASE("raft: a log is as up-to-date by last term first, then by index",
          "[raft][safety][5.4.1]") {
    struct Case {
        LogEnd candidate, voter;
        bool granted;
    };
    const Case c = GENERATE(values<Case>({{{2, 1}, {1, 100}, true},   // short, but of a later term
                                          {{1, 100}, {2, 1}, false},  // long, but of an older term
                                          {{3, 7}, {3, 7}, true},
                                          {{3, 6}, {3, 7}, false},
                                          {{3, 8}, {3, 7}, true},
                                          {{0, 0}, {0, 0}, true}}));
    RaftNode node = member(1);
    node.state.disk.last_log = c.voter;
    node.receive(2, Request{5, c.candidate});
    CAPTURE(c.candidate.term, c.candidate.index, c.voter.term, c.voter.index);
    CHECK(only_reply(node, 2, 5, c.granted));
    CHECK(node.state.disk.voted_for == (c.granted ? 2 : no_node));
    CHECK(at_least_as_up_to_date(c.candidate, c.voter) == c.granted);
}

TEST_CASE("raft: a request of an old term is refused, with the newer term in the answer",
          "[raft][safety][5.1]") {
    RaftNode node = member(1);
    node.receive(2, Request{7, {}});
    node.receive(3, Request{6, {}});
    CHECK(only_reply(node, 3, 7, false));
    CHECK(node.state.disk.current_term == 7);
    node.receive(3, R::Heartbeat{6});
    const auto answers = node.sent<R::HeartbeatReply>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].second.term == 7);
    CHECK(node.view().leader == no_node);
    CHECK_FALSE(node.sets(R::Timer::election));  // an old leader keeps nobody quiet
}

TEST_CASE("raft: a majority of votes makes a leader, a duplicated vote counts once",
          "[raft][safety][5.2]") {
    RaftNode node = member(1, 5);
    node.expire(R::Timer::election);
    CHECK(node.view().role == Role::candidate);
    CHECK(node.sent<Request>().size() == 1);  // one broadcast
    CHECK(node.sent<Request>()[0].first == no_node);
    node.receive(2, Reply{1, true});
    node.receive(2, Reply{1, true});
    node.receive(2, Reply{1, true});
    CHECK(node.view().role == Role::candidate);  // two of five
    node.receive(4, Reply{1, false});
    CHECK(node.view().role == Role::candidate);
    node.receive(3, Reply{1, true});
    CHECK(node.view() == View{Role::leader, 1, 1});
    CHECK(node.sent<R::Heartbeat>().size() == 1);  // at once
    CHECK(node.cancels(R::Timer::election));
    CHECK(node.sets(R::Timer::heartbeat));
}

TEST_CASE("raft: votes of another term do not count", "[raft][safety][5.2]") {
    RaftNode node = member(1, 3);
    node.expire(R::Timer::election);
    node.expire(R::Timer::election);
    CHECK(node.state.disk.current_term == 2);
    node.receive(2, Reply{1, true});  // a late answer to the first request
    CHECK(node.view().role == Role::candidate);
    node.receive(2, Reply{3, false});
    CHECK(node.view() == View{Role::follower, no_node, 3});
}

TEST_CASE("raft: leaders and candidates step down for a newer term", "[raft][safety][5.1]") {
    RaftNode leader = member(1, 3);
    leader.expire(R::Timer::election);
    leader.receive(2, Reply{1, true});
    REQUIRE(leader.view().leads());
    leader.receive(3, R::HeartbeatReply{9});
    CHECK(leader.view() == View{Role::follower, no_node, 9});
    CHECK(leader.cancels(R::Timer::heartbeat));
    CHECK(leader.sets(R::Timer::election));  // a leader had none running
    CHECK(leader.effects.persists());

    RaftNode candidate = member(2, 3);
    candidate.expire(R::Timer::election);
    candidate.receive(1, R::Heartbeat{1});  // the winner of its own term
    CHECK(candidate.view() == View{Role::follower, 1, 1});
    CHECK(candidate.state.disk.voted_for == 2);  // it stays its vote of that term
}

TEST_CASE("raft: a candidate repeats its request to those that have not answered", "[raft][5.1]") {
    RaftOptions options;
    options.retry_interval = ms(20);
    RaftNode node = member(1, 4, options);
    node.expire(R::Timer::election);
    CHECK(node.sets(R::Timer::retry));
    node.receive(3, Reply{1, false});
    node.expire(R::Timer::retry);
    const auto again = node.sent<Request>();
    REQUIRE(again.size() == 2);
    CHECK(again[0].first == 2);
    CHECK(again[1].first == 4);
    CHECK(node.sets(R::Timer::retry));
    node.receive(2, Reply{1, true});
    node.receive(4, Reply{1, true});
    CHECK(node.view().leads());
    CHECK(node.cancels(R::Timer::retry));
}

TEST_CASE("raft: retries find a leader where a lost message would cost a whole timeout",
          "[raft][liveness]") {
    Story s = quiet_raft(3, Dict{{"retry_interval_ms", 20}});
    s.fire(1, "election");
    for (const PendingEvent& request : s.in_flight("VoteRequest")) {
        s.touch("drop", request.message);
    }
    CHECK(s.dropped("by_hand") == 2);
    s.until(40);
    CHECK(s.leader() == 1);
}

TEST_CASE("raft: a cluster of one leads itself", "[raft][liveness]") {
    Story s("raft", 1);
    REQUIRE(s.until_agreement(400));
    CHECK(s.all_follow(1));
    CHECK(s.sent("VoteRequest") == 0);
}

TEST_CASE("raft: worked example, the leader of three fails, one stands and has two votes of three",
          "[raft][example]") {
    Story s("raft", 3, quiet, Dict{{"network", network(5)}, {"initial_leader", 1}});
    s.until(60);
    s.crash(1);
    s.fire(2, "election");
    CHECK(s.role(2) == Role::candidate);
    CHECK(s.epoch(2) == 2);
    s.until(70);
    CHECK(s.leader() == 2);
    CHECK(s.field(2, "memory.votes") == nodes({2, 3}));
    s.until(75);
    CHECK(s.all_follow(2));
    CHECK(s.delivered("VoteRequest") == 1);
    CHECK(s.dropped("receiver_down") >= 1);  // the request to the dead node
}

TEST_CASE("raft: a clean election costs 2(n-1) requests and answers, whoever stands",
          "[raft][cost]") {
    const NodeId n = GENERATE(3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u);
    for (NodeId candidate = 1; candidate <= n; ++candidate) {
        Story s = quiet_raft(n);
        s.fire(candidate, "election");
        s.until(20);
        CAPTURE(n, candidate);
        REQUIRE(s.all_follow(candidate));
        CHECK(s.delivered("VoteRequest") == n - 1);
        CHECK(s.delivered("VoteReply") == n - 1);
        CHECK(s.sent("VoteRequest") + s.sent("VoteReply") == 2 * (n - 1));
    }
}

TEST_CASE("raft: nodes with short logs cannot win", "[raft][safety][5.4.1]") {
    // Nodes 4 and 5 lack the last entry; whoever leads is one of the others.
    for (std::int64_t seed = 0; seed < seeds(200); ++seed) {
        Story s("raft", 5,
                Dict{{"logs", List{List{2, 9}, List{2, 9}, List{2, 9}, List{2, 8}, List{1, 50}}}},
                Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        REQUIRE(s.until_agreement(20'000));
        REQUIRE(s.leader() <= 3);
    }
}

TEST_CASE("raft: a split vote elects nobody, and the next term decides", "[raft][liveness][5.2]") {
    Story s = quiet_raft(4);
    s.fire(1, "election");
    s.fire(2, "election");
    // Each gets one of the two other votes.
    for (const PendingEvent& request : s.in_flight("VoteRequest")) {
        if ((request.peer == 1 && request.node == 4) || (request.peer == 2 && request.node == 3)) {
            s.act(Dict{{"action", "delay"}, {"message", request.message}, {"by_ms", 1}});
        }
    }
    s.until(50);
    CHECK(s.leader() == no_node);
    CHECK(s.epoch(3) == 1);
    CHECK(s.measures().split_votes == 0);  // the term has not ended yet
    s.fire(3, "election");
    s.until(65);
    CHECK(s.all_follow(3));
    CHECK(s.measures().split_votes == 1);
    CHECK(s.measures().epochs_stood == 2);
    CHECK(s.measures().epochs_won == 1);
}

TEST_CASE("raft: a minority side of a partition never elects", "[raft][safety][partition]") {
    for (std::int64_t seed = 0; seed < seeds(300); ++seed) {
        Story s("raft", 5, Dict{}, Dict{{"seed", seed}}, false);
        CAPTURE(seed);
        REQUIRE(s.until_agreement(20'000));
        const NodeId leader = s.leader();
        const NodeId other = leader == 1 ? 2 : 1;
        List rest;
        for (NodeId node = 1; node <= 5; ++node) {
            if (node != leader && node != other) {
                rest.emplace_back(node);
            }
        }
        s.partition(List{List{leader, other}, rest});  // the leader is on the smaller side
        s.for_ms(5000);
        NodeId majority_leader = no_node;
        for (NodeId node = 1; node <= 5; ++node) {
            if (node != leader && node != other && s.role(node) == Role::leader) {
                majority_leader = node;
            }
        }
        REQUIRE(majority_leader != no_node);
        REQUIRE(s.role(other) != Role::leader);
        // The old leader still acts: two at one instant, but of two terms. That is no violation.
        REQUIRE(s.role(leader) == Role::leader);
        REQUIRE(s.measures().split_brain.ns > 0);
        REQUIRE(s.epoch(majority_leader) > s.epoch(leader));
        s.act("heal");
        REQUIRE(s.until_agreement(20'000));
        REQUIRE(s.violations() == 0);
    }
}

TEST_CASE("raft: options that make no sense are refused by name", "[raft][errors]") {
    const auto check = [](const Value& options) {
        return find_protocol("raft").check_options(options, 3);
    };
    CHECK_THROWS_WITH(check(Dict{{"election_timeout_ms", 0}}), contains("election_timeout_ms"));
    CHECK_THROWS_WITH(check(Dict{{"heartbeat_interval_ms", 0}}), contains("heartbeat_interval_ms"));
    CHECK_THROWS_WITH(check(Dict{{"timeout_policy", "often"}}),
                      contains("timeout_policy") && contains("'often'") && contains("'quantised'"));
    CHECK_THROWS_WITH(check(Dict{{"timeout_policy", "rounded"}, {"tick_ms", 400}}),
                      contains("tick_ms"));
    CHECK_THROWS_WITH(check(Dict{{"logs", List{Value(List{1, 1})}}}),
                      contains("logs") && contains("3 nodes"));
    CHECK_THROWS_WITH(check(Dict{{"logs", List{List{1}, List{1}, List{1}}}}),
                      contains("logs") && contains("index"));
    CHECK_THROWS_WITH(check(Dict{{"election_timeout", 150}}), contains("election_timeout"));
}

// The resource that leaders work on, by itself and under protocols: what fencing is for, and which
// epochs serve as tokens.
#include "electionlab/services/resource.h"

#include "catch_shim.h"
#include "golden.h"
#include "story.h"

using namespace story;

namespace {

Resource resource_with(Fencing fencing) {
    Resource r;
    r.fencing = fencing;
    return r;
}

Value work(const char* fencing) { return Dict{{"fencing", fencing}}; }

// The leader sleeps, others elect another, it wakes and writes before it hears of that.
Story sleeper(const char* protocol, const char* fencing, std::int64_t seed,
              const Value& options = Dict{}) {
    Story s(protocol, 5, merged(work(fencing), options), Dict{{"seed", seed}});
    REQUIRE(s.until_agreement(20'000));
    s.for_ms(100 + static_cast<double>(seed % 20));
    const NodeId old = s.leader();
    s.pause(old);
    s.for_ms(2000);
    REQUIRE(s.leader() != old);
    s.resume(old);
    s.for_ms(2000);
    return s;
}

std::int64_t at_resource(const Story& s, const char* field) {
    return s.whole(s->actors(), std::string("disk.resource.") + field);
}

void check_that_work_is_done_once(const Story& s) {
    CHECK(at_resource(s, "stale") == 0);
    CHECK(at_resource(s, "repeated") == 0);
    CHECK(at_resource(s, "lower_tokens") == 0);
    CHECK(at_resource(s, "accepted") == at_resource(s, "next_job") - 1);
    CHECK(s.violations() == 0);
}

// The coordination service and the leader cannot reach each other, everybody else can.
Story cut_off_from_the_service(const Value& options, const char* fencing, std::int64_t seed) {
    Story s("zk_lock_at_work", 5, merged(work(fencing), options), Dict{{"seed", seed}});
    REQUIRE(s.until_agreement(20'000));
    s.for_ms(100);
    s.cut(nodes({static_cast<int>(s.leader())}), nodes({6}), true);
    s.for_ms(2000);
    s.act("heal");
    s.for_ms(1000);
    return s;
}

}  // namespace

TEST_CASE("resource: jobs are done once and in order by one leader", "[resource]") {
    Resource r = resource_with(Fencing::token);
    const TakeOverReply first = r.take_over(2, {7});
    CHECK(first == TakeOverReply{7, true, 1, 1});
    CHECK(r.take_over(2, {7}) == first);  // its answer was lost
    CHECK(r.write({7, 1, 1}) == WriteReply{1, 1, true, 2});
    CHECK(r.write({7, 1, 1}) == WriteReply{1, 1, true, 2});  // the write came twice
    CHECK(r.write({7, 1, 2}) == WriteReply{1, 2, true, 3});
    CHECK(r.write({7, 1, 1}) == WriteReply{1, 1, true, 3});  // an old copy of it
    for (std::int64_t job = 3; job <= 30; ++job) {
        r.write({7, 1, job});
    }
    CHECK(r.write({7, 1, 1}).accepted);  // a very old copy
    CHECK((r.accepted == 30 && r.repeated == 0 && r.stale == 0 && r.refused == 0));
}

TEST_CASE("resource: what it compares decides whom it refuses", "[resource]") {
    const auto after_a_takeover = [](Fencing fencing, Epoch old_token, Epoch new_token) {
        Resource r = resource_with(fencing);
        r.take_over(1, {old_token});
        r.write({old_token, 1, 1});
        const auto reply = r.take_over(2, {new_token});
        r.write({new_token, 2, reply.next_job});
        r.write({old_token, 1, 2});  // the old leader does the job that the new one has done
        return r;
    };
    const Resource none = after_a_takeover(Fencing::none, 3, 4);
    CHECK((none.stale == 1 && none.repeated == 1 && none.lower_tokens == 1 && none.refused == 0));
    const Resource token = after_a_takeover(Fencing::token, 3, 4);
    CHECK((token.stale == 0 && token.repeated == 0 && token.lower_tokens == 0 && token.refused == 1));
    const Resource no_epochs = after_a_takeover(Fencing::token, 0, 0);
    CHECK((no_epochs.stale == 1 && no_epochs.repeated == 1 && no_epochs.refused == 0));
    const Resource takeover = after_a_takeover(Fencing::takeover, 0, 0);
    CHECK((takeover.stale == 0 && takeover.repeated == 0 && takeover.refused == 1));
}

TEST_CASE("resource: a late takeover with an old token is refused", "[resource]") {
    Resource r = resource_with(Fencing::token);
    r.take_over(2, {5});
    CHECK(r.take_over(1, {4}) == TakeOverReply{4, false, 0, 1});
    CHECK((r.owner == 2 && r.refused == 1));
    Resource open = resource_with(Fencing::none);
    open.take_over(2, {5});
    CHECK(open.take_over(1, {4}) == TakeOverReply{4, true, 2, 1});
    CHECK(open.take_over(1, {4}) == TakeOverReply{4, true, 2, 1});  // asked again: the same takeover
}

TEST_CASE("fencing: a paused leader's late write gets through without tokens and not with them",
          "[resource][fencing]") {
    std::int64_t stale = 0;
    for (std::int64_t seed = 0; seed < seeds(60); ++seed) {
        CAPTURE(seed);
        const Story open = sleeper("raft_at_work", "none", seed);
        stale += at_resource(open, "stale");
        CHECK(open.violations() == 0);
        for (const char* fencing : {"token", "takeover"}) {
            check_that_work_is_done_once(sleeper("raft_at_work", fencing, seed));
        }
    }
    if (seeds(60) == 60) {
        CHECK(stale > 0);
    }
}

TEST_CASE("fencing: views, epochs and lock numbers serve as tokens", "[resource][fencing]") {
    const char* protocol = GENERATE("zk_lock_at_work", "zab_at_work", "viewstamped_at_work",
                                    "zk_recipe_at_work", "multi_paxos_at_work", "lease_at_work");
    std::int64_t stale = 0;
    for (std::int64_t seed = 0; seed < seeds(25); ++seed) {
        CAPTURE(protocol, seed);
        const Story open = sleeper(protocol, "none", seed);
        stale += at_resource(open, "stale");
        CHECK(open.violations() == 0);
        const Story fenced = sleeper(protocol, "token", seed);
        check_that_work_is_done_once(fenced);
        CHECK(at_resource(fenced, "highest_token") == fenced.epoch(fenced.leader()));
        CHECK(at_resource(fenced, "takeovers") >= 2);
    }
    if (seeds(25) == 25) {
        CHECK(stale > 0);
    }
}

TEST_CASE("fencing: YARN's breadcrumb fences whom it reaches, without the resource's help",
          "[resource][fencing]") {
    std::int64_t kafka_stale = 0, asleep_stale = 0;
    const Value yarn = Dict{{"flavour", "yarn"}};
    const Value careful = Dict{{"flavour", "yarn"}, {"unfenced", "gives_up"}};
    for (std::int64_t seed = 0; seed < seeds(25); ++seed) {
        CAPTURE(seed);
        const Story kafka = cut_off_from_the_service(Dict{}, "none", seed);
        kafka_stale += at_resource(kafka, "stale");
        check_that_work_is_done_once(cut_off_from_the_service(Dict{}, "token", seed));
        const Story reached = cut_off_from_the_service(yarn, "none", seed);
        check_that_work_is_done_once(reached);
        CHECK(at_resource(reached, "takeovers") >= 2);
        // A sleeper does not answer: somebody has to give in, or the resource to compare tokens.
        asleep_stale += at_resource(sleeper("zk_lock_at_work", "none", seed, yarn), "stale");
        check_that_work_is_done_once(sleeper("zk_lock_at_work", "none", seed, careful));
        check_that_work_is_done_once(sleeper("zk_lock_at_work", "token", seed, yarn));
    }
    CHECK(kafka_stale > 0);
    if (seeds(25) == 25) {
        CHECK(asleep_stale > 0);
    }
}

TEST_CASE("fencing: Bully and Ring have no epoch that could be a token; the resource's own number is",
          "[resource][fencing]") {
    const char* protocol = GENERATE("bully_at_work", "ring_at_work");
    std::int64_t stale = 0;
    for (std::int64_t seed = 0; seed < seeds(60); ++seed) {
        CAPTURE(protocol, seed);
        const Story tokens = sleeper(protocol, "token", seed);
        stale += at_resource(tokens, "stale");
        CHECK(at_resource(tokens, "highest_token") == 0);
        CHECK(at_resource(tokens, "refused") == 0);
        const Story own = sleeper(protocol, "takeover", seed);
        CHECK(at_resource(own, "stale") == 0);
        CHECK(at_resource(own, "repeated") == 0);
        CHECK(own.violations() == 0);
    }
    if (seeds(60) == 60) {
        CHECK(stale > 0);
    }
}

TEST_CASE("fencing: under loss, copies and reordering fenced jobs are done once each",
          "[resource][fencing]") {
    const auto [protocol, many] = GENERATE(
        std::pair("raft_at_work", 100), std::pair("zk_lock_at_work", 20),
        std::pair("zab_at_work", 20), std::pair("viewstamped_at_work", 20));
    for (std::int64_t seed = 0; seed < seeds(many); ++seed) {
        CAPTURE(protocol, seed);
        Story s(protocol, 5, Dict{{"work_interval_ms", 15}},
                Dict{{"seed", seed},
                     {"network", golden::bad_links()},
                     {"actions", List{golden::plan(golden::random_node("pause"), 400),
                                      golden::plan(Dict{{"action", "partition"}}, 900)}}},
                false);
        s.until(10'000);
        CHECK(at_resource(s, "accepted") > 50);
        CHECK(at_resource(s, "accepted") == at_resource(s, "next_job") - 1);
        CHECK(at_resource(s, "repeated") + at_resource(s, "stale") == 0);
        CHECK(s.violations() == 0);
    }
}

TEST_CASE("fencing: each member does as many jobs as it may, and rests", "[resource]") {
    Story s("raft_at_work", 3, Dict{{"jobs", 2}}, Dict{{"seed", 2}, {"network", network(3)}}, false);
    s.until(2'000);
    const NodeId first = s.leader();
    CHECK(at_resource(s, "accepted") == 2);
    s.crash(first);
    s.until(4'000);
    CHECK(s.leader() != first);
    CHECK(at_resource(s, "accepted") == 4);
    CHECK(at_resource(s, "repeated") == 0);
}

TEST_CASE("fencing: the election is the same with a resource and without", "[resource]") {
    for (const char* protocol : {"raft", "bully", "ring", "zk_lock", "zab", "viewstamped"}) {
        const auto elect = [&](const std::string& name) {
            Story s(name, 5, Dict{}, Dict{{"seed", 4}, {"network", network(3)}});
            s.until_agreement(10'000);
            const double led = s.now_ms();
            return std::pair(s.leader(), led);
        };
        CHECK(elect(protocol) == elect(protocol + std::string("_at_work")));
    }
}

TEST_CASE("fencing: options are checked", "[resource][errors]") {
    const auto make = [](const Value& options) { return Story("raft_at_work", 3, options); };
    CHECK_THROWS_WITH(make(Dict{{"work_ms", 0}}), contains("work_ms=0") && contains("above 0"));
    CHECK_THROWS_WITH(make(Dict{{"work_interval_ms", -1}}), contains("work_interval_ms=-1"));
    CHECK_THROWS_WITH(make(Dict{{"jobs", -1}}), contains("jobs=-1"));
    CHECK_THROWS_WITH(make(Dict{{"fencing", "yes"}}), contains("'none', 'token', 'takeover'"));
    CHECK_THROWS_WITH(make(Dict{{"heartbeat_interval_ms", 0}}), contains("heartbeat_interval_ms=0"));
}

TEST_CASE("fencing: golden runs", "[resource][golden]") {
    const auto run = [](const char* name, const char* fencing) {
        return golden::Run{name, name, 5, work(fencing),
                           Dict{{"seed", 31},
                                {"network", golden::bad_links()},
                                {"actions", List{golden::plan(golden::random_node("pause"), 400)}}},
                           4000};
    };
    golden::check_runs("at_work", {run("raft_at_work", "token"), run("bully_at_work", "none"),
                                   run("ring_at_work", "takeover"), run("zk_lock_at_work", "token"),
                                   run("zab_at_work", "none"),
                                   run("viewstamped_at_work", "takeover")});
}

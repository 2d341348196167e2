// One seed fixes everything: the same run on every compiler, at every optimisation level, alone or
// beside others, this year and next. Golden runs of single protocols stand beside their other tests.
#include <bit>
#include <map>
#include <string>
#include <vector>

#include "electionlab/core/fields.h"

#include "catch_shim.h"
#include "golden.h"
#include "story.h"

using namespace story;
using golden::plan, golden::random_node, golden::Run;

namespace {

Value descending(NodeId count) {
    List ids;
    for (NodeId id = count; id >= 1; --id) {
        ids.emplace_back(id);
    }
    return ids;
}

// Every kind of distribution, fault and timeout policy decides something in one of these.
std::vector<Run> runs() {
    const Value bad_links = golden::bad_links(), machines = golden::machines();
    const Value up_at_once = merged(machines, Dict{{"start_ms", 0}});
    return {
        {"raft_plain", "raft", 5, Dict{}, Dict{{"seed", 1}}, 3000},
        {"raft_crashes", "raft", 5, Dict{},
         Dict{{"seed", 2}, {"actions", List{plan(random_node("crash"), 400)}}}, 8000},
        {"raft_bad_links", "raft", 5, Dict{{"retry_interval_ms", 30}},
         Dict{{"seed", 3}, {"network", bad_links}}, 4000},
        {"raft_fifo_links", "raft", 3, Dict{},
         Dict{{"seed", 4}, {"network", merged(bad_links, Dict{{"fifo", true}})}}, 3000},
        {"raft_machines", "raft", 5, Dict{},
         Dict{{"seed", 5},
              {"every_node", machines},
              {"actions", List{plan(random_node("crash"), 600), plan(random_node("pause"), 500)}}},
         8000},
        {"raft_pipelined", "raft", 5, Dict{},
         Dict{{"seed", 6},
              {"every_node", machines},
              {"write_mode", "pipelined"},
              {"actions", List{plan(random_node("crash"), 500)}}},
         6000},
        {"raft_drawn_once", "raft", 5, Dict{{"timeout_policy", "drawn_once"}},
         Dict{{"seed", 7}, {"actions", List{plan(random_node("crash"), 500)}}}, 5000},
        {"raft_quantised", "raft", 5, Dict{{"timeout_policy", "quantised"}, {"tick_ms", 10}},
         Dict{{"seed", 8}, {"actions", List{plan(random_node("crash"), 500)}}}, 5000},
        {"raft_each_tick", "raft", 5, Dict{{"timeout_policy", "redrawn_each_tick"}, {"tick_ms", 5}},
         Dict{{"seed", 9}, {"actions", List{plan(random_node("crash"), 500)}}}, 5000},
        {"raft_rounded", "raft", 5, Dict{{"timeout_policy", "rounded"}, {"tick_ms", 10}},
         Dict{{"seed", 10}, {"actions", List{plan(random_node("pause"), 300)}}}, 5000},
        {"raft_partitions", "raft", 5, Dict{},
         Dict{{"seed", 11},
              {"actions",
               List{plan(Dict{{"action", "partition"}}, 700), plan(Dict{{"action", "cut"}}, 400)}}},
         8000},
        {"raft_many", "raft", 40, Dict{}, Dict{{"seed", 12}}, 800},
        {"raft_more_than_64", "raft", 70, Dict{}, Dict{{"seed", 13}}, 500},
        {"bully_crashes", "bully", 6, Dict{},
         Dict{{"seed", 14}, {"actions", List{plan(random_node("crash"), 300)}}}, 6000},
        {"bully_partitions", "bully", 5, Dict{},
         Dict{{"seed", 15},
              {"network", bad_links},
              {"actions", List{plan(Dict{{"action", "partition"}}, 700)}}},
         6000},
        {"ring_crashes", "ring", 6, Dict{},
         Dict{{"seed", 16}, {"actions", List{plan(random_node("crash"), 400)}}}, 6000},
        {"ring_bad_links", "ring", 7, Dict{},
         Dict{{"seed", 17},
              {"network", merged(bad_links, Dict{{"one_way_delay_ms",
                                                  Dict{{"kind", "empirical"},
                                                       {"quantiles_ms", List{1, 2, 3, 9}}}}})},
              {"every_node", machines}},
         5000},
        {"le_lann", "le_lann", 24, Dict{{"initiators", nodes({3, 7})}},
         Dict{{"seed", 18}, {"every_node", up_at_once}}, 1000},
        {"chang_roberts", "chang_roberts", 40, Dict{{"order", descending(40)}},
         Dict{{"seed", 19}, {"every_node", up_at_once}}, 1500},
    };
}

std::uint64_t hash_of_table(const TrialTable& table) {
    std::uint64_t hash = golden_gamma;
    for (const auto* column : {&table.from_ms, &table.detection_ms, &table.elected_ms,
                               &table.followed_ms, &table.agreed_ms}) {
        for (const double value : *column) {
            hash_word(hash, std::bit_cast<std::uint64_t>(value));
        }
    }
    for (const auto* column : {&table.candidacies, &table.rounds, &table.messages, &table.events}) {
        for (const std::int64_t value : *column) {
            hash_word(hash, static_cast<std::uint64_t>(value));
        }
    }
    return hash;
}

TrialTable trials(const char* protocol, std::int64_t first, std::int64_t count, unsigned threads) {
    const auto make = find_protocol(protocol).make_trials(
        Dict{}, 5,
        Dict{{"seed", 21},
             {"initial_leader", 1},
             {"network", Dict{{"one_way_delay_ms", Dict{{"kind", "exponential"}, {"mean_ms", 3}}}}},
             {"every_node", Dict{{"write_delay_ms", List{1, 4}}}}},
        Experiment::leader_crash());
    return run_parallel(make, first, count, threads, {});
}

}  // namespace

TEST_CASE("determinism: every run has the trace it always had, twice, and from a fork half-way",
          "[determinism][golden]") {
    golden::check_runs("engine", runs());
}

TEST_CASE("determinism: tables of trials are what they always were", "[determinism][golden]") {
    std::map<std::string, std::uint64_t> now;
    for (const char* protocol : {"raft", "bully", "ring"}) {
        now[protocol] = hash_of_table(trials(protocol, 0, 300, 1));
    }
    golden::check_hashes("trials", now);
}

TEST_CASE("determinism: trials are the same in one thread, in three and one by one",
          "[determinism][golden][threads]") {
    const char* protocol = GENERATE("raft", "bully", "ring");
    const TrialTable one = trials(protocol, 0, 700, 1);
    const TrialTable three = trials(protocol, 0, 700, 3);
    CAPTURE(protocol);
    REQUIRE(one.size() == 700);
    CHECK(hash_of_table(one) == hash_of_table(three));
    for (const std::int64_t trial : {0, 1, 255, 256, 699}) {
        const TrialTable alone = trials(protocol, trial, 1, 1);
        const auto row = static_cast<std::size_t>(trial);
        CHECK(alone.agreed_ms[0] == one.agreed_ms[row]);
        CHECK(alone.events[0] == one.events[row]);
    }
}

TEST_CASE("determinism: another seed or trial is another run", "[determinism]") {
    const auto run = [](std::int64_t seed, std::int64_t trial) {
        Story s("raft", 5, Dict{}, Dict{{"seed", seed}, {"trial", trial}});
        s.until(1000);
        return s->trace().hash();
    };
    CHECK(run(1, 0) != run(2, 0));
    CHECK(run(1, 0) != run(1, 1));
    CHECK(run(1, 0) == run(1, 0));
}

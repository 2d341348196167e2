// One seed fixes everything: the same run on every compiler, at every optimisation level, alone or
// beside others, this year and next. The hashes stand in tests/golden/hashes.txt; after a change
// that is meant to move them, ELECTIONLAB_REWRITE_GOLDEN=1 core_tests [golden] writes them anew.
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "electionlab/core/fields.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

struct Run {
    const char* name;
    const char* protocol;
    NodeId nodes;
    Value options;
    Value config;
    double until_ms;
};

Value plan(const Value& action, double interval_ms) {
    return Dict{
        {"action", "plan"},
        {"plan",
         Dict{{"do", action},
              {"interval_ms", Dict{{"kind", "exponential"}, {"mean_ms", interval_ms}}},
              {"repair_after_ms", Dict{{"kind", "lognormal"}, {"median_ms", 200}, {"sigma", 0.7}}},
              {"keep_up", 2}}}};
}

Value descending(NodeId count) {
    List ids;
    for (NodeId id = count; id >= 1; --id) {
        ids.emplace_back(id);
    }
    return ids;
}

Value random_node(const char* kind) { return Dict{{"action", kind}, {"node", "random"}}; }

// Every kind of distribution, fault and timeout policy decides something in one of these.
std::vector<Run> runs() {
    const Value bad_links =
        Dict{{"one_way_delay_ms", Dict{{"kind", "lognormal"}, {"median_ms", 4}, {"sigma", 0.8}}},
             {"loss_probability", 0.05},
             {"duplicate_probability", 0.05},
             {"reorder_probability", 0.1},
             {"reorder_delay_ms", Dict{{"kind", "pareto"}, {"scale_ms", 8}, {"shape", 1.7}}}};
    const Value machines =
        Dict{{"processing_ms", Dict{{"kind", "normal"}, {"mean_ms", 0.5}, {"deviation_ms", 0.2}}},
             {"write_delay_ms", Dict{{"kind", "hyperexponential"},
                                     {"mean_ms", 1},
                                     {"tail_mean_ms", 30},
                                     {"tail_probability", 0.05}}},
             {"timer_lateness_ms", Dict{{"kind", "exponential"}, {"mean_ms", 0.2}}},
             {"start_ms", List{0, 20}},
             {"clock_drift_ppm", List{-500, 500}}};
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

std::uint64_t play(const Run& run) {
    Story s(run.protocol, run.nodes, run.options, run.config);
    s.until(run.until_ms);
    return s->trace().hash();
}

std::uint64_t hash_of_table(const TrialTable& table) {
    std::uint64_t hash = golden_gamma;
    for (const auto* column : {&table.crash_ms, &table.detection_ms, &table.elected_ms,
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
        LeaderCrash{});
    return run_parallel(make, first, count, threads, {});
}

std::string golden_path() { return std::string(ELECTIONLAB_TESTS_DIR) + "/golden/hashes.txt"; }

std::string hex(std::uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}

std::map<std::string, std::string> golden() {
    std::map<std::string, std::string> hashes;
    std::ifstream file(golden_path());
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string name, hash;
        if (line.rfind("#", 0) != 0 && words >> name >> hash) {
            hashes[name] = hash;
        }
    }
    return hashes;
}

}  // namespace

TEST_CASE("determinism: every run has the trace it always had", "[determinism][golden]") {
    std::map<std::string, std::string> now;
    for (const Run& run : runs()) {
        now[run.name] = hex(play(run));
    }
    for (const char* protocol : {"raft", "bully", "ring"}) {
        now[std::string("trials_") + protocol] = hex(hash_of_table(trials(protocol, 0, 300, 1)));
    }
    if (std::getenv("ELECTIONLAB_REWRITE_GOLDEN") != nullptr) {
        std::ofstream file(golden_path());
        file << "# Hashes of whole traces and of tables of trials; see determinism_test.cpp.\n";
        for (const auto& [name, hash] : now) {
            file << name << " " << hash << "\n";
        }
    }
    const auto known = golden();
    for (const auto& [name, hash] : now) {
        CAPTURE(name);
        CHECK((known.count(name) == 1 ? known.at(name) : "") == hash);
    }
    CHECK(known.size() == now.size());
}

TEST_CASE("determinism: no run of the golden ones is idle", "[determinism][golden]") {
    for (const Run& run : runs()) {
        Story s(run.protocol, run.nodes, run.options, run.config);
        s.until(run.until_ms);
        CAPTURE(run.name);
        CHECK(s->trace().size() > 500);
        CHECK(s.measures().leaderships > 0);
        CHECK(s.violations() == 0);
    }
}

TEST_CASE("determinism: a run comes out the same twice, and from a fork half-way",
          "[determinism][golden]") {
    for (const Run& run : runs()) {
        CAPTURE(run.name);
        const std::uint64_t whole = play(run);
        REQUIRE(play(run) == whole);
        Story s(run.protocol, run.nodes, run.options, run.config);
        s.until(run.until_ms / 2);
        Story fork = s.fork();
        s.until(run.until_ms);
        fork.until(run.until_ms);
        REQUIRE(s->fingerprint() == fork->fingerprint());
        REQUIRE(s->trace().hash() == whole);
        REQUIRE(fork->trace().hash() == whole);
    }
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

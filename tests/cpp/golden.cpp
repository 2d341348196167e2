#include "golden.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "catch_shim.h"

namespace golden {

using namespace story;

namespace {

std::string path_of(const std::string& file) {
    return std::string(ELECTIONLAB_TESTS_DIR) + "/golden/" + file + ".txt";
}

std::string hex(std::uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}

std::map<std::string, std::string> read(const std::string& file) {
    std::map<std::string, std::string> hashes;
    std::ifstream in(path_of(file));
    std::string line;
    while (std::getline(in, line)) {
        std::istringstream words(line);
        std::string name, hash;
        if (line.rfind("#", 0) != 0 && words >> name >> hash) {
            hashes[name] = hash;
        }
    }
    return hashes;
}

}  // namespace

Value plan(const Value& action, double interval_ms) {
    return Dict{
        {"action", "plan"},
        {"plan",
         Dict{{"do", action},
              {"interval_ms", Dict{{"kind", "exponential"}, {"mean_ms", interval_ms}}},
              {"repair_after_ms", Dict{{"kind", "lognormal"}, {"median_ms", 200}, {"sigma", 0.7}}},
              {"keep_up", 2}}}};
}

Value random_node(const char* kind) { return Dict{{"action", kind}, {"node", "random"}}; }

Value bad_links() {
    return Dict{
        {"one_way_delay_ms", Dict{{"kind", "lognormal"}, {"median_ms", 4}, {"sigma", 0.8}}},
        {"loss_probability", 0.05},
        {"duplicate_probability", 0.05},
        {"reorder_probability", 0.1},
        {"reorder_delay_ms", Dict{{"kind", "pareto"}, {"scale_ms", 8}, {"shape", 1.7}}}};
}

Value machines() {
    return Dict{
        {"processing_ms", Dict{{"kind", "normal"}, {"mean_ms", 0.5}, {"deviation_ms", 0.2}}},
        {"write_delay_ms", Dict{{"kind", "hyperexponential"},
                                {"mean_ms", 1},
                                {"tail_mean_ms", 30},
                                {"tail_probability", 0.05}}},
        {"timer_lateness_ms", Dict{{"kind", "exponential"}, {"mean_ms", 0.2}}},
        {"start_ms", List{0, 20}},
        {"clock_drift_ppm", List{-500, 500}}};
}

std::uint64_t play(const Run& run) {
    Story s(run.protocol, run.nodes, run.options, run.config);
    s.until(run.until_ms);
    return s->trace().hash();
}

void check_hashes(const std::string& file, const std::map<std::string, std::uint64_t>& hashes) {
    if (std::getenv("ELECTIONLAB_REWRITE_GOLDEN") != nullptr) {
        std::ofstream out(path_of(file));
        out << "# Hashes of whole traces and of tables of trials; see tests/cpp/golden.h.\n";
        for (const auto& [name, hash] : hashes) {
            out << name << " " << hex(hash) << "\n";
        }
    }
    const auto known = read(file);
    for (const auto& [name, hash] : hashes) {
        CAPTURE(file, name);
        CHECK((known.count(name) == 1 ? known.at(name) : "") == hex(hash));
    }
    CHECK(known.size() == hashes.size());
}

void check_runs(const std::string& file, const std::vector<Run>& runs, std::size_t rows) {
    std::map<std::string, std::uint64_t> hashes;
    for (const Run& run : runs) {
        CAPTURE(run.name);
        Story s(run.protocol, run.nodes, run.options, run.config);
        s.until(run.until_ms / 2);
        Story fork = s.fork();
        s.until(run.until_ms);
        fork.until(run.until_ms);
        const std::uint64_t whole = s->trace().hash();
        CHECK(s->fingerprint() == fork->fingerprint());
        CHECK(fork->trace().hash() == whole);
        CHECK(play(run) == whole);
        CHECK(s->trace().size() > rows);
        CHECK(s.measures().leaderships > 0);
        CHECK(s.violations() == 0);
        CHECK(hashes.emplace(run.name, whole).second);
    }
    check_hashes(file, hashes);
}

}  // namespace golden

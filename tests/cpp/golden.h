// Golden runs of one protocol: the hash of each one's whole trace stands in tests/golden/<file>.txt.
// After a change that is meant to move them, ELECTIONLAB_REWRITE_GOLDEN=1 core_tests [golden] writes
// them anew.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "story.h"

namespace golden {

struct Run {
    const char* name;
    const char* protocol;
    electionlab::NodeId nodes;
    electionlab::Value options;
    electionlab::Value config;
    double until_ms;
};

/// Things that runs are made of: a seeded plan of faults, an action at a random node, bad links and
/// machines with every kind of delay and drift.
electionlab::Value plan(const electionlab::Value& action, double interval_ms);
electionlab::Value random_node(const char* kind);
electionlab::Value bad_links();
electionlab::Value machines();

std::uint64_t play(const Run& run);

/// Compares these hashes with the file's; both must hold the same names.
void check_hashes(const std::string& file, const std::map<std::string, std::uint64_t>& hashes);

/// Plays each run: it has the trace it always had, comes out the same twice and from a fork
/// half-way, has at least so many rows, a leader, and no violation. Needs the tag [golden].
void check_runs(const std::string& file, const std::vector<Run>& runs, std::size_t rows = 500);

}  // namespace golden

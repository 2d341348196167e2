// The search: every order of events to a bound, the shortest first.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "electionlab/check/space.h"
#include "electionlab/core/value.h"

namespace electionlab::check {

struct Progress {
    std::int64_t states = 0;
    std::int64_t transitions = 0;
    std::int64_t depth = 0;
    std::int64_t frontier = 0;  ///< states found and not looked at yet
    std::int64_t bytes = 0;
    double seconds = 0;
};

struct SearchSettings {
    int threads = 1;
    bool stop_at_first = true;      ///< the first violation ends the search
    std::vector<Predicate> sometimes{};
    /// Called now and then; false: stop, and return what is known.
    std::function<bool(const Progress&)> progress{};
};

/// A run, from the start: its steps, and the state after each.
struct Path {
    std::vector<Step> steps;
    std::vector<std::vector<std::uint32_t>> worlds;  ///< one more than steps; the first is the start
};

struct Violation {
    std::string invariant;
    Path path;
};

/// That something can happen: the shortest run to it.
struct Witness {
    std::string name;
    std::optional<Path> path;
};

struct SearchResult {
    std::int64_t states = 0;       ///< different ones, the start included
    std::int64_t transitions = 0;  ///< steps that could be taken in them
    std::int64_t terminal = 0;     ///< states in which none could
    std::int64_t with_leader = 0;  ///< states in which a node acts as leader
    std::int64_t depth = 0;        ///< of the last state found
    std::vector<std::int64_t> levels;  ///< new states by distance from the start
    std::vector<Violation> violations;
    std::vector<Witness> witnesses;
    std::vector<std::string> bounds_hit;  ///< "epoch", "depth", ...: what was not explored, and why
    bool exhausted = false;        ///< every state within the bounds was seen
    bool interrupted = false;      ///< the caller said stop
    std::int64_t peak_bytes = 0;   ///< of states, as kept
    double seconds = 0;
    /// That two different states had one fingerprint, at most: n^2 / 2^65.
    double omission_probability = 0;
    /// What a handler or a predicate threw; it ended the search.
    std::exception_ptr failure{};
};

/// Explores.
SearchResult search(Space& space, const SearchSettings& settings);

/// The worlds along given steps from the start; stops at a step that cannot be taken.
Path follow(Space& space, const std::vector<Step>& steps);

}  // namespace electionlab::check

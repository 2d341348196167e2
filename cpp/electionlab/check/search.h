// The searches: every order of events to a bound.
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

/// In which order states are looked at.
enum class Order : std::uint8_t {
    breadth,  ///< by distance from the start: the first run found is a shortest one
    depth,    ///< one run to its end, then back: little memory beyond the states seen
    walks,    ///< random runs from the start; nothing is remembered
    swarm,    ///< many small depth-first searches in random order, each deeper than the last
};

constexpr std::string_view enum_name(Order order) {
    constexpr std::string_view names[] = {"breadth", "depth", "walks", "swarm"};
    return static_cast<std::size_t>(order) < 4 ? names[static_cast<std::size_t>(order)] : "";
}

struct SearchSettings {
    Order order = Order::breadth;
    /// Breadth first only: whole states are kept and compared, and none is taken for another.
    bool exact = false;
    std::uint64_t seed = 0;         ///< of walks and swarms
    std::int64_t runs = 1000;       ///< walks, or members of a swarm
    int threads = 1;                ///< of breadth, walks and swarm
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
    /// Different ones, the start included; of walks and swarms those looked at, again if seen again.
    std::int64_t states = 0;
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
    /// That two different states had one fingerprint, at most: n^2 / 2^65; 0 when exact.
    double omission_probability = 0;
    std::int64_t collisions = 0;   ///< exact: fingerprints that several states had
    bool shortest = false;         ///< no run found is longer than need be
    /// What a handler or a predicate threw; it ended the search.
    std::exception_ptr failure{};
};

/// Explores, as `settings.order` says.
SearchResult search(Space& space, const SearchSettings& settings);

SearchResult search_breadth_first(Space& space, const SearchSettings& settings);
SearchResult search_exactly(Space& space, const SearchSettings& settings);
SearchResult search_depth_first(Space& space, const SearchSettings& settings);
SearchResult search_walks(Space& space, const SearchSettings& settings);
SearchResult search_swarm(Space& space, const SearchSettings& settings);

/// The worlds along given steps from the start; stops at a step that cannot be taken.
Path follow(Space& space, const std::vector<Step>& steps);

}  // namespace electionlab::check

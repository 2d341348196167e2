// What all ways of searching share: judging states, bounds, progress, and the result.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "electionlab/check/search.h"
#include "electionlab/check/space.h"

namespace electionlab::check {

class Collector {
public:
    Collector(const Space& space, const SearchSettings& settings);

    /// Whether states, and not only steps, are asked about.
    [[nodiscard]] bool looks_at_states() const { return looks_at_states_; }
    /// A bit for each `sometimes` that holds here and was not found yet.
    [[nodiscard]] std::uint64_t wanted_in(World world) const;
    /// A run that breaks the invariants in `bits` and shows the `sometimes` in `wanted`; `path` is
    /// called if one of them is new.
    void found(std::uint64_t bits, std::uint64_t wanted, const std::function<Path()>& path);
    /// A violation was found, and the first is enough.
    [[nodiscard]] bool has_enough() const {
        return settings_.stop_at_first && !result.violations.empty();
    }
    /// After some work: whether to go on, by the bounds and the caller.
    bool goes_on(std::int64_t states, std::int64_t frontier, std::int64_t bytes);
    void hit(const char* bound);
    void hit(const CutOff& cut_off);
    [[nodiscard]] bool stops() const { return stops_; }
    [[nodiscard]] double seconds() const;

    SearchResult finish(std::int64_t states);

    SearchResult result;

private:
    /// All that was wanted was found, and no invariant is left to break.
    [[nodiscard]] bool has_all() const;

    const Space& space_;
    const SearchSettings& settings_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    bool looks_at_states_;
    std::uint64_t broken_ = 0, seen_ = 0;
    std::vector<std::optional<Path>> witnesses_;
    bool stops_ = false;
};

/// Whether a node acts as leader.
bool has_leader(const Space& space, World world);

}  // namespace electionlab::check

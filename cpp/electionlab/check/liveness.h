// That something happens in the end, in every run that is fair; or a run in which it never does.
//
// A run is fair if nothing that can happen from some moment on for ever, a message that may arrive,
// an armed timer that may fire, time that may pass, a pause or a cut that may end, waits for ever
// (weak fairness). Faults need not happen. A counterexample is a "lasso": some steps, and then a
// circle of steps for ever; or some steps, and then nothing more that must happen.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "electionlab/check/search.h"
#include "electionlab/check/space.h"

namespace electionlab::check {

struct Lasso {
    Path prefix;
    Path cycle;       ///< from the prefix's last state back to it; without steps: the run ends there
    Epoch shift = 0;  ///< by how much the circle raises all epochs
};

struct LivenessResult {
    std::int64_t states = 0;       ///< before the goal, the start included
    std::int64_t transitions = 0;
    bool exhausted = false;        ///< all of them were seen
    bool interrupted = false;
    std::vector<std::string> bounds_hit;
    std::optional<Lasso> counterexample;
    double seconds = 0;
    std::exception_ptr failure{};
};

/// Looks for a fair run from the start in which `goal` never holds. Steps that a bound cuts off may
/// lead anywhere: no run is reported that must take one.
///
/// Where a protocol tells which of its fields are epochs, states that differ by one shift of all of
/// them are one, with the least at 1; a bound on epochs is then one on how far they are apart. Then
/// `goal` must not depend on their numbers. What a node does that it would not do in higher epochs is
/// cut off; and each circle found is gone along three times, in true epochs, before it is reported.
LivenessResult search_lasso(Space& space, const Predicate& goal,
                            const std::function<bool(const Progress&)>& progress);

/// The prefix and so many rounds of the circle; `std::runtime_error` when it cannot be gone along.
Path unroll(Space& space, const Lasso& lasso, int rounds);

}  // namespace electionlab::check

// The checker on the reference model, three nodes: how many states a second, at how many bytes.
//
//     checker [T [threads [variant [symmetry]]]]
//
// T is the highest term, variant one of base, loss, dup, restart and amnesia (which is searched to
// its end, past the violation). Wrong counts of states end the program with an error.
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>

#include "check/reference_model.h"
#include "electionlab/check/protocol_rules.h"
#include "electionlab/check/search.h"

namespace {

using namespace electionlab;
using namespace electionlab::check;
using reference::Model;

struct Expected {
    const char* variant;
    Epoch terms;
    bool symmetry;
    std::int64_t states;
};

// Counted by other programs: tests/python/test_reference_model.py, bench/peers.
constexpr Expected all_expected[] = {
    {"base", 1, false, 1111},     {"base", 1, true, 205},      {"loss", 1, false, 1396},
    {"loss", 1, true, 255},       {"dup", 1, false, 197},      {"dup", 1, true, 41},
    {"restart", 1, false, 5138},  {"restart", 1, true, 911},   {"amnesia", 1, false, 8798},
    {"amnesia", 1, true, 1521},   {"base", 2, false, 3365561},
};

std::int64_t peak_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return std::int64_t{usage.ru_maxrss} * 1024;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
    const Epoch terms = argc > 1 ? std::atoi(argv[1]) : 2;
    const std::string variant = argc > 3 ? argv[3] : "base";
    SearchSettings how;
    how.threads = argc > 2 ? std::atoi(argv[2]) : 1;
    how.stop_at_first = false;
    SpaceSettings what;
    what.symmetry = argc > 4 && std::string(argv[4]) == "symmetry";
    what.bounds.epoch = terms;
    what.properties = 1;
    reference::ModelOptions options;
    if (variant == "loss") {
        what.budget.losses = unlimited;
    } else if (variant == "dup") {
        what.network = NetworkKind::duplicating;
    } else if (variant == "restart" || variant == "amnesia") {
        what.budget.reboots = 1;
        options.amnesia = variant == "amnesia";
    }

    ProtocolRules<Model> rules(std::make_shared<const reference::ModelOptions>(options), 3,
                               describe<Model>(), RulesRequest{});
    Space space(rules, what);
    const double cpu = cpu_seconds();
    const SearchResult result = search(space, how);
    const double used = cpu_seconds() - cpu;
    const std::int64_t bytes = peak_bytes();
    const auto number = [](std::int64_t n) { return static_cast<long long>(n); };
    std::printf("states %lld transitions %lld terminal %lld seconds %.6f cpu_seconds %.6f",
                number(result.states), number(result.transitions), number(result.terminal),
                result.seconds, used);
    std::printf(" peak_bytes %lld states_a_second %.0f bytes_a_state %.1f", number(bytes),
                static_cast<double>(result.states) / result.seconds,
                static_cast<double>(bytes) / static_cast<double>(result.states));
    if (!result.violations.empty()) {
        std::printf(" steps %zu", result.violations[0].path.steps.size());
    }
    std::printf("\n");

    for (const Expected& e : all_expected) {
        if (variant == e.variant && terms == e.terms && what.symmetry == e.symmetry &&
            result.states != e.states) {
            std::fprintf(stderr, "%lld states, not %lld\n", number(result.states), number(e.states));
            return 1;
        }
    }
    return result.exhausted ? 0 : 1;
}

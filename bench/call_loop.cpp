// Raft's heartbeats among five nodes, driven in C++: what a bulk run from Python is held against.
//
//     call_loop < counts      for each number of events, a line with its CPU time in nanoseconds
#include <cstdint>
#include <ctime>
#include <iostream>
#include <memory>

#include "electionlab/protocols/raft.h"
#include "electionlab/sim/simulation.h"

int main() {
    using namespace electionlab;
    auto config = std::make_shared<SimulationConfig>();
    config->seed = 1;
    config->initial_leader = 1;
    Simulation<Raft<64>> simulation(std::make_shared<RaftOptions>(), 5, config,
                                    describe<Raft<64>>());
    for (std::int64_t events = 0; std::cin >> events;) {
        const std::clock_t start = std::clock();
        simulation.run(Instant::never(), events, [](const auto&) { return false; });
        std::cout << static_cast<double>(std::clock() - start) * 1e9 / CLOCKS_PER_SEC << std::endl;
    }
    return 0;
}

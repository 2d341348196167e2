// Elects a leader with the installed library alone: once through the catalogue, by name, and once
// with the protocol's own type.
#include <cstdio>
#include <memory>

#include "electionlab/catalog/catalog.h"
#include "electionlab/protocols/bully.h"
#include "electionlab/sim/simulation.h"

using namespace electionlab;

int main() {
    const auto cluster = find_protocol("raft").make_cluster(Value::Dict{}, 5, Value::Dict{}, true);
    cluster->run(Instant{} + ms(5'000), 100'000, StopWhen::agreement, {});
    std::printf("raft: node %u leads\n", static_cast<unsigned>(cluster->leader()));

    Simulation<Bully> bully(std::make_shared<BullyOptions>(), 5, std::make_shared<SimulationConfig>(),
                            describe<Bully>());
    bully.run(Instant{} + ms(5'000), 100'000, [](const auto&) { return false; });
    std::printf("bully: node %u leads\n", static_cast<unsigned>(bully.leader()));
    return cluster->leader() != no_node && bully.leader() == 5 ? 0 : 1;
}

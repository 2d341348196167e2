#include "electionlab/catalog/entry.h"

#include <string>
#include <utility>

namespace electionlab::detail {

void check_nodes(NodeId nodes, NodeId most) {
    if (nodes < 1 || nodes > most) {
        invalid("nodes", std::to_string(nodes),
                "must be a whole number from 1 to " + std::to_string(most));
    }
}

void check_record(bool record, NodeId nodes) {
    if (record && nodes > max_nodes) {
        invalid("record", "True", "must be False with more than " + std::to_string(max_nodes) +
                                      " nodes: trace and history would fill the memory");
    }
}

namespace {

// What actions may name; `messages` are kept by the caller.
ActionScope scope_of(const Description& protocol, const std::vector<ActorKind>& kinds, NodeId nodes,
                     std::vector<std::string>& messages) {
    for (const KindInfo& kind : protocol.messages) {
        messages.push_back(kind.name);
    }
    ActionScope scope{nodes, &protocol.timers, &messages, &protocol};
    for (const ActorKind& kind : kinds) {
        scope.actors += kind.count;
    }
    return scope;
}

}  // namespace

std::shared_ptr<const SimulationConfig> checked_config(const Description& protocol,
                                                       const std::vector<ActorKind>& kinds,
                                                       NodeId nodes, const Value& config) {
    std::vector<std::string> messages;
    const ActionScope scope = scope_of(protocol, kinds, nodes, messages);
    return std::make_shared<const SimulationConfig>(
        SimulationConfig::from_value(config, nodes, scope));
}

std::shared_ptr<const Experiment> checked_experiment(const Description& protocol,
                                                     const std::vector<ActorKind>& kinds, NodeId nodes,
                                                     Experiment experiment) {
    std::vector<std::string> messages;
    experiment.prepare(scope_of(protocol, kinds, nodes, messages));
    return std::make_shared<const Experiment>(std::move(experiment));
}

}  // namespace electionlab::detail

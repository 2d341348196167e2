// How a protocol becomes a catalogue entry. Included by the one source file of each protocol here,
// because it compiles the simulator for that protocol.
#pragma once

#include <memory>
#include <vector>

#include "electionlab/catalog/catalog.h"
#include "electionlab/check/protocol_rules.h"
#include "electionlab/services/at_work.h"
#include "electionlab/sim/recorded_cluster.h"
#include "electionlab/sim/simulation.h"

namespace electionlab {

namespace detail {

/// `InvalidArgument` unless a cluster may have so many members.
void check_nodes(NodeId nodes, NodeId most);
/// `InvalidArgument` unless a cluster of so many may be recorded, if it is to be.
void check_record(bool record, NodeId nodes);

template <class P>
std::shared_ptr<const typename P::Options> checked_options(const Value& options, NodeId nodes,
                                                           NodeId most) {
    check_nodes(nodes, most);
    auto read = options_from_value<typename P::Options>(options);
    read.validate(nodes);
    if constexpr (requires { read.prepare(nodes); }) {
        read.prepare(nodes);
    }
    return std::make_shared<const typename P::Options>(std::move(read));
}

/// `kinds`: the services that run beside the members.
std::shared_ptr<const SimulationConfig> checked_config(const Description& protocol,
                                                       const std::vector<ActorKind>& kinds,
                                                       NodeId nodes, const Value& config);

template <class P>
std::shared_ptr<const SimulationConfig> checked_config(const typename P::Options& options,
                                                       NodeId nodes, const Value& config) {
    return checked_config(describe<P>(), actor_kinds<P>(options, nodes), nodes, config);
}

/// The same experiment with its actions read.
std::shared_ptr<const Experiment> checked_experiment(const Description& protocol,
                                                     const std::vector<ActorKind>& kinds, NodeId nodes,
                                                     Experiment experiment);

template <class P>
std::unique_ptr<Cluster> make_cluster(const Value& options, NodeId nodes, NodeId most,
                                      const Value& config, bool record) {
    const auto checked = checked_options<P>(options, nodes, most);
    check_record(record, nodes);
    return std::make_unique<RecordedCluster<P>>(checked, nodes, checked_config<P>(*checked, nodes, config),
                                                describe<P>(), record);
}

template <class P>
RunnerFactory make_trials(const Value& options, NodeId nodes, NodeId most, const Value& config,
                          const Experiment& experiment) {
    const auto checked = checked_options<P>(options, nodes, most);
    const auto setup = checked_config<P>(*checked, nodes, config);
    const auto prepared = checked_experiment(describe<P>(), actor_kinds<P>(*checked, nodes), nodes,
                                             experiment);
    return [=]() -> BlockRunner {
        const auto simulation =
            std::make_shared<Simulation<P>>(checked, nodes, setup, describe<P>());
        const auto due = std::make_shared<DueMoments>();
        return [=](std::int64_t first, std::int64_t count, TrialTable& table, std::int64_t offset,
                   const std::atomic<bool>& cancelled, std::atomic<std::int64_t>& finished) {
            return run_trials(*simulation, *prepared, setup->seed, first, count, table, offset,
                              cancelled, finished, *due);
        };
    };
}

template <class P>
std::unique_ptr<check::Rules> make_rules(const Value& options, NodeId nodes, NodeId most,
                                         const check::RulesRequest& request) {
    return std::make_unique<check::ProtocolRules<P>>(checked_options<P>(options, nodes, most), nodes,
                                                     describe<P>(), request);
}

}  // namespace detail

/// An entry for P, with up to `Most` members. `Large` is the same protocol with room for so many
/// where its state has sets of nodes (beyond `Small` members it takes over), and P itself otherwise.
template <class P, class Large = P, NodeId Small = 64, NodeId Most = max_nodes>
CatalogEntry catalog_entry() {
    return {
        .describe = &describe<P>,
        .max_nodes = Most,
        .check_options =
            [](const Value& options, NodeId nodes) {
                return options_to_value(*detail::checked_options<P>(options, nodes, Most));
            },
        .option_warnings =
            [](const Value& options, NodeId nodes) {
                return option_warnings(*detail::checked_options<P>(options, nodes, Most));
            },
        .make_cluster =
            [](const Value& options, NodeId nodes, const Value& config, bool record) {
                return nodes <= Small
                           ? detail::make_cluster<P>(options, nodes, Most, config, record)
                           : detail::make_cluster<Large>(options, nodes, Most, config, record);
            },
        .make_trials =
            [](const Value& options, NodeId nodes, const Value& config, const Experiment& experiment) {
                return nodes <= Small
                           ? detail::make_trials<P>(options, nodes, Most, config, experiment)
                           : detail::make_trials<Large>(options, nodes, Most, config, experiment);
            },
        .make_rules =
            [](const Value& options, NodeId nodes, const check::RulesRequest& request) {
                return detail::make_rules<P>(options, nodes, std::min(Small, Most), request);
            },
    };
}

/// An entry for P with a resource that its leaders work on.
template <class P>
CatalogEntry at_work_entry() {
    return catalog_entry<AtWork<P>, AtWork<P>, 64, 64>();
}

}  // namespace electionlab

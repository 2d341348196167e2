// Every protocol by name, joined with the simulator and the sweeps. The list stands in
// catalog.cpp; a new protocol adds one line there and one source file beside it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "electionlab/check/rules.h"
#include "electionlab/core/value.h"
#include "electionlab/node/protocol.h"
#include "electionlab/sim/cluster.h"
#include "electionlab/sweep/trials.h"

namespace electionlab {

/// The most nodes a cluster may have, unless a protocol's entry says otherwise; with a trace and a
/// history, whatever it says.
inline constexpr NodeId max_nodes = 10'000;
/// The same for protocols whose nodes know nothing of most others and have no timers.
inline constexpr NodeId max_light_nodes = 1'000'000;

struct CatalogEntry {
    /// What the protocol is: names, fields, options.
    const Description& (*describe)();
    /// The most members that its clusters may have.
    NodeId max_nodes;
    /// Checks options (a dictionary) for so many nodes and returns them whole, defaults filled in.
    Value (*check_options)(const Value& options, NodeId nodes);
    /// What a user should know of options that are allowed; one sentence each.
    std::vector<std::string> (*option_warnings)(const Value& options, NodeId nodes);
    /// A cluster at time 0. All arguments are checked; `InvalidArgument` names the bad one.
    std::unique_ptr<Cluster> (*make_cluster)(const Value& options, NodeId nodes, const Value& config,
                                             bool record);
    /// Makes runners of leader-crash trials, one for each thread.
    RunnerFactory (*make_trials)(const Value& options, NodeId nodes, const Value& config,
                                 const Experiment& experiment);
    /// What the checker explores: the same handlers.
    std::unique_ptr<check::Rules> (*make_rules)(const Value& options, NodeId nodes,
                                                const check::RulesRequest& request);
};

/// All protocols, in the order of the list.
std::span<const CatalogEntry> catalog();

/// Protocols with a resource that their leaders work on (services/at_work.h), each under its
/// protocol's name and "_at_work".
std::span<const CatalogEntry> catalog_at_work();

/// The entry of that name in either list; `InvalidArgument` lists the names of all protocols.
const CatalogEntry& find_protocol(std::string_view name);

}  // namespace electionlab

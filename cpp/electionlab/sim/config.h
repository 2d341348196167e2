// What a simulated cluster is made of, besides its protocol: network, nodes, seed, schedule.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "electionlab/core/distribution.h"
#include "electionlab/core/ids.h"
#include "electionlab/sim/action.h"
#include "electionlab/sim/network.h"

namespace electionlab {

/// What a durable write does to its node while it lasts.
enum class WriteMode : std::uint8_t {
    blocking,   ///< the node handles nothing until the write is done (a synchronous fsync)
    pipelined,  ///< the node goes on, but nothing it sends leaves before its earlier writes are done
};

constexpr std::string_view enum_name(WriteMode mode) {
    constexpr std::string_view names[] = {"blocking", "pipelined"};
    return static_cast<std::size_t>(mode) < 2 ? names[static_cast<std::size_t>(mode)] : "";
}

/// A node's surroundings: its machine, disk and clock.
struct NodeConfig {
    Distribution processing;      ///< time to handle a message, one after the other; 0: at once.
                                  ///< Timers and the start take no time, but wait their turn
    Distribution write_delay;     ///< of a durable write
    Distribution timer_lateness;  ///< how late an expired timer's handler runs
    Distribution start;           ///< when the node is switched on
    Duration clock_offset{};      ///< what its clock shows at time 0
    std::int64_t clock_drift_ppb = 0;  ///< its clock runs this many parts per billion fast, ...
    std::int64_t clock_drift_max_ppb = 0;  ///< ... or between the two, drawn once a trial

    [[nodiscard]] Value to_value() const;
    static NodeConfig from_value(const Value& value, const NodeConfig& otherwise, std::string_view name);
};

struct SimulationConfig {
    std::uint64_t seed = 0;
    std::uint64_t trial = 0;
    Network network;
    WriteMode write_mode = WriteMode::blocking;
    NodeConfig every_node;
    std::vector<std::pair<NodeId, NodeConfig>> nodes;  ///< exceptions, ascending
    NodeId initial_leader = no_node;
    std::vector<Action> actions;                       ///< taken before the first event: schedules
    bool one_leader_at_a_time = false;                 ///< also report two that act at one instant

    [[nodiscard]] const NodeConfig& node(NodeId id) const;
    [[nodiscard]] Value to_value() const;
    /// `InvalidArgument` names the bad entry, its value and what is allowed.
    static SimulationConfig from_value(const Value& value, NodeId members, const ActionScope& scope);
};

}  // namespace electionlab

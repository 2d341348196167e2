// One step of a run that the checker explores.
#pragma once

#include <cstdint>
#include <string_view>

#include "electionlab/check/rules.h"
#include "electionlab/core/ids.h"

namespace electionlab::check {

enum class StepKind : std::uint8_t {
    deliver,
    drop_at_down,  ///< a message arrives at a node that is down, or across a cut: it is lost
    lose,
    duplicate,
    fire,
    crash,
    restart,
    restart_empty,
    reboot,
    pause,
    resume,
    partition,
    heal,
    command,
    tick,  ///< time passes, by one tick
    start, ///< of nodes that draw by lot then
};

constexpr std::string_view enum_name(StepKind kind) {
    constexpr std::string_view names[] = {"deliver",       "arrive_in_vain", "lose",   "duplicate",
                                          "fire",          "crash",          "restart", "restart_empty",
                                          "reboot",        "pause",          "resume", "partition",
                                          "heal",          "command",        "tick",   "start"};
    return static_cast<std::size_t>(kind) < 16 ? names[static_cast<std::size_t>(kind)] : "";
}

struct Step {
    StepKind kind = StepKind::deliver;
    NodeId node = no_node;   ///< whom it happens to
    std::uint32_t what = 0;  ///< something in flight, a slot of a timer, a partition, a command
    std::uint32_t draw = 0;  ///< the draw of a node that draws by lot, counted from 1

    friend bool operator==(const Step&, const Step&) = default;
};

}  // namespace electionlab::check

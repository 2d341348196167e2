// A timer as a protocol asks for it: by name and with a range; whoever runs the protocol draws.
#pragma once

#include <cstdint>
#include <string_view>

#include "electionlab/core/time.h"

namespace electionlab {

/// How a randomised timeout is drawn from its range. Real systems have shipped each of them.
enum class TimeoutPolicy : std::uint8_t {
    redrawn,           ///< anew at every arming (Raft, section 5.2)
    drawn_once,        ///< once per start of the node, then kept
    redrawn_each_tick, ///< at each tick past `min`, fires when the time past it exceeds a new draw
    quantised,         ///< a whole number of ticks, counted on the node's own tick (etcd)
    rounded,           ///< redrawn and rounded to whole ticks: half the weight at both ends (LogCabin)
};

constexpr std::string_view enum_name(TimeoutPolicy policy) {
    constexpr std::string_view names[] = {"redrawn", "drawn_once", "redrawn_each_tick", "quantised",
                                          "rounded"};
    return static_cast<std::size_t>(policy) < 5 ? names[static_cast<std::size_t>(policy)] : "";
}

/// One arming of a timer, measured on the node's own clock. The checker ignores all of it.
struct TimerSpec {
    Duration min;
    Duration max;
    TimeoutPolicy policy = TimeoutPolicy::redrawn;
    Duration tick{};  ///< of the policies with ticks

    static constexpr TimerSpec fixed(Duration d) { return {d, d}; }
    static constexpr TimerSpec between(DurationRange range) { return {range.min, range.max}; }
};

}  // namespace electionlab

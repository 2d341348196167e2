// What one step of a cluster did, and what may happen next.
#pragma once

#include <cstdint>
#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"
#include "electionlab/node/view.h"
#include "electionlab/sim/trace.h"

namespace electionlab {

/// One step: an input that a node handled, a message lost on arrival, or an action.
struct Event {
    std::int64_t step = 0;  ///< 1 and up; 0: nothing was left to happen
    Instant at;
    RowKind kind = RowKind::start;  ///< start, deliver, drop, timer, wait, lapse or action
    std::uint8_t detail = 0;        ///< drop: `DropReason`; action: `ActionKind`
    std::int8_t message_kind = -1;
    std::int8_t timer = -1;
    NodeId node = no_node;
    NodeId peer = no_node;
    std::int64_t message = -1;
    View view;                      ///< of `node`, after the step

    explicit operator bool() const { return step != 0; }
};

/// Something that may happen next: a message in flight, an armed timer, a scheduled action.
struct PendingEvent {
    enum class Kind : std::uint8_t { message, timer, action, start };

    Kind kind = Kind::message;
    Instant at;                 ///< when it is due, if nobody interferes
    NodeId node = no_node;      ///< receiver, or the timer's node
    NodeId peer = no_node;      ///< sender
    std::int64_t message = -1;  ///< its number, for `deliver`, `drop`, ...
    std::int8_t message_kind = -1;
    std::int8_t timer = -1;
    Instant sent;
    Value fields;               ///< the message's fields, or the action
};

constexpr std::string_view enum_name(PendingEvent::Kind kind) {
    constexpr std::string_view names[] = {"message", "timer", "action", "start"};
    return static_cast<std::size_t>(kind) < 4 ? names[static_cast<std::size_t>(kind)] : "";
}

/// How often each fault was asked for and how often it changed anything.
struct FaultCounts {
    std::int64_t asked[21] = {};      ///< by `ActionKind`
    std::int64_t effective[21] = {};
    std::int64_t lost = 0;            ///< messages lost by chance
    std::int64_t duplicated = 0;
    std::int64_t held_up = 0;         ///< messages given the extra delay of reordering
    std::int64_t overtaken = 0;       ///< messages that arrived after one sent later on their link
    std::int64_t cut = 0;             ///< messages lost to a cut link
    std::int64_t receiver_down = 0;
    std::int64_t unsent = 0;          ///< messages that a crash kept from leaving
    std::int64_t writes_lost = 0;     ///< durable writes that a crash interrupted
    std::int64_t disks_lost = 0;      ///< disks that were lost with something on them
    std::int64_t held_by_pause = 0;   ///< events that happened late because of a pause
    std::int64_t held_by_load = 0;    ///< events that waited for a busy node
    std::int64_t timers_on_odd_clocks = 0;  ///< timers set on a clock that drifts
};

}  // namespace electionlab

// Everything that is done to a running cluster from outside, as one kind of value.
//
// A fault by hand, a fault at a time, at a condition or at random, and a message chosen by the
// user are the same `Action`; a run is its configuration, its seed and the actions with the step
// before which each was taken. That is all a replay needs.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "electionlab/core/distribution.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"
#include "electionlab/node/protocol.h"
#include "electionlab/sim/network.h"

namespace electionlab {

/// What can be done to a cluster. The numbers are part of every trace file: append, never renumber.
enum class ActionKind : std::uint8_t {
    crash,      ///< a node stops at once: memory lost, unfinished writes lost, unsent messages lost;
                ///< before its start: it does not start
    restart,    ///< it starts again with its disk, or with an empty one
    pause,      ///< it stands still (garbage collection, SIGSTOP): its events happen late, and
                ///< what it was about to send leaves late
    resume,
    partition,  ///< cuts every link between nodes of different groups
    cut,        ///< cuts the links from some nodes to some others, one way or both
    mend,       ///< undoes `cut`
    heal,       ///< mends every link
    link,       ///< gives links another delay, loss, duplication, ...
    clock,      ///< sets a node's clock: its offset, its rate, or both
    slow,       ///< every message takes a node this long to handle; timers and starts take no time
    disk,       ///< every durable write of a node takes this long
    deliver,    ///< a message in flight arrives now; of copies, here and below, the earliest
    drop,       ///< a message in flight is lost
    duplicate,  ///< a second copy of a message in flight
    delay,      ///< a message in flight takes longer
    fire,       ///< an armed timer expires now
    at,         ///< an action at a time
    when,       ///< an action at a condition
    plan,       ///< actions at random
    command,    ///< a client or user asks a node for something that its protocol knows
};

/// How many kinds there are: one more than the last.
inline constexpr std::size_t action_kinds = static_cast<std::size_t>(ActionKind::command) + 1;

constexpr std::string_view enum_name(ActionKind kind) {
    constexpr std::string_view names[] = {
        "crash", "restart", "pause", "resume", "partition", "cut",   "mend",
        "heal",  "link",    "clock", "slow",   "disk",      "deliver", "drop",
        "duplicate", "delay", "fire", "at",    "when",      "plan",    "command"};
    static_assert(std::size(names) == action_kinds);
    return static_cast<std::size_t>(kind) < action_kinds ? names[static_cast<std::size_t>(kind)] : "";
}

/// Which node an action means; all but `node` are looked up when the action is carried out.
enum class Target : std::uint8_t {
    node,      ///< the given one
    leader,    ///< the acting leader of the highest epoch
    follower,  ///< the lowest live node that does not lead
    random,    ///< a live member, drawn from the seed
    trigger,   ///< of a condition: the node that met it
};

constexpr std::string_view enum_name(Target target) {
    constexpr std::string_view names[] = {"node", "leader", "follower", "random", "trigger"};
    return static_cast<std::size_t>(target) < 5 ? names[static_cast<std::size_t>(target)] : "";
}

/// Met when a node's view changes to this, or when it sends a message of this kind.
struct Condition {
    NodeId node = no_node;           ///< `no_node`: any node
    std::optional<Role> role{};      ///< it takes this role
    Epoch epoch = 0;                 ///< and its epoch is at least this
    std::string message{};           ///< it sends a message of this kind (instead of a role)
    int occurrence = 1;              ///< at the how-manieth time, 1 and up
};

struct Action;

/// Actions at random times, from the seed. `action` with target `random`, a partition without
/// groups or a cut without nodes is drawn anew each time, all from a stream of the plan's own.
struct FaultPlan {
    std::shared_ptr<const Action> action{};
    Distribution interval = Distribution::exponential(seconds(10));  ///< between two of them
    Distribution repair_after = Distribution::exponential(seconds(1));
    bool repair = true;   ///< restart, resume, mend after `repair_after`
    Instant from{};
    Instant until = Instant::never();
    NodeId keep_up = 0;   ///< crash or pause nobody when no more than so many members are up
    std::uint64_t seed = 0;
};

struct Action {
    ActionKind kind = ActionKind::heal;
    Target target = Target::node;
    NodeId node = no_node;
    bool lose_disk = false;                     ///< restart
    std::optional<Duration> repair_after{};     ///< crash: restart, pause: resume, after so long
    std::vector<std::vector<NodeId>> groups{};  ///< partition: the groups; cut, mend: from and to
    bool both_ways = false;                     ///< cut, mend, link; unless told, a link only
    std::int64_t message = 0;                   ///< deliver, drop, duplicate, delay: its number
    std::uint32_t timer = 0;                    ///< fire
    std::string timer_name{};                   ///< fire: the same timer, by name
    NodeId about = no_node;                     ///< fire: whom the timer is about
    std::string command{};                      ///< command: its name
    Value fields{};                             ///< command: what it says
    Duration duration{};                        ///< delay: by how much
    std::optional<Duration> clock_offset{};     ///< clock: set to so much ahead of true time
    std::optional<std::int64_t> drift_ppb{};    ///< clock: from now on so much faster
    Distribution distribution{};                ///< slow, disk
    Value link{};                               ///< link: what to change; groups: from and to
    Instant at{};                               ///< at
    Condition condition{};                      ///< when
    std::shared_ptr<const Action> inner{};      ///< at, when
    FaultPlan plan{};                           ///< plan

    [[nodiscard]] Value to_value() const;
};

/// What an action may refer to, for reading it from a dictionary.
struct ActionScope {
    NodeId actors = 0;
    const std::vector<std::string>* timers = nullptr;
    const std::vector<std::string>* messages = nullptr;
    const Description* protocol = nullptr;  ///< for commands, and timers about peers
};

/// Reads {"action": "crash", "node": 3} and the like; `InvalidArgument` names the bad entry.
Action action_from_value(const Value& value, const ActionScope& scope);

/// The offset or drift bounds of a clock: rates from half to double speed.
inline constexpr std::int64_t max_drift_ppb = 500'000'000;

}  // namespace electionlab

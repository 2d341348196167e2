// What the checker needs to know of a protocol: its nodes and messages as numbers, and what a node
// does on an input, worked out once and looked up from then on.
//
// A cluster of a few nodes has few states of one node and few different messages; what is many is
// their combinations. So every state of a node and every message is kept once and has a number,
// a state of the cluster is a row of numbers, and a handler runs once for each (state of a node,
// input). The searches therefore never see a protocol, and are compiled once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "electionlab/check/stable_array.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/value.h"
#include "electionlab/node/protocol.h"
#include "electionlab/node/timer.h"
#include "electionlab/node/view.h"

namespace electionlab::check {

/// The number of a node's state, or of a message with its sender and receiver.
using LocalId = std::uint32_t;
using MessageId = std::uint32_t;

/// What one node is given.
enum class InputKind : std::uint8_t {
    start,
    deliver,
    fire,
    crash,
    restart,
    restart_empty,  ///< with its disk lost
    reboot,         ///< crash and restart in one step
    pause,
    resume,
    command,
};

/// An input of a node; `what` is a message, a slot of a timer, or the number of a command.
struct Input {
    InputKind kind = InputKind::start;
    std::uint32_t what = 0;
};

/// A state of a node, as the searches see it.
struct LocalInfo {
    NodeId node = no_node;
    View view;                 ///< as everybody outside sees it: down, paused, ...
    bool up = false;
    bool paused = false;
    std::uint64_t armed = 0;   ///< a bit for each slot of a timer
    std::uint64_t hash = 0;    ///< of everything, the node's number included
};

struct MessageInfo {
    NodeId from = no_node;
    NodeId to = no_node;
    std::uint32_t kind = 0;
    std::uint64_t hash = 0;    ///< of everything, sender and receiver included
};

/// A command that a client may give once, at any moment.
struct GivenCommand {
    NodeId node = no_node;
    std::string name{};
    Value fields{};
};

/// What the rules of a protocol depend on, besides its options and size.
struct RulesRequest {
    NodeId initial_leader = no_node;
    std::vector<GivenCommand> commands{};
    bool twice = false;  ///< each handler runs twice on equal inputs, to see whether it is deterministic
};

/// A timer that a handler set (`armed`) or cancelled.
struct TimerChange {
    std::uint32_t slot = 0;
    bool armed = false;
    TimerSpec spec{};
};

/// What a node did on an input.
struct Reaction {
    LocalId before = 0;
    LocalId after = 0;
    std::vector<MessageId> sends{};
    std::vector<TimerChange> timers{};
    std::uint64_t broken = 0;  ///< a bit for each promise that it broke
    bool claims = false;       ///< it begins to lead, or to lead in another epoch
};

/// A protocol of some options and size. All of it may be called by several threads at once.
class Rules {
public:
    Rules() = default;
    Rules(const Rules&) = delete;
    Rules& operator=(const Rules&) = delete;
    virtual ~Rules() = default;

    [[nodiscard]] virtual const Description& description() const = 0;
    [[nodiscard]] virtual NodeId members() const = 0;
    [[nodiscard]] virtual NodeId actors() const = 0;
    /// A node before its start.
    virtual LocalId initial(NodeId node) = 0;
    /// What a node in this state does on an input.
    virtual Reaction react(LocalId local, Input input) = 0;
    /// A bit for each property of all nodes that does not hold; `locals` are those of all actors.
    virtual std::uint64_t broken_properties(std::span<const LocalId> locals) = 0;
    /// Whether a message to this node can no longer change it nor make it send, whatever comes; of
    /// protocols that know. It may then be taken out of flight (see `SpaceSettings::drop_stale`).
    [[nodiscard]] virtual bool is_stale(LocalId receiver, MessageId message) const = 0;
    [[nodiscard]] virtual bool knows_stale() const = 0;
    /// Whether nodes differ by their names only, so that states may be renamed.
    [[nodiscard]] virtual bool symmetric() const = 0;
    /// The hash that a state or a message would have if node i were called names[i - 1].
    virtual std::uint64_t renamed_local(LocalId local, std::span<const NodeId> names) = 0;
    virtual std::uint64_t renamed_message(MessageId message, std::span<const NodeId> names) = 0;
    /// By field, for people.
    [[nodiscard]] virtual Value local_value(LocalId local) const = 0;
    [[nodiscard]] virtual Value message_value(MessageId message) const = 0;
    [[nodiscard]] virtual std::string timer_name(std::uint32_t slot) const = 0;
    [[nodiscard]] virtual NodeId timer_about(std::uint32_t slot) const = 0;
    /// Whether two executions of a handler on the same input differed.
    [[nodiscard]] virtual std::string nondeterminism() const = 0;
    /// Whether a handler has done something else because its clock showed another time; the clocks
    /// of the checker stand at 0.
    [[nodiscard]] virtual bool reads_clock() const = 0;

    [[nodiscard]] const LocalInfo& local(LocalId id) const { return locals_[id]; }
    [[nodiscard]] const MessageInfo& message(MessageId id) const { return messages_[id]; }
    [[nodiscard]] std::uint32_t local_count() const { return locals_.size(); }
    [[nodiscard]] std::uint32_t message_count() const { return messages_.size(); }

protected:
    StableArray<LocalInfo> locals_;
    StableArray<MessageInfo> messages_;
};

}  // namespace electionlab::check

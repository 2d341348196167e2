// What the checker needs to know of a protocol: its nodes and messages as numbers, and what a node
// does on an input, worked out once and looked up from then on.
//
// A cluster of a few nodes has few states of one node and few different messages; what is many is
// their combinations. So every state of a node and every message is kept once and has a number,
// a state of the cluster is a row of numbers, and a handler runs once for each (state of a node,
// input). The searches therefore never see a protocol, and are compiled once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "electionlab/check/stable_array.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"
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
    std::uint32_t choice = 0;  ///< of a node that draws by lot: which draw, see `Reaction::choices`
};

/// A state of a node, as the searches see it.
struct LocalInfo {
    NodeId node = no_node;
    View view;                 ///< as everybody outside sees it: down, paused, ...
    bool up = false;
    bool paused = false;
    bool started = false;      ///< at some time
    bool ages = false;         ///< it looks at moments of a clock, so that time changes it
    std::uint32_t ticks = 0;   ///< since the start, where clocks show it
    Epoch least_epoch = 0;     ///< of those declared that are not 0; 0: none is
    std::uint64_t armed = 0;   ///< a bit for each slot of a timer
    std::uint64_t hash = 0;    ///< of everything, the node's number included
};

struct MessageInfo {
    NodeId from = no_node;
    NodeId to = no_node;
    std::uint32_t kind = 0;
    bool ages = false;
    Epoch least_epoch = 0;
    std::uint64_t hash = 0;    ///< of everything, sender and receiver included
};

/// A command that a client may give once, at any moment.
struct GivenCommand {
    NodeId node = no_node;
    std::string name{};
    Value fields{};
};

/// How the clocks of the nodes go on.
///
/// A clock shows the same time whenever its node does something, the horizon; what goes on with each
/// tick are the moments that nodes and messages keep: they fall behind. One that has fallen behind by
/// the horizon stays there, at 0, so that states come to an end. That changes nothing as long as
/// handlers only ask how far apart a moment and their clock are, and no further back than the horizon.
/// Each handler is run again with all moments and clocks moved on, and with those at 0 moved back;
/// where it then does something else, `reads_clock` tells so.
struct Clocks {
    std::vector<Duration> step{};        ///< of each actor's clock, in a tick
    Duration longest_delay{};            ///< of a message, on the fastest clock
    std::optional<Duration> horizon{};   ///< without: from the protocol's options
    bool since_start = false;            ///< instead: clocks show the time since the start
    bool exact = true;                   ///< false: their rates are not known; none should be read
};

/// What the rules of a protocol depend on, besides its options and size.
struct RulesRequest {
    NodeId initial_leader = no_node;
    std::vector<GivenCommand> commands{};
    bool twice = false;  ///< each handler runs twice on equal inputs, to see whether it is deterministic
    bool shifts = false;  ///< tell of each reaction whether it is the same in higher epochs
    std::optional<Clocks> clocks{};  ///< without, they stand at 0
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
    bool shifts = false;       ///< it would do the same if all epochs were greater by one number
    std::uint32_t choices = 1; ///< by how many draws, all alike, the input might have gone
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
    /// The same after a tick of time.
    virtual LocalId aged(LocalId local) = 0;
    virtual MessageId aged_message(MessageId message) = 0;
    /// The same with all epochs that are not 0 greater by `by`.
    virtual LocalId raised(LocalId local, Epoch by) = 0;
    virtual MessageId raised_message(MessageId message, Epoch by) = 0;
    /// Whether the protocol tells which fields are epochs.
    [[nodiscard]] virtual bool has_epochs() const = 0;
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
    /// By field, for people. Moments are told from now on their clocks; those of messages as clocks
    /// showed them where these show the time since the start.
    [[nodiscard]] virtual Value local_value(LocalId local) const = 0;
    [[nodiscard]] virtual Value message_value(MessageId message) const = 0;
    /// With moments as a simulated cluster knows them after so many ticks, if its clocks showed
    /// `clocks_show` at the start; "long_ago": some may have been earlier.
    [[nodiscard]] virtual Value message_value_at(MessageId message, std::int64_t ticks) const = 0;
    [[nodiscard]] virtual Duration clocks_show() const = 0;
    [[nodiscard]] virtual std::string timer_name(std::uint32_t slot) const = 0;
    [[nodiscard]] virtual NodeId timer_about(std::uint32_t slot) const = 0;
    /// Whether two executions of a handler on the same input differed.
    [[nodiscard]] virtual std::string nondeterminism() const = 0;
    /// Whether a handler has done something else because its clock showed another time: see `Clocks`;
    /// without them the clocks stand at 0.
    [[nodiscard]] virtual bool reads_clock() const = 0;
    /// Whether a handler drew by lot in a way that is not explored.
    [[nodiscard]] virtual bool draws_unseen() const = 0;
    /// Into how many equal parts each draw is divided; 0: draws are not explored.
    [[nodiscard]] virtual std::uint32_t draw_choices() const = 0;

    [[nodiscard]] const LocalInfo& local(LocalId id) const { return locals_[id]; }
    [[nodiscard]] const MessageInfo& message(MessageId id) const { return messages_[id]; }
    [[nodiscard]] std::uint32_t local_count() const { return locals_.size(); }
    [[nodiscard]] std::uint32_t message_count() const { return messages_.size(); }

protected:
    StableArray<LocalInfo> locals_;
    StableArray<MessageInfo> messages_;
};

}  // namespace electionlab::check

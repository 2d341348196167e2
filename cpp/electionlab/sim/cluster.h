// The one type-erased seam: a running cluster whose protocol is not known at compile time.
//
// Above it stand the bindings and everything in Python; below it everything is compiled for one
// protocol, and the loop has no virtual call. It also keeps the history that undo needs: the
// actions taken, and copies of the simulation at some steps.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "electionlab/core/value.h"
#include "electionlab/node/protocol.h"
#include "electionlab/sim/action.h"
#include "electionlab/sim/config.h"
#include "electionlab/sim/event.h"
#include "electionlab/sim/monitor.h"
#include "electionlab/sim/trace.h"

namespace electionlab {

/// What ends a run before its time is up.
enum class StopWhen : std::uint8_t {
    never,
    leader,      ///< a node acts as leader
    agreement,   ///< one node acts as leader and every live member names it
    no_leader,   ///< nobody acts as leader
    violation,   ///< an invariant breaks
};

constexpr std::string_view enum_name(StopWhen when) {
    constexpr std::string_view names[] = {"never", "leader", "agreement", "no_leader", "violation"};
    return static_cast<std::size_t>(when) < 5 ? names[static_cast<std::size_t>(when)] : "";
}

/// Something done from outside, and when: after which step, at what time. Without an action it
/// tells that time was let pass.
struct JournalEntry {
    std::int64_t after_step = 0;
    Instant at;
    std::shared_ptr<const Action> action{};
};

class Cluster {
public:
    virtual ~Cluster() = default;

    // --- driving; see Simulation ---
    virtual const Event& step() = 0;
    virtual const Event& apply(const Action& action) = 0;
    /// Runs until `until`, or `max_steps` were made, or `stop` holds (also at once), or `watch`
    /// returns true. Time is let pass up to `until` when nothing else ended the run. Returns
    /// whether `stop` or `watch` ended it.
    virtual bool run(Instant until, std::int64_t max_steps, StopWhen stop,
                     const std::function<bool(const Event&)>& watch) = 0;

    // --- history; `InvalidArgument` when the cluster does not record ---
    virtual std::unique_ptr<Cluster> fork() const = 0;
    /// Goes to the state right after step `step`, backwards or forwards within what happened.
    virtual void seek(std::int64_t step) = 0;
    /// The last step of the recorded run; beyond `steps()` after going back.
    [[nodiscard]] virtual std::int64_t last_step() const = 0;
    [[nodiscard]] virtual std::vector<JournalEntry> journal() const = 0;
    /// Repeats a journal and natural events on a fresh cluster, up to step `last` and time `end`.
    virtual void replay(const std::vector<JournalEntry>& journal, std::int64_t last, Instant end) = 0;
    /// What the next event, or an action, would do: a trace of that one step, on a copy.
    [[nodiscard]] virtual Trace peek(const Action* action) const = 0;

    // --- looking ---
    [[nodiscard]] virtual Instant now() const = 0;
    [[nodiscard]] virtual std::int64_t steps() const = 0;
    [[nodiscard]] virtual NodeId members() const = 0;
    [[nodiscard]] virtual NodeId actors() const = 0;
    [[nodiscard]] virtual std::string actor_kind(NodeId node) const = 0;
    [[nodiscard]] virtual View view(NodeId node) const = 0;
    [[nodiscard]] virtual NodeId leader() const = 0;
    [[nodiscard]] virtual std::vector<PendingEvent> pending() const = 0;
    /// A node by field: {"disk": {...}, "memory": {...}, "timers": {...}, "clock_ms": ...}.
    [[nodiscard]] virtual Value node(NodeId node) const = 0;
    [[nodiscard]] virtual bool is_cut(NodeId from, NodeId to) const = 0;
    [[nodiscard]] virtual const Monitor& monitor() = 0;
    [[nodiscard]] virtual const FaultCounts& fault_counts() const = 0;
    /// Messages, by kind and by node, drops by reason, the leaders' share.
    [[nodiscard]] virtual Value traffic() const = 0;
    /// The trace of all steps so far. It is made when somebody looks: until the next step or look.
    [[nodiscard]] virtual const Trace& trace() const = 0;
    /// Makes the trace of at most so many more steps, for a caller that must not be away for long;
    /// returns whether it is complete.
    virtual bool write_trace(std::int64_t most_steps) const = 0;
    [[nodiscard]] virtual bool records() const = 0;
    [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;
    [[nodiscard]] virtual const Description& description() const = 0;
    [[nodiscard]] virtual Value options() const = 0;
    [[nodiscard]] virtual const SimulationConfig& config() const = 0;
    /// Why no leader can come to be as things stand, in words; empty when one can.
    [[nodiscard]] virtual std::string why_no_leader() const = 0;

    /// Kept by a caller that shares the cluster, to refuse what must not happen meanwhile.
    enum class Use : std::uint8_t { idle, between_events, inside_event } use = Use::idle;
};

/// The measures of a run as a dictionary of names with units; what Python's `metrics` shows.
Value measures_to_value(const Monitor& monitor, Instant now);
Value faults_to_value(const FaultCounts& counts);
Value failovers_to_value(std::span<const Failover> failovers);
Value violations_to_value(std::span<const Violation> violations);

}  // namespace electionlab

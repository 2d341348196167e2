// What may go wrong while the checker explores, how often, and where it stops.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "electionlab/core/distribution.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"
#include "electionlab/node/view.h"

namespace electionlab::check {

/// How often something may happen in a run; `unlimited` is as often as it likes, and uncounted.
inline constexpr std::uint8_t unlimited = 255;

/// Faults that the checker may choose. Everything is 0 unless said otherwise.
struct Budget {
    std::uint8_t crashes = 0;
    std::uint8_t restarts = unlimited;  ///< of nodes that crashed
    std::uint8_t reboots = 0;           ///< crash and restart in one step
    std::uint8_t lost_disks = 0;        ///< restarts that find an empty disk
    std::uint8_t losses = 0;            ///< of messages
    std::uint8_t duplicates = 0;        ///< a second copy of a message in flight
    std::uint8_t pauses = 0;
    std::uint8_t partitions = 0;
    /// Which partitions there may be: for each the groups; empty: every split in two.
    std::vector<std::vector<std::vector<NodeId>>> partition_family{};
    bool one_way = false;               ///< also cuts from one group to the other only
    bool heals = true;                  ///< a cut may end
    bool cut_from_start = false;        ///< the first of the family is there from the start

    static Budget from_value(const Value& value, NodeId actors);
};

/// How messages in flight are kept.
enum class NetworkKind : std::uint8_t {
    multiset,     ///< any message may arrive next
    fifo,         ///< of each link, the one sent first
    duplicating,  ///< a set: a message that arrived may arrive again, for ever
};

constexpr std::string_view enum_name(NetworkKind kind) {
    constexpr std::string_view names[] = {"multiset", "fifo", "duplicating"};
    return static_cast<std::size_t>(kind) < 3 ? names[static_cast<std::size_t>(kind)] : "";
}

/// Time in whole ticks: a message takes so long, a timer as long as its protocol says, on a clock
/// whose rate is within 1 +- `drift`. Where a duration is no whole number of ticks its bounds are
/// widened, so that nothing that can happen is left out.
struct Timing {
    Duration tick = ms(10);
    DurationRange delay{ms(10), ms(10)};
    double drift = 0;              ///< of timers alone; clocks that are read then count as unknown
    std::vector<Duration> step{};  ///< how far each actor's clock, and its timers, go in a tick
    std::optional<Duration> horizon{};  ///< see `Clocks`
    std::optional<Duration> until{};    ///< no longer than this; clocks then show the time since 0

    static Timing from_value(const Value& value, NodeId actors);
};

/// Where the exploration ends. What a bound cuts off is not explored, and the result says so.
struct Bounds {
    std::optional<Epoch> epoch{};          ///< no node goes beyond this term, ballot, ...
    std::optional<std::int64_t> depth{};   ///< steps from the start
    std::optional<std::int64_t> messages{};  ///< in flight at once
    /// Equal messages in flight on a link; a further one adds nothing. Without, a leader that repeats
    /// its heartbeats has no end of states.
    std::optional<std::int64_t> copies{};
    std::optional<std::int64_t> states{};
    std::optional<double> seconds{};
    std::optional<std::int64_t> memory_bytes{};

    static Bounds from_value(const Value& value);
};

}  // namespace electionlab::check

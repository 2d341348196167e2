// What is measured while a cluster runs, and what is checked: one definition each, used everywhere.
//
// It sees changes of views only (and the faults that explain them), never a protocol's state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"
#include "electionlab/node/uniqueness.h"
#include "electionlab/node/view.h"

namespace electionlab {

/// One loss of an acting leader, and how long each stage of the recovery took.
///
/// All are instants; `Instant::never()` where the stage was not reached.
struct Failover {
    Instant lost;       ///< the last acting leader crashed, was paused or stepped down
    NodeId leader = no_node;               ///< who it was
    bool by_fault = false;                 ///< it crashed or was paused
    /// A live node first stands for election, or begins to act without: at `lost` if one stood.
    Instant detected = Instant::never();
    Instant elected = Instant::never();    ///< a live node first acts as leader again
    Instant followed = Instant::never();   ///< and a majority of all members names it
    Instant agreed = Instant::never();     ///< and every live node names it
    NodeId successor = no_node;
};

/// A property that broke: a result, not an error.
struct Violation {
    std::int64_t step = 0;
    Instant at;
    std::string_view invariant;
    NodeId node = no_node;
    NodeId other = no_node;
    Epoch epoch = 0;
};

/// Sums over a run. "Acts as leader" is: up, not paused, and in role leader.
struct Measures {
    Instant first_leader = Instant::never();  ///< a node first acts as leader
    Instant first_agreement = Instant::never();
    Duration no_leader{};            ///< nobody acts as leader
    Duration no_majority_leader{};   ///< no acting leader is named by a majority of all members
    Duration no_agreed_leader{};     ///< the live nodes do not all name one acting leader
    Duration split_brain{};          ///< two or more act as leader
    std::int64_t leaderships = 0;    ///< a node begins to act as leader
    std::int64_t leader_changes = 0; ///< ... other than the one that acted before
    std::int64_t unexplained_changes = 0;  ///< ... with no fault since the last change
    std::int64_t candidacies = 0;    ///< a node stands for election (a new role or a new epoch)
    std::int64_t epochs_stood = 0;   ///< epochs in which somebody stood
    std::int64_t epochs_won = 0;     ///< ... and somebody came to lead
    std::int64_t split_votes = 0;    ///< ... and nobody did so far, and somebody stood in a later one
    std::int64_t failures_survived = 0;  ///< leaders lost to a fault, with agreement since
};

class Monitor {
public:
    struct Checks {
        bool one_leader_per_epoch = false;
        bool one_leader_at_a_time = false;
    };

    void reset(NodeId members, Checks checks);

    /// A member's view changed. `views` are those of all members, the change made.
    void on_view(NodeId node, const View& before, const View& after, Instant now, std::int64_t step,
                 std::span<const View> views);
    /// A fault was injected now: it explains the next change of leader.
    void on_fault(Instant now) {
        fault_since_change_ = true;
        last_fault_ = now;
    }
    /// Brings the sums of time up to `now`.
    void advance(Instant now);

    [[nodiscard]] const Measures& measures() const { return measures_; }
    [[nodiscard]] std::span<const Failover> failovers() const { return failovers_; }
    [[nodiscard]] std::span<const Violation> violations() const { return violations_; }
    void add_violation(const Violation& violation);

    [[nodiscard]] NodeId acting_leaders() const {
        return static_cast<NodeId>(acting_.size());
    }
    [[nodiscard]] NodeId live_members() const { return live_; }
    /// One acting leader, every live member names it, and every member has started once.
    [[nodiscard]] bool agreed() const { return agreed_; }
    /// From the last fault (or the start) to the agreement that holds now; none if none holds.
    [[nodiscard]] std::optional<Duration> recovery() const {
        return agreed_ ? std::optional(std::max(Duration{}, agreed_since_ - last_fault_))
                       : std::nullopt;
    }
    /// The last node that began to act as leader and still does, of the highest epoch.
    [[nodiscard]] NodeId leader(std::span<const View> views) const;

    /// Of so many of the highest epochs it is known one by one whether they were stood in and won;
    /// a node that stands in a lower one, thousands of elections too late, counts in no epoch.
    static constexpr std::size_t most_epochs_kept = 65536;
    [[nodiscard]] std::size_t epochs_kept() const { return epochs_.size(); }

private:
    struct EpochRecord {
        Epoch epoch = 0;
        bool stood = false;  ///< somebody stood in it
        bool won = false;    ///< somebody came to lead in it
    };

    static bool live(const View& v) { return v.role != Role::down && v.role != Role::paused; }
    void count_believer(const View& view, int by);
    void check_uniqueness(NodeId node, const View& after, Instant now, std::int64_t step);
    void begin_leadership(NodeId node, const View& after, Instant now, std::int64_t step);
    void note_candidacy(const View& before, const View& after, Instant now);
    void note_loss(NodeId node, const View& after, Instant now);
    void note_win(Epoch epoch);
    EpochRecord* record_of(Epoch epoch);
    void judge_agreement(std::span<const View> views, Instant now);

    NodeId members_ = 0;
    Checks checks_;
    Measures measures_;
    std::vector<Failover> failovers_;
    std::vector<Violation> violations_;
    EpochLeaders leader_of_epoch_;
    std::vector<NodeId> believers_;                          // live nodes that name node i
    std::vector<NodeId> acting_;  // who acts as leader, ascending
    NodeId standing_ = 0;         // members that stand for election
    NodeId live_ = 0;
    NodeId started_ = 0;                                     // members that were ever live
    std::vector<std::uint8_t> was_live_;
    NodeId last_leader_ = no_node;
    std::vector<EpochRecord> epochs_;  // ascending
    Epoch last_epoch_stood_ = 0;       // the highest
    Epoch forgotten_ = 0;              // epochs up to this one are no longer known
    std::int64_t failures_open_ = 0;   // leaders lost to a fault, with no agreement since
    Instant last_fault_;
    Instant agreed_since_;
    bool fault_since_change_ = false;
    bool agreed_ = false;
    bool majority_ = false;
    Instant counted_to_;
};

}  // namespace electionlab

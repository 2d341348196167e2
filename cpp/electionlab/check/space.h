// The states of a cluster and the steps between them, as rows of numbers.
//
// A state ("world") is: the number of each actor's state; who led in which epoch so far, if that is
// asked; how much of the budget is used; and the messages in flight. Its fingerprint is a sum over
// these parts, so that a step changes it by what it adds and takes away; with symmetry, the least
// sum over all renamings of the nodes.
//
// A protocol that draws by lot at its start begins with nodes that have not started: they do so first,
// in the order of their numbers, each in as many ways as it may draw.
//
// With time, each message and each armed timer carries how many ticks it still takes, at least and at
// most; a tick takes one off all, and cannot come before what is due now has happened.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "electionlab/check/budget.h"
#include "electionlab/check/rules.h"
#include "electionlab/check/stable_array.h"
#include "electionlab/check/step.h"
#include "electionlab/core/inlining.h"
#include "electionlab/core/random.h"
#include "electionlab/node/uniqueness.h"

namespace electionlab::check {

using World = std::span<const std::uint32_t>;

class Space;

/// Something that is asked of a state.
struct Predicate {
    std::string name{};
    std::function<bool(const Space&, World)> holds{};
};

/// Something that is asked of a step: of the state before it, and the one after it.
struct BetweenPredicate {
    std::string name{};
    std::function<bool(const Space&, World before, World after)> holds{};
};

struct SpaceSettings {
    NetworkKind network = NetworkKind::multiset;
    Budget budget{};
    Bounds bounds{};
    std::optional<Timing> timing{};  ///< without, anything may happen at any moment
    bool symmetry = false;
    /// Messages that can do nothing any more are taken out of flight: fewer states, and the same
    /// states of nodes.
    bool drop_stale = false;
    bool per_epoch = false;      ///< ask for one leader per epoch; states then tell who led
    bool at_a_time = false;      ///< ask for one leader at a time
    std::uint64_t promises = 0;  ///< which of the protocol's promises and properties are asked
    std::uint64_t properties = 0;
    std::vector<Predicate> always{};
    std::vector<BetweenPredicate> between{};
    std::vector<GivenCommand> commands{};  ///< each at most once
};

/// A step that can be taken in a state, and what it leads to.
struct Transition {
    Step step{};
    std::uint32_t reaction = 0;  ///< of the steps that a node handles
    std::uint64_t fingerprint = 0;
    std::uint64_t broken = 0;    ///< a bit for each invariant that the step itself breaks
};

/// What a bound has cut off.
struct CutOff {
    bool time = false;
    bool epoch = false;
    bool messages = false;
    bool copies = false;
};

class Space {
public:
    Space(Rules& rules, SpaceSettings settings);

private:
    struct Known {  // a reaction, and what it adds to the sums
        Reaction reaction;
        std::uint64_t plain_delta = 0;     // without renamings
        std::vector<std::uint64_t> delta;  // a word for each renaming; what is sent included
        std::uint64_t broken = 0;
        bool too_far = false;              // beyond the bound on epochs
    };

public:
    /// What one thread needs for itself.
    class Worker {
    public:
        CutOff cut_off;
        bool ignores_epoch_bound = false;
        /// Where asked for: the steps that nodes or time would take but for a bound.
        std::vector<Step>* cut_steps = nullptr;

    private:
        friend class Space;
        // What is asked most of a reaction stands in the entry itself: half a line of cache.
        struct alignas(32) Entry {
            std::uint64_t key = ~std::uint64_t{0};
            const Known* known = nullptr;
            std::uint64_t delta = 0;     // without renamings, the message it was given taken away
            std::uint32_t reaction = 0;
            bool plain = false;          // no draw, no bound, no claim, nothing broken
        };
        std::vector<Entry> memo = std::vector<Entry>(1024);
        std::size_t known = 0;
        std::vector<std::uint64_t> sums, own;
        std::vector<const std::uint64_t*> added, dropped;
        std::vector<std::uint32_t> scratch;
        std::vector<const LocalInfo*> locals;  // of the nodes of a world
    };

    /// All actors started, in the order of their numbers.
    [[nodiscard]] std::vector<std::uint32_t> initial(Worker& worker);
    [[nodiscard]] std::uint64_t fingerprint(World world, Worker& worker) const;
    /// Every step that can be taken, in a fixed order.
    void expand(World world, Worker& worker, std::vector<Transition>& out);
    /// Where a step leads; appends the world to `out`.
    void build(World world, const Transition& transition, std::vector<std::uint32_t>& out);
    /// The least epoch of nodes and messages that is not 0; 0: there is none.
    [[nodiscard]] Epoch least_epoch(World world) const;
    /// All epochs that are not 0 are greater by so much.
    void raise(std::vector<std::uint32_t>& world, Epoch by);
    /// Whether the step would be the same in higher epochs.
    [[nodiscard]] bool shifts(const Transition& t) const {
        return !is_handled(t.step) || reactions_[t.reaction].reaction.shifts;
    }
    /// Whether the time that is explored was over somewhere.
    [[nodiscard]] bool time_was_over() const { return time_was_over_.load(); }
    /// A bit for each invariant that does not hold in this state.
    [[nodiscard]] std::uint64_t broken(World world) const;

    /// Names of all invariants asked, in the order of their bits.
    [[nodiscard]] const std::vector<std::string>& invariants() const { return invariants_; }
    [[nodiscard]] const SpaceSettings& settings() const { return settings_; }
    [[nodiscard]] Rules& rules() const { return rules_; }
    [[nodiscard]] NodeId actors() const { return actors_; }
    /// What is in flight, and with time the armed timers.
    [[nodiscard]] std::span<const std::uint32_t> items(World world) const {
        return world.subspan(head_);
    }
    [[nodiscard]] bool is_message(std::uint32_t item) const { return !timed_ || !items_[item].timer; }
    [[nodiscard]] MessageId message_of(std::uint32_t item) const {
        return timed_ ? items_[item].what : item;
    }
    [[nodiscard]] const LocalInfo& node(World world, NodeId node) const {
        return rules_.local(world[node - 1]);
    }
    /// What is wrong with what the protocol says of stale messages, in the states looked at so far;
    /// empty: nothing.
    [[nodiscard]] std::string wrongly_stale();
    [[nodiscard]] std::size_t renamings() const { return names_.size(); }
    /// Which links are cut: "1 2 | 3"; empty when none is.
    [[nodiscard]] std::string partition_text(World world) const;
    [[nodiscard]] std::string partition_text_of(std::uint32_t partition) const;
    [[nodiscard]] const std::vector<std::vector<NodeId>>& partition_groups(std::uint32_t p) const {
        return partitions_[p].groups;
    }
    [[nodiscard]] bool partition_one_way(std::uint32_t p) const { return partitions_[p].one_way; }
    /// By field, for people.
    [[nodiscard]] Value world_value(World world) const;

private:
    struct Partition {
        std::vector<std::vector<NodeId>> groups;
        bool one_way = false;
        std::vector<std::uint64_t> cut;  // of each sender: a bit for each receiver
    };
    enum Counter : std::uint8_t {
        crashes, restarts, reboots, lost_disks, losses, duplicates, pauses, partitions, commands, cut
    };
    struct CounterPlace {
        std::uint8_t shift;
        std::uint8_t bits;
    };
    static constexpr CounterPlace places[] = {{0, 5},  {5, 5},  {10, 5}, {15, 5}, {20, 6},
                                              {26, 6}, {32, 5}, {37, 5}, {42, 12}, {54, 10}};

    static std::uint64_t get(std::uint64_t counters, Counter c) {
        return counters >> places[c].shift & ((std::uint64_t{1} << places[c].bits) - 1);
    }
    static std::uint64_t with(std::uint64_t counters, Counter c, std::uint64_t value) {
        const std::uint64_t mask = ((std::uint64_t{1} << places[c].bits) - 1) << places[c].shift;
        return (counters & ~mask) | value << places[c].shift;
    }
    [[nodiscard]] std::uint64_t counters(World world) const {
        return world[actors_ + 1] | std::uint64_t{world[actors_ + 2]} << 32;
    }
    [[nodiscard]] bool may(std::uint64_t used, Counter c, std::uint8_t most) const {
        return most == unlimited || get(used, c) < most;
    }
    [[nodiscard]] std::uint64_t count(std::uint64_t used, Counter c, std::uint8_t most) const {
        return most == unlimited ? used : with(used, c, get(used, c) + 1);
    }
    [[nodiscard]] const std::uint64_t* local_hashes(LocalId id) const {
        return names_.size() == 1 ? &rules_.local(id).hash : local_hashes_[id].data();
    }
    /// Something that takes time.
    struct Item {
        bool timer = false;
        NodeId node = no_node;      // of a timer
        std::uint32_t what = 0;     // a message, or the slot of a timer
        std::int32_t least = 0;     // ticks
        std::int32_t most = 0;
        std::uint64_t hash = 0;
    };
    std::uint32_t item(bool timer, NodeId node, std::uint32_t what, std::int64_t least, std::int64_t most);
    std::uint32_t sent(MessageId message) {
        return timed_ ? item(false, no_node, message, delay_least_, delay_most_) : message;
    }
    [[nodiscard]] bool waits_for_paused(const Item& item, World world) const;
    void tick(std::vector<std::uint32_t>& world, std::size_t begin);
    static bool is_handled(const Step& step) {
        return step.node != no_node && step.kind != StepKind::drop_at_down &&
               step.kind != StepKind::lose && step.kind != StepKind::duplicate;
    }
    [[nodiscard]] bool is_dead(LocalId id) const {
        const LocalInfo& local = rules_.local(id);
        return local.started && !local.up;
    }
    void set_timers(const Reaction& reaction, NodeId node, bool all, std::vector<std::uint32_t>& world,
                    std::size_t begin);
    [[nodiscard]] bool goes_out(MessageId message, NodeId node, LocalId after, World world,
                                std::uint64_t used) const;
    /// Whether something in flight is a message for this node, and stale there.
    [[nodiscard]] bool is_stale(std::uint32_t item, NodeId node, LocalId local) const {
        return is_message(item) && rules_.message(message_of(item)).to == node &&
               rules_.is_stale(local, message_of(item));
    }
    [[nodiscard]] const std::uint64_t* item_hashes(std::uint32_t id) const {
        return timed_ ? &items_[id].hash : message_hashes(id);
    }
    [[nodiscard]] const std::uint64_t* message_hashes(MessageId id) const {
        return names_.size() == 1 ? &rules_.message(id).hash : message_hashes_[id].data();
    }
    [[nodiscard]] const std::uint64_t* history_hashes(std::uint32_t id) const {
        return histories_[id].hashes.data();
    }
    static std::uint64_t counter_hash(std::uint64_t counters) {
        return counters == 0 ? 0 : mix64(counters ^ 0x5bd1e995bd1e9955ULL);
    }
    [[nodiscard]] std::uint64_t least(const std::vector<std::uint64_t>& sums) const;
    void sum_up(World world, std::vector<std::uint64_t>& sums) const;
    void sort_messages(std::vector<std::uint32_t>& world, std::size_t begin) const;
    const Worker::Entry& known(LocalId local, Input input, Worker& worker);
    EL_COLD const Worker::Entry& learn(LocalId local, Input input, Worker& worker);
    std::uint32_t work_out(LocalId local, Input input);
    /// Whether a message more would be one copy too many.
    [[nodiscard]] bool is_copy_too_many(World in_flight, std::uint32_t item) const;
    [[nodiscard]] bool is_cut(std::uint64_t used, NodeId from, NodeId to) const {
        const std::uint64_t p = get(used, cut);
        return p != 0 && (partitions_[p - 1].cut[from - 1] >> (to - 1) & 1) != 0;
    }
    std::pair<std::uint32_t, bool> claim(std::uint32_t history, Epoch epoch, NodeId node);
    void make_partitions();
    /// Asks the predicates about steps; marks those that break one.
    void judge_steps(World world, std::vector<Transition>& steps, std::size_t first);

    Rules& rules_;
    SpaceSettings settings_;
    NodeId actors_;
    std::size_t head_;
    bool dead_stay_dead_;
    bool timed_ = false;
    bool starts_by_step_ = false;  // nodes draw when they start
    std::atomic<bool> time_was_over_{false};
    std::int64_t delay_least_ = 0, delay_most_ = 0;  // ticks
    std::vector<std::string> invariants_;
    std::vector<std::uint32_t> promise_bits_;   // invariant of each promise; ~0: not asked
    std::uint32_t per_epoch_bit_ = 64;
    std::vector<std::vector<NodeId>> names_;    // of each renaming; the first changes nothing
    std::vector<Partition> partitions_;

    std::mutex mutex_;
    StableArray<Item> items_;
    std::map<std::tuple<bool, NodeId, std::uint32_t, std::int64_t, std::int64_t>, std::uint32_t>
        item_numbers_;
    StableArray<Known> reactions_;
    std::map<std::pair<LocalId, std::uint32_t>, std::uint32_t> numbers_;
    StableArray<std::vector<std::uint64_t>> local_hashes_;
    StableArray<std::vector<std::uint64_t>> message_hashes_;
    struct History {
        EpochLeaders leaders;
        std::vector<std::uint64_t> hashes;
    };
    StableArray<History> histories_;
    std::map<std::vector<std::pair<Epoch, NodeId>>, std::uint32_t> history_numbers_;
};

}  // namespace electionlab::check

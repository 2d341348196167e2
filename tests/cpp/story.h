// Shared by the tests: clusters of any protocol by name, what is done to them, what is asked.
//
// Everything goes through the type-erased catalogue, so that a test file compiles no simulator.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "electionlab/catalog/catalog.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"
#include "electionlab/sim/cluster.h"

namespace story {

using namespace electionlab;  // NOLINT: tests only
using Dict = Value::Dict;
using List = Value::List;

/// Sanitised and unoptimised builds try fewer seeds: `many` of them else.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool slow_build = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool slow_build = true;
#else
inline constexpr bool slow_build = false;
#endif
#else
inline constexpr bool slow_build = false;
#endif
#if defined(__OPTIMIZE__)
constexpr std::int64_t seeds(std::int64_t many) { return slow_build ? many / 10 + 1 : many; }
#else
constexpr std::int64_t seeds(std::int64_t many) { return many / 40 + 1; }
#endif

/// Lists of nodes, and lists of such.
Value nodes(std::initializer_list<int> ids);
Value groups(std::initializer_list<std::initializer_list<int>> groups);
/// The nodes first..last.
Value node_range(NodeId first, NodeId last);

/// One dictionary with the entries of both; the later one wins.
Value merged(const Value& base, const Value& more);

/// A link with a constant one-way delay, and perhaps more.
Value network(double delay_ms, const Value& more = Dict{});

/// A cluster that a test tells a story about.
class Story {
public:
    Story(std::string_view protocol, NodeId nodes, const Value& options = Dict{},
          const Value& config = Dict{}, bool record = true);
    explicit Story(std::unique_ptr<Cluster> cluster) : cluster_(std::move(cluster)) {}

    [[nodiscard]] Cluster& operator*() const { return *cluster_; }
    [[nodiscard]] Cluster* operator->() const { return cluster_.get(); }
    [[nodiscard]] Story fork() const { return Story(cluster_->fork()); }

    // --- what is done ---
    [[nodiscard]] Action action(const Value& entries) const;
    const Event& act(const Value& entries) { return cluster_->apply(action(entries)); }
    const Event& act(const char* kind) { return act(Dict{{"action", kind}}); }
    const Event& act(const char* kind, NodeId node) {
        return act(Dict{{"action", kind}, {"node", node}});
    }
    const Event& crash(NodeId node) { return act("crash", node); }
    const Event& restart(NodeId node) { return act("restart", node); }
    const Event& pause(NodeId node) { return act("pause", node); }
    const Event& resume(NodeId node) { return act("resume", node); }
    const Event& fire(NodeId node, const char* timer) {
        return act(Dict{{"action", "fire"}, {"node", node}, {"timer", timer}});
    }
    const Event& partition(const Value& groups) {
        return act(Dict{{"action", "partition"}, {"groups", groups}});
    }
    const Event& cut(const Value& from, const Value& to, bool both_ways) {
        return act(Dict{{"action", "cut"}, {"from", from}, {"to", to}, {"both_ways", both_ways}});
    }
    /// By hand, a message in flight: deliver, drop, duplicate.
    const Event& touch(const char* what, std::int64_t message) {
        return act(Dict{{"action", what}, {"message", message}});
    }
    /// Runs to that moment; a moment that has passed already does nothing.
    void until(double at_ms);
    void for_ms(double span_ms) { until(cluster_->now().to_ms() + span_ms); }
    /// Runs until all live nodes name one acting leader; false if that takes longer than this.
    bool until_agreement(double within_ms);
    bool until_leader(double within_ms);

    // --- what is asked ---
    [[nodiscard]] double now_ms() const { return cluster_->now().to_ms(); }
    [[nodiscard]] NodeId leader() const { return cluster_->leader(); }
    [[nodiscard]] Role role(NodeId node) const { return cluster_->view(node).role; }
    [[nodiscard]] NodeId believes(NodeId node) const { return cluster_->view(node).leader; }
    [[nodiscard]] Epoch epoch(NodeId node) const { return cluster_->view(node).epoch; }
    /// A node's field by its path: "disk.voted_for", "timers_due_ms.election".
    [[nodiscard]] Value field(NodeId node, std::string_view path) const;
    [[nodiscard]] std::int64_t whole(NodeId node, std::string_view path) const;
    /// When a timer is due, in nanoseconds; -1 when it is not armed.
    [[nodiscard]] std::int64_t due_ns(NodeId node, std::string_view timer) const;
    /// A figure of a report: sent("VoteRequest"), figure(traffic, "dropped.loss").
    [[nodiscard]] std::int64_t sent(std::string_view kind) const;
    [[nodiscard]] std::int64_t delivered(std::string_view kind) const;
    [[nodiscard]] std::int64_t dropped(std::string_view reason) const;
    [[nodiscard]] std::int64_t asked(ActionKind kind) const;
    [[nodiscard]] std::int64_t effective(ActionKind kind) const;
    [[nodiscard]] const FaultCounts& faults() const { return cluster_->fault_counts(); }
    [[nodiscard]] const Measures& measures() const { return cluster_->monitor().measures(); }
    [[nodiscard]] std::size_t violations() const { return cluster_->monitor().violations().size(); }
    /// Messages in flight of a kind (all kinds when empty), in the order of their arrival.
    [[nodiscard]] std::vector<PendingEvent> in_flight(std::string_view kind = "") const;
    /// Rows of the trace of one kind.
    [[nodiscard]] std::vector<TraceRow> rows(RowKind kind) const;
    /// Every live node names this one leader, and it acts.
    [[nodiscard]] bool all_follow(NodeId leader) const;
    /// The whole trace in words, for a failure's message.
    [[nodiscard]] std::string told() const;

private:
    std::unique_ptr<Cluster> cluster_;
};

/// The entry at a path of nested dictionaries ("by_kind.Ok.sent"); null when there is none.
Value at_path(const Value& value, std::string_view path);
std::int64_t whole_at(const Value& value, std::string_view path);

}  // namespace story

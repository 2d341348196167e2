// What a simulation is made of besides its protocol: time, links, timers, schedules, measures.
//
// No template: it is compiled once, and only what touches a protocol's types is compiled again for
// each of them (simulation.h). Events are handled there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/core/random.h"
#include "electionlab/core/time.h"
#include "electionlab/node/protocol.h"
#include "electionlab/sim/action.h"
#include "electionlab/sim/config.h"
#include "electionlab/sim/event.h"
#include "electionlab/sim/event_queue.h"
#include "electionlab/sim/monitor.h"
#include "electionlab/sim/network.h"
#include "electionlab/sim/timer_table.h"
#include "electionlab/sim/trace.h"

namespace electionlab {

class SimulationCore {
public:
    struct Traffic {
        std::int64_t sent = 0;
        std::int64_t delivered = 0;
    };

    /// Lets time pass without events; not past the next one.
    void wait_until(Instant t) {
        EL_ASSERT(t >= now_ && t <= next_time());
        now_ = t;
    }

    // --- looking ---

    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] std::int64_t steps() const { return step_; }
    /// The last step that was carried out to its end: `steps()`, or one less after a handler threw.
    [[nodiscard]] std::int64_t last_whole_step() const { return whole_step_; }
    [[nodiscard]] NodeId members() const { return members_; }
    [[nodiscard]] NodeId actors() const { return actors_; }
    [[nodiscard]] const View& view(NodeId node) const { return views_[node - 1]; }
    [[nodiscard]] std::span<const View> views() const { return {views_.data(), members_}; }
    [[nodiscard]] NodeId leader() const { return monitor_.leader(views()); }
    [[nodiscard]] const Monitor& monitor() const { return monitor_; }
    [[nodiscard]] const SimulationConfig& config() const { return *config_; }
    [[nodiscard]] const Network& network() const { return network_; }
    [[nodiscard]] const FaultCounts& fault_counts() const { return counts_; }
    [[nodiscard]] const Event& last_event() const { return last_; }
    /// Sums of time in the measures reach up to now after this.
    void settle() { monitor_.advance(now_); }

    [[nodiscard]] const std::vector<Traffic>& traffic_by_kind() const { return by_kind_; }
    [[nodiscard]] const std::vector<Traffic>& traffic_by_node() const { return by_node_; }
    /// Messages sent and received by nodes while they acted as leader.
    [[nodiscard]] std::int64_t leader_traffic() const { return leader_traffic_; }
    [[nodiscard]] const std::int64_t* drops_by_reason() const { return drops_; }
    /// All of that, as a dictionary.
    [[nodiscard]] Value traffic() const;
    /// Why no leader can come to be as things stand, in words; empty when one can.
    [[nodiscard]] std::string why_no_leader() const;

    /// When the next event is due; `Instant::never()` when there is none.
    [[nodiscard]] Instant next_time();

protected:
    static constexpr std::uint32_t no_slot = ~std::uint32_t{0};
    static constexpr std::int64_t billion = 1'000'000'000;

    // A turn is the moment at which a node goes on with the first in its line.
    enum class PendingKind : std::uint8_t { start, message, timer, turn };
    // What waits at a node, first come, first served: a list through the bodies.
    struct Line {
        std::uint32_t first = no_slot;
        std::uint32_t last = no_slot;
        std::uint32_t turn = no_slot;  // the place of the turn; none while it is paused
        bool taken_up = false;         // the node is at the first, which takes its time
        Duration left{};               // of that time, while a pause stops it
    };
    struct Scheduled {
        Instant at;
        std::uint64_t order;
        std::shared_ptr<const Action> action;
        NodeId trigger = no_node;
        int plan = -1;
        std::uint32_t episode = 0;   // of a repair: the crash or pause of the node that it ends
    };
    struct Trigger {
        std::shared_ptr<const Action> when;
        int left = 1;
        int message_kind = -1;
    };
    struct Plan {
        FaultPlan plan;
        std::uint64_t draws = 0;
    };
    // A trace pointer that copies as "none": a fork must never write into its parent's trace.
    struct Recorder {
        Trace* pointer = nullptr;
        Recorder() = default;
        Recorder(const Recorder&) {}
        Recorder& operator=(const Recorder&) { return *this; }
        Recorder(Recorder&&) noexcept {}
        Recorder& operator=(Recorder&&) noexcept { return *this; }
        ~Recorder() = default;
        explicit operator bool() const { return pointer != nullptr; }
        Trace* operator->() const { return pointer; }
    };
    // What may happen next, and its place among what happens at the same instant.
    struct OrderedPending {
        PendingEvent event;
        std::uint64_t order;
    };
    static constexpr std::uint64_t last_of_its_instant = ~std::uint64_t{0};
    struct Due {
        std::int64_t at;
        std::uint64_t order;
        std::uint64_t what;
        bool is_timer;
    };

    SimulationCore(NodeId members, std::shared_ptr<const SimulationConfig> config,
                   const Description& description);
    SimulationCore(const SimulationCore&);
    SimulationCore& operator=(const SimulationCore&);
    ~SimulationCore();

    void reset_core(std::uint64_t seed, std::uint64_t trial, std::size_t properties,
                    std::size_t timers);

    // --- events and their rows ---
    EL_HOT void begin_event(RowKind kind, NodeId node) {
        last_.step = ++step_;
        last_.at = now_;
        last_.kind = kind;
        last_.detail = 0;
        last_.message_kind = -1;
        last_.timer = -1;
        last_.node = node;
        last_.peer = no_node;
        last_.message = -1;
        last_.view = {};
    }
    void row(RowKind kind, NodeId node, NodeId peer = no_node) {
        if (trace_) {
            add_row(kind, node, peer);
        }
    }
    [[nodiscard]] TraceRow row_of(RowKind kind, NodeId node, NodeId peer) const;
    void add_row(RowKind kind, NodeId node, NodeId peer);
    // The row of an input; of a message: its body, and when it left.
    void add_input_row(std::int64_t body, std::int64_t sent_ns);
    void add_notes(NodeId node, std::span<const Note> notes);
    void add_action_row(const Action& action, NodeId node);
    void add_drop_row(NodeId to, NodeId from, std::int64_t number, std::size_t kind,
                      DropReason reason, std::int64_t body);
    void change_view(NodeId node, const View& after);
    void report_violation(std::string_view name, NodeId node);
    [[nodiscard]] std::vector<PendingEvent> in_order(std::vector<OrderedPending> all) const;
    void add_scheduled(std::vector<OrderedPending>& all) const;
    // What is due, in the order in which it is.
    [[nodiscard]] std::vector<Due> dues() const;
    // Links, schedules, triggers and plans.
    void hash_surroundings(std::uint64_t& hash) const;
    void hash_config(std::uint64_t& hash, NodeId node) const;

    // --- what is done later ---
    bool later(const Action& action);
    void pass_over(ActionKind kind, NodeId node, std::string_view why);
    [[nodiscard]] RandomStream plan_stream(int number) const;
    Action draw_plan_action(Plan& plan, int number);
    void schedule(Instant at, std::shared_ptr<const Action> action, NodeId trigger = no_node,
                  int plan = -1, std::uint32_t episode = 0);
    // `episode`: of the crash or pause that is repaired.
    void repair_later(const Action& action, NodeId node, Duration after, std::uint32_t episode);
    void match_triggers(NodeId node, const View& before, const View& after);
    void match_message_triggers(NodeId node, std::size_t kind);

    // --- links ---
    bool set_cut(NodeId from, NodeId to, bool cut);
    bool cut_links(const Action& action, bool cut);
    bool partition(const Action& action);
    // Without regard to what is on its way.
    bool change_links(const Action& action);

    // --- clocks ---
    /// a * b / c, rounded down (or up by `more` = c - 1), for a >= 0; does not overflow for a up to
    /// 2^60 and b, c from 0.5e9 to 1.5e9, as they are here.
    static std::int64_t scaled(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t more = 0) {
        return (a / c) * b + ((a % c) * b + more) / c;
    }
    [[nodiscard]] std::int64_t clock_rate(NodeId node) const {
        return billion + node_config(node).clock_drift_ppb;
    }
    /// How far a node's clock goes in a span of true time that begins at `clock_since_`.
    [[nodiscard]] std::int64_t local_span(NodeId node, std::int64_t span) const {
        return scaled(span, clock_rate(node), billion);
    }
    [[nodiscard]] Instant after_local(NodeId node, Duration local) const;
    [[nodiscard]] std::int64_t configured_drift(NodeId node) const;
    // A span of the node's own clock, which shows `clock`, by one of the less common policies.
    [[nodiscard]] Duration draw_by_policy(const TimerSpec& spec, RandomStream stream,
                                          RandomStream once, std::uint32_t draws,
                                          std::uint32_t incarnation, NodeId node,
                                          Instant clock) const;

    // --- small things ---
    std::uint64_t next_order() { return order_++; }
    [[nodiscard]] const NodeConfig& node_config(NodeId node) const {
        return node_configs_[node_configs_.size() == 1 ? 0 : node - 1];
    }
    // To be changed.
    NodeConfig& own_config(NodeId node);

    std::shared_ptr<const SimulationConfig> config_;
    const Description* description_;
    std::vector<std::uint8_t> broken_;       // which properties: each is reported once
    NodeId members_;
    NodeId actors_;

    std::uint64_t key_ = 0;  // of this trial's random streams
    Instant now_;
    std::int64_t step_ = 0;
    std::int64_t whole_step_ = 0;
    std::uint64_t order_ = 1;
    std::int64_t next_message_ = 1;
    std::vector<View> views_;
    std::vector<NodeConfig> node_configs_;   // one for all, as long as they are alike
    std::vector<Instant> clock_since_;       // when a clock's rate last changed
    std::vector<Line> lines_;
    Network network_;
    TimerTable timers_;
    std::vector<std::uint32_t> timer_draws_;
    EventQueue queue_;
    std::uint32_t first_free_ = no_slot;     // a list through the bodies
    std::vector<QueueKey> stopped_;          // messages that a pause keeps from leaving, in order
    std::vector<Scheduled> scheduled_;       // latest first
    std::vector<Trigger> triggers_;
    std::vector<Plan> plans_;
    PerLink<Instant> last_arrival_;          // FIFO links
    PerLink<Instant> cut_since_;             // links that are cut
    PerLink<std::int64_t> last_number_;      // to count overtaken messages
    bool tracks_overtaking_ = false;
    bool message_triggers_ = false;
    std::uint64_t target_draws_ = 0;

    Monitor monitor_;
    FaultCounts counts_;
    std::vector<Traffic> by_kind_;
    std::vector<Traffic> by_node_;
    std::int64_t leader_traffic_ = 0;
    std::int64_t drops_[drop_reasons] = {};
    Event last_;
    Recorder trace_;
};

}  // namespace electionlab

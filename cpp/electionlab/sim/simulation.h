// The simulated cluster: one protocol, simulated time, a network that misbehaves as told.
//
// A value: copying it forks the run. Everything that chance decides comes from (seed, trial), so
// the same configuration, seed and actions give the same run, event for event.
//
// Order of events: time, then scheduled actions before all else, then the order in which messages
// were sent and timers armed. What comes to a node that is paused or busy waits there in a line:
// first come, first served.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "electionlab/core/errors.h"
#include "electionlab/core/inlining.h"
#include "electionlab/core/random.h"
#include "electionlab/node/protocol.h"
#include "electionlab/node/timer_layout.h"
#include "electionlab/sim/action.h"
#include "electionlab/sim/config.h"
#include "electionlab/sim/event.h"
#include "electionlab/sim/event_queue.h"
#include "electionlab/sim/monitor.h"
#include "electionlab/sim/timer_table.h"
#include "electionlab/sim/trace.h"

namespace electionlab {

template <class P>
class Simulation {
public:
    using Options = typename P::Options;
    using Message = typename P::Message;
    using NodeState = State<P>;
    using Traits = MessageTraits<Message>;

    /// `options` must be validated. The cluster is at time 0, with nothing started yet.
    Simulation(std::shared_ptr<const Options> options, NodeId members,
               std::shared_ptr<const SimulationConfig> config, const Description& description)
        : options_(std::move(options)),
          config_(std::move(config)),
          description_(&description),
          promises_(promises_of<P>()),
          properties_(properties_of<P>()),
          members_(members),
          actors_(members),
          layout_(description.per_peer, members) {
        for (const ActorKind& kind : actor_kinds<P>(*options_, members)) {
            actors_ += kind.count;
        }
        layout_ = Layout(description.per_peer, actors_);
        reset(config_->seed, config_->trial);
    }

    /// Back to time 0 with another seed or trial, without allocating what is there already.
    void reset(std::uint64_t seed, std::uint64_t trial);

    /// The next event happens; an event with step 0 when nothing is left to happen.
    const Event& step() {
        if (!run(Instant::never(), 1, [](const Simulation&) { return true; })) {
            last_ = Event{};
            last_.at = now_;
        }
        whole_step_ = step_;
        return last_;
    }

    /// Runs until the next event would be later than `until`, or `max_steps` were made, or
    /// `stop(*this)` is true after an event. Returns whether `stop` ended it.
    template <class Stop>
    bool run(Instant until, std::int64_t max_steps, const Stop& stop) {
        const std::int64_t last_step = step_ > INT64_MAX - max_steps ? INT64_MAX : step_ + max_steps;
        const auto stops = [](const void* condition, const Simulation& simulation) {
            return static_cast<bool>((*static_cast<const Stop*>(condition))(simulation));
        };
        return loop(until, last_step, stops, &stop);
    }

    /// Lets time pass without events; not past the next one.
    void wait_until(Instant t) {
        EL_ASSERT(t >= now_ && t <= next_time());
        now_ = t;
    }

    /// Carries out an action now; a step of its own. `InvalidArgument` when it makes no sense.
    const Event& apply(const Action& action);

    // --- looking ---

    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] std::int64_t steps() const { return step_; }
    /// The last step that was carried out to its end: `steps()`, or one less after a handler threw.
    [[nodiscard]] std::int64_t last_whole_step() const { return whole_step_; }
    [[nodiscard]] NodeId members() const { return members_; }
    [[nodiscard]] NodeId actors() const { return actors_; }
    [[nodiscard]] const NodeState& state(NodeId node) const { return slots_[node - 1].state; }
    /// What a crash would leave of a node now.
    [[nodiscard]] const typename P::Disk& durable(NodeId node) const;
    [[nodiscard]] const View& view(NodeId node) const { return views_[node - 1]; }
    [[nodiscard]] std::span<const View> views() const { return {views_.data(), members_}; }
    [[nodiscard]] NodeId leader() const { return monitor_.leader(views()); }
    [[nodiscard]] const Monitor& monitor() const { return monitor_; }
    [[nodiscard]] const Options& options() const { return *options_; }
    [[nodiscard]] const SimulationConfig& config() const { return *config_; }
    [[nodiscard]] const Network& network() const { return network_; }
    [[nodiscard]] const FaultCounts& fault_counts() const { return counts_; }
    [[nodiscard]] const Event& last_event() const { return last_; }
    /// Sums of time in the measures reach up to now after this.
    void settle() { monitor_.advance(now_); }

    struct Traffic {
        std::int64_t sent = 0;
        std::int64_t delivered = 0;
    };
    [[nodiscard]] const std::vector<Traffic>& traffic_by_kind() const { return by_kind_; }
    [[nodiscard]] const std::vector<Traffic>& traffic_by_node() const { return by_node_; }
    /// Messages sent and received by nodes while they acted as leader.
    [[nodiscard]] std::int64_t leader_traffic() const { return leader_traffic_; }
    [[nodiscard]] const std::int64_t* drops_by_reason() const { return drops_; }

    /// When the next event is due; `Instant::never()` when there is none.
    [[nodiscard]] Instant next_time();
    /// Everything that may happen next, in the order in which it will if nobody interferes.
    [[nodiscard]] std::vector<PendingEvent> pending() const;
    /// Calls visit(timer, about, due) for every armed timer of a node, in the order of their names.
    template <class Visit>
    void for_each_timer(NodeId node, Visit&& visit) const {
        for (std::size_t i = 0; i < layout_.per_node(); ++i) {
            const std::size_t slot = first_slot(node) + i;
            if (timers_.armed(slot)) {
                const auto place = layout_.place(slot);
                visit(place.timer, place.about, Instant{timers_.at(slot).at});
            }
        }
    }
    /// A node's own clock.
    [[nodiscard]] Instant clock(NodeId node) const {
        const std::int64_t span = (now_ - clock_since_[node - 1]).ns;
        return now_ + slots_[node - 1].clock_offset + Duration{local_span(node, span) - span};
    }
    /// A 64-bit hash of all that decides the future, besides protocol and options: nodes, disks,
    /// clocks, messages, timers, what waits, links, schedules, plans, and how much was drawn.
    [[nodiscard]] std::uint64_t fingerprint() const;

    /// Records from now on into `trace` (nullptr: not at all). A copy of this records nothing
    /// until it is told to.
    void record_into(Trace* trace) {
        trace_.pointer = trace;
        effects_.want_notes(trace != nullptr);
    }
    /// As `record_into`, for a trace that has not seen the messages in flight being sent.
    void record_afresh_into(Trace* trace) {
        record_into(trace);
        for (const QueueKey& key : queue_.keys()) {
            bodies_[key.slot()].body = trace->add_body(bodies_[key.slot()].message);
        }
        for (const QueueKey& key : stopped_) {
            bodies_[key.slot()].body = trace->add_body(bodies_[key.slot()].message);
        }
        for (const Line& line : lines_) {
            for (std::uint32_t slot = line.first; slot != no_slot; slot = bodies_[slot].next) {
                bodies_[slot].body = trace->add_body(bodies_[slot].message);
            }
        }
    }

private:
    // A turn is the moment at which a node goes on with the first in its line.
    enum class PendingKind : std::uint8_t { start, message, timer, turn };
    struct Pending {
        Message message{};
        std::int64_t number = 0;     // of the message; of a timer: its generation
        Instant sent;                // when it left or will leave
        std::int64_t body = -1;      // in the trace
        NodeId from = no_node;
        NodeId to = no_node;
        std::uint32_t timer = 0;
        std::uint32_t next = ~std::uint32_t{0};  // in a line; in a free place: the next free one
        PendingKind kind = PendingKind::message;
        bool doomed = false;         // left into a cut link that was mended since
    };
    // What waits at a node, first come, first served: a list through the bodies.
    struct Line {
        std::uint32_t first = ~std::uint32_t{0};
        std::uint32_t last = ~std::uint32_t{0};
        std::uint32_t turn = ~std::uint32_t{0};  // the place of the turn; none while it is paused
        bool taken_up = false;       // the node is at the first, which takes its time
        Duration left{};             // of that time, while a pause stops it
    };
    struct Slot {
        NodeState state{};
        typename P::Disk visible{};  // what messages that left may depend on
        Instant busy_until;
        Instant disk_ready;
        Duration clock_offset;
        std::uint64_t network_key = 0;
        std::uint64_t messages = 0;  // drawn for so far
        bool up = false;
        bool plain = true;           // no processing time, lateness, drift, pause, and nothing waits
        // From here on: what is looked at rarely.
        bool paused = false;
        bool started = false;        // or crashed before that
        std::uint32_t incarnation = 0;  // counts crashes
        std::uint32_t pauses = 0;
        std::uint64_t writes = 0;
        std::uint64_t services = 0;
        typename P::Disk stable{};   // what a crash leaves
    };
    struct Write {
        NodeId node;
        Instant done;
        typename P::Disk disk;
        bool persists;
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

    // --- the loop ---
    using Stops = bool (*)(const void* condition, const Simulation& simulation);
    bool loop(Instant until, std::int64_t last_step, Stops stops, const void* condition);
    EL_HOT bool advance(Instant until);
    EL_COLD void advance_schedule();
    EL_HOT void handle(std::uint32_t place);
    EL_COLD void handle_unusual(std::uint32_t place);
    EL_COLD bool wait_for_turn(std::uint32_t slot);
    void take_turn(NodeId node);
    void take_up_first(NodeId node);
    void call_first(NodeId node);
    void forget_turn(NodeId node);
    void tell_wait(std::uint32_t slot, WaitReason why);
    void lapse(NodeId node, std::uint32_t timer, NodeId about);
    EL_HOT void handle_message(std::uint32_t place, const Pending& what, Slot& slot);
    EL_COLD void handle_late_message(std::uint32_t place) {
        handle_message(place, bodies_[place], slots_[bodies_[place].to - 1]);
    }
    void handle_timer(NodeId node, std::uint32_t timer, NodeId about);
    void handle_start(NodeId node);
    EL_HOT void finish(NodeId node, Slot& slot);
    EL_COLD void record_input(const Pending* message);
    EL_COLD void record_notes(NodeId node);
    EL_COLD void judge_change(NodeId node, Slot& slot);
    EL_COLD void change_view(NodeId node, const View& after);
    View current_view(NodeId node) const;
    EL_HOT void begin_event(RowKind kind, NodeId node);
    void expire(std::size_t timer_slot);
    EL_COLD void expire_later(NodeId node, std::uint32_t timer, NodeId about);

    // --- effects ---
    EL_COLD Instant use_disk(NodeId node, Slot& slot);
    Instant write(NodeId node);
    void settle_writes(Instant t);
    EL_HOT void arm(NodeId node, const Slot& owner, std::uint32_t timer, NodeId about,
                    const TimerSpec& spec);
    EL_COLD Duration draw_timeout(NodeId node, std::uint32_t timer, NodeId about,
                                  const TimerSpec& spec, std::uint32_t draws);
    void broadcast(NodeId from, Slot& sender, const Message& message, Instant leaves);
    EL_HOT void send_one(NodeId from, Slot& sender, NodeId to, const Message& message,
                         Instant leaves);
    EL_HOT void put_in_flight(NodeId from, NodeId to, const Message& message, Instant leaves, Instant arrives,
                       std::int64_t number, std::int64_t body);
    EL_HOT void send_quietly(NodeId from, Slot& sender, NodeId to, const Message& message,
                             Instant leaves);
    EL_HOT void count_sent(NodeId from, std::size_t kind, NodeId copies);
    [[nodiscard]] bool is_quiet() const {
        return network_.is_calm() && !trace_ && !message_triggers_;
    }
    EL_COLD void send_through_faults(NodeId from, NodeId to, const Message& message, Instant leaves);
    EL_HOT std::uint32_t take_slot();
    EL_HOT void free_slot(std::uint32_t slot);
    void track_overtaking(const Pending& pending);
    EL_COLD void drop_at_arrival(std::uint32_t slot, DropReason reason);
    void lose(std::uint32_t slot, DropReason reason);
    void check_properties(NodeId node);
    EL_COLD void report_violation(std::string_view name, NodeId node);

    // --- actions ---
    bool carry_out(const Action& action, NodeId trigger, const std::uint64_t* word = nullptr);
    bool crash(NodeId node);
    void clear_line(NodeId node);
    bool restart(NodeId node, bool lose_disk);
    bool pause(NodeId node);
    bool resume(NodeId node);
    void hold_unsent(NodeId node);
    void release_unsent(NodeId node);
    bool set_cut(NodeId from, NodeId to, bool cut);
    void doom_departed();
    void keep_order_of_links();
    bool partition(const Action& action);
    bool cut(const Action& action, bool cut);
    bool change_links(const Action& action);
    bool set_clock(NodeId node, const Action& action);
    bool touch_message(const Action& action);
    bool fire(NodeId node, std::uint32_t timer, NodeId about);
    bool command(NodeId node, const Action& action);
    bool later(const Action& action);
    void pass_over(ActionKind kind, NodeId node, std::string_view why);
    void run_plan(int number);
    Action draw_plan_action(Plan& plan, int number);
    void schedule(Instant at, std::shared_ptr<const Action> action, NodeId trigger = no_node,
                  int plan = -1, std::uint32_t episode = 0);
    [[nodiscard]] std::uint32_t episode_of(const Action& repair) const {
        const Slot& slot = slots_[repair.node - 1];
        return repair.kind == ActionKind::restart ? slot.incarnation : slot.pauses;
    }
    void repair_later(const Action& action, NodeId node, Duration after);
    void match_triggers(NodeId node, const View& before, const View& after);
    void match_message_triggers(NodeId node, std::size_t kind);
    NodeId resolve(const Action& action, NodeId trigger, const std::uint64_t* word);
    const QueueKey* find_message(std::int64_t number) const;
    [[noreturn]] void refuse_message(std::int64_t number) const;
    [[nodiscard]] bool has_left(std::uint32_t slot) const { return bodies_[slot].sent <= now_; }

    // --- small things ---
    [[nodiscard]] std::size_t slot_of(NodeId node, std::uint32_t timer, NodeId about) const {
        return layout_.slot(node, timer, about);
    }
    [[nodiscard]] std::size_t first_slot(NodeId node) const {
        return std::size_t{node - 1} * layout_.per_node();
    }
    // A stream of draws of its own for each timer.
    [[nodiscard]] RandomStream timer_stream(Purpose purpose, NodeId node, std::uint32_t timer,
                                            NodeId about) const {
        std::uint64_t key = key_;
        if (HasPeerTimers<P> && about != no_node) {
            key = mix64(key ^ about * golden_gamma);
        }
        return random_stream(key, node, purpose, timer);
    }
    /// a * b / c, rounded down (or up by `more` = c - 1), for a >= 0; does not overflow for a up to
    /// 2^60 and b, c from 0.5e9 to 1.5e9, as they are here.
    static std::int64_t scaled(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t more = 0) {
        return (a / c) * b + ((a % c) * b + more) / c;
    }
    [[nodiscard]] std::int64_t clock_rate(NodeId node) const {
        return billion + node_configs_[node - 1].clock_drift_ppb;
    }
    /// How far a node's clock goes in a span of true time that begins at `clock_since_`.
    [[nodiscard]] std::int64_t local_span(NodeId node, std::int64_t span) const {
        return scaled(span, clock_rate(node), billion);
    }
    [[nodiscard]] Instant after_local(NodeId node, Duration local) const;
    [[nodiscard]] std::int64_t configured_drift(NodeId node) const;
    static constexpr bool has_promises = requires { P::invariants(); };
    static constexpr bool has_properties = requires { P::properties(); };
    using Layout = TimerLayout<HasPeerTimers<P>>;
    static constexpr std::uint32_t no_slot = ~std::uint32_t{0};
    static constexpr std::int64_t billion = 1'000'000'000;
    EL_HOT Context<Options> context(NodeId node, const Slot& slot) const {
        const Instant time = slot.plain ? now_ + slot.clock_offset : clock(node);
        if constexpr (Draws<P>) {
            return {*options_, node, members_, actors_, config_->initial_leader, time,
                    random_stream(key_, node, Purpose::protocol, slot.incarnation & 0xffffff)};
        } else {
            return {*options_, node, members_, actors_, config_->initial_leader, time};
        }
    }
    std::uint64_t next_order() { return order_++; }
    void row(RowKind kind, NodeId node, NodeId peer = no_node);
    TraceRow row_of(RowKind kind, NodeId node, NodeId peer) const;
    void refresh_plain(NodeId node);

    std::shared_ptr<const Options> options_;
    std::shared_ptr<const SimulationConfig> config_;
    const Description* description_;
    std::vector<Promise<P>> promises_;
    std::vector<Property<P>> properties_;
    std::vector<std::uint8_t> broken_;       // which properties: each is reported once
    NodeId members_;
    NodeId actors_;
    TimerLayout<HasPeerTimers<P>> layout_;

    std::uint64_t key_ = 0;  // of this trial's random streams
    Instant now_;
    std::int64_t step_ = 0;
    std::int64_t whole_step_ = 0;
    std::uint64_t order_ = 1;
    std::int64_t next_message_ = 1;
    std::vector<Slot> slots_;
    std::vector<View> views_;
    std::vector<NodeConfig> node_configs_;
    std::vector<Instant> clock_since_;       // when a clock's rate last changed
    std::vector<Line> lines_;
    Network network_;
    TimerTable timers_;
    std::vector<std::uint32_t> timer_draws_;
    EventQueue queue_;
    std::vector<Pending> bodies_;
    std::uint32_t first_free_ = no_slot;     // a list through the bodies
    std::vector<QueueKey> stopped_;          // messages that a pause keeps from leaving, in order
    std::vector<Write> writes_;              // begun and not known to be done
    std::vector<Scheduled> scheduled_;       // latest first
    std::vector<Trigger> triggers_;
    std::vector<Plan> plans_;
    PerLink<Instant> last_arrival_;          // FIFO links
    PerLink<Instant> cut_since_;             // links that are cut
    PerLink<std::int64_t> last_number_;      // to count overtaken messages
    bool tracks_overtaking_ = false;
    bool message_triggers_ = false;
    std::uint64_t target_draws_ = 0;

    Effects<Message> effects_;
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

#include "electionlab/sim/simulation_loop.h"
#include "electionlab/sim/simulation_waiting.h"
#include "electionlab/sim/simulation_handlers.h"
#include "electionlab/sim/simulation_messages.h"
#include "electionlab/sim/simulation_actions.h"
#include "electionlab/sim/simulation_nodes.h"
#include "electionlab/sim/simulation_links.h"
#include "electionlab/sim/simulation_schedule.h"
#include "electionlab/sim/simulation_looking.h"

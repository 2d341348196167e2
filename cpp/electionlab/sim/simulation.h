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
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "electionlab/core/errors.h"
#include "electionlab/core/inlining.h"
#include "electionlab/core/random.h"
#include "electionlab/node/protocol.h"
#include "electionlab/node/timer_layout.h"
#include "electionlab/sim/simulation_core.h"

namespace electionlab {

template <class P>
class Simulation : public SimulationCore {
public:
    using Options = typename P::Options;
    using Message = typename P::Message;
    using NodeState = State<P>;
    using Traits = MessageTraits<Message>;

    /// `options` must be validated. The cluster is at time 0, with nothing started yet.
    Simulation(std::shared_ptr<const Options> options, NodeId members,
               std::shared_ptr<const SimulationConfig> config, const Description& description)
        : SimulationCore(members, std::move(config), description),
          options_(std::move(options)),
          promises_(promises_of<P>()),
          properties_(properties_of<P>()),
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

    /// Carries out an action now; a step of its own. `InvalidArgument` when it makes no sense.
    const Event& apply(const Action& action);

    // --- looking ---

    [[nodiscard]] const NodeState& state(NodeId node) const { return slots_[node - 1].state; }
    /// What a crash would leave of a node now.
    [[nodiscard]] const typename P::Disk& durable(NodeId node) const;
    [[nodiscard]] const Options& options() const { return *options_; }
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
    struct Pending {
        Message message{};
        std::int64_t number = 0;     // of the message; of a timer: its generation
        Instant sent;                // when it left or will leave
        std::int64_t body = -1;      // in the trace
        NodeId from = no_node;
        NodeId to = no_node;
        std::uint32_t timer = 0;
        std::uint32_t next = no_slot;  // in a line; in a free place: the next free one
        PendingKind kind = PendingKind::message;
        bool doomed = false;         // left into a cut link that was mended since
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
    EL_COLD void record_input(std::int64_t body, std::int64_t sent_ns) {
        add_input_row(body, sent_ns);
        add_notes(last_.node, effects_.notes());
    }
    EL_COLD void judge_change(NodeId node, Slot& slot);
    View current_view(NodeId node) const;
    void expire(std::size_t timer_slot);
    EL_COLD void expire_later(NodeId node, std::uint32_t timer, NodeId about);

    // --- effects ---
    EL_COLD Instant use_disk(NodeId node, Slot& slot);
    Instant write(NodeId node);
    void settle_writes(Instant t);
    EL_HOT void arm(NodeId node, const Slot& owner, std::uint32_t timer, NodeId about,
                    const TimerSpec& spec);
    EL_COLD Duration draw_timeout(NodeId node, std::uint32_t timer, NodeId about,
                                  const TimerSpec& spec, std::uint32_t draws) const;
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

    // --- actions ---
    bool carry_out(const Action& action, NodeId trigger, const std::uint64_t* word = nullptr);
    bool crash(NodeId node);
    void clear_line(NodeId node);
    bool restart(NodeId node, bool lose_disk);
    bool pause(NodeId node);
    bool resume(NodeId node);
    void hold_unsent(NodeId node);
    void release_unsent(NodeId node);
    void doom_departed();
    void keep_order_of_links();
    bool set_clock(NodeId node, const Action& action);
    bool touch_message(const Action& action);
    bool fire(NodeId node, std::uint32_t timer, NodeId about);
    bool command(NodeId node, const Action& action);
    void run_plan(int number);
    [[nodiscard]] std::uint32_t episode_of(const Action& repair) const {
        const Slot& slot = slots_[repair.node - 1];
        return repair.kind == ActionKind::restart ? slot.incarnation : slot.pauses;
    }
    void repair(const Action& action, NodeId node, Duration after);
    NodeId resolve(const Action& action, NodeId trigger, const std::uint64_t* word);
    std::optional<QueueKey> find_message(std::int64_t number) const;
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
    static constexpr bool has_promises = requires { P::invariants(); };
    static constexpr bool has_properties = requires { P::properties(); };
    using Layout = TimerLayout<HasPeerTimers<P>>;
    EL_HOT Context<Options> context(NodeId node, const Slot& slot) const {
        const Instant time = slot.plain ? now_ + slot.clock_offset : clock(node);
        if constexpr (Draws<P>) {
            return {*options_, node, members_, actors_, config_->initial_leader, time,
                    random_stream(key_, node, Purpose::protocol, slot.incarnation & 0xffffff)};
        } else {
            return {*options_, node, members_, actors_, config_->initial_leader, time};
        }
    }
    void refresh_plain(NodeId node);

    std::shared_ptr<const Options> options_;
    std::vector<Promise<P>> promises_;
    std::vector<Property<P>> properties_;
    TimerLayout<HasPeerTimers<P>> layout_;
    std::vector<Slot> slots_;
    std::vector<Pending> bodies_;
    std::vector<Write> writes_;              // begun and not known to be done
    Effects<Message> effects_;
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

// `Cluster` for one protocol: a simulation, its trace, and the history that undo and seek need.
//
// A run repeats exactly, so its trace need not be written while it happens: a second simulation
// follows the first along the journal and writes the trace, up to the last step, when somebody looks
// at it. A recorded run that nobody looks at costs what any run costs.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "electionlab/sim/cluster.h"
#include "electionlab/sim/simulation.h"

namespace electionlab {

/// A protocol whose handlers must run once for each event: one that calls a user's functions.
template <class P>
concept HandledOnce = requires { requires P::handled_once; };

/// A value that copies share until one of them changes it.
template <class T>
class Shared {
public:
    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_.get(); }
    T& to_change() {
        if (value_.use_count() > 1) {
            value_ = std::make_shared<T>(*value_);
        }
        return *value_;
    }

private:
    std::shared_ptr<T> value_ = std::make_shared<T>();
};

template <class P>
class RecordedCluster final : public Cluster {
public:
    /// `record` keeps the trace and the history; without it a run is faster and cannot go back.
    RecordedCluster(std::shared_ptr<const typename P::Options> options, NodeId members,
                    std::shared_ptr<const SimulationConfig> config, const Description& description,
                    bool record)
        : simulation_(std::move(options), members, std::move(config), description),
          description_(&description),
          record_(record) {
        if (record_) {
            history_.emplace();
            write_at_once();
            add_checkpoint();
        }
    }

    RecordedCluster(const RecordedCluster& other)
        : simulation_(other.simulation_),
          description_(other.description_),
          record_(other.record_),
          broken_(other.broken_),
          journal_at_(other.journal_at_),
          last_step_(other.last_step_),
          interval_(other.interval_),
          history_(other.history_),
          recording_(other.recording_) {
        write_at_once();
    }
    RecordedCluster& operator=(const RecordedCluster&) = delete;

    const Event& step() override {
        need_whole();
        forget_future();
        const Event* event = nullptr;
        guarded([&] { event = &simulation_.step(); });
        stepped();
        return *event;
    }

    const Event& apply(const Action& action) override {
        need_whole();
        const JournalEntry entry{simulation_.steps(), simulation_.now(),
                                 record_ ? std::make_shared<const Action>(action) : nullptr};
        const std::int64_t future = std::exchange(last_step_, simulation_.steps());
        const Event* event = nullptr;
        try {
            event = &simulation_.apply(action);
        } catch (...) {
            last_step_ = future;  // nothing has changed, the future included
            if (simulation_.steps() != entry.after_step) {  // not refused: a handler threw
                undo_half_step(entry.after_step);
            }
            throw;
        }
        if (record_) {
            auto& journal = history_->journal.to_change();
            journal.resize(journal_at_);
            journal.push_back(entry);
            journal_at_ = journal.size();
            forget_checkpoints_after(entry.after_step);
        }
        stepped();
        return *event;
    }

    bool run(Instant until, std::int64_t max_steps, StopWhen stop,
             const std::function<bool(const Event&)>& watch) override {
        need_whole();
        const std::size_t violations = simulation_.monitor().violations().size();
        if (stop != StopWhen::never && stop != StopWhen::violation && holds(stop, violations)) {
            return true;
        }
        // Nothing happens, and no time passes: what was undone can still be sought.
        const bool lets_time_pass = until != Instant::never() && until > simulation_.now();
        if (max_steps <= 0 || (simulation_.next_time() > until && !lets_time_pass)) {
            return false;
        }
        forget_future();
        bool stopped = false;
        while (max_steps > 0 && !stopped && simulation_.next_time() <= until) {
            const std::int64_t before = simulation_.steps();
            const std::int64_t stretch =  // after a replay the next checkpoint may be overdue
                record_ ? std::clamp(steps_to_checkpoint(), std::int64_t{1}, max_steps) : max_steps;
            guarded([&] { stopped = run_stretch(until, stretch, stop, violations, watch); });
            max_steps -= simulation_.steps() - before;
            stepped();
            if (simulation_.steps() == before) {
                break;
            }
        }
        if (!stopped && until != Instant::never() && max_steps > 0 && until > simulation_.now()) {
            simulation_.wait_until(until);
            if (record_) {
                auto& journal = history_->journal.to_change();
                journal.push_back({simulation_.steps(), until, nullptr});
                journal_at_ = journal.size();
            }
        }
        return stopped;
    }

    std::unique_ptr<Cluster> fork() const override { return std::make_unique<RecordedCluster>(*this); }

    void seek(std::int64_t step) override {
        need_record("seek");
        if (step < 0 || step > last_step_) {
            invalid("event", std::to_string(step),
                    "the run has the events 0 (the start) to " + std::to_string(last_step_));
        }
        if (step < simulation_.steps() || broken_) {
            go_back_to(step);
            broken_ = false;
            return;
        }
        play(simulation_, journal_at_, step, true);
    }

    std::int64_t last_step() const override { return last_step_; }

    std::vector<JournalEntry> journal() const override {
        return record_ ? *history_->journal : std::vector<JournalEntry>{};
    }

    void replay(const std::vector<JournalEntry>& journal, std::int64_t last, Instant end) override {
        need_record("replay");
        if (simulation_.steps() != 0 || !history_->journal->empty()) {
            invalid("replay", "event " + std::to_string(simulation_.steps()),
                    "only a cluster at its start can repeat a journal");
        }
        history_->journal.to_change() = journal;
        play(simulation_, journal_at_, last, true, end);
        history_->journal.to_change().resize(journal_at_);
        stepped();
        if (simulation_.steps() != last || simulation_.now() != end) {
            invalid("trace", "ends at event " + std::to_string(last),
                    "its actions do not lead there; it was altered, or made by another version");
        }
    }

    Trace peek(const Action* action) const override {
        Simulation<P> copy = simulation_;
        Trace trace(description_);
        copy.record_afresh_into(&trace);
        if (action != nullptr) {
            copy.apply(*action);
        } else {
            copy.step();
        }
        return trace;
    }

    Instant now() const override { return simulation_.now(); }
    std::int64_t steps() const override { return simulation_.steps(); }
    NodeId members() const override { return simulation_.members(); }
    NodeId actors() const override { return simulation_.actors(); }

    std::string actor_kind(NodeId node) const override {
        NodeId last = simulation_.members();
        if (node <= last) {
            return "member";
        }
        for (const ActorKind& kind : actor_kinds<P>(simulation_.options(), simulation_.members())) {
            last += kind.count;
            if (node <= last) {
                return std::string(kind.name);
            }
        }
        return "";
    }

    View view(NodeId node) const override { return simulation_.view(node); }
    NodeId leader() const override { return simulation_.leader(); }
    std::vector<PendingEvent> pending() const override { return simulation_.pending(); }

    Value node(NodeId node) const override {
        const auto& state = simulation_.state(node);
        const View& view = simulation_.view(node);
        Value::Dict timers;
        simulation_.for_each_timer(node, [&](std::uint32_t timer, NodeId about, Instant due) {
            timers.emplace_back(description_->timers[timer] +
                                    (about == no_node ? "" : " about " + std::to_string(about)),
                                due.to_ms());
        });
        return Value::Dict{{"node", node},
                           {"kind", actor_kind(node)},
                           {"role", enum_name(view.role)},
                           {"leader", view.leader},
                           {"epoch", view.epoch},
                           {"clock_ms", simulation_.clock(node).to_ms()},
                           {"disk", to_value(state.disk)},
                           {"durable", to_value(simulation_.durable(node))},
                           {"memory", to_value(state.memory)},
                           {"timers_due_ms", std::move(timers)}};
    }

    bool is_cut(NodeId from, NodeId to) const override { return simulation_.network().is_cut(from, to); }
    const Monitor& monitor() override {
        simulation_.settle();
        return simulation_.monitor();
    }
    const FaultCounts& fault_counts() const override { return simulation_.fault_counts(); }

    Value traffic() const override { return simulation_.traffic(); }

    const Trace& trace() const override {
        write_trace(INT64_MAX);
        return recording().trace;
    }
    bool write_trace(std::int64_t most_steps) const override {
        const std::int64_t last = simulation_.steps();
        if (HandledOnce<P> || !record_ || broken_ || recording().follower->steps() == last) {
            return true;
        }
        own_recording();
        const std::int64_t begin = recording_->follower->steps();
        follow(last - begin > most_steps ? begin + most_steps : last);
        return recording_->follower->steps() == last;
    }
    bool records() const override { return record_; }
    std::uint64_t fingerprint() const override { return simulation_.fingerprint(); }
    const Description& description() const override { return *description_; }
    Value options() const override { return options_to_value(simulation_.options()); }
    const SimulationConfig& config() const override { return simulation_.config(); }

    std::string why_no_leader() const override {
        if constexpr (requires { P::why_no_leader(simulation_.options(), simulation_.views()); }) {
            if (simulation_.monitor().live_members() > 0) {
                return P::why_no_leader(simulation_.options(), simulation_.views());
            }
        }
        return simulation_.why_no_leader();
    }

private:
    using Checkpoint = std::pair<std::int64_t, std::shared_ptr<const Simulation<P>>>;

    // What undo and replay need, shared by forks until one of them goes on.
    struct History {
        Shared<std::vector<JournalEntry>> journal;
        // Those up to the follower's step are copies of the follower: they know where the trace
        // keeps the messages that are under way.
        Shared<std::vector<Checkpoint>> checkpoints;
    };

    // The trace, and the simulation that follows this one and writes it.
    struct Recording {
        explicit Recording(const Description* description) : trace(description) {}
        Recording(const Recording& other)
            : trace(other.trace), follower(other.follower), journal_at(other.journal_at) {
            if (follower) {
                follower->record_into(&trace);
            }
        }
        Recording& operator=(const Recording&) = delete;
        ~Recording() = default;
        void follow_from(const Simulation<P>& start) {
            follower = start;
            follower->record_into(&trace);
        }

        Trace trace;
        std::optional<Simulation<P>> follower{};
        std::size_t journal_at = 0;
    };

    Recording& recording() const {
        if (!recording_) {
            recording_ = std::make_shared<Recording>(description_);
            if (record_ && !HandledOnce<P>) {
                recording_->follow_from(*history_->checkpoints->front().second);
            }
        }
        return *recording_;
    }
    void own_recording() const {
        if (recording_.use_count() > 1) {
            recording_ = std::make_shared<Recording>(*recording_);
        }
    }
    // Handlers that run only once: this simulation itself writes the trace.
    void write_at_once() {
        if (HandledOnce<P> && record_) {
            recording();
            own_recording();
            simulation_.record_into(&recording_->trace);
        }
    }

    // The follower goes to a step, and leaves a copy of itself at every checkpoint that it passes.
    void follow(std::int64_t last) const {
        Simulation<P>& follower = *recording_->follower;
        while (follower.steps() < last) {
            const std::vector<Checkpoint>& all = *history_->checkpoints;
            const auto next = std::find_if(all.begin(), all.end(), [&](const Checkpoint& c) {
                return c.first > follower.steps();
            });
            const bool passes = next != all.end() && next->first <= last;
            const std::int64_t before = follower.steps();
            play(follower, recording_->journal_at, passes ? next->first : last, false);
            EL_ASSERT(follower.steps() > before);
            if (passes) {
                const auto place = static_cast<std::size_t>(next - all.begin());
                history_->checkpoints.to_change()[place].second =
                    std::make_shared<const Simulation<P>>(follower);
            }
        }
    }

    template <class Stop>
    bool holds_in(const Simulation<P>& s, Stop stop, std::size_t violations) const {
        switch (stop) {
            case StopWhen::never: return false;
            case StopWhen::leader: return s.monitor().acting_leaders() > 0;
            case StopWhen::agreement: return s.monitor().agreed();
            case StopWhen::no_leader: return s.monitor().acting_leaders() == 0;
            case StopWhen::violation: return s.monitor().violations().size() > violations;
        }
        return false;
    }
    bool holds(StopWhen stop, std::size_t violations) const {
        return holds_in(simulation_, stop, violations);
    }

    bool run_stretch(Instant until, std::int64_t steps, StopWhen stop, std::size_t violations,
                     const std::function<bool(const Event&)>& watch) {
        if (watch) {
            return simulation_.run(until, steps, [&](const Simulation<P>& s) {
                return watch(s.last_event()) || holds_in(s, stop, violations);
            });
        }
        if (stop == StopWhen::never) {
            return simulation_.run(until, steps, [](const Simulation<P>&) { return false; });
        }
        return simulation_.run(until, steps, [&](const Simulation<P>& s) {
            return holds_in(s, stop, violations);
        });
    }

    // A handler written in Python, or a watcher, may throw. The steps before it are kept, and the
    // one it failed in is undone, so that nothing is lost and nothing is half done.
    template <class Work>
    void guarded(Work&& work) {
        const std::int64_t before = simulation_.steps();
        try {
            work();
        } catch (...) {
            const std::int64_t whole = std::max(before, simulation_.last_whole_step());
            last_step_ = std::max(last_step_, whole);
            if (whole != simulation_.steps()) {
                undo_half_step(whole);
            }
            throw;
        }
    }

    void undo_half_step(std::int64_t whole) {
        broken_ = true;
        if (record_) {
            try {
                go_back_to(whole);
                broken_ = false;
            } catch (...) {  // a handler that is not deterministic; the first error tells more
            }
        }
    }

    void need_whole() const {
        if (broken_) {
            invalid("cluster", "half an event", "a handler failed in the middle of an event, and this "
                    "cluster cannot go back to before it; make a new one");
        }
    }

    void need_record(const char* what) const {
        if (!record_) {
            invalid(what, "a cluster with record=False", "keeps no history; make it with record=True");
        }
    }

    // A new step after going back: what had come after is forgotten.
    void forget_future() {
        if (record_ && (last_step_ > simulation_.steps() || journal_at_ < history_->journal->size())) {
            history_->journal.to_change().resize(journal_at_);
            last_step_ = simulation_.steps();
            forget_checkpoints_after(last_step_);
        }
    }

    void forget_checkpoints_after(std::int64_t step) {
        while (history_->checkpoints->back().first > step) {
            history_->checkpoints.to_change().pop_back();
        }
    }

    void stepped() {
        last_step_ = std::max(last_step_, simulation_.steps());
        if (record_ && steps_to_checkpoint() <= 0) {
            add_checkpoint();
        }
    }

    std::int64_t steps_to_checkpoint() const {
        return history_->checkpoints->back().first + interval_ - simulation_.steps();
    }

    // At most so many copies are kept; when there are more, every other one goes.
    void add_checkpoint() {
        auto& checkpoints = history_->checkpoints.to_change();
        const bool is_written = !HandledOnce<P> && recording_ &&
                                recording_->follower->steps() == simulation_.steps();
        checkpoints.emplace_back(simulation_.steps(),
                                 std::make_shared<const Simulation<P>>(
                                     is_written ? *recording_->follower : simulation_));
        const std::size_t most = simulation_.actors() <= 1000 ? 64 : 8;
        if (checkpoints.size() > most) {
            std::vector<Checkpoint> kept;
            for (std::size_t i = 0; i < checkpoints.size(); i += 2) {
                kept.push_back(std::move(checkpoints[i]));
            }
            checkpoints = std::move(kept);
            interval_ *= 2;
        }
    }

    const Checkpoint& checkpoint_before(std::int64_t step) const {
        const std::vector<Checkpoint>& checkpoints = *history_->checkpoints;
        std::size_t i = checkpoints.size() - 1;
        while (checkpoints[i].first > step) {
            --i;
        }
        return checkpoints[i];
    }

    void go_back_to(std::int64_t step) {
        const auto [at, start] = checkpoint_before(step);
        simulation_ = *start;
        journal_at_ = 0;
        const std::vector<JournalEntry>& journal = *history_->journal;
        while (journal_at_ < journal.size() && journal[journal_at_].after_step < at) {
            ++journal_at_;
        }
        if (HandledOnce<P>) {
            recording_->trace.cut_back(at + 1);
            write_at_once();
        } else if (recording_ && recording_->follower->steps() > step) {
            own_recording();
            recording_->trace.cut_back(at + 1);
            recording_->follow_from(*start);
            recording_->journal_at = journal_at_;
        }
        play(simulation_, journal_at_, step, true);
    }

    // Forwards along the journal to step `last`, and perhaps through the waits that follow it. What
    // lies between two entries of the journal is run in one go.
    void play(Simulation<P>& simulation, std::size_t& journal_at, std::int64_t last, bool and_waits,
              Instant end = Instant::never()) const {
        const std::vector<JournalEntry>& journal = *history_->journal;
        for (;;) {
            const JournalEntry* entry = journal_at < journal.size() ? &journal[journal_at] : nullptr;
            if (entry != nullptr && entry->after_step == simulation.steps() &&
                (simulation.steps() < last || (and_waits && !entry->action))) {
                ++journal_at;
                if (entry->at < simulation.now() || entry->at > simulation.next_time()) {
                    invalid("trace", "action after event " + std::to_string(entry->after_step),
                            "its time does not fit the run; it was altered, or made by another version");
                }
                simulation.wait_until(entry->at);
                if (entry->action) {
                    simulation.apply(*entry->action);
                }
                continue;
            }
            const std::int64_t before = simulation.steps();
            const std::int64_t next = entry != nullptr && entry->after_step > before
                                          ? std::min(last, entry->after_step)
                                          : last;
            if (next > before) {
                simulation.run(Instant::never(), next - before,
                               [](const Simulation<P>&) { return false; });
            }
            if (simulation.steps() == before) {
                break;
            }
        }
        if (end != Instant::never() && end > simulation.now() && end <= simulation.next_time()) {
            simulation.wait_until(end);
        }
    }

    Simulation<P> simulation_;
    const Description* description_;
    bool record_;
    bool broken_ = false;              // half an event has happened, and there is no way back
    std::size_t journal_at_ = 0;       // entries taken so far; beyond lies the undone future
    std::int64_t last_step_ = 0;
    std::int64_t interval_ = 64;
    mutable std::optional<History> history_{};                // of a cluster that records
    mutable std::shared_ptr<Recording> recording_{};          // from the first look on
};

}  // namespace electionlab

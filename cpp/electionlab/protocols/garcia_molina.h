// Garcia-Molina's Bully as he published it: halt everybody below, name the coordinator, hand out the
// task; nobody works for two coordinators at any moment.
//
// Source:      H. Garcia-Molina, "Elections in a Distributed Computing System", IEEE Transactions on
//              Computers C-31(1), 1982, sections II and III and appendix I (the Bully Election
//              Algorithm). Only the paper's beginning could be read; what follows it, and the
//              numbers of its sections, are from its widely known content.
// Modelled:    the states Down, Election, Reorganization and Normal; the calls AreYouThere,
//              AreYouNormal, Halt, NewCoordinator and Ready, one after the other in the order of his
//              loops; the procedures Election, Recovery, Check and Timeout; the node that halted this
//              one; a task, which is who takes part.
// Left out:    what the task does. Down is the state of a node that is not running.
// Deviations:  a call is a message and its answer, numbered, because nothing waits inside a handler.
//              A node that recovers is in state Election at once. A coordinator's calls count as
//              hearing from it, and restart the time after which a node looks for it.
// Assumptions: his 1 to 9, of which the ones that fail in practice are: every message arrives within
//              a known time, and nodes never pause, and always answer. Nodes may crash and recover.
// Cost:        8(n-1) messages when all start at once; 9n-16 when the highest of n crashes.
// Weaknesses:  takes 6(n-1) delays; a partition leaves a coordinator on each side, even when healed.
// Scenarios:   tests/scenarios/garcia_molina/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/core/id_list.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

struct GarciaMolinaOptions {
    Duration answer_timeout = ms(50);
    Duration check_interval = ms(50);
    Duration coordinator_timeout = ms(200);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("answer_timeout_ms", self.answer_timeout,
               "Wait for the answer to a call, then the node that was called counts as down; must "
               "exceed two one-way delays.");
        option("check_interval_ms", self.check_interval,
               "Time from one round of a coordinator's calls to the next; above 0.");
        option("coordinator_timeout_ms", self.coordinator_timeout,
               "Time without a call of its coordinator after which a node looks for it, or, halted, "
               "holds an election; above check_interval_ms.");
    }
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        if (check_interval < coordinator_timeout) {
            return {};
        }
        return {"check_interval_ms=" + show(check_interval.to_ms()) +
                ": not below coordinator_timeout_ms=" + show(coordinator_timeout.to_ms()) +
                ", so members may suspect a coordinator that is alive"};
    }
};

struct GarciaMolina {
    using Options = GarciaMolinaOptions;

    // --- messages: calls and what they return ---
    struct AreYouThere {
        std::int64_t call = 0;
        EL_FIELDS(AreYouThere, call)
    };
    struct AreYouNormal {
        std::int64_t call = 0;
        EL_FIELDS(AreYouNormal, call)
    };
    struct Halt {
        std::int64_t call = 0;
        EL_FIELDS(Halt, call)
    };
    struct NewCoordinator {
        std::int64_t call = 0;
        EL_FIELDS(NewCoordinator, call)
    };
    struct Ready {
        std::int64_t call = 0;
        IdList task;
        EL_FIELDS(Ready, call, task)
    };
    struct Answer {
        std::int64_t call = 0;
        bool yes = true;  ///< to AreYouNormal; the other calls return, or they do not
        EL_FIELDS(Answer, call, yes)
    };
    using Message = std::variant<AreYouThere, AreYouNormal, Halt, NewCoordinator, Ready, Answer>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    enum class Status : std::uint8_t { down, election, reorganization, normal };
    friend constexpr std::string_view enum_name(Status status) {
        constexpr std::string_view names[] = {"down", "election", "reorganization", "normal"};
        return static_cast<std::size_t>(status) < 4 ? names[static_cast<std::size_t>(status)] : "";
    }
    /// Which loop of calls is under way: of Timeout, of Election (four of them), of Check.
    enum class Loop : std::uint8_t { none, probe, ask, halt, announce, ready, check };
    friend constexpr std::string_view enum_name(Loop loop) {
        constexpr std::string_view names[] = {"none",     "probe", "ask",  "halt",
                                              "announce", "ready", "check"};
        return static_cast<std::size_t>(loop) < 7 ? names[static_cast<std::size_t>(loop)] : "";
    }
    struct Memory {
        Status status = Status::down;    ///< S(i).s
        NodeId coordinator = no_node;    ///< S(i).c
        NodeId halted_by = no_node;      ///< S(i).h
        IdList up;                       ///< S(i).Up: who answered Halt
        IdList task;                     ///< S(i).d
        Loop loop = Loop::none;
        NodeId callee = no_node;         ///< whose answer is awaited
        std::int64_t call = 0;           ///< number of that call
        EL_FIELDS(Memory, status, coordinator, halted_by, up, task, loop, callee, call)
    };
    using State = electionlab::State<GarciaMolina>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { answer, check, timeout };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"answer", "check", "timeout"};
        return static_cast<std::size_t>(timer) < 3 ? names[static_cast<std::size_t>(timer)] : "";
    }

    // --- inputs ---
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);

    static View view(const State& s, const Context& ctx);
    static About about();
    static std::vector<Property<GarciaMolina>> properties();

private:
    static void on(State& s, const Context& ctx, NodeId from, const AreYouThere& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const AreYouNormal& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Halt& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const NewCoordinator& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Ready& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Answer& m, Effects& effects);

    static void recovery(State& s, const Context& ctx, Effects& effects);
    static void check(State& s, const Context& ctx, Effects& effects);
    static void timeout(State& s, const Context& ctx, Effects& effects);
    static void election(State& s, const Context& ctx, Effects& effects);
    static void begin(State& s, const Context& ctx, Loop loop, Effects& effects);
    static void call_next(State& s, const Context& ctx, Effects& effects);
    static void returned(State& s, const Context& ctx, bool yes, Effects& effects);
    static void timed_out(State& s, const Context& ctx, Effects& effects);
    static void loop_ends(State& s, const Context& ctx, Effects& effects);
    static void stop(State& s, Effects& effects);
    static void wait(const State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

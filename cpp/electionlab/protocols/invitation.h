// Garcia-Molina's Invitation algorithm: nodes form groups, each with one coordinator, and groups
// that can reach each other merge. Made for networks that split.
//
// Source:      H. Garcia-Molina, "Elections in a Distributed Computing System", IEEE Transactions on
//              Computers C-31(1), 1982, section IV and appendix II (the Invitation Election
//              Algorithm). Only the paper's beginning could be read; the rest is from its widely
//              known content, compared with two public implementations.
// Modelled:    the states Down, Election, Reorganization and Normal; group numbers, unique because
//              they are made of the coordinator and of a counter that survives its crashes; the calls
//              AreYouCoordinator, AreYouThere, Invitation, Accept and Ready; the procedures Check,
//              Merge with the wait that lets higher coordinators go first, Timeout and Recovery; a
//              task, which is who takes part.
// Left out:    what the task does. Down is the state of a node that is not running.
// Deviations:  a call is a message and its answer, numbered, because nothing waits inside a handler;
//              calls of one loop leave together, and the loop ends with the last answer or at the
//              time-out. READY completes an acceptance whose answer it overtook, as links here may
//              reorder. AreYouCoordinator names the caller's group, and counts as a sign of life in
//              that group. A coordinator that is invited while it waits to merge does not merge.
// Assumptions: crash faults, a counter on a disk that keeps it. Time only for liveness: messages may
//              be late or lost, nodes may pause.
// Cost:        2(n-1) messages a check; 5(n-1) for a merge of all n nodes, whatever their groups.
// Weaknesses:  it counts no majority: each part of a partition has a coordinator. Group numbers say
//              which group, not which is newer: they fence nothing.
// Scenarios:   tests/scenarios/invitation/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/core/id_list.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

struct InvitationOptions {
    Duration check_interval = ms(50);
    Duration answer_timeout = ms(30);
    Duration invitation_timeout = ms(50);
    Duration merge_delay = ms(100);
    Duration coordinator_timeout = ms(200);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("check_interval_ms", self.check_interval,
               "Time from one look of a coordinator for others to the next; above 0.");
        option("answer_timeout_ms", self.answer_timeout,
               "Wait for the answers to a call; above 0, should exceed two one-way delays.");
        option("invitation_timeout_ms", self.invitation_timeout,
               "Wait for acceptances; above 0, should exceed three one-way delays.");
        option("merge_delay_ms", self.merge_delay,
               "A coordinator waits this long for each number that the highest coordinator it found "
               "is above itself, before it merges; above 0, should exceed check_interval_ms, "
               "answer_timeout_ms and a one-way delay together.");
        option("coordinator_timeout_ms", self.coordinator_timeout,
               "Time without a call of its coordinator after which a node asks for it; above "
               "check_interval_ms.");
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

/// A group's name: no coordinator uses a number twice.
struct GroupNumber {
    std::int64_t counter = 0;
    NodeId coordinator = no_node;

    EL_FIELDS(GroupNumber, counter, coordinator)
};

struct Invitation {
    using Options = InvitationOptions;

    // --- messages: calls and what they return ---
    struct AreYouCoordinator {
        std::int64_t call = 0;
        GroupNumber group;  ///< the caller's, for its own members
        EL_FIELDS(AreYouCoordinator, call, group)
    };
    /// "Do you coordinate this group, and am I in it?"
    struct AreYouThere {
        std::int64_t call = 0;
        GroupNumber group;
        EL_FIELDS(AreYouThere, call, group)
    };
    /// From the coordinator of the group, or passed on by one that joins it. Returns nothing.
    struct Invite {
        GroupNumber group;
        EL_FIELDS(Invite, group)
    };
    struct Accept {
        std::int64_t call = 0;
        GroupNumber group;
        EL_FIELDS(Accept, call, group)
    };
    struct Ready {
        std::int64_t call = 0;
        GroupNumber group;
        IdList task;
        EL_FIELDS(Ready, call, group, task)
    };
    struct Answer {
        std::int64_t call = 0;
        bool yes = true;
        EL_FIELDS(Answer, call, yes)
    };
    using Message = std::variant<AreYouCoordinator, AreYouThere, Invite, Accept, Ready, Answer>;

    // --- state ---
    struct Disk {
        std::int64_t counter = 0;  ///< of the groups that this node has named
        EL_FIELDS(Disk, counter)
    };
    enum class Status : std::uint8_t { down, election, reorganization, normal };
    friend constexpr std::string_view enum_name(Status status) {
        constexpr std::string_view names[] = {"down", "election", "reorganization", "normal"};
        return static_cast<std::size_t>(status) < 4 ? names[static_cast<std::size_t>(status)] : "";
    }
    /// Whose answers are awaited, or what for: Check, the wait before Merge, the two halves of Merge,
    /// a member's acceptance, Timeout.
    enum class Step : std::uint8_t { none, check, defer, invite, ready, accept, probe };
    friend constexpr std::string_view enum_name(Step step) {
        constexpr std::string_view names[] = {"none",  "check",  "defer", "invite",
                                              "ready", "accept", "probe"};
        return static_cast<std::size_t>(step) < 7 ? names[static_cast<std::size_t>(step)] : "";
    }
    struct Memory {
        Status status = Status::down;  ///< S(i).s
        GroupNumber group;             ///< S(i).g, and with it S(i).c
        IdList up;                     ///< S(i).Up: members besides the coordinator
        IdList task;                   ///< S(i).d
        Step step = Step::none;
        std::int64_t call = 0;         ///< number of the calls that are under way
        IdList awaited;                ///< who has not answered them
        IdList found;                  ///< other coordinators, by the last check
        EL_FIELDS(Memory, status, group, up, task, step, call, awaited, found)
    };
    using State = electionlab::State<Invitation>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { step, check, timeout };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"step", "check", "timeout"};
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
    static std::vector<Promise<Invitation>> invariants();
    static std::vector<Property<Invitation>> properties();
    /// A group's number as one: the counter, and then as many digits as the largest node has.
    static Epoch epoch_of(const GroupNumber& group, NodeId members);

private:
    static void on(State& s, const Context& ctx, NodeId from, const AreYouCoordinator& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const AreYouThere& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Invite& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Accept& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Ready& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Answer& m, Effects& effects);

    static void recovery(State& s, const Context& ctx, Effects& effects);
    static void check(State& s, const Context& ctx, Effects& effects);
    static void check_ends(State& s, const Context& ctx, Effects& effects);
    static void merge(State& s, const Context& ctx, Effects& effects);
    static void merge_readies(State& s, const Context& ctx, Effects& effects);
    static void timeout(State& s, const Context& ctx, Effects& effects);
    static void new_group(State& s, const Context& ctx, Effects& effects);
    static void step_ends(State& s, const Context& ctx, Effects& effects);
    static void await(State& s, Step step, const IdList& whom, Duration at_most, Effects& effects);
    static void stop(State& s, Effects& effects);
    static void wait(const State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

// Heartbeat election: every node watches every other one; the best node that is trusted leads.
//
// Source:      the classic construction of an eventual leader from a failure detector: T. D. Chandra,
//              S. Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems", Journal of
//              the ACM 43(2), 1996 (the detectors), and their reduction to Omega by the lowest
//              trusted id. The detectors themselves: see detectors/.
// Modelled:    numbered heartbeats to all; one failure detector for each peer, which one is an
//              option; the lowest (or highest) node that is not suspected is the leader.
// Left out:    any agreement: each node believes what its own detector says.
// Deviations:  none known. A leader that is known from the start is one whose betters are all
//              suspected, until they are heard.
// Assumptions: bounded delay and few enough losses for the detector's time; NFD-S: clocks that show
//              the same. Crash faults and restarts. In a partition each side has a leader of its own.
// Cost:        n(n-1) messages in each heartbeat interval, whoever leads; none for an election.
// Weaknesses:  no epoch, hence no fencing token; split brain in a partition and at every false alarm.
// Scenarios:   tests/scenarios/heartbeat/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/detectors/detector.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

enum class Preference : std::uint8_t { lowest, highest };

constexpr std::string_view enum_name(Preference preference) {
    constexpr std::string_view names[] = {"lowest", "highest"};
    return static_cast<std::size_t>(preference) < 2 ? names[static_cast<std::size_t>(preference)] : "";
}

/// What a node does that trusts no more than half of all nodes.
enum class PartitionHandling : std::uint8_t {
    ignore,          ///< it goes on: each side of a partition has its leader
    pause_minority,  ///< it neither leads nor follows until it trusts more
};

constexpr std::string_view enum_name(PartitionHandling handling) {
    constexpr std::string_view names[] = {"ignore", "pause_minority"};
    return static_cast<std::size_t>(handling) < 2 ? names[static_cast<std::size_t>(handling)] : "";
}

struct HeartbeatOptions : DetectorOptions {
    Preference prefers = Preference::lowest;
    PartitionHandling partition_handling = PartitionHandling::ignore;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        DetectorOptions::describe(self, option);
        option("prefers", self.prefers, "Which of the trusted nodes leads.");
        option("partition_handling", self.partition_handling,
               "What a node does that trusts no more than half of all nodes, itself included: it "
               "goes on, or has no leader until it trusts more.");
    }
    void validate(NodeId) const { DetectorOptions::validate(); }
};

struct HeartbeatElection {
    using Options = HeartbeatOptions;

    // --- messages ---
    /// "I am alive": number i leaves when the sender's clock shows i heartbeat intervals.
    struct Heartbeat {
        std::int64_t number = 0;
        EL_FIELDS(Heartbeat, number)
    };
    using Message = std::variant<Heartbeat>;

    // --- state ---
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        NodeId leader = no_node;
        std::int64_t beats = 0;         ///< number of the next heartbeat
        std::vector<PeerWatch> watch;   ///< of node 1, 2, ...; the own entry is unused
        EL_FIELDS(Memory, leader, beats, watch)
    };
    using State = electionlab::State<HeartbeatElection>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { beat, suspect };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"beat", "suspect"};
        return static_cast<std::size_t>(timer) < 2 ? names[static_cast<std::size_t>(timer)] : "";
    }
    static constexpr bool per_peer(Timer timer) { return timer == Timer::suspect; }

    // --- inputs ---
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, NodeId about, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);
    static View view(const State& s, const Context& ctx) {
        const bool leads = s.memory.leader == ctx.self;
        return {leads ? Role::leader : Role::follower, s.memory.leader, 0};
    }
    static About about();
    static std::vector<Property<HeartbeatElection>> properties();

private:
    static void begin(State& s, const Context& ctx, NodeId known, Effects& effects);
    static void expect_beat(State& s, const Context& ctx, Effects& effects);
    static bool is_better(const Options& options, NodeId a, NodeId b);
    static void trust_best(State& s, const Context& ctx);
};

}  // namespace electionlab

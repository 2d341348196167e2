// Omega, communication-efficient: after it has settled only the leader sends.
//
// Source:      M. K. Aguilera, C. Delporte-Gallet, H. Fauconnier, S. Toueg, "Communication-efficient
//              leader election and consensus with limited link synchrony", PODC 2004, the algorithm
//              for one eventually timely source and fair lossy links.
// Modelled:    ALIVE of whoever believes that it leads, with how often it was accused and its phase;
//              a time-out for each peer that grows each time it was too short; ACCUSATION to who is
//              late; the least accused of those heard of late leads, the lowest among equals; a node
//              that stops on its own begins a new phase, so that its silence is not held against it.
// Left out:    consensus on top of it.
// Deviations:  nodes come back (the paper's crash for good): the accusations are on the disk, and a
//              restart counts as one, so that a node that comes and goes does not take the lead
//              back. A leader that is known from the start is one whose lower nodes were accused
//              once. An ALIVE is answered with the higher count that is known of its sender, which
//              it can only lack when its disk was lost.
// Assumptions: some live node whose messages to all others become timely; the other links may be
//              slow or lose messages, but not all of them for ever; durable counts.
// Cost:        settled: n-1 messages in each interval, all from the leader. A change of leader:
//              n-1 for each that comes forward in the meantime.
// Weaknesses:  two leaders in a partition and while it settles; no epoch, so nothing to fence with.
// Scenarios:   tests/scenarios/omega/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"

namespace electionlab {

struct OmegaOptions {
    Duration heartbeat_interval = ms(50);
    Duration timeout = ms(150);
    Duration timeout_increment = ms(10);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("heartbeat_interval_ms", self.heartbeat_interval,
               "Time between a leader's ALIVE messages (eta); above 0.");
        option("timeout_ms", self.timeout,
               "First time-out for a peer; above the heartbeat interval, and better above that and "
               "the spread of the delay.");
        option("timeout_increment_ms", self.timeout_increment,
               "By how much a time-out grows each time that it ran out; above 0.");
    }
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        return late_heartbeats(heartbeat_interval, "timeout_ms", timeout);
    }
};

struct Omega {
    using Options = OmegaOptions;

    // --- messages ---
    /// "I lead, as far as I know": to all, once an interval.
    struct Alive {
        std::int64_t accusations = 0;  ///< how often the sender was accused so far
        std::int64_t phase = 0;        ///< how often it stopped on its own
        EL_FIELDS(Alive, accusations, phase)
    };
    /// "You were late": to the node whose time-out ran out.
    struct Accusation {
        std::int64_t phase = 0;  ///< the last phase heard of; a later one makes this void
        EL_FIELDS(Accusation, phase)
    };
    /// "You were accused more often than you know."
    struct Reminder {
        std::int64_t accusations = 0;
        EL_FIELDS(Reminder, accusations)
    };
    using Message = std::variant<Alive, Accusation, Reminder>;

    // --- state ---
    struct Disk {
        std::int64_t accusations = 0;  ///< of this node
        EL_FIELDS(Disk, accusations)
    };
    struct Peer {
        std::int64_t accusations = 0;  ///< the most heard of
        std::int64_t phase = 0;
        std::int64_t expiries = 0;     ///< how often its time-out ran out
        bool active = false;           ///< heard within its time-out
        EL_FIELDS(Peer, accusations, phase, expiries, active)
    };
    struct Memory {
        NodeId leader = no_node;
        std::int64_t phase = 0;
        std::vector<Peer> peers;  ///< of node 1, 2, ...; the own entry is unused
        EL_FIELDS(Memory, leader, phase, peers)
    };
    using State = electionlab::State<Omega>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { alive, silence };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"alive", "silence"};
        return static_cast<std::size_t>(timer) < 2 ? names[static_cast<std::size_t>(timer)] : "";
    }
    static constexpr bool per_peer(Timer timer) { return timer == Timer::silence; }

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
    static std::vector<Promise<Omega>> invariants();
    static std::vector<Property<Omega>> properties();

private:
    static void on(State& s, const Context& ctx, NodeId from, const Alive& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Accusation& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Reminder& m, Effects& effects);

    static void update_leader(State& s, const Context& ctx, Effects& effects);
    static void accept_count(State& s, const Context& ctx, std::int64_t count, Effects& effects);
    static void send_alive(State& s, const Context& ctx, Effects& effects);
    static void await(State& s, const Context& ctx, NodeId peer, Effects& effects);
};

}  // namespace electionlab

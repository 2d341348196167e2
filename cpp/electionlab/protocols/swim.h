// SWIM membership: random probing finds the dead, gossip on the probes tells it; the lowest member
// of a node's view is its leader.
//
// Source:      A. Das, I. Gupta, A. Motivala, "SWIM: Scalable Weakly-consistent Infection-style
//              Process Group Membership Protocol", DSN 2002: section 3.1 (probing), 3.2 and 4.1
//              (dissemination), 4.2 (suspicion), 4.3 (round-robin probe targets).
// Modelled:    PING, PING-REQ through k proxies, ACK; ALIVE, SUSPECT and CONFIRM with incarnation
//              numbers; updates on every message, least often sent first, each lambda
//              ceil(log2(n + 1)) times; targets in a random order that is drawn anew each round.
// Left out:    joining nodes that nobody knew of, leaving.
// Deviations:  the leader is this laboratory's addition; SWIM only keeps membership.
//              A node said to be dead comes back with a higher incarnation, and an older CONFIRM
//              does not override it (as in HashiCorp's memberlist); else a restarted node, or the
//              other side of a partition, would stay out for ever. For the same reason the dead keep
//              their turn in the order of targets, but their silence means nothing.
//              A message to a node that its sender thinks suspect or dead says so first, so that
//              the answer can refute it (memberlist's "buddy system").
//              Incarnations are on the disk; a restart begins a new one.
//              Chance is the moment of a node's first probe, which is drawn; the rest follows from it.
// Assumptions: crash faults, restarts; losses and delays that leave most probes answered in time.
// Cost:        without faults 2 messages for each node in each period, whatever n. A silent target:
//              up to 4k more.
// Weaknesses:  views differ for a while; two leaders in a partition and after a false alarm; no epoch.
// Scenarios:   tests/scenarios/swim/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"

namespace electionlab {

struct SwimOptions {
    Duration period = ms(200);
    Duration ping_timeout = ms(50);
    std::uint32_t proxies = 3;
    Duration suspicion_timeout = ms(600);
    std::uint32_t retransmissions = 3;
    std::uint32_t updates_per_message = 6;
    bool round_robin = true;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("period_ms", self.period,
               "Protocol period: each node probes one other in it; above ping_timeout_ms and four "
               "one-way delays.");
        option("ping_timeout_ms", self.ping_timeout,
               "Wait for an ACK before proxies are asked; above two one-way delays.");
        option("proxies", self.proxies, "How many are asked (k); 0: nobody is.");
        option("suspicion_timeout_ms", self.suspicion_timeout,
               "How long a suspect may refute it before it is taken for dead; 0: not at all, as "
               "without the suspicion mechanism.");
        option("retransmissions", self.retransmissions,
               "Each update is sent so many times ceil(log2(n + 1)) (lambda); at least 1.");
        option("updates_per_message", self.updates_per_message,
               "Updates on one message; 1 to 1000.");
        option("round_robin", self.round_robin,
               "Targets come in a random order, each once in a round (section 4.3); False: each is "
               "drawn anew (3.1).");
    }
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        if (ping_timeout < period) {
            return {};
        }
        return {"ping_timeout_ms=" + show(ping_timeout.to_ms()) + ": not below period_ms=" +
                show(period.to_ms()) + ", so nobody is ever asked to ping in another's place"};
    }
};

struct Swim {
    using Options = SwimOptions;

    // --- membership ---
    enum class Status : std::uint8_t { alive, suspect, dead };
    friend constexpr std::string_view enum_name(Status status) {
        constexpr std::string_view names[] = {"alive", "suspect", "dead"};
        return static_cast<std::size_t>(status) < 3 ? names[static_cast<std::size_t>(status)] : "";
    }
    /// What is said of a member: in this incarnation of its it is alive, suspected or dead.
    struct Update {
        NodeId member = no_node;
        Status status = Status::alive;
        std::int64_t incarnation = 0;
        EL_FIELDS(Update, member, status, incarnation)
    };
    /// Whether the first overrides the second, about the same member (section 4.2).
    static bool overrides(const Update& news, Status known, std::int64_t incarnation);

    // --- messages ---
    /// "Are you there?" for itself, or, through a proxy, for another.
    struct Ping {
        NodeId origin = no_node;   ///< who wants to know
        std::int64_t probe = 0;    ///< number of its probe
        std::vector<Update> updates;
        EL_FIELDS(Ping, origin, probe, updates)
    };
    /// "I do not hear it; ask it for me."
    struct PingReq {
        NodeId target = no_node;
        std::int64_t probe = 0;
        std::vector<Update> updates;
        EL_FIELDS(PingReq, target, probe, updates)
    };
    /// "I am there", back to the origin, through the proxy if there was one.
    struct Ack {
        NodeId origin = no_node;
        NodeId target = no_node;
        std::int64_t probe = 0;
        std::vector<Update> updates;
        EL_FIELDS(Ack, origin, target, probe, updates)
    };
    using Message = std::variant<Ping, PingReq, Ack>;

    // --- state ---
    struct Disk {
        std::int64_t incarnation = 0;
        EL_FIELDS(Disk, incarnation)
    };
    struct Member {
        Status status = Status::alive;
        std::int64_t incarnation = 0;
        EL_FIELDS(Member, status, incarnation)
    };
    /// An update that is still to be told.
    struct Rumour {
        Update update;
        std::uint32_t sent = 0;
        EL_FIELDS(Rumour, update, sent)
    };
    struct Memory {
        NodeId leader = no_node;
        std::vector<Member> members;   ///< node 1, 2, ...
        std::vector<Rumour> rumours;
        std::vector<NodeId> order;     ///< targets of this round
        std::size_t next = 0;          ///< place of the next one
        std::int64_t probe = 0;        ///< number of the present probe
        NodeId target = no_node;       ///< of the present probe, until it is answered
        std::int64_t key = 0;          ///< of this node's draws; from the moment of its first probe
        std::int64_t draws = 0;
        EL_FIELDS(Memory, leader, members, rumours, order, next, probe, target, key, draws)
    };
    using State = electionlab::State<Swim>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { period, ack, suspicion };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"period", "ack", "suspicion"};
        return static_cast<std::size_t>(timer) < 3 ? names[static_cast<std::size_t>(timer)] : "";
    }
    static constexpr bool per_peer(Timer timer) { return timer == Timer::suspicion; }

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
    static std::vector<Promise<Swim>> invariants();
    static std::vector<Property<Swim>> properties();

    /// How often each update is sent: lambda ceil(log2(n + 1)).
    static std::uint32_t times_told(const Options& options, NodeId members);

private:
    static void on(State& s, const Context& ctx, NodeId from, const Ping& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const PingReq& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Ack& m, Effects& effects);

    static void probe_next(State& s, const Context& ctx, Effects& effects);         // 3.1, 4.3
    static void ask_proxies(State& s, const Context& ctx, Effects& effects);        // 3.1
    static NodeId next_target(State& s, const Context& ctx);                        // 4.3
    static void learn(State& s, const Context& ctx, const Update& news, Effects& effects);  // 4.2
    static void refute(State& s, const Context& ctx, const Update& news, Effects& effects);
    static void tell(State& s, const Update& news);
    static std::vector<Update> gossip(State& s, const Context& ctx, NodeId to);     // 3.2, 4.1
    static void choose_leader(State& s, const Context& ctx);
    static std::uint64_t draw(State& s, std::uint64_t below);
};

}  // namespace electionlab

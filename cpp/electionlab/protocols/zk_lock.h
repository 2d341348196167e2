// One lock znode: all race to create it, who succeeds leads, the others watch it. Kafka's
// controller and YARN's active ResourceManager were elected so.
//
// Source:      Hunt et al., USENIX ATC 2010, section 2.4 (simple locks); Apache Kafka before KRaft:
//              KafkaController.elect and
//              KafkaZkClient.registerControllerAndIncrementControllerEpoch; Apache Hadoop:
//              org.apache.hadoop.ha.ActiveStandbyElector.
// Modelled:    kafka: /controller is made and /controller_epoch raised in one multi, on condition
//              of the version read before, so that an epoch has one controller at most. yarn: the
//              new holder reads the breadcrumb, a persistent znode that names the last active; if
//              that is another node it fences it, then writes its own name, and only then acts; who
//              resigns removes it, so that nobody is fenced without need.
// Left out:    creating the persistent znodes; what a fenced process is beyond its election;
//              Kafka's election of partition leaders by the controller, which is another matter.
// Deviations:  the data of /controller has the epoch beside the node (Kafka's brokers learn it from
//              the controller's requests). Fencing is a message that the old active obeys and
//              answers; what no answer means is an option (in Hadoop: the list of fencing methods).
// Assumptions: the service is up, reachable, and keeps its disk. No majority of members is needed;
//              fencing needs the old active to be reached.
// Cost:        at a leader's death n-1 events. kafka: 4(n-1) requests and replies, yarn 3(n-1) and
//              2 more, and a Fence (the winner reads and watches what it has made, too).
// Weaknesses:  the herd; nobody waits in a line: who wins is chance. No leader while the service is
//              down; who is cut off or paused may act after its session has expired.
// Scenarios:   tests/scenarios/zk_lock/
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/services/coordination.h"

namespace electionlab {

enum class LockFlavour : std::uint8_t {
    kafka,  ///< an epoch znode, raised with the lock
    yarn,   ///< a breadcrumb, and the last active fenced before the next acts
};

constexpr std::string_view enum_name(LockFlavour flavour) {
    constexpr std::string_view names[] = {"kafka", "yarn"};
    return static_cast<std::size_t>(flavour) < 2 ? names[static_cast<std::size_t>(flavour)] : "";
}

/// What a new holder does when the one to be fenced does not answer.
enum class Unfenced : std::uint8_t { goes_on, gives_up };

constexpr std::string_view enum_name(Unfenced unfenced) {
    constexpr std::string_view names[] = {"goes_on", "gives_up"};
    return static_cast<std::size_t>(unfenced) < 2 ? names[static_cast<std::size_t>(unfenced)] : "";
}

struct ZkLockOptions {
    coordination::SessionOptions sessions;
    LockFlavour flavour = LockFlavour::kafka;
    bool step_down_on_disconnect = false;
    Duration fence_timeout = ms(50);
    Unfenced unfenced = Unfenced::goes_on;
    Duration rejoin_delay = ms(1000);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        coordination::SessionOptions::describe(self.sessions, option);
        option(
            "flavour", self.flavour,
            "kafka: an epoch znode is raised with the lock; yarn: the last active is fenced before "
            "the next one acts.");
        option(
            "step_down_on_disconnect", self.step_down_on_disconnect,
            "Whether a leader stops acting while it is disconnected, or only when it learns that "
            "its session has expired (Kafka's controller).");
        option("fence_timeout_ms", self.fence_timeout,
               "yarn: how long the last active has to answer; above a round trip.");
        option("unfenced", self.unfenced,
               "yarn: without its answer the new holder goes_on and acts, or gives_up the lock.");
        option("rejoin_delay_ms", self.rejoin_delay,
               "yarn: how long a node that gave the lock up stays out.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate(NodeId nodes) const;
};

struct ZkLock {
    using Options = ZkLockOptions;

    // --- messages, besides the service's ---
    /// Stop acting as the active: the sender holds the lock under this czxid.
    struct Fence {
        Epoch epoch = 0;
        EL_FIELDS(Fence, epoch)
    };
    /// It does not act.
    struct Fenced {
        Epoch epoch = 0;
        EL_FIELDS(Fenced, epoch)
    };
    using Message = coordination::Messages<Fence, Fenced>;

    // --- commands ---
    /// Give the lock up, and join the race again.
    struct Resign {
        EL_FIELDS(Resign)
    };
    using Command = std::variant<Resign>;

    // --- state ---
    struct Disk {
        std::int64_t starts = 0;         ///< of a member
        coordination::Database service;  ///< the service's
        EL_FIELDS(Disk, starts, service)
    };
    /// A request to the service.
    enum class Step : std::uint8_t {
        nothing,
        read_lock,     ///< getData and a watch: who leads?
        read_epoch,    ///< kafka
        take,          ///< create the lock
        read_crumb,    ///< yarn: who was the last active?
        write_crumb,   ///< yarn
        remove_crumb,  ///< yarn, resigning
        release,       ///< resigning: the lock, or the whole session
    };
    friend constexpr std::string_view enum_name(Step step) {
        constexpr std::string_view names[] = {"nothing",      "read_lock",  "read_epoch",
                                              "take",         "read_crumb", "write_crumb",
                                              "remove_crumb", "release"};
        return static_cast<std::size_t>(step) < 8 ? names[static_cast<std::size_t>(step)] : "";
    }
    struct Memory {
        coordination::Desk desk;      ///< the service's
        coordination::Client client;  ///< from here on a member's
        Step asked = Step::nothing;   ///< under way
        Step next = Step::nothing;    ///< to be asked when that is answered
        Epoch lock_epoch = 0;         ///< of the lock it holds; of the epoch znode as read
        std::int64_t version = 0;  ///< of the epoch znode, or of the breadcrumb; -1: there is none
        bool holds = false;        ///< the lock is its own
        NodeId fencing = no_node;  ///< yarn: whose answer it waits for
        bool resigns = false;
        bool acts = false;    ///< as leader
        bool stands = false;  ///< the lock is free, or taken and not yet used
        NodeId leader = no_node;
        Epoch epoch = 0;         ///< of the leader that it knows
        std::int64_t woken = 0;  ///< events that reached it
        EL_FIELDS(Memory, desk, client, asked, next, lock_epoch, version, holds, fencing, resigns,
                  acts, stands, leader, epoch, woken)
    };
    using State = electionlab::State<ZkLock>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { tick, ping, silence, fence, rejoin };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"tick", "ping", "silence", "fence", "rejoin"};
        return static_cast<std::size_t>(timer) < 5 ? names[static_cast<std::size_t>(timer)] : "";
    }

    // --- inputs ---
    static std::vector<ActorKind> actors(const Options&, NodeId) {
        return {{"coordination service", 1}};
    }
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);
    static void on_command(State& s, const Context& ctx, const Command& command, Effects& effects);

    static View view(const State& s, const Context& ctx);
    static About about();
    static std::vector<Promise<ZkLock>> invariants();
    static std::vector<Property<ZkLock>> properties();

private:
    static NodeId service_of(const Context& ctx) { return ctx.members + 1; }
    static void start_service(State& s, const Context& ctx, NodeId leader, Effects& effects);
    static void start_with_a_leader(State& s, const Context& ctx, Effects& effects);

    static void on(State& s, const Context& ctx, NodeId from, const Fence& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Fenced& m, Effects& effects);

    static void handle(State& s, const Context& ctx, coordination::ClientWork& work,
                       Effects& effects);
    static void on_happening(State& s, const Context& ctx, const coordination::Happening& h,
                             coordination::ClientWork& work, Effects& effects);
    static void on_reply(State& s, const Context& ctx, const coordination::Reply& m,
                         coordination::ClientWork& work, Effects& effects);
    static void on_lock_read(State& s, const Context& ctx, const coordination::Reply& m,
                             coordination::ClientWork& work);
    static void act(State& s, const Context& ctx, coordination::ClientWork& work);
    static void go_on(State& s, const Context& ctx, coordination::ClientWork& work);
};

}  // namespace electionlab

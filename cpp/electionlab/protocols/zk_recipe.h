// ZooKeeper's election recipe: everybody makes a numbered ephemeral znode, the smallest number
// leads, and each watches the znode before its own.
//
// Source:      "ZooKeeper Recipes and Solutions", section Leader Election, with the notes of
//              section Locks on exists() and on the guid; Hunt et al., USENIX ATC 2010, section 2.4
//              (simple locks without herd effect); Apache Curator's LeaderLatch for what it leaves
//              open.
// Modelled:    the queue of sequential ephemeral znodes; one watch each, on the predecessor or (the
//              recipe's warning) on the leader; exists() that finds nothing goes back to listing; a
//              create whose reply was lost, found again by its guid; session expiry, learnt late;
//              stepping down while disconnected; resigning.
// Left out:    creating /election; a second service.
// Deviations:  none known from the recipe. It does not say how the others learn who leads, as only
//              one is woken: here they list again every `look_interval` (LeaderLatch.getLeader asks
//              the service, too). The guid is the node, its starts and its sessions, not random.
// Assumptions: the service is up, reachable, and keeps its disk. No majority of members is needed,
//              and members need not reach each other.
// Cost:        at a leader's death 1 event, 1 listing and its reply; all watch the leader: n-1
//              each, and n-2 watches set again (a request and a reply each). Ever: a ping and its
//              answer per member and third of a time-out.
// Weaknesses:  nobody leads while the service is down; a leader that is cut off learns of its
//              expiry from nobody: with step_down_on_disconnect it stops in time if delays and
//              clocks behave (docs/protocols/zk_recipe.md), and a paused one never does.
// Scenarios:   tests/scenarios/zk_recipe/
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "electionlab/node/mutations.h"
#include "electionlab/node/protocol.h"
#include "electionlab/services/coordination.h"

namespace electionlab {

/// Which znode a waiting member watches.
enum class WatchedZnode : std::uint8_t {
    predecessor,  ///< the recipe: one is woken
    leader,       ///< the herd: all are woken
};

constexpr std::string_view enum_name(WatchedZnode watched) {
    constexpr std::string_view names[] = {"predecessor", "leader"};
    return static_cast<std::size_t>(watched) < 2 ? names[static_cast<std::size_t>(watched)] : "";
}

/// Documented bugs, for the museum; see docs/museum.md.
enum class ZkRecipeMutation : std::uint8_t {
    trusts_old_node,          ///< takes the znode of its own earlier session for its own
    no_recheck_after_exists,  ///< waits for a znode that exists() did not find
    forgets_its_node,         ///< makes another znode after a broken connection
};
constexpr std::string_view enum_name(ZkRecipeMutation mutation) {
    constexpr std::string_view names[] = {"trusts_old_node", "no_recheck_after_exists",
                                          "forgets_its_node"};
    return static_cast<std::size_t>(mutation) < 3 ? names[static_cast<std::size_t>(mutation)] : "";
}

struct ZkRecipeOptions {
    coordination::SessionOptions sessions;
    WatchedZnode watch = WatchedZnode::predecessor;
    bool step_down_on_disconnect = true;
    bool protected_create = true;
    Duration look_interval = ms(50);
    Mutations<ZkRecipeMutation> mutations;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        coordination::SessionOptions::describe(self.sessions, option);
        option("watch", self.watch,
               "The znode that a waiting member watches: its predecessor's, or the leader's, which "
               "wakes all of them at once.");
        option(
            "step_down_on_disconnect", self.step_down_on_disconnect,
            "Whether a leader stops acting while it is disconnected (Curator's LeaderLatch does), "
            "or only when it learns that its session has expired.");
        option(
            "protected_create", self.protected_create,
            "Whether a member that lost the reply to its create looks for its znode, by the guid "
            "in the name, before it makes another.");
        option("look_interval_ms", self.look_interval,
               "How often a member that does not lead lists the znodes to know who does; 0: only "
               "when it is woken.");
        option("mutations", self.mutations, "Bugs to be put in, by name; see docs/museum.md.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate(NodeId nodes) const;
};

struct ZkRecipe {
    using Options = ZkRecipeOptions;

    using Message = coordination::Messages<>;

    // --- commands ---
    /// Leave the queue, and join it again at its end.
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
    /// The request under way.
    enum class Asked : std::uint8_t { nothing, create, list, exists, remove };
    friend constexpr std::string_view enum_name(Asked asked) {
        constexpr std::string_view names[] = {"nothing", "create", "list", "exists", "remove"};
        return static_cast<std::size_t>(asked) < 5 ? names[static_cast<std::size_t>(asked)] : "";
    }
    struct Memory {
        coordination::Desk desk;      ///< the service's
        coordination::Client client;  ///< from here on a member's
        std::int64_t attempts = 0;    ///< znodes it set out to make in this life: part of the guid
        std::string own;              ///< the name of its znode, once it knows it
        Asked asked = Asked::nothing;
        bool must_list = false;
        bool resigning = false;
        std::string to_watch;     ///< the znode to ask exists() for next
        bool acts = false;        ///< as leader
        bool stands = false;      ///< the leader's znode is gone: it looks whether it is next
        NodeId leader = no_node;  ///< who made the smallest znode, as last listed
        Epoch epoch = 0;          ///< the number of that znode, and 1
        std::int64_t woken = 0;   ///< events that reached it
        EL_FIELDS(Memory, desk, client, attempts, own, asked, must_list, resigning, to_watch, acts,
                  stands, leader, epoch, woken)
    };
    using State = electionlab::State<ZkRecipe>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { tick, ping, silence, look };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"tick", "ping", "silence", "look"};
        return static_cast<std::size_t>(timer) < 4 ? names[static_cast<std::size_t>(timer)] : "";
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
    static std::vector<Promise<ZkRecipe>> invariants();
    static std::vector<Property<ZkRecipe>> properties();

private:
    static NodeId service_of(const Context& ctx) { return ctx.members + 1; }
    static void start_service(State& s, const Context& ctx, NodeId leader, Effects& effects);
    static void start_in_the_queue(State& s, const Context& ctx, Effects& effects);

    static void handle(State& s, const Context& ctx, coordination::ClientWork& work);
    static void on_happening(State& s, const Context& ctx, const coordination::Happening& h,
                             coordination::ClientWork& work);
    static void on_reply(State& s, const Context& ctx, const coordination::Reply& m,
                         coordination::ClientWork& work);
    static void on_listing(State& s, const Context& ctx, const std::vector<std::string>& names,
                           coordination::ClientWork& work);
    static void go_on(State& s, const Context& ctx, coordination::ClientWork& work);
};

}  // namespace electionlab

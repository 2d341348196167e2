// Viewstamped Replication: who leads is computed from the view number; a view change only agrees on
// the next view, and carries every committed operation into it.
//
// Source:      B. Oki and B. Liskov, "Viewstamped Replication", PODC 1988; B. Liskov and J.
//              Cowling, "Viewstamped Replication Revisited", MIT-CSAIL-TR-2012-021, 2012, sections
//              4.1 to 4.3 and 5.2. The flaw of 4.3: E. Michael, D. Ports, N. Sharma and A.
//              Szekeres, "Recovering Shared Objects Without Stable Storage", DISC 2017, extended
//              version, appendix B.1.
// Modelled:    normal operation with Prepare, PrepareOk and Commit (the primary's sign of life),
//              the view change, recovery with a nonce after a crash, fetching what was missed.
// Left out:    clients and their table, checkpoints, change of the group, the service's execution.
// Deviations:  views count from 1, and node 1 is the primary of view 1. Where the paper has 2f+1
//              nodes, f+1 is a majority of any number. Logs are sent whole. A node that learns of a
//              later view keeps its log until it has the new one (5.2 cuts it first). The nonce is
//              a counter on the disk, which 4.3 offers beside a clock. `durable_view` is 1988's:
//              the view is on the disk before anybody hears of it.
// Assumptions: crash faults; no more than a minority is down or recovering at any time, or the
//              state is lost for good; and for recovery without durable views, that no message of a
//              view change is so slow as to be overtaken by its sender's crash and recovery.
// Cost:        a view change of n nodes sends n(n-1) StartViewChange, n-1 DoViewChange and n-1
//              StartView: (n-1)(n+2), when all are up.
// Weaknesses:  the next primary may be down or slow, and costs a time-out; messages hold whole
//              logs.
// Scenarios:   tests/scenarios/viewstamped/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"

namespace electionlab {

struct ViewstampedOptions {
    Duration heartbeat_interval = ms(50);
    Duration primary_timeout = ms(200);
    Duration view_change_timeout = ms(100);
    Duration recovery_retry = ms(50);
    bool durable_view = false;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("heartbeat_interval_ms", self.heartbeat_interval,
               "Time between an idle primary's Commits; above 0, below primary_timeout_ms.");
        option("primary_timeout_ms", self.primary_timeout,
               "Silence of the primary after which a node begins a view change.");
        option("view_change_timeout_ms", self.view_change_timeout,
               "A view change that takes so long is given up for the next view; above four one-way "
               "delays.");
        option("recovery_retry_ms", self.recovery_retry,
               "A recovering node asks again after so long; above 0.");
        option("durable_view", self.durable_view,
               "A node's view is on its disk before anybody hears of it, and it recovers into no "
               "earlier one.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate(NodeId nodes) const;
    [[nodiscard]] std::vector<std::string> warnings() const {
        return late_heartbeats(heartbeat_interval, "primary_timeout_ms", primary_timeout);
    }
};

struct Viewstamped {
    using Options = ViewstampedOptions;
    using Nodes = NodeSet<1000>;
    using Log = std::vector<std::int64_t>;  ///< the operations, number 1 first

    // --- messages (4.1) ---
    struct Prepare {
        Epoch view = 0;
        std::int64_t number = 0;
        std::int64_t operation = 0;
        std::int64_t committed = 0;  ///< the first so many operations are
        EL_FIELDS(Prepare, view, number, operation, committed)
    };
    struct PrepareOk {  ///< this node holds the first so many operations
        Epoch view = 0;
        std::int64_t number = 0;
        EL_FIELDS(PrepareOk, view, number)
    };
    struct Commit {
        Epoch view = 0;
        std::int64_t committed = 0;
        EL_FIELDS(Commit, view, committed)
    };
    // --- messages (4.2) ---
    struct StartViewChange {
        Epoch view = 0;
        EL_FIELDS(StartViewChange, view)
    };
    struct DoViewChange {
        Epoch view = 0;
        Log log;
        Epoch last_normal = 0;  ///< the latest view in which the sender's status was normal
        std::int64_t committed = 0;
        EL_FIELDS(DoViewChange, view, log, last_normal, committed)
    };
    struct StartView {
        Epoch view = 0;
        Log log;
        std::int64_t committed = 0;
        EL_FIELDS(StartView, view, log, committed)
    };
    // --- messages (4.3) ---
    struct Recovery {
        std::int64_t nonce = 0;
        Epoch view = 0;  ///< the durable one; else 0
        EL_FIELDS(Recovery, nonce, view)
    };
    struct RecoveryResponse {
        Epoch view = 0;
        std::int64_t nonce = 0;
        Log log;                     ///< of the primary only
        std::int64_t committed = 0;  ///< of the primary only
        EL_FIELDS(RecoveryResponse, view, nonce, log, committed)
    };
    // --- messages (5.2) ---
    struct GetState {
        Epoch view = 0;
        EL_FIELDS(GetState, view)
    };
    struct NewState {
        Epoch view = 0;
        Log log;
        std::int64_t committed = 0;
        EL_FIELDS(NewState, view, log, committed)
    };
    using Message = std::variant<Prepare, PrepareOk, Commit, StartViewChange, DoViewChange,
                                 StartView, Recovery, RecoveryResponse, GetState, NewState>;

    /// A client asks the primary for an operation.
    struct Request {
        std::int64_t operation = 0;
        EL_FIELDS(Request, operation)
    };
    using Command = std::variant<Request>;

    // --- state (Figure 2) ---
    enum class Status : std::uint8_t { normal, view_change, recovering };
    friend constexpr std::string_view enum_name(Status status) {
        constexpr std::string_view names[] = {"normal", "view_change", "recovering"};
        return static_cast<std::size_t>(status) < 3 ? names[static_cast<std::size_t>(status)] : "";
    }
    struct Disk {
        std::int64_t nonce = 0;  ///< of the last recovery
        Epoch view = 0;          ///< only with durable_view
        EL_FIELDS(Disk, nonce, view)
    };
    /// What a view change or a recovery has found so far.
    struct Found {
        Nodes senders;
        Epoch view = 0;  ///< view change: the latest normal one; recovery: the latest of any answer
        Log log;
        std::int64_t committed = 0;
        bool from_primary = false;  ///< recovery: the primary of that view has answered
        EL_FIELDS(Found, senders, view, log, committed, from_primary)
    };
    struct Memory {
        Status status = Status::normal;
        Epoch view = 0;
        Epoch last_normal = 0;
        Log log;
        std::int64_t committed = 0;
        std::vector<std::int64_t> prepared;  ///< primary: how many operations each node holds
        Nodes starting;                      ///< view change: who else has said StartViewChange
        bool reported = false;               ///< view change: this node has said DoViewChange
        Found found;
        EL_FIELDS(Memory, status, view, last_normal, log, committed, prepared, starting, reported,
                  found)
    };
    using State = electionlab::State<Viewstamped>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { silence, view_change, heartbeat, recovery };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"silence", "view_change", "heartbeat", "recovery"};
        return static_cast<std::size_t>(timer) < 4 ? names[static_cast<std::size_t>(timer)] : "";
    }

    /// Round robin, node 1 first.
    static constexpr NodeId primary_of(Epoch view, NodeId members) {
        return static_cast<NodeId>((view - 1) % members) + 1;
    }
    /// How many answers a recovering node needs: with itself, which took part in a quorum perhaps,
    /// they meet every quorum in a node that remembers. f+1 of 2f+1.
    static constexpr std::size_t answers_needed(NodeId members) {
        return members - quorum_size(members) + 1;
    }

    // --- inputs ---
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State& s, const Context& ctx, Effects& effects);
    static void on_restart(State& s, const Context& ctx, Effects& effects);
    static void on_timer(State& s, const Context& ctx, Timer timer, Effects& effects);
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects);
    static void on_command(State& s, const Context& ctx, const Command& command, Effects& effects);
    static View view(const State& s, const Context& ctx);
    static About about();
    static std::vector<Promise<Viewstamped>> invariants();
    static std::vector<Property<Viewstamped>> properties();

private:
    static void on(State& s, const Context& ctx, NodeId from, const Prepare& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const PrepareOk& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Commit& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const StartViewChange& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const DoViewChange& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const StartView& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Recovery& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const RecoveryResponse& m,
                   Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const GetState& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const NewState& m, Effects& effects);

    static bool hears_primary(State& s, const Context& ctx, NodeId from, Epoch view,
                              Effects& effects);
    static void begin_view_change(State& s, const Context& ctx, Epoch view, Effects& effects);
    static void report(State& s, const Context& ctx, Effects& effects);
    static void take_report(State& s, const Context& ctx, NodeId from, const DoViewChange& m,
                            Effects& effects);
    static void adopt(State& s, const Context& ctx, Epoch view, const Log& log,
                      std::int64_t committed, Effects& effects);
    static void set_view(State& s, const Context& ctx, Epoch view, Effects& effects);
    static void be_normal(State& s, const Context& ctx, Effects& effects);
    static void advance(State& s, const Context& ctx, Effects& effects);
    static void send_heartbeat(State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

// Kubernetes' leader election: a record on the API server, renewed in time, or taken over.
//
// Source:      kubernetes/client-go, tools/leaderelection/leaderelection.go (Run, acquire, renew,
//              tryAcquireOrRenew, release) and resourcelock/leaselock.go, as of Kubernetes 1.31;
//              controller-runtime for the time-out of a request, half of RenewDeadline.
// Modelled:    LeaderElectionRecord with all its fields, optimistic concurrency by resource
//              version, the fast path of a leader's update and the slow one by Get, observed time
//              on the own clock, JitterUntil and PollImmediateUntil, ReleaseOnCancel, an identity
//              of host and process; the record's whole seconds.
// Left out:    the callbacks, metrics, the health check, coordinated election (KEP-4355), and an
//              API server of several replicas.
// Deviations:  an elector that stops leading runs again at once; in client-go that is the
//              program's choice, and most exit: that is a crash and a restart here.
// Assumptions: the API server keeps its disk and nobody deletes the lease; the fastest clock runs
//              less than LeaseDuration / (RenewDeadline + RetryPeriod + how long a try takes) as
//              fast as the slowest (the source's comment says: about LeaseDuration /
//              RenewDeadline); no pauses.
// Cost:        a leader: 2 messages each RetryPeriod; another: 2 each RetryPeriod to
//              RetryPeriod (1 + JitterFactor); an election: 4.
// Weaknesses:  says itself that it does not fence; a leader that finds another one's record goes on
//              until its RenewDeadline.
// Scenarios:   tests/scenarios/kubernetes/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/mutations.h"
#include "electionlab/node/protocol.h"

namespace electionlab {

/// Documented bugs, for the museum; see docs/museum.md.
enum class KubernetesMutation : std::uint8_t {
    no_stop_callback,       ///< a leader that misses its deadline goes on trying, and acting
    wall_clock_lease,       ///< trusts the time that the holder wrote, by the holder's clock
    retry_longer_than_ttl,  ///< renew_deadline_ms may exceed lease_duration_ms
};
constexpr std::string_view enum_name(KubernetesMutation mutation) {
    constexpr std::string_view names[] = {"no_stop_callback", "wall_clock_lease",
                                          "retry_longer_than_ttl"};
    return static_cast<std::size_t>(mutation) < 3 ? names[static_cast<std::size_t>(mutation)] : "";
}

struct KubernetesOptions {
    Duration lease_duration = seconds(15);
    Duration renew_deadline = seconds(10);
    Duration retry_period = seconds(2);
    std::int64_t jitter_percent = 120;
    Duration request_timeout = seconds(5);
    bool release_on_cancel = false;
    bool stable_identity = false;
    Mutations<KubernetesMutation> mutations;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("lease_duration_ms", self.lease_duration,
               "How long a candidate must see no change of the record before it takes over; at "
               "least 1000. The record holds whole seconds: the rest is cut off.");
        option("renew_deadline_ms", self.renew_deadline,
               "How long a leader tries to renew before it gives up; below lease_duration_ms and "
               "above retry_period_ms times the jitter factor.");
        option("retry_period_ms", self.retry_period,
               "Time between a leader's renewals, and between tries; above 0.");
        option("jitter_percent", self.jitter_percent,
               "A candidate adds up to so much of retry_period_ms, drawn, to each wait (client-go: "
               "JitterFactor 1.2, that is 120); at most 10000.");
        option("request_timeout_ms", self.request_timeout,
               "How long a request to the API server may take; above 0.");
        option("release_on_cancel", self.release_on_cancel,
               "A leader that stops clears the record, so that the next need not wait.");
        option("stable_identity", self.stable_identity,
               "A process that restarts has the identity that it had before, as a pod's bare name "
               "is; else a new one.");
        option("mutations", self.mutations, "Bugs to be put in, by name; see docs/museum.md.");
    }
    void validate(NodeId nodes) const;

    /// A candidate's wait between two tries.
    [[nodiscard]] DurationRange jittered() const {
        return {retry_period, retry_period + Duration{retry_period.ns / 100 * jitter_percent}};
    }
};

struct Kubernetes {
    using Options = KubernetesOptions;

    /// What lies on the API server. The identity is the host and, in `process`, the rest.
    struct Record {
        NodeId holder = no_node;
        std::int64_t process = 0;
        std::int64_t lease_duration_seconds = 0;
        Instant acquire_time;  ///< by the clock of the writer; nobody decides by it
        Instant renew_time;
        Epoch leader_transitions = 0;
        EL_FIELDS(Record, holder, process, lease_duration_seconds, acquire_time, renew_time,
                  leader_transitions)
    };

    // --- messages ---
    struct Get {
        std::int64_t request = 0;
        EL_FIELDS(Get, request)
    };
    struct GetReply {
        std::int64_t request = 0;
        bool found = false;
        std::int64_t resource_version = 0;
        Record record;
        EL_FIELDS(GetReply, request, found, resource_version, record)
    };
    /// Only if there is none.
    struct Create {
        std::int64_t request = 0;
        Record record;
        EL_FIELDS(Create, request, record)
    };
    /// Only if it still is of this version.
    struct Update {
        std::int64_t request = 0;
        std::int64_t resource_version = 0;
        Record record;
        EL_FIELDS(Update, request, resource_version, record)
    };
    struct WriteReply {
        std::int64_t request = 0;
        bool written = false;  ///< false: a conflict
        std::int64_t resource_version = 0;
        EL_FIELDS(WriteReply, request, written, resource_version)
    };
    using Message = std::variant<Get, GetReply, Create, Update, WriteReply>;

    // --- commands ---
    /// To a member: its program is done with its work, and cancels the elector's context.
    struct Cancel {
        EL_FIELDS(Cancel)
    };
    /// To a member that was cancelled: it runs its elector again.
    struct Run {
        EL_FIELDS(Run)
    };
    /// To the API server: somebody deletes the lease.
    struct DeleteLease {
        EL_FIELDS(DeleteLease)
    };
    using Command = std::variant<Cancel, Run, DeleteLease>;

    // --- state ---
    struct Disk {
        bool exists = false;                ///< the API server: the record
        std::int64_t resource_version = 0;  ///< the API server: rises with every write of anything
        Record record;                      ///< the API server
        std::int64_t process = 0;           ///< a member: counts its starts, for its identity
        EL_FIELDS(Disk, exists, resource_version, record, process)
    };
    enum class Phase : std::uint8_t { acquiring, renewing, releasing, stopped };
    friend constexpr std::string_view enum_name(Phase phase) {
        constexpr std::string_view names[] = {"acquiring", "renewing", "releasing", "stopped"};
        return static_cast<std::size_t>(phase) < 4 ? names[static_cast<std::size_t>(phase)] : "";
    }
    enum class Step : std::uint8_t { none, fast_update, get, create, update, release };
    friend constexpr std::string_view enum_name(Step step) {
        constexpr std::string_view names[] = {"none",   "fast_update", "get",
                                              "create", "update",      "release"};
        return static_cast<std::size_t>(step) < 6 ? names[static_cast<std::size_t>(step)] : "";
    }
    /// A member's elector; the API server has none.
    struct Memory {
        Phase phase = Phase::acquiring;
        bool acts = false;              ///< between OnStartedLeading and OnStoppedLeading
        Epoch epoch = 0;                ///< the transitions that it acts, or last acted, with
        bool in_loop = false;           ///< renewing: tries until the deadline; else it waits
        Step step = Step::none;         ///< of a try: what was asked for
        std::int64_t request = 0;       ///< number of the last request
        Instant tried_at;               ///< own clock: when this try began
        Record observed;                ///< observedRecord: got, or written by itself
        Instant observed_at;            ///< observedTime, on the own clock
        Record got;                     ///< observedRawRecord: what Get gave last
        Record written;                 ///< what this try wants to write
        std::int64_t resource_version = 0;  ///< of the lease as last got or written
        EL_FIELDS(Memory, phase, acts, epoch, in_loop, step, request, tried_at, observed,
                  observed_at, got, written, resource_version)
    };
    using State = electionlab::State<Kubernetes>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { retry, deadline, request };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"retry", "deadline", "request"};
        return static_cast<std::size_t>(timer) < 3 ? names[static_cast<std::size_t>(timer)] : "";
    }
    static std::vector<ActorKind> actors(const Options&, NodeId) { return {{"API server", 1}}; }

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
    static std::vector<Promise<Kubernetes>> invariants();

private:
    // the API server
    static void on(State& s, const Context& ctx, NodeId from, const Get& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Create& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Update& m, Effects& effects);
    static void store(State& s, NodeId from, std::int64_t request, bool allowed,
                      const Record& record, Effects& effects);
    // a member
    static void on(State& s, const Context& ctx, NodeId from, const GetReply& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const WriteReply& m,
                   Effects& effects);
    static void run(State& s, const Context& ctx, Effects& effects);
    static void try_acquire_or_renew(State& s, const Context& ctx, Effects& effects);
    static void get(State& s, const Context& ctx, Effects& effects);
    static void update(State& s, const Context& ctx, Step step, const Record& record,
                       Effects& effects);
    static void try_ends(State& s, const Context& ctx, bool succeeded, Effects& effects);
    static void renew(State& s, const Context& ctx, Effects& effects);
    static void stop(State& s, const Context& ctx, bool cancelled, Effects& effects);
    static void stopped(State& s, const Context& ctx, bool cancelled, Effects& effects);
};

}  // namespace electionlab

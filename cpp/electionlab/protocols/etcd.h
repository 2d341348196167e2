// etcd's election (clientv3/concurrency): keys in a line, the oldest one leads.
//
// Source:      etcd 3.5, client/v3/concurrency/election.go (Campaign, Proclaim, Resign, Observe),
//              key.go (waitDeletes), session.go; client/v3/lease.go (keep-alives, deadline) and
//              server/lease/lessor.go (polls, Promote).
// Modelled:    a session: a lease kept alive each TTL / 3, lost when no answer has come for a TTL
//              since the last; a campaign: put prefix + lease id if it is not there, then wait for
//              the deletion of the last key created before, again and again; observing: the key
//              created first, until it is deleted; the polls that etcd's loops are made of.
// Left out:    ResumeElection, and values that are not the candidate's number.
// Deviations:  what TCP, gRPC and the client library do when a connection breaks is a request
//              repeated after retry_interval_ms, and a watch made again each watch_check_ms. A
//              node that loses its session begins another and campaigns again: in etcd that is
//              the program's choice.
// Assumptions: the service keeps its disk; a leader may act as such as long as its session lasts:
//              that is not safe (below).
// Cost:        an election: 2 (grant) + 2 (put) + 2 (range) and a watch; a leader's death wakes the
//              next in line alone, and whoever observes.
// Weaknesses:  the client counts a session from the receiving of an answer and looks each second:
//              two leaders for up to a second and a delay with perfect clocks. The create
//              revision is the fencing number that tells them apart.
// Scenarios:   tests/scenarios/etcd/
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/services/count_from.h"
#include "electionlab/services/key_value.h"

namespace electionlab {

struct EtcdOptions {
    Duration session_ttl = seconds(60);
    CountFrom count_from = CountFrom::receiving;
    Duration keep_alive_poll = ms(500);
    Duration deadline_poll = ms(1000);
    Duration server_poll = ms(500);
    Duration promote_extend = ms(1000);
    Duration retry_interval = ms(500);
    Duration watch_check = ms(2000);

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("session_ttl_ms", self.session_ttl,
               "TTL of a session's lease; a whole number of seconds, at least 1000.");
        option("count_from", self.count_from,
               "From when a client counts its session: from the receiving of an answer, as etcd's "
               "does, or from the sending of what it answers.");
        option("keep_alive_poll_ms", self.keep_alive_poll,
               "How often a client looks whether a keep-alive is due; above 0.");
        option("deadline_poll_ms", self.deadline_poll,
               "How often a client looks whether its session is over; 0: it knows at once.");
        option("server_poll_ms", self.server_poll,
               "How often the service looks for leases that are over; 0: it knows at once.");
        option("promote_extend_ms", self.promote_extend,
               "What leases get beyond a new full term when the service is back (etcd: its "
               "election timeout); 0 or more.");
        option("retry_interval_ms", self.retry_interval,
               "A request without an answer is repeated after so long; above 0.");
        option("watch_check_ms", self.watch_check,
               "How often a client makes sure of a watch; above 0.");
    }
    void validate(NodeId nodes) const;
};

struct Etcd {
    using Options = EtcdOptions;
    using Message =
        std::variant<kv::LeaseGrant, kv::LeaseGrantReply, kv::LeaseKeepAlive,
                     kv::LeaseKeepAliveReply, kv::LeaseRevoke, kv::Range, kv::RangeReply, kv::Txn,
                     kv::TxnReply, kv::WatchCreate, kv::WatchCancel, kv::WatchReply>;

    // --- commands ---
    /// To a member: deletes its key, and campaigns no more.
    struct Resign {
        EL_FIELDS(Resign)
    };
    /// To a member that resigned.
    struct Campaign {
        EL_FIELDS(Campaign)
    };
    /// To a leader: puts its key again, unless it is not there any more.
    struct Proclaim {
        EL_FIELDS(Proclaim)
    };
    /// To a member: revokes its lease, as a program that ends in order does.
    struct Close {
        EL_FIELDS(Close)
    };
    using Command = std::variant<Resign, Campaign, Proclaim, Close>;

    // --- state ---
    struct Disk {
        kv::Store store;           ///< the service's
        std::int64_t process = 0;  ///< a member: counts its starts, so that requests differ
        EL_FIELDS(Disk, store, process)
    };
    /// What a member's program does: each waits for an answer or an event.
    enum class Step : std::uint8_t {
        out,         ///< has resigned, or closed its session
        granting,    ///< NewSession: a lease
        putting,     ///< Campaign: the transaction
        looking,     ///< waitDeletes: the last key created before its own
        waiting,     ///< ... and its deletion
        leading,
        proclaiming, ///< leading, and puts its key again
        resigning,   ///< the deletion
    };
    friend constexpr std::string_view enum_name(Step step) {
        constexpr std::string_view names[] = {"out",     "granting", "putting",     "looking",
                                              "waiting", "leading",  "proclaiming", "resigning"};
        return static_cast<std::size_t>(step) < 8 ? names[static_cast<std::size_t>(step)] : "";
    }
    struct Member {
        Step step = Step::granting;
        kv::LeaseId lease = kv::no_lease;
        Instant session_from;            ///< own clock: when the session's polls began
        Instant next_keep_alive;
        Instant deadline;                ///< the session is over, unless an answer comes
        kv::Revision revision = 0;       ///< create revision of its key: its fencing number
        std::string waits_for;           ///< key of the one before it in line
        kv::Revision waits_from = 0;     ///< what of it it has not been told
        std::int64_t requests = 0;       ///< counts them
        std::int64_t campaign = 0;       ///< number of the campaign's request
        std::int64_t observe = 0;        ///< number of the observer's request; 0: it watches
        std::string observed;            ///< key, or prefix, that it watches
        kv::Revision observed_from = 0;
        NodeId leader = no_node;         ///< value of the first key
        kv::Revision leader_revision = 0;
        EL_FIELDS(Member, step, lease, session_from, next_keep_alive, deadline, revision, waits_for,
                  waits_from, requests, campaign, observe, observed, observed_from, leader,
                  leader_revision)
    };
    struct Memory {
        kv::Service service;
        Member member;
        EL_FIELDS(Memory, service, member)
    };
    using State = electionlab::State<Etcd>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { expiry, keep_alive, deadline, campaign, observe };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"expiry", "keep_alive", "deadline", "campaign",
                                              "observe"};
        return static_cast<std::size_t>(timer) < 5 ? names[static_cast<std::size_t>(timer)] : "";
    }
    static std::vector<ActorKind> actors(const Options&, NodeId) {
        return {{"key-value service", 1}};
    }
    /// The key of a lease: the prefix, and its id in hexadecimal.
    static std::string key_of(kv::LeaseId lease);

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
    static std::vector<Promise<Etcd>> invariants();
    static std::vector<Property<Etcd>> properties();

private:
    // the service
    static void on(State& s, const Context& ctx, NodeId from, const kv::LeaseGrant& m, Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::LeaseKeepAlive& m,
                   Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::LeaseRevoke& m,
                   Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::Range& m, Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::Txn& m, Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::WatchCreate& m,
                   Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::WatchCancel& m,
                   Effects& fx);
    static void expire_leases(State& s, const Context& ctx, Effects& effects);
    static void set_expiry(const State& s, const Context& ctx, Effects& effects);
    static void written(State& s, Effects& effects);
    // a member
    static void on(State& s, const Context& ctx, NodeId from, const kv::LeaseGrantReply& m,
                   Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::LeaseKeepAliveReply& m,
                   Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::RangeReply& m, Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::TxnReply& m, Effects& fx);
    static void on(State& s, const Context& ctx, NodeId from, const kv::WatchReply& m, Effects& fx);
    static void begin_session(State& s, const Context& ctx, kv::LeaseId lease, Instant from,
                              Effects& effects);
    static void set_session_timers(State& s, const Context& ctx, Effects& effects);
    static void lose_session(State& s, const Context& ctx, Effects& effects);
    static void campaign(State& s, const Context& ctx, Step step, Effects& effects);
    static void leave(State& s, Effects& effects);
    static void observe(State& s, const Context& ctx, Effects& effects);
};

}  // namespace electionlab

// Leases for leadership: a manager lends the lead for a time; who does not renew it stops by itself.
//
// Source:      C. G. Gray, D. R. Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for
//              Distributed File Cache Consistency", SOSP 1989 (terms, renewal, clocks, the server's
//              recovery by waiting for the longest term); M. Burrows, "The Chubby Lock Service",
//              OSDI 2006, section 2.4 (sequencers, here fencing numbers).
// Modelled:    one manager, an actor beyond the members; a lease of one term for the one thing
//              that there is to hold, the lead; renewal, expiry, giving back; a fencing number
//              that rises with every grant; members that ask again and again; recovery of the
//              manager from durable grants, or by waiting for the longest term.
// Left out:    many leases, leases shared by readers, callbacks that ask a holder to give back.
// Deviations:  the paper's holder subtracts a bound for clock error from its term; here the bound
//              is one on the rates of the clocks, so that a holder believes in
//              D (1 - rho) / (1 + rho) of a term D, counted from the sending of its request.
// Assumptions: every clock runs at a rate within 1 +- rho and does not jump; a holder is not paused
//              between looking at its clock and acting; the manager's disk is not lost.
// Cost:        an Ask and an Answer for a grant or a renewal; a member that waits costs as many
//              each retry interval.
// Weaknesses:  the manager is a single point of failure; a pause past the end of the lease makes
//              two leaders, which only the fencing number can tell apart.
// Scenarios:   tests/scenarios/lease/
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/services/count_from.h"

namespace electionlab {

struct LeaseOptions {
    Duration lease_ttl = ms(150);
    Duration renew_interval = ms(50);
    DurationRange retry_interval{ms(30), ms(60)};
    std::int64_t drift_bound_ppm = 200;
    CountFrom count_from = CountFrom::sending;
    bool durable_grants = true;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("lease_ttl_ms", self.lease_ttl,
               "Term of a lease: what the manager waits, on its clock, after the last request that "
               "it granted; above 0.");
        option("renew_interval_ms", self.renew_interval,
               "A holder asks again so long after it last asked; below what it believes in of "
               "lease_ttl_ms.");
        option("retry_interval_ms", self.retry_interval,
               "Range from which a member without the lease draws how long after it last asked it "
               "asks again; above 0.");
        option("drift_bound_ppm", self.drift_bound_ppm,
               "Bound rho on how far any clock's rate is from 1, in parts per million, below "
               "500000: a holder believes in (1 - rho) / (1 + rho) of lease_ttl_ms. 0: in all of "
               "it.");
        option("count_from", self.count_from,
               "From when a holder counts its lease: from the sending of its request, or, unsafe, "
               "from the receiving of the answer.");
        option("durable_grants", self.durable_grants,
               "The manager writes down who holds the lease, and after a crash knows it; else it "
               "waits for a whole lease_ttl_ms before it grants anything.");
    }
    void validate(NodeId nodes) const;

    /// What a holder believes in, on its own clock: lease_ttl (1 - rho) / (1 + rho), rounded down.
    [[nodiscard]] Duration held() const;
};

struct Lease {
    using Options = LeaseOptions;

    // --- messages ---
    /// "Give me the lease, or renew it": to the manager.
    struct Ask {
        Instant asked_at;  ///< on the asker's clock; the manager only sends it back
        EL_FIELDS(Ask, asked_at)
    };
    /// Who holds the lease, to everybody who asks: the asker itself if it was granted.
    struct Answer {
        Instant asked_at;         ///< of the request that this answers
        NodeId holder = no_node;  ///< nobody: the manager has crashed and waits
        Epoch token = 0;          ///< fencing number of the holder's lease; else of the last one
        EL_FIELDS(Answer, asked_at, holder, token)
    };
    /// "I do not act any more": gives the lease of this number back.
    struct Release {
        Epoch token = 0;
        EL_FIELDS(Release, token)
    };
    using Message = std::variant<Ask, Answer, Release>;

    /// A member that holds the lease gives it back, and does not ask for a whole term.
    struct Resign {
        EL_FIELDS(Resign)
    };
    using Command = std::variant<Resign>;

    // --- state ---
    /// The manager's; members write nothing down.
    struct Disk {
        Epoch token = 0;          ///< of the last grant: rises, or a number would be given twice
        NodeId holder = no_node;  ///< with durable_grants: whose lease it was
        EL_FIELDS(Disk, token, holder)
    };
    struct Memory {
        NodeId holder = no_node;  ///< a member: whom it believes to hold the lease; the manager knows
        Epoch token = 0;          ///< a member: the highest number that it was told
        Instant until;            ///< own clock: when this belief, or the manager's lease, ends
        Instant since;            ///< a member: answers to what it asked before this do not count
        bool waits = false;       ///< the manager: grants nothing until the longest lease is over
        EL_FIELDS(Memory, holder, token, until, since, waits)
    };
    using State = electionlab::State<Lease>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    enum class Timer : std::uint8_t { ask, expiry };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"ask", "expiry"};
        return static_cast<std::size_t>(timer) < 2 ? names[static_cast<std::size_t>(timer)] : "";
    }
    static std::vector<ActorKind> actors(const Options&, NodeId) { return {{"lease manager", 1}}; }

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
    static std::vector<Promise<Lease>> invariants();
    static std::vector<Property<Lease>> properties();

private:
    // the manager
    static void on(State& s, const Context& ctx, NodeId from, const Ask& m, Effects& effects);
    static void on(State& s, const Context& ctx, NodeId from, const Release& m, Effects& effects);
    static void lend(State& s, const Context& ctx, NodeId holder, Effects& effects);
    static void set_free(State& s, const Context& ctx, Effects& effects);
    // a member
    static void on(State& s, const Context& ctx, NodeId from, const Answer& m, Effects& effects);
    static void ask(State& s, const Context& ctx, Effects& effects);
    static void ask_later(const State& s, const Context& ctx, Effects& effects);
    static void believe(State& s, const Context& ctx, NodeId holder, Instant until,
                        Effects& effects);
    static void forget(State& s, Effects& effects);
};

}  // namespace electionlab

// A resource that leaders work on: storage, a scheduler's list of jobs, a primary's log. It is where
// two leaders at once become visible, as work that is done twice or overwritten.
//
// Source:      Gray & Cheriton, "Leases" (SOSP 1989), section 2, for writes that a lease must cover;
//              Burrows, "The Chubby lock service" (OSDI 2006), section 2.4, for sequencers, checked by
//              the resource: what is now called a fencing token.
// Modelled:    a leader takes over, is told the next job, does it for a while and writes the result;
//              the resource may refuse old tokens, or those that somebody took over from.
// Left out:    what the jobs are.
// Assumptions: its disk is never lost.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "electionlab/core/errors.h"
#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"

namespace electionlab {

/// What a resource compares before it accepts anything.
enum class Fencing : std::uint8_t {
    none,      ///< nothing
    token,     ///< the leader's epoch with the highest epoch seen: a fencing token
    takeover,  ///< a number that the resource itself gives to whoever takes over
};

constexpr std::string_view enum_name(Fencing fencing) {
    constexpr std::string_view names[] = {"none", "token", "takeover"};
    return static_cast<std::size_t>(fencing) < 3 ? names[static_cast<std::size_t>(fencing)] : "";
}

struct WorkOptions {
    Fencing fencing = Fencing::token;
    Duration work_interval = ms(20);
    Duration work = ms(5);
    std::int64_t jobs = 0;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("fencing", self.fencing, "What the resource compares before it accepts a write.");
        option("work_interval_ms", self.work_interval,
               "Time from a leader's write to its next job, and to asking again; above 0.");
        option("work_ms", self.work, "Time a job takes, from its start to its write; above 0.");
        option("jobs", self.jobs,
               "How many jobs a member does in all; it then asks once only to take over. 0: no end. "
               "The checker ends only if work does.");
    }
    void validate() const {
        if (work_interval.ns <= 0) {
            invalid("work_interval_ms", show(work_interval.to_ms()), "must be above 0");
        }
        if (work.ns <= 0) {
            invalid("work_ms", show(work.to_ms()), "must be above 0");
        }
        if (jobs < 0) {
            invalid("jobs", show(jobs), "must be 0 or more");
        }
    }
};

// --- what leaders and the resource say to each other ---

struct TakeOver {
    Epoch token = 0;  ///< the leader's epoch
    EL_FIELDS(TakeOver, token)
};
struct TakeOverReply {
    Epoch token = 0;
    bool accepted = false;
    std::int64_t takeover = 0;  ///< this leadership's number at the resource
    std::int64_t next_job = 0;
    EL_FIELDS(TakeOverReply, token, accepted, takeover, next_job)
};
struct Write {
    Epoch token = 0;
    std::int64_t takeover = 0;
    std::int64_t job = 0;
    EL_FIELDS(Write, token, takeover, job)
};
struct WriteReply {
    std::int64_t takeover = 0;
    std::int64_t job = 0;
    bool accepted = false;
    std::int64_t next_job = 0;
    EL_FIELDS(WriteReply, takeover, job, accepted, next_job)
};

/// The resource; all of it is durable.
struct Resource {
    Fencing fencing = Fencing::token;
    Epoch highest_token = 0;
    NodeId owner = no_node;         ///< who took over last
    Epoch owner_token = 0;
    std::int64_t takeovers = 0;     ///< how often anybody took over: the number of the last one
    std::int64_t next_job = 1;      ///< the first job that nobody did
    std::int64_t accepted = 0;      ///< writes
    std::int64_t refused = 0;       ///< writes and takeovers
    std::int64_t stale = 0;         ///< accepted from a leader that another had taken over from
    std::int64_t repeated = 0;      ///< accepted for a job that another leadership had done
    std::int64_t lower_tokens = 0;  ///< accepted with a token below an accepted one
    /// Which takeover did each of the last jobs, the latest first.
    std::vector<std::int64_t> done_by;

    EL_FIELDS(Resource, fencing, highest_token, owner, owner_token, takeovers,
              next_job, accepted, refused, stale, repeated, lower_tokens, done_by)

    TakeOverReply take_over(NodeId from, const TakeOver& request);
    WriteReply write(const Write& write);

private:
    static constexpr std::size_t remembered_jobs = 8;
};

/// A member's side: what it does while it leads.
struct Work {
    bool leads = false;
    bool fenced = false;        ///< the resource refused this leadership
    Epoch token = 0;            ///< its epoch when it began
    std::int64_t takeover = 0;  ///< 0 until the resource has answered
    std::int64_t job = 0;       ///< that it does next, or does
    std::int64_t written = 0;   ///< writes sent

    EL_FIELDS(Work, leads, fenced, token, takeover, job, written)
};

}  // namespace electionlab

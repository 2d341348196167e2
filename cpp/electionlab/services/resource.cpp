#include "electionlab/services/resource.h"

#include <algorithm>

namespace electionlab {

TakeOverReply Resource::take_over(NodeId from, const TakeOver& request) {
    if (fencing == Fencing::token && request.token < highest_token) {
        ++refused;
        return {request.token, false, 0, next_job};
    }
    // A leader that asks again, as the answer was lost, is no new one.
    if (owner != from || owner_token != request.token) {
        owner = from;
        owner_token = request.token;
        ++takeovers;
    }
    highest_token = std::max(highest_token, request.token);
    return {request.token, true, takeovers, next_job};
}

WriteReply Resource::write(const Write& write) {
    const bool old = write.takeover < takeovers, low = write.token < highest_token;
    if ((fencing == Fencing::token && low) || (fencing == Fencing::takeover && old)) {
        ++refused;
        return {write.takeover, write.job, false, next_job};
    }
    const auto age = static_cast<std::size_t>(next_job - 1 - write.job);
    const bool known = write.job < next_job && age < done_by.size();
    if (known ? done_by[age] == write.takeover : write.job < next_job && !old) {
        return {write.takeover, write.job, true, next_job};  // the same write again
    }
    ++accepted;
    stale += old ? 1 : 0;
    lower_tokens += low ? 1 : 0;
    if (write.job < next_job) {
        ++repeated;
        if (known) {
            done_by[age] = write.takeover;
        }
    } else {
        next_job = write.job + 1;
        done_by.insert(done_by.begin(), write.takeover);
        if (done_by.size() > remembered_jobs) {
            done_by.pop_back();
        }
    }
    return {write.takeover, write.job, true, next_job};
}

}  // namespace electionlab

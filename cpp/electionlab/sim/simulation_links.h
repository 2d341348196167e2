// Simulation: what becomes of messages on their way when links are mended or changed.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

// Before links are mended: messages that left into a cut one will be lost all the same. A message
// leaves when the write before it is done, at the beginning of that instant.
template <class P>
void Simulation<P>::doom_departed() {
    if (network_.cuts() == 0) {
        return;
    }
    queue_.for_each([&](const QueueKey& key) {
        Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && p.sent <= now_ && network_.is_cut(p.from, p.to) &&
            p.sent > cut_since_.at(p.from, p.to)) {
            p.doomed = true;
        }
    });
}

// What is on its way arrives before what is sent from now on, on links that are FIFO.
template <class P>
void Simulation<P>::keep_order_of_links() {
    const auto note = [&](const QueueKey& key) {
        const Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && network_.link(p.from, p.to).fifo) {
            if (!last_arrival_.ready()) {
                last_arrival_.reset(actors_);
            }
            Instant& last = last_arrival_.at(p.from, p.to);
            last = std::max(last, Instant{key.at});
        }
    };
    queue_.for_each(note);
    std::for_each(stopped_.begin(), stopped_.end(), note);
}

}  // namespace electionlab

// Simulation: what is done to links: cut, mended, changed.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
bool Simulation<P>::set_cut(NodeId from, NodeId to, bool cut) {
    if (!network_.set_cut(from, to, cut, actors_)) {
        return false;
    }
    if (!cut_since_.ready()) {
        cut_since_.reset(actors_);
    }
    cut_since_.at(from, to) = cut ? now_ : Instant{};
    return true;
}

// Before links are mended: messages that left into a cut one will be lost all the same. A message
// leaves when the write before it is done, at the beginning of that instant.
template <class P>
void Simulation<P>::doom_departed() {
    if (network_.cuts() == 0) {
        return;
    }
    for (const QueueKey& key : queue_.keys()) {
        Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && p.sent <= now_ && network_.is_cut(p.from, p.to) &&
            p.sent > cut_since_.at(p.from, p.to)) {
            p.doomed = true;
        }
    }
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
    std::for_each(queue_.keys().begin(), queue_.keys().end(), note);
    std::for_each(stopped_.begin(), stopped_.end(), note);
}

template <class P>
bool Simulation<P>::partition(const Action& action) {
    bool changed = false;
    for (const auto& group : action.groups) {
        for (const auto& other : action.groups) {
            if (&group == &other) {
                continue;
            }
            for (const NodeId from : group) {
                for (const NodeId to : other) {
                    changed = set_cut(from, to, true) || changed;
                }
            }
        }
    }
    return changed;
}

template <class P>
bool Simulation<P>::cut(const Action& action, bool cut) {
    bool changed = false;
    if (!cut) {
        doom_departed();
    }
    if (action.groups.size() == 2) {
        for (const NodeId from : action.groups[0]) {
            for (const NodeId to : action.groups[1]) {
                if (from != to) {
                    changed = set_cut(from, to, cut) || changed;
                    changed = (action.both_ways && set_cut(to, from, cut)) || changed;
                }
            }
        }
    }
    return changed;
}

template <class P>
bool Simulation<P>::change_links(const Action& action) {
    if (action.groups.size() != 2) {
        const bool changed = network_.change_all(action.link);
        keep_order_of_links();
        return changed;
    }
    bool changed = false;
    const auto change = [&](NodeId from, NodeId to) {
        const Link next = Link::from_value(action.link, network_.link(from, to), "link");
        if (!(next == network_.link(from, to))) {
            network_.set(from, to, next);
            changed = true;
        }
    };
    for (const NodeId from : action.groups[0]) {
        for (const NodeId to : action.groups[1]) {
            if (from != to) {
                change(from, to);
                if (action.both_ways) {
                    change(to, from);
                }
            }
        }
    }
    keep_order_of_links();
    return changed;
}

}  // namespace electionlab

#include "electionlab/sim/monitor.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "electionlab/core/inlining.h"
#include "electionlab/core/quorum.h"

namespace electionlab {

void Monitor::reset(NodeId members, Checks checks) {
    members_ = members;
    checks_ = checks;
    measures_ = {};
    failovers_.clear();
    violations_.clear();
    leader_of_epoch_.clear();
    epochs_.clear();
    believers_.assign(members + 1, 0);
    was_live_.assign(members + 1, 0);
    started_ = 0;
    acting_.clear();
    standing_ = 0;
    live_ = 0;
    last_leader_ = no_node;
    last_epoch_stood_ = 0;
    forgotten_ = std::numeric_limits<Epoch>::min();
    failures_open_ = 0;
    last_fault_ = {};
    agreed_since_ = {};
    fault_since_change_ = false;
    agreed_ = false;
    majority_ = false;
    counted_to_ = {};
}

void Monitor::advance(Instant now) {
    const Duration span = now - counted_to_;
    if (span.ns == 0) {
        return;
    }
    counted_to_ = now;
    if (acting_.empty()) {
        measures_.no_leader += span;
    } else if (acting_.size() > 1) {
        measures_.split_brain += span;
    }
    if (!majority_) {
        measures_.no_majority_leader += span;
    }
    if (!agreed_) {
        measures_.no_agreed_leader += span;
    }
}

void Monitor::add_violation(const Violation& violation) { violations_.push_back(violation); }

void Monitor::count_believer(const View& view, int by) {
    if (view.leader != no_node && view.leader <= members_) {
        believers_[view.leader] = static_cast<NodeId>(static_cast<int>(believers_[view.leader]) + by);
    }
}

NodeId Monitor::leader(std::span<const View> views) const {
    NodeId best = no_node;
    for (const NodeId i : acting_) {
        if (best == no_node || views[i - 1].epoch >= views[best - 1].epoch) {
            best = i;
        }
    }
    return best;
}

EL_HOT void Monitor::judge_agreement(std::span<const View> views, Instant now) {
    // At most one acting leader can be named by a majority; look no further than that one.
    NodeId named = no_node;
    if (acting_.size() == 1 || (acting_.size() > 1 && quorum_size(members_) <= live_)) {
        named = leader(views);
        if (acting_.size() > 1) {
            for (const NodeId i : acting_) {
                named = has_quorum(believers_[i], members_) ? i : named;
            }
        }
    }
    majority_ = named != no_node && has_quorum(believers_[named], members_);
    const bool agreed_before = agreed_;
    agreed_ = named != no_node && acting_.size() == 1 && believers_[named] == live_ &&
              started_ == members_;
    if (agreed_ && !agreed_before) {
        agreed_since_ = now;
        measures_.failures_survived += std::exchange(failures_open_, 0);
    }
    if (agreed_ && measures_.first_agreement == Instant::never()) {
        measures_.first_agreement = now;
    }
    if (!failovers_.empty() && failovers_.back().elected != Instant::never()) {
        Failover& last = failovers_.back();
        if (majority_ && last.followed == Instant::never()) {
            last.followed = now;
        }
        if (agreed_ && last.agreed == Instant::never()) {
            last.agreed = now;
        }
    }
}

void Monitor::on_view(NodeId node, const View& before, const View& after, Instant now,
                      std::int64_t step, std::span<const View> views) {
    advance(now);
    if (live(before)) {
        --live_;
        count_believer(before, -1);
    }
    if (live(after)) {
        started_ += was_live_[node] == 0 ? 1 : 0;
        was_live_[node] = 1;
        ++live_;
        count_believer(after, 1);
    }
    if (before.leads() != after.leads()) {
        const auto place = std::lower_bound(acting_.begin(), acting_.end(), node);
        if (after.leads()) {
            acting_.insert(place, node);
        } else {
            acting_.erase(place);
        }
    }
    standing_ += after.role == Role::candidate ? 1 : 0;
    standing_ -= before.role == Role::candidate ? 1 : 0;
    if (after.role == Role::candidate) {
        note_candidacy(before, after, now);
    }
    if (after.leads() && (!before.leads() || before.epoch != after.epoch)) {
        begin_leadership(node, after, now, step);
    } else if (before.leads() && !after.leads() && acting_.empty()) {
        note_loss(node, after, now);
    }
    judge_agreement(views, now);
}

void Monitor::note_candidacy(const View& before, const View& after, Instant now) {
    const bool stands = before.role != Role::candidate || after.epoch > before.epoch;
    if (!stands || before.role == Role::paused) {
        return;
    }
    ++measures_.candidacies;
    if (!failovers_.empty() && failovers_.back().detected == Instant::never()) {
        failovers_.back().detected = now;
    }
    EpochRecord* const record = after.epoch > 0 ? record_of(after.epoch) : nullptr;
    if (record == nullptr || record->stood) {
        return;
    }
    record->stood = true;
    ++measures_.epochs_stood;
    if (record->won) {
        ++measures_.epochs_won;
    } else if (after.epoch < last_epoch_stood_) {
        ++measures_.split_votes;
    }
    if (after.epoch > last_epoch_stood_) {
        const EpochRecord* const last =
            last_epoch_stood_ > 0 ? record_of(last_epoch_stood_) : nullptr;
        measures_.split_votes += last != nullptr && !last->won ? 1 : 0;
        last_epoch_stood_ = after.epoch;
    }
}

// Early or late: an epoch that is won was no split vote.
void Monitor::note_win(Epoch epoch) {
    EpochRecord* const record = epoch > 0 ? record_of(epoch) : nullptr;
    if (record == nullptr || record->won) {
        return;
    }
    record->won = true;
    if (record->stood) {
        ++measures_.epochs_won;
        measures_.split_votes -= epoch < last_epoch_stood_ ? 1 : 0;
    }
}

// The record of an epoch, made if there is none; null for an epoch too old to be known.
Monitor::EpochRecord* Monitor::record_of(Epoch epoch) {
    auto place = epochs_.end();
    if (!epochs_.empty() && epochs_.back().epoch >= epoch) {
        place = std::lower_bound(epochs_.begin(), epochs_.end(), epoch,
                                 [](const EpochRecord& r, Epoch e) { return r.epoch < e; });
    }
    if (place != epochs_.end() && place->epoch == epoch) {
        return &*place;
    }
    if (epoch <= forgotten_) {
        return nullptr;
    }
    place = epochs_.insert(place, {epoch, false, false});
    if (epochs_.size() < most_epochs_kept) {
        return &*place;
    }
    const auto half = epochs_.begin() + most_epochs_kept / 2;
    forgotten_ = std::prev(half)->epoch;
    epochs_.erase(epochs_.begin(), half);
    return record_of(epoch);
}

void Monitor::begin_leadership(NodeId node, const View& after, Instant now, std::int64_t step) {
    check_uniqueness(node, after, now, step);
    ++measures_.leaderships;
    if (measures_.first_leader == Instant::never()) {
        measures_.first_leader = now;
    } else if (node != last_leader_) {
        ++measures_.leader_changes;
        measures_.unexplained_changes += fault_since_change_ ? 0 : 1;
    }
    fault_since_change_ = false;
    last_leader_ = node;
    note_win(after.epoch);
    if (!failovers_.empty() && failovers_.back().elected == Instant::never()) {
        Failover& last = failovers_.back();
        last.detected = std::min(last.detected, now);
        last.elected = now;
        last.successor = node;
    }
}

void Monitor::check_uniqueness(NodeId node, const View& after, Instant now, std::int64_t step) {
    if (checks_.one_leader_at_a_time && acting_.size() > 1) {
        const NodeId highest = acting_.back();
        const NodeId other = highest == node ? acting_[acting_.size() - 2] : highest;
        add_violation({step, now, one_leader_at_a_time, node, other, after.epoch});
    }
    if (!checks_.one_leader_per_epoch) {
        return;
    }
    if (const NodeId other = leader_of_epoch_.claim(after.epoch, node); other != no_node) {
        add_violation({step, now, one_leader_per_epoch, node, other, after.epoch});
    }
}

void Monitor::note_loss(NodeId node, const View& after, Instant now) {
    Failover failover;
    failover.lost = now;
    failover.leader = node;
    failover.by_fault = !live(after);
    failures_open_ += failover.by_fault ? 1 : 0;
    if (standing_ > 0) {
        failover.detected = now;
    }
    failovers_.push_back(failover);
}

}  // namespace electionlab

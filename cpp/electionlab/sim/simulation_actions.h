// Simulation, second half: what is done to the cluster from outside. Every fault ends up in
// `carry_out`, whether it came by hand, at a time, at a condition or at random.
// Included by simulation.h only.
#pragma once

#include "electionlab/sim/simulation.h"

namespace electionlab {

template <class P>
const Event& Simulation<P>::apply(const Action& action) {
    // Bad references are refused before anything changes.
    switch (action.kind) {
        case ActionKind::deliver:
        case ActionKind::drop:
        case ActionKind::duplicate:
        case ActionKind::delay:
            if (find_message(action.message) == no_slot) {
                invalid("message", std::to_string(action.message), "is not in flight; see pending");
            }
            if (action.kind == ActionKind::deliver && !has_left(find_message(action.message))) {
                invalid("message", std::to_string(action.message),
                        "has not left its node, which writes to its disk before it sends");
            }
            break;
        case ActionKind::fire:
            if (action.target == Target::node && !timers_.armed(slot_of(action.node, action.timer))) {
                invalid("timer", "'" + description_->timers[action.timer] + "'",
                        "is not armed at node " + std::to_string(action.node));
            }
            break;
        case ActionKind::at:
            if (action.at < now_) {
                invalid("at_ms", show(action.at.to_ms()),
                        "must not lie in the past; it is " + show(now_.to_ms()) + " ms");
            }
            break;
        default: break;
    }
    begin_event(RowKind::action, no_node);
    carry_out(action, no_node);
    whole_step_ = step_;
    return last_;
}

// What a line about an action says besides its kind and its node.
inline std::string details_of(const Action& action) {
    Value::Dict rest;
    const Value whole = action.to_value();
    for (const auto& [name, value] : *whole.get_if<Value::Dict>()) {
        if (name != "action" && !(name == "node" && action.target == Target::node)) {
            rest.emplace_back(name, value);
        }
    }
    return rest.empty() ? "" : in_words(rest);
}

template <class P>
bool Simulation<P>::carry_out(const Action& action, NodeId trigger) {
    const auto kind = static_cast<std::size_t>(action.kind);
    ++counts_.asked[kind];
    const NodeId node = resolve(action, trigger);
    if (step_ > 0) {
        last_.node = node;
        last_.detail = static_cast<std::uint8_t>(action.kind);
    }
    const bool needs_node = action.kind <= ActionKind::resume || action.kind == ActionKind::clock ||
                            action.kind == ActionKind::slow || action.kind == ActionKind::disk ||
                            action.kind == ActionKind::fire;
    if (trace_ && step_ > 0) {
        TraceRow r = row_of(RowKind::action, node, no_node);
        r.detail = static_cast<std::uint8_t>(action.kind);
        r.message = action.message > 0 ? action.message : -1;
        if (const std::string details = details_of(action); !details.empty()) {
            r.text = trace_->intern(details);
        }
        trace_->append(r);
    }
    bool effective = !needs_node || node != no_node;
    if (effective) {
        switch (action.kind) {
            case ActionKind::crash: effective = crash(node); break;
            case ActionKind::restart: effective = restart(node, action.lose_disk); break;
            case ActionKind::pause: effective = pause(node); break;
            case ActionKind::resume: effective = resume(node); break;
            case ActionKind::partition: effective = partition(action); break;
            case ActionKind::cut: effective = cut(action, true); break;
            case ActionKind::mend: effective = cut(action, false); break;
            case ActionKind::heal: effective = network_.heal() > 0; break;
            case ActionKind::link: effective = change_links(action); break;
            case ActionKind::clock: effective = set_clock(node, action); break;
            case ActionKind::slow: {
                Distribution& processing = node_configs_[node - 1].processing;
                effective = !(processing == action.distribution);
                processing = action.distribution;
                refresh_plain(node);
                break;
            }
            case ActionKind::disk: {
                Distribution& write_delay = node_configs_[node - 1].write_delay;
                effective = !(write_delay == action.distribution);
                write_delay = action.distribution;
                break;
            }
            case ActionKind::deliver:
            case ActionKind::drop:
            case ActionKind::duplicate:
            case ActionKind::delay: effective = touch_message(action); break;
            case ActionKind::fire: effective = fire(node, action.timer); break;
            case ActionKind::at:
            case ActionKind::when:
            case ActionKind::plan: effective = later(action); break;
        }
    }
    counts_.effective[kind] += effective ? 1 : 0;
    // A restart and a resume explain a change of leader within them: they have said so before it.
    if (effective && action.kind < ActionKind::deliver && action.kind != ActionKind::restart &&
        action.kind != ActionKind::resume) {
        monitor_.on_fault(now_);
    }
    if (effective && action.repair_after) {
        repair_later(action, node, *action.repair_after);
    }
    if (last_.kind == RowKind::action && node != no_node) {
        last_.view = views_[node - 1];
    }
    return effective;
}

template <class P>
NodeId Simulation<P>::resolve(const Action& action, NodeId trigger) {
    switch (action.target) {
        case Target::node: return action.node;
        case Target::leader: return leader();
        case Target::trigger: return trigger;
        case Target::follower:
            for (NodeId node = 1; node <= members_; ++node) {
                if (slots_[node - 1].up && !slots_[node - 1].paused && !views_[node - 1].leads()) {
                    return node;
                }
            }
            return no_node;
        case Target::random: {
            // A restart or a resume means one that is down or paused; all else one that is live.
            const auto fits = [&](NodeId node) {
                const Slot& slot = slots_[node - 1];
                return action.kind == ActionKind::restart  ? slot.started && !slot.up
                       : action.kind == ActionKind::resume ? slot.paused
                                                           : slot.up && !slot.paused;
            };
            std::int64_t count = 0;
            for (NodeId node = 1; node <= members_; ++node) {
                count += fits(node) ? 1 : 0;
            }
            if (count == 0) {
                return no_node;
            }
            const auto stream = random_stream(key_, no_node, Purpose::fault_target);
            std::int64_t left = uniform_integer(stream.word(target_draws_++), 0, count - 1);
            for (NodeId node = 1; node <= members_; ++node) {
                if (fits(node) && left-- == 0) {
                    return node;
                }
            }
            return no_node;
        }
    }
    return no_node;
}

// --- nodes --------------------------------------------------------------------------------------

template <class P>
bool Simulation<P>::crash(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (!slot.up) {
        return false;
    }
    settle_writes(now_);
    counts_.writes_lost += std::erase_if(writes_, [&](const Write& w) { return w.node == node; });
    slot.state.disk = slot.stable;
    slot.state.memory = {};
    slot.up = slot.paused = false;
    slot.busy_until = slot.disk_ready = now_;
    ++slot.incarnation;
    for (std::uint32_t timer = 0; timer < timer_count_; ++timer) {
        timers_.cancel(slot_of(node, timer));
    }
    // Messages not yet sent, and events that waited at the node, go with it.
    std::vector<std::uint32_t> gone;
    for (const QueueKey& key : queue_.keys()) {
        const Pending& p = bodies_[key.slot()];
        const bool unsent = p.kind == PendingKind::message && p.from == node && p.sent > now_;
        const bool waiting = p.to == node && (p.arrived || p.kind == PendingKind::timer);
        if (unsent || waiting) {
            counts_.unsent += unsent ? 1 : 0;
            gone.push_back(key.slot());
        }
    }
    std::sort(gone.begin(), gone.end());
    for (const std::uint32_t index : gone) {
        queue_.remove(index);
    }
    std::erase_if(held_, [&](std::uint32_t index) {
        const bool here = bodies_[index].to == node;
        if (here) {
            gone.push_back(index);
        }
        return here;
    });
    for (const std::uint32_t index : gone) {
        const Pending& p = bodies_[index];
        if (p.kind == PendingKind::message) {
            const bool unsent = p.from == node && p.sent > now_;
            const DropReason reason = unsent ? DropReason::sender_crashed : DropReason::receiver_down;
            ++drops_[static_cast<std::size_t>(reason)];
            if (trace_) {
                TraceRow r = row_of(RowKind::drop, p.to, p.from);
                r.message = p.number;
                r.message_kind = static_cast<std::int8_t>(Traits::kind(p.message));
                r.detail = static_cast<std::uint8_t>(reason);
                r.body = p.body;
                trace_->append(r);
            }
        }
        free_slot(index);
    }
    change_view(node, current_view(node));
    return true;
}

template <class P>
bool Simulation<P>::restart(NodeId node, bool lose_disk) {
    Slot& slot = slots_[node - 1];
    if (slot.up || !slot.started) {
        return false;
    }
    if (lose_disk) {
        const typename P::Disk empty{};
        counts_.disks_lost += slot.stable == empty ? 0 : 1;
        slot.stable = slot.state.disk = empty;
    }
    slot.up = true;
    monitor_.on_fault(now_);
    effects_.clear();
    P::on_restart(slot.state, context(node), effects_);
    finish(node);
    return true;
}

template <class P>
bool Simulation<P>::pause(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (!slot.up || slot.paused) {
        return false;
    }
    slot.paused = true;
    change_view(node, current_view(node));
    return true;
}

// What was held happens now, in the order in which it came.
template <class P>
bool Simulation<P>::resume(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (!slot.paused) {
        return false;
    }
    slot.paused = false;
    monitor_.on_fault(now_);
    change_view(node, current_view(node));
    std::erase_if(held_, [&](std::uint32_t index) {
        if (bodies_[index].to != node) {
            return false;
        }
        queue_.push(QueueKey::make(now_, next_order(), index));
        return true;
    });
    return true;
}

template <class P>
bool Simulation<P>::set_clock(NodeId node, const Action& action) {
    NodeConfig& config = node_configs_[node - 1];
    if (config.clock_offset == action.duration && config.clock_drift_ppb == action.drift_ppb) {
        return false;
    }
    // Timers that run keep what is left of them on the node's clock, at its new rate.
    for (std::uint32_t timer = 0; timer < timer_count_; ++timer) {
        const std::size_t slot = slot_of(node, timer);
        if (timers_.armed(slot)) {
            const std::int64_t left = timers_.at(slot).at - now_.ns;
            const std::int64_t local = left + scaled(left, config.clock_drift_ppb, billion);
            const std::int64_t wait = scaled(local, billion, billion + action.drift_ppb);
            timers_.set(slot, now_ + Duration{wait}, timers_.at(slot).order);
        }
    }
    config.clock_offset = action.duration;
    config.clock_drift_ppb = action.drift_ppb;
    refresh_plain(node);
    return true;
}

// --- links --------------------------------------------------------------------------------------

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
                    changed = network_.set_cut(from, to, true, actors_) || changed;
                }
            }
        }
    }
    return changed;
}

template <class P>
bool Simulation<P>::cut(const Action& action, bool cut) {
    bool changed = false;
    if (action.groups.size() == 2) {
        for (const NodeId from : action.groups[0]) {
            for (const NodeId to : action.groups[1]) {
                if (from != to) {
                    changed = network_.set_cut(from, to, cut, actors_) || changed;
                    changed = (action.both_ways && network_.set_cut(to, from, cut, actors_)) || changed;
                }
            }
        }
    }
    return changed;
}

template <class P>
bool Simulation<P>::change_links(const Action& action) {
    if (action.groups.size() != 2) {
        return network_.change_all(action.link);
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
    return changed;
}

// --- messages and timers by hand ----------------------------------------------------------------

template <class P>
std::uint32_t Simulation<P>::find_message(std::int64_t number) const {
    for (const QueueKey& key : queue_.keys()) {
        const Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && p.number == number) {
            return key.slot();
        }
    }
    return no_slot;
}

template <class P>
bool Simulation<P>::touch_message(const Action& action) {
    const std::uint32_t slot = find_message(action.message);
    if (slot == no_slot || (action.kind == ActionKind::deliver && !has_left(slot))) {
        return false;  // a scheduled action: the message is gone by now, or still to come
    }
    Instant due = Instant::never();
    for (const QueueKey& key : queue_.keys()) {
        due = key.slot() == slot ? Instant{key.at} : due;
    }
    if (action.kind == ActionKind::duplicate) {
        ++counts_.duplicated;
        const std::uint32_t place = take_slot();
        bodies_[place] = Pending(bodies_[slot]);  // the place may have moved the bodies
        Pending& copy = bodies_[place];
        if (trace_) {
            TraceRow r = row_of(RowKind::send, copy.from, copy.to);
            r.message = copy.number;
            r.message_kind = static_cast<std::int8_t>(Traits::kind(copy.message));
            r.other_ns = due.ns;
            r.body = copy.body = trace_->add_body(copy.message);
            trace_->append(r);
        }
        queue_.push(QueueKey::make(due, next_order(), place));
        return true;
    }
    if (action.kind == ActionKind::delay) {
        queue_.remove(slot);
        queue_.push(QueueKey::make(due + action.duration, next_order(), slot));
        return action.duration.ns > 0;
    }
    // What happens to the message is this very step, not a step after the action's.
    queue_.remove(slot);
    --step_;
    if (action.kind == ActionKind::drop) {
        drop_at_arrival(slot, DropReason::by_hand);
    } else {
        handle(slot);
    }
    return true;
}

template <class P>
bool Simulation<P>::fire(NodeId node, std::uint32_t timer) {
    const std::size_t slot = slot_of(node, timer);
    if (!timers_.armed(slot)) {
        return false;
    }
    --step_;
    expire(slot);
    return true;
}

// --- later --------------------------------------------------------------------------------------

template <class P>
bool Simulation<P>::later(const Action& action) {
    if (action.kind == ActionKind::at) {
        schedule(std::max(action.at, now_), action.inner);
    } else if (action.kind == ActionKind::when) {
        Trigger trigger;
        trigger.when = std::make_shared<const Action>(action);
        trigger.left = action.condition.occurrence;
        for (std::size_t kind = 0; kind < description_->messages.size(); ++kind) {
            if (description_->messages[kind].name == action.condition.message) {
                trigger.message_kind = static_cast<int>(kind);
                message_triggers_ = true;
            }
        }
        triggers_.push_back(std::move(trigger));
    } else {
        plans_.push_back({action.plan, 0});
        const auto number = static_cast<int>(plans_.size()) - 1;
        Plan& plan = plans_.back();
        const auto stream = random_stream(key_ ^ mix64(plan.plan.seed), no_node, Purpose::fault_plan,
                                          static_cast<std::uint32_t>(number));
        const Instant first =
            std::max(now_, plan.plan.from) + plan.plan.interval.draw(stream.word(plan.draws++));
        if (first < plan.plan.until) {
            schedule(first, plan.plan.action, no_node, number);
        }
    }
    return true;
}

template <class P>
void Simulation<P>::schedule(Instant at, std::shared_ptr<const Action> action, NodeId trigger,
                             int plan) {
    Scheduled entry{at, next_order(), std::move(action), trigger, plan};
    const auto place = std::upper_bound(
        scheduled_.begin(), scheduled_.end(), entry, [](const Scheduled& a, const Scheduled& b) {
            return a.at != b.at ? a.at > b.at : a.order > b.order;  // latest first
        });
    scheduled_.insert(place, std::move(entry));
}

template <class P>
void Simulation<P>::repair_later(const Action& action, NodeId node, Duration after) {
    Action repair;
    repair.node = node;
    switch (action.kind) {
        case ActionKind::crash:
            repair.kind = ActionKind::restart;
            repair.lose_disk = action.lose_disk;
            break;
        case ActionKind::pause: repair.kind = ActionKind::resume; break;
        case ActionKind::partition:
        case ActionKind::cut:
            repair.kind = ActionKind::mend;
            repair.groups = action.groups;
            repair.both_ways = action.both_ways;
            break;
        case ActionKind::clock:
            repair.kind = ActionKind::clock;
            repair.duration = config_->node(node).clock_offset;
            repair.drift_ppb = config_->node(node).clock_drift_ppb;
            break;
        case ActionKind::slow:
        case ActionKind::disk:
            repair.kind = action.kind;
            repair.distribution = action.kind == ActionKind::slow ? config_->node(node).processing
                                                                  : config_->node(node).write_delay;
            break;
        case ActionKind::link:
            repair.kind = ActionKind::link;
            repair.groups = action.groups;
            repair.both_ways = action.both_ways;
            repair.link = config_->network.everywhere().to_value();
            break;
        default: return;
    }
    if (action.kind == ActionKind::partition) {
        for (std::size_t i = 0; i + 1 < action.groups.size(); ++i) {
            for (std::size_t j = i + 1; j < action.groups.size(); ++j) {
                repair.groups = {action.groups[i], action.groups[j]};
                schedule(now_ + after, std::make_shared<const Action>(repair));
            }
        }
        return;
    }
    schedule(now_ + after, std::make_shared<const Action>(repair));
    if (action.kind != ActionKind::link) {
        return;
    }
    // Links that were made unlike the others get back what is their own.
    const auto between = [&](NodeId from, NodeId to) {
        const auto in = [](const std::vector<NodeId>& group, NodeId id) {
            return std::find(group.begin(), group.end(), id) != group.end();
        };
        return action.groups.size() != 2 || (in(action.groups[0], from) && in(action.groups[1], to)) ||
               (action.both_ways && in(action.groups[0], to) && in(action.groups[1], from));
    };
    for (const LinkOverride& own : config_->network.exceptions()) {
        if (between(own.from, own.to)) {
            repair.groups = {{own.from}, {own.to}};
            repair.both_ways = false;
            repair.link = own.link.to_value();
            schedule(now_ + after, std::make_shared<const Action>(repair));
        }
    }
}

template <class P>
void Simulation<P>::run_plan(int number) {
    Plan& plan = plans_[static_cast<std::size_t>(number)];
    const Action action = draw_plan_action(plan, number);
    const auto stream = random_stream(key_ ^ mix64(plan.plan.seed), no_node, Purpose::fault_plan,
                                      static_cast<std::uint32_t>(number));
    const Duration repair_after = plan.plan.repair_after.draw(stream.word(plan.draws++));
    const Instant next = now_ + plan.plan.interval.draw(stream.word(plan.draws++));
    const bool takes_down = action.kind == ActionKind::crash || action.kind == ActionKind::pause;
    const bool repair = plan.plan.repair;
    const bool allowed = !takes_down || monitor_.live_members() > plan.plan.keep_up;
    if (next < plan.plan.until) {
        schedule(next, plan.plan.action, no_node, number);
    }
    begin_event(RowKind::action, no_node);
    last_.detail = static_cast<std::uint8_t>(action.kind);
    if (!allowed) {
        ++counts_.asked[static_cast<std::size_t>(action.kind)];
        if (trace_) {  // every event has a row
            TraceRow r = row_of(RowKind::action, no_node, no_node);
            r.detail = last_.detail;
            r.text = trace_->intern("of nobody: too few members are up");
            trace_->append(r);
        }
    } else if (carry_out(action, no_node) && repair && !action.repair_after) {
        repair_later(action, last_.node, repair_after);
    }
}

// The plan's action with what is left open drawn from the seed: the sides of a partition (each
// node tosses a coin; the first two nodes of a shuffled order are kept apart) or the ends of a cut.
template <class P>
Action Simulation<P>::draw_plan_action(Plan& plan, int number) {
    Action action = *plan.plan.action;
    const auto stream = random_stream(key_ ^ mix64(plan.plan.seed), no_node, Purpose::fault_plan,
                                      static_cast<std::uint32_t>(number));
    const bool open = action.groups.empty() &&
                      (action.kind == ActionKind::partition || action.kind == ActionKind::cut);
    if (!open || members_ < 2) {
        return action;
    }
    const auto one = static_cast<NodeId>(uniform_integer(stream.word(plan.draws++), 1, members_));
    auto other = static_cast<NodeId>(uniform_integer(stream.word(plan.draws++), 1, members_ - 1));
    other += other >= one ? 1 : 0;
    action.groups = {{one}, {other}};
    if (action.kind == ActionKind::partition) {
        for (NodeId node = 1; node <= members_; ++node) {
            if (node != one && node != other) {
                action.groups[stream.word(plan.draws++) >> 63].push_back(node);
            }
        }
    }
    return action;
}

template <class P>
void Simulation<P>::match_triggers(NodeId node, const View& before, const View& after) {
    for (Trigger& trigger : triggers_) {
        const Condition& c = trigger.when->condition;
        const bool entered = (c.role && before.role != *c.role && after.role == *c.role) ||
                             (!c.role && before.epoch < c.epoch && after.epoch >= c.epoch) ||
                             (c.role && c.epoch > 0 && after.role == *c.role && before.epoch < c.epoch);
        const bool fits = entered && trigger.message_kind < 0 && trigger.left > 0 &&
                          (c.node == no_node || c.node == node) && after.epoch >= c.epoch;
        if (fits && --trigger.left == 0) {
            schedule(now_, trigger.when->inner, node);
        }
    }
}

template <class P>
void Simulation<P>::match_message_triggers(NodeId node, std::size_t kind) {
    for (Trigger& trigger : triggers_) {
        const Condition& c = trigger.when->condition;
        if (trigger.message_kind == static_cast<int>(kind) && trigger.left > 0 &&
            (c.node == no_node || c.node == node) && --trigger.left == 0) {
            schedule(now_, trigger.when->inner, node);
        }
    }
}

// --- looking ahead ------------------------------------------------------------------------------

template <class P>
std::vector<PendingEvent> Simulation<P>::pending() const {
    struct Ordered {
        PendingEvent event;
        std::uint64_t order;
    };
    std::vector<Ordered> all;
    for (const QueueKey& key : queue_.keys()) {
        const Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::timer && timers_.generation(slot_of(p.to, p.timer)) != p.number) {
            continue;
        }
        PendingEvent e;
        e.at = Instant{key.at};
        e.node = p.to;
        if (p.kind == PendingKind::message) {
            e.kind = PendingEvent::Kind::message;
            e.peer = p.from;
            e.message = p.number;
            e.message_kind = static_cast<std::int8_t>(Traits::kind(p.message));
            e.sent = p.sent;
            e.fields = Traits::to_value(p.message);
        } else {
            e.kind = p.kind == PendingKind::start ? PendingEvent::Kind::start
                                                  : PendingEvent::Kind::timer;
            e.timer = p.kind == PendingKind::timer ? static_cast<std::int8_t>(p.timer) : std::int8_t{-1};
        }
        all.push_back({std::move(e), key.order()});
    }
    for (std::size_t slot = 0; slot < timers_.size(); ++slot) {
        if (timers_.armed(slot)) {
            PendingEvent e;
            e.kind = PendingEvent::Kind::timer;
            e.at = Instant{timers_.at(slot).at};
            e.node = static_cast<NodeId>(slot / timer_count_) + 1;
            e.timer = static_cast<std::int8_t>(slot % timer_count_);
            all.push_back({std::move(e), timers_.at(slot).order});
        }
    }
    for (const Scheduled& s : scheduled_) {
        PendingEvent e;
        e.kind = PendingEvent::Kind::action;
        e.at = s.at;
        e.fields = s.action->to_value();
        all.push_back({std::move(e), 0});  // before everything else of its instant
    }
    std::stable_sort(all.begin(), all.end(), [](const Ordered& a, const Ordered& b) {
        return a.event.at != b.event.at ? a.event.at < b.event.at : a.order < b.order;
    });
    std::vector<PendingEvent> events;
    for (Ordered& o : all) {
        events.push_back(std::move(o.event));
    }
    return events;
}

template <class P>
std::uint64_t Simulation<P>::fingerprint() const {
    std::uint64_t hash = golden_gamma;
    hash_word(hash, static_cast<std::uint64_t>(now_.ns));
    hash_word(hash, static_cast<std::uint64_t>(step_));
    for (const Slot& slot : slots_) {
        hash_into(hash, slot.state);
        hash_into(hash, slot.stable);
        hash_word(hash, std::uint64_t{slot.up} << 1 | std::uint64_t{slot.paused});
        for (const std::uint64_t word :
             {slot.messages, slot.writes, slot.services, std::uint64_t{slot.incarnation},
              static_cast<std::uint64_t>(slot.busy_until.ns),
              static_cast<std::uint64_t>(slot.disk_ready.ns)}) {
            hash_word(hash, word);
        }
    }
    for (const View& view : views_) {
        hash_into(hash, view);
    }
    for (std::size_t slot = 0; slot < timers_.size(); ++slot) {
        hash_word(hash, static_cast<std::uint64_t>(timers_.at(slot).at));
        hash_word(hash, timer_draws_[slot]);
    }
    const auto hash_pending = [&](const Pending& p) {
        hash_word(hash, std::uint64_t{p.from} << 32 | p.to);
        hash_word(hash, static_cast<std::uint64_t>(p.number));
        hash_word(hash, std::uint64_t{p.arrived} << 1 | std::uint64_t{p.served});
        if (p.kind == PendingKind::message) {
            hash_word(hash, Traits::hash(p.message));
            hash_word(hash, static_cast<std::uint64_t>(p.sent.ns));
        } else {
            hash_word(hash, p.kind == PendingKind::timer ? p.timer + 1 : 0);
        }
    };
    std::vector<QueueKey> keys = queue_.keys();
    std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.before(b); });
    for (const QueueKey& key : keys) {
        hash_word(hash, static_cast<std::uint64_t>(key.at));
        hash_pending(bodies_[key.slot()]);
    }
    hash_word(hash, held_.size());
    for (const std::uint32_t slot : held_) {
        hash_pending(bodies_[slot]);
    }
    for (const Write& write : writes_) {
        if (write.done > now_) {
            hash_word(hash, write.node);
            hash_word(hash, static_cast<std::uint64_t>(write.done.ns));
            hash_into(hash, write.disk);
        }
    }
    hash_word(hash, network_.cuts());
    for (NodeId from = 1; network_.cuts() > 0 && from <= actors_; ++from) {
        for (NodeId to = 1; to <= actors_; ++to) {
            if (network_.is_cut(from, to)) {
                hash_word(hash, std::uint64_t{from} << 32 | to);
            }
        }
    }
    hash_word(hash, scheduled_.size());
    for (const Scheduled& s : scheduled_) {
        hash_word(hash, static_cast<std::uint64_t>(s.at.ns));
        hash_word(hash, static_cast<std::uint64_t>(s.action->kind));
    }
    for (const Trigger& trigger : triggers_) {
        hash_word(hash, static_cast<std::uint64_t>(trigger.left));
    }
    for (const Plan& plan : plans_) {
        hash_word(hash, plan.draws);
    }
    hash_word(hash, target_draws_);
    return hash;
}

}  // namespace electionlab

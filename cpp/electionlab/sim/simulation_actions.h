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
            if (const QueueKey* key = find_message(action.message); key == nullptr) {
                refuse_message(action.message);
            } else if (action.kind == ActionKind::deliver && !has_left(key->slot())) {
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

// `word` decides whom a random target means, in place of the run's own stream.
template <class P>
bool Simulation<P>::carry_out(const Action& action, NodeId trigger, const std::uint64_t* word) {
    const auto kind = static_cast<std::size_t>(action.kind);
    ++counts_.asked[kind];
    const NodeId node = resolve(action, trigger, word);
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
            case ActionKind::heal:
                doom_departed();
                effective = network_.heal() > 0;
                cut_since_.reset(0);
                break;
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
        monitor_.on_fault();
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
NodeId Simulation<P>::resolve(const Action& action, NodeId trigger, const std::uint64_t* word) {
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
            const std::uint64_t drawn = word != nullptr ? *word : stream.word(target_draws_++);
            std::int64_t left = uniform_integer(drawn, 0, count - 1);
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
    if (!slot.up && slot.started) {
        return false;
    }
    ++slot.incarnation;
    slot.paused = false;
    clear_line(node);
    if (!slot.up) {  // it does not start
        slot.started = true;
        for (const QueueKey& key : queue_.keys()) {
            if (bodies_[key.slot()].kind == PendingKind::start && bodies_[key.slot()].to == node) {
                const std::uint32_t start = key.slot();
                queue_.remove(start);
                free_slot(start);
                break;
            }
        }
        return true;
    }
    settle_writes(now_);
    counts_.writes_lost += std::erase_if(writes_, [&](const Write& w) { return w.node == node; });
    slot.state.disk = slot.stable;
    slot.state.memory = {};
    slot.up = false;
    slot.busy_until = slot.disk_ready = now_;
    for (std::uint32_t timer = 0; timer < timer_count_; ++timer) {
        timers_.cancel(slot_of(node, timer));
    }
    hold_unsent(node);
    std::erase_if(stopped_, [&](const QueueKey& key) {
        if (bodies_[key.slot()].from != node) {
            return false;
        }
        ++counts_.unsent;
        lose(key.slot(), DropReason::sender_crashed);
        return true;
    });
    change_view(node, current_view(node));
    return true;
}

// What waits at a node goes with it.
template <class P>
void Simulation<P>::clear_line(NodeId node) {
    forget_turn(node);
    Line& line = lines_[node - 1];
    for (std::uint32_t slot = line.first; slot != no_slot;) {
        const std::uint32_t next = bodies_[slot].next;
        if (bodies_[slot].kind == PendingKind::message) {
            lose(slot, DropReason::receiver_down);
        } else {
            free_slot(slot);
        }
        slot = next;
    }
    line = Line{};
    refresh_plain(node);
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
    monitor_.on_fault();
    effects_.clear();
    P::on_restart(slot.state, context(node), effects_);
    finish(node);
    return true;
}

// As SIGSTOP: the process does nothing, so nothing leaves it; its disk ends what it has begun.
template <class P>
bool Simulation<P>::pause(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (slot.paused || (!slot.up && slot.started)) {
        return false;
    }
    slot.paused = true;
    ++slot.pauses;
    forget_turn(node);
    if (Line& line = lines_[node - 1]; line.taken_up) {
        line.left = slot.busy_until - now_;
    }
    hold_unsent(node);
    refresh_plain(node);
    if (slot.up) {
        change_view(node, current_view(node));
    }
    return true;
}

// What waits is handled from now on, in the order in which it came, and what was kept leaves.
template <class P>
bool Simulation<P>::resume(NodeId node) {
    Slot& slot = slots_[node - 1];
    if (!slot.paused) {
        return false;
    }
    slot.paused = false;
    refresh_plain(node);
    if (slot.up) {
        monitor_.on_fault();
        change_view(node, current_view(node));
    }
    if (const Line& line = lines_[node - 1]; line.taken_up) {
        slot.busy_until = now_ + line.left;
    }
    release_unsent(node);
    call_first(node);
    return true;
}

// Takes the messages that a node has not sent yet out of the queue, earliest first.
template <class P>
void Simulation<P>::hold_unsent(NodeId node) {
    const std::size_t known = stopped_.size();
    for (const QueueKey& key : queue_.keys()) {
        const Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && p.from == node && p.sent > now_) {
            stopped_.push_back(key);
        }
    }
    const auto added = stopped_.begin() + static_cast<std::ptrdiff_t>(known);
    std::sort(added, stopped_.end(), [](const auto& a, const auto& b) { return a.before(b); });
    for (std::size_t i = known; i < stopped_.size(); ++i) {
        queue_.remove(stopped_[i].slot());
    }
}

// They leave when their writes are done, but not before now, and take the delay that they drew.
template <class P>
void Simulation<P>::release_unsent(NodeId node) {
    if (stopped_.empty()) {
        return;
    }
    std::vector<Instant> latest(std::size_t{actors_} + 1);  // arrival by receiver
    std::erase_if(stopped_, [&](const QueueKey& key) {
        Pending& p = bodies_[key.slot()];
        if (p.from != node) {
            return false;
        }
        const Duration late = std::max(now_, p.sent) - p.sent;
        p.sent = p.sent + late;
        if (p.sent == now_ && network_.is_cut(p.from, p.to)) {
            ++counts_.cut;
            lose(key.slot(), DropReason::cut);
            return true;
        }
        Instant arrives = Instant{key.at} + late;
        if (network_.link(p.from, p.to).fifo) {
            latest[p.to] = arrives = std::max(arrives, latest[p.to]);
            last_arrival_.at(p.from, p.to) = std::max(arrives, last_arrival_.at(p.from, p.to));
        }
        const bool as_it_was = arrives == Instant{key.at};
        queue_.push(as_it_was ? key : QueueKey::make(arrives, next_order(), key.slot()));
        return true;
    });
}

// The first moment at which a node's clock has gone on by so much: never early by that clock.
template <class P>
Instant Simulation<P>::after_local(NodeId node, Duration local) const {
    const Instant since = clock_since_[node - 1];
    const std::int64_t span = (now_ - since).ns, rate = clock_rate(node);
    const std::int64_t end = scaled(local_span(node, span) + local.ns, billion, rate, rate - 1);
    return since + Duration{std::max(end, span)};
}

// The rate of a node's clock as configured; of a spread, what was drawn for this trial.
template <class P>
std::int64_t Simulation<P>::configured_drift(NodeId node) const {
    const NodeConfig& c = config_->node(node);
    return c.clock_drift_ppb == c.clock_drift_max_ppb
               ? c.clock_drift_ppb
               : uniform_integer(random_stream(key_, node, Purpose::clock, 1).word(0),
                                 c.clock_drift_ppb, c.clock_drift_max_ppb);
}

// Without a new rate a clock just jumps; with one it goes on from where it is, or is set to.
template <class P>
bool Simulation<P>::set_clock(NodeId node, const Action& action) {
    NodeConfig& config = node_configs_[node - 1];
    Slot& slot = slots_[node - 1];
    const Instant local = clock(node);
    const Duration jump = action.clock_offset ? now_ + *action.clock_offset - local : Duration{};
    const std::int64_t drift = action.drift_ppb.value_or(config.clock_drift_ppb);
    const bool changes_rate = drift != config.clock_drift_ppb;
    if (jump.ns == 0 && !changes_rate) {
        return false;
    }
    slot.clock_offset += jump;
    if (!changes_rate) {
        return true;
    }
    // Timers that run keep what is left of them on the node's clock, at its new rate.
    const Instant since = std::exchange(clock_since_[node - 1], now_);
    const std::int64_t old_rate = clock_rate(node);
    config.clock_drift_ppb = drift;
    slot.clock_offset = local + jump - now_;
    for (std::uint32_t timer = 0; timer < timer_count_; ++timer) {
        const std::size_t place = slot_of(node, timer);
        if (timers_.armed(place)) {
            const std::int64_t left =
                scaled(timers_.at(place).at - since.ns, old_rate, billion) -
                scaled(now_.ns - since.ns, old_rate, billion);
            timers_.set(place, after_local(node, {left}), timers_.at(place).order);
        }
    }
    refresh_plain(node);
    return true;
}

// --- links --------------------------------------------------------------------------------------

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

// --- messages and timers by hand ----------------------------------------------------------------

// Of the copies of a message, which share its number, the one that is due first.
template <class P>
const QueueKey* Simulation<P>::find_message(std::int64_t number) const {
    const QueueKey* found = nullptr;
    for (const QueueKey& key : queue_.keys()) {
        const Pending& p = bodies_[key.slot()];
        if (p.kind == PendingKind::message && p.number == number &&
            (found == nullptr || key.before(*found))) {
            found = &key;
        }
    }
    return found;
}

template <class P>
void Simulation<P>::refuse_message(std::int64_t number) const {
    const std::string shown = std::to_string(number);
    const auto is_it = [&](std::uint32_t slot) {
        return bodies_[slot].kind == PendingKind::message && bodies_[slot].number == number;
    };
    for (const Line& line : lines_) {
        for (std::uint32_t slot = line.first; slot != no_slot; slot = bodies_[slot].next) {
            if (is_it(slot)) {
                invalid("message", shown, "has arrived at node " + std::to_string(bodies_[slot].to) +
                                              ", where it waits its turn");
            }
        }
    }
    for (const QueueKey& key : stopped_) {
        if (is_it(key.slot())) {
            invalid("message", shown, "has not left node " + std::to_string(bodies_[key.slot()].from) +
                                          ", which is paused");
        }
    }
    invalid("message", shown, "is not in flight; see pending");
}

template <class P>
bool Simulation<P>::touch_message(const Action& action) {
    const QueueKey* key = find_message(action.message);
    if (key == nullptr || (action.kind == ActionKind::deliver && !has_left(key->slot()))) {
        return false;  // a scheduled action: the message is gone by now, or still to come
    }
    const std::uint32_t slot = key->slot();
    const Instant due{key->at};
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
                             int plan, std::uint32_t episode) {
    Scheduled entry{at, next_order(), std::move(action), trigger, plan, episode};
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
            repair.both_ways = action.both_ways || action.kind == ActionKind::partition;
            break;
        case ActionKind::clock:
            repair.kind = ActionKind::clock;
            if (action.drift_ppb) {
                repair.drift_ppb = configured_drift(node);
            }
            if (action.clock_offset) {  // to what it would show if nobody had touched it
                const std::int64_t then = (now_ + after).ns;
                repair.clock_offset =
                    config_->node(node).clock_offset +
                    Duration{scaled(then, billion + configured_drift(node), billion) - then};
            }
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
    const bool of_episode =
        action.kind == ActionKind::crash || action.kind == ActionKind::pause;
    schedule(now_ + after, std::make_shared<const Action>(repair), no_node, -1,
             of_episode ? episode_of(repair) : 0);
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

// An event that asks for an action and does nothing; every event has a row.
template <class P>
void Simulation<P>::pass_over(ActionKind kind, NodeId node, std::string_view why) {
    ++counts_.asked[static_cast<std::size_t>(kind)];
    last_.node = node;
    last_.detail = static_cast<std::uint8_t>(kind);
    last_.view = node != no_node ? views_[node - 1] : View{};
    if (trace_) {
        TraceRow r = row_of(RowKind::action, node, no_node);
        r.detail = last_.detail;
        r.text = trace_->intern(why);
        trace_->append(r);
    }
}

template <class P>
void Simulation<P>::run_plan(int number) {
    Plan& plan = plans_[static_cast<std::size_t>(number)];
    const Action action = draw_plan_action(plan, number);
    const auto stream = random_stream(key_ ^ mix64(plan.plan.seed), no_node, Purpose::fault_plan,
                                      static_cast<std::uint32_t>(number));
    const std::uint64_t target = action.target == Target::random ? stream.word(plan.draws++) : 0;
    const Duration repair_after = plan.plan.repair_after.draw(stream.word(plan.draws++));
    const Instant next = now_ + plan.plan.interval.draw(stream.word(plan.draws++));
    const bool takes_down = action.kind == ActionKind::crash || action.kind == ActionKind::pause;
    const bool repair = plan.plan.repair;
    if (next < plan.plan.until) {
        schedule(next, plan.plan.action, no_node, number);
    }
    begin_event(RowKind::action, no_node);
    if (takes_down && monitor_.live_members() <= plan.plan.keep_up) {
        return pass_over(action.kind, no_node, "of nobody: too few members are up");
    }
    if (carry_out(action, no_node, &target) && repair && !action.repair_after) {
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
const typename P::Disk& Simulation<P>::durable(NodeId node) const {
    const typename P::Disk* disk = &slots_[node - 1].stable;
    for (const Write& write : writes_) {  // oldest first
        disk = write.node == node && write.persists && write.done <= now_ ? &write.disk : disk;
    }
    return *disk;
}

template <class P>
std::vector<PendingEvent> Simulation<P>::pending() const {
    struct Ordered {
        PendingEvent event;
        std::uint64_t order;
    };
    constexpr std::uint64_t last_of_its_instant = ~std::uint64_t{0};
    std::vector<Ordered> all;
    const auto describe = [&](std::uint32_t slot) {
        const Pending& p = bodies_[slot];
        PendingEvent e;
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
        return e;
    };
    const auto add_line = [&](NodeId node, Instant at, std::uint64_t order) {
        const Line& line = lines_[node - 1];
        for (std::uint32_t slot = line.first; slot != no_slot; slot = bodies_[slot].next) {
            PendingEvent e = describe(slot);
            const bool first = slot == line.first;
            const bool writes = at > now_ && !line.taken_up;
            e.kind = PendingEvent::Kind::waiting;
            e.at = at;
            e.waits = slots_[node - 1].paused   ? WaitReason::paused
                      : !first                  ? WaitReason::busy
                      : line.taken_up           ? WaitReason::handled
                      : writes                  ? WaitReason::writing
                                                : WaitReason::busy;
            all.push_back({std::move(e), first ? order : last_of_its_instant});
        }
    };
    for (auto s = scheduled_.rbegin(); s != scheduled_.rend(); ++s) {
        PendingEvent e;
        e.kind = PendingEvent::Kind::action;
        e.at = s->at;
        e.fields = s->action->to_value();
        all.push_back({std::move(e), 0});  // before everything else of its instant
    }
    for (const QueueKey& key : queue_.keys()) {
        if (bodies_[key.slot()].kind == PendingKind::turn) {
            add_line(bodies_[key.slot()].to, Instant{key.at}, key.order());
            continue;
        }
        PendingEvent e = describe(key.slot());
        e.at = Instant{key.at};
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
    for (NodeId node = 1; node <= actors_; ++node) {
        if (slots_[node - 1].paused) {
            add_line(node, Instant::never(), last_of_its_instant);
        }
    }
    for (const QueueKey& key : stopped_) {
        PendingEvent e = describe(key.slot());
        e.kind = PendingEvent::Kind::waiting;
        e.at = Instant::never();
        e.waits = WaitReason::sender_paused;
        all.push_back({std::move(e), last_of_its_instant});
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

// Order numbers count as the order that they give, not as numbers: only that decides anything.
template <class P>
std::uint64_t Simulation<P>::fingerprint() const {
    std::uint64_t hash = golden_gamma;
    const auto word = [&](auto value) { hash_word(hash, static_cast<std::uint64_t>(value)); };
    const auto hash_action = [&](const Action& action) {
        for (const char c : action.to_value().to_json()) {
            word(static_cast<unsigned char>(c));
        }
    };
    const auto hash_pending = [&](const Pending& p) {
        word(p.kind);
        word(p.to);
        if (p.kind == PendingKind::message) {
            word(p.from);
            word(p.number);
            word(Traits::hash(p.message));
            word(p.sent.ns);
            word(p.doomed);
        } else if (p.kind == PendingKind::timer) {  // that waits: only whether it is stale matters
            const std::size_t timer = slot_of(p.to, p.timer);
            word(p.timer * 2 + (timers_.generation(timer) == p.number ? 1 : 0));
        }
    };
    word(key_);
    word(now_.ns);
    word(step_);
    word(next_message_);
    word(target_draws_);

    for (NodeId node = 1; node <= actors_; ++node) {
        const Slot& slot = slots_[node - 1];
        const Line& line = lines_[node - 1];
        const NodeConfig& config = node_configs_[node - 1];
        hash_into(hash, slot.state);
        hash_into(hash, durable(node));
        const typename P::Disk* visible = &slot.visible;
        for (const Write& write : writes_) {
            visible = write.node == node && write.done <= now_ ? &write.disk : visible;
        }
        hash_into(hash, *visible);
        hash_into(hash, views_[node - 1]);
        word(slot.up << 3 | slot.paused << 2 | slot.started << 1 | line.taken_up);
        word(std::max(slot.busy_until, now_).ns);
        word(std::max(slot.disk_ready, now_).ns);
        word(slot.messages);
        word(slot.writes);
        word(slot.services);
        word(std::uint64_t{slot.incarnation} << 32 | slot.pauses);
        word(clock(node).ns);
        word(clock_since_[node - 1].ns);
        hash_into(hash, config.processing);
        hash_into(hash, config.write_delay);
        hash_into(hash, config.timer_lateness);
        word(config.clock_drift_ppb);
        word(line.taken_up && slot.paused ? line.left.ns : 0);
        for (std::uint32_t place = line.first; place != no_slot; place = bodies_[place].next) {
            hash_pending(bodies_[place]);
        }
    }
    for (const std::uint32_t draws : timer_draws_) {
        word(draws);
    }

    // What is due, in the order in which it is.
    struct Due {
        std::int64_t at;
        std::uint64_t order;
        std::uint64_t what;
        bool is_timer;
    };
    std::vector<Due> dues;
    for (const QueueKey& key : queue_.keys()) {
        dues.push_back({key.at, key.order(), key.slot(), false});
    }
    for (std::size_t slot = 0; slot < timers_.size(); ++slot) {
        if (timers_.armed(slot)) {
            dues.push_back({timers_.at(slot).at, timers_.at(slot).order, slot, true});
        }
    }
    std::sort(dues.begin(), dues.end(), [](const Due& a, const Due& b) {
        return a.at != b.at ? a.at < b.at : a.order < b.order;
    });
    for (const Due& due : dues) {
        word(due.at);
        if (due.is_timer) {
            word(due.what);
        } else {
            hash_pending(bodies_[due.what]);
        }
    }
    word(stopped_.size());
    for (const QueueKey& key : stopped_) {
        word(key.at);
        hash_pending(bodies_[key.slot()]);
    }
    for (const Write& write : writes_) {
        if (write.done > now_) {
            word(std::uint64_t{write.node} << 1 | std::uint64_t{write.persists});
            word(write.done.ns);
            hash_into(hash, write.disk);
        }
    }

    word(network_.hash());
    word(last_arrival_.hash([&](Instant last) { return last > now_ ? last.ns : 0; }));
    word(cut_since_.hash([](Instant since) { return since.ns; }));

    word(scheduled_.size());
    for (const Scheduled& s : scheduled_) {
        word(s.at.ns);
        word(s.trigger);
        word(s.plan);
        word(s.episode);
        hash_action(*s.action);
    }
    word(triggers_.size());
    for (const Trigger& trigger : triggers_) {
        word(trigger.left);
        hash_action(*trigger.when);
    }
    word(plans_.size());
    for (const Plan& plan : plans_) {
        word(plan.draws);
        Action whole;
        whole.kind = ActionKind::plan;
        whole.plan = plan.plan;
        hash_action(whole);
    }
    return hash;
}

}  // namespace electionlab

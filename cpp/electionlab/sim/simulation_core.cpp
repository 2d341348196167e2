#include "electionlab/sim/simulation_core.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "electionlab/core/quorum.h"

namespace electionlab {

SimulationCore::SimulationCore(NodeId members, std::shared_ptr<const SimulationConfig> config,
                               const Description& description)
    : config_(std::move(config)), description_(&description), members_(members), actors_(members) {}
SimulationCore::SimulationCore(const SimulationCore&) = default;
SimulationCore& SimulationCore::operator=(const SimulationCore&) = default;
SimulationCore::~SimulationCore() = default;

// Back to time 0; places for so many properties and timers.
void SimulationCore::reset_core(std::uint64_t seed, std::uint64_t trial, std::size_t properties,
                                std::size_t timers) {
    key_ = trial_key(seed, trial);
    now_ = {};
    step_ = whole_step_ = 0;
    order_ = 1;
    next_message_ = 1;
    queue_.clear();
    first_free_ = no_slot;
    stopped_.clear();
    scheduled_.clear();
    triggers_.clear();
    plans_.clear();
    network_ = config_->network;
    last_arrival_.reset(0);
    cut_since_.reset(0);
    tracks_overtaking_ = false;
    message_triggers_ = false;
    target_draws_ = 0;
    counts_ = {};
    by_kind_.assign(description_->messages.size(), {});
    by_node_.assign(actors_ + 1, {});
    leader_traffic_ = 0;
    std::fill(std::begin(drops_), std::end(drops_), 0);
    last_ = {};

    broken_.assign(properties, 0);
    timers_.reset(timers);
    timer_draws_.assign(timers_.size(), 0);
    views_.assign(actors_, View{Role::down, no_node, 0});
    node_configs_.assign(1, config_->every_node);
    for (const auto& [node, own] : config_->nodes) {
        own_config(node) = own;
    }
    const auto drifts = [](const NodeConfig& c) {
        return c.clock_drift_ppb != c.clock_drift_max_ppb;
    };
    if (std::any_of(node_configs_.begin(), node_configs_.end(), drifts)) {
        for (NodeId node = 1; node <= actors_; ++node) {  // a spread of rates is drawn once a trial
            if (drifts(node_config(node))) {
                NodeConfig& c = own_config(node);
                c.clock_drift_ppb = c.clock_drift_max_ppb = configured_drift(node);
            }
        }
    }
    clock_since_.assign(actors_, Instant{});
    lines_.assign(actors_, Line{});
    monitor_.reset(members_, {.one_leader_per_epoch = description_->about.epochs,
                              .one_leader_at_a_time = config_->one_leader_at_a_time});
}

Instant SimulationCore::next_time() {
    Instant next = scheduled_.empty() ? Instant::never() : scheduled_.back().at;
    if (!queue_.empty()) {
        next = std::min(next, Instant{queue_.top().at});
    }
    return std::min(next, Instant{timers_.at(timers_.earliest()).at});
}

NodeConfig& SimulationCore::own_config(NodeId node) {
    if (node_configs_.size() != actors_) {
        node_configs_.resize(actors_, NodeConfig(node_configs_.front()));
    }
    return node_configs_[node - 1];
}

// --- events and their rows ---

TraceRow SimulationCore::row_of(RowKind kind, NodeId node, NodeId peer) const {
    TraceRow r;
    r.step = step_;
    r.at = now_;
    r.kind = kind;
    r.node = node;
    r.peer = peer;
    if (node != no_node) {
        const View& view = views_[node - 1];
        r.role = view.role;
        r.leader = view.leader;
        r.epoch = view.epoch;
    }
    return r;
}

void SimulationCore::add_row(RowKind kind, NodeId node, NodeId peer) {
    trace_->append(row_of(kind, node, peer));
}

// The row of an input shows the view after it; then come the handler's reasons.
void SimulationCore::add_input_row(std::int64_t body, std::int64_t sent_ns) {
    TraceRow r = row_of(last_.kind, last_.node, last_.peer);
    r.role = last_.view.role;
    r.leader = last_.view.leader;
    r.epoch = last_.view.epoch;
    r.message = last_.message;
    r.message_kind = last_.message_kind;
    r.timer = last_.timer;
    r.body = body;
    r.other_ns = sent_ns;
    trace_->append(r);
}

void SimulationCore::add_notes(NodeId node, std::span<const Note> notes) {
    for (const Note& note : notes) {
        TraceRow r = row_of(RowKind::note, node, no_node);
        r.text = trace_->intern(note.text);
        r.first = note.first;
        r.second = note.second;
        trace_->append(r);
    }
}

// What a line about an action says besides its kind and its node.
static std::string details_of(const Action& action) {
    if (action.kind == ActionKind::command) {
        const auto* fields = action.fields.get_if<Value::Dict>();
        return action.command +
               (fields == nullptr || fields->empty() ? "" : "(" + in_words(action.fields) + ")");
    }
    Value::Dict rest;
    const Value whole = action.to_value();
    for (const auto& [name, value] : *whole.get_if<Value::Dict>()) {
        if (name != "action" && name != "node") {
            rest.emplace_back(name, value);
        }
    }
    constexpr std::string_view chosen[] = {"", "(the leader)", "(a follower)", "(drawn at random)",
                                           "(which met the condition)"};
    const std::string who(chosen[static_cast<std::size_t>(action.target)]);
    return who + (who.empty() || rest.empty() ? "" : " ") + (rest.empty() ? "" : in_words(rest));
}

void SimulationCore::add_action_row(const Action& action, NodeId node) {
    TraceRow r = row_of(RowKind::action, node, no_node);
    r.detail = static_cast<std::uint8_t>(action.kind);
    r.message = action.message > 0 ? action.message : -1;
    if (const std::string details = details_of(action); !details.empty()) {
        r.text = trace_->intern(unfilled(details));
    }
    trace_->append(r);
}

void SimulationCore::add_drop_row(NodeId to, NodeId from, std::int64_t number, std::size_t kind,
                                  DropReason reason, std::int64_t body) {
    TraceRow r = row_of(RowKind::drop, to, from);
    r.message = number;
    r.message_kind = static_cast<std::int8_t>(kind);
    r.detail = static_cast<std::uint8_t>(reason);
    r.body = body;
    trace_->append(r);
}

void SimulationCore::change_view(NodeId node, const View& after) {
    const View before = std::exchange(views_[node - 1], after);
    if (node <= members_) {
        const std::size_t known = monitor_.violations().size();
        monitor_.on_view(node, before, after, now_, step_, views());
        row(RowKind::view, node);
        if (after.leads() && !before.leads()) {
            row(RowKind::leader, node);
        }
        for (std::size_t i = known; trace_ && i < monitor_.violations().size(); ++i) {
            const Violation& violation = monitor_.violations()[i];
            TraceRow r = row_of(RowKind::violation, node, violation.other);
            r.text = trace_->intern(std::string(violation.invariant) + ": node {} led as well");
            r.first = violation.other;
            trace_->append(r);
        }
    } else {
        row(RowKind::view, node);
    }
    if (!triggers_.empty()) {
        match_triggers(node, before, after);
    }
}

void SimulationCore::report_violation(std::string_view name, NodeId node) {
    monitor_.add_violation({step_, now_, name, node, no_node, views_[node - 1].epoch});
    if (trace_) {
        TraceRow r = row_of(RowKind::violation, node, no_node);
        r.text = trace_->intern(name);
        trace_->append(r);
    }
}

// --- looking ---

Value SimulationCore::traffic() const {
    const std::vector<KindInfo>& kinds = description_->messages;
    Value::Dict by_kind;
    std::int64_t sent = 0, delivered = 0;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        const Traffic& t = by_kind_[kind];
        sent += t.sent;
        delivered += t.delivered;
        by_kind.emplace_back(kinds[kind].name,
                             Value::Dict{{"sent", t.sent}, {"delivered", t.delivered}});
    }
    Value::List by_node;
    by_node.reserve(actors_);
    for (NodeId node = 1; node <= actors_; ++node) {
        const Traffic& t = by_node_[node];
        by_node.push_back(
            Value::Dict{{"node", node}, {"sent", t.sent}, {"delivered", t.delivered}});
    }
    Value::Dict dropped;
    for (std::size_t reason = 1; reason < drop_reasons; ++reason) {
        dropped.emplace_back(std::string(enum_name(static_cast<DropReason>(reason))),
                             drops_[reason]);
    }
    const auto load = static_cast<double>(sent + delivered);
    return Value::Dict{{"sent", sent},
                       {"delivered", delivered},
                       {"dropped", std::move(dropped)},
                       {"by_kind", std::move(by_kind)},
                       {"by_node", std::move(by_node)},
                       {"leader_share",
                        load > 0 ? static_cast<double>(leader_traffic_) / load : 0.0}};
}

std::string SimulationCore::why_no_leader() const {
    const NodeId live = monitor_.live_members();
    const auto count = [](NodeId n) {
        return std::to_string(n) + (n == 1 ? " node is up" : " nodes are up");
    };
    if (live == 0) {
        return "no leader is possible: no node is up";
    }
    if (description_->about.majority && !has_quorum(live, members_)) {
        return "no leader is possible: " + count(live) + ", and a quorum of " +
               std::to_string(members_) + " needs " + std::to_string(quorum_size(members_));
    }
    return "";
}

void SimulationCore::add_scheduled(std::vector<OrderedPending>& all) const {
    for (auto s = scheduled_.rbegin(); s != scheduled_.rend(); ++s) {
        PendingEvent e;
        e.kind = PendingEvent::Kind::action;
        e.at = s->at;
        e.fields = s->action->to_value();
        all.push_back({std::move(e), 0});  // before everything else of its instant
    }
}

std::vector<PendingEvent> SimulationCore::in_order(std::vector<OrderedPending> all) const {
    std::stable_sort(all.begin(), all.end(), [](const OrderedPending& a, const OrderedPending& b) {
        return a.event.at != b.event.at ? a.event.at < b.event.at : a.order < b.order;
    });
    std::vector<PendingEvent> events;
    events.reserve(all.size());
    for (OrderedPending& o : all) {
        events.push_back(std::move(o.event));
    }
    return events;
}

std::vector<SimulationCore::Due> SimulationCore::dues() const {
    std::vector<Due> dues;
    queue_.for_each([&](const QueueKey& key) {
        dues.push_back({key.at, key.order(), key.slot(), false});
    });
    for (std::size_t slot = 0; slot < timers_.size(); ++slot) {
        if (timers_.armed(slot)) {
            dues.push_back({timers_.at(slot).at, timers_.at(slot).order, slot, true});
        }
    }
    std::sort(dues.begin(), dues.end(), [](const Due& a, const Due& b) {
        return a.at != b.at ? a.at < b.at : a.order < b.order;
    });
    return dues;
}

void SimulationCore::hash_config(std::uint64_t& hash, NodeId node) const {
    const NodeConfig& config = node_config(node);
    hash_into(hash, config.processing);
    hash_into(hash, config.write_delay);
    hash_into(hash, config.timer_lateness);
    hash_word(hash, static_cast<std::uint64_t>(config.clock_drift_ppb));
}

void SimulationCore::hash_surroundings(std::uint64_t& hash) const {
    const auto word = [&](auto value) { hash_word(hash, static_cast<std::uint64_t>(value)); };
    const auto hash_action = [&](const Action& action) {
        for (const char c : action.to_value().to_json()) {
            word(static_cast<unsigned char>(c));
        }
    };
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
}

// --- what is done later ---

bool SimulationCore::later(const Action& action) {
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
        const auto stream = plan_stream(number);
        const Instant first =
            std::max(now_, plan.plan.from) + plan.plan.interval.draw(stream.word(plan.draws++));
        if (first < plan.plan.until) {
            schedule(first, plan.plan.action, no_node, number);
        }
    }
    return true;
}

void SimulationCore::schedule(Instant at, std::shared_ptr<const Action> action, NodeId trigger,
                              int plan, std::uint32_t episode) {
    Scheduled entry{at, next_order(), std::move(action), trigger, plan, episode};
    const auto place = std::upper_bound(
        scheduled_.begin(), scheduled_.end(), entry, [](const Scheduled& a, const Scheduled& b) {
            return a.at != b.at ? a.at > b.at : a.order > b.order;  // latest first
        });
    scheduled_.insert(place, std::move(entry));
}

void SimulationCore::repair_later(const Action& action, NodeId node, Duration after,
                                  std::uint32_t episode) {
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
    schedule(now_ + after, std::make_shared<const Action>(repair), no_node, -1, episode);
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
void SimulationCore::pass_over(ActionKind kind, NodeId node, std::string_view why) {
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

RandomStream SimulationCore::plan_stream(int number) const {
    return random_stream(key_ ^ mix64(plans_[static_cast<std::size_t>(number)].plan.seed), no_node,
                         Purpose::fault_plan, static_cast<std::uint32_t>(number));
}

// The plan's action with what is left open drawn from the seed: the sides of a partition (each
// node tosses a coin; the first two nodes of a shuffled order are kept apart) or the ends of a cut.
Action SimulationCore::draw_plan_action(Plan& plan, int number) {
    Action action = *plan.plan.action;
    const auto stream = plan_stream(number);
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

void SimulationCore::match_triggers(NodeId node, const View& before, const View& after) {
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

void SimulationCore::match_message_triggers(NodeId node, std::size_t kind) {
    for (Trigger& trigger : triggers_) {
        const Condition& c = trigger.when->condition;
        if (trigger.message_kind == static_cast<int>(kind) && trigger.left > 0 &&
            (c.node == no_node || c.node == node) && --trigger.left == 0) {
            schedule(now_, trigger.when->inner, node);
        }
    }
}

// --- links ---

bool SimulationCore::set_cut(NodeId from, NodeId to, bool cut) {
    if (!network_.set_cut(from, to, cut, actors_)) {
        return false;
    }
    if (!cut_since_.ready()) {
        cut_since_.reset(actors_);
    }
    cut_since_.at(from, to) = cut ? now_ : Instant{};
    return true;
}

bool SimulationCore::partition(const Action& action) {
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

bool SimulationCore::cut_links(const Action& action, bool cut) {
    bool changed = false;
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

bool SimulationCore::change_links(const Action& action) {
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

// --- clocks ---

// The first moment at which a node's clock has gone on by so much: never early by that clock.
Instant SimulationCore::after_local(NodeId node, Duration local) const {
    const Instant since = clock_since_[node - 1];
    const std::int64_t span = (now_ - since).ns, rate = clock_rate(node);
    const std::int64_t end = scaled(local_span(node, span) + local.ns, billion, rate, rate - 1);
    return since + Duration{std::max(end, span)};
}

// The rate of a node's clock as configured; of a spread, what was drawn for this trial.
std::int64_t SimulationCore::configured_drift(NodeId node) const {
    const NodeConfig& c = config_->node(node);
    return c.clock_drift_ppb == c.clock_drift_max_ppb
               ? c.clock_drift_ppb
               : uniform_integer(random_stream(key_, node, Purpose::clock, 1).word(0),
                                 c.clock_drift_ppb, c.clock_drift_max_ppb);
}

// A span of the node's own clock, drawn by the less common policies.
Duration SimulationCore::draw_by_policy(const TimerSpec& spec, RandomStream stream,
                                        RandomStream once, std::uint32_t draws,
                                        std::uint32_t incarnation, NodeId node,
                                        Instant clock) const {
    switch (spec.policy) {
        case TimeoutPolicy::drawn_once:
            return {uniform_integer(once.word(incarnation), spec.min.ns, spec.max.ns)};
        case TimeoutPolicy::quantised: {
            // The timer counts the node's ticks, which run whatever it does: the first comes early.
            const std::int64_t tick = spec.tick.ns;
            const auto phase = uniform_integer(random_stream(key_, node, Purpose::clock).word(0), 0,
                                               tick - 1);
            const std::int64_t local = clock.ns - phase;
            const std::int64_t into_tick = ((local % tick) + tick) % tick;
            const std::int64_t ticks =
                uniform_integer(stream.word(draws), spec.min.ns / tick, spec.max.ns / tick);
            return {ticks * tick - into_tick};
        }
        case TimeoutPolicy::rounded: {
            const std::int64_t tick = spec.tick.ns;
            const auto drawn = uniform_integer(stream.word(draws), spec.min.ns, spec.max.ns);
            return {(drawn + tick / 2) / tick * tick};
        }
        default: {  // redrawn_each_tick
            const std::uint64_t own = stream.word(draws);
            const std::int64_t span = spec.max.ns - spec.min.ns;
            for (std::int64_t past = spec.tick.ns, tick = 1;; past += spec.tick.ns, ++tick) {
                const auto word = RandomStream{own}.word(static_cast<std::uint64_t>(tick));
                if (past > uniform_integer(word, 0, span)) {
                    return {spec.min.ns + past};
                }
            }
        }
    }
}

}  // namespace electionlab

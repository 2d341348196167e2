#include "electionlab/sim/action.h"

#include <algorithm>

#include "electionlab/core/errors.h"

namespace electionlab {
namespace {

// Who an action may mean: only what a condition does may mean the node that met it.
enum class Triggered : bool { no, yes };
Action read_action(const Value& value, const ActionScope& scope, Triggered triggered);

template <class E>
E read_enum(Reader& in, std::string_view key, std::string_view otherwise) {
    const std::string text = in.text(key, otherwise);
    std::string allowed;
    for (int v = 0; !enum_name(static_cast<E>(v)).empty(); ++v) {
        const std::string_view name = enum_name(static_cast<E>(v));
        if (text == name) {
            return static_cast<E>(v);
        }
        allowed += (v == 0 ? "'" : ", '") + std::string(name) + "'";
    }
    invalid(in.name(key), "'" + text + "'", "must be one of " + allowed);
}

std::vector<NodeId> read_nodes(const Value& value, const std::string& name, NodeId actors) {
    const auto* list = value.get_if<Value::List>();
    std::vector<NodeId> nodes;
    if (list == nullptr) {
        invalid(name, show(value), "must be a list of nodes");
    }
    for (const Value& item : *list) {
        const auto* node = item.get_if<std::int64_t>();
        if (node == nullptr || *node < 1 || *node > actors) {
            invalid(name, show(item), "must be a node from 1 to " + std::to_string(actors));
        }
        nodes.push_back(static_cast<NodeId>(*node));
    }
    return nodes;
}

void read_groups(Action& action, const Value& value, const std::string& name, NodeId actors) {
    if (value.is_null()) {
        return;
    }
    const auto* list = value.get_if<Value::List>();
    if (list == nullptr) {
        invalid(name, show(value), "must be a list of groups of nodes");
    }
    for (const Value& group : *list) {
        action.groups.push_back(read_nodes(group, name, actors));
    }
}

void refuse_shared_nodes(const Action& action, const std::string& name) {
    std::vector<NodeId> seen;
    for (const auto& group : action.groups) {
        for (const NodeId node : group) {
            if (std::find(seen.begin(), seen.end(), node) != seen.end()) {
                invalid(name, std::to_string(node), "a node must not be in two groups");
            }
            seen.push_back(node);
        }
    }
}

void read_target(Action& action, Reader& in, NodeId actors, Triggered triggered) {
    const Value& node = in.take("node");
    if (const auto* text = node.get_if<std::string>()) {
        for (const Target t : {Target::leader, Target::follower, Target::random, Target::trigger}) {
            const bool known = t != Target::trigger || triggered == Triggered::yes;
            if (known && *text == enum_name(t)) {
                action.target = t;
                return;
            }
        }
    } else if (const auto* i = node.get_if<std::int64_t>(); i != nullptr && *i >= 1 && *i <= actors) {
        action.node = static_cast<NodeId>(*i);
        return;
    }
    invalid(in.name("node"), show(node),
            "must be a node from 1 to " + std::to_string(actors) +
                ", or 'leader', 'follower' or 'random'; or 'trigger', in what 'when' does at once");
}

std::uint32_t read_name(Reader& in, std::string_view key, const std::vector<std::string>& names) {
    const std::string text = in.text(key, "");
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) {
        std::string allowed;
        for (const auto& name : names) {
            allowed += (allowed.empty() ? "'" : ", '") + name + "'";
        }
        invalid(in.name(key), "'" + text + "'",
                names.empty() ? "cannot be named: this protocol has none"
                              : "must be one of " + allowed);
    }
    return static_cast<std::uint32_t>(found - names.begin());
}

Condition read_condition(const Value& value, const ActionScope& scope) {
    Reader in(value, "when");
    Condition condition;
    condition.node = static_cast<NodeId>(in.integer("node", 0, 0, scope.actors));
    if (in.has("message")) {
        const auto kind = read_name(in, "message", *scope.messages);
        condition.message = (*scope.messages)[kind];
    }
    if (in.has("role")) {
        condition.role = read_enum<Role>(in, "role", "leader");
    }
    condition.epoch = in.integer("epoch", 0, 0, std::int64_t{1} << 52);
    if (condition.epoch > 0 && scope.protocol != nullptr) {
        const About& about = scope.protocol->about;
        if (!about.epochs && !about.loose_epochs) {
            invalid(in.name("epoch"), std::to_string(condition.epoch),
                    "must be left out: " + std::string(about.name) + " has no epochs");
        }
    }
    condition.occurrence = static_cast<int>(in.integer("occurrence", 1, 1, 1'000'000'000));
    in.finish();
    if (condition.message.empty() && !condition.role && condition.epoch == 0) {
        invalid("when", show(value), "needs a 'role', an 'epoch' or a 'message'");
    }
    return condition;
}

FaultPlan read_plan(const Value& value, const ActionScope& scope) {
    Reader in(value, "plan");
    FaultPlan plan;
    plan.action = std::make_shared<const Action>(read_action(in.take("do"), scope, Triggered::no));
    const ActionKind kind = plan.action->kind;
    if (kind == ActionKind::at || kind == ActionKind::when || kind == ActionKind::plan) {
        invalid("plan.do", std::string(enum_name(kind)), "a plan repeats plain actions only");
    }
    if (const Value& interval = in.take("interval_ms"); !interval.is_null()) {
        plan.interval = Distribution::from_value(interval, "plan.interval_ms");
    }
    // Its longest draw: an interval that is always 0 would stop the clock.
    if (std::max(plan.interval.draw(0), plan.interval.draw(~std::uint64_t{0})).ns == 0) {
        invalid("plan.interval_ms", "0", "must be above 0");
    }
    if (const Value& repair = in.take("repair_after_ms"); repair.get_if<bool>() != nullptr) {
        plan.repair = *repair.get_if<bool>();
    } else if (!repair.is_null()) {
        plan.repair_after = Distribution::from_value(repair, "plan.repair_after_ms");
    }
    if (const Value& from = in.take("from_ms"); !from.is_null()) {
        plan.from = Instant{} + duration_from_ms(from, "plan.from_ms");
    }
    if (const Value& until = in.take("until_ms"); !until.is_null()) {
        plan.until = Instant{} + duration_from_ms(until, "plan.until_ms");
        if (plan.until < plan.from) {
            invalid("plan.until_ms", show(until),
                    "must not be below plan.from_ms=" + show(plan.from.to_ms()));
        }
    }
    plan.keep_up = static_cast<NodeId>(in.integer("keep_up", 0, 0, scope.actors));
    plan.seed = static_cast<std::uint64_t>(in.integer("seed", 0, 0, INT64_MAX));
    in.finish();
    return plan;
}

Value nodes_value(const std::vector<NodeId>& nodes) {
    Value::List list;
    for (const NodeId node : nodes) {
        list.emplace_back(node);
    }
    return list;
}

bool has_target(ActionKind kind) {
    switch (kind) {
        case ActionKind::crash:
        case ActionKind::restart:
        case ActionKind::pause:
        case ActionKind::resume:
        case ActionKind::clock:
        case ActionKind::slow:
        case ActionKind::disk:
        case ActionKind::fire:
        case ActionKind::command: return true;
        default: return false;
    }
}

bool has_ends(ActionKind kind) {
    return kind == ActionKind::cut || kind == ActionKind::mend || kind == ActionKind::link;
}

bool has_message(ActionKind kind) {
    return kind == ActionKind::deliver || kind == ActionKind::drop ||
           kind == ActionKind::duplicate || kind == ActionKind::delay;
}

void read_specifics(Action& action, Reader& in, const ActionScope& scope) {
    switch (action.kind) {
        case ActionKind::crash:
        case ActionKind::pause: {
            const char* key = action.kind == ActionKind::crash ? "restart_after_ms" : "resume_after_ms";
            if (const Value& after = in.take(key); !after.is_null()) {
                action.repair_after = duration_from_ms(after, in.name(key));
            }
            [[fallthrough]];
        }
        case ActionKind::restart:
            if (action.kind != ActionKind::pause) {
                action.lose_disk = in.boolean("lose_disk", false);
            }
            break;
        case ActionKind::partition:
            read_groups(action, in.take("groups"), "partition.groups", scope.actors);
            refuse_shared_nodes(action, "partition.groups");
            break;
        case ActionKind::link:
            action.link = in.take("link");
            (void)Link::from_value(action.link, {}, "link");
            break;
        case ActionKind::clock: {
            const auto rounded = [](double x) {
                return static_cast<std::int64_t>(x + (x < 0 ? -0.5 : 0.5));
            };
            if (in.has("offset_ms")) {
                action.clock_offset = Duration{rounded(in.number("offset_ms", 0, -1e9, 1e9) * 1e6)};
            }
            if (in.has("drift_ppm")) {
                constexpr double most = max_drift_ppb / 1e3;
                action.drift_ppb = rounded(in.number("drift_ppm", 0, -most, most) * 1e3);
            }
            if (!action.clock_offset && !action.drift_ppb) {
                invalid("clock", "nothing", "needs an offset_ms, a drift_ppm or both");
            }
            break;
        }
        case ActionKind::slow:
            action.distribution = Distribution::from_value(in.take("processing_ms"), "slow.processing_ms");
            break;
        case ActionKind::disk:
            action.distribution = Distribution::from_value(in.take("write_delay_ms"), "disk.write_delay_ms");
            break;
        case ActionKind::delay:
            action.duration = duration_from_ms(in.take("by_ms"), "delay.by_ms");
            break;
        case ActionKind::fire:
            action.timer = read_name(in, "timer", *scope.timers);
            action.timer_name = (*scope.timers)[action.timer];
            action.about = static_cast<NodeId>(in.integer("about", 0, 0, scope.actors));
            if (scope.protocol != nullptr) {
                const bool per_peer = scope.protocol->per_peer[action.timer];
                if (per_peer != (action.about != no_node)) {
                    invalid(in.name("about"), std::to_string(action.about),
                            per_peer ? "must be a node: there is such a timer about each peer"
                                     : "there is one such timer, about nobody");
                }
            }
            break;
        case ActionKind::command:
            action.command = in.text("command", "");
            action.fields = in.take("fields");
            if (action.fields.is_null()) {
                action.fields = Value::Dict{};
            }
            check_command(scope.protocol == nullptr ? std::vector<KindInfo>{} : scope.protocol->commands,
                          action.command, action.fields);
            break;
        case ActionKind::at:
            action.at = Instant{} + duration_from_ms(in.take("at_ms"), "at.at_ms");
            action.inner =
                std::make_shared<const Action>(read_action(in.take("do"), scope, Triggered::no));
            break;
        case ActionKind::when:
            action.condition = read_condition(in.take("condition"), scope);
            action.inner =
                std::make_shared<const Action>(read_action(in.take("do"), scope, Triggered::yes));
            break;
        case ActionKind::plan: action.plan = read_plan(in.take("plan"), scope); break;
        default: break;
    }
}

Action read_action(const Value& value, const ActionScope& scope, Triggered triggered) {
    Reader kind_only(value, "action");
    Action action;
    action.kind = read_enum<ActionKind>(kind_only, "action", "");
    Reader in(value, std::string(enum_name(action.kind)));
    in.take("action");
    if (has_target(action.kind)) {
        read_target(action, in, scope.actors, triggered);
    }
    if (has_message(action.kind)) {
        action.message = in.integer("message", 0, 1, INT64_MAX);
        if (action.message == 0) {
            invalid(in.name("message"), "None", "must be the number of a message in flight");
        }
    }
    if (has_ends(action.kind)) {
        const Value& from = in.take("from");
        const Value& to = in.take("to");
        if (!from.is_null() || !to.is_null()) {
            action.groups = {read_nodes(from, in.name("from"), scope.actors),
                             read_nodes(to, in.name("to"), scope.actors)};
        }
        action.both_ways = in.boolean("both_ways", action.kind == ActionKind::link);
    }
    read_specifics(action, in, scope);
    in.finish();
    return action;
}

}  // namespace

Action action_from_value(const Value& value, const ActionScope& scope) {
    return read_action(value, scope, Triggered::no);
}

Value Action::to_value() const {
    Value::Dict dict{{"action", enum_name(kind)}};
    const auto add = [&](const char* name, Value value) { dict.emplace_back(name, std::move(value)); };
    if (has_target(kind)) {
        add("node", target == Target::node ? Value(node) : Value(enum_name(target)));
    }
    if (has_message(kind)) {
        add("message", message);
    }
    if (has_ends(kind) && groups.size() == 2) {
        add("from", nodes_value(groups[0]));
        add("to", nodes_value(groups[1]));
    }
    if (has_ends(kind)) {
        add("both_ways", both_ways);
    }
    switch (kind) {
        case ActionKind::crash:
        case ActionKind::pause:
            if (repair_after) {
                add(kind == ActionKind::crash ? "restart_after_ms" : "resume_after_ms",
                    repair_after->to_ms());
            }
            [[fallthrough]];
        case ActionKind::restart:
            if (kind != ActionKind::pause && lose_disk) {
                add("lose_disk", true);
            }
            break;
        case ActionKind::partition: {
            Value::List list;
            for (const auto& group : groups) {
                list.push_back(nodes_value(group));
            }
            add("groups", std::move(list));
            break;
        }
        case ActionKind::link: add("link", link); break;
        case ActionKind::clock:
            if (clock_offset) {
                add("offset_ms", clock_offset->to_ms());
            }
            if (drift_ppb) {
                add("drift_ppm", static_cast<double>(*drift_ppb) / 1e3);
            }
            break;
        case ActionKind::slow: add("processing_ms", distribution.to_value()); break;
        case ActionKind::disk: add("write_delay_ms", distribution.to_value()); break;
        case ActionKind::delay: add("by_ms", duration.to_ms()); break;
        case ActionKind::fire:
            add("timer", timer_name);
            if (about != no_node) {
                add("about", about);
            }
            break;
        case ActionKind::command:
            add("command", command);
            add("fields", fields);
            break;
        case ActionKind::at:
            add("at_ms", at.to_ms());
            add("do", inner->to_value());
            break;
        case ActionKind::when: {
            Value::Dict when{{"node", condition.node}, {"epoch", condition.epoch},
                             {"occurrence", condition.occurrence}};
            if (condition.role) {
                when.emplace_back("role", enum_name(*condition.role));
            }
            if (!condition.message.empty()) {
                when.emplace_back("message", condition.message);
            }
            add("condition", std::move(when));
            add("do", inner->to_value());
            break;
        }
        case ActionKind::plan: {
            Value::Dict out{{"do", plan.action->to_value()},
                            {"interval_ms", plan.interval.to_value()},
                            {"from_ms", plan.from.to_ms()},
                            {"keep_up", plan.keep_up},
                            {"seed", plan.seed}};
            out.emplace_back("repair_after_ms",
                             plan.repair ? plan.repair_after.to_value() : Value(false));
            if (plan.until != Instant::never()) {
                out.emplace_back("until_ms", plan.until.to_ms());
            }
            add("plan", std::move(out));
            break;
        }
        default: break;
    }
    return dict;
}

}  // namespace electionlab

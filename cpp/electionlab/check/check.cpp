#include "electionlab/check/check.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "electionlab/core/errors.h"
#include "electionlab/node/uniqueness.h"

namespace electionlab::check {
namespace {

std::uint8_t times(Reader& in, std::string_view key, std::uint8_t otherwise, std::int64_t most) {
    const Value& given = in.take(key);
    if (given.is_null()) {
        return otherwise;
    }
    const auto* text = given.get_if<std::string>();
    if (text != nullptr && *text == "unlimited") {
        return unlimited;
    }
    const auto* count = given.get_if<std::int64_t>();
    if (count == nullptr || *count < 0 || *count > most) {
        invalid(in.name(key), show(given),
                "must be a whole number from 0 to " + std::to_string(most) + ", or 'unlimited'");
    }
    return static_cast<std::uint8_t>(*count);
}

std::optional<std::int64_t> bound(Reader& in, std::string_view key, std::int64_t least) {
    const Value& given = in.take(key);
    if (given.is_null()) {
        return std::nullopt;
    }
    const auto* count = given.get_if<std::int64_t>();
    if (count == nullptr || *count < least) {
        invalid(in.name(key), show(given),
                "must be a whole number of at least " + std::to_string(least));
    }
    return *count;
}

template <class Kind>
Kind one_of(Reader& in, std::string_view key, Kind otherwise) {
    const std::string given = in.text(key, enum_name(otherwise));
    std::string allowed;
    for (int v = 0; !enum_name(static_cast<Kind>(v)).empty(); ++v) {
        const std::string_view name = enum_name(static_cast<Kind>(v));
        if (given == name) {
            return static_cast<Kind>(v);
        }
        allowed += (v == 0 ? "'" : ", '") + std::string(name) + "'";
    }
    invalid(in.name(key), show(Value(given)), "must be one of " + allowed);
}

std::vector<std::vector<std::vector<NodeId>>> family(Reader& in, std::string_view key, NodeId actors) {
    std::vector<std::vector<std::vector<NodeId>>> all;
    const Value& given = in.take(key);
    if (given.is_null()) {
        return all;
    }
    const auto refuse = [&](const std::string& why) { invalid(in.name(key), show(given), why); };
    const auto* list = given.get_if<Value::List>();
    if (list == nullptr) {
        refuse("must be a list of partitions, each a list of groups of nodes");
    }
    for (const Value& partition : *list) {
        const auto* groups = partition.get_if<Value::List>();
        if (groups == nullptr || groups->size() < 2) {
            refuse("each partition must be a list of at least two groups of nodes");
        }
        auto& read = all.emplace_back();
        std::set<NodeId> seen;
        for (const Value& group : *groups) {
            const auto* nodes = group.get_if<Value::List>();
            if (nodes == nullptr || nodes->empty()) {
                refuse("each group must be a list of nodes");
            }
            auto& members = read.emplace_back();
            for (const Value& node : *nodes) {
                const auto* id = node.get_if<std::int64_t>();
                if (id == nullptr || *id < 1 || *id > actors) {
                    refuse("nodes are from 1 to " + std::to_string(actors));
                }
                if (!seen.insert(static_cast<NodeId>(*id)).second) {
                    refuse("node " + std::to_string(*id) + " is in two groups");
                }
                members.push_back(static_cast<NodeId>(*id));
            }
        }
    }
    return all;
}

std::vector<GivenCommand> read_commands(const Value& given, const Description& protocol,
                                        NodeId actors) {
    std::vector<GivenCommand> commands;
    if (given.is_null()) {
        return commands;
    }
    const auto* list = given.get_if<Value::List>();
    if (list == nullptr) {
        invalid("commands", show(given), "must be a list");
    }
    for (const Value& item : *list) {
        Reader in(item, "commands");
        GivenCommand command;
        command.node = static_cast<NodeId>(in.integer("node", 0, 1, actors));
        command.name = in.text("command", "");
        command.fields = in.take("fields");
        in.finish();
        if (command.node == no_node) {
            invalid("commands.node", "None", "is missing");
        }
        if (command.fields.is_null()) {
            command.fields = Value::Dict{};
        }
        check_command(protocol.commands, command.name, command.fields);
        commands.push_back(std::move(command));
    }
    return commands;
}

}  // namespace

Budget Budget::from_value(const Value& value, NodeId actors) {
    Budget budget;
    if (value.is_null()) {
        return budget;
    }
    Reader in(value, "faults");
    budget.crashes = times(in, "crashes", 0, 31);
    budget.restarts = times(in, "restarts", unlimited, 31);
    budget.reboots = times(in, "reboots", 0, 31);
    budget.lost_disks = times(in, "lost_disks", 0, 31);
    budget.losses = times(in, "losses", 0, 63);
    budget.duplicates = times(in, "duplicates", 0, 63);
    budget.pauses = times(in, "pauses", 0, 31);
    budget.partitions = times(in, "partitions", 0, 31);
    budget.partition_family = family(in, "partition_family", actors);
    budget.one_way = in.boolean("one_way", false);
    in.finish();
    if (budget.duplicates == unlimited) {
        invalid("faults.duplicates", "'unlimited'",
                "must be a number; for copies without end take network='duplicating'");
    }
    return budget;
}

Timing Timing::from_value(const Value& value) {
    Reader in(value, "timing");
    Timing timing;
    if (const Value& tick = in.take("tick_ms"); !tick.is_null()) {
        timing.tick = duration_from_ms(tick, "timing.tick_ms");
    }
    if (timing.tick.ns <= 0) {
        invalid("timing.tick_ms", show(timing.tick.to_ms()), "must be above 0");
    }
    if (const Value& delay = in.take("one_way_delay_ms"); !delay.is_null()) {
        timing.delay = range_from_ms(delay, "timing.one_way_delay_ms");
    }
    timing.drift = in.number("clock_drift", 0, 0, 0.9);
    in.finish();
    return timing;
}

Bounds Bounds::from_value(const Value& value) {
    Bounds bounds;
    if (value.is_null()) {
        return bounds;
    }
    Reader in(value, "bounds");
    bounds.epoch = bound(in, "epoch", 0);
    bounds.depth = bound(in, "depth", 0);
    bounds.messages = bound(in, "messages", 0);
    bounds.copies = bound(in, "copies", 1);
    bounds.states = bound(in, "states", 1);
    bounds.memory_bytes = bound(in, "memory_bytes", 1);
    if (const Value& given = in.take("seconds"); !given.is_null()) {
        const auto* whole = given.get_if<std::int64_t>();
        const auto* real = given.get_if<double>();
        const double seconds = whole != nullptr  ? static_cast<double>(*whole)
                               : real != nullptr ? *real
                                                 : -1;
        if (!(seconds >= 0)) {
            invalid("bounds.seconds", show(given), "must be a number of at least 0");
        }
        bounds.seconds = seconds;
    }
    in.finish();
    return bounds;
}

Request Request::from_value(const Value& value, const Description& protocol, NodeId members,
                            NodeId actors) {
    Request request;
    Reader in(value, "");
    request.space.network = one_of(in, "network", NetworkKind::multiset);
    request.space.budget = Budget::from_value(in.take("faults"), actors);
    request.space.bounds = Bounds::from_value(in.take("bounds"));
    if (const Value& timing = in.take("timing"); !timing.is_null()) {
        request.space.timing = Timing::from_value(timing);
        if (request.space.network == NetworkKind::fifo) {
            invalid("timing", "with network='fifo'", "cannot be had together");
        }
    }
    request.space.symmetry = in.boolean("symmetry", false);
    request.rules.initial_leader = static_cast<NodeId>(in.integer("initial_leader", 0, 0, members));
    request.rules.twice = in.boolean("twice", false);
    request.rules.commands = read_commands(in.take("commands"), protocol, actors);
    request.space.commands = request.rules.commands;
    request.search.threads = static_cast<int>(in.integer("threads", 1, 1, 256));
    request.search.stop_at_first = in.boolean("stop_at_first", true);
    request.search.order = one_of(in, "search", Order::breadth);
    request.search.exact = in.boolean("exact", false);
    request.search.seed = static_cast<std::uint64_t>(in.integer("seed", 0, 0, std::int64_t{1} << 62));
    request.search.runs = in.integer("runs", 1000, 1, std::int64_t{1} << 40);
    request.space.drop_stale = in.boolean("drop_stale", false);
    if (request.search.exact && (request.search.order != Order::breadth || request.space.symmetry)) {
        invalid("exact", "true", "can be had with search='breadth' only, and not with symmetry");
    }

    const auto place = [](const std::vector<std::string>& names, std::string_view name) {
        return std::find(names.begin(), names.end(), name) - names.begin();
    };
    const Value& asked = in.take("invariants");
    in.finish();
    if (asked.is_null()) {
        request.space.promises = (std::uint64_t{1} << protocol.promises.size()) - 1;
        request.space.properties = (std::uint64_t{1} << protocol.properties.size()) - 1;
        request.space.per_epoch = protocol.about.epochs;
        return request;
    }
    const auto* list = asked.get_if<Value::List>();
    std::string known = std::string(one_leader_per_epoch) + ", " + std::string(one_leader_at_a_time);
    for (const auto* names : {&protocol.promises, &protocol.properties}) {
        for (const std::string& name : *names) {
            known += ", " + name;
        }
    }
    if (list == nullptr) {
        invalid("invariants", show(asked), "must be a list of names");
    }
    for (const Value& item : *list) {
        const auto* name = item.get_if<std::string>();
        const auto promise = name == nullptr ? -1 : place(protocol.promises, *name);
        const auto property = name == nullptr ? -1 : place(protocol.properties, *name);
        if (name != nullptr && *name == one_leader_per_epoch && protocol.about.epochs) {
            request.space.per_epoch = true;
        } else if (name != nullptr && *name == one_leader_at_a_time) {
            request.space.at_a_time = true;
        } else if (name != nullptr && promise < static_cast<std::ptrdiff_t>(protocol.promises.size())) {
            request.space.promises |= std::uint64_t{1} << promise;
        } else if (name != nullptr &&
                   property < static_cast<std::ptrdiff_t>(protocol.properties.size())) {
            request.space.properties |= std::uint64_t{1} << property;
        } else {
            invalid("invariants", show(item),
                    name != nullptr && *name == one_leader_per_epoch
                        ? "cannot be asked of a protocol without epochs"
                        : "is not known here; known are: " + known);
        }
    }
    return request;
}

Report::Report(std::unique_ptr<Rules> rules, Request request)
    : rules_(std::move(rules)), request_(std::move(request)) {
    if (request_.space.symmetry) {
        if (!rules_->symmetric()) {
            invalid("symmetry", "true",
                    "this protocol, with these options, does not treat all nodes alike");
        }
        if (request_.space.timing || request_.space.budget.partitions != 0 || !request_.space.commands.empty() ||
            !request_.space.always.empty() || !request_.space.between.empty() ||
            !request_.search.sometimes.empty()) {
            invalid("symmetry", "true",
                    "cannot be had with time, and not with partitions, commands or predicates, which "
                    "name nodes");
        }
        if (rules_->members() > 6) {
            invalid("symmetry", "true", "takes at most 6 nodes");
        }
    }
    if (request_.space.drop_stale && !rules_->knows_stale()) {
        invalid("drop_stale", "true", "this protocol does not tell which messages are stale");
    }
    if (rules_->actors() > 64) {
        invalid("nodes", std::to_string(rules_->members()), "the checker takes at most 64 actors");
    }
    space_ = std::make_unique<Space>(*rules_, request_.space);
}

void Report::run() {
    result_ = search(*space_, request_.search);
    if (request_.rules.twice && request_.space.drop_stale && !result_.failure) {
        if (const std::string wrong = space_->wrongly_stale(); !wrong.empty()) {
            result_.failure = std::make_exception_ptr(std::runtime_error(wrong));
        }
    }
    if (rules_->reads_clock()) {
        result_.bounds_hit.emplace_back("clock");
    }
}

void Report::run_eventually(const Predicate& goal) {
    if (request_.space.symmetry) {
        invalid("symmetry", "true", "cannot be had when asking for what happens in the end");
    }
    liveness_ = search_lasso(*space_, goal, request_.search.progress);
    if (rules_->reads_clock()) {
        liveness_.bounds_hit.emplace_back("clock");
    }
}

Value Report::liveness_value() const {
    Value::List bounds_hit;
    for (const std::string& name : liveness_.bounds_hit) {
        bounds_hit.emplace_back(name);
    }
    const auto& lasso = liveness_.counterexample;
    return Value::Dict{{"states", liveness_.states},
                       {"transitions", liveness_.transitions},
                       {"exhausted", liveness_.exhausted},
                       {"interrupted", liveness_.interrupted},
                       {"bounds_hit", std::move(bounds_hit)},
                       {"prefix", lasso ? path_value(lasso->prefix) : Value()},
                       {"cycle", lasso ? path_value(lasso->cycle) : Value()},
                       {"seconds", liveness_.seconds}};
}

Value Report::step_value(const Step& step) const {
    Value::Dict dict{{"step", enum_name(step.kind)}};
    if (step.node != no_node) {
        dict.emplace_back("node", step.node);
    }
    switch (step.kind) {
        case StepKind::deliver:
        case StepKind::drop_at_down:
        case StepKind::lose:
        case StepKind::duplicate:
            dict.emplace_back("message", rules_->message_value(space_->message_of(step.what)));
            break;
        case StepKind::fire:
            dict.emplace_back("timer", rules_->timer_name(step.what));
            if (rules_->timer_about(step.what) != no_node) {
                dict.emplace_back("about", rules_->timer_about(step.what));
            }
            break;
        case StepKind::partition: {
            Value::List groups;
            for (const auto& group : space_->partition_groups(step.what)) {
                Value::List nodes;
                for (const NodeId node : group) {
                    nodes.emplace_back(node);
                }
                groups.emplace_back(std::move(nodes));
            }
            dict.emplace_back("groups", std::move(groups));
            dict.emplace_back("one_way", space_->partition_one_way(step.what));
            break;
        }
        case StepKind::command: {
            const GivenCommand& command = space_->settings().commands[step.what];
            dict.emplace_back("command", command.name);
            dict.emplace_back("fields", command.fields);
            break;
        }
        default: break;
    }
    return dict;
}

Value Report::graph_value(const StateGraph& graph) const {
    const auto names = [&](std::uint64_t broken) {
        Value::List list;
        for (std::size_t i = 0; i < space_->invariants().size(); ++i) {
            if ((broken >> i & 1) != 0) {
                list.emplace_back(space_->invariants()[i]);
            }
        }
        return list;
    };
    Value::List nodes, edges;
    for (const StateGraph::Node& node : graph.nodes) {
        nodes.push_back(Value::Dict{
            {"depth", node.depth}, {"broken", names(node.broken)}, {"open", node.open}});
    }
    for (const StateGraph::Edge& edge : graph.edges) {
        edges.push_back(Value::Dict{{"from", static_cast<std::int64_t>(edge.from)},
                                    {"to", static_cast<std::int64_t>(edge.to)},
                                    {"step", step_value(edge.step)},
                                    {"broken", names(edge.broken)}});
    }
    return Value::Dict{{"nodes", std::move(nodes)}, {"edges", std::move(edges)}};
}

Value Report::path_value(const Path& path) const {
    Value::List steps;
    for (const Step& step : path.steps) {
        steps.push_back(step_value(step));
    }
    return steps;
}

Value Report::to_value() const {
    Value::List levels, violations, witnesses, bounds_hit, invariants;
    for (const std::int64_t level : result_.levels) {
        levels.emplace_back(level);
    }
    for (const Violation& violation : result_.violations) {
        violations.push_back(Value::Dict{{"invariant", violation.invariant},
                                         {"steps", path_value(violation.path)},
                                         {"state", space_->world_value(violation.path.worlds.back())}});
    }
    for (const Witness& witness : result_.witnesses) {
        witnesses.push_back(Value::Dict{
            {"name", witness.name},
            {"steps", witness.path ? path_value(*witness.path) : Value()}});
    }
    for (const std::string& name : result_.bounds_hit) {
        bounds_hit.emplace_back(name);
    }
    for (const std::string& name : space_->invariants()) {
        invariants.emplace_back(name);
    }
    return Value::Dict{{"states", result_.states},
                       {"transitions", result_.transitions},
                       {"terminal", result_.terminal},
                       {"with_leader", result_.with_leader},
                       {"depth", result_.depth},
                       {"levels", std::move(levels)},
                       {"invariants", std::move(invariants)},
                       {"violations", std::move(violations)},
                       {"witnesses", std::move(witnesses)},
                       {"bounds_hit", std::move(bounds_hit)},
                       {"exhausted", result_.exhausted},
                       {"interrupted", result_.interrupted},
                       {"peak_bytes", result_.peak_bytes},
                       {"seconds", result_.seconds},
                       {"omission_probability", result_.omission_probability},
                       {"collisions", result_.collisions},
                       {"shortest", result_.shortest},
                       {"nondeterminism", rules_->nondeterminism()}};
}

}  // namespace electionlab::check

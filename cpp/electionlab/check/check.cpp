#include "electionlab/check/check.h"

#include <algorithm>
#include <cmath>
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

// How far each actor's clock goes in a tick: whole nanoseconds, at rates that the simulator has.
std::vector<Duration> clock_steps(const Value& given, Duration tick, NodeId actors) {
    constexpr std::int64_t billion = 1'000'000'000;
    std::vector<Duration> steps(actors, tick);
    if (given.is_null()) {
        return steps;
    }
    const auto* list = given.get_if<Value::List>();
    const auto refuse = [&](const Value& what, const std::string& why) {
        invalid("timing.rates", show(what), why);
    };
    if (list == nullptr) {
        refuse(given, "must be a list of nodes and rates");
    }
    std::set<std::int64_t> seen;
    for (const Value& item : *list) {
        const auto* pair = item.get_if<Value::List>();
        const std::int64_t* node =
            pair != nullptr && pair->size() == 2 ? (*pair)[0].get_if<std::int64_t>() : nullptr;
        if (node == nullptr || *node < 1 || *node > actors || !seen.insert(*node).second) {
            refuse(item, "nodes are from 1 to " + std::to_string(actors) + ", each once");
        }
        const auto* whole = (*pair)[1].get_if<std::int64_t>();
        const auto* real = (*pair)[1].get_if<double>();
        const double rate = whole != nullptr ? static_cast<double>(*whole) : real != nullptr ? *real : 0;
        if (!(rate >= 0.5 && rate <= 1.5)) {
            refuse(item, "a rate is from 0.5 to 1.5");
        }
        const double billionths = std::round(rate * billion);
        const auto exact = static_cast<std::int64_t>(billionths);
        if (std::abs(rate * billion - billionths) > 1e-4 || tick.ns > INT64_MAX / (2 * billion) ||
            tick.ns * exact % billion != 0) {
            refuse(item, "a tick of " + show(tick.to_ms()) +
                             " ms must be a whole number of nanoseconds on each clock");
        }
        steps[static_cast<std::size_t>(*node - 1)] = {tick.ns * exact / billion};
    }
    return steps;
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
    budget.heals = in.boolean("heals", true);
    budget.cut_from_start = in.boolean("cut_from_start", false);
    in.finish();
    if (budget.cut_from_start && budget.partition_family.empty()) {
        invalid("faults.cut_from_start", "true", "needs a partition_family, whose first it takes");
    }
    if (budget.duplicates == unlimited) {
        invalid("faults.duplicates", "'unlimited'",
                "must be a number; for copies without end take network='duplicating'");
    }
    return budget;
}

Timing Timing::from_value(const Value& value, NodeId actors) {
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
    timing.step = clock_steps(in.take("rates"), timing.tick, actors);
    if (const Value& horizon = in.take("horizon_ms"); !horizon.is_null()) {
        timing.horizon = duration_from_ms(horizon, "timing.horizon_ms");
    }
    if (const Value& until = in.take("until_ms"); !until.is_null()) {
        timing.until = duration_from_ms(until, "timing.until_ms");
    }
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
        const Timing read = Timing::from_value(timing, actors);
        Clocks clocks;
        clocks.step = read.step;
        const Duration fastest = *std::max_element(read.step.begin(), read.step.end());
        clocks.longest_delay = fastest * (read.delay.max.ns / read.tick.ns + 1);
        clocks.horizon = read.horizon;
        clocks.since_start = read.until.has_value();
        clocks.exact = read.drift == 0;
        request.rules.clocks = std::move(clocks);
        request.space.timing = read;
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
    add_bounds(result_.bounds_hit);
}

// What is not explored whatever the search.
void Report::add_bounds(std::vector<std::string>& bounds_hit) const {
    if (rules_->reads_clock()) {
        bounds_hit.emplace_back("clock");
    }
    if (rules_->draws_unseen()) {
        bounds_hit.emplace_back("draws");
    }
    if (space_->time_was_over()) {
        bounds_hit.emplace_back("time");
    }
}

void Report::run_eventually(const Predicate& goal) {
    if (request_.space.symmetry) {
        invalid("symmetry", "true", "cannot be had when asking for what happens in the end");
    }
    liveness_ = search_lasso(*space_, goal, request_.search.progress);
    add_bounds(liveness_.bounds_hit);
}

Path Report::unrolled(int rounds) {
    return unroll(*space_, liveness_.counterexample.value(), rounds);
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
                       {"cycle", lasso ? path_value(lasso->cycle, count_ticks(lasso->prefix)) : Value()},
                       {"shift", lasso ? lasso->shift : 0},
                       {"clocks_show_ms", rules_->clocks_show().to_ms()},
                       {"seconds", liveness_.seconds}};
}

std::int64_t Report::count_ticks(const Path& path) {
    return std::count_if(path.steps.begin(), path.steps.end(),
                         [](const Step& step) { return step.kind == StepKind::tick; });
}

Value Report::step_value(const Step& step, std::int64_t ticks) const {
    Value::Dict dict{{"step", enum_name(step.kind)}};
    if (step.draw > 0) {
        dict.emplace_back("draw", static_cast<std::int64_t>(step.draw - 1));
        dict.emplace_back("of", static_cast<std::int64_t>(rules_->draw_choices()));
    }
    if (step.node != no_node) {
        dict.emplace_back("node", step.node);
    }
    switch (step.kind) {
        case StepKind::deliver:
        case StepKind::drop_at_down:
        case StepKind::lose:
        case StepKind::duplicate:
            dict.emplace_back("message", rules_->message_value_at(space_->message_of(step.what), ticks));
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
                                    {"step", step_value(edge.step, 0)},
                                    {"broken", names(edge.broken)}});
    }
    return Value::Dict{{"nodes", std::move(nodes)}, {"edges", std::move(edges)}};
}

Value Report::path_value(const Path& path, std::int64_t ticks) const {
    Value::List steps;
    for (const Step& step : path.steps) {
        steps.push_back(step_value(step, ticks));
        ticks += step.kind == StepKind::tick;
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
                       {"clocks_show_ms", rules_->clocks_show().to_ms()},
                       {"nondeterminism", rules_->nondeterminism()}};
}

}  // namespace electionlab::check

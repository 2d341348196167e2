#include "electionlab/sim/config.h"

#include <algorithm>
#include <string>

#include "electionlab/core/errors.h"
#include "electionlab/core/fields.h"

namespace electionlab {
namespace {

// One number, or a pair (min, max) to draw from, in parts per million.
void read_drift(Reader& in, NodeConfig& node) {
    const Value& given = in.take("clock_drift_ppm");
    if (given.is_null()) {
        return;
    }
    const auto* list = given.get_if<Value::List>();
    const Value::List ends = list != nullptr ? *list : Value::List{given, given};
    std::int64_t ppb[2] = {};
    bool good = ends.size() == 2;
    for (std::size_t i = 0; good && i < 2; ++i) {
        const auto* d = ends[i].get_if<double>();
        const auto* whole = ends[i].get_if<std::int64_t>();
        const double ppm = d != nullptr ? *d : whole != nullptr ? static_cast<double>(*whole) : 1e300;
        good = ppm >= -max_drift_ppb / 1e3 && ppm <= max_drift_ppb / 1e3;
        ppb[i] = good ? static_cast<std::int64_t>(ppm * 1e3 + (ppm < 0 ? -0.5 : 0.5)) : 0;
    }
    if (!good || ppb[0] > ppb[1]) {
        invalid(in.name("clock_drift_ppm"), show(given),
                "must be a number from -500000 to 500000 or a pair (min, max) of such");
    }
    node.clock_drift_ppb = ppb[0];
    node.clock_drift_max_ppb = ppb[1];
}

// Nobody is up, leads or has sent anything before the first event: what needs that is a mistake.
void refuse_before_start(const Action& action) {
    const auto refuse = [&](const std::string& what, const char* because) {
        invalid("actions", what, std::string("cannot take effect before the first event: ") +
                                     because + "; use at or when");
    };
    const std::string kind(enum_name(action.kind));
    if (action.target != Target::node) {
        refuse("'" + kind + " " + std::string(enum_name(action.target)) + "'",
               "no node is up by then; name one by its number");
    }
    switch (action.kind) {
        case ActionKind::restart:
        case ActionKind::resume: refuse("'" + kind + "'", "no node is down or paused by then"); break;
        case ActionKind::deliver:
        case ActionKind::drop:
        case ActionKind::duplicate:
        case ActionKind::delay: refuse("'" + kind + "'", "no message is in flight by then"); break;
        case ActionKind::fire: refuse("'" + kind + "'", "no timer is armed by then"); break;
        default: break;
    }
}

}  // namespace

Value NodeConfig::to_value() const {
    return Value::Dict{{"processing_ms", processing.to_value()},
                       {"write_delay_ms", write_delay.to_value()},
                       {"timer_lateness_ms", timer_lateness.to_value()},
                       {"start_ms", start.to_value()},
                       {"clock_offset_ms", clock_offset.to_ms()},
                       {"clock_drift_ppm",
                        Value::List{static_cast<double>(clock_drift_ppb) / 1e3,
                                    static_cast<double>(clock_drift_max_ppb) / 1e3}}};
}

NodeConfig NodeConfig::from_value(const Value& value, const NodeConfig& otherwise,
                                  std::string_view name) {
    if (value.is_null()) {
        return otherwise;
    }
    Reader in(value, std::string(name));
    NodeConfig node = otherwise;
    const auto read = [&](std::string_view key, Distribution& target) {
        if (const Value& given = in.take(key); !given.is_null()) {
            target = Distribution::from_value(given, in.name(key));
        }
    };
    read("processing_ms", node.processing);
    read("write_delay_ms", node.write_delay);
    read("timer_lateness_ms", node.timer_lateness);
    read("start_ms", node.start);
    const double offset = in.number("clock_offset_ms", node.clock_offset.to_ms(), -1e9, 1e9);
    node.clock_offset = {static_cast<std::int64_t>(offset * 1e6 + (offset < 0 ? -0.5 : 0.5))};
    read_drift(in, node);
    in.finish();
    return node;
}

const NodeConfig& SimulationConfig::node(NodeId id) const {
    for (const auto& [node, config] : nodes) {
        if (node == id) {
            return config;
        }
    }
    return every_node;
}

Value SimulationConfig::to_value() const {
    Value::Dict dict{{"seed", seed},
                     {"trial", trial},
                     {"network", network.to_value()},
                     {"write_mode", enum_name(write_mode)},
                     {"every_node", every_node.to_value()}};
    Value::List node_list;
    for (const auto& [node, config] : nodes) {
        node_list.push_back(Value::Dict{{"node", node}, {"config", config.to_value()}});
    }
    dict.emplace_back("nodes", std::move(node_list));
    dict.emplace_back("initial_leader", initial_leader);
    Value::List action_list;
    for (const Action& action : actions) {
        action_list.push_back(action.to_value());
    }
    dict.emplace_back("actions", std::move(action_list));
    dict.emplace_back("one_leader_at_a_time", one_leader_at_a_time);
    return dict;
}

SimulationConfig SimulationConfig::from_value(const Value& value, NodeId members,
                                              const ActionScope& scope) {
    Reader in(value, "");
    SimulationConfig config;
    config.seed = static_cast<std::uint64_t>(in.integer("seed", 0, 0, INT64_MAX));
    config.trial = static_cast<std::uint64_t>(in.integer("trial", 0, 0, INT64_MAX));
    config.network = Network::from_value(in.take("network"), scope.actors);
    const std::string mode = in.text("write_mode", "blocking");
    if (mode != "blocking" && mode != "pipelined") {
        invalid("write_mode", "'" + mode + "'", "must be 'blocking' or 'pipelined'");
    }
    config.write_mode = mode == "blocking" ? WriteMode::blocking : WriteMode::pipelined;
    config.every_node = NodeConfig::from_value(in.take("every_node"), {}, "every_node");
    if (const Value& nodes = in.take("nodes"); !nodes.is_null()) {
        const auto* list = nodes.get_if<Value::List>();
        if (list == nullptr) {
            invalid("nodes", show(nodes), "must be a list");
        }
        for (const Value& entry : *list) {
            Reader one(entry, "nodes");
            const auto node = static_cast<NodeId>(one.integer("node", 0, 1, scope.actors));
            if (node == no_node) {
                invalid("nodes.node", "None", "is missing");
            }
            config.nodes.emplace_back(
                node, NodeConfig::from_value(one.take("config"), config.every_node, "nodes.config"));
            one.finish();
        }
        std::sort(config.nodes.begin(), config.nodes.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
        for (std::size_t i = 1; i < config.nodes.size(); ++i) {
            if (config.nodes[i].first == config.nodes[i - 1].first) {
                invalid("nodes.node", std::to_string(config.nodes[i].first), "is given twice");
            }
        }
    }
    config.initial_leader = static_cast<NodeId>(in.integer("initial_leader", 0, 0, members));
    if (const Value& actions = in.take("actions"); !actions.is_null()) {
        const auto* list = actions.get_if<Value::List>();
        if (list == nullptr) {
            invalid("actions", show(actions), "must be a list");
        }
        for (const Value& action : *list) {
            config.actions.push_back(action_from_value(action, scope));
            refuse_before_start(config.actions.back());
        }
    }
    config.one_leader_at_a_time = in.boolean("one_leader_at_a_time", false);
    in.finish();
    return config;
}

}  // namespace electionlab

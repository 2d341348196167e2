#include "story.h"

#include <cmath>
#include <stdexcept>

namespace story {

Value nodes(std::initializer_list<int> ids) {
    List list;
    for (const int id : ids) {
        list.emplace_back(id);
    }
    return list;
}

Value groups(std::initializer_list<std::initializer_list<int>> groups) {
    List list;
    for (const auto& group : groups) {
        list.push_back(nodes(group));
    }
    return list;
}

Value node_range(NodeId first, NodeId last) {
    List list;
    for (NodeId node = first; node <= last; ++node) {
        list.emplace_back(node);
    }
    return list;
}

Value merged(const Value& base, const Value& more) {
    Dict dict = *base.get_if<Dict>();
    for (const auto& [key, value] : *more.get_if<Dict>()) {
        bool known = false;
        for (auto& [name, old] : dict) {
            if (name == key) {
                old = value;
                known = true;
            }
        }
        if (!known) {
            dict.emplace_back(key, value);
        }
    }
    return dict;
}

Value network(double delay_ms, const Value& more) {
    return merged(Dict{{"one_way_delay_ms", delay_ms}}, more);
}

Value at_path(const Value& value, std::string_view path) {
    Value at = value;
    while (!path.empty()) {
        const std::size_t dot = path.find('.');
        const Value* next = at.find(path.substr(0, dot));
        if (next == nullptr) {
            return {};
        }
        const Value deeper = *next;
        at = deeper;
        path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    }
    return at;
}

std::int64_t whole_at(const Value& value, std::string_view path) {
    const Value found = at_path(value, path);
    if (const auto* whole = found.get_if<std::int64_t>()) {
        return *whole;
    }
    throw std::out_of_range("no whole number at " + std::string(path) + " of " + value.to_json());
}

Story::Story(std::string_view protocol, NodeId nodes, const Value& options, const Value& config,
             bool record)
    : cluster_(find_protocol(protocol).make_cluster(options, nodes, config, record)) {}

Action Story::action(const Value& entries) const {
    std::vector<std::string> messages;
    for (const KindInfo& kind : cluster_->description().messages) {
        messages.push_back(kind.name);
    }
    const ActionScope scope{cluster_->actors(), &cluster_->description().timers, &messages,
                            &cluster_->description()};
    return action_from_value(entries, scope);
}

void Story::until(double at_ms) {
    const Instant at{static_cast<std::int64_t>(std::llround(at_ms * 1e6))};
    cluster_->run(at, INT64_MAX, StopWhen::never, {});
}

bool Story::until_agreement(double within_ms) {
    const Instant end{cluster_->now().ns + std::llround(within_ms * 1e6)};
    return cluster_->run(end, INT64_MAX, StopWhen::agreement, {});
}

bool Story::until_leader(double within_ms) {
    const Instant end{cluster_->now().ns + std::llround(within_ms * 1e6)};
    return cluster_->run(end, INT64_MAX, StopWhen::leader, {});
}

Value Story::field(NodeId node, std::string_view path) const {
    return at_path(cluster_->node(node), path);
}

std::int64_t Story::whole(NodeId node, std::string_view path) const {
    return whole_at(cluster_->node(node), path);
}

std::int64_t Story::due_ns(NodeId node, std::string_view timer) const {
    const Value due = field(node, "timers_due_ms." + std::string(timer));
    const auto* ms = due.get_if<double>();
    return ms == nullptr ? -1 : static_cast<std::int64_t>(std::llround(*ms * 1e6));
}

std::int64_t Story::sent(std::string_view kind) const {
    return whole_at(cluster_->traffic(), "by_kind." + std::string(kind) + ".sent");
}

std::int64_t Story::delivered(std::string_view kind) const {
    return whole_at(cluster_->traffic(), "by_kind." + std::string(kind) + ".delivered");
}

std::int64_t Story::dropped(std::string_view reason) const {
    return whole_at(cluster_->traffic(), "dropped." + std::string(reason));
}

std::int64_t Story::asked(ActionKind kind) const {
    return faults().asked[static_cast<std::size_t>(kind)];
}

std::int64_t Story::effective(ActionKind kind) const {
    return faults().effective[static_cast<std::size_t>(kind)];
}

std::vector<PendingEvent> Story::in_flight(std::string_view kind) const {
    std::vector<PendingEvent> found;
    for (PendingEvent& event : cluster_->pending()) {
        if (event.kind == PendingEvent::Kind::message &&
            (kind.empty() ||
             cluster_->description().messages[static_cast<std::size_t>(event.message_kind)].name ==
                 kind)) {
            found.push_back(std::move(event));
        }
    }
    return found;
}

std::vector<TraceRow> Story::rows(RowKind kind) const {
    std::vector<TraceRow> found;
    const Trace& trace = cluster_->trace();
    for (std::size_t i = 0; i < trace.size(); ++i) {
        if (trace.row(i).kind == kind) {
            found.push_back(trace.row(i));
        }
    }
    return found;
}

bool Story::all_follow(NodeId leader) const {
    bool all = leader != no_node && cluster_->view(leader).leads();
    for (NodeId node = 1; node <= cluster_->members(); ++node) {
        const View view = cluster_->view(node);
        all =
            all && (view.role == Role::down || view.role == Role::paused || view.leader == leader);
        all = all && (node == leader || !view.leads());
    }
    return all;
}

std::string Story::told() const {
    std::string out;
    const Trace& trace = cluster_->trace();
    for (std::size_t i = 0; i < trace.size(); ++i) {
        out += trace.line(trace.row(i)) + "\n";
    }
    return out;
}

}  // namespace story

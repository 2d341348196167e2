#include "python_protocol.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "convert.h"
#include "electionlab/check/protocol_rules.h"
#include "electionlab/core/errors.h"
#include "electionlab/sim/recorded_cluster.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

// Names that outlive everything: descriptions are referred to by traces and events.
const char* keep_text(const std::string& text) {
    static auto* kept = new std::set<std::string>;
    return kept->insert(text).first->c_str();
}

const Description* keep_description(const py::object& protocol) {
    const auto names = [&](const char* attribute) {
        return protocol.attr(attribute).cast<std::vector<std::string>>();
    };
    Description d;
    d.about.name = keep_text(protocol.attr("name").cast<std::string>());
    d.about.title = keep_text(protocol.attr("title").cast<std::string>());
    d.about.source = keep_text(protocol.attr("source").cast<std::string>());
    d.about.epochs = protocol.attr("epochs").cast<bool>();
    d.about.majority = protocol.attr("majority").cast<bool>();
    d.about.loose_epochs = true;  // what its view gives, nobody knows
    for (const std::string& kind : names("messages")) {
        d.messages.push_back({kind, {FieldInfo{"", FieldType::any}}});
    }
    for (const std::string& kind : names("commands")) {
        d.commands.push_back({kind, {FieldInfo{"", FieldType::any}}});
    }
    d.timers = names("timers");
    const std::vector<std::string> about_peers = names("peer_timers");
    for (const std::string& timer : d.timers) {
        d.per_peer.push_back(std::find(about_peers.begin(), about_peers.end(), timer) !=
                             about_peers.end());
    }
    std::string key = std::string(d.about.name) + "|" + std::string(d.about.title) + "|" +
                      std::string(d.about.source) + (d.about.epochs ? "e" : "") +
                      (d.about.majority ? "m" : "");
    for (const auto& kind : d.messages) {
        key += "|" + kind.name;
    }
    for (const auto& kind : d.commands) {
        key += "!" + kind.name;
    }
    for (std::size_t timer = 0; timer < d.timers.size(); ++timer) {
        key += (d.per_peer[timer] ? "*" : "/") + d.timers[timer];
    }
    static auto* kept = new std::map<std::string, Description>;
    return &kept->emplace(key, std::move(d)).first->second;
}

void handle(const char* input, PythonProtocol::State& s, const PythonProtocol::Context& ctx,
            NodeId sender, int index, const py::object& fields, PythonProtocol::Effects& effects) {
    // A note's words are copied into the trace before the next input comes, if there is a trace.
    static thread_local std::deque<std::string> words;
    words.clear();
    const py::tuple result = ctx.options.protocol.attr("_handle")(
        input, ctx.self, ctx.members, ctx.actors, ctx.initial_leader, ctx.clock.ns, s.disk.get(),
        s.memory.get(), sender, index, fields);
    s.disk = Object(result[0]);
    s.memory = Object(result[1]);
    if (result[2].cast<bool>()) {
        effects.persist();
    }
    for (const py::handle item : result[3]) {
        const auto send = py::reinterpret_borrow<py::tuple>(item);
        const auto to = send[0].cast<NodeId>();
        PythonMessage message{send[1].cast<std::int32_t>(), Object(send[2])};
        if (to == no_node) {
            effects.broadcast(std::move(message));
        } else {
            effects.send(to, std::move(message));
        }
    }
    for (const py::handle item : result[4]) {
        const auto timer = py::reinterpret_borrow<py::tuple>(item);
        const auto slot = static_cast<PythonProtocol::Timer>(timer[0].cast<std::uint32_t>());
        const auto about = timer[1].cast<NodeId>();
        if (timer[2].is_none()) {
            effects.cancel_timer(slot, about);
        } else {
            const DurationRange range = range_from_ms(from_python(timer[2], "timer"), "timer");
            effects.set_timer(slot, about, TimerSpec::between(range));
        }
    }
    for (const py::handle note : result[5]) {
        effects.note(words.emplace_back(unfilled(note.cast<std::string>())).c_str());
    }
}

}  // namespace

Value Object::to_value() const {
    const py::object plain = py::module_::import("electionlab.user_protocol").attr("plain")(get());
    return from_python(plain, "state");
}

std::uint64_t Object::hash() const {
    std::uint64_t hash = golden_gamma;
    for (const char c : to_value().to_json()) {
        hash_word(hash, static_cast<unsigned char>(c));
    }
    return hash;
}

Object PythonProtocol::initial_disk(const Options& options, NodeId node) {
    return Object(options.protocol.attr("disk")(node));
}

Object PythonProtocol::empty_disk(const Options& options, NodeId node) {
    return Object(options.protocol.attr("empty_disk")(node));
}

void PythonProtocol::on_start(State& s, const Context& ctx, Effects& effects) {
    handle("start", s, ctx, no_node, -1, py::none(), effects);
}

void PythonProtocol::on_restart(State& s, const Context& ctx, Effects& effects) {
    handle("restart", s, ctx, no_node, -1, py::none(), effects);
}

void PythonProtocol::on_timer(State& s, const Context& ctx, Timer timer, NodeId about,
                              Effects& effects) {
    handle("timer", s, ctx, about, static_cast<int>(timer), py::none(), effects);
}

void PythonProtocol::on_command(State& s, const Context& ctx, const Command& command,
                                Effects& effects) {
    const auto index = ctx.options.protocol.attr("_command")(command.name).cast<int>();
    handle("command", s, ctx, no_node, index, to_python(command.fields), effects);
}

void PythonProtocol::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                                Effects& effects) {
    handle("message", s, ctx, from, message.kind, message.fields.get(), effects);
}

View PythonProtocol::view(const State& s, const Context& ctx) {
    const py::tuple view = ctx.options.protocol.attr("_view")(ctx.self, ctx.members, ctx.actors,
                                                              s.disk.get(), s.memory.get());
    return {static_cast<Role>(view[0].cast<int>()), view[1].cast<NodeId>(), view[2].cast<Epoch>()};
}

namespace {

std::shared_ptr<PythonProtocol::Options> python_options(const py::object& protocol) {
    if (!py::hasattr(protocol, "_handle")) {
        invalid("protocol", py::repr(protocol), "must be a name of the catalogue or an electionlab.UserProtocol");
    }
    auto options = std::make_shared<PythonProtocol::Options>();
    options->protocol = protocol;
    options->description = keep_description(protocol);
    for (const auto& [kind, count] : protocol.attr("services").cast<py::dict>()) {
        options->actors.push_back({keep_text(kind.cast<std::string>()), count.cast<NodeId>()});
    }
    return options;
}

}  // namespace

const Description& describe_python(const py::object& protocol) {
    return *python_options(protocol)->description;
}

std::unique_ptr<check::Rules> make_python_rules(const py::object& protocol, NodeId nodes,
                                                const check::RulesRequest& request) {
    auto options = python_options(protocol);
    const Description& description = *options->description;
    return std::make_unique<check::ProtocolRules<PythonProtocol>>(std::move(options), nodes,
                                                                  description, request);
}

std::unique_ptr<Cluster> make_python_cluster(const py::object& protocol, NodeId nodes,
                                             const Value& config, bool record) {
    auto options = python_options(protocol);
    NodeId actors = nodes;
    for (const ActorKind& kind : options->actors) {
        actors += kind.count;
    }
    std::vector<std::string> messages;
    for (const KindInfo& kind : options->description->messages) {
        messages.push_back(kind.name);
    }
    const ActionScope scope{actors, &options->description->timers, &messages, options->description};
    auto setup =
        std::make_shared<const SimulationConfig>(SimulationConfig::from_value(config, nodes, scope));
    const Description& description = *options->description;
    return std::make_unique<RecordedCluster<PythonProtocol>>(std::move(options), nodes, std::move(setup),
                                                             description, record);
}

}  // namespace electionlab::bindings

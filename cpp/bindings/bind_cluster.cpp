// The running cluster: stepping, faults, history, looking.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <utility>

#include "convert.h"
#include "electionlab/catalog/catalog.h"
#include "electionlab/core/errors.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab {
namespace {

// While a call is under way a cluster is in between: another thread, or a handler of its own
// protocol, must not touch it. An observer may: it is called between two events.
class Busy {
public:
    explicit Busy(Cluster& cluster, Cluster::Use use = Cluster::Use::inside_event)
        : cluster_(cluster), before_(std::exchange(cluster.use, use)) {}
    ~Busy() { cluster_.use = before_; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

private:
    Cluster& cluster_;
    Cluster::Use before_;
};

}  // namespace
}  // namespace electionlab

namespace pybind11::detail {

// Every call from Python to a cluster comes through here. pybind11 would make up an object for one
// whose __init__ has not run, or failed.
template <>
struct type_caster<electionlab::Cluster> : type_caster_base<electionlab::Cluster> {
    bool load(handle source, bool convert) {
        static PyTypeObject* const cluster_type = reinterpret_cast<PyTypeObject*>(
            get_type_handle(typeid(electionlab::Cluster), true).ptr());
        auto* const object = reinterpret_cast<instance*>(source.ptr());
        const bool is_cluster = source && PyObject_TypeCheck(source.ptr(), cluster_type);
        if (is_cluster && object->simple_layout && object->simple_holder_constructed) {
            value = object->simple_value_holder[0];  // the usual one, without looking types up
        } else if (is_cluster) {
            for (const auto& part : values_and_holders(object)) {
                if (!part.holder_constructed()) {
                    electionlab::invalid("cluster", "an unfinished one",
                                         "its __init__ has not run, or has failed; call "
                                         "super().__init__(...) before anything else");
                }
            }
        }
        if (value == nullptr && !type_caster_base<electionlab::Cluster>::load(source, convert)) {
            return false;
        }
        using electionlab::Cluster;
        if (value != nullptr && static_cast<Cluster*>(value)->use == Cluster::Use::inside_event) {
            electionlab::invalid("cluster", "a running cluster",
                                 "another thread runs it, or a handler of its own protocol calls it");
        }
        return true;
    }
};

}  // namespace pybind11::detail

namespace electionlab::bindings {

py::object pending_list(const std::vector<PendingEvent>& events, const Description& description);

namespace {

// An event for Python; its type is looked up once, not for every event.
py::object event_object(const Event& event, const Description& description) {
    static const py::detail::type_info* const type = py::detail::get_type_info(typeid(BoundEvent));
    return py::reinterpret_steal<py::object>(py::detail::type_caster_generic::cast(
        new BoundEvent{event, &description}, py::return_value_policy::take_ownership, {}, type,
        nullptr, nullptr));
}

std::unique_ptr<Cluster> make(const py::object& protocol, std::int64_t nodes, const py::dict& options,
                              const py::dict& config, bool record) {
    const CatalogEntry* entry = py::isinstance<py::str>(protocol)
                                    ? &find_protocol(protocol.cast<std::string>())
                                    : nullptr;
    if (const NodeId most = entry != nullptr ? entry->max_nodes : max_nodes; nodes < 1 || nodes > most) {
        invalid("nodes", std::to_string(nodes),
                "must be a whole number from 1 to " + std::to_string(most));
    }
    const Value setup = from_python(config, "config");
    const auto count = static_cast<NodeId>(nodes);
    if (entry != nullptr) {
        return entry->make_cluster(from_python(options, "options"), count, setup, record);
    }
    return make_python_cluster(protocol, count, setup, record);
}

ActionScope scope_of(const Cluster& cluster, std::vector<std::string>& messages) {
    for (const KindInfo& kind : cluster.description().messages) {
        messages.push_back(kind.name);
    }
    return {cluster.actors(), &cluster.description().timers, &messages, &cluster.description()};
}

Action read_action(const Cluster& cluster, const py::dict& action) {
    std::vector<std::string> messages;
    return action_from_value(from_python(action, "action"), scope_of(cluster, messages));
}

NodeId check_node(const Cluster& cluster, std::int64_t node) {
    if (node < 1 || node > cluster.actors()) {
        invalid("node", std::to_string(node),
                "must be a node from 1 to " + std::to_string(cluster.actors()));
    }
    return static_cast<NodeId>(node);
}

Instant instant_of(double ms, const char* name) {
    return Instant{} + duration_from_ms(Value(ms), name);
}

StopWhen stop_of(const std::string& text) {
    for (int v = 0; v < 5; ++v) {
        if (enum_name(static_cast<StopWhen>(v)) == text) {
            return static_cast<StopWhen>(v);
        }
    }
    invalid("stop", "'" + text + "'",
            "must be 'never', 'leader', 'agreement', 'no_leader' or 'violation'");
}

constexpr std::int64_t max_stretch = 200'000;

// Time may stand still while every node hears from every other a few times, not for ever.
void refuse_an_endless_instant(const Cluster& cluster, std::int64_t events) {
    const auto actors = static_cast<std::int64_t>(cluster.actors());
    if (events >= std::max(std::int64_t{100'000}, 20 * actors * actors)) {
        char at[64];
        std::snprintf(at, sizeof at, "%.3f ms", cluster.now().to_ms());
        throw std::runtime_error(std::to_string(events) + " events at " + at +
                                 ": time stands still; is there a timer of 0 ms that is set again "
                                 "when it expires, or a message without delay that is answered?");
    }
}

// In stretches of some 10 to 40 ms, so that Ctrl-C is heard; a protocol written in Python needs the interpreter's lock.
bool run(Cluster& cluster, std::optional<double> until_ms, std::int64_t max_steps,
         const std::string& stop, const std::optional<py::function>& watch, bool in_python) {
    const Instant until = until_ms ? instant_of(*until_ms, "until") : Instant::never();
    const StopWhen when = stop_of(stop);
    if (max_steps < 0) {
        invalid("max_events", std::to_string(max_steps), "must be at least 0");
    }
    std::function<bool(const Event&)> watcher;
    if (watch) {
        watcher = [&](const Event& event) {
            const Busy between(cluster, Cluster::Use::between_events);
            return py::cast<bool>(py::bool_((*watch)(event_object(event, cluster.description()))));
        };
    }
    using Clock = std::chrono::steady_clock;
    std::int64_t stretch = 100;  // an event of a large cluster may take a millisecond
    std::int64_t at_once = 0;
    while (max_steps > 0) {
        const std::int64_t before = cluster.steps();
        const Instant began_at = cluster.now();
        const std::int64_t steps = std::min(stretch, max_steps);
        const auto began = Clock::now();
        bool stopped = false;
        {
            const Busy busy(cluster);
            if (watch || in_python) {
                stopped = cluster.run(until, steps, when, watcher);
            } else {
                const py::gil_scoped_release release;
                stopped = cluster.run(until, steps, when, watcher);
            }
        }
        if (PyErr_CheckSignals() != 0) {
            throw py::error_already_set();
        }
        const std::int64_t made = cluster.steps() - before;
        if (stopped || made < steps) {
            return stopped;
        }
        max_steps -= made;
        at_once = cluster.now() == began_at ? at_once + made : 0;
        if (in_python) {
            refuse_an_endless_instant(cluster, at_once);
        }
        const auto took = Clock::now() - began;
        stretch = took < std::chrono::milliseconds(10)   ? std::min(2 * stretch, max_stretch)
                  : took > std::chrono::milliseconds(40) ? std::max(stretch / 4, std::int64_t{1})
                                                         : stretch;
    }
    return false;
}

// As `type(cluster).__new__(type(cluster))`, with the copy in it.
py::object forked(const py::object& cluster) {
    auto copy = cluster.cast<const Cluster&>().fork();
    PyTypeObject* const type = Py_TYPE(cluster.ptr());
    const auto made = py::reinterpret_steal<py::object>(type->tp_new(type, py::tuple().ptr(), nullptr));
    if (!made) {
        throw py::error_already_set();
    }
    static const py::detail::type_info* const info = py::detail::get_type_info(typeid(Cluster));
    auto* const object = reinterpret_cast<py::detail::instance*>(made.ptr());
    auto place = object->get_value_and_holder(info);
    place.value_ptr() = copy.release();
    info->init_instance(object, nullptr);
    return made;
}

// In stretches of some milliseconds, so that Ctrl-C is heard and other threads get their turn.
Trace trace_copy(const Cluster& cluster) {
    while (!cluster.write_trace(20'000)) {
        if (PyErr_CheckSignals() != 0) {
            throw py::error_already_set();
        }
        {
            const py::gil_scoped_release others;
        }
        if (cluster.use == Cluster::Use::inside_event) {
            invalid("cluster", "a running cluster", "another thread has begun to run it");
        }
    }
    return cluster.trace();
}

py::list journal_list(const Cluster& cluster) {
    py::list list;
    for (const JournalEntry& entry : cluster.journal()) {
        py::dict item;
        item["after"] = entry.after_step;
        item["at_ns"] = entry.at.ns;
        if (entry.action) {
            item["do"] = to_python(entry.action->to_value());
        }
        list.append(std::move(item));
    }
    return list;
}

void replay(Cluster& cluster, const py::list& journal, std::int64_t last, std::int64_t end_ns) {
    std::vector<std::string> messages;
    const ActionScope scope = scope_of(cluster, messages);
    std::vector<JournalEntry> entries;
    for (const py::handle item : journal) {
        const Value value = from_python(item, "journal");
        Reader in(value, "journal");
        JournalEntry entry;
        entry.after_step = in.integer("after", 0, 0, INT64_MAX);
        entry.at = Instant{in.integer("at_ns", 0, 0, INT64_MAX)};
        if (in.has("do")) {
            entry.action = std::make_shared<const Action>(action_from_value(in.take("do"), scope));
        }
        in.finish();
        entries.push_back(std::move(entry));
    }
    const Busy busy(cluster);
    cluster.replay(entries, last, Instant{end_ns});
}

}  // namespace

void bind_cluster(py::module_& m) {
    py::class_<Cluster>(m, "Cluster",
                        "A simulated cluster of any protocol. The class electionlab.Cluster adds "
                        "checks and conveniences; use that one.")
        .def(py::init(&make), py::arg("protocol"), py::arg("nodes"), py::arg("options"),
             py::arg("config"), py::arg("record") = true,
             "A cluster at time 0.\n\nArgs:\n    protocol: Name of a protocol of the catalogue, or "
             "a protocol object written in Python.\n    nodes: How many members, 1 to the protocol's max_nodes.\n    "
             "options: The protocol's options.\n    config: Network, nodes, seed and schedule.\n    "
             "record: Keep the history, which the trace and undo need.\n\nRaises:\n    ValueError: "
             "An argument is unknown or out of range; the message names it.")
        .def("forked", &forked, "An independent copy, of the same class, without attributes.")
        .def(
            "step",
            [](Cluster& c) -> py::typing::Optional<BoundEvent> {
                const Busy busy(c);
                const Event& event = c.step();
                return event ? event_object(event, c.description()) : py::none();
            },
            "The next event happens.\n\nReturns:\n    The event, or None when nothing is left to "
            "happen.")
        .def("run_engine", &run, py::arg("until_ms"), py::arg("max_steps"), py::arg("stop"),
             py::arg("watch"), py::arg("in_python"), "See electionlab.Cluster.run.")
        .def(
            "act",
            [](Cluster& c, const py::dict& action) {
                const Action read = read_action(c, action);
                const Busy busy(c);
                return BoundEvent{c.apply(read), &c.description()};
            },
            py::arg("action"),
            "Does something to the cluster now: a fault, a message, a timer, a schedule.\n\nArgs:\n"
            "    action: A dictionary such as {'action': 'crash', 'node': 3}.\n\nReturns:\n    The "
            "event: one step of the run.\n\nRaises:\n    ValueError: The action is unknown, out of "
            "range, or names a message or timer that is not there; nothing has changed.")
        .def(
            "peek_trace",
            [](const Cluster& c, const std::optional<py::dict>& action) {
                if (!action) {
                    return c.peek(nullptr);
                }
                const Action read = read_action(c, *action);
                return c.peek(&read);
            },
            py::arg("action") = py::none(),
            "The trace of what the next event, or the action, would do; nothing changes.")
        .def("seek", [](Cluster& c, std::int64_t event) {
                if (c.use != Cluster::Use::idle) {
                    invalid("event", std::to_string(event),
                            "a run that is under way cannot go back; end it first");
                }
                const Busy busy(c);
                c.seek(event);
            }, py::arg("event"),
             "Goes to the state right after an event of this run, backwards or forwards.\n\nArgs:\n"
             "    event: Its number; 0 is the start.\n\nRaises:\n    ValueError: The run has no such "
             "event, or is not recorded.")
        .def("pending_events",
             [](const Cluster& c) { return pending_list(c.pending(), c.description()); },
             "Everything that may happen next, soonest first.")
        .def(
            "node_fields",
            [](const Cluster& c, std::int64_t node) { return to_python(c.node(check_node(c, node))); },
            py::arg("node"), "A node's state by field, as a dictionary.")
        .def(
            "view",
            [](const Cluster& c, std::int64_t node) {
                const View v = c.view(check_node(c, node));
                return py::make_tuple(enum_name(v.role), v.leader, v.epoch);
            },
            py::arg("node"), "(role, believed leader, epoch) of a node.")
        .def(
            "is_cut",
            [](const Cluster& c, std::int64_t from, std::int64_t to) {
                return c.is_cut(check_node(c, from), check_node(c, to));
            },
            py::arg("sender"), py::arg("receiver"), "Whether messages in this direction are lost.")
        .def_property_readonly("now", [](const Cluster& c) { return c.now().to_ms(); },
                               "Simulated time, ms since the start.")
        .def_property_readonly("now_ns", [](const Cluster& c) { return c.now().ns; },
                               "Simulated time, whole nanoseconds since the start.")
        .def_property_readonly("events", &Cluster::steps, "How many events have happened.")
        .def_property_readonly("last_event", &Cluster::last_step,
                               "The last event of the recorded run; beyond `events` after going back.")
        .def_property_readonly("members", &Cluster::members, "How many nodes take part.")
        .def_property_readonly("actors", &Cluster::actors, "Members and services together.")
        .def("actor_kind",
             [](const Cluster& c, std::int64_t node) { return c.actor_kind(check_node(c, node)); },
             py::arg("node"), "'member', or the kind of service.")
        .def_property_readonly("leader_id", &Cluster::leader,
                               "The acting leader of the highest epoch; 0: nobody.")
        .def_property_readonly("agreed", [](Cluster& c) { return c.monitor().agreed(); },
                               "One node acts as leader and every live node names it.")
        .def_property_readonly("acting_leaders", [](Cluster& c) { return c.monitor().acting_leaders(); },
                               "How many nodes act as leader.")
        .def_property_readonly("live_members", [](Cluster& c) { return c.monitor().live_members(); },
                               "How many members are up and not paused.")
        .def_property_readonly("why_no_leader", &Cluster::why_no_leader,
                               "Why no leader is possible as things stand; empty when one is.")
        .def("measures",
             [](Cluster& c) { return to_python(measures_to_value(c.monitor(), c.now())); },
             "The measures of the run so far, as a dictionary.")
        .def("failovers", [](Cluster& c) { return to_python(failovers_to_value(c.monitor().failovers())); },
             "Every loss of an acting leader and its recovery, as dictionaries.")
        .def("violations",
             [](Cluster& c) { return to_python(violations_to_value(c.monitor().violations())); },
             "Every broken invariant, as dictionaries.")
        .def("faults", [](const Cluster& c) { return to_python(faults_to_value(c.fault_counts())); },
             "How often each fault was asked for and took effect.")
        .def("traffic", [](const Cluster& c) { return to_python(c.traffic()); },
             "Messages sent, delivered and dropped, by kind and by node.")
        .def("trace_copy", &trace_copy, "The trace so far.")
        .def_property_readonly("records", &Cluster::records, "Whether trace and history are kept.")
        .def("fingerprint", &Cluster::fingerprint,
             "A 64-bit hash of everything that decides the future.")
        .def("options", [](const Cluster& c) { return to_python(c.options()); },
             "The protocol's options, defaults filled in.")
        .def("config", [](const Cluster& c) { return to_python(c.config().to_value()); },
             "Network, nodes, seed and schedule, defaults filled in.")
        .def("journal", &journal_list, "What was done from outside, in order.")
        .def("replay", &replay, py::arg("journal"), py::arg("last"), py::arg("end_ns"),
             "Repeats a journal on a fresh cluster.");
}

}  // namespace electionlab::bindings

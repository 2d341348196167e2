// Events that have happened, and events that may happen next.
#include <pybind11/pybind11.h>

#include "convert.h"
#include "electionlab/sim/action.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

std::string_view message_name(const Description& d, int kind) {
    return kind < 0 ? std::string_view{} : std::string_view(d.messages[static_cast<std::size_t>(kind)].name);
}

std::string_view timer_name(const Description& d, int timer) {
    return timer < 0 ? std::string_view{} : std::string_view(d.timers[static_cast<std::size_t>(timer)]);
}

std::string ms_text(Instant t) {
    char text[48];
    std::snprintf(text, sizeof text, "%.3f", t.to_ms());
    return text;
}

// Equal in all that Python can ask for.
bool same(const BoundEvent& a, const BoundEvent& b) {
    const Event &x = a.event, &y = b.event;
    return x.step == y.step && x.at == y.at && x.kind == y.kind && x.detail == y.detail &&
           x.node == y.node && x.peer == y.peer && x.message == y.message && x.view == y.view &&
           message_name(*a.description, x.message_kind) == message_name(*b.description, y.message_kind) &&
           timer_name(*a.description, x.timer) == timer_name(*b.description, y.timer);
}

std::uint64_t hash_of_event(const BoundEvent& e) {
    std::uint64_t hash = hash_of(e.event.view);
    for (const std::int64_t word :
         {e.event.step, e.event.at.ns, static_cast<std::int64_t>(e.event.kind), e.event.message,
          std::int64_t{e.event.detail}, std::int64_t{e.event.node}, std::int64_t{e.event.peer}}) {
        hash_word(hash, static_cast<std::uint64_t>(word));
    }
    return hash;
}

std::string event_repr(const BoundEvent& e) {
    std::string text = "Event(step=" + std::to_string(e.event.step) + ", at_ms=" + ms_text(e.event.at) +
                       ", kind='" + std::string(enum_name(e.event.kind)) + "'";
    if (e.event.node != no_node) {
        text += ", node=" + std::to_string(e.event.node);
    }
    if (e.event.peer != no_node) {
        text += ", peer=" + std::to_string(e.event.peer);
    }
    if (e.event.message_kind >= 0) {
        text += ", message_kind='" + std::string(message_name(*e.description, e.event.message_kind)) + "'";
    }
    if (e.event.timer >= 0) {
        text += ", timer='" + std::string(timer_name(*e.description, e.event.timer)) + "'";
    }
    if (e.event.kind == RowKind::action) {
        text += ", action='" + std::string(enum_name(static_cast<ActionKind>(e.event.detail))) + "'";
    }
    if (e.event.node != no_node) {
        text += ", role='" + std::string(enum_name(e.event.view.role)) + "'";
    }
    return text + ")";
}

struct BoundPending {
    PendingEvent event;
    const Description* description;
};

bool same_pending(const BoundPending& a, const BoundPending& b) {
    const PendingEvent &x = a.event, &y = b.event;
    return x.kind == y.kind && x.at == y.at && x.node == y.node && x.peer == y.peer &&
           x.message == y.message && x.sent == y.sent && x.fields == y.fields &&
           message_name(*a.description, x.message_kind) == message_name(*b.description, y.message_kind) &&
           timer_name(*a.description, x.timer) == timer_name(*b.description, y.timer);
}

std::uint64_t hash_of_pending(const BoundPending& e) {
    std::uint64_t hash = golden_gamma;
    for (const std::int64_t word :
         {static_cast<std::int64_t>(e.event.kind), e.event.at.ns, std::int64_t{e.event.node},
          std::int64_t{e.event.peer}, e.event.message}) {
        hash_word(hash, static_cast<std::uint64_t>(word));
    }
    return hash;
}

}  // namespace

py::object pending_list(const std::vector<PendingEvent>& events, const Description& description);

void bind_events(py::module_& m) {
    using B = BoundEvent;
    py::class_<B>(m, "Event", py::custom_type_setup(made_by_the_engine_only),
                  "One step of a cluster: what happened, where, and the node's view after it.")
        .def_property_readonly("step", [](const B& e) { return e.event.step; }, "Its number, 1 and up.")
        .def_property_readonly("at_ms", [](const B& e) { return e.event.at.to_ms(); },
                               "Simulated time in milliseconds since the start.")
        .def_property_readonly("kind", [](const B& e) { return enum_name(e.event.kind); },
                               "'start', 'deliver', 'drop', 'timer', 'wait', 'lapse' or 'action'.")
        .def_property_readonly("node", [](const B& e) { return e.event.node; },
                               "Where it happened; the receiver of a message; 0: the whole cluster.")
        .def_property_readonly("peer", [](const B& e) { return e.event.peer; },
                               "The sender of a message; whom a timer is about; 0 otherwise.")
        .def_property_readonly("message", [](const B& e) { return e.event.message; },
                               "The number of the message; -1 when there is none.")
        .def_property_readonly("message_kind",
                               [](const B& e) { return message_name(*e.description, e.event.message_kind); },
                               "'VoteRequest' and the like; empty when there is no message.")
        .def_property_readonly("timer",
                               [](const B& e) { return timer_name(*e.description, e.event.timer); },
                               "The name of the timer that expired; empty otherwise.")
        .def_property_readonly("reason",
                               [](const B& e) {
                                   return e.event.kind == RowKind::drop
                                              ? enum_name(static_cast<DropReason>(e.event.detail))
                                              : std::string_view{};
                               },
                               "Why a message was lost: 'loss', 'cut', 'receiver_down', "
                               "'sender_crashed' or 'by_hand'; empty otherwise.")
        .def_property_readonly("action",
                               [](const B& e) {
                                   return e.event.kind == RowKind::action
                                              ? enum_name(static_cast<ActionKind>(e.event.detail))
                                              : std::string_view{};
                               },
                               "What was done from outside: 'crash' and the like; empty otherwise.")
        .def_property_readonly("role", [](const B& e) { return enum_name(e.event.view.role); },
                               "The node's role after the step.")
        .def_property_readonly("leader", [](const B& e) { return e.event.view.leader; },
                               "Whom the node believes to lead after the step; 0: nobody.")
        .def_property_readonly("epoch", [](const B& e) { return e.event.view.epoch; },
                               "The node's term (or other epoch) after the step.")
        .def("__eq__", [](const B& a, const B& b) { return same(a, b); }, py::is_operator())
        .def("__hash__", [](const B& e) { return static_cast<py::ssize_t>(hash_of_event(e) >> 1); })
        .def("__repr__", &event_repr);

    using Q = BoundPending;
    py::class_<Q>(m, "PendingEvent", py::custom_type_setup(made_by_the_engine_only),
                  "Something that may happen next: a message in flight, an armed timer, a scheduled "
                  "action, a node about to start; or something that waits for its turn.")
        .def_property_readonly("kind", [](const Q& e) { return enum_name(e.event.kind); },
                               "'message', 'timer', 'action', 'start' or 'waiting'.")
        .def_property_readonly("waits", [](const Q& e) { return enum_name(e.event.waits); },
                               "Why something of kind 'waiting' waits. At its node: 'paused', 'writing' "
                               "(the node writes to its disk, and this is next), 'busy' (the node is "
                               "at something else, or others came first) or 'handled' (a slow node is "
                               "at it); 'sender_paused': it has not left. Empty for others.")
        .def_property_readonly("at_ms",
                               [](const Q& e) -> py::object {
                                   return e.event.at == Instant::never()
                                              ? py::object(py::none())
                                              : py::float_(e.event.at.to_ms());
                               },
                               "When it is due if nobody interferes, in ms since the start; of what "
                               "waits, the earliest moment; None while a pause holds it.")
        .def_property_readonly("node", [](const Q& e) { return e.event.node; },
                               "The receiver of the message, or the timer's node.")
        .def_property_readonly("peer", [](const Q& e) { return e.event.peer; },
                               "The sender, or whom the timer is about; 0: nobody.")
        .def_property_readonly("message", [](const Q& e) { return e.event.message; },
                               "The message's number, for deliver, drop, duplicate and delay; else -1.")
        .def_property_readonly("message_kind",
                               [](const Q& e) { return message_name(*e.description, e.event.message_kind); },
                               "'VoteRequest' and the like; empty when it is no message.")
        .def_property_readonly("timer",
                               [](const Q& e) { return timer_name(*e.description, e.event.timer); },
                               "The timer's name; empty when it is none.")
        .def_property_readonly("sent_ms",
                               [](const Q& e) -> py::object {
                                   return e.event.message < 0 ? py::object(py::none())
                                                              : py::float_(e.event.sent.to_ms());
                               },
                               "When the message left (or will leave), in ms; None for others.")
        .def_property_readonly("fields", [](const Q& e) { return to_python(e.event.fields); },
                               "The message's fields, or the scheduled action, as a dictionary.")
        .def("__eq__", [](const Q& a, const Q& b) { return same_pending(a, b); }, py::is_operator())
        .def("__hash__", [](const Q& e) { return static_cast<py::ssize_t>(hash_of_pending(e) >> 1); })
        .def("__repr__", [](const Q& e) {
            std::string text =
                "PendingEvent(kind='" + std::string(enum_name(e.event.kind)) + "', at_ms=" +
                (e.event.at == Instant::never() ? "None" : ms_text(e.event.at)) +
                ", node=" + std::to_string(e.event.node);
            if (e.event.waits != WaitReason::none) {
                text += ", waits='" + std::string(enum_name(e.event.waits)) + "'";
            }
            if (e.event.message >= 0) {
                text += ", peer=" + std::to_string(e.event.peer) +
                        ", message=" + std::to_string(e.event.message) + ", message_kind='" +
                        std::string(message_name(*e.description, e.event.message_kind)) + "'";
            }
            if (e.event.timer >= 0) {
                text += ", timer='" + std::string(timer_name(*e.description, e.event.timer)) + "'";
                text += e.event.peer == no_node ? "" : ", peer=" + std::to_string(e.event.peer);
            }
            return text + ")";
        });
}

py::object pending_list(const std::vector<PendingEvent>& events, const Description& description) {
    py::list list;
    for (const PendingEvent& event : events) {
        list.append(py::cast(BoundPending{event, &description}));
    }
    return list;
}

}  // namespace electionlab::bindings

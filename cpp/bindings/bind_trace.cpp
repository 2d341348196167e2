// Traces: columns without copying, and each row in words.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdio>

#include "convert.h"
#include "electionlab/sim/action.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

template <class E>
py::list names_of() {
    py::list names;
    for (int v = 0; v < 64; ++v) {
        const std::string_view name = enum_name(static_cast<E>(v));
        if (name.empty() && v > 0) {
            break;
        }
        names.append(py::str(name.data(), name.size()));
    }
    return names;
}

TraceRow row_at(const Trace& trace, py::ssize_t i) {
    const auto size = static_cast<py::ssize_t>(trace.size());
    if (i < 0) {
        i += size;
    }
    if (i < 0 || i >= size) {
        throw py::index_error("row " + std::to_string(i) + " of a trace with " + std::to_string(size) +
                              " rows");
    }
    return trace.row(static_cast<std::size_t>(i));
}

}  // namespace

void bind_trace(py::module_& m) {
    py::class_<Trace>(m, "Trace", py::custom_type_setup(made_by_the_engine_only),
                      "What happened, column by column: a row for every input, message, change of "
                      "view, fault and note.")
        .def("__len__", &Trace::size)
        .def(
            "columns",
            [](const Trace& trace) {
                py::dict columns;
                TraceColumns::for_each_column(trace.columns(), [&](const char* name, const auto& column) {
                    columns[name] = view_array(column.data(), trace.size(), trace.keep_alive());
                });
                return columns;
            },
            "All columns by name, as read-only NumPy arrays over the trace's own memory.")
        .def(
            "message", [](const Trace& t, py::ssize_t i) { return to_python(t.message_of(row_at(t, i))); },
            py::arg("row"), "The fields of a row's message as a dictionary; None when it has none.")
        .def(
            "text", [](const Trace& t, py::ssize_t i) { return t.text_of(row_at(t, i)); },
            py::arg("row"), "A row's reason or violation in words; empty when it has none.")
        .def(
            "line", [](const Trace& t, py::ssize_t i) { return t.line(row_at(t, i)); }, py::arg("row"),
            "A row as one line for people.")
        .def(
            "hash",
            [](const Trace& t) {
                char text[17];
                std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(t.hash()));
                return std::string(text);
            },
            "Sixteen hexadecimal digits over every row: equal runs, equal digits, on any machine.");
    m.attr("row_kinds") = names_of<RowKind>();
    m.attr("drop_reasons") = names_of<DropReason>();
    m.attr("action_kinds") = names_of<ActionKind>();
    m.attr("roles") = names_of<Role>();
}

}  // namespace electionlab::bindings

// The parts of the Python module, one source file for each.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "electionlab/check/rules.h"
#include "electionlab/sim/cluster.h"

namespace electionlab::bindings {

void bind_catalog(pybind11::module_& m);
void bind_check(pybind11::module_& m);
void bind_trace(pybind11::module_& m);
void bind_events(pybind11::module_& m);
void bind_cluster(pybind11::module_& m);
void bind_trials(pybind11::module_& m);
void bind_math(pybind11::module_& m);
void bind_scenario(pybind11::module_& m);
void bind_values(pybind11::module_& m);

/// A cluster of a protocol that is a Python object; see python_protocol.h.
std::unique_ptr<Cluster> make_python_cluster(const pybind11::object& protocol, NodeId nodes,
                                             const Value& config, bool record);

/// What the checker explores of such a protocol, and its description.
std::unique_ptr<check::Rules> make_python_rules(const pybind11::object& protocol, NodeId nodes,
                                                const check::RulesRequest& request);
const Description& describe_python(const pybind11::object& protocol);

/// An event as Python sees it: names are looked up when they are asked for.
struct BoundEvent {
    Event event;
    const Description* description;
};

/// For `custom_type_setup` of a class without a constructor: `Class.__new__(Class)` would else give
/// an object with nothing in it.
inline void made_by_the_engine_only(PyHeapTypeObject* heap_type) {
    heap_type->ht_type.tp_new = [](PyTypeObject* type, PyObject*, PyObject*) -> PyObject* {
        PyErr_Format(PyExc_TypeError, "%s: only a cluster makes them", type->tp_name);
        return nullptr;
    };
}

}  // namespace electionlab::bindings

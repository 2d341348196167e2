// The engine's checks of settings and quorums, so that Python refuses a bad one where it is made.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "convert.h"
#include "electionlab/catalog/catalog.h"
#include "electionlab/core/node_set.h"
#include "electionlab/core/quorum.h"
#include "electionlab/node/options.h"
#include "electionlab/services/resource.h"
#include "electionlab/sim/config.h"
#include "electionlab/sim/network.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {

void bind_values(py::module_& m) {
    m.def(
        "check_link",
        [](const py::object& value) { (void)Link::from_value(from_python(value, "link"), Link{}, ""); },
        py::arg("link"), "ValueError names a bad entry of a link's settings.");
    m.def(
        "check_machine",
        [](const py::object& value) {
            (void)NodeConfig::from_value(from_python(value, "machine"), NodeConfig{}, "");
        },
        py::arg("machine"), "ValueError names a bad entry of a machine's settings.");
    m.def(
        "check_resource",
        [](const py::object& value) {
            options_from_value<WorkOptions>(from_python(value, "resource")).validate();
        },
        py::arg("resource"), "ValueError names a bad entry of a resource's settings.");
    m.def(
        "is_quorum",
        [](const py::object& quorum, NodeId voters, const std::vector<NodeId>& votes) {
            NodeSet<max_nodes> nodes;
            for (const NodeId node : votes) {
                if (node < 1 || node > max_nodes) {
                    invalid("votes", std::to_string(node), "must be from 1 to " + std::to_string(max_nodes));
                }
                nodes.insert(node);
            }
            return Quorum::from_value(from_python(quorum, "quorum"), "quorum").is_met(nodes, voters);
        },
        py::arg("quorum"), py::arg("voters"), py::arg("votes"),
        "Whether these votes are a quorum: of so many that vote, where only their number counts.");
}

}  // namespace electionlab::bindings

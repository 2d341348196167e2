// Scenario files, run by the same code as in the C++ tests.
#include <pybind11/pybind11.h>

#include "electionlab/catalog/scenario.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {

void bind_scenario(py::module_& m) {
    m.def(
        "run_scenario", [](const std::string& text) { return run_scenario(text); }, py::arg("text"),
        "Runs a scenario and returns its text with every output replaced by what the engine "
        "prints: equal to the input when the scenario holds.\n\nRaises:\n    ValueError: A "
        "directive is bad; the message names its line.");
}

}  // namespace electionlab::bindings

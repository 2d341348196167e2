#include "module.h"

PYBIND11_MODULE(_core, m) {
    namespace b = electionlab::bindings;
    m.doc() = "The C++ engine of electionlab; use it through the package electionlab.";
    m.attr("__version__") = ELECTIONLAB_VERSION;
    b::bind_catalog(m);
    b::bind_check(m);
    b::bind_trace(m);
    b::bind_events(m);
    b::bind_cluster(m);
    b::bind_trials(m);
    b::bind_math(m);
    b::bind_scenario(m);
    b::bind_values(m);
}

// The engine's distributions, so that Python can draw and print them with the same code.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "convert.h"
#include "electionlab/core/distribution.h"
#include "electionlab/core/random.h"
#include "electionlab/detectors/phi.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {

void bind_math(py::module_& m) {
    m.def(
        "check_distribution",
        [](const py::object& value, const std::string& name) {
            return to_python(Distribution::from_value(from_python(value, name), name).to_value());
        },
        py::arg("value"), py::arg("name"),
        "A delay distribution in full form, from a number, a pair (min, max) or a dictionary.");
    m.def(
        "draw_distribution",
        [](const py::object& value, std::int64_t size, std::uint64_t seed) {
            const auto d = Distribution::from_value(from_python(value, "distribution"), "distribution");
            const auto stream = random_stream(trial_key(seed, 0), no_node, Purpose::scenario);
            py::array_t<double> out(size);
            auto* data = out.mutable_data();
            for (std::int64_t i = 0; i < size; ++i) {
                data[i] = d.draw(stream.word(static_cast<std::uint64_t>(i))).to_ms();
            }
            return out;
        },
        py::arg("value"), py::arg("size"), py::arg("seed"),
        "Draws from a delay distribution, in milliseconds: what the engine would draw.");
    m.def("phi_of_deviations", py::vectorize(&phi_of_deviations), py::arg("z"),
          "-log10 of the chance that a standard normal exceeds z, with equal bits everywhere.");
    m.def("deviations_of_phi", py::vectorize(&deviations_of_phi), py::arg("phi"),
          "The inverse of phi_of_deviations.");
}

}  // namespace electionlab::bindings

// Many trials at once, on all cores, with the interpreter's lock released.
#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "convert.h"
#include "electionlab/catalog/catalog.h"
#include "electionlab/core/errors.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

py::dict run(const std::string& protocol, std::int64_t nodes, const py::dict& options,
             const py::dict& config, const py::object& window_ms, double horizon_ms, bool until_agreed,
             std::int64_t first, std::int64_t trials, std::int64_t threads,
             const std::optional<py::function>& progress) {
    if (nodes < 1 || nodes > max_nodes) {
        invalid("nodes", std::to_string(nodes), "must be a whole number from 1 to 10000");
    }
    if (trials < 0 || trials > 1'000'000'000) {
        invalid("trials", std::to_string(trials), "must be from 0 to 1000000000");
    }
    if (threads < 0 || threads > 1024) {
        invalid("threads", std::to_string(threads), "must be from 0 (all cores) to 1024");
    }
    LeaderCrash experiment;
    experiment.window = range_from_ms(from_python(window_ms, "window_ms"), "window_ms");
    experiment.horizon = duration_from_ms(Value(horizon_ms), "horizon_ms");
    experiment.until_agreed = until_agreed;
    const RunnerFactory factory = find_protocol(protocol).make_trials(
        from_python(options, "options"), static_cast<NodeId>(nodes), from_python(config, "config"),
        experiment);
    const auto table = std::make_shared<TrialTable>();
    {
        const py::gil_scoped_release release;
        *table = run_parallel(factory, first, trials, static_cast<unsigned>(threads),
                              [&](std::int64_t finished) {
                                  const py::gil_scoped_acquire acquire;
                                  if (PyErr_CheckSignals() != 0) {
                                      throw py::error_already_set();
                                  }
                                  return !progress || py::cast<bool>(py::bool_((*progress)(finished)));
                              });
    }
    py::dict columns;
    const auto add = [&](const char* name, const auto& column) {
        columns[name] = view_array(column.data(), column.size(), table);
    };
    add("crash_ms", table->crash_ms);
    add("detection_ms", table->detection_ms);
    add("elected_ms", table->elected_ms);
    add("followed_ms", table->followed_ms);
    add("agreed_ms", table->agreed_ms);
    add("candidacies", table->candidacies);
    add("rounds", table->rounds);
    add("messages", table->messages);
    add("events", table->events);
    add("crashed", table->crashed);
    add("censored", table->censored);
    add("violated", table->violated);
    return columns;
}

}  // namespace

void bind_trials(py::module_& m) {
    m.def("run_leader_crash", &run, py::arg("protocol"), py::arg("nodes"), py::arg("options"),
          py::arg("config"), py::kw_only(), py::arg("window_ms"), py::arg("horizon_ms"),
          py::arg("until_agreed") = true, py::arg("first") = 0, py::arg("trials"),
          py::arg("threads") = 0, py::arg("progress") = py::none(),
          "Trials in which the leader crashes at a uniformly random moment of window_ms.\n\n"
          "Args:\n    progress: Called about ten times a second with the number of finished trials; "
          "returning a false value cancels.\n\nReturns:\n    One read-only array per measure, an "
          "entry per trial; times in ms since the crash, NaN where the trial ended before. `crashed` "
          "is 0 where the crash took no leader away: no measurement.");
}

}  // namespace electionlab::bindings

// Many trials at once, on all cores, with the interpreter's lock released.
#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "convert.h"
#include "electionlab/catalog/catalog.h"
#include "electionlab/core/errors.h"
#include "electionlab/sweep/detector_watch.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

py::dict run(const std::string& protocol, std::int64_t nodes, const py::dict& options,
             const py::dict& config, const py::dict& experiment, std::int64_t first, std::int64_t trials,
             std::int64_t threads, const std::optional<py::function>& progress) {
    if (nodes < 1 || nodes > max_nodes) {
        invalid("nodes", std::to_string(nodes), "must be a whole number from 1 to 10000");
    }
    if (trials < 0 || trials > 1'000'000'000) {
        invalid("trials", std::to_string(trials), "must be from 0 to 1000000000");
    }
    if (threads < 0 || threads > 1024) {
        invalid("threads", std::to_string(threads), "must be from 0 (all cores) to 1024");
    }
    const RunnerFactory factory = find_protocol(protocol).make_trials(
        from_python(options, "options"), static_cast<NodeId>(nodes), from_python(config, "config"),
        Experiment::from_value(from_python(experiment, "experiment")));
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
    TrialTable::for_each(*table, [&](std::string_view name, const auto& column) {
        columns[py::str(name.data(), name.size())] = view_array(column.data(), column.size(), table);
    });
    return columns;
}

py::dict watch(const std::string& protocol, std::int64_t nodes, const py::dict& options,
               const py::dict& config, std::int64_t watched, std::int64_t watcher, double warm_up_ms,
               double observe_ms, const py::object& crash_after_ms, double horizon_ms,
               std::uint64_t seed, std::int64_t first, std::int64_t trials) {
    if (nodes < 2 || nodes > max_nodes) {
        invalid("nodes", std::to_string(nodes), "must be a whole number from 2 to 10000");
    }
    if (trials < 0 || trials > 1'000'000'000) {
        invalid("trials", std::to_string(trials), "must be from 0 to 1000000000");
    }
    for (const auto& [name, node] : {std::pair{"watched", watched}, std::pair{"watcher", watcher}}) {
        if (node < 1 || node > nodes) {
            invalid(name, std::to_string(node), "must be a node, from 1 to " + std::to_string(nodes));
        }
    }
    DetectorWatch experiment;
    experiment.watched = static_cast<NodeId>(watched);
    experiment.watcher = static_cast<NodeId>(watcher);
    experiment.warm_up = duration_from_ms(Value(warm_up_ms), "warm_up_ms");
    experiment.observe = duration_from_ms(Value(observe_ms), "observe_ms");
    experiment.crash_after = range_from_ms(from_python(crash_after_ms, "crash_after_ms"), "crash_after_ms");
    experiment.horizon = duration_from_ms(Value(horizon_ms), "horizon_ms");
    const CatalogEntry& entry = find_protocol(protocol);
    const Value chosen = from_python(options, "options");
    const Value setup = from_python(config, "config");
    const auto make_cluster = [&](std::uint64_t trial) {
        Value::Dict own = *setup.get_if<Value::Dict>();
        std::erase_if(own, [](const auto& item) { return item.first == "seed" || item.first == "trial"; });
        own.emplace_back("seed", static_cast<std::int64_t>(seed));
        own.emplace_back("trial", static_cast<std::int64_t>(trial));
        return entry.make_cluster(chosen, static_cast<NodeId>(nodes), own, false);
    };
    const auto table = std::make_shared<DetectorTable>();
    {
        const py::gil_scoped_release release;
        *table = watch_detector(make_cluster, experiment, seed, first, trials);
    }
    py::dict columns;
    columns["mistakes"] = view_array(table->mistakes.data(), table->mistakes.size(), table);
    columns["suspected_ms"] = view_array(table->suspected_ms.data(), table->suspected_ms.size(), table);
    columns["detection_ms"] = view_array(table->detection_ms.data(), table->detection_ms.size(), table);
    return columns;
}

}  // namespace

void bind_trials(py::module_& m) {
    m.def("watch_detector", &watch, py::arg("protocol"), py::arg("nodes"), py::arg("options"),
          py::arg("config"), py::kw_only(), py::arg("watched") = 1, py::arg("watcher") = 2,
          py::arg("warm_up_ms"), py::arg("observe_ms"), py::arg("crash_after_ms"),
          py::arg("horizon_ms"), py::arg("seed"), py::arg("first") = 0, py::arg("trials"),
          "Trials in which one node watches another: how often it is wrong while that one lives, and "
          "how fast it knows when that one has crashed. Runs on the calling thread.\n\n"
          "Returns:\n    One read-only array per measure, an entry per trial: mistakes and "
          "suspected_ms while observed, detection_ms after the crash (NaN: trusts it at the horizon).");
    m.def("run_trials", &run, py::arg("protocol"), py::arg("nodes"), py::arg("options"),
          py::arg("config"), py::arg("experiment"), py::kw_only(), py::arg("first") = 0,
          py::arg("trials"), py::arg("threads") = 0, py::arg("progress") = py::none(),
          "Trials of one experiment: things done at moments, and how long until there is a leader "
          "again.\n\n"
          "Args:\n    experiment: A dictionary: moments (each at_ms, a range, and action), from (the "
          "moment that is measured from; -1: the start), until ('agreed', 'elected' or 'horizon'), "
          "horizon_ms, only_leaderless.\n"
          "    progress: Called about ten times a second with the number of finished trials; "
          "returning a false value cancels.\n\nReturns:\n    One read-only array per measure, an "
          "entry per trial; times in ms since the moment that is measured from, NaN where the trial "
          "ended before. `measured` is 0 where a leader was to be lost and was not.");
}

}  // namespace electionlab::bindings

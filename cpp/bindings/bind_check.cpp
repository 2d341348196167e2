// The checker: every order of events to a bound, with the interpreter's lock released.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "convert.h"
#include "electionlab/catalog/catalog.h"
#include "electionlab/check/check.h"
#include "electionlab/check/draws.h"
#include "electionlab/core/errors.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

using Named = std::pair<std::string, py::function>;

// States as a predicate in Python sees them; each state of a node is made once.
class Worlds {
public:
    py::object object(const check::Space& space, check::World world) {
        py::tuple nodes(space.actors());
        for (NodeId node = 1; node <= space.actors(); ++node) {
            nodes[node - 1] = known(nodes_, world[node - 1], [&](std::uint32_t id) {
                return space.rules().local_value(id);
            });
        }
        py::list messages;
        for (const std::uint32_t item : space.items(world)) {
            if (space.is_message(item)) {
                messages.append(known(messages_, space.message_of(item), [&](std::uint32_t id) {
                    return space.rules().message_value(id);
                }));
            }
        }
        return py::make_tuple(nodes, py::tuple(messages), space.partition_text(world));
    }

private:
    using Map = std::unordered_map<std::uint32_t, py::object>;
    template <class Make>
    static py::object known(Map& map, std::uint32_t id, Make&& make) {
        const auto place = map.find(id);
        return place != map.end() ? place->second : map.emplace(id, to_python(make(id))).first->second;
    }
    Map nodes_, messages_;
};

class BoundReport {
public:
    BoundReport(const py::object& protocol, std::int64_t nodes, const py::dict& options,
                const py::dict& request, const std::vector<Named>& always,
                const std::vector<Named>& sometimes, const std::optional<py::function>& progress,
                const std::optional<Named>& eventually, const std::vector<Named>& between) {
        if (nodes < 1 || nodes > 64) {
            invalid("nodes", std::to_string(nodes), "the checker takes 1 to 64 nodes");
        }
        const auto members = static_cast<NodeId>(nodes);
        in_python_ = !py::isinstance<py::str>(protocol);
        const std::string name = in_python_ ? "" : protocol.cast<std::string>();
        const Description& description =
            in_python_ ? describe_python(protocol) : find_protocol(name).describe();
        const auto make = [&](const check::RulesRequest& asked) {
            return in_python_ ? make_python_rules(protocol, members, asked)
                              : find_protocol(name).make_rules(from_python(options, "options"), members,
                                                               asked);
        };
        const NodeId actors = make({})->actors();
        auto read = check::Request::from_value(from_python(request, "request"), description, members,
                                               actors);
        const auto add = [&](const std::vector<Named>& from, std::vector<check::Predicate>& to) {
            for (const auto& [title, function] : from) {
                to.push_back({title, predicate(function)});
            }
        };
        add(always, read.space.always);
        add(sometimes, read.search.sometimes);
        for (const auto& [title, function] : between) {
            read.space.between.push_back({title, step_predicate(function)});
        }
        if (in_python_ || !always.empty() || !sometimes.empty() || !between.empty()) {
            read.search.threads = 1;  // one interpreter, one lock
        }
        read.search.progress = [this, progress](const check::Progress& p) {
            const py::gil_scoped_acquire acquire;
            if (PyErr_CheckSignals() != 0) {
                PyErr_Clear();
                by_signal_ = true;
                return false;
            }
            return !progress ||
                   py::cast<bool>(py::bool_((*progress)(to_python(Value::Dict{
                       {"states", p.states}, {"transitions", p.transitions}, {"depth", p.depth},
                       {"frontier", p.frontier}, {"bytes", p.bytes}, {"seconds", p.seconds}}))));
        };
        read.rules.shifts = eventually.has_value();
        auto rules = make(read.rules);
        report_ = std::make_unique<check::Report>(std::move(rules), std::move(read));
        std::optional<check::Predicate> goal;
        if (eventually) {
            goal = {eventually->first, predicate(eventually->second)};
        }
        const auto explore = [&] { goal ? report_->run_eventually(*goal) : report_->run(); };
        if (in_python_) {
            explore();
        } else {
            const py::gil_scoped_release release;
            explore();
        }
        if (const auto& failure = goal ? report_->liveness().failure : report_->result().failure) {
            try {
                std::rethrow_exception(failure);
            } catch (py::error_already_set& error) {
                // Ctrl-C may also come while Python draws the progress or asks a predicate.
                by_signal_ = by_signal_ || error.matches(PyExc_KeyboardInterrupt);
                failure_ = error.value();
            } catch (const std::exception& error) {
                failure_ = py::str(error.what());
            }
        }
    }

    [[nodiscard]] py::object result(bool liveness) const {
        py::dict all = to_python(liveness ? report_->liveness_value() : report_->to_value()).cast<py::dict>();
        all["failure"] = failure_;
        all["by_signal"] = by_signal_;
        if (by_signal_) {
            all["interrupted"] = true;
        }
        return all;
    }
    /// The states along the steps of a violation (or of a witness, or of a lasso's two parts), the
    /// start first.
    [[nodiscard]] py::list states(std::size_t number, const std::string& of) {
        const auto& found = report_->result();
        const auto& lasso = report_->liveness().counterexample;
        const check::Path& path = of == "witness"  ? found.witnesses.at(number).path.value()
                                  : of == "prefix" ? lasso.value().prefix
                                  : of == "cycle"  ? lasso.value().cycle
                                                   : found.violations.at(number).path;
        py::list list;
        for (const auto& world : path.worlds) {
            list.append(worlds_->object(report_->space(), world));
        }
        return list;
    }

    /// The states nearest to the start and the steps between them; each state as in `states`.
    [[nodiscard]] py::dict graph(std::int64_t limit) {
        if (limit < 1 || limit > 100'000) {
            invalid("limit", std::to_string(limit), "must be a whole number from 1 to 100000");
        }
        const check::StateGraph found =
            check::state_graph(report_->space(), static_cast<std::size_t>(limit));
        auto all = to_python(report_->graph_value(found)).cast<py::dict>();
        py::list list;
        for (const auto& node : found.nodes) {
            list.append(worlds_->object(report_->space(), node.world));
        }
        all["states"] = list;
        return all;
    }
    /// A lasso's prefix and so many rounds of its circle: steps and states.
    [[nodiscard]] py::tuple unrolled(int rounds) {
        const check::Path path = report_->unrolled(rounds);
        py::list list;
        for (const auto& world : path.worlds) {
            list.append(worlds_->object(report_->space(), world));
        }
        return py::make_tuple(to_python(report_->path_value(path)), list);
    }

private:
    // Made, called and let go of with the lock only.
    static std::shared_ptr<py::function> hold(const py::function& function) {
        return {new py::function(function), [](py::function* f) {
                    const py::gil_scoped_acquire acquire;
                    delete f;
                }};
    }
    std::function<bool(const check::Space&, check::World, check::World)> step_predicate(
        const py::function& function) {
        return [held = hold(function), worlds = worlds_](
                   const check::Space& space, check::World before, check::World after) {
            const py::gil_scoped_acquire acquire;
            return py::cast<bool>(py::bool_(
                (*held)(worlds->object(space, before), worlds->object(space, after))));
        };
    }
    std::function<bool(const check::Space&, check::World)> predicate(const py::function& function) {
        return [held = hold(function), worlds = worlds_](const check::Space& space, check::World world) {
            const py::gil_scoped_acquire acquire;
            return py::cast<bool>(py::bool_((*held)(worlds->object(space, world))));
        };
    }

    std::shared_ptr<Worlds> worlds_ = std::make_shared<Worlds>();
    std::unique_ptr<check::Report> report_;
    bool in_python_ = false;
    bool by_signal_ = false;
    py::object failure_ = py::none();
};

}  // namespace

void bind_check(py::module_& m) {
    py::class_<BoundReport>(m, "CheckReport", "A check that has ended; see electionlab.check.")
        .def(py::init<const py::object&, std::int64_t, const py::dict&, const py::dict&,
                      const std::vector<Named>&, const std::vector<Named>&,
                      const std::optional<py::function>&, const std::optional<Named>&,
                      const std::vector<Named>&>(),
             py::arg("protocol"), py::arg("nodes"), py::arg("options"), py::arg("request"),
             py::arg("always"), py::arg("sometimes"), py::arg("progress"),
             py::arg("eventually") = py::none(), py::arg("between") = std::vector<Named>{},
             "Explores.\n\nRaises:\n    ValueError: An argument is unknown or out of range; the "
             "message names it.")
        .def("result", &BoundReport::result, py::arg("liveness") = false,
             "All figures, as a dictionary.")
        .def("graph", &BoundReport::graph, py::arg("limit"),
             "The states nearest to the start and the steps between them, breadth first, as a "
             "dictionary.\n\nRaises:\n    ValueError: `limit` is out of range.")
        .def("states", &BoundReport::states, py::arg("number"), py::arg("of") = "violation",
             "The states along a run, as (nodes, messages, partition); of a 'violation', a 'witness', "
             "or a lasso's 'prefix' or 'cycle'.")
        .def("unrolled", &BoundReport::unrolled, py::arg("rounds"),
             "The steps and the states of a lasso's prefix and so many rounds of its circle.");
    using Drawn = std::tuple<NodeId, std::uint32_t, std::uint64_t, std::uint32_t, std::uint32_t>;
    m.def(
        "seed_that_draws",
        [](const std::vector<Drawn>& draws, std::uint64_t most) {
            std::vector<check::Draw> wanted;
            for (const auto& [node, life, index, choice, choices] : draws) {
                wanted.push_back({node, life, index, choice, choices});
            }
            const py::gil_scoped_release release;
            return check::seed_that_draws(wanted, most);
        },
        py::arg("draws"), py::arg("most"),
        "The first seed below `most` with which a cluster draws so; None: there is none. Each draw: "
        "node, crashes of it before, number of the draw since, which part of all words it falls in, "
        "number of parts.");
}

}  // namespace electionlab::bindings

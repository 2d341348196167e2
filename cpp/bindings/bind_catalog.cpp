// The catalogue: which protocols there are, and what each is made of.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "convert.h"
#include "electionlab/catalog/catalog.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

Value field_value(const FieldInfo& field) {
    constexpr const char* types[] = {"integer", "boolean", "enumeration", "duration_ms",
                                     "nodes",   "record",  "json"};
    Value::Dict dict{{"name", field.name}, {"type", types[static_cast<std::size_t>(field.type)]}};
    if (!field.names.empty()) {
        dict.emplace_back("names", to_value(field.names));
    }
    if (!field.fields.empty()) {
        Value::List inner;
        for (const FieldInfo& f : field.fields) {
            inner.push_back(field_value(f));
        }
        dict.emplace_back("fields", std::move(inner));
    }
    return dict;
}

Value fields_value(const std::vector<FieldInfo>& fields) {
    Value::List list;
    for (const FieldInfo& field : fields) {
        list.push_back(field_value(field));
    }
    return list;
}

Value texts(const std::vector<std::string>& names) {
    Value::List list;
    for (const std::string& name : names) {
        list.emplace_back(name);
    }
    return list;
}

Value describe_value(const Description& d) {
    Value::List messages, options;
    for (const KindInfo& kind : d.messages) {
        messages.push_back(Value::Dict{{"name", kind.name}, {"fields", fields_value(kind.fields)}});
    }
    for (const OptionInfo& option : d.options) {
        options.push_back(Value::Dict{{"name", option.name},
                                      {"type", option.type},
                                      {"default", option.default_value},
                                      {"doc", option.doc},
                                      {"choices", texts(option.choices)}});
    }
    return Value::Dict{{"name", d.about.name},
                       {"title", d.about.title},
                       {"source", d.about.source},
                       {"assumptions", d.about.assumptions},
                       {"cost", d.about.cost},
                       {"weaknesses", d.about.weaknesses},
                       {"epochs", d.about.epochs},
                       {"majority", d.about.majority},
                       {"messages", std::move(messages)},
                       {"timers", texts(d.timers)},
                       {"disk", fields_value(d.disk)},
                       {"memory", fields_value(d.memory)},
                       {"options", std::move(options)},
                       {"promises", texts(d.promises)}};
}

}  // namespace

void bind_catalog(py::module_& m) {
    m.def(
        "catalog",
        [] {
            py::list list;
            for (const CatalogEntry& entry : catalog()) {
                list.append(to_python(describe_value(entry.describe())));
            }
            return list;
        },
        "Every protocol of the engine as a dictionary: name, title, source, assumptions, cost, "
        "weaknesses, messages, timers, disk, memory, options, promises.");
    m.def(
        "check_options",
        [](const std::string& protocol, NodeId nodes, const py::dict& options) {
            return to_python(find_protocol(protocol).check_options(from_python(options, "options"), nodes));
        },
        py::arg("protocol"), py::arg("nodes"), py::arg("options"),
        "The options of a protocol with defaults filled in.\n\nRaises:\n    ValueError: An option is "
        "unknown or out of range; the message names it, its value and what is allowed.");
    m.attr("max_nodes") = max_nodes;
}

}  // namespace electionlab::bindings

// The catalogue: which protocols there are, and what each is made of.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <span>

#include "convert.h"
#include "electionlab/catalog/catalog.h"
#include "module.h"

namespace py = pybind11;

namespace electionlab::bindings {
namespace {

Value texts(const std::vector<std::string>& names) {
    Value::List list;
    for (const std::string& name : names) {
        list.emplace_back(name);
    }
    return list;
}

Value field_value(const FieldInfo& field) {
    Value::Dict dict{{"name", field.name}, {"type", enum_name(field.type)}};
    if (!field.names.empty()) {
        dict.emplace_back("names", texts(field.names));
    }
    if (field.type == FieldType::optional || field.type == FieldType::list) {
        dict.emplace_back("of", field_value(field.fields.front()));
    } else if (!field.fields.empty()) {
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

Value kinds_value(const std::vector<KindInfo>& kinds) {
    Value::List list;
    for (const KindInfo& kind : kinds) {
        list.push_back(Value::Dict{{"name", kind.name}, {"fields", fields_value(kind.fields)}});
    }
    return list;
}

Value describe_value(const CatalogEntry& entry) {
    const Description& d = entry.describe();
    Value::List options;
    Value::List peer_timers;
    for (std::size_t timer = 0; timer < d.timers.size(); ++timer) {
        if (d.per_peer[timer]) {
            peer_timers.emplace_back(d.timers[timer]);
        }
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
                       {"fails_over", d.about.fails_over},
                       {"loose_epochs", d.about.loose_epochs},
                       {"max_nodes", entry.max_nodes},
                       {"messages", kinds_value(d.messages)},
                       {"commands", kinds_value(d.commands)},
                       {"timers", texts(d.timers)},
                       {"peer_timers", std::move(peer_timers)},
                       {"disk", fields_value(d.disk)},
                       {"memory", fields_value(d.memory)},
                       {"options", std::move(options)},
                       {"promises", texts(d.promises)},
                       {"properties", texts(d.properties)}};
}

py::list entries(std::span<const CatalogEntry> catalogue) {
    py::list list;
    for (const CatalogEntry& entry : catalogue) {
        list.append(to_python(describe_value(entry)));
    }
    return list;
}

}  // namespace

void bind_catalog(py::module_& m) {
    m.def(
        "catalog", [] { return entries(catalog()); },
        "Every protocol of the engine as a dictionary: name, title, source, assumptions, cost, "
        "weaknesses, epochs, majority, fails_over, max_nodes, messages, commands, timers, "
        "peer_timers, disk, memory, options, promises, properties.");
    m.def(
        "catalog_at_work", [] { return entries(catalog_at_work()); },
        "The same for protocols with a resource that their leaders work on, named NAME_at_work.");
    m.def(
        "check_options",
        [](const std::string& protocol, NodeId nodes, const py::dict& options) {
            return to_python(find_protocol(protocol).check_options(from_python(options, "options"), nodes));
        },
        py::arg("protocol"), py::arg("nodes"), py::arg("options"),
        "The options of a protocol with defaults filled in.\n\nRaises:\n    ValueError: An option is "
        "unknown or out of range; the message names it, its value and what is allowed.");
    m.def(
        "option_warnings",
        [](const std::string& protocol, NodeId nodes, const py::dict& options) {
            return find_protocol(protocol).option_warnings(from_python(options, "options"), nodes);
        },
        py::arg("protocol"), py::arg("nodes"), py::arg("options"),
        "What a user should know of options that are allowed, one sentence each.");
    m.attr("max_nodes") = max_nodes;  // of protocols written in Python
}

}  // namespace electionlab::bindings

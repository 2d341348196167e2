#include "convert.h"

#include "electionlab/core/errors.h"

namespace py = pybind11;

namespace electionlab::bindings {

py::object to_python(const Value& value) {
    if (const auto* b = value.get_if<bool>()) {
        return py::bool_(*b);
    }
    if (const auto* i = value.get_if<std::int64_t>()) {
        return py::int_(*i);
    }
    if (const auto* d = value.get_if<double>()) {
        return py::float_(*d);
    }
    if (const auto* s = value.get_if<std::string>()) {
        return py::str(*s);
    }
    if (const auto* list = value.get_if<Value::List>()) {
        py::list out;
        for (const Value& item : *list) {
            out.append(to_python(item));
        }
        return out;
    }
    if (const auto* dict = value.get_if<Value::Dict>()) {
        py::dict out;
        for (const auto& [key, item] : *dict) {
            out[py::str(key)] = to_python(item);
        }
        return out;
    }
    return py::none();
}

Value from_python(py::handle object, const std::string& name) {
    if (object.is_none()) {
        return {};
    }
    if (py::isinstance<py::bool_>(object)) {
        return object.cast<bool>();
    }
    if (py::isinstance<py::int_>(object)) {
        int overflow = 0;
        const long long number = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
        if (overflow != 0) {
            invalid(name, py::str(object), "must fit in 64 bits");
        }
        return static_cast<std::int64_t>(number);
    }
    if (py::isinstance<py::float_>(object)) {
        return object.cast<double>();
    }
    if (py::isinstance<py::str>(object)) {
        return object.cast<std::string>();
    }
    if (py::isinstance<py::dict>(object)) {
        Value::Dict dict;
        for (const auto& [key, item] : py::reinterpret_borrow<py::dict>(object)) {
            const std::string text = py::str(key);
            dict.emplace_back(text, from_python(item, text));
        }
        return dict;
    }
    if (py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object) ||
        py::isinstance<py::anyset>(object)) {
        const py::object items = py::isinstance<py::anyset>(object)
                                     ? py::module_::import("builtins").attr("sorted")(object)
                                     : py::reinterpret_borrow<py::object>(object);
        Value::List list;
        for (const auto& item : items) {
            list.push_back(from_python(item, name));
        }
        return list;
    }
    if (py::hasattr(object, "tolist")) {  // NumPy scalars and arrays
        return from_python(object.attr("tolist")(), name);
    }
    invalid(name, py::repr(object), "must be None, a truth value, a number, text, a list or a dict");
}

}  // namespace electionlab::bindings

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

namespace {

constexpr int max_depth = 100;  // of lists in lists; a list may even contain itself

// Text that UTF-8 cannot express (a lone surrogate, as in odd file names) is a caller's mistake.
std::string text_of(py::handle object, const std::string& name) {
    py::ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
    if (text == nullptr) {
        PyErr_Clear();
        invalid(name, py::str(py::module_::import("builtins").attr("ascii")(object)),
                "must be text that UTF-8 can express");
    }
    return {text, static_cast<std::size_t>(size)};
}

Value convert(py::handle object, const std::string& name, int depth) {
    if (depth > max_depth) {
        invalid(name, "...", "must not be nested deeper than " + std::to_string(max_depth));
    }
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
        return text_of(object, name);
    }
    if (py::isinstance<py::dict>(object)) {
        Value::Dict dict;
        for (const auto& [key, item] : py::reinterpret_borrow<py::dict>(object)) {
            const std::string text = text_of(py::str(key), name);
            dict.emplace_back(text, convert(item, text, depth + 1));
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
            list.push_back(convert(item, name, depth + 1));
        }
        return list;
    }
    if (py::hasattr(object, "tolist")) {  // NumPy scalars and arrays
        return convert(object.attr("tolist")(), name, depth + 1);
    }
    invalid(name, py::repr(object), "must be None, a truth value, a number, text, a list or a dict");
}

}  // namespace

Value from_python(py::handle object, const std::string& name) { return convert(object, name, 0); }

}  // namespace electionlab::bindings

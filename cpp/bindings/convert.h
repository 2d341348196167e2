// Between the engine's `Value` and Python objects.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/numpy.h>

#include <memory>
#include <string>
#include <vector>

#include "electionlab/core/value.h"

namespace electionlab::bindings {

/// None, bool, int, float, str, list or dict.
pybind11::object to_python(const Value& value);

/// Also takes tuples, sets (in ascending order) and NumPy scalars. `InvalidArgument` (ValueError)
/// for anything else, naming `name`.
Value from_python(pybind11::handle object, const std::string& name);

/// A read-only array over memory that `owner` keeps alive; nothing is copied.
template <class T>
pybind11::array view_array(const T* data, std::size_t size, std::shared_ptr<const void> owner) {
    auto* kept = new std::shared_ptr<const void>(std::move(owner));
    const pybind11::capsule base(kept, [](void* p) { delete static_cast<std::shared_ptr<const void>*>(p); });
    pybind11::array_t<T> array(static_cast<pybind11::ssize_t>(size), data, base);
    pybind11::detail::array_proxy(array.ptr())->flags &=
        ~pybind11::detail::npy_api::NPY_ARRAY_WRITEABLE_;
    return array;
}

}  // namespace electionlab::bindings

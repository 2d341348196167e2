// The least that a call from Python can cost which returns a small struct through pybind11: the
// measure for Cluster.step().
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>

namespace {

struct Small {
    std::int64_t at_ns = 0, number = 0;
    std::uint32_t node = 0, peer = 0;
    std::uint8_t kind = 0;
    const void* about = nullptr;
};

class Loop {
public:
    std::optional<Small> step() {
        ++last_.number;
        last_.at_ns += 1000;
        last_.node = static_cast<std::uint32_t>(last_.number % 5) + 1;
        last_.about = this;
        return last_;
    }
    [[nodiscard]] std::int64_t number() const { return last_.number; }

private:
    Small last_;
};

}  // namespace

PYBIND11_MODULE(minimal_call, m) {
    namespace py = pybind11;
    py::class_<Small>(m, "Small")
        .def_readonly("at_ns", &Small::at_ns)
        .def_readonly("number", &Small::number)
        .def_readonly("node", &Small::node)
        .def_readonly("peer", &Small::peer)
        .def_readonly("kind", &Small::kind);
    py::class_<Loop>(m, "Loop")
        .def(py::init<>())
        .def("step", &Loop::step)
        .def_property_readonly("number", &Loop::number);
}

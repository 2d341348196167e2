// The three kinds of trouble, never mixed: a caller's mistake throws `InvalidArgument`, our own
// mistake fails `EL_ASSERT`, and a broken property (split brain) is a result, not an error.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace electionlab {

/// A caller's mistake; the text names the parameter, the value and what is allowed.
class InvalidArgument : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

[[noreturn]] inline void invalid(const std::string& parameter, const std::string& value,
                                 const std::string& allowed) {
    throw InvalidArgument(parameter + "=" + value + ": " + allowed);
}

/// Our own mistake. Thrown, so that a bug in the engine never takes the interpreter down.
class EngineBug : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

[[noreturn]] inline void engine_bug(const char* condition, const char* file, int line) {
    throw EngineBug(std::string("electionlab engine bug: ") + condition + " is false at " + file +
                    ":" + std::to_string(line) + "; please report it with the trace");
}

}  // namespace electionlab

/// Always on, in release builds too: it guards what the engine itself promises.
#define EL_ASSERT(condition) \
    ((condition) ? void(0) : ::electionlab::engine_bug(#condition, __FILE__, __LINE__))

// A JSON-like value: how options, states, messages and reports cross the type-erased seam.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace electionlab {

/// null, true/false, a whole number, a number, text, a list, or a dictionary that keeps its order.
class Value {
public:
    using List = std::vector<Value>;
    using Dict = std::vector<std::pair<std::string, Value>>;

    Value() = default;
    Value(bool v) : data_(v) {}
    Value(int v) : data_(std::int64_t{v}) {}
    Value(std::int64_t v) : data_(v) {}
    Value(std::uint32_t v) : data_(std::int64_t{v}) {}
    Value(std::uint64_t v) : data_(static_cast<std::int64_t>(v)) {}
    Value(double v) : data_(v) {}
    Value(const char* v) : data_(std::string(v)) {}
    Value(std::string_view v) : data_(std::string(v)) {}
    Value(std::string v) : data_(std::move(v)) {}
    Value(List v) : data_(std::move(v)) {}
    Value(Dict v) : data_(std::move(v)) {}

    [[nodiscard]] const auto& data() const { return data_; }
    [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
    template <class T>
    [[nodiscard]] const T* get_if() const {
        return std::get_if<T>(&data_);
    }
    /// The entry of a dictionary; nullptr when there is none, or when this is no dictionary.
    [[nodiscard]] const Value* find(std::string_view key) const;

    /// One-line JSON with the keys in their order; NaN and infinities print as null.
    [[nodiscard]] std::string to_json() const;

    friend bool operator==(const Value&, const Value&) = default;

private:
    std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Dict> data_;
};

/// Reads the entries of a dictionary that a caller gave, and refuses what it does not know.
///
/// Each `take` removes a key's claim; `finish` throws `InvalidArgument` for a key nobody took.
class Reader {
public:
    Reader(const Value& source, std::string what);

    [[nodiscard]] bool has(std::string_view key) const;
    /// The entry, or a null value; marks the key as known.
    const Value& take(std::string_view key);
    std::int64_t integer(std::string_view key, std::int64_t otherwise, std::int64_t low,
                         std::int64_t high);
    double number(std::string_view key, double otherwise, double low, double high);
    bool boolean(std::string_view key, bool otherwise);
    std::string text(std::string_view key, std::string_view otherwise);
    void finish() const;
    [[nodiscard]] std::string name(std::string_view key) const;

private:
    const Value* source_;
    std::string what_;
    std::vector<std::string> known_;
};

/// "term 3, last_log (term 1, index 4)": a dictionary as a sentence shows it.
std::string in_words(const Value& dict);

/// "3", "0.25", "'text'", "[1, 2]": a value as an error message shows it.
std::string show(const Value& value);

}  // namespace electionlab

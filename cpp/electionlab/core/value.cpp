#include "electionlab/core/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "electionlab/core/errors.h"

namespace electionlab {
namespace {

void write_text(std::string& out, std::string_view text) {
    constexpr char hex[] = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\t': out += "\\t"; break;
            default:
                if (u < 0x20) {
                    out += "\\u00";
                    out += hex[u >> 4];
                    out += hex[u & 15];
                } else {
                    out += c;
                }
        }
    }
    out += '"';
}

void write_number(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
    const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) {
        out += ".0";  // stays a float when it is read back
    }
}

void write(std::string& out, const Value& value) {
    if (value.is_null()) {
        out += "null";
    } else if (const auto* b = value.get_if<bool>()) {
        out += *b ? "true" : "false";
    } else if (const auto* i = value.get_if<std::int64_t>()) {
        out += std::to_string(*i);
    } else if (const auto* d = value.get_if<double>()) {
        write_number(out, *d);
    } else if (const auto* s = value.get_if<std::string>()) {
        write_text(out, *s);
    } else if (const auto* list = value.get_if<Value::List>()) {
        out += '[';
        for (std::size_t k = 0; k < list->size(); ++k) {
            out += k == 0 ? "" : ", ";
            write(out, (*list)[k]);
        }
        out += ']';
    } else if (const auto* dict = value.get_if<Value::Dict>()) {
        out += '{';
        for (std::size_t k = 0; k < dict->size(); ++k) {
            out += k == 0 ? "" : ", ";
            write_text(out, (*dict)[k].first);
            out += ": ";
            write(out, (*dict)[k].second);
        }
        out += '}';
    }
}

}  // namespace

const Value* Value::find(std::string_view key) const {
    if (const auto* dict = get_if<Dict>()) {
        for (const auto& [name, value] : *dict) {
            if (name == key) {
                return &value;
            }
        }
    }
    return nullptr;
}

std::string Value::to_json() const {
    std::string out;
    write(out, *this);
    return out;
}

std::string show(const Value& value) {
    if (const auto* text = value.get_if<std::string>()) {
        return "'" + *text + "'";
    }
    if (const auto* d = value.get_if<double>(); d != nullptr && !std::isfinite(*d)) {
        return std::isnan(*d) ? "nan" : *d < 0 ? "-inf" : "inf";
    }
    return value.is_null() ? "None" : value.to_json();
}

std::string in_words(const Value& dict) {
    std::string out;
    for (const auto& [name, value] : *dict.get_if<Value::Dict>()) {
        out += out.empty() ? "" : ", ";
        out += name + " ";
        if (value.get_if<Value::Dict>() != nullptr) {
            out += "(" + in_words(value) + ")";
        } else if (const auto* text = value.get_if<std::string>()) {
            out += *text;
        } else {
            out += show(value);
        }
    }
    return out;
}

Reader::Reader(const Value& source, std::string what) : source_(&source), what_(std::move(what)) {
    if (source.get_if<Value::Dict>() == nullptr) {
        invalid(what_, show(source), "must be a dictionary of named values");
    }
}

std::string Reader::name(std::string_view key) const {
    return what_.empty() ? std::string(key) : what_ + "." + std::string(key);
}

bool Reader::has(std::string_view key) const { return source_->find(key) != nullptr; }

const Value& Reader::take(std::string_view key) {
    static const Value nothing;
    known_.emplace_back(key);
    const Value* found = source_->find(key);
    return found == nullptr ? nothing : *found;
}

std::int64_t Reader::integer(std::string_view key, std::int64_t otherwise, std::int64_t low,
                             std::int64_t high) {
    const Value& value = take(key);
    if (value.is_null()) {
        return otherwise;
    }
    const auto* i = value.get_if<std::int64_t>();
    if (i == nullptr || *i < low || *i > high) {
        invalid(name(key), show(value),
                "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return *i;
}

double Reader::number(std::string_view key, double otherwise, double low, double high) {
    const Value& value = take(key);
    if (value.is_null()) {
        return otherwise;
    }
    double number = std::nan("");
    if (const auto* d = value.get_if<double>()) {
        number = *d;
    } else if (const auto* i = value.get_if<std::int64_t>()) {
        number = static_cast<double>(*i);
    }
    if (!(number >= low && number <= high)) {
        invalid(name(key), show(value),
                "must be a number from " + show(Value(low)) + " to " + show(Value(high)));
    }
    return number;
}

bool Reader::boolean(std::string_view key, bool otherwise) {
    const Value& value = take(key);
    if (value.is_null()) {
        return otherwise;
    }
    const auto* b = value.get_if<bool>();
    if (b == nullptr) {
        invalid(name(key), show(value), "must be true or false");
    }
    return *b;
}

std::string Reader::text(std::string_view key, std::string_view otherwise) {
    const Value& value = take(key);
    if (value.is_null()) {
        return std::string(otherwise);
    }
    const auto* s = value.get_if<std::string>();
    if (s == nullptr) {
        invalid(name(key), show(value), "must be text");
    }
    return *s;
}

void Reader::finish() const {
    for (const auto& [key, value] : *source_->get_if<Value::Dict>()) {
        if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
            std::string allowed;
            for (const auto& known : known_) {
                allowed += (allowed.empty() ? "" : ", ") + known;
            }
            invalid(name(key), show(value), "is not known here; known are: " + allowed);
        }
    }
}

}  // namespace electionlab

#include "electionlab/core/encoding.h"

#include <algorithm>
#include <cmath>

#include "electionlab/core/errors.h"

namespace electionlab {
namespace {

std::string decode_text(const std::int64_t*& at) {
    std::string text(static_cast<std::size_t>(*at++), ' ');
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto word = static_cast<std::uint64_t>(at[i / 8]);
        text[i] = static_cast<char>(word >> (8 * (i % 8)) & 0xff);
    }
    at += (text.size() + 7) / 8;
    return text;
}

// The kinds are those of `Value`'s variant, in its order.
Value decode_any(const std::int64_t*& at) {
    switch (*at++) {
        case 1: return *at++ != 0;
        case 2: return *at++;
        case 3: return std::bit_cast<double>(*at++);
        case 4: return decode_text(at);
        case 5: {
            Value::List list;
            for (std::int64_t left = *at++; left > 0; --left) {
                list.push_back(decode_any(at));
            }
            return list;
        }
        case 6: {
            Value::Dict dict;
            for (std::int64_t left = *at++; left > 0; --left) {
                std::string name = decode_text(at);
                dict.emplace_back(std::move(name), decode_any(at));
            }
            return dict;
        }
        default: return {};
    }
}

}  // namespace

Value decode_field(const FieldInfo& info, const std::int64_t*& at) {
    switch (info.type) {
        case FieldType::integer: return *at++;
        case FieldType::boolean: return *at++ != 0;
        case FieldType::enumeration: return info.names.at(static_cast<std::size_t>(*at++));
        case FieldType::duration: return Duration{*at++}.to_ms();
        case FieldType::record: return decode_fields(info.fields, at);
        case FieldType::text: return decode_text(at);
        case FieldType::any: return decode_any(at);
        case FieldType::optional: return *at++ != 0 ? decode_field(info.fields.front(), at) : Value();
        case FieldType::node_list:
        case FieldType::list: {
            Value::List list;
            for (std::int64_t left = *at++; left > 0; --left) {
                list.push_back(info.type == FieldType::list ? decode_field(info.fields.front(), at)
                                                            : Value(*at++));
            }
            return list;
        }
    }
    return {};
}

Value decode_fields(const std::vector<FieldInfo>& infos, const std::int64_t*& at) {
    Value::Dict dict;
    for (const FieldInfo& info : infos) {
        dict.emplace_back(info.name, decode_field(info, at));
    }
    return dict;
}

void check_value(const FieldInfo& info, const Value& value, const std::string& name) {
    const auto* whole = value.get_if<std::int64_t>();
    const auto need = [&](bool fits, const std::string& allowed) {
        if (!fits) {
            invalid(name, show(value), allowed);
        }
    };
    switch (info.type) {
        case FieldType::integer:
            return need(whole != nullptr && *whole >= info.low && *whole <= info.high,
                        "must be a whole number from " + std::to_string(info.low) + " to " +
                            std::to_string(info.high));
        case FieldType::boolean: return need(value.get_if<bool>() != nullptr, "must be true or false");
        case FieldType::text: return need(value.get_if<std::string>() != nullptr, "must be text");
        case FieldType::any: return;
        case FieldType::enumeration: {
            const auto* text = value.get_if<std::string>();
            std::string allowed;
            for (const std::string& known : info.names) {
                allowed += (allowed.empty() ? "'" : ", '") + known + "'";
            }
            return need(text != nullptr && std::find(info.names.begin(), info.names.end(), *text) !=
                                               info.names.end(),
                        "must be one of " + allowed);
        }
        case FieldType::duration: {
            const auto* number = value.get_if<double>();
            const double given = whole != nullptr    ? static_cast<double>(*whole)
                                 : number != nullptr ? *number
                                                     : std::nan("");
            return need(given >= 0 && given <= longest_duration.to_ms(),
                        "must be a number of milliseconds from 0 to " +
                            show(Value(longest_duration.to_ms())));
        }
        case FieldType::optional:
            if (!value.is_null()) {
                check_value(info.fields.front(), value, name);
            }
            return;
        case FieldType::node_list:
        case FieldType::list: {
            const auto* list = value.get_if<Value::List>();
            need(list != nullptr, "must be a list");
            for (const Value& item : *list) {
                if (info.type == FieldType::list) {
                    check_value(info.fields.front(), item, name);
                } else if (const auto* id = item.get_if<std::int64_t>();
                           id == nullptr || *id < info.low || *id > info.high) {
                    invalid(name, show(item), "must be a node from 1 to " + std::to_string(info.high));
                }
            }
            return;
        }
        case FieldType::record: {
            Reader in(value, name);
            for (const FieldInfo& field : info.fields) {
                const Value& given = in.take(field.name);
                if (in.has(field.name)) {
                    check_value(field, given, name + "." + field.name);
                }
            }
            return in.finish();
        }
    }
}

}  // namespace electionlab

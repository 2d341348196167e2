#include "electionlab/core/fields.h"

namespace electionlab {

Value decode_fields(const std::vector<FieldInfo>& infos, const std::int64_t*& at) {
    Value::Dict dict;
    for (const FieldInfo& info : infos) {
        switch (info.type) {
            case FieldType::integer: dict.emplace_back(info.name, *at++); break;
            case FieldType::boolean: dict.emplace_back(info.name, *at++ != 0); break;
            case FieldType::enumeration:
                dict.emplace_back(info.name, info.names.at(static_cast<std::size_t>(*at++)));
                break;
            case FieldType::record: dict.emplace_back(info.name, decode_fields(info.fields, at)); break;
            case FieldType::duration: dict.emplace_back(info.name, Duration{*at++}.to_ms()); break;
            case FieldType::json: {
                std::string text(static_cast<std::size_t>(*at++), ' ');
                for (std::size_t i = 0; i < text.size(); ++i) {
                    const auto word = static_cast<std::uint64_t>(at[i / 8]);
                    text[i] = static_cast<char>(word >> (8 * (i % 8)) & 0xff);
                }
                at += (text.size() + 7) / 8;
                dict.emplace_back(info.name, std::move(text));
                break;
            }
            case FieldType::node_list: {
                Value::List list;
                for (std::int64_t left = *at++; left > 0; --left) {
                    list.emplace_back(*at++);
                }
                dict.emplace_back(info.name, std::move(list));
                break;
            }
        }
    }
    return dict;
}

}  // namespace electionlab

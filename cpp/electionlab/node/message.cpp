#include "electionlab/node/message.h"

namespace electionlab {

void check_command(const std::vector<KindInfo>& kinds, const std::string& name, const Value& fields) {
    std::string known;
    for (const KindInfo& kind : kinds) {
        if (kind.name != name) {
            known += (known.empty() ? "'" : ", '") + kind.name + "'";
        } else if (!kind.is_open()) {
            return check_value(FieldInfo{name, FieldType::record, {}, kind.fields}, fields, name);
        } else {
            return (void)Reader(fields, name);
        }
    }
    invalid("command", "'" + name + "'",
            kinds.empty() ? "this protocol takes no commands" : "must be one of " + known);
}

}  // namespace electionlab

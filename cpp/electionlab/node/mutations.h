// Documented bugs of real systems, as flags of a protocol that has the rule they break.
//
//     enum class RaftMutation : std::uint8_t { double_vote, ... };        // with enum_name
//     Mutations<RaftMutation> mutations;                                  // in its options
//     if (ctx.options.mutations.has(RaftMutation::double_vote)) { ... }   // where the rule is
//
// All are off unless their names are given: mutations={"double_vote"}.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "electionlab/core/errors.h"
#include "electionlab/core/fields.h"
#include "electionlab/core/value.h"

namespace electionlab {

template <NamedEnum Mutation>
class Mutations {
public:
    using Choice = Mutation;
    static constexpr std::string_view option_type = "mutations";

    [[nodiscard]] bool has(Mutation mutation) const {
        return (bits_ >> static_cast<unsigned>(mutation) & 1) != 0;
    }
    [[nodiscard]] bool empty() const { return bits_ == 0; }

    /// A list of names; `InvalidArgument` names what is unknown.
    static Mutations from_value(const Value& value, std::string_view name) {
        const auto* list = value.get_if<Value::List>();
        if (list == nullptr) {
            invalid(std::string(name), show(value), "must be a set of names");
        }
        Mutations mutations;
        for (const Value& item : *list) {
            const auto* text = item.get_if<std::string>();
            std::string known;
            bool found = false;
            for (unsigned v = 0; !enum_name(static_cast<Mutation>(v)).empty(); ++v) {
                const std::string_view each = enum_name(static_cast<Mutation>(v));
                known += (v == 0 ? "'" : ", '") + std::string(each) + "'";
                if (text != nullptr && *text == each) {
                    mutations.bits_ |= std::uint64_t{1} << v;
                    found = true;
                }
            }
            if (!found) {
                invalid(std::string(name), show(item), "must be among " + known);
            }
        }
        return mutations;
    }
    /// The names, in the order of the enumeration.
    [[nodiscard]] Value to_value() const {
        Value::List names;
        for (unsigned v = 0; !enum_name(static_cast<Mutation>(v)).empty(); ++v) {
            if (has(static_cast<Mutation>(v))) {
                names.emplace_back(enum_name(static_cast<Mutation>(v)));
            }
        }
        return names;
    }

private:
    std::uint64_t bits_ = 0;
};

}  // namespace electionlab

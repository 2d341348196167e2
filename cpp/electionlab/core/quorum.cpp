#include "electionlab/core/quorum.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "electionlab/core/encoding.h"
#include "electionlab/core/errors.h"

namespace electionlab {
namespace {

constexpr NodeId most_to_enumerate = 20;
constexpr std::int64_t longest_side = 32;  // of a grid

// How many nodes make a quorum, whichever they are; 0 when it matters which.
std::int64_t count_of(const Quorum& q, NodeId nodes) {
    return q.kind == Quorum::Kind::majority   ? static_cast<std::int64_t>(quorum_size(nodes))
           : q.kind == Quorum::Kind::at_least ? q.needed
                                              : 0;
}

bool share_a_node(const IdList& a, const IdList& b) {
    return std::any_of(a.begin(), a.end(), [&](NodeId node) { return b.contains(node); });
}

// Whether every quorum of `q` holds one of these nodes: what is left without them is none.
bool all_touch(const Quorum& q, const IdList& set, NodeId nodes) {
    if (q.kind == Quorum::Kind::listed) {
        return std::all_of(q.sets.begin(), q.sets.end(),
                           [&](const IdList& other) { return share_a_node(set, other); });
    }
    const std::int64_t count = count_of(q, nodes);
    std::int64_t left = 0;
    for (NodeId node = 1; node <= nodes; ++node) {
        left += set.contains(node) ? 0 : count > 0 ? 1 : q.weights[node - 1];
    }
    return left < (count > 0 ? count : q.needed);
}

bool meet_by_enumeration(const Quorum& a, const Quorum& b, NodeId nodes) {
    for (std::uint32_t members = 0; members < std::uint32_t{1} << nodes; ++members) {
        NodeSet<64> one, other;
        for (NodeId node = 1; node <= nodes; ++node) {
            ((members >> (node - 1) & 1) != 0 ? one : other).insert(node);
        }
        if (a.is_met(one, nodes) && b.is_met(other, nodes)) {
            return false;
        }
    }
    return true;
}

// The rows and columns of what `Quorum::grid` makes; no rows: these sets are something else.
std::pair<NodeId, NodeId> sides_of(const std::vector<IdList>& sets) {
    for (NodeId rows = 1; rows <= std::min<std::size_t>(sets.size(), longest_side); ++rows) {
        const std::size_t columns = sets.size() / rows;
        if (columns * rows == sets.size() && columns <= longest_side &&
            Quorum::grid(rows, static_cast<NodeId>(columns)).sets == sets) {
            return {rows, static_cast<NodeId>(columns)};
        }
    }
    return {0, 0};
}

}  // namespace

Quorum Quorum::weighted(std::vector<std::int64_t> node_weights, std::int64_t least) {
    const std::int64_t total =
        std::accumulate(node_weights.begin(), node_weights.end(), std::int64_t{0});
    return {Kind::weighted, least > 0 ? least : total / 2 + 1, std::move(node_weights), {}, false};
}

Quorum Quorum::grid(NodeId rows, NodeId columns) {
    std::vector<IdList> quorums;
    for (NodeId row = 0; row < rows; ++row) {
        for (NodeId column = 0; column < columns; ++column) {
            std::vector<NodeId> nodes;
            for (NodeId at = 0; at < columns; ++at) {
                nodes.push_back(row * columns + at + 1);
            }
            for (NodeId at = 0; at < rows; ++at) {
                if (at != row) {
                    nodes.push_back(at * columns + column + 1);
                }
            }
            quorums.emplace_back(std::span<const NodeId>(nodes));
        }
    }
    return of_sets(std::move(quorums));
}

bool intersect(const Quorum& a, const Quorum& b, NodeId nodes) {
    const std::int64_t one = count_of(a, nodes), other = count_of(b, nodes);
    if (one > 0 && other > 0) {
        return one + other > static_cast<std::int64_t>(nodes);
    }
    for (const auto& [listed, q] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
        if (listed->kind == Quorum::Kind::listed) {
            return std::all_of(listed->sets.begin(), listed->sets.end(), [&, against = q](const IdList& set) {
                return all_touch(*against, set, nodes);
            });
        }
    }
    if (a.weights == b.weights) {
        const std::int64_t total = std::accumulate(a.weights.begin(), a.weights.end(), std::int64_t{0});
        if (a.needed + b.needed > total) {
            return true;
        }
    }
    return nodes <= most_to_enumerate && meet_by_enumeration(a, b, nodes);
}

void Quorum::validate(NodeId nodes, std::string_view name) const {
    const auto refuse = [&](const std::string& allowed) {
        invalid(std::string(name), show(to_value()), allowed);
    };
    const std::string all = std::to_string(nodes);
    if (kind == Kind::at_least && (needed < 1 || needed > nodes)) {
        refuse("must be from 1 to " + all + " nodes");
    }
    if (kind == Kind::weighted) {
        if (weights.size() != nodes) {
            refuse("must have one weight for each of the " + all + " nodes");
        }
        constexpr std::int64_t heaviest = 1'000'000'000;
        if (std::any_of(weights.begin(), weights.end(),
                        [](std::int64_t w) { return w < 0 || w > heaviest; })) {
            refuse("weights must be from 0 to 1000000000");
        }
        if (needed < 1 || needed > std::accumulate(weights.begin(), weights.end(), std::int64_t{0})) {
            refuse("'needed' must be from 1 to the sum of the weights");
        }
    }
    if (kind == Kind::listed) {
        const auto fits = [&](const IdList& set) {
            return !set.empty() && std::all_of(set.begin(), set.end(), [&](NodeId node) {
                return node >= 1 && node <= nodes;
            });
        };
        if (const auto [rows, columns] = sides_of(sets); rows * columns > nodes) {
            invalid(std::string(name),
                    show(Value::Dict{{"grid", Value::List{rows, columns}}}),
                    "rows times columns must be at most the " + all + " nodes, and are " +
                        std::to_string(rows * columns));
        }
        if (sets.empty() || !std::all_of(sets.begin(), sets.end(), fits)) {
            refuse("must be sets of nodes from 1 to " + all + ", none of them empty");
        }
        const auto repeats = [](const IdList& set) {
            return std::any_of(set.begin(), set.end(), [&](NodeId node) {
                return std::count(set.begin(), set.end(), node) > 1;
            });
        };
        if (std::any_of(sets.begin(), sets.end(), repeats)) {
            refuse("no set may hold a node twice");
        }
    }
    if (!unsafe && !intersect(*this, *this, nodes)) {
        refuse("has two quorums that share no node, and both could decide; say 'unsafe': true to "
               "see it happen");
    }
}

Quorum Quorum::from_value(const Value& value, std::string_view name) {
    const std::string what(name);
    if (const auto* text = value.get_if<std::string>(); text != nullptr && *text == "majority") {
        return {};
    }
    const std::string allowed =
        "must be 'majority', {'at_least': 2}, {'weights': [2, 1, 1]}, "
        "{'sets': [[1, 2], [2, 3]]} or {'grid': [2, 3]}";
    if (value.get_if<Value::Dict>() == nullptr) {
        invalid(what, show(value), allowed);
    }
    Reader in(value, what);
    Quorum q;
    const int kinds = int{in.has("at_least")} + int{in.has("weights")} + int{in.has("sets")} +
                      int{in.has("grid")};
    if (kinds != 1) {
        invalid(what, show(value), allowed);
    }
    if (in.has("at_least")) {
        q = at_least(in.integer("at_least", 0, 1, INT64_MAX));
    } else if (in.has("weights")) {
        std::vector<std::int64_t> given;
        check_value(field_info<std::vector<std::int64_t>>(""), in.take("weights"), in.name("weights"));
        electionlab::from_value(in.take("weights"), given);
        if (std::any_of(given.begin(), given.end(),
                        [](std::int64_t w) { return w < 0 || w > 1'000'000'000; })) {
            invalid(in.name("weights"), show(in.take("weights")), "must be from 0 to 1000000000");
        }
        q = weighted(std::move(given), in.integer("needed", 0, 1, INT64_MAX));
    } else if (in.has("grid")) {
        const Value& sides = in.take("grid");
        const auto* list = sides.get_if<Value::List>();
        const auto side = [&](std::size_t at) {
            const auto* length = list != nullptr && list->size() == 2 ? (*list)[at].get_if<std::int64_t>()
                                                                      : nullptr;
            if (length == nullptr || *length < 1 || *length > longest_side) {
                invalid(in.name("grid"), show(sides),
                        "must be two numbers, rows and columns, from 1 to " +
                            std::to_string(longest_side));
            }
            return static_cast<NodeId>(*length);
        };
        q = grid(side(0), side(1));
    } else {
        std::vector<IdList> given;
        check_value(field_info<std::vector<IdList>>(""), in.take("sets"), in.name("sets"));
        electionlab::from_value(in.take("sets"), given);
        q = of_sets(std::move(given));
    }
    q.unsafe = in.boolean("unsafe", false);
    in.finish();
    return q;
}

Value Quorum::to_value() const {
    Value::Dict dict;
    switch (kind) {
        case Kind::majority: return enum_name(kind);
        case Kind::at_least: dict.emplace_back("at_least", needed); break;
        case Kind::weighted:
            dict.emplace_back("weights", electionlab::to_value(weights));
            dict.emplace_back("needed", needed);
            break;
        case Kind::listed: dict.emplace_back("sets", electionlab::to_value(sets)); break;
    }
    if (unsafe) {
        dict.emplace_back("unsafe", true);
    }
    return dict;
}

}  // namespace electionlab

// That there is one leader: asked of the views of every protocol alike, by simulator and checker.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"
#include "electionlab/node/view.h"

namespace electionlab {

inline constexpr std::string_view one_leader_per_epoch = "one_leader_per_epoch";
inline constexpr std::string_view one_leader_at_a_time = "one_leader_at_a_time";

/// Another node than `node` that acts as leader now, the highest; `no_node`: there is none.
constexpr NodeId other_leader(std::span<const View> views, NodeId node) {
    for (auto i = static_cast<NodeId>(views.size()); i > 0; --i) {
        if (i != node && views[i - 1].leads()) {
            return i;
        }
    }
    return no_node;
}

/// Who has led in each epoch so far. The history that "at most one leader per epoch" is about: two
/// leaders of one epoch need not act at the same moment.
struct EpochLeaders {
    struct Entry {
        Epoch epoch = 0;
        NodeId leader = no_node;
        EL_FIELDS(Entry, epoch, leader)
    };
    std::vector<Entry> entries;  ///< ascending

    EL_FIELDS(EpochLeaders, entries)

    /// A node begins to lead in an epoch; returns another one that led in it, or `no_node`.
    NodeId claim(Epoch epoch, NodeId node) {
        const auto place = std::lower_bound(entries.begin(), entries.end(), epoch,
                                            [](const Entry& e, Epoch wanted) { return e.epoch < wanted; });
        if (place == entries.end() || place->epoch != epoch) {
            entries.insert(place, {epoch, node});
            return no_node;
        }
        return place->leader == node ? no_node : place->leader;
    }
    void clear() { entries.clear(); }
};

}  // namespace electionlab

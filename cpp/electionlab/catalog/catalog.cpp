#include "electionlab/catalog/catalog.h"

#include <array>
#include <string>

#include "electionlab/core/errors.h"

namespace electionlab {

// One line for each protocol: its entry, from the source file of the same name in this folder.
#define EL_PROTOCOLS(entry)    \
    entry(raft)                \
    entry(bully)               \
    entry(ring)                \
    entry(le_lann)             \
    entry(chang_roberts)       \
    entry(franklin)            \
    entry(peterson)            \
    entry(hirschberg_sinclair) \
    entry(itai_rodeh)          \
    entry(flood_max)

#define EL_DECLARE(name) CatalogEntry name##_entry();
#define EL_LIST(name) name##_entry(),

EL_PROTOCOLS(EL_DECLARE)

std::span<const CatalogEntry> catalog() {
    static const std::array entries{EL_PROTOCOLS(EL_LIST)};
    return entries;
}

const CatalogEntry& find_protocol(std::string_view name) {
    std::string known;
    for (const CatalogEntry& entry : catalog()) {
        if (entry.describe().about.name == name) {
            return entry;
        }
        known += (known.empty() ? "" : ", ") + std::string(entry.describe().about.name);
    }
    invalid("protocol", "'" + std::string(name) + "'", "must be one of " + known);
}

}  // namespace electionlab

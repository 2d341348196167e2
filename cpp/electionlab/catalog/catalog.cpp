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
    entry(flood_max)           \
    entry(zk_recipe)           \
    entry(zk_lock)             \
    entry(zab)                 \
    entry(garcia_molina)       \
    entry(invitation)          \
    entry(lease)               \
    entry(kubernetes)          \
    entry(etcd)                \
    entry(paxos)               \
    entry(multi_paxos)         \
    entry(viewstamped)         \
    entry(heartbeat)           \
    entry(swim)                \
    entry(omega)

// Those whose leaders can also work on a resource: one file catalog/<name>_at_work.cpp each.
#define EL_AT_WORK(entry)      \
    entry(raft_at_work)        \
    entry(bully_at_work)       \
    entry(ring_at_work)        \
    entry(lease_at_work)       \
    entry(etcd_at_work)        \
    entry(kubernetes_at_work)  \
    entry(zk_recipe_at_work)   \
    entry(zk_lock_at_work)     \
    entry(zab_at_work)         \
    entry(multi_paxos_at_work) \
    entry(viewstamped_at_work)

#define EL_DECLARE(name) CatalogEntry name##_entry();
#define EL_LIST(name) name##_entry(),

EL_PROTOCOLS(EL_DECLARE)
EL_AT_WORK(EL_DECLARE)

std::span<const CatalogEntry> catalog() {
    static const std::array entries{EL_PROTOCOLS(EL_LIST)};
    return entries;
}

std::span<const CatalogEntry> catalog_at_work() {
    static const std::array entries{EL_AT_WORK(EL_LIST)};
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
    for (const CatalogEntry& entry : catalog_at_work()) {
        if (entry.describe().about.name == name) {
            return entry;
        }
    }
    invalid("protocol", "'" + std::string(name) + "'", "must be one of " + known);
}

}  // namespace electionlab

#include "electionlab/protocols/zk_lock.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry zk_lock_entry() { return catalog_entry<ZkLock, ZkLock, 64, 1000>(); }

}  // namespace electionlab

#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/zk_lock.h"

namespace electionlab {

CatalogEntry zk_lock_at_work_entry() { return at_work_entry<ZkLock>(); }

}  // namespace electionlab

#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/etcd.h"

namespace electionlab {

CatalogEntry etcd_at_work_entry() { return at_work_entry<Etcd>(); }

}  // namespace electionlab

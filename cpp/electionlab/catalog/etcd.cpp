#include "electionlab/protocols/etcd.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry etcd_entry() { return catalog_entry<Etcd>(); }

}  // namespace electionlab

#include "electionlab/protocols/lease.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry lease_entry() { return catalog_entry<Lease>(); }

}  // namespace electionlab

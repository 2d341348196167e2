#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/lease.h"

namespace electionlab {

CatalogEntry lease_at_work_entry() { return at_work_entry<Lease>(); }

}  // namespace electionlab

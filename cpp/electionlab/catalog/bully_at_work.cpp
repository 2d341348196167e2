#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/bully.h"

namespace electionlab {

CatalogEntry bully_at_work_entry() { return at_work_entry<Bully>(); }

}  // namespace electionlab

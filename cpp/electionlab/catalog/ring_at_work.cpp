#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/ring.h"

namespace electionlab {

CatalogEntry ring_at_work_entry() { return at_work_entry<Ring>(); }

}  // namespace electionlab

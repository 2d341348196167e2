#include "electionlab/protocols/ring.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry ring_entry() { return catalog_entry<Ring>(); }

}  // namespace electionlab

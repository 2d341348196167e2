#include "electionlab/protocols/bully.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry bully_entry() { return catalog_entry<Bully>(); }

}  // namespace electionlab

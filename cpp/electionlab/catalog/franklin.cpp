#include "electionlab/protocols/franklin.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry franklin_entry() { return catalog_entry<Franklin>(); }

}  // namespace electionlab

#include "electionlab/protocols/le_lann.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry le_lann_entry() { return catalog_entry<LeLann>(); }

}  // namespace electionlab

#include "electionlab/protocols/hirschberg_sinclair.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry hirschberg_sinclair_entry() { return catalog_entry<HirschbergSinclair>(); }

}  // namespace electionlab

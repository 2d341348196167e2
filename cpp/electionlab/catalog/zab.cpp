#include "electionlab/protocols/zab.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry zab_entry() { return catalog_entry<Zab>(); }

}  // namespace electionlab

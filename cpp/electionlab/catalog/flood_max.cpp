#include "electionlab/protocols/flood_max.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry flood_max_entry() { return catalog_entry<FloodMax>(); }

}  // namespace electionlab

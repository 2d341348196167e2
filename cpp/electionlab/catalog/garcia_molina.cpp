#include "electionlab/protocols/garcia_molina.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry garcia_molina_entry() { return catalog_entry<GarciaMolina>(); }

}  // namespace electionlab

#include "electionlab/protocols/swim.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry swim_entry() { return catalog_entry<Swim, Swim, 64, 1000>(); }

}  // namespace electionlab

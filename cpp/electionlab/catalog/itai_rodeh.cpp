#include "electionlab/protocols/itai_rodeh.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry itai_rodeh_entry() { return catalog_entry<ItaiRodeh>(); }

}  // namespace electionlab

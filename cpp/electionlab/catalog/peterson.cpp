#include "electionlab/protocols/peterson.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry peterson_entry() { return catalog_entry<Peterson>(); }

}  // namespace electionlab

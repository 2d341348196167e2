#include "electionlab/protocols/viewstamped.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry viewstamped_entry() {
    return catalog_entry<Viewstamped, Viewstamped, 64, Viewstamped::Nodes::capacity>();
}

}  // namespace electionlab

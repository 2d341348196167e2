#include "electionlab/protocols/chang_roberts.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry chang_roberts_entry() {
    return catalog_entry<ChangRoberts, ChangRoberts, 64, max_light_nodes>();
}

}  // namespace electionlab

#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/viewstamped.h"

namespace electionlab {

CatalogEntry viewstamped_at_work_entry() { return at_work_entry<Viewstamped>(); }

}  // namespace electionlab

#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/zab.h"

namespace electionlab {

CatalogEntry zab_at_work_entry() { return at_work_entry<Zab>(); }

}  // namespace electionlab

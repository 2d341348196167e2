#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/multi_paxos.h"

namespace electionlab {

CatalogEntry multi_paxos_at_work_entry() { return at_work_entry<MultiPaxos>(); }

}  // namespace electionlab

#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/raft.h"

namespace electionlab {

CatalogEntry raft_at_work_entry() { return at_work_entry<Raft<64>>(); }

}  // namespace electionlab

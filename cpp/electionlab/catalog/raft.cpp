#include "electionlab/protocols/raft.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry raft_entry() { return catalog_entry<Raft<64>, Raft<10240>>(); }

}  // namespace electionlab

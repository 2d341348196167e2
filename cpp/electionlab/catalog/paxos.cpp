#include "electionlab/protocols/paxos.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry paxos_entry() { return catalog_entry<Paxos, Paxos, 64, most_ballot_nodes>(); }

}  // namespace electionlab

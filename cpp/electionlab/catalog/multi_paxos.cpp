#include "electionlab/protocols/multi_paxos.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry multi_paxos_entry() {
    return catalog_entry<MultiPaxos, MultiPaxos, 64, most_ballot_nodes>();
}

}  // namespace electionlab

#include "electionlab/protocols/heartbeat.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

// Every node keeps a detector for every other one: a thousand nodes have a million of them.
CatalogEntry heartbeat_entry() {
    return catalog_entry<HeartbeatElection, HeartbeatElection, 64, 1000>();
}

}  // namespace electionlab

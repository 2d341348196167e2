#include "electionlab/protocols/kubernetes.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry kubernetes_entry() { return catalog_entry<Kubernetes>(); }

}  // namespace electionlab

#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/kubernetes.h"

namespace electionlab {

CatalogEntry kubernetes_at_work_entry() { return at_work_entry<Kubernetes>(); }

}  // namespace electionlab

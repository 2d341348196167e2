#include "electionlab/protocols/omega.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry omega_entry() { return catalog_entry<Omega, Omega, 64, 1000>(); }

}  // namespace electionlab

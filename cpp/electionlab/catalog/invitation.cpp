#include "electionlab/protocols/invitation.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry invitation_entry() { return catalog_entry<Invitation>(); }

}  // namespace electionlab

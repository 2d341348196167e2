#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/zk_recipe.h"

namespace electionlab {

CatalogEntry zk_recipe_at_work_entry() { return at_work_entry<ZkRecipe>(); }

}  // namespace electionlab

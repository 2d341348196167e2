#include "electionlab/protocols/zk_recipe.h"

#include "electionlab/catalog/entry.h"

namespace electionlab {

CatalogEntry zk_recipe_entry() { return catalog_entry<ZkRecipe, ZkRecipe, 64, 1000>(); }

}  // namespace electionlab

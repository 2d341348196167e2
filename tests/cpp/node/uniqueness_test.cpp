#include "electionlab/node/uniqueness.h"

#include <vector>

#include "catch_shim.h"

using namespace electionlab;

TEST_CASE("uniqueness: another node that leads now is found, whoever asks", "[node][properties]") {
    std::vector<View> views(5);
    CHECK(other_leader(views, 1) == no_node);
    views[2].role = Role::leader;
    CHECK(other_leader(views, 3) == no_node);
    CHECK(other_leader(views, 1) == 3);
    views[4].role = Role::leader;
    CHECK(other_leader(views, 3) == 5);
    CHECK(other_leader(views, 5) == 3);
    views[4].role = Role::paused;
    CHECK(other_leader(views, 3) == no_node);
}

TEST_CASE("uniqueness: a second leader of an epoch is found, however late", "[node][properties]") {
    EpochLeaders leaders;
    CHECK(leaders.claim(3, 1) == no_node);
    CHECK(leaders.claim(7, 2) == no_node);
    CHECK(leaders.claim(5, 3) == no_node);
    CHECK(leaders.claim(3, 1) == no_node);  // the same one again
    CHECK(leaders.claim(3, 2) == 1);
    CHECK(leaders.claim(5, 1) == 3);
    CHECK(leaders.claim(3, 1) == no_node);  // the first claim is the one that stays

    EpochLeaders same;
    for (const auto& [epoch, node] : {std::pair<Epoch, NodeId>{7, 2}, {5, 3}, {3, 1}}) {
        same.claim(epoch, node);
    }
    CHECK(same == leaders);  // a value: the order in which it was told does not matter
    CHECK(hash_of(same) == hash_of(leaders));
    leaders.clear();
    CHECK(leaders.claim(3, 9) == no_node);
}

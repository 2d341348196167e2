#include "electionlab/core/id_list.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "electionlab/core/fields.h"

#include "catch_shim.h"

using namespace electionlab;

TEST_CASE("id list: a copy shares, a longer list is another list", "[core][id_list]") {
    const IdList empty;
    CHECK(empty.empty());
    CHECK(empty.size() == 0);
    CHECK(empty.front() == no_node);
    const IdList two{4, 9};
    const IdList same = two;  // NOLINT: the copy is the point
    CHECK(same.ids().data() == two.ids().data());
    const IdList three = two.with(1);
    CHECK(two.size() == 2);
    CHECK(three == IdList{4, 9, 1});
    CHECK(three.front() == 4);
    CHECK(three.contains(9));
    CHECK_FALSE(two.contains(1));
    CHECK(empty.with(7) == IdList{7});
}

TEST_CASE("id list: equality and hash go by content and order", "[core][id_list]") {
    const IdList a{1, 2, 3};
    const IdList b = IdList{1, 2}.with(3);
    CHECK(a.ids().data() != b.ids().data());
    CHECK(a == b);
    CHECK(hash_of(a) == hash_of(b));
    CHECK_FALSE(a == IdList{3, 2, 1});
    CHECK(hash_of(a) != hash_of(IdList{3, 2, 1}));
    CHECK_FALSE(IdList{0} == IdList{});
    CHECK(hash_of(IdList{0}) != hash_of(IdList{}));
}

TEST_CASE("id list: assignment, self-assignment and moves keep the content", "[core][id_list]") {
    IdList a{1, 2};
    IdList& alias = a;
    a = alias;
    CHECK(a == IdList{1, 2});
    IdList b = std::move(a);
    CHECK(b == IdList{1, 2});
    a = IdList{5};
    std::swap(a, b);
    CHECK(a == IdList{1, 2});
    CHECK(b == IdList{5});
    b = {};
    CHECK(b.empty());
}

TEST_CASE("id list: grows to ten thousand nodes", "[core][id_list]") {
    IdList list;
    for (NodeId node = 1; node <= 10'000; ++node) {
        list = list.with(node);
    }
    REQUIRE(list.size() == 10'000);
    for (NodeId node = 1; node <= 10'000; ++node) {
        REQUIRE(list.ids()[node - 1] == node);
    }
}

TEST_CASE("id list: may be copied, changed and freed in other threads",
          "[core][id_list][threads]") {
    const IdList shared{1, 2, 3};
    std::vector<IdList> made(8);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < made.size(); ++t) {
        threads.emplace_back([&, t] {
            for (NodeId i = 0; i < 2000; ++i) {
                const IdList copy = shared;  // NOLINT: the copy is the point
                made[t] = copy.with(i);      // the old one is freed here
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const IdList& list : made) {  // blocks of threads that are gone
        CHECK(list == IdList{1, 2, 3, 1999});
    }
    CHECK(shared == IdList{1, 2, 3});
}

#include "electionlab/core/fields.h"

#include <cstdint>
#include <string>
#include <vector>

#include "electionlab/node/view.h"

#include "catch_shim.h"

using namespace electionlab;

namespace fields_test {

struct Inner {
    std::int64_t term = 0;
    Role role = Role::follower;
    EL_FIELDS(Inner, term, role)
};

struct Whole {
    Inner inner;
    bool flag = false;
    Duration span;
    NodeSet<70> set;
    IdList list;
    std::uint32_t number = 0;
    std::vector<NodeId> more;
    EL_FIELDS(Whole, inner, flag, span, set, list, number, more)
};

struct Nothing {
    EL_FIELDS(Nothing)
};

static_assert(check_fields<Inner>() && check_fields<Whole>() && check_fields<Nothing>());
static_assert(Whole::field_total == 7);

inline Whole example() {
    Whole w;
    w.inner = {7, Role::leader};
    w.flag = true;
    w.span = us(1500);
    w.set.insert(1);
    w.set.insert(65);
    w.list = {3, 1, 2};
    w.number = 4'000'000'000U;
    w.more = {9, 8};
    return w;
}

}  // namespace fields_test

using namespace fields_test;

TEST_CASE("fields: a change of any one field breaks equality and moves the hash",
          "[core][fields]") {
    const Whole original = example();
    CHECK(original == example());
    CHECK(hash_of(original) == hash_of(example()));
    const auto differs = [&](auto&& change) {
        Whole other = example();
        change(other);
        return !(other == original) && hash_of(other) != hash_of(original);
    };
    CHECK(differs([](Whole& w) { w.inner.term = 8; }));
    CHECK(differs([](Whole& w) { w.inner.role = Role::candidate; }));
    CHECK(differs([](Whole& w) { w.flag = false; }));
    CHECK(differs([](Whole& w) { w.span = us(1501); }));
    CHECK(differs([](Whole& w) { w.set.erase(65); }));
    CHECK(differs([](Whole& w) { w.list = {3, 1}; }));
    CHECK(differs([](Whole& w) { w.number = 0; }));
    CHECK(differs([](Whole& w) { w.more = {8, 9}; }));
}

TEST_CASE("fields: neighbouring lists cannot be confused", "[core][fields]") {
    Whole a, b;
    a.list = {1, 2};
    b.list = {1};
    b.more = {2};
    CHECK(hash_of(a) != hash_of(b));
}

TEST_CASE("fields: the hash is a number that never changes", "[core][fields][format]") {
    // Written down once: golden traces and saved fingerprints depend on it.
    CHECK(hash_of(Inner{7, Role::leader}) == 0xa2217721ecfdfd83ULL);
}

TEST_CASE("fields: prints with names, in the order of the list", "[core][fields]") {
    CHECK(to_value(example()).to_json() ==
          R"({"inner": {"term": 7, "role": "leader"}, "flag": true, "span": 1.5, "set": [1, 65], )"
          R"("list": [3, 1, 2], "number": 4000000000, "more": [9, 8]})");
    CHECK(to_value(Nothing{}).to_json() == "{}");
    CHECK(in_words(to_value(Inner{7, Role::leader})) == "term 7, role leader");
}

TEST_CASE("fields: what is encoded is decoded to the same", "[core][fields][format]") {
    std::vector<std::int64_t> words;
    encode_fields(example(), words);
    encode_fields(Nothing{}, words);
    encode_fields(example(), words);
    const std::int64_t* at = words.data();
    const auto infos = field_infos<Whole>();
    CHECK(decode_fields(infos, at).to_json() == to_value(example()).to_json());
    CHECK(decode_fields(field_infos<Nothing>(), at).to_json() == "{}");
    CHECK(decode_fields(infos, at).to_json() == to_value(example()).to_json());
    CHECK(at == words.data() + words.size());
}

TEST_CASE("fields: text travels in words of eight bytes", "[core][fields][format]") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "a", "12345678", "123456789", "Zürich \xf0\x9f\x97\xb3");
    std::vector<std::int64_t> words;
    encode_text(text, words);
    const std::int64_t* at = words.data();
    const Value decoded = decode_fields({FieldInfo{"t", FieldType::json}}, at);
    CHECK(decoded == Value(Value::Dict{{"t", text}}));
    CHECK(at == words.data() + words.size());
}

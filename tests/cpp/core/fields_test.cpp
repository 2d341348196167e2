#include "electionlab/core/encoding.h"
#include "electionlab/core/fields.h"

#include <cstdint>
#include <limits>
#include <optional>
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

// What Paxos' promise, Zab's notification and a service's table need.
struct Accepted {
    std::int64_t ballot = 0;
    std::string value;
    EL_FIELDS(Accepted, ballot, value)
};

struct Promise {
    std::int64_t ballot = 0;
    std::optional<Accepted> accepted;
    std::optional<NodeId> leader;
    std::vector<Accepted> log;
    std::vector<std::int64_t> numbers;
    std::vector<std::optional<Duration>> waits;
    std::string path;
    EL_FIELDS(Promise, ballot, accepted, leader, log, numbers, waits, path)
};
static_assert(check_fields<Promise>());
static_assert(FieldValue<std::vector<std::vector<IdList>>> && FieldValue<std::string>);
static_assert(!FieldValue<double> && !FieldValue<const char*> && !FieldValue<void*> &&
              !FieldValue<std::vector<bool>>);

inline Promise promise() {
    return {7, Accepted{5, "blue"}, std::nullopt, {{1, "a"}, {2, ""}}, {-1, 4}, {ms(3), {}}, "/n-1"};
}

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
    const Value decoded = decode_fields({FieldInfo{"t", FieldType::text}}, at);
    CHECK(decoded == Value(Value::Dict{{"t", text}}));
    CHECK(at == words.data() + words.size());
}

TEST_CASE("fields: optional values, text and lists of structs compare, hash, print and travel",
          "[core][fields][format]") {
    const Promise original = promise();
    CHECK(original == promise());
    CHECK(hash_of(original) == hash_of(promise()));
    const auto differs = [&](auto&& change) {
        Promise other = promise();
        change(other);
        return !(other == original) && hash_of(other) != hash_of(original);
    };
    CHECK(differs([](Promise& p) { p.accepted.reset(); }));
    CHECK(differs([](Promise& p) { p.accepted->value = "red"; }));
    CHECK(differs([](Promise& p) { p.leader = 1; }));
    CHECK(differs([](Promise& p) { p.log[1].value = "b"; }));
    CHECK(differs([](Promise& p) { p.log.pop_back(); }));
    CHECK(differs([](Promise& p) { p.numbers[0] = 1; }));
    CHECK(differs([](Promise& p) { p.waits[1] = ms(0); }));
    CHECK(differs([](Promise& p) { p.path = ""; }));

    const std::string printed =
        R"({"ballot": 7, "accepted": {"ballot": 5, "value": "blue"}, "leader": null, "log": )"
        R"([{"ballot": 1, "value": "a"}, {"ballot": 2, "value": ""}], "numbers": [-1, 4], )"
        R"("waits": [3.0, null], "path": "/n-1"})";
    CHECK(to_value(original).to_json() == printed);
    std::vector<std::int64_t> words;
    encode_fields(original, words);
    encode_fields(Promise{}, words);
    const std::int64_t* at = words.data();
    CHECK(decode_fields(field_infos<Promise>(), at).to_json() == printed);
    CHECK(decode_fields(field_infos<Promise>(), at) == to_value(Promise{}));
    CHECK(at == words.data() + words.size());

    Promise read;
    from_value(to_value(original), read);
    CHECK(read == original);
    Whole whole;
    from_value(to_value(example()), whole);
    CHECK(whole == example());
}

TEST_CASE("fields: a value that does not fit a field is refused by name", "[core][fields]") {
    const FieldInfo info = field_info<Promise>("promise");
    const auto refused = [&](const Value& value) {
        std::string text;
        try {
            check_value(info, value, "promise");
        } catch (const std::invalid_argument& error) {
            text = error.what();
        }
        return text;
    };
    CHECK(refused(to_value(promise())).empty());
    CHECK(refused(Value::Dict{}).empty());
    CHECK(refused(Value::Dict{{"ballot", "x"}}).find("promise.ballot='x': must be a whole") == 0);
    CHECK(refused(Value::Dict{{"leader", -1}}).find("promise.leader=-1: must be a whole") == 0);
    CHECK(refused(Value::Dict{{"accepted", Value::Dict{{"value", 3}}}}) ==
          "promise.accepted.value=3: must be text");
    CHECK(refused(Value::Dict{{"log", 3}}) == "promise.log=3: must be a list");
    CHECK(refused(Value::Dict{{"ballit", 3}}).find("promise.ballit=3: is not known here") == 0);
    CHECK(refused(3).find("must be a dictionary") != std::string::npos);
    CHECK_THROWS_AS(check_value(field_info<NodeSet<70>>("set"), Value::List{71}, "set"),
                    std::invalid_argument);
    CHECK_THROWS_AS(check_value(field_info<Role>("role"), "king", "role"), std::invalid_argument);
    CHECK_THROWS_AS(check_value(field_info<Duration>("span"), -1, "span"), std::invalid_argument);
    CHECK_THROWS_AS(check_value(field_info<bool>("flag"), 1, "flag"), std::invalid_argument);
}

TEST_CASE("fields: a value of any make is encoded and decoded to the same",
          "[core][fields][format]") {
    const Value value = Value::Dict{{"none", Value()},
                                    {"yes", true},
                                    {"n", std::numeric_limits<std::int64_t>::min()},
                                    {"x", -0.1},
                                    {"text", "twelve bytes"},
                                    {"list", Value::List{1, Value::List{}, Value::Dict{}}}};
    std::vector<std::int64_t> words;
    encode_any(value, words);
    const std::int64_t* at = words.data();
    CHECK(decode_field(FieldInfo{"", FieldType::any}, at) == value);
    CHECK(at == words.data() + words.size());
}

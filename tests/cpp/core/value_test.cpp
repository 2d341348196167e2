#include "electionlab/core/value.h"

#include <cmath>
#include <limits>

#include "electionlab/core/errors.h"

#include "catch_shim.h"

using namespace electionlab;
using Dict = Value::Dict;
using List = Value::List;

TEST_CASE("value: JSON escapes what JSON must escape", "[core][value][format]") {
    CHECK(Value("a\"b\\c\nd\te\rf\x01g\x1f").to_json() ==
          "\"a\\\"b\\\\c\\nd\\te\\u000df\\u0001g\\u001f\"");
    CHECK(Value("Zürich").to_json() == "\"Zürich\"");  // UTF-8 stays as it is
    CHECK(Value(Dict{{"k\"", 1}}).to_json() == "{\"k\\\"\": 1}");
}

TEST_CASE("value: numbers print so that they are read back as the same", "[core][value][format]") {
    CHECK(Value(3).to_json() == "3");
    CHECK(Value(3.0).to_json() == "3.0");
    CHECK(Value(0.1).to_json() == "0.1");
    CHECK(Value(-2.5e-7).to_json() == "-2.5e-07");
    CHECK(Value(1e300).to_json() == "1e+300");
    CHECK(Value(INT64_MIN).to_json() == "-9223372036854775808");
    CHECK(Value(std::nan("")).to_json() == "null");
    CHECK(Value(-std::numeric_limits<double>::infinity()).to_json() == "null");
    CHECK(Value(true).to_json() == "true");
    CHECK(Value().to_json() == "null");
    CHECK(Value(List{}).to_json() == "[]");
    CHECK(Value(Dict{}).to_json() == "{}");
    CHECK(Value(List{1, "a", List{}, Value()}).to_json() == R"([1, "a", [], null])");
}

TEST_CASE("value: a dictionary keeps its order and is compared with it", "[core][value]") {
    const Value a = Dict{{"x", 1}, {"y", 2}};
    const Value b = Dict{{"y", 2}, {"x", 1}};
    CHECK(a.to_json() == R"({"x": 1, "y": 2})");
    CHECK_FALSE(a == b);
    CHECK(*a.find("y") == Value(2));
    CHECK(a.find("z") == nullptr);
    CHECK(Value(7).find("x") == nullptr);
    CHECK_FALSE(Value(1) == Value(1.0));
    CHECK_FALSE(Value(1) == Value(true));
}

TEST_CASE("value: an error message shows values as Python writes them", "[core][value]") {
    CHECK(show(Value()) == "None");
    CHECK(show("text") == "'text'");
    CHECK(show(std::nan("")) == "nan");
    CHECK(show(-std::numeric_limits<double>::infinity()) == "-inf");
    CHECK(show(List{1, 2}) == "[1, 2]");
}

TEST_CASE("reader: refuses what it does not know and says what it knows", "[core][value][errors]") {
    const Value source = Dict{{"nodes", 3}, {"sped", 1}};
    Reader in(source, "network");
    CHECK(in.integer("nodes", 0, 1, 9) == 3);
    CHECK(in.number("speed", 2.5, 0, 10) == 2.5);
    CHECK_THROWS_WITH(in.finish(),
                      contains("network.sped") && contains("1") && contains("nodes, speed"));
    CHECK_THROWS_AS(in.finish(), InvalidArgument);
}

TEST_CASE("reader: a bad entry is refused with its name, its value and what is allowed",
          "[core][value][errors]") {
    const Value source = Dict{{"nodes", 30}, {"half", 1.5}, {"p", 2.0},       {"nan", std::nan("")},
                              {"yes", 1},    {"name", 4},   {"none", Value()}};
    Reader in(source, "");
    CHECK_THROWS_WITH(in.integer("nodes", 0, 1, 9),
                      contains("nodes=30") && contains("from 1 to 9"));
    CHECK_THROWS_WITH(in.integer("half", 0, 1, 9),
                      contains("half=1.5") && contains("whole number"));
    CHECK_THROWS_WITH(in.number("p", 0, 0, 1), contains("p=2.0") && contains("from 0.0 to 1.0"));
    CHECK_THROWS_WITH(in.number("nan", 0, 0, 1), contains("nan=nan"));
    CHECK_THROWS_WITH(in.boolean("yes", false), contains("yes=1") && contains("true or false"));
    CHECK_THROWS_WITH(in.text("name", ""), contains("name=4") && contains("text"));
    CHECK(in.integer("none", 12, 0, 99) == 12);  // null is as good as absent
    CHECK_THROWS_WITH(Reader(Value(5), "options"), contains("options=5") && contains("dictionary"));
    CHECK_THROWS_WITH(Reader(Value(List{}), "x"), contains("x=[]"));
}

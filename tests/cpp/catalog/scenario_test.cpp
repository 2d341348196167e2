// The scenario files: this runner and the Python one must print the same bytes.
#include "electionlab/catalog/scenario.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "catch_shim.h"
#include "electionlab/core/errors.h"

using namespace electionlab;

namespace {

std::vector<std::filesystem::path> scenario_files() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(ELECTIONLAB_TESTS_DIR "/scenarios")) {
        if (entry.path().extension() == ".scenario") {
            files.push_back(entry.path());
        }
    }
    return files;
}

std::string read(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("scenario: every file holds", "[scenario]") {
    const auto files = scenario_files();
    REQUIRE(files.size() >= 12);
    for (const auto& path : files) {
        CAPTURE(path.string());
        const std::string text = read(path);
        CHECK(run_scenario(text) == text);
    }
}

TEST_CASE("scenario: a wrong output is replaced by the true one", "[scenario]") {
    const std::string head = "cluster bully nodes=3 delay_ms=10\nrun agreement\nleaders\n----\n";
    CHECK(run_scenario(head + "node 1 acts as leader\n") ==
          head + "node 3 acts as leader; all live nodes agree: yes\n");
}

TEST_CASE("scenario: a bad directive is refused with its line", "[scenario][format]") {
    const char* bad[] = {"crash 3\n----\n",                          // before the cluster
                         "cluster raft nodes=0\n----\n",
                         "cluster raft nodes=-3\n----\n",
                         "cluster raft\n----\n",
                         "cluster rafft nodes=3\n----\n",
                         "cluster raft nodes=3\ncrash trigger\n----\n",
                         "cluster raft nodes=3\ncrash 4\n----\n",
                         "cluster raft nodes=3\nfly 1\n----\n",
                         "cluster raft nodes=3\nrun for_ms=-1\n----\n",
                         "cluster raft nodes=3\nstep 0\n----\n",
                         "cluster raft nodes=3\ndeliver VoteRequest 1->2\n----\n",
                         "cluster raft nodes=3\ncount Nothing\n----\n",
                         "cluster raft nodes=3\ncommand 1 Write\n----\n",
                         "cluster raft nodes=3\nstep 3\nfire 1 election about=2\n----\n",
                         "cluster raft nodes=3 logs=[[1,2\n----\n"};
    for (const char* text : bad) {
        CAPTURE(text);
        try {
            run_scenario(text);
            FAIL("not refused");
        } catch (const InvalidArgument& error) {
            CHECK(std::string(error.what()).rfind("line ", 0) == 0);
        }
    }
}

TEST_CASE("scenario: one without a cluster says nothing and is refused", "[scenario][format]") {
    for (const char* text : {"", "\n", "# a comment\n\n"}) {
        CAPTURE(text);
        CHECK_THROWS_WITH(run_scenario(text), contains("cluster PROTOCOL nodes=N"));
    }
}

TEST_CASE("scenario: values are numbers, words, texts, lists and dictionaries", "[scenario][format]") {
    CHECK(parse_value("-3") == Value(-3));
    CHECK(parse_value("0.5") == Value(0.5));
    CHECK(parse_value("true") == Value(true));
    CHECK(parse_value("leader") == Value("leader"));
    CHECK(parse_value("[[1, 2], [3]]") == Value(Value::List{Value::List{1, 2}, Value::List{3}}));
    CHECK(parse_value("{\"a\": 1, b: \"x y\"}") == Value(Value::Dict{{"a", 1}, {"b", "x y"}}));
    for (const char* bad : {"", "[", "[1 2]", "{a}", "\"x", "1,", "[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_value(bad), InvalidArgument);
    }
}

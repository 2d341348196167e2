#include "electionlab/node/options.h"

#include "electionlab/protocols/bully.h"
#include "electionlab/protocols/raft.h"
#include "electionlab/protocols/ring.h"

#include "catch_shim.h"

using namespace electionlab;
using Dict = Value::Dict;
using List = Value::List;

TEST_CASE("options: written with names and units, read back to the same", "[node][options]") {
    RaftOptions options;
    options.election_timeout = {us(150'500), ms(301)};
    options.timeout_policy = TimeoutPolicy::quantised;
    options.logs = {{1, 2}, {3, 4}};
    const Value written = options_to_value(options);
    CHECK(written.to_json() ==
          R"({"election_timeout_ms": [150.5, 301.0], "heartbeat_interval_ms": 50.0, )"
          R"("timeout_policy": "quantised", "tick_ms": 1.0, "retry_interval_ms": 0.0, )"
          R"("logs": [{"term": 1, "index": 2}, {"term": 3, "index": 4}], "pre_vote": false, )"
          R"("check_quorum": false, "quorum_timeout_ms": 0.0, "leader_stickiness": false, )"
          R"("reads": "confirmed", "clock_drift_bound_ppm": 0, "priorities": [], )"
          R"("non_voters": [], "witnesses": [], "quorum": "majority"})");
    CHECK(options_to_value(options_from_value<RaftOptions>(written)) == written);
    CHECK(options_to_value(options_from_value<BullyOptions>(Dict{})) ==
          options_to_value(BullyOptions{}));
}

TEST_CASE("options: a pair and a dictionary both give a log", "[node][options]") {
    const auto read = options_from_value<RaftOptions>(
        Dict{{"logs", List{List{2, 9}, Dict{{"term", 1}, {"index", 5}}}}});
    REQUIRE(read.logs.size() == 2);
    CHECK(read.logs[0] == LogEnd{2, 9});
    CHECK(read.logs[1] == LogEnd{1, 5});
}

TEST_CASE("options: an unknown or bad one is refused by name", "[node][options][errors]") {
    CHECK_THROWS_WITH(options_from_value<RaftOptions>(Dict{{"heartbeat_ms", 5}}),
                      contains("heartbeat_ms") && contains("heartbeat_interval_ms"));
    CHECK_THROWS_WITH(
        options_from_value<RaftOptions>(Dict{{"election_timeout_ms", List{300, 150}}}),
        contains("election_timeout_ms") && contains("min <= max"));
    CHECK_THROWS_WITH(options_from_value<RaftOptions>(Dict{{"logs", 3}}), contains("logs=3"));
    CHECK_THROWS_WITH(options_from_value<RaftOptions>(List{}), contains("dictionary"));
}

TEST_CASE("options: each is described with its type, its default and its meaning",
          "[node][options]") {
    for (const auto& infos :
         {option_infos<RaftOptions>(), option_infos<BullyOptions>(), option_infos<RingOptions>()}) {
        for (const OptionInfo& info : infos) {
            CAPTURE(info.name);
            CHECK(info.doc.size() > 20);
            CHECK_FALSE(info.type.empty());
            CHECK_FALSE(info.default_value.is_null());
        }
    }
    const auto raft = option_infos<RaftOptions>();
    CHECK(raft[0].type == "range_ms");
    CHECK(raft[2].choices == std::vector<std::string>{"redrawn", "drawn_once", "redrawn_each_tick",
                                                      "quantised", "rounded"});
}

#include "electionlab/node/options.h"

#include <cmath>

#include "electionlab/detectors/detector.h"
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
          R"("logs": [{"term": 1, "index": 2}, {"term": 3, "index": 4}], "terms": [], )"
          R"("pre_vote": false, )"
          R"("check_quorum": false, "quorum_timeout_ms": 0.0, "leader_stickiness": false, )"
          R"("stickiness_by_ticks": false, )"
          R"("reads": "confirmed", "clock_drift_bound_ppm": 0, "priorities": [], )"
          R"("non_voters": [], "witnesses": [], "quorum": "majority", "mutations": []})");
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

TEST_CASE("options: a number may be whole or not, but finite", "[node][options]") {
    CHECK(options_from_value<DetectorOptions>(Dict{{"phi_threshold", 3}}).phi_threshold == 3);
    CHECK(options_from_value<DetectorOptions>(Dict{{"phi_threshold", 2.5}}).phi_threshold == 2.5);
    for (const Value& bad : {Value("high"), Value(true), Value(List{1}), Value(HUGE_VAL)}) {
        CHECK_THROWS_WITH(options_from_value<DetectorOptions>(Dict{{"phi_threshold", bad}}),
                          contains("phi_threshold") && contains("must be a finite number"));
    }
}

TEST_CASE("options: heartbeats that are not more frequent than the silence allowed warn",
          "[node][options]") {
    RaftOptions raft;
    CHECK(option_warnings(raft).empty());
    raft.heartbeat_interval = raft.election_timeout.min;
    REQUIRE(option_warnings(raft).size() == 1);
    CHECK(option_warnings(raft)[0] ==
          "heartbeat_interval_ms=150.0: not below election_timeout_ms=[150.0, 300.0], so followers "
          "may suspect a leader that is alive");
    BullyOptions bully;
    bully.heartbeat_interval = bully.leader_timeout + ms(1);
    CHECK(option_warnings(bully).size() == 1);
    DetectorOptions detector;
    detector.heartbeat_interval = detector.timeout;
    CHECK(option_warnings(detector).size() == 1);
    detector.detector = DetectorKind::phi;  // has no fixed silence
    CHECK(option_warnings(detector).empty());
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

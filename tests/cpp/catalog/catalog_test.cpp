#include "electionlab/catalog/catalog.h"

#include <set>
#include <string>

#include "electionlab/catalog/entry.h"
#include "electionlab/protocols/bully.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

TEST_CASE("catalog: has each protocol once, under its own name", "[catalog]") {
    std::set<std::string> names;
    for (const CatalogEntry& entry : catalog()) {
        const Description& d = entry.describe();
        CAPTURE(d.about.name);
        CHECK(names.insert(std::string(d.about.name)).second);
        CHECK_FALSE(d.about.source.empty());
        CHECK_FALSE(d.about.assumptions.empty());
        CHECK_FALSE(d.about.cost.empty());
        CHECK_FALSE(d.about.weaknesses.empty());
        CHECK_FALSE(d.messages.empty());
        CHECK(&find_protocol(d.about.name) == &entry);
    }
    CHECK(names.size() == catalog().size());
    CHECK(names.count("raft") + names.count("bully") + names.count("ring") == 3);
}

TEST_CASE("catalog: an unknown name is refused with the names there are", "[catalog][errors]") {
    CHECK_THROWS_WITH(find_protocol("rafft"),
                      contains("protocol='rafft'") && contains("raft, bully, ring, "));
}

TEST_CASE("catalog: a cluster's size is checked", "[catalog][errors]") {
    const std::size_t index = GENERATE(range(std::size_t{0}, catalog().size()));
    const CatalogEntry& entry = catalog()[index];
    CAPTURE(entry.describe().about.name);
    CHECK_THROWS_WITH(entry.make_cluster(Dict{}, 0, Dict{}, true), contains("nodes=0"));
    const NodeId most = entry.max_nodes;
    const std::string refused =
        "nodes=" + std::to_string(most + 1) + ": must be a whole number from 1 to " +
        std::to_string(most);
    CHECK_THROWS_WITH(entry.make_cluster(Dict{}, most + 1, Dict{}, true), contains(refused));
    CHECK_THROWS_WITH(entry.check_options(Dict{}, most + 1), contains(refused));
    CHECK_THROWS_WITH(entry.make_trials(Dict{}, most + 1, Dict{}, {}), contains(refused));
    CHECK(entry.make_cluster(Dict{}, most, Dict{}, false)->members() == most);
}

TEST_CASE("catalog: two entries of one protocol keep limits of their own", "[catalog]") {
    const CatalogEntry small = catalog_entry<Bully, Bully, 2, 4>();
    const CatalogEntry large = catalog_entry<Bully, Bully, 2, 9>();
    CHECK(small.max_nodes == 4);
    CHECK(large.max_nodes == 9);
    CHECK_THROWS_WITH(small.make_cluster(Dict{}, 5, Dict{}, true), contains("1 to 4"));
    CHECK(large.make_cluster(Dict{}, 5, Dict{}, true)->members() == 5);
}

TEST_CASE("catalog: a bad configuration is refused by name", "[catalog][errors]") {
    const auto make = [](const Value& config) {
        return find_protocol("raft").make_cluster(Dict{}, 3, config, true);
    };
    CHECK_THROWS_WITH(make(Dict{{"sede", 1}}), contains("sede=1") && contains("seed"));
    CHECK_THROWS_WITH(make(Dict{{"seed", -1}}), contains("seed=-1"));
    CHECK_THROWS_WITH(make(Dict{{"seed", 1.5}}), contains("seed=1.5"));
    CHECK_THROWS_WITH(make(Dict{{"initial_leader", 4}}), contains("initial_leader=4"));
    CHECK_THROWS_WITH(make(Dict{{"write_mode", "lazy"}}), contains("write_mode='lazy'"));
    CHECK_THROWS_WITH(make(Dict{{"every_node", Dict{{"clock_drift_ppm", 1e9}}}}),
                      contains("every_node.clock_drift_ppm"));
    CHECK_THROWS_WITH(make(Dict{{"every_node", Dict{{"processing_ms", -2}}}}),
                      contains("every_node.processing_ms=-2"));
    CHECK_THROWS_WITH(make(Dict{{"nodes", List{Dict{{"node", 7}}}}}), contains("node=7"));
    CHECK_THROWS_WITH(make(Dict{{"nodes", List{Dict{{"node", 2}}, Dict{{"node", 2}}}}}),
                      contains("nodes.node=2") && contains("twice"));
    CHECK_THROWS_WITH(make(Dict{{"actions", List{Dict{{"action", "crash"}, {"node", 9}}}}}),
                      contains("crash.node=9"));
}

TEST_CASE("catalog: a configuration is read back as it was written", "[catalog][format]") {
    Story s("raft", 4, Dict{{"heartbeat_interval_ms", 25}},
            Dict{{"seed", 7},
                 {"trial", 3},
                 {"write_mode", "pipelined"},
                 {"network", Dict{{"one_way_delay_ms", List{1, 2}}, {"loss_probability", 0.25}}},
                 {"every_node", Dict{{"write_delay_ms", 3}, {"clock_drift_ppm", List{-5, 5}}}},
                 {"nodes", List{Dict{{"node", 2}, {"config", Dict{{"processing_ms", 1.5}}}}}},
                 {"initial_leader", 2},
                 {"actions", List{Dict{{"action", "at"},
                                       {"at_ms", 50},
                                       {"do", Dict{{"action", "crash"}, {"node", 1}}}}}}});
    const Value written = s->config().to_value();
    Story again("raft", 4, s->options(), written);
    CHECK(again->config().to_value() == written);
    s.until(500);
    again.until(500);
    CHECK(s->trace().hash() == again->trace().hash());
}

TEST_CASE("catalog: large clusters work, too", "[catalog][scale]") {
    Story s("raft", 300, Dict{{"election_timeout_ms", List{150, 3000}}}, Dict{}, false);
    CHECK(s.until_agreement(20'000));
    CHECK(s.violations() == 0);
}

#include "electionlab/check/search.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "electionlab/check/protocol_rules.h"

#include "catch_shim.h"
#include "check/reference_model.h"
#include "story.h"

using namespace electionlab;
using namespace electionlab::check;
using reference::Model;

namespace {

using Levels = std::vector<std::int64_t>;

struct Checked {
    SearchResult result;
    std::unique_ptr<ProtocolRules<Model>> rules;
    std::unique_ptr<Space> space;
};

Checked explore(Epoch terms, SpaceSettings settings = {}, SearchSettings search_settings = {},
                bool amnesia = false, NodeId nodes = 3) {
    reference::ModelOptions options;
    options.amnesia = amnesia;
    Checked checked;
    checked.rules = std::make_unique<ProtocolRules<Model>>(
        std::make_shared<const reference::ModelOptions>(options), nodes, describe<Model>(),
        RulesRequest{});
    settings.bounds.epoch = terms;
    settings.properties = 1;
    checked.space = std::make_unique<Space>(*checked.rules, settings);
    checked.result = search(*checked.space, search_settings);
    return checked;
}

// The states along the counterexample; the numbers of messages depend on which thread was first.
std::string in_words(const Checked& checked) {
    std::string text;
    for (const auto& world : checked.result.violations.at(0).path.worlds) {
        text += checked.space->world_value(world).to_json() + "\n";
    }
    return text;
}

SpaceSettings variant(const std::string& name) {
    SpaceSettings settings;
    if (name == "loss") {
        settings.budget.losses = unlimited;
    } else if (name == "dup") {
        settings.network = NetworkKind::duplicating;
    } else if (name == "restart" || name == "amnesia") {
        settings.budget.reboots = 1;
    }
    return settings;
}

}  // namespace

// The numbers are those of a second search, in Python: tests/python/test_reference_model.py.
TEST_CASE("reference model: states, transitions, ends and levels of five small variants",
          "[check][reference]") {
    struct Expected {
        const char* name;
        std::int64_t states, transitions, terminal, with_leader;
        Levels levels;
    };
    const Expected all[] = {
        {"base", 1111, 3900, 13, 180,
         {1, 3, 9, 22, 45, 87, 131, 168, 180, 165, 132, 90, 50, 21, 6, 1}},
        {"loss", 1396, 8895, 22, 186, {1, 3, 15, 49, 123, 249, 364, 336, 192, 64}},
        {"dup", 197, 1371, 0, 60, {1, 3, 9, 22, 39, 51, 44, 21, 6, 1}},
        {"restart", 5138, 21789, 31, 522,
         {1, 4, 15, 43, 103, 222, 404, 611, 774, 831, 768, 612, 410, 221, 90, 25, 4}},
        {"amnesia", 8798, 34731, 55, 2484,
         {1, 4, 15, 49, 127, 294, 590, 965, 1314, 1485, 1416, 1146, 782, 413, 156, 37, 4}},
    };
    for (const Expected& expected : all) {
        CAPTURE(expected.name);
        const bool amnesia = std::string(expected.name) == "amnesia";
        SearchSettings on;
        on.stop_at_first = false;
        const auto [result, rules, space] = explore(1, variant(expected.name), on, amnesia);
        CHECK(result.states == expected.states);
        CHECK(result.transitions == expected.transitions);
        CHECK(result.terminal == expected.terminal);
        CHECK(result.with_leader == expected.with_leader);
        CHECK(result.levels == expected.levels);
        CHECK(result.exhausted);
        CHECK(result.bounds_hit == std::vector<std::string>{"epoch"});
        CHECK(result.violations.size() == (amnesia ? 1 : 0));
    }
}

TEST_CASE("reference model: the shortest way to two leaders of one term has seven steps",
          "[check][reference]") {
    for (const bool symmetry : {false, true}) {
        CAPTURE(symmetry);
        SpaceSettings settings = variant("amnesia");
        settings.symmetry = symmetry;
        const auto [result, rules, space] = explore(1, settings, {}, true);
        REQUIRE(result.violations.size() == 1);
        const Path& path = result.violations[0].path;
        CHECK(result.violations[0].invariant == "one_leader_per_term");
        CHECK(path.steps.size() == 7);
        REQUIRE(path.worlds.size() == 8);
        // The steps can be taken one after the other, and only the last state is broken.
        const Path again = follow(*space, path.steps);
        CHECK(again.worlds == path.worlds);
        for (std::size_t i = 0; i < path.worlds.size(); ++i) {
            CHECK((space->broken(path.worlds[i]) != 0) == (i == 7));
        }
    }
}

TEST_CASE("reference model: symmetry keeps one state of each orbit", "[check][symmetry]") {
    // Counted from outside: tests/python/test_reference_model.py renames every state.
    const std::pair<const char*, std::int64_t> orbits[] = {
        {"base", 205}, {"loss", 255}, {"dup", 41}, {"restart", 911}, {"amnesia", 1521}};
    for (const auto& [name, expected] : orbits) {
        CAPTURE(name);
        SearchSettings on;
        on.stop_at_first = false;
        SpaceSettings settings = variant(name);
        settings.symmetry = true;
        CHECK(explore(1, settings, on, std::string(name) == "amnesia").result.states == expected);
    }
}

TEST_CASE("searches: any number of threads gives the same result, to the last step",
          "[check][threads]") {
    SearchSettings settings;
    const auto one = explore(1, variant("amnesia"), settings, true);
    settings.stop_at_first = false;
    const auto whole = explore(1, variant("restart"), settings);
    for (const int threads : {2, 3, 7}) {
        CAPTURE(threads);
        settings.threads = threads;
        settings.stop_at_first = true;
        const auto many = explore(1, variant("amnesia"), settings, true);
        CHECK(many.result.levels == one.result.levels);
        CHECK(many.result.transitions == one.result.transitions);
        REQUIRE(many.result.violations.size() == 1);
        CHECK(in_words(many) == in_words(one));
        settings.stop_at_first = false;
        const auto all = explore(1, variant("restart"), settings);
        CHECK(all.result.levels == whole.result.levels);
        CHECK(all.result.transitions == whole.result.transitions);
        CHECK(all.result.with_leader == whole.result.with_leader);
    }
}

TEST_CASE("searches: a fingerprint from differences is that of the whole world",
          "[check][fingerprint]") {
    struct Case {
        bool symmetry = false;
        std::int64_t copies = 0;
        bool drop_stale = false;
        NetworkKind network = NetworkKind::multiset;
        std::uint8_t restarts = unlimited;
        std::uint8_t partitions = 0;
    };
    const Case cases[] = {
        {},
        {.symmetry = true},
        {.copies = 1},
        {.symmetry = true, .copies = 2},
        {.drop_stale = true},
        {.symmetry = true, .copies = 1, .drop_stale = true},
        {.network = NetworkKind::duplicating},
        {.symmetry = true, .drop_stale = true, .network = NetworkKind::duplicating},
        {.network = NetworkKind::fifo},
        {.restarts = 0},
        {.drop_stale = true, .network = NetworkKind::duplicating, .restarts = 0},
        {.copies = 1, .drop_stale = true, .restarts = 1, .partitions = 1},
    };
    for (const Case& each : cases) {
        CAPTURE(each.symmetry, each.copies, each.drop_stale, enum_name(each.network), each.restarts,
                each.partitions);
        SpaceSettings settings = variant("loss");
        if (each.copies != 0) {
            settings.bounds.copies = each.copies;
        }
        settings.drop_stale = each.drop_stale;
        settings.network = each.network;
        settings.budget.crashes = 1;
        settings.budget.restarts = each.restarts;
        settings.budget.partitions = each.partitions;
        settings.budget.duplicates = each.network == NetworkKind::multiset;
        settings.budget.pauses = 1;
        settings.symmetry = each.symmetry;
        settings.per_epoch = true;
        settings.bounds.depth = 2;  // of the search; the walk below goes on
        const auto [result, rules, space] = explore(1, settings, {}, false);
        Space::Worker worker, other;
        std::vector<std::uint32_t> world = space->initial(worker);
        std::vector<Transition> transitions;
        std::size_t compared = 0;
        for (std::int64_t step = 0; step < story::seeds(1000); ++step) {
            transitions.clear();
            space->expand(world, worker, transitions);
            if (transitions.empty()) {
                world = space->initial(worker);
                continue;
            }
            for (const Transition& t : transitions) {
                std::vector<std::uint32_t> next;
                space->build(world, t, next);
                REQUIRE(space->fingerprint(next, other) == t.fingerprint);
                ++compared;
            }
            std::vector<std::uint32_t> next;
            space->build(world, transitions[mix64(static_cast<std::uint64_t>(step)) % transitions.size()], next);
            world = next;
        }
        CHECK(compared > 3 * static_cast<std::size_t>(story::seeds(1000)));
    }
}

TEST_CASE("searches: without stale messages the nodes reach the same states", "[check][stale]") {
    for (const char* name : {"base", "loss", "dup", "restart"}) {
        CAPTURE(name);
        std::map<std::string, std::size_t> reached[2];  // by the states of all nodes
        std::int64_t states[2];
        for (const bool drop : {false, true}) {
            SpaceSettings settings = variant(name);
            settings.drop_stale = drop;
            settings.always.push_back({"seen", [&](const Space& space, World world) {
                std::string text;
                for (NodeId node = 1; node <= space.actors(); ++node) {
                    text += space.rules().local_value(world[node - 1]).to_json() + "\n";
                }
                ++reached[drop][text];
                return true;
            }});
            const Checked checked = explore(1, settings);
            states[drop] = checked.result.states;
            CHECK(checked.result.exhausted);
            CHECK(checked.space->wrongly_stale().empty());
        }
        CHECK(states[1] < states[0]);
        REQUIRE(reached[0].size() == reached[1].size());
        for (auto a = reached[0].begin(), b = reached[1].begin(); a != reached[0].end(); ++a, ++b) {
            CHECK(a->first == b->first);
        }
    }
}

TEST_CASE("searches: a wrong word about stale messages is noticed", "[check][stale]") {
    reference::ModelOptions options;
    options.wrongly_stale = true;
    ProtocolRules<Model> rules(std::make_shared<const reference::ModelOptions>(options), 3,
                               describe<Model>(), RulesRequest{});
    SpaceSettings settings;
    settings.bounds.epoch = 1;
    Space space(rules, settings);
    search(space, {});
    CHECK(space.wrongly_stale().find("VoteRequest") != std::string::npos);
}

TEST_CASE("bounds: what each cuts off is named", "[check][bounds]") {
    SearchSettings settings;
    SpaceSettings depth;
    depth.bounds.depth = 5;
    const auto shallow = explore(1, depth, settings).result;
    CHECK(shallow.levels == Levels{1, 3, 9, 22, 45, 87});
    CHECK_FALSE(shallow.exhausted);
    CHECK(shallow.bounds_hit == std::vector<std::string>{"depth", "epoch"});

    SpaceSettings messages;
    messages.bounds.messages = 2;
    const auto few = explore(1, messages, settings).result;
    CHECK(few.exhausted);
    CHECK(few.states < 1111);
    CHECK(std::set<std::string>(few.bounds_hit.begin(), few.bounds_hit.end()) ==
          std::set<std::string>{"epoch", "messages"});

    SpaceSettings states;
    states.bounds.states = 100;
    const auto some = explore(2, states, settings).result;
    CHECK(some.states >= 100);
    CHECK_FALSE(some.exhausted);
    CHECK(some.bounds_hit.front() == "states");

    // A bound that cuts nothing off is not named.
    SpaceSettings wide;
    wide.bounds.depth = 100;
    wide.bounds.messages = 100;
    CHECK(explore(1, wide, settings).result.bounds_hit == std::vector<std::string>{"epoch"});
}

TEST_CASE("bounds: of equal messages so many are kept, and a further one adds nothing",
          "[check][bounds]") {
    SpaceSettings settings;
    settings.budget.duplicates = 3;
    settings.bounds.copies = 2;
    settings.bounds.depth = 6;
    settings.always.push_back({"at most two of a kind", [](const Space& space, World world) {
                                   std::map<std::uint32_t, int> count;
                                   for (const std::uint32_t item : space.items(world)) {
                                       if (++count[space.message_of(item)] > 2) {
                                           return false;
                                       }
                                   }
                                   return true;
                               }});
    const auto with = explore(1, settings).result;
    CHECK(with.violations.empty());
    CHECK(std::count(with.bounds_hit.begin(), with.bounds_hit.end(), "copies") == 1);
    settings.bounds.copies = std::nullopt;
    CHECK(explore(1, settings).result.violations.size() == 1);
}

TEST_CASE("time: equal time-outs split the votes for ever; clocks that differ do not",
          "[check][time]") {
    // The model's time-out is 1 ms, of ten ticks; a message takes two or three.
    SearchSettings search_settings;
    search_settings.sometimes = {{"a leader", [](const Space& space, World world) {
                                      return space.node(world, 1).view.leads() ||
                                             space.node(world, 2).view.leads() ||
                                             space.node(world, 3).view.leads();
                                  }}};
    SpaceSettings settings;
    settings.timing = Timing{us(100), {us(200), us(300)}, 0};
    for (const Epoch terms : {1, story::slow_build ? 1 : 2}) {
        CAPTURE(terms);
        const auto same = explore(terms, settings, search_settings).result;
        CHECK(same.exhausted);
        CHECK_FALSE(same.witnesses[0].path);  // all stand at one instant, each time
    }
    settings.timing->drift = 0.3;
    const auto result = explore(1, settings, search_settings).result;
    CHECK(result.violations.empty());
    REQUIRE(result.witnesses[0].path);
    std::int64_t ticks = 0;
    for (const Step& step : result.witnesses[0].path->steps) {
        ticks += step.kind == StepKind::tick;
    }
    CHECK(ticks >= 7 + 2 * 2);  // 10 / 1.3, then a request and a reply
}

TEST_CASE("searches: the caller may end one, and has what was found", "[check]") {
    SearchSettings settings;
    int calls = 0;
    settings.progress = [&](const Progress& p) {
        CHECK(p.states > 0);
        return ++calls < 3;
    };
    const auto result = explore(2, {}, settings).result;
    CHECK(calls == 3);
    CHECK(result.interrupted);
    CHECK_FALSE(result.exhausted);
    CHECK(result.states > 1);
}

TEST_CASE("searches: what a predicate throws ends one, and is kept with what was found", "[check]") {
    SpaceSettings settings;
    settings.always.push_back({"throws", [](const Space& space, World world) {
                                   if (space.items(world).size() > 3) {
                                       throw std::runtime_error("too many messages for me");
                                   }
                                   return true;
                               }});
    const auto result = explore(1, settings).result;
    CHECK(result.interrupted);
    CHECK(result.states > 3);
    REQUIRE(result.failure);
    CHECK_THROWS_WITH(std::rethrow_exception(result.failure), contains("too many messages"));
}

TEST_CASE("sometimes: the shortest run to a leader, and nothing where there is none", "[check]") {
    SearchSettings settings;
    const auto leads = [](std::size_t count) {
        return [count](const Space& space, World world) {
            std::size_t leaders = 0;
            for (NodeId node = 1; node <= space.actors(); ++node) {
                leaders += space.node(world, node).view.leads();
            }
            return leaders == count;
        };
    };
    settings.sometimes = {{"a leader", leads(1)}, {"two leaders", leads(2)}};
    const auto [result, rules, space] = explore(1, {}, settings);
    REQUIRE(result.witnesses.size() == 2);
    REQUIRE(result.witnesses[0].path);
    CHECK(result.witnesses[0].path->steps.size() == 3);  // time-out, request, reply
    CHECK_FALSE(result.witnesses[1].path);
}

TEST_CASE("networks: on FIFO links a later message never comes first", "[check][network]") {
    SpaceSettings fifo;
    fifo.network = NetworkKind::fifo;
    const auto ordered = explore(1, fifo, {}).result;
    CHECK(ordered.exhausted);
    CHECK(ordered.transitions == 1902);
    CHECK(ordered.terminal == 13);
    CHECK(ordered.levels == Levels{1, 3, 9, 22, 39, 69, 83, 96, 96, 79, 60, 42, 26, 15, 6, 1});
}

TEST_CASE("searches: depth first and exactly, the same states as breadth first", "[check][orders]") {
    for (const char* name : {"base", "loss", "dup", "restart", "amnesia"}) {
        CAPTURE(name);
        const bool amnesia = std::string(name) == "amnesia";
        SearchSettings breadth, depth, exact;
        breadth.stop_at_first = depth.stop_at_first = exact.stop_at_first = false;
        depth.order = Order::depth;
        exact.exact = true;
        const SearchResult all = explore(1, variant(name), breadth, amnesia).result;
        const SearchResult deep = explore(1, variant(name), depth, amnesia).result;
        const SearchResult sure = explore(1, variant(name), exact, amnesia).result;
        for (const SearchResult& other : {deep, sure}) {
            CHECK(other.states == all.states);
            CHECK(other.transitions == all.transitions);
            CHECK(other.terminal == all.terminal);
            CHECK(other.with_leader == all.with_leader);
            CHECK(other.exhausted);
            CHECK(other.violations.size() == all.violations.size());
        }
        CHECK(sure.levels == all.levels);
        CHECK(sure.collisions == 0);
        CHECK(sure.omission_probability == 0);
        CHECK(sure.shortest);
        CHECK_FALSE(deep.shortest);
        if (amnesia) {
            CHECK(sure.violations[0].path.steps.size() == 7);
            CHECK(deep.violations[0].path.steps.size() >= 7);
        }
    }
}

TEST_CASE("searches: depth first to a bound sees all that lies within", "[check][orders]") {
    for (const std::int64_t depth : {0, 1, 5, 9}) {
        CAPTURE(depth);
        SpaceSettings settings = variant("restart");
        settings.bounds.depth = depth;
        SearchSettings breadth, deep;
        deep.order = Order::depth;
        const SearchResult all = explore(1, settings, breadth).result;
        const SearchResult other = explore(1, settings, deep).result;
        CHECK(other.states == all.states);
        CHECK(other.depth == all.depth);
        CHECK_FALSE(other.exhausted);
        CHECK(std::count(other.bounds_hit.begin(), other.bounds_hit.end(), "depth") == 1);
    }
}

TEST_CASE("searches: walks and swarms find what there is, the same for any number of threads",
          "[check][orders][threads]") {
    for (const Order order : {Order::walks, Order::swarm}) {
        CAPTURE(enum_name(order));
        std::string first;
        for (const int threads : {1, 3}) {
            SearchSettings how;
            how.order = order;
            how.threads = threads;
            how.seed = 7;
            how.runs = 5000;
            const Checked checked = explore(1, variant("amnesia"), how, true);
            REQUIRE(checked.result.violations.size() == 1);
            const Path& path = checked.result.violations[0].path;
            CHECK(checked.space->broken(path.worlds.back()) != 0);
            CHECK_FALSE(checked.result.exhausted);
            const std::string words = in_words(checked) + std::to_string(checked.result.states);
            first = first.empty() ? words : first;
            CHECK(words == first);

            how.seed = 8;
            const Checked other = explore(1, variant("amnesia"), how, true);
            CHECK(in_words(other) + std::to_string(other.result.states) != first);
        }
        SearchSettings nothing;
        nothing.order = order;
        nothing.runs = 40;
        const SearchResult result = explore(1, variant("base"), nothing).result;
        CHECK(result.violations.empty());
        // Some member of the swarm was large enough; walks never know.
        CHECK(result.exhausted == (order == Order::swarm));
    }
}

TEST_CASE("searches: a swarm ends when its caller says so", "[check][orders]") {
    SearchSettings how;
    how.order = Order::swarm;
    how.runs = 1000;
    int calls = 0;
    how.progress = [&](const Progress&) { return ++calls < 3; };
    const SearchResult result = explore(2, variant("base"), how).result;
    CHECK(calls == 3);
    CHECK_FALSE(result.exhausted);
}

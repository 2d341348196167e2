#include "electionlab/protocols/peterson.h"

#include <string>

#include "catch_shim.h"
#include "machine.h"
#include "rings.h"

using namespace rings;
using PetersonNode = Machine<Peterson>;
using Election = Peterson::Election;
using Elected = Peterson::Elected;

namespace {

Value variant(const char* name) { return Dict{{"variant", name}}; }

std::int64_t cost(const char* name, const Ids& order, const Ids& initiators = {},
                  const Value& config = Dict{{"network", network(1)}}) {
    return greatest_wins("peterson", static_cast<NodeId>(order.size()),
                         ring(order, initiators, variant(name)), config)
        .sent("Election");
}

/// Phases of two active ids or more as Dolev, Klawe and Rodeh count them, taken by all at once:
/// an id goes on that is greater than the one before it and the one behind it.
std::int64_t phases(Ids active) {
    std::int64_t count = 0;
    for (; active.size() > 1; ++count) {
        Ids next;
        for (std::size_t i = 0, n = active.size(); i < n; ++i) {
            if (active[i] > active[(i + 1) % n] && active[i] > active[(i + n - 1) % n]) {
                next.push_back(active[i]);
            }
        }
        active = next;
    }
    return count;
}

/// Phases of the improved variant, the last one included, taken by all at once.
std::int64_t improved_phases(Ids active) {
    std::int64_t count = 1;
    for (; active.size() > 1; ++count) {
        Ids next;
        for (std::size_t i = 0, n = active.size(); i < n; ++i) {
            const NodeId before = active[(i + n - 1) % n];
            if (count % 2 == 1 ? active[i] > before : before > active[i]) {
                next.push_back(std::max(active[i], before));
            }
        }
        active = next;
    }
    return count;
}

/// The greatest p with Fibonacci(p + 1) <= n.
std::int64_t fibonacci_phases(std::int64_t n) {
    std::int64_t p = 1, here = 1, next = 2;  // Fibonacci(2), Fibonacci(3)
    while (next <= n) {
        here = std::exchange(next, here + next);
        ++p;
    }
    return p;
}

PetersonNode node_of(const char* name, NodeId self, NodeId members) {
    PetersonOptions options;
    for (int v = 0; v < 3; ++v) {
        if (enum_name(static_cast<PetersonVariant>(v)) == name) {
            options.variant = static_cast<PetersonVariant>(v);
        }
    }
    return {self, members, options};
}

}  // namespace

TEST_CASE("peterson: Dolev, Klawe and Rodeh's costs exactly 2n a phase and n, in every order",
          "[peterson][cost]") {
    const NodeId most = seeds(40) > 20 ? 7 : 5;
    for (NodeId n = 2; n <= most; ++n) {
        std::int64_t greatest = 0;
        each_order(n, [&](const Ids& order) {
            const std::int64_t messages = cost("dolev_klawe_rodeh", order);
            REQUIRE(messages == 2 * std::int64_t{n} * phases(order) + n);
            greatest = std::max(greatest, messages);
        });
        CAPTURE(n);
        CHECK(greatest == 2 * n * floor_lg(n) + n);  // the bound is reached
    }
}

TEST_CASE("peterson: Peterson's costs at most as much, and at least a phase less, in every order",
          "[peterson][cost]") {
    const NodeId most = seeds(40) > 20 ? 7 : 5;
    for (NodeId n = 2; n <= most; ++n) {
        each_order(n, [&](const Ids& order) {
            const std::int64_t messages = cost("peterson", order);
            REQUIRE(messages <= 2 * std::int64_t{n} * phases(order) + n);
            REQUIRE(messages > 2 * std::int64_t{n} * (phases(order) - 1));
        });
    }
}

TEST_CASE("peterson: the improved one costs exactly n a phase, of at most the Fibonacci number's place",
          "[peterson][cost]") {
    const NodeId most = seeds(40) > 20 ? 8 : 5;
    for (NodeId n = 2; n <= most; ++n) {
        std::int64_t greatest = 0;
        const auto one = [&](const Ids& order) {
            const std::int64_t messages = cost("peterson_improved", order);
            REQUIRE(messages == n * improved_phases(order));
            REQUIRE(improved_phases(order) <= fibonacci_phases(n));
            greatest = std::max(greatest, messages);
        };
        if (n <= 7) {
            each_order(n, one);
            CAPTURE(n);
            CHECK(greatest == n * fibonacci_phases(n));  // as many phases as that are needed
        } else {
            for (std::int64_t seed = 0; seed < seeds(400); ++seed) {
                one(shuffled(n, seed));
            }
        }
    }
    CHECK(fibonacci_phases(2) == 2);
    CHECK(fibonacci_phases(4) == 3);
    CHECK(fibonacci_phases(5) == 4);
    CHECK(fibonacci_phases(8) == 5);
}

TEST_CASE("peterson: the greatest id wins in every variant, whoever begins", "[peterson][cost]") {
    const std::string name = GENERATE("peterson", "peterson_improved", "dolev_klawe_rodeh");
    CAPTURE(name);
    CHECK(cost(name.c_str(), {1}) == 0);
    for (NodeId n = 2; n <= 4; ++n) {
        each_order(n, [&](const Ids& order) {
            const std::int64_t all = cost(name.c_str(), order);
            each_set(n, [&](const Ids& set) {
                const std::int64_t messages = cost(name.c_str(), order, set);
                if (name == "dolev_klawe_rodeh") {
                    REQUIRE(messages == all);
                } else {
                    REQUIRE(messages <= 2 * n * floor_lg(n) + n);
                }
            });
        });
    }
}

TEST_CASE("peterson: with any delay on links that keep the order, the same leader and the bounds",
          "[peterson][fault]") {
    const std::string name = GENERATE("peterson", "peterson_improved", "dolev_klawe_rodeh");
    for (std::int64_t seed = 0; seed < seeds(1000); ++seed) {
        const auto n = static_cast<NodeId>(2 + seed % 20);
        const Ids order = shuffled(n, seed);
        CAPTURE(name, seed, order);
        const std::int64_t messages = cost(name.c_str(), order, {}, any_delay(seed, true));
        if (name == "dolev_klawe_rodeh") {
            REQUIRE(messages == 2 * std::int64_t{n} * phases(order) + n);
        } else if (name == "peterson") {
            REQUIRE(messages <= 2 * std::int64_t{n} * phases(order) + n);
        } else {
            REQUIRE(messages == n * improved_phases(order));
        }
    }
}

TEST_CASE("peterson: where messages overtake one another, a wrong node leads",
          "[peterson][fault]") {
    const std::string name = GENERATE("peterson", "peterson_improved", "dolev_klawe_rodeh");
    std::int64_t right = 0, wrong = 0, endless = 0;
    for (std::int64_t seed = 0; seed < 500; ++seed) {  // few go wrong
        const auto n = static_cast<NodeId>(2 + seed % 8);
        Story s("peterson", n, ring(shuffled(n, seed), {}, variant(name.c_str())),
                any_delay(seed, false), false);
        s.until(5'000);
        right += s.in_flight().empty() && s.all_follow(n) ? 1 : 0;
        wrong += s.violations() > 0 ? 1 : 0;
        endless += s.in_flight().empty() ? 0 : 1;
    }
    CAPTURE(name, right, wrong, endless);
    CHECK(right > 0);
    CHECK(wrong > 0);
    if (name == "peterson") {
        CHECK(endless == 0);  // at the latest an id ends at its owner
    }
}

TEST_CASE("peterson: a node tells the greater id, Dolev, Klawe and Rodeh's its neighbour's",
          "[peterson]") {
    PetersonNode greater = node_of("peterson", 3, 5);
    PetersonNode neighbours = node_of("dolev_klawe_rodeh", 3, 5);
    for (PetersonNode* node : {&greater, &neighbours}) {
        node->start();
        CHECK(node->sent<Election>().at(0) == std::pair{NodeId{4}, Election{3}});
        node->receive(2, Election{2});
    }
    CHECK(greater.sent<Election>().at(0) == std::pair{NodeId{4}, Election{3}});
    CHECK(neighbours.sent<Election>().at(0) == std::pair{NodeId{4}, Election{2}});
}

TEST_CASE("peterson: a node takes its neighbour's id if that is a local maximum, or gives up",
          "[peterson]") {
    const std::string name = GENERATE("peterson", "dolev_klawe_rodeh");
    CAPTURE(name);
    PetersonNode node = node_of(name.c_str(), 3, 6);
    node.start();
    SECTION("the maximum of three") {
        node.receive(2, Election{5});
        node.receive(2, Election{name == "peterson" ? NodeId{5} : NodeId{2}});
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{4}, Election{5}});
        CHECK(node.state.memory.phase == 2);
        CHECK(node.state.memory.temporary_id == 5);
    }
    SECTION("its own id is greater") {
        node.receive(2, Election{2});
        node.receive(2, Election{2});
        CHECK(node.effects.sends().empty());
        CHECK(node.state.memory.part == RingPart::passive);
    }
    SECTION("the one beyond is greater") {
        node.receive(2, Election{5});
        node.receive(2, Election{6});
        CHECK(node.effects.sends().empty());
        CHECK(node.state.memory.part == RingPart::passive);
        node.receive(2, Election{4});
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{4}, Election{4}});
    }
}

TEST_CASE("peterson: the improved one keeps maxima in odd phases and takes greater ids in even ones",
          "[peterson]") {
    PetersonNode node = node_of("peterson_improved", 3, 6);
    node.start();
    SECTION("odd: a greater id ends it") {
        node.receive(2, Election{4});
        CHECK(node.state.memory.part == RingPart::passive);
    }
    node.receive(2, Election{2});
    CHECK((node.state.memory.part == RingPart::passive || node.state.memory.phase == 2));
    if (node.state.memory.part == RingPart::active) {
        SECTION("even: a greater id is taken") {
            node.receive(2, Election{5});
            CHECK(node.state.memory.phase == 3);
            CHECK(node.sent<Election>().at(0) == std::pair{NodeId{4}, Election{5}});
        }
        SECTION("even: a smaller one ends it") {
            node.receive(2, Election{1});
            CHECK(node.state.memory.part == RingPart::passive);
        }
    }
}

TEST_CASE("peterson: an own id that is back proves it, but in Dolev, Klawe and Rodeh's the last's",
          "[peterson]") {
    SECTION("also while passive") {
        PetersonNode node = node_of("peterson", 5, 5);
        node.start();
        node.receive(4, Election{1});
        node.receive(4, Election{1});  // gives up: node 1 stands for its id now
        CHECK(node.state.memory.part == RingPart::passive);
        node.receive(4, Election{5});
        CHECK(node.sent<Elected>().at(0) == std::pair{NodeId{1}, Elected{5}});
        CHECK(node.view() == View{Role::leader, 5, 0});
        node.receive(4, Election{3});
        CHECK(node.effects.sends().empty());
        node.receive(4, Elected{5});
        CHECK(node.effects.sends().empty());
    }
    SECTION("whoever is the last announces it, and another may lead") {
        PetersonNode node = node_of("dolev_klawe_rodeh", 2, 5);
        node.start();
        node.receive(1, Election{2});  // in the place of its own: it still has id 2 itself
        CHECK(node.sent<Elected>().size() == 1);
        PetersonNode other = node_of("dolev_klawe_rodeh", 1, 5);
        other.start();
        other.receive(5, Election{5});
        other.receive(5, Election{4});
        other.receive(5, Election{5});
        CHECK(other.sent<Elected>().at(0) == std::pair{NodeId{2}, Elected{5}});
        CHECK(other.view() == View{Role::follower, 5, 0});
        other.receive(5, Elected{5});
        CHECK(other.effects.sends().empty());
    }
    SECTION("the owner hears of it") {
        PetersonNode node = node_of("dolev_klawe_rodeh", 5, 5);
        node.start();
        node.receive(4, Election{1});
        node.receive(4, Election{1});
        node.receive(4, Election{5});
        CHECK(node.sent<Election>().at(0) == std::pair{NodeId{1}, Election{5}});
        node.receive(4, Elected{5});
        CHECK(node.sent<Elected>().at(0) == std::pair{NodeId{1}, Elected{5}});
        CHECK(node.view().leads());
    }
}

TEST_CASE("peterson: an unknown variant is refused", "[peterson][errors]") {
    CHECK_THROWS_WITH(find_protocol("peterson").check_options(Dict{{"variant", "franklin"}}, 3),
                      contains("variant='franklin'") && contains("'dolev_klawe_rodeh'"));
    CHECK_THROWS_WITH(find_protocol("peterson").check_options(Dict{{"order", List{1}}}, 3),
                      contains("order=[1]"));
}

TEST_CASE("peterson: who knows a leader and did not announce it passes a new one's name on",
          "[peterson]") {
    PetersonNode node = node_of("peterson", 3, 5);
    node.initial_leader = 2;
    node.start();
    node.receive(2, Elected{5});
    CHECK(node.sent<Elected>().at(0) == std::pair{NodeId{4}, Elected{5}});
    CHECK(node.view() == View{Role::follower, 5, 0});
}

TEST_CASE("peterson: nodes that know the leader from the start send nothing", "[peterson]") {
    Story s("peterson", 4, Dict{}, Dict{{"network", network(1)}, {"initial_leader", 2}});
    s.until(100);
    CHECK(s.all_follow(2));
    CHECK(s.sent("Election") == 0);
    s.crash(1);
    s.restart(1);
    s.for_ms(100);
    CHECK(s.role(1) == Role::candidate);  // node 2 leads, and stops its id
    CHECK(s.in_flight().empty());
    CHECK(s.leader() == 2);
}

TEST_CASE("peterson: every run has the trace it always had", "[peterson][golden]") {
    golden::check_runs("peterson",
                       {
                           {"peterson", "peterson", 24, ring(shuffled(24, 1), {5}), odd_machines(1, true),
                            3000},
                           {"improved", "peterson", 30, ring(shuffled(30, 2), {}, variant("peterson_improved")),
                            odd_machines(2, true), 3000},
                           {"dolev_klawe_rodeh", "peterson", 24,
                            ring(shuffled(24, 3), {}, variant("dolev_klawe_rodeh")), odd_machines(3, true), 3000},
                       },
                       300);
}

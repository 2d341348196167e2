#include "electionlab/check/liveness.h"

#include <memory>
#include <variant>
#include <vector>

#include "electionlab/check/protocol_rules.h"

#include "catch_shim.h"
#include "check/reference_model.h"

using namespace electionlab;
using namespace electionlab::check;

namespace {

struct TokenOptions {
    bool ends = false;
    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("ends", self.ends, "Node 1 has a timer that ends it.");
    }
    void validate(NodeId) const {}
};

// A token goes round for ever, unless a timer ends it.
struct Token {
    using Options = TokenOptions;
    struct Pass {
        EL_FIELDS(Pass)
    };
    using Message = std::variant<Pass>;
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        bool ended = false;
        EL_FIELDS(Memory, ended)
    };
    using State = electionlab::State<Token>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;
    enum class Timer : std::uint8_t { end };
    friend constexpr std::string_view enum_name(Timer timer) {
        return timer == Timer::end ? "end" : "";
    }
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State&, const Context& ctx, Effects& effects) {
        if (ctx.self == 1) {
            effects.send(2, Pass{});
            if (ctx.options.ends) {
                effects.set_timer(Timer::end, TimerSpec::fixed(ms(1)));
            }
        }
    }
    static void on_restart(State&, const Context&, Effects&) {}
    static void on_timer(State& s, const Context&, Timer, Effects&) { s.memory.ended = true; }
    static void on_message(State&, const Context& ctx, NodeId, const Message&, Effects& effects) {
        effects.send(ctx.self % ctx.members + 1, Pass{});
    }
    static View view(const State& s, const Context& ctx) {
        return s.memory.ended ? View{Role::leader, ctx.self, 0} : View{};
    }
    static About about() {
        return {.name = "token", .title = "A token", .source = "for tests", .assumptions = "none",
                .cost = "one message at a time", .weaknesses = "no end"};
    }
};

const Predicate ended{"ended", [](const Space& space, World world) {
                          return space.node(world, 1).view.leads();
                      }};

LivenessResult ask(bool ends, SpaceSettings settings = {}) {
    TokenOptions options;
    options.ends = ends;
    ProtocolRules<Token> rules(std::make_shared<const TokenOptions>(options), 3, describe<Token>(), {});
    Space space(rules, std::move(settings));
    return search_lasso(space, ended, {});
}

}  // namespace

TEST_CASE("liveness: a circle that may go on for ever is found, and can be walked", "[check][liveness]") {
    const LivenessResult result = ask(false);
    CHECK(result.exhausted);
    CHECK(result.states == 3);
    REQUIRE(result.counterexample);
    CHECK(result.counterexample->prefix.steps.empty());
    const Path& cycle = result.counterexample->cycle;
    CHECK(cycle.steps.size() == 3);
    CHECK(cycle.worlds.front() == cycle.worlds.back());
}

TEST_CASE("liveness: no circle is fair in which a timer that can always fire never does",
          "[check][liveness]") {
    const LivenessResult result = ask(true);
    CHECK(result.exhausted);
    CHECK_FALSE(result.counterexample);
    CHECK(result.bounds_hit.empty());
}

TEST_CASE("liveness: faults need not happen, and need not end but for pauses and cuts",
          "[check][liveness]") {
    SpaceSettings pauses;
    pauses.budget.pauses = 1;
    CHECK_FALSE(ask(true, pauses).counterexample);
    SpaceSettings crashes;
    crashes.budget.crashes = 1;
    REQUIRE(ask(true, crashes).counterexample);
    SpaceSettings losses;  // the token may be lost, and the timer still fires
    losses.budget.losses = 1;
    CHECK_FALSE(ask(true, losses).counterexample);
    const LivenessResult lost = ask(false, losses);
    REQUIRE(lost.counterexample);
    CHECK(lost.counterexample->prefix.steps.size() == 1);  // lost at once: the nearest end
    CHECK(lost.counterexample->cycle.steps.empty());
}

TEST_CASE("liveness: with time, time must pass", "[check][liveness][time]") {
    SpaceSettings settings;
    settings.timing = Timing{us(250), {us(0), us(250)}, 0};
    // The token may go round without end in no time; but a tick can then always be taken.
    CHECK_FALSE(ask(true, settings).counterexample);
    REQUIRE(ask(false, settings).counterexample);
}

TEST_CASE("liveness: where a bound cuts steps off no run is reported", "[check][liveness][bounds]") {
    ProtocolRules<reference::Model> rules(std::make_shared<const reference::ModelOptions>(), 3,
                                          describe<reference::Model>(), {});
    SpaceSettings settings;
    settings.bounds.epoch = 1;
    Space space(rules, settings);
    const Predicate leads{"a leader", [](const Space& s, World world) {
                              return s.node(world, 1).view.leads() || s.node(world, 2).view.leads() ||
                                     s.node(world, 3).view.leads();
                          }};
    const LivenessResult result = search_lasso(space, leads, {});
    CHECK(result.exhausted);
    CHECK_FALSE(result.counterexample);  // votes may be split; who knows what term 2 brings
    CHECK(result.bounds_hit == std::vector<std::string>{"epoch"});
}

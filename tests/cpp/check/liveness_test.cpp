#include "electionlab/check/liveness.h"

#include <exception>
#include <memory>
#include <string>
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

namespace {

const Predicate somebody_leads{"a leader", [](const Space& space, World world) {
                                   bool leads = false;
                                   for (NodeId node = 1; node <= space.actors(); ++node) {
                                       leads = leads || space.node(world, node).view.leads();
                                   }
                                   return leads;
                               }};

// One node that stands again and again, in ever higher terms: `leads_in` of them is special, or every
// second.
struct StubbornOptions {
    std::int64_t leads_in = 0;
    bool every_second = false;
    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("leads_in", self.leads_in, "It leads in this term.");
        option("every_second", self.every_second, "It notes every second term.");
    }
    void validate(NodeId) const {}
};

struct Stubborn {
    using Options = StubbornOptions;
    struct Nothing {
        EL_FIELDS(Nothing)
    };
    using Message = std::variant<Nothing>;
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        Epoch term = 0;
        bool second = false;
        EL_FIELDS(Memory, term, second)
    };
    using State = electionlab::State<Stubborn>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;
    enum class Timer : std::uint8_t { election };
    friend constexpr std::string_view enum_name(Timer timer) {
        return timer == Timer::election ? "election" : "";
    }
    static constexpr bool is_epoch(std::string_view of, std::string_view field) {
        return of == "Memory" && field == "term";
    }
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State&, const Context&, Effects& effects) { arm(effects); }
    static void on_restart(State&, const Context&, Effects&) {}
    static void on_timer(State& s, const Context& ctx, Timer, Effects& effects) {
        ++s.memory.term;
        s.memory.second = ctx.options.every_second && s.memory.term % 2 == 0;
        arm(effects);
    }
    static void on_message(State&, const Context&, NodeId, const Message&, Effects&) {}
    static View view(const State& s, const Context& ctx) {
        return {s.memory.term == ctx.options.leads_in && s.memory.term > 0 ? Role::leader
                                                                          : Role::follower,
                no_node, s.memory.term};
    }
    static About about() {
        return {.name = "stubborn", .title = "Stands for ever", .source = "for tests",
                .assumptions = "none", .cost = "none", .weaknesses = "no end", .epochs = true};
    }

private:
    static void arm(Effects& effects) {
        effects.set_timer(Timer::election, TimerSpec::fixed(ms(1)));
    }
};

template <class P>
struct Asked {
    std::unique_ptr<ProtocolRules<P>> rules;
    std::unique_ptr<Space> space;
    LivenessResult result;
};

template <class P>
Asked<P> ask_for_leader(const typename P::Options& options, NodeId nodes, SpaceSettings settings) {
    RulesRequest request;
    request.shifts = true;
    Asked<P> asked;
    asked.rules = std::make_unique<ProtocolRules<P>>(
        std::make_shared<const typename P::Options>(options), nodes, describe<P>(), request);
    asked.space = std::make_unique<Space>(*asked.rules, std::move(settings));
    asked.result = search_lasso(*asked.space, somebody_leads, {});
    return asked;
}

std::string failure_of(const LivenessResult& result) {
    try {
        if (result.failure) {
            std::rethrow_exception(result.failure);
        }
    } catch (const std::exception& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("liveness: a circle may lead to the same state in higher epochs", "[check][liveness][epochs]") {
    const NodeId nodes = GENERATE(NodeId{2}, NodeId{3});
    CAPTURE(nodes);
    SpaceSettings settings;
    settings.bounds.epoch = 2;
    settings.bounds.copies = 1;
    settings.bounds.messages = nodes == 2 ? 2 : 4;
    const auto [rules, space, result] = ask_for_leader<reference::Model>({}, nodes, settings);
    REQUIRE(result.counterexample);
    const Lasso& lasso = *result.counterexample;
    REQUIRE(lasso.shift > 0);
    std::vector<std::uint32_t> raised = lasso.cycle.worlds.front();
    space->raise(raised, lasso.shift);
    CHECK(lasso.cycle.worlds.back() == raised);
    // Six rounds on, all epochs have risen six times, and nobody has led.
    const Path far = unroll(*space, lasso, 6);
    CHECK(far.steps.size() == lasso.prefix.steps.size() + 6 * lasso.cycle.steps.size());
    raised = lasso.cycle.worlds.front();
    space->raise(raised, 6 * lasso.shift);
    CHECK(far.worlds.back() == raised);
    for (const auto& world : far.worlds) {
        CHECK_FALSE(somebody_leads.holds(*space, world));
    }
    for (NodeId node = 1; node <= nodes; ++node) {
        const Epoch before = space->node(lasso.cycle.worlds.front(), node).view.epoch;
        CHECK(space->node(raised, node).view.epoch == before + 6 * lasso.shift);
    }
}

TEST_CASE("liveness: one node is enough to stand for ever", "[check][liveness][epochs]") {
    const auto [rules, space, result] = ask_for_leader<Stubborn>({}, 1, {});
    REQUIRE(result.counterexample);
    CHECK(result.counterexample->shift == 1);
    CHECK(result.counterexample->cycle.steps.size() == 1);
    CHECK(result.exhausted);
    CHECK(result.states == 3);  // before its first term; in it; in any later one
    CHECK(result.bounds_hit.empty());
}

TEST_CASE("liveness: what is declared to be an epoch and is none is told of",
          "[check][liveness][epochs]") {
    StubbornOptions in_the_fourth;
    in_the_fourth.leads_in = 4;  // no state that the search looks at shows it: the repetition does
    const auto [rules, space, result] = ask_for_leader<Stubborn>(in_the_fourth, 1, {});
    CHECK_FALSE(result.counterexample);
    CHECK(failure_of(result) ==
          "stubborn: what it declares to be epochs (is_epoch) are none: a run found with it cannot be "
          "repeated in true epochs");
    StubbornOptions parity;
    parity.every_second = true;  // a handler that is run again in a higher epoch does something else
    CHECK(failure_of(ask_for_leader<Stubborn>(parity, 1, {}).result) ==
          "stubborn: what it declares to be epochs (is_epoch) are none: node 1 does something else "
          "when all of them are greater");
    StubbornOptions second;
    second.leads_in = 2;  // the goal itself depends on the number
    CHECK(failure_of(ask_for_leader<Stubborn>(second, 1, {}).result).find("a leader: depends") == 0);
}

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "electionlab/check/draws.h"
#include "electionlab/check/protocol_rules.h"
#include "electionlab/check/search.h"

#include "catch_shim.h"

using namespace electionlab;
using namespace electionlab::check;

namespace {

// What a node does with its clock.
enum class Habit : std::uint8_t { spans, phase, two_old };
constexpr std::string_view enum_name(Habit habit) {
    constexpr std::string_view names[] = {"spans", "phase", "two_old"};
    return static_cast<std::size_t>(habit) < 3 ? names[static_cast<std::size_t>(habit)] : "";
}

struct WatchOptions {
    Duration patience = ms(4);
    Habit habit = Habit::spans;
    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("patience_ms", self.patience, "How long it waits.");
        option("habit", self.habit, "What it asks of its clock.");
    }
    void validate(NodeId) const {}
};

// Node 1 sends its time; node 2 sends it back, and looks each 2 ms how long ago it heard.
struct Watch {
    using Options = WatchOptions;
    struct Time {
        Instant at;
        EL_FIELDS(Time, at)
    };
    using Message = std::variant<Time>;
    struct Disk {
        EL_FIELDS(Disk)
    };
    struct Memory {
        Instant heard;
        Instant told;  // by the sender's clock
        bool late = false;
        bool back = false;
        EL_FIELDS(Memory, heard, told, late, back)
    };
    using State = electionlab::State<Watch>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;
    enum class Timer : std::uint8_t { look };
    friend constexpr std::string_view enum_name(Timer timer) {
        return timer == Timer::look ? "look" : "";
    }
    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State&, const Context& ctx, Effects& effects) {
        if (ctx.self == 1) {
            effects.send(2, Time{ctx.clock});
        } else {
            effects.set_timer(Timer::look, TimerSpec::fixed(ms(2)));
        }
    }
    static void on_restart(State&, const Context&, Effects&) {}
    static void on_timer(State& s, const Context& ctx, Timer, Effects& effects) {
        switch (ctx.options.habit) {
            case Habit::spans: s.memory.late = ctx.clock - s.memory.heard > ctx.options.patience; break;
            case Habit::phase: s.memory.late = ctx.clock.ns % ms(3).ns == 0; break;
            case Habit::two_old: s.memory.late = s.memory.heard > s.memory.told; break;
        }
        effects.set_timer(Timer::look, TimerSpec::fixed(ms(2)));
    }
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects) {
        const Instant at = std::get<Time>(message).at;
        if (ctx.self == 1) {
            s.memory.back = at < ctx.clock;
            s.memory.told = at;
        } else {
            s.memory.heard = ctx.clock;
            s.memory.told = at;
            effects.send(from, Time{at});
        }
    }
    static View view(const State& s, const Context& ctx) {
        return {s.memory.late ? Role::leader : Role::follower, ctx.self, 0};
    }
    static About about() {
        return {.name = "watch", .title = "Looks at its clock", .source = "for tests",
                .assumptions = "none", .cost = "one message", .weaknesses = "none"};
    }
};

struct Explored {
    std::unique_ptr<ProtocolRules<Watch>> rules;
    std::unique_ptr<Space> space;
    SearchResult result;
};

Explored explore(Habit habit, std::vector<Duration> steps = {ms(1), ms(1)},
                 std::optional<Duration> horizon = {}, std::vector<Predicate> sometimes = {},
                 std::optional<Duration> until = {}) {
    WatchOptions options;
    options.habit = habit;
    RulesRequest request;
    Clocks clocks;
    clocks.step = steps;
    clocks.longest_delay = ms(2);
    clocks.horizon = horizon;
    clocks.since_start = until.has_value();
    request.clocks = clocks;
    Explored explored;
    explored.rules = std::make_unique<ProtocolRules<Watch>>(
        std::make_shared<const WatchOptions>(options), 2, describe<Watch>(), request);
    SpaceSettings settings;
    settings.timing = Timing{};
    settings.timing->tick = ms(1);
    settings.timing->delay = {ms(1), ms(2)};
    settings.timing->step = steps;
    settings.timing->until = until;
    explored.space = std::make_unique<Space>(*explored.rules, settings);
    SearchSettings search_settings;
    search_settings.sometimes = std::move(sometimes);
    explored.result = search(*explored.space, search_settings);
    return explored;
}

std::int64_t ticks_in(const std::optional<Path>& path) {
    std::int64_t ticks = 0;
    for (const Step& step : path.value().steps) {
        ticks += step.kind == StepKind::tick;
    }
    return ticks;
}

const Predicate heard{"heard", [](const Space& space, World world) {
                          const Value node = space.rules().local_value(world[1]);
                          return *node.find("memory")->find("told")->get_if<double>() > -9;
                      }};
const Predicate late_again{"late after it was heard", [](const Space& space, World world) {
                               return heard.holds(space, world) &&
                                      space.node(world, 2).view.leads();
                           }};

}  // namespace

TEST_CASE("clocks: moments fall behind with each tick, and stay at the horizon", "[check][clocks]") {
    const auto [rules, space, result] = explore(Habit::spans, {ms(1), ms(1)}, {}, {late_again});
    CHECK(rules->clocks_show() == ms(10));  // twice the longest option, and the delay
    CHECK(result.exhausted);
    CHECK_FALSE(rules->reads_clock());
    CHECK(result.bounds_hit.empty());
    // Heard after a tick at the earliest; the look at 6 ms is the first more than 4 ms later.
    CHECK(ticks_in(result.witnesses[0].path) == 6);
}

TEST_CASE("clocks: each node's goes at its own rate, and its timers with it", "[check][clocks]") {
    // Node 2's clock at double speed: it looks each tick, and 4 ms are over after two of them.
    const auto fast = explore(Habit::spans, {ms(1), ms(2)}, {}, {late_again});
    CHECK(fast.result.exhausted);
    CHECK_FALSE(fast.rules->reads_clock());
    CHECK(ticks_in(fast.result.witnesses[0].path) == 4);
    // What node 1 sent is on its own clock when it comes back, and lies behind.
    const Predicate back{"back", [](const Space& s, World world) {
                             const Value node = s.rules().local_value(world[0]);
                             return *node.find("memory")->find("back")->get_if<bool>();
                         }};
    const auto echoed = explore(Habit::spans, {ms(1), ms(2)}, {}, {back});
    REQUIRE(echoed.result.witnesses[0].path);
    const Path& path = *echoed.result.witnesses[0].path;
    const Value node = echoed.rules->local_value(path.worlds.back()[0]);
    CHECK(*node.find("memory")->find("told")->get_if<double>() ==
          -static_cast<double>(ticks_in(echoed.result.witnesses[0].path)));
}

TEST_CASE("clocks: a handler that asks for more than spans is noticed", "[check][clocks]") {
    CHECK(explore(Habit::phase).rules->reads_clock());
    // Two moments that are both at the horizon: which was first is not known there.
    CHECK(explore(Habit::two_old).rules->reads_clock());
    // A horizon nearer than what the handler looks back.
    CHECK(explore(Habit::spans, {ms(1), ms(1)}, ms(3)).rules->reads_clock());
    CHECK_FALSE(explore(Habit::spans, {ms(1), ms(1)}, ms(5)).rules->reads_clock());
}

TEST_CASE("clocks: for a while they may show the time since the start", "[check][clocks]") {
    const auto [rules, space, result] =
        explore(Habit::phase, {ms(1), ms(1)}, {}, {late_again}, ms(7));
    CHECK(result.exhausted);
    CHECK_FALSE(rules->reads_clock());
    CHECK(space->time_was_over());
    CHECK(ticks_in(result.witnesses[0].path) == 6);  // the first multiple of 2 and 3
}

TEST_CASE("draws: a stream can be made to say what is wanted, and a seed be found that does",
          "[check][draws]") {
    for (std::uint32_t choices = 1; choices <= 16; ++choices) {
        for (std::uint32_t choice = 0; choice < choices; ++choice) {
            for (const std::uint64_t index : {0ULL, 1ULL, 77ULL}) {
                CAPTURE(choices, choice, index);
                CHECK(scale_word(stream_with(index, choice, choices).word(index), choices) == choice);
            }
        }
    }
    const std::vector<Draw> draws{{1, 0, 0, 2, 3}, {2, 0, 0, 0, 3}, {2, 1, 0, 1, 3}, {1, 0, 1, 2, 3}};
    const auto seed = seed_that_draws(draws, 100'000);
    REQUIRE(seed);
    for (const Draw& d : draws) {
        const auto stream = random_stream(trial_key(*seed, 0), d.node, Purpose::protocol, d.life);
        CHECK(scale_word(stream.word(d.index), d.choices) == d.choice);
    }
    CHECK_FALSE(seed_that_draws(draws, *seed));  // the first
}

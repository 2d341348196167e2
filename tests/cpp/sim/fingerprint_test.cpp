// The fingerprint tells two clusters apart as soon as their futures may differ. In each pair below
// both are done to alike, as often and at the same times; one thing that decides differs.
#include <memory>
#include <variant>
#include <vector>

#include "electionlab/sim/recorded_cluster.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace probe_test {

struct ProbeOptions {
    template <class Self, class Visit>
    static void describe(Self&, Visit&&) {}
    void validate(NodeId) const {}
};

// A node that does one small thing for each timer, so that states can be built piece by piece.
struct Probe {
    using Options = ProbeOptions;
    struct Word {
        EL_FIELDS(Word)
    };
    using Message = std::variant<Word>;
    struct Disk {
        std::int64_t value = 0;
        EL_FIELDS(Disk, value)
    };
    struct Memory {
        bool handled = false;
        EL_FIELDS(Memory, handled)
    };
    using State = electionlab::State<Probe>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;
    enum class Timer : std::uint8_t { set, tell, arm_x, arm_y, x, y, write };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"set", "tell", "arm_x", "arm_y", "x", "y", "write"};
        return static_cast<std::size_t>(timer) < 7 ? names[static_cast<std::size_t>(timer)] : "";
    }

    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(Probe::State&, const Context& ctx, Effects& effects) {
        for (const Timer t :
             {Timer::set, Timer::tell, Timer::arm_x, Timer::arm_y, Timer::write}) {
            if (ctx.self == 1) {
                effects.set_timer(t, TimerSpec::fixed(seconds(100)));
            }
        }
    }
    static void on_restart(Probe::State&, const Context&, Effects&) {}
    static void on_timer(Probe::State& s, const Context&, Timer timer, Effects& effects) {
        switch (timer) {
            case Timer::set: s.disk.value = 5; break;
            case Timer::tell: effects.send(2, Word{}); break;
            case Timer::arm_x: effects.set_timer(Timer::x, TimerSpec::fixed(ms(10))); break;
            case Timer::arm_y: effects.set_timer(Timer::y, TimerSpec::fixed(ms(10))); break;
            case Timer::write:
                s.disk.value = 7;
                effects.persist();
                break;
            default: s.memory.handled = true;
        }
    }
    static void on_message(Probe::State& s, const Context&, NodeId, const Message&, Effects&) {
        s.memory.handled = true;
    }
    static View view(const Probe::State&, const Context&) { return {Role::follower, no_node, 0}; }
    static std::vector<Promise<Probe>> invariants() {
        return {{"always", [](const Known<Probe>&, const Known<Probe>&) { return true; }}};
    }
    static About about() {
        return {.name = "probe",
                .title = "a test",
                .source = "",
                .assumptions = "",
                .cost = "",
                .weaknesses = ""};
    }
};

}  // namespace probe_test

namespace {

using probe_test::Probe;

Story probe(const Value& config = Dict{}) {
    const Description& description = describe<Probe>();
    std::vector<std::string> messages{"Word"};
    const ActionScope scope{2, &description.timers, &messages};
    const Value whole = merged(Dict{{"network", network(5)}}, config);
    return Story(std::make_unique<RecordedCluster<Probe>>(
        std::make_shared<const probe_test::ProbeOptions>(), 2,
        std::make_shared<const SimulationConfig>(SimulationConfig::from_value(whole, 2, scope)),
        description, true));
}

void check_differ(const Story& a, const Story& b) {
    REQUIRE(a->steps() == b->steps());
    REQUIRE(a->now() == b->now());
    CHECK(a->fingerprint() != b->fingerprint());
}

void fire_in(Story& s, std::initializer_list<const char*> timers) {
    for (const char* timer : timers) {
        s.fire(1, timer);
    }
}

Value action(const char* kind, const Value& entries) {
    return merged(Dict{{"action", kind}}, entries);
}

}  // namespace

TEST_CASE("fingerprint: tells apart whatever was done with another value", "[sim][fingerprint]") {
    const auto link = [](const Value& change) { return action("link", Dict{{"link", change}}); };
    const auto on = [](int node, const Value& entries) {
        return merged(Dict{{"node", node}}, entries);
    };
    const auto at = [](double when_ms, const Value& what) {
        return action("at", Dict{{"at_ms", when_ms}, {"do", what}});
    };
    const auto when = [](const Value& condition, int node) {
        return action("when", Dict{{"condition", condition},
                                   {"do", Dict{{"action", "crash"}, {"node", node}}}});
    };
    const auto plan = [&](int node, const Value& more) {
        return action("plan", Dict{{"plan", merged(Dict{{"do", action("crash", on(node, Dict{}))},
                                                        {"interval_ms", 100}},
                                                   more)}});
    };
    const auto from = [](int node, const Value& more) {
        return merged(Dict{{"from", nodes({node})}, {"to", nodes({3})}}, more);
    };
    struct Pair {
        const char* what;
        Value one, other;
    };
    const std::vector<Pair> pairs = {
        {"loss of every link", link(Dict{{"loss_probability", 0.1}}),
         link(Dict{{"loss_probability", 0.2}})},
        {"delay of every link", link(Dict{{"one_way_delay_ms", List{1, 2}}}),
         link(Dict{{"one_way_delay_ms", List{1, 3}}})},
        {"order of every link", link(Dict{{"reorder_probability", 0.1}, {"fifo", true}}),
         link(Dict{{"reorder_probability", 0.1}})},
        {"which link", action("link", from(1, Dict{{"link", Dict{{"loss_probability", 0.1}}}})),
         action("link", from(2, Dict{{"link", Dict{{"loss_probability", 0.1}}}}))},
        {"which cut", action("cut", from(1, Dict{})), action("cut", from(2, Dict{}))},
        {"processing time", action("slow", on(1, Dict{{"processing_ms", 1}})),
         action("slow", on(1, Dict{{"processing_ms", 2}}))},
        {"write delay", action("disk", on(1, Dict{{"write_delay_ms", 1}})),
         action("disk", on(1, Dict{{"write_delay_ms", 2}}))},
        {"clock's offset", action("clock", on(1, Dict{{"offset_ms", 1}})),
         action("clock", on(1, Dict{{"offset_ms", 2}}))},
        {"clock's rate", action("clock", on(1, Dict{{"drift_ppm", 0.001}})),
         action("clock", on(1, Dict{{"drift_ppm", 0.002}}))},
        {"whom a scheduled action means", at(500, action("crash", on(1, Dict{}))),
         at(500, action("crash", on(2, Dict{})))},
        {"when it happens", at(500, action("heal", Dict{})), at(501, action("heal", Dict{}))},
        {"a condition", when(Dict{{"epoch", 3}}, 1), when(Dict{{"epoch", 4}}, 1)},
        {"a condition's action", when(Dict{{"epoch", 3}}, 1), when(Dict{{"epoch", 3}}, 2)},
        {"a plan's action", plan(1, Dict{}), plan(2, Dict{})},
        {"a plan's limits", plan(1, Dict{{"keep_up", 1}}), plan(1, Dict{{"keep_up", 2}})},
        {"a plan's end", plan(1, Dict{{"until_ms", 500}}), plan(1, Dict{{"until_ms", 600}})},
    };
    for (const Pair& pair : pairs) {
        Story one("raft", 3, Dict{{"election_timeout_ms", 1e6}}, Dict{{"network", network(5)}});
        one.until(10);
        Story other = one.fork(), same = one.fork();
        one.act(pair.one);
        same.act(pair.one);
        other.act(pair.other);
        CAPTURE(pair.what);
        CHECK(one->fingerprint() == same->fingerprint());
        check_differ(one, other);
    }
}

TEST_CASE("fingerprint: knows seed and trial", "[sim][fingerprint]") {
    const auto of = [](std::int64_t seed, std::int64_t trial) {
        return Story("bully", 3, Dict{}, Dict{{"seed", seed}, {"trial", trial}})->fingerprint();
    };
    CHECK(of(1, 0) == of(1, 0));
    CHECK(of(1, 0) != of(2, 0));
    CHECK(of(1, 0) != of(1, 1));
}

TEST_CASE("fingerprint: knows what messages that left may depend on", "[sim][fingerprint]") {
    Story first_set = probe(), first_told = probe();
    for (Story* s : {&first_set, &first_told}) {
        s->until(1);
        s->cut(nodes({1}), nodes({2}), false);  // the word itself is lost
    }
    fire_in(first_set, {"set", "tell"});
    fire_in(first_told, {"tell", "set"});
    REQUIRE(first_set->node(1) == first_told->node(1));
    check_differ(first_set, first_told);
}

TEST_CASE("fingerprint: knows which of two timers of one instant comes first",
          "[sim][fingerprint][timers]") {
    Story x_first = probe(), y_first = probe();
    x_first.until(1);
    y_first.until(1);
    fire_in(x_first, {"arm_x", "arm_y"});
    fire_in(y_first, {"arm_y", "arm_x"});
    REQUIRE(x_first->node(1) == y_first->node(1));
    check_differ(x_first, y_first);
}

TEST_CASE("fingerprint: knows the order of what waits", "[sim][fingerprint][waiting]") {
    Story x_first = probe(), y_first = probe();
    for (Story* s : {&x_first, &y_first}) {
        s->until(1);
        fire_in(*s, {"arm_x", "arm_y"});
        s->pause(1);
    }
    fire_in(x_first, {"x", "y"});
    fire_in(y_first, {"y", "x"});
    check_differ(x_first, y_first);
}

TEST_CASE("fingerprint: knows what a pause keeps from leaving", "[sim][fingerprint][waiting]") {
    Story one = probe(Dict{{"nodes", List{Dict{{"node", 1},
                                               {"config", Dict{{"write_delay_ms", 20}}}}}},
                           {"write_mode", "pipelined"}});
    one.until(1);
    fire_in(one, {"write", "tell"});
    Story other = one.fork();
    const auto word = one.in_flight().at(0).message;
    one.act(action("delay", Dict{{"message", word}, {"by_ms", 1}}));
    other.act(action("delay", Dict{{"message", word}, {"by_ms", 2}}));
    one.pause(1);
    other.pause(1);
    REQUIRE(one.in_flight().empty());
    check_differ(one, other);
}

TEST_CASE("fingerprint: knows which pause a repair belongs to", "[sim][fingerprint][schedule]") {
    Story repaired = probe(), resumed = probe();
    for (Story* s : {&repaired, &resumed}) {
        s->until(1);
    }
    repaired.act(action("pause", Dict{{"node", 1}, {"resume_after_ms", 40}}));
    repaired.act("heal");
    resumed.pause(1);
    resumed.act(action("at", Dict{{"at_ms", 41},
                                  {"do", Dict{{"action", "resume"}, {"node", 1}}}}));
    check_differ(repaired, resumed);
}

TEST_CASE("fingerprint: knows since when a link is cut", "[sim][fingerprint][network]") {
    Story early = probe(), late = probe();
    early.until(1);
    late.until(1);
    early.cut(nodes({1}), nodes({2}), false);
    late.act("heal");
    early.until(2);
    late.until(2);
    early.act("heal");
    late.act("heal");
    early.until(3);
    late.until(3);
    CHECK(early->fingerprint() == late->fingerprint());  // mended: no matter any more
    const Value nothing = action("mend", Dict{{"from", nodes({2})}, {"to", nodes({1})}});
    early.cut(nodes({1}), nodes({2}), false);
    late.act(nothing);
    early.until(4);
    late.until(4);
    early.act(nothing);
    late.cut(nodes({1}), nodes({2}), false);
    check_differ(early, late);
}

TEST_CASE("fingerprint: a write that is done is done, noticed or not", "[sim][fingerprint][disk]") {
    const Value slow_disk =
        Dict{{"nodes", List{Dict{{"node", 1}, {"config", Dict{{"write_delay_ms", 8}}}}}}};
    Story s = probe(slow_disk);
    s.until(1);
    fire_in(s, {"write"});
    s.until(8);
    CHECK(s.whole(1, "durable.value") == 0);
    s.until(9);
    CHECK(s.whole(1, "durable.value") == 7);
}

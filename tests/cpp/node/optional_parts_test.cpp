// What a protocol may have besides its four handlers: timers about single peers, commands from
// outside, properties of all nodes, a blank disk of its own, quorums as an option, and fields that
// are text, optional values and lists of structs. One small protocol uses all of them.
#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "electionlab/node/timer_layout.h"
#include "electionlab/sim/recorded_cluster.h"

#include "catch_shim.h"
#include "machine.h"
#include "story.h"

using namespace story;

namespace watch_test {

struct WatchOptions {
    Duration beat = ms(20);
    DurationRange patience{ms(50), ms(60)};
    Quorum quorum;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("beat_ms", self.beat, "Time between a node's signs of life.");
        option("patience_ms", self.patience, "Silence after which a peer is suspected.");
        option("quorum", self.quorum, "Whom a leader must not suspect, itself included.");
    }
    void validate(NodeId nodes) const { quorum.validate(nodes, "quorum"); }
};

// Every node watches each peer with a timer of its own; the lowest that nobody suspects leads, while
// it trusts a quorum. Clients write to a log that every node appends to.
struct Watch {
    using Options = WatchOptions;
    struct Entry {
        std::int64_t number = 0;
        std::string text;
        EL_FIELDS(Entry, number, text)
    };
    struct Alive {
        EL_FIELDS(Alive)
    };
    struct Append {
        std::vector<Entry> entries;
        std::optional<Entry> last;
        EL_FIELDS(Append, entries, last)
    };
    using Message = std::variant<Alive, Append>;

    struct Write {
        std::string text;
        std::optional<NodeId> to;  // tell this node only
        EL_FIELDS(Write, text, to)
    };
    struct Forget {
        EL_FIELDS(Forget)
    };
    struct WatchMyself {
        EL_FIELDS(WatchMyself)
    };
    struct WatchNobody {
        EL_FIELDS(WatchNobody)
    };
    using Command = std::variant<Write, Forget, WatchMyself, WatchNobody>;

    struct Disk {
        std::vector<Entry> log;
        bool formatted = true;
        EL_FIELDS(Disk, log, formatted)
    };
    struct Memory {
        NodeSet<64> suspected;
        EL_FIELDS(Memory, suspected)
    };
    using State = electionlab::State<Watch>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;
    enum class Timer : std::uint8_t { suspect, beat };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"suspect", "beat"};
        return static_cast<std::size_t>(timer) < 2 ? names[static_cast<std::size_t>(timer)] : "";
    }
    static constexpr bool per_peer(Timer timer) { return timer == Timer::suspect; }

    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static Disk empty_disk(const Options&, NodeId) { return {{}, false}; }
    static void on_start(Watch::State&, const Context& ctx, Effects& effects) {
        effects.set_timer(Timer::beat, TimerSpec::fixed(ctx.options.beat));
        for (NodeId peer = 1; peer <= ctx.members; ++peer) {
            if (peer != ctx.self) {
                watch(ctx, peer, effects);
            }
        }
    }
    static void on_restart(Watch::State& s, const Context& ctx, Effects& effects) {
        on_start(s, ctx, effects);
    }
    static void watch(const Context& ctx, NodeId peer, Effects& effects) {
        effects.set_timer(Timer::suspect, peer, TimerSpec::between(ctx.options.patience));
    }
    static void on_timer(Watch::State& s, const Context& ctx, Timer timer, NodeId about,
                         Effects& effects) {
        if (timer == Timer::suspect) {
            s.memory.suspected.insert(about);
            effects.note("suspects node {}", about);
            return;
        }
        REQUIRE(about == no_node);
        effects.broadcast(Alive{});
        effects.set_timer(Timer::beat, TimerSpec::fixed(ctx.options.beat));
    }
    static void on_message(Watch::State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects) {
        s.memory.suspected.erase(from);
        watch(ctx, from, effects);
        if (const auto* append = std::get_if<Append>(&message)) {
            s.disk.log.insert(s.disk.log.end(), append->entries.begin(), append->entries.end());
            effects.persist();
        }
    }
    static void on_command(Watch::State& s, const Context& ctx, const Command& command,
                           Effects& effects) {
        if (const auto* write = std::get_if<Write>(&command)) {
            const Entry entry{static_cast<std::int64_t>(s.disk.log.size()) + 1, write->text};
            s.disk.log.push_back(entry);
            effects.persist();
            if (write->to) {
                effects.send(*write->to, Append{{entry}, entry});
            } else {
                effects.broadcast(Append{{entry}, std::nullopt});
            }
        } else if (std::holds_alternative<Forget>(command)) {
            s.disk = {{}, false};
            effects.persist();
            effects.broadcast(Alive{});
        } else if (std::holds_alternative<WatchMyself>(command)) {
            watch(ctx, ctx.self, effects);
        } else {
            effects.set_timer(Timer::suspect, TimerSpec::fixed(ms(1)));
        }
    }
    static View view(const Watch::State& s, const Context& ctx) {
        NodeSet<64> trusted;
        NodeId lowest = no_node;
        for (NodeId node = ctx.members; node >= 1; --node) {
            if (!s.memory.suspected.contains(node)) {
                trusted.insert(node);
                lowest = node;
            }
        }
        const bool leads = lowest == ctx.self && ctx.options.quorum.is_met(trusted, ctx.members);
        return {leads ? Role::leader : Role::follower, lowest, 0};
    }
    static About about() {
        return {.name = "watch", .title = "Watch", .source = "test", .assumptions = "", .cost = "",
                .weaknesses = ""};
    }
    static std::vector<electionlab::Promise<Watch>> invariants() {
        using Known = electionlab::Known<Watch>;
        return {{"log_never_shrinks",
                 [](const Known& before, const Known& after) {
                     return after.disk.log.size() >= before.disk.log.size();
                 }},
                {"stays_formatted", [](const Known& before, const Known& after) {
                     return after.disk.formatted || !before.disk.formatted;
                 }}};
    }
    static std::vector<Property<Watch>> properties() {
        return {{"logs_agree",
                 [](const AllNodes<Watch>& nodes) {
                     for (NodeId a = 1; a <= nodes.actors(); ++a) {
                         for (NodeId b = 1; b < a; ++b) {
                             const auto& one = nodes.state(a).disk.log;
                             const auto& other = nodes.state(b).disk.log;
                             const auto both = static_cast<std::ptrdiff_t>(
                                 std::min(one.size(), other.size()));
                             if (!std::equal(one.begin(), one.begin() + both, other.begin())) {
                                 return false;
                             }
                         }
                     }
                     return true;
                 }},
                {"nobody_suspects_itself", [](const AllNodes<Watch>& nodes) {
                     for (NodeId node = 1; node <= nodes.members(); ++node) {
                         if (nodes.state(node).memory.suspected.contains(node)) {
                             return false;
                         }
                     }
                     return true;
                 }}};
    }
};

}  // namespace watch_test

namespace {

using namespace watch_test;
using Timer = Watch::Timer;

Story watch(NodeId members, std::uint64_t seed = 1, WatchOptions given = {},
            SimulationConfig config = {}) {
    given.validate(members);
    config.seed = seed;
    return Story(std::make_unique<RecordedCluster<Watch>>(
        std::make_shared<const WatchOptions>(std::move(given)), members,
        std::make_shared<const SimulationConfig>(std::move(config)), describe<Watch>(), true));
}

Value command(NodeId node, const char* name, const Value& fields = Dict{}) {
    return Dict{{"action", "command"}, {"node", node}, {"command", name}, {"fields", fields}};
}

Value write(NodeId node, const char* text) { return command(node, "Write", Dict{{"text", text}}); }

std::vector<std::string> broken(const Story& s) {
    std::vector<std::string> names;
    for (const Violation& violation : s->monitor().violations()) {
        names.emplace_back(violation.invariant);
    }
    return names;
}

bool told(const Story& s, std::string_view words) {
    return s.told().find(words) != std::string::npos;
}

}  // namespace

// --- timers about single peers --------------------------------------------------------------------

TEST_CASE("timer layout: every timer has one slot, and every slot one timer", "[node][timers]") {
    const NodeId actors = GENERATE(1u, 2u, 5u, 64u);
    const TimerLayout<true> mixed({false, true, false, true}, actors);
    CHECK(mixed.per_node() == 2 + 2 * actors);
    std::set<std::size_t> slots;
    for (NodeId node = 1; node <= actors; ++node) {
        for (std::uint32_t timer = 0; timer < 5; ++timer) {
            for (NodeId about = 0; about <= actors + 1; ++about) {
                const bool per_peer = timer == 1 || timer == 3;
                const bool there = timer < 4 && (per_peer ? about >= 1 && about <= actors && about != node
                                                          : about == no_node);
                REQUIRE(mixed.has(node, timer, about) == there);
                if (there) {
                    const std::size_t slot = mixed.slot(node, timer, about);
                    REQUIRE(slot < actors * mixed.per_node());
                    REQUIRE(slots.insert(slot).second);
                    const auto place = mixed.place(slot);
                    REQUIRE((place.node == node && place.timer == timer && place.about == about));
                }
            }
        }
    }
    const TimerLayout<false> plain({false, false, false}, actors);
    CHECK(plain.per_node() == 3);  // nobody pays for what it does not use
    CHECK(plain.has(1, 2, no_node));
    CHECK_FALSE(plain.has(1, 3, no_node));
    CHECK_FALSE(plain.has(1, 2, 1));
    CHECK(plain.place(plain.slot(actors, 2, no_node)).timer == 2);
}

TEST_CASE("peer timers: one handler is told which peer its timer was about", "[node][timers]") {
    Machine<Watch> node(1, 4);
    node.start();
    CHECK(node.effects.timers().size() == 4);
    node.expire(Timer::suspect, 3);
    CHECK(node.state.memory.suspected.contains(3));
    CHECK(node.state.memory.suspected.size() == 1);
}

TEST_CASE("peer timers: a detector suspects the peer that fell silent, and no other",
          "[node][timers]") {
    const auto seed = static_cast<std::uint64_t>(GENERATE(range(1, 6)));
    CAPTURE(seed);
    Story s = watch(4, seed);
    s.until(105);
    std::set<std::pair<NodeId, NodeId>> watched;
    for (const PendingEvent& event : s->pending()) {
        if (event.timer == 0) {
            watched.emplace(event.node, event.peer);
        }
    }
    CHECK(watched.size() == 12);
    CHECK(s.field(1, "timers_due_ms").find("suspect about 2") != nullptr);
    CHECK(s.field(1, "timers_due_ms").find("suspect about 1") == nullptr);
    CHECK(s.leader() == 1);

    s.crash(1);
    CHECK(s.field(1, "timers_due_ms") == Value(Dict{}));
    s.for_ms(70);  // the last sign of life is up to 10 ms old, patience is up to 60
    for (NodeId node = 2; node <= 4; ++node) {
        CHECK(s.field(node, "memory.suspected") == Value(List{1}));
    }
    CHECK(s.leader() == 2);
    for (const TraceRow& row : s.rows(RowKind::timer)) {
        REQUIRE(row.peer == (row.timer == 0 ? 1U : no_node));
    }
    CHECK(told(s, "node 3: its suspect timer about node 1 expires"));
    CHECK(told(s, "node 3: its beat timer expires"));
}

TEST_CASE("peer timers: each has draws of its own, and arming one leaves the others",
          "[node][timers]") {
    Story s = watch(5);
    s->step();  // node 1 starts
    std::set<std::int64_t> due;
    for (const PendingEvent& event : s->pending()) {
        if (event.timer == 0) {
            due.insert(event.at.ns);
        }
    }
    CHECK(due.size() == 4);
    for (NodeId peer = 2; peer <= 5; ++peer) {  // all messages but node 2's are lost
        if (peer != 2) {
            s.cut(nodes({static_cast<int>(peer)}), nodes({1}), false);
        }
    }
    s.until(49);
    const Value timers = s.field(1, "timers_due_ms");
    CHECK(due.count(static_cast<std::int64_t>(*timers.find("suspect about 3")->get_if<double>() * 1e6 + 0.5)) == 1);
    CHECK(*timers.find("suspect about 2")->get_if<double>() > 70);
}

TEST_CASE("peer timers: fire needs the peer, and refuses what is not there", "[node][timers]") {
    Story s = watch(3);
    s.until(10);
    const auto fire = [](const char* timer, NodeId about) {
        return Value(Dict{{"action", "fire"}, {"node", 1}, {"timer", timer}, {"about", about}});
    };
    const Event event = s.act(fire("suspect", 3));
    CHECK(event.kind == RowKind::timer);
    CHECK(event.peer == 3);
    CHECK(s.field(1, "memory.suspected") == Value(List{3}));
    const auto before = s->fingerprint();
    CHECK_THROWS_WITH(s.act(fire("suspect", 3)), contains("about 3 is not armed at node 1"));
    CHECK_THROWS_WITH(s.act(fire("suspect", 1)), contains("not armed"));
    CHECK_THROWS_WITH(s.fire(1, "suspect"), contains("fire.about=0") && contains("each peer"));
    CHECK_THROWS_WITH(s.act(fire("beat", 2)), contains("fire.about=2") && contains("about nobody"));
    CHECK_THROWS_WITH(s.act(fire("suspect", 4)), contains("fire.about=4"));
    CHECK(s->fingerprint() == before);
}

TEST_CASE("peer timers: what runs out in a pause waits, and lapses if it was set anew",
          "[node][timers][fault]") {
    Story s = watch(3);
    s.until(55);
    s.pause(3);
    s.crash(1);
    s.for_ms(100);
    s.resume(3);  // held: signs of life of node 2, and timers about both; node 2's come first
    s.for_ms(5);
    CHECK(s.field(3, "memory.suspected") == Value(List{1}));
    CHECK(told(s, "node 3: its suspect timer about node 1 waits"));
    const auto lapses = s.rows(RowKind::lapse);
    CHECK(std::any_of(lapses.begin(), lapses.end(), [](const TraceRow& row) { return row.peer == 2; }));
}

TEST_CASE("peer timers: history, replay and fork know them", "[node][timers][history]") {
    Story s = watch(4, 3);
    s.until(80);
    s.act(Dict{{"action", "clock"}, {"node", 2}, {"drift_ppm", 200'000}});
    s.act(Dict{{"action", "fire"}, {"node", 2}, {"timer", "suspect"}, {"about", 4}});
    s.crash(1);
    s.for_ms(50);
    s.restart(1);
    s.for_ms(200);
    const auto end = s->fingerprint();
    const auto hash = s->trace().hash();
    const auto steps = s->steps();
    Story again = watch(4, 3);
    again->replay(s->journal(), steps, s->now());
    CHECK(again->fingerprint() == end);
    CHECK(again->trace().hash() == hash);
    s->seek(steps / 2);
    s->seek(steps);
    s->seek(0);
    s->seek(steps);
    CHECK(s->trace().hash() == hash);
    Story fork = s.fork();
    CHECK(fork->fingerprint() == s->fingerprint());
}

TEST_CASE("timers: a protocol that sets one that is not there fails an assertion",
          "[node][timers][errors]") {
    Story s = watch(3);
    s.until(30);
    const auto before = s->fingerprint();
    CHECK_THROWS_AS(s.act(command(1, "WatchMyself")), EngineBug);
    CHECK_THROWS_AS(s.act(command(1, "WatchNobody")), EngineBug);
    CHECK(s->fingerprint() == before);
    s.for_ms(100);  // and it goes on
    CHECK(s.leader() == 1);
}

// --- commands ---------------------------------------------------------------------------------------

TEST_CASE("command: what is asked from outside reaches its handler as one step", "[node][command]") {
    Story s = watch(3);
    s.until(30);
    const auto steps = s->steps();
    const Event event = s.act(write(2, "blue {}"));
    CHECK(event.kind == RowKind::action);
    CHECK(event.node == 2);
    CHECK(s->steps() == steps + 1);
    CHECK(told(s, "node 2: command Write(text blue {})"));
    s.for_ms(15);
    for (NodeId node = 1; node <= 3; ++node) {
        CHECK(s.field(node, "durable.log").to_json() == R"([{"number": 1, "text": "blue {}"}])");
    }
    CHECK(told(s, "Append(entries [{\"number\": 1, \"text\": \"blue {}\"}], last None)"));
    s.act(command(1, "Write", Dict{{"text", "red"}, {"to", 3}}));
    s.for_ms(15);
    CHECK(s.field(3, "durable.log").get_if<List>()->size() == 2);
    CHECK(s.field(2, "durable.log").get_if<List>()->size() == 1);
    CHECK(s.asked(ActionKind::command) == 2);
    CHECK(s.effective(ActionKind::command) == 2);
    CHECK(s.measures().unexplained_changes == 0);  // asking is no fault
}

TEST_CASE("command: at a time, at a condition, and in a replay", "[node][command][history]") {
    Story s = watch(3);
    s.act(Dict{{"action", "at"}, {"at_ms", 40}, {"do", write(2, "timed")}});
    Value when = write(1, "by the leader");
    when = merged(when, Dict{{"node", "trigger"}});
    s.act(Dict{{"action", "when"},
               {"condition", Dict{{"role", "leader"}, {"occurrence", 2}}},
               {"do", when}});
    s.until(100);
    s.crash(1);
    s.until(300);
    CHECK(s.field(3, "durable.log").to_json() ==
          R"([{"number": 1, "text": "timed"}, {"number": 2, "text": "by the leader"}])");
    Story again = watch(3);
    again->replay(s->journal(), s->steps(), s->now());
    CHECK(again->trace().hash() == s->trace().hash());
    CHECK(again->fingerprint() == s->fingerprint());
}

TEST_CASE("command: a node that is down or paused hears nothing, a busy one hears it later",
          "[node][command][fault]") {
    SimulationConfig config;
    config.every_node.write_delay = Distribution::constant(ms(8));
    Story s = watch(3, 1, {}, config);
    s.until(5);
    s.act(write(1, "first"));
    s.act(write(1, "second"));  // while the first is being written
    CHECK(s.field(1, "disk.log").get_if<List>()->size() == 1);
    CHECK(s.effective(ActionKind::command) == 1);
    s.until(13);
    CHECK(s.field(1, "disk.log").get_if<List>()->size() == 2);
    CHECK(s.asked(ActionKind::command) == 2);
    CHECK(s.effective(ActionKind::command) == 2);
    s.until(100);
    s.crash(2);
    s.pause(3);
    s.act(write(2, "to nobody"));
    s.act(write(3, "to nobody"));
    CHECK(s.asked(ActionKind::command) == 4);
    CHECK(s.effective(ActionKind::command) == 2);
    CHECK(s.field(3, "disk.log").get_if<List>()->size() == 2);
}

TEST_CASE("command: an unknown or bad one is refused by name, and nothing changes",
          "[node][command][errors]") {
    Story s = watch(3);
    s.until(30);
    const auto before = s->fingerprint();
    CHECK_THROWS_WITH(s.act(command(1, "Wrote")), contains("command='Wrote'") && contains("'Forget'"));
    CHECK_THROWS_WITH(s.act(command(1, "Write", Dict{{"text", 3}})), contains("Write.text=3"));
    CHECK_THROWS_WITH(s.act(command(1, "Write", Dict{{"txt", "x"}})), contains("Write.txt='x'"));
    CHECK_THROWS_WITH(s.act(command(1, "Write", 3)), contains("must be a dictionary"));
    CHECK_THROWS_WITH(s.act(command(4, "Forget")), contains("command.node=4"));
    CHECK(s->fingerprint() == before);
    Story bully("bully", 3);
    CHECK_THROWS_WITH(bully.act(command(1, "Forget")), contains("takes no commands"));
}

// --- what must hold ---------------------------------------------------------------------------------

TEST_CASE("properties: asked of all nodes after every event, and reported once while broken",
          "[node][properties]") {
    Story s = watch(3);
    s.until(30);
    s.act(write(1, "same"));
    s.for_ms(15);
    CHECK(broken(s).empty());
    s.partition(groups({{1}, {2, 3}}));
    s.act(write(1, "one"));
    CHECK(broken(s).empty());  // node 1's log is longer, not different
    s.act(write(2, "other"));
    CHECK(broken(s) == std::vector<std::string>{"logs_agree"});
    const Violation violation = s->monitor().violations()[0];
    CHECK(violation.node == 2);
    CHECK(violation.step == s->steps());
    CHECK(told(s, "VIOLATION at node 2: logs_agree"));
    s.for_ms(30);
    CHECK(broken(s).size() == 1);
    CHECK(describe<Watch>().properties ==
          std::vector<std::string>{"logs_agree", "nobody_suspects_itself"});
}

TEST_CASE("properties: a node that is down counts with what its restart will find",
          "[node][properties][fault]") {
    SimulationConfig config;
    config.every_node.write_delay = Distribution::constant(ms(4));
    Story s = watch(2, 1, {}, config);
    s.until(5);
    s.partition(groups({{1}, {2}}));
    s.act(write(1, "a"));
    s.act(write(2, "b"));
    CHECK(broken(s).size() == 1);
    s.crash(2);  // its write had not ended
    CHECK(s.field(2, "disk.log") == Value(List{}));
    s.restart(2);
    s.act(write(2, "c"));
    CHECK(broken(s).size() == 2);  // it held in between
}

TEST_CASE("promises: two that break in one event are both reported", "[node][properties]") {
    Story s = watch(3);
    s.until(30);
    s.act(write(1, "x"));
    s.for_ms(15);
    s.act(command(1, "Forget"));
    CHECK(broken(s) == std::vector<std::string>{"log_never_shrinks", "stays_formatted"});
    s.for_ms(100);
    CHECK(broken(s).size() == 2);
}

// --- disks and quorums ------------------------------------------------------------------------------

TEST_CASE("empty disk: a lost disk is what the protocol says a blank one is", "[node][fault]") {
    Story s = watch(3);
    s.until(30);
    s.act(write(1, "x"));
    s.for_ms(15);
    s.crash(2);
    s.act(Dict{{"action", "restart"}, {"node", 2}, {"lose_disk", true}});
    CHECK(s.field(2, "disk").to_json() == R"({"log": [], "formatted": false})");
    CHECK(s.field(2, "durable") == s.field(2, "disk"));
    CHECK(s.faults().disks_lost == 1);
    CHECK(electionlab::empty_disk<Watch>({}, 1) == Watch::Disk{{}, false});
}

TEST_CASE("quorum option: a safe one keeps one leader in a partition, an unsafe one does not",
          "[node][quorum][safety]") {
    const auto leaders = [](Quorum quorum) {
        WatchOptions options;
        options.quorum = std::move(quorum);
        Story s = watch(5, 1, options);
        s.until(50);
        s.partition(groups({{1, 2}, {3, 4, 5}}));
        s.for_ms(100);
        return s->monitor().acting_leaders();
    };
    CHECK(leaders({}) == 1);
    CHECK(leaders(Quorum::weighted({3, 1, 1, 1, 1})) == 1);
    CHECK(leaders(Quorum::of_sets({{1, 2}, {1, 3}, {1, 4}, {2, 3, 4}})) == 1);
    Quorum two = Quorum::at_least(2);
    CHECK_THROWS_AS(leaders(two), InvalidArgument);
    two.unsafe = true;
    CHECK(leaders(two) == 2);
}

TEST_CASE("quorum option: written, read and described as one", "[node][quorum][options]") {
    const Value given = Dict{{"quorum", Dict{{"weights", List{2, 1, 1}}}}};
    const auto options = options_from_value<WatchOptions>(given);
    CHECK(options.quorum == Quorum::weighted({2, 1, 1}, 3));
    CHECK(options_to_value(options).find("quorum")->to_json() == R"({"weights": [2, 1, 1], "needed": 3})");
    CHECK(option_infos<WatchOptions>()[2].type == "quorum");
    CHECK(option_infos<WatchOptions>()[2].default_value == Value("majority"));
    CHECK_THROWS_WITH(options_from_value<WatchOptions>(Dict{{"quorum", 3}}), contains("quorum=3"));
}

// Clusters whose actors are of several kinds: members that compete for a lock, the service that
// grants it, and a resource that the holder writes to. A paused holder shows what fencing is for.
#include <algorithm>
#include <memory>
#include <variant>
#include <vector>

#include "electionlab/sim/recorded_cluster.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace lock_test {

struct LockOptions {
    Duration lease = ms(100);
    Duration write_interval = ms(10);
    bool fencing = true;

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("lease_ms", self.lease, "How long the lock is held without being renewed.");
        option("write_interval_ms", self.write_interval, "Time between the holder's writes.");
        option("fencing", self.fencing, "Whether the resource refuses old tokens.");
    }
    void validate(NodeId) const {}
};

// Members 1..n, then the lock service, then the resource.
struct LockHolder {
    using Options = LockOptions;
    struct Acquire {
        EL_FIELDS(Acquire)
    };
    struct Granted {
        std::int64_t token = 0;
        EL_FIELDS(Granted, token)
    };
    struct Write {
        std::int64_t token = 0;
        EL_FIELDS(Write, token)
    };
    using Message = std::variant<Acquire, Granted, Write>;
    struct Disk {
        std::int64_t last_token =
            0;  // the service: of the last grant; the resource: of the last write
        EL_FIELDS(Disk, last_token)
    };
    struct Memory {
        std::int64_t token = 0;     // a member: that it holds
        NodeId holder = no_node;    // the service
        std::int64_t accepted = 0;  // the resource
        std::int64_t refused = 0;
        std::int64_t stale = 0;  // accepted though a newer token had been seen
        EL_FIELDS(Memory, token, holder, accepted, refused, stale)
    };
    using State = electionlab::State<LockHolder>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;
    enum class Timer : std::uint8_t { acquire, write, lease };
    friend constexpr std::string_view enum_name(Timer timer) {
        constexpr std::string_view names[] = {"acquire", "write", "lease"};
        return static_cast<std::size_t>(timer) < 3 ? names[static_cast<std::size_t>(timer)] : "";
    }

    static std::vector<ActorKind> actors(const Options&, NodeId) {
        return {{"lock service", 1}, {"resource", 1}};
    }
    static NodeId service(const Context& ctx) { return ctx.members + 1; }
    static NodeId resource(const Context& ctx) { return ctx.members + 2; }

    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(LockHolder::State&, const Context& ctx, Effects& effects) {
        if (ctx.self <= ctx.members) {
            effects.set_timer(Timer::acquire, TimerSpec{ms(1), ms(20)});
        }
    }
    static void on_restart(LockHolder::State& s, const Context& ctx, Effects& effects) {
        on_start(s, ctx, effects);
    }
    static void on_timer(LockHolder::State& s, const Context& ctx, Timer timer, Effects& effects) {
        switch (timer) {
            case Timer::acquire:
                effects.send(service(ctx), Acquire{});
                effects.set_timer(Timer::acquire, TimerSpec::fixed(ms(30)));
                break;
            case Timer::write:
                effects.send(resource(ctx), Write{s.memory.token});
                effects.set_timer(Timer::write, TimerSpec::fixed(ctx.options.write_interval));
                break;
            case Timer::lease:
                if (ctx.self == service(ctx)) {
                    s.memory.holder = no_node;
                } else {
                    s.memory.token = 0;
                    effects.cancel_timer(Timer::write);
                }
                break;
        }
    }
    static void on_message(LockHolder::State& s, const Context& ctx, NodeId from,
                           const Message& message, Effects& effects) {
        if (std::holds_alternative<Acquire>(message)) {
            if (s.memory.holder == no_node) {
                s.memory.holder = from;
                ++s.disk.last_token;
                effects.persist();
            }
            if (s.memory.holder == from) {
                effects.set_timer(Timer::lease, TimerSpec::fixed(ctx.options.lease));
                effects.send(from, Granted{s.disk.last_token});
            }
        } else if (const auto* granted = std::get_if<Granted>(&message)) {
            if (s.memory.token == 0) {
                effects.set_timer(Timer::write, TimerSpec::fixed(ctx.options.write_interval));
            }
            s.memory.token = granted->token;
            effects.set_timer(Timer::lease, TimerSpec::fixed(ctx.options.lease));
        } else {
            const std::int64_t token = std::get<Write>(message).token;
            if (token < s.disk.last_token && ctx.options.fencing) {
                ++s.memory.refused;
                return;
            }
            s.memory.stale += token < s.disk.last_token ? 1 : 0;
            ++s.memory.accepted;
            s.disk.last_token = std::max(s.disk.last_token, token);
            effects.persist();
        }
    }
    static View view(const LockHolder::State& s, const Context& ctx) {
        if (ctx.self > ctx.members) {
            return {Role::service, no_node, s.disk.last_token};
        }
        return s.memory.token != 0 ? View{Role::leader, ctx.self, s.memory.token}
                                   : View{Role::follower, no_node, 0};
    }
    static About about() {
        return {.name = "lock",
                .title = "Lock service",
                .source = "test",
                .assumptions = "",
                .cost = "",
                .weaknesses = "",
                .epochs = true};
    }
};

}  // namespace lock_test

namespace {

using namespace lock_test;

constexpr NodeId service = 4, resource = 5;

Story lock_cluster(bool fencing, std::uint64_t seed) {
    auto options = std::make_shared<LockOptions>();
    options->fencing = fencing;
    auto config = std::make_shared<SimulationConfig>();
    config->seed = seed;
    return Story(std::make_unique<RecordedCluster<LockHolder>>(options, 3, config,
                                                               describe<LockHolder>(), true));
}

// The holder sleeps through the end of its lease; its late writes race those of the next one.
Story with_a_paused_holder(bool fencing, std::uint64_t seed) {
    Story s = lock_cluster(fencing, seed);
    s.until(60);
    const NodeId holder = s.leader();
    REQUIRE(holder != no_node);
    s.pause(holder);
    s.for_ms(300);
    REQUIRE(s.leader() != no_node);
    REQUIRE(s.leader() != holder);
    s.resume(holder);
    s.for_ms(100);
    return s;
}

}  // namespace

TEST_CASE("actors: members, a service and a resource share one cluster", "[sim][actors]") {
    Story s = lock_cluster(true, 1);
    CHECK(s->members() == 3);
    CHECK(s->actors() == 5);
    CHECK(s->actor_kind(3) == "member");
    CHECK(s->actor_kind(service) == "lock service");
    CHECK(s->actor_kind(resource) == "resource");
    s.until(100);
    CHECK(s.role(service) == Role::service);
    CHECK(s->monitor().live_members() == 3);  // services do not vote and are not counted
    CHECK(s.leader() != no_node);
    CHECK(s.whole(resource, "memory.accepted") > 0);
    CHECK(s.violations() == 0);
}

TEST_CASE("actors: with fencing no stale write gets through, without it some do", "[sim][actors]") {
    std::int64_t refused = 0, stale = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        const Story fenced = with_a_paused_holder(true, seed);
        REQUIRE(fenced.whole(resource, "memory.stale") == 0);
        refused += fenced.whole(resource, "memory.refused");
        stale += with_a_paused_holder(false, seed).whole(resource, "memory.stale");
    }
    CHECK(refused > 0);
    CHECK(stale > 0);
}

TEST_CASE("actors: clients can be cut off from the service, and it can be down", "[sim][actors]") {
    Story s = lock_cluster(true, 3);
    s.until(60);
    const NodeId holder = s.leader();
    s.cut(List{holder}, List{service}, true);
    s.for_ms(300);
    CHECK(s.leader() != holder);
    CHECK(s.leader() != no_node);
    s.act("heal");
    s.crash(service);
    s.for_ms(300);
    CHECK(s.leader() == no_node);
    const auto token = s.whole(service, "disk.last_token");
    CHECK(token >= 2);
    s.restart(service);
    s.for_ms(200);
    CHECK(s.leader() != no_node);
    CHECK(s.whole(service, "disk.last_token") > token);  // tokens outlive the crash
    CHECK(s.violations() == 0);
}

TEST_CASE("actors: fork and replay hold for them, too", "[sim][actors][history]") {
    Story s = with_a_paused_holder(true, 7);
    Story fork = s.fork();
    CHECK(fork->fingerprint() == s->fingerprint());
    Story again = lock_cluster(true, 7);
    again->replay(s->journal(), s->steps(), s->now());
    CHECK(again->trace().hash() == s->trace().hash());
    CHECK(again->fingerprint() == s->fingerprint());
}

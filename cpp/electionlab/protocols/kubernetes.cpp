#include "electionlab/protocols/kubernetes.h"

#include <algorithm>
#include <string>

namespace electionlab {

namespace {

using K = Kubernetes;

NodeId server(const K::Context& ctx) { return ctx.members + 1; }
bool is_server(const K::Context& ctx) { return ctx.self == server(ctx); }

bool is_leader(const K::State& s, const K::Context& ctx) {  // IsLeader: by the record
    return s.memory.observed.holder == ctx.self &&
           s.memory.observed.process == (ctx.options.stable_identity ? 0 : s.disk.process);
}

bool is_lease_valid(const K::State& s, const K::Context& ctx) {
    const Instant from = ctx.options.mutations.has(KubernetesMutation::wall_clock_lease)
                             ? s.memory.observed.renew_time
                             : s.memory.observed_at;
    return from + seconds(s.memory.observed.lease_duration_seconds) > s.memory.tried_at;
}

// Whether the raw records are the same bytes: their times are written in whole seconds.
bool same_bytes(K::Record a, K::Record b) {
    for (Instant* time : {&a.acquire_time, &a.renew_time, &b.acquire_time, &b.renew_time}) {
        time->ns -= time->ns % seconds(1).ns;
    }
    return a == b;
}

void set_observed(K::State& s, const K::Context& ctx, const K::Record& record) {
    s.memory.observed = record;
    s.memory.observed_at = ctx.clock;
}

K::Record own_record(const K::Context& ctx, std::int64_t process, Instant now) {
    return {.holder = ctx.self,
            .process = ctx.options.stable_identity ? 0 : process,
            .lease_duration_seconds = ctx.options.lease_duration.ns / seconds(1).ns,
            .acquire_time = now,
            .renew_time = now,
            .leader_transitions = 0};
}

}  // namespace

void KubernetesOptions::validate(NodeId) const {
    const auto above = [](const char* name, Duration value, Duration bound, const std::string& of) {
        if (value <= bound) {
            invalid(name, show(value.to_ms()), "must be above " + of);
        }
    };
    above("retry_period_ms", retry_period, {}, "0");
    above("request_timeout_ms", request_timeout, {}, "0");
    if (jitter_percent < 0 || jitter_percent > 10'000) {
        invalid("jitter_percent", std::to_string(jitter_percent), "must be from 0 to 10000");
    }
    if (lease_duration < seconds(1)) {
        invalid("lease_duration_ms", show(lease_duration.to_ms()), "must be at least 1000");
    }
    if (!mutations.has(KubernetesMutation::retry_longer_than_ttl)) {
        above("lease_duration_ms", lease_duration, renew_deadline,
              "renew_deadline_ms, " + show(renew_deadline.to_ms()));
    }
    const Duration tries{retry_period.ns / 100 * jitter_percent};
    above("renew_deadline_ms", renew_deadline, tries,
          "retry_period_ms times jitter_percent, " + show(tries.to_ms()));
}

About Kubernetes::about() {
    return {.name = "kubernetes",
            .title = "Kubernetes' leader election (client-go)",
            .source = "kubernetes/client-go, tools/leaderelection, as of Kubernetes 1.31",
            .assumptions = "the API server keeps the lease; clock rates and latency bounded; no pauses",
            .cost = "2 messages each RetryPeriod of each elector, 4 for an election",
            .weaknesses = "does not fence; acts on until RenewDeadline though it sees another leader",
            .epochs = true};
}

View Kubernetes::view(const State& s, const Context& ctx) {
    if (is_server(ctx)) {
        return {Role::service, s.disk.record.holder, s.disk.record.leader_transitions};
    }
    if (s.memory.acts) {
        return {Role::leader, ctx.self, s.memory.epoch};
    }
    const Record& known = s.memory.observed;
    const bool other = known.holder != ctx.self;
    return {Role::follower, other ? known.holder : no_node, known.leader_transitions};
}

std::vector<Promise<Kubernetes>> Kubernetes::invariants() {
    return {{"resource_version_rises",
             [](const Known<Kubernetes>& before, const Known<Kubernetes>& after) {
                 return after.disk.resource_version >= before.disk.resource_version &&
                        (after.disk.resource_version != before.disk.resource_version ||
                         after.disk.record == before.disk.record);
             }}};
}

void Kubernetes::on_start(State& s, const Context& ctx, Effects& effects) {
    const NodeId first = ctx.initial_leader;
    if (is_server(ctx)) {
        if (first != no_node) {
            s.disk.exists = true;
            s.disk.resource_version = 1;
            s.disk.record = own_record(ctx, 1, ctx.clock);
            s.disk.record.holder = first;
            effects.persist();
        }
        return;
    }
    s.disk.process = 1;
    effects.persist();
    if (first == ctx.self) {  // it has just created the record
        s.memory.phase = Phase::renewing;
        s.memory.acts = true;
        s.memory.resource_version = 1;
        set_observed(s, ctx, own_record(ctx, 1, ctx.clock));
        effects.set_timer(Timer::retry, TimerSpec::fixed(ctx.options.retry_period));
    } else {
        run(s, ctx, effects);
    }
}

void Kubernetes::on_restart(State& s, const Context& ctx, Effects& effects) {
    if (!is_server(ctx)) {
        // Stands for a new random identity; the clock helps out where the disk was lost.
        s.disk.process = std::max(s.disk.process + 1, ctx.clock.ns / ms(1).ns);
        effects.persist();
        run(s, ctx, effects);
    }
}

void Kubernetes::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    Memory& m = s.memory;
    switch (timer) {
        case Timer::retry:
            if (m.phase == Phase::acquiring) {
                try_acquire_or_renew(s, ctx, effects);
            } else if (m.phase == Phase::renewing && !m.in_loop) {
                renew(s, ctx, effects);
            } else if (m.phase == Phase::renewing) {  // PollImmediateUntil: a tick that finds a try under way is dropped
                effects.set_timer(Timer::retry, TimerSpec::fixed(ctx.options.retry_period));
                if (m.step == Step::none) {
                    try_acquire_or_renew(s, ctx, effects);
                }
            }
            return;
        case Timer::deadline:
            if (ctx.options.mutations.has(KubernetesMutation::no_stop_callback)) {
                return;
            }
            effects.note("has not renewed its lease by the renew deadline: gives up");
            return stop(s, ctx, false, effects);
        case Timer::request:
            effects.note("has no answer from the API server");
            if (m.step == Step::fast_update) {
                return get(s, ctx, effects);
            }
            if (m.step == Step::release) {
                return stopped(s, ctx, !m.acts, effects);
            }
            return try_ends(s, ctx, false, effects);
    }
}

void Kubernetes::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                            Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

void Kubernetes::on_command(State& s, const Context& ctx, const Command& command,
                            Effects& effects) {
    if (std::holds_alternative<DeleteLease>(command)) {
        if (is_server(ctx) && s.disk.exists) {
            effects.note("the lease is deleted, and its transitions with it");
            s.disk.exists = false;
            s.disk.record = {};
            ++s.disk.resource_version;
            effects.persist();
        }
    } else if (is_server(ctx)) {
        effects.note("runs no elector");
    } else if (std::holds_alternative<Run>(command)) {
        if (s.memory.phase == Phase::stopped) {
            run(s, ctx, effects);
        }
    } else if (s.memory.phase != Phase::stopped && s.memory.phase != Phase::releasing) {
        effects.note("has done its work and cancels its elector");
        stop(s, ctx, true, effects);
    }
}

// --- the API server -----------------------------------------------------------------------------

void Kubernetes::on(State& s, const Context&, NodeId from, const Get& m, Effects& effects) {
    effects.send(from, GetReply{m.request, s.disk.exists, s.disk.resource_version, s.disk.record});
}

void Kubernetes::on(State& s, const Context&, NodeId from, const Create& m, Effects& effects) {
    store(s, from, m.request, !s.disk.exists, m.record, effects);
}

void Kubernetes::on(State& s, const Context&, NodeId from, const Update& m, Effects& effects) {
    store(s, from, m.request, s.disk.exists && m.resource_version == s.disk.resource_version,
          m.record, effects);
}

void Kubernetes::store(State& s, NodeId from, std::int64_t request, bool allowed,
                       const Record& record, Effects& effects) {
    if (allowed) {
        s.disk.exists = true;
        s.disk.record = record;
        ++s.disk.resource_version;
        effects.persist();
    } else {
        effects.note("refuses what node {} writes: the record has changed since", from);
    }
    effects.send(from, WriteReply{request, allowed, s.disk.resource_version});
}

// --- an elector: tryAcquireOrRenew --------------------------------------------------------------

void Kubernetes::try_acquire_or_renew(State& s, const Context& ctx, Effects& effects) {
    s.memory.tried_at = ctx.clock;
    if (is_leader(s, ctx) && is_lease_valid(s, ctx)) {  // 1. the fast path
        Record record = own_record(ctx, s.disk.process, ctx.clock);
        record.acquire_time = s.memory.observed.acquire_time;
        record.leader_transitions = s.memory.observed.leader_transitions;
        return update(s, ctx, Step::fast_update, record, effects);
    }
    get(s, ctx, effects);
}

void Kubernetes::get(State& s, const Context& ctx, Effects& effects) {  // 2.
    s.memory.step = Step::get;
    effects.send(server(ctx), Get{++s.memory.request});
    effects.set_timer(Timer::request, TimerSpec::fixed(ctx.options.request_timeout));
}

void Kubernetes::update(State& s, const Context& ctx, Step step, const Record& record,
                        Effects& effects) {
    s.memory.step = step;
    s.memory.written = record;
    const std::int64_t request = ++s.memory.request;
    if (step == Step::create) {
        effects.send(server(ctx), Create{request, record});
    } else {
        effects.send(server(ctx), Update{request, s.memory.resource_version, record});
    }
    effects.set_timer(Timer::request, TimerSpec::fixed(ctx.options.request_timeout));
}

void Kubernetes::on(State& s, const Context& ctx, NodeId, const GetReply& m, Effects& effects) {
    if (s.memory.step != Step::get || m.request != s.memory.request) {
        return;  // its request was given up
    }
    Record record = own_record(ctx, s.disk.process, s.memory.tried_at);
    if (!m.found) {
        return update(s, ctx, Step::create, record, effects);
    }
    s.memory.resource_version = m.resource_version;
    if (!same_bytes(s.memory.got, m.record)) {  // 3. its change is all that counts, not its times
        s.memory.got = m.record;
        set_observed(s, ctx, m.record);
    }
    if (m.record.holder != no_node && is_lease_valid(s, ctx) && !is_leader(s, ctx)) {
        if (s.memory.acts) {
            effects.note("finds the lease in the hands of node {}, and acts on", m.record.holder);
        }
        return try_ends(s, ctx, false, effects);
    }
    record.leader_transitions = m.record.leader_transitions;  // 4.
    if (is_leader(s, ctx)) {
        record.acquire_time = m.record.acquire_time;
    } else {
        ++record.leader_transitions;
    }
    update(s, ctx, Step::update, record, effects);
}

void Kubernetes::on(State& s, const Context& ctx, NodeId, const WriteReply& m, Effects& effects) {
    const Step step = s.memory.step;
    if (step == Step::none || step == Step::get || m.request != s.memory.request) {
        return;
    }
    if (m.written) {
        s.memory.resource_version = m.resource_version;
        set_observed(s, ctx, s.memory.written);
    }
    if (step == Step::release) {
        stopped(s, ctx, !s.memory.acts, effects);
    } else if (step == Step::fast_update && !m.written) {
        effects.note("cannot renew as it thought: looks again");
        get(s, ctx, effects);
    } else {
        try_ends(s, ctx, m.written, effects);
    }
}

// --- an elector: Run, acquire, renew, release ---------------------------------------------------

void Kubernetes::run(State& s, const Context& ctx, Effects& effects) {
    s.memory.phase = Phase::acquiring;
    try_acquire_or_renew(s, ctx, effects);
}

void Kubernetes::try_ends(State& s, const Context& ctx, bool succeeded, Effects& effects) {
    Memory& m = s.memory;
    m.step = Step::none;
    effects.cancel_timer(Timer::request);
    if (!succeeded) {
        if (m.phase == Phase::acquiring) {
            effects.set_timer(Timer::retry, TimerSpec::between(ctx.options.jittered()));
        }  // else its next tick is on its way
        return;
    }
    m.acts = true;
    m.epoch = m.observed.leader_transitions;
    if (m.phase == Phase::acquiring) {
        effects.note("has acquired the lease, with {} transitions before it: leads", m.epoch);
        m.phase = Phase::renewing;
        return renew(s, ctx, effects);
    }
    m.in_loop = false;
    effects.cancel_timer(Timer::deadline);
    effects.set_timer(Timer::retry, TimerSpec::fixed(ctx.options.retry_period));
}

// One round: tries at once and at each tick until one succeeds or the deadline has come.
void Kubernetes::renew(State& s, const Context& ctx, Effects& effects) {
    s.memory.in_loop = true;
    effects.set_timer(Timer::deadline, TimerSpec::fixed(ctx.options.renew_deadline));
    effects.set_timer(Timer::retry, TimerSpec::fixed(ctx.options.retry_period));
    try_acquire_or_renew(s, ctx, effects);
}

// A program that cancels has done its work before; one that missed its deadline works on until
// `release` has returned.
void Kubernetes::stop(State& s, const Context& ctx, bool cancelled, Effects& effects) {
    Memory& m = s.memory;
    m.in_loop = false;
    m.step = Step::none;
    for (const Timer timer : {Timer::retry, Timer::deadline, Timer::request}) {
        effects.cancel_timer(timer);
    }
    const bool led = m.phase == Phase::renewing;
    m.acts = m.acts && !cancelled;
    if (!led || !ctx.options.release_on_cancel || !is_leader(s, ctx)) {
        return stopped(s, ctx, cancelled, effects);
    }
    m.phase = Phase::releasing;
    update(s, ctx, Step::release,
           {.holder = no_node,
            .process = 0,
            .lease_duration_seconds = 1,
            .acquire_time = ctx.clock,
            .renew_time = ctx.clock,
            .leader_transitions = m.observed.leader_transitions},
           effects);
}

void Kubernetes::stopped(State& s, const Context& ctx, bool cancelled, Effects& effects) {
    s.memory.acts = false;
    s.memory.step = Step::none;
    effects.cancel_timer(Timer::request);
    if (cancelled) {
        s.memory.phase = Phase::stopped;
    } else {
        run(s, ctx, effects);
    }
}

}  // namespace electionlab

#include "electionlab/protocols/lease.h"

#include <algorithm>
#include <string>

namespace electionlab {

namespace {

NodeId manager(const Lease::Context& ctx) { return ctx.members + 1; }
bool is_manager(const Lease::Context& ctx) { return ctx.self == manager(ctx); }

}  // namespace

void LeaseOptions::validate(NodeId) const {
    const auto positive = [](const char* name, Duration value) {
        if (value.ns <= 0) {
            invalid(name, show(value.to_ms()), "must be above 0");
        }
    };
    positive("lease_ttl_ms", lease_ttl);
    positive("renew_interval_ms", renew_interval);
    positive("retry_interval_ms", retry_interval.min);
    if (drift_bound_ppm < 0 || drift_bound_ppm >= 500'000) {
        invalid("drift_bound_ppm", std::to_string(drift_bound_ppm), "must be from 0 to below 500000");
    }
    if (renew_interval >= held()) {
        invalid("renew_interval_ms", show(renew_interval.to_ms()),
                "must be below what a holder believes in of lease_ttl_ms, " +
                    show(held().to_ms()) + " ms");
    }
}

Duration LeaseOptions::held() const {
    const std::int64_t part = 1'000'000 - drift_bound_ppm, whole = 1'000'000 + drift_bound_ppm;
    return {lease_ttl.ns / whole * part + lease_ttl.ns % whole * part / whole};
}

About Lease::about() {
    return {.name = "lease",
            .title = "Leases from a lease manager",
            .source = "Gray, Cheriton, Leases, SOSP 1989",
            .assumptions = "clock rates within 1 +- rho, no jumps, no pauses; the manager keeps its disk",
            .cost = "2 messages a grant or renewal, 2 each retry interval of a waiting member",
            .weaknesses = "the manager is a single point of failure; a paused holder wakes as leader",
            .epochs = true};
}

View Lease::view(const State& s, const Context& ctx) {
    if (is_manager(ctx)) {
        return {Role::service, s.memory.holder, s.disk.token};
    }
    const bool leads = s.memory.holder == ctx.self;
    return {leads ? Role::leader : Role::follower, s.memory.holder, s.memory.token};
}

std::vector<Promise<Lease>> Lease::invariants() {
    return {{"numbers_never_fall", [](const Known<Lease>& before, const Known<Lease>& after) {
                 return after.disk.token >= before.disk.token;
             }}};
}

std::vector<Property<Lease>> Lease::properties() {
    return {{"leads_with_a_granted_number", [](const AllNodes<Lease>& nodes) {
                 // Number 1 may belong to a leader from the start, before the manager has started.
                 const Epoch granted = std::max<Epoch>(1, nodes.state(nodes.actors()).disk.token);
                 return std::all_of(nodes.views().begin(), nodes.views().end(), [&](const View& v) {
                     return !v.leads() || (v.epoch >= 1 && v.epoch <= granted);
                 });
             }}};
}

void Lease::on_start(State& s, const Context& ctx, Effects& effects) {
    s.memory.since = ctx.clock;
    if (ctx.initial_leader != no_node) {  // the first lease was asked for and granted just now
        s.memory.token = 1;
        if (is_manager(ctx)) {
            s.disk.token = 1;
            lend(s, ctx, ctx.initial_leader, effects);
            effects.persist();
        } else {
            believe(s, ctx, ctx.initial_leader, ctx.clock + ctx.options.held(), effects);
            ask_later(s, ctx, effects);
        }
    } else if (!is_manager(ctx)) {
        effects.set_timer(Timer::ask, TimerSpec{Duration{}, ctx.options.retry_interval.max});
    }
}

void Lease::on_restart(State& s, const Context& ctx, Effects& effects) {
    s.memory.since = ctx.clock;
    if (!is_manager(ctx)) {
        effects.note("is back, and asks for the lease");
        ask(s, ctx, effects);
    } else if (!ctx.options.durable_grants) {
        effects.note("is back, and does not know whose lease runs: waits for the longest term");
        s.memory.waits = true;
        s.memory.until = ctx.clock + ctx.options.lease_ttl;
        effects.set_timer(Timer::expiry, TimerSpec::fixed(ctx.options.lease_ttl));
    } else if (s.disk.holder != no_node) {
        effects.note("is back: the lease of node {} may have been renewed just before", s.disk.holder);
        lend(s, ctx, s.disk.holder, effects);
    }
}

void Lease::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    if (timer == Timer::ask) {
        ask(s, ctx, effects);
    } else if (is_manager(ctx)) {
        effects.note("the lease of node {} is over", s.memory.holder);
        set_free(s, ctx, effects);
    } else {
        effects.note(s.memory.holder == ctx.self ? "has not renewed its lease in time: stops"
                                                 : "has not heard for a term who holds the lease");
        forget(s, effects);
    }
}

void Lease::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                       Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

void Lease::on_command(State& s, const Context& ctx, const Command&, Effects& effects) {
    if (is_manager(ctx) || s.memory.holder != ctx.self) {
        effects.note("has no lease to give back");
        return;
    }
    effects.note("stops, and gives its lease back");
    effects.send(manager(ctx), Release{s.memory.token});
    s.memory.since = ctx.clock + nanoseconds(1);  // an answer under way would make it lead again
    forget(s, effects);
    effects.set_timer(Timer::ask, TimerSpec::fixed(ctx.options.lease_ttl));
}

// --- the manager --------------------------------------------------------------------------------

// First come, first served. Who holds the lease already gets a new term of it, counted from now:
// later than the holder sent its request, which is from when the holder counts.
void Lease::on(State& s, const Context& ctx, NodeId from, const Ask& m, Effects& effects) {
    if (ctx.clock >= s.memory.until) {  // it ends at this very instant
        set_free(s, ctx, effects);
    }
    if (!s.memory.waits && s.memory.holder == no_node) {
        ++s.disk.token;
        effects.note("grants node {} a lease with number {}", from, s.disk.token);
        effects.persist();
        lend(s, ctx, from, effects);
    } else if (s.memory.holder == from) {
        lend(s, ctx, from, effects);
    }
    effects.send(from, Answer{m.asked_at, s.memory.holder, s.disk.token});
}

void Lease::on(State& s, const Context& ctx, NodeId from, const Release& m, Effects& effects) {
    if (s.memory.holder == from && s.disk.token == m.token) {
        effects.note("gets the lease back from node {}", from);
        set_free(s, ctx, effects);
    }
}

void Lease::lend(State& s, const Context& ctx, NodeId holder, Effects& effects) {
    s.memory.holder = holder;
    if (ctx.options.durable_grants) {
        s.disk.holder = holder;
    }
    s.memory.until = ctx.clock + ctx.options.lease_ttl;
    effects.set_timer(Timer::expiry, TimerSpec::fixed(ctx.options.lease_ttl));
}

// Not written down on its own: a manager that crashes and forgets it only waits once more.
void Lease::set_free(State& s, const Context& ctx, Effects& effects) {
    s.memory.holder = no_node;
    s.memory.waits = false;
    s.memory.until = ctx.clock;
    s.disk.holder = no_node;
    effects.cancel_timer(Timer::expiry);
}

// --- a member -----------------------------------------------------------------------------------

void Lease::ask(State& s, const Context& ctx, Effects& effects) {
    effects.send(manager(ctx), Ask{ctx.clock});
    ask_later(s, ctx, effects);
}

void Lease::ask_later(const State& s, const Context& ctx, Effects& effects) {
    effects.set_timer(Timer::ask, s.memory.holder == ctx.self
                                      ? TimerSpec::fixed(ctx.options.renew_interval)
                                      : TimerSpec::between(ctx.options.retry_interval));
}

void Lease::on(State& s, const Context& ctx, NodeId, const Answer& m, Effects& effects) {
    if (m.asked_at < s.memory.since || m.token < s.memory.token) {
        effects.note("ignores an answer with number {} that is out of date", m.token);
        return;
    }
    const bool news = m.token > s.memory.token || m.holder != s.memory.holder;
    s.memory.token = m.token;
    const Instant from =
        ctx.options.count_from == CountFrom::sending ? m.asked_at : ctx.clock;
    const Instant until = from + ctx.options.held();
    if (m.holder == no_node || until <= ctx.clock) {
        if (news && s.memory.holder != no_node) {
            forget(s, effects);
        }
        return;
    }
    if (!news) {  // a copy or a late answer may say less than is known
        believe(s, ctx, m.holder, std::max(until, s.memory.until), effects);
        return;
    }
    if (m.holder == ctx.self) {
        effects.note("holds the lease with number {}: leads", m.token);
    }
    believe(s, ctx, m.holder, until, effects);
    if (m.holder == ctx.self) {
        ask_later(s, ctx, effects);
    }
}

void Lease::believe(State& s, const Context& ctx, NodeId holder, Instant until, Effects& effects) {
    s.memory.holder = holder;
    s.memory.until = until;
    effects.set_timer(Timer::expiry, TimerSpec::fixed(until - ctx.clock));
}

void Lease::forget(State& s, Effects& effects) {
    s.memory.holder = no_node;
    effects.cancel_timer(Timer::expiry);
}

}  // namespace electionlab

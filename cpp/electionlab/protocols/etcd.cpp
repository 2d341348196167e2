#include "electionlab/protocols/etcd.h"

#include <algorithm>
#include <string>
#include <utility>

namespace electionlab {

namespace {

constexpr std::string_view prefix = "leader/";
constexpr std::int64_t line_watch = 1, leader_watch = 2;  // the watches of a member
using Step = Etcd::Step;

NodeId service(const Etcd::Context& ctx) { return ctx.members + 1; }
bool is_service(const Etcd::Context& ctx) { return ctx.self == service(ctx); }
bool leads(const Etcd::Member& m) {
    return m.step == Step::leading || m.step == Step::proclaiming;
}

// A number that no other request of this node has, whatever it went through.
std::int64_t next_request(Etcd::State& s) {
    return s.disk.process * (std::int64_t{1} << 32) + ++s.memory.member.requests;
}

}  // namespace

void EtcdOptions::validate(NodeId) const {
    if (session_ttl < seconds(1) || session_ttl.ns % seconds(1).ns != 0) {
        invalid("session_ttl_ms", show(session_ttl.to_ms()),
                "must be a whole number of seconds, at least 1000");
    }
    const auto above_0 = [](const char* name, Duration value) {
        if (value.ns <= 0) {
            invalid(name, show(value.to_ms()), "must be above 0");
        }
    };
    above_0("keep_alive_poll_ms", keep_alive_poll);
    above_0("retry_interval_ms", retry_interval);
    above_0("watch_check_ms", watch_check);
    const auto not_negative = [](const char* name, Duration value) {
        if (value.ns < 0) {
            invalid(name, show(value.to_ms()), "must be 0 or more");
        }
    };
    not_negative("deadline_poll_ms", deadline_poll);
    not_negative("server_poll_ms", server_poll);
    not_negative("promote_extend_ms", promote_extend);
}

About Etcd::about() {
    return {.name = "etcd",
            .title = "etcd's election (clientv3/concurrency)",
            .source = "etcd 3.5, client/v3/concurrency: election.go, key.go, session.go",
            .assumptions = "the service keeps its disk; for one leader at a time: none is enough",
            .cost = "6 messages and a watch to join; a death wakes the next in line alone",
            .weaknesses = "sessions counted from the answer, with polls: two leaders for a second",
            .epochs = true};
}

View Etcd::view(const State& s, const Context& ctx) {
    if (is_service(ctx)) {
        return {Role::service, no_node, s.disk.store.revision};
    }
    const Member& m = s.memory.member;
    if (leads(m)) {
        return {Role::leader, ctx.self, m.revision};
    }
    return {Role::follower, m.leader == ctx.self ? no_node : m.leader, m.leader_revision};
}

std::vector<Promise<Etcd>> Etcd::invariants() {
    return {{"revision_never_falls", [](const Known<Etcd>& before, const Known<Etcd>& after) {
                 return after.disk.store.revision >= before.disk.store.revision;
             }}};
}

std::vector<Property<Etcd>> Etcd::properties() {
    return {{"keys_are_tied_to_leases", [](const AllNodes<Etcd>& nodes) {
                 const kv::Store& store = nodes.state(nodes.actors()).disk.store;
                 return std::all_of(store.keys.begin(), store.keys.end(),
                                    [&](const kv::KeyValue& kv) {
                                        return store.find_lease(kv.lease) != nullptr &&
                                               kv.create_revision <= kv.mod_revision &&
                                               kv.mod_revision <= store.revision;
                                    });
             }}};
}

std::string Etcd::key_of(kv::LeaseId lease) {
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (kv::LeaseId left = lease; left > 0; left /= 16) {
        hex.insert(hex.begin(), digits[left % 16]);
    }
    return std::string(prefix) + hex;
}

void Etcd::on_start(State& s, const Context& ctx, Effects& effects) {
    if (is_service(ctx)) {
        s.memory.service.started = ctx.clock;
        if (ctx.initial_leader != no_node) {  // its session has begun, and it has won, just now
            const Duration ttl = ctx.options.session_ttl;
            const kv::LeaseId lease = s.disk.store.grant(ttl);
            s.memory.service.renew(lease, ctx.clock + ttl);
            (void)s.disk.store.commit({0, key_of(lease), 0, kv::Then::put,
                                       std::int64_t{ctx.initial_leader}, lease});
            effects.persist();
            set_expiry(s, ctx, effects);
        }
        return;
    }
    s.disk.process = 1;
    effects.persist();
    if (ctx.initial_leader == ctx.self) {
        s.memory.member.step = Step::leading;
        s.memory.member.revision = 2;
        begin_session(s, ctx, 1, ctx.clock, effects);
    } else {
        campaign(s, ctx, Step::granting, effects);
    }
    observe(s, ctx, effects);
}

void Etcd::on_restart(State& s, const Context& ctx, Effects& effects) {
    if (is_service(ctx)) {
        effects.note("is back: all leases begin anew");
        s.memory.service.started = ctx.clock;
        s.memory.service.promote(s.disk.store, ctx.clock, ctx.options.promote_extend);
        set_expiry(s, ctx, effects);
        return;
    }
    // The clock helps out where the disk was lost.
    s.disk.process = std::max(s.disk.process + 1, ctx.clock.ns / ms(1).ns);
    effects.persist();
    campaign(s, ctx, Step::granting, effects);
    observe(s, ctx, effects);
}

void Etcd::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    Member& m = s.memory.member;
    switch (timer) {
        case Timer::expiry:
            return expire_leases(s, ctx, effects);
        case Timer::keep_alive:  // until it is answered, at every poll
            effects.send(service(ctx), kv::LeaseKeepAlive{m.lease, ctx.clock});
            effects.set_timer(Timer::keep_alive, TimerSpec::fixed(ctx.options.keep_alive_poll));
            return;
        case Timer::deadline:
            effects.note("has heard nothing of its lease for its TTL: the session is over");
            return lose_session(s, ctx, effects);
        case Timer::campaign:  // no answer; or to make sure of the watch
            return campaign(s, ctx, m.step, effects);
        case Timer::observe:
            return observe(s, ctx, effects);
    }
}

void Etcd::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                      Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

void Etcd::on_command(State& s, const Context& ctx, const Command& command, Effects& effects) {
    Member& m = s.memory.member;
    if (is_service(ctx)) {
        effects.note("runs no election");
    } else if (std::holds_alternative<Campaign>(command)) {
        if (m.step == Step::out) {
            campaign(s, ctx, m.lease == kv::no_lease ? Step::granting : Step::putting, effects);
        }
    } else if (std::holds_alternative<Proclaim>(command)) {
        if (m.step == Step::leading) {
            campaign(s, ctx, Step::proclaiming, effects);
        }
    } else if (m.step == Step::out || m.step == Step::granting) {
        effects.note("takes no part in an election yet");
    } else if (std::holds_alternative<Resign>(command)) {
        effects.note("resigns");
        leave(s, effects);
        campaign(s, ctx, Step::resigning, effects);
    } else {
        effects.note("closes its session");
        effects.send(service(ctx), kv::LeaseRevoke{next_request(s), m.lease});
        leave(s, effects);
        m.step = Step::out;
        m.lease = kv::no_lease;
        effects.cancel_timer(Timer::keep_alive);
        effects.cancel_timer(Timer::deadline);
    }
}

// --- the service --------------------------------------------------------------------------------

void Etcd::on(State& s, const Context& ctx, NodeId from, const kv::LeaseGrant& m, Effects& fx) {
    if (!s.memory.service.takes(from, m.request)) {
        return;
    }
    const kv::LeaseId lease = s.disk.store.grant(m.ttl);
    s.memory.service.renew(lease, ctx.clock + m.ttl);
    fx.note("grants node {} lease {}", from, lease);
    fx.persist();
    set_expiry(s, ctx, fx);
    fx.send(from, kv::LeaseGrantReply{m.request, lease, m.ttl});
}

// A lease that is over but not yet deleted cannot be renewed: etcd lets the request wait for the
// deletion, and then says that there is none.
void Etcd::on(State& s, const Context& ctx, NodeId from, const kv::LeaseKeepAlive& m,
              Effects& fx) {
    const kv::GrantedLease* lease = s.disk.store.find_lease(m.lease);
    const auto over = s.memory.service.expired(ctx.clock);
    if (lease == nullptr || std::find(over.begin(), over.end(), m.lease) != over.end()) {
        fx.send(from, kv::LeaseKeepAliveReply{m.lease, m.sent_at, {}});
        return;
    }
    s.memory.service.renew(m.lease, ctx.clock + lease->ttl);
    set_expiry(s, ctx, fx);
    fx.send(from, kv::LeaseKeepAliveReply{m.lease, m.sent_at, lease->ttl});
}

void Etcd::on(State& s, const Context& ctx, NodeId from, const kv::LeaseRevoke& m, Effects& fx) {
    if (s.memory.service.takes(from, m.request) && s.disk.store.revoke(m.lease)) {
        s.memory.service.drop(m.lease);
        set_expiry(s, ctx, fx);
        written(s, fx);
    }
}

void Etcd::on(State& s, const Context&, NodeId from, const kv::Range& m, Effects& fx) {
    fx.send(from, kv::RangeReply{m.request, s.disk.store.revision, s.disk.store.range(m)});
}

void Etcd::on(State& s, const Context&, NodeId from, const kv::Txn& m, Effects& fx) {
    if (!s.memory.service.takes(from, m.request)) {
        return;
    }
    const kv::TxnReply reply = s.disk.store.commit(m);
    if (reply.succeeded) {
        written(s, fx);
    }
    fx.send(from, reply);
}

void Etcd::on(State& s, const Context&, NodeId from, const kv::WatchCreate& m, Effects& fx) {
    s.memory.service.watch(s.disk.store, from, m, fx);
}

void Etcd::on(State& s, const Context&, NodeId from, const kv::WatchCancel& m, Effects&) {
    s.memory.service.cancel(from, m.watch);
}

void Etcd::expire_leases(State& s, const Context& ctx, Effects& effects) {
    for (const kv::LeaseId lease : s.memory.service.expired(ctx.clock)) {
        effects.note("finds lease {} over, and deletes its keys", lease);
        s.disk.store.revoke(lease);
        s.memory.service.drop(lease);
    }
    set_expiry(s, ctx, effects);
    written(s, effects);
}

void Etcd::set_expiry(const State& s, const Context& ctx, Effects& effects) {
    const Instant at = s.memory.service.next_poll(ctx.options.server_poll);
    if (at == Instant::never()) {
        effects.cancel_timer(Timer::expiry);
    } else {
        effects.set_timer(Timer::expiry, TimerSpec::fixed(std::max(Duration{}, at - ctx.clock)));
    }
}

void Etcd::written(State& s, Effects& effects) {
    effects.persist();
    s.memory.service.tell(s.disk.store, effects);
}

// --- a member: its session ----------------------------------------------------------------------

void Etcd::on(State& s, const Context& ctx, NodeId, const kv::LeaseGrantReply& m, Effects& fx) {
    if (s.memory.member.step != Step::granting || m.request != s.memory.member.campaign) {
        return;  // the lease runs out by itself
    }
    begin_session(s, ctx, m.lease, ctx.clock, fx);
    campaign(s, ctx, Step::putting, fx);
}

void Etcd::on(State& s, const Context& ctx, NodeId, const kv::LeaseKeepAliveReply& m,
              Effects& fx) {
    Member& member = s.memory.member;
    if (m.lease != member.lease || m.lease == kv::no_lease) {
        return;
    }
    if (m.ttl.ns == 0) {
        fx.note("hears that its lease is over");
        return lose_session(s, ctx, fx);
    }
    const Instant from =
        ctx.options.count_from == CountFrom::sending ? m.sent_at : ctx.clock;
    member.deadline = std::max(member.deadline, from + m.ttl);
    member.next_keep_alive = ctx.clock + Duration{m.ttl.ns / 3};
    set_session_timers(s, ctx, fx);
}

void Etcd::begin_session(State& s, const Context& ctx, kv::LeaseId lease, Instant from,
                         Effects& effects) {
    Member& m = s.memory.member;
    m.lease = lease;
    m.session_from = ctx.clock;
    m.next_keep_alive = ctx.clock;
    m.deadline = from + ctx.options.session_ttl;
    set_session_timers(s, ctx, effects);
}

// Both loops look now and then. The deadline must have passed, not just come.
void Etcd::set_session_timers(State& s, const Context& ctx, Effects& effects) {
    const Member& m = s.memory.member;
    const auto wait = [&](Duration poll, Instant at) {
        return TimerSpec::fixed(std::max(
            Duration{}, kv::poll_at_or_after(m.session_from, poll, at) - ctx.clock));
    };
    effects.set_timer(Timer::keep_alive, wait(ctx.options.keep_alive_poll, m.next_keep_alive));
    effects.set_timer(Timer::deadline,
                      wait(ctx.options.deadline_poll,
                           m.deadline + nanoseconds(ctx.options.deadline_poll.ns > 0 ? 1 : 0)));
}

void Etcd::lose_session(State& s, const Context& ctx, Effects& effects) {
    leave(s, effects);
    s.memory.member.lease = kv::no_lease;
    effects.cancel_timer(Timer::keep_alive);
    effects.cancel_timer(Timer::deadline);
    if (s.memory.member.step == Step::out || s.memory.member.step == Step::resigning) {
        s.memory.member.step = Step::out;
    } else {
        campaign(s, ctx, Step::granting, effects);
    }
}

// --- a member: its campaign ---------------------------------------------------------------------

// Asks for what a step needs; again, when no answer comes.
void Etcd::campaign(State& s, const Context& ctx, Step step, Effects& effects) {
    Member& m = s.memory.member;
    m.step = step;
    m.campaign = next_request(s);
    effects.set_timer(Timer::campaign,
                      TimerSpec::fixed(step == Step::waiting ? ctx.options.watch_check
                                                             : ctx.options.retry_interval));
    switch (step) {
        case Step::granting:
            effects.send(service(ctx), kv::LeaseGrant{m.campaign, ctx.options.session_ttl});
            return;
        case Step::putting:
            effects.send(service(ctx), kv::Txn{m.campaign, key_of(m.lease), 0, kv::Then::put,
                                               std::int64_t{ctx.self}, m.lease});
            return;
        case Step::looking:
            effects.send(service(ctx), kv::Range{m.campaign, std::string(prefix),
                                                 kv::Order::last_created, m.revision - 1, 1});
            return;
        case Step::waiting:
            effects.send(service(ctx), kv::WatchCreate{m.campaign, line_watch, m.waits_for, false,
                                                       m.waits_from});
            return;
        case Step::proclaiming:
            effects.send(service(ctx), kv::Txn{m.campaign, key_of(m.lease), m.revision,
                                               kv::Then::put, std::int64_t{ctx.self}, m.lease});
            return;
        case Step::resigning:
            effects.send(service(ctx), kv::Txn{m.campaign, key_of(m.lease), m.revision,
                                               kv::Then::erase, 0, kv::no_lease});
            return;
        case Step::out:
        case Step::leading:
            effects.cancel_timer(Timer::campaign);
            return;
    }
}

void Etcd::on(State& s, const Context& ctx, NodeId, const kv::TxnReply& m, Effects& fx) {
    Member& member = s.memory.member;
    if (m.request != member.campaign) {
        return;
    }
    if (m.lease_not_found) {
        fx.note("hears that its lease is over");
        lose_session(s, ctx, fx);
    } else if (member.step == Step::putting) {
        member.revision = m.succeeded ? m.revision : m.kv ? m.kv->create_revision : 0;
        campaign(s, ctx, Step::looking, fx);
    } else if (member.step == Step::proclaiming && m.succeeded) {
        campaign(s, ctx, Step::leading, fx);
    } else if (member.step == Step::proclaiming) {  // ErrElectionNotLeader
        fx.note("hears that its key is gone: it does not lead");
        lose_session(s, ctx, fx);
    } else if (member.step == Step::resigning) {
        campaign(s, ctx, Step::out, fx);
    }
}

void Etcd::on(State& s, const Context& ctx, NodeId, const kv::RangeReply& m, Effects& fx) {
    Member& member = s.memory.member;
    if (m.request == member.observe) {
        member.observe = 0;
        if (m.kvs.empty()) {  // waits for the first key
            member.leader = no_node;
            member.leader_revision = 0;
            member.observed = std::string(prefix);
            member.observed_from = m.revision;
        } else {
            member.leader = static_cast<NodeId>(m.kvs[0].value);
            member.leader_revision = m.kvs[0].create_revision;
            member.observed = m.kvs[0].key;
            member.observed_from = m.revision + 1;
        }
        observe(s, ctx, fx);
    } else if (member.step == Step::looking && m.request == member.campaign) {
        if (m.kvs.empty()) {
            fx.note("finds no key created before its own, at revision {}: leads", member.revision);
            campaign(s, ctx, Step::leading, fx);
        } else {
            member.waits_for = m.kvs[0].key;
            member.waits_from = m.revision;
            campaign(s, ctx, Step::waiting, fx);
        }
    }
}

void Etcd::on(State& s, const Context& ctx, NodeId, const kv::WatchReply& m, Effects& fx) {
    Member& member = s.memory.member;
    const auto has = [&](bool deleted) {
        return std::any_of(m.events.begin(), m.events.end(),
                           [&](const kv::Event& e) { return e.deleted == deleted; });
    };
    const bool gone = m.compacted || has(true), put = m.compacted || has(false);
    if (m.watch == line_watch && member.step == Step::waiting && m.key == member.waits_for &&
        gone) {
        campaign(s, ctx, Step::looking, fx);
    } else if (m.watch == leader_watch && member.observe == 0 && m.key == member.observed &&
               (m.key == prefix ? put : gone)) {
        member.observed.clear();  // who leads now?
        observe(s, ctx, fx);
    }
}

void Etcd::leave(State& s, Effects& effects) {
    effects.cancel_timer(Timer::campaign);
    s.memory.member.campaign = 0;
    s.memory.member.waits_for.clear();
}

// --- a member: who leads ------------------------------------------------------------------------

// Asks for the first key, or, while it has one, makes sure of the watch.
void Etcd::observe(State& s, const Context& ctx, Effects& effects) {
    Member& m = s.memory.member;
    if (m.observed.empty()) {
        m.observe = next_request(s);
        effects.send(service(ctx),
                     kv::Range{m.observe, std::string(prefix), kv::Order::first_created, 0, 1});
        effects.set_timer(Timer::observe, TimerSpec::fixed(ctx.options.retry_interval));
    } else {
        effects.send(service(ctx), kv::WatchCreate{next_request(s), leader_watch, m.observed,
                                                   m.observed == prefix, m.observed_from});
        effects.set_timer(Timer::observe, TimerSpec::fixed(ctx.options.watch_check));
    }
}

}  // namespace electionlab

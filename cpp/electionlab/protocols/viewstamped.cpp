#include "electionlab/protocols/viewstamped.h"

#include <algorithm>
#include <string>

namespace electionlab {

namespace {

std::int64_t length(const Viewstamped::Log& log) { return static_cast<std::int64_t>(log.size()); }

}  // namespace

void ViewstampedOptions::validate(NodeId) const {
    if (heartbeat_interval.ns <= 0) {
        invalid("heartbeat_interval_ms", show(heartbeat_interval.to_ms()), "must be above 0");
    }
    if (primary_timeout.ns <= 0) {
        invalid("primary_timeout_ms", show(primary_timeout.to_ms()), "must be above 0");
    }
    if (view_change_timeout.ns <= 0) {
        invalid("view_change_timeout_ms", show(view_change_timeout.to_ms()), "must be above 0");
    }
    if (recovery_retry.ns <= 0) {
        invalid("recovery_retry_ms", show(recovery_retry.to_ms()), "must be above 0");
    }
}

About Viewstamped::about() {
    return {.name = "viewstamped",
            .title = "Viewstamped Replication's view change",
            .source = "Oki and Liskov, PODC 1988; Liskov and Cowling, MIT-CSAIL-TR-2012-021, 2012, "
                      "sections 4 and 5.2",
            .assumptions = "crash faults, never more than a minority down or recovering",
            .cost = "(n-1)(n+2) messages per view change",
            .weaknesses = "a next primary that is down costs a time-out; without durable views a "
                          "slow message of a view change may undo what was committed",
            .epochs = true,
            .majority = true};
}

// All know the group and its first primary: view 1 begins without a message. A warm start begins in
// the first view of the node that leads.
void Viewstamped::on_start(State& s, const Context& ctx, Effects& effects) {
    set_view(s, ctx, ctx.initial_leader != no_node ? ctx.initial_leader : 1, effects);
    be_normal(s, ctx, effects);
}

// Recovery, step 1 (4.3). The nonce tells answers to this recovery from answers to an earlier one.
void Viewstamped::on_restart(State& s, const Context& ctx, Effects& effects) {
    s.memory.status = Status::recovering;
    ++s.disk.nonce;
    effects.persist();
    effects.note("has lost its memory: recovers with nonce {}", s.disk.nonce);
    effects.broadcast(Recovery{s.disk.nonce, s.disk.view});
    effects.set_timer(Timer::recovery, TimerSpec::fixed(ctx.options.recovery_retry));
}

void Viewstamped::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::silence:
            effects.note("hears nothing of the primary of view {}", s.memory.view);
            return begin_view_change(s, ctx, s.memory.view + 1, effects);
        case Timer::view_change:
            effects.note("gives view {} up", s.memory.view);
            return begin_view_change(s, ctx, s.memory.view + 1, effects);
        case Timer::heartbeat: return send_heartbeat(s, ctx, effects);
        case Timer::recovery:
            effects.broadcast(Recovery{s.disk.nonce, s.disk.view});
            effects.set_timer(Timer::recovery, TimerSpec::fixed(ctx.options.recovery_retry));
            return;
    }
}

// A recovering node takes part in nothing but its recovery (4.3); all ignore earlier views.
void Viewstamped::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                             Effects& effects) {
    if (s.memory.status == Status::recovering) {
        if (const auto* answer = std::get_if<RecoveryResponse>(&message)) {
            on(s, ctx, from, *answer, effects);
        }
        return;
    }
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

// --- normal operation (4.1) ----------------------------------------------------------------------

void Viewstamped::on_command(State& s, const Context& ctx, const Command& command,
                             Effects& effects) {
    Memory& m = s.memory;
    if (!view(s, ctx).leads()) {
        effects.note("is not the primary: the client must ask another node");
        return;
    }
    m.log.push_back(std::get<Request>(command).operation);
    m.prepared[ctx.self - 1] = length(m.log);
    effects.broadcast(Prepare{m.view, length(m.log), m.log.back(), m.committed});
    effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
    advance(s, ctx, effects);
}

// A message of the primary of this view keeps a backup quiet. One of a later view, or of this one
// while this node still changes to it, tells that the node has missed something: it asks (5.2).
bool Viewstamped::hears_primary(State& s, const Context& ctx, NodeId from, Epoch view,
                                Effects& effects) {
    Memory& m = s.memory;
    if (view < m.view) {
        effects.note("ignores the old view {}", view);
        return false;
    }
    if (view > m.view || m.status != Status::normal) {
        effects.note("has missed the start of view {}: asks for its state", view);
        effects.send(from, GetState{view});
        return false;
    }
    effects.set_timer(Timer::silence, TimerSpec::fixed(ctx.options.primary_timeout));
    return true;
}

void Viewstamped::on(State& s, const Context& ctx, NodeId from, const Prepare& p,
                     Effects& effects) {
    Memory& m = s.memory;
    if (!hears_primary(s, ctx, from, p.view, effects)) {
        return;
    }
    if (p.number > length(m.log) + 1) {
        effects.note("has missed operations before number {}: asks for them", p.number);
        return effects.send(from, GetState{m.view});
    }
    if (p.number == length(m.log) + 1) {
        m.log.push_back(p.operation);
    }
    m.committed = std::max(m.committed, std::min(p.committed, length(m.log)));
    effects.send(from, PrepareOk{m.view, length(m.log)});
}

void Viewstamped::on(State& s, const Context& ctx, NodeId from, const PrepareOk& p,
                     Effects& effects) {
    Memory& m = s.memory;
    if (p.view == m.view && view(s, ctx).leads()) {
        m.prepared[from - 1] = std::max(m.prepared[from - 1], p.number);
        advance(s, ctx, effects);
    }
}

// An operation that a majority holds, the primary included, is committed.
void Viewstamped::advance(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    const auto held = [&](std::int64_t number) {
        return static_cast<std::size_t>(std::count_if(m.prepared.begin(), m.prepared.end(),
                                                      [&](std::int64_t n) { return n >= number; }));
    };
    while (m.committed < length(m.log) && has_quorum(held(m.committed + 1), ctx.members)) {
        ++m.committed;
        effects.note("commits operation {}", m.committed);
    }
}

// An idle primary says Commit; what is not committed is sent again.
void Viewstamped::send_heartbeat(State& s, const Context& ctx, Effects& effects) {
    const Memory& m = s.memory;
    for (std::int64_t number = m.committed + 1; number <= length(m.log); ++number) {
        effects.broadcast(Prepare{m.view, number, m.log[static_cast<std::size_t>(number - 1)],
                                  m.committed});
    }
    if (m.committed == length(m.log)) {
        effects.broadcast(Commit{m.view, m.committed});
    }
    effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
}

void Viewstamped::on(State& s, const Context& ctx, NodeId from, const Commit& c, Effects& effects) {
    Memory& m = s.memory;
    if (!hears_primary(s, ctx, from, c.view, effects)) {
        return;
    }
    m.committed = std::max(m.committed, std::min(c.committed, length(m.log)));
    if (c.committed > length(m.log)) {
        effects.note("has missed operations up to number {}: asks for them", c.committed);
        effects.send(from, GetState{m.view});
    }
}

// --- the view change (4.2) -----------------------------------------------------------------------

// Step 1.
void Viewstamped::begin_view_change(State& s, const Context& ctx, Epoch view, Effects& effects) {
    Memory& m = s.memory;
    set_view(s, ctx, view, effects);
    m.status = Status::view_change;
    m.starting.clear();
    m.reported = false;
    m.found = {};
    m.prepared.clear();
    effects.cancel_timer(Timer::silence);
    effects.cancel_timer(Timer::heartbeat);
    effects.set_timer(Timer::view_change, TimerSpec::fixed(ctx.options.view_change_timeout));
    effects.note("changes to view {}, whose primary is node {}", view,
                 primary_of(view, ctx.members));
    effects.broadcast(StartViewChange{view});
    report(s, ctx, effects);
}

void Viewstamped::on(State& s, const Context& ctx, NodeId from, const StartViewChange& m,
                     Effects& effects) {
    if (m.view > s.memory.view) {
        begin_view_change(s, ctx, m.view, effects);
    }
    if (m.view == s.memory.view && s.memory.status == Status::view_change) {
        s.memory.starting.insert(from);  // a set: a duplicated message counts once
        report(s, ctx, effects);
    }
}

// Step 2: when a majority changes to this view, itself included, nobody goes on in an earlier one.
void Viewstamped::report(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    if (m.reported || !has_quorum(m.starting.size() + 1, ctx.members)) {
        return;
    }
    m.reported = true;
    const DoViewChange mine{m.view, m.log, m.last_normal, m.committed};
    const NodeId primary = primary_of(m.view, ctx.members);
    if (primary == ctx.self) {
        take_report(s, ctx, ctx.self, mine, effects);
    } else {
        effects.send(primary, mine);
    }
}

void Viewstamped::on(State& s, const Context& ctx, NodeId from, const DoViewChange& m,
                     Effects& effects) {
    if (m.view > s.memory.view) {
        begin_view_change(s, ctx, m.view, effects);
    }
    if (m.view == s.memory.view && s.memory.status == Status::view_change) {
        take_report(s, ctx, from, m, effects);
    }
}

// Step 3: the log of the latest normal view, the longest of several; every committed operation is
// in it, because a majority holds one and a majority reports.
void Viewstamped::take_report(State& s, const Context& ctx, NodeId from, const DoViewChange& report,
                              Effects& effects) {
    Memory& m = s.memory;
    Found& found = m.found;
    found.senders.insert(from);
    found.committed = std::max(found.committed, report.committed);
    if (report.last_normal > found.view ||
        (report.last_normal == found.view && report.log.size() > found.log.size())) {
        found.view = report.last_normal;
        found.log = report.log;
    }
    if (!found.senders.contains(ctx.self) || !has_quorum(found.senders.size(), ctx.members)) {
        return;
    }
    m.log = found.log;
    m.committed = found.committed;
    effects.note("is the primary of view {}, with {} operations", m.view, length(m.log));
    effects.broadcast(StartView{m.view, m.log, m.committed});
    be_normal(s, ctx, effects);
    advance(s, ctx, effects);
}

// Step 5.
void Viewstamped::on(State& s, const Context& ctx, NodeId from, const StartView& m,
                     Effects& effects) {
    const bool waits = m.view == s.memory.view && s.memory.status == Status::view_change;
    if (m.view > s.memory.view || waits) {
        adopt(s, ctx, m.view, m.log, m.committed, effects);
        effects.note("follows node {} in view {}", from, m.view);
    }
}

// Takes over the state of a primary.
void Viewstamped::adopt(State& s, const Context& ctx, Epoch view, const Log& log,
                        std::int64_t committed, Effects& effects) {
    Memory& m = s.memory;
    set_view(s, ctx, view, effects);
    m.log = log;
    m.committed = std::max(m.committed, committed);
    be_normal(s, ctx, effects);
    if (m.committed < length(m.log)) {
        effects.send(primary_of(view, ctx.members), PrepareOk{view, length(m.log)});
    }
}

void Viewstamped::set_view(State& s, const Context& ctx, Epoch view, Effects& effects) {
    s.memory.view = view;
    if (ctx.options.durable_view) {
        s.disk.view = view;
        effects.persist();  // the view is on the disk before anybody hears of it
    }
}

void Viewstamped::be_normal(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    m.status = Status::normal;
    m.last_normal = m.view;
    m.starting.clear();
    m.found = {};
    m.prepared.clear();
    effects.cancel_timer(Timer::view_change);
    effects.cancel_timer(Timer::recovery);
    if (primary_of(m.view, ctx.members) == ctx.self) {
        m.prepared.assign(ctx.members, 0);
        m.prepared[ctx.self - 1] = length(m.log);
        effects.cancel_timer(Timer::silence);
        effects.set_timer(Timer::heartbeat, TimerSpec::fixed(ctx.options.heartbeat_interval));
    } else {
        effects.cancel_timer(Timer::heartbeat);
        effects.set_timer(Timer::silence, TimerSpec::fixed(ctx.options.primary_timeout));
    }
}

// --- recovery (4.3) ------------------------------------------------------------------------------

// Step 2. A node that remembers a later view than the others have seen brings them there first.
void Viewstamped::on(State& s, const Context& ctx, NodeId from, const Recovery& m,
                     Effects& effects) {
    if (m.view > s.memory.view) {
        begin_view_change(s, ctx, m.view, effects);
    }
    if (s.memory.status != Status::normal) {
        return;
    }
    RecoveryResponse answer{s.memory.view, m.nonce, {}, 0};
    if (view(s, ctx).leads()) {
        answer.log = s.memory.log;
        answer.committed = s.memory.committed;
    }
    effects.send(from, answer);
}

// Step 3: enough answers to this recovery, one of them from the primary of the latest view in them.
void Viewstamped::on(State& s, const Context& ctx, NodeId from, const RecoveryResponse& answer,
                     Effects& effects) {
    Found& found = s.memory.found;
    if (s.memory.status != Status::recovering || answer.nonce != s.disk.nonce) {
        effects.note("ignores an answer to an earlier recovery");
        return;
    }
    found.senders.insert(from);
    if (answer.view > found.view) {
        found.view = answer.view;
        found.from_primary = false;
    }
    if (answer.view == found.view && from == primary_of(answer.view, ctx.members)) {
        found.from_primary = true;
        found.log = answer.log;
        found.committed = answer.committed;
    }
    if (found.senders.size() >= answers_needed(ctx.members) && found.from_primary &&
        found.view >= s.disk.view) {
        effects.note("has recovered into view {}", found.view);
        const Found complete = found;
        adopt(s, ctx, complete.view, complete.log, complete.committed, effects);
    }
}

// --- fetching what was missed (5.2) --------------------------------------------------------------

void Viewstamped::on(State& s, const Context&, NodeId from, const GetState& m, Effects& effects) {
    if (s.memory.status == Status::normal && m.view == s.memory.view) {
        effects.send(from, NewState{s.memory.view, s.memory.log, s.memory.committed});
    }
}

void Viewstamped::on(State& s, const Context& ctx, NodeId, const NewState& m, Effects& effects) {
    const bool same = m.view == s.memory.view;
    const bool missing =
        s.memory.status == Status::view_change || s.memory.log.size() < m.log.size();
    if (m.view > s.memory.view || (same && missing)) {
        effects.note("has the state of view {}", m.view);
        adopt(s, ctx, m.view, m.log, m.committed, effects);
    }
}

// --- what it promises ----------------------------------------------------------------------------

View Viewstamped::view(const State& s, const Context& ctx) {
    const Memory& m = s.memory;
    if (m.status == Status::recovering) {
        return {Role::follower, no_node, 0};
    }
    if (m.status == Status::view_change) {
        return {Role::candidate, no_node, m.view};
    }
    const NodeId primary = primary_of(m.view, ctx.members);
    return {primary == ctx.self ? Role::leader : Role::follower, primary, m.view};
}

std::vector<Promise<Viewstamped>> Viewstamped::invariants() {
    using Node = Known<Viewstamped>;
    return {{"view_never_decreases",
             [](const Node& before, const Node& after) {
                 const bool forgot = after.view.epoch == 0;  // it is down or recovering
                 return forgot || before.view.epoch <= after.view.epoch;
             }},
            {"nonce_never_decreases",
             [](const Node& before, const Node& after) {
                 return before.disk.nonce <= after.disk.nonce;
             }},
            {"durable_view_never_decreases", [](const Node& before, const Node& after) {
                 return before.disk.view <= after.disk.view;
             }}};
}

namespace {

using Everybody = AllNodes<Viewstamped>;

/// Whether `log` begins with the first `count` operations of `other`.
bool begins_with(const Viewstamped::Log& log, const Viewstamped::Log& other, std::int64_t count) {
    return length(log) >= count && length(other) >= count &&
           std::equal(other.begin(), other.begin() + count, log.begin());
}

/// What one node knows to be committed is no other operation at another node.
bool one_operation_per_number(const Everybody& nodes) {
    NodeId longest = 1;
    for (NodeId node = 2; node <= nodes.members(); ++node) {
        if (nodes.state(node).memory.committed > nodes.state(longest).memory.committed) {
            longest = node;
        }
    }
    for (NodeId node = 1; node <= nodes.members(); ++node) {
        const Viewstamped::Memory& m = nodes.state(node).memory;
        if (!begins_with(nodes.state(longest).memory.log, m.log, m.committed)) {
            return false;
        }
    }
    return true;
}

/// Every primary holds all that was committed up to its view, as far as anybody remembers.
bool primary_has_what_was_committed(const Everybody& nodes) {
    for (NodeId primary = 1; primary <= nodes.members(); ++primary) {
        if (!nodes.view(primary).leads()) {
            continue;
        }
        const Viewstamped::Memory& leading = nodes.state(primary).memory;
        for (NodeId node = 1; node <= nodes.members(); ++node) {
            const Viewstamped::Memory& m = nodes.state(node).memory;
            if (m.view <= leading.view && !begins_with(leading.log, m.log, m.committed)) {
                return false;
            }
        }
    }
    return true;
}

}  // namespace

std::vector<Property<Viewstamped>> Viewstamped::properties() {
    return {{"one_operation_per_number", one_operation_per_number},
            {"primary_has_what_was_committed", primary_has_what_was_committed}};
}

}  // namespace electionlab

#include "electionlab/protocols/invitation.h"

#include <algorithm>

namespace electionlab {

namespace {

IdList without(const IdList& list, NodeId node) {
    IdList rest;
    for (const NodeId id : list) {
        if (id != node) {
            rest = rest.with(id);
        }
    }
    return rest;
}

}  // namespace

void InvitationOptions::validate(NodeId) const {
    const auto positive = [](const char* name, Duration value) {
        if (value.ns <= 0) {
            invalid(name, show(value.to_ms()), "must be above 0");
        }
    };
    positive("check_interval_ms", check_interval);
    positive("answer_timeout_ms", answer_timeout);
    positive("invitation_timeout_ms", invitation_timeout);
    positive("merge_delay_ms", merge_delay);
    if (coordinator_timeout.ns <= 0) {
        invalid("coordinator_timeout_ms", show(coordinator_timeout.to_ms()), "must be above 0");
    }
}

About Invitation::about() {
    return {.name = "invitation",
            .title = "Garcia-Molina's Invitation algorithm",
            .source = "Garcia-Molina, IEEE Transactions on Computers C-31(1), 1982, appendix II",
            .assumptions = "crash faults, a durable counter; time only for liveness",
            .cost = "2(n-1) a check, 5(n-1) a merge of all",
            .weaknesses = "a coordinator in each part of a partition; group numbers fence nothing",
            .loose_epochs = true};
}

Epoch Invitation::epoch_of(const GroupNumber& group, NodeId members) {
    Epoch digits = 10;
    while (digits <= members) {
        digits *= 10;
    }
    return group.counter * digits + group.coordinator;
}

View Invitation::view(const State& s, const Context& ctx) {
    const Memory& m = s.memory;
    const Epoch epoch = epoch_of(m.group, ctx.members);
    const bool coordinates = m.group.coordinator == ctx.self;
    if (m.status == Status::normal) {
        return {coordinates ? Role::leader : Role::follower, m.group.coordinator, epoch};
    }
    return {coordinates ? Role::candidate : Role::follower, no_node, epoch};
}

// A warm start is the state in which everybody has just got READY in the leader's first group.
void Invitation::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader == no_node) {
        return recovery(s, ctx, effects);
    }
    s.memory.status = Status::normal;
    s.memory.group = {1, ctx.initial_leader};
    for (NodeId node = 1; node <= ctx.members; ++node) {
        s.memory.task = s.memory.task.with(node);
    }
    if (ctx.initial_leader == ctx.self) {
        s.memory.up = without(s.memory.task, ctx.self);
        s.disk.counter = 1;
        effects.persist();
    }
    wait(s, ctx, effects);
}

void Invitation::on_restart(State& s, const Context& ctx, Effects& effects) {
    recovery(s, ctx, effects);
}

void Invitation::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::step: return step_ends(s, ctx, effects);
        case Timer::check: return check(s, ctx, effects);
        case Timer::timeout: return timeout(s, ctx, effects);
    }
}

void Invitation::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                            Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

// --- the procedures that others call ---

void Invitation::on(State& s, const Context& ctx, NodeId from, const AreYouCoordinator& m,
                    Effects& effects) {
    effects.send(from, Answer{m.call, view(s, ctx).leads()});
    if (m.group == s.memory.group && s.memory.step == Step::none) {  // of its own coordinator
        wait(s, ctx, effects);
    }
}

void Invitation::on(State& s, const Context& ctx, NodeId from, const AreYouThere& m,
                    Effects& effects) {
    const bool member = m.group == s.memory.group && s.memory.group.coordinator == ctx.self &&
                        s.memory.up.contains(from);
    effects.send(from, Answer{m.call, member});
}

// Only who is in no election takes an invitation. A coordinator takes its members with it.
void Invitation::on(State& s, const Context& ctx, NodeId from, const Invite& m, Effects& effects) {
    if (s.memory.status != Status::normal || m.group.coordinator == ctx.self) {
        effects.note("cannot follow the invitation of node {} now", from);
        return;
    }
    effects.note("accepts the invitation to group {} of node {}", m.group.counter,
                 m.group.coordinator);
    const bool coordinated = s.memory.group.coordinator == ctx.self;
    const IdList members = s.memory.up;
    stop(s, effects);
    s.memory.status = Status::election;
    s.memory.group = m.group;
    s.memory.up = {};
    if (coordinated) {
        for (const NodeId member : members) {
            if (member != m.group.coordinator) {
                effects.send(member, Invite{m.group});
            }
        }
    }
    await(s, Step::accept, IdList{m.group.coordinator}, ctx.options.answer_timeout, effects);
    effects.send(m.group.coordinator, Accept{s.memory.call, m.group});
}

void Invitation::on(State& s, const Context& ctx, NodeId from, const Accept& m, Effects& effects) {
    if (s.memory.status == Status::election && s.memory.group == m.group &&
        s.memory.group.coordinator == ctx.self && !s.memory.up.contains(from)) {
        s.memory.up = s.memory.up.with(from);
    }
    effects.send(from, Answer{m.call, true});
}

void Invitation::on(State& s, const Context& ctx, NodeId from, const Ready& m, Effects& effects) {
    const bool accepted = s.memory.status == Status::reorganization ||
                          (s.memory.status == Status::election && s.memory.step == Step::accept);
    if (accepted && s.memory.group == m.group) {
        effects.note("is in group {} of node {}", m.group.counter, from);
        stop(s, effects);
        s.memory.task = m.task;
        s.memory.status = Status::normal;
        wait(s, ctx, effects);
    }
    effects.send(from, Answer{m.call, true});
}

void Invitation::on(State& s, const Context& ctx, NodeId from, const Answer& m, Effects& effects) {
    if (m.call != s.memory.call || !s.memory.awaited.contains(from)) {
        return;
    }
    s.memory.awaited = without(s.memory.awaited, from);
    if (s.memory.step == Step::check && m.yes) {
        s.memory.found = s.memory.found.with(from);
    }
    if (s.memory.step == Step::probe && !m.yes) {
        effects.note("is no member of the group of node {}", from);
        return recovery(s, ctx, effects);
    }
    if (s.memory.awaited.empty()) {
        step_ends(s, ctx, effects);
    }
}

// --- the procedures of this node ---

// A group of its own.
void Invitation::recovery(State& s, const Context& ctx, Effects& effects) {
    stop(s, effects);
    new_group(s, ctx, effects);
    effects.note("forms group {} by itself", s.memory.group.counter);
    s.memory.up = {};
    s.memory.task = IdList{ctx.self};
    s.memory.status = Status::normal;
    wait(s, ctx, effects);
}

void Invitation::new_group(State& s, const Context& ctx, Effects& effects) {
    ++s.disk.counter;
    effects.persist();
    s.memory.group = {s.disk.counter, ctx.self};
}

// Of a coordinator, from time to time: which others are there?
void Invitation::check(State& s, const Context& ctx, Effects& effects) {
    IdList others;
    for (NodeId node = 1; node <= ctx.members; ++node) {
        others = node == ctx.self ? others : others.with(node);
    }
    s.memory.found = {};
    await(s, Step::check, others, ctx.options.answer_timeout, effects);
    for (const NodeId node : others) {
        effects.send(node, AreYouCoordinator{s.memory.call, s.memory.group});
    }
    if (others.empty()) {
        step_ends(s, ctx, effects);
    }
}

// The highest merges at once; the lower another, the longer it leaves it to that one.
void Invitation::check_ends(State& s, const Context& ctx, Effects& effects) {
    if (s.memory.found.empty()) {
        stop(s, effects);
        return wait(s, ctx, effects);
    }
    const NodeId highest = *std::max_element(s.memory.found.begin(), s.memory.found.end());
    if (highest < ctx.self) {
        return merge(s, ctx, effects);
    }
    effects.note("finds coordinator {}, which is higher: waits for its invitation", highest);
    const Duration wait_for = ctx.options.merge_delay * (highest - ctx.self);
    await(s, Step::defer, {}, std::min(wait_for, longest_duration), effects);
}

void Invitation::merge(State& s, const Context& ctx, Effects& effects) {
    const IdList members = s.memory.up, coordinators = s.memory.found;
    stop(s, effects);
    s.memory.status = Status::election;
    new_group(s, ctx, effects);
    effects.note("merges {} other groups with its own into group {}",
                 static_cast<std::int64_t>(coordinators.size()), s.memory.group.counter);
    s.memory.up = {};
    for (const NodeId node : coordinators) {
        effects.send(node, Invite{s.memory.group});
    }
    for (const NodeId node : members) {
        effects.send(node, Invite{s.memory.group});
    }
    await(s, Step::invite, {}, ctx.options.invitation_timeout, effects);
}

void Invitation::merge_readies(State& s, const Context& ctx, Effects& effects) {
    s.memory.status = Status::reorganization;
    s.memory.task = s.memory.up.with(ctx.self);
    await(s, Step::ready, s.memory.up, ctx.options.answer_timeout, effects);
    for (const NodeId node : s.memory.up) {
        effects.send(node, Ready{s.memory.call, s.memory.group, s.memory.task});
    }
    if (s.memory.up.empty()) {
        step_ends(s, ctx, effects);
    }
}

// Of a member, when its coordinator has not called it for long.
void Invitation::timeout(State& s, const Context& ctx, Effects& effects) {
    effects.note("has not heard its coordinator {}: asks for it", s.memory.group.coordinator);
    await(s, Step::probe, IdList{s.memory.group.coordinator}, ctx.options.answer_timeout, effects);
    effects.send(s.memory.group.coordinator, AreYouThere{s.memory.call, s.memory.group});
}

// All have answered, or the time for it is over.
void Invitation::step_ends(State& s, const Context& ctx, Effects& effects) {
    const bool complete = s.memory.awaited.empty();
    switch (s.memory.step) {
        case Step::none: return;
        case Step::check: return check_ends(s, ctx, effects);
        case Step::defer: return merge(s, ctx, effects);
        case Step::invite: return merge_readies(s, ctx, effects);
        case Step::ready:
            if (!complete) {
                effects.note("has lost a member before it was ready");
                return recovery(s, ctx, effects);
            }
            effects.note("coordinates group {} of {} nodes", s.memory.group.counter,
                         static_cast<std::int64_t>(s.memory.task.size()));
            s.memory.status = Status::normal;
            break;
        case Step::accept:
            if (!complete) {
                effects.note("gets no answer to its acceptance");
                return recovery(s, ctx, effects);
            }
            s.memory.status = Status::reorganization;
            break;
        case Step::probe:
            if (!complete) {
                effects.note("gets no answer from its coordinator {}", s.memory.group.coordinator);
                return recovery(s, ctx, effects);
            }
            break;
    }
    stop(s, effects);
    wait(s, ctx, effects);
}

void Invitation::await(State& s, Step step, const IdList& whom, Duration at_most, Effects& effects) {
    effects.cancel_timer(Timer::check);
    effects.cancel_timer(Timer::timeout);
    s.memory.step = step;
    ++s.memory.call;
    s.memory.awaited = whom;
    effects.set_timer(Timer::step, TimerSpec::fixed(at_most));
}

void Invitation::stop(State& s, Effects& effects) {
    s.memory.step = Step::none;
    s.memory.awaited = {};
    s.memory.found = {};
    effects.cancel_timer(Timer::step);
}

void Invitation::wait(const State& s, const Context& ctx, Effects& effects) {
    if (s.memory.group.coordinator == ctx.self) {
        effects.cancel_timer(Timer::timeout);
        effects.set_timer(Timer::check, TimerSpec::fixed(ctx.options.check_interval));
    } else {
        effects.cancel_timer(Timer::check);
        effects.set_timer(Timer::timeout, TimerSpec::fixed(ctx.options.coordinator_timeout));
    }
}

std::vector<Promise<Invitation>> Invitation::invariants() {
    using Known = electionlab::Known<Invitation>;
    return {{"counter_never_decreases", [](const Known& before, const Known& after) {
                 return after.disk.counter >= before.disk.counter;
             }}};
}

// Assertion 3 of the paper: within a group there is one coordinator (its number says which) and one
// task.
std::vector<Property<Invitation>> Invitation::properties() {
    return {{"one_task_per_group", [](const AllNodes<Invitation>& nodes) {
                 for (NodeId a = 1; a <= nodes.members(); ++a) {
                     const Memory& one = nodes.state(a).memory;
                     for (NodeId b = a + 1; b <= nodes.members(); ++b) {
                         const Memory& other = nodes.state(b).memory;
                         if (one.status == Status::normal && other.status == Status::normal &&
                             one.group == other.group && !(one.task == other.task)) {
                             return false;
                         }
                     }
                 }
                 return true;
             }}};
}

}  // namespace electionlab

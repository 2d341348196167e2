#include "electionlab/protocols/garcia_molina.h"

namespace electionlab {

void GarciaMolinaOptions::validate(NodeId) const {
    if (answer_timeout.ns <= 0) {
        invalid("answer_timeout_ms", show(answer_timeout.to_ms()), "must be above 0");
    }
    if (check_interval.ns <= 0) {
        invalid("check_interval_ms", show(check_interval.to_ms()), "must be above 0");
    }
    if (coordinator_timeout.ns <= 0) {
        invalid("coordinator_timeout_ms", show(coordinator_timeout.to_ms()), "must be above 0");
    }
}

About GarciaMolina::about() {
    return {.name = "garcia_molina",
            .title = "Garcia-Molina's Bully, with states and reorganisation",
            .source = "Garcia-Molina, IEEE Transactions on Computers C-31(1), 1982, appendix I",
            .assumptions = "bounded delay, crash faults only, no pauses, no partitions",
            .cost = "8(n-1) when all start, 9n-16 when the highest crashes",
            .weaknesses = "6(n-1) delays; partitions are not healed; no epoch to fence with"};
}

View GarciaMolina::view(const State& s, const Context& ctx) {
    const Memory& m = s.memory;
    if (m.status == Status::normal && m.coordinator == ctx.self) {
        return {Role::leader, ctx.self, 0};
    }
    const bool stands = m.loop >= Loop::ask && m.loop <= Loop::ready;
    return {stands ? Role::candidate : Role::follower,
            m.status == Status::normal ? m.coordinator : no_node, 0};
}

// A warm start is the state in which everybody has just got READY.
void GarciaMolina::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader == no_node) {
        return recovery(s, ctx, effects);
    }
    for (NodeId node = 1; node <= ctx.members; ++node) {
        s.memory.task = s.memory.task.with(node);
        if (node != ctx.self && ctx.initial_leader == ctx.self) {
            s.memory.up = s.memory.up.with(node);
        }
    }
    s.memory.status = Status::normal;
    s.memory.coordinator = s.memory.halted_by = ctx.initial_leader;
    wait(s, ctx, effects);
}

void GarciaMolina::on_restart(State& s, const Context& ctx, Effects& effects) {
    recovery(s, ctx, effects);
}

void GarciaMolina::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    switch (timer) {
        case Timer::answer: return timed_out(s, ctx, effects);
        case Timer::check: return check(s, ctx, effects);
        case Timer::timeout: return timeout(s, ctx, effects);
    }
}

void GarciaMolina::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                              Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

// --- the procedures that others call ---

void GarciaMolina::on(State&, const Context&, NodeId from, const AreYouThere& m, Effects& effects) {
    effects.send(from, Answer{m.call, true});
}

void GarciaMolina::on(State& s, const Context& ctx, NodeId from, const AreYouNormal& m,
                      Effects& effects) {
    effects.send(from, Answer{m.call, s.memory.status == Status::normal});
    if (s.memory.status == Status::normal && s.memory.coordinator == from &&
        s.memory.loop == Loop::none) {
        wait(s, ctx, effects);
    }
}

// Whatever this node was doing, it stops: a task, or an election of its own.
void GarciaMolina::on(State& s, const Context& ctx, NodeId from, const Halt& m, Effects& effects) {
    effects.note("is halted by node {}", from);
    stop(s, effects);
    s.memory.status = Status::election;
    s.memory.halted_by = from;
    effects.send(from, Answer{m.call, true});
    wait(s, ctx, effects);
}

// Only who halted this node last may coordinate it.
void GarciaMolina::on(State& s, const Context& ctx, NodeId from, const NewCoordinator& m,
                      Effects& effects) {
    if (s.memory.halted_by == from && s.memory.status == Status::election) {
        effects.note("accepts node {} as its coordinator", from);
        stop(s, effects);
        s.memory.coordinator = from;
        s.memory.status = Status::reorganization;
        wait(s, ctx, effects);
    }
    effects.send(from, Answer{m.call, true});
}

void GarciaMolina::on(State& s, const Context& ctx, NodeId from, const Ready& m, Effects& effects) {
    if (s.memory.coordinator == from && s.memory.status == Status::reorganization) {
        effects.note("gets its task from node {}", from);
        stop(s, effects);
        s.memory.task = m.task;
        s.memory.status = Status::normal;
        wait(s, ctx, effects);
    }
    effects.send(from, Answer{m.call, true});
}

void GarciaMolina::on(State& s, const Context& ctx, NodeId from, const Answer& m, Effects& effects) {
    if (s.memory.loop != Loop::none && s.memory.callee == from && s.memory.call == m.call) {
        returned(s, ctx, m.yes, effects);
    }
}

// --- the procedures of this node ---

void GarciaMolina::recovery(State& s, const Context& ctx, Effects& effects) {
    effects.note("recovers: holds an election");
    s.memory.status = Status::election;
    s.memory.halted_by = no_node;
    election(s, ctx, effects);
}

// Of the coordinator, from time to time: is everybody normal that is there?
void GarciaMolina::check(State& s, const Context& ctx, Effects& effects) {
    begin(s, ctx, Loop::check, effects);
}

// Of any other node, when its coordinator has not called it for long.
void GarciaMolina::timeout(State& s, const Context& ctx, Effects& effects) {
    if (s.memory.status == Status::election) {
        effects.note("has been in an election for too long: holds one");
        return election(s, ctx, effects);
    }
    effects.note("has not heard its coordinator {}: asks whether it is there", s.memory.coordinator);
    begin(s, ctx, Loop::probe, effects);
}

void GarciaMolina::election(State& s, const Context& ctx, Effects& effects) {
    begin(s, ctx, Loop::ask, effects);
}

// --- loops of calls ---

void GarciaMolina::begin(State& s, const Context& ctx, Loop loop, Effects& effects) {
    effects.cancel_timer(Timer::answer);
    effects.cancel_timer(Timer::check);
    effects.cancel_timer(Timer::timeout);
    s.memory.loop = loop;
    s.memory.callee = loop == Loop::ask || loop == Loop::halt ? ctx.self : no_node;
    call_next(s, ctx, effects);
}

// Ask goes upwards from this node, Halt downwards from it, the others through all that are meant.
void GarciaMolina::call_next(State& s, const Context& ctx, Effects& effects) {
    NodeId& to = s.memory.callee;
    switch (s.memory.loop) {
        case Loop::none: return;
        case Loop::probe: to = to == no_node ? s.memory.coordinator : no_node; break;
        case Loop::ask: to = to < ctx.members ? to + 1 : no_node; break;
        case Loop::halt: to = to - 1; break;
        case Loop::check:
            to = to + 1 == ctx.self ? to + 2 : to + 1;
            to = to <= ctx.members ? to : no_node;
            break;
        case Loop::announce:
        case Loop::ready: {
            NodeId next = no_node;  // Up is in descending order
            for (const NodeId node : s.memory.up) {
                if ((to == no_node || node < to) && node > next) {
                    next = node;
                }
            }
            to = next;
            break;
        }
    }
    if (to == no_node) {
        return loop_ends(s, ctx, effects);
    }
    const std::int64_t call = ++s.memory.call;
    switch (s.memory.loop) {
        case Loop::halt: effects.send(to, Halt{call}); break;
        case Loop::announce: effects.send(to, NewCoordinator{call}); break;
        case Loop::ready: effects.send(to, Ready{call, s.memory.task}); break;
        case Loop::check: effects.send(to, AreYouNormal{call}); break;
        default: effects.send(to, AreYouThere{call}); break;
    }
    effects.set_timer(Timer::answer, TimerSpec::fixed(ctx.options.answer_timeout));
}

void GarciaMolina::returned(State& s, const Context& ctx, bool yes, Effects& effects) {
    switch (s.memory.loop) {
        case Loop::ask:
            effects.note("hears that node {} is higher and there: leaves it to that one",
                         s.memory.callee);
            [[fallthrough]];
        case Loop::probe:
            stop(s, effects);
            return wait(s, ctx, effects);
        case Loop::check:
            if (!yes) {
                effects.note("finds that node {} is not normal: holds an election", s.memory.callee);
                return election(s, ctx, effects);
            }
            break;
        case Loop::halt: s.memory.up = s.memory.up.with(s.memory.callee); break;
        default: break;
    }
    call_next(s, ctx, effects);
}

void GarciaMolina::timed_out(State& s, const Context& ctx, Effects& effects) {
    switch (s.memory.loop) {
        case Loop::probe:
        case Loop::announce:
        case Loop::ready:
            effects.note("gets no answer from node {}: holds an election", s.memory.callee);
            return election(s, ctx, effects);
        default: return call_next(s, ctx, effects);  // it is down, and is passed over
    }
}

void GarciaMolina::loop_ends(State& s, const Context& ctx, Effects& effects) {
    switch (s.memory.loop) {
        case Loop::ask:
            effects.note("is the highest that is there: halts all below");
            s.memory.status = Status::election;
            s.memory.halted_by = ctx.self;
            s.memory.up = {};
            return begin(s, ctx, Loop::halt, effects);
        case Loop::halt:  // the election point
            effects.note("is elected by {} nodes: reorganises them",
                         static_cast<std::int64_t>(s.memory.up.size()) + 1);
            s.memory.coordinator = ctx.self;
            s.memory.status = Status::reorganization;
            s.memory.task = s.memory.up.with(ctx.self);
            return begin(s, ctx, Loop::announce, effects);
        case Loop::announce: return begin(s, ctx, Loop::ready, effects);
        case Loop::ready:
            effects.note("coordinates the task");
            s.memory.status = Status::normal;
            break;
        default: break;
    }
    stop(s, effects);
    wait(s, ctx, effects);
}

void GarciaMolina::stop(State& s, Effects& effects) {
    s.memory.loop = Loop::none;
    s.memory.callee = no_node;
    effects.cancel_timer(Timer::answer);
    effects.cancel_timer(Timer::check);
}

void GarciaMolina::wait(const State& s, const Context& ctx, Effects& effects) {
    if (view(s, ctx).leads()) {
        effects.cancel_timer(Timer::timeout);
        effects.set_timer(Timer::check, TimerSpec::fixed(ctx.options.check_interval));
    } else {
        effects.set_timer(Timer::timeout, TimerSpec::fixed(ctx.options.coordinator_timeout));
    }
}

// Assertion 1 of the paper. It holds as long as its assumptions do.
std::vector<Property<GarciaMolina>> GarciaMolina::properties() {
    using Nodes = AllNodes<GarciaMolina>;
    return {
        {"one_coordinator",
         [](const Nodes& nodes) {
             NodeId coordinator = no_node;
             for (NodeId node = 1; node <= nodes.members(); ++node) {
                 const Memory& m = nodes.state(node).memory;
                 if (m.status < Status::reorganization) {
                     continue;
                 }
                 if (coordinator != no_node && m.coordinator != coordinator) {
                     return false;
                 }
                 coordinator = m.coordinator;
             }
             return true;
         }},
        {"one_task",
         [](const Nodes& nodes) {
             const Memory* first = nullptr;
             for (NodeId node = 1; node <= nodes.members(); ++node) {
                 const Memory& m = nodes.state(node).memory;
                 if (m.status == Status::normal) {
                     if (first != nullptr && !(m.task == first->task)) {
                         return false;
                     }
                     first = &m;
                 }
             }
             return true;
         }},
    };
}

}  // namespace electionlab

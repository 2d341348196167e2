#include "electionlab/protocols/hirschberg_sinclair.h"

namespace electionlab {

About HirschbergSinclair::about() {
    return {.name = "hirschberg_sinclair",
            .title = "Hirschberg and Sinclair's ring election: stretches that double",
            .source = "Hirschberg and Sinclair, CACM 23(11), 1980",
            .assumptions = "no message is lost or doubled, no node crashes; any delay, in any order",
            .cost = "at most 8n (1 + ceil(lg n)) messages, n to announce",
            .weaknesses = "a lost message and nobody may ever be elected; a leader's crash goes "
                          "unnoticed; no epoch",
            .fails_over = false};
}

void HirschbergSinclair::on_start(State& s, const Context& ctx, Effects& effects) {
    find_neighbours(s, ctx);
    if (ctx.initial_leader != no_node) {
        s.memory.part = RingPart::passive;
        s.memory.leader = ctx.initial_leader;
    } else if (ctx.options.initiates(ctx.self)) {
        effects.note("begins: asks its neighbours");
        ask(s, ctx, 1, effects);
    }
}

// The source knows no crash; a node that lost its memory can but ask again.
void HirschbergSinclair::on_restart(State& s, const Context& ctx, Effects& effects) {
    find_neighbours(s, ctx);
    effects.note("is back and knows nothing: asks its neighbours");
    ask(s, ctx, 1, effects);
}

void HirschbergSinclair::on_message(State& s, const Context& ctx, NodeId, const Message& message,
                                    Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, m, effects); }, message);
}

void HirschbergSinclair::on(State& s, const Context& ctx, const Election& m, Effects& effects) {
    if (s.memory.part == RingPart::asleep) {
        effects.note("hears of an election: asks its neighbours first");
        ask(s, ctx, 1, effects);
    }
    if (m.id < ctx.self) {
        effects.note("refuses id {}, smaller than its own", m.id);
        effects.send(next(s, !m.clockwise), Reply{m.id, false, !m.clockwise});
    } else if (m.id == ctx.self) {
        if (s.memory.leader != ctx.self) {  // or else it came round the other way already
            win(s, ctx, effects);
        }
    } else {
        s.memory.part = RingPart::passive;
        if (m.hops < m.reach) {
            effects.note("passes on id {}, greater than its own", m.id);
            effects.send(next(s, m.clockwise), Election{m.id, m.hops + 1, m.reach, m.clockwise});
        } else {
            effects.note("answers id {}, greater than its own: nobody stopped it", m.id);
            effects.send(next(s, !m.clockwise), Reply{m.id, true, !m.clockwise});
        }
    }
}

void HirschbergSinclair::on(State& s, const Context& ctx, const Reply& m, Effects& effects) {
    if (m.id != ctx.self) {
        effects.note("passes a reply on to node {}", m.id);
        effects.send(next(s, m.clockwise), m);
        return;
    }
    if (s.memory.part != RingPart::active) {
        effects.note("has lost already");
        return;
    }
    if (!m.ok) {
        effects.note("gives up: somebody within {} is greater", s.memory.reach);
        s.memory.part = RingPart::passive;
        return;
    }
    (m.clockwise ? s.memory.ok_before : s.memory.ok_after) = true;
    if (s.memory.ok_before && s.memory.ok_after) {
        effects.note("nobody within {} is greater: asks twice as far", s.memory.reach);
        ask(s, ctx, 2 * s.memory.reach, effects);
    }
}

void HirschbergSinclair::on(State& s, const Context& ctx, const Elected& m, Effects& effects) {
    if (m.leader == ctx.self) {
        effects.note("has its announcement back: all know");
        return;
    }
    effects.note("accepts node {} as its leader and passes the word on", m.leader);
    s.memory.part = RingPart::passive;
    s.memory.leader = m.leader;
    effects.send(s.memory.successor, m);
}

void HirschbergSinclair::find_neighbours(State& s, const Context& ctx) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    s.memory.predecessor = ctx.options.predecessor(ctx.self, ctx.members);
}

void HirschbergSinclair::ask(State& s, const Context& ctx, std::int64_t reach, Effects& effects) {
    s.memory.part = RingPart::active;
    s.memory.reach = reach;
    s.memory.ok_before = s.memory.ok_after = false;
    if (s.memory.successor == ctx.self) {  // a ring of one: its question is back at once
        return win(s, ctx, effects);
    }
    effects.send(s.memory.successor, Election{ctx.self, 1, reach, true});
    effects.send(s.memory.predecessor, Election{ctx.self, 1, reach, false});
}

void HirschbergSinclair::win(State& s, const Context& ctx, Effects& effects) {
    effects.note("its question of reach {} is back, nobody is greater: it leads", s.memory.reach);
    s.memory.part = RingPart::won;
    s.memory.leader = ctx.self;
    if (s.memory.successor != ctx.self) {
        effects.send(s.memory.successor, Elected{ctx.self});
    }
}

}  // namespace electionlab

#include "electionlab/protocols/franklin.h"

#include <algorithm>

namespace electionlab {

About Franklin::about() {
    return {.name = "franklin",
            .title = "Franklin's ring election: local maxima go on, both ways",
            .source = "Franklin, CACM 25(5), 1982",
            .assumptions = "no message is lost, no node crashes; any delay; links keep the order "
                           "of messages, or else the cost is another",
            .cost = "2n messages a round, at most floor(lg n) + 1 rounds, n to announce: at most "
                    "2n floor(lg n) + 3n",
            .weaknesses = "a lost message and it may never end; a leader's crash goes unnoticed; "
                          "no epoch",
            .fails_over = false};
}

void Franklin::on_start(State& s, const Context& ctx, Effects& effects) {
    find_neighbours(s, ctx);
    if (ctx.initial_leader != no_node) {
        s.memory.part = RingPart::passive;
        s.memory.leader = ctx.initial_leader;
    } else if (ctx.options.initiates(ctx.self)) {
        effects.note("begins: sends its id both ways");
        next_round(s, ctx, effects);
    }
}

// The source knows no crash; a node that lost its memory can but ask again.
void Franklin::on_restart(State& s, const Context& ctx, Effects& effects) {
    find_neighbours(s, ctx);
    effects.note("is back and knows nothing: sends its id both ways");
    next_round(s, ctx, effects);
}

void Franklin::on_message(State& s, const Context& ctx, NodeId, const Message& message,
                          Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, m, effects); }, message);
}

void Franklin::on(State& s, const Context& ctx, const Election& m, Effects& effects) {
    if (s.memory.part == RingPart::asleep) {
        effects.note("hears of an election: sends its own id both ways first");
        next_round(s, ctx, effects);
    }
    if (s.memory.leader == ctx.self) {
        effects.note("leads: stops id {}", m.id);
    } else if (s.memory.part == RingPart::passive) {
        pass_on(s, m, effects);
    } else if (m.id == ctx.self) {
        win(s, ctx, effects);
    } else {
        IdList& waiting = m.clockwise ? s.memory.from_predecessor : s.memory.from_successor;
        waiting = waiting.with(m.id);
        compare(s, ctx, effects);
    }
}

void Franklin::on(State& s, const Context& ctx, const Elected& m, Effects& effects) {
    if (m.leader == ctx.self) {
        effects.note("has its announcement back: all know");
        return;
    }
    effects.note("accepts node {} as its leader and passes the word on", m.leader);
    s.memory.part = RingPart::passive;
    s.memory.leader = m.leader;
    effects.send(s.memory.successor, m);
}

void Franklin::find_neighbours(State& s, const Context& ctx) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    s.memory.predecessor = ctx.options.predecessor(ctx.self, ctx.members);
}

void Franklin::next_round(State& s, const Context& ctx, Effects& effects) {
    s.memory.part = RingPart::active;
    ++s.memory.round;
    if (s.memory.successor == ctx.self) {  // a ring of one: its id is back at once
        return win(s, ctx, effects);
    }
    effects.send(s.memory.successor, Election{ctx.self, true});
    effects.send(s.memory.predecessor, Election{ctx.self, false});
}

// One id of this round from each side is there, or else it waits. (Afterwards one side has none left,
// or else it would have been compared before.)
void Franklin::compare(State& s, const Context& ctx, Effects& effects) {
    IdList& before = s.memory.from_predecessor;
    IdList& after = s.memory.from_successor;
    if (before.empty() || after.empty()) {
        return;
    }
    if (std::max(before.front(), after.front()) > ctx.self) {
        effects.note("gives up: of its neighbours {} and {} one is greater", before.front(),
                     after.front());
        return give_up(s, effects);
    }
    effects.note("is greater than its neighbours {} and {}: goes on", before.front(),
                 after.front());
    before = IdList(before.ids().subspan(1));
    after = IdList(after.ids().subspan(1));
    next_round(s, ctx, effects);
}

// What came after the two that it compared is meant for the next active node.
void Franklin::give_up(State& s, Effects& effects) {
    s.memory.part = RingPart::passive;
    for (const NodeId id : s.memory.from_predecessor.ids().subspan(1)) {
        pass_on(s, {id, true}, effects);
    }
    for (const NodeId id : s.memory.from_successor.ids().subspan(1)) {
        pass_on(s, {id, false}, effects);
    }
    s.memory.from_predecessor = s.memory.from_successor = IdList{};
}

void Franklin::pass_on(const State& s, const Election& m, Effects& effects) {
    effects.note("passes id {} on", m.id);
    effects.send(m.clockwise ? s.memory.successor : s.memory.predecessor, m);
}

void Franklin::win(State& s, const Context& ctx, Effects& effects) {
    effects.note("has its id back in round {}, nobody else is active: it leads", s.memory.round);
    s.memory.part = RingPart::won;
    s.memory.leader = ctx.self;
    s.memory.from_predecessor = s.memory.from_successor = IdList{};
    if (s.memory.successor != ctx.self) {
        effects.send(s.memory.successor, Elected{ctx.self});
    }
}

}  // namespace electionlab

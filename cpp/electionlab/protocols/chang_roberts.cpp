#include "electionlab/protocols/chang_roberts.h"

namespace electionlab {

About ChangRoberts::about() {
    return {.name = "chang_roberts",
            .title = "Chang and Roberts' ring election: only greater ids are passed on",
            .source = "Chang and Roberts, CACM 22(5), 1979",
            .assumptions = "no message is lost, no node crashes; any delay, in any order",
            .cost = "all begin: 2n-1 to n(n+1)/2 ELECTION, n H_n on average over all orders; "
                    "n ELECTED",
            .weaknesses = "the greatest id lost and nobody is ever elected; a leader's crash goes "
                          "unnoticed; no epoch",
            .fails_over = false};
}

View ChangRoberts::view(const State& s, const Context& ctx) {
    const Role role = s.memory.leader == no_node    ? Role::candidate
                      : s.memory.leader == ctx.self ? Role::leader
                                                    : Role::follower;
    return {role, s.memory.leader, 0};
}

void ChangRoberts::on_start(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    if (ctx.initial_leader != no_node) {
        s.memory.takes_part = true;
        s.memory.leader = ctx.initial_leader;
    } else if (ctx.options.initiates(ctx.self)) {
        effects.note("begins: sends its id");
        begin(s, ctx, effects);
    }
}

// The source knows no crash; a node that lost its memory can but ask again.
void ChangRoberts::on_restart(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    effects.note("is back and knows nothing: sends its id");
    begin(s, ctx, effects);
}

void ChangRoberts::on_message(State& s, const Context& ctx, NodeId, const Message& message,
                              Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, m, effects); }, message);
}

void ChangRoberts::on(State& s, const Context& ctx, const Election& m, Effects& effects) {
    if (m.id > ctx.self) {
        effects.note("passes on id {}, greater than its own", m.id);
        s.memory.takes_part = true;
        effects.send(s.memory.successor, m);
    } else if (m.id < ctx.self && !s.memory.takes_part) {
        effects.note("hears of an election: sends its own id instead of {}", m.id);
        begin(s, ctx, effects);
    } else if (m.id < ctx.self) {
        effects.note("stops id {}, smaller than its own", m.id);
    } else if (s.memory.leader == no_node) {
        effects.note("has its id back, none is greater: it leads");
        win(s, ctx, effects);
    }
}

void ChangRoberts::on(State& s, const Context& ctx, const Elected& m, Effects& effects) {
    if (m.leader == ctx.self) {
        effects.note("has its announcement back: all know");
        return;
    }
    effects.note("accepts node {} as its leader and passes the word on", m.leader);
    s.memory.leader = m.leader;
    effects.send(s.memory.successor, m);
}

void ChangRoberts::begin(State& s, const Context& ctx, Effects& effects) {
    s.memory.takes_part = true;
    if (s.memory.successor == ctx.self) {  // a ring of one: its id is back at once
        s.memory.leader = ctx.self;
        return;
    }
    effects.send(s.memory.successor, Election{ctx.self});
}

void ChangRoberts::win(State& s, const Context& ctx, Effects& effects) {
    s.memory.leader = ctx.self;
    effects.send(s.memory.successor, Elected{ctx.self});
}

}  // namespace electionlab

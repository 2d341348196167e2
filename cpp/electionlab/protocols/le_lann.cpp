#include "electionlab/protocols/le_lann.h"

#include <algorithm>

namespace electionlab {

About LeLann::about() {
    return {.name = "le_lann",
            .title = "Le Lann's ring election: every id goes all the way round",
            .source = "Le Lann, IFIP Congress 1977",
            .assumptions = "no message is lost, no node crashes, a ring of known size; any delay",
            .cost = "n^2 messages, whoever begins",
            .weaknesses = "one lost id and nodes wait for it for ever; a leader's crash goes "
                          "unnoticed; no epoch",
            .fails_over = false};
}

View LeLann::view(const State& s, const Context& ctx) {
    const Role role = s.memory.leader == no_node    ? Role::candidate
                      : s.memory.leader == ctx.self ? Role::leader
                                                    : Role::follower;
    return {role, s.memory.leader, 0};
}

void LeLann::on_start(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    if (ctx.initial_leader != no_node) {
        s.memory.began = true;
        s.memory.leader = ctx.initial_leader;
    } else if (ctx.options.initiates(ctx.self)) {
        effects.note("begins: sends its id round");
        begin(s, ctx, effects);
    }
}

// The source knows no crash; a node that lost its memory can but ask again.
void LeLann::on_restart(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    effects.note("is back and knows nothing: sends its id round");
    begin(s, ctx, effects);
}

void LeLann::on_message(State& s, const Context& ctx, NodeId, const Message& message,
                        Effects& effects) {
    const NodeId id = std::get<Election>(message).id;
    if (!s.memory.began) {
        effects.note("hears of an election: sends its own id round first");
        begin(s, ctx, effects);
    }
    if (id == ctx.self) {
        effects.note("has its id back: {} of {} ids seen",
                     static_cast<std::int64_t>(s.memory.collected.size()) + 1, ctx.members);
    } else {
        effects.note("passes id {} on", id);
        effects.send(s.memory.successor, Election{id});
    }
    collect(s, ctx, id, effects);
}

void LeLann::begin(State& s, const Context& ctx, Effects& effects) {
    s.memory.began = true;
    if (s.memory.successor == ctx.self) {  // a ring of one: its id is back at once
        return collect(s, ctx, ctx.self, effects);
    }
    effects.send(s.memory.successor, Election{ctx.self});
}

void LeLann::collect(State& s, const Context& ctx, NodeId id, Effects& effects) {
    if (s.memory.leader != no_node || s.memory.collected.contains(id)) {
        return;
    }
    s.memory.collected = s.memory.collected.with(id);
    if (s.memory.collected.size() == ctx.members) {
        s.memory.leader = *std::ranges::max_element(s.memory.collected);
        effects.note("has seen all ids: node {} leads", s.memory.leader);
    }
}

}  // namespace electionlab

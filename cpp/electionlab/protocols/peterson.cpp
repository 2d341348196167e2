#include "electionlab/protocols/peterson.h"

#include <algorithm>

namespace electionlab {

About Peterson::about() {
    return {.name = "peterson",
            .title = "Peterson's and Dolev, Klawe and Rodeh's ring elections: n log n, one way",
            .source = "Peterson, TOPLAS 4(4), 1982; Dolev, Klawe and Rodeh, J. Algorithms 3(3), 1982",
            .assumptions = "no message is lost, no node crashes; any delay; links keep the order "
                           "of messages",
            .cost = "at most 2n floor(lg n) + n messages (improved: about 1.44 n lg n), n to announce",
            .weaknesses = "messages that overtake one another mislead it; a leader's crash goes "
                          "unnoticed; no epoch",
            .fails_over = false};
}

void Peterson::on_start(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    if (ctx.initial_leader != no_node) {
        s.memory.part = RingPart::passive;
        s.memory.leader = ctx.initial_leader;
    } else if (ctx.options.initiates(ctx.self)) {
        effects.note("begins: sends its id");
        begin(s, ctx, effects);
    }
}

// The source knows no crash; a node that lost its memory can but ask again.
void Peterson::on_restart(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    effects.note("is back and knows nothing: sends its id");
    begin(s, ctx, effects);
}

void Peterson::on_message(State& s, const Context& ctx, NodeId, const Message& message,
                          Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, m, effects); }, message);
}

void Peterson::on(State& s, const Context& ctx, const Election& m, Effects& effects) {
    if (s.memory.part == RingPart::asleep) {
        effects.note("hears of an election: sends its own id first");
        begin(s, ctx, effects);
    }
    // In Peterson's an id that comes back to its owner has won. In the others an id may pass the
    // place that stands for the greatest, by one active node, before it dies.
    const bool proves = ctx.options.variant == PetersonVariant::peterson;
    if (s.memory.leader == ctx.self) {
        effects.note("leads: stops id {}", m.id);
    } else if (proves && m.id == ctx.self) {
        effects.note("has its id back: it leads");
        announce(s, ctx, ctx.self, effects);
    } else if (s.memory.part == RingPart::passive) {
        effects.note("passes id {} on", m.id);
        effects.send(s.memory.successor, m);
    } else if (!proves && m.id == s.memory.temporary_id && s.memory.neighbour_id == no_node) {
        effects.note("has id {} back, nobody else is active: node {} leads", m.id, m.id);
        announce(s, ctx, m.id, effects);
    } else if (ctx.options.variant == PetersonVariant::peterson_improved) {
        only(s, m.id, effects);
    } else if (s.memory.neighbour_id == no_node) {
        first(s, ctx, m.id, effects);
    } else {
        second(s, m.id, effects);
    }
}

void Peterson::on(State& s, const Context& ctx, const Elected& m, Effects& effects) {
    if (s.memory.announced) {
        effects.note(m.leader == s.memory.leader ? "has its announcement back: all know"
                                                 : "hears that node {} leads, too",
                     m.leader);
        return;
    }
    effects.note(m.leader == ctx.self ? "hears that its id has won: it leads, and passes the word on"
                                      : "accepts node {} as its leader and passes the word on",
                 m.leader);
    s.memory.part = m.leader == ctx.self ? RingPart::won : RingPart::passive;
    s.memory.leader = m.leader;
    effects.send(s.memory.successor, m);
}

void Peterson::begin(State& s, const Context& ctx, Effects& effects) {
    if (s.memory.successor == ctx.self) {  // a ring of one: its id is back at once
        return announce(s, ctx, ctx.self, effects);
    }
    go_on(s, ctx.self, effects);
}

// The id of the next active node counterclockwise; in turn it tells the next one clockwise.
void Peterson::first(State& s, const Context& ctx, NodeId id, Effects& effects) {
    s.memory.neighbour_id = id;
    const NodeId told = ctx.options.variant == PetersonVariant::peterson
                            ? std::max(s.memory.temporary_id, id)
                            : id;
    effects.note("has its neighbour's id {}: sends {}", id, told);
    effects.send(s.memory.successor, Election{told});
}

// The id of the one beyond (the greater of both, in Peterson's).
void Peterson::second(State& s, NodeId id, Effects& effects) {
    const NodeId neighbour = s.memory.neighbour_id;
    if (neighbour > s.memory.temporary_id && neighbour >= id) {
        effects.note("takes its neighbour's id {}, greater than those beside it", neighbour);
        go_on(s, neighbour, effects);
    } else {
        give_up(s, effects);
    }
}

// Odd phases keep ids that are greater than the one before them, even phases ids that are greater
// than the one behind them.
void Peterson::only(State& s, NodeId id, Effects& effects) {
    const NodeId own = s.memory.temporary_id;
    if (s.memory.phase % 2 == 1 ? own > id : id > own) {
        effects.note(s.memory.phase % 2 == 1 ? "keeps id {}, greater than {}"
                                             : "takes id {}, greater than {}",
                     std::max(own, id), std::min(own, id));
        go_on(s, std::max(own, id), effects);
    } else {
        give_up(s, effects);
    }
}

void Peterson::go_on(State& s, NodeId id, Effects& effects) {
    s.memory.part = RingPart::active;
    ++s.memory.phase;
    s.memory.temporary_id = id;
    s.memory.neighbour_id = no_node;
    effects.send(s.memory.successor, Election{id});
}

void Peterson::give_up(State& s, Effects& effects) {
    effects.note("gives up in phase {}", s.memory.phase);
    s.memory.part = RingPart::passive;
    s.memory.temporary_id = s.memory.neighbour_id = no_node;
}

void Peterson::announce(State& s, const Context& ctx, NodeId leader, Effects& effects) {
    s.memory.part = leader == ctx.self ? RingPart::won : RingPart::passive;
    s.memory.announced = true;
    s.memory.leader = leader;
    if (s.memory.successor != ctx.self) {
        effects.send(s.memory.successor, Elected{leader});
    }
}

}  // namespace electionlab

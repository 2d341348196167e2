#include "electionlab/protocols/itai_rodeh.h"

#include <algorithm>
#include <string>
#include <tuple>

namespace electionlab {

void ItaiRodehOptions::validate(NodeId nodes) const {
    IdRingOptions::validate(nodes);
    constexpr std::int64_t most = 1'000'000'000;
    if (ids > most) {
        invalid("ids", std::to_string(ids), "must be from 0 to 1000000000");
    }
    if (ring_size > most) {
        invalid("ring_size", std::to_string(ring_size), "must be from 0 to 1000000000");
    }
}

NodeId ItaiRodehOptions::before(NodeId node, std::int64_t hops, NodeId members) const {
    const std::int64_t back = hops % members;
    if (order.empty()) {
        return static_cast<NodeId>((node - 1 + members - back) % members + 1);
    }
    const auto at = std::ranges::find(order, node) - order.begin();
    return order[static_cast<std::size_t>((at + members - back) % members)];
}

std::int64_t ItaiRodehOptions::hops_between(NodeId from, NodeId to, NodeId members) const {
    std::int64_t hops = 0;
    for (; from != to; from = successor(from, members)) {
        ++hops;
    }
    return hops;
}

About ItaiRodeh::about() {
    return {.name = "itai_rodeh",
            .title = "Itai and Rodeh's election on anonymous rings: ids drawn by lot",
            .source = "Itai and Rodeh, FOCS 1981; as in Fokkink and Pang, ENTCS 128(6), 2005",
            .assumptions = "the ring's size is known, no message is lost or doubled, no node "
                           "crashes; any delay, in any order",
            .cost = "O(n log n) messages on average, without a bound; n to announce",
            .weaknesses = "several leaders where the ring's size is wrong; a leader's crash goes "
                          "unnoticed; no epoch",
            .fails_over = false};
}

std::vector<Property<ItaiRodeh>> ItaiRodeh::properties() {
    return {{"one_winner", [](const AllNodes<ItaiRodeh>& nodes) {
                 int winners = 0;
                 for (NodeId node = 1; node <= nodes.members(); ++node) {
                     winners += nodes.state(node).memory.part == RingPart::won ? 1 : 0;
                 }
                 return winners <= 1;
             }}};
}

View ItaiRodeh::view(const State& s, const Context& ctx) {
    const std::int64_t hops = s.memory.leader_hops;
    return ring_view(ctx.self,
                     hops < 0 ? no_node : ctx.options.before(ctx.self, hops, ctx.members));
}

void ItaiRodeh::on_start(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    if (ctx.initial_leader != no_node) {
        s.memory.part = RingPart::passive;
        s.memory.leader_hops =
            ctx.options.hops_between(ctx.initial_leader, ctx.self, ctx.members);
    } else if (ctx.options.initiates(ctx.self)) {
        next_round(s, ctx, effects);
    }
}

// The source knows no crash; a node that lost its memory can but ask again.
void ItaiRodeh::on_restart(State& s, const Context& ctx, Effects& effects) {
    s.memory.successor = ctx.options.successor(ctx.self, ctx.members);
    effects.note("is back and knows nothing");
    next_round(s, ctx, effects);
}

void ItaiRodeh::on_message(State& s, const Context& ctx, NodeId, const Message& message,
                           Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, m, effects); }, message);
}

void ItaiRodeh::on(State& s, const Context& ctx, const Election& m, Effects& effects) {
    if (s.memory.part == RingPart::asleep) {
        effects.note("hears of an election: begins first");
        next_round(s, ctx, effects);
    }
    if (s.memory.leader_hops == 0) {
        effects.note("leads: stops id {}", m.id);
        return;
    }
    Election onward{m.round, m.id, m.hops + 1, m.unique};
    if (s.memory.part == RingPart::passive) {
        effects.note("passes id {} of round {} on", m.id, m.round);
        effects.send(s.memory.successor, onward);
        return;
    }
    const auto theirs = std::tie(m.round, m.id);
    const auto own = std::tie(s.memory.round, s.memory.id);
    if (theirs > own) {
        effects.note("passes on id {} of round {}, greater than its own", m.id, m.round);
        s.memory.part = RingPart::passive;
        effects.send(s.memory.successor, onward);
    } else if (theirs < own) {
        effects.note("stops id {} of round {}, smaller than its own", m.id, m.round);
    } else if (m.hops != ctx.options.known_size(ctx.members)) {
        effects.note("drew id {} in round {} as well: marks it", m.id, m.round);
        onward.unique = false;
        effects.send(s.memory.successor, onward);
    } else if (m.unique) {
        win(s, ctx, effects);
    } else {
        effects.note("has its id {} back, which others drew as well", m.id);
        next_round(s, ctx, effects);
    }
}

void ItaiRodeh::on(State& s, const Context& ctx, const Elected& m, Effects& effects) {
    if (m.hops == ctx.options.known_size(ctx.members)) {
        effects.note("has its announcement back: all know");
        return;
    }
    effects.note("knows its leader {} hops back and passes the word on", m.hops);
    s.memory.part = RingPart::passive;
    s.memory.leader_hops = m.hops;
    effects.send(s.memory.successor, Elected{m.hops + 1});
}

void ItaiRodeh::next_round(State& s, const Context& ctx, Effects& effects) {
    s.memory.part = RingPart::active;
    ++s.memory.round;
    s.memory.id = uniform_integer(ctx.random.word(s.memory.drawn), 1,
                                  ctx.options.greatest_id(ctx.members));
    ++s.memory.drawn;
    effects.note("draws id {} in round {}", s.memory.id, s.memory.round);
    if (s.memory.successor == ctx.self) {  // a ring of one: its id is back at once
        return win(s, ctx, effects);
    }
    effects.send(s.memory.successor, Election{s.memory.round, s.memory.id, 1, true});
}

void ItaiRodeh::win(State& s, const Context& ctx, Effects& effects) {
    effects.note("has its id {} back, and nobody else drew it: it leads", s.memory.id);
    s.memory.part = RingPart::won;
    s.memory.leader_hops = 0;
    if (s.memory.successor != ctx.self) {
        effects.send(s.memory.successor, Elected{1});
    }
}

}  // namespace electionlab

#include "electionlab/protocols/swim.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "electionlab/core/random.h"

namespace electionlab {

void SwimOptions::validate(NodeId) const {
    if (ping_timeout.ns <= 0) {
        invalid("ping_timeout_ms", show(ping_timeout.to_ms()), "must be above 0");
    }
    if (period.ns <= 0) {
        invalid("period_ms", show(period.to_ms()), "must be above 0");
    }
    if (proxies > 1000) {
        invalid("proxies", std::to_string(proxies), "must be from 0 to 1000");
    }
    if (retransmissions < 1 || retransmissions > 1000) {
        invalid("retransmissions", std::to_string(retransmissions), "must be from 1 to 1000");
    }
    if (updates_per_message < 1 || updates_per_message > 1000) {
        invalid("updates_per_message", std::to_string(updates_per_message), "must be from 1 to 1000");
    }
}

About Swim::about() {
    return {.name = "swim",
            .title = "SWIM membership, lowest member leads",
            .source = "Das, Gupta and Motivala, DSN 2002; the leader is an addition",
            .assumptions = "crash faults; most probes answered in time; durable incarnations",
            .cost = "2 messages for each node in each period, whatever n; no message for an election",
            .weaknesses = "views differ for a while; two leaders in a partition; no epoch"};
}

std::uint32_t Swim::times_told(const Options& options, NodeId members) {
    return options.retransmissions * static_cast<std::uint32_t>(std::bit_width(members));
}

// ALIVE needs a higher incarnation, SUSPECT one at least as high as an ALIVE, CONFIRM at least as
// high as anything that is not dead yet.
bool Swim::overrides(const Update& news, Status known, std::int64_t incarnation) {
    switch (news.status) {
        case Status::alive: return news.incarnation > incarnation;
        case Status::suspect:
            return known == Status::alive ? news.incarnation >= incarnation
                                          : news.incarnation > incarnation;
        case Status::dead:
            return known == Status::dead ? news.incarnation > incarnation
                                         : news.incarnation >= incarnation;
    }
    return false;
}

void Swim::on_start(State& s, const Context& ctx, Effects& effects) {
    s.memory.members.resize(ctx.members);
    for (NodeId lower = 1; lower < ctx.initial_leader; ++lower) {  // has not come forward yet
        s.memory.members[lower - 1].status = Status::dead;
    }
    choose_leader(s, ctx);
    effects.set_timer(Timer::period, TimerSpec{{}, ctx.options.period});
}

void Swim::on_restart(State& s, const Context& ctx, Effects& effects) {
    effects.note("is back, in incarnation {}", s.disk.incarnation + 1);
    ++s.disk.incarnation;
    effects.persist();
    s.memory.members.resize(ctx.members);
    s.memory.members[ctx.self - 1].incarnation = s.disk.incarnation;
    tell(s, {ctx.self, Status::alive, s.disk.incarnation});
    choose_leader(s, ctx);
    effects.set_timer(Timer::period, TimerSpec{{}, ctx.options.period});
}

void Swim::on_timer(State& s, const Context& ctx, Timer timer, NodeId about, Effects& effects) {
    switch (timer) {
        case Timer::period: return probe_next(s, ctx, effects);
        case Timer::ack: return ask_proxies(s, ctx, effects);
        case Timer::suspicion: {
            const Member& member = s.memory.members[about - 1];
            effects.note("has heard no refutation of node {}: takes it for dead", about);
            return learn(s, ctx, {about, Status::dead, member.incarnation}, effects);
        }
    }
}

void Swim::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                      Effects& effects) {
    std::visit(
        [&](const auto& m) {
            for (const Update& news : m.updates) {
                learn(s, ctx, news, effects);
            }
            on(s, ctx, from, m, effects);
        },
        message);
}

void Swim::on(State& s, const Context& ctx, NodeId from, const Ping& m, Effects& effects) {
    effects.send(from, Ack{m.origin, ctx.self, m.probe, gossip(s, ctx, from)});
}

void Swim::on(State& s, const Context& ctx, NodeId from, const PingReq& m, Effects& effects) {
    effects.note("asks node {} for node {}", m.target, from);
    effects.send(m.target, Ping{from, m.probe, gossip(s, ctx, m.target)});
}

void Swim::on(State& s, const Context& ctx, NodeId, const Ack& m, Effects& effects) {
    if (m.origin != ctx.self) {
        effects.note("passes on to node {} that node {} is there", m.origin, m.target);
        effects.send(m.origin, Ack{m.origin, m.target, m.probe, gossip(s, ctx, m.origin)});
    } else if (m.probe == s.memory.probe && m.target == s.memory.target) {
        s.memory.target = no_node;
        effects.cancel_timer(Timer::ack);
    }
}

// A period ends: a target that nobody reached in it is suspected. The next one begins.
void Swim::probe_next(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    if (m.key == 0) {
        m.key = static_cast<std::int64_t>(
            mix64(static_cast<std::uint64_t>(ctx.clock.ns) ^ ctx.self * golden_gamma) | 1);
    }
    if (m.target != no_node && m.members[m.target - 1].status == Status::alive) {
        effects.note("has no answer of node {} in a whole period: suspects it", m.target);
        learn(s, ctx, {m.target, Status::suspect, m.members[m.target - 1].incarnation}, effects);
    }
    effects.set_timer(Timer::period, TimerSpec::fixed(ctx.options.period));
    m.target = next_target(s, ctx);
    ++m.probe;
    if (m.target != no_node) {
        effects.send(m.target, Ping{ctx.self, m.probe, gossip(s, ctx, m.target)});
        effects.set_timer(Timer::ack, TimerSpec::fixed(ctx.options.ping_timeout));
    }
}

void Swim::ask_proxies(State& s, const Context& ctx, Effects& effects) {
    const Memory& m = s.memory;
    if (m.target == no_node || m.members[m.target - 1].status == Status::dead) {
        return;  // it only has a chance to come back
    }
    std::vector<NodeId> others;
    for (NodeId node = 1; node <= ctx.members; ++node) {
        if (node != ctx.self && node != m.target && m.members[node - 1].status != Status::dead) {
            others.push_back(node);
        }
    }
    const std::size_t asked = std::min<std::size_t>(ctx.options.proxies, others.size());
    effects.note("has no answer of node {}: asks {} others to try", m.target,
                 static_cast<std::int64_t>(asked));
    for (std::size_t i = 0; i < asked; ++i) {
        std::swap(others[i], others[i + draw(s, others.size() - i)]);
        effects.send(others[i], PingReq{m.target, m.probe, gossip(s, ctx, others[i])});
    }
}

// Round-robin over a random order of all others, drawn anew after each round: nobody waits for
// longer than two rounds less one target (section 4.3).
NodeId Swim::next_target(State& s, const Context& ctx) {
    Memory& m = s.memory;
    if (!ctx.options.round_robin && ctx.members > 1) {
        const auto other = static_cast<NodeId>(1 + draw(s, ctx.members - 1));
        return other < ctx.self ? other : other + 1;
    }
    if (m.next == m.order.size()) {
        m.order.clear();
        for (NodeId node = 1; node <= ctx.members; ++node) {
            if (node != ctx.self) {
                m.order.push_back(node);
            }
        }
        for (std::size_t left = m.order.size(); left > 1; --left) {
            std::swap(m.order[left - 1], m.order[draw(s, left)]);
        }
        m.next = 0;
    }
    return m.order.empty() ? no_node : m.order[m.next++];
}

void Swim::learn(State& s, const Context& ctx, const Update& news, Effects& effects) {
    Member& member = s.memory.members[news.member - 1];
    if (news.member == ctx.self) {
        return refute(s, ctx, news, effects);
    }
    if (!overrides(news, member.status, member.incarnation)) {
        return;
    }
    if (news.status == Status::suspect && ctx.options.suspicion_timeout.ns > 0) {
        effects.set_timer(Timer::suspicion, news.member,
                          TimerSpec::fixed(ctx.options.suspicion_timeout));
    } else if (member.status == Status::suspect) {
        effects.cancel_timer(Timer::suspicion, news.member);
    }
    member = {news.status, news.incarnation};
    if (news.status == Status::suspect && ctx.options.suspicion_timeout.ns == 0) {
        member.status = Status::dead;
    }
    tell(s, {news.member, member.status, member.incarnation});
    choose_leader(s, ctx);
}

// Only a node itself raises its incarnation, and only to take back what is said of it.
void Swim::refute(State& s, const Context& ctx, const Update& news, Effects& effects) {
    if (news.status == Status::alive || news.incarnation < s.disk.incarnation) {
        return;
    }
    effects.note("hears that it is suspected or dead: is alive in incarnation {}",
                 news.incarnation + 1);
    s.disk.incarnation = news.incarnation + 1;
    effects.persist();
    s.memory.members[ctx.self - 1] = {Status::alive, s.disk.incarnation};
    tell(s, {ctx.self, Status::alive, s.disk.incarnation});
    choose_leader(s, ctx);
}

// What is said of a member takes the place of what was said before.
void Swim::tell(State& s, const Update& news) {
    std::erase_if(s.memory.rumours,
                  [&](const Rumour& rumour) { return rumour.update.member == news.member; });
    s.memory.rumours.push_back({news, 0});
}

std::vector<Swim::Update> Swim::gossip(State& s, const Context& ctx, NodeId to) {
    std::vector<Update> updates;
    const Member& receiver = s.memory.members[to - 1];
    if (receiver.status != Status::alive) {
        updates.push_back({to, receiver.status, receiver.incarnation});
    }
    std::vector<Rumour>& rumours = s.memory.rumours;
    std::stable_sort(rumours.begin(), rumours.end(),
                     [](const Rumour& a, const Rumour& b) { return a.sent < b.sent; });
    std::size_t room = ctx.options.updates_per_message;
    for (Rumour& rumour : rumours) {
        const bool said = !updates.empty() && rumour.update == updates.front();
        if (room > 0 && !said) {
            updates.push_back(rumour.update);
            ++rumour.sent;
            --room;
        }
    }
    const std::uint32_t often = times_told(ctx.options, ctx.members);
    std::erase_if(rumours, [&](const Rumour& rumour) { return rumour.sent >= often; });
    return updates;
}

void Swim::choose_leader(State& s, const Context& ctx) {
    s.memory.leader = ctx.self;
    for (NodeId node = ctx.members; node >= 1; --node) {
        if (s.memory.members[node - 1].status != Status::dead && node < s.memory.leader) {
            s.memory.leader = node;
        }
    }
    // A node that is told at its start that a higher one leads finds itself dead, and waits to hear it.
    if (s.memory.members[ctx.self - 1].status == Status::dead) {
        for (NodeId node = 1; node <= ctx.members; ++node) {
            if (s.memory.members[node - 1].status != Status::dead) {
                s.memory.leader = node;
                return;
            }
        }
    }
}

std::uint64_t Swim::draw(State& s, std::uint64_t below) {
    const RandomStream stream{static_cast<std::uint64_t>(s.memory.key)};
    return scale_word(stream.word(static_cast<std::uint64_t>(s.memory.draws++)), below);
}

std::vector<Promise<Swim>> Swim::invariants() {
    return {{"incarnation_never_decreases", [](const Known<Swim>& before, const Known<Swim>& after) {
                 return after.disk.incarnation >= before.disk.incarnation;
             }}};
}

std::vector<Property<Swim>> Swim::properties() {
    return {{"incarnations_are_raised_by_their_owner_only", [](const AllNodes<Swim>& nodes) {
                 for (NodeId node = 1; node <= nodes.members(); ++node) {
                     const std::vector<Member>& known = nodes.state(node).memory.members;
                     for (NodeId other = 1; other <= known.size(); ++other) {
                         if (known[other - 1].incarnation > nodes.state(other).disk.incarnation) {
                             return false;
                         }
                     }
                 }
                 return true;
             }}};
}

}  // namespace electionlab

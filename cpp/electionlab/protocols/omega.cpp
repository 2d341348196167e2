#include "electionlab/protocols/omega.h"

#include <algorithm>

namespace electionlab {

void OmegaOptions::validate(NodeId) const {
    if (heartbeat_interval.ns <= 0) {
        invalid("heartbeat_interval_ms", show(heartbeat_interval.to_ms()), "must be above 0");
    }
    if (timeout.ns <= 0) {
        invalid("timeout_ms", show(timeout.to_ms()), "must be above 0");
    }
    if (timeout_increment.ns <= 0) {
        invalid("timeout_increment_ms", show(timeout_increment.to_ms()), "must be above 0");
    }
}

About Omega::about() {
    return {.name = "omega",
            .title = "Omega, communication-efficient",
            .source = "Aguilera, Delporte-Gallet, Fauconnier and Toueg, PODC 2004",
            .assumptions = "one live node whose messages become timely, fair lossy links, durable counts",
            .cost = "settled: n-1 ALIVE in each interval, all from the leader",
            .weaknesses = "two leaders in a partition and while it settles; no epoch"};
}

void Omega::on_start(State& s, const Context& ctx, Effects& effects) {
    s.memory.peers.resize(ctx.members);
    if (ctx.initial_leader != no_node) {
        for (NodeId lower = 1; lower < ctx.initial_leader; ++lower) {
            s.memory.peers[lower - 1].accusations = 1;
        }
        if (ctx.self < ctx.initial_leader) {
            s.disk.accusations = 1;
            effects.persist();
        }
        if (ctx.self != ctx.initial_leader) {
            s.memory.peers[ctx.initial_leader - 1].active = true;
            await(s, ctx, ctx.initial_leader, effects);
        }
    }
    update_leader(s, ctx, effects);
}

void Omega::on_restart(State& s, const Context& ctx, Effects& effects) {
    effects.note("is back, and counts that as an accusation");
    s.memory.peers.resize(ctx.members);
    ++s.disk.accusations;
    effects.persist();
    update_leader(s, ctx, effects);
}

void Omega::on_timer(State& s, const Context& ctx, Timer timer, NodeId about, Effects& effects) {
    if (timer == Timer::alive) {
        return send_alive(s, ctx, effects);
    }
    effects.note("has not heard node {} in time: accuses it", about);
    Peer& peer = s.memory.peers[about - 1];
    peer.active = false;
    ++peer.expiries;
    effects.send(about, Accusation{peer.phase});
    update_leader(s, ctx, effects);
}

void Omega::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                       Effects& effects) {
    std::visit([&](const auto& m) { on(s, ctx, from, m, effects); }, message);
}

void Omega::on(State& s, const Context& ctx, NodeId from, const Alive& m, Effects& effects) {
    Peer& peer = s.memory.peers[from - 1];
    if (m.accusations < peer.accusations) {
        effects.note("knows of {} accusations of node {}: reminds it", peer.accusations, from);
        effects.send(from, Reminder{peer.accusations});
    }
    peer.accusations = std::max(peer.accusations, m.accusations);
    peer.phase = m.phase;
    peer.active = true;
    await(s, ctx, from, effects);
    update_leader(s, ctx, effects);
}

// Only what is held against the present phase counts: before, the silence was its own choice.
void Omega::on(State& s, const Context& ctx, NodeId from, const Accusation& m, Effects& effects) {
    if (m.phase != s.memory.phase) {
        effects.note("had stopped on its own in phase {}: the accusation of node {} is void", m.phase,
                     from);
        return;
    }
    effects.note("is accused by node {}", from);
    accept_count(s, ctx, s.disk.accusations + 1, effects);
}

void Omega::on(State& s, const Context& ctx, NodeId, const Reminder& m, Effects& effects) {
    accept_count(s, ctx, m.accusations, effects);
}

void Omega::accept_count(State& s, const Context& ctx, std::int64_t count, Effects& effects) {
    if (count > s.disk.accusations) {
        s.disk.accusations = count;
        effects.persist();
        update_leader(s, ctx, effects);
    }
}

// The least accused of the active nodes leads, the lowest among equals; a node counts itself in.
void Omega::update_leader(State& s, const Context& ctx, Effects& effects) {
    NodeId best = ctx.self;
    std::int64_t least = s.disk.accusations;
    for (NodeId node = 1; node <= ctx.members; ++node) {
        const Peer& peer = s.memory.peers[node - 1];
        if (node != ctx.self && peer.active &&
            (peer.accusations < least || (peer.accusations == least && node < best))) {
            best = node;
            least = peer.accusations;
        }
    }
    if (best == s.memory.leader) {
        return;
    }
    const bool led = s.memory.leader == ctx.self;
    s.memory.leader = best;
    if (best == ctx.self) {
        effects.note("has heard of nobody better of late: comes forward");
        send_alive(s, ctx, effects);
    } else {
        effects.note("follows node {}, accused {} times", best, least);
        if (led) {
            ++s.memory.phase;
            effects.cancel_timer(Timer::alive);
        }
    }
}

void Omega::send_alive(State& s, const Context& ctx, Effects& effects) {
    effects.broadcast(Alive{s.disk.accusations, s.memory.phase});
    effects.set_timer(Timer::alive, TimerSpec::fixed(ctx.options.heartbeat_interval));
}

void Omega::await(State& s, const Context& ctx, NodeId peer, Effects& effects) {
    const Duration step = ctx.options.timeout_increment;
    const std::int64_t steps =
        std::min(s.memory.peers[peer - 1].expiries, longest_duration.ns / step.ns);
    effects.set_timer(Timer::silence, peer, TimerSpec::fixed(ctx.options.timeout + step * steps));
}

std::vector<Promise<Omega>> Omega::invariants() {
    return {{"accusations_never_decrease",
             [](const Known<Omega>& before, const Known<Omega>& after) {
                 return after.disk.accusations >= before.disk.accusations;
             }}};
}

std::vector<Property<Omega>> Omega::properties() {
    return {{"nobody_leads_behind_an_active_better_one", [](const AllNodes<Omega>& nodes) {
                 for (NodeId node = 1; node <= nodes.members(); ++node) {
                     const Memory& m = nodes.state(node).memory;
                     for (NodeId other = 1; m.leader == node && other <= nodes.members(); ++other) {
                         const Peer& peer = m.peers[other - 1];
                         const std::int64_t own = nodes.state(node).disk.accusations;
                         if (other != node && peer.active &&
                             (peer.accusations < own ||
                              (peer.accusations == own && other < node))) {
                             return false;
                         }
                     }
                 }
                 return true;
             }}};
}

}  // namespace electionlab

#include "electionlab/protocols/heartbeat.h"

#include <algorithm>
#include <cstddef>

namespace electionlab {

About HeartbeatElection::about() {
    return {.name = "heartbeat",
            .title = "Heartbeat election",
            .source = "lowest trusted id on a failure detector: Chandra and Toueg, JACM 43(2), 1996; "
                      "Chen, Toueg and Aguilera 2002; Hayashibara et al. 2004",
            .assumptions = "bounded delay, few losses for the detector's time, no partitions; nfd_s: "
                           "synchronised clocks",
            .cost = "n(n-1) heartbeats in each interval; no message for an election",
            .weaknesses = "two leaders in a partition and at every false alarm; no epoch, so nothing "
                          "to fence with"};
}

void HeartbeatElection::on_start(State& s, const Context& ctx, Effects& effects) {
    begin(s, ctx, ctx.initial_leader, effects);
}

void HeartbeatElection::on_restart(State& s, const Context& ctx, Effects& effects) {
    effects.note("is back, and trusts everybody for a first while");
    begin(s, ctx, no_node, effects);
}

void HeartbeatElection::on_timer(State& s, const Context& ctx, Timer timer, NodeId about,
                                 Effects& effects) {
    if (timer == Timer::beat) {
        trust_best(s, ctx);  // who was told a leader at the start comes forward with its first one
        effects.broadcast(Heartbeat{s.memory.beats});
        return expect_beat(s, ctx, effects);
    }
    effects.note("has not heard node {} in time: suspects it", about);
    s.memory.watch[about - 1].suspect();
    trust_best(s, ctx);
}

void HeartbeatElection::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                                   Effects& effects) {
    PeerWatch& peer = s.memory.watch[from - 1];
    const bool was_suspected = peer.suspected;
    const std::int64_t number = std::get<Heartbeat>(message).number;
    const auto patience = peer.heard(ctx.options, number, ctx.clock);
    if (!patience) {
        effects.note("hears heartbeat {} of node {} too late for it to say anything", number, from);
        return;
    }
    effects.set_timer(Timer::suspect, from, TimerSpec::fixed(*patience));
    if (was_suspected) {
        effects.note("hears node {} again: trusts it", from);
        trust_best(s, ctx);
    }
}

void HeartbeatElection::begin(State& s, const Context& ctx, NodeId known, Effects& effects) {
    s.memory.watch.resize(ctx.members);
    for (NodeId peer = 1; peer <= ctx.members; ++peer) {
        if (peer == ctx.self) {
            continue;
        }
        PeerWatch& watch = s.memory.watch[peer - 1];
        const Duration patience = watch.begin(ctx.options, ctx.clock);
        if (known != no_node && is_better(ctx.options, peer, known)) {
            watch.suspect();
        } else {
            effects.set_timer(Timer::suspect, peer, TimerSpec::fixed(patience));
        }
    }
    trust_best(s, ctx);
    // Who leads from the start is followed by its betters, too, until the first heartbeats.
    if (known != no_node && is_better(ctx.options, ctx.self, known)) {
        s.memory.leader = known;
    }
    s.memory.beats = INT64_MIN / 2;
    expect_beat(s, ctx, effects);
}

void HeartbeatElection::expect_beat(State& s, const Context& ctx, Effects& effects) {
    const NextBeat next = next_beat(ctx.options.heartbeat_interval, ctx.clock, s.memory.beats);
    s.memory.beats = next.number;
    effects.set_timer(Timer::beat, TimerSpec::fixed(next.wait));
}

bool HeartbeatElection::is_better(const Options& options, NodeId a, NodeId b) {
    return options.prefers == Preference::lowest ? a < b : a > b;
}

void HeartbeatElection::trust_best(State& s, const Context& ctx) {
    s.memory.leader = ctx.self;
    for (NodeId peer = 1; peer <= ctx.members; ++peer) {
        if (peer != ctx.self && !s.memory.watch[peer - 1].suspected &&
            is_better(ctx.options, peer, s.memory.leader)) {
            s.memory.leader = peer;
        }
    }
    if (ctx.options.partition_handling == PartitionHandling::pause_minority) {
        const auto suspected = std::ranges::count(s.memory.watch, true, &PeerWatch::suspected);
        if (!has_quorum(ctx.members - static_cast<std::size_t>(suspected), ctx.members)) {
            s.memory.leader = no_node;
        }
    }
}

std::vector<Property<HeartbeatElection>> HeartbeatElection::properties() {
    return {{"nobody_follows_a_suspect", [](const AllNodes<HeartbeatElection>& nodes) {
                 for (NodeId node = 1; node <= nodes.members(); ++node) {
                     const Memory& m = nodes.state(node).memory;
                     if (m.leader != no_node && m.leader != node &&
                         m.watch[m.leader - 1].suspected) {
                         return false;
                     }
                 }
                 return true;
             }}};
}

}  // namespace electionlab

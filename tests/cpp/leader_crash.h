// The first promise of the whole project, for any protocol: whenever the leader crashes, every live
// node names one live leader within a bound that follows from the options.
#pragma once

#include <functional>
#include <string>

#include "story.h"

namespace leader_crash {

using electionlab::NodeId;
using electionlab::Value;
using story::Story;

/// How the leader is found and killed; each is one kind of bad luck.
enum class Moment {
    any,                    ///< a leader that all follow, at any moment of its heartbeat interval
    during_elections,       ///< somebody, at any moment of the first elections
    after_first_heartbeat,  ///< a leader with the messages of its first step under way
    twice,                  ///< as many as may die, each as soon as it leads or somewhat later
    heir,                   ///< the leader, then the highest live node or another in the next election
};
inline constexpr std::int64_t moments = 5;

/// One crash of a trial, for those who count.
struct Crash {
    const Story& story;  ///< at the moment of the last crash
    NodeId nodes, dead;
    Moment moment;
};

struct Promise {
    std::string protocol;
    Value options = Value::Dict{};
    Value config = Value::Dict{};
    /// Milliseconds that no crash may pass, derived in docs/protocols/<protocol>.md.
    std::function<double(const Crash&)> bound_ms{};
    /// The most nodes that may be down; a majority protocol's by default, else nodes - 1.
    std::function<NodeId(NodeId)> most_dead{};
    /// Who must lead in the end; anybody by default.
    std::function<NodeId(const Story&)> heir{};
    /// After the bound the leader stays for `stays_ms`: not by luck at the bound.
    bool stays = true;
    double stays_ms = 1000;
    /// First elections may take so long, and happen within so long.
    double patience_ms = 20'000, first_elections_ms = 600;
    /// A leader that is followed is killed at a moment of this span after that.
    double heartbeat_ms = 200;
    /// The slowest of all seeds needs more than this share of its bound: the bound is alive.
    double alive = 0;
    std::int64_t seeds = 5000;
    std::function<void(const Crash&, double took_ms)> seen{};
};

/// The highest node that is up.
NodeId highest_live(const Story& s);
NodeId count_down(const Story& s);

/// Tries thousands of seeds with that many members, and fails with the seed in its message.
void survives(const Promise& promise, NodeId nodes);

}  // namespace leader_crash

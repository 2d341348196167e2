#include "electionlab/sweep/detector_watch.h"

#include <limits>

#include "electionlab/core/random.h"

namespace electionlab {
namespace {

/// Follows the watcher's opinion from event to event.
struct Opinion {
    const DetectorWatch& experiment;
    Cluster& cluster;
    bool suspects;
    Instant since;
    std::int64_t mistakes = 0;
    Duration suspected{};

    Opinion(const DetectorWatch& what, Cluster& where)
        : experiment(what), cluster(where), suspects(judge()), since(where.now()) {}
    [[nodiscard]] bool judge() const {
        return cluster.view(experiment.watcher).leader != experiment.watched;
    }
    void run(Instant until) {
        cluster.run(until, std::numeric_limits<std::int64_t>::max(), StopWhen::never,
                    [this](const Event&) {
                        if (judge() != suspects) {
                            change();
                        }
                        return false;
                    });
    }
    void change() {
        if (suspects) {
            suspected += cluster.now() - since;
        } else {
            ++mistakes;
        }
        suspects = !suspects;
        since = cluster.now();
    }
};

}  // namespace

DetectorTable watch_detector(const ClusterMaker& make_cluster, const DetectorWatch& experiment,
                             std::uint64_t seed, std::int64_t first, std::int64_t count) {
    DetectorTable table;
    Action crash;
    crash.kind = ActionKind::crash;
    crash.node = experiment.watched;
    for (std::int64_t i = first; i < first + count; ++i) {
        const auto trial = static_cast<std::uint64_t>(i);
        const std::unique_ptr<Cluster> cluster = make_cluster(trial);
        const Instant begin = Instant{} + experiment.warm_up;
        const Instant end = begin + experiment.observe;
        Opinion(experiment, *cluster).run(begin);

        Opinion alive(experiment, *cluster);
        alive.run(end);
        table.mistakes.push_back(alive.mistakes);
        table.suspected_ms.push_back(
            (alive.suspected + (alive.suspects ? end - alive.since : Duration{})).to_ms());

        const auto stream = random_stream(trial_key(seed, trial), no_node, Purpose::scenario);
        const Instant at = end + Duration{uniform_integer(stream.word(0), experiment.crash_after.min.ns,
                                                          experiment.crash_after.max.ns)};
        Opinion(experiment, *cluster).run(at);
        Opinion dead(experiment, *cluster);
        cluster->apply(crash);
        dead.run(at + experiment.horizon);
        table.detection_ms.push_back(dead.suspects ? (dead.since - at).to_ms()
                                                   : std::numeric_limits<double>::quiet_NaN());
    }
    return table;
}

}  // namespace electionlab

// Trials of a failure detector: how often is it wrong about a node that lives, and how fast is it
// once that node has crashed?
//
// It works on any protocol through its views: `watcher` trusts `watched` while it names it as its
// leader. So it measures what a detector does to an election, not what it says to itself.
//
// Source of the measures: W. Chen, S. Toueg, M. K. Aguilera, "On the Quality of Service of Failure
// Detectors", IEEE Transactions on Computers 51(5), 2002, section 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "electionlab/core/time.h"
#include "electionlab/sim/cluster.h"

namespace electionlab {

/// One trial: warm up, observe for so long, crash the watched node, see when the watcher gives up.
struct DetectorWatch {
    NodeId watched = 1;
    NodeId watcher = 2;
    Duration warm_up = seconds(5);   ///< not counted: detectors learn
    Duration observe = seconds(60);  ///< the watched node is up: every suspicion is a mistake
    /// It crashes so long after that, drawn uniformly.
    DurationRange crash_after{Duration{0}, ms(100)};
    Duration horizon = seconds(10);  ///< how long the watcher is looked at after the crash
};

/// One array per measure, an entry per trial.
struct DetectorTable {
    std::vector<std::int64_t> mistakes;  ///< changes from trust to suspicion while observed
    std::vector<double> suspected_ms;    ///< time in suspicion while observed
    /// Crash to the last change to suspicion; 0 when that was before; NaN: trusts at the horizon.
    std::vector<double> detection_ms;
};

/// Makes the cluster of a trial, at time 0.
using ClusterMaker = std::function<std::unique_ptr<Cluster>(std::uint64_t trial)>;

/// Trials first..first+count-1.
DetectorTable watch_detector(const ClusterMaker& make_cluster, const DetectorWatch& experiment,
                             std::uint64_t seed, std::int64_t first, std::int64_t count);

}  // namespace electionlab

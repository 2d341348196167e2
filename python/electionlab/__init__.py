"""electionlab: a laboratory for leader election in distributed systems.

>>> import electionlab as el
>>> cluster = el.Cluster(el.Raft(nodes=5), seed=7)
>>> leader = cluster.run_until_leader()
>>> event = cluster.crash(leader.node)
>>> cluster.run_until_leader().epoch
2
"""

from electionlab import exercises as exercises
from electionlab import museum as museum
from electionlab import protocols
from electionlab import real as real
from electionlab import scenarios as scenarios
from electionlab import settings as settings
from electionlab._acknowledged import acknowledged, acknowledged_share
from electionlab._comparable import comparable
from electionlab._core import Event, PendingEvent, __version__
from electionlab._faults import FAULTS
from electionlab._presets import Preset, presets
from electionlab._quorums import Quorum
from electionlab._requirements import Requirements, requirements
from electionlab.check_matrix import Matrix, matrix
from electionlab.checker import (
    Bounds,
    Budget,
    CheckedState,
    CheckError,
    CheckResult,
    EventualResult,
    Run,
    Timing,
    check,
    check_eventually,
)
from electionlab.cluster import Cluster, Leader, Metrics, Node, NoLeader
from electionlab.comparison import Comparison, compare
from electionlab.detectors import (
    DetectorCurve,
    NfdQuality,
    detector_curve,
    nfd_s_quality,
    phi,
    plot_detector_curve,
)
from electionlab.errors import TraceError
from electionlab.gallery import Case, CaseResult, cases
from electionlab.grading import Grade, Task, grade, grades_frame, tasks
from electionlab.protocols import *  # noqa: F403  (one class for each protocol of the engine)
from electionlab.samplers import grid, latin_hypercube, zipped
from electionlab.settings import (
    Action,
    Delay,
    Link,
    Machine,
    Network,
    Resource,
    at,
    at_random,
    clock,
    command,
    crash,
    cut,
    delay,
    deliver,
    disk,
    drop,
    duplicate,
    empirical,
    exponential,
    fire,
    heal,
    hyperexponential,
    link,
    lognormal,
    mend,
    normal,
    pareto,
    partition,
    pause,
    restart,
    resume,
    slow,
    when,
)
from electionlab.shrinking import ShrunkRun, shrink
from electionlab.state_graphs import StateGraph, state_graph
from electionlab.sweep_result import Sweep
from electionlab.sweeps import Precision, sweep
from electionlab.trace import Trace
from electionlab.user_protocol import Message, NodeContext, UserProtocol

__all__ = [
    "FAULTS",
    "Action",
    "Bounds",
    "Budget",
    "Case",
    "CaseResult",
    "CheckError",
    "CheckResult",
    "CheckedState",
    "Cluster",
    "Comparison",
    "Delay",
    "DetectorCurve",
    "Event",
    "EventualResult",
    "Grade",
    "Leader",
    "Link",
    "Machine",
    "Matrix",
    "Message",
    "Metrics",
    "Network",
    "NfdQuality",
    "NoLeader",
    "Node",
    "NodeContext",
    "PendingEvent",
    "Precision",
    "Preset",
    "Quorum",
    "Requirements",
    "Resource",
    "Run",
    "ShrunkRun",
    "StateGraph",
    "Sweep",
    "Task",
    "Timing",
    "Trace",
    "TraceError",
    "UserProtocol",
    "__version__",
    "acknowledged",
    "acknowledged_share",
    "at",
    "at_random",
    "cases",
    "check",
    "check_eventually",
    "clock",
    "command",
    "comparable",
    "compare",
    "crash",
    "cut",
    "delay",
    "deliver",
    "detector_curve",
    "disk",
    "drop",
    "duplicate",
    "empirical",
    "exponential",
    "fire",
    "grade",
    "grades_frame",
    "grid",
    "heal",
    "hyperexponential",
    "latin_hypercube",
    "link",
    "lognormal",
    "matrix",
    "mend",
    "nfd_s_quality",
    "normal",
    "pareto",
    "partition",
    "pause",
    "phi",
    "plot_detector_curve",
    "presets",
    "requirements",
    "restart",
    "resume",
    "shrink",
    "slow",
    "state_graph",
    "sweep",
    "tasks",
    "when",
    "zipped",
]
__all__ += protocols.__all__


def __dir__() -> list[str]:
    modules = ["exercises", "museum", "protocols", "real", "scenarios", "settings"]
    return sorted([*__all__, *modules])

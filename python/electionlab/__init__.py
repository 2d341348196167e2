"""electionlab: a laboratory for leader election in distributed systems.

    >>> import electionlab as el
    >>> cluster = el.Cluster(el.Raft(nodes=5), seed=7)
    >>> leader = cluster.run_until_leader()
    >>> event = cluster.crash(leader.node)
    >>> cluster.run_until_leader().epoch
    2
"""

from electionlab import protocols, settings
from electionlab._core import Event, PendingEvent, __version__
from electionlab.cluster import Cluster, Leader, Metrics, NoLeader, Node
from electionlab.errors import TraceError
from electionlab.protocols import PROTOCOLS, Protocol, make_protocol
from electionlab.settings import (
    Action,
    Delay,
    Link,
    Machine,
    Network,
    at,
    at_random,
    clock,
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
from electionlab.trace import Trace
from electionlab.user_protocol import Message, NodeContext, UserProtocol

globals().update({cls.__name__: cls for cls in PROTOCOLS.values()})

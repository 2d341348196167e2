"""Time-outs that make protocols comparable: each suspects a silent leader after the same time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from electionlab._values import above_zero
from electionlab.protocols import Protocol, make_protocol

#: One-way delays of every comparison [ms].
DELAY_MS = (5.0, 10.0)
#: Silence after which a leader is suspected, in every protocol that suspects [ms].
TIMEOUT_MS = 1000.0
#: Members of a cluster where nothing else is said.
NODES = 5

# By protocol: options that make a silent leader suspected after about `t` ms, with a sign of life
# about every t/3 ms. What is not listed has no time-out, or one that is so by default.
_COMPARABLE: dict[str, Callable[[float], dict[str, Any]]] = {
    "raft": lambda t: {"election_timeout_ms": (t, 2 * t), "heartbeat_interval_ms": t / 3},
    "bully": lambda t: {"leader_timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "ring": lambda t: {"leader_timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "garcia_molina": lambda t: {"coordinator_timeout_ms": t, "check_interval_ms": t / 3},
    "invitation": lambda t: {"coordinator_timeout_ms": t, "check_interval_ms": t / 3},
    "multi_paxos": lambda t: {"failure_timeout_ms": (t, 2 * t), "heartbeat_interval_ms": t / 3},
    "viewstamped": lambda t: {"primary_timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "zab": lambda t: {"tick_time_ms": t / 5, "sync_limit": 5},
    "lease": lambda t: {
        "lease_ttl_ms": t,
        "renew_interval_ms": t / 3,
        "retry_interval_ms": (t / 5, 2 * t / 5),
    },
    # etcd's and Kubernetes' own proportions; both count whole seconds, so never below one.
    "etcd": lambda t: {
        "session_ttl_ms": 1000 * math.ceil(t / 1000),
        "keep_alive_poll_ms": t / 10,
        "deadline_poll_ms": t / 5,
        "server_poll_ms": t / 10,
        "promote_extend_ms": t / 5,
        "retry_interval_ms": t / 10,
        "watch_check_ms": 2 * t / 5,
    },
    "kubernetes": lambda t: {
        "lease_duration_ms": max(t, 1000),
        "renew_deadline_ms": 2 * max(t, 1000) / 3,
        "retry_period_ms": 2 * t / 15,
        "request_timeout_ms": t / 3,
    },
    "zk_recipe": lambda t: {"session_timeout_ms": t},
    "zk_lock": lambda t: {"session_timeout_ms": t},
    "heartbeat": lambda t: {"timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "swim": lambda t: {"period_ms": t / 3, "suspicion_timeout_ms": t},
    "omega": lambda t: {"timeout_ms": t, "heartbeat_interval_ms": t / 3},
}


def comparable(name: str, nodes: int = NODES, timeout_ms: float = TIMEOUT_MS) -> Protocol:
    """A protocol with time-outs that can be compared with the others'.

    Args:
        name: Its name in the catalogue.
        nodes: How many members.
        timeout_ms: Silence after which a leader is suspected; a sign of life is due about every
            third of it. Where the protocol draws time-outs, it is the least.

    Raises:
        ValueError: There is no such protocol, or the number is out of range.
    """
    t = above_zero("timeout_ms", timeout_ms)
    return make_protocol(name, nodes, _COMPARABLE[name](t) if name in _COMPARABLE else {})

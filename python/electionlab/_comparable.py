"""What makes protocols comparable: the same network, and time-outs of the same length."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from electionlab._values import above_zero
from electionlab.cluster import Cluster
from electionlab.protocols import PROTOCOLS, Protocol, make_protocol
from electionlab.settings import Network
from electionlab.user_protocol import UserProtocol

#: One-way delays of every comparison [ms].
DELAY_MS = (5.0, 10.0)
#: Silence after which a leader is suspected, in every protocol that suspects [ms]. Kubernetes'
#: record and etcd's leases count whole seconds: at one second that is all that they would show.
TIMEOUT_MS = 5000.0
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
    "zk_recipe": lambda t: {
        "session_timeout_ms": t,
        "tick_ms": t / 20,
        "look_interval_ms": t / 5,
    },
    "zk_lock": lambda t: {"session_timeout_ms": t, "tick_ms": t / 20},
    "heartbeat": lambda t: {"timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "swim": lambda t: {"period_ms": t / 3, "suspicion_timeout_ms": t},
    "omega": lambda t: {"timeout_ms": t, "heartbeat_interval_ms": t / 3},
}


# Options that switch off polling which may do an election's work by chance: a look of the recipe
# that happens to be on its way is a listing that the event need not cause.
UNPOLLED: dict[str, dict[str, Any]] = {"zk_recipe": {"look_interval_ms": 0.0}}
# Rings whose source assumes that a link keeps the order of its messages.
_FIFO = ("le_lann", "franklin", "peterson")


def comparable(
    name: str, nodes: int = NODES, timeout_ms: float = TIMEOUT_MS, **options: Any
) -> Protocol:
    """A protocol with time-outs that can be compared with the others'.

    Args:
        name: Its name in the catalogue.
        nodes: How many members.
        timeout_ms: Silence after which a leader is suspected; a sign of life is due about every
            third of it. Where the protocol draws time-outs, it is the least.
        options: Further options of the protocol.

    Raises:
        ValueError: There is no such protocol, or the number is out of range.
    """
    t = above_zero("timeout_ms", timeout_ms)
    timeouts = _COMPARABLE[name](t) if name in _COMPARABLE else {}
    return make_protocol(name, nodes, timeouts | options)


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is compared: a protocol of the catalogue at any size, or one that is given as it is.

    Attributes:
        label: What tells it from the others.
        given: The protocol as it is; None: of the catalogue, by label, with comparable time-outs.
        timeout_ms: Those time-outs.
    """

    label: str
    given: Protocol | UserProtocol | None
    timeout_ms: float

    @property
    def about(self) -> dict[str, Any]:
        """What the catalogue says; of a protocol written in Python what its class says."""
        if isinstance(self.given, UserProtocol):
            return {"epochs": self.given.epochs, "fails_over": True, "cost": "", "options": []}
        return (PROTOCOLS[self.label] if self.given is None else self.given).about

    @property
    def name(self) -> str:
        """The protocol's name."""
        return self.label if self.given is None else self.given.name

    def make(self, nodes: int, seed: int, **options: Any) -> Protocol | UserProtocol:
        """The protocol of one run; a ring of the catalogue has its order drawn from the seed."""
        if self.given is not None:
            return self.given
        if "shuffle" in self.option_names and "order" not in options:
            options["shuffle"] = seed + 1  # 0 is no shuffling
        return comparable(self.label, nodes, self.timeout_ms, **options)

    @property
    def option_names(self) -> set[str]:
        """Options that a run may set."""
        return set() if self.given else {option["name"] for option in self.about["options"]}

    @property
    def network(self) -> Network:
        """The links of every run."""
        return Network(one_way_delay_ms=DELAY_MS, fifo=True if self.name in _FIFO else None)


def actors_of(protocol: Protocol | UserProtocol) -> int:
    """Members and services of a protocol; its resource, if it has one, is none of them."""
    cluster = Cluster(protocol, seed=0, record=False)
    kinds = [cluster.node(actor).kind for actor in range(protocol.nodes + 1, cluster.actors + 1)]
    return protocol.nodes + sum(kind != "resource" for kind in kinds)

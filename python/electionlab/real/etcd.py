"""A real etcd cluster."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from typing import Any

from electionlab._values import whole_number
from electionlab.real import servers
from electionlab.real.children import ServerError
from electionlab.real.ensemble import RealCluster, Sight
from electionlab.real.etcd_gateway import Gateway, GatewayError

_ROLE = re.compile(r"^([0-9a-f]+) became (follower|pre-candidate|candidate|leader) at term (\d+)")
_ELECTED = re.compile(r"^raft\.node: ([0-9a-f]+) (?:elected|changed leader from [0-9a-f]+ to|"
                      r"lost) (?:leader )?([0-9a-f]+) at term (\d+)")  # fmt: skip


class EtcdCluster(RealCluster):
    """Real etcd servers on loopback: `RealCluster` says what can be done with them.

    Args:
        nodes: How many members, 1 to 9.
        heartbeat_ms: etcd's --heartbeat-interval, one tick of its Raft.
        election_ms: etcd's --election-timeout, T; at least five heartbeats.
        pre_vote: etcd's --pre-vote.
        durable: Whether members wait for the disk. Without it, all that a power failure would lose
            survives a crash of the process, and elections do not depend on the disk's speed.
        partitions: Whether links between members go through proxies, so that they can be cut; it
            costs each message some tenths of a millisecond.
        program: The etcd to use; None: as `electionlab.real.servers.etcd` finds it.
        endpoints: Members that exist already, "host:port" or "https://host:port": they are watched,
            and all other arguments mean nothing. TLS and credentials: see
            `electionlab.real.etcd_gateway`.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no etcd.
    """

    protocol = "etcd"

    def __init__(
        self,
        nodes: int = 3,
        *,
        heartbeat_ms: int = 100,
        election_ms: int = 1000,
        pre_vote: bool = True,
        durable: bool = False,
        partitions: bool = True,
        program: str | None = None,
        endpoints: Sequence[str] | None = None,
    ) -> None:
        super().__init__(nodes, partitions, endpoints)
        self._ids: dict[str, int] = {}
        self._gateways: dict[int, Gateway] = {}
        if self.exists:
            return
        self.heartbeat_ms = whole_number("heartbeat_ms", heartbeat_ms, 1, 10_000)
        self.election_ms = whole_number("election_ms", election_ms, 5 * self.heartbeat_ms, 50_000)
        self.pre_vote = bool(pre_vote)
        self.durable = bool(durable)
        self.server = servers.etcd(program)
        # Older ones always wait for the disk.
        can = [int(n) for n in re.findall(r"\d+", self.server.version)[:2]] >= [3, 5]
        self._fast = ("--unsafe-no-fsync",) if can and not self.durable else ()
        self.system |= {
            "server": f"etcd {self.server.version}",
            "heartbeat_ms": self.heartbeat_ms,
            "election_ms": self.election_ms,
            "pre_vote": self.pre_vote,
            "durable": not self._fast,
            "partitions": self._partitions,
        }

    @property
    def least_ttl_s(self) -> int:
        """The shortest lease that the servers grant, in s: 1.5 election time-outs, rounded up.

        Raises:
            ServerError: The servers were not started here, so that it is not known.
        """
        if self.exists:
            raise ServerError("these servers were not started here: their election time-out is "
                              "not known")  # fmt: skip
        ticks = self.election_ms // self.heartbeat_ms
        return -(-(3 * ticks // 2) * self.heartbeat_ms // 1000)

    def _ports_each(self) -> int:
        return 3

    def _prepare(self) -> Sequence[dict[str, int]]:
        n = self.nodes
        self._client, self._peer, proxies = (
            self._ports[:n],
            self._ports[n : 2 * n],
            self._ports[2 * n :],
        )
        self._advertised = proxies[:n] if self._partitions else self._peer
        self.endpoints = [f"127.0.0.1:{port}" for port in self._client]
        return [
            {"listen": self._advertised[i], "port": self._peer[i], "target": i + 1, "dialler": 0}
            for i in range(n)
        ]

    def _argv(self, node: int) -> Sequence[str]:
        folder = self.children.folder / f"data{node}"
        folder.mkdir(mode=0o700, exist_ok=True)
        url = "http://127.0.0.1:{}".format
        members = (f"member{i + 1}={url(port)}" for i, port in enumerate(self._advertised))
        return [
            self.server.program,
            "--name", f"member{node}",
            "--data-dir", str(folder),
            "--logger", "zap",
            "--log-outputs", "stderr",
            "--log-level", "info",
            "--listen-client-urls", url(self._client[node - 1]),
            "--advertise-client-urls", url(self._client[node - 1]),
            "--listen-peer-urls", url(self._peer[node - 1]),
            "--initial-advertise-peer-urls", url(self._advertised[node - 1]),
            "--initial-cluster", ",".join(members),
            "--initial-cluster-state", "new",
            "--initial-cluster-token", self.children.folder.name,
            "--heartbeat-interval", str(self.heartbeat_ms),
            "--election-timeout", str(self.election_ms),
            f"--pre-vote={str(self.pre_vote).lower()}",
            *self._fast,
        ]  # fmt: skip

    def is_ready(self, node: int) -> bool:
        """Whether a member knows a leader."""
        try:
            return self._look(node)[1] != 0
        except GatewayError:
            return False

    def _look(self, node: int) -> tuple[str, int, int]:
        gateway = self._gateways.setdefault(node, Gateway([self.endpoints[node - 1]], timeout_s=2))
        status = gateway.call("maintenance/status", {})
        own, leads = int(status["header"]["member_id"]), int(status.get("leader", 0))
        self._ids[f"{own:x}"] = node
        if self.exists:
            self.system["server"] = f"etcd {status['version']}"
        role = "leader" if own == leads else "follower"
        # Another leads whose endpoint may not have been given: then it is nobody that is known.
        leader = self._ids.get(f"{leads:x}", -1 if leads else 0)
        return role, leader, int(status.get("raftTerm", 0))

    def _sight(self, node: int, line: str, before: Sight) -> Sight | None:
        if "raft" not in line:
            return None
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            return None
        said = str(entry.get("msg", ""))
        if match := _ROLE.match(said):
            role = {"pre-candidate": "candidate"}.get(match[2], match[2])
            leader = node if role == "leader" else 0
            return Sight(_wall_ns(entry["ts"]), role, leader, int(match[3]))
        if (match := _ELECTED.match(said)) and before.role != "leader":
            leader = 0 if "lost leader" in said else self._ids.get(match[2], 0)
            return Sight(_wall_ns(entry["ts"]), before.role, leader, int(match[3]))
        return None


def _wall_ns(text: str) -> int:
    """The form is UTC with milliseconds, such as 2026-11-21T18:00:01.123Z."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    since = at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (since // datetime.timedelta(microseconds=1)) * 1000

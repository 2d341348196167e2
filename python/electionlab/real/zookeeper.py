"""A real ZooKeeper ensemble."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Sequence

from electionlab._values import whole_number
from electionlab.real import servers
from electionlab.real.ensemble import RealCluster, Sight
from electionlab.real.zookeeper_guards import connect

_LOGBACK = """<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder>
    <pattern>%d{"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", UTC} %c{0} %m%n</pattern>
  </encoder></appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
"""
_SAID = re.compile(r"^(\d{4}-\d\d-\d\dT[\d:.]+)Z (\w+) (.*)")
_EPOCH = re.compile(r"Set the current epoch to (\d+)|setting last processed zxid: 0x([0-9a-f]+)")
_CONNECTED = re.compile(r"connected to leader, using address: \S*:(\d+)")


class ZooKeeperEnsemble(RealCluster):
    """Real ZooKeeper servers on loopback: `RealCluster` says what can be done with them.

    A member leads when it serves ("leading - broadcast" in its log); before, while it looks for a
    leader or brings its followers up to date, it is a candidate.

    Args:
        nodes: How many members, 1 to 9.
        tick_ms: ZooKeeper's tickTime.
        init_limit: ZooKeeper's initLimit, in ticks.
        sync_limit: ZooKeeper's syncLimit, in ticks.
        durable: Whether members wait for the disk (ZooKeeper's forceSync).
        partitions: Whether links between members go through proxies, so that they can be cut.
        folder: The folder of ZooKeeper's jars; None: as `electionlab.real.servers.zookeeper` finds
            it.
        endpoints: Members that exist already, "host:port" or "tls://host:port": they are watched
            (by the command srvr), and all other arguments mean nothing. TLS and credentials: see
            `electionlab.real.zookeeper_guards`.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no ZooKeeper, or no Java.
    """

    protocol = "zookeeper"

    def __init__(
        self,
        nodes: int = 3,
        *,
        tick_ms: int = 2000,
        init_limit: int = 10,
        sync_limit: int = 5,
        durable: bool = False,
        partitions: bool = True,
        folder: str | None = None,
        endpoints: Sequence[str] | None = None,
    ) -> None:
        super().__init__(nodes, partitions, endpoints)
        if self.exists:
            return
        self.tick_ms = whole_number("tick_ms", tick_ms, 10, 60_000)
        self.init_limit = whole_number("init_limit", init_limit, 1, 1000)
        self.sync_limit = whole_number("sync_limit", sync_limit, 1, 1000)
        self.durable = bool(durable)
        self.server = servers.zookeeper(folder)
        self.system |= {
            "server": f"ZooKeeper {self.server.version}",
            "java": self.server.java_version,
            "tick_ms": self.tick_ms,
            "init_limit": self.init_limit,
            "sync_limit": self.sync_limit,
            "durable": self.durable,
            "partitions": self._partitions,
        }

    @property
    def least_session_ms(self) -> int:
        """The shortest session that the servers grant: two ticks."""
        return 2 * self.tick_ms

    def expired_ns(self, after_ns: int) -> int | None:
        """When a member first ended a session after a moment, by its log; None: not yet.

        Both on the machine's monotonic clock.
        """
        ahead = time.time_ns() - time.monotonic_ns()
        found = []
        for node in range(1, self.nodes + 1):
            log = self.children.log(f"member{node}").read_text(encoding="utf-8", errors="replace")
            for line in log.splitlines():
                match = _SAID.match(line) if "Expiring session" in line else None
                if match is not None and (at := _wall_ns(match[1]) - ahead) > after_ns:
                    found.append(at)
        return min(found, default=None)

    def _ports_each(self) -> int:
        return 5

    def _prepare(self) -> Sequence[dict[str, int]]:
        n = self.nodes
        client, quorum, election, quorum_proxy, election_proxy = (
            self._ports[i * n : (i + 1) * n] for i in range(5)
        )
        self.endpoints = [f"127.0.0.1:{port}" for port in client]
        self._quorum = {port: i % n + 1 for i, port in enumerate([*quorum, *quorum_proxy])}
        folder = self.children.folder
        (folder / "logback.xml").write_text(_LOGBACK, encoding="utf-8")
        for node in range(1, n + 1):
            data = folder / f"data{node}"
            data.mkdir(mode=0o700)
            (data / "myid").write_text(f"{node}\n", encoding="utf-8")
            settings = {
                "tickTime": self.tick_ms, "initLimit": self.init_limit,
                "syncLimit": self.sync_limit, "forceSync": "yes" if self.durable else "no",
                "dataDir": data, "clientPort": client[node - 1], "maxClientCnxns": 0,
                "clientPortAddress": "127.0.0.1", "admin.enableServer": "false",
                "4lw.commands.whitelist": "srvr,ruok",
            }  # fmt: skip
            if n > 1:
                for i in range(n):
                    own = i + 1 == node or not self._partitions
                    ports = (quorum, election) if own else (quorum_proxy, election_proxy)
                    settings[f"server.{i + 1}"] = f"127.0.0.1:{ports[0][i]}:{ports[1][i]}"
            lines = "".join(f"{key}={value}\n" for key, value in settings.items())
            (folder / f"member{node}.cfg").write_text(lines, encoding="utf-8")
        return [
            {"listen": proxy[i], "port": real[i], "target": i + 1, "dialler": 0}
            for real, proxy in ((quorum, quorum_proxy), (election, election_proxy))
            for i in range(n)
        ]

    def _argv(self, node: int) -> Sequence[str]:
        folder = self.children.folder
        return [
            self.server.java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData", f"-Dlogback.configurationFile={folder / 'logback.xml'}",
            f"-Djava.io.tmpdir={folder}", "-cp", self.server.classpath,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(folder / f"member{node}.cfg"),
        ]  # fmt: skip

    def is_ready(self, node: int) -> bool:
        """Whether a member answers clients."""
        try:
            return self._look(node)[0] != "candidate"
        except OSError:
            return False

    def _look(self, node: int) -> tuple[str, int, int]:
        with connect(self.endpoints[node - 1], 2.0) as link:
            link.sendall(b"srvr")
            with link.makefile("rb") as answer:
                said = answer.read(10_000).decode(errors="replace")
        found = dict(re.findall(r"^(Zookeeper version|Mode|Zxid): (\S+)", said, re.MULTILINE))
        if not said:
            raise ConnectionError("no answer")
        if self.exists and "Zookeeper version" in found:
            version = found["Zookeeper version"].partition("-")[0]
            self.system["server"] = f"ZooKeeper {version}"
        modes = {"leader": "leader", "standalone": "leader", "follower": "follower"}
        role = modes.get(found.get("Mode", ""), "candidate")
        epoch = int(found.get("Zxid", "0x0"), 16) >> 32
        return role, node if role == "leader" else 0, epoch

    def _sight(self, node: int, line: str, before: Sight) -> Sight | None:
        match = _SAID.match(line)
        if match is None:
            return None
        at, who, what = _wall_ns(match[1]), match[2], match[3]
        role, leader, epoch = before.role, before.leader, before.epoch
        if self.nodes == 1:  # standalone: no peers, no elections, no epochs
            return Sight(at, "leader", 1, 0) if "binding to port" in what else None
        if who == "QuorumPeer" and what == "LOOKING":
            return Sight(at, "candidate", 0, epoch)
        if match := _EPOCH.search(what):
            new = int(match[1]) if match[1] else int(match[2], 16) >> 32
            return Sight(at, role, leader, new)
        if match := _CONNECTED.search(what):
            return Sight(at, role, self._quorum.get(int(match[1]), 0), epoch)
        states = {
            "Peer state changed: leading - broadcast": ("leader", node),
            "Peer state changed: following": ("follower", leader),
        }
        return Sight(at, *states[what], epoch) if what in states else None


def _wall_ns(text: str) -> int:
    at = datetime.datetime.fromisoformat(text + "+00:00")
    since = at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (since // datetime.timedelta(microseconds=1)) * 1000

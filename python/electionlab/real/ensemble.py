"""What real clusters have in common: starting, breaking, watching and stopping their members."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from electionlab._values import whole_number
from electionlab.real import servers
from electionlab.real.children import Children, ServerError, free_ports
from electionlab.real.links import Links, Way
from electionlab.real.observed import ObservedTrace, Recorder

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_ASK_EVERY_S = 0.02
#: How often members that were not started here are asked for their role.
_WATCH_EVERY_S = 0.05


@dataclasses.dataclass(frozen=True)
class RealLeader:
    """Who leads a real cluster.

    Attributes:
        node: Its number, from 1.
        epoch: Its term (etcd) or epoch (ZooKeeper).
        at_ms: When it began to lead, in ms since the cluster's start, by its own log.
    """

    node: int
    epoch: int
    at_ms: float


@dataclasses.dataclass(frozen=True)
class Sight:
    """A line of a member's log that tells its role.

    Attributes:
        wall_ns: When, by the machine's clock.
        role: "follower", "candidate" or "leader".
        leader: Whom it follows; 0: nobody known.
        epoch: Its term or epoch.
    """

    wall_ns: int
    role: str
    leader: int
    epoch: int


def wall_and_mono_ns() -> tuple[int, int]:
    """Both clocks at one moment."""
    return time.time_ns(), time.monotonic_ns()


class RealCluster(ABC):
    """Real servers as child processes on loopback, in a temporary folder.

    A context manager: leaving it stops what it started, whatever the reason. The servers also end
    when this process is killed. Members are numbered from 1.

    Servers that exist already, given by ``endpoints``, are only watched: each is asked for its role
    twenty times a second, contests can be held on them, and no fault can be done to them.

    Attributes:
        nodes: How many members.
        endpoints: Where clients connect, "host:port" by member.
        system: Server, versions, settings and machine, as they stand in traces.
    """

    protocol = ""
    #: What a start of all members may take.
    start_within_s = 60.0

    def __init__(
        self, nodes: int, partitions: bool, endpoints: Sequence[str] | None = None
    ) -> None:
        if endpoints is not None:
            check_endpoints(endpoints)
            nodes, partitions = len(endpoints), False
        self.nodes = whole_number("nodes", nodes, 1, 9)
        self._partitions = bool(partitions) and self.nodes > 1
        self.exists = endpoints is not None
        self.endpoints: list[str] = list(endpoints or ())
        self.system: dict[str, Any] = {} if self.exists else {"machine": servers.machine()}
        self._running = False
        self._leaving = threading.Event()
        self._watching: list[threading.Thread] = []
        self._children: Children | None = None
        self._links: Links | None = None
        self._ports: list[int] = []
        self._down: set[int] = set()
        self._paused: set[int] = set()
        self._happened: list[dict[str, Any]] = []
        self._read: dict[int, tuple[int, list[Sight]]] = {}
        self._began_wall_ns, self._began_mono_ns = wall_and_mono_ns()

    # --- what each kind of server fills in --------------------------------------------------------

    @abstractmethod
    def _ports_each(self) -> int:
        """How many ports a member needs."""

    @abstractmethod
    def _prepare(self) -> Sequence[dict[str, int]]:
        """Writes configurations and sets `endpoints`; returns the links between members."""

    @abstractmethod
    def _argv(self, node: int) -> Sequence[str]:
        """The command line of a member."""

    @abstractmethod
    def is_ready(self, node: int) -> bool:
        """Whether a member serves clients: it leads, or follows a leader."""

    @abstractmethod
    def _sight(self, node: int, line: str, before: Sight) -> Sight | None:
        """What a line of a member's log tells of its role; None: nothing, all is as before."""

    @abstractmethod
    def _look(self, node: int) -> tuple[str, int, int]:
        """A member's role, leader and epoch by its own word; raises OSError if it does not answer.

        It also notes the server's version in `system`.
        """

    # --- start and end ----------------------------------------------------------------------------

    def start(self) -> Self:
        """Starts all members and waits until they serve.

        Raises:
            NotInstalledError: The server is not installed.
            ServerError: A member ends, or does not serve in time; the message has its last words.
        """
        if self._running:
            raise ServerError("the cluster runs already")
        self._running = True
        self._read = {}
        try:
            if self.exists:
                return self._watch()
            self._children = Children()
            self._ports = free_ports(self.nodes * (self._ports_each() + self.nodes))
            self._began_wall_ns, self._began_mono_ns = wall_and_mono_ns()
            listen = self._prepare()
            if self._partitions:
                self._links = Links(self._children, listen)
            for node in range(1, self.nodes + 1):
                self._launch(node)
            self.wait_ready(range(1, self.nodes + 1), self.start_within_s)
        except BaseException:
            self.stop()
            raise
        return self

    def _watch(self) -> Self:
        """Begins to ask members that exist already."""
        self._began_wall_ns, self._began_mono_ns = wall_and_mono_ns()
        self._leaving.clear()
        for node in range(1, self.nodes + 1):
            self._look_until(node, time.monotonic() + self.start_within_s / 6)
            self._read[node] = (0, [])
        self._watching = [
            threading.Thread(target=self._keep_looking, args=(node,), daemon=True)
            for node in range(1, self.nodes + 1)
        ]
        for thread in self._watching:
            thread.start()
        return self

    def _look_until(self, node: int, deadline: float) -> None:
        while True:
            try:
                self._look(node)
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    what = f"{self.endpoints[node - 1]} does not answer: {error}"
                    raise ServerError(what) from None
            time.sleep(_WATCH_EVERY_S)

    def _keep_looking(self, node: int) -> None:
        sights = self._read[node][1]
        while not self._leaving.wait(_WATCH_EVERY_S):
            role, leader, epoch = "down", 0, sights[-1].epoch if sights else 0
            with contextlib.suppress(OSError):
                role, leader, epoch = self._look(node)
            leader = max(0, leader)
            sight = Sight(time.time_ns(), role, leader, epoch)
            if not sights or dataclasses.astuple(sights[-1])[1:] != (role, leader, epoch):
                sights.append(sight)

    def stop(self) -> None:
        """Stops all members and removes their folder; more than once does no harm.

        What was seen is kept: `trace` can still be asked for.
        """
        if not self._running:
            return
        try:
            self._kept = self.trace
        finally:
            self._running = False
            self._leaving.set()
            for thread in self._watching:
                thread.join()
            if self._links is not None:
                self._links.close()
                self._links = None
            if self._children is not None:
                self._children.close()
                self._children = None

    def __enter__(self) -> Self:
        return self if self._running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def children(self) -> Children:
        """The processes.

        Raises:
            ServerError: The cluster is not running, or its servers were not started here.
        """
        if self.exists:
            raise ServerError("these servers were not started here: they are only watched")
        if self._children is None:
            raise ServerError("the cluster is not running: use it as `with ... as cluster:`")
        return self._children

    def _launch(self, node: int) -> None:
        pid = self.children.start(_name(node), self._argv(node))
        if self._links is not None:
            self._links.tell({"pids": {pid: node}})

    def wait_ready(self, nodes: Iterable[int], within_s: float = 60.0) -> None:
        """Waits until these members serve clients.

        Raises:
            ServerError: One ends, or does not serve in time.
        """
        deadline = time.monotonic() + within_s
        for node in nodes:
            while not self.is_ready(node):
                late = time.monotonic() > deadline
                if late and self.exists:
                    raise ServerError(f"member {node} does not serve within {within_s:g} s")
                ended = not self.exists and self.children.codes().get(_name(node)) is not None
                if ended or late:
                    what = "ended" if ended else f"does not serve within {within_s:g} s"
                    words = self.children.log(_name(node)).read_text(errors="replace")[-1500:]
                    raise ServerError(f"member {node} {what}; its last words: {words}")
                time.sleep(_ASK_EVERY_S)

    # --- faults -----------------------------------------------------------------------------------

    def _chosen(self, node: int | str) -> int:
        if node == "leader":
            leader = self.leader
            if leader is None:
                raise ValueError("node='leader': nobody leads now")
            return leader.node
        return whole_number("node", node, 1, self.nodes)

    def _note(self, action: str, when: dict[str, int] | None = None, **entry: Any) -> int:
        at = (when or {}).get("wall_ns", time.time_ns())
        self._happened.append({"wall_ns": at, "action": action, **entry})
        return at

    def crash(self, node: int | str = "leader") -> int:
        """Kills a member with SIGKILL: it keeps its disk and loses everything else.

        Args:
            node: Its number, or "leader".

        Returns:
            The member.

        Raises:
            ValueError: There is no such member, or nobody leads.
            ServerError: It is down already.
        """
        node = self._chosen(node)
        when = self.children.kill(_name(node))
        self._down.add(node)
        self._paused.discard(node)
        self._note("crash", when, node=node)
        return node

    def restart(self, node: int) -> None:
        """Starts a member that crashed, with its disk; `wait_ready` tells when it serves."""
        node = whole_number("node", node, 1, self.nodes)
        self._launch(node)
        self._down.discard(node)
        self._note("restart", node=node)

    def pause(self, node: int | str = "leader") -> int:
        """Holds a member still with SIGSTOP: its connections stay open, and it says nothing.

        Returns:
            The member.
        """
        node = self._chosen(node)
        self._note("pause", self.children.signal(_name(node), signal.SIGSTOP), node=node)
        self._paused.add(node)
        return node

    def resume(self, node: int) -> None:
        """Lets a paused member go on."""
        node = whole_number("node", node, 1, self.nodes)
        self._note("resume", self.children.signal(_name(node), signal.SIGCONT), node=node)
        self._paused.discard(node)

    def partition(self, *groups: Iterable[int]) -> None:
        """Cuts the members of each group off those of the others, silently.

        Members that are named nowhere are a group of their own.

        Raises:
            ValueError: A member is unknown or named twice, or the cluster has no proxies.
        """
        sides = [[whole_number("groups", node, 1, self.nodes) for node in g] for g in groups]
        named = [node for side in sides for node in side]
        if len(set(named)) < len(named):
            raise ValueError(f"groups={sides!r}: a member is named twice")
        rest = [node for node in range(1, self.nodes + 1) if node not in named]
        sides += [rest] if rest else []
        ways = {(a, b) for s in sides for a in s for o in sides if o is not s for b in o}
        self._need_links().set_cut(self._need_links().cut | ways)
        self._note("partition", text=f"groups {json.dumps(sides)}")

    def cut(self, sender: int, receiver: int, *, both_ways: bool = False) -> None:
        """Cuts one link, one way or both: what is sent on it waits.

        Raises:
            ValueError: A member is unknown, or the cluster has no proxies.
        """
        a = whole_number("sender", sender, 1, self.nodes)
        b = whole_number("receiver", receiver, 1, self.nodes)
        ways: set[Way] = {(a, b), (b, a)} if both_ways else {(a, b)}
        self._need_links().set_cut(self._need_links().cut | ways)
        both = "true" if both_ways else "false"
        self._note("cut", text=f"from [{a}], to [{b}], both_ways {both}")

    def heal(self) -> None:
        """Mends every link; connections that had to wait are reset."""
        self._need_links().set_cut(())
        self._note("heal", text="every link")

    def _need_links(self) -> Links:
        if self._links is None:
            raise ValueError("partitions=False: links can be cut only with partitions=True")
        return self._links

    # --- watching ---------------------------------------------------------------------------------

    @property
    def now_ms(self) -> float:
        """Milliseconds since the cluster's start."""
        return (time.monotonic_ns() - self._began_mono_ns) / 1e6

    def _seen(self, node: int) -> list[Sight]:
        """What a member's log told so far; each line of it is read once."""
        if self.exists:
            return self._read.get(node, (0, []))[1]
        log = self.children.log(_name(node))
        read, sights = self._read.get(node, (0, []))
        if not log.exists() or log.stat().st_size == read:
            return sights
        with log.open("rb") as lines:
            lines.seek(read)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                read += len(line)
                before = sights[-1] if sights else Sight(0, "follower", 0, 0)
                sight = self._sight(node, line.decode(errors="replace").strip(), before)
                if sight is not None:
                    sights.append(sight)
        self._read[node] = (read, sights)
        return sights

    @property
    def leader(self) -> RealLeader | None:
        """The running member that says it leads, of the highest epoch; None: nobody."""
        if not self._running:
            raise ServerError("the cluster is not running: use it as `with ... as cluster:`")
        found: list[RealLeader] = []
        for node in range(1, self.nodes + 1):
            if node in self._down or node in self._paused:
                continue
            sights = self._seen(node)
            if sights and sights[-1].role == "leader":
                at_ms = (sights[-1].wall_ns - self._began_wall_ns) / 1e6
                found.append(RealLeader(node, sights[-1].epoch, at_ms))
        return max(found, key=lambda leader: leader.epoch, default=None)

    def wait_leader(self, within_ms: float = 60_000.0, *, after_epoch: int = -1) -> RealLeader:
        """Waits for a leader of an epoch above a given one.

        Raises:
            ServerError: There is none in time.
        """
        deadline = time.monotonic() + within_ms / 1e3
        while True:
            leader = self.leader
            if leader is not None and leader.epoch > after_epoch:
                return leader
            if time.monotonic() > deadline:
                raise ServerError(f"no leader above epoch {after_epoch} within {within_ms:g} ms")
            time.sleep(_ASK_EVERY_S)

    @property
    def trace(self) -> ObservedTrace:
        """What was seen: roles and epochs by the members' logs, and what was done to them."""
        if not self._running:
            if not hasattr(self, "_kept"):
                raise ServerError("the cluster was never started")
            return self._kept
        recorder = Recorder(self.protocol, self.nodes, self.system)
        for node in range(1, self.nodes + 1):
            epoch, away, last = 0, "", ("down", 0)
            happened = [h for h in self._happened if h.get("node") == node]
            events: list[tuple[int, Sight | dict[str, Any]]] = [
                *((s.wall_ns, s) for s in self._seen(node)), *((h["wall_ns"], h) for h in happened)
            ]  # fmt: skip
            for wall_ns, event in sorted(events, key=lambda pair: pair[0]):
                at = wall_ns - self._began_wall_ns
                if isinstance(event, Sight):
                    epoch = event.epoch
                    last = (event.role, event.leader)
                    if not away:
                        recorder.view(at, node, *last, epoch)
                    continue
                away = {"crash": "down", "pause": "paused"}.get(event["action"], "")
                recorder.add(at, "action", node=node, action=event["action"])
                if event["action"] == "restart":
                    last = ("follower", 0)
                role, leader = (away, 0) if away else last
                recorder.view(at, node, role, leader, epoch)
        for h in self._happened:
            if "node" not in h:
                at = h["wall_ns"] - self._began_wall_ns
                recorder.add(at, "action", action=h["action"], text=h["text"])
        return recorder.trace(time.time_ns() - self._began_wall_ns)


def check_endpoints(endpoints: Sequence[str]) -> None:
    """Refuses what is no list of addresses.

    Raises:
        ValueError: It is a string, is empty, or one of them is not "host:port".
    """
    if isinstance(endpoints, str) or not endpoints:
        raise ValueError(f"endpoints={endpoints!r}: must be a list of 'host:port', not empty")
    for endpoint in endpoints:
        if "@" in str(endpoint):
            raise ValueError(
                "endpoints=...: must hold no credentials; they come from files and the environment"
            )
        port = str(endpoint).rpartition(":")[2]
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(
                f"endpoints={list(endpoints)!r}: each must be 'host:port', 'https://host:port' "
                "(etcd) or 'tls://host:port' (ZooKeeper)"
            )


def _name(node: int) -> str:
    return f"member{node}"

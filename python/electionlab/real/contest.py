"""Real processes that contend for leadership on real servers, and a storage for the leader."""

from __future__ import annotations

import dataclasses
import http.server
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electionlab._values import whole_number
from electionlab.real import servers
from electionlab.real.children import Children, ServerError, free_ports
from electionlab.real.ensemble import RealCluster, check_endpoints
from electionlab.real.links import Links
from electionlab.real.observed import ObservedTrace, Recorder

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_CONTENDER = Path(__file__).with_name("contender.py")
#: The recipes, and the service that each needs.
RECIPES = {
    "etcd": "etcd",
    "zookeeper": "zookeeper",
    "kazoo": "zookeeper",
    "unconditional_put": "etcd",
    "unread_renewal": "etcd",
    "ignored_vanishing": "zookeeper",
}


@dataclasses.dataclass(frozen=True)
class Write:
    """One write that reached the storage.

    Attributes:
        sent_ms: When it left the contender, in ms since the contest's start.
        at_ms: When it reached the storage.
        node: Whose.
        token: The fencing token that came with it.
        accepted: Whether it was taken.
    """

    sent_ms: float
    at_ms: float
    node: int
    token: int
    accepted: bool


@dataclasses.dataclass(frozen=True)
class Takeover:
    """A crash of a leader that another followed, on the machine's monotonic clock.

    Attributes:
        renewed_ns: When the leader sent what last kept its lease or session alive.
        crashed_ns: When it was killed.
        led_ns: When another led.
    """

    renewed_ns: int
    crashed_ns: int
    led_ns: int


class Storage:
    """Where leaders write: an HTTP server in this process.

    Args:
        fenced: Whether a write with a smaller token than it has seen is refused.
    """

    def __init__(self, fenced: bool) -> None:
        self.fenced = fenced
        self.highest_token_seen = 0
        self.seen: list[tuple[int, int, str, int, bool]] = []
        storage = self
        lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers["Content-Length"]), 10_000))
                write = json.loads(body)
                name, token = str(write["name"]), int(write["token"])
                sent_ns = int(write["sent_ns"])
                with lock:
                    taken = not storage.fenced or token >= storage.highest_token_seen
                    storage.highest_token_seen = max(token, storage.highest_token_seen)
                    storage.seen.append((sent_ns, time.monotonic_ns(), name, token, taken))
                self.send_response(200 if taken else 409)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True
        self._thread.start()

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclasses.dataclass(frozen=True)
class Said:
    """What a contender said: "waits", "leads", "works", "refused", "resigns", "stops" and so on."""

    mono_ns: int
    node: int
    what: str
    token: int
    text: str


class Contest:
    """Contenders for leadership, each a process of its own; a context manager as `RealCluster` is.

    A contender that leads works in rounds: it looks whether it still leads, works for a while, and
    writes to the storage. Contenders are numbered from 1.

    Args:
        cluster: A running `EtcdCluster` or `ZooKeeperEnsemble`; None: existing servers.
        contenders: How many, 1 to 20.
        ttl_s: Time to live of leases, or session time-out, in s. etcd takes whole seconds.
        recipe: "etcd" or "zookeeper", by default as the cluster is; "kazoo", the library's own; or
            a published mistake: "unconditional_put", "unread_renewal", "ignored_vanishing".
        fenced: Whether the storage refuses tokens smaller than it has seen.
        work_ms: How long a round of work lasts, between the look and the write.
        rest_s: How long a contender rests after it has resigned, before it campaigns again.
        partitions: Whether contenders reach the servers through proxies, so that `cut_off` works.
        endpoints: "host:port" of existing servers, when there is no cluster.
        place: Where in the servers the election is held; by default one of its own.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        cluster: RealCluster | None = None,
        *,
        contenders: int = 3,
        ttl_s: float = 2,
        recipe: str | None = None,
        fenced: bool = True,
        work_ms: float = 50.0,
        rest_s: float = 1.0,
        partitions: bool = False,
        endpoints: Sequence[str] | None = None,
        place: str | None = None,
    ) -> None:
        if (cluster is None) == (endpoints is None):
            raise ValueError(
                "endpoints: give either a cluster or the endpoints of existing servers"
            )
        recipe = recipe or (cluster.protocol if cluster is not None else None)
        if recipe not in RECIPES:
            raise ValueError(f"recipe={recipe!r}: must be one of {', '.join(RECIPES)}")
        if cluster is not None and RECIPES[recipe] != cluster.protocol:
            raise ValueError(f"recipe={recipe!r}: does not run on {cluster.protocol}")
        if not 0 < ttl_s <= 3600 or (RECIPES[recipe] == "etcd" and ttl_s != int(ttl_s)):
            raise ValueError(f"ttl_s={ttl_s!r}: must be above 0 and, for etcd, a whole number")
        if not 0 <= work_ms <= 60_000:
            raise ValueError(f"work_ms={work_ms!r}: must be from 0 to 60000")
        self.nodes = whole_number("contenders", contenders, 1, 20)
        self.recipe = recipe
        self.ttl_s = ttl_s
        self.work_ms = float(work_ms)
        self.rest_s = float(rest_s)
        self._fenced = bool(fenced)
        self._cluster = cluster
        if endpoints is not None:
            check_endpoints(endpoints)
        self._given = list(endpoints) if endpoints is not None else []
        if partitions and any("://" in endpoint for endpoint in self.endpoints):
            raise ValueError("partitions=True: endpoints must be host:port on this machine")
        self._partitions = bool(partitions)
        self.place = place or f"/electionlab-{time.time_ns():x}"
        self._children: Children | None = None
        self._happened: list[tuple[int, str, int, str]] = []

    @property
    def endpoints(self) -> list[str]:
        """The servers' own addresses, "host:port"."""
        return list(self._cluster.endpoints) if self._cluster is not None else self._given

    # --- start and end ----------------------------------------------------------------------------

    def start(self) -> Self:
        """Starts all contenders.

        Raises:
            NotInstalledError: The client library is missing.
        """
        if self._children is not None:
            raise ServerError("the contest runs already")
        if RECIPES[self.recipe] == "zookeeper":
            servers.need_kazoo()
        endpoints = self.endpoints
        self._children = Children()
        self._launched: dict[int, int] = {}
        self._read: dict[int, tuple[int, list[Said]]] = {}
        self._began_ns = time.monotonic_ns()
        self.storage = Storage(self._fenced)
        self._links: Links | None = None
        try:
            self._reach = dict.fromkeys(range(1, self.nodes + 1), endpoints)
            if self._partitions:
                self._set_links(endpoints)
            for node in range(1, self.nodes + 1):
                self._launch(node)
        except BaseException:
            self.stop()
            raise
        return self

    def _set_links(self, endpoints: Sequence[str]) -> None:
        ports = iter(free_ports(self.nodes * len(endpoints)))
        listen = []
        service = self.nodes + 1
        for node in self._reach:
            own = []
            for endpoint in endpoints:
                port = next(ports)
                own.append(f"127.0.0.1:{port}")
                target = int(endpoint.rpartition(":")[2])
                listen.append({"listen": port, "port": target, "target": service, "dialler": node})
            self._reach[node] = own
        self._links = Links(self.children, listen)

    def _launch(self, node: int) -> None:
        plan = {
            "recipe": self.recipe, "endpoints": self._reach[node], "place": self.place,
            "name": f"contender{node}", "ttl_s": self.ttl_s, "work_ms": self.work_ms,
            "rest_s": self.rest_s, "storage": self.storage.address,
        }  # fmt: skip
        self._launched[node] = time.monotonic_ns()
        # The way to the client library, and for existing servers what their guards ask for.
        env = {"PYTHONPATH": ":".join(p for p in sys.path if p)} | servers.credentials()
        self.children.start(
            f"contender{node}", [sys.executable, str(_CONTENDER), json.dumps(plan)], env=env
        )
        self._note("start", node)

    def stop(self) -> None:
        """Kills all contenders; what was seen is kept. More than once does no harm."""
        if self._children is None:
            return
        try:
            self._kept, self._kept_writes = self.trace, self.writes
            self._kept_crashes = self.crash_takeovers
        finally:
            self._children.close()
            self._children = None
            if self._links is not None:
                self._links.close()
            self.storage.close()

    def __enter__(self) -> Self:
        return self if self._children is not None else self.start()

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
            ServerError: The contest is not running.
        """
        if self._children is None:
            raise ServerError("the contest is not running: use it as `with Contest(...) as it:`")
        return self._children

    # --- faults -----------------------------------------------------------------------------------

    def _note(self, action: str, node: int = 0, text: str = "", at_ns: int | None = None) -> None:
        self._happened.append((at_ns or time.monotonic_ns(), action, node, text))

    def _chosen(self, node: int | str) -> int:
        if node == "leader":
            leaders = self.leaders
            if not leaders:
                raise ValueError("node='leader': nobody leads now")
            return leaders[-1]
        return whole_number("node", node, 1, self.nodes)

    def crash(self, node: int | str = "leader") -> int:
        """Kills a contender with SIGKILL; returns which."""
        node = self._chosen(node)
        self._note("crash", node, at_ns=self.children.kill(f"contender{node}")["mono_ns"])
        return node

    def restart(self, node: int) -> None:
        """Starts a contender that crashed."""
        node = whole_number("node", node, 1, self.nodes)
        self._launch(node)
        self._note("restart", node)

    def pause(self, node: int | str = "leader", *, at_work: bool = True) -> int:
        """Holds a contender still with SIGSTOP; returns which.

        Args:
            node: Which.
            at_work: Wait until it has just looked whether it leads, and has not written yet.
        """
        node = self._chosen(node)
        if at_work:
            before = sum(s.what == "works" for s in self._said(node))
            self._wait(
                lambda: sum(s.what == "works" for s in self._said(node)) > before,
                10.0, f"contender {node} does not work", every_s=0.002,
            )  # fmt: skip
        when = self.children.signal(f"contender{node}", signal.SIGSTOP)
        self._note("pause", node, at_ns=when["mono_ns"])
        return node

    def resume(self, node: int) -> None:
        """Lets a paused contender go on."""
        node = whole_number("node", node, 1, self.nodes)
        when = self.children.signal(f"contender{node}", signal.SIGCONT)
        self._note("resume", node, at_ns=when["mono_ns"])

    def resign(self, node: int | str = "leader") -> int:
        """Makes a leader give its leadership back; returns which."""
        node = self._chosen(node)
        when = self.children.signal(f"contender{node}", signal.SIGUSR1)
        self._note("command", node, "Resign", at_ns=when["mono_ns"])
        return node

    def cut_off(self, node: int | str = "leader") -> int:
        """Cuts a contender off the servers, silently, both ways; returns which.

        Raises:
            ValueError: There are no proxies.
        """
        if self._links is None:
            raise ValueError("partitions=False: contenders are cut off only with partitions=True")
        node, service = self._chosen(node), self.nodes + 1
        self._links.set_cut(self._links.cut | {(node, service), (service, node)})
        self._note("cut", text=f"from [{node}], to [{service}], both_ways true")
        return node

    def heal(self) -> None:
        """Mends every link."""
        if self._links is None:
            raise ValueError("partitions=False: there is nothing to mend")
        self._links.set_cut(())
        self._note("heal", text="every link")

    # --- watching ---------------------------------------------------------------------------------

    def _said(self, node: int) -> list[Said]:
        """What a contender said so far; each line of its log is read once."""
        log = self.children.log(f"contender{node}")
        read, found = self._read.get(node, (0, []))
        if not log.exists() or log.stat().st_size == read:
            return found
        with log.open("rb") as lines:
            lines.seek(read)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # it is not finished
                read += len(line)
                try:
                    said = json.loads(line)
                    mono_ns, what = int(said["mono_ns"]), str(said["what"])
                except (ValueError, TypeError, KeyError):
                    continue  # a library's own words, or what a killed process left unfinished
                text = str(said.get("error", ""))
                found.append(Said(mono_ns, node, what, int(said.get("token") or 0), text))
        self._read[node] = (read, found)
        return found

    @property
    def said(self) -> list[Said]:
        """What all contenders said so far, in order of time."""
        every = [said for node in range(1, self.nodes + 1) for said in self._said(node)]
        return sorted(every, key=lambda said: said.mono_ns)

    @property
    def leaders(self) -> list[int]:
        """The running contenders that believe they lead, paused ones too, by their tokens."""
        codes = self.children.codes()
        tokens: dict[int, int] = {}
        for node in range(1, self.nodes + 1):
            if codes.get(f"contender{node}") is not None:
                continue
            states = [
                said
                for said in self._said(node)
                if said.mono_ns > self._launched[node]  # not of a life before
                and said.what in ("waits", "leads", "resigns", "stops", "ends")
            ]
            if states and states[-1].what == "leads":
                tokens[node] = states[-1].token
        return sorted(tokens, key=lambda node: tokens[node])

    def _wait(
        self, done: Callable[[], bool], within_s: float, else_: str, every_s: float = 0.01
    ) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            if time.monotonic() > deadline:
                raise ServerError(f"{else_} within {within_s:g} s; last said: {self.said[-5:]}")
            time.sleep(every_s)

    def wait_leader(self, within_s: float = 30.0, *, other_than: int = 0) -> int:
        """Waits until a contender leads, another one than given.

        Raises:
            ServerError: Nobody does in time.
        """
        self._wait(
            lambda: any(node != other_than for node in self.leaders), within_s, "nobody leads"
        )
        return next(node for node in reversed(self.leaders) if node != other_than)

    def wait_waiting(self, within_s: float = 30.0) -> None:
        """Waits until every running contender leads or waits.

        Raises:
            ServerError: Not in time.
        """

        def all_there() -> bool:
            codes = self.children.codes()
            return all(
                any(
                    s.what in ("waits", "leads") and s.mono_ns > self._launched[node]
                    for s in self._said(node)
                )
                for node in range(1, self.nodes + 1)
                if codes.get(f"contender{node}") is None
            )

        self._wait(all_there, within_s, "some contender does not start")

    @property
    def writes(self) -> list[Write]:
        """The writes that reached the storage, in order."""
        if self._children is None and hasattr(self, "_kept_writes"):
            return self._kept_writes
        return [
            Write(
                (sent - self._began_ns) / 1e6,
                (at - self._began_ns) / 1e6,
                int(name.removeprefix("contender")),
                token,
                taken,
            )
            for sent, at, name, token, taken in list(self.storage.seen)
        ]

    @property
    def takeovers_ms(self) -> list[float]:
        """For each crash, pause, cut or resignation of a leader: until another one led, in ms."""
        return self.trace.downtimes_ms

    @property
    def crash_takeovers(self) -> list[Takeover]:
        """Each crash of a leader that another followed."""
        if self._children is None and hasattr(self, "_kept_crashes"):
            return self._kept_crashes
        said = self.said
        found = []
        for at, action, node, _ in self._happened:
            if action != "crash":
                continue
            own = [s for s in said if s.node == node and s.mono_ns < at]
            states = [s.what for s in own if s.what in ("waits", "leads", "stops")]
            renewals = [s.mono_ns for s in own if s.what == "renews"]
            after = [s.mono_ns for s in said if s.what == "leads" and s.mono_ns > at]
            if states and states[-1] == "leads" and renewals and after:
                found.append(Takeover(renewals[-1], at, after[0]))
        return found

    @property
    def trace(self) -> ObservedTrace:
        """What was seen so far; its epochs are the fencing tokens."""
        if self._children is None:
            if not hasattr(self, "_kept"):
                raise ServerError("the contest was never started")
            return self._kept
        end_ns = time.monotonic_ns()
        about = self._cluster.system if self._cluster is not None else {"server": "existing"}
        system = {**about, "recipe": self.recipe, "ttl_s": self.ttl_s, "fenced": self._fenced}
        recorder = Recorder(
            self.recipe, self.nodes, system, services=[RECIPES[self.recipe], "storage"],
            messages=["Write", "Refused"],
        )  # fmt: skip
        storage = self.nodes + 2
        for service in (self.nodes + 1, storage):
            recorder.view(0, service, "service")
        for node in range(1, self.nodes + 1):
            self._tell_node(recorder, node)
        for at, action, _, text in (h for h in self._happened if not h[2]):
            recorder.add(at - self._began_ns, "action", action=action, text=text)
        refusals = [said for said in self.said if said.what == "refused"]
        for number, write in enumerate(self.writes):
            sent, at = round(write.sent_ms * 1e6), round(write.at_ms * 1e6)
            one: dict[str, Any] = {
                "message": 2 * number, "message_kind": "Write", "fields": {"token": write.token},
            }  # fmt: skip
            recorder.add(sent, "send", node=write.node, peer=storage, other_ns=at, **one)
            recorder.add(at, "deliver", node=storage, peer=write.node, other_ns=sent, **one)
            told = [s.mono_ns - self._began_ns for s in refusals if s.node == write.node]
            if not write.accepted and (late := [t for t in told if t >= at]):
                one |= {"message": 2 * number + 1, "message_kind": "Refused"}
                recorder.add(at, "send", node=storage, peer=write.node, other_ns=late[0], **one)
                recorder.add(late[0], "deliver", node=write.node, peer=storage, other_ns=at, **one)
        return recorder.trace(end_ns - self._began_ns)

    def _tell_node(self, recorder: Recorder, node: int) -> None:
        events: list[tuple[int, str, int, str]] = [
            (said.mono_ns, said.what, said.token, said.text) for said in self._said(node)
        ]
        events += [(at, action, -1, text) for at, action, n, text in self._happened if n == node]
        role, token, away = "follower", 0, "down"
        for mono_ns, what, given, text in sorted(events):
            at = mono_ns - self._began_ns
            if given < 0 and what != "start":
                recorder.add(at, "action", node=node, action=what, text=text or None)
            if what in ("crash", "pause"):
                away = {"crash": "down", "pause": "paused"}[what]
            elif what in ("start", "restart", "resume"):
                away = ""
                role = role if what == "resume" else "follower"
            elif what == "leads":
                role, token = "leader", given
            elif what in ("waits", "resigns", "stops", "ends"):
                role = "follower"
            elif what == "trouble":
                recorder.add(at, "note", node=node, text=text)
            leader = node if role == "leader" and not away else 0
            recorder.view(at, node, away or role, leader, token)

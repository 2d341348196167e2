"""Every order of events to a bound: proofs within it, or the shortest run that breaks something.

>>> import electionlab as el
>>> result = el.check(el.Raft(nodes=3), bounds=el.Bounds(epoch=1, copies=1))
>>> result.violated, result.exhausted
(False, True)
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from electionlab import _core
from electionlab._checked_runs import CheckedState, Run, in_steps, in_words
from electionlab._progress import Told, told
from electionlab._values import truth, whole_number
from electionlab.protocols import Protocol
from electionlab.settings import Action
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    from electionlab.state_graphs import StateGraph


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """Faults that the checker may choose, and how often in a run; ``"unlimited"``: uncounted.

    Attributes:
        crashes: Nodes that stop; they keep what their disks have.
        restarts: Of nodes that crashed.
        reboots: Crash and restart in one step: fewer states than a crash and a restart apart.
        lost_disks: Restarts that find an empty disk.
        losses: Messages lost.
        duplicates: Second copies of messages in flight.
        pauses: Nodes that stand still; each may go on at any moment.
        partitions: How often the network is cut; each cut may heal at any moment.
        partition_family: Which partitions there are, ``[[{1}, {2, 3}], ...]``; None: every split
            in two, services included.
        one_way: Also cuts in one direction only.
        heals: Cuts may end, and in `check_eventually` do; False: a cut stays.
        cut_from_start: The first partition of `partition_family` is there from the start, besides
            those that `partitions` counts.
    """

    crashes: int | str = 0
    restarts: int | str = "unlimited"
    reboots: int | str = 0
    lost_disks: int | str = 0
    losses: int | str = 0
    duplicates: int | str = 0
    pauses: int | str = 0
    partitions: int | str = 0
    partition_family: Sequence[Sequence[Iterable[int]]] | None = None
    one_way: bool = False
    heals: bool = True
    cut_from_start: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounds:
    """Where the exploration ends; None: nowhere. What a bound cuts off, the result names.

    Attributes:
        epoch: No node goes beyond this term, ballot, view, ...; in `check_eventually`, where a
            protocol tells which of its fields are epochs, counted from the least that a node or a
            message still has: a bound on how far they are apart.
        depth: Steps from the start.
        messages: In flight at once.
        copies: Equal messages in flight; a further one adds nothing. Without this bound a leader
            that repeats its heartbeats has no end of states.
        states: Different states seen; the search stops soon after.
        seconds: The search stops soon after.
        memory_bytes: Of the states, as kept; the search stops soon after.
    """

    epoch: int | None = None
    depth: int | None = None
    messages: int | None = None
    copies: int | None = None
    states: int | None = None
    seconds: float | None = None
    memory_bytes: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """Time in whole ticks, for protocols whose safety rests on it.

    Where a duration is no whole number of ticks its bounds are widened, so that nothing that can
    happen is left out.

    Attributes:
        tick_ms: Length of a tick.
        one_way_delay_ms: How long a message takes, at least and at most.
        clock_drift: Timers run at rates within 1 - drift and 1 + drift, each time others; at most
            0.9. A protocol that reads its clock needs `rates` instead.
        rates: How fast each node's clock goes, and its timers on it, ``{1: 1.25, 2: 0.8}``; 1 for
            the others; from 0.5 to 1.5. A tick must be a whole number of nanoseconds on each.
        horizon_ms: How far back a moment of a clock is told apart from earlier ones. None: twice
            the longest time among the protocol's options and the longest delay.
        until_ms: Explore no longer than this, and let clocks show the time since the start: for
            protocols that do things at certain times of their clocks. None: without end.
    """

    tick_ms: float = 10.0
    one_way_delay_ms: float | tuple[float, float] = 10.0
    clock_drift: float = 0.0
    rates: Mapping[int, float] | None = None
    horizon_ms: float | None = None
    until_ms: float | None = None


class CheckError(RuntimeError):
    """A handler or a predicate failed while the checker ran it.

    Attributes:
        result: What was found before.
    """

    def __init__(self, message: str, result: CheckResult | EventualResult) -> None:
        super().__init__(message)
        self.result = result


Predicate = Callable[[CheckedState], bool]
StepPredicate = Callable[[CheckedState, CheckedState], bool]


class CheckResult:
    """What a check found.

    Attributes:
        protocol: What was checked.
        invariants: Names of all that was asked to hold always.
        states: Different states seen, the start included; with symmetry, of each orbit one. Of
            walks and swarms: states looked at, again if seen again.
        transitions: Steps that could be taken in them.
        terminal: States in which none could.
        with_leader: States in which a node acts as leader.
        depth: Steps to the last new state.
        levels: New states by their distance from the start.
        exhausted: Every state within the bounds was seen.
        bounds_hit: Which bounds cut something off: "epoch", "depth", "messages", "copies",
            "states", "seconds", "memory", "runs"; "time" (`Timing.until_ms`); "clock"
            when a handler does something else at another time: without `Timing` all clocks stand at
            0, and with it they are followed if handlers only look how far moments are apart;
            "draws" when a handler draws by lot in a way that is not explored.
        interrupted: It was told to stop.
        by_signal: By Ctrl-C.
        counterexamples: One run for each invariant that was found broken; a shortest one if the
            search was breadth first.
        witnesses: Of each name in `sometimes` a run to such a state, or None.
        seconds: What the search took.
        peak_bytes: Memory of the states.
        omission_probability: That two different states had one fingerprint and one of them was
            passed over, at most; 0 when exact.
        collisions: When exact: fingerprints that belonged to several states.
        shortest: No run found is longer than need be.
    """

    def __init__(
        self, protocol: Protocol | UserProtocol, report: _core.CheckReport, request: dict[str, Any]
    ) -> None:
        result = report.result()
        self.protocol = protocol
        self.invariants: list[str] = result["invariants"]
        self.states: int = result["states"]
        self.transitions: int = result["transitions"]
        self.terminal: int = result["terminal"]
        self.with_leader: int = result["with_leader"]
        self.depth: int = max(result["depth"], 0)
        self.levels: list[int] = result["levels"]
        self.exhausted: bool = result["exhausted"]
        self.bounds_hit: list[str] = result["bounds_hit"]
        self.interrupted: bool = result["interrupted"]
        self.by_signal: bool = result["by_signal"]
        self.seconds: float = result["seconds"]
        self.peak_bytes: int = result["peak_bytes"]
        self.omission_probability: float = result["omission_probability"]
        self.collisions: int = result["collisions"]
        self.shortest: bool = result["shortest"]
        self.nondeterminism: str = result["nondeterminism"]

        def run(name: str, steps: list[dict[str, Any]], number: int, of: str) -> Run:
            states = [CheckedState(*state) for state in report.states(number, of)]
            return _run(name, protocol, steps, states, request, result["clocks_show_ms"])

        self.counterexamples = [
            run(violation["invariant"], violation["steps"], number, "violation")
            for number, violation in enumerate(result["violations"])
        ]
        self.witnesses: dict[str, Run | None] = {
            witness["name"]: (
                None
                if witness["steps"] is None
                else run(witness["name"], witness["steps"], number, "witness")
            )
            for number, witness in enumerate(result["witnesses"])
        }
        self._asked = request
        self._report: _core.CheckReport | None = report

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_report": None}  # the engine's part does not travel

    def graph(self, limit: int = 60) -> StateGraph:
        """The states nearest to the start and the steps between them, to be drawn.

        Args:
            limit: At most so many states, 1 to 100,000.

        Raises:
            ValueError: ``limit`` is out of range, or the result was pickled.
            CheckError: A handler or a predicate raised.
        """
        from electionlab.state_graphs import StateGraph

        most = whole_number("limit", limit, 1, 100_000)
        if self._report is None:
            raise ValueError("result: was pickled, and has its figures and runs only")
        try:
            found = self._report.graph(most)
        except Exception as failure:
            raise CheckError(f"{type(failure).__name__}: {failure}", self) from failure
        return StateGraph(self, found)

    @property
    def bounds(self) -> Bounds:
        """What was asked as bounds."""
        return Bounds(**self._asked["bounds"])

    @property
    def violated(self) -> bool:
        """Whether an invariant was found broken."""
        return bool(self.counterexamples)

    @property
    def proved(self) -> bool:
        """Whether every state there is was seen, and none breaks anything; no bound was hit."""
        return self.exhausted and not self.bounds_hit and not self.violated

    @property
    def counterexample(self) -> Run | None:
        """The first of `counterexamples`; None: nothing was found broken."""
        return self.counterexamples[0] if self.counterexamples else None

    def __repr__(self) -> str:
        return f"<CheckResult {self.verdict}, {self.states} states>"

    @property
    def verdict(self) -> str:
        """What was found, in a line."""
        if self.counterexamples:
            run = self.counterexamples[0]
            more = "" if self.shortest else ", perhaps in fewer"
            return f"{run.name} is violated in {in_steps(len(run))}{more}"
        if self.proved:
            return "nothing is violated: every reachable state was seen"
        if self.exhausted:
            bounds, timing = self._asked["bounds"], self._asked["timing"] or {}
            others = {
                "clock": "clocks that show other times" if timing else "clocks that stand",
                "draws": "one seed's draws",
                "time": f"{timing.get('until_ms')} ms",
            }
            said = ", ".join(
                others.get(name) or f"{name} <= {bounds[name]}" for name in self.bounds_hit
            )
            return f"nothing is violated within {said}: no proof beyond"
        if self.interrupted:
            return "nothing is violated so far: it was stopped"
        if self.witnesses and None not in self.witnesses.values() and not self.invariants:
            return "all that was wanted was found"
        return "nothing is violated so far: bound hit: " + ", ".join(self.bounds_hit)

    def __str__(self) -> str:
        passed_over = ""
        if self.omission_probability:
            passed_over = (
                f"; a state was passed over with probability below {self.omission_probability:.1g}"
            )
        lines = [
            f"{self.protocol!r}: {self.verdict}",
            f"  asked: {', '.join(self.invariants) or 'nothing'}",
            f"  {self.states:,} states, {self.transitions:,} steps between them, to depth "
            f"{self.depth}; {self.seconds:.2f} s, {self.peak_bytes / 1e6:.1f} MB{passed_over}",
        ]
        for name, witness in self.witnesses.items():
            found = "not found" if witness is None else f"in {in_steps(len(witness))}"
            lines.append(f"  sometimes {name}: {found}")
        if self.nondeterminism:
            lines.append(f"  not deterministic: {self.nondeterminism}")
        return "\n".join(lines)


def _named(
    name: str, predicates: Any, of: str = "a CheckedState"
) -> list[tuple[str, Callable[..., bool]]]:
    if predicates is None:
        return []
    if not isinstance(predicates, Mapping):
        predicates = {getattr(p, "__name__", ""): p for p in predicates}
    for title, predicate in predicates.items():
        if not isinstance(title, str) or not title or not callable(predicate):
            raise ValueError(
                f"{name}={{{title!r}: {predicate!r}}}: must be functions of {of} by name"
            )
    return [(title, _asked(predicate)) for title, predicate in predicates.items()]


def _asked(predicate: Callable[..., bool]) -> Callable[..., bool]:
    """The predicate as the engine calls it; `ValueError` if it says neither True nor False."""
    name = getattr(predicate, "__name__", "predicate")

    def ask(*states: Any) -> bool:
        said = predicate(*(CheckedState(*state) for state in states))
        return truth(f"{name}({', '.join(['state'] * len(states))})", said)

    return ask


def _run(
    name: str,
    protocol: Protocol | UserProtocol,
    steps: list[dict[str, Any]],
    states: list[CheckedState],
    request: Mapping[str, Any],
    clocks_show_ms: float,
) -> Run:
    leader = request["initial_leader"] or None
    timing = request["timing"] or {"tick_ms": None, "rates": None}
    tick = None if timing["tick_ms"] is None else float(timing["tick_ms"])
    rates = dict(timing["rates"] or ())
    network = request["network"]
    run = Run(name, protocol, steps, states, network, leader, tick, clocks_show_ms, rates)
    if request["faults"]["cut_from_start"]:
        run.cut = request["faults"]["partition_family"][0]
    return run


def _request(
    protocol: Any,
    faults: Budget | None,
    bounds: Bounds | None,
    timing: Timing | None,
    network: str,
    commands: Iterable[Action],
    initial_leader: int | None,
) -> dict[str, Any]:
    """What every kind of check is asked."""
    if not isinstance(protocol, (Protocol, UserProtocol)):
        raise ValueError(f"protocol={protocol!r}: must be a protocol such as electionlab.Raft(3)")
    for name, value, kind in (
        ("faults", faults, Budget),
        ("bounds", bounds, Bounds),
        ("timing", timing, Timing),
    ):
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{name}={value!r}: must be an electionlab.{kind.__name__}")
    budget = dataclasses.asdict(faults or Budget())
    if budget["partition_family"] is not None:
        budget["partition_family"] = [
            [sorted(group) for group in partition] for partition in budget["partition_family"]
        ]
    return {
        "network": network,
        "faults": budget,
        "bounds": dataclasses.asdict(bounds or Bounds()),
        "timing": None if timing is None else _timing(timing),
        "initial_leader": initial_leader or 0,
        "commands": _commands(commands),
    }


def _timing(timing: Timing) -> dict[str, Any]:
    if not isinstance(timing.rates, (Mapping, type(None))):
        raise ValueError(f"timing.rates={timing.rates!r}: must be a dict {{node: rate}}")
    rates = None if timing.rates is None else [[n, rate] for n, rate in timing.rates.items()]
    return {**dataclasses.asdict(timing), "rates": rates}


def _explore(
    protocol: Protocol | UserProtocol,
    request: dict[str, Any],
    always: list[tuple[str, Predicate]],
    sometimes: list[tuple[str, Predicate]],
    progress: bool | Told | None,
    eventually: tuple[str, Predicate] | None = None,
    between: list[tuple[str, Any]] | None = None,
) -> _core.CheckReport:
    in_engine = isinstance(protocol, Protocol)
    with told(progress) as tell:
        return _core.CheckReport(
            protocol.name if in_engine else protocol,
            protocol.nodes,
            protocol.options if isinstance(protocol, Protocol) else {},
            request,
            always,
            sometimes,
            None if tell is None else lambda p: tell(p) is not False,
            eventually,
            between or [],
        )


def _raise(failure: Any, result: CheckResult | EventualResult) -> None:
    if failure is not None and not isinstance(failure, KeyboardInterrupt):
        raise CheckError(f"{type(failure).__name__}: {failure}", result) from (
            failure if isinstance(failure, BaseException) else None
        )


def _commands(commands: Iterable[Action]) -> list[dict[str, Any]]:
    given = []
    for command in commands:
        if not isinstance(command, Mapping) or command.get("action") != "command":
            raise ValueError(f"commands={command!r}: must be actions such as el.command(1, 'Read')")
        given.append({k: v for k, v in command.items() if k in ("node", "command", "fields")})
    return given


def check(
    protocol: Protocol | UserProtocol,
    invariants: Sequence[str | Predicate] | None = None,
    *,
    faults: Budget | None = None,
    bounds: Bounds | None = None,
    timing: Timing | None = None,
    network: str = "multiset",
    between: Mapping[str, StepPredicate] | Iterable[StepPredicate] | None = None,
    sometimes: Mapping[str, Predicate] | Iterable[Predicate] | None = None,
    commands: Iterable[Action] = (),
    initial_leader: int | None = None,
    symmetry: bool = False,
    drop_stale: bool = False,
    search: str = "breadth",
    exact: bool = False,
    runs: int | None = None,
    seed: int = 0,
    stop_at_first: bool = True,
    threads: int | None = None,
    debug: bool = False,
    progress: bool | Told | None = None,
) -> CheckResult:
    """Explores every order of events of a protocol, to a bound.

    The code that is explored is that of the simulator. Time is left out: a message may arrive, and
    an armed timer fire, at any moment. So what holds here holds for any delays and time-outs; and a
    protocol whose safety rests on time will be refuted.

    Args:
        protocol: `Raft(nodes=3)`, or a `UserProtocol`.
        invariants: What must hold always: names (``"one_leader_per_epoch"``,
            ``"one_leader_at_a_time"``, promises and properties of the protocol, see
            ``protocol.about``) and functions of a `CheckedState`. None: all that the protocol
            promises, and one leader per epoch if it has epochs.
        faults: What may go wrong, and how often; None: nothing.
        bounds: Where the exploration ends; None: nowhere, and protocols with rising epochs then
            never end.
        timing: Messages take as long as it says, and timers as long as the protocol says. None: a
            message may arrive, and an armed timer fire, at any moment.
        network: "multiset": any message in flight may arrive next; "fifo": of each link the one
            sent first; "duplicating": as multiset, and what arrived may arrive again for ever.
        between: What must hold of each step: functions of the `CheckedState` before it and the one
            after it, by name. The slowest kind: a call for each step.
        sometimes: What should be reachable: functions of a `CheckedState`, by name. It shows that a
            check is not vacuous.
        commands: What clients may ask: ``[el.command(1, "Propose", value=7)]``; each is given at
            most once, at any moment.
        initial_leader: A warm start: everybody has just heard from this leader.
        symmetry: Take states that differ by the names of the nodes only for one. For protocols that
            declare that they treat all nodes alike.
        drop_stale: Take messages out of flight that can do nothing any more: far fewer states, and
            the same states of nodes. For protocols that tell which they are; with `debug` what they
            tell is checked.
        search: "breadth": by distance from the start, so that the run found is a shortest one;
            "depth": one run to its end, then back; "walks": `runs` random runs, of at most
            ``bounds.depth`` steps (None: 200); "swarm": `runs` small depth-first searches in random
            order, 16 at a time, each time twice as deep and as large (Holzmann, Joshi and Groce
            2011).
        exact: Keep and compare whole states instead of 64-bit fingerprints: slower, and none is
            passed over. For "breadth", without `symmetry`; one thread.
        runs: Of walks and swarms; None: 1000 walks, 128 searches of a swarm.
        seed: Of walks and swarms, a whole number from 0 to 2^62.
        stop_at_first: Stop at the first violation; else go on, and give a run for each invariant.
        threads: None: all cores. The result does not depend on it. Protocols and predicates in
            Python use one.
        debug: Run each handler twice, and tell when it is not deterministic.
        progress: True: show a live line, in a terminal and in a notebook. A function is called
            now and then with a dict: states, transitions, depth, frontier, bytes, seconds;
            returning False stops the search.

    Returns:
        What was found. Ctrl-C ends a search as well, and what is known comes back.

    Raises:
        ValueError: An argument is unknown or out of range; the message names it.
        CheckError: A handler or a predicate raised; its ``result`` has what was found before.
    """
    if isinstance(invariants, str) or callable(invariants):
        invariants = [invariants]
    names = None if invariants is None else [i for i in invariants if isinstance(i, str)]
    functions = [i for i in invariants or () if not isinstance(i, str)]
    cores = os.cpu_count() or 1
    request = _request(protocol, faults, bounds, timing, network, commands, initial_leader)
    request |= {
        "symmetry": truth("symmetry", symmetry),
        "drop_stale": truth("drop_stale", drop_stale),
        "search": search,
        "exact": truth("exact", exact),
        "runs": (1000 if search == "walks" else 128) if runs is None else runs,
        "seed": seed,
        "twice": truth("debug", debug),
        "threads": cores if threads is None else whole_number("threads", threads, 1, 256),
        "stop_at_first": truth("stop_at_first", stop_at_first),
        "invariants": names,
    }
    report = _explore(
        protocol,
        request,
        _named("invariants", functions),
        _named("sometimes", sometimes),
        progress,
        between=_named("between", between, "two CheckedStates"),
    )
    result = CheckResult(protocol, report, request)
    _raise(report.result()["failure"], result)
    return result


class EventualResult:
    """Whether something happens in the end, in every fair run.

    Attributes:
        protocol: What was checked.
        goal: What should happen.
        states: Different states seen before it has happened.
        transitions: Steps that could be taken in them.
        exhausted: All of them were seen.
        interrupted: It was told to stop.
        bounds_hit: Which bounds cut something off.
        prefix: The steps to a circle, or to a state in which nothing must happen any more; None:
            no such run was found.
        cycle: A circle of steps, which may go on for ever without the goal; of no steps when the
            run ends after `prefix`; None: no such run was found.
        shift: By how much the circle raises all epochs: its last state is its first, but for that.
        seconds: What the search took.
    """

    def __init__(
        self,
        protocol: Protocol | UserProtocol,
        goal: str,
        report: _core.CheckReport,
        request: dict[str, Any],
    ) -> None:
        result = report.result(liveness=True)
        self.protocol = protocol
        self.goal = goal
        self.states: int = result["states"]
        self.transitions: int = result["transitions"]
        self.exhausted: bool = result["exhausted"]
        self.interrupted: bool = result["interrupted"]
        self.bounds_hit: list[str] = result["bounds_hit"]
        self.seconds: float = result["seconds"]
        self.prefix: Run | None = None
        self.cycle: list[dict[str, Any]] | None = result["cycle"]
        self.shift: int = result["shift"]
        self._unrolled = report.unrolled
        if self.cycle is not None:
            states = [CheckedState(*state) for state in report.states(0, "prefix")]
            name = f"never {goal}"
            show_ms = result["clocks_show_ms"]
            self.prefix = _run(name, protocol, result["prefix"], states, request, show_ms)

    @property
    def violated(self) -> bool:
        """Whether a fair run without the goal was found."""
        return self.cycle is not None

    @property
    def proved(self) -> bool:
        """Whether every fair run reaches the goal; never with a bound hit."""
        return self.exhausted and not self.bounds_hit and not self.violated

    def __repr__(self) -> str:
        return f"<EventualResult {self.verdict}, {self.states} states>"

    def run(self, rounds: int = 1) -> Run:
        """The run that was found: `prefix`, and then its circle so many times.

        Raises:
            ValueError: No such run was found, or `rounds` is out of range.
        """
        rounds = whole_number("rounds", rounds, 0, 1000)
        if self.prefix is None:
            raise ValueError(f"rounds={rounds}: there is no run, as {self.verdict}")
        steps, states = self._unrolled(rounds)
        run = copy.copy(self.prefix)
        run.steps, run.states = steps, [CheckedState(*state) for state in states]
        return run

    @property
    def verdict(self) -> str:
        """What was found, in a line."""
        if self.prefix is not None and self.cycle:
            higher = f", each time in epochs higher by {self.shift}" if self.shift else ""
            return (
                f"{self.goal} may never happen: {in_steps(len(self.prefix))}, and then "
                f"{in_steps(len(self.cycle))} for ever{higher}"
            )
        if self.prefix is not None:
            return f"{self.goal} may never happen: after {in_steps(len(self.prefix))} nothing must"
        if self.proved:
            return f"{self.goal} happens in every fair run"
        if self.interrupted:
            return "no run without it so far: it was stopped"
        return f"no run without it within the bounds: {', '.join(self.bounds_hit)}"

    def __str__(self) -> str:
        lines = [f"{self.protocol!r}: {self.verdict}"]
        if self.prefix is not None and self.cycle is not None:
            lines.append(str(self.prefix))
            if self.cycle:
                lines.append("and again and again:")
                lines += [f"{number:>4}  {in_words(s)}" for number, s in enumerate(self.cycle, 1)]
        return "\n".join(lines)


def check_eventually(
    protocol: Protocol | UserProtocol,
    goal: Predicate,
    *,
    faults: Budget | None = None,
    bounds: Bounds | None = None,
    timing: Timing | None = None,
    network: str = "multiset",
    commands: Iterable[Action] = (),
    initial_leader: int | None = None,
    progress: bool | Told | None = None,
) -> EventualResult:
    """Asks whether something happens in the end, in every fair run from the start.

    A run is fair if nothing that can happen from some moment on for ever waits for ever: a message
    that may arrive, an armed timer that may fire, time that may pass, a pause or a cut that may
    end. Faults, restarts and commands need not happen.

    Where a protocol tells which of its fields are epochs (Raft's terms, the rounds of Paxos'
    ballots), states that differ by one shift of all of them are one: so a run is found in which
    each round takes new epochs. It is repeated three times in true epochs before it is reported.

    Args:
        protocol: `Raft(nodes=3)`, or a `UserProtocol`.
        goal: A function of a `CheckedState`: what should happen. It must not depend on the numbers
            of epochs where the protocol tells which they are.
        faults: As for `check`, as are all others.
        bounds: What a step leads to that a bound cuts off is not known: no run is reported that
            must take one.
        timing: How long messages take.
        network: How messages in flight are kept.
        commands: What clients may ask.
        initial_leader: A warm start.
        progress: As for `check`.

    Raises:
        ValueError: An argument is unknown or out of range; the message names it.
        CheckError: A handler or the goal raised, the goal depends on the numbers of epochs, or
            what the protocol tells to be epochs are none.
    """
    if not callable(goal):
        raise ValueError(f"goal={goal!r}: must be a function of a CheckedState")
    request = _request(protocol, faults, bounds, timing, network, commands, initial_leader)
    request["invariants"] = []
    name = getattr(goal, "__name__", "the goal")
    report = _explore(protocol, request, [], [], progress, (name, _asked(goal)))
    result = EventualResult(protocol, name, report, request)
    _raise(report.result(liveness=True)["failure"], result)
    return result


__all__: Sequence[str] = [
    "Bounds",
    "Budget",
    "CheckError",
    "CheckResult",
    "CheckedState",
    "EventualResult",
    "Run",
    "Timing",
    "check",
    "check_eventually",
]

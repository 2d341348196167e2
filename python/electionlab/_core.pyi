# Written by dev/stubs.py from the compiled engine: change the bindings, not this file.
"""
The C++ engine of electionlab; use it through the package electionlab.
"""
from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing
__all__: list[str] = ['CheckReport', 'Cluster', 'Event', 'PendingEvent', 'Trace', 'action_kinds', 'catalog', 'catalog_at_work', 'check_distribution', 'check_link', 'check_machine', 'check_options', 'check_resource', 'deviations_of_phi', 'draw_distribution', 'drop_reasons', 'is_quorum', 'max_nodes', 'option_warnings', 'phi_of_deviations', 'roles', 'row_kinds', 'run_scenario', 'run_trials', 'seed_that_draws', 'watch_detector']
class CheckReport:
    """
    A check that has ended; see electionlab.check.
    """
    def __init__(self, protocol: typing.Any, nodes: typing.SupportsInt | typing.SupportsIndex, options: dict[str, typing.Any], request: dict[str, typing.Any], always: collections.abc.Sequence[tuple[str, collections.abc.Callable[..., typing.Any]]], sometimes: collections.abc.Sequence[tuple[str, collections.abc.Callable[..., typing.Any]]], progress: collections.abc.Callable[..., typing.Any] | None, eventually: tuple[str, collections.abc.Callable[..., typing.Any]] | None = None, between: collections.abc.Sequence[tuple[str, collections.abc.Callable[..., typing.Any]]] = []) -> None:
        """
        Explores.

        Raises:
            ValueError: An argument is unknown or out of range; the message names it.
        """
    def graph(self, limit: typing.SupportsInt | typing.SupportsIndex) -> dict[str, typing.Any]:
        """
        The states nearest to the start and the steps between them, breadth first, as a dictionary.

        Raises:
            ValueError: `limit` is out of range.
        """
    def result(self, liveness: bool = False) -> typing.Any:
        """
        All figures, as a dictionary.
        """
    def states(self, number: typing.SupportsInt | typing.SupportsIndex, of: str = 'violation') -> list[typing.Any]:
        """
        The states along a run, as (nodes, messages, partition); of a 'violation', a 'witness', or a lasso's 'prefix' or 'cycle'.
        """
    def unrolled(self, rounds: typing.SupportsInt | typing.SupportsIndex) -> tuple[typing.Any, ...]:
        """
        The steps and the states of a lasso's prefix and so many rounds of its circle.
        """
class Trace:
    """
    What happened, column by column: a row for every input, message, change of view, fault and note.
    """
    def __len__(self) -> int:
        ...
    def columns(self) -> dict[str, typing.Any]:
        """
        All columns by name, as read-only NumPy arrays over the trace's own memory.
        """
    def hash(self) -> str:
        """
        Sixteen hexadecimal digits over every row: equal runs, equal digits, on any machine.
        """
    def line(self, row: typing.SupportsInt | typing.SupportsIndex) -> str:
        """
        A row as one line for people.
        """
    def message(self, row: typing.SupportsInt | typing.SupportsIndex) -> typing.Any:
        """
        The fields of a row's message as a dictionary; None when it has none.
        """
    def text(self, row: typing.SupportsInt | typing.SupportsIndex) -> str:
        """
        A row's reason or violation in words; empty when it has none.
        """
class Event:
    """
    One step of a cluster: what happened, where, and the node's view after it.
    """
    def __eq__(self, arg0: object) -> bool:
        ...
    def __hash__(self) -> int:
        ...
    def __repr__(self) -> str:
        ...
    @property
    def action(self) -> str:
        """
        What was done from outside: 'crash' and the like; empty otherwise.
        """
    @property
    def at_ms(self) -> float:
        """
        Simulated time in milliseconds since the start.
        """
    @property
    def epoch(self) -> int:
        """
        The node's term (or other epoch) after the step.
        """
    @property
    def kind(self) -> str:
        """
        'start', 'deliver', 'drop', 'timer', 'wait', 'lapse' or 'action'.
        """
    @property
    def leader(self) -> int:
        """
        Whom the node believes to lead after the step; 0: nobody.
        """
    @property
    def message(self) -> int:
        """
        The number of the message; -1 when there is none.
        """
    @property
    def message_kind(self) -> str:
        """
        'VoteRequest' and the like; empty when there is no message.
        """
    @property
    def node(self) -> int:
        """
        Where it happened; the receiver of a message; 0: the whole cluster.
        """
    @property
    def peer(self) -> int:
        """
        The sender of a message; whom a timer is about; 0 otherwise.
        """
    @property
    def reason(self) -> str:
        """
        Why a message was lost: 'loss', 'cut', 'receiver_down', 'sender_crashed' or 'by_hand'; empty otherwise.
        """
    @property
    def role(self) -> str:
        """
        The node's role after the step.
        """
    @property
    def step(self) -> int:
        """
        Its number, 1 and up.
        """
    @property
    def timer(self) -> str:
        """
        The name of the timer that expired; empty otherwise.
        """
class PendingEvent:
    """
    Something that may happen next: a message in flight, an armed timer, a scheduled action, a node about to start; or something that waits for its turn.
    """
    def __eq__(self, arg0: object) -> bool:
        ...
    def __hash__(self) -> int:
        ...
    def __repr__(self) -> str:
        ...
    @property
    def at_ms(self) -> typing.Any:
        """
        When it is due if nobody interferes, in ms since the start; of what waits, the earliest moment; None while a pause holds it.
        """
    @property
    def fields(self) -> typing.Any:
        """
        The message's fields, or the scheduled action, as a dictionary.
        """
    @property
    def kind(self) -> str:
        """
        'message', 'timer', 'action', 'start' or 'waiting'.
        """
    @property
    def message(self) -> int:
        """
        The message's number, for deliver, drop, duplicate and delay; else -1.
        """
    @property
    def message_kind(self) -> str:
        """
        'VoteRequest' and the like; empty when it is no message.
        """
    @property
    def node(self) -> int:
        """
        The receiver of the message, or the timer's node.
        """
    @property
    def peer(self) -> int:
        """
        The sender, or whom the timer is about; 0: nobody.
        """
    @property
    def sent_ms(self) -> typing.Any:
        """
        When the message left (or will leave), in ms; None for others.
        """
    @property
    def timer(self) -> str:
        """
        The timer's name; empty when it is none.
        """
    @property
    def waits(self) -> str:
        """
        Why something of kind 'waiting' waits. At its node: 'paused', 'writing' (the node writes to its disk, and this is next), 'busy' (the node is at something else, or others came first) or 'handled' (a slow node is at it); 'sender_paused': it has not left. Empty for others.
        """
class Cluster:
    """
    A simulated cluster of any protocol. The class electionlab.Cluster adds checks and conveniences; use that one.
    """
    def __init__(self, protocol: typing.Any, nodes: typing.SupportsInt | typing.SupportsIndex, options: dict[str, typing.Any], config: dict[str, typing.Any], record: bool = True) -> None:
        """
        A cluster at time 0.

        Args:
            protocol: Name of a protocol of the catalogue, or a protocol object written in Python.
            nodes: How many members, 1 to the protocol's max_nodes.
            options: The protocol's options.
            config: Network, nodes, seed and schedule.
            record: Keep the history, which the trace and undo need.

        Raises:
            ValueError: An argument is unknown or out of range; the message names it.
        """
    def act(self, action: dict[str, typing.Any]) -> Event:
        """
        Does something to the cluster now: a fault, a message, a timer, a schedule.

        Args:
            action: A dictionary such as {'action': 'crash', 'node': 3}.

        Returns:
            The event: one step of the run.

        Raises:
            ValueError: The action is unknown, out of range, or names a message or timer that is not there; nothing has changed.
        """
    def actor_kind(self, node: typing.SupportsInt | typing.SupportsIndex) -> str:
        """
        'member', or the kind of service.
        """
    def config(self) -> typing.Any:
        """
        Network, nodes, seed and schedule, defaults filled in.
        """
    def failovers(self) -> typing.Any:
        """
        Every loss of an acting leader and its recovery, as dictionaries.
        """
    def faults(self) -> typing.Any:
        """
        How often each fault was asked for and took effect.
        """
    def fingerprint(self) -> int:
        """
        A 64-bit hash of everything that decides the future.
        """
    def forked(self) -> typing.Any:
        """
        An independent copy, of the same class, without attributes.
        """
    def is_cut(self, sender: typing.SupportsInt | typing.SupportsIndex, receiver: typing.SupportsInt | typing.SupportsIndex) -> bool:
        """
        Whether messages in this direction are lost.
        """
    def journal(self) -> list[typing.Any]:
        """
        What was done from outside, in order.
        """
    def measures(self) -> typing.Any:
        """
        The measures of the run so far, as a dictionary.
        """
    def node_fields(self, node: typing.SupportsInt | typing.SupportsIndex) -> typing.Any:
        """
        A node's state by field, as a dictionary.
        """
    def options(self) -> typing.Any:
        """
        The protocol's options, defaults filled in.
        """
    def peek_trace(self, action: dict[str, typing.Any] | None = None) -> Trace:
        """
        The trace of what the next event, or the action, would do; nothing changes.
        """
    def pending_events(self) -> typing.Any:
        """
        Everything that may happen next, soonest first.
        """
    def replay(self, journal: list[typing.Any], last: typing.SupportsInt | typing.SupportsIndex, end_ns: typing.SupportsInt | typing.SupportsIndex) -> None:
        """
        Repeats a journal on a fresh cluster.
        """
    def run_engine(self, until_ms: typing.SupportsFloat | typing.SupportsIndex | None, max_steps: typing.SupportsInt | typing.SupportsIndex, stop: str, watch: collections.abc.Callable[..., typing.Any] | None, in_python: bool) -> bool:
        """
        See electionlab.Cluster.run.
        """
    def seek(self, event: typing.SupportsInt | typing.SupportsIndex) -> None:
        """
        Goes to the state right after an event of this run, backwards or forwards.

        Args:
            event: Its number; 0 is the start.

        Raises:
            ValueError: The run has no such event, or is not recorded.
        """
    def step(self) -> Event | None:
        """
        The next event happens.

        Returns:
            The event, or None when nothing is left to happen.
        """
    def trace_copy(self) -> Trace:
        """
        The trace so far.
        """
    def traffic(self) -> typing.Any:
        """
        Messages sent, delivered and dropped, by kind and by node.
        """
    def view(self, node: typing.SupportsInt | typing.SupportsIndex) -> tuple[str, int, int]:
        """
        (role, believed leader, epoch) of a node.
        """
    def violations(self) -> typing.Any:
        """
        Every broken invariant, as dictionaries.
        """
    @property
    def acting_leaders(self) -> int:
        """
        How many nodes act as leader.
        """
    @property
    def actors(self) -> int:
        """
        Members and services together.
        """
    @property
    def agreed(self) -> bool:
        """
        One node acts as leader and every live node names it.
        """
    @property
    def events(self) -> int:
        """
        How many events have happened.
        """
    @property
    def last_event(self) -> int:
        """
        The last event of the recorded run; beyond `events` after going back.
        """
    @property
    def leader_id(self) -> int:
        """
        The acting leader of the highest epoch; 0: nobody.
        """
    @property
    def live_members(self) -> int:
        """
        How many members are up and not paused.
        """
    @property
    def members(self) -> int:
        """
        How many nodes take part.
        """
    @property
    def now(self) -> float:
        """
        Simulated time, ms since the start.
        """
    @property
    def now_ns(self) -> int:
        """
        Simulated time, whole nanoseconds since the start.
        """
    @property
    def records(self) -> bool:
        """
        Whether trace and history are kept.
        """
    @property
    def why_no_leader(self) -> str:
        """
        Why no leader is possible as things stand; empty when one is.
        """
def catalog() -> list[typing.Any]:
    """
    Every protocol of the engine as a dictionary: name, title, source, assumptions, cost, weaknesses, epochs, majority, fails_over, max_nodes, messages, commands, timers, peer_timers, disk, memory, options, promises, properties.
    """
def catalog_at_work() -> list[typing.Any]:
    """
    The same for protocols with a resource that their leaders work on, named NAME_at_work.
    """
def check_distribution(value: typing.Any, name: str) -> typing.Any:
    """
    A delay distribution in full form, from a number, a pair (min, max) or a dictionary.
    """
def check_link(link: typing.Any) -> None:
    """
    ValueError names a bad entry of a link's settings.
    """
def check_machine(machine: typing.Any) -> None:
    """
    ValueError names a bad entry of a machine's settings.
    """
def check_options(protocol: str, nodes: typing.SupportsInt | typing.SupportsIndex, options: dict[str, typing.Any]) -> typing.Any:
    """
    The options of a protocol with defaults filled in.

    Raises:
        ValueError: An option is unknown or out of range; the message names it, its value and what is allowed.
    """
def check_resource(resource: typing.Any) -> None:
    """
    ValueError names a bad entry of a resource's settings.
    """
def deviations_of_phi(phi: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> typing.Any:
    """
    The inverse of phi_of_deviations.
    """
def draw_distribution(value: typing.Any, size: typing.SupportsInt | typing.SupportsIndex, seed: typing.SupportsInt | typing.SupportsIndex) -> numpy.typing.NDArray[numpy.float64]:
    """
    Draws from a delay distribution, in milliseconds: what the engine would draw.
    """
def is_quorum(quorum: typing.Any, voters: typing.SupportsInt | typing.SupportsIndex, votes: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]) -> bool:
    """
    Whether these votes are a quorum: of so many that vote, where only their number counts.
    """
def option_warnings(protocol: str, nodes: typing.SupportsInt | typing.SupportsIndex, options: dict[str, typing.Any]) -> list[str]:
    """
    What a user should know of options that are allowed, one sentence each.
    """
def phi_of_deviations(z: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> typing.Any:
    """
    -log10 of the chance that a standard normal exceeds z, with equal bits everywhere.
    """
def run_scenario(text: str) -> str:
    """
    Runs a scenario and returns its text with every output replaced by what the engine prints: equal to the input when the scenario holds.

    Raises:
        ValueError: A directive is bad; the message names its line.
    """
def run_trials(protocol: str, nodes: typing.SupportsInt | typing.SupportsIndex, options: dict[str, typing.Any], config: dict[str, typing.Any], experiment: dict[str, typing.Any], *, first: typing.SupportsInt | typing.SupportsIndex = 0, trials: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0, progress: collections.abc.Callable[..., typing.Any] | None = None) -> dict[str, typing.Any]:
    """
    Trials of one experiment: things done at moments, and how long until there is a leader again.

    Args:
        experiment: A dictionary: moments (each at_ms, a range, and action), from (the moment that is measured from; -1: the start), until ('agreed', 'elected' or 'horizon'), horizon_ms, only_leaderless.
        progress: Called about ten times a second with the number of finished trials; returning a false value cancels.

    Returns:
        One read-only array per measure, an entry per trial; times in ms since the moment that is measured from, NaN where the trial ended before. `measured` is 0 where a leader was to be lost and was not.
    """
def seed_that_draws(draws: collections.abc.Sequence[tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]], most: typing.SupportsInt | typing.SupportsIndex) -> int | None:
    """
    The first seed below `most` with which a cluster draws so; None: there is none. Each draw: node, crashes of it before, number of the draw since, which part of all words it falls in, number of parts.
    """
def watch_detector(protocol: str, nodes: typing.SupportsInt | typing.SupportsIndex, options: dict[str, typing.Any], config: dict[str, typing.Any], *, watched: typing.SupportsInt | typing.SupportsIndex = 1, watcher: typing.SupportsInt | typing.SupportsIndex = 2, warm_up_ms: typing.SupportsFloat | typing.SupportsIndex, observe_ms: typing.SupportsFloat | typing.SupportsIndex, crash_after_ms: typing.Any, horizon_ms: typing.SupportsFloat | typing.SupportsIndex, seed: typing.SupportsInt | typing.SupportsIndex, first: typing.SupportsInt | typing.SupportsIndex = 0, trials: typing.SupportsInt | typing.SupportsIndex) -> dict[str, typing.Any]:
    """
    Trials in which one node watches another: how often it is wrong while that one lives, and how fast it knows when that one has crashed. Runs on the calling thread.

    Returns:
        One read-only array per measure, an entry per trial: mistakes and suspected_ms while observed, detection_ms after the crash (NaN: trusts it at the horizon).
    """
__version__: str = '0.1.0'
action_kinds: list[typing.Any] = ['crash', 'restart', 'pause', 'resume', 'partition', 'cut', 'mend', 'heal', 'link', 'clock', 'slow', 'disk', 'deliver', 'drop', 'duplicate', 'delay', 'fire', 'at', 'when', 'plan', 'command']
drop_reasons: list[typing.Any] = ['', 'loss', 'cut', 'receiver_down', 'sender_crashed', 'by_hand']
max_nodes: int = 10000
roles: list[typing.Any] = ['follower', 'candidate', 'leader', 'down', 'paused', 'service']
row_kinds: list[typing.Any] = ['start', 'deliver', 'drop', 'timer', 'send', 'view', 'write', 'note', 'violation', 'action', 'leader', 'wait', 'lapse']

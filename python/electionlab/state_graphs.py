"""State graphs small enough to be drawn.

>>> import electionlab as el
>>> graph = el.state_graph(el.LeLann(2))
>>> len(graph.states), graph.complete
(13, True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from electionlab._checked_runs import CheckedState, in_words
from electionlab._values import whole_number
from electionlab.checker import CheckResult, check
from electionlab.protocols import Protocol
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class GraphState(NamedTuple):
    """A state of a graph.

    Attributes:
        state: The state itself.
        depth: Steps from the start.
        broken: Names of the invariants that do not hold here, or that a step to here breaks.
        open: Steps lead from here to states that are not in the graph.
    """

    state: CheckedState
    depth: int
    broken: tuple[str, ...]
    open: bool

    @property
    def leaders(self) -> list[int]:
        """The nodes that act as leader."""
        return self.state.leaders


class GraphStep(NamedTuple):
    """A step between two states of a graph, which are given by their places in it.

    Attributes:
        source: Where it is taken.
        target: Where it leads.
        step: What happens, as in ``Run.steps``.
        broken: Names of the invariants that the step itself breaks.
    """

    source: int
    target: int
    step: Mapping[str, Any]
    broken: tuple[str, ...]

    @property
    def label(self) -> str:
        """What happens, in few letters."""
        return label_of(self.step)


def label_of(step: Mapping[str, Any]) -> str:
    """A step in few letters: "2>1 VoteReply" is a message that arrives, "2 election" a timer."""
    kind = step["step"]
    node = step.get("node", "")
    if "message" in step:
        m = step["message"]
        signs = {"deliver": "", "lose": "lose ", "duplicate": "copy ", "arrive_in_vain": "in vain "}
        return f"{signs[kind]}{m['from']}>{m['to']} {m['kind']}"
    if kind == "fire":
        return f"{node} {step['timer']}" + (f" of {step['about']}" if "about" in step else "")
    if kind == "command":
        return f"{node} {step['command']}"
    if kind == "partition":
        sign = "/" if step["one_way"] else "|"
        return "cut " + sign.join("".join(str(n) for n in group) for group in step["groups"])
    return f"{kind.replace('_', ' ')} {node}".strip()


class StateGraph:
    """States and the steps between them, from the start on.

    Attributes:
        states: Each a `GraphState`, nearest to the start first.
        steps: Each a `GraphStep`.
        complete: Nothing was left out: these are all states within the bounds.
        broken: Names of the invariants that are broken somewhere here.
        title: What it is of.
    """

    def __init__(self, result: CheckResult, found: Mapping[str, Any]) -> None:
        self.steps = [
            GraphStep(edge["from"], edge["to"], edge["step"], tuple(edge["broken"]))
            for edge in found["edges"]
        ]
        broken = [set(node["broken"]) for node in found["nodes"]]
        for step in self.steps:
            broken[step.target].update(step.broken)
        order = result.invariants
        self.states = [
            GraphState(
                CheckedState(*state), node["depth"], tuple(n for n in order if n in bad),
                node["open"],
            )
            for node, state, bad in zip(found["nodes"], found["states"], broken, strict=True)
        ]  # fmt: skip
        self.complete = not any(state.open for state in self.states)
        self.broken = [name for name in order if any(name in bad for bad in broken)]
        self.title = repr(result.protocol)

    def __repr__(self) -> str:
        whole = "all" if self.complete else "the nearest"
        return f"<StateGraph {whole} {len(self.states)} states, {len(self.steps)} steps>"

    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """A picture, states coloured by how many lead; see `electionlab.plot.plot_state_graph`."""
        from electionlab import plot

        return plot.plot_state_graph(self, ax=ax, **options)

    def _repr_svg_(self) -> str:
        from electionlab import plot

        return plot.svg(self.plot())

    def to_dot(self) -> str:
        """The graph in the language of Graphviz, with the same colours and shapes."""
        shapes = ("ellipse", "hexagon", "diamond")
        colours = ("#8CCBF0", "#0072B2", "#E69F00")
        lines = ["digraph states {", "  rankdir=LR;", '  node [style=filled, color="#000000"];']
        for number, state in enumerate(self.states):
            lead = min(len(state.leaders), 2)
            look = f'shape={shapes[lead]}, fillcolor="{colours[lead]}"'
            if lead == 1:
                look += ', fontcolor="#FFFFFF"'
            if state.broken:
                look += ', color="#D55E00", penwidth=3'
            roles = ", ".join(f"{n['node']} {n['role']}" for n in state.state.nodes)
            tip = "; ".join([roles, f"in flight {len(state.state.messages)}", *state.broken])
            lines.append(f"  {number} [{look}, tooltip={_quoted(tip)}];")
        for step in self.steps:
            look = f"label={_quoted(step.label)}, tooltip={_quoted(in_words(step.step))}"
            if step.broken:
                look += ', color="#D55E00", penwidth=3'
            lines.append(f"  {step.source} -> {step.target} [{look}];")
        return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def state_graph(
    protocol: Protocol | UserProtocol,
    invariants: Any = None,
    *,
    limit: int = 60,
    **options: Any,
) -> StateGraph:
    """The states nearest to the start and the steps between them, to be drawn.

    Args:
        protocol: `LeLann(nodes=2)`, or a `UserProtocol`.
        invariants: What must hold always, as for `check`: states and steps that break something
            are marked.
        limit: At most so many states, 1 to 100,000.
        **options: As for `check`: faults, bounds, timing, network, between, commands,
            initial_leader, symmetry.

    Raises:
        ValueError: An argument is unknown or out of range; the message names it.
        CheckError: A handler or a predicate raised.
    """
    most = whole_number("limit", limit, 1, 100_000)
    allowed = ("faults", "bounds", "timing", "network", "between", "commands", "initial_leader",
               "symmetry")  # fmt: skip
    for name in options:
        if name not in allowed:
            raise ValueError(f"{name}={options[name]!r}: must be one of {', '.join(allowed)}")
    # The search itself is over at once: only what it is made of is asked for.
    result = check(protocol, invariants, progress=lambda _: False, threads=1, **options)
    return result.graph(most)


__all__: Sequence[str] = ["GraphState", "GraphStep", "StateGraph", "label_of", "state_graph"]

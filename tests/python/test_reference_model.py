"""The checker against a second search, written in plain Python and sharing nothing with it.

Raft's election reduced to its bones: a node is (term, role, vote, votes), the network a multiset of
messages, and every message and time-out may come at any moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

import electionlab as el

NODES = 3
Node = tuple[int, str, Any, frozenset[int]]
Message = tuple[int, int, str, int, bool]  # from, to, kind, term, granted
#: The last is how many faults have happened; of a pause, 1 plus the node that stands still.
State = tuple[tuple[Node, ...], tuple[Message, ...], int]
START: State = (((0, "follower", None, frozenset()),) * NODES, (), 0)


def successors(state: State, highest: int, variant: str) -> Iterator[State]:
    nodes, network, faults = state
    paused = faults - 1 if variant == "pause" and faults <= NODES else -1

    def sent(left: tuple[Message, ...], messages: list[Message]) -> tuple[Message, ...]:
        if variant == "crash":  # nobody will hear what is sent to the dead
            messages = [m for m in messages if nodes[m[1]][1] != "down"]
        if variant in ("dup", "copies"):
            return tuple(sorted({*left, *messages}))
        if variant == "fifo":
            return left + tuple(messages)
        return tuple(sorted(left + tuple(messages)))

    def with_node(i: int, node: Node) -> tuple[Node, ...]:
        return (*nodes[:i], node, *nodes[i + 1 :])

    for i, (term, role, _, _) in enumerate(nodes):
        if role not in ("leader", "down") and term < highest and i != paused:
            requests = [(i, j, "request", term + 1, False) for j in range(NODES) if j != i]
            stood = with_node(i, (term + 1, "candidate", i, frozenset([i])))
            yield stood, sent(network, requests), faults
    deliverable: list[int] = []
    seen: set[Any] = set()
    for at, message in enumerate(network):
        key = message[:2] if variant == "fifo" else message
        if key not in seen:
            seen.add(key)
            deliverable.append(at)
    for at in deliverable:
        source, i, kind, message_term, granted = network[at]
        if i == paused:
            continue
        left = network if variant == "dup" else network[:at] + network[at + 1 :]
        term, role, vote, votes = nodes[i]
        if message_term > term:
            term, role, vote, votes = message_term, "follower", None, frozenset()
        answer: list[Message] = []
        if kind == "request":
            grants = message_term == term and vote in (None, source)
            vote = source if grants else vote
            answer = [(i, source, "reply", term, grants)]
        elif role == "candidate" and message_term == term and granted:
            votes = votes | {source}
            role = "leader" if len(votes) > NODES // 2 else role
        yield with_node(i, (term, role, vote, votes)), sent(left, answer), faults
        if variant == "loss":
            yield nodes, left, faults
        if variant == "copy" and faults == 0:
            yield nodes, sent(network, [network[at]]), 1
    if variant == "crash" and faults == 0:
        for i, (term, _, vote, _) in enumerate(nodes):
            left = tuple(m for m in network if m[1] != i)
            yield with_node(i, (term, "down", vote, frozenset())), left, 1
    if variant == "pause" and faults == 0:
        for i in range(NODES):
            yield nodes, network, 1 + i
    if paused >= 0:
        yield nodes, network, 1 + NODES  # it goes on
    if variant in ("restart", "amnesia") and faults == 0:
        for i, (term, _, vote, _) in enumerate(nodes):
            kept = None if variant == "amnesia" else vote
            yield with_node(i, (term, "follower", kept, frozenset())), network, 1


def links(state: State) -> Any:
    """A state on FIFO links: what matters is the order on each link only."""
    nodes, network, faults = state
    queues = {
        link: tuple(m for m in network if m[:2] == link)
        for link in itertools.permutations(range(NODES), 2)
    }
    return nodes, tuple(sorted(queues.items())), faults


def renamed(state: State, names: tuple[int, ...]) -> State:
    nodes, network, faults = state
    moved: list[Any] = [None] * NODES
    for i, (term, role, vote, votes) in enumerate(nodes):
        vote = None if vote is None else names[vote]
        moved[names[i]] = (term, role, vote, frozenset(names[v] for v in votes))
    messages = ((names[m[0]], names[m[1]], *m[2:]) for m in network)
    return tuple(moved), tuple(sorted(messages)), faults


def canonical(state: State) -> State:
    def key(each: State) -> Any:
        return repr([(n[0], n[1], n[2], sorted(n[3])) for n in each[0]]) + repr(each[1:])

    return min((renamed(state, p) for p in itertools.permutations(range(NODES))), key=key)


def explore(highest: int, variant: str) -> dict[str, Any]:
    identity = links if variant == "fifo" else lambda state: state
    seen = {identity(START)}
    states = [START]
    level, levels = [START], [1]
    transitions = terminal = with_leader = 0
    violation = None
    while level:
        found = []
        for state in level:
            leaders = [
                node[0]
                for i, node in enumerate(state[0])
                if node[1] == "leader" and not (variant == "pause" and state[2] == 1 + i)
            ]
            with_leader += bool(leaders)
            if violation is None and len(set(leaders)) < len(leaders):
                violation = len(levels) - 1
            count = 0
            for following in successors(state, highest, variant):
                count += 1
                if identity(following) not in seen:
                    seen.add(identity(following))
                    found.append(following)
            transitions += count
            terminal += count == 0
        states += found
        level = found
        if found:
            levels.append(len(found))
    no_orbits = ("fifo", "pause")  # their states name nodes elsewhere as well
    orbits = None if variant in no_orbits else len({canonical(state) for state in states})
    return {
        "states": len(states),
        "transitions": transitions,
        "terminal": terminal,
        "with_leader": with_leader,
        "levels": levels,
        "violation": violation,
        "orbits": orbits,
    }


class ReferenceModel(el.UserProtocol):
    """The same model as a protocol in Python."""

    name = "reference_model"
    messages = ("VoteRequest", "VoteReply")
    timers = ("election",)
    epochs = True
    majority = True

    def __init__(self, nodes: int = NODES, *, amnesia: bool = False) -> None:
        super().__init__(nodes)
        self.amnesia = amnesia

    def disk(self, node: int) -> dict[str, Any]:
        return {"term": 0, "vote": 0}

    def memory(self, node: int) -> dict[str, Any]:
        return {"role": "follower", "votes": []}

    def on_start(self, ctx: Any) -> None:
        ctx.set_timer("election", 1)

    def on_restart(self, ctx: Any) -> None:
        if self.amnesia:
            ctx.disk["vote"] = 0
            ctx.persist()
        ctx.set_timer("election", 1)

    def on_timer(self, ctx: Any, timer: str) -> None:
        ctx.disk["term"] += 1
        ctx.disk["vote"] = ctx.node
        ctx.memory.update(role="candidate", votes=[ctx.node])
        ctx.persist()
        ctx.broadcast("VoteRequest", term=ctx.disk["term"])
        ctx.set_timer("election", 1)

    def on_message(self, ctx: Any, sender: int, message: Any) -> None:
        disk, memory = ctx.disk, ctx.memory
        if message.term > disk["term"]:
            disk.update(term=message.term, vote=0)
            memory.update(role="follower", votes=[])
            ctx.persist()
            ctx.set_timer("election", 1)
        if message.kind == "VoteRequest":
            granted = message.term == disk["term"] and disk["vote"] in (0, sender)
            if granted:
                disk["vote"] = sender
                ctx.persist()
            ctx.send(sender, "VoteReply", term=disk["term"], granted=granted)
        elif memory["role"] == "candidate" and message.term == disk["term"] and message.granted:
            memory["votes"] = sorted({*memory["votes"], sender})
            if len(memory["votes"]) >= ctx.quorum:
                memory["role"] = "leader"
                ctx.cancel_timer("election")

    def view(self, ctx: Any) -> tuple[str, int, int]:
        role = ctx.memory["role"]
        return role, ctx.node if role == "leader" else 0, ctx.disk["term"]


def one_leader_per_term(state: el.CheckedState) -> bool:
    leading = [node["epoch"] for node in state.nodes if node["role"] == "leader"]
    return len(set(leading)) == len(leading)


VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "loss": {"faults": el.Budget(losses="unlimited")},
    "dup": {"network": "duplicating"},
    "fifo": {"network": "fifo"},
    "restart": {"faults": el.Budget(reboots=1)},
    "amnesia": {"faults": el.Budget(reboots=1)},
    "crash": {"faults": el.Budget(crashes=1, restarts=0)},
    "copy": {"faults": el.Budget(duplicates=1)},
    "pause": {"faults": el.Budget(pauses=1)},
    "copies": {"bounds": el.Bounds(epoch=1, copies=1)},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_searches_find_the_same_states(variant: str) -> None:
    expected = explore(1, variant)
    result = el.check(
        ReferenceModel(amnesia=variant == "amnesia"),
        one_leader_per_term,
        stop_at_first=False,
        **({"bounds": el.Bounds(epoch=1)} | VARIANTS[variant]),
    )
    found = {name: getattr(result, name) for name in expected if hasattr(result, name)}
    assert found == {name: expected[name] for name in found}
    assert len(found) == 5
    assert result.exhausted
    # Nobody answers twice in this model, so that no message has a copy.
    assert result.bounds_hit == ["epoch"]
    assert not result.proved
    length = None if result.counterexample is None else len(result.counterexample)
    assert length == expected["violation"]


#: What tests/cpp/check/search_test.cpp pins: states, transitions, terminal, with_leader, orbits.
PINNED = {
    "base": (1111, 3900, 13, 180, 205),
    "loss": (1396, 8895, 22, 186, 255),
    "dup": (197, 1371, 0, 60, 41),
    "restart": (5138, 21789, 31, 522, 911),
    "amnesia": (8798, 34731, 55, 2484, 1521),
}


@pytest.mark.parametrize("variant", PINNED)
def test_the_pinned_numbers_are_those_of_this_search(variant: str) -> None:
    found = explore(1, variant)
    states, transitions, terminal, with_leader, orbits = PINNED[variant]
    assert (found["states"], found["transitions"]) == (states, transitions)
    assert (found["terminal"], found["with_leader"]) == (terminal, with_leader)
    if orbits is not None:
        assert found["orbits"] == orbits

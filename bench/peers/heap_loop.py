"""Figure 16's experiment as an event loop in plain Python, around `heapq`: what one writes first.

    python bench/peers/heap_loop.py [TRIALS [DELAY_MS [SEED [FILE]]]]

At time 0 all five servers have just handled a heartbeat of server 0, which crashes within 75 ms;
servers 3 and 4 have shorter logs. Timeouts are uniform in 150-300 ms, a message takes DELAY_MS. A
trial ends when all four survivors name a new leader. FILE gets the times since the crash.
"""

from __future__ import annotations

import heapq
import random
from typing import Any

from timed_trials import run

NODES = 5
LOW, HIGH = 150.0, 300.0
LOGS = [(1, 2), (1, 2), (1, 2), (1, 1), (1, 1)]


class Node:
    """One server."""

    __slots__ = ("armed", "leader", "me", "role", "term", "voted_for", "votes")

    def __init__(self, me: int) -> None:
        self.me, self.role, self.term = me, "follower", 1
        self.voted_for: int | None = 0
        self.leader: int | None = 0
        self.votes: set[int] = set()
        self.armed = 0


def trial(draw: random.Random, delay: float) -> float:
    """Time from the crash until all survivors name a new leader, ms."""
    queue: list[tuple[float, int, int, int, str, Any]] = []
    order = 0
    now = 0.0
    nodes = [Node(i) for i in range(NODES)]
    crash = draw.uniform(0.0, LOW / 2)

    def push(at: float, sender: int, to: int, kind: str, body: Any) -> None:
        nonlocal order
        order += 1
        heapq.heappush(queue, (at, order, sender, to, kind, body))

    def await_leader(node: Node) -> None:
        node.armed += 1
        push(now + draw.uniform(LOW, HIGH), node.me, node.me, "timeout", node.armed)

    def send_all(node: Node, kind: str, body: Any) -> None:
        for to in range(1, NODES):  # server 0 is down, or silent, until the end
            if to != node.me:
                push(now + delay, node.me, to, kind, body)

    def adopt(node: Node, term: int) -> None:
        if term > node.term:
            if node.role == "leader":
                await_leader(node)
            node.term, node.role, node.voted_for, node.leader = term, "follower", None, None

    for node in nodes[1:]:
        await_leader(node)
    while True:
        now, _, sender, to, kind, body = heapq.heappop(queue)
        node = nodes[to]
        if kind == "timeout":
            if body == node.armed:
                node.role, node.voted_for, node.leader = "candidate", to, None
                node.term += 1
                node.votes = {to}
                await_leader(node)
                send_all(node, "request", (node.term, LOGS[to]))
        elif kind == "request":
            term, log = body
            adopt(node, term)
            granted = term == node.term and node.voted_for in (None, sender) and log >= LOGS[to]
            if granted:
                node.voted_for = sender
                await_leader(node)
            push(now + delay, to, sender, "vote", (node.term, granted))
        elif kind == "vote":
            term, granted = body
            adopt(node, term)
            if granted and node.role == "candidate" and term == node.term:
                node.votes.add(sender)
                if len(node.votes) > NODES // 2:
                    node.role, node.leader = "leader", to
                    node.armed += 1
                    send_all(node, "heartbeat", node.term)
        else:
            adopt(node, body)
            if body == node.term:
                node.role, node.leader = "follower", sender
                await_leader(node)
                if nodes[sender].role == "leader" and all(n.leader == sender for n in nodes[1:]):
                    return now - crash


if __name__ == "__main__":
    run(trial, 10_000)

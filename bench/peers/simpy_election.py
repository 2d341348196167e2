"""Figure 16's experiment in SimPy: a process and a mailbox for each server.

    python bench/peers/simpy_election.py [TRIALS [DELAY_MS [SEED [FILE]]]]

The experiment of heap_loop.py, in SimPy's own style: a server waits for a message or its timeout,
whichever comes first; a message is a process that waits for the delay and puts it in the mailbox.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import simpy
from timed_trials import run

NODES = 5
LOW, HIGH = 150.0, 300.0
LOGS = [(1, 2), (1, 2), (1, 2), (1, 1), (1, 1)]


class Server:
    """One server; server 0, which crashes, is not simulated beyond that it does not answer."""

    def __init__(self, me: int, cluster: Cluster) -> None:
        self.me, self.cluster = me, cluster
        self.role, self.term = "follower", 1
        self.voted_for: int | None = 0
        self.leader: int | None = 0
        self.votes: set[int] = set()
        self.mailbox = simpy.Store(cluster.env)
        self.deadline = cluster.draw.uniform(LOW, HIGH)
        cluster.env.process(self.live())

    def live(self) -> Generator[Any, Any, None]:
        """Messages and timeouts, for ever."""
        env = self.cluster.env
        message = self.mailbox.get()
        while True:
            if self.role == "leader":
                yield message
            else:
                yield message | env.timeout(self.deadline - env.now)
            if message.triggered:
                self.handle(*message.value)
                message = self.mailbox.get()
            elif env.now >= self.deadline and self.role != "leader":
                self.stand()

    def await_leader(self) -> None:
        """A new timeout begins."""
        self.deadline = self.cluster.env.now + self.cluster.draw.uniform(LOW, HIGH)

    def stand(self) -> None:
        """A new term, a vote for oneself, a request to everybody."""
        self.role, self.voted_for, self.leader = "candidate", self.me, None
        self.term += 1
        self.votes = {self.me}
        self.await_leader()
        self.send_all("request", self.term, LOGS[self.me])

    def send(self, to: int, *message: Any) -> None:
        """Puts a message on its way."""
        self.cluster.env.process(self.cluster.deliver(to, (self.me, *message)))

    def send_all(self, *message: Any) -> None:
        """To every survivor but oneself."""
        for server in self.cluster.servers:
            if server is not self:
                self.send(server.me, *message)

    def adopt(self, term: int) -> None:
        """A newer term makes a follower."""
        if term > self.term:
            if self.role == "leader":
                self.await_leader()
            self.term, self.role, self.voted_for, self.leader = term, "follower", None, None

    def handle(self, sender: int, kind: str, term: int, body: Any = None) -> None:
        """One message."""
        self.adopt(term)
        if kind == "request":
            granted = (
                term == self.term and self.voted_for in (None, sender) and body >= LOGS[self.me]
            )
            if granted:
                self.voted_for = sender
                self.await_leader()
            self.send(sender, "vote", self.term, granted)
        elif kind == "vote":
            if body and self.role == "candidate" and term == self.term:
                self.votes.add(sender)
                if len(self.votes) > NODES // 2:
                    self.role, self.leader = "leader", self.me
                    self.send_all("heartbeat", self.term)
        elif term == self.term:
            self.role, self.leader = "follower", sender
            self.await_leader()
            self.cluster.look(sender)


class Cluster:
    """Four survivors."""

    def __init__(self, draw: random.Random, delay: float) -> None:
        self.env = simpy.Environment()
        self.draw, self.delay = draw, delay
        self.over = self.env.event()
        self.servers = [Server(i, self) for i in range(1, NODES)]

    def deliver(self, to: int, message: Any) -> Generator[Any, Any, None]:
        """A message under way."""
        yield self.env.timeout(self.delay)
        self.servers[to - 1].mailbox.put(message)

    def look(self, leader: int) -> None:
        """Whether all name it."""
        acts = self.servers[leader - 1].role == "leader"
        if acts and all(s.leader == leader for s in self.servers) and not self.over.triggered:
            self.over.succeed(self.env.now)


def trial(draw: random.Random, delay: float) -> float:
    """Time from the crash until all survivors name a new leader, ms."""
    crash = draw.uniform(0.0, LOW / 2)
    cluster = Cluster(draw, delay)
    return float(cluster.env.run(until=cluster.over)) - crash


if __name__ == "__main__":
    run(trial, 1000)

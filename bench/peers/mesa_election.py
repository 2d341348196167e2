"""Figure 16's experiment in Mesa: an agent for each server, on its discrete-event simulator.

    python bench/peers/mesa_election.py [TRIALS [DELAY_MS [SEED [FILE]]]]

The experiment of heap_loop.py. Mesa's usual steps of equal length would round every time; its
DEVSimulator keeps them as they are, and goes from one event to the next.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

import mesa
from mesa.experimental.devs import DEVSimulator
from timed_trials import run

NODES = 5
LOW, HIGH = 150.0, 300.0
LOGS = [(1, 2), (1, 2), (1, 2), (1, 1), (1, 1)]


class Server(mesa.Agent):
    """One server; server 0, which crashes, is not simulated beyond that it does not answer."""

    def __init__(self, model: Cluster, me: int) -> None:
        super().__init__(model)
        self.me = me
        self.role, self.term = "follower", 1
        self.voted_for: int | None = 0
        self.leader: int | None = 0
        self.votes: set[int] = set()
        self.timeout: Any = None
        self.await_leader()

    def await_leader(self) -> None:
        """A new timeout begins."""
        self.stop_waiting()
        span = self.model.draw.uniform(LOW, HIGH)
        self.timeout = self.model.simulator.schedule_event_relative(self.stand, span)

    def stop_waiting(self) -> None:
        """A leader has no timeout."""
        if self.timeout is not None:
            self.timeout.cancel()
            self.timeout = None

    def stand(self) -> None:
        """A new term, a vote for oneself, a request to everybody."""
        self.role, self.voted_for, self.leader = "candidate", self.me, None
        self.term += 1
        self.votes = {self.me}
        self.await_leader()
        self.send_all("request", self.term, LOGS[self.me])

    def send(self, to: Server, *message: Any) -> None:
        """Puts a message on its way."""
        self.model.simulator.schedule_event_relative(
            to.handle, self.model.delay, function_args=[self, *message]
        )

    def send_all(self, *message: Any) -> None:
        """To every survivor but oneself."""
        for server in self.model.servers:
            if server is not self:
                self.send(server, *message)

    def adopt(self, term: int) -> None:
        """A newer term makes a follower."""
        if term > self.term:
            if self.role == "leader":
                self.await_leader()
            self.term, self.role, self.voted_for, self.leader = term, "follower", None, None

    def handle(self, sender: Server, kind: str, term: int, body: Any = None) -> None:
        """One message."""
        self.adopt(term)
        if kind == "request":
            granted = (
                term == self.term and self.voted_for in (None, sender.me) and body >= LOGS[self.me]
            )
            if granted:
                self.voted_for = sender.me
                self.await_leader()
            self.send(sender, "vote", self.term, granted)
        elif kind == "vote":
            if body and self.role == "candidate" and term == self.term:
                self.votes.add(sender.me)
                if len(self.votes) > NODES // 2:
                    self.role, self.leader = "leader", self.me
                    self.stop_waiting()
                    self.send_all("heartbeat", self.term)
        elif term == self.term:
            self.role, self.leader = "follower", sender.me
            self.await_leader()
            self.model.look(sender)


class Cluster(mesa.Model):
    """Four survivors."""

    def __init__(self, draw: random.Random, delay: float) -> None:
        super().__init__(seed=1)
        self.simulator = DEVSimulator()
        self.simulator.setup(self)
        self.draw, self.delay = draw, delay
        self.over = False
        self.servers = [Server(self, i) for i in range(1, NODES)]

    def look(self, leader: Server) -> None:
        """Whether all name it."""
        if leader.role == "leader" and all(s.leader == leader.me for s in self.servers):
            self.over = True


def trial(draw: random.Random, delay: float) -> float:
    """Time from the crash until all survivors name a new leader, ms."""
    crash = draw.uniform(0.0, LOW / 2)
    cluster = Cluster(draw, delay)
    while not cluster.over:
        cluster.simulator.run_next_event()
    return float(cluster.simulator.time) - crash


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # some versions announce others
    run(trial, 1000)

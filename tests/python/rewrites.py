"""Bully and Raft once more, in Python, as a user would write them; and an election by lease.

The first two do what the engine's own do, message for message and timer for timer, so the same
seed must give the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import electionlab as el


class PythonBully(el.UserProtocol):
    messages = ("Election", "Ok", "Coordinator", "Heartbeat")
    timers = ("leader", "answer", "coordinator", "heartbeat")

    def __init__(self, nodes: int) -> None:
        super().__init__(nodes)
        self.options = el.Bully(nodes).options

    def memory(self, node: int) -> dict[str, Any]:
        return {"phase": "idle", "leader": 0, "missed": 0}

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        if ctx.memory["phase"] != "idle":
            return "candidate", ctx.memory["leader"], 0
        leads = ctx.memory["leader"] == ctx.node
        return "leader" if leads else "follower", ctx.memory["leader"], 0

    def on_start(self, ctx: el.NodeContext) -> None:
        if ctx.initial_leader == 0:
            self.hold_election(ctx, 0)
        elif ctx.initial_leader == ctx.node:
            ctx.memory["leader"] = ctx.node
            ctx.set_timer("heartbeat", self.options["heartbeat_interval_ms"])
        else:
            self.follow(ctx, ctx.initial_leader)

    def on_restart(self, ctx: el.NodeContext) -> None:
        self.hold_election(ctx, 0)

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        if timer == "answer":
            self.become_leader(ctx)
        elif timer == "heartbeat":
            ctx.broadcast("Heartbeat")
            ctx.set_timer("heartbeat", self.options["heartbeat_interval_ms"])
        elif timer == "leader":
            self.hold_election(ctx, ctx.memory["leader"])
        else:
            self.hold_election(ctx, ctx.memory["missed"])

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        if message.kind == "Election":
            ctx.send(sender, "Ok")
            idle, leader = ctx.memory["phase"] == "idle", ctx.memory["leader"]
            if idle and leader == ctx.node:
                ctx.send(sender, "Coordinator")
            elif idle and leader == message.missed != ctx.memory["missed"]:
                self.hold_election(ctx, leader)
        elif message.kind == "Ok":
            if ctx.memory["phase"] == "awaits_answer":
                ctx.memory["phase"] = "awaits_coordinator"
                ctx.cancel_timer("answer")
                ctx.set_timer("coordinator", self.options["coordinator_timeout_ms"])
        elif sender < ctx.node:
            if message.kind == "Heartbeat" and self.view(ctx)[0] == "leader":
                ctx.send(sender, "Coordinator")
        elif message.kind == "Coordinator" or ctx.memory["phase"] != "idle":
            self.follow(ctx, sender)
        else:
            ctx.memory["missed"] = 0
            if sender >= ctx.memory["leader"]:
                self.follow(ctx, sender)

    def hold_election(self, ctx: el.NodeContext, missed: int) -> None:
        for timer in ("leader", "heartbeat", "coordinator"):
            ctx.cancel_timer(timer)
        ctx.memory.update(leader=0, missed=missed)
        if ctx.node == ctx.members:
            return self.become_leader(ctx)
        ctx.memory["phase"] = "awaits_answer"
        for higher in range(ctx.node + 1, ctx.members + 1):
            ctx.send(higher, "Election", missed=missed)
        ctx.set_timer("answer", self.options["answer_timeout_ms"])
        return None

    def become_leader(self, ctx: el.NodeContext) -> None:
        ctx.memory.update(phase="idle", leader=ctx.node, missed=0)
        for lower in range(1, ctx.node):
            ctx.send(lower, "Coordinator")
        ctx.set_timer("heartbeat", self.options["heartbeat_interval_ms"])

    def follow(self, ctx: el.NodeContext, leader: int) -> None:
        for timer in ("answer", "coordinator", "heartbeat"):
            ctx.cancel_timer(timer)
        ctx.memory.update(phase="idle", leader=leader)
        if ctx.memory["missed"] != leader:
            ctx.memory["missed"] = 0
        ctx.set_timer("leader", self.options["leader_timeout_ms"])


class PythonRaft(el.UserProtocol):
    messages = ("VoteRequest", "VoteReply", "Heartbeat", "HeartbeatReply")
    timers = ("election", "heartbeat")
    epochs = True
    majority = True

    def disk(self, node: int) -> dict[str, Any]:
        return {"current_term": 0, "voted_for": 0, "last_log": {"term": 0, "index": 0}}

    def memory(self, node: int) -> dict[str, Any]:
        return {"role": "follower", "leader": 0, "votes": set()}

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        # A disk that was lost is None.
        term = ctx.disk["current_term"] if ctx.disk else 0
        return ctx.memory["role"], ctx.memory["leader"], term

    def wait_for_leader(self, ctx: el.NodeContext) -> None:
        ctx.set_timer("election", 150, 300)

    def on_start(self, ctx: el.NodeContext) -> None:
        if ctx.initial_leader:
            ctx.disk.update(current_term=1, voted_for=ctx.initial_leader)
            ctx.memory["leader"] = ctx.initial_leader
            ctx.persist()
        if ctx.initial_leader == ctx.node:
            ctx.memory["role"] = "leader"
            ctx.set_timer("heartbeat", 50)
        else:
            self.wait_for_leader(ctx)

    def on_restart(self, ctx: el.NodeContext) -> None:
        if ctx.disk is None:
            ctx.disk = self.disk(ctx.node)
        self.wait_for_leader(ctx)

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        if timer == "heartbeat":
            return self.send_heartbeats(ctx)
        ctx.disk.update(current_term=ctx.disk["current_term"] + 1, voted_for=ctx.node)
        ctx.persist()
        ctx.memory.update(role="candidate", leader=0, votes={ctx.node})
        self.wait_for_leader(ctx)
        if len(ctx.memory["votes"]) >= ctx.quorum:
            return self.become_leader(ctx)
        return ctx.broadcast(
            "VoteRequest", term=ctx.disk["current_term"], last_log=ctx.disk["last_log"]
        )

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        if message.term > ctx.disk["current_term"]:
            if ctx.memory["role"] == "leader":
                ctx.cancel_timer("heartbeat")
                self.wait_for_leader(ctx)
            ctx.disk.update(current_term=message.term, voted_for=0)
            ctx.persist()
            ctx.memory.update(role="follower", leader=0)
        getattr(self, "on_" + message.kind)(ctx, sender, message)

    def on_VoteRequest(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        disk = ctx.disk
        granted = message.term == disk["current_term"] and disk["voted_for"] in (0, sender)
        if granted:
            if disk["voted_for"] == 0:
                disk["voted_for"] = sender
                ctx.persist()
            self.wait_for_leader(ctx)
        ctx.send(sender, "VoteReply", term=disk["current_term"], granted=granted)

    def on_VoteReply(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        memory = ctx.memory
        in_time = memory["role"] == "candidate" and message.term == ctx.disk["current_term"]
        if in_time and message.granted:
            memory["votes"].add(sender)
            if len(memory["votes"]) >= ctx.quorum:
                self.become_leader(ctx)

    def on_Heartbeat(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        if message.term == ctx.disk["current_term"]:
            if ctx.memory["role"] != "follower":
                ctx.cancel_timer("heartbeat")
            ctx.memory.update(role="follower", leader=sender)
            self.wait_for_leader(ctx)
        ctx.send(sender, "HeartbeatReply", term=ctx.disk["current_term"])

    def on_HeartbeatReply(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        """A newer term in the answer has already made a stale leader step down."""

    def become_leader(self, ctx: el.NodeContext) -> None:
        ctx.memory.update(role="leader", leader=ctx.node)
        ctx.cancel_timer("election")
        self.send_heartbeats(ctx)

    def send_heartbeats(self, ctx: el.NodeContext) -> None:
        ctx.broadcast("Heartbeat", term=ctx.disk["current_term"])
        ctx.set_timer("heartbeat", 50)


class LeaseElection(el.UserProtocol):
    """Members lead while they hold a lease of a lock service, and write to a storage.

    The lock numbers its leases: a fencing token, which the storage can be told to check.
    """

    messages = ("Acquire", "Granted", "Denied", "Write", "Written", "Refused")
    timers = ("retry", "renew", "work", "lease")
    services: Mapping[str, int] = {"lock": 1, "storage": 1}
    epochs = True
    LEASE_MS = 100.0

    def __init__(self, nodes: int, *, fencing: bool) -> None:
        super().__init__(nodes)
        self.fencing = fencing

    def kind(self, ctx: el.NodeContext) -> str:
        return ("member", "lock", "storage")[max(0, ctx.node - ctx.members)]

    def disk(self, node: int) -> dict[str, Any]:
        if node <= self.nodes:
            return {}
        if node == self.nodes + 1:
            return {"token": 0, "holder": 0}
        return {"highest_token_seen": 0, "written": 0, "stale": 0, "refused": 0}

    def memory(self, node: int) -> dict[str, Any]:
        return {"token": 0, "leader": 0}

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        if self.kind(ctx) != "member":
            return "service", 0, 0
        leads = ctx.memory["token"] > 0
        return "leader" if leads else "follower", ctx.memory["leader"], ctx.memory["token"]

    def on_start(self, ctx: el.NodeContext) -> None:
        if self.kind(ctx) == "member":
            ctx.set_timer("retry", 0, 20)
        elif self.kind(ctx) == "lock" and ctx.disk["holder"]:
            ctx.set_timer("lease", self.LEASE_MS)  # it may have been renewed just before a crash

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        lock, storage = ctx.members + 1, ctx.members + 2
        if timer in ("retry", "renew"):
            ctx.send(lock, "Acquire")
            ctx.set_timer("retry", 20, 40)
        elif timer == "work":
            ctx.send(storage, "Write", token=ctx.memory["token"])
            ctx.set_timer("work", 10)
        elif self.kind(ctx) == "lock":
            ctx.disk["holder"] = 0
            ctx.persist()
        else:
            ctx.note("its lease is over: it steps down")
            ctx.memory.update(token=0, leader=0)
            ctx.cancel_timer("work")

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        if message.kind == "Acquire":
            if ctx.disk["holder"] in (0, sender):
                if ctx.disk["holder"] == 0:
                    ctx.disk.update(holder=sender, token=ctx.disk["token"] + 1)
                    ctx.persist()
                ctx.set_timer("lease", self.LEASE_MS)
                ctx.send(sender, "Granted", token=ctx.disk["token"])
            else:
                ctx.send(sender, "Denied", holder=ctx.disk["holder"])
        elif message.kind == "Granted":
            if not ctx.memory["token"]:
                ctx.set_timer("work", 10)
            ctx.memory.update(token=message.token, leader=ctx.node)
            ctx.set_timer("lease", self.LEASE_MS - 30)  # shorter than the lock's: answers travel
        elif message.kind == "Denied":
            ctx.memory.update(token=0, leader=message.holder)
        elif message.kind == "Write":
            stale = message.token < ctx.disk["highest_token_seen"]
            if stale and self.fencing:
                ctx.disk["refused"] += 1
                ctx.send(sender, "Refused", highest_token_seen=ctx.disk["highest_token_seen"])
            else:
                ctx.disk["written"] += 1
                ctx.disk["stale"] += stale
                ctx.disk["highest_token_seen"] = max(message.token, ctx.disk["highest_token_seen"])
                ctx.send(sender, "Written", token=message.token)
            ctx.persist()
        elif message.kind == "Refused" and message.highest_token_seen > ctx.memory["token"]:
            ctx.memory.update(token=0, leader=0)
            ctx.cancel_timer("work")

"""Going back and forth: undo, seek, fork, replay and peek, whatever was done before."""

from __future__ import annotations

import copy
import pickle
import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support import ENGINE, messages_in_flight, settled, whole_state

import electionlab as el

NETWORKS = [
    el.Network(),
    el.Network(loss_probability=0.1, duplicate_probability=0.1),
    el.Network(one_way_delay_ms=el.exponential(8), fifo=True),
    el.Network(reorder_probability=0.3, reorder_delay_ms=(5, 40)),
]
MACHINES = [el.Machine(), el.Machine(write_delay_ms=(1, 4)), el.Machine(processing_ms=0.5)]


def some_cluster(rng: random.Random) -> el.Cluster:
    protocol = rng.choice(ENGINE)(rng.randint(2, 5))
    return el.Cluster(
        protocol,
        network=rng.choice(NETWORKS),
        machine=rng.choice(MACHINES),
        seed=rng.getrandbits(63),
    )


def some_action(cluster: el.Cluster, rng: random.Random) -> el.Action:
    """Any action that is allowed now."""
    node = rng.randint(1, cluster.actors)
    other = rng.randint(1, cluster.actors - 1)
    other += other >= node
    actions: list[Any] = [
        lambda: el.crash(node),
        lambda: el.crash("leader", restart_after_ms=rng.uniform(0, 200)),
        lambda: el.crash("random", restart_after_ms=50, lose_disk=True),
        lambda: el.restart(node),
        lambda: el.restart(node, lose_disk=True),
        lambda: el.pause(node),
        lambda: el.pause("leader", resume_after_ms=rng.uniform(0, 200)),
        lambda: el.resume(node),
        lambda: el.partition([node], [other]),
        lambda: el.cut(node, other),
        lambda: el.mend(node, other),
        el.heal,
        lambda: el.link(el.Link(loss_probability=0.5, duplicate_probability=0.2)),
        lambda: el.link(el.Link(one_way_delay_ms=(1, 60)), node, other),
        lambda: el.clock(node, offset_ms=rng.uniform(-50, 50), drift_ppm=rng.uniform(-1e4, 1e4)),
        lambda: el.slow(node, rng.uniform(0, 3)),
        lambda: el.disk(node, rng.uniform(0, 5)),
        lambda: el.at(cluster.now + rng.uniform(0, 100), el.crash(node, restart_after_ms=30)),
        lambda: el.when(el.pause("trigger", resume_after_ms=20), role="candidate"),
        lambda: el.at_random(el.crash("random"), every_ms=300, repair_after_ms=50, keep_up=1),
        lambda: el.at_random(el.cut(), every_ms=200, repair_after_ms=(10, 50)),
    ]
    pending = cluster.pending
    flying = [p.message for p in pending if p.kind == "message" and p.sent_ms <= cluster.now]
    if flying:
        message = rng.choice(flying)
        actions += 2 * [
            lambda: el.deliver(message),
            lambda: el.drop(message),
            lambda: el.duplicate(message),
            lambda: el.delay(message, rng.uniform(0, 50)),
        ]
    armed = [(n.node, t) for n in cluster.nodes for t in n.timers_due_ms]
    if armed:
        actions += 3 * [lambda: el.fire(*rng.choice(armed))]
    action: el.Action = rng.choice(actions)()
    return action


def mark(cluster: el.Cluster) -> tuple[Any, ...]:
    return cluster.fingerprint(), cluster.now_ns, cluster.events, cluster.trace.hash()


class Program:
    """Random steps, with what every event's state looked like."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.cluster = some_cluster(self.rng)
        self.marks = {0: mark(self.cluster)}

    def remember(self, since: int) -> None:
        """What had come after event `since` was replaced by what has happened now."""
        self.marks = {k: v for k, v in self.marks.items() if k <= since}
        self.marks[self.cluster.events] = mark(self.cluster)

    def step(self) -> None:
        before = self.cluster.events
        if self.cluster.step() is not None:
            self.remember(before)

    def run(self) -> None:
        before = self.cluster.events
        if self.rng.random() < 0.5:
            self.cluster.run(max_events=self.rng.randint(0, 30))
        else:
            self.cluster.run_for(self.rng.uniform(0, 60), max_events=60)
        self.remember(before)

    def act(self) -> None:
        before = self.cluster.events
        event = self.cluster.act(some_action(self.cluster, self.rng))
        assert event.step == self.cluster.events == before + 1
        self.remember(before)

    def undo(self) -> None:
        known = [k for k in self.marks if k <= self.cluster.events]
        target = self.rng.choice(known)
        self.cluster.undo(self.cluster.events - target)
        assert mark(self.cluster) == self.marks[target]

    def step_and_undo(self) -> None:
        before = mark(self.cluster)
        last = self.cluster.last_event
        if self.cluster.step() is not None:
            self.cluster.undo()
        assert mark(self.cluster) == before
        if last != before[2]:  # the future that was undone is another one now
            self.marks = {k: v for k, v in self.marks.items() if k <= before[2]}

    def seek(self) -> None:
        known = [k for k in self.marks if k <= self.cluster.last_event]
        target = self.rng.choice(known)
        self.cluster.seek(target)
        assert mark(self.cluster) == self.marks[target]

    def peek(self) -> None:
        before = mark(self.cluster)
        told = self.cluster.peek()
        action = some_action(self.cluster, self.rng)
        assert self.cluster.peek(action)
        assert mark(self.cluster) == before
        if self.cluster.last_event == before[2]:
            size = len(self.cluster.trace)
            self.cluster.step()
            lines = list(self.cluster.trace.lines())[size:]
            assert lines == told
            if told:  # else nothing was left to happen
                self.cluster.undo()
            assert mark(self.cluster) == before

    def fork(self) -> None:
        before = mark(self.cluster)
        other = self.cluster.fork()
        assert mark(other) == before
        other.run(max_events=5)
        other.act(some_action(other, self.rng))
        forked = mark(other)
        assert forked != before
        assert mark(self.cluster) == before
        if self.rng.random() < 0.5:  # go on with the copy; what happens to the first is no matter
            self.cluster.run(max_events=3)
            self.cluster, first = other, self.cluster
            first.undo(first.events)
            del first
            assert mark(self.cluster) == forked
            self.marks = {self.cluster.events: forked}
        else:
            self.marks = {k: v for k, v in self.marks.items() if k <= self.cluster.last_event}

    def replay(self) -> None:
        again = self.cluster.trace.replay()
        assert mark(again) == mark(self.cluster)
        if self.rng.random() < 0.3:
            again.step()
            one = self.cluster.fork()
            one.step()
            assert mark(one) == mark(again)

    def any(self) -> None:
        self.rng.choice(
            [
                self.step, self.step, self.run, self.act, self.act, self.undo, self.step_and_undo,
                self.seek, self.peek, self.fork, self.replay,
            ]
        )()  # fmt: skip


def test_ten_thousand_random_programs() -> None:
    done: dict[str, int] = {}
    for seed in range(10_000):
        program = Program(seed)
        try:
            for _ in range(program.rng.randint(4, 12)):
                program.any()
            program.replay()
        except BaseException:
            print(f"program of seed {seed}")
            raise
        report = dict(program.cluster.fault_report)
        took = {name: counts["effective"] for name, counts in report.pop("actions").items()}
        for name, count in {**report, **took}.items():
            done[name] = done.get(name, 0) + count
    kinds = [
        "crash", "restart", "pause", "resume", "partition", "cut", "mend", "heal", "link",
        "clock", "slow", "disk", "deliver", "drop", "duplicate", "delay", "fire", "at", "when",
        "plan", "messages_lost", "messages_duplicated", "messages_held_up", "messages_overtaken",
        "messages_cut", "messages_to_down_nodes", "messages_unsent", "writes_lost", "disks_lost",
        "events_held_by_pause", "events_held_by_load", "timers_on_odd_clocks",
    ]  # fmt: skip
    assert [kind for kind in kinds if not done.get(kind)] == []


class History(RuleBasedStateMachine):
    """The same, as hypothesis searches and shrinks it."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.program = Program(seed)

    @rule(name=st.sampled_from(["step", "run", "act", "undo", "step_and_undo"]))
    def change(self, name: str) -> None:
        getattr(self.program, name)()

    @rule(name=st.sampled_from(["seek", "peek", "fork", "replay"]))
    def look(self, name: str) -> None:
        getattr(self.program, name)()

    @invariant()
    def state_is_that_of_its_event(self) -> None:
        if hasattr(self, "program"):
            cluster = self.program.cluster
            assert mark(cluster) == self.program.marks[cluster.events]


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=25)


@pytest.mark.parametrize("protocol", ENGINE)
def test_everything_visible_comes_back(protocol: Any) -> None:
    cluster = el.Cluster(protocol(4), seed=3, network=el.Network(loss_probability=0.05))
    states = [whole_state(cluster)]
    for number in range(1, 400):
        if number % 29 == 0:
            cluster.crash("random", restart_after_ms=40)
        elif number % 37 == 0:
            cluster.set_link(el.Link(one_way_delay_ms=(1, number)), 1, 2)
        elif number % 41 == 0:
            cluster.isolate(1 + number % 4)
        elif number % 43 == 0:
            cluster.heal()
        else:
            cluster.step()
        states.append(whole_state(cluster))
    for number in [399, 398, 397, 390, 200, 201, 150, 0, 1, 399, 64, 63, 65, 128, 0]:
        cluster.seek(number)
        assert whole_state(cluster) == states[number], number
    cluster.seek(399)
    cluster.undo(7)
    assert whole_state(cluster) == states[392]
    cluster.undo(0)
    assert whole_state(cluster) == states[392]
    cluster.undo()
    assert whole_state(cluster) == states[391]


def test_undone_future_can_be_sought_until_something_else_happens() -> None:
    cluster = settled(el.Raft(3))
    cluster.crash("leader")
    cluster.run_for(500)
    last, state = cluster.events, whole_state(cluster)
    cluster.undo(last)
    assert (cluster.now, cluster.events, cluster.last_event) == (0.0, 0, last)
    cluster.seek(last)
    assert whole_state(cluster) == state
    cluster.undo(10)
    cluster.step()
    assert cluster.last_event == last - 9
    with pytest.raises(ValueError, match=f"event={last}: must be a whole number from 0 to"):
        cluster.seek(last)


def test_refused_action_keeps_the_undone_future() -> None:
    cluster = settled(el.Raft(3))
    last = cluster.last_event
    cluster.undo(3)
    with pytest.raises(ValueError, match=r"crash.node=9"):
        cluster.crash(9)
    with pytest.raises(ValueError, match="message=99999: is not in flight"):
        cluster.drop(99999)
    assert cluster.last_event == last
    cluster.seek(last)


def test_a_wait_without_events_is_part_of_the_history() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    cluster.run_for(20)
    assert cluster.now == 20.0
    cluster.crash(1)
    cluster.run_for(5)
    state = whole_state(cluster)
    cluster.undo()
    assert cluster.now == 20.0
    cluster.seek(cluster.last_event)
    assert whole_state(cluster) == state
    assert whole_state(cluster.trace.replay()) == state


@pytest.mark.parametrize(
    "copied",
    [
        lambda c: c.fork(),
        copy.copy,
        copy.deepcopy,
        lambda c: pickle.loads(pickle.dumps(c)),
        lambda c: pickle.loads(pickle.dumps(c, protocol=2)),
        lambda c: c.trace.replay(),
    ],
)
@pytest.mark.parametrize("protocol", ENGINE)
def test_copies_are_equal_and_independent(protocol: Any, copied: Any) -> None:
    cluster = settled(protocol(5), network=el.Network(loss_probability=0.02))
    cluster.crash("leader", restart_after_ms=300)
    cluster.run_for(100)
    seen: list[el.Event] = []
    cluster.observe(seen.append)
    state = whole_state(cluster)
    other = copied(cluster)
    assert type(other) is el.Cluster
    assert whole_state(other) == state
    assert (other.seed, other.protocol) == (cluster.seed, cluster.protocol)
    other.run_for(1000)
    other.crash(1)
    assert whole_state(cluster) == state
    assert seen == []
    cluster.run_for(1000)
    cluster.crash(1)
    assert whole_state(other) == whole_state(cluster)
    assert len(seen) > 10
    other.undo(other.events)
    assert other.events == 0
    assert cluster.events > 0


def test_pickle_holds_no_memory_but_the_recipe() -> None:
    cluster = settled(el.Raft(5))
    size = len(pickle.dumps(cluster))
    cluster.run_for(60_000)
    assert len(pickle.dumps(cluster)) < size + 200


def test_unrecorded_cluster_says_that_it_cannot_go_back() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1, record=False)
    cluster.run_until_leader()
    assert not cluster.records
    for refused in [
        lambda: cluster.undo(),
        lambda: cluster.seek(0),
        lambda: cluster.trace,
        lambda: pickle.dumps(cluster),
    ]:
        with pytest.raises(ValueError, match="record"):
            refused()
    other = cluster.fork()
    other.run_for(100)
    assert other.now > cluster.now
    assert cluster.peek()


def test_peek_tells_what_will_happen_and_changes_nothing() -> None:
    cluster = settled(el.Raft(3))
    cluster.crash("leader")
    for _ in range(60):
        state = whole_state(cluster)
        entry = cluster.pending[0]
        told = cluster.peek()
        if entry.kind != "start":
            assert told
        assert whole_state(cluster) == state
        size = len(cluster.trace)
        cluster.step()
        assert list(cluster.trace.lines())[size:] == told


def test_peek_of_a_message_a_timer_and_an_action() -> None:
    cluster = el.Cluster(el.Raft(3), seed=5)
    with pytest.raises(ValueError, match="in its turn only"):
        cluster.peek(cluster.pending[1])
    assert cluster.peek(cluster.pending[0]) == cluster.peek()
    assert cluster.peek()[0].endswith("node 1 starts")
    while not messages_in_flight(cluster):
        cluster.step()
    cluster.at(900, el.crash(2))
    state = whole_state(cluster)
    message = messages_in_flight(cluster)[-1]
    timer = next(p for p in cluster.pending if p.kind == "timer")
    planned = next(p for p in cluster.pending if p.kind == "action")
    assert f"node {message.node} receives {message.message_kind}" in cluster.peek(message)[1]
    assert cluster.peek(message) == cluster.peek(el.deliver(message.message))
    assert f"node {timer.node}: its {timer.timer} timer expires" in cluster.peek(timer)[1]
    assert cluster.peek(timer) == cluster.peek(el.fire(timer.node, timer.timer))
    assert "node 2: crash" in cluster.peek(planned)[0]
    assert "is lost: dropped by hand" in cluster.peek(el.drop(message.message))[1]
    assert whole_state(cluster) == state
    with pytest.raises(ValueError, match="is not in flight"):
        cluster.peek(el.deliver(10**9))
    assert whole_state(cluster) == state


def test_peek_at_the_end_is_empty() -> None:
    cluster = el.Cluster(el.Bully(1), seed=1)
    cluster.run(max_events=10)
    cluster.crash(1)
    assert cluster.pending == []
    assert cluster.peek() == []
    assert cluster.step() is None


def test_message_that_has_not_left_cannot_arrive() -> None:
    cluster = el.Cluster(el.Raft(3), machine=el.Machine(write_delay_ms=20), seed=3)
    cluster.run(lambda c: bool(messages_in_flight(c)))
    message = messages_in_flight(cluster)[0]
    assert message.sent_ms == pytest.approx(cluster.now + 20)
    state = whole_state(cluster)
    with pytest.raises(ValueError, match="has not left its node"):
        cluster.deliver(message)
    assert whole_state(cluster) == state


def test_memory_of_a_long_history_stays_bounded_in_copies() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    marks = {}
    for _ in range(60):
        cluster.run(max_events=500)
        marks[cluster.events] = cluster.fingerprint()
    for event in reversed(list(marks)):
        cluster.seek(event)
        assert cluster.fingerprint() == marks[event]


def test_run_after_a_replay_is_bounded() -> None:
    cluster = settled(el.Raft(3))
    cluster.run(max_events=500)
    for other in (pickle.loads(pickle.dumps(cluster)), cluster.trace.replay()):
        other.run(max_events=20)
        assert other.events == cluster.events + 20
    events = cluster.events
    cluster.seek(events // 2)
    cluster.run(max_events=7)
    assert cluster.events == events // 2 + 7


@pytest.mark.parametrize("seed", range(40))
def test_trace_is_the_same_whenever_somebody_looks(seed: int) -> None:
    """One cluster is looked at after everything, its twin now and then, a third at the end only."""
    looks = {"always": 1.0, "sometimes": 0.2, "at the end": 0.0}
    clusters = {name: some_cluster(random.Random(seed)) for name in looks}
    all_ends = []
    rng = random.Random(seed)
    for _ in range(30):
        events, back, ahead, ms = (rng.randrange(n) for n in (70, 60, 40, 30))
        what, chance = rng.randrange(6), rng.random()
        action = some_action(clusters["always"], rng)
        if what == 0:
            all_ends.append(clusters)
            clusters = {name: cluster.fork() for name, cluster in clusters.items()}
        for name, cluster in clusters.items():
            if what == 1:
                cluster.undo(min(back, cluster.events))
            elif what == 2:
                cluster.seek(min(cluster.events + ahead, cluster.last_event))
            elif what == 3:
                cluster.run_for(ms)
            elif what == 4:
                cluster.act(action)
            else:
                cluster.run(max_events=events)
            if chance < looks[name]:
                assert len(cluster.trace) > 0 or cluster.events == 0
    for ends in [*all_ends, clusters]:
        found = {name: (c.trace.hash(), len(c.trace), c.events) for name, c in ends.items()}
        assert len(set(found.values())) == 1, f"seed {seed}: {found}"

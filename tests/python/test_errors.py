"""Bad input is refused at the door: the name, the value, what is allowed, and nothing changed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import messages_in_flight, settled, whole_state

import electionlab as el
from electionlab import _core, fig16

NAN, INF = math.nan, math.inf
A_LIST: list[Any] = []
A_LIST.append(A_LIST)
AN_ACTION: dict[str, Any] = {"action": "at", "at_ms": 5}
AN_ACTION["do"] = AN_ACTION

WHOLE = [
    0,
    -1,
    True,
    "5",
    5.0,
    NAN,
    None,
    [5],
    np.bool_(True),
    np.float64(5),
    10_001,
    10**30,
    1 + 0j,
]


@pytest.mark.parametrize("nodes", WHOLE, ids=repr)
@pytest.mark.parametrize("protocol", [el.Raft, el.Bully, el.Ring])
def test_number_of_nodes(protocol: Any, nodes: Any) -> None:
    with pytest.raises(ValueError, match=r"nodes=.*: must be a whole number from 1 to 10000"):
        protocol(nodes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"election_timeout_ms": (300, 150)}, r"election_timeout_ms=\[300, 150\]: .*min <= max"),
        ({"election_timeout_ms": NAN}, "election_timeout_ms=nan: must be a number of milli"),
        ({"election_timeout_ms": (150, INF)}, "election_timeout_ms=inf"),
        ({"election_timeout_ms": -5}, "election_timeout_ms=-5"),
        ({"election_timeout_ms": "fast"}, "election_timeout_ms='fast'"),
        ({"election_timeout_ms": True}, "election_timeout_ms=true"),
        ({"election_timeout_ms": (1, 2, 3)}, "election_timeout_ms=.*one number or a pair"),
        ({"election_timeout_ms": (150, "b")}, "election_timeout_ms='b'"),
        ({"election_timeout_ms": 1e-9}, "election_timeout_ms=.*above 0"),
        ({"election_timeout_ms": 1e300}, r"election_timeout_ms=1e\+300"),
        ({"election_timeout_ms": 10**30}, "election_timeout_ms=10{30}: must fit in 64 bits"),
        ({"election_timeout_ms": object()}, "election_timeout_ms=<object"),
        ({"heartbeat_interval_ms": 0}, "heartbeat_interval_ms=0.0: must be above 0"),
        ({"timeout_policy": "sometimes"}, "timeout_policy='sometimes': must be one of 'redrawn'"),
        ({"timeout_policy": 3}, "timeout_policy=3"),
        ({"timeout_policy": "\ud800"}, "timeout_policy='.*ud800': must be text that UTF-8"),
        ({"logs": [(1, 2)]}, "logs=.*one entry for each of the 5 nodes"),
        ({"terms": [1, 2]}, r"terms=\[1, 2\]: must be empty or have one for each of the 5"),
        ({"terms": [1, 1, 1, 1, -1]}, "terms=-1: must be a whole number of at least 0"),
        ({"logs": A_LIST}, "logs=...: must not be nested deeper than 100"),
        ({"logs": [(1,)] * 5}, "logs=.*'index' is missing"),
        ({"heartbeat_ms": 3}, "heartbeat_ms=3: is not known here; known are: election_timeout_ms"),
    ],
)
def test_options(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        el.Raft(5, **options)


SEEDS = [-1, 2**63, True, 1.5, "a", [1], np.bool_(True), np.float64(3), np.uint64(2**63),
         np.random.default_rng(1), object(), np.array([1, 2])]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: type(seed).__name__)
def test_seeds(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"(?s)seed=.*: must be a whole number from 0 to 92233"):
        el.Cluster(el.Raft(3), seed=seed)


@pytest.mark.parametrize("seed", [0, 5, 2**63 - 1, np.int8(5), np.uint64(5)], ids=repr)
def test_seeds_that_are_good(seed: Any) -> None:
    assert el.Cluster(el.Raft(3), seed=seed).seed == int(seed)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"network": 3}, "network=3: must be an electionlab.Network"),
        ({"network": el.Link()}, "network=Link.*: must be an electionlab.Network"),
        ({"network": el.Network(links={(1, 9): el.Link()})}, "network.links.to=9"),
        ({"machine": 3}, "machine=3: must be an electionlab.Machine"),
        ({"machine": {}}, "machine={}: must be an electionlab.Machine"),
        ({"machine": 0}, "machine=0: must be an electionlab.Machine"),
        ({"machines": {1: 3}}, r"machines\[1\]=3"),
        ({"machines": [el.Machine()]}, "machines=.*must be a dict"),
        ({"machines": {9: el.Machine()}}, "node=9: must be a whole number from 1 to 5"),
        ({"machines": {True: el.Machine()}}, "node=true"),
        ({"write_mode": "x"}, "write_mode='x': must be 'blocking' or 'pipelined'"),
        ({"write_mode": 3}, "write_mode=3"),
        ({"initial_leader": 9}, "initial_leader=9"),
        ({"initial_leader": True}, "initial_leader=true"),
        ({"initial_leader": "leader"}, "initial_leader='leader'"),
        ({"actions": [3]}, "action=3: must be an action such as"),
        ({"actions": el.crash(1)}, "actions=crash.*must be a list"),
        ({"actions": 3}, "actions=3: must be a list"),
        ({"actions": "crash"}, "actions='crash': must be a list"),
        ({"actions": [el.crash(6)]}, "crash.node=6"),
        ({"actions": [el.crash("trigger")]}, "crash.node='trigger': .*in what 'when' does"),
        ({"actions": [el.at(5, el.pause("trigger"))]}, "pause.node='trigger'"),
        ({"actions": [el.when(el.at(5, el.crash("trigger")), role="leader")]}, "crash.node='trig"),
        (
            {"actions": [el.at_random(el.crash("trigger"), every_ms=5)]},
            "crash.node='trigger': must be a node from 1 to 5",
        ),
        (
            {"actions": [el.at_random(el.heal(), every_ms=5, from_ms=50, until_ms=10)]},
            "plan.until_ms=10: must not be below plan.from_ms=50",
        ),
        ({"actions": [AN_ACTION]}, "must not be nested deeper"),
        ({"record": 3}, "record=3: must be True or False"),
        ({"record": "no"}, "record='no': must be True or False"),
        ({"one_leader_at_a_time": 3}, "one_leader_at_a_time=3"),
    ],
)
def test_cluster_arguments(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        el.Cluster(el.Raft(5), seed=1, **arguments)


@pytest.mark.parametrize("protocol", ["raft", None, el.Raft, 3, el.UserProtocol, object()])
def test_what_is_no_protocol(protocol: Any) -> None:
    with pytest.raises(ValueError, match=r"protocol=.*must be a protocol such as"):
        el.Cluster(protocol)


@pytest.mark.parametrize("name", ["rafft", "", None, ["raft"], 3])
def test_unknown_protocol_names(name: Any) -> None:
    names = ", ".join(el.PROTOCOLS)
    with pytest.raises(ValueError, match=rf"protocol=.*must be one of {names}"):
        el.make_protocol(name, 3)


def first_message(c: el.Cluster) -> el.PendingEvent:
    return messages_in_flight(c)[0]


def a_timer(c: el.Cluster) -> el.PendingEvent:
    return next(p for p in c.pending if p.kind == "timer")


CALLS: list[tuple[str, Callable[[Any], Any], str]] = [
    ("crash 9", lambda c: c.crash(9), "crash.node=9: must be a node from 1 to 5, or 'leader'"),
    ("crash 0", lambda c: c.crash(0), "crash.node=0"),
    ("crash x", lambda c: c.crash("x"), "crash.node='x'"),
    ("crash True", lambda c: c.crash(True), "crash.node=true"),
    ("crash 1.0", lambda c: c.crash(1.0), "crash.node=1.0"),
    ("crash surrogate", lambda c: c.crash("\ud800"), "node='.*ud800'"),
    ("crash nan", lambda c: c.crash(1, restart_after_ms=NAN), "crash.restart_after_ms=nan"),
    ("crash neg", lambda c: c.crash(1, restart_after_ms=-1), "crash.restart_after_ms=-1"),
    ("crash disk", lambda c: c.crash(1, lose_disk=3), "crash.lose_disk=3"),
    ("disk text", lambda c: c.crash(1, lose_disk=""), "crash.lose_disk='': must be true or false"),
    ("disk 0", lambda c: c.crash(1, lose_disk=0), "crash.lose_disk=0: must be true or false"),
    ("disk list", lambda c: c.restart(1, lose_disk=[]), r"restart.lose_disk=\[\]: must be true or"),
    ("trigger", lambda c: c.crash("trigger"), "crash.node='trigger': must be a node from 1 to 5"),
    ("restart", lambda c: c.restart(None), "restart.node=None"),
    ("pause", lambda c: c.pause(1, resume_after_ms="x"), "pause.resume_after_ms='x'"),
    ("resume", lambda c: c.resume(-2), "resume.node=-2"),
    ("groups twice", lambda c: c.partition([1, 2], [2, 3]), "groups=2: a node must not be in two"),
    ("group twice", lambda c: c.partition([1, 1], [2, 3]), "groups=1"),
    ("no groups", lambda c: c.partition(), "groups=.*two or more groups"),
    ("one group", lambda c: c.partition([1]), "groups=.*two or more groups"),
    ("empty group", lambda c: c.partition([1], []), "groups=.*with nodes in each"),
    ("text group", lambda c: c.partition("12", [3]), "groups='12': must be a whole number"),
    ("bad group", lambda c: c.partition([1, 7], [2]), "groups=7: must be a node from 1 to 5"),
    ("mixed group", lambda c: c.partition([1, "a"], [2]), "groups='a'"),
    ("truth group", lambda c: c.partition([True], [2]), "groups=True"),
    ("isolate None", lambda c: c.isolate(None), "node=None: must be a whole number from 1 to 5"),
    ("isolate 9", lambda c: c.isolate(9), "node=9"),
    ("isolate text", lambda c: c.isolate("leader"), "node='leader'"),
    ("cut 9", lambda c: c.cut(1, 9), "cut.to=9"),
    ("cut text", lambda c: c.cut("a", 2), "sender='a'"),
    ("cut self", lambda c: c.cut(1, 1), "two different nodes"),
    ("cut half", lambda c: c.cut(1, None), "give both or none"),
    ("cut way", lambda c: c.cut(1, 2, both_ways="yes"), "cut.both_ways='yes'"),
    ("mend", lambda c: c.mend([], [1]), "two different nodes"),
    ("link", lambda c: c.set_link(3), "settings=3: must be an electionlab.Link"),
    ("link half", lambda c: c.set_link(el.Link(fifo=True), 1), "give both or none"),
    ("link bad", lambda c: c.set_link(el.Link(loss_probability=5)), "loss_probability=5"),
    ("clock", lambda c: c.set_clock(1, offset_ms=NAN), "clock.offset_ms=nan"),
    ("clock drift", lambda c: c.set_clock(1, drift_ppm="a"), "clock.drift_ppm='a'"),
    ("slow", lambda c: c.slow(1, -1), "slow.processing_ms=-1"),
    ("slow None", lambda c: c.slow(1, None), "slow.processing_ms=None"),
    ("disk", lambda c: c.set_disk(1, "x"), "disk.write_delay_ms='x'"),
    ("deliver", lambda c: c.deliver(10**6), "message=1000000: is not in flight"),
    ("deliver neg", lambda c: c.deliver(-1), "deliver.message=-1"),
    ("deliver None", lambda c: c.deliver(None), "deliver.message=None"),
    ("drop text", lambda c: c.drop("a"), "drop.message='a'"),
    ("drop timer", lambda c: c.drop(a_timer(c)), "must be a message in flight"),
    ("delay nan", lambda c: c.delay(first_message(c), NAN), "delay.by_ms=nan"),
    ("delay neg", lambda c: c.delay(first_message(c), -1), "delay.by_ms=-1"),
    ("fire", lambda c: c.fire(1, "bogus"), "fire.timer='bogus': must be one of 'election'"),
    ("fire unarmed", lambda c: c.fire(c.leader, "election"), "timer='election': is not armed at"),
    ("fire node", lambda c: c.fire(9, "election"), "fire.node=9"),
    ("at past", lambda c: c.at(0, el.crash(1)), "at_ms=0.0: must not lie in the past"),
    ("at nan", lambda c: c.at(NAN, el.crash(1)), "at.at_ms=nan"),
    ("at None", lambda c: c.at(None, el.crash(1)), "at.at_ms=None"),
    ("at action", lambda c: c.at(1e4, 3), "action=3"),
    ("at inner", lambda c: c.at(1e4, el.crash(9)), "crash.node=9"),
    ("when", lambda c: c.when(el.crash(1)), "when=.*needs a 'role'"),
    ("when role", lambda c: c.when(el.crash(1), role="boss"), "when.role='boss'"),
    ("when node", lambda c: c.when(el.crash(1), node=8, role="leader"), "when.node=8"),
    ("when message", lambda c: c.when(el.crash(1), message="X"), "when.message='X'"),
    ("when none", lambda c: c.when(el.crash(1), role="leader", occurrence=0), "occurrence=0"),
    ("when epoch", lambda c: c.when(el.crash(1), epoch=-1), "when.epoch=-1"),
    ("random 0", lambda c: c.at_random(el.heal(), every_ms=0), "every_ms=0: must be above 0"),
    ("random neg", lambda c: c.at_random(el.heal(), every_ms=-5), "every_ms=-5: must be above 0"),
    ("random None", lambda c: c.at_random(el.heal(), every_ms=None), "every_ms=None: must be a n"),
    ("random True", lambda c: c.at_random(el.heal(), every_ms=True), "every_ms=True: must be a n"),
    (
        "random span",
        lambda c: c.at_random(el.heal(), every_ms=5, from_ms=1e6, until_ms=9e5),
        r"plan.until_ms=9e\+05: must not be below plan.from_ms=1e\+06",
    ),
    ("random nan", lambda c: c.at_random(el.heal(), every_ms=NAN), "every_ms=nan: must be above 0"),
    ("random up", lambda c: c.at_random(el.heal(), every_ms=5, keep_up=9), "plan.keep_up=9"),
    ("random seed", lambda c: c.at_random(el.heal(), every_ms=5, seed=-1), "plan.seed=-1"),
    ("random at", lambda c: c.at_random(el.at(5, el.heal()), every_ms=5), "plan.do=at"),
    ("random until", lambda c: c.at_random(el.heal(), every_ms=5, until_ms=NAN), "until_ms=nan"),
    ("undo neg", lambda c: c.undo(-1), "events=-1: must be a whole number from 0 to"),
    ("undo far", lambda c: c.undo(10**9), "events=1000000000"),
    ("undo half", lambda c: c.undo(1.5), "events=1.5"),
    ("undo True", lambda c: c.undo(True), "events=True"),
    ("seek neg", lambda c: c.seek(-1), "event=-1"),
    ("seek half", lambda c: c.seek(1.5), "event=1.5"),
    ("seek far", lambda c: c.seek(2**70), "event=1180591620717411303424"),
    ("seek text", lambda c: c.seek("a"), "event='a'"),
    ("run past", lambda c: c.run(1), "until=1: must not lie in the past"),
    ("run nan", lambda c: c.run(NAN), "until=nan"),
    ("run inf", lambda c: c.run(INF), "until=inf"),
    ("run text", lambda c: c.run("a"), "until='a'"),
    ("run True", lambda c: c.run(True), "until=True"),
    (
        "run neg",
        lambda c: c.run(max_events=-1),
        "max_events=-1: must be a whole number of at least",
    ),
    ("run half", lambda c: c.run(max_events=1.5), "max_events=1.5"),
    ("run truth", lambda c: c.run(max_events=True), "max_events=True"),
    ("run cond", lambda c: c.run(lambda _: True, max_events="x"), "max_events='x'"),
    ("run stop", lambda c: c.run(stop="x"), "stop='x': must be 'never', 'leader'"),
    ("run stop 3", lambda c: c.run(stop=3), "stop=3"),
    ("run_for neg", lambda c: c.run_for(-1), "ms=-1: must be a number of milliseconds"),
    ("run_for nan", lambda c: c.run_for(NAN), "ms=nan"),
    ("run_for text", lambda c: c.run_for("a"), "ms='a'"),
    ("run_for far", lambda c: c.run_for(1e300), r"^ms=1e\+300: must be a number .* from 0 to 999"),
    ("within far", lambda c: c.run_until_leader(1e10), "^within_ms=10000000000.0: must be a num"),
    ("agreed text", lambda c: c.run_until_leader(agreed="no"), "agreed='no': must be True or Fals"),
    ("agreed 1", lambda c: c.run_until_leader(agreed=1), "agreed=1: must be True or False"),
    ("plot ax", lambda c: c.plot(ax=3), "ax=3: must be Axes of Matplotlib"),
    ("trace plot ax", lambda c: c.trace.plot(ax=3), "ax=3: must be Axes of Matplotlib"),
    ("trace roles ax", lambda c: c.trace.plot_roles(ax="x"), "ax='x': must be Axes of Matplotlib"),
    ("trace row", lambda c: c.trace.row("x"), "index='x': must be a whole number from -"),
    ("trace row half", lambda c: c.trace.row(1.5), "index=1.5: must be a whole number from -"),
    ("trace row None", lambda c: c.trace.row(None), "index=None: must be a whole number from -"),
    ("trace row True", lambda c: c.trace.row(True), "index=True: must be a whole number from -"),
    ("save None", lambda c: c.trace.save(None), "path=None: must be the path of a file"),
    ("load None", lambda c: el.Cluster.load(None), "path=None: must be the path of a file"),
    ("load 3", lambda c: el.Trace.load(3), "path=3: must be the path of a file"),
    ("load bytes", lambda c: el.Trace.load(b"x"), "path=b'x': must be the path of a file"),
    ("within neg", lambda c: c.run_until_leader(-1), "within_ms=-1"),
    ("within inf", lambda c: c.run_until_leader(INF), "within_ms=inf"),
    ("node 0", lambda c: c.node(0), "node=0: must be a whole number from 1 to 5"),
    ("node 9", lambda c: c.node(9), "node=9"),
    ("node text", lambda c: c.node("a"), "node='a'"),
    ("node half", lambda c: c.node(1.0), "node=1.0"),
    ("node None", lambda c: c.node(None), "node=None"),
    ("act empty", lambda c: c.act({}), "action.action='': must be one of 'crash'"),
    ("act None", lambda c: c.act(None), "action=None"),
    ("act 3", lambda c: c.act(3), "action=3"),
    ("act text", lambda c: c.act("crash"), "action='crash'"),
    ("act unknown", lambda c: c.act({"action": "explode"}), "action.action='explode'"),
    ("act extra", lambda c: c.act({**el.crash(1), "x": 2}), "crash.x=2: is not known here"),
    ("act deep", lambda c: c.act(AN_ACTION), "must not be nested deeper"),
    ("peek 3", lambda c: c.peek(3), "action=3"),
    ("peek", lambda c: c.peek(el.crash(9)), "crash.node=9"),
    ("observe", lambda c: c.observe(3), "observer=3: must be a function"),
    ("replay", lambda c: c.replay([], 0, 0), "only a cluster at its start"),
    ("is_cut", lambda c: c.is_cut(1, 99), "node=99"),
    ("actor_kind", lambda c: c.actor_kind(99), "node=99"),
    ("view", lambda c: c.view(0), "node=0"),
]


@pytest.fixture(scope="module")
def cluster() -> el.Cluster:
    found = settled(el.Raft(5))
    assert found.run(lambda c: len(messages_in_flight(c)) > 0)
    return found


@pytest.mark.parametrize(
    ("call", "says"), [(c, s) for _, c, s in CALLS], ids=[n for n, *_ in CALLS]
)
def test_calls_change_nothing(
    call: Callable[[el.Cluster], Any], says: str, cluster: el.Cluster
) -> None:
    state = whole_state(cluster)
    last = cluster.last_event
    with pytest.raises(ValueError, match=says):
        call(cluster)
    assert whole_state(cluster) == state
    assert cluster.last_event == last


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: el.exponential(-1), "exponential.mean_ms=-1"),
        (lambda: el.exponential(NAN), "exponential.mean_ms=nan"),
        (lambda: el.normal(1, INF), "normal.deviation_ms=inf"),
        (lambda: el.lognormal(1, -1), "lognormal.sigma=-1"),
        (lambda: el.pareto(1, 0), "pareto.shape=0.0: must be above 0"),
        (lambda: el.hyperexponential(1, 2, 3), "tail_probability=3"),
        (lambda: el.empirical([]), "quantiles_ms=.*two or more ascending"),
        (lambda: el.empirical([3, 1]), "quantiles_ms=.*two or more ascending"),
        (lambda: el.empirical(5), "quantiles_ms=5: must be a list"),  # type: ignore[arg-type]
        (lambda: el.empirical("12"), "quantiles_ms='12': must be a list"),  # type: ignore[arg-type]
        (lambda: el.normal(1, 1).sample_ms(-1), "size=-1"),
        (lambda: el.normal(1, 1).sample_ms(1.5), "size=1.5"),  # type: ignore[arg-type]
        (lambda: el.normal(1, 1).sample_ms(10**15), "size=1000000000000000"),
        (lambda: el.normal(1, 1).sample_ms(3, seed=-1), "seed=-1"),
    ],
)
def test_delays(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_delays_draw_what_they_say() -> None:
    for delay, mean in [
        (el.exponential(10, min_ms=2), 12.0),
        (el.normal(20, 2), 20.0),
        (el.lognormal(10, 0.5), 10 * math.exp(0.125)),
        (el.pareto(10, 3), 5.0),
        (el.hyperexponential(5, 50, 0.1), 9.5),
        (el.empirical([0, 10, 30]), 12.5),
    ]:
        draws = delay.sample_ms(20_000, seed=3)
        assert draws.shape == (20_000,)
        assert draws.dtype == np.float64
        assert draws.min() >= 0
        assert draws.mean() == pytest.approx(mean, rel=0.06), delay
        np.testing.assert_array_equal(draws, delay.sample_ms(20_000, seed=3))
        assert (draws != delay.sample_ms(20_000, seed=4)).any()


def test_numpy_numbers_are_numbers() -> None:
    cluster = el.Cluster(
        el.Raft(np.int16(5), election_timeout_ms=np.array([150, 300]),
                heartbeat_interval_ms=np.float32(50)),
        network=el.Network(loss_probability=np.float64(0.1)),
        initial_leader=np.uint8(2),
        seed=np.int64(4),
    )  # fmt: skip
    twin = el.Cluster(
        el.Raft(5), network=el.Network(loss_probability=0.1), initial_leader=2, seed=4
    )
    assert cluster.protocol == twin.protocol
    for one, kind in ((cluster, np.int64), (twin, int)):
        one.run_for(np.float32(100) if kind is np.int64 else 100)
        one.crash(kind(2))
        one.partition({kind(1)}, np.array([3, 4]) if kind is np.int64 else [3, 4])
        one.cut(kind(5), kind(1))
        one.run(max_events=kind(30))
        one.undo(kind(3))
    assert whole_state(cluster) == whole_state(twin)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_commands_say_finite_numbers(value: float) -> None:
    with pytest.raises(ValueError, match=r"Propose\.value=(nan|inf): must be finite"):
        el.command(1, "Propose", value=value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: el.Raft(3, heartbeat_interval_ms=150),
            r"=150.0: not below election_timeout_ms=\[150.0",
        ),
        (
            lambda: el.Bully(3, heartbeat_interval_ms=500),
            "=500.0: not below leader_timeout_ms=200.0",
        ),
        (lambda: el.make_protocol("ring", 3, {"leader_timeout_ms": 10}), "leader_timeout_ms=10"),
    ],
)
def test_a_heartbeat_that_is_not_more_frequent_than_the_timeout_warns(make: Any, said: str) -> None:
    with pytest.warns(UserWarning, match=said):
        assert make().nodes == 3


def test_usual_heartbeats_do_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    for name in el.PROTOCOLS:
        el.make_protocol(name, 3)
        el.comparable(name, 3)
    assert len(recwarn) == 0


WITHOUT_EPOCHS = [
    name
    for name, cls in el.PROTOCOLS.items()
    if not cls.about["epochs"] and not cls.about["loose_epochs"]
]


@pytest.mark.parametrize("name", WITHOUT_EPOCHS)
def test_a_condition_on_an_epoch_that_never_comes(name: str) -> None:
    protocol = el.make_protocol(name, 3)
    condition = el.when(el.heal(), epoch=2, role="leader")
    with pytest.raises(ValueError, match=f"when.epoch=2: must be left out: {name} has no epochs"):
        el.Cluster(protocol, actions=[condition])
    cluster = el.Cluster(protocol, seed=1)
    cluster.run_for(2000)
    assert max(node.epoch for node in cluster.nodes) == 0
    state = whole_state(cluster)
    with pytest.raises(ValueError, match=r"when\.epoch=2"):
        cluster.act(condition)
    assert whole_state(cluster) == state


def test_a_condition_on_an_epoch_that_comes() -> None:
    for name in el.PROTOCOLS:
        if name not in WITHOUT_EPOCHS:
            el.Cluster(el.make_protocol(name, 3), actions=[el.when(el.heal(), epoch=2)])


@pytest.mark.parametrize("kind", [el.Event, el.PendingEvent, _core.Trace])
def test_what_only_a_cluster_makes(kind: Any) -> None:
    for make in (kind, lambda: kind.__new__(kind), lambda: object.__new__(kind)):
        with pytest.raises(TypeError, match=r"only a cluster makes them|is not safe"):
            make()
    with pytest.raises(TypeError):
        copy.copy(settled(el.Raft(3)).step())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "scenario=nothing: must have at least the line: cluster PROTOCOL"),
        ("# only words\n\n", "scenario=nothing: must have at least the line"),
        (
            "cluster raft nodes=-3\n----\n",
            "line 1: nodes=-3: must be a whole number from 1 to 10000",
        ),
        ("cluster raft nodes=2.5\n----\n", "line 1: nodes=2.5: must be a whole number"),
        ("cluster raft nodes=many\n----\n", "line 1: nodes='many': must be a whole number"),
        ("cluster raft\n----\n", "line 1: nodes=nothing: must be a whole number"),
        ("cluster raft nodes=3\ncrash trigger\n----\n", "line 2: crash.node='trigger'"),
    ],
)
def test_scenarios(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        _core.run_scenario(text)


@pytest.mark.parametrize("quantile", [NAN, INF])
def test_quantiles_of_a_distance(quantile: float) -> None:
    for known in ({0.5: quantile}, {quantile: 5.0}, {0.1: 1.0, 0.5: quantile}):
        with pytest.raises(ValueError, match=r"quantiles=\{.*\}: must be finite numbers"):
            fig16.ks_distance([1.0, 2.0], known)

"""Sweeps: what can be swept, that a trial depends on its point and number alone, and the result."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import electionlab as el
from electionlab import scenarios
from electionlab._sweep_estimates import estimate
from electionlab._sweep_points import canonical_json

RANGES = [(150, 155), (150, 200), (150, 300)]
CRASH = scenarios.leader_crash()


class Highest(el.UserProtocol):
    """The highest node claims to lead; nothing else ever happens."""

    messages = ("Claim",)

    def memory(self, node: int) -> dict[str, int]:
        return {"leader": node}

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.broadcast("Claim")

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        ctx.memory["leader"] = max(ctx.memory["leader"], sender)

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        leads = ctx.memory["leader"] == ctx.node
        return ("leader" if leads else "follower", ctx.memory["leader"], 0)


def second_leader(cluster: el.Cluster, patience_ms: float = 5000) -> dict[str, Any]:
    first = cluster.run_until_leader(patience_ms)
    cluster.crash("leader")
    second = cluster.run_until_leader(patience_ms)
    return {"first_ms": first.at_ms, "second_ms": second.at_ms if second else None}


def raft(over: Any = (), **options: Any) -> el.Sweep:
    given = {"scenario": CRASH, "trials": 40, "seed": 5, **options}
    return el.sweep(el.Raft(nodes=5), over, **given)


# --- a trial depends on its point and its number alone --------------------------------------------


@pytest.fixture(scope="module")
def whole() -> el.Sweep:
    return raft({"election_timeout_ms": RANGES, "nodes": [3, 5]})


@hypothesis_settings(max_examples=12)
@given(
    picked=st.lists(st.sampled_from(range(6)), min_size=1, max_size=6, unique=True),
    first=st.integers(0, 39),
    count=st.integers(1, 40),
    threads=st.integers(1, 5),
)
def test_point_and_trial_come_out_the_same_in_any_company(
    whole: el.Sweep, picked: list[int], first: int, count: int, threads: int
) -> None:
    count = min(count, 40 - first)
    points = [whole.points[k].values for k in picked]
    part = raft(points, trials=count, first_trial=first, threads=threads)
    for place, k in enumerate(picked):
        assert part.points[place].seed == whole.points[k].seed
        for name in whole.measures:
            np.testing.assert_array_equal(
                part.column(name, point=place), whole.column(name, point=k)[first : first + count]
            )


def test_chunks_threads_and_executors_change_nothing(
    whole: el.Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = {"election_timeout_ms": RANGES, "nodes": [3, 5]}
    for size in (1, 7, 1000):
        monkeypatch.setattr("electionlab._sweep_chunks.FIRST_TRIALS", size)
        assert raft(over, threads=2).digest == whole.digest
    with ThreadPoolExecutor(3) as pool:
        assert raft(over, executor=pool).digest == whole.digest


def test_equal_settings_are_the_same_point() -> None:
    a = raft({"election_timeout_ms": [(150, 300)]}, network=el.Network(one_way_delay_ms=5))
    b = raft({"nodes": [5]}, network=el.Network(one_way_delay_ms=5.0))
    assert a.points[0].id == b.points[0].id
    np.testing.assert_array_equal(a.column("agreed_ms"), b.column("agreed_ms"))
    with pytest.raises(ValueError, match="points 0 and 1 are the same experiment"):
        raft({"election_timeout_ms": [(150, 300), (150.0, 300.0)]})
    assert canonical_json({"b": 1.0, "a": (1, 2.5)}) == '{"a":[1,2.5],"b":1}'


def test_seeds_of_points_are_pinned() -> None:
    point = raft(trials=1).points[0]
    assert (point.id, point.seed) == PINNED


PINNED = ("80003362a023c36c1c342b5af6fe744b", 8934417297025183025)


def test_common_random_numbers_give_every_point_the_same_seed() -> None:
    over = {"scenario.horizon_ms": [50_000, 60_000]}
    same = raft(over, common_random_numbers=True)
    assert [point.seed for point in same.points] == [5, 5]
    np.testing.assert_array_equal(
        same.column("agreed_ms", point=0), same.column("agreed_ms", point=1)
    )
    own = raft(over)
    assert len({point.seed for point in own.points}) == 2
    assert (own.column("agreed_ms", point=0) != own.column("agreed_ms", point=1)).any()


# --- what can be swept ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "changes"),
    [
        ({"nodes": [3, 4]}, "nodes"),
        ({"heartbeat_interval_ms": [50, 60]}, "options"),
        ({"network.loss_probability": [0, 0.1]}, "config"),
        ({"network.one_way_delay_ms": [el.exponential(5), (5, 10)]}, "config"),
        ({"machine.write_delay_ms": [0.5, 1]}, "config"),
        ({"config.write_mode": ["blocking", "pipelined"]}, "config"),
        ({"scenario.at": [0, (0, 1), 1]}, "experiment"),
        ({"scenario": [scenarios.cold_start(), scenarios.pause(lasting_ms=300)]}, "experiment"),
        ({"protocol": ["raft", "bully"]}, "protocol"),
        ({"protocol": [el.Raft(nodes=3), el.Bully(nodes=3)]}, "protocol"),
        ({"faults": [[], [el.at_random(el.crash("random"), every_ms=500)]]}, "config"),
    ],
    ids=str,
)
def test_every_kind_of_name_is_swept(over: dict[str, Any], changes: str) -> None:
    result = raft(over, trials=3)
    definitions = [point.definition[changes] for point in result.points]
    assert all(a != b for a, b in itertools.pairwise(definitions))
    assert len(result) == 3 * len(result.points)


def test_fault_plans_of_a_function_are_swept_by_its_parameters() -> None:
    def crashes(every_ms: float) -> list[el.Action]:
        return [el.at_random(el.crash("random"), every_ms=every_ms)]

    cold = scenarios.cold_start(until="horizon", horizon_ms=3000)
    result = raft({"faults.every_ms": [200, 2000]}, faults=crashes, scenario=cold)
    often, seldom = (result.estimate("leader_changes", "mean", point=k) for k in (0, 1))
    assert often.low > seldom.high
    with pytest.raises(ValueError, match=r"faults\.often: needs faults to be a function"):
        raft({"faults.often": [1]})
    with pytest.raises(ValueError, match=r"often: faults has no such parameter.*every_ms"):
        raft({"faults.often": [1]}, faults=crashes)


def test_grids_pairs_and_latin_hypercubes() -> None:
    over = {"nodes": [3, 5], "network.loss_probability": [0, 0.1]}
    assert len(el.grid(over)) == 4
    assert el.zipped(over)[1] == {"nodes": 5, "network.loss_probability": 0.1}
    cube = el.latin_hypercube({"nodes": (3, 7), "network.loss_probability": (0, 0.5)}, 10, seed=2)
    assert cube == el.latin_hypercube(
        {"nodes": (3, 7), "network.loss_probability": (0, 0.5)}, 10, seed=2
    )
    cells = sorted(int(20 * point["network.loss_probability"]) for point in cube)
    assert cells == list(range(10))  # one point in each tenth of the range
    assert {point["nodes"] for point in cube} == {3, 4, 5, 6, 7}
    assert len(raft(cube[:3], trials=2).points) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"over": {"elction_timeout_ms": [1]}}, "elction_timeout_ms: is neither an option of raft"),
        ({"over": {"nodes": [3, 0]}}, r"nodes=0: must be .*\(point 1: nodes=0\)"),
        ({"over": {"nodes": 3}}, "must be a list of values"),
        ({"over": {"nodes": []}}, "must be a list of values, not empty"),
        ({"over": [{"nodes": 3}, {"node": 3}]}, r"over\[1\]=.*must have the names of the first"),
        ({"over": {"network.los": [1]}}, "network.los: there is no such setting; it has one_way_"),
        ({"over": {"network.loss_probability": [2]}}, "network.loss_probability=2"),
        ({"over": {"machine.write_delay_ms": [-1]}}, "machine.write_delay_ms=-1"),
        ({"over": {"scenario.when": [1]}}, "scenario.when: leader_crash has no such parameter"),
        ({"over": {"scenario.at": [2]}}, "scenario.at=2: must be from 0 to 1"),
        ({"over": {"scenario.leader": [9]}}, "leader=9: must be a whole number from 1 to 5"),
        ({"over": {"config.seed": [1]}}, "config.seed: must be one of write_mode"),
        ({"over": {"config.write_mode": ["x"]}}, "write_mode"),
        ({"over": {"protocol": ["rift"]}}, "protocol='rift': must be one of"),
        ({"over": {"election_timeout_ms": [(300, 150)]}}, "election_timeout_ms"),
        ({"faults": [{"action": "crash", "node": 9}]}, "9"),
        ({"trials": 0}, "trials=0: must be a whole number"),
        ({"seed": -1}, "seed=-1"),
        ({"threads": 2.5}, "threads=2.5"),
        ({"measures": ["agreed"]}, "measures='agreed': must be one of from_ms, detection_ms"),
        ({"measures": "agreed_ms"}, "must be a list of names"),
        ({"until": 0.01}, "until=0.01: must be an electionlab.Precision"),
        ({"until": el.Precision("agreed")}, "measures='agreed'"),
        ({"resume": True}, "resume=True: needs save="),
        ({"executor": 3}, "executor=3: must be a concurrent.futures.Executor"),
        ({"scenario": "crash"}, "scenario='crash': must be a scenario"),
        ({"progress": "yes"}, "progress='yes'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_names_and_values_are_refused_before_anything_runs(
    arguments: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("something ran")

    monkeypatch.setattr("electionlab._sweep_chunks.run_chunk", never)
    with pytest.raises(ValueError, match=message):
        raft(**arguments)


def test_protocol_without_heartbeats_needs_an_interval() -> None:
    with pytest.raises(ValueError, match="heartbeat_interval_ms=None: swim has no such option"):
        el.sweep(el.Swim(nodes=5), scenario=CRASH)
    crash = scenarios.leader_crash(heartbeat_interval_ms=100)
    assert len(el.sweep(el.Swim(nodes=5), scenario=crash, trials=2)) == 2


# --- trials in Python -----------------------------------------------------------------------------


def test_function_drives_a_cluster_in_each_trial() -> None:
    scenario = scenarios.custom(second_leader, patience_ms=5000)
    result = raft({"scenario.patience_ms": [5000, 300]}, scenario=scenario, trials=8)
    assert result.measures == ("first_ms", "second_ms", "measured", "censored", "violated")
    cluster = el.Cluster(el.Raft(nodes=5), seed=result.points[0].seed, record=False)
    assert result.column("first_ms", point=0)[0] == second_leader(cluster)["first_ms"]
    again = raft({"scenario.patience_ms": [300]}, scenario=scenario, trials=5, first_trial=3)
    np.testing.assert_array_equal(
        again.column("second_ms"), result.column("second_ms", point=1)[3:]
    )
    with pytest.raises(ValueError, match="patience: custom has no such parameter"):
        raft({"scenario.patience": [1]}, scenario=scenario)
    with pytest.raises(ValueError, match="returned 3; must return a dict"):
        raft(scenario=scenarios.custom(lambda cluster: 3))


def test_protocol_written_in_python_is_swept_as_any_other() -> None:
    result = el.sweep(Highest(3), {"nodes": [2, 4]}, trials=5, seed=1)
    assert result.column("agreed_ms").shape == (10,)
    assert (result.column("agreed_ms") > 0).all()
    alone = el.sweep(Highest(4), trials=5, seed=1)
    np.testing.assert_array_equal(alone.column("agreed_ms"), result.column("agreed_ms", point=1))


@pytest.mark.parametrize("protocol", [el.Raft(5), el.Bully(3), el.Lease(3)], ids=repr)
def test_trials_in_python_are_those_of_the_engine(protocol: Any) -> None:
    from electionlab import _core
    from electionlab._python_trials import run_python_trials
    from electionlab._sweep_points import Base, make_points

    own = {} if "heartbeat_interval_ms" in protocol.options else {"heartbeat_interval_ms": 50.0}
    for scenario in (
        scenarios.cold_start(),
        scenarios.leader_crash(horizon_ms=2000, **own),
        scenarios.pause(lasting_ms=400, horizon_ms=2000, **own),
        scenarios.partition(lasting_ms=(300, 500), **own),
        scenarios.rolling_restart(horizon_ms=9000),
        scenarios.schedule([((10, 90), el.crash(2)), (200, el.restart(2))], measure_from=0),
    ):
        base = Base(protocol, scenario, el.Network(), el.Machine(), ())
        (point,) = make_points(base, [{}], 3, common_random_numbers=False)
        work = point.work
        assert work is not None
        config = {**work.config, "seed": point.seed}
        fast = _core.run_trials(
            work.protocol, work.nodes, work.options, config, work.experiment, first=2, trials=3
        )
        slow = run_python_trials(
            dataclasses.replace(work, subject=protocol), config, first=2, trials=3
        )
        for name, column in fast.items():
            np.testing.assert_array_equal(column, slow[name], f"{scenario!r}: {name}")


# --- scenarios ------------------------------------------------------------------------------------


def test_scenarios_do_what_they_say() -> None:
    late = raft({"scenario.at": [0.0, 0.9]}, trials=300)
    early_ms, late_ms = (late.estimate("detection_ms", "mean", point=k) for k in (0, 1))
    # Followers wait from the last heartbeat on: 45 ms later means 45 ms sooner.
    assert early_ms.value - late_ms.value == pytest.approx(45, abs=8)
    assert (late.column("from_ms", point=1) == 45).all()
    spread = raft({"scenario.after_heartbeats": [0, 3]}, trials=200)
    for point, start_ms in enumerate((0, 150)):
        moments = spread.column("from_ms", point=point) - start_ms
        assert 0 <= moments.min() < 5
        assert 45 < moments.max() <= 50
    paused = raft(scenario=scenarios.pause(at=0, lasting_ms=40))
    assert (paused.column("agreed_ms") <= 60).all()
    assert (paused.column("no_leader_ms") == 40).all()
    split = raft(scenario=scenarios.partition(at=0, lasting_ms=1000))
    assert (split.column("split_brain_ms") > 0).all()  # no CheckQuorum: the old leader goes on
    assert (split.column("violated") == 0).all()
    rolled = raft(scenario=scenarios.rolling_restart(start_ms=100), trials=10)
    assert (rolled.column("agreed_ms") > 0).all()
    assert (rolled.column("ended_ms") >= 4 * 2000 + 500).all()
    elected = raft(scenario=scenarios.leader_crash(leader=0, warm_up_ms=1000), trials=10)
    assert (elected.column("from_ms") >= 1000).all()
    assert elected.column("measured").all()


def test_scenarios_are_frozen_values() -> None:
    assert scenarios.leader_crash(at=(0, 1)) == CRASH
    assert repr(scenarios.leader_crash(at=0.5)) == "leader_crash(at=0.5)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        CRASH.at = 3  # type: ignore[misc]
    for bad in (
        lambda: scenarios.leader_crash(at=(0.5, 0.2)),
        lambda: scenarios.cold_start(until="never"),
        lambda: scenarios.cold_start(horizon_ms=0),
        lambda: scenarios.partition(at=(0, 1)),  # type: ignore[arg-type]
        lambda: scenarios.rolling_restart(down_ms=10, every_ms=10),
        lambda: scenarios.leader_crash(leader=0),
        lambda: scenarios.schedule([(1, 2)]),
        lambda: scenarios.schedule([(1, el.heal())], measure_from=1),
    ):
        with pytest.raises(ValueError, match="must be"):
            bad()


# --- the adaptive stop ----------------------------------------------------------------------------


def test_precision_is_reached_at_checkpoints_whatever_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    until = el.Precision("agreed_ms", "median", 0.02, max_trials=6000)
    over = {"election_timeout_ms": [(150, 300), (150, 155)]}
    result = raft(over, until=until, trials=100)
    counts = result.trials
    assert counts[0] in (100, 200, 400, 800, 1600, 3200)
    assert result.estimate("agreed_ms").relative_half_width <= 0.02
    assert counts[1] == 6000  # the cap: the median lies where few trials are
    monkeypatch.setattr("electionlab._sweep_chunks.FIRST_TRIALS", 64)
    again = raft(over, until=until, trials=100, threads=3)
    assert (again.trials, again.digest) == (counts, result.digest)
    alone = raft({"election_timeout_ms": [(150, 300)]}, until=until, trials=100)
    assert alone.trials == counts[:1]
    with pytest.raises(ValueError, match="max_trials=50: must be at least trials=100"):
        raft(until=el.Precision("agreed_ms", max_trials=50), trials=100)


# --- the result -----------------------------------------------------------------------------------


def test_columns_are_read_only_and_not_copied(whole: el.Sweep) -> None:
    column = whole.column("agreed_ms")
    assert column is whole.column("agreed_ms")
    assert column.shape == (240,)
    assert np.shares_memory(column, whole.column("agreed_ms", point=3))
    assert np.shares_memory(column, whole[3].column("agreed_ms"))
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1
    with pytest.raises(ValueError, match="measure='agreed': must be one of"):
        whole.column("agreed")


def test_tables_have_units_seeds_and_intervals(whole: el.Sweep) -> None:
    points = whole.to_frame("point")
    assert list(points["election_timeout_ms"].unique()) == ["150-155", "150-200", "150-300"]
    assert (points["trials"] == 40).all()
    assert list(points["seed"]) == [point.seed for point in whole.points]
    for name in ("agreed_p50_ms", "agreed_mean_ms", "agreed_p99_ms"):
        low, high = (name.replace("_ms", f"_{end}_ms") for end in ("low", "high"))
        assert (points[low] <= points[name]).all()
        assert (points[name] <= points[high]).all()
    assert {"split_votes_share", "split_votes_share_low", "violated_share_high"} <= set(points)
    trials = whole.to_frame("trial")
    assert len(trials) == 240
    assert list(trials["trial"][:40]) == list(range(40))
    assert trials["nodes"].dtype == np.int64
    two = whole.at(nodes=3, election_timeout_ms=(150, 200))
    assert two.points[0].values == {"election_timeout_ms": (150, 200), "nodes": 3}
    with pytest.raises(ValueError, match="per='row': must be"):
        whole.to_frame("row")


def test_estimates_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    median = estimate(values, "median")
    assert (median.value, median.trials, median.missing) == (3.0, 5, 1)
    assert median.high == np.inf  # too few trials, and one never got there
    assert np.isnan(estimate(values, "p99").value)
    share = estimate(np.array([0, 1, 1, 0]), "share")
    assert share.value == 0.5
    assert (round(share.low, 4), round(share.high, 4)) == (0.15, 0.85)  # Wilson, 2 of 4
    assert estimate(values, "mean").value == 2.5
    spread = estimate(np.arange(1000.0), np.std, seed=1)
    assert spread.low < np.std(np.arange(1000.0)) < spread.high
    assert spread == estimate(np.arange(1000.0), np.std, seed=1)
    for bad in ("mode", "p0", "p100", 1.0, 0.0, 3, None):
        with pytest.raises(ValueError, match="statistic="):
            estimate(values, bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "statistic",
    ["median", "p90", "mean", "share", np.mean],
    ids=["median", "p90", "mean", "share", "a function"],
)
def test_intervals_hold_as_often_as_they_say(statistic: Any) -> None:
    rng = np.random.default_rng(11)
    runs, held = 60 if callable(statistic) else 200, 0
    truth = {"median": np.log(2), "p90": np.log(10), "share": np.exp(-1)}.get(statistic, 1.0)
    for _ in range(runs):
        sample = rng.exponential(size=60)
        found = estimate((sample > 1) if statistic == "share" else sample, statistic)
        held += found.low <= truth <= found.high
    assert held >= 0.88 * runs  # 95 % would fall below this once in 500 at the most


def test_ecdf_steps_at_every_value(whole: el.Sweep) -> None:
    x, share = whole.ecdf("agreed_ms", point=2)
    assert (np.diff(x) > 0).all()
    assert share[-1] == 1
    values = whole.column("agreed_ms", point=2)
    assert share[10] == np.mean(values <= x[10])


def test_results_add_up_where_they_fit(whole: el.Sweep) -> None:
    over = {"election_timeout_ms": RANGES, "nodes": [3, 5]}
    halves = raft(over, trials=25) + raft(over, trials=15, first_trial=25)
    assert halves.digest == whole.digest
    other_order = raft(over, trials=15, first_trial=25) + raft(over, trials=25)
    assert other_order.digest == whole.digest
    points = raft({**over, "nodes": [3]}) + raft({**over, "nodes": [5]})
    assert len(points.points) == 6
    gap = raft(trials=10) + raft(trials=10, first_trial=30)
    assert list(gap.column("trial")) == [*range(10), *range(30, 40)]
    for other, message in (
        (raft(over, trials=1), "both have trial 0"),
        (raft(over, seed=6), "seed: 5 and 6 do not fit"),
        (raft(), "parameters"),
        (raft(over, measures=["agreed_ms"]), "measures"),
        (raft(over, common_random_numbers=True), "common_random_numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            whole + other


def test_parquet_keeps_everything(whole: el.Sweep, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    whole.to_parquet(path)
    back = el.Sweep.read_parquet(path)
    assert back.digest == whole.digest
    assert back.points[0].values == whole.points[0].values
    assert (back.seed, back.version) == (5, el.__version__)
    back.to_parquet(tmp_path / "b.parquet")
    assert (tmp_path / "b.parquet").read_bytes() == path.read_bytes()
    half = raft({"election_timeout_ms": RANGES, "nodes": [3, 5]}, trials=10, first_trial=40)
    assert len(back + half) == 300
    for damage in (b"", path.read_bytes()[:200], b"x" * 500):
        (tmp_path / "c.parquet").write_bytes(damage)
        with pytest.raises(ValueError, match="is no result of a sweep"):
            el.Sweep.read_parquet(tmp_path / "c.parquet")
    whole.to_frame("trial").to_parquet(tmp_path / "d.parquet")
    with pytest.raises(ValueError, match="is no result of a sweep"):
        el.Sweep.read_parquet(tmp_path / "d.parquet")


def test_only_the_measures_asked_for_are_kept() -> None:
    result = raft(measures=["agreed_ms"])
    assert result.measures == ("agreed_ms", "measured", "censored", "violated")


def test_progress_hears_every_trial() -> None:
    heard: list[tuple[int, int]] = []
    raft({"nodes": [3, 5]}, progress=lambda done, planned: heard.append((done, planned)))
    assert heard[-1] == (80, 80)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_progress_bar_is_drawn_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    raft(progress=True)
    assert re.search(r"40\.0/40\.0|\d+trial", capsys.readouterr().err)


@pytest.mark.parametrize("nodes", [5, 200])
def test_ctrl_c_returns_what_is_finished_at_once(nodes: int) -> None:
    pressed: list[float] = []

    def press() -> None:
        time.sleep(0.1)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def run() -> tuple[el.Sweep, float]:
        pressed.clear()
        thread = threading.Thread(target=press)

        def told(done: int, planned: int) -> None:
            if done and thread.ident is None:
                thread.start()

        found = el.sweep(
            el.Raft(nodes=nodes), scenario=CRASH, trials=50_000_000, seed=1, progress=told
        )
        returned = time.monotonic()
        thread.join()
        return found, returned - pressed[0]

    took = []
    for _ in range(5):  # the best of five, as the machine may be busy with other things
        result, seconds = run()
        took.append(seconds)
        assert result.interrupted
        assert 0 < len(result) < 50_000_000
        if seconds < 0.1:
            break
    assert min(took) < 0.1
    trial = int(result.column("trial")[-1])
    one = el.sweep(
        el.Raft(nodes=nodes), scenario=CRASH, trials=1, first_trial=trial, seed=1, threads=1
    )
    assert one.column("agreed_ms")[0] == result.column("agreed_ms")[-1]

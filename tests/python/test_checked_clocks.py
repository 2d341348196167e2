"""The checker's time: nodes that read their clocks, at rates of their own; and draws by lot."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

import electionlab as el

#: Fields that hold a moment of a clock.
MOMENTS = {
    "until", "since",  # lease
    "withholds_until", "opened", "lease_until",  # raft
    "observed_at", "tried_at", "acquire_time", "renew_time",  # kubernetes
    "session_from", "next_keep_alive", "deadline", "started", "at",  # etcd
}  # fmt: skip


def somebody_leads(state: el.CheckedState) -> bool:
    return bool(state.leaders)


def from_now_on(value: Any, clock_ms: float, furthest_ms: float) -> Any:
    """Fields of a simulated node with its moments told from its clock on, as the checker does."""
    if isinstance(value, dict):
        return {
            name: round(max(inner - clock_ms, furthest_ms), 6)
            if name in MOMENTS
            else from_now_on(inner, clock_ms, furthest_ms)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [from_now_on(inner, clock_ms, furthest_ms) for inner in value]
    return value


def assert_same_states(run: el.Run, horizon_ms: float) -> None:
    """Each state along the run is that of a simulated cluster which takes the same steps."""
    for step, state in enumerate(run.states):
        cluster = run.cluster(step)
        for node in state.nodes:
            real = cluster.node(node["node"])
            assert (real.role, real.leader or 0, real.epoch) == (
                node["role"], node["leader"] or 0, node["epoch"],
            )  # fmt: skip
            fields = cluster.node_fields(node["node"])
            for part in ("disk", "durable", "memory"):
                told = from_now_on(fields[part], real.clock_ms, -horizon_ms)
                assert told == from_now_on(node[part], 0, -horizon_ms), (step, node["node"], part)
            assert sorted(fields["timers_due_ms"]) == sorted(node["timers"])


def lease(drift: float) -> el.Protocol:
    return el.Lease(
        2,
        lease_ttl_ms=100,
        renew_interval_ms=50,
        retry_interval_ms=(50, 50),
        drift_bound_ppm=round(drift * 1e6),
    )


RATES = [(1.0, 1.0), (0.9, 1.1), (1.25, 0.75), (0.75, 1.0), (1.0, 1.25), (0.75, 1.25), (0.5, 1.5)]


@pytest.mark.parametrize("drift", [0.0, 0.1, 0.25])
def test_leases_are_safe_up_to_the_rates_that_they_allow_for_and_not_beyond(drift: float) -> None:
    """Of all schedules: the lease ends for its holder before the manager lends it again.

    The manager's term begins when the request arrives, a tick after its sending or two, and the
    next holder hears of its own a tick after the manager lent it, so that is what a holder may be
    late by.
    """
    held_ms = 100 * (1 - drift) / (1 + drift)
    for holders, manager in RATES:
        result = el.check(
            lease(drift),
            "one_leader_at_a_time",
            timing=el.Timing(
                tick_ms=10,
                one_way_delay_ms=(10, 20),
                rates={1: holders, 2: holders, 3: manager},
            ),
            bounds=el.Bounds(epoch=2),
        )
        case = (drift, holders, manager, str(result))
        assert "clock" not in result.bounds_hit, case
        assert set(result.bounds_hit) <= {"epoch"}, case
        ticks_held = math.ceil(round(held_ms / (10 * holders), 9))
        ticks_lent = math.floor(round(100 / (10 * manager), 9))
        assert result.violated == (ticks_held >= ticks_lent + 2), case
        if 1 - drift <= holders <= 1 + drift and 1 - drift <= manager <= 1 + drift:
            assert result.exhausted, case
            assert not result.violated, case
        if result.counterexample is not None:
            broken = result.counterexample.cluster().violations()
            assert [v["invariant"] for v in broken] == ["one_leader_at_a_time"], case


def test_a_lease_that_is_held_for_ever_is_proved_safe() -> None:
    """No bound at all: the moments that are long past are told apart no more."""
    result = el.check(
        lease(0.25),
        "one_leader_at_a_time",
        timing=el.Timing(tick_ms=10, one_way_delay_ms=10, rates={3: 1.25}),
        sometimes={"both have led": lambda s: s.nodes[2]["epoch"] == 2, "one": somebody_leads},
    )
    assert result.proved, str(result)
    assert result.witnesses["both have led"] is None
    assert result.witnesses["one"] is not None


def test_a_run_on_clocks_of_other_rates_is_the_simulators() -> None:
    run = el.check(
        lease(0.1),
        "one_leader_at_a_time",
        timing=el.Timing(tick_ms=10, one_way_delay_ms=10, rates={1: 0.75, 3: 1.25}),
        bounds=el.Bounds(epoch=2),
    ).counterexample
    assert run is not None
    clocks = [run.cluster().node(node).clock_ms - run.cluster(0).node(node).clock_ms
              for node in (1, 2, 3)]  # fmt: skip
    ticks = [step["step"] for step in run.steps].count("tick")
    assert clocks == [7.5 * ticks, 10 * ticks, 12.5 * ticks]
    horizon_ms = run.cluster(0).node(1).clock_ms
    assert horizon_ms == 2 * 100 + 2 * 12.5  # twice the longest option and the longest delay
    assert_same_states(run, horizon_ms)


def stale_lease(state: el.CheckedState) -> bool:
    """No leader answers reads under its lease when another leads a later term."""
    leaders = [node for node in state.nodes if node["role"] == "leader"]
    return not any(
        a["memory"]["more"]["leased"]
        and a["memory"]["more"]["lease_until"] > 0
        and b["epoch"] > a["epoch"]
        for a, b in itertools.permutations(leaders, 2)
    )


def check_read_leases(drift: float, rates: tuple[float, float]) -> el.CheckResult:
    raft = el.Raft(
        3,
        reads="lease",
        election_timeout_ms=(60, 60),
        heartbeat_interval_ms=20,
        clock_drift_bound_ppm=round(drift * 1e6),
    )
    return el.check(
        raft,
        stale_lease,
        timing=el.Timing(
            tick_ms=10,
            one_way_delay_ms=10,
            rates={1: rates[0], 2: rates[1], 3: rates[1]},
            until_ms=140,
        ),
        initial_leader=1,
        bounds=el.Bounds(epoch=2),
        faults=el.Budget(partitions=1, partition_family=[[{1}, {2, 3}]], heals=False),
        sometimes={"two lead": lambda state: len(state.leaders) == 2},
    )


def test_read_leases_of_raft_hold_as_far_as_their_bound_on_clocks_does() -> None:
    safe = check_read_leases(0.25, (0.75, 1.25))
    assert safe.exhausted
    assert not safe.violated
    assert safe.witnesses["two lead"] is not None
    assert sorted(safe.bounds_hit) == ["epoch", "time"]
    run = check_read_leases(0.0, (0.75, 1.25)).counterexample
    assert run is not None
    leaders = [run.cluster().node(n) for n in (1, 2, 3)]
    assert sorted(node.epoch for node in leaders if node.role == "leader") == [1, 2]
    assert_same_states(run, 1e9)  # until_ms: clocks show all that there is


@pytest.mark.parametrize(
    ("protocol", "timing", "bounds_hit"),
    [
        (el.Kubernetes(2, lease_duration_ms=4000, renew_deadline_ms=3000, retry_period_ms=1000,
                       request_timeout_ms=1000, jitter_percent=100),
         el.Timing(tick_ms=500, one_way_delay_ms=500), {"states"}),
        (el.Raft(3, pre_vote=True, check_quorum=True, election_timeout_ms=(40, 60),
                 heartbeat_interval_ms=20),
         el.Timing(tick_ms=20, one_way_delay_ms=(0, 20)), {"states"}),
    ],
    ids=["kubernetes", "raft"],
)  # fmt: skip
def test_protocols_that_read_their_clocks_are_followed(
    protocol: el.Protocol, timing: el.Timing, bounds_hit: set[str]
) -> None:
    result = el.check(
        protocol,
        [],
        timing=timing,
        sometimes={"a leader": somebody_leads},
        bounds=el.Bounds(states=20_000),
    )
    assert "clock" not in result.bounds_hit
    run = result.witnesses["a leader"]
    assert run is not None, str(result)
    assert_same_states(run, run.cluster(0).node(1).clock_ms)


def heartbeats(**timing: Any) -> el.CheckResult:
    return el.check(
        el.Heartbeat(2, heartbeat_interval_ms=50, timeout_ms=150),
        "one_leader_at_a_time",
        timing=el.Timing(tick_ms=50, one_way_delay_ms=(0, 50), **timing),
        faults=el.Budget(partitions=1 if timing.get("rates") else 0),
    )


def test_what_is_done_at_certain_times_of_a_clock_needs_clocks_that_show_them() -> None:
    """Heartbeats leave when the sender's clock shows multiples of the interval."""
    assert "clock" in heartbeats().bounds_hit
    result = heartbeats(until_ms=400)
    assert result.bounds_hit == ["time"]
    assert result.exhausted
    assert not result.violated
    run = heartbeats(until_ms=400, rates={1: 0.5}).counterexample
    assert run is not None
    assert "one_leader_at_a_time" in {v["invariant"] for v in run.cluster().violations()}


def test_a_horizon_that_is_too_near_is_noticed() -> None:
    settings = {"tick_ms": 10.0, "one_way_delay_ms": 10.0}
    bounds = el.Bounds(depth=25)
    assert "clock" in el.check(
        lease(0), [], timing=el.Timing(**settings, horizon_ms=5), bounds=bounds
    ).bounds_hit  # fmt: skip
    assert "clock" not in el.check(
        lease(0), [], timing=el.Timing(**settings, horizon_ms=300), bounds=bounds
    ).bounds_hit  # fmt: skip


@pytest.mark.parametrize(
    ("timing", "says"),
    [
        ({"rates": {9: 1.0}}, r"timing.rates=.*nodes are from 1 to 3, each once"),
        ({"rates": {1: 2.0}}, r"timing.rates=.*a rate is from 0.5 to 1.5"),
        ({"rates": {1: "fast"}}, r"timing.rates=.*a rate is from 0.5 to 1.5"),
        ({"rates": {1: 1.0000000015}}, r"whole number of nanoseconds on each clock"),
        ({"tick_ms": 0.000001, "rates": {1: 1.25}}, r"whole number of nanoseconds on each clock"),
        ({"rates": 1.25}, r"timing.rates=1.25: must be a dict"),
        ({"horizon_ms": -1}, r"timing.horizon_ms"),
        ({"until_ms": -1}, r"timing.until_ms"),
    ],
)
def test_bad_clocks_are_refused_by_name(timing: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        el.check(el.Lease(2), timing=el.Timing(**timing), bounds=el.Bounds(depth=1))


# --- draws by lot ---------------------------------------------------------------------------------


def drawn(state: el.CheckedState) -> tuple[int, ...]:
    return tuple(node["memory"]["id"] if node["memory"]["drawn"] else 0 for node in state.nodes)


def test_every_draw_of_itai_and_rodeh_is_explored() -> None:
    ids = (1, 2)
    seen: set[tuple[int, ...]] = set()

    def look(state: el.CheckedState) -> bool:
        seen.add(drawn(state))
        return True

    result = el.check(el.ItaiRodeh(3, ids=2), ["one_winner", look], bounds=el.Bounds(depth=14))
    assert not result.violated
    assert result.bounds_hit == ["depth"]
    assert seen >= set(itertools.product(ids, repeat=3))
    assert result.levels[:4] == [1, 2, 4, 8]


@pytest.mark.parametrize("draws", list(itertools.product((1, 2), repeat=3)))
def test_a_run_draws_the_same_in_the_simulator(draws: tuple[int, ...]) -> None:
    result = el.check(
        el.ItaiRodeh(3, ids=2),
        [],
        bounds=el.Bounds(depth=16),
        sometimes={
            "they lead": lambda state: somebody_leads(state) and run_drew(state, draws),
            "they draw": lambda state: drawn(state) == draws,
        },
    )
    run = result.witnesses["they draw"]
    assert run is not None
    assert_same_states(run, 0)
    # Whoever drew the greatest id alone wins in this round; else another round has to tell.
    led = result.witnesses["they lead"]
    assert (led is not None) == (draws.count(max(draws)) == 1)
    if led is not None:
        assert_same_states(led, 0)
        assert led.states[-1].leaders == [draws.index(max(draws)) + 1]


def run_drew(state: el.CheckedState, draws: tuple[int, ...]) -> bool:
    return drawn(state) == draws and all(n["memory"]["round"] == 1 for n in state.nodes)


def test_a_ring_that_is_smaller_than_it_thinks_has_two_winners() -> None:
    result = el.check(el.ItaiRodeh(4, ids=2, ring_size=2), "one_winner", bounds=el.Bounds(depth=20))
    run = result.counterexample
    assert run is not None
    assert [v["invariant"] for v in run.cluster().violations()] == ["one_winner"]
    assert_same_states(run, 0)
    assert "and draws" in str(run)


def test_too_many_ids_to_draw_from_are_a_bound() -> None:
    assert "draws" in el.check(el.ItaiRodeh(3, ids=17), bounds=el.Bounds(depth=4)).bounds_hit
    assert "draws" not in el.check(el.ItaiRodeh(3, ids=16), bounds=el.Bounds(depth=4)).bounds_hit

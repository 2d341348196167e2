"""Real systems against their simulation: leaders are killed, and the downtimes compared.

For each system the parameters of the simulation follow from those of the servers; nothing is
fitted. Beside it stands the naive model, what one expects who knows the time-out alone.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from electionlab import protocols
from electionlab._presets import presets
from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.real.calibration import Calibration, Floats, Formula, Measured
from electionlab.real.contest import Contest
from electionlab.real.ensemble import RealCluster
from electionlab.real.etcd import EtcdCluster
from electionlab.real.zookeeper import ZooKeeperEnsemble
from electionlab.settings import Network

#: Loopback, between processes that have to be woken: assumed, not fitted.
LOOPBACK = Network(one_way_delay_ms=(0.05, 0.3))
#: Simulated runs for each calibration: so many more than kills that chance lies in those alone.
TRIALS = 20_000
#: How often etcd looks for leases that are over.
LEASE_LOOK_MS = 500.0

# --- simulated ------------------------------------------------------------------------------------


def _simulate(
    protocol: Any,
    settle_ms: float,
    spread_ms: float,
    seed: int,
    trials: int,
    *,
    closes: bool = False,
    contenders: int = 0,
) -> tuple[Floats, tuple[int, ...]]:
    """Downtimes after a crash of the leader at a moment drawn from a span, and epochs' rises."""
    moments = random.Random(seed)
    took, rises = [], []
    for trial in range(trials):
        cluster = Cluster(protocol, network=LOOPBACK, seed=seed * 1_000_003 + trial, record=False)
        for node in range(1, contenders + 1):  # they do not begin with the service's clock
            cluster.crash(node)
        for node in range(1, contenders + 1):
            cluster.run_for(moments.uniform(0, spread_ms))
            cluster.restart(node)
        before = cluster.run_until_leader(600_000, agreed=True)
        cluster.run_for(settle_ms + moments.uniform(0, spread_ms))
        if not before or cluster.leader is None:
            continue
        epoch = cluster.view(cluster.leader)[2]
        crashed_ms = cluster.now
        if closes:
            cluster.command("leader", "CloseConnections")
        cluster.crash("leader")
        leader = cluster.run_until_leader(600_000)
        if leader:
            took.append(leader.at_ms - crashed_ms)
            rises.append(getattr(leader, "epoch", 0) - epoch)
    return np.array(took), tuple(rises)


# --- real -----------------------------------------------------------------------------------------


def _break_leaders(
    cluster: RealCluster, kills: int, settle_ms: float, spread_ms: float, seed: int, fault: str
) -> Iterator[tuple[float, int]]:
    """Breaks the leader again and again: downtimes, and by how much epochs rose."""
    moments = random.Random(seed)
    for _ in range(kills):
        before = cluster.wait_leader()
        time.sleep((settle_ms + moments.uniform(0, spread_ms)) / 1e3)
        before = cluster.wait_leader()
        began = len(cluster.trace.downtimes_ms)
        getattr(cluster, fault)(before.node)
        after = cluster.wait_leader(120_000, after_epoch=before.epoch)
        took = cluster.trace.downtimes_ms
        if len(took) > began:
            yield took[-1], after.epoch - before.epoch
        (cluster.restart if fault == "crash" else cluster.resume)(before.node)
        cluster.wait_ready([before.node])


def _kill_contenders(
    contest: Contest,
    kills: int,
    settle_ms: float,
    spread_ms: float,
    seed: int,
    ended: Callable[[int], int | None],
) -> Iterator[tuple[float, float]]:
    """Kills the leading contender again and again, not before it has renewed some times.

    Leases and sessions end when the server looks for such, at its ticks. So a leader begins at a
    tick, and its first renewals keep to that; and who was killed must not come back at a tick.

    Yields:
        The time from the kill until another leads, and from the last renewal to its end, in ms.
        `ended` tells when something that was over after a moment was found to be, both on the
        monotonic clock; None: when another led.
    """
    moments = random.Random(seed)
    for _ in range(kills):
        leader = contest.wait_leader()
        contest.wait_waiting()
        time.sleep((settle_ms + moments.uniform(0, spread_ms)) / 1e3)
        leader = contest.wait_leader()  # on a busy machine it may be another by now
        began = len(contest.crash_takeovers)
        contest.crash(leader)
        contest.wait_leader(120, other_than=leader)
        found = contest.crash_takeovers
        if len(found) > began:
            last = found[-1]
            end_ns = ended(last.crashed_ns) or last.led_ns
            yield (last.led_ns - last.crashed_ns) / 1e6, (end_ns - last.renewed_ns) / 1e6
        time.sleep(moments.uniform(0, spread_ms / 4) / 1e3)
        contest.restart(leader)


def _collect(found: Iterator[tuple[float, Any]], kills: int, progress: bool) -> list[Any]:
    """What was measured, by columns; Ctrl-C ends it early with what there is."""
    rows: list[tuple[float, Any]] = []
    try:
        for row in tqdm(found, total=kills, unit=" kills", leave=False, disable=not progress):
            rows.append(row)
    except KeyboardInterrupt:
        if len(rows) < 2:
            raise
    return [list(column) for column in zip(*rows, strict=True)]


# --- etcd's own leader ----------------------------------------------------------------------------


def measure_etcd(
    *, nodes: int = 3, kills: int = 50, heartbeat_ms: int = 100, election_ms: int = 1000,
    pre_vote: bool = True, seed: int = 1, progress: bool = False,
) -> Measured:  # fmt: skip
    """Kills the leader of a real etcd again and again.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no etcd.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    cluster = EtcdCluster(
        nodes, heartbeat_ms=heartbeat_ms, election_ms=election_ms, pre_vote=pre_vote,
        partitions=False,
    )  # fmt: skip
    settle, spread = 3.0 * election_ms, 2.0 * heartbeat_ms
    with cluster:
        breaking = _break_leaders(cluster, kills, settle, spread, seed, "crash")
        real, rises = _collect(breaking, kills, progress)
    about = cluster.system | {"nodes": nodes}
    return Measured("etcd", "crash", about, np.array(real), tuple(rises))


def compare_etcd(measured: Measured, *, trials: int = TRIALS, seed: int = 1) -> Calibration:
    """Simulates what was measured.

    A follower's time-out is T to 2T - 1 ticks of the heartbeat interval, and votes are withheld by
    ticks. The naive model draws the time-out uniformly from one to two election time-outs, and
    counts no ticks.
    """
    about = measured.system
    nodes, tick, election = about["nodes"], about["heartbeat_ms"], about["election_ms"]
    options: dict[str, Any] = {
        "election_timeout_ms": (election, 2 * election - tick), "heartbeat_interval_ms": tick,
        "tick_ms": tick, "pre_vote": about["pre_vote"],
    }  # fmt: skip
    naive = options | {
        "election_timeout_ms": (election, 2 * election), "timeout_policy": "redrawn",
        "stickiness_by_ticks": False,
    }  # fmt: skip
    preset, moments = presets["etcd"], (3.0 * election, 2.0 * tick)
    simulated, rises = _simulate(preset.make(nodes, **options), *moments, seed, trials)
    plain, _ = _simulate(preset.make(nodes, **naive), *moments, seed, trials)
    text = "time-outs uniform in [E, 2E), no ticks"
    return Calibration(measured, simulated, plain, text, rises)


# --- ZooKeeper's own leader -----------------------------------------------------------------------


def measure_zookeeper(
    *, nodes: int = 3, kills: int = 50, tick_ms: int = 200, sync_limit: int = 5,
    fault: str = "crash", seed: int = 1, progress: bool = False,
) -> Measured:  # fmt: skip
    """Breaks the leader of a real ZooKeeper ensemble again and again.

    A process that is killed closes its connections, which is noticed at once; one that is paused is
    silent, as a machine that loses its power.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no ZooKeeper.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    if fault not in ("pause", "crash"):
        raise ValueError(f"fault={fault!r}: must be 'pause' or 'crash'")
    cluster = ZooKeeperEnsemble(nodes, tick_ms=tick_ms, sync_limit=sync_limit, partitions=False)
    with cluster:
        breaking = _break_leaders(cluster, kills, 10.0 * tick_ms, 2.0 * tick_ms, seed, fault)
        real, rises = _collect(breaking, kills, progress)
    about = cluster.system | {"nodes": nodes}
    return Measured("zookeeper", fault, about, np.array(real), tuple(rises))


def compare_zookeeper(measured: Measured, *, trials: int = TRIALS, seed: int = 1) -> Calibration:
    """Simulates what was measured.

    The naive model elects in no time: at once after a crash, after syncLimit ticks of silence.
    """
    about = measured.system
    tick, limit, crash = about["tick_ms"], about["sync_limit"], measured.fault == "crash"
    protocol = presets["zookeeper"].make(
        about["nodes"], tick_time_ms=tick, sync_limit=limit, init_limit=about["init_limit"]
    )
    simulated, rises = _simulate(
        protocol, 10.0 * tick, 2.0 * tick, seed, trials, closes=crash
    )  # fmt: skip
    naive = np.full(trials, 0.0 if crash else float(limit * tick))
    text = "" if crash else "syncLimit ticks, then "
    return Calibration(measured, simulated, naive, text + "an election in no time", rises)


# --- contenders with etcd's leases ----------------------------------------------------------------


def measure_etcd_lease(
    *, contenders: int = 3, kills: int = 50, ttl_s: int = 2, election_ms: int = 1000, seed: int = 1,
    progress: bool = False,
) -> Measured:  # fmt: skip
    """Kills the leader of a contest on a real etcd again and again.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no etcd.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    ttl_s = whole_number("ttl_s", ttl_s, 1, 3600)
    cluster = EtcdCluster(
        1, heartbeat_ms=max(1, election_ms // 10), election_ms=election_ms, partitions=False
    )
    granted = max(ttl_s, cluster.least_ttl_s)
    contest = Contest(cluster, contenders=contenders, ttl_s=ttl_s, work_ms=250)
    with cluster, contest:
        killing = _kill_contenders(contest, kills, 0.0, 1000.0 * granted, seed, lambda _: None)
        real, since = _collect(killing, kills, progress)
    about = cluster.system | {"contenders": contenders, "ttl_s": ttl_s, "granted_s": granted}
    return Measured("etcd-lease", "crash", about, np.array(real), (), np.array(since))


def compare_etcd_lease(measured: Measured, *, trials: int = TRIALS, seed: int = 1) -> Calibration:
    """Simulates what was measured.

    The lease is over its granted TTL after the last renewal, and etcd looks for such leases each
    half second. Renewals leave a third of the TTL after the last answer. The naive model takes the
    TTL from the kill.
    """
    granted = 1000.0 * measured.system["granted_s"]
    make = getattr(protocols, "Etcd")  # noqa: B009  (made by name, for each protocol)
    protocol = make(
        nodes=measured.system["contenders"], session_ttl_ms=granted, keep_alive_poll_ms=1,
        server_poll_ms=LEASE_LOOK_MS,
    )  # fmt: skip
    simulated, _ = _simulate(
        protocol, 2 * granted, granted, seed, trials, contenders=measured.system["contenders"]
    )
    rule = Formula("granted TTL + U(0, 500 ms)", granted, granted + LEASE_LOOK_MS)
    naive = np.full(trials, granted)
    return Calibration(measured, simulated, naive, "the granted TTL after the kill", (), rule)


# --- contenders with ZooKeeper's sessions ---------------------------------------------------------


def measure_zk_session(
    *, contenders: int = 3, kills: int = 50, session_ms: int = 2000, tick_ms: int = 200,
    seed: int = 1, progress: bool = False,
) -> Measured:  # fmt: skip
    """Kills the leader of a contest on a real ZooKeeper again and again.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no ZooKeeper, or no kazoo.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    tick_ms = whole_number("tick_ms", tick_ms, 10, 60_000)
    session_ms = whole_number("session_ms", session_ms, 2 * tick_ms, 20 * tick_ms)
    cluster = ZooKeeperEnsemble(1, tick_ms=tick_ms, partitions=False)
    contest = Contest(cluster, contenders=contenders, ttl_s=session_ms / 1e3, work_ms=250)
    with cluster, contest:
        killing = _kill_contenders(
            contest, kills, 1.5 * session_ms, float(session_ms), seed, cluster.expired_ns
        )
        real, since = _collect(killing, kills, progress)
    about = cluster.system | {"contenders": contenders, "session_ms": session_ms}
    return Measured("zk-session", "crash", about, np.array(real), (), np.array(since))


def compare_zk_session(measured: Measured, *, trials: int = TRIALS, seed: int = 1) -> Calibration:
    """Simulates what was measured.

    The session ends its time-out after the last message, at the server's next tick. kazoo pings
    after a third of the time-out less 10 to 400 ms, and after those 10 to 400 ms where that is
    longer. The naive model takes the time-out from the kill.
    """
    session, tick = float(measured.system["session_ms"]), float(measured.system["tick_ms"])
    pings = [max(session / 3 - 10.0 * j, 10.0 * j) for j in range(1, 41)]
    make = getattr(protocols, "ZkRecipe")  # noqa: B009
    protocol = make(
        nodes=measured.system["contenders"], session_timeout_ms=session, tick_ms=tick,
        look_interval_ms=0, connect_timeout_ms=(session / 3, session / 3 + 1000),
        ping_interval_ms=(min(pings), max(pings)),
    )  # fmt: skip
    simulated, _ = _simulate(
        protocol, 2 * session, session, seed, trials, contenders=measured.system["contenders"]
    )
    rule = Formula("session time-out + U(0, tickTime)", session, session + tick)
    naive = np.full(trials, session)
    text = "the session time-out after the kill"
    return Calibration(measured, simulated, naive, text, (), rule)


#: By name: how downtimes are measured, and how they are compared.
MEASURE: dict[str, Callable[..., Measured]] = {
    "etcd": measure_etcd,
    "zookeeper": measure_zookeeper,
    "etcd-lease": measure_etcd_lease,
    "zk-session": measure_zk_session,
}
COMPARE: dict[str, Callable[..., Calibration]] = {
    "etcd": compare_etcd,
    "zookeeper": compare_zookeeper,
    "etcd-lease": compare_etcd_lease,
    "zk-session": compare_zk_session,
}


def calibrate(
    system: str | Measured | os.PathLike[str], *, trials: int = TRIALS, seed: int = 1,
    **settings: Any,
) -> Calibration:  # fmt: skip
    """Breaks leaders of a real system again and again, simulates the same, and compares.

    Args:
        system: "etcd", "zookeeper", "etcd-lease" or "zk-session"; or what was measured before, or
            the path of its JSON document: then no server is needed.
        trials: How many runs are simulated.
        seed: Of the simulation, and of the moments of the faults.
        settings: As for `measure_etcd` and the others: ``kills``, ``nodes`` and so on.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: The server is not installed.
    """
    trials = whole_number("trials", trials, 1, 100_000_000)
    if isinstance(system, str):
        if system not in MEASURE:
            raise ValueError(f"system={system!r}: must be one of {', '.join(MEASURE)}")
        measured = MEASURE[system](seed=seed, **settings)
    else:
        measured = system if isinstance(system, Measured) else Measured.load(system)
        if settings:
            raise ValueError(f"{next(iter(settings))}: was settled when it was measured")
    if measured.name not in COMPARE:
        raise ValueError(f"system={measured.name!r}: must be one of {', '.join(COMPARE)}")
    try:
        return COMPARE[measured.name](measured, trials=trials, seed=seed)
    except KeyError as error:
        raise ValueError(f"system: what was measured says nothing of {error}") from None

"""Real systems against their simulation: leaders are killed, and the downtimes compared.

For each system the parameters of the simulation follow from those of the servers; nothing is
fitted. Beside it stands the naive model, what one expects who knows the time-out alone.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from electionlab import protocols
from electionlab._presets import presets
from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.real.contest import Contest
from electionlab.real.ensemble import RealCluster
from electionlab.real.etcd import EtcdCluster
from electionlab.real.zookeeper import ZooKeeperEnsemble
from electionlab.settings import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Loopback, between processes that have to be woken: assumed, not fitted.
LOOPBACK = Network(one_way_delay_ms=(0.05, 0.3))
#: Simulated runs for each calibration: so many more than kills that chance lies in those alone.
TRIALS = 20_000

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Downtimes of a real system, of its simulation, and of the naive model.

    Attributes:
        name: What was calibrated: "etcd", "zookeeper", "etcd-lease" or "zk-session".
        fault: What was done to leaders.
        system: Servers, versions and settings.
        real_ms: From the fault to the next leader, real.
        simulated_ms: The same, simulated.
        naive_ms: The same by the naive model.
        naive: What that model is.
        real_epochs: By how much each real election raised the epoch; empty when it does not apply.
        simulated_epochs: The same, simulated.
    """

    name: str
    fault: str
    system: dict[str, Any]
    real_ms: Floats
    simulated_ms: Floats
    naive_ms: Floats
    naive: str
    real_epochs: tuple[int, ...] = ()
    simulated_epochs: tuple[int, ...] = ()

    @property
    def limit(self) -> float:
        """What chance allows in 95 % when the distributions are the same: 1.36 / sqrt(n)."""
        return 1.36 / float(np.sqrt(len(self.real_ms)))

    @property
    def distance(self) -> float:
        """The Kolmogorov-Smirnov distance between real and simulated downtimes."""
        return ks_distance(self.real_ms, self.simulated_ms)

    @property
    def naive_distance(self) -> float:
        """The same for the naive model."""
        return ks_distance(self.real_ms, self.naive_ms)

    def interval(self, model_ms: Floats, *, seed: int = 1) -> tuple[float, float]:
        """The middle 95 % of the distance when the real downtimes are resampled."""
        rng = np.random.default_rng(seed)
        size = len(self.real_ms)
        found = [
            ks_distance(rng.choice(self.real_ms, size), np.asarray(model_ms)) for _ in range(500)
        ]
        low, high = np.quantile(found, [0.025, 0.975])
        return float(low), float(high)

    def summary(self) -> dict[str, Any]:
        """All figures, for JSON."""

        def about(values: Floats) -> dict[str, float]:
            names = ("least", "median", "p90", "most")
            found = np.quantile(values, [0, 0.5, 0.9, 1])
            return {"runs": len(values), **dict(zip(names, map(float, found), strict=True))}

        return {
            "calibration": self.name,
            "fault": self.fault,
            "system": self.system,
            "unit": "ms",
            "real": about(self.real_ms),
            "simulated": about(self.simulated_ms),
            "naive": {"model": self.naive, **about(self.naive_ms)},
            "ks_distance": self.distance,
            "ks_interval": self.interval(self.simulated_ms),
            "ks_distance_naive": self.naive_distance,
            "ks_interval_naive": self.interval(self.naive_ms),
            "ks_limit": self.limit,
            "more_than_one_epoch": {
                "real": share_above_one(self.real_epochs),
                "simulated": share_above_one(self.simulated_epochs),
            },
            "real_ms": self.real_ms.tolist(),
            "real_epochs": list(self.real_epochs),
        }

    def __str__(self) -> str:
        settings = ", ".join(f"{key} {value}" for key, value in self.system.items())
        lines = [f"{self.name}: {self.fault}, {len(self.real_ms)} times", settings, ""]
        lines.append(
            f"{'until the next leader [ms]':28}{'least':>8}{'median':>8}{'90 %':>8}{'most':>8}"
        )
        every = (("real", self.real_ms), ("simulated", self.simulated_ms), ("naive", self.naive_ms))
        for name, values in every:
            numbers = "".join(f"{x:8.0f}" for x in np.quantile(values, [0, 0.5, 0.9, 1]))
            lines.append(f"{name:28}{numbers}")
        lines.append("")
        for name, values in every[1:]:
            d = ks_distance(self.real_ms, values)
            low, high = self.interval(values)
            says = "within" if d <= self.limit else "beyond"
            lines.append(
                f"KS distance of {name}: {d:.3f} [{low:.3f}, {high:.3f}], {says} {self.limit:.3f}"
            )
        lines.append(f"naive: {self.naive}")
        if self.real_epochs:
            real, simulated = map(share_above_one, (self.real_epochs, self.simulated_epochs))
            lines.append(f"needed more than one epoch: real {real:.1%}, simulated {simulated:.1%}")
        return "\n".join(lines)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """The three distributions; see `electionlab.plot.calibration.plot_calibration`."""
        from electionlab.plot.calibration import plot_calibration

        return plot_calibration(self, ax=ax)


def ks_distance(one: Floats, other: Floats) -> float:
    """The greatest distance between two empirical distribution functions."""
    one, other = np.sort(one), np.sort(other)
    every = np.concatenate([one, other])
    shares = [np.searchsorted(x, every, side="right") / len(x) for x in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def share_above_one(epochs: tuple[int, ...]) -> float:
    """Which share of the elections raised the epoch by more than one; NaN when there are none."""
    return float(np.mean(np.array(epochs) > 1)) if epochs else float("nan")


# --- simulated ------------------------------------------------------------------------------------


def _simulate(
    make: Callable[[], Any], settle_ms: float, spread_ms: float, seed: int, trials: int = TRIALS
) -> tuple[Floats, tuple[int, ...]]:
    """Downtimes after a crash of the leader at a moment drawn from a span, and epochs' rises."""
    protocol = make()
    moments = random.Random(seed)
    took, rises = [], []
    for trial in range(trials):
        cluster = Cluster(protocol, network=LOOPBACK, seed=seed * 1_000_003 + trial, record=False)
        before = cluster.run_until_leader(600_000, agreed=True)
        cluster.run_for(settle_ms + moments.uniform(0, spread_ms))
        if not before or cluster.leader is None:
            continue
        epoch = cluster.view(cluster.leader)[2]
        crashed_ms = cluster.now
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
    contest: Contest, kills: int, spread_ms: float, seed: int
) -> Iterator[tuple[float, int]]:
    moments = random.Random(seed)
    for _ in range(kills):
        leader = contest.wait_leader()
        contest.wait_waiting()
        time.sleep(moments.uniform(0, spread_ms) / 1e3)
        leader = contest.wait_leader()  # on a busy machine it may be another by now
        began = len(contest.takeovers_ms)
        contest.crash(leader)
        contest.wait_leader(120, other_than=leader)
        took = contest.takeovers_ms
        if len(took) > began:
            yield took[-1], 1
        contest.restart(leader)


def _collect(
    found: Iterator[tuple[float, int]], kills: int, progress: bool
) -> tuple[Floats, tuple[int, ...]]:
    """What was measured; Ctrl-C ends it early with what there is."""
    took: list[float] = []
    rises: list[int] = []
    try:
        for downtime, rise in tqdm(
            found, total=kills, unit=" kills", leave=False, disable=not progress
        ):
            took.append(downtime)
            rises.append(rise)
    except KeyboardInterrupt:
        if not took:
            raise
    return np.array(took), tuple(rises)


# --- the four calibrations ------------------------------------------------------------------------


def calibrate_etcd(
    *, nodes: int = 3, kills: int = 50, heartbeat_ms: int = 100, election_ms: int = 1000,
    pre_vote: bool = True, seed: int = 1, progress: bool = False, trials: int = TRIALS,
) -> Calibration:  # fmt: skip
    """Kills the leader of a real etcd again and again, and simulates the same.

    A follower's time-out is T to 2T - 1 ticks of the heartbeat interval. The naive model draws it
    uniformly from one to two election time-outs, without ticks.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no etcd.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    settle, spread = 3.0 * election_ms, 2.0 * heartbeat_ms
    cluster = EtcdCluster(
        nodes, heartbeat_ms=heartbeat_ms, election_ms=election_ms, pre_vote=pre_vote,
        partitions=False,
    )  # fmt: skip
    with cluster:
        breaking = _break_leaders(cluster, kills, settle, spread, seed, "crash")
        real, rises = _collect(breaking, kills, progress)
    options: dict[str, Any] = {
        "election_timeout_ms": (election_ms, 2 * election_ms - heartbeat_ms),
        "heartbeat_interval_ms": heartbeat_ms, "tick_ms": heartbeat_ms, "pre_vote": pre_vote,
    }  # fmt: skip
    naive = options | {
        "election_timeout_ms": (election_ms, 2 * election_ms), "timeout_policy": "redrawn",
        "stickiness_by_ticks": False,
    }  # fmt: skip
    simulated = _simulate(
        lambda: presets["etcd"].make(nodes, **options), settle, spread, seed, trials
    )
    plain = _simulate(lambda: presets["etcd"].make(nodes, **naive), settle, spread, seed, trials)
    return Calibration(
        "etcd", "leader killed", cluster.system | {"nodes": nodes}, real, simulated[0], plain[0],
        "time-outs uniform in [E, 2E), no ticks", rises, simulated[1],
    )  # fmt: skip


def calibrate_zookeeper(
    *, nodes: int = 3, kills: int = 50, tick_ms: int = 200, sync_limit: int = 5,
    fault: str = "pause", seed: int = 1, progress: bool = False, trials: int = TRIALS,
) -> Calibration:  # fmt: skip
    """Breaks the leader of a real ZooKeeper ensemble again and again, and simulates its silence.

    The simulated crash is silent, as of a machine that loses its power: its real counterpart is a
    pause. A process that is killed closes its connections, which is noticed at once; that can be
    measured too (``fault="crash"``), and shows by how much. The naive model waits for syncLimit
    ticks and elects in no time.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no ZooKeeper.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    if fault not in ("pause", "crash"):
        raise ValueError(f"fault={fault!r}: must be 'pause' or 'crash'")
    settle, spread = 10.0 * tick_ms, 2.0 * tick_ms
    cluster = ZooKeeperEnsemble(nodes, tick_ms=tick_ms, sync_limit=sync_limit, partitions=False)
    with cluster:
        breaking = _break_leaders(cluster, kills, settle, spread, seed, fault)
        real, rises = _collect(breaking, kills, progress)
    preset = presets["zookeeper"]
    simulated = _simulate(
        lambda: preset.make(nodes, tick_time_ms=tick_ms, sync_limit=sync_limit), settle, spread,
        seed, trials,
    )  # fmt: skip
    naive = np.full(trials, float(sync_limit * tick_ms))
    what = {"pause": "leader paused", "crash": "leader killed"}[fault]
    return Calibration(
        "zookeeper", what, cluster.system | {"nodes": nodes}, real, simulated[0], naive,
        "syncLimit ticks, and an election that takes no time", rises, simulated[1],
    )  # fmt: skip


def calibrate_etcd_lease(
    *, contenders: int = 3, kills: int = 50, ttl_s: int = 2, seed: int = 1,
    progress: bool = False, trials: int = TRIALS,
) -> Calibration:  # fmt: skip
    """Kills the leader of a contest on a real etcd, and simulates the same.

    The lease is over its granted TTL after the last renewal, and etcd looks for such leases each
    half second. Renewals leave a third of the TTL after the last answer. The naive model takes the
    TTL from the kill.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no etcd.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    cluster = EtcdCluster(1, partitions=False, election_ms=500)
    ttl_s = max(whole_number("ttl_s", ttl_s, 1, 3600), cluster.least_ttl_s)
    spread = 1000.0 * ttl_s
    with cluster, Contest(cluster, contenders=contenders, ttl_s=ttl_s) as contest:
        real, _ = _collect(_kill_contenders(contest, kills, spread, seed), kills, progress)
    make = getattr(protocols, "Etcd")  # noqa: B009  (made by name, for each protocol)
    options = {"session_ttl_ms": 1000 * ttl_s, "keep_alive_poll_ms": 1}
    simulated, _ = _simulate(
        lambda: make(nodes=contenders, **options), 2 * spread, spread, seed, trials
    )
    return Calibration(
        "etcd-lease", "leading contender killed",
        cluster.system | {"contenders": contenders, "ttl_s": ttl_s},
        real, simulated, np.full(trials, 1000.0 * ttl_s), "the TTL after the kill",
    )  # fmt: skip


def calibrate_zk_session(
    *, contenders: int = 3, kills: int = 50, session_ms: int = 2000, tick_ms: int = 200,
    seed: int = 1, progress: bool = False, trials: int = TRIALS,
) -> Calibration:  # fmt: skip
    """Kills the leader of a contest on a real ZooKeeper, and simulates the same.

    The session ends its time-out after the last message, at the server's next tick. The naive model
    takes the time-out from the kill.

    Raises:
        ValueError: An argument is out of range.
        NotInstalledError: There is no ZooKeeper, or no kazoo.
    """
    kills = whole_number("kills", kills, 2, 100_000)
    tick_ms = whole_number("tick_ms", tick_ms, 10, 60_000)
    session_ms = whole_number("session_ms", session_ms, 2 * tick_ms, 20 * tick_ms)
    cluster = ZooKeeperEnsemble(1, tick_ms=tick_ms, partitions=False)
    with cluster, Contest(cluster, contenders=contenders, ttl_s=session_ms / 1e3) as contest:
        real, _ = _collect(_kill_contenders(contest, kills, session_ms, seed), kills, progress)
    make = getattr(protocols, "ZkRecipe")  # noqa: B009
    third = session_ms / 3
    simulated, _ = _simulate(
        lambda: make(
            nodes=contenders, session_timeout_ms=session_ms, tick_ms=tick_ms, look_interval_ms=0,
            connect_timeout_ms=(third, third + 1000),
        ),
        2.0 * session_ms, session_ms, seed, trials,
    )  # fmt: skip
    return Calibration(
        "zk-session", "leading contender killed",
        cluster.system | {"contenders": contenders, "session_ms": session_ms},
        real, simulated, np.full(trials, float(session_ms)), "the session time-out after the kill",
    )  # fmt: skip


#: The calibrations by name.
CALIBRATIONS: dict[str, Callable[..., Calibration]] = {
    "etcd": calibrate_etcd,
    "zookeeper": calibrate_zookeeper,
    "etcd-lease": calibrate_etcd_lease,
    "zk-session": calibrate_zk_session,
}

"""Makes the pictures of docs/reality.md: real elections on real servers, and measured downtimes.

    python dev/reality.py [NAME...]

Without names all are made. Those of elections need etcd and ZooKeeper; those of downtimes need the
measurements in docs/measured, and simulate.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")

import matplotlib.pyplot as plt
from kazoo.client import KazooClient

import electionlab as el
from electionlab.plot.calibration import plot_calibration, plot_formula
from electionlab.plot.lanes import write_title

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
MEASURED = ROOT / "docs" / "measured"

Contest = el.real.Contest


def one_etcd() -> el.real.EtcdCluster:
    return el.real.EtcdCluster(1, heartbeat_ms=20, election_ms=200, partitions=False)


def held(contest: Contest, play: Callable[[Contest], None], rest_s: float = 0.5) -> Any:
    """The trace of a contest from when all are there."""
    with contest:
        contest.wait_leader()
        contest.wait_waiting()
        time.sleep(rest_s)
        play(contest)
        time.sleep(rest_s)
        return contest.trace


def save(trace: Any, name: str, title: str, *, around: str = "") -> None:
    """From just before the first leader, or the first action of that name, on."""
    rows = [trace.row(number) for number in range(len(trace))]
    first = next(
        r for r in rows if (r.get("action") == around if around else r["kind"] == "leader")
    )
    before_ms = 500 if around else 150
    start_ms = max(0.0, first["time_ns"] / 1e6 - before_ms)
    ax = trace.plot(start_ms=start_ms, late_after_ms=1000)
    write_title(ax, f"{title} ({trace.system['server']})")
    ax.figure.savefig(PICTURES / f"{name}.png", dpi=100, bbox_inches="tight")
    plt.close(ax.figure)


def crash_and_resign(contest: Contest) -> None:
    first = contest.crash()
    second = contest.wait_leader(other_than=first)
    time.sleep(0.5)
    contest.resign(second)
    contest.wait_leader(other_than=second)


def pause_past_the_ttl(contest: Contest) -> None:
    paused = contest.pause()
    other = contest.wait_leader(other_than=paused)
    while contest.writes[-1].node != other:
        time.sleep(0.01)
    time.sleep(0.07)  # so that the writes of both can be told apart
    contest.resume(paused)


def cut_off(contest: Contest) -> None:
    contest.cut_off()
    time.sleep(2.0)
    contest.heal()
    time.sleep(0.5)


def three_contenders() -> None:
    with one_etcd() as cluster:
        trace = held(Contest(cluster, ttl_s=1, work_ms=150), crash_and_resign)
    save(trace, "reality_contenders", "three contenders on etcd: kill -9, then a resignation")


def paused_leader() -> None:
    for fenced in (False, True):
        with one_etcd() as cluster:
            contest = Contest(cluster, contenders=2, ttl_s=1, work_ms=150, fenced=fenced)
            trace = held(contest, pause_past_the_ttl)
        how = "with tokens: its write is refused" if fenced else "no tokens: its write lands"
        name = "reality_fenced" if fenced else "reality_unfenced"
        save(trace, name, f"SIGSTOP past the TTL, {how}", around="pause")


def partition() -> None:
    with one_etcd() as cluster:
        contest = Contest(cluster, ttl_s=1, work_ms=150, partitions=True)
        trace = held(contest, cut_off)
    save(trace, "reality_cut_off", "the leader is cut off from etcd by the proxy")


def zookeeper() -> None:
    with el.real.ZooKeeperEnsemble(1, tick_ms=200, partitions=False) as ensemble:
        trace = held(Contest(ensemble, ttl_s=1, work_ms=150), crash_and_resign)
    save(trace, "reality_zookeeper", "ZooKeeper's recipe: kill -9, then a resignation")


def servers() -> None:
    with el.real.EtcdCluster(3, heartbeat_ms=30, election_ms=150) as cluster:
        leader = cluster.wait_leader()
        time.sleep(0.3)
        cluster.crash(leader.node)
        after = cluster.wait_leader(after_epoch=leader.epoch)
        time.sleep(0.2)
        cluster.restart(leader.node)
        cluster.wait_ready([leader.node])
        time.sleep(0.3)
        after = cluster.wait_leader()
        cluster.partition([after.node])
        last = cluster.wait_leader(after_epoch=after.epoch)
        time.sleep(0.5)
        cluster.heal()
        time.sleep(0.5)
        assert last.node != after.node
        trace = cluster.trace
    save(trace, "reality_servers", "etcd's own leader: kill -9, restart, partition by proxy, heal")


def late_comer(contest: Contest) -> None:
    late = next(n for n in (1, 2) if n not in contest.leaders[:1])
    contest.crash(late)
    contest.restart(late)
    time.sleep(1.5)


def vanishing(contest: Contest) -> None:
    client = KazooClient(contest.endpoints[0])
    client.start()
    waiter = next(n for n in (1, 2) if n not in contest.leaders)
    contest.crash(waiter)
    while len(client.get_children(contest.place)) > 1:
        time.sleep(0.01)
    contest.restart(waiter)
    while len(client.get_children(contest.place)) < 2:
        time.sleep(0.01)
    contest.resign()  # it has looked at the line, and has not asked for the predecessor
    client.stop()
    client.close()
    time.sleep(2.0)


def mistakes() -> None:
    with one_etcd() as cluster:
        contest = Contest(
            cluster, contenders=2, ttl_s=1, work_ms=150, recipe="unconditional_put", fenced=False
        )
        save(held(contest, late_comer), "reality_unconditional_put",
             "unconditional_put: whoever puts last leads, and the first as well")  # fmt: skip
        contest = Contest(
            cluster, contenders=2, ttl_s=1, work_ms=150, recipe="unread_renewal", fenced=False
        )
        save(held(contest, pause_past_the_ttl, 1.2), "reality_unread_renewal",
             "unread_renewal: after a pause it leads on, beside the new leader",
             around="pause")  # fmt: skip
    with el.real.ZooKeeperEnsemble(1, tick_ms=200, partitions=False) as ensemble:
        contest = Contest(
            ensemble, contenders=2, ttl_s=1, work_ms=150, recipe="ignored_vanishing", rest_s=0.1
        )
        save(held(contest, vanishing), "reality_ignored_vanishing",
             "ignored_vanishing: the leader has resigned, and nobody leads")  # fmt: skip


def downtimes(name: str, rows: list[tuple[str, str]], draw: Any) -> None:
    figure, axes = plt.subplots(len(rows), 1, figsize=(8.0, 3.0 * len(rows)), squeeze=False)
    for ax, (measured, title) in zip(axes[:, 0], rows, strict=True):
        draw(el.real.calibrate(MEASURED / f"{measured}.json"), ax=ax)
        ax.set_title(title, loc="left", fontsize=10)
    figure.tight_layout()
    figure.savefig(PICTURES / f"{name}.png", dpi=100)
    plt.close(figure)


def etcd_downtimes() -> None:
    rows = [
        ("etcd_3_pre_vote", "etcd, 3 members, heartbeat 30 ms, election 150 ms, PreVote"),
        ("etcd_3", "the same without PreVote"),
        ("etcd_5", "etcd, 5 members, heartbeat 100 ms, election 1000 ms, PreVote"),
    ]
    downtimes("reality_etcd", rows, plot_calibration)


def zookeeper_downtimes() -> None:
    rows = [
        ("zookeeper_crash", "ZooKeeper, 3 members, tick 200 ms: leader killed, its sockets close"),
        ("zookeeper_pause", "the same, leader silent for more than syncLimit = 5 ticks"),
    ]
    downtimes("reality_zab", rows, plot_calibration)


def renewals() -> None:
    rows = [
        ("etcd_lease", "etcd: asked for 2 s, granted 2 s; formula: granted TTL + U(0, 500 ms)"),
        ("etcd_lease_short", "etcd: asked for 1 s, granted 2 s (election time-out 1 s)"),
        ("zk_session_200", "ZooKeeper, tick 200 ms; formula: session time-out 2 s + U(0, tick)"),
        ("zk_session_500", "ZooKeeper, tick 500 ms; formula: session time-out 2 s + U(0, tick)"),
    ]
    downtimes("reality_renewals", rows, plot_formula)


ALL: dict[str, Callable[[], None]] = {
    f.__name__: f
    for f in (
        three_contenders, paused_leader, partition, zookeeper, servers, mistakes, etcd_downtimes,
        zookeeper_downtimes, renewals,
    )
}  # fmt: skip

if __name__ == "__main__":
    for wanted in sys.argv[1:] or ALL:
        print(wanted, flush=True)
        ALL[wanted]()

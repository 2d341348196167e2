"""Curves and figures of Ongaro's dissertation (chapter 9) and of SWIM's paper, measured again.

>>> from electionlab import published
>>> table = published.first_timeouts(servers=(4,), trials=2000).frame
>>> bool(abs(table.measured[0] - table.closed_form[0]) < 0.02)
True

Each function runs the experiment and returns a `Reproduction`: a table of what was measured, with
its interval of 95 % confidence, beside the closed form or the published number, and a picture.
docs/published.md tells what each says.

Source: D. Ongaro, Consensus: Bridging Theory and Practice, PhD thesis, Stanford 2014, chapter 9;
A. Das, I. Gupta, A. Motivala, SWIM, DSN 2002, section 3.1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from electionlab import _core
from electionlab import settings as act
from electionlab._intervals import of_mean, of_quantile, of_share
from electionlab._values import above_zero, whole_number
from electionlab.cluster import make_config
from electionlab.formulas import split_vote_probability, swim_detection_periods
from electionlab.protocols import Protocol, make_protocol
from electionlab.settings import DelayLike, Network

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from electionlab.plot.sizes import Size

#: A trial that lasts longer is given up, ms; an election timeout here has a tenth of a second.
_HORIZON_MS = 60_000.0
#: Range of the election timeout in most experiments: from one unit to two.
_UNIT_MS = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reproduction:
    """What was measured, beside what was published.

    Attributes:
        title: What it shows.
        quantity: What is measured, with its unit.
        x: The column of `frame` that is drawn to the right.
        frame: One row for each setting: the setting, measured, low, high (an interval of 95 %
            confidence), closed_form where there is one, quoted where the text has a number.
        by: The column that tells curves apart; empty: there is one.
        limit: What the closed forms come to in the end; None: nothing that is told.
    """

    title: str
    quantity: str
    x: str
    frame: pd.DataFrame
    by: str = ""
    limit: float | None = None

    def plot(self, *, ax: Axes | None = None, size: Size | None = None) -> Axes:
        """The measured points with their intervals, the closed form and the quoted numbers."""
        from electionlab.plot.published import plot_reproduction

        return plot_reproduction(self, ax=ax, size=size)

    def __str__(self) -> str:
        return f"{self.title}\n{self.frame.round(4).to_string(index=False)}"


def _trials(
    protocol: Protocol,
    delay_ms: DelayLike,
    failed: int,
    *,
    at_ms: float | tuple[float, float],
    trials: int,
    seed: int,
    threads: int,
) -> dict[str, Any]:
    """The leader of all fails, and as many others that the survivors do not count on."""
    others = [
        {"at_ms": 0.0, "action": act.crash(protocol.nodes - number)} for number in range(failed - 1)
    ]
    leader = {"at_ms": at_ms, "action": act.crash("leader")}
    return _core.run_trials(
        protocol.name,
        protocol.nodes,
        protocol.options,
        make_config(network=Network(one_way_delay_ms=delay_ms), initial_leader=1, seed=seed),
        {
            "moments": [*others, leader],
            "from": len(others),
            "until": "elected",
            "horizon_ms": _HORIZON_MS,
            "only_leaderless": True,
        },
        trials=whole_number("trials", trials, 1, 100_000_000),
        threads=whole_number("threads", threads, 0, 1024),
    )


def _raft(nodes: int, low_ms: float, high_ms: float) -> Protocol:
    return make_protocol(
        "raft",
        nodes,
        {"election_timeout_ms": (low_ms, high_ms), "heartbeat_interval_ms": low_ms / 2},
    )


def first_timeouts(
    servers: Sequence[int] = (2, 3, 4, 6, 8), trials: int = 20_000, *, seed: int = 9,
    threads: int = 0,
) -> Reproduction:  # fmt: skip
    """How far into the range of the timeouts the first of s servers times out: 1 / (s + 1).

    All have just heard the leader, which fails at that moment.

    Args:
        servers: How many survive, each 2 and up.
        trials: How many for each.
        seed: Fixes all of them.
        threads: 0: all cores.

    Raises:
        ValueError: An argument is out of range; the message names it.

    Source: section 9.1.
    """
    import pandas as pd

    rows = []
    for count in servers:
        count = whole_number("servers", count, 2, 1000)
        raft = _raft(count + 1, _UNIT_MS, 2 * _UNIT_MS)
        columns = _trials(
            raft, 1.0, 1, at_ms=0.0, trials=trials, seed=seed + count, threads=threads
        )
        part = columns["detection_ms"] / _UNIT_MS - 1.0
        rows.append((count, float(part.mean()), *of_mean(part), 1 / (count + 1)))
    names = ["servers", "measured", "low", "high", "closed_form"]
    return Reproduction(
        title="The first of s servers times out",
        quantity="mean first timeout, as a share of the range",
        x="servers",
        frame=pd.DataFrame(rows, columns=names),
    )


#: Shares of split votes that the text and its figure captions quote: nodes, failed, latency, share.
QUOTED_SPLITS: tuple[tuple[int, int, float, float], ...] = (
    (5, 1, 0.01, 0.0006),
    (5, 1, 0.1, 0.052),
    (5, 1, 0.2, 0.181),
    (5, 2, 0.2, 0.5),
    (9, 2, 0.2, 0.15),
    (9, 4, 0.2, 0.7),
    (9, 3, 0.2, 0.35),
    (7, 1, 0.2, 0.1),
    (9, 4, 0.1, 0.4),
)


def split_votes(trials: int = 20_000, *, seed: int = 9, threads: int = 0) -> Reproduction:
    """The share of first terms without a winner, for every setting that the text quotes.

    Every message takes equally long, `latency` as a share of the range of the timeouts; the leader
    and others fail when all have just heard it.

    Args:
        trials: How many for each setting.
        seed: Fixes all of them.
        threads: 0: all cores.

    Returns:
        Columns nodes, failed, latency, measured, low, high, closed_form, quoted. The last four of
        what is quoted are read off its figure, and said to be about so much.

    Source: section 9.2, P(Bin(s, l) >= c - 1) with c = s - floor(n / 2) + 1.
    """
    import pandas as pd

    rows = []
    for number, (nodes, failed, latency, quoted) in enumerate(QUOTED_SPLITS):
        raft = _raft(nodes, _UNIT_MS, 2 * _UNIT_MS)
        columns = _trials(
            raft, latency * _UNIT_MS, failed, at_ms=0.0, trials=trials, seed=seed + number,
            threads=threads,
        )  # fmt: skip
        split = int((columns["rounds"] > 1).sum())
        expected = split_vote_probability(nodes, nodes - failed, latency)
        share = split / len(columns["rounds"])
        rows.append((nodes, failed, latency, share, *of_share(split, trials), expected, quoted))
    names = ["nodes", "failed", "latency", "measured", "low", "high", "closed_form", "quoted"]
    frame = pd.DataFrame(rows, columns=names)
    frame["setting"] = [f"{row.nodes}, {row.failed}, {row.latency:g}" for row in frame.itertuples()]
    return Reproduction(
        title="Split votes with constant latency",
        quantity="share of first terms that were split",
        x="setting",
        frame=frame,
    )


def terms_needed(
    latencies: Sequence[float] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3), trials: int = 20_000, *,
    nodes: int = 5, failed: int = 2, seed: int = 9, threads: int = 0,
) -> Reproduction:  # fmt: skip
    """How many terms an election takes, beside 1 / (1 - share of split first terms).

    That is what it would be if terms were alike. They are not: after a split the timers start at
    different moments, so that later terms are split less often.

    Args:
        latencies: Of every message, as shares of the range of the timeouts.
        trials: How many for each.
        nodes: Members.
        failed: How many of them have failed, the leader included; most must be left.
        seed: Fixes all of them.
        threads: 0: all cores.

    Raises:
        ValueError: An argument is out of range; the message names it.

    Source: section 9.3.
    """
    import pandas as pd

    rows = []
    for number, latency in enumerate(latencies):
        latency = above_zero("latencies", latency)
        columns = _trials(
            _raft(nodes, _UNIT_MS, 2 * _UNIT_MS), latency * _UNIT_MS, failed, at_ms=0.0,
            trials=trials, seed=seed + number, threads=threads,
        )  # fmt: skip
        rounds = columns["rounds"].astype(float)
        expected = 1 / (1 - split_vote_probability(nodes, nodes - failed, latency))
        rows.append((latency, float(rounds.mean()), *of_mean(rounds), expected))
    names = ["latency", "measured", "low", "high", "closed_form"]
    return Reproduction(
        title=f"Terms until there is a leader, {nodes} servers, {failed} failed",
        quantity="mean number of terms",
        x="latency",
        frame=pd.DataFrame(rows, columns=names),
    )


#: Of the simulated WAN: failed servers, mean and 99.9 % quantile of the time, ms; None: not told.
QUOTED_WAN: tuple[tuple[int, float | None, float | None], ...] = (
    (1, 475.0, 1500.0),
    (2, 650.0, 3000.0),
)


def wan(trials: int = 20_000, *, seed: int = 9, threads: int = 0) -> Reproduction:
    """Five servers across a continent: one way 30 to 40 ms, timeouts 300 to 600 ms.

    As in the published simulation every server begins with a fresh timer, nothing but the network
    takes time, and one or two servers are down.

    Args:
        trials: How many for each number of failed servers.
        seed: Fixes all of them.
        threads: 0: all cores.

    Returns:
        Columns failed, measured, low, high (mean time until there is a leader, ms), quoted,
        p999_ms, p999_low_ms, p999_high_ms, quoted_p999_ms.

    Source: section 9.4.
    """
    import pandas as pd

    rows = []
    for failed, mean_ms, slowest_ms in QUOTED_WAN:
        columns = _trials(
            _raft(5, 300.0, 600.0), (30.0, 40.0), failed, at_ms=0.0, trials=trials,
            seed=seed + failed, threads=threads,
        )  # fmt: skip
        took = columns["elected_ms"]
        rows.append(
            (failed, float(took.mean()), *of_mean(took), mean_ms,
             float(pd.Series(took).quantile(0.999)), *of_quantile(took, 0.999), slowest_ms)
        )  # fmt: skip
    names = [
        "failed", "measured", "low", "high", "quoted",
        "p999_ms", "p999_low_ms", "p999_high_ms", "quoted_p999_ms",
    ]  # fmt: skip
    return Reproduction(
        title="A cluster across a continent",
        quantity="mean time until there is a leader (ms)",
        x="failed",
        frame=pd.DataFrame(rows, columns=names),
    )


def overall(
    ranges: Sequence[float] = (2, 3, 4, 6, 8, 10, 15, 20, 30), trials: int = 5000, *,
    nodes: int = 5, failed: Sequence[int] = (1, 2), seed: int = 9, threads: int = 0,
) -> Reproduction:  # fmt: skip
    """The whole time without a leader over the range of the timeouts, both in one-way latencies.

    The rule that comes of it: a range of at least ten times the latency. To the left of it split
    votes come thick, to the right the timeouts only get longer. The leader fails at a random moment
    of its heartbeat interval, which is half the least timeout.

    Args:
        ranges: Range of the timeouts in latencies; timeouts are from one range to two.
        trials: How many for each.
        nodes: Members.
        failed: Numbers of failed servers, the leader included.
        seed: Fixes all of them.
        threads: 0: all cores.

    Returns:
        Columns range, failed, measured, low, high, closed_form (E[E_s], which takes terms for
        alike).

    Source: section 9.3.
    """
    import pandas as pd

    rows = []
    latency_ms = 10.0
    for down in failed:
        for number, wide in enumerate(ranges):
            unit_ms = above_zero("ranges", wide) * latency_ms
            columns = _trials(
                _raft(nodes, unit_ms, 2 * unit_ms), latency_ms, down, at_ms=(0.0, unit_ms / 2),
                trials=trials, seed=seed + 100 * down + number, threads=threads,
            )  # fmt: skip
            took = columns["elected_ms"] / latency_ms
            left = nodes - down
            share, latency = split_vote_probability(nodes, left, 1 / wide), 1 / wide
            expected = (1 + 1 / (left + 1) + latency) / (1 - share) + latency - 0.25
            rows.append((wide, down, float(took.mean()), *of_mean(took), wide * expected))
    names = ["range", "failed", "measured", "low", "high", "closed_form"]
    return Reproduction(
        title=f"Time without a leader, {nodes} servers",
        quantity="mean time until there is a leader (one-way latencies)",
        x="range",
        frame=pd.DataFrame(rows, columns=names),
        by="failed",
    )


def swim_detection(
    nodes: Sequence[int] = (3, 4, 6, 9, 14, 20, 32), trials: int = 20_000, *, seed: int = 9,
    threads: int = 0,
) -> Reproduction:  # fmt: skip
    """How many protocol periods of SWIM pass until somebody probes a crashed member.

    A member crashes when a period begins, and no message is lost: so whoever is first to ask others
    to ping in its place (PING-REQ) has probed it. To have an end that a trial can be asked for,
    that brings the member back, which is the lowest and so leads at once.

    Args:
        nodes: Sizes of the cluster, each 3 and up: with two there is nobody to be asked.
        trials: How many for each size and each choice of targets.
        seed: Fixes all of them.
        threads: 0: all cores.

    Returns:
        Columns nodes, targets ("drawn anew" or "round-robin"), measured, low, high, closed_form.

    Raises:
        ValueError: An argument is out of range; the message names it.

    Source: Das, Gupta and Motivala, SWIM, DSN 2002, section 3.1: e / (e - 1) periods in a large
    group; 4.3 for round-robin.
    """
    import numpy as np
    import pandas as pd

    period_ms, ping_timeout_ms, delay_ms = 100.0, 20.0, 1.0
    rows = []
    for targets in ("drawn anew", "round-robin"):
        in_turn = targets == "round-robin"
        for count in nodes:
            count = whole_number("nodes", count, 3, 1000)
            swim = make_protocol("swim", count, {
                "period_ms": period_ms, "ping_timeout_ms": ping_timeout_ms,
                "round_robin": in_turn, "suspicion_timeout_ms": _HORIZON_MS,
            })  # fmt: skip
            back = act.when(act.restart(1), message="PingReq")
            columns = _core.run_trials(
                swim.name, count, swim.options,
                make_config(
                    network=Network(one_way_delay_ms=delay_ms), initial_leader=1,
                    seed=whole_number("seed", seed, 0) + count + 1000 * in_turn,
                ),
                {
                    "moments": [
                        {"at_ms": 0.0, "action": back}, {"at_ms": 0.0, "action": act.crash(1)}
                    ],
                    "from": 1,
                    "until": "elected",
                    "horizon_ms": _HORIZON_MS,
                    "only_leaderless": True,
                },
                trials=whole_number("trials", trials, 1, 100_000_000),
                threads=whole_number("threads", threads, 0, 1024),
            )  # fmt: skip
            probed_ms = columns["elected_ms"] - ping_timeout_ms
            periods = np.floor(probed_ms / period_ms) + 1
            expected = swim_detection_periods(count, round_robin=in_turn)
            rows.append((count, targets, float(periods.mean()), *of_mean(periods), expected))
    names = ["nodes", "targets", "measured", "low", "high", "closed_form"]
    return Reproduction(
        title="SWIM: until somebody probes a crashed member",
        quantity="mean number of protocol periods",
        x="nodes",
        frame=pd.DataFrame(rows, columns=names),
        by="targets",
        limit=math.e / (math.e - 1),
    )


__all__: Sequence[str] = [
    "QUOTED_SPLITS",
    "QUOTED_WAN",
    "Reproduction",
    "first_timeouts",
    "overall",
    "split_votes",
    "swim_detection",
    "terms_needed",
    "wan",
]

"""Closed forms to hold measured curves against.

>>> from electionlab import formulas
>>> formulas.first_timeout_ms(4, (150, 300))
180.0
>>> round(formulas.split_vote_probability(5, 4, 0.1), 4)
0.0523
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from electionlab._values import milliseconds, truth, whole_number
from electionlab.protocols import PROTOCOLS


def first_timeout_ms(waiting: int, election_timeout_ms: tuple[float, float]) -> float:
    """Mean of the first of so many independent, uniform timeouts.

    Args:
        waiting: How many, 1 and up.
        election_timeout_ms: The range that each is drawn from.

    Returns:
        low + (high - low) / (waiting + 1).

    Raises:
        ValueError: A number is out of range.

    Source: Ongaro, Consensus: Bridging Theory and Practice, 2014, chapter 9.
    """
    waiting = whole_number("waiting", waiting, 1)
    low, high = _range("election_timeout_ms", election_timeout_ms)
    return low + (high - low) / (waiting + 1)


def split_vote_probability(nodes: int, waiting: int, latency: float) -> float:
    """Chance that an election's first term has no winner, when every message takes equally long.

    All whose timeout ends before they hear of the first candidate stand as well; the others vote
    for the first. It fails when c or more stand, c = waiting - floor(nodes / 2) + 1, and the
    distance from the least to the c-th of so many uniform numbers is a Beta's.

    Args:
        nodes: All members, the dead included.
        waiting: Live members without a leader, more than half of all.
        latency: One-way delay as a share of the range of the timeout, 0 and up.

    Returns:
        P(Binomial(waiting, latency) >= c - 1).

    Raises:
        ValueError: A number is out of range.

    Source: Ongaro, Consensus: Bridging Theory and Practice, 2014, chapter 9.
    """
    from scipy import stats

    nodes = whole_number("nodes", nodes, 2)
    waiting = whole_number("waiting", waiting, nodes // 2 + 1, nodes)
    if not isinstance(latency, (int, float)) or not latency >= 0:
        raise ValueError(f"latency={latency!r}: must be a number of at least 0")
    at_least = waiting - nodes // 2
    return float(stats.binom.sf(at_least - 1, waiting, min(float(latency), 1.0)))


def chang_roberts_messages(nodes: int) -> float:
    """Mean messages of Chang and Roberts' election over all orders of the ring, all beginning.

    Args:
        nodes: Members, 1 and up.

    Returns:
        n H_n messages of the election, and n that tell who is elected.

    Raises:
        ValueError: The number is out of range.

    Source: Chang and Roberts, Communications of the ACM 22(5), 1979.
    """
    nodes = whole_number("nodes", nodes, 1)
    return nodes * math.fsum(1 / k for k in range(1, nodes + 1)) + nodes


def swim_detection_periods(nodes: int, *, round_robin: bool = False) -> float:
    """Mean number of SWIM's protocol periods until somebody probes a member that has crashed.

    Nothing is lost, and the crash comes when a period begins. The period in which the first probe
    goes out counts; its end is when that member is suspected.

    Args:
        nodes: Members, the crashed one included; 2 and up.
        round_robin: False: every target is drawn anew from the m = nodes - 1 others, so that a
            period passes without a probe with probability (1 - 1/m)^m. True: every member goes
            through all others in an order of its own, and the crash comes when all begin a round.

    Returns:
        1 / (1 - (1 - 1/m)^m); round-robin: the sum of (1 - k/m)^m over k from 0 to m. Both come
        from below to e / (e - 1) = 1.582 as nodes grow.

    Raises:
        ValueError: The number is out of range.

    Source: Das, Gupta and Motivala, SWIM, DSN 2002, section 3.1 (the limit); 4.3 (round-robin).
    """
    others = whole_number("nodes", nodes, 2) - 1
    if truth("round_robin", round_robin):
        return math.fsum((1 - k / others) ** others for k in range(others))
    return 1 / (1 - (1 - 1 / others) ** others)


def phi_timeout_ms(*, mean_ms: float, deviation_ms: float, threshold: float) -> float:
    """The silence at which phi reaches a threshold, when gaps between heartbeats are normal.

    Args:
        mean_ms: Mean gap.
        deviation_ms: Standard deviation of the gaps.
        threshold: Of phi, above 0.

    Returns:
        The x for which P(gap > x) is 10 to the power of -threshold.

    Source: Hayashibara, Defago, Yared and Katayama, SRDS 2004, section 4.
    """
    from scipy import stats

    return float(mean_ms + deviation_ms * stats.norm.isf(10.0**-threshold))


def _range(name: str, value: Any) -> tuple[float, float]:
    ends = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(ends) != 2 or milliseconds(name, ends[0]) > milliseconds(name, ends[1]):
        raise ValueError(f"{name}={value!r}: must be a time in ms, or a range such as (150, 300)")
    return float(ends[0]), float(ends[1])


# --- for a point of a sweep -----------------------------------------------------------------------


class Setting:
    """A point's experiment, as formulas ask for it.

    Args:
        definition: As of `electionlab.Sweep.points`.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.protocol: str = definition["protocol"]
        self.nodes: int = definition["nodes"]
        self.definition = definition

    def option(self, name: str) -> Any:
        """An option of the protocol, its default if it was not given."""
        cls = PROTOCOLS.get(self.protocol)
        defaults = {o["name"]: o["default"] for o in cls.about["options"]} if cls else {}
        return self.definition["options"].get(name, defaults.get(name))

    @property
    def delay_ms(self) -> float:
        """The one-way delay where it is the same for every message; NaN otherwise."""
        network: Mapping[str, Any] = self.definition["config"]["network"]
        delay: Any = network.get("one_way_delay_ms", 0)
        plain_pair = isinstance(delay, (list, tuple)) and delay[0] == delay[1]
        spread = network.get("links") or network.get("loss_probability")
        if spread or not (isinstance(delay, (int, float)) or plain_pair):
            return math.nan
        return float(delay[0] if isinstance(delay, (list, tuple)) else delay)

    @property
    def lost_at_ms(self) -> float:
        """Mean moment of a crash of the leader that led from the start; NaN: not this scenario."""
        moments = self.definition["experiment"].get("moments", [])
        crash = len(moments) == 1 and moments[0]["action"].get("action") == "crash"
        if not crash or not self.definition["config"].get("initial_leader"):
            return math.nan
        low, high = _range("at_ms", moments[0]["at_ms"])
        return (low + high) / 2

    @property
    def since_heartbeat_ms(self) -> float:
        """Mean time of that crash since the leader last sent heartbeats."""
        interval = float(self.option("heartbeat_interval_ms") or math.nan)
        moments = self.definition["experiment"].get("moments", [])
        if math.isnan(self.lost_at_ms) or math.isnan(interval):
            return math.nan
        low, high = _range("at_ms", moments[0]["at_ms"])
        whole = math.floor(low / interval)
        return self.lost_at_ms - whole * interval if high <= (whole + 1) * interval else math.nan


def _first_timeout(point: Setting) -> float:
    """Mean detection of a crash in the first heartbeat interval: the first timeout, from 0 on."""
    timeout, interval = point.option("election_timeout_ms"), point.option("heartbeat_interval_ms")
    at = point.lost_at_ms
    if timeout is None or point.nodes < 2 or not at <= interval:
        return math.nan
    return first_timeout_ms(point.nodes - 1, timeout) - at


def _split_vote(point: Setting) -> float:
    """Chance of a split vote in the first term after a crash, with constant delays."""
    timeout = point.option("election_timeout_ms")
    if timeout is None or point.nodes < 3 or math.isnan(point.lost_at_ms):
        return math.nan
    low, high = _range("election_timeout_ms", timeout)
    if high == low or math.isnan(point.delay_ms):
        return math.nan
    return split_vote_probability(point.nodes, point.nodes - 1, point.delay_ms / (high - low))


def _chang_roberts(point: Setting) -> float:
    """Mean messages over all orders."""
    return chang_roberts_messages(point.nodes) if point.protocol == "chang_roberts" else math.nan


def _nfd_s(point: Setting) -> float:
    """Mean detection time of NFD-S: its next freshness point but for the time already gone."""
    if point.option("detector") != "nfd_s":
        return math.nan
    interval, shift = point.option("heartbeat_interval_ms"), point.option("freshness_shift_ms")
    return float(shift + interval - point.since_heartbeat_ms)


def _phi(point: Setting) -> float:
    """Mean detection time of phi accrual, with constant delays: gaps are all alike."""
    if point.option("detector") != "phi" or point.option("phi_acceptable_pause_ms"):
        return math.nan
    silence = phi_timeout_ms(
        mean_ms=point.option("heartbeat_interval_ms"),
        deviation_ms=point.option("phi_min_deviation_ms"),
        threshold=point.option("phi_threshold"),
    )
    return silence + point.delay_ms - point.since_heartbeat_ms


#: By name, for `electionlab.Sweep.plot_lines`: what a point's figure should be; NaN: no formula.
#: The measure that each is about stands in docs/sweeps.md.
FORMULAS: dict[str, Callable[[Setting], float]] = {
    "first_timeout": _first_timeout,
    "split_vote": _split_vote,
    "chang_roberts": _chang_roberts,
    "nfd_s": _nfd_s,
    "phi": _phi,
}
__all__: Sequence[str] = [
    "FORMULAS",
    "Setting",
    "chang_roberts_messages",
    "first_timeout_ms",
    "phi_timeout_ms",
    "split_vote_probability",
    "swim_detection_periods",
]

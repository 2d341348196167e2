"""Networks, links, machines and resources are refused where they are made."""

from __future__ import annotations

import math
from typing import Any

import pytest

import electionlab as el

NAN, INF = math.nan, math.inf

LINKS: list[tuple[dict[str, Any], str]] = [
    ({"loss_probability": -0.1}, "loss_probability=-0.1: .*0.0 to"),
    ({"loss_probability": 1.5}, "loss_probability=1.5"),
    ({"loss_probability": NAN}, "loss_probability=nan"),
    ({"loss_probability": True}, "loss_probability=true"),
    ({"loss_probability": "a"}, "loss_probability='a'"),
    ({"duplicate_probability": 2}, "duplicate_probability=2"),
    ({"reorder_probability": -1}, "reorder_probability=-1"),
    ({"reorder_delay_ms": INF}, "reorder_delay_ms=inf"),
    ({"one_way_delay_ms": (10, 5)}, "one_way_delay_ms=.*min <= max"),
    ({"one_way_delay_ms": NAN}, "one_way_delay_ms=nan"),
    ({"one_way_delay_ms": -1}, "one_way_delay_ms=-1"),
    ({"one_way_delay_ms": (1,)}, "one_way_delay_ms"),
    ({"fifo": 3}, "fifo=3: must be true or false"),
]


@pytest.mark.parametrize("kind", [el.Link, el.Network])
@pytest.mark.parametrize(("values", "says"), LINKS)
def test_links_and_networks(kind: Any, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        kind(**values)


@pytest.mark.parametrize(
    ("links", "says"),
    [
        ({(1, 1): el.Link()}, "two different nodes"),
        ({(0, 1): el.Link()}, "sender=0: must be a whole number from 1"),
        ({(1, True): el.Link()}, "receiver=True: must be a whole number"),
        ({(1, 2, 3): el.Link()}, "sender, receiver"),
        ({1: el.Link()}, r"links=\{1: .*sender, receiver"),
        ({(1, 2): 0.5}, r"links=\{\(1, 2\): 0.5\}"),
        ([1], r"links=\[1\]"),
    ],
)
def test_exceptions_of_a_network(links: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        el.Network(links=links)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"clock_drift_ppm": NAN}, "clock_drift_ppm=nan"),
        ({"clock_drift_ppm": (5, 1)}, "clock_drift_ppm="),
        ({"clock_drift_ppm": 1e9}, "clock_drift_ppm=.*500000"),
        ({"clock_offset_ms": INF}, "clock_offset_ms=inf"),
        ({"write_delay_ms": -1}, "write_delay_ms=-1"),
        ({"processing_ms": "slow"}, "processing_ms='slow'"),
        ({"timer_lateness_ms": (2, 1)}, "timer_lateness_ms="),
        ({"start_ms": (0, NAN)}, "start_ms=nan"),
    ],
)
def test_machines(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        el.Machine(**values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"fencing": "x"}, "fencing='x': must be one of 'none', 'token', 'takeover'"),
        ({"fencing": None}, "fencing="),
        ({"work_ms": 0}, "work_ms=0.0: must be above 0"),
        ({"work_ms": NAN}, "work_ms=nan"),
        ({"work_interval_ms": -1}, "work_interval_ms=-1"),
        ({"jobs": -1}, "jobs=-1: must be 0 or more"),
    ],
)
def test_resources(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        el.Resource(**values)


def test_what_is_good_is_kept_as_it_was_given() -> None:
    delay = el.lognormal(5, 0.5)
    network = el.Network(one_way_delay_ms=delay, links={(1, 2): el.Link(loss_probability=1)})
    assert network.one_way_delay_ms is delay
    assert network.links == {(1, 2): el.Link(loss_probability=1)}
    assert el.Machine().start_ms is None
    assert el.Machine(clock_drift_ppm=(-5, 5)).clock_drift_ppm == (-5, 5)
    assert el.Resource().fencing == "token"

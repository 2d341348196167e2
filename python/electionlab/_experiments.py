"""What is done to a cluster in a trial, as the engine reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def leader_crash(
    at_ms: float | tuple[float, float], *, horizon_ms: float, until: str = "agreed"
) -> dict[str, Any]:
    """The leader crashes at a uniformly random moment; for ``_core.run_trials``.

    Args:
        at_ms: A moment or a range of moments, ms since the start.
        horizon_ms: A trial ends so long after the crash.
        until: "agreed": every live node names the new leader; "elected": a node acts as leader.
    """
    return {
        "moments": [{"at_ms": at_ms, "action": {"action": "crash", "node": "leader"}}],
        "from": 0,
        "until": until,
        "horizon_ms": horizon_ms,
        "only_leaderless": True,
    }


__all__: Sequence[str] = ["leader_crash"]

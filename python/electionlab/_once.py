"""How protocols that elect once end, with one kind of trouble during their election."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from electionlab._comparable import Subject, actors_of
from electionlab._faults import FAULTS, Setting
from electionlab._figures import Cell, cell, share
from electionlab._requirements import begin, end_faults


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        leaders: How many nodes act as leader.
        agreed: Whether all name the one that does.
    """

    leaders: int
    agreed: bool


def ending(
    subject: Subject, fault: str, nodes: int, election_ms: float, patience_ms: float, seed: int
) -> Ending:
    """One run: an election with trouble, an end of the trouble, and time to finish.

    Args:
        subject: What elects.
        fault: A name of `FAULTS`.
        nodes: Members.
        election_ms: What an election takes without trouble.
        patience_ms: Time to finish.
        seed: Of the run.
    """
    protocol = subject.make(nodes, seed)
    end_ms = 4 * election_ms
    given = Setting(election_ms, end_ms, nodes, actors_of(protocol), seed)
    cluster = begin(protocol, FAULTS[fault].once(given), subject.network, seed)
    cluster.run(until=end_ms)
    end_faults(cluster)
    cluster.run_for(patience_ms)
    roles = [node.role for node in cluster.nodes[:nodes]]
    return Ending(roles.count("leader"), bool(cluster.run_until_leader(0, agreed=True)))


def cells_of_endings(
    label: str, nodes: int, fault: str, endings: Sequence[Ending], seed: int
) -> list[Cell]:
    """Shares of the runs that end with so many leaders, and in agreement."""
    counted = {
        "one_leader": sum(e.leaders == 1 for e in endings),
        "no_leader": sum(e.leaders == 0 for e in endings),
        "two_leaders": sum(e.leaders > 1 for e in endings),
        "agreement": sum(e.agreed for e in endings),
    }
    return [
        cell(
            label, "liveness" if what in ("no_leader", "agreement") else "uniqueness",
            f"runs_that_end_with_{what}", fault, nodes, share(hits, len(endings)), seed,
        )
        for what, hits in counted.items()
    ]  # fmt: skip

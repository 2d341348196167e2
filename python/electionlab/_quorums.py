"""Which sets of nodes may decide, as a value that protocols take as an option."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Quorum:
    """Which sets of nodes may decide; made by its class methods.

    Any two quorums must share a node, or both could decide. The engine refuses others by name
    unless they are ``unsafe``: then it can be seen what happens.

    Attributes:
        spec: The engine's form: ``{"weights": [2, 1, 1]}``.

    Example:
        >>> import electionlab as el
        >>> el.Raft(nodes=4, quorum=el.Quorum.weighted([2, 1, 1, 1])).options["quorum"]
        {'weights': [2, 1, 1, 1], 'needed': 3}
        >>> el.Raft(nodes=4, quorum=el.Quorum.at_least(2))
        Traceback (most recent call last):
            ...
        ValueError: quorum={"at_least": 2}: has two quorums that share no node, ...
    """

    spec: Any

    @classmethod
    def majority(cls) -> Quorum:
        """More than half of all nodes."""
        return cls("majority")

    @classmethod
    def at_least(cls, nodes: int, *, unsafe: bool = False) -> Quorum:
        """Any so many nodes."""
        return cls(_spec("at_least", nodes, unsafe))

    @classmethod
    def weighted(
        cls, weights: Sequence[int], needed: int | None = None, *, unsafe: bool = False
    ) -> Quorum:
        """Nodes of so much weight together.

        Args:
            weights: Each node's weight, node 1 first, 0 and up.
            needed: How much; more than half of all when None.
            unsafe: Two quorums may share no node.
        """
        spec = _spec("weights", list(weights), unsafe)
        return cls(spec if needed is None else {**spec, "needed": needed})

    @classmethod
    def sets(cls, quorums: Iterable[Iterable[int]], *, unsafe: bool = False) -> Quorum:
        """Whatever holds one of these sets of nodes."""
        return cls(_spec("sets", [list(nodes) for nodes in quorums], unsafe))

    @classmethod
    def grid(cls, rows: int, columns: int, *, unsafe: bool = False) -> Quorum:
        """A whole row and a whole column of nodes 1, 2, ... in rows (Maekawa 1985).

        Args:
            rows: 1 to 32.
            columns: 1 to 32.
            unsafe: Has no effect here: a row and a column always meet.
        """
        return cls(_spec("grid", [rows, columns], unsafe))


def _spec(kind: str, value: Any, unsafe: bool) -> dict[str, Any]:
    return {kind: value, **({"unsafe": True} if unsafe else {})}

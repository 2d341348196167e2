"""The museum: documented failures of elections, each put into a protocol by a flag, and checked.

>>> from electionlab import museum
>>> shown = museum.run("double-vote")
>>> len(shown.run), shown.repaired.violated
(6, False)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from electionlab.museum import classics, raft, services
from electionlab.museum._exhibit import Beside, Exhibit, Shown
from electionlab.museum.textbook import TEXTBOOK, Mistake

_GROUPS = ("A", "B", "textbook")


class Exhibits(dict[str, Exhibit]):
    """Exhibits by name; a name that is not there is refused with those that are."""

    def __missing__(self, name: Any) -> Exhibit:
        raise ValueError(f"exhibit={name!r}: must be one of {', '.join(self)}")


def _collect(*families: Sequence[Exhibit]) -> Exhibits:
    every = sorted((e for family in families for e in family), key=lambda e: _GROUPS.index(e.group))
    return Exhibits({exhibit.name: exhibit for exhibit in every})


#: Every exhibit by name: group A first, then group B, then the mistakes of textbooks.
EXHIBITS: Exhibits = _collect(raft.EXHIBITS, services.EXHIBITS, classics.EXHIBITS)


def names() -> list[str]:
    """The names of all exhibits."""
    return list(EXHIBITS)


def run(name: str) -> Shown:
    """Checks an exhibit's protocol with its flag and without.

    Args:
        name: Of `names`.

    Returns:
        Both verdicts, and the shortest run in which the flag does harm.

    Raises:
        ValueError: There is no such exhibit; the message lists those that there are.
    """
    return EXHIBITS[name].run()


__all__: Sequence[str] = [
    "EXHIBITS",
    "TEXTBOOK",
    "Beside",
    "Exhibit",
    "Exhibits",
    "Mistake",
    "Shown",
    "names",
    "run",
]

"""Use cases and known hard cases of leader election, each one to run, to read and to look at."""

from electionlab.gallery.case import (
    Bars,
    Case,
    CaseResult,
    Cases,
    Holders,
    Panel,
    Shares,
    Timeline,
)
from electionlab.gallery.hard import HARD_CASES
from electionlab.gallery.work import USE_CASES

#: Every case by name.
#:
#: >>> import electionlab as el
#: >>> el.cases["herd"].title
#: 'The herd at a leader\'s death'
cases: Cases = Cases({case.name: case for case in (*USE_CASES, *HARD_CASES)})

__all__ = ["Bars", "Case", "CaseResult", "Cases", "Holders", "Panel", "Shares", "Timeline", "cases"]

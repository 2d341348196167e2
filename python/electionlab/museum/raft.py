"""Failures of Raft and of systems that elect as Raft does."""

from __future__ import annotations

from electionlab.checker import Bounds
from electionlab.museum._exhibit import Exhibit
from electionlab.protocols import Raft

_ONE_TERM = Bounds(epoch=1, copies=1)

EXHIBITS: tuple[Exhibit, ...] = (
    Exhibit(
        name="double-vote",
        title="A vote for everybody who asks",
        group="A",
        story=(
            "A voter looks at the term of a request, and not whether its vote of this term is "
            "gone. Two candidates of one term then both find a majority, and both lead it."
        ),
        sources=(
            "https://github.com/camunda/camunda/issues/5356",
            "Ongaro and Ousterhout, USENIX ATC 2014, section 5.2",
        ),
        flag="double_vote",
        broken=Raft(3, mutations={"double_vote"}),
        repaired=Raft(3),
        breaks="one_leader_per_epoch",
        bounds=_ONE_TERM,
        length=6,
    ),
)

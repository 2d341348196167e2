"""The debugger: a run to step through, break and take back, in a notebook or as one HTML file.

`electionlab.Cluster.debug` shows it as a Jupyter widget that drives the cluster itself;
`electionlab.Trace.to_html` writes the same page over a recorded run, to look at without Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.debugger.page import html_of, write_html
from electionlab.debugger.pictures import Positions
from electionlab.debugger.session import Session

if TYPE_CHECKING:
    from electionlab.debugger.widget import Debugger


def show(
    cluster: Cluster,
    *,
    positions: Positions | None = None,
    height: int = 860,
    by_hand: bool = False,
    bookmarks: Mapping[str, int] | None = None,
) -> Debugger:
    """The debugger of a cluster as a widget; see `electionlab.Cluster.debug`.

    Args:
        cluster: The first branch.
        positions: Where nodes stand; None: on a ring.
        height: Of the widget, pixels, 300 to 4000.
        by_hand: Nothing comes by itself beyond the end of the run.
        bookmarks: Events by name, to begin with.

    Raises:
        ValueError: The run is not recorded, or an argument is out of range.
        ModuleNotFoundError: The extra ``notebook`` is not installed.
    """
    session = Session(cluster, positions=positions, by_hand=by_hand, bookmarks=bookmarks)
    height = whole_number("height", height, 300, 4000)
    try:
        from electionlab.debugger.widget import Debugger
    except ModuleNotFoundError as error:
        if error.name not in ("anywidget", "traitlets"):
            raise
        raise ModuleNotFoundError(
            f"the debugger needs {error.name}: pip install 'electionlab[notebook]'", name=error.name
        ) from None
    return Debugger(session, height=height)


__all__ = ["Session", "html_of", "show", "write_html"]

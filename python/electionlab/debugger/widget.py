"""The debugger as a Jupyter widget: carries requests of the page to a session and answers back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.debugger.pictures import Positions
from electionlab.debugger.session import Session

if TYPE_CHECKING:
    from anywidget import AnyWidget as Debugger

FOLDER = Path(__file__).parent


def _widget_class() -> Any:
    try:
        import anywidget
        import traitlets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the debugger needs {error.name}: pip install 'electionlab[notebook]'", name=error.name
        ) from None

    class Debugger(anywidget.AnyWidget):
        """A session, and the page that shows it."""

        _esm = FOLDER / "debugger.js"
        _css = FOLDER / "debugger.css"
        height = traitlets.Int().tag(sync=True)

        def __init__(self, session: Session, **options: Any) -> None:
            super().__init__(**options)
            self.session = session
            self.on_msg(self._on_request)

        def _on_request(self, _widget: Any, content: Any, _buffers: Any) -> None:
            self.send(self.session.answer(content))

        @property
        def cluster(self) -> Cluster:
            """The cluster of the branch that is shown."""
            return self.session.cluster

    return Debugger


_made: list[Any] = []


def show(
    cluster: Cluster,
    *,
    positions: Positions | None = None,
    height: int = 860,
    by_hand: bool = False,
) -> Debugger:
    """The debugger of a cluster as a widget; see `electionlab.Cluster.debug`."""
    session = Session(cluster, positions=positions, by_hand=by_hand)
    height = whole_number("height", height, 300, 4000)
    if not _made:
        _made.append(_widget_class())
    widget: Debugger = _made[0](session, height=height)
    return widget

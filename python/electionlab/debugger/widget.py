"""The debugger as a Jupyter widget: carries requests of the page to a session and answers back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from electionlab.cluster import Cluster
from electionlab.debugger.session import Session

FOLDER = Path(__file__).parent


class Debugger(anywidget.AnyWidget):
    """A session, and the page that shows it.

    Attributes:
        session: What answers the page.
        height: Pixels.
    """

    _esm = FOLDER / "debugger.js"
    _css = FOLDER / "debugger.css"
    height = traitlets.Int().tag(sync=True)

    def __init__(self, session: Session, **options: Any) -> None:
        super().__init__(**options)
        self.session = session
        self.on_msg(self._on_request)

    def _on_request(self, _widget: Any, request: Any, _buffers: Any) -> None:
        self.send(self.session.answer(request))

    @property
    def cluster(self) -> Cluster:
        """The cluster of the branch that is shown."""
        return self.session.cluster

    @property
    def bookmarks(self) -> dict[str, int]:
        """Events by name, those of the branch that is shown; `debug` and `to_html` take them."""
        session = self.session
        return {m["label"]: m["event"] for m in session.bookmarks if m["branch"] == session.current}

"""The caller's side of the proxy: which links are cut."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from electionlab.real.children import Children, ServerError

_PROXY = Path(__file__).with_name("proxy.py")
Way = tuple[int, int]


class Links:
    """Links between actors, each through a proxy, that can be cut and mended.

    Args:
        children: Who starts the proxy.
        listen: One entry a link: "listen" (the proxy's port), "port" (where it leads), "target"
            (the actor there), "dialler" (who dials; 0: the proxy finds out by the process).
    """

    def __init__(self, children: Children, listen: Sequence[Mapping[str, int]]) -> None:
        path = children.folder / "proxy.sock"
        plan = children.folder / "proxy.json"
        plan.write_text(json.dumps({"listen": list(listen), "socket": str(path)}))
        children.start("proxy", [sys.executable, "-I", "-S", str(_PROXY), str(plan)])
        self.cut: frozenset[Way] = frozenset()
        deadline = time.monotonic() + 20
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                self._socket.close()
                if time.monotonic() > deadline or children.codes()["proxy"] is not None:
                    said = children.log("proxy").read_text()[-1000:]
                    raise ServerError(f"the proxy does not start: {said}") from None
                time.sleep(0.01)
        self._answers = self._socket.makefile("rb")

    def tell(self, command: Mapping[str, Any]) -> None:
        """Sends a command and waits until it is obeyed."""
        self._socket.sendall(json.dumps(command).encode() + b"\n")
        if not self._answers.readline():
            raise ServerError("the proxy has ended")

    def set_cut(self, ways: Iterable[Way]) -> None:
        """From now on exactly these ways (sender, receiver) are cut."""
        self.cut = frozenset(ways)
        self.tell({"cut": sorted(self.cut)})

    def close(self) -> None:
        """Lets go of the proxy, which its keeper ends."""
        self._answers.close()
        self._socket.close()

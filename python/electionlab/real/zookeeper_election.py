"""ZooKeeper's election recipe with kazoo, as it should be done; read it top to bottom.

Everybody creates a numbered ephemeral znode; the smallest number leads; each waits for the one
right before its own. The znode's czxid, the transaction that created it, is the fencing token.

What published snippets forget, each marked below: (1) a create whose answer got lost has made a
znode all the same; (2) order by number, not by name; (3) `exists` that returns nothing: the
predecessor went between two looks, so look again; (4) SUSPENDED: others may hold the leadership
already, so stop acting; (5) the own znode may be gone; (6) resign by deleting it.

kazoo has a recipe of its own, which stands beside this in kazoo_election.py; use it where you need
no token.

Source: ZooKeeper Recipes and Solutions, Leader Election and Locks; kazoo 2.11.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Sequence
from typing import Any

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionLoss, KazooException, NoNodeError, SessionExpiredError
from kazoo.handlers.threading import KazooTimeoutError

from electionlab.real.zookeeper_guards import kazoo_arguments


class SessionOverError(Exception):
    """The session is gone, and the znode with it: begin anew."""


class ZooKeeperElection:
    """One contender.

    Args:
        endpoints: The servers, "host:port" each, or "tls://host:port".
        path: The election's znode, such as "/elections/backup".
        name: The contender's value, by which others know it.
        session_s: The session time-out it asks for; servers grant 2 to 20 ticks.
    """

    def __init__(self, endpoints: Sequence[str], path: str, name: str, session_s: float) -> None:
        self.path = path
        self.name = name
        self.token = 0
        self._own = ""
        self._wins = False
        self._changed = threading.Event()
        self.client: Any = KazooClient(timeout=session_s, **kazoo_arguments(endpoints))
        self.client.add_listener(self._on_state)
        self._started = False

    # --- what a program asks before each step of its work -----------------------------------------

    @property
    def leads(self) -> bool:
        """Whether this contender may act. It may be wrong after a pause: hence the token."""
        return self._wins and self.client.state == KazooState.CONNECTED  # (4)

    def _on_state(self, state: str) -> None:
        if state == KazooState.LOST:
            self._wins = False
            self._own = ""
        self._changed.set()

    # --- the election -----------------------------------------------------------------------------

    def campaign(self) -> int:
        """Waits until this contender leads.

        Returns:
            Its fencing token.

        Raises:
            SessionOverError: The session ended while waiting.
        """
        self._wins = False
        try:
            self._start()
            self.client.ensure_path(self.path)
            if not self._own:
                self._create()
            while True:
                self._changed.clear()
                names = sorted(self.client.get_children(self.path), key=_number)  # (2)
                if self._own not in names:  # (5)
                    self._own = ""
                    raise SessionOverError
                place = names.index(self._own)
                if place == 0:
                    break
                before = f"{self.path}/{names[place - 1]}"
                if self.client.exists(before, watch=self._on_event) is None:
                    continue  # (3)
                self._changed.wait()
                self._wait_connected()
            stat = self.client.exists(f"{self.path}/{self._own}")
        except (ConnectionLoss, SessionExpiredError, KazooTimeoutError):
            raise SessionOverError from None
        if stat is None:
            raise SessionOverError
        self.token = stat.czxid
        self._wins = True
        return self.token

    def _start(self) -> None:
        if not self._started:
            self.client.start(timeout=30)
            self._started = True

    def _create(self) -> None:
        mark = uuid.uuid4().hex
        try:
            created = self.client.create(
                f"{self.path}/{mark}-n_", self.name.encode(), ephemeral=True, sequence=True
            )
            self._own = created.rsplit("/", 1)[1]
        except ConnectionLoss:  # (1)
            self._wait_connected()
            mine = [n for n in self.client.get_children(self.path) if n.startswith(mark)]
            if not mine:
                raise
            self._own = mine[0]

    def _on_event(self, event: object) -> None:
        self._changed.set()

    def _wait_connected(self) -> None:
        while self.client.state != KazooState.CONNECTED:
            if not self._own and self.client.state == KazooState.LOST:
                raise SessionOverError
            self._changed.clear()
            self._changed.wait(0.1)

    def resign(self) -> None:
        """Gives the leadership back: the next in line leads at once.  (6)."""
        self._wins = False
        own, self._own = self._own, ""
        with contextlib.suppress(NoNodeError, ConnectionLoss, SessionExpiredError):
            self.client.delete(f"{self.path}/{own}")

    def abandon(self) -> None:
        """Nothing: what a lost session leaves behind is forgotten already."""

    def close(self) -> None:
        """Ends the session: the znode is gone at once."""
        self._wins = False
        with contextlib.suppress(KazooException, KazooTimeoutError):
            self.client.stop()
            self.client.close()


def _number(name: str) -> int:
    return int(name[-10:])

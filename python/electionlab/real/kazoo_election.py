"""kazoo's own recipe, beside `ZooKeeperElection`: what a library does for its user, and what not.

`kazoo.recipe.election.Election` runs a function while it holds a `kazoo.recipe.lock.Lock`; this
holds that lock. It does the line of numbered znodes, the lost answer to a create, and the vanished
predecessor. Left to its user are the fencing token (here: the czxid of the lock's znode), and to
stop when the connection is SUSPENDED or the session LOST: the lock says all the same that it is
held.

Source: kazoo 2.11, kazoo.recipe.election and kazoo.recipe.lock.
"""

from __future__ import annotations

import contextlib
from typing import Any

from kazoo.exceptions import ConnectionLoss, KazooException, SessionExpiredError
from kazoo.handlers.threading import KazooTimeoutError

from electionlab.real.zookeeper_election import SessionOverError, ZooKeeperElection


class KazooElection(ZooKeeperElection):
    """One contender; session, client and `leads` are those of `ZooKeeperElection`."""

    _lock: Any = None

    def campaign(self) -> int:
        """Waits until this contender holds the lock.

        Returns:
            Its fencing token.

        Raises:
            SessionOverError: The session ended while waiting.
        """
        self._wins = False
        try:
            self._start()
            self._lock = self.client.Lock(self.path, self.name)  # a lock of a lost session is void
            self._lock.acquire()
            stat = self.client.exists(f"{self.path}/{self._lock.node}")
        except (ConnectionLoss, SessionExpiredError, KazooTimeoutError):
            raise SessionOverError from None
        if stat is None:
            raise SessionOverError
        self.token = stat.czxid
        self._wins = True
        return self.token

    def resign(self) -> None:
        """Gives the lock back: the next in line leads at once."""
        self._wins = False
        with contextlib.suppress(KazooException):
            self._lock.release()

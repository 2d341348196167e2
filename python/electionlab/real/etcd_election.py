"""Leader election with etcd's leases, as it should be done; read it top to bottom.

Every contender has a session, a lease that it renews, and puts one key under a common prefix, tied
to its lease. Keys stand in line by the revision that created them. The first leads; each of the
others waits for the deletion of the one before its own. The create revision is the fencing token:
whoever comes later has a greater one.

What published snippets forget, each marked below: (1) put only if absent, in one transaction;
(2) read what a renewal answers; (3) an own deadline, counted from the sending; (4) look again
after waiting, and at the own key too; (5) resign, so that nobody has to wait for the lease.

Source: etcd 3.5, client/v3/concurrency (election.go, session.go); Kleppmann, How to do distributed
locking, 2016, for the token.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from electionlab.real.etcd_gateway import Gateway, GatewayError, from_json, prefix_end, to_json


class SessionOverError(Exception):
    """The lease is gone, and the place in the line with it: begin anew."""


class EtcdElection:
    """One contender.

    Args:
        gateway: The servers.
        prefix: The election: the start of its keys, such as "/elections/backup/".
        name: The contender's value, by which others know it.
        ttl_s: The lease's time to live in s; servers may grant more.
    """

    def __init__(self, gateway: Gateway, prefix: str, name: str, ttl_s: int) -> None:
        self.gateway = gateway
        self.prefix = prefix
        self.name = name
        self.ttl_s = ttl_s
        self.granted_s = 0
        self.token = 0
        self._lease = ""
        self._key = ""
        self._deadline = 0.0
        self._wins = False
        self._renewing: threading.Event | None = None

    # --- what a program asks before each step of its work -----------------------------------------

    @property
    def leads(self) -> bool:
        """Whether this contender may act. It may be wrong after a pause: hence the token."""
        return self._wins and self.in_session

    @property
    def in_session(self) -> bool:
        """Whether the lease lives, by this contender's own clock."""
        return time.monotonic() < self._deadline

    # --- the session ------------------------------------------------------------------------------

    def _open_session(self) -> None:
        sent = time.monotonic()
        answer = self.gateway.call("lease/grant", {"TTL": str(self.ttl_s)})
        self._lease, self.granted_s = answer["ID"], int(answer["TTL"])
        self._deadline = sent + self.granted_s
        self._renewing = threading.Event()
        arguments = (self._lease, self._renewing)
        threading.Thread(target=self._renew, args=arguments, daemon=True).start()

    def _renew(self, lease: str, stop: threading.Event) -> None:
        pause_s = self.granted_s / 3
        while not stop.wait(pause_s):
            sent = time.monotonic()
            left_s = self._deadline - sent
            if left_s <= 0:
                return
            try:
                answer = self.gateway.call(
                    "lease/keepalive", {"ID": lease}, timeout_s=min(left_s, self.granted_s / 3)
                )
            except GatewayError:
                pause_s = min(0.1, self.granted_s / 10)  # not renewed: the old deadline holds
                continue
            if stop.is_set():
                return
            granted_s = int(answer["result"].get("TTL", 0))
            if granted_s <= 0:  # (2) the lease is gone, however well the call went
                self._deadline = 0.0
                return
            self._deadline = sent + granted_s  # (3) the servers counted from then or later
            pause_s = granted_s / 3

    # --- the election -----------------------------------------------------------------------------

    def campaign(self) -> int:
        """Waits until this contender leads.

        Returns:
            Its fencing token.

        Raises:
            SessionOverError: The lease ended while waiting.
            GatewayError: No server answers.
        """
        self._wins = False
        if not self.in_session:
            self.abandon()
            self._open_session()
        self._key = f"{self.prefix}{int(self._lease):x}"
        put = {"key": to_json(self._key), "value": to_json(self.name), "lease": self._lease}
        answer = self.gateway.call(  # (1) a second try finds the key of the first
            "kv/txn",
            {
                "compare": [self._created(0)],
                "success": [{"request_put": put}],
                "failure": [{"request_range": {"key": to_json(self._key)}}],
            },
        )
        if answer.get("succeeded"):
            self.token = int(answer["header"]["revision"])
        else:
            self.token = int(answer["responses"][0]["response_range"]["kvs"][0]["create_revision"])
        while (before := self._one_before()) is not None:
            self._wait_for_deletion(*before)
        self._wins = True
        return self.token

    def _created(self, revision: int) -> dict[str, Any]:
        """True in a transaction when the own key was created by this revision; 0: is not there."""
        return {
            "key": to_json(self._key),
            "target": "CREATE",
            "result": "EQUAL",
            "create_revision": str(revision),
        }

    def _one_before(self) -> tuple[str, int] | None:
        """The key before the own one and the revision of this look; None: the own one is first."""
        if not self.in_session:
            raise SessionOverError
        look = {
            "key": to_json(self.prefix),
            "range_end": to_json(prefix_end(self.prefix)),
            "max_create_revision": str(self.token - 1),
            "sort_target": "CREATE",
            "sort_order": "DESCEND",
            "limit": "1",
        }
        answer = self.gateway.call(
            "kv/txn",
            {"compare": [self._created(self.token)], "success": [{"request_range": look}]},
        )
        if not answer.get("succeeded"):  # (4) the own key went first
            self._deadline = 0.0
            raise SessionOverError
        keys = answer["responses"][0]["response_range"].get("kvs", [])
        return (from_json(keys[0]["key"]), int(answer["header"]["revision"])) if keys else None

    def _wait_for_deletion(self, key: str, seen_at: int) -> None:
        idle_s = self.granted_s / 2
        with (
            contextlib.suppress(GatewayError),  # then look again
            self.gateway.watch(key, seen_at + 1, idle_s=idle_s) as events,
        ):
            for event in events:
                if event.get("type") == "DELETE":
                    return

    def resign(self) -> None:
        """Gives the leadership back: the next in line leads at once.  (5)."""
        self._wins = False
        with contextlib.suppress(GatewayError):
            delete = {"request_delete_range": {"key": to_json(self._key)}}
            body = {"compare": [self._created(self.token)], "success": [delete]}
            self.gateway.call("kv/txn", body)

    def abandon(self) -> None:
        """Forgets the session without telling anybody."""
        self._wins = False
        self._deadline = 0.0
        if self._renewing is not None:
            self._renewing.set()

    def close(self) -> None:
        """Ends the session: the lease, and what is tied to it, is gone at once."""
        lease, lives = self._lease, self.in_session
        self.abandon()
        if lives:
            with contextlib.suppress(GatewayError):
                self.gateway.call("lease/revoke", {"ID": lease})

    # --- writes that a former leader cannot make --------------------------------------------------

    def put_guarded(self, key: str, value: str) -> bool:
        """Puts a key into etcd itself, only while the own key is the one that won.

        Returns:
            Whether it was put.

        Raises:
            GatewayError: No server answers.
        """
        put = {"key": to_json(key), "value": to_json(value)}
        body = {"compare": [self._created(self.token)], "success": [{"request_put": put}]}
        return bool(self.gateway.call("kv/txn", body).get("succeeded"))

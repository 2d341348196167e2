"""Snippets as they are published, on real servers: each elects everybody, or nobody for good.

Their mistakes are the lesson; nothing else here is careless. They take the place of the proper
recipes in a `Contest`.

- `UnconditionalPut`: puts its name under one key, reads it back, and leads if the name is its own.
- `UnreadRenewal`: wins properly, then renews its lease and never reads what the renewal answers.
- `IgnoredVanishing`: ZooKeeper's recipe, but when the predecessor is gone already, it waits for an
  event that has been.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

from electionlab.real.etcd_gateway import Gateway, GatewayError, from_json, prefix_end, to_json


class _OneKey:
    """What the snippets for etcd share: one key, and a lease whose renewal is never looked at."""

    def __init__(self, gateway: Gateway, prefix: str, name: str, ttl_s: int) -> None:
        self.gateway, self.prefix, self.name, self.ttl_s = gateway, prefix, name, ttl_s
        self.key = to_json(prefix + "leader")
        self.token = 0
        self.leads = False

    def _renewed_lease(self) -> str:
        lease = str(self.gateway.call("lease/grant", {"TTL": str(self.ttl_s)})["ID"])
        threading.Thread(target=self._renew, args=(lease,), daemon=True).start()
        return lease

    def _renew(self, lease: str) -> None:
        while True:
            time.sleep(self.ttl_s / 3)
            with contextlib.suppress(GatewayError):
                self.gateway.call("lease/keepalive", {"ID": lease})

    def abandon(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class UnconditionalPut(_OneKey):
    """Put the key; if it holds my name, I lead: the last to put does not ask the first.

    Two contenders whose put and get interleave as put, get, put, get both lead, and neither ever
    looks again.
    """

    def campaign(self) -> int:
        """Puts, reads back, and believes it."""
        key, lease = self.key, self._renewed_lease()
        body = {"key": key, "value": to_json(self.name), "lease": lease}
        self.gateway.call("kv/put", body)
        while True:
            kvs = self.gateway.call("kv/range", {"key": key}).get("kvs", [])
            if kvs and from_json(kvs[0]["value"]) == self.name:
                self.token = int(kvs[0]["create_revision"])
                self.leads = True
                return self.token
            time.sleep(0.1)

    def resign(self) -> None:
        """Stops acting; the key stays until the lease ends, and that is renewed."""
        self.leads = False


class UnreadRenewal(_OneKey):
    """A proper transaction, then a loop that renews and takes no answer for an answer.

    A keep-alive of a lease that is gone is answered with status 200, too: with no TTL in it.
    """

    def campaign(self) -> int:
        """Tries to create the key, again and again."""
        key, lease = self.key, self._renewed_lease()
        absent = {"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
        put = {"request_put": {"key": key, "value": to_json(self.name), "lease": lease}}
        while True:
            answer = self.gateway.call("kv/txn", {"compare": [absent], "success": [put]})
            if answer.get("succeeded"):
                self.token = int(answer["header"]["revision"])
                self.leads = True
                return self.token
            time.sleep(0.1)

    def resign(self) -> None:
        """Stops acting and deletes the key."""
        self.leads = False
        self.gateway.call("kv/deleterange", {"key": self.key})


def ignored_vanishing(endpoints: Sequence[str], path: str, name: str, session_s: float) -> Any:
    """ZooKeeper's recipe without a look at what `exists` returns.

    When the predecessor goes between the listing and the `exists`, nothing is left to be told of,
    and this contender waits for ever: if all before it go, nobody leads.
    """
    from electionlab.real.zookeeper_election import ZooKeeperElection, _number

    class IgnoredVanishing(ZooKeeperElection):
        def campaign(self) -> int:
            self.client.start(timeout=30)
            self.client.ensure_path(self.path)
            self._create()
            while True:
                names = sorted(self.client.get_children(self.path), key=_number)
                place = names.index(self._own)
                if place == 0:
                    self.token = self.client.exists(f"{self.path}/{self._own}").czxid
                    self._wins = True
                    return self.token
                self._changed.clear()
                time.sleep(0.5)  # anything that takes time: a log line, a busy machine
                self.client.exists(f"{self.path}/{names[place - 1]}", watch=self._on_event)
                self._changed.wait()

    return IgnoredVanishing(endpoints, path, name, session_s)


def keys_left(gateway: Gateway, prefix: str) -> list[str]:
    """The keys that stand under a prefix."""
    body = {"key": to_json(prefix), "range_end": to_json(prefix_end(prefix)), "keys_only": True}
    return [from_json(kv["key"]) for kv in gateway.call("kv/range", body).get("kvs", [])]

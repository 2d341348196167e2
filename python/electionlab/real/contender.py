"""One contender of a `Contest`, a process of its own, started as a script.

It campaigns, works as long as it leads, and says what happens, one JSON line each, with the
machine's monotonic clock, which all processes share. SIGUSR1 makes it resign, SIGTERM end.
"""

from __future__ import annotations

import http.client
import json
import logging
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # The package without its front: tables and pictures would take a second to import.
    _HERE = Path(__file__).resolve().parent
    for _name, _folder in (("electionlab", _HERE.parent), ("electionlab.real", _HERE)):
        _package = types.ModuleType(_name)
        _package.__path__ = [str(_folder)]
        sys.modules[_name] = _package


def say(what: str, *, at_ns: int | None = None, **more: Any) -> None:
    """Notes what happens, or happened."""
    mono_ns = time.monotonic_ns() if at_ns is None else at_ns
    print(json.dumps({"mono_ns": mono_ns, "what": what, **more}), flush=True)


class KazooTells(logging.Handler):
    """Says whenever kazoo sends something: that is what keeps its session alive."""

    def emit(self, record: logging.LogRecord) -> None:
        """Looks for what kazoo notes before it sends, pings as well."""
        if str(record.msg).startswith("Sending request"):
            say("renews")


def make_election(plan: dict[str, Any]) -> Any:
    """The recipe that the plan names."""
    recipe, endpoints = plan["recipe"], plan["endpoints"]
    if recipe in ("zookeeper", "kazoo", "ignored_vanishing"):
        from electionlab.real import broken
        from electionlab.real.kazoo_election import KazooElection
        from electionlab.real.zookeeper_election import ZooKeeperElection

        log = logging.getLogger("kazoo.client")
        log.addHandler(KazooTells())
        log.setLevel(5)  # kazoo's own level for pings
        log.propagate = False
        of_zookeeper: dict[str, Any] = {
            "zookeeper": ZooKeeperElection,
            "kazoo": KazooElection,
            "ignored_vanishing": broken.ignored_vanishing,
        }
        return of_zookeeper[recipe](endpoints, plan["place"], plan["name"], plan["ttl_s"])
    from electionlab.real import broken
    from electionlab.real.etcd_election import EtcdElection
    from electionlab.real.etcd_gateway import Gateway

    recipes: dict[str, Any] = {
        "etcd": EtcdElection,
        "unconditional_put": broken.UnconditionalPut,
        "unread_renewal": broken.UnreadRenewal,
    }

    class Telling(Gateway):
        def call(self, path: str, body: Any, *, timeout_s: float | None = None) -> dict[str, Any]:
            sent = time.monotonic_ns()
            answer = super().call(path, body, timeout_s=timeout_s)
            if path in ("lease/grant", "lease/keepalive"):
                say("renews", at_ns=sent)
            return answer

    gateway = Telling(endpoints, timeout_s=max(0.5, plan["ttl_s"] / 3))
    return recipes[recipe](gateway, plan["place"] + "/", plan["name"], int(plan["ttl_s"]))


def write(storage: str, name: str, token: int) -> bool:
    """One write to the storage with the fencing token; whether it was taken."""
    link = http.client.HTTPConnection(storage, timeout=5)
    body = {"name": name, "token": token, "sent_ns": time.monotonic_ns()}
    try:
        link.request("POST", "/", json.dumps(body))
        return link.getresponse().status == 200
    finally:
        link.close()


def contend(plan: dict[str, Any]) -> None:
    """Campaigns and works until told to end."""
    wishes: list[str] = []
    signal.signal(signal.SIGUSR1, lambda *_: wishes.append("resign"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    election = make_election(plan)
    try:
        while True:
            say("waits")
            try:
                token = election.campaign()
            except Exception as error:  # the servers are away, or the session is over
                say("trouble", error=f"{type(error).__name__} {error}".strip())
                election.abandon()
                time.sleep(0.1)
                continue
            say("leads", token=token, granted_s=getattr(election, "granted_s", None))
            while election.leads and "resign" not in wishes:
                say("works")
                time.sleep(plan["work_ms"] / 1e3)  # between the look and the write
                try:
                    taken = write(plan["storage"], plan["name"], token)
                except OSError as error:
                    say("trouble", error=str(error))
                    continue
                if not taken:
                    say("refused", token=token)
                    election.abandon()
                    break
            if "resign" in wishes:
                wishes.clear()
                say("resigns")
                election.resign()
                say("stops")
                time.sleep(plan["rest_s"])
            else:
                say("stops")
    finally:
        say("ends")
        election.close()


if __name__ == "__main__":
    contend(json.loads(sys.argv[1]))

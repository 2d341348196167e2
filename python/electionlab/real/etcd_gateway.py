"""etcd's v3 calls as JSON over HTTP: the gateway that every etcd server has built in.

Imports the standard library only. TLS and credentials come from files and the environment and are
kept in no trace: ``ETCDCTL_CACERT``, ``ETCDCTL_CERT``, ``ETCDCTL_KEY``, and ``ETCDCTL_USER`` as
"name:password", as etcdctl has them. Where users are asked for, the gateway takes a client's
certificate only if it has no common name.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class GatewayError(ConnectionError):
    """No server answered, or the one that did refused; whether it was done is not known."""


class _TokenOverError(GatewayError):
    """The credentials' token is no longer valid."""


def to_json(text: str) -> str:
    """Keys and values travel in base64."""
    return base64.b64encode(text.encode()).decode()


def from_json(text: str) -> str:
    """What `to_json` made."""
    return base64.b64decode(text).decode()


def prefix_end(prefix: str) -> str:
    """The first key after all with this prefix (ASCII)."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


class Gateway:
    """Calls to whichever endpoint answers.

    Args:
        endpoints: "host:port", or "https://host:port" for TLS.
        timeout_s: An endpoint that does not answer for so long is given up.
    """

    def __init__(self, endpoints: Sequence[str], *, timeout_s: float = 5.0) -> None:
        if not endpoints:
            raise ValueError("endpoints=[]: must name at least one")
        self.endpoints = list(endpoints)
        self.timeout_s = timeout_s
        self._token = ""

    def _connect(self, endpoint: str, timeout_s: float | None) -> http.client.HTTPConnection:
        host = endpoint.split("://")[-1].rstrip("/")
        if not endpoint.startswith("https://"):
            return http.client.HTTPConnection(host, timeout=timeout_s)
        context = ssl.create_default_context(cafile=os.environ.get("ETCDCTL_CACERT"))
        if "ETCDCTL_CERT" in os.environ:
            context.load_cert_chain(os.environ["ETCDCTL_CERT"], os.environ.get("ETCDCTL_KEY"))
        return http.client.HTTPSConnection(host, timeout=timeout_s, context=context)

    def _headers(self) -> dict[str, str]:
        user, _, password = os.environ.get("ETCDCTL_USER", "").partition(":")
        if user and not self._token:
            self._token = "-"  # this call needs none itself
            answer = self.call("auth/authenticate", {"name": user, "password": password})
            self._token = str(answer["token"])
        return {"Authorization": self._token} if self._token not in ("", "-") else {}

    def call(
        self, path: str, body: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """One request and its answer.

        Args:
            path: Such as "kv/range".
            body: The request's fields.
            timeout_s: Instead of the usual.

        Raises:
            GatewayError: No endpoint answered. Something that writes may have been done all the
                same.
        """
        try:
            return self._call(path, body, timeout_s or self.timeout_s)
        except _TokenOverError:  # after minutes: a new one
            self._token = ""
            return self._call(path, body, timeout_s or self.timeout_s)

    def _call(self, path: str, body: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        trouble = ""
        for endpoint in list(self.endpoints):
            headers = self._headers()
            link = self._connect(endpoint, timeout_s)
            try:
                link.request("POST", f"/v3/{path}", json.dumps(body), headers)
                response = link.getresponse()
                body_text = response.read().decode(errors="replace")
                if response.status == 200:
                    answer: dict[str, Any] = json.loads(body_text)
                    return answer
                trouble = f"{endpoint}: {response.status} {body_text.strip()[:300]}"
                if response.status == 401 and headers:
                    raise _TokenOverError(trouble)
                if response.status in (400, 401, 403, 404):  # it answered, and so will the others
                    break
            except _TokenOverError:
                raise
            except (OSError, http.client.HTTPException, ValueError) as error:
                trouble = f"{endpoint}: {error or type(error).__name__}"
            finally:
                link.close()
            # The next call begins with another.
            self.endpoints.append(self.endpoints.pop(0))
        raise GatewayError(trouble)

    @contextlib.contextmanager
    def watch(
        self, key: str, from_revision: int, *, idle_s: float
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """The changes of one key, from a revision on, as they happen.

        Args:
            key: Which.
            from_revision: The first revision that is told.
            idle_s: After so long without news the iterator ends.
        """
        request = {"create_request": {"key": to_json(key), "start_revision": str(from_revision)}}
        link = self._connect(self.endpoints[0], idle_s)
        try:
            link.request("POST", "/v3/watch", json.dumps(request), self._headers())
            yield self._events(link.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self.endpoints.append(self.endpoints.pop(0))
            raise GatewayError(str(error) or type(error).__name__) from None
        finally:
            link.close()

    def _events(self, response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
        while True:
            try:
                line = response.readline()
            except TimeoutError:
                return
            if not line:
                raise GatewayError("the watch has ended")
            answer = json.loads(line)
            result = answer.get("result", {})
            if "error" in answer or result.get("canceled"):
                raise GatewayError(f"the watch was cancelled: {answer}")
            yield from result.get("events", [])

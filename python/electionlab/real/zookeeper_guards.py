"""How clients reach guarded ZooKeeper servers: TLS and credentials, from files and the environment.

They are kept in no trace: ``ZK_CACERT``, ``ZK_CERT`` and ``ZK_KEY`` name files in PEM, and
``ZK_AUTH`` is "scheme:credentials", such as "digest:name:password". Imports the standard library
only.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from typing import Any

TLS = "tls://"
NAMES = ("ZK_CACERT", "ZK_CERT", "ZK_KEY", "ZK_AUTH")


def connect(endpoint: str, timeout_s: float) -> socket.socket:
    """A connection to "host:port" or "tls://host:port".

    Raises:
        OSError: There is none to be had.
    """
    host, _, port = endpoint.removeprefix(TLS).rpartition(":")
    link = socket.create_connection((host.strip("[]"), int(port)), timeout_s)
    if not endpoint.startswith(TLS):
        return link
    try:
        context = ssl.create_default_context(cafile=os.environ.get("ZK_CACERT"))
        if "ZK_CERT" in os.environ:
            context.load_cert_chain(os.environ["ZK_CERT"], os.environ.get("ZK_KEY"))
        return context.wrap_socket(link, server_hostname=host.strip("[]"))
    except BaseException:
        link.close()
        raise


def kazoo_arguments(endpoints: Sequence[str]) -> dict[str, Any]:
    """What kazoo's client needs to reach these servers."""
    arguments: dict[str, Any] = {"hosts": ",".join(e.removeprefix(TLS) for e in endpoints)}
    if any(endpoint.startswith(TLS) for endpoint in endpoints):
        names = {"ca": "ZK_CACERT", "certfile": "ZK_CERT", "keyfile": "ZK_KEY"}
        files = {own: os.environ[name] for own, name in names.items() if name in os.environ}
        arguments |= {"use_ssl": True, "verify_certs": True, **files}
    scheme, _, credential = os.environ.get("ZK_AUTH", "").partition(":")
    if scheme:
        from kazoo.security import CREATOR_ALL_ACL

        arguments |= {"auth_data": [(scheme, credential)], "default_acl": CREATOR_ALL_ACL}
    return arguments

"""Servers that exist already, here such as the test started by itself, with TLS and a password."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from test_real_etcd import until

import electionlab as el
from electionlab.real import broken, servers
from electionlab.real.children import Children, free_ports
from electionlab.real.etcd_gateway import Gateway, GatewayError

PASSWORD = "correct-horse"


def make_certificate(folder: Path) -> tuple[str, str]:
    """A certificate that vouches for itself, for 127.0.0.1, and its key.

    It has no common name, which etcd's gateway refuses beside a user's password.
    """
    certificate, key = str(folder / "own.pem"), str(folder / "own.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/O=electionlab test", "-keyout", key,
         "-out", certificate, "-addext", "subjectAltName=IP:127.0.0.1",
         "-addext", "extendedKeyUsage=serverAuth,clientAuth"],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def test_an_etcd_with_tls_and_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = make_certificate(tmp_path)
    client, peer = free_ports(2)
    url = f"https://127.0.0.1:{client}"
    with Children() as children:
        children.start(
            "guarded",
            [servers.etcd().program, "--name", "guarded",
             "--data-dir", str(children.folder / "data"),
             "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-cluster", f"guarded=http://127.0.0.1:{peer}",
             "--cert-file", certificate, "--key-file", key, "--client-cert-auth",
             "--trusted-ca-file", certificate, "--heartbeat-interval", "20",
             "--election-timeout", "200"],
        )  # fmt: skip
        cluster = el.real.EtcdCluster(endpoints=[url])
        cluster.start_within_s = 3.0
        with pytest.raises(el.real.ServerError, match="certificate"):
            cluster.start()
        monkeypatch.setenv("ETCDCTL_CACERT", certificate)
        monkeypatch.setenv("ETCDCTL_CERT", certificate)
        monkeypatch.setenv("ETCDCTL_KEY", key)
        cluster.start_within_s = 60.0
        with cluster:
            gateway = Gateway([url])
            gateway.call("auth/user/add", {"name": "root", "password": PASSWORD})
            gateway.call("auth/user/grant", {"user": "root", "role": "root"})
            gateway.call("auth/enable", {})
            with pytest.raises(GatewayError, match=r"denied|user name is empty"):
                broken.keys_left(gateway, "/")
            monkeypatch.setenv("ETCDCTL_USER", f"root:{PASSWORD}")
            assert cluster.wait_leader().node == 1
            with pytest.raises(el.real.ServerError, match="not started here"):
                cluster.crash("leader")
            with el.real.Contest(cluster, contenders=2, ttl_s=1) as contest:
                first = contest.wait_leader()
                contest.wait_waiting()
                contest.crash(first)
                second = contest.wait_leader(other_than=first)
                assert contest.leaders == [second]
                assert len(contest.crash_takeovers) == 1
            until(lambda: not broken.keys_left(gateway, contest.place), "its keys are gone")
            gateway._token = "of.before"
            assert broken.keys_left(gateway, contest.place) == []  # and there is a new token
        for trace in (cluster.trace, contest.trace):
            path = tmp_path / "trace.jsonl"
            trace.save(path)
            text = path.read_text()
            assert "etcd 3." in text
            for secret in (PASSWORD, "own.key", "own.pem", f":{client}"):
                assert secret not in text
        roles = [row["role"] for row in map(cluster.trace.row, range(len(cluster.trace)))]
        assert "leader" in roles


SETTINGS = """\
tickTime=200
dataDir={folder}
secureClientPort={port}
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.location={both}
ssl.keyStore.type=PEM
ssl.trustStore.location={certificate}
ssl.trustStore.type=PEM
admin.enableServer=false
4lw.commands.whitelist=srvr
forceSync=no
"""


def test_a_zookeeper_with_tls_and_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path)
    (port,) = free_ports(1)
    server = servers.zookeeper()
    with Children() as children:
        both = children.folder / "both.pem"
        both.write_text(Path(key).read_text() + Path(certificate).read_text())
        settings = children.folder / "zoo.cfg"
        settings.write_text(
            SETTINGS.format(
                folder=children.folder / "data", port=port, both=both, certificate=certificate
            )
        )
        children.start(
            "guarded",
            [server.java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
             server.classpath, "org.apache.zookeeper.server.ZooKeeperServerMain", str(settings)],
        )  # fmt: skip
        monkeypatch.setenv("ZK_CACERT", certificate)
        monkeypatch.setenv("ZK_CERT", certificate)
        monkeypatch.setenv("ZK_KEY", key)
        monkeypatch.setenv("ZK_AUTH", f"digest:lab:{PASSWORD}")
        with el.real.ZooKeeperEnsemble(endpoints=[f"tls://127.0.0.1:{port}"]) as ensemble:
            assert ensemble.wait_leader().node == 1
            with el.real.Contest(ensemble, contenders=2, ttl_s=1) as contest:
                first = contest.wait_leader()
                contest.wait_waiting()
                contest.resign(first)
                contest.wait_leader(other_than=first)
        for trace in (ensemble.trace, contest.trace):
            path = tmp_path / "trace.jsonl"
            trace.save(path)
            text = path.read_text()
            assert "ZooKeeper 3." in text
            for secret in (PASSWORD, "own.key", "own.pem", f":{port}"):
                assert secret not in text


def test_a_member_that_goes_is_seen() -> None:
    with el.real.EtcdCluster(3, heartbeat_ms=20, election_ms=200, partitions=False) as own:
        with el.real.EtcdCluster(endpoints=own.endpoints) as seen:
            leader = own.wait_leader()
            until(lambda: seen.leader is not None and seen.leader.node == leader.node, "the same")
            own.crash(leader.node)
            after = own.wait_leader(after_epoch=leader.epoch)
            assert seen.wait_leader(20_000, after_epoch=leader.epoch).node == after.node
            time.sleep(0.2)  # all threads have asked once more
        rows = [seen.trace.row(number) for number in range(len(seen.trace))]
        assert any(r["role"] == "down" and r["node"] == leader.node for r in rows)
        assert seen.system["server"] == own.system["server"]


def test_what_is_refused() -> None:
    for wrong in ([], "127.0.0.1:2379", ["127.0.0.1"], ["https://name:secret@host:2379"]):
        with pytest.raises(ValueError, match="endpoints="):
            el.real.EtcdCluster(endpoints=wrong)
        with pytest.raises(ValueError, match="endpoints="):
            el.real.Contest(endpoints=wrong, recipe="etcd")
    nobody = el.real.ZooKeeperEnsemble(endpoints=[f"127.0.0.1:{free_ports(1)[0]}"])
    nobody.start_within_s = 1.0
    with pytest.raises(el.real.ServerError, match="does not answer"):
        nobody.start()
    with pytest.raises(el.real.ServerError, match="election time-out is not known"):
        _ = el.real.EtcdCluster(endpoints=["127.0.0.1:2379"]).least_ttl_s

"""Real etcd servers, started and stopped here, on loopback; no distribution is asserted."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from support import ROOT
from typer.testing import CliRunner

import electionlab as el
from electionlab.cli import app
from electionlab.real import broken, keeper, servers
from electionlab.real.etcd_gateway import Gateway

SCHEMA = json.loads((ROOT / "docs/trace.schema.json").read_text(encoding="utf-8"))
#: What a busy machine may add to a takeover.
MARGIN_MS = 5000.0


def small(nodes: int = 3, *, partitions: bool = False) -> el.real.EtcdCluster:
    return el.real.EtcdCluster(nodes, heartbeat_ms=20, election_ms=200, partitions=partitions)


def until(done: Callable[[], bool], what: str, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(") ")[-1].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def descendants() -> list[int]:
    """The keepers of this process and what they keep."""
    keepers = [
        pid
        for pid in children_of(os.getpid())
        if b"keeper.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return keepers + [child for keeper in keepers for child in children_of(keeper)]


def assert_one_leader_per_epoch(trace: el.real.ObservedTrace) -> None:
    leads: dict[int, set[int]] = {}
    for row in map(trace.row, range(len(trace))):
        if row["kind"] == "leader":
            leads.setdefault(row["epoch"], set()).add(row["node"])
    assert leads
    assert all(len(nodes) == 1 for nodes in leads.values()), leads


def assert_keeps_to_the_schema(trace: el.real.ObservedTrace, path: Path) -> None:
    """Every line of the file: a header without a recipe, rows as of simulated runs, an end."""
    trace.save(path)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = ["observed_header", *["row"] * (len(lines) - 2), "end"]
    for line, name in zip(lines, names, strict=True):
        jsonschema.validate(line, {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**lines[0], "observed": {}}, SCHEMA)
    assert el.Trace.load(path).hash() == trace.hash()


def test_leaders_are_killed_paused_and_cut_off(tmp_path: Path) -> None:
    with small(partitions=True) as cluster:
        folder = cluster.children.folder
        assert folder.stat().st_mode & 0o777 == 0o700
        pids = descendants()
        assert len(pids) == 5  # the keeper, the proxy, three members
        leader = cluster.wait_leader()
        for _ in range(3):
            cluster.crash(leader.node)
            after = cluster.wait_leader(after_epoch=leader.epoch)
            assert after.node != leader.node
            cluster.restart(leader.node)
            cluster.wait_ready([leader.node])
            leader = cluster.wait_leader()
        paused = cluster.pause(leader.node)
        leader = cluster.wait_leader(after_epoch=leader.epoch)
        cluster.resume(paused)
        others = [node for node in (1, 2, 3) if node != leader.node]
        cluster.partition([leader.node], others)
        after = cluster.wait_leader(after_epoch=leader.epoch)
        assert after.node in others
        cluster.heal()
        until(lambda: all(map(cluster.is_ready, (1, 2, 3))), "all follow again")
        pids += descendants()
    assert not [pid for pid in pids if runs(pid)]
    assert not folder.exists()

    trace = cluster.trace
    assert_one_leader_per_epoch(trace)
    assert len(trace.downtimes_ms) >= 4
    assert trace.system["server"].startswith("etcd 3.")
    actions = [row["action"] for row in map(trace.row, range(len(trace))) if "action" in row]
    assert actions == ["crash", "restart"] * 3 + ["pause", "resume", "partition", "heal"]
    axes = trace.plot()
    assert "etcd 3." in axes.get_title(loc="left") + axes.get_title()
    assert axes.get_xlabel() == "time (ms)"

    path = tmp_path / "real.jsonl"
    assert_keeps_to_the_schema(trace, path)
    again = el.Trace.load(path)
    assert isinstance(again, el.real.ObservedTrace)
    assert again.hash() == trace.hash()
    assert again.to_frame().equals(trace.to_frame())
    path.write_text(path.read_text().replace('"leader"', '"follower"', 1))
    with pytest.raises(el.TraceError, match="checksum"):
        el.real.ObservedTrace.load(path)
    with pytest.raises(ValueError, match="cannot be replayed"):
        trace.replay()


def test_contenders_with_leases_and_tokens(tmp_path: Path) -> None:
    with small(1) as cluster:
        gateway = Gateway(cluster.endpoints)
        with el.real.Contest(cluster, ttl_s=1, partitions=True) as contest:
            contest.wait_leader()
            contest.wait_waiting()
            first = contest.leaders
            assert len(first) == 1
            granted_ms = 1000.0 * cluster.least_ttl_s

            crashed = contest.crash()
            second = contest.wait_leader()
            contest.restart(crashed)
            contest.wait_waiting()
            resigned = contest.resign(second)
            third = contest.wait_leader(other_than=resigned)
            after_crash, after_resignation = contest.takeovers_ms
            assert after_crash <= granted_ms + 500 + MARGIN_MS
            assert after_resignation < after_crash

            paused = contest.pause(third)
            other = contest.wait_leader(other_than=paused)
            # The storage knows a token only when it has come with a write.
            until(lambda: contest.writes[-1].node == other, "the new leader writes")
            contest.resume(paused)
            until(
                lambda: any(w.node == paused and not w.accepted for w in contest.writes),
                "the former leader's write is refused",
            )
            until(lambda: len(contest.leaders) == 1, "it has stopped")

            cut = contest.cut_off()
            contest.wait_leader(other_than=cut)
            until(lambda: cut not in contest.leaders, "it has stopped, too")
            contest.heal()
        assert [w.token for w in contest.writes if w.accepted] == sorted(
            w.token for w in contest.writes if w.accepted
        )
        assert_one_leader_per_epoch(contest.trace)
        assert_keeps_to_the_schema(contest.trace, tmp_path / "contest.jsonl")
        until(lambda: not broken.keys_left(gateway, contest.place), "leases end, and their keys")


def test_without_a_token_a_former_leaders_write_lands() -> None:
    with (
        small(1) as cluster,
        el.real.Contest(cluster, contenders=2, ttl_s=1, fenced=False) as contest,
    ):
        contest.wait_leader()
        contest.wait_waiting()
        paused = contest.pause()
        old = next(s.token for s in reversed(contest.said) if s.what == "leads")
        other = contest.wait_leader(other_than=paused)
        until(lambda: contest.writes[-1].node == other, "the new leader writes")
        before = len(contest.writes)
        contest.resume(paused)
        until(
            lambda: any(w.token == old and w.accepted for w in contest.writes[before:]),
            "the former leader's write lands",
        )


def test_published_mistakes_go_wrong() -> None:
    with small(1) as cluster:
        with el.real.Contest(
            cluster, contenders=2, ttl_s=1, recipe="unconditional_put", fenced=False
        ) as contest:
            contest.wait_leader()
            contest.wait_waiting()
            late = next(node for node in (1, 2) if node != contest.leaders[0])
            contest.crash(late)
            contest.restart(late)  # it puts after the first has won
            until(lambda: len(contest.leaders) == 2, "everybody leads")
            time.sleep(1.5)
            assert len(contest.leaders) == 2
        with el.real.Contest(
            cluster, contenders=2, ttl_s=1, recipe="unread_renewal", fenced=False
        ) as contest:
            paused = contest.wait_leader()
            contest.wait_waiting()
            contest.pause(paused)
            contest.wait_leader(other_than=paused)
            contest.resume(paused)
            time.sleep(1.5)  # two renewals are answered meanwhile
            assert len(contest.leaders) == 2


LAB = """
import sys, time
from electionlab import real
with real.EtcdCluster(1, heartbeat_ms=20, election_ms=200, partitions=False) as cluster:
    with real.Contest(endpoints=[sys.argv[1]], recipe="etcd", place="/killed", ttl_s=1) as contest:
        contest.wait_leader()
        print(cluster.children.folder, contest.children.folder, flush=True)
        time.sleep(600)
"""


def test_nothing_stays_when_the_lab_is_killed() -> None:
    with small(1) as cluster:
        gateway = Gateway(cluster.endpoints)
        lab = subprocess.Popen(
            [sys.executable, "-c", LAB, cluster.endpoints[0]],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            text=True,
        )
        with lab:
            assert lab.stdout is not None
            folders = [Path(name) for name in lab.stdout.readline().split()]
            assert len(folders) == 2
            assert all(folder.is_dir() for folder in folders)
            keepers = children_of(lab.pid)
            pids = keepers + [child for keeper in keepers for child in children_of(keeper)]
            assert len(pids) == 2 + 1 + 3
            assert broken.keys_left(gateway, "/killed")
            lab.send_signal(signal.SIGKILL)
        until(lambda: not any(map(runs, pids)), "all its processes have ended")
        until(lambda: not any(folder.exists() for folder in folders), "its folders are gone")
        until(lambda: not broken.keys_left(gateway, "/killed"), "its keys are gone")


@pytest.mark.parametrize(("said", "priority"), [("/autogroup-7 nice -10\n", "-10"), ("", "")])
def test_the_callers_weight(monkeypatch: pytest.MonkeyPatch, said: str, priority: str) -> None:
    # In some containers processes are in no group, and the file is empty.
    monkeypatch.setattr(keeper, "open", lambda *_: io.StringIO(said), raising=False)
    assert keeper._group_priority(7) == priority


def test_children_end_with_their_keeper() -> None:
    with small(1) as cluster:
        pids = descendants()
        assert len(pids) == 2
        os.kill(pids[0], signal.SIGKILL)
        until(lambda: not runs(pids[1]), "the member ends with its keeper")
        with pytest.raises(el.real.ServerError, match="ended"):
            cluster.crash(1)
        folder = cluster.children.folder
        for file in sorted(folder.rglob("*"), reverse=True):  # nobody else is left to do it
            file.rmdir() if file.is_dir() else file.unlink()
        folder.rmdir()


def test_calibrate_counts() -> None:
    arguments = ["calibrate", "etcd", "--heartbeat", "20ms", "--election", "200ms", "--kills", "2"]
    result = CliRunner().invoke(app, [*arguments, "--trials", "50", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["real"]["runs"] == 2
    assert found["simulated"]["runs"] == 50
    assert 0 <= found["ks_distance"] <= 1
    assert found["ks_limit"] == pytest.approx(1.36 / 2**0.5)


def test_a_missing_server_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("ELECTIONLAB_ETCD", raising=False)
    monkeypatch.setattr(servers, "_distro", lambda: None)
    with pytest.raises(el.real.NotInstalledError, match="pip install"):
        el.real.EtcdCluster()
    with pytest.raises(el.real.NotInstalledError, match="apt-get install"):
        el.real.ZooKeeperEnsemble()


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"election_ms=400: must be .*500"):
        el.real.EtcdCluster(heartbeat_ms=100, election_ms=400)
    with pytest.raises(ValueError, match="nodes=0"):
        el.real.EtcdCluster(0)
    with pytest.raises(ValueError, match="recipe='paxos'"):
        el.real.Contest(endpoints=["127.0.0.1:1"], recipe="paxos")
    with pytest.raises(ValueError, match=r"ttl_s=1\.5"):
        el.real.Contest(endpoints=["127.0.0.1:1"], recipe="etcd", ttl_s=1.5)
    with pytest.raises(el.real.ServerError, match="not running"):
        small().crash(1)
    result = CliRunner().invoke(app, ["calibrate", "consul"])
    assert result.exit_code == 2
    assert "consul" in result.output

"""The command line: what it prints, writes and exits with."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ELECT_ONCE, ENGINE, ROOT
from typer.testing import CliRunner, Result

import electionlab as el
from electionlab import fig16, settings
from electionlab.cli import app
from electionlab.protocols import PROTOCOLS

PNG = b"\x89PNG\r\n\x1a\n"
SCENARIO = ROOT / "tests" / "scenarios" / "bully" / "textbook.scenario"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, (arguments, result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), arguments
    return result


def document(*arguments: str, code: int = 0) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    value: dict[str, Any] = json.loads(
        call(*arguments, "--json", code=code).stdout, parse_constant=refuse
    )
    return value


def refused(*arguments: str) -> str:
    """The one line that tells what is wrong."""
    result = call(*arguments, code=2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


# --- run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [protocol.name for protocol in ENGINE])
def test_run_tells_an_election_and_a_failover(protocol: str) -> None:
    out = call("run", protocol, "--nodes", "5", "--crash", "leader@500ms", "--seed", "7").stdout
    lines = out.splitlines()
    assert lines[0].endswith("(nodes=5), seed 7")
    assert any("begins to act as leader" in line for line in lines)
    assert any(line.startswith("    500.000 ms") and "crash" in line for line in lines)
    assert "Every live node names it." in lines
    assert "Fault crash: asked 1, took effect 1" in lines


@pytest.mark.parametrize("protocol", [protocol.name for protocol in ELECT_ONCE])
def test_run_says_that_a_protocol_elects_only_once(protocol: str) -> None:
    told = call("run", protocol, "--nodes", "5", "--seed", "7").stdout.splitlines()
    assert "Every live node names it." in told
    crashed = document("run", protocol, "-n", "5", "--crash", "leader@500ms", code=1)
    assert crashed["metrics"]["leaderships"] == 1
    assert crashed["outcome"]["leader"] is None


@pytest.mark.parametrize("protocol", [protocol.name for protocol in ENGINE])
def test_run_json_equals_the_library(protocol: str) -> None:
    got = document("run", protocol, "-n", "4", "--crash", "leader@500ms", "--seed", "3")
    cluster = el.Cluster(
        PROTOCOLS[protocol](4), actions=[settings.at(500, settings.crash("leader"))], seed=3
    )
    cluster.run(until=500)
    leader = cluster.run_until_leader(5_000, agreed=True)
    assert isinstance(leader, el.Leader)
    assert got["outcome"]["leader"] == leader.node
    assert got["outcome"]["at_ms"] == leader.at_ms
    assert got["outcome"]["agreed"] is True
    assert got["trace_hash"] == cluster.trace.hash()
    assert got["events"] == cluster.events
    assert got["metrics"] == json.loads(json.dumps(dict(cluster.metrics)))
    assert got["fault_report"] == json.loads(json.dumps(dict(cluster.fault_report)))
    assert (got["protocol"], got["nodes"], got["seed"]) == (protocol, 4, 3)


def test_run_all_adds_routine_steps_and_rows() -> None:
    short, whole = (call("run", "raft", "--until", "1s", *more).stdout for more in ([], ["--all"]))
    assert "routine steps were left out" in short
    assert "routine" not in whole
    assert len(whole.splitlines()) > len(short.splitlines())
    rows = document("run", "raft", "--all")["rows"]
    assert rows[0]["kind"] == "start"
    assert "rows" not in document("run", "raft")


def test_run_quiet_leaves_the_story_out() -> None:
    assert "starts" not in call("run", "bully", "-q").stdout


OPTIONS: list[tuple[list[str], dict[str, Any], dict[str, Any]]] = [
    (["--until", "1s"], {}, {}),
    (["-o", "election_timeout_ms=200ms:1s", "-o", "tick_ms=10"], {},
     {"election_timeout_ms": (200, 1000), "tick_ms": 10.0}),
    (["-o", "timeout_policy=drawn_once", "-o", "logs=[[1,2],[1,1],[1,1]]"], {},
     {"timeout_policy": "drawn_once", "logs": [(1, 2), (1, 1), (1, 1)]}),
    (["--delay", "3"], {"network": el.Network(one_way_delay_ms=3)}, {}),
    (["--delay", "1:20ms", "--loss", "0.1", "--duplicate", "0.2"],
     {"network": el.Network(one_way_delay_ms=(1, 20), loss_probability=0.1,
                            duplicate_probability=0.2)}, {}),
    (["--write-delay", "250us:2", "--processing", "1"],
     {"machine": el.Machine(write_delay_ms=(0.25, 2), processing_ms=1)}, {}),
    (["--initial-leader", "2"], {"initial_leader": 2}, {}),
    (["--crash", "2@100:200ms"],
     {"actions": [settings.at(100, settings.crash(2, restart_after_ms=200))]}, {}),
    (["--crash", "2@100", "--restart", "2@0.3s"],
     {"actions": [settings.at(100, settings.crash(2)), settings.at(300, settings.restart(2))]}, {}),
    (["--pause", "leader@400:300"],
     {"actions": [settings.at(400, settings.pause("leader", resume_after_ms=300))]}, {}),
    (["--pause", "1@400", "--resume", "1@700"],
     {"actions": [settings.at(400, settings.pause(1)), settings.at(700, settings.resume(1))]}, {}),
    (["--partition", "1/2,3@400ms", "--heal", "800"],
     {"actions": [settings.at(400, settings.partition([1], [2, 3])),
                  settings.at(800, settings.heal())]}, {}),
    (["--cut", "1,2/3@400"], {"actions": [settings.at(400, settings.cut([1, 2], 3))]}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "cluster", "options"), OPTIONS, ids=lambda v: str(v)[:40])
def test_each_option_means_what_the_library_means(
    arguments: list[str], cluster: dict[str, Any], options: dict[str, Any]
) -> None:
    same = el.Cluster(el.Raft(3, **options), seed=5, **cluster)
    same.run(until=1000)
    call_it = ["run", "raft", "-n", "3", "--seed", "5", "--until", "1s", *arguments]
    got = document(*call_it, code=0 if same.leader else 1)
    assert got["trace_hash"] == same.trace.hash()


def test_one_leader_at_a_time_makes_split_brain_a_failure() -> None:
    split = ["run", "bully", "-n", "4", "--partition", "1,2/3,4@300ms", "--until", "900", "-q"]
    out = call(*split).stdout
    assert "Split brain at 900.000 ms: 2 nodes act as leader" in out
    assert "BROKEN" not in out
    assert (
        "BROKEN: one_leader_at_a_time, nodes 2 and 4, at "
        in call(*split, "--one-leader-at-a-time", code=1).stdout
    )


def test_two_raft_nodes_cannot_lose_one() -> None:
    arguments = ["run", "raft", "--nodes", "2", "--crash", "leader@500ms"]
    out = call(*arguments, "-q", code=1).stdout
    assert "no leader is possible: 1 node is up, and a quorum of 2 needs 2" in out
    got = document(*arguments, code=1)["outcome"]
    assert got["leader"] is None
    assert "no leader is possible" in got["why_no_leader"]


@pytest.mark.parametrize(
    ("suffix", "starts"), [(".png", PNG), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_run_plots(suffix: str, starts: bytes) -> None:
    picture = Path(f"run{suffix}")
    result = call("run", "ring", "-n", "3", "-q", "--plot", str(picture))
    assert picture.read_bytes().startswith(starts)
    assert picture.stat().st_size > 5_000
    assert f"plot: {picture}" in result.stderr


# --- replay and scenario --------------------------------------------------------------------------


def test_replay_tells_the_same() -> None:
    told = call("run", "ring", "--crash", "leader@500ms", "--trace", "ring.jsonl").stdout
    assert call("replay", "ring.jsonl").stdout == told
    run = document("run", "ring", "--crash", "leader@500ms")
    assert document("replay", "ring.jsonl") == run
    call("replay", "ring.jsonl", "-q", "--plot", "ring.png")
    assert Path("ring.png").read_bytes().startswith(PNG)
    assert el.Trace.load("ring.jsonl").hash() == run["trace_hash"]


def test_replay_of_a_run_without_leader_exits_1() -> None:
    lost = ["run", "raft", "-n", "2", "--crash", "leader@500ms", "--until", "1s"]
    call(*lost, "--trace", "lost.jsonl", code=1)
    call("replay", "lost.jsonl", code=1)


def test_bad_trace_files_are_refused() -> None:
    call("run", "raft", "-q", "--trace", "good.jsonl")
    good = Path("good.jsonl").read_bytes()
    bad = {
        "empty": b"",
        "half": good[: len(good) // 2],
        "no_end": b"".join(good.splitlines(keepends=True)[:-1]),
        "foreign": b"hello\n",
        "json": b'{"a": 1}\n',
        "binary": bytes(range(256)) * 20,
        "altered": good.replace(b'"rows": ', b'"rows": 1', 1),
    }
    assert bad["altered"] != good
    for name, data in bad.items():
        Path(name).write_bytes(data)
        assert name in refused("replay", name)
    assert refused("replay", "missing") == "missing: No such file or directory"
    assert "directory" in refused("replay", ".")


def test_scenario_holds_differs_and_is_rewritten() -> None:
    text = SCENARIO.read_text(encoding="utf-8")
    result = call("scenario", str(SCENARIO))
    assert result.stdout == text
    assert result.stderr == f"{SCENARIO}: holds\n"
    changed = Path("changed.scenario")
    changed.write_text(text.replace("Coordinator: 1 sent", "Coordinator: 2 sent"), "utf-8")
    result = call("scenario", "-q", str(changed), code=1)
    assert result.stdout == ""
    assert "-Coordinator: 2 sent, 1 delivered" in result.stderr
    call("scenario", "-q", "--rewrite", str(changed))
    assert changed.read_text(encoding="utf-8") == text


def test_bad_scenarios_are_refused() -> None:
    Path("bad").write_text("cluster raft nodes=3\ncrash 9\n----\n", encoding="utf-8")
    assert refused("scenario", "bad").startswith("bad: line 2: ")
    Path("binary").write_bytes(b"\xff\xfe\xff")
    assert refused("scenario", "binary") == "binary: not a scenario: it is not UTF-8 text"
    assert refused("scenario", "missing") == "missing: No such file or directory"


# --- list and fig16 -------------------------------------------------------------------------------


def test_list_names_every_protocol_and_option() -> None:
    out = call("list").stdout
    for name, cls in PROTOCOLS.items():
        assert f"{name}: {cls.about['title']}" in out
        for option in cls.about["options"]:
            assert f"    {option['name']}=" in out
    listed = json.loads(call("list", "--json").stdout)
    assert listed == json.loads(json.dumps([cls.about for cls in PROTOCOLS.values()]))


def test_fig16_json_table_csv_and_picture_equal_the_library() -> None:
    arguments = [
        "fig16", "--trials", "40", "--curves", "150-300, 12-24", "--seed", "5", "--threads", "1",
    ]  # fmt: skip
    result = call(*arguments, "-q", "--csv", "trials.csv", "--plot", "fig.png")
    same = fig16.run(40, 5, ["150-300", "12-24"], 1)
    assert same.table() in result.stdout
    assert Path("fig.png").read_bytes().startswith(PNG)
    with Path("trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for curve, times in same.downtime_ms.items():
        written = [float(row["downtime_ms"]) for row in rows if row["curve"] == curve]
        np.testing.assert_allclose(written, times)
    got = document(*arguments)
    assert (got["model"], got["seed"], got["unit"]) == ("fitted", 5, "ms")
    for line, row in zip(same.summary().to_dict("records"), got["curves"], strict=True):
        assert row == line


def test_fig16_model_is_used() -> None:
    arguments = ["fig16", "--trials", "20", "--curves", "150-300"]
    got = document(*arguments, "--model", "constant")
    same = fig16.run(20, 16, "150-300", model=fig16.CONSTANT)
    assert got["curves"][0]["mean_ms"] == same.summary()["mean_ms"][0]
    assert got["curves"][0]["mean_ms"] != document(*arguments)["curves"][0]["mean_ms"]


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run rafft", "protocol='rafft': must be one of raft, bully, ring, le_lann"),
        ("run raft -n 0", "nodes=0: must be a whole number from 1 to 10000"),
        ("run raft --seed -1", "seed=-1"),
        ("run raft --until 5y", "--until '5y': must be a duration"),
        ("run raft --until nan", "--until 'nan': must be a duration"),
        ("run raft --delay 10:5", "one_way_delay_ms=[10.0, 5.0]"),
        ("run raft --loss 2", "loss_probability=2.0"),
        ("run raft --duplicate nan", "duplicate_probability"),
        ("run raft --write-delay x", "--write-delay 'x'"),
        ("run raft --processing -1", "--processing '-1'"),
        ("run raft --initial-leader 9", "initial_leader=9"),
        ("run raft -o foo=1", "foo=1: raft has no such option; it has election_timeout_ms"),
        ("run raft -o foo", "--option 'foo': must be NAME=VALUE"),
        ("run raft -o tick_ms=a", "--option tick_ms 'a': must be a duration"),
        ("run raft -o logs=x", "logs=x: must be a list"),
        ("run raft -o timeout_policy=nix", "timeout_policy='nix': must be one of 'redrawn'"),
        ("run raft --crash 9@5ms", "crash.node=9: must be a node from 1 to 5"),
        ("run raft --crash leader", "--crash 'leader': must be NODE@TIME"),
        ("run raft --crash bogus@5", "crash.node='bogus'"),
        ("run raft --restart 1@5:6", "--restart '1@5:6': must be NODE@TIME"),
        ("run raft --pause @5", "--pause '@5'"),
        ("run raft --resume 1", "--resume '1'"),
        ("run raft --partition 1,2@5", "--partition '1,2@5': must be groups"),
        ("run raft --partition 1/x@5", "--partition '1/x@5': must be groups"),
        ("run raft --cut 1/2/3@5", "--cut '1/2/3@5': must be FROM/TO@TIME"),
        ("run raft --heal x", "--heal 'x'"),
        ("run raft --plot x.foo", "--plot 'x.foo': must end in one of .png, .svg, .pdf"),
        ("run raft --plot no/x.png", "--plot 'no/x.png': there is no folder 'no'"),
        ("run raft --trace no/x", "--trace 'no/x': there is no folder 'no'"),
        ("run raft --trace .", "--trace '.': must be a file, this is a folder"),
        ("fig16 --model x", "--model 'x': must be one of fitted, constant, constant_whole_ms"),
        ("fig16 --curves 5", "curves='5': must be ranges"),
        ("fig16 --curves 300-150", "curves='300-150': must be ranges"),
        ("fig16 --trials 0", "trials=0"),
        ("fig16 --threads -1", "threads=-1"),
        ("fig16 --seed -1", "seed=-1"),
        ("fig16 --csv no/x", "--csv 'no/x': there is no folder 'no'"),
        ("demo --trials 0", "trials=0"),
        ("demo --seed -1", "seed=-1"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments: str, said: str) -> None:
    assert said in refused(*arguments.split())
    assert not list(Path().iterdir())  # nothing half done is left


def test_a_disk_that_is_full_is_told() -> None:
    line = refused("fig16", "--trials", "2", "--curves", "150-300", "--csv", "/dev/full")
    assert line == "--csv '/dev/full': No space left on device"


@pytest.mark.parametrize("arguments", [["bogus"], ["run"], ["run", "raft", "--bogus"], ["replay"]])
def test_unknown_words_are_wrong_use(arguments: list[str]) -> None:
    assert "Usage: " in call(*arguments, code=2).stderr


def test_help_of_every_command() -> None:
    assert "Usage: " in call("--help").stdout
    for command in ("run", "replay", "scenario", "list", "fig16", "demo"):
        assert "Example" in call(command, "-h").stdout, command


# --- as a program ---------------------------------------------------------------------------------


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "electionlab", *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_module_runs_and_says_its_version() -> None:
    done = program("--version")
    assert (done.returncode, done.stdout) == (0, f"electionlab {el.__version__}\n")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'electionlab = "electionlab.cli:main"' in text


def test_program_exit_codes_and_no_traceback() -> None:
    done = program("run", "raft", "-n", "2", "--crash", "leader@500ms", "-q")
    assert (done.returncode, done.stderr) == (1, "")
    done = program("run", "rafft")
    assert done.returncode == 2
    names = ", ".join(el.PROTOCOLS)
    assert done.stderr == f"error: protocol='rafft': must be one of {names}\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "electionlab", "run", "ring", "-n", "9", "--until", "5s", "--all"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_ctrl_c_keeps_the_finished_trials() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "electionlab", "fig16", "--trials", "3000000", "--curves",
         "150-151", "--threads", "1", "--csv", "trials.csv", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("interrupted: these are the trials that were finished")
    (line,) = json.loads(out)["curves"]
    assert 0 < line["trials"] < 3_000_000
    with Path("trials.csv").open(encoding="utf-8") as file:
        assert sum(1 for _ in file) == line["trials"] + 1


def test_a_closed_pipe_loses_neither_picture_nor_exit_code() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "electionlab", "run", "raft", "--loss", "1", "--plot", "p.png"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        process.communicate(timeout=60)
    assert process.returncode == 1  # no leader without messages
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")


def test_two_outputs_need_two_files() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "electionlab", "run", "raft", "--plot", "a.png", "--trace", "a.png"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr == "error: --trace 'a.png': must be another file than --plot's\n"
    assert not Path("a.png").exists()

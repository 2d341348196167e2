"""Traces: columns without copies, tables, files that are exact or refused."""

from __future__ import annotations

import copy
import gc
import hashlib
import json
import pickle
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from support import ENGINE, ROOT, rows, settled, whole_state
from test_history import some_action

import electionlab as el

SCHEMA = json.loads((ROOT / "docs/trace.schema.json").read_text(encoding="utf-8"))


def busy_cluster(protocol: Any = el.Raft, seed: int = 3) -> el.Cluster:
    """A run in which every kind of row comes up."""
    cluster = el.Cluster(
        protocol(4),
        seed=seed,
        network=el.Network(
            loss_probability=0.05,
            duplicate_probability=0.05,
            links={(1, 2): el.Link(one_way_delay_ms=el.exponential(4, min_ms=1))},
        ),
        machine=el.Machine(write_delay_ms=(1, 3), processing_ms=0.2),
        machines={2: el.Machine(clock_drift_ppm=500)},
        actions=[el.at(400, el.pause("leader", resume_after_ms=300))],
        one_leader_at_a_time=True,
    )
    rng = random.Random(seed)
    for _ in range(25):
        cluster.run(max_events=8)
        cluster.act(some_action(cluster, rng))
    cluster.run_for(37.5)
    return cluster


def small_file(path: Path) -> list[bytes]:
    cluster = el.Cluster(el.Bully(3), seed=1)
    cluster.run_until_leader()
    cluster.crash("leader")
    cluster.trace.save(path)
    return path.read_bytes().splitlines(keepends=True)


def with_checksum(body: bytes) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    return body + json.dumps({"checksum": "sha256:" + digest}).encode() + b"\n"


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(el.TraceError) as error:
        el.Trace.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert len(message) < 2000
    return message.removeprefix(f"{path}: ")


# --- files that are good --------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ENGINE)
@pytest.mark.parametrize("seed", range(4))
def test_file_gives_the_same_run_back(protocol: Any, seed: int, tmp_path: Path) -> None:
    cluster = busy_cluster(protocol, seed)
    path = tmp_path / "run.jsonl"
    cluster.trace.save(path)
    trace = el.Trace.load(path)
    assert trace.hash() == cluster.trace.hash()
    assert str(trace) == str(cluster.trace)
    pd.testing.assert_frame_equal(trace.to_frame(), cluster.trace.to_frame())
    loaded = el.Cluster.load(path)
    assert whole_state(loaded) == whole_state(cluster)
    loaded.run_for(300)
    cluster.run_for(300)
    assert whole_state(loaded) == whole_state(cluster)
    again = tmp_path / "again.jsonl"
    trace.save(again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("protocol", ENGINE)
def test_file_keeps_to_the_schema(protocol: Any, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    header, row, end = (
        jsonschema.Draft202012Validator({**SCHEMA["$defs"][name], "$defs": SCHEMA["$defs"]})
        for name in ("header", "row", "end")
    )
    any_line = jsonschema.Draft202012Validator(SCHEMA)
    kinds = set()
    for seed in range(3):
        cluster = busy_cluster(protocol, seed)
        cluster.trace.save(tmp_path / "run.jsonl")
        lines = [json.loads(x) for x in (tmp_path / "run.jsonl").read_text().splitlines()]
        header.validate(lines[0])
        for line in lines[1:-1]:
            row.validate(line)
            kinds.add(line["kind"])
        end.validate(lines[-1])
        any_line.validate(lines[0])
        any_line.validate(lines[len(lines) // 2])
        for entry in list(lines[0])[:4]:
            with pytest.raises(jsonschema.ValidationError):
                header.validate({k: v for k, v in lines[0].items() if k != entry})
        bad: list[dict[str, Any]] = [
            {"node": 0}, {"kind": "explosion"}, {"time_ns": -1}, {"step": 1.5}, {"role": "king"},
            {"colour": "red"}, {"reason": "loss"}, {"text": ""},
        ]  # fmt: skip
        good = next(line for line in lines[1:] if line["kind"] == "view")
        for change in bad:
            with pytest.raises(jsonschema.ValidationError):
                row.validate({**good, **change})
    assert {"start", "deliver", "drop", "timer", "send", "view", "note", "action", "leader",
            "wait"} <= kinds  # fmt: skip


def test_schema_names_what_the_engine_names() -> None:
    trace = el.Cluster(el.Raft(1), seed=1).trace
    row = SCHEMA["$defs"]["row"]["properties"]
    assert row["kind"]["enum"] == trace.row_kinds
    assert row["role"]["enum"] == trace.roles
    frame = trace.to_frame()
    assert row["reason"]["enum"] == list(frame["reason"].cat.categories)
    assert SCHEMA["$defs"]["action_kind"]["enum"] == list(frame["action"].cat.categories)


def test_empty_run_has_a_file(tmp_path: Path) -> None:
    cluster = el.Cluster(el.Ring(3), seed=1)
    cluster.trace.save(tmp_path / "run.jsonl")
    loaded = el.Cluster.load(tmp_path / "run.jsonl")
    assert whole_state(loaded) == whole_state(cluster)
    assert len(loaded.trace) == 0
    assert str(loaded.trace) == ""
    assert list(loaded.trace.columns["step"]) == []
    with pytest.raises(IndexError):
        loaded.trace.row(0)


@pytest.mark.parametrize(
    "name", ["a b.jsonl", "ÄÖ😀.jsonl", "-rf", "new\nline", "*?[x]", "x" * 255, ".hidden", "a'b\"c"]
)
def test_hostile_file_names(name: str, tmp_path: Path) -> None:
    lines = small_file(tmp_path / name)
    assert el.Trace.load(tmp_path / name).nodes == 3
    assert el.Trace.load(str(tmp_path / name)).nodes == 3
    assert [p.name for p in tmp_path.iterdir()] == [name]
    refused(tmp_path / name, b"".join(lines[:-1]))


def test_bytes_are_replaced_at_once_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    small_file(path)
    before = path.read_bytes()
    trace = busy_cluster().trace
    trace.recipe["config"]["seed"] = float("nan")  # cannot be written
    with pytest.raises(ValueError, match="JSON"):
        trace.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.jsonl"]
    trace = busy_cluster().trace
    with pytest.raises(OSError, match="directory"):
        trace.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        trace.save(tmp_path / "nowhere" / "run.jsonl")
    with pytest.raises(FileNotFoundError):
        el.Trace.load(tmp_path / "nowhere.jsonl")
    with pytest.raises(IsADirectoryError):
        el.Trace.load(tmp_path)


# --- files that are not ---------------------------------------------------------------------------


def test_file_cut_at_any_line_or_byte_is_refused(tmp_path: Path) -> None:
    lines = small_file(tmp_path / "good")
    path = tmp_path / "bad"
    for count in range(len(lines)):
        message = refused(path, b"".join(lines[:count]))
        assert ("empty" if count == 0 else "truncated") in message
    data = b"".join(lines)
    rng = random.Random(1)
    for size in [*rng.sample(range(1, len(data)), 200), len(data) - 1, len(data) - 2, 1, 2]:
        assert "truncated" in refused(path, data[:size]) or size < len(lines[0])


def test_flipped_byte_is_refused_or_means_the_same(tmp_path: Path) -> None:
    data = b"".join(small_file(tmp_path / "good"))
    path = tmp_path / "bad"
    good = el.Trace.load(tmp_path / "good")
    rng = random.Random(2)
    same = 0
    for _ in range(600):
        at = rng.randrange(len(data))
        flipped = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        path.write_bytes(flipped)
        try:
            trace = el.Trace.load(path)
        except el.TraceError:
            continue
        same += 1
        assert (trace.hash(), trace.recipe) == (good.hash(), good.recipe), at
    assert same < 5


def test_flipped_byte_under_a_new_checksum(tmp_path: Path) -> None:
    """The rows still must be those of the replay; another seed or option is another run."""
    lines = small_file(tmp_path / "good")
    body = b"".join(lines[:-1])
    good = el.Trace.load(tmp_path / "good")
    path = tmp_path / "bad"
    rng = random.Random(3)
    for _ in range(1200):
        at = rng.randrange(len(body))
        flipped = body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :]
        path.write_bytes(with_checksum(flipped))
        try:
            trace = el.Trace.load(path)
        except el.TraceError:
            continue
        assert trace.hash() == good.hash(), at
        assert at < len(lines[0]), "a row was altered and not noticed"


def altered(lines: list[bytes], change: Any) -> bytes:
    header = json.loads(lines[0])
    change(header)
    return with_checksum(json.dumps(header).encode() + b"\n" + b"".join(lines[1:-1]))


def put(*path: Any) -> Any:
    *keys, last, value = path

    def change(header: dict[str, Any]) -> None:
        target: Any = header
        for key in keys:
            target = target[key]
        target[last] = value

    return change


def remove(*path: Any) -> Any:
    *keys, last = path

    def change(header: dict[str, Any]) -> None:
        target: Any = header
        for key in keys:
            target = target[key]
        del target[last]

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put("format", "something-else"), "not a trace"),
        (put("format", None), "not a trace"),
        (put("version", 2), "version 2"),
        (put("version", "1"), "version '1'"),
        (put("version", [1]), r"version \[1\]"),
        (remove("version"), "version None"),
        (put("rows", 10**30), "out of range"),
        (put("rows", -1), "out of range"),
        (put("rows", True), "'rows' is missing or not a int"),
        (put("rows", 1e3), "'rows' is missing or not a int"),
        (put("events", 10**18), "events in"),
        (put("events", 2**70), "out of range"),
        (put("events", -5), "out of range"),
        (put("events", 1), "its rows are not those|do not lead there"),
        (put("end_ns", 10**18), "do not lead there"),
        (put("end_ns", 2**63), "out of range"),
        (put("hash", "0" * 16), "its rows are not those"),
        (put("hash", 5), "'hash' is missing"),
        (remove("protocol"), "'protocol' is missing"),
        (put("protocol", "name", "rafft"), "must be one of"),
        (put("protocol", "name", ["raft"]), "must be one of"),
        (put("protocol", "name", "raft"), "is not known here"),
        (remove("protocol", "name"), "'name' is missing"),
        (remove("protocol", "in_python"), "'in_python' is missing"),
        (put("protocol", "in_python", True), "written in Python"),
        (put("protocol", "nodes", 10**9), "nodes=1000000000"),
        (put("protocol", "nodes", 4), "is not what the replay gives|do not lead there|not fit"),
        (put("protocol", "options", [1, 2]), "must be a dictionary"),
        (put("protocol", "options", "leader_timeout_ms", -5), "leader_timeout_ms=-5"),
        (put("protocol", "options", "x", 1), "x=1"),
        (put("config", "seed", 2**64), "64 bits"),
        (put("config", "seed", -1), "seed=-1"),
        (put("config", "seed", 2), "is not what the replay gives|do not lead there|not fit"),
        (put("config", "seed", None), "is not what the replay gives|do not lead there|not fit"),
        (put("config", "colour", 1), "colour=1"),
        (put("config", []), "'config' is missing or not a dict"),
        (put("config", "network", "loss_probability", 7), "loss_probability=7"),
        (put("config", "network", "one_way_delay_ms", {"kind": "magic"}), "magic"),
        (put("config", "actions", [{"action": "explode"}]), "explode"),
        (put("config", "initial_leader", 77), "initial_leader=77"),
        (put("journal", [{"after": 0}]), "time does not fit|do not lead there|not what the replay"),
        (put("journal", [3]), "journal=3"),
        (put("journal", 0, "at_ns", -1), "at_ns=-1"),
        (put("journal", 0, "do", {"action": "crash", "node": 9}), "crash.node=9"),
        (put("journal", 0, "do", "crash"), "crash"),
        (put("journal", {}), "'journal' is missing or not a list"),
    ],
)
def test_altered_header_is_refused(change: Any, says: str, tmp_path: Path) -> None:
    lines = small_file(tmp_path / "good")
    path = tmp_path / "bad"
    path.write_bytes(altered(lines, change))
    with pytest.raises(el.TraceError, match=says):
        el.Trace.load(path)
    path.write_bytes(altered(lines, lambda header: None))
    assert el.Trace.load(path).nodes == 3


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [50, 200, 900, 100_000])
def test_deep_nesting_is_refused(depth: int, tmp_path: Path) -> None:
    lines = small_file(tmp_path / "good")
    header = lines[0].decode().rstrip("\n")
    for text in [
        nested(depth),
        '{"a":' * depth + "1" + "}" * depth,
        header[:-1] + f', "config": {{"seed": {nested(depth)}}}}}',
        header[:-1] + f', "journal": [{{"after": 0, "at_ns": 0, "do": {nested(depth)}}}]}}',
    ]:
        refused(tmp_path / "bad", with_checksum(text.encode() + b"\n" + b"".join(lines[1:-1])))


def test_deeply_nested_action_is_refused(tmp_path: Path) -> None:
    lines = small_file(tmp_path / "good")
    action: dict[str, Any] = {"action": "heal"}
    for _ in range(300):
        action = {"action": "at", "at_ms": 1.0, "do": action}
    says = refused(tmp_path / "bad", altered(lines, put("journal", 0, "do", action)))
    assert "nested" in says


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"\n\n\n",
        b"\0" * 1000,
        b"{}\n{}\n{}\n",
        b"null\nnull\nnull\n",
        b"[]",
        b'"electionlab-trace"\n',
        b'{"format": "electionlab-trace"}',
        b'{"format": "electionlab-trace", "version": 1}\n',
        b'{"format": "electionlab-trace", "version": 1}\n{}\n',
        b'{"format": "electionlab-trace", "version": NaN}\n{}\n{"checksum": 1}\n',
        b'{"format": "electionlab-trace", "version": 1e999}\n{}\n{"checksum": 1}\n',
        b'{"format": "electionlab-trace", "version": 1}\n{}\n{"checksum": NaN}\n',
        b'{"format": "electionlab-trace", "version": 1}\n{}\n{"checksum": "sha256:"}\n',
        b'{"format": "electionlab-trace", "version": ' + b"9" * 10_000 + b"}\n{}\n{}\n",
        b"\xef\xbb\xbf{}\n",
        b"\xff\xfe{\0}\0",
        b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20,
        b"time,node,event\n1,2,3\n",
        b"<html></html>\n",
        b'{"cells": [], "nbformat": 4}\n',
        b'{"a":1}' * 10_000,
    ],
)
def test_foreign_files_are_refused(data: bytes, tmp_path: Path) -> None:
    refused(tmp_path / "bad", data)


def test_binary_noise_is_refused(tmp_path: Path) -> None:
    rng = random.Random(5)
    lines = small_file(tmp_path / "good")
    for size in [1, 2, 10, 100, 1000, 10_000]:
        noise = rng.randbytes(size)
        refused(tmp_path / "bad", noise)
        refused(tmp_path / "bad", with_checksum(lines[0] + noise + b"\n"))


def test_added_removed_swapped_and_rewritten_rows_are_refused(tmp_path: Path) -> None:
    lines = small_file(tmp_path / "good")
    path = tmp_path / "bad"
    body = lines[:-1]
    cases = [
        [*body[:3], *body[4:]],
        [*body, body[-1]],
        [*body[:3], body[4], body[3], *body[5:]],
        [*body[:-1], b"{}\n"],
        [*body[:-1], b"\n"],
        [*body[:-1], body[-1].replace(b'"step": ', b'"step":  ')],
        [*body[:-1], body[-1].rstrip(b"\n") + b"\r\n"],
    ]
    for case in cases:
        assert refused(path, with_checksum(b"".join(case)))
    assert "truncated" in refused(path, b"".join(lines) + b"{}\n")
    assert "checksum" in refused(path, b"".join([*lines, lines[-1]]))


def test_random_values_anywhere_in_the_header_never_crash(tmp_path: Path) -> None:
    lines = small_file(tmp_path / "good")
    rng = random.Random(8)
    odd: list[Any] = [None, True, -1, 0, 10**12, 2**63, 10**40, 1.5, 1e308, "", "x", "\ud800"[:0],
                      "\0", [], [[]], {}, {"a": 1}, [1, "a"], "leader", 1e-300]  # fmt: skip

    def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        inner: list[tuple[Any, ...]] = []
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            inner.append((*path, key))
            if isinstance(item, dict | list):
                inner += places(item, (*path, key))
        return inner

    header = json.loads(lines[0])
    path = tmp_path / "bad"
    good = el.Trace.load(tmp_path / "good").hash()
    accepted = 0
    for place in places(header):
        for value in rng.sample(odd, 6):
            path.write_bytes(altered(lines, put(*place, value)))
            try:
                assert el.Trace.load(path).hash() == good
            except el.TraceError as error:
                said = str(error)
            else:
                said = ""
                accepted += 1
            assert "engine bug" not in said
            assert "incompatible function arguments" not in said, (place, value)
    assert accepted < 150


# --- in memory ------------------------------------------------------------------------------------


def test_columns_are_views_of_one_memory() -> None:
    trace = busy_cluster().trace
    first, second = trace.columns, trace.columns
    for name, column in first.items():
        assert column.shape == (len(trace),)
        assert column.base is not None
        assert not column.flags.owndata
        assert not column.flags.writeable
        assert np.shares_memory(column, second[name])
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            column.setflags(write=True)
    assert {name: column.dtype.name for name, column in first.items()} == {
        "step": "int64", "time_ns": "int64", "kind": "uint8", "node": "uint32", "peer": "uint32",
        "message": "int64", "message_kind": "int8", "timer": "int8", "detail": "uint8",
        "role": "uint8", "leader": "uint32", "epoch": "int64", "other_ns": "int64",
        "body": "int64", "text": "int32", "first": "int64", "second": "int64",
    }  # fmt: skip


def test_taking_a_trace_copies_no_rows() -> None:
    cluster = busy_cluster()
    assert np.shares_memory(cluster.trace.columns["step"], cluster.trace.columns["step"])


def test_views_never_change_whatever_becomes_of_the_cluster() -> None:
    cluster = el.Cluster(el.Raft(5), seed=2)
    kept: list[tuple[el.Trace, dict[str, Any], dict[str, Any], str, list[str]]] = []
    rng = random.Random(0)

    def keep(trace: el.Trace) -> None:
        columns = trace.columns
        values = {name: column.copy() for name, column in columns.items()}
        kept.append((trace, columns, values, trace.hash(), list(trace.lines())))

    for _ in range(40):
        cluster.run(max_events=rng.randint(1, 80))
        keep(cluster.trace)
        cluster.undo(rng.randint(0, min(60, cluster.events)))
        keep(cluster.trace)
        if rng.random() < 0.3:
            cluster.crash("random", restart_after_ms=50)
        if rng.random() < 0.2:
            cluster = cluster.fork()
    del cluster
    gc.collect()
    for trace, columns, values, digest, lines in kept:
        for name, column in columns.items():
            np.testing.assert_array_equal(column, values[name])
        assert trace.hash() == digest
        assert list(trace.lines()) == lines
    only = [columns["time_ns"] for _, columns, *_ in kept]
    sums = [values["time_ns"].sum() for _, _, values, *_ in kept]
    kept.clear()
    gc.collect()
    assert [column.sum() for column in only] == sums


def test_frame_has_units_types_and_the_same_rows() -> None:
    trace = busy_cluster().trace
    frame = trace.to_frame()
    assert list(frame.columns) == [
        "step", "time_ms", "kind", "node", "peer", "message", "message_kind", "timer", "reason",
        "action", "role", "leader", "epoch", "sent_ms", "due_ms", "text",
    ]  # fmt: skip
    empty = el.Cluster(el.Raft(3), seed=1).trace.to_frame()
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == frame.dtypes.to_dict()
    for name in ("kind", "message_kind", "timer", "reason", "action", "role"):
        assert isinstance(frame[name].dtype, pd.CategoricalDtype)
    for name in ("time_ms", "sent_ms", "due_ms"):
        assert frame[name].dtype == np.float64
    assert len(frame) == len(trace)
    for index in range(len(trace)):
        row, line = trace.row(index), frame.iloc[index]
        assert line["step"] == row["step"]
        assert line["time_ms"] == pytest.approx(row["time_ns"] / 1e6)
        for name in ("kind", "message_kind", "timer", "reason", "action", "role"):
            assert (None if pd.isna(line[name]) else line[name]) == row.get(name), name
        assert line["node"] == row.get("node", 0)
        assert line["peer"] == row.get("peer", 0)
        assert line["leader"] == row.get("leader", 0)
        assert line["message"] == row.get("message", -1)
        assert line["text"] == row.get("text", "")
    sends = frame[frame["kind"] == "send"].set_index("message")
    arrivals = frame[frame["kind"] == "deliver"]
    assert len(arrivals) > 20
    assert arrivals["sent_ms"].notna().all()
    assert arrivals["due_ms"].isna().all()
    assert (sends["due_ms"].dropna() >= sends["time_ms"][sends["due_ms"].notna()]).all()
    frame.loc[0, "node"] = 77  # a copy of one's own
    assert trace.columns["node"][0] != 77


def test_rows_name_what_happened() -> None:
    cluster = settled(el.Raft(3))
    leader = cluster.leader
    cluster.crash("leader")
    cluster.run_until_leader()
    trace = cluster.trace
    assert trace.protocol == "raft"
    assert (trace.nodes, trace.actors, trace.seed) == (3, 3, cluster.seed)
    assert trace.end_ms == cluster.now
    assert trace.message_kinds[:4] == ["VoteRequest", "VoteReply", "Heartbeat", "HeartbeatReply"]
    assert trace.message_kinds == [kind["name"] for kind in el.Raft.about["messages"]]
    assert trace.timers == ["election", "heartbeat", "retry"]
    [crash] = rows(trace, kind="action")
    assert (crash["action"], crash["node"], crash["role"]) == ("crash", leader, "leader")
    wins = rows(trace, kind="leader")
    assert [row["epoch"] for row in wins] == [1, 2]
    request = rows(trace, kind="send", message_kind="VoteRequest")[0]
    assert request["fields"] == {"term": 1, "last_log": {"term": 0, "index": 0}}
    at = next(i for i in range(len(trace)) if trace.row(i) == request)
    assert trace.message(at) == request["fields"]
    assert trace.message(0) is None
    assert trace.row(-1)["step"] == cluster.events
    for index in (len(trace), -len(trace) - 1):
        with pytest.raises(IndexError, match=f"row {index} of a trace"):
            trace.row(index)
        with pytest.raises(IndexError):
            trace.message(index)
    told = str(trace)
    assert "grants its vote of term 2" in told
    assert len(list(trace.lines(details=False))) == cluster.events < len(list(trace.lines()))
    assert repr(trace) == (
        f"Trace(raft, nodes=3, seed=7, events={cluster.events}, rows={len(trace)}, "
        f"end_ms={cluster.now:.3f})"
    )
    page = trace._repr_html_()
    assert "more rows" in page
    assert "VoteRequest" in page


def test_html_of_a_trace_is_escaped() -> None:
    class Hostile(el.UserProtocol):
        name = "<b>"

        def on_start(self, ctx: el.NodeContext) -> None:
            ctx.note("<script>alert(1)</script>")

        def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
            return ("follower", 0, 0)

    cluster = el.Cluster(Hostile(2), seed=1)
    cluster.run()
    for page in (cluster.trace._repr_html_(), cluster._repr_html_(), cluster.metrics._repr_html_()):
        assert "<script>" not in page
        assert "<b><b>" not in page
    assert "&lt;script&gt;" in cluster.trace._repr_html_()


def test_trace_can_be_copied_and_pickled() -> None:
    trace = busy_cluster().trace
    for other in (copy.copy(trace), copy.deepcopy(trace), pickle.loads(pickle.dumps(trace))):
        assert type(other) is el.Trace
        assert (other.hash(), other.recipe) == (trace.hash(), trace.recipe)


def test_hash_sees_every_difference() -> None:
    hashes = set()
    for seed in range(50):
        cluster = settled(el.Raft(3), seed=seed)
        hashes.add(cluster.trace.hash())
        cluster.crash(1)
        hashes.add(cluster.trace.hash())
    assert len(hashes) == 100

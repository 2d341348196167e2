"""The debugger without a browser: what it answers, branches, files of a run."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from support import ENGINE

import electionlab as el
from electionlab.debugger import Session, html_of
from electionlab.debugger.pictures import difference, snapshot

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "a\u2028b\u2029c\nd",
    "\"><svg/onload=alert(1)>'",
    "]]><!--",
    "&lt;b&gt; $& `${1}`",
]


def session(protocol: Any = None, **options: Any) -> Session:
    cluster = el.Cluster(protocol or el.Raft(nodes=5), seed=7)
    return Session(cluster, **options)


def ask(s: Session, do: str, **request: Any) -> dict[str, Any]:
    reply = s.answer({"do": do, "id": 1, **request})
    assert "error" not in reply, reply["error"]
    assert json.loads(json.dumps(reply, allow_nan=False)) == reply
    return reply


@pytest.mark.parametrize("name", sorted(el.PROTOCOLS))
def test_steps_and_takes_them_back_with_every_protocol(name: str) -> None:
    s = session(el.PROTOCOLS[name](nodes=3))
    first = ask(s, "hello")
    assert first["about"]["actors"] == s.cluster.actors
    seen = [first["snapshot"]]
    for _ in range(25):
        reply = ask(s, "step")
        if reply["note"]:
            break
        assert reply["before"] == seen[-1]
        seen.append(reply["snapshot"])
    assert len(seen) > 3
    for event in reversed(range(len(seen))):
        assert ask(s, "seek", event=event)["snapshot"] == seen[event]
    assert ask(s, "seek", event=len(seen) - 1)["snapshot"] == seen[-1]
    assert s.cluster.trace.replay().trace.hash() == s.cluster.trace.hash()


def test_what_is_done_by_hand_is_in_the_trace_and_replays() -> None:
    s = session()
    ask(s, "run_to", what="leader")
    leader = s.cluster.leader
    message = next(p for p in s.cluster.pending if p.kind == "message")
    ask(s, "act", actions=[{"action": "drop", "message": message.message}])
    ask(s, "act", actions=[{"action": "partition", "groups": [[leader], [
        n for n in range(1, 6) if n != leader]]}])  # fmt: skip
    ask(s, "run_to", what="leader")
    assert s.cluster.leader != leader
    done = [e["do"]["action"] for e in s.cluster.journal() if "do" in e]
    assert done == ["drop", "partition"]
    again = s.cluster.trace.replay()
    assert again.fingerprint() == s.cluster.fingerprint()
    told = ask(s, "export", what="trace")["text"].splitlines()
    assert json.loads(told[0])["journal"] == s.cluster.trace.recipe["journal"]


def test_an_action_in_the_past_keeps_what_had_followed_as_a_branch() -> None:
    s = session()
    cluster = s.cluster
    ask(s, "run_to", what="leader")
    end, kept = cluster.events, cluster.fingerprint()
    ask(s, "seek", event=3)
    reply = ask(s, "act", actions=[{"action": "crash", "node": 2}])
    assert s.cluster is cluster
    assert [b["last"] for b in reply["branches"]] == [4, end]
    assert [b["parted"] for b in reply["branches"]] == [0, 3]
    beside = ask(s, "compare", branch=1)
    assert beside["parted"] == 3
    assert beside["snapshot"]["nodes"]["2"]["role"] == "follower"
    assert reply["snapshot"]["nodes"]["2"]["role"] == "down"
    ask(s, "switch", branch=1)
    assert s.cluster.fingerprint() == kept


def test_two_branches_are_told_apart_since_they_parted() -> None:
    s = session()
    ask(s, "run_to", what="leader")
    parted = s.cluster.events
    ask(s, "fork")
    ask(s, "act", actions=[{"action": "cut", "from": [1], "to": [2], "both_ways": True}])
    s.branches[0].cluster.run(max_events=3)
    ask(s, "advance", to_ms=s.branches[0].cluster.now)
    since = ask(s, "compare", branch=0)["since"]
    assert since["here"]["rows"][0]["action"] == "cut"
    there = s.branches[0].cluster.trace
    assert [row["line"] for row in since["there"]["rows"]] == [
        there.line(i) for i in range(len(there)) if there.row(i)["step"] > parted
    ]
    assert since["there"]["more"] == 0


def test_runs_to_a_second_leader_beside_the_first_also_without_epochs() -> None:
    s = session(el.Bully(nodes=3))
    ask(s, "run_to", what="leader")
    assert s.cluster.leader == 3
    ask(s, "act", actions=[{"action": "partition", "groups": [[3], [1, 2]]}])
    assert ask(s, "run_to", what="leader")["note"] == ""
    assert {n.node for n in s.cluster.nodes if n.role == "leader"} == {2, 3}


def test_bookmarks_are_given_and_given_back(tmp_path: Path) -> None:
    cluster = el.Cluster(el.Raft(nodes=3), seed=7)
    cluster.run(max_events=5)
    widget = cluster.debug(bookmarks={"early": 2})
    ask(widget.session, "bookmark", label="<late>")
    assert widget.bookmarks == {"early": 2, "<late>": 5}
    cluster.trace.to_html(tmp_path / "run.html", bookmarks=widget.bookmarks)
    head = json.loads(data_of((tmp_path / "run.html").read_text(encoding="utf-8"))[0])
    assert [(m["label"], m["event"]) for m in head["bookmarks"]] == [("early", 2), ("<late>", 5)]
    with pytest.raises(ValueError, match=r"bookmarks\['x'\]=6: must be"):
        cluster.debug(bookmarks={"x": 6})
    with pytest.raises(ValueError, match=r"bookmarks=\[1\]: must be a dict"):
        cluster.trace.to_html(tmp_path / "run.html", bookmarks=[1])


def test_a_fork_ends_here_and_goes_its_own_way() -> None:
    s = session()
    ask(s, "run_to", what="leader")
    end = s.cluster.events
    ask(s, "seek", event=4)
    reply = ask(s, "fork")
    assert (reply["branch"], reply["last"], reply["timeline"]["starts"][-1][0]) == (1, 4, 1)
    rows = ask(s, "rows", first=0, last=256)["rows"]
    assert rows[-1]["step"] == 4
    assert ask(s, "seek", event=2)["last"] == 4
    ask(s, "step")
    ask(s, "step")
    reply = ask(s, "act", actions=[{"action": "pause", "node": 1}])
    assert [b["last"] for b in reply["branches"]] == [end, 5]
    assert s.branches[0].cluster.last_event == end


def test_time_passes_over_what_is_recorded_first_and_then_goes_on() -> None:
    s = session()
    s.cluster.run(until=250)
    recorded = s.cluster.trace
    ask(s, "seek", event=0)
    reply = ask(s, "advance", to_ms=200)
    frame = recorded.to_frame()
    assert reply["snapshot"]["event"] == frame.loc[frame["time_ms"] <= 200, "step"].max()
    ask(s, "advance", to_ms=250)
    assert s.cluster.trace.hash() == recorded.hash()
    ask(s, "advance", to_ms=600)
    assert s.cluster.now == 600
    assert s.cluster.events > recorded.columns["step"][-1]


def test_notices_what_is_done_from_python() -> None:
    s = session()
    version = ask(s, "hello")["version"]
    assert "timeline" not in ask(s, "state", version=version)
    s.cluster.crash(3)
    reply = ask(s, "state", version=version)
    assert reply["timeline"]["marks"][-1][2:] == [3, "action", "crash"]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"do": "eval"}, "do='eval': must be one of"),
        ({}, "do=None: must be one of"),
        ({"do": "seek", "event": 99}, "event=99: must be"),
        ({"do": "seek", "event": "1"}, "event='1': must be"),
        ({"do": "switch", "branch": 1}, "branch=1: must be"),
        ({"do": "act", "actions": [{"action": "plan"}]}, "must be one of command"),
        ({"do": "act", "actions": "crash"}, "actions: must be a list"),
        ({"do": "act", "actions": [{"action": "crash", "node": 9}]}, "node"),
        ({"do": "act", "actions": [{"action": "drop", "message": 77}]}, "77"),
        ({"do": "advance", "to_ms": float("nan")}, "to_ms=nan: must be"),
        ({"do": "rows", "first": -1, "last": 3}, "first=-1: must be"),
        ({"do": "rows", "first": 0, "last": 10**9}, "last=1000000000: must be"),
        ({"do": "export", "what": "exe"}, "what='exe': must be"),
        ({"do": "bookmark", "remove": 0}, "remove=0: must be"),
    ],
)
def test_refuses_and_changes_nothing(request_: dict[str, Any], says: str) -> None:
    s = session()
    before = s.cluster.fingerprint()
    reply = s.answer(request_)
    assert says in reply["error"]
    assert s.cluster.fingerprint() == before
    assert len(s.branches) == 1


def test_actions_are_done_all_or_none() -> None:
    s = session()
    s.cluster.run(max_events=6)
    reply = s.answer({"do": "act", "actions": [{"action": "crash", "node": 1},
                                               {"action": "crash", "node": 9}]})  # fmt: skip
    assert "error" in reply
    assert s.cluster.events == 6
    assert s.cluster.journal() == []


def test_refuses_what_it_cannot_show() -> None:
    with pytest.raises(ValueError, match="record=False"):
        Session(el.Cluster(el.Raft(3), seed=1, record=False))
    with pytest.raises(ValueError, match=r"positions\[1\]=\(1,\): must be two finite numbers"):
        session(positions={1: (1,)})
    with pytest.raises(ValueError, match="positions=9: must be"):
        session(positions={9: (0, 0)})
    with pytest.raises(ValueError, match="height=10: must be"):
        el.Cluster(el.Raft(3), seed=1).debug(height=10)


def test_a_counterexample_opens_at_its_start_and_nothing_comes_by_itself_after_it() -> None:
    result = el.check(
        el.Raft(3), "one_leader_at_a_time", bounds=el.Bounds(epoch=2, copies=1), threads=1
    )
    s = result.counterexample.debug().session
    reply = ask(s, "hello")
    assert reply["about"]["by_hand"]
    assert reply["snapshot"]["event"] == 3  # all three have started
    for _ in range(reply["last"] - 3):
        reply = ask(s, "step")
    roles = [n["role"] for n in reply["snapshot"]["nodes"].values()]
    assert roles.count("leader") == 2
    assert reply["snapshot"]["broken"] == 1
    assert "choose a message or a timer" in ask(s, "step")["note"]


# --- the file -------------------------------------------------------------------------------------


def data_of(page: str) -> list[str]:
    found = re.search(r'id="run">([^<]*)<', page)
    assert found
    return zlib.decompress(base64.b64decode(found[1])).decode().split("\n")


def patched(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    after = {k: v for k, v in before.items() if k not in change.get("-", ())}
    after |= change.get("=", {})
    return after | {k: patched(before[k], v) for k, v in change.get("~", {}).items()}


@pytest.mark.parametrize("protocol", [*ENGINE, el.ZkRecipe, el.Etcd])
def test_the_file_has_every_state_and_the_trace_itself(protocol: Any, tmp_path: Path) -> None:
    cluster = el.Cluster(protocol(nodes=3), seed=3)
    cluster.run(max_events=150)
    cluster.crash("leader")
    cluster.run(max_events=50)
    trace = cluster.trace
    trace.to_html(tmp_path / "run.html")
    lines = data_of((tmp_path / "run.html").read_text(encoding="utf-8"))
    rows, events = len(trace), cluster.events
    states = [json.loads(line) for line in lines[1 + rows : 2 + rows + events]]
    state: dict[str, Any] = {}
    for event, line in enumerate(states):
        state = line if event % 128 == 0 else patched(state, line)
        cluster.seek(event)
        assert state == json.loads(json.dumps(snapshot(cluster)))
    trace.save(tmp_path / "run.jsonl")
    given = "\n".join(lines[2 + rows + events :]) + "\n"
    assert given == (tmp_path / "run.jsonl").read_text(encoding="utf-8")


def test_a_difference_turns_one_tree_into_another() -> None:
    before = {"a": 1, "b": {"c": 1, "d": {}}, "e": [1], "f": {}}
    after = {"a": None, "b": {"d": {"x": 0}}, "e": [1], "g": {"h": 2}}
    change = difference(before, after)
    assert patched(before, change) == after
    assert "e" not in change["="]
    assert difference(after, after) == {}


class Talker(el.UserProtocol):
    """Says what it is given."""

    def __init__(self, text: str) -> None:
        self.word = text if text.isprintable() else "odd"  # names have to be
        self.messages = (self.word,)
        self.timers = (self.word,)
        super().__init__(nodes=2)
        self.text = text

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        return ("follower", 0, 0)

    def memory(self, node: int) -> dict[str, Any]:
        return {self.text: self.text}

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.broadcast(self.word, **{self.text: self.text})
        ctx.set_timer(self.word, 5)
        ctx.note(self.text)

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        ctx.note(self.text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_cannot_leave_their_place_in_the_file(text: str) -> None:
    cluster = el.Cluster(Talker(text), seed=1)
    cluster.run_for(20)
    page = html_of(cluster.trace, title=text, bookmarks=[{"branch": 0, "event": 1, "label": text}])
    plain = html_of(el.Cluster(el.Raft(3), seed=1).trace)
    for sign in ("<script", "</script", "<svg", "<img", "<!--", "]]>"):
        assert page.count(sign) == plain.count(sign), sign
    assert "default-src 'none'" in page
    assert "unsafe" not in page

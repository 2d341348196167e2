"""The film of a run: what can be seen when, and that it is shapes and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import electionlab as el
from electionlab import plot
from electionlab.plot import history, style

SVG = "{http://www.w3.org/2000/svg}"
Rules = dict[str, list[tuple[float, str]]]


@pytest.fixture(scope="module")
def trace() -> el.Trace:
    """An election, a partition with two leaders, a heal, a crash and a restart."""
    cluster = el.Cluster(el.Raft(5), seed=7, initial_leader=5)
    cluster.run(until=60)
    cluster.partition([1, 5], [2, 3, 4])
    cluster.run(until=400)
    cluster.heal()
    cluster.run(until=450)
    cluster.crash(1, restart_after_ms=60)
    cluster.run(until=600)
    return cluster.trace


def read(text: str) -> tuple[ElementTree.Element, Rules]:
    """The document, and its keyframes as (percent, declarations)."""
    root = ElementTree.fromstring(text)
    rules = {
        name: [
            (float({"from": "0%", "to": "100%"}.get(at, at)[:-1]), what)
            for at, what in re.findall(r"(from|to|[\d.]+%)\{([^}]*)\}", frames)
        ]
        for name, frames in re.findall(r"@keyframes (\w+)\{((?:[^{}]*\{[^}]*\})*)\}", text)
    }
    return root, rules


def name_of(element: ElementTree.Element) -> str:
    found = re.search(r"animation-name:(\w+)", element.get("style", ""))
    assert found is not None
    return found[1]


def opacity(frames: list[tuple[float, str]], percent: float) -> float:
    """In steps, as of what appears and goes."""
    (last,) = [what for at, what in frames if at <= percent][-1:]
    return float(last.split("opacity:")[1].split(";")[0])


def test_nodes_look_as_they_are_at_every_moment(trace: el.Trace) -> None:
    root, rules = read(trace.animate())
    looks = {(look.colour, text): role for role, look in style.ROLES.items() for text in "x"}
    role_of = {colour: role for (colour, _), role in looks.items()}
    shown = [
        (int(group.findtext(f"{SVG}text") or 0), role_of[group[0].get("fill", "")], group)
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "a"
    ]
    spans = history.role_spans(trace)
    for percent in (1, 30, 65, 78, 85, 99):
        at_ms = trace.end_ms * percent / 100
        truth = {(s.node, s.role) for s in spans if s.start_ms <= at_ms < s.end_ms}
        seen = {
            (node, role) for node, role, group in shown
            if opacity(rules[name_of(group)], percent) == 1
        }  # fmt: skip
        assert seen == truth, percent
    still = {(node, role) for node, role, group in shown if "opacity:1" in group.get("style", "")}
    assert still == {(s.node, s.role) for s in spans if s.end_ms == trace.end_ms}


def test_every_message_travels_from_its_sender_to_its_receiver(trace: el.Trace) -> None:
    root, rules = read(trace.animate())
    marks = (f"{SVG}circle", f"{SVG}polygon")
    dots = [mark for mark in root.iter() if mark.get("class") == "a m" and mark.tag in marks]
    flights = [f for f in history.flights(trace) if f.end_ms > 0]
    assert len(dots) == len(flights) > 50
    members = plot.animation._places(5, 5)
    for dot, flight in zip(dots, flights, strict=True):
        frames = rules[name_of(dot)]
        (_, what) = frames[0]
        x, y = members[flight.sender - 1]
        place = re.search(r"translate\(([\d.-]+)px,([\d.-]+)px\)", what)
        assert place is not None
        assert (float(place[1]), float(place[2])) == pytest.approx((x, y), abs=0.01)
        leaves = next(at for at, what in frames if "opacity:1" in what)
        assert leaves == pytest.approx(100 * flight.sent_ms / trace.end_ms, abs=0.05)
    vote = plot.animation_svg(trace, kinds=["VoteRequest"])
    few = [f for f in flights if trace.message_kinds[f.kind] == "VoteRequest"]
    assert vote.count('class="a m" style="animation-name') == len(few) + 1  # and the line
    capped = plot.animation_svg(trace, max_messages=3)
    assert f"only the first 3 of {len(flights)} messages are shown" in capped


def test_keyframes_are_in_order_and_all_are_used(trace: el.Trace) -> None:
    text = trace.animate(start_ms=100, end_ms=500)
    root, rules = read(text)
    used = {name_of(e) for e in root.iter() if "animation-name" in e.get("style", "")}
    assert used == set(rules)
    for name, frames in rules.items():
        places = [at for at, _ in frames]
        assert places == sorted(places), name
        assert places[0] == 0, name
        assert places[-1] <= 100, name


def test_it_is_shapes_and_nothing_that_runs_or_is_loaded(trace: el.Trace, tmp_path: Path) -> None:
    text = trace.animate(tmp_path / "film.svg")
    assert (tmp_path / "film.svg").read_text(encoding="utf-8") == text == trace.animate()
    root, _ = read(text)
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {"svg", "title", "style", "rect", "text", "path", "g", "circle", "polygon"}
    assert not re.search(r"href|url\(|@import|\bon\w+=", text)
    assert "prefers-reduced-motion" in text
    assert "two leaders" in text
    assert "partition {1, 5} | {2, 3, 4}" in text
    assert len(text) < 150_000


class Hostile(el.UserProtocol):
    """Sends one message whose name is not friendly."""

    name = "</style><script>alert(1)</script>"
    messages = ("]]><img onerror=x>",)
    timers = ("go",)

    def memory(self, node: int) -> dict[str, int]:
        return {}

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.set_timer("go", 5, 6)

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        ctx.broadcast(self.messages[0])

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        return "follower", 0, 0


def test_names_are_data() -> None:
    cluster = el.Cluster(Hostile(2), seed=1)
    cluster.run(until=8)
    root, _ = read(cluster.trace.animate())
    assert not [e for e in root.iter() if "script" in e.tag or "img" in e.tag]
    said = "".join(e.text or "" for e in root.iter(f"{SVG}text"))
    assert "</style><script>" in said
    assert "<img onerror" in said


def test_bad_arguments_are_refused(trace: el.Trace, tmp_path: Path) -> None:
    for options, said in (
        ({"seconds": 0}, "seconds=0"),
        ({"seconds": float("nan")}, "seconds=nan"),
        ({"seconds": "9"}, "seconds='9'"),
        ({"max_messages": -1}, "max_messages=-1"),
        ({"kinds": ["Nothing"]}, "'Nothing' is not one of"),
        ({"start_ms": 600, "end_ms": 5}, "end_ms=5"),
        ({"path": tmp_path / "film.png"}, "must end in .svg"),
    ):
        with pytest.raises(ValueError, match=said):
            trace.animate(**options)
    many = el.Cluster(el.Ring(65), seed=1)
    with pytest.raises(ValueError, match="65 members and services; must be at most 64"):
        many.trace.animate()

"""Pictures: what is drawn is what the trace says, counted another way; nothing else is touched."""

from __future__ import annotations

import base64
import copy
import html.parser
import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection
from matplotlib.figure import Figure

import electionlab as el
from electionlab import plot
from electionlab.plot import history, style


@pytest.fixture(autouse=True)
def nothing_else_is_touched(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    plt.close("all")  # those of other files
    settings = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == settings
    assert capfd.readouterr() == ("", "")


def failover(seed: int = 7) -> el.Cluster:
    """Five nodes; the leader crashes at 330 ms and is back at 580 ms."""
    crash = el.at(330.0, el.crash("leader", restart_after_ms=250.0))
    cluster = el.Cluster(el.Raft(nodes=5), seed=seed, actions=[crash])
    cluster.run(650.0)
    return cluster


def two_leaders() -> el.Cluster:
    """Bully in a partition: each side has its leader until the links are mended."""
    cluster = el.Cluster(el.Bully(nodes=5), seed=3)
    cluster.run(60.0)
    cluster.partition({1, 2, 3}, {4, 5})
    cluster.run_for(300.0)
    cluster.heal()
    cluster.run_for(100.0)
    return cluster


def trouble(protocol: Any, seed: int) -> el.Cluster:
    """Everything goes wrong at random, until 1.5 s."""
    up = protocol.nodes // 2 + 1
    cluster = el.Cluster(
        protocol,
        seed=seed,
        network=el.Network(
            loss_probability=0.1,
            duplicate_probability=0.1,
            reorder_probability=0.1,
            reorder_delay_ms=(20.0, 60.0),
        ),
        machine=el.Machine(write_delay_ms=2.0, processing_ms=0.5),
        actions=[
            el.cut(1, 2),
            el.at_random(el.crash("random"), every_ms=300.0, repair_after_ms=80.0, keep_up=up),
            el.at_random(el.pause("random"), every_ms=300.0, repair_after_ms=80.0, keep_up=up),
            el.at_random(el.partition(), every_ms=250.0, repair_after_ms=60.0),
            el.at_random(el.cut(both_ways=False), every_ms=200.0, repair_after_ms=70.0),
        ],
    )
    cluster.run(1500.0)
    return cluster


TROUBLES = [
    (protocol, seed)
    for protocol in (el.Raft(nodes=5), el.Bully(nodes=4), el.Ring(nodes=4))
    for seed in (1, 2, 3)
]


def artists(ax: Axes, gid: str) -> list[Any]:
    """What was drawn under a name that begins so."""
    return [a for a in ax.get_children() if (a.get_gid() or "").startswith(gid)]


def points(ax: Axes, gid: str) -> int:
    """How many markers or heads were drawn under names that begin so."""
    return sum(len(a.get_offsets()) for a in artists(ax, gid))


def paths(ax: Axes, gid: str) -> int:
    """How many boxes or lines were drawn under names that begin so."""
    return sum(len(a.get_paths()) for a in artists(ax, gid))


def boxes(ax: Axes, gid: str) -> list[tuple[float, float, float]]:
    """(middle of the lane, left, right) of every box drawn under a name."""
    found = []
    for collection in artists(ax, gid):
        for path in collection.get_paths():
            x, y = path.vertices[:4].T
            found.append(((y.min() + y.max()) / 2, x.min(), x.max()))
    return sorted(found)


def legend_of(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def texts_of(ax: Axes) -> str:
    return "\n".join([ax.get_title(loc="left"), *(text.get_text() for text in ax.texts)])


def render(ax: Axes) -> None:
    """Draws everything, so that what only fails then fails here."""
    ax.get_figure(root=True).canvas.draw()


# --- space-time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("protocol", "seed"), TROUBLES)
def test_every_delivery_is_an_arrow_and_every_loss_a_cross(protocol: Any, seed: int) -> None:
    trace = trouble(protocol, seed).trace
    frame = trace.to_frame()
    ax = plot.plot_space_time(trace, max_messages=100_000)
    render(ax)
    kinds = frame["message_kind"].astype(str)
    for number, name in enumerate(trace.message_kinds):
        delivered = ((frame["kind"] == "deliver") & (kinds == name)).sum()
        assert points(ax, f"message-arrows-{number}") == delivered, (name, seed)
    assert points(ax, "message-arrows") == (frame["kind"] == "deliver").sum() > 0
    for reason in style.LOSSES:
        lost = (frame["reason"] == reason).sum()
        assert points(ax, f"lost-{reason}") == lost, (reason, seed)
        assert (style.LOSSES[reason][1] in legend_of(ax)) == (lost > 0)
    assert points(ax, "lost") == (frame["kind"] == "drop").sum() > 0


@pytest.mark.parametrize(("protocol", "seed"), TROUBLES)
def test_arrows_begin_and_end_where_the_messages_did(protocol: Any, seed: int) -> None:
    trace = trouble(protocol, seed).trace
    frame = trace.to_frame()
    found = [f for f in history.flights(trace) if f.fate == "delivered"]
    drawn = sorted((f.receiver, f.sender, f.sent_ms, f.handled_ms) for f in found)
    rows = frame[frame["kind"] == "deliver"]
    told = sorted(zip(rows["node"], rows["peer"], rows["sent_ms"], rows["time_ms"], strict=True))
    assert len(drawn) == len(told) > 0
    np.testing.assert_allclose(drawn, told, rtol=0, atol=1e-6, err_msg=f"seed {seed}")
    assert all(f.sent_ms <= f.end_ms <= f.handled_ms for f in found)
    # What had to wait is what has a row that says so before it was handled.
    waiting = set(frame[(frame["kind"] == "wait") & (frame["message"] >= 0)]["message"])
    late = rows[rows["message"].isin(waiting)]
    assert 0 < sum(f.handled_ms > f.end_ms for f in found) <= len(late)
    if not trace.to_frame()["message"].duplicated().any():
        assert sum(f.handled_ms > f.end_ms for f in found) == len(late)


def test_messages_on_their_way_at_the_end_are_those_that_are_pending() -> None:
    cluster = failover()
    for _ in range(40):
        flying = [f for f in history.flights(cluster.trace) if f.fate == "flying"]
        pending = [p for p in cluster.pending if p.kind == "message"]
        drawn = sorted((f.sender, f.receiver, f.sent_ms, f.end_ms) for f in flying)
        told = sorted((p.peer, p.node, p.sent_ms or 0.0, p.at_ms) for p in pending)
        assert len(drawn) == len(told)
        np.testing.assert_allclose(
            np.reshape(drawn, (-1, 4)), np.reshape(told, (-1, 4)), rtol=0, atol=1e-6
        )
        cluster.step()


def test_a_space_time_diagram_says_what_it_shows() -> None:
    trace = failover().trace
    ax = trace.plot()
    render(ax)
    assert isinstance(ax, Axes)
    assert ax.get_xlabel() == "simulated time (ms)"
    assert [t.get_text() for t in ax.get_yticklabels()] == [f"node {n}" for n in range(1, 6)]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # node 1 on top
    assert ax.get_xlim() == (0.0, 650.0)
    assert ax.get_title(loc="left") == "Space-time diagram: raft, 5 nodes, seed 7"
    entries = legend_of(ax)
    assert entries[:4] == ["follower", "candidate", "leader", "down"]
    sent = {"VoteRequest", "VoteReply", "Heartbeat", "HeartbeatReply"}
    assert sent <= set(entries)
    assert set(trace.message_kinds) & set(entries) == sent  # no others: none was sent
    assert {"crash", "restart", "begins to lead", "framed: epoch (term)"} <= set(entries)
    assert len(set(entries)) == len(entries)


def test_marks_stand_where_the_frame_says() -> None:
    trace = failover().trace
    frame = trace.to_frame()
    ax = plot.plot_space_time(trace)
    begins = frame[frame["kind"] == "leader"]
    stars = artists(ax, "mark-leader")[0].get_offsets()
    assert np.asarray(stars).tolist() == [
        [at, node - 1] for at, node in zip(begins["time_ms"], begins["node"], strict=True)
    ]
    for mark in ("crash", "restart"):
        rows = frame[frame["action"] == mark]
        place = np.asarray(artists(ax, f"mark-{mark}")[0].get_offsets())
        assert place.tolist() == [[rows["time_ms"].iloc[0], rows["node"].iloc[0] - 1]]
    epochs = sorted({(t.get_text(), round(t.get_position()[1])) for t in artists(ax, "epoch")})
    changed = frame[(frame["kind"] == "view") & (frame["epoch"] > 0)]
    assert epochs == sorted(
        {(str(e), n - 1) for e, n in zip(changed["epoch"], changed["node"], strict=True)}
    )


def test_only_what_was_asked_for_is_drawn() -> None:
    trace = failover().trace
    frame = trace.to_frame()
    ax = plot.plot_space_time(
        trace, start_ms=400.0, end_ms=560.0, nodes=[3, 1], kinds=["Heartbeat", "VoteRequest"]
    )
    render(ax)
    assert ax.get_xlim() == (400.0, 560.0)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["node 3", "node 1"]
    wanted = frame[
        (frame["kind"] == "deliver")
        & frame["node"].isin([1, 3])
        & frame["peer"].isin([1, 3])
        & frame["message_kind"].isin(["Heartbeat", "VoteRequest"])
        & (frame["time_ms"] >= 400.0)
        & (frame["sent_ms"] <= 560.0)
    ]
    assert points(ax, "message-arrows") == len(wanted) > 0
    assert "VoteReply" not in legend_of(ax)
    assert "crash" not in legend_of(ax)


def test_too_many_messages_are_refused_gracefully() -> None:
    trace = failover().trace
    sent = (trace.to_frame()["kind"] == "send").sum()
    ax = plot.plot_space_time(trace, max_messages=30)
    assert f"only the first 30 of {sent} messages are drawn" in texts_of(ax)
    drawn = points(ax, "message-arrows") + points(ax, "lost")
    assert drawn == 30  # all of the first 30 have arrived
    assert paths(ax, "role-") == paths(plot.plot_space_time(trace), "role-")
    assert "only the first" not in texts_of(plot.plot_space_time(trace))
    nothing = plot.plot_space_time(trace, max_messages=0)
    assert points(nothing, "message-arrows") == 0
    render(nothing)


def test_late_messages_are_dashed() -> None:
    network = el.Network(reorder_probability=0.1, reorder_delay_ms=(30.0, 60.0))
    cluster = el.Cluster(el.Raft(nodes=5), seed=4, network=network)
    cluster.run(900.0)
    held_up = cluster.fault_report["messages_held_up"]
    ax = plot.plot_space_time(cluster.trace)
    dashed = [
        c for c in artists(ax, "message-lines") if c.get_linestyles()[0][1] is not None
    ]  # fmt: skip
    transits = cluster.trace.to_frame().eval("time_ms - sent_ms").dropna()
    assert sum(len(c.get_paths()) for c in dashed) == (transits > 20.0).sum() > 0
    assert (transits > 20.0).sum() <= held_up  # the usual delay is 5 to 10 ms
    assert any(entry.startswith("late: longer than") for entry in legend_of(ax))
    never = plot.plot_space_time(cluster.trace, late_after_ms=1000.0)
    assert not any(entry.startswith("late") for entry in legend_of(never))


def test_a_paused_receiver_takes_messages_up_later() -> None:
    cluster = el.Cluster(el.Raft(nodes=3), seed=2)
    leader = cluster.run_until_leader(agreed=True)
    other = leader.node % 3 + 1
    cluster.pause(other)
    cluster.run_for(120.0)
    cluster.resume(other)
    cluster.run_for(1.0)
    frame = cluster.trace.to_frame()
    waited = frame[(frame["kind"] == "wait") & (frame["message"] >= 0)]["message"]
    ax = plot.plot_space_time(cluster.trace)
    render(ax)
    assert paths(ax, "message-waits") == len(waited) > 0
    assert {"pause", "resume", "paused", "waits for its receiver"} <= set(legend_of(ax))


def test_a_message_dropped_by_hand_ends_where_it_was() -> None:
    cluster = el.Cluster(el.Raft(nodes=3), seed=2, network=el.Network(one_way_delay_ms=8.0))
    cluster.run_until_leader()
    message = [p for p in cluster.pending if p.kind == "message"][-1]
    cluster.run_for(2.0)
    cluster.drop(message)
    lost = [f for f in history.flights(cluster.trace) if f.fate == "by_hand"]
    assert [(f.sent_ms, f.end_ms) for f in lost] == [(message.sent_ms, message.at_ms)]
    assert lost[0].way == pytest.approx((cluster.now - message.sent_ms) / 8.0)
    ax = plot.plot_space_time(cluster.trace)
    x, y = np.asarray(artists(ax, "lost-by_hand")[0].get_offsets())[0]
    assert x == pytest.approx(cluster.now)
    assert min(message.node, message.peer) - 1 < y < max(message.node, message.peer) - 1


def test_names_stand_at_few_arrows_and_never_on_each_other() -> None:
    cluster = el.Cluster(el.Bully(nodes=3), seed=1, initial_leader=3)
    cluster.run(1.0)
    cluster.crash(3)
    cluster.run(250.0)
    ax = plot.plot_space_time(cluster.trace)
    render(ax)
    names = artists(ax, "message-name")
    assert {text.get_text() for text in names} >= {"Election", "Ok"}
    places = [text.get_window_extent() for text in names]
    centres = [((p.x0 + p.x1) / 2, (p.y0 + p.y1) / 2) for p in places]
    gaps = [np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in itertools.combinations(centres, 2)]
    assert min(gaps) > 5
    assert not artists(plot.plot_space_time(cluster.trace, labels="none"), "message-name")
    busy = failover().trace
    assert not artists(plot.plot_space_time(busy), "message-name")
    assert artists(plot.plot_space_time(busy, labels="all"), "message-name")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_ms": -1.0}, "start_ms=-1.0: must be a time"),
        ({"end_ms": float("nan")}, "end_ms=nan: must be a time"),
        ({"start_ms": 5.0, "end_ms": 5.0}, "end_ms=5.0: must be later"),
        ({"nodes": [6]}, "nodes: 6 is not a node from 1 to 5"),
        ({"nodes": []}, "nodes=.*must be different nodes"),
        ({"nodes": [1, 1]}, "nodes=.*must be different nodes"),
        ({"kinds": ["Vote"]}, "kinds: 'Vote' is not one of VoteRequest"),
        ({"kinds": "Heartbeat"}, "kinds='Heartbeat': must be several"),
        ({"labels": "some"}, "labels='some': must be"),
        ({"max_messages": -1}, "max_messages=-1"),
    ],
)
def test_bad_arguments_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    trace = failover().trace
    with pytest.raises(ValueError, match=message):
        plot.plot_space_time(trace, **options)
    assert plt.get_fignums() == []


# --- roles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("protocol", "seed"), TROUBLES)
def test_bars_are_the_roles_that_the_rows_tell(protocol: Any, seed: int) -> None:
    """At random instants: the bar there, and the role in the last row of that node before."""
    trace = trouble(protocol, seed).trace
    frame = trace.to_frame()
    ax = trace.plot_roles()
    render(ax)
    bars = {role: boxes(ax, f"role-{role}") for role in style.ROLES}
    rng = np.random.default_rng(seed)
    for node in range(1, trace.actors + 1):
        own = frame[frame["node"] == node]
        for at in rng.uniform(0, trace.end_ms, 60):
            before = own[own["time_ms"] <= at]
            told = str(before["role"].iloc[-1]) if len(before) else "down"
            drawn = [
                role
                for role, found in bars.items()
                for y, left, right in found
                if y == pytest.approx(node - 1) and left <= at < right
            ]
            assert drawn == [told], (node, at, seed)


@pytest.mark.parametrize(("protocol", "seed"), TROUBLES)
def test_cut_links_are_those_that_the_cluster_has_cut(protocol: Any, seed: int) -> None:
    cluster = trouble(protocol, seed)
    spans = history.cut_spans(cluster.trace)
    pairs = list(itertools.permutations(range(1, cluster.actors + 1), 2))
    rng = np.random.default_rng(seed)
    for event in sorted(rng.integers(0, cluster.events, 25).tolist()):
        cluster.seek(event)
        after = cluster.pending[0].at_ms
        if after == cluster.now:
            continue
        at = (cluster.now + after) / 2
        drawn: frozenset[tuple[int, int]] = frozenset()
        for span in spans:
            drawn |= span.links if span.start_ms <= at < span.end_ms else frozenset()
        assert drawn == {pair for pair in pairs if cluster.is_cut(*pair)}, (seed, event)


def test_split_brain_is_marked_as_long_as_it_lasts() -> None:
    cluster = two_leaders()
    lasted = cluster.metrics["split_brain_ms"]
    assert lasted > 50
    for draw in (plot.plot_roles, plot.plot_space_time):
        ax = draw(cluster.trace)
        render(ax)
        marked = boxes(ax, "split-brain")
        assert sum(right - left for _, left, right in marked) == pytest.approx(lasted)
        assert "split brain: two leaders" in legend_of(ax)
        assert "partition {1, 2, 3} | {4, 5}" in texts_of(ax)
        shaded = {
            (round(y), round(left), round(right)) for y, left, right in boxes(ax, "cut-shade")
        }
        assert shaded == {(lane, 60, 360) for lane in range(5)}
    assert "split brain: two leaders" not in legend_of(plot.plot_roles(failover().trace))


@pytest.mark.parametrize(("protocol", "seed"), TROUBLES)
def test_split_brain_spans_add_up_to_the_measure(protocol: Any, seed: int) -> None:
    cluster = trouble(protocol, seed)
    spans = history.split_brain_spans(cluster.trace)
    measured = cluster.metrics["split_brain_ms"]
    assert sum(end - start for start, end in spans) == pytest.approx(measured, abs=1e-6)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_cuts_are_told_in_words() -> None:
    both = frozenset({(1, 2), (2, 1), (1, 3)})
    assert history.describe_cut(both, 4) == "cut 1↔2, 1→3"
    many = frozenset((1, n) for n in range(2, 9))
    assert history.describe_cut(many, 9) == "cut 1→2, 1→3, 1→4, 1→5 and 3 more"
    sides = frozenset(itertools.permutations([1, 2, 3], 2))
    assert history.describe_cut(sides, 3) == "partition {1} | {2} | {3}"
    assert history.groups_of(both, 4) is None


def test_roles_differ_by_more_than_colour() -> None:
    looks = list(style.ROLES.values())
    assert len({look.marker for look in looks}) == len(looks)
    assert len({look.colour for look in looks}) == len(looks)
    # On paper without colour: another hatch, or a lightness that is clearly another.
    for one, other in itertools.combinations(looks, 2):
        colours = np.array([mpl.colors.to_rgb(look.colour) for look in (one, other)])
        light = colours @ (0.2126, 0.7152, 0.0722)
        assert one.hatch != other.hatch or abs(light[0] - light[1]) > 0.25, (one, other)


# --- the ring -------------------------------------------------------------------------------------


def test_the_ring_shows_votes_quorum_messages_and_cuts() -> None:
    cluster = el.Cluster(el.Raft(nodes=5), seed=7)
    cluster.run(lambda c: any(n.role == "candidate" and len(n["votes"]) == 2 for n in c.nodes))
    cluster.cut(1, 2, both_ways=False)
    candidate = next(n for n in cluster.nodes if n.role == "candidate")
    voters = [
        n
        for n in cluster.nodes
        if n["voted_for"] == candidate.node != n.node and n["current_term"] == candidate.epoch
    ]
    ax = plot.plot_cluster(cluster)
    render(ax)
    assert len(artists(ax, "vote")) == len(voters) > 1
    assert "quorum 3 of 5" in ax.get_title(loc="left")
    assert "nobody leads" in ax.get_title(loc="left")
    beside = artists(ax, f"node-{candidate.node}")[0].get_text()
    assert beside == f"epoch {candidate.epoch}\n2 votes, quorum 3"
    flying = [p for p in cluster.pending if p.kind == "message"]
    assert points(ax, "message-arrows") == points(ax, "message-places") == len(flying) > 0
    assert paths(ax, "cut-links") == points(ax, "cut-marks") == 1
    assert "cut 1→2" in texts_of(ax)
    assert {"follower", "candidate", "VoteReply", "link cut", "has voted for"} <= set(legend_of(ax))
    for role in ("follower", "candidate", "leader", "down"):
        assert points(ax, f"nodes-{role}") == sum(n.role == role for n in cluster.nodes)


def test_the_ring_shows_two_leaders_and_who_is_down() -> None:
    cluster = two_leaders()
    events = range(cluster.events)
    assert any(cluster.seek(event) or cluster.acting_leaders == 2 for event in events)
    cluster.crash(1)
    before = cluster.fingerprint()
    ax = cluster.plot()
    render(ax)
    assert cluster.fingerprint() == before
    title = ax.get_title(loc="left")
    assert "split brain: nodes 3, 5 act as leader" in title
    assert "quorum" not in title  # Bully asks for no majority
    assert points(ax, "nodes-down") == 1
    assert points(ax, "nodes-leader") == 2
    assert paths(ax, "cut-links") == 6  # of three nodes to two, each line both ways


def test_a_vote_of_an_older_term_is_not_drawn() -> None:
    cluster = el.Cluster(el.Raft(nodes=3), seed=2)
    leader = cluster.run_until_leader().node
    voter = next(n.node for n in cluster.nodes if n["voted_for"] == leader != n.node)
    votes = sum(n["voted_for"] == leader != n.node for n in cluster.nodes)
    assert len(artists(plot.plot_cluster(cluster), "vote")) == votes > 0
    cluster.crash(voter)  # its disk remembers the vote of term 1
    cluster.crash(leader)
    cluster.restart(leader)
    cluster.fire(leader, "election")
    assert (cluster.node(leader).role, cluster.node(leader).epoch) == ("candidate", 2)
    assert cluster.node(voter)["voted_for"] == leader
    assert not artists(plot.plot_cluster(cluster), "vote")


@pytest.mark.parametrize("nodes", [1, 2, 9, 30, 150])
def test_clusters_of_any_size_have_pictures(nodes: int) -> None:
    cluster = el.Cluster(el.Raft(nodes=nodes), seed=5)
    cluster.run(250.0)
    if nodes > 1:
        cluster.cut(1, 2)
    for ax in (cluster.plot(), cluster.trace.plot(max_messages=200), cluster.trace.plot_roles()):
        render(ax)
        assert ax.get_legend() is not None


# --- distributions --------------------------------------------------------------------------------


def test_the_curve_is_the_share_of_runs_at_or_below() -> None:
    values = np.array([30.0, 10.0, np.nan, 20.0, 20.0, np.nan, 50.0, 5.0])
    ax = plot.plot_ecdf(values, quantity="downtime")
    render(ax)
    x, y = artists(ax, "ecdf-0")[0].get_data()
    for at in (0.0, 4.9, 5.0, 15.0, 20.0, 29.0, 30.0, 49.0, 50.0, 51.0):
        share = np.nansum(values <= at) / len(values)
        assert y[np.searchsorted(x, at, side="right") - 1] == pytest.approx(share), at
    assert y[-1] == pytest.approx(6 / 8)
    assert ax.get_xlabel() == "downtime (ms)"
    assert ax.get_ylabel() == "share of runs at or below"
    assert legend_of(ax) == ["8 runs, 2 never"]


def test_the_band_is_that_of_dvoretzky_kiefer_and_wolfowitz() -> None:
    values = np.arange(1.0, 101.0)
    ax = plot.plot_ecdf([values, 2 * values], labels=["a", "b"], confidence=0.95)
    render(ax)
    bands = [c for c in ax.collections if isinstance(c, Collection)]
    assert len(bands) == 2
    heights = bands[0].get_paths()[0].vertices
    at_50 = heights[np.isclose(heights[:, 0], 50.0), 1]
    # sqrt(ln(2 / 0.05) / 200) = 0.1358: the table's 1.358 / sqrt(n).
    assert at_50.max() == pytest.approx(0.50 + 0.13581, abs=1e-4)
    assert at_50.min() == pytest.approx(0.49 - 0.13581, abs=1e-4)
    assert legend_of(ax) == ["a\n100 runs", "b\n100 runs", "95 % confidence band"]


def test_values_come_in_many_shapes() -> None:
    one = [1.0, 2.0, 4.0]
    never = [np.nan, np.nan]
    shapes: list[Any] = [one, np.array(one), {"x": one}, [one, never], np.array([one, one]), (3, 4)]
    for values in shapes:
        render(plot.plot_ecdf(values))
    ax = plot.plot_ecdf({"a": one, "never": never}, log=True, unit="")
    render(ax)
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "time"
    assert np.all(artists(ax, "ecdf-1")[0].get_ydata() == 0)
    assert legend_of(ax) == ["a\n3 runs", "never\n2 runs, 2 never"]
    render(plot.plot_ecdf([7.0]))
    render(plot.plot_ecdf([0.0, 0.0]))
    render(plot.plot_ecdf([one, never], confidence=0.9))


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([], {}, "values: "),
        ([[]], {}, "array 0 has shape"),
        (np.zeros((2, 2, 2)), {}, "must be one-dimensional"),
        ([1.0, np.inf], {}, "infinite values"),
        ([np.nan, np.nan], {}, "values: all of them are NaN"),
        ({"a": [np.nan], "b": [np.nan]}, {"log": True}, "values: all of them are NaN"),
        ([1.0, 0.0], {"log": True}, "0 or below"),
        ([1.0], {"confidence": 1.0}, "confidence=1.0"),
        ([[1.0], [2.0]], {"labels": ["a"]}, "must be 2, one per array"),
        ({"a": [1.0]}, {"labels": ["a"]}, "must be None when values is a mapping"),
    ],
)
def test_bad_values_are_refused_by_name(values: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot.plot_ecdf(values, **options)
    assert plt.get_fignums() == []


# --- axes, notebooks, names -----------------------------------------------------------------------


def test_given_axes_are_used_and_no_figure_is_made() -> None:
    cluster = failover()
    figure, grid = plt.subplots(2, 2)
    before = plt.get_fignums()
    draw: list[Any] = [
        lambda ax: plot.plot_space_time(cluster.trace, ax=ax, legend=False),
        lambda ax: plot.plot_roles(cluster.trace, ax=ax),
        lambda ax: plot.plot_cluster(cluster, ax=ax),
        lambda ax: plot.plot_ecdf([1.0, 2.0], ax=ax),
    ]
    for ax, function in zip(grid.flat, draw, strict=True):
        assert function(ax) is ax
        assert ax.has_data() or ax.collections
    assert legend_of(grid[0, 0]) == []
    figure.canvas.draw()
    assert plt.get_fignums() == before


def test_without_axes_each_call_makes_one_figure() -> None:
    cluster = failover()
    assert plt.get_fignums() == []
    made = [plot.plot_roles(cluster.trace), plot.plot_cluster(cluster), plot.plot_ecdf([1.0])]
    assert len(plt.get_fignums()) == len({id(ax.figure) for ax in made}) == 3


def test_nothing_has_happened_yet() -> None:
    cluster = el.Cluster(el.Raft(nodes=3), seed=1)
    for ax in (cluster.trace.plot(), cluster.trace.plot_roles()):
        render(ax)
        assert "nothing has happened yet" in texts_of(ax)
    render(cluster.plot())
    assert "0 rows" in cluster.trace._repr_html_()


def test_svg_is_well_formed_and_the_same_each_time() -> None:
    trace = failover().trace
    text = plot.svg(trace.plot())
    assert text.startswith("<svg")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    plt.close("all")
    assert plot.svg(trace.plot().get_figure(root=True)) == text
    loose = plt.figure().add_subplot()
    loose.remove()
    with pytest.raises(ValueError, match="belong to no figure"):
        plot.svg(loose)


@pytest.mark.parametrize(
    ("protocol", "resource", "names"),
    [
        (el.ZkLock(2), None, ["coordination\nservice"]),
        (el.Lease(2), el.Resource(), ["lease\nmanager", "resource"]),
        (el.Etcd(2), el.Resource(), ["key-value\nservice", "resource"]),
        (el.Kubernetes(2), None, ["API server"]),
        (el.Kubernetes(16), None, ["API server"]),
        (el.ZkLock(16), None, ["coordinatio…"]),
    ],
    ids=repr,
)
def test_lanes_of_services_have_their_names(
    protocol: Any, resource: Any, names: list[str], tmp_path: Path
) -> None:
    cluster = el.Cluster(protocol, resource=resource, seed=1)
    cluster.run_for(20)
    cluster.trace.save(tmp_path / "run.trace")
    loaded = el.Trace.load(tmp_path / "run.trace")
    for trace in (cluster.trace, loaded, copy.deepcopy(cluster.trace)):
        for ax in (trace.plot(), trace.plot_roles()):
            shown = [label.get_text() for label in ax.get_yticklabels()]
            assert shown == [f"node {n}" for n in range(1, protocol.nodes + 1)] + names
            render(ax)


def test_services_of_one_kind_are_numbered() -> None:
    class Many(Hostile):
        services = {"store": 2, "log": 1, "long name of a kind": 2}  # noqa: RUF012

    ax = el.Cluster(Many(1), seed=1).trace.plot()
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown == ["node 1", "store 1", "store 2", "log", "long name of\na kind 1",
                     "long name of\na kind 2"]  # fmt: skip
    render(ax)


HOSTILE = ("</script><b>", "$x$", "$\\frac{", "_legend", "中文", "%s{}", "x" * 70)


class Hostile(el.UserProtocol):
    """Names that break what does not expect them."""

    name = "</script><b>$x$"
    messages = HOSTILE
    timers = ("go",)
    services = {"sto$r$age<b>": 1}  # noqa: RUF012

    def memory(self, node: int) -> dict[str, int]:
        return {"leader": 0}

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.set_timer("go", 10, 50)

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        if ctx.node <= ctx.members:
            ctx.memory["leader"] = ctx.node
            ctx.send(ctx.actors, "$x$")
            for kind in self.messages:
                ctx.broadcast(kind)

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        ctx.memory["leader"] = max(sender, ctx.memory["leader"])

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        if ctx.node > ctx.members:
            return ("service", 0, 0)
        leads = ctx.memory["leader"] == ctx.node
        return ("leader" if leads else "follower", ctx.memory["leader"], 0)


class Tags(html.parser.HTMLParser):
    """The tags of a page, and the sources of its images."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.images: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.images += [value or "" for name, value in attrs if name == "src"]


def hostile() -> el.Cluster:
    cluster = el.Cluster(Hostile(3), seed=1)
    cluster.run(60.0)
    return cluster


def test_hostile_names_are_shown_as_text_and_break_nothing() -> None:
    cluster = hostile()
    ax = plot.plot_space_time(cluster.trace, labels="all")
    render(ax)
    entries = legend_of(ax)
    for shown in ("</script><b>", "$x$", "$\\frac{", "_legend", "%s{}", "\\u4e2d\\u6587"):
        assert shown in entries
    assert "x" * 21 + "…" in entries
    assert [t.get_text() for t in ax.get_yticklabels()][-1] == "sto$r$age<b>"
    assert ax.get_title(loc="left").startswith("Space-time diagram: </script><b>$x$, 3 nodes")
    everything = [*ax.texts, ax.title, *ax.get_yticklabels(), *ax.get_legend().get_texts()]
    assert not [t for t in everything if "$" in t.get_text() and t.get_parse_math()]
    render(cluster.trace.plot_roles())
    cluster.undo(12)
    ring = cluster.plot()
    render(ring)
    assert "sto$r$age<b>" in texts_of(ring)
    assert set(HOSTILE) & set(legend_of(ring))
    render(plot.plot_ecdf({"$x$": [1.0], "_a": [2.0]}, quantity="$t$", unit="$\\frac{"))
    for picture in (ax, ring):
        root = ElementTree.fromstring(plot.svg(picture))
        assert not [e for e in root.iter() if e.tag.split("}")[1] in ("script", "b")]


@pytest.mark.parametrize("make", [failover, two_leaders, hostile])
def test_a_notebook_shows_an_image_and_leaves_no_figure(make: Any) -> None:
    cluster = make()
    for shown in (cluster, cluster.trace):
        page = Tags(shown._repr_html_())
        table = {"table", "tr", "th", "td"}
        assert page.tags <= {"div", "b", "br", "img", "details", "summary", "pre"} | table
        assert len(page.images) == 1
        kind, data = page.images[0].split(",")
        assert kind == "data:image/svg+xml;base64"
        ElementTree.fromstring(base64.b64decode(data))
    assert plt.get_fignums() == []


def test_a_notebook_shows_no_image_that_nobody_could_read() -> None:
    cluster = el.Cluster(el.Raft(nodes=5), seed=3)
    cluster.run(30_000.0)
    assert "Roles of Trace" in cluster.trace._repr_html_()  # too many messages for arrows
    large = el.Cluster(el.Raft(nodes=100), seed=3)
    large.run(300.0)
    assert "<img" not in large._repr_html_()
    assert "<img" not in large.trace._repr_html_()


def test_a_picture_in_a_notebook_takes_less_than_half_a_second() -> None:
    import time

    cluster = failover()
    cluster._repr_html_()  # fonts are read once
    for shown in (cluster, cluster.trace):
        times = []
        for _ in range(3):
            began = time.process_time()
            shown._repr_html_()
            times.append(time.process_time() - began)
        assert min(times) < 0.5, times


def test_font_safe_text_keeps_what_the_font_has() -> None:
    assert style.plain("nœud 1 → 2, Ω") == "nœud 1 → 2, Ω"
    assert style.plain("a\nb\x00") == "a\\nb\\x00"
    assert style.plain("\ud800") == "\\ud800"
    assert style.plain("y" * 40, longest=10) == "y" * 9 + "…"
    with plt.rc_context({"font.family": ["serif", "monospace"]}):
        assert style.plain("Ω") == "Ω"


def test_arrow_heads_point_along_the_arrow_on_the_page() -> None:
    """Time in ms and lanes have other scales; a head must follow the line that is seen."""
    figure = Figure(figsize=(8, 4))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 800), ylim=(0, 4))
    heads = style.ArrowHeads(
        ax, np.array([[0.0, 0.0]]), np.array([[400.0, 2.0]]), facecolors="black", linewidths=0
    )
    figure.canvas.draw()
    matrix = heads.get_transforms()[0]
    angle = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    assert angle == pytest.approx(np.degrees(np.arctan2(2 / 4 * 4, 400 / 800 * 8)))

"""The cluster at one moment: nodes on a ring, votes, messages on their way, cut links."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from electionlab._core import PendingEvent
from electionlab.cluster import Cluster, Node
from electionlab.plot import sizes, style
from electionlab.plot.history import describe_cut
from electionlab.plot.lanes import Entry
from electionlab.plot.sizes import Size
from electionlab.user_protocol import UserProtocol

_MOST_MESSAGES = 400
_MOST_LINKED = 100  # nodes: beyond that links are not looked at one by one
_MOST_CROSSED = 60  # cut links: beyond that without crosses
_VOTE = "#4D4D4D"
_AREAS = {"h": 1.25, "X": 1.25, "s": 0.8, "D": 0.8}  # so that all shapes look equally large


@sizes.sized
def plot_cluster(
    cluster: Cluster, *, ax: Axes | None = None, legend: bool = True, size: Size | None = None
) -> Axes:
    """The nodes of a cluster on a ring, as they are now.

    A node's colour and shape tell its role; beside it stand its epoch (in Raft: the term), whom it
    names as leader, and the votes that a candidate or leader holds. Dashed arrows go from a voter
    to the node that has its vote in that node's term. A message on its way is an arrow with a mark
    where it is by now. Cut links are dashed and crossed; of a link cut one way, the cross is near
    the receiver.

    Args:
        cluster: A simulated cluster; it is not changed.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.
        legend: Whether to add a legend at the right.

    Returns:
        The axes, without ticks: positions have no unit.
    """
    nodes = cluster.nodes
    ax = style.axes_or_new(ax, 5.2, 5.2)
    places = _places(cluster.members, len(nodes))
    room = _node_points(len(nodes)) * sizes.current().height_share
    _frame(ax)
    entries = _draw_links(ax, cluster, places)
    entries += _draw_votes(ax, nodes, places, room)
    flying, more = _messages(cluster)
    message_entries = _draw_messages(ax, cluster, flying, places, room)
    entries = _draw_nodes(ax, cluster, nodes, places, room) + message_entries + entries
    style.write_title(ax, _title(cluster, nodes))
    if more:
        text = f"only the first {len(flying):,} of {len(flying) + more:,} messages are drawn"
        style.write(ax, 0, -1.44, text, ha="center", color=style.VERMILLION)
    if legend:
        style.show_legend(ax, entries)
    return ax


def _frame(ax: Axes) -> None:
    ax.set_xlim(-1.5, 1.5)
    ax.set_ylim(-1.45, 1.45)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _places(members: int, actors: int) -> npt.NDArray[np.float64]:
    """Members on a ring, clockwise from the top; services within it."""
    angle = 2 * np.pi * np.arange(members) / members
    ring = np.column_stack([np.sin(angle), np.cos(angle)])
    services = actors - members
    if services == 1:
        return np.vstack([ring, [[0.0, 0.0]]])
    angle = 2 * np.pi * (np.arange(services) + 0.5) / max(services, 1)
    return np.vstack([ring, 0.4 * np.column_stack([np.sin(angle), np.cos(angle)])])


def _node_points(nodes: int) -> float:
    """Diameter of a node, points."""
    return float(np.clip(330 / max(nodes, 1), 5, 30))


def _title(cluster: Cluster, nodes: Sequence[Node]) -> str:
    protocol = cluster.protocol
    name = style.plain(protocol.name)
    majority = (
        protocol.majority if isinstance(protocol, UserProtocol) else protocol.about["majority"]
    )
    leaders = [n.node for n in nodes if n.role == "leader"]
    if len(leaders) > 1:
        state = f"split brain: nodes {', '.join(map(str, leaders[:6]))} act as leader"
    else:
        state = f"node {leaders[0]} leads" if leaders else "nobody leads"
    quorum = f", quorum {cluster.members // 2 + 1} of {cluster.members}" if majority else ""
    count = f"{cluster.members} node" + ("s" if cluster.members != 1 else "")
    return f"{name}, {count}, seed {cluster.seed}, at {cluster.now:.3f} ms\n{state}{quorum}"


# --- links ----------------------------------------------------------------------------------------


def _draw_links(ax: Axes, cluster: Cluster, places: npt.NDArray[np.float64]) -> list[Entry]:
    members = cluster.members
    circle = np.linspace(0, 2 * np.pi, 181)
    ax.plot(np.sin(circle), np.cos(circle), color=style.LIGHT, linewidth=0.8, zorder=0)
    if len(places) > _MOST_LINKED:
        return []
    actors = range(1, len(places) + 1)
    cut = frozenset((a, b) for a in actors for b in actors if a != b and cluster.is_cut(a, b))
    if members <= 12:
        whole = [
            [places[a - 1], places[b - 1]]
            for a in actors
            for b in actors
            if a < b and not {(a, b), (b, a)} & cut
        ]
        ax.add_collection(LineCollection(whole, colors=style.LIGHT, linewidths=0.7, zorder=0))
    if not cut:
        return []
    lines, crosses = [], []
    for a, b in sorted(cut):
        start, end = places[a - 1], places[b - 1]
        both = (b, a) in cut
        if both and b < a:
            continue
        lines.append([start, end])
        crosses.append(start + (0.5 if both else 0.74) * (end - start))
    dashed = LineCollection(
        lines, colors=style.VERMILLION, linestyles=[(0, (2, 3))], linewidths=1.0, zorder=1,
        alpha=0.8 if len(lines) <= _MOST_CROSSED else 0.3,
    )  # fmt: skip
    dashed.set_gid("cut-links")
    ax.add_collection(dashed)
    if len(lines) <= _MOST_CROSSED:
        x, y = zip(*crosses, strict=True)
        ax.scatter(
            x, y, s=30, marker="x", color=style.VERMILLION, linewidths=1.5, zorder=2,
            gid="cut-marks",
        )  # fmt: skip
    style.write(
        ax, 0, -1.36, style.plain(describe_cut(cut, members), longest=80), ha="center",
        color=style.VERMILLION, gid="cut-label",
    )  # fmt: skip
    sample = Line2D([], [], color=style.VERMILLION, linestyle=(0, (2, 3)), marker="x", markersize=5)
    return [(sample, "link cut")]


# --- nodes ----------------------------------------------------------------------------------------


def _field(node: Node, name: str) -> Any:
    try:
        return node[name]
    except KeyError:
        return None


def _votes(node: Node) -> int | None:
    """How many votes a candidate or leader holds; None in protocols without votes."""
    votes = _field(node, "votes")
    if node.role in ("candidate", "leader") and isinstance(votes, (list, tuple)):
        return len(votes)
    return None


def _vote_of(node: Node) -> tuple[int, int] | None:
    """(for whom, in which term) a node has voted; None when it has not."""
    to, term = _field(node, "voted_for"), _field(node, "current_term")
    if isinstance(to, int) and to > 0 and to != node.node:
        return to, term if isinstance(term, int) else node.epoch
    return None


def _words(node: Node, quorum: int, majority: bool) -> str:
    lines = [f"epoch {node.epoch}"] if node.epoch else []
    votes = _votes(node)
    if votes is not None:
        count = f"{votes} vote" + ("s" if votes != 1 else "")
        lines.append(count + (f", quorum {quorum}" if majority else ""))
    if node.leader and node.role != "leader":
        lines.append(f"names {node.leader}")
    elif node.role in ("follower", "paused"):
        lines.append("names nobody")
    return "\n".join(lines)


def _draw_nodes(
    ax: Axes,
    cluster: Cluster,
    nodes: Sequence[Node],
    places: npt.NDArray[np.float64],
    room: float,
) -> list[Entry]:
    protocol = cluster.protocol
    majority = bool(
        protocol.majority if isinstance(protocol, UserProtocol) else protocol.about["majority"]
    )
    entries: list[Entry] = []
    for role, look in style.ROLES.items():
        own = [n for n in nodes if n.role == role]
        if not own:
            continue
        where = places[[n.node - 1 for n in own]]
        area = room**2 * _AREAS.get(look.marker, 1.0)
        hatch = look.hatch if role in ("candidate", "paused", "service") and room > 12 else None
        ax.scatter(
            where[:, 0],
            where[:, 1],
            s=area,
            marker=look.marker,
            facecolors=look.colour,
            edgecolors=style.BLACK if role != "down" else style.GREY,
            linewidths=2.0 if role == "leader" else 1.0,
            hatch=hatch,
            zorder=5,
            gid=f"nodes-{role}",
        )
        sample = Line2D(
            [], [], linestyle="", marker=look.marker, markersize=9, color=look.colour,
            markeredgecolor=style.BLACK if role != "down" else style.GREY,
        )  # fmt: skip
        entries.append((sample, role))
    if 9 < room <= 16 and any(n.epoch for n in nodes):
        entries.append((Line2D([], [], linestyle=""), "e1, e2, …: epoch (term)"))
    for n in nodes:
        x, y = places[n.node - 1]
        look = style.ROLES[n.role]
        framed = look.hatch and n.role in ("candidate", "paused", "service") and room > 12
        box = {"boxstyle": "circle,pad=0.1", "facecolor": look.colour, "linewidth": 0}
        inside = room > 9
        style.write(
            ax, x if inside else 1.07 * x, y if inside else 1.07 * y, str(n.node), ha="center",
            va="center", zorder=6, color=look.text if inside else style.BLACK, weight="bold",
            fontsize=max(room * 0.42, 6.5), bbox=box if framed else None,
        )  # fmt: skip
        if n.kind != "member":
            style.write(
                ax, x, y - 0.16, style.plain(n.kind, longest=16), ha="center", va="top", zorder=6
            )
        elif room > 9:
            _write_beside(ax, n, x, y, room, _words(n, cluster.members // 2 + 1, majority))
    return entries


def _write_beside(ax: Axes, n: Node, x: float, y: float, room: float, words: str) -> None:
    if room <= 16:  # many nodes: only what fits
        words = f"e{n.epoch}" if n.epoch else ""
    away = 0.05 + room / (190 * sizes.current().height_share)
    side = "center" if abs(x) < 0.2 else "left" if x > 0 else "right"
    level = "bottom" if y > 0.9 else "top" if y < -0.9 else "center"
    style.write(
        ax, x * (1 + away), y * (1 + away), words, ha=side, va=level, linespacing=1.15, zorder=6,
        fontsize=style.FONT_SIZE if room > 16 else style.FONT_SIZE - 1.5, gid=f"node-{n.node}",
    )  # fmt: skip


def _draw_votes(
    ax: Axes, nodes: Sequence[Node], places: npt.NDArray[np.float64], room: float
) -> list[Entry]:
    drawn = False
    for n in nodes:
        vote = _vote_of(n)
        if vote is None or vote[0] > len(nodes):
            continue
        to, term = vote
        other = nodes[to - 1]
        if other.role not in ("candidate", "leader") or other.epoch != term:
            continue  # that vote counts no longer
        drawn = True
        ax.add_patch(
            FancyArrowPatch(
                tuple(places[n.node - 1]),
                tuple(places[to - 1]),
                connectionstyle="arc3,rad=0.22",
                arrowstyle="-|>",
                mutation_scale=9,
                shrinkA=room * 0.55,
                shrinkB=room * 0.62,
                color=_VOTE,
                linestyle=(0, (4, 2)),
                linewidth=1.0,
                zorder=3,
                gid="vote",
            )
        )
    sample = Line2D([], [], color=_VOTE, linestyle=(0, (4, 2)), marker=">", markersize=4)
    return [(sample, "has voted for")] if drawn else []


# --- messages -------------------------------------------------------------------------------------


def _messages(cluster: Cluster) -> tuple[list[PendingEvent], int]:
    flying = [e for e in cluster.pending if e.kind == "message"]
    return flying[:_MOST_MESSAGES], max(len(flying) - _MOST_MESSAGES, 0)


def _draw_messages(
    ax: Axes,
    cluster: Cluster,
    flying: Sequence[PendingEvent],
    places: npt.NDArray[np.float64],
    room: float,
) -> list[Entry]:
    protocol = cluster.protocol
    kinds = (
        list(protocol.messages)
        if isinstance(protocol, UserProtocol)
        else [m["name"] for m in protocol.about["messages"]]
    )
    entries: list[Entry] = []
    figure = ax.get_figure(root=True)
    dpi = figure.dpi if figure is not None else 72.0
    per_point = 3.0 / (min(ax.bbox.width, ax.bbox.height) / dpi * 72.0)
    gap = 0.62 * room * per_point
    for number, (kind, look) in enumerate(zip(kinds, style.kind_styles(kinds), strict=True)):
        own = [e for e in flying if e.message_kind == kind]
        if not own:
            continue
        tails, tips, now = [], [], []
        for e in own:
            tail, tip = _shifted(places[e.peer - 1], places[e.node - 1], gap)
            tails.append(tail)
            tips.append(tip)
            now.append(tail + _progress(cluster.now, e) * (tip - tail))
        lines = LineCollection(
            list(zip(tails, tips, strict=True)), colors=look.colour, linewidths=look.width, zorder=3
        )
        ax.add_collection(lines)
        style.ArrowHeads(
            ax, np.array(tails), np.array(tips), size=7.0, facecolors=look.colour, linewidths=0,
            zorder=4, gid=f"message-arrows-{number}",
        )  # fmt: skip
        x, y = zip(*now, strict=True)
        ax.scatter(
            x, y, s=30, marker=look.marker, color=look.colour, edgecolors="#FFFFFF", linewidths=0.5,
            zorder=4, gid=f"message-places-{number}",
        )  # fmt: skip
        entries.append(style.kind_entry(kind, look))
    return entries


def _shifted(
    start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], gap: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """An arrow from node to node, a little to its right, so that two directions lie apart."""
    along = end - start
    length = math.hypot(*along) or 1.0
    along = along / length
    gap = min(gap, 0.35 * length)
    aside = 0.03 * np.array([along[1], -along[0]])
    return start + gap * along + aside, end - gap * along + aside


def _progress(now: float, event: PendingEvent) -> float:
    sent = event.sent_ms
    if sent is None or event.at_ms <= sent:
        return 0.5
    return float(np.clip((now - sent) / (event.at_ms - sent), 0.0, 1.0))

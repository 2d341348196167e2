"""One look for every picture: a colour, a shape and a hatch for each role, message, loss and mark.

The colours are those of Okabe and Ito (2008) and of Tol's *bright* scheme, which people with
colour-blindness tell apart; a shape or hatch says the same without any colour.
"""

from __future__ import annotations

import dataclasses
import functools
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import Collection, PathCollection
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform, ScaledTranslation

from electionlab.plot import sizes

BLACK, GREY, LIGHT = "#000000", "#767676", "#DDDDDD"
VERMILLION, YELLOW = "#D55E00", "#F0E442"
FONT_SIZE = 8.0
LEGEND_WIDTH_IN = 2.2
RIGHT_IN = 0.12  # beside the drawing, where the legend stands below it
BELOW_IN = 0.45  # from the axes down to such a legend


@dataclasses.dataclass(frozen=True)
class RoleStyle:
    """How a role looks.

    Attributes:
        colour: Of its bar or node.
        hatch: Of its bar.
        marker: Of its node on the ring.
        height: Of its bar along a life line, as a share of the lane.
        text: Colour of what is written on it.
    """

    colour: str
    hatch: str
    marker: str
    height: float
    text: str = BLACK


ROLES: dict[str, RoleStyle] = {
    "follower": RoleStyle("#8CCBF0", "", "o", 0.11),
    "candidate": RoleStyle("#E69F00", "////", "D", 0.22),
    "leader": RoleStyle("#0072B2", "", "h", 0.30, "#FFFFFF"),
    "down": RoleStyle("#FFFFFF", "xxx", "X", 0.0),
    "paused": RoleStyle("#CFCFCF", "||||", "8", 0.22),
    "service": RoleStyle("#CC79A7", "..", "s", 0.11),
}


@dataclasses.dataclass(frozen=True)
class KindStyle:
    """How messages of one kind look: line colour, line width in points, mark where they leave."""

    colour: str
    width: float
    marker: str


_KIND_COLOURS = ("#AA3377", "#228833", "#8A5A00", "#332288", "#CC3311", "#117A8B", "#5C5C00")
_KIND_MARKERS = ("s", "^", "D", "v", "p", "<", ">", "h")
_ROUTINE = KindStyle("#7A7A7A", 0.8, "o"), KindStyle("#A6A6A6", 0.8, "d")


def kind_styles(kinds: Sequence[str]) -> list[KindStyle]:
    """A look for each kind of message, the same in every picture of a protocol.

    Heartbeats and their answers are grey, so that what matters stands out.
    """
    styles, routine, rest = [], 0, 0
    for kind in kinds:
        if kind.lower().startswith("heartbeat") and routine < len(_ROUTINE):
            styles.append(_ROUTINE[routine])
            routine += 1
            continue
        colour = _KIND_COLOURS[rest % len(_KIND_COLOURS)]
        styles.append(KindStyle(colour, 1.1, _KIND_MARKERS[rest % len(_KIND_MARKERS)]))
        rest += 1
    return styles


#: The cross of a lost message by reason: marker, and what the legend says.
LOSSES: dict[str, tuple[Any, str]] = {
    "loss": ("x", "lost by chance"),
    "cut": ("X", "lost: link cut"),
    "receiver_down": ("P", "lost: receiver down"),
    "sender_crashed": ("+", "lost: sender crashed"),
    "by_hand": ((6, 2, 0), "lost: dropped by hand"),
}


def _bars() -> Path:
    left = [(-0.6, -1.0), (-0.15, -1.0), (-0.15, 1.0), (-0.6, 1.0), (-0.6, -1.0)]
    right = [(-x, y) for x, y in left]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    return Path([*left, *right], codes * 2)


def _bar_and_triangle() -> Path:
    bar = [(-1.0, -1.0), (-0.6, -1.0), (-0.6, 1.0), (-1.0, 1.0), (-1.0, -1.0)]
    triangle = [(-0.35, -1.0), (1.0, 0.0), (-0.35, 1.0), (-0.35, -1.0)]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    return Path([*bar, *triangle], [*codes, *codes[:3], Path.CLOSEPOLY])


@dataclasses.dataclass(frozen=True)
class MarkStyle:
    """How something that happens to a node is marked on its life line."""

    marker: Any
    size: float
    face: str
    text: str


MARKS: dict[str, MarkStyle] = {
    "leader": MarkStyle("*", 10.0, YELLOW, "begins to lead"),
    "crash": MarkStyle("X", 9.0, BLACK, "crash"),
    "restart": MarkStyle(">", 7.5, BLACK, "restart"),
    "restart_lost_disk": MarkStyle(">", 7.5, "#FFFFFF", "restart, disk lost"),
    "pause": MarkStyle(_bars(), 8.0, BLACK, "pause"),
    "resume": MarkStyle(_bar_and_triangle(), 8.0, BLACK, "resume"),
    "violation": MarkStyle("v", 9.0, VERMILLION, "invariant broken"),
}


# --- text -----------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8)
def _font_characters(families: tuple[str, ...]) -> frozenset[int]:
    known: set[int] = set()
    for family in families:
        path = font_manager.findfont(font_manager.FontProperties(family=[family]))
        known |= set(font_manager.get_font(path).get_charmap())
    return frozenset(known)


def plain(text: str, *, longest: int = 30) -> str:
    """A name as the font can show it: what it cannot show is escaped, what is too long is cut."""
    known = _font_characters(tuple(font_manager.FontProperties().get_family()))
    shown = "".join(
        c if c.isprintable() and ord(c) in known else c.encode("unicode_escape").decode()
        for c in text
    )
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def write(ax: Axes, x: float, y: float, text: str, **options: Any) -> Artist:
    """Text that is never read as a formula."""
    return ax.text(x, y, text, parse_math=False, **{"fontsize": FONT_SIZE, **options})


def write_title(ax: Axes, text: str, *, pad: float = 8.0) -> None:
    """A title at the left, so many points above, that is never read as a formula."""
    form, figure = sizes.current(), ax.get_figure(root=True)
    if form.width_in is not None and figure is not None:
        room_in = ax.get_position().width * figure.get_figwidth()
        lines = [textwrap.wrap(line, int(14 * room_in)) for line in text.split("\n")]
        text = "\n".join(part for line in lines for part in line)
    ax.set_title(text, loc="left", fontsize=FONT_SIZE + 2, parse_math=False, pad=pad)


# --- axes and legends -----------------------------------------------------------------------------


def axes_or_new(ax: Axes | None, width_in: float, height_in: float) -> Axes:
    """The given axes, or those of a new figure with room for a legend at the right.

    What is drawn for a paper or a slide is as wide as that, and its legend stands below.

    Args:
        ax: Axes to draw on; None for new ones.
        width_in: Width of the drawing itself, inches.
        height_in: Height of the drawing itself, inches.
    """
    if ax is not None:
        if not isinstance(ax, Axes):
            raise ValueError(f"ax={ax!r}: must be Axes of Matplotlib, or None for new ones")
        return ax
    form = sizes.current()
    left, right, top, bottom = 1.0, LEGEND_WIDTH_IN, 0.62, 0.55
    if form.width_in is not None:
        right = RIGHT_IN
        width_in, height_in = form.width_in - left - right, height_in * form.height_share
    width, height = left + width_in + right, top + height_in + bottom
    figure, new = plt.subplots(figsize=(width, height), dpi=form.dpi)
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
    )
    return new


def legend_height_in(entries: int) -> float:
    """Room that a legend with so many entries needs, inches."""
    return 0.185 * entries + 0.1


def show_legend(ax: Axes, entries: Sequence[tuple[Artist, str]]) -> Legend | None:
    """A legend right of the axes, or below them in a figure for a paper or a slide.

    Any text is shown as it stands, a leading underscore too.
    """
    if not entries:
        return None
    columns = sizes.current().columns
    figure = ax.get_figure(root=True)
    below: dict[str, Any] = {}
    if columns and figure is not None:
        down = ScaledTranslation(0, -BELOW_IN, figure.dpi_scale_trans)
        below = {"bbox_transform": ax.transAxes + down, "columnspacing": 1.2}
    legend = ax.legend(
        [handle for handle, _ in entries],
        [str(number) for number in range(len(entries))],
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0) if columns else (1.0, 1.0),
        borderaxespad=0.4,
        fontsize=FONT_SIZE,
        frameon=False,
        handlelength=2.4,
        ncols=columns or 1,
        **below,
    )
    for text, (_, label) in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(label)
    return legend


def role_entry(role: str) -> tuple[Artist, str]:
    """Legend entry of a role."""
    style = ROLES[role]
    patch = Patch(facecolor=style.colour, edgecolor=BLACK, hatch=style.hatch, linewidth=0.5)
    return patch, role


def kind_entry(kind: str, style: KindStyle) -> tuple[Artist, str]:
    """Legend entry of a kind of message."""
    line = Line2D(
        [], [], color=style.colour, linewidth=style.width, marker=style.marker, markersize=4
    )
    return line, plain(kind, longest=22)


def loss_entry(reason: str) -> tuple[Artist, str]:
    """Legend entry of a lost message."""
    marker, text = LOSSES[reason]
    line = Line2D(
        [],
        [],
        linestyle="",
        marker=marker,
        markersize=6,
        color=VERMILLION,
        markeredgecolor=BLACK if is_filled(marker) else VERMILLION,
    )
    return line, text


def is_filled(marker: Any) -> bool:
    """Whether a loss's cross has an inside; such a one gets a dark edge."""
    return marker in ("X", "P")


def mark_entry(mark: str) -> tuple[Artist, str]:
    """Legend entry of a mark on a life line."""
    style = MARKS[mark]
    line = Line2D(
        [],
        [],
        linestyle="",
        marker=style.marker,
        markersize=style.size * 0.8,
        color=style.face,
        markeredgecolor=BLACK,
    )
    return line, style.text


def epoch_entry() -> tuple[Artist, str]:
    """Legend entry of the framed numbers."""
    line = Line2D([], [], linestyle="", marker="s", markersize=8, color="#FFFFFF")
    line.set_markeredgecolor(GREY)
    return line, "framed: epoch (term)"


# --- arrows ---------------------------------------------------------------------------------------

_HEAD = Path(
    [(0.0, 0.0), (-1.0, 0.38), (-0.75, 0.0), (-1.0, -0.38), (0.0, 0.0)],
    [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY],
)


class ArrowHeads(PathCollection):
    """The heads of many arrows, all of one colour, that keep their shape whatever the axes do.

    Args:
        ax: Axes to which they are added.
        tails: Shape (n, 2), data coordinates: where the arrows come from.
        tips: Shape (n, 2), data coordinates: where they point to.
        size: Length of a head, points.
        options: Colour and so on, as for `matplotlib.collections.Collection`.
    """

    def __init__(
        self,
        ax: Axes,
        tails: npt.NDArray[np.float64],
        tips: npt.NDArray[np.float64],
        *,
        size: float = 6.0,
        **options: Any,
    ) -> None:
        super().__init__([_HEAD], offsets=tips, offset_transform=ax.transData, **options)
        self.set_transform(IdentityTransform())
        self._tails, self._size = tails, size
        ax.add_collection(self, autolim=False)

    def draw(self, renderer: RendererBase) -> None:
        """Draws each head along its arrow, in the direction it has on the page."""
        transform = self.get_offset_transform()
        tips = np.asarray(transform.transform(np.asarray(self.get_offsets())))
        along = tips - np.asarray(transform.transform(self._tails))
        length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
        figure = self.get_figure(root=True)
        points = self._size * (figure.dpi if figure is not None else 72.0) / 72.0
        cos, sin = points * along[:, 0] / length, points * along[:, 1] / length
        turned = np.zeros((len(tips), 3, 3))
        turned[:, 0, 0], turned[:, 0, 1] = cos, -sin
        turned[:, 1, 0], turned[:, 1, 1] = sin, cos
        turned[:, 2, 2] = 1.0
        self._transforms = turned
        Collection.draw(self, renderer)

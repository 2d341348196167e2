"""Pictures as SVG, for notebooks and pages."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def svg(picture: Axes | Figure) -> str:
    """A picture as SVG text, from ``<svg`` on; the same picture gives the same text.

    Args:
        picture: A figure, or any axes of one.

    Raises:
        ValueError: The axes belong to no figure.
    """
    figure = picture if isinstance(picture, Figure) else picture.get_figure(root=True)
    if figure is None:
        raise ValueError("picture: these axes belong to no figure")
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "electionlab", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None}, bbox_inches="tight")
    text = out.getvalue()
    return text[text.index("<svg") :]


def image_html(draw: Callable[[Axes], Any], *, width_in: float, height_in: float, alt: str) -> str:
    """An HTML image of what a function draws on axes of its own; no figure stays open.

    The image is a document of its own: no name in it can reach the page around it.

    Args:
        draw: Draws on the axes that it is given.
        width_in: Width of the axes, inches.
        height_in: Height of the axes, inches.
        alt: What the image shows, for those who cannot see it.
    """
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    draw(figure.add_axes((0.0, 0.0, 1.0, 1.0)))
    data = base64.b64encode(svg(figure).encode()).decode()
    return (
        f"<img alt='{html.escape(alt, quote=True)}' style='max-width:100%;background:#fff' "
        f"src='data:image/svg+xml;base64,{data}'>"
    )

"""Pictures as files."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def save(picture: Axes | Figure, path: str | os.PathLike[str], *, dpi: float = 144.0) -> Path:
    """Writes a picture to a file and closes its figure.

    Args:
        picture: A figure, or any axes of one.
        path: Where to; the end of the name says the format: .png, .svg, .pdf.
        dpi: Pixels per inch of pictures made of pixels.

    Returns:
        The path.

    Raises:
        ValueError: The name ends in no format that is known, or the axes belong to no figure.
        OSError: The file cannot be written.
    """
    target = Path(path)
    figure = picture if isinstance(picture, Figure) else picture.get_figure(root=True)
    if figure is None:
        raise ValueError("picture: these axes belong to no figure")
    try:
        known = figure.canvas.get_supported_filetypes()
        if target.suffix[1:].lower() not in known:
            raise ValueError(
                f"path={str(target)!r}: must end in one of {', '.join('.' + k for k in known)}"
            )
        figure.savefig(target, dpi=dpi, bbox_inches="tight")
    finally:
        plt.close(figure)
    return target

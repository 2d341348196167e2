"""What a notebook shows of a trace or a cluster: an image, unless it would be slow or a blot."""

from __future__ import annotations

import numpy as np

from electionlab.cluster import Cluster
from electionlab.plot.ring import plot_cluster
from electionlab.plot.roles import plot_roles
from electionlab.plot.space_time import plot_space_time
from electionlab.plot.vector import image_html
from electionlab.trace import Trace

_MOST_LANES = 16
_MOST_MESSAGES = 250
_MOST_VIEWS = 800
_MOST_ON_RING = 64


def trace_html(trace: Trace) -> str:
    """The space-time diagram of a short run, the roles of a longer one, nothing of a huge one.

    Returns:
        An HTML image; empty when no diagram of this run would be readable.
    """
    kinds = trace.columns["kind"]
    count = dict(
        zip(trace.row_kinds, np.bincount(kinds, minlength=len(trace.row_kinds)), strict=True)
    )
    if not len(trace) or trace.actors > _MOST_LANES:
        return ""
    alt = f"{trace!r}"
    height = max(0.5 * trace.actors + 0.3, 1.2)
    if count["send"] <= _MOST_MESSAGES:
        return image_html(
            lambda ax: plot_space_time(trace, ax=ax),
            width_in=8.6,
            height_in=1.4 * height,
            alt=f"Space-time diagram of {alt}",
        )
    if count["view"] <= _MOST_VIEWS:
        return image_html(
            lambda ax: plot_roles(trace, ax=ax),
            width_in=8.6,
            height_in=height,
            alt=f"Roles of {alt}",
        )
    return ""


def cluster_html(cluster: Cluster) -> str:
    """The ring of a cluster.

    Returns:
        An HTML image; empty when there are too many nodes for one.
    """
    if cluster.actors > _MOST_ON_RING:
        return ""
    return image_html(
        lambda ax: plot_cluster(cluster, ax=ax), width_in=4.6, height_in=4.45, alt=f"{cluster!r}"
    )

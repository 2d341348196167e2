"""Pictures of runs, clusters and distributions, made with matplotlib.

Every function takes the axes to draw on (or makes new ones) and returns them; nothing is shown and
no global setting of matplotlib is changed. Roles have the same colours, shapes and hatches
everywhere; see `electionlab.plot.style`.
"""

from electionlab.plot.animation import animation_svg
from electionlab.plot.distributions import plot_ecdf
from electionlab.plot.notebook import cluster_html, trace_html
from electionlab.plot.ring import plot_cluster
from electionlab.plot.roles import plot_roles
from electionlab.plot.space_time import plot_space_time
from electionlab.plot.state_graph import plot_state_graph
from electionlab.plot.vector import svg

__all__ = [
    "animation_svg",
    "cluster_html",
    "plot_cluster",
    "plot_ecdf",
    "plot_roles",
    "plot_space_time",
    "plot_state_graph",
    "svg",
    "trace_html",
]

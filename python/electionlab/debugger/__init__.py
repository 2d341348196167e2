"""The debugger: a run to step through, break and take back, in a notebook or as one HTML file.

`electionlab.Cluster.debug` shows it as a Jupyter widget that drives the cluster itself;
`electionlab.Trace.to_html` writes the same page over a recorded run, to look at without Python.
"""

from electionlab.debugger.page import html_of, write_html
from electionlab.debugger.session import Session
from electionlab.debugger.widget import show

__all__ = ["Session", "html_of", "show", "write_html"]

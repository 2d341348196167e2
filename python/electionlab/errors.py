"""What electionlab raises besides ValueError."""

from __future__ import annotations


class TraceError(ValueError):
    """A trace file is truncated, altered, foreign or of an unknown version."""

"""Leases, locks and coordination services."""

from __future__ import annotations

from electionlab.museum._exhibit import Exhibit

EXHIBITS: tuple[Exhibit, ...] = ()

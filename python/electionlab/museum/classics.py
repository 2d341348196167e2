"""Bully, rings, Paxos, and mistakes of textbooks."""

from __future__ import annotations

from electionlab.museum._exhibit import Exhibit

EXHIBITS: tuple[Exhibit, ...] = ()

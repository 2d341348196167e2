"""How long each exhibit of the museum takes to be found, and to be ruled out without its flag.

    python bench/museum.py [NAME ...]

Needs electionlab installed. Nothing here is a test.
"""

from __future__ import annotations

import sys
import time

from electionlab import museum


def seconds(exhibit: museum.Exhibit, *, broken: bool) -> float:
    """What a check of one of its protocols takes."""
    start = time.perf_counter()
    exhibit.check(exhibit.broken if broken else exhibit.repaired)
    return time.perf_counter() - start


def main() -> None:
    """One line for each exhibit, and the slowest of group A."""
    print(f"{'exhibit':<30} {'group':<8} {'found, s':>10} {'ruled out, s':>13}")
    slowest = 0.0
    for name in sys.argv[1:] or museum.names():
        exhibit = museum.EXHIBITS[name]
        found, ruled_out = seconds(exhibit, broken=True), seconds(exhibit, broken=False)
        print(f"{name:<30} {exhibit.group:<8} {found:>10.2f} {ruled_out:>13.2f}")
        if exhibit.group == "A":
            slowest = max(slowest, found)
    print(f"the slowest of group A is found in {slowest:.2f} s; the goal is below 5 s")


if __name__ == "__main__":
    main()

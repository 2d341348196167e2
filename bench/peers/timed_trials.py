"""What the peers in Python share: their command line, their clock, and their line of output."""

from __future__ import annotations

import random
import sys
import time
from array import array
from collections.abc import Callable


def run(trial: Callable[[random.Random, float], float], trials: int) -> None:
    """Runs the trials and says how long they took: [TRIALS [DELAY_MS [SEED [FILE]]]].

    Args:
        trial: Makes one election: random source, delay of a message in ms; gives its time in ms.
        trials: How many there are where the command line does not say.
    """
    given = sys.argv[1:]
    count = int(given[0]) if given else trials
    delay = float(given[1]) if len(given) > 1 else 5.0
    draw = random.Random(int(given[2]) if len(given) > 2 else 1)
    start = time.perf_counter()
    times = array("d", (trial(draw, delay) for _ in range(count)))
    took = time.perf_counter() - start
    print(f"elections {count} seconds {took:.9f} mean_ms {sum(times) / count:.4f}")
    if len(given) > 3:
        with open(given[3], "wb") as file:
            times.tofile(file)

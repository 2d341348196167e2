"""The checker against two peers: Stateright, and a search packed by hand for one model.

    python bench/peers/run.py [--rounds 5] [--terms 2]

Builds bench/checker.cpp, bench/peers/packed.cpp (CMake) and bench/peers/stateright (cargo),
all into build/, and runs them by turns, one process at a time, on the reference model with three
nodes. Figures are medians with their range: machines swing, so only ratios within one run count.
Processor seconds are given beside seconds, because other programs disturb them less.
Nothing here is a test, but wrong counts of states end it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
STATES = {
    ("base", 1): 1111,
    ("loss", 1): 1396,
    ("dup", 1): 197,
    ("restart", 1): 5138,
    ("amnesia", 1): 8798,
    ("base", 2): 3365561,
}
SHORTEST = 7  # steps to two leaders of one term, with amnesia

Result = dict[str, float]


def build() -> dict[str, Path]:
    """All three programs, optimised; their paths."""
    folder = BUILD / "bench"
    options = ["-DELECTIONLAB_BENCH=ON", "-DCMAKE_BUILD_TYPE=Release"]
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", folder, *options], check=True, stdout=subprocess.DEVNULL
    )
    targets = ["--target", "checker", "packed"]
    subprocess.run(
        ["cmake", "--build", folder, "-j2", *targets], check=True, stdout=subprocess.DEVNULL
    )
    crate = Path(__file__).parent / "stateright" / "Cargo.toml"
    target = BUILD / "stateright"
    subprocess.run(
        ["cargo", "build", "--release", "--quiet", "--manifest-path", crate],
        check=True,
        env={**os.environ, "CARGO_TARGET_DIR": str(target)},
    )
    return {
        "checker": next(p for p in folder.rglob("checker") if p.is_file()),
        "packed": next(p for p in folder.rglob("packed") if p.is_file()),
        "stateright": target / "release" / "reference-model",
    }


def run(program: Path, *arguments: object) -> Result:
    """What a program printed: names and numbers by turns."""
    words = subprocess.run(
        [program, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    return {name: float(number) for name, number in zip(words[::2], words[1::2], strict=True)}


def expect(what: str, found: float, wanted: float) -> None:
    """Ends the program when two counts differ."""
    if found != wanted:
        raise SystemExit(f"{what}: {found:.0f}, not {wanted:.0f}")


def counts(programs: dict[str, Path]) -> None:
    """Whether all programs agree on the small variants, to the last state."""
    for (variant, terms), states in STATES.items():
        if terms == 1:
            ours = run(programs["checker"], terms, 1, variant)
            theirs = run(programs["stateright"], variant, terms, 1, "open")
            expect(f"{variant}, the checker", ours["states"], states)
            expect(f"{variant}, Stateright", theirs["states"], states)
    expect("base, packed", run(programs["packed"], 1)["states"], STATES["base", 1])
    print("T = 1: all counts of states are equal\n")


def figure(what: str, values: list[float], goal: str = "") -> None:
    """A line with the median, the range, and what is wanted."""
    low, mid, high = min(values), statistics.median(values), max(values)
    digits = 0 if mid >= 1000 else 2
    line = f"{what:<52} {mid:>11,.{digits}f}  ({low:,.{digits}f} to {high:,.{digits}f})"
    print(f"{line}  goal: {goal}" if goal else line)


def speed(programs: dict[str, Path], terms: int, rounds: int) -> None:
    """Rates, ratios and bytes."""
    commands: dict[str, tuple[object, ...]] = {
        "packed by hand": (programs["packed"], terms),
        "checker": (programs["checker"], terms, 1),
        "checker, two threads": (programs["checker"], terms, 2),
        "checker, symmetry": (programs["checker"], terms, 1, "base", "symmetry"),
        "Stateright": (programs["stateright"], "base", terms, 1),
        "Stateright, two threads": (programs["stateright"], "base", terms, 2),
    }
    results: dict[str, list[Result]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (program, *arguments) in commands.items():
            result = run(Path(str(program)), *arguments)
            if "symmetry" not in name and ("base", terms) in STATES:
                expect(name, result["states"], STATES["base", terms])
            results[name].append(result)

    print(f"T = {terms}, {rounds} rounds by turns")
    for name, found in results.items():
        figure(f"{name}: states a second", [r["states"] / r["seconds"] for r in found])
    for name, found in results.items():
        goal = "at most 40" if name == "checker" else ""
        figure(f"{name}: peak bytes a state", [r["peak_bytes"] / r["states"] for r in found], goal)

    def ratios(name: str, other: str, what: str) -> list[float]:
        pairs = zip(results[name], results[other], strict=True)
        return [theirs[what] / ours[what] for ours, theirs in pairs]

    print("\nratios of rates, round by round; in brackets the range")
    for title, name, other, goal in (
        ("checker / Stateright", "checker", "Stateright", "4"),
        ("checker / packed by hand", "checker", "packed by hand", "0.7"),
        ("two threads / one", "checker, two threads", "checker", "1.6"),
        ("Stateright, two threads / one", "Stateright, two threads", "Stateright", ""),
        ("symmetry: time divided by", "checker, symmetry", "checker", "3"),
    ):
        figure(title, ratios(name, other, "seconds"), goal)
        if "threads" not in title:
            figure("  in processor seconds", ratios(name, other, "cpu_seconds"))
    figure(
        "symmetry: states divided by", ratios("checker, symmetry", "checker", "states"), "nearly 6"
    )


def shortest(programs: dict[str, Path]) -> None:
    """How many steps each needs to show two leaders of one term, with amnesia, T = 1."""
    ours = run(programs["checker"], 1, 1, "amnesia")["steps"]
    expect("the checker's shortest counterexample", ours, SHORTEST)
    alone = run(programs["stateright"], "amnesia", 1, 1)["steps"]
    still_open = run(programs["stateright"], "amnesia", 1, 1, "open")["steps"]
    print(f"\nsteps to two leaders of one term: checker {ours:.0f}, Stateright {alone:.0f},")
    print(f"Stateright while another property is open {still_open:.0f}")


def main() -> None:
    """Everything, in one go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured: 5")
    parser.add_argument("--terms", type=int, default=2, choices=[1, 2], help="highest term: 2")
    arguments = parser.parse_args()
    programs = build()
    counts(programs)
    speed(programs, arguments.terms, arguments.rounds)
    shortest(programs)


if __name__ == "__main__":
    main()

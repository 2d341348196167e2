"""What the benchmarks share: building programs, running them, and lines with medians and ranges."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import electionlab as el

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench"
FLAGS = ["-std=c++20", "-O3", "-DNDEBUG", "-ffp-contract=off"]  # those of a Release build


class Missing(Exception):
    """A tool that is not here; the message says which, and what would bring it."""


def tool(name: str, brings: str) -> str:
    """The path of a program that must be on the PATH."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not on the PATH ({brings})")
    return found


def compiler() -> str:
    """The C++ compiler: CXX, or the first of the usual names."""
    for name in (os.environ.get("CXX", ""), "c++", "g++", "clang++"):
        if name and (found := shutil.which(name)):
            return found
    raise Missing("a C++ compiler is not on the PATH (set CXX)")


def _run(command: Sequence[str | Path], where: Path | None = None) -> None:
    result = subprocess.run(command, cwd=where, capture_output=True, text=True)
    if result.returncode:
        raise Missing(f"{command[0]} failed: {(result.stderr or result.stdout).strip()[-400:]}")


def is_newer(made: Path, *sources: Path) -> bool:
    """Whether a file is there and newer than what it is made from."""
    return made.exists() and all(made.stat().st_mtime > s.stat().st_mtime for s in sources)


def compile_alone(source: str, *flags: str, name: str = "") -> Path:
    """A program of one file that does not need the engine."""
    path = ROOT / "bench" / source
    made = BUILD / (name or path.stem)
    if not is_newer(made, path):
        BUILD.mkdir(parents=True, exist_ok=True)
        _run([compiler(), *FLAGS, *flags, path, "-o", made])
    return made


def compile_engine(name: str, library: Path | None) -> Path:
    """A program that uses the engine: by CMake, or against a library that is already built."""
    source = ROOT / "bench" / f"{name}.cpp"
    if library is not None:
        made = BUILD / name
        if not is_newer(made, source, library):
            BUILD.mkdir(parents=True, exist_ok=True)
            includes = [f"-I{ROOT / folder}" for folder in ("cpp", "tests/cpp")]
            _run([compiler(), *FLAGS, *includes, source, library, "-lpthread", "-o", made])
        return made
    cmake = tool("cmake", "pip install cmake")
    folder = BUILD / "cmake"
    _run(
        [cmake, "-S", ROOT, "-B", folder, "-DELECTIONLAB_BENCH=ON", "-DCMAKE_BUILD_TYPE=Release"],
    )
    _run([cmake, "--build", folder, "-j2", "--target", name])
    return next(p for p in folder.rglob(name) if p.is_file())


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def figure(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    low, mid, high = min(values), statistics.median(values), max(values)
    return f"{mid:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def show(
    what: str, values: Sequence[float], unit: str = "", goal: str = "", digits: int = 2
) -> None:
    """A line: what, median, range, unit and goal."""
    end = f"   goal: {goal}" if goal else ""
    print(f"{what:<58} {figure(values, digits)} {unit}{end}".rstrip(), flush=True)


def header(what: str) -> None:
    """A title."""
    print(f"\n== {what}", flush=True)


def surroundings() -> None:
    """The machine, its load and the versions, without which no figure means anything."""
    model = "unknown processor"
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else ()
    ):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = " ".join(f"{x:.1f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    try:
        cxx = subprocess.run([compiler(), "--version"], capture_output=True, text=True).stdout
    except Missing as missing:
        cxx = str(missing)
    print(
        f"electionlab {el.__version__}, Python {platform.python_version()}, {cxx.splitlines()[0]}"
    )
    print(f"{os.cpu_count()} x {model}; load averages now: {load}", flush=True)

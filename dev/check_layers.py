#!/usr/bin/env python3
"""Checks who includes whom, in C++ and in Python, and prints every breach as file:line: rule.

The two tables below are the rule; docs and reviews refer to them. Run without arguments it checks
the checkout it stands in; with one argument it checks that tree.
"""

from __future__ import annotations

import ast
import os
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Room under cpp/electionlab -> the other rooms it may include. Protocols and sim are strangers.
CPP_ROOMS: dict[str, set[str]] = {
    "core": set(),
    "node": {"core"},
    "detectors": {"core", "node"},
    "services": {"core", "node"},
    "protocols": {"core", "node", "detectors", "services"},
    "sim": {"core", "node"},
    "check": {"core", "node", "sim"},
    "sweep": {"core", "node", "sim"},
    "catalog": {
        "core", "node", "detectors", "services", "protocols", "sim", "check", "sweep",
    },
}  # fmt: skip

# Rooms of python/electionlab, lowest first, with their modules; a folder counts as one. A module
# may import its own room and those that come earlier in this table.
PYTHON_ROOMS: dict[str, set[str]] = {
    "core": {"_core"},
    "low": {
        "_interrupts", "_intervals", "_journal", "_progress", "_quorums", "_threads", "_values",
        "errors",
    },
    "protocols": {"_presets", "outcomes", "protocols", "settings", "user_protocol"},
    "cluster": {"_acknowledged", "cluster", "interventions", "scenario", "trace"},
    "check": {"_checked_runs", "check_matrix", "checker", "shrinking", "state_graphs"},
    "museum": {"museum"},
    "sweep": {
        "_comparable", "_costs", "_experiments", "_faults", "_figures", "_once", "_requirements",
        "comparison", "detectors", "fig16", "published", "gallery",
        "_python_trials", "_sweep_chunks", "_sweep_estimates", "_sweep_points", "formulas",
        "samplers", "scenarios", "sweep", "sweep_result", "sweeps",
    },
    "real": {"real"},
    "plot": {"plot"},
    "debugger": {"debugger"},
    "notebook": {"notebook"},
    "classroom": {"_goals", "exercises", "grading"},
    "front": {"__init__"},
    "cli": {
        "__main__", "_cli_arguments", "_cli_calibrate", "_cli_check", "_cli_grade", "_cli_output",
        "_cli_sweep",
        "cli", "demo", "story",
    },
}  # fmt: skip

# Library -> the only module that may import it, wherever in a file the import stands.
PYTHON_LIBRARIES: dict[str, str] = {"anywidget": "debugger", "matplotlib": "plot"}

# C++ folders that are searched besides cpp/, if they exist.
CPP_USERS = ("tests/cpp", "bench")

_CPP_SUFFIXES = {".h", ".hpp", ".hh", ".inl", ".ipp", ".inc", ".c", ".cc", ".cpp", ".cxx"}
# Literals come first, so that a comment sign inside one is not taken for a comment.
_CPP_TOKEN = re.compile(
    r"""R"([^()\\\s]{0,16})\(.*?\)\1" | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
        | //[^\n]* | /\*.*?(?:\*/|\Z)""",
    re.DOTALL | re.VERBOSE,
)
_INCLUDE = re.compile(r"^[ \t]*\#[ \t]*(?:include|include_next|import)\b[ \t]*(.*)$", re.MULTILINE)


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    breaches = check(root)
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


def check(root: Path) -> list[str]:
    """Returns every breach in the tree at `root`, sorted by file."""
    return [*_check_cpp(root), *_check_python(root)]


# --- C++ ------------------------------------------------------------------------------------------


def _check_cpp(root: Path) -> Iterator[str]:
    if not (root / "cpp/electionlab").is_dir():
        yield f"{root}: there is no cpp/electionlab here"
    for folder in ("cpp", *CPP_USERS):
        for path in _files(root / folder, _CPP_SUFFIXES):
            name = path.relative_to(root).as_posix()
            own = _cpp_room(name)
            if name.startswith("cpp/") and own != "bindings" and own not in CPP_ROOMS:
                yield f"{name}:1: {_no_cpp_room(own)}"
                continue
            for line, included in _includes(path.read_text(encoding="utf-8")):
                rule = _cpp_rule(name, own, included)
                if rule:
                    yield f"{name}:{line}: {rule}"


def _cpp_room(name: str) -> str:
    """The room of a file, by its path from the root; "bindings" and "" for neither."""
    parts = name.split("/")
    # bench/call is the minimal binding that ours are measured beside.
    if parts[:2] in (["cpp", "bindings"], ["bench", "call"]):
        return "bindings"
    if parts[:2] == ["cpp", "electionlab"] and len(parts) > 3:
        return parts[2]
    return ""


def _no_cpp_room(room: str) -> str:
    where = f"room {room} is" if room else "this file is in a room that is"
    return f"{where} not in the table CPP_ROOMS of dev/check_layers.py: add it, or move the file"


def _includes(text: str) -> Iterator[tuple[int, str]]:
    """Line and argument, as written, of each include that is not inside a comment or a literal."""

    def blank(match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        # A raw string may hold lines that look like includes.
        return token if "\n" not in token else re.sub(r"[^\n]", " ", token)

    text = _CPP_TOKEN.sub(blank, text)
    for match in _INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1].strip()


def _cpp_rule(name: str, own: str, included: str) -> str | None:
    """The rule that an include in file `name` of room `own` breaks, if any."""
    named = re.match(r'"([^"]+)"|<([^>]+)>', included)
    if not named:
        return f"an include must name its file, so that it can be checked: #include {included}"
    target = named[1] or named[2]
    parts = target.split("/")
    if own != "bindings":
        # bench/call/ is a module of its own, which the calls of ours are measured against.
        is_peer = name.startswith("bench/call/")
        if not is_peer and (parts[0] == "pybind11" or parts[-1] == "Python.h"):
            return f"only cpp/bindings includes {target}"
        here = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if parts[0] == "bindings" or here.startswith("cpp/bindings/"):
            return f"nothing includes the bindings ({target})"
    if not name.startswith("cpp/"):
        return None

    is_engine = "electionlab" in parts
    is_relative = own != "bindings" and (".." in parts or named[1] is not None)
    if (is_engine or is_relative) and (parts[0] != "electionlab" or ".." in parts):
        return f'{target}: an include of the engine is written "electionlab/<room>/<file>.h"'
    if not is_engine:
        return None
    room = _cpp_room("cpp/" + target)
    if room not in CPP_ROOMS:
        return f"{target}: {_no_cpp_room(room)}"
    if own == "bindings" or room == own or room in CPP_ROOMS[own]:
        return None
    allowed = ", ".join(sorted(CPP_ROOMS[own])) or "no other room"
    return f"{own} may not include {room} ({target}); it may include {allowed}"


# --- Python ---------------------------------------------------------------------------------------


def _check_python(root: Path) -> Iterator[str]:
    package = root / "python/electionlab"
    if not package.is_dir():
        yield f"{root}: there is no python/electionlab here"
    order = {module: level for level, room in enumerate(PYTHON_ROOMS.values()) for module in room}
    rooms = {module: name for name, room in PYTHON_ROOMS.items() for module in room}
    unknown = set()
    for path in _files(package, {".py"}):
        name = path.relative_to(root).as_posix()
        parts = path.relative_to(package).with_suffix("").parts
        own = parts[0]
        if own not in order:
            if own not in unknown:
                yield f"{name}:1: module {own} has no room: add it to dev/check_layers.py"
            unknown.add(own)
            continue
        for line, target, deferred, typing_only in _imports(path, ("electionlab", *parts)):
            library = target.split(".")[0]
            home = PYTHON_LIBRARIES.get(library)
            if home and own != home and not typing_only:
                yield f"{name}:{line}: {library} is imported only under electionlab/{home}"
            # An upper room may be used when a function runs, or to name a type.
            if library != "electionlab" or deferred or typing_only:
                continue
            module = _module(package, target)
            if module not in order:
                yield f"{name}:{line}: module {module} has no room: add it to dev/check_layers.py"
            elif order[module] > order[own]:
                yield (
                    f"{name}:{line}: {own} (room {rooms[own]}) may not import {module}"
                    f" (room {rooms[module]}), which lies above it"
                )


def _module(package: Path, target: str) -> str:
    """The module of the package that holds the dotted name; "__init__" for a name of its front."""
    first = target.split(".")[1] if "." in target else "__init__"
    is_module = (
        (package / first).is_dir()
        or any((package / f"{first}{suffix}").exists() for suffix in (".py", ".pyi"))
        or any(first in room for room in PYTHON_ROOMS.values())
    )
    return first if is_module else "__init__"


def _imports(path: Path, module: tuple[str, ...]) -> Iterator[tuple[int, str, bool, bool]]:
    """Line, absolute dotted name, inside a function?, under TYPE_CHECKING? of each import."""
    package = module[:-1]

    def walk(
        node: ast.AST, deferred: bool, typing_only: bool
    ) -> Iterator[tuple[int, str, bool, bool]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, deferred, typing_only
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = [*base, *((node.module or "").split(".") if node.module else ())]
            for alias in node.names:
                yield node.lineno, ".".join([*start, alias.name]), deferred, typing_only
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).split(".")[-1]
            if called in ("import_module", "__import__") and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield node.lineno, name.value, deferred, typing_only
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING":
            for statement in node.body:
                yield from walk(statement, inside, True)
            for statement in node.orelse:
                yield from walk(statement, inside, typing_only)
            return
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside, typing_only)

    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    yield from walk(tree, False, False)


def _files(folder: Path, suffixes: set[str]) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in ("__pycache__", ".git"))
        for name in sorted(names):
            if Path(name).suffix in suffixes:
                yield Path(base, name)


if __name__ == "__main__":
    sys.exit(main())

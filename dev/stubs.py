#!/usr/bin/env python3
"""Writes the type stubs from the installed package, so that they cannot drift from the engine.

python/electionlab/_core.pyi comes from pybind11-stubgen, corrected where mypy would refuse it;
python/electionlab/protocols.pyi from `electionlab.protocols.stub_text()`, if there is one.
With --check nothing is written: the differences are printed, and the exit status is 1 if there are
any.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import enum
import importlib
import inspect
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("python/electionlab")
HEADER = "# Written by dev/stubs.py from the compiled engine: change the bindings, not this file.\n"

# What the engine declares without arguments, as mypy --strict wants it.
GENERIC = {
    "dict": "dict[str, typing.Any]",
    "frozenset": "frozenset[typing.Any]",
    "list": "list[typing.Any]",
    "set": "set[typing.Any]",
    "tuple": "tuple[typing.Any, ...]",
    "collections.abc.Callable": "collections.abc.Callable[..., typing.Any]",
    "collections.abc.Iterable": "collections.abc.Iterable[typing.Any]",
    "collections.abc.Iterator": "collections.abc.Iterator[typing.Any]",
    "collections.abc.Sequence": "collections.abc.Sequence[typing.Any]",
    "numpy.ndarray": "numpy.typing.NDArray[typing.Any]",
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the type stubs of the compiled engine.")
    parser.add_argument("--check", action="store_true", help="compare only; 1 if they differ")
    options = parser.parse_args()
    differs = False
    for name, text in stubs().items():
        path = ROOT / name
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if kept == text:
            continue
        differs = True
        if options.check:
            lines = (kept.splitlines(keepends=True), text.splitlines(keepends=True))
            sys.stdout.writelines(difflib.unified_diff(*lines, f"{name}, kept", f"{name}, now"))
            print(f"{name} is out of date: run dev/stubs.py with the installed package and commit")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{name} is written")
    return 1 if options.check and differs else 0


def stubs() -> dict[str, str]:
    """The text of every stub, by its path in the checkout."""
    core = importlib.import_module("electionlab._core")
    texts = {f"{PACKAGE}/_core.pyi": HEADER + correct(generate(core), core)}
    try:
        protocols = importlib.import_module("electionlab.protocols")
    except ModuleNotFoundError as error:
        if error.name != "electionlab.protocols":
            raise
        return texts
    if hasattr(protocols, "stub_text"):
        is_folder = hasattr(protocols, "__path__")
        name = "protocols/__init__.pyi" if is_folder else "protocols.pyi"
        texts[f"{PACKAGE}/{name}"] = protocols.stub_text()
    return texts


def generate(module: ModuleType) -> str:
    """What pybind11-stubgen makes of the module."""
    # Lets defaults such as Role.LEADER be written out.
    enums = [
        f"--enum-class-locations=^{found.__name__}$:{prefix}" for prefix, found in _enums(module)
    ]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pybind11_stubgen", module.__name__, "-o", folder, *enums]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SystemExit(f"pybind11-stubgen failed:\n{result.stdout}{result.stderr}")
        stem = Path(folder, *module.__name__.split("."))
        for path in (stem.with_suffix(".pyi"), stem / "__init__.pyi"):
            if path.exists():
                return path.read_text(encoding="utf-8")
    raise SystemExit(f"pybind11-stubgen wrote no stub for {module.__name__}")


def _enums(scope: object, prefix: str = "") -> Iterator[tuple[str, type[enum.Enum]]]:
    """Every enum in a module or class and the dotted name it is found under."""
    prefix = prefix or getattr(scope, "__name__", "")
    for name, value in vars(scope).items():
        if inspect.isclass(value) and value.__name__ == name and value is not scope:
            if issubclass(value, enum.Enum):
                yield prefix, value
            elif value.__module__ == getattr(scope, "__module__", prefix):
                yield from _enums(value, f"{prefix}.{name}")


def correct(text: str, module: ModuleType) -> str:
    """The stub with enum members that have values, and no untyped or half-typed signature."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    tree = ast.parse(text)
    lines = [0]
    for line in text.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    edits: list[tuple[int, int, str]] = []

    def replace(node: ast.expr | ast.stmt | ast.arg, new: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = lines[node.lineno - 1] + node.col_offset
        edits.append((start, lines[node.end_lineno - 1] + node.end_col_offset, new))

    def drop(node: ast.FunctionDef) -> None:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        assert node.end_lineno is not None
        edits.append((lines[first - 1], lines[node.end_lineno], ""))

    def annotation(node: ast.AST) -> None:
        """Gives bare generic types their arguments."""
        if isinstance(node, ast.Subscript):
            annotation(node.slice)
        elif isinstance(node, ast.Name | ast.Attribute):
            generic = GENERIC.get(ast.unparse(node))
            if generic:
                replace(node, generic)
        else:
            for child in ast.iter_child_nodes(node):
                annotation(child)

    def function(node: ast.FunctionDef, method: bool) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        bound = method and not any(
            ast.unparse(decorator) == "staticmethod" for decorator in node.decorator_list
        )
        for argument in arguments[1:] if bound else arguments:
            if argument.annotation is None:
                replace(argument, f"{argument.arg}: typing.Any")
            elif bound and node.name in ("__eq__", "__ne__"):
                replace(argument.annotation, "object")
            else:
                annotation(argument.annotation)
        for rest in (node.args.vararg, node.args.kwarg):
            if rest is not None and rest.annotation is None:
                replace(rest, f"{rest.arg}: typing.Any")
            elif rest is not None and rest.annotation is not None:
                annotation(rest.annotation)
        if node.returns is not None:
            annotation(node.returns)

    def members(node: ast.ClassDef, found: type[enum.Enum]) -> None:
        fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
        names = {ast.unparse(field.target) for field in fields}
        # The generator sorts by name; the engine's own order says more.
        ordered = [item for name, item in found.__members__.items() if name in names]
        for field, item in zip(fields, ordered, strict=True):
            replace(field, f"{item.name} = {item.value!r}")
        for inherited in node.body:
            if isinstance(inherited, ast.FunctionDef) and inherited.returns is None:
                drop(inherited)

    def scope(body: list[ast.stmt], owner: object) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                found = getattr(owner, node.name, None)
                if inspect.isclass(found) and issubclass(found, enum.Enum):
                    members(node, found)
                else:
                    scope(node.body, found)
            elif isinstance(node, ast.FunctionDef) and node.name == "__new__":
                drop(node)  # it only says that there is no constructor
            elif isinstance(node, ast.FunctionDef):
                function(node, method=inspect.isclass(owner))
            elif isinstance(node, ast.AnnAssign):
                if ast.unparse(node.target) == "__hash__":
                    # pybind11 makes a class with == unhashable; object says otherwise.
                    replace(node, "__hash__: typing.ClassVar[None]  # type: ignore[assignment]")
                else:
                    annotation(node.annotation)

    scope(tree.body, module)
    data = text.encode()
    for start, end, new in sorted(edits, reverse=True):
        data = data[:start] + new.encode() + data[end:]
    result = data.decode()
    for needed in ("typing", "numpy.typing"):
        if f"{needed}." in result and not re.search(rf"^import {needed}$", result, re.MULTILINE):
            future = "from __future__ import annotations\n"
            result = result.replace(future, f"{future}import {needed}\n", 1)
    return result


if __name__ == "__main__":
    sys.exit(main())

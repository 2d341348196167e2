"""The rule of who includes whom, and that the script which checks it notices a breach."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "dev/check_layers.py"), str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree that keeps the rules."""
    plant(tmp_path, "cpp/electionlab/core/ids.h", "#include <vector>\n")
    plant(tmp_path, "cpp/electionlab/node/effects.h", '#include "electionlab/core/ids.h"\n')
    plant(
        tmp_path,
        "cpp/electionlab/catalog/catalog.cpp",
        '#include "electionlab/protocols/raft.h"\n#include "electionlab/sim/cluster.h"\n',
    )
    plant(
        tmp_path,
        "cpp/bindings/module.cpp",
        '#include <pybind11/stl.h>\n#include "casters.h"\n#include "electionlab/sim/trace.h"\n',
    )
    plant(tmp_path, "python/electionlab/__init__.py", "from electionlab.cluster import Cluster\n")
    plant(
        tmp_path,
        "python/electionlab/cluster.py",
        "from typing import TYPE_CHECKING\n"
        "from . import _core, errors\n"
        "if TYPE_CHECKING:\n"
        "    from matplotlib.axes import Axes\n"
        "def plot():\n"
        "    from electionlab.plot import draw\n",
    )
    plant(tmp_path, "python/electionlab/errors.py", "")
    plant(tmp_path, "python/electionlab/plot/__init__.py", "from .axes import draw\n")
    plant(
        tmp_path,
        "python/electionlab/plot/axes.py",
        "import matplotlib.pyplot as plt\nfrom ..cluster import Cluster\n",
    )
    return tmp_path


def plant(tree: Path, name: str, text: str) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_project_keeps_the_layers() -> None:
    result = check(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_tree_that_keeps_the_rules_passes(tree: Path) -> None:
    result = check(tree)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("name", "text", "where", "rule"),
    [
        ("core/x.h", '#include "electionlab/node/y.h"', 1, "core may not include node"),
        ("protocols/raft.h", '\n#include "electionlab/sim/y.h"', 2, "may not include sim"),
        ("sim/x.h", "#include <electionlab/protocols/y.h>", 1, "sim may not include protocols"),
        ("sim/x.h", '#include "electionlab/services/y.h"', 1, "sim may not include services"),
        ("sweep/x.cpp", '#include "electionlab/check/y.h"', 1, "sweep may not include check"),
        ("check/x.cpp", '/*\n*/ #include "electionlab/sweep/y.h"', 2, "may not include sweep"),
        ("sweep/x.h", '# include "electionlab/catalog/y.h"', 1, "sweep may not include catalog"),
        ("detectors/x.h", '#include "electionlab/services/y.h"', 1, "detectors may not include"),
        ("core/x.h", '#include "../node/y.h"', 1, "an include of the engine is written"),
        ("core/x.h", '#include "../electionlab/node/y.h"', 1, "is written"),
        ("core/x.h", '#include "electionlab/core/../node/y.h"', 1, "is written"),
        ("core/x.h", "#include HEADER", 1, "an include must name its file"),
        ("catalog/x.cpp", "#include <pybind11/stl.h>", 1, "only cpp/bindings includes pybind11"),
        ("core/x.h", "#include <Python.h>", 1, "only cpp/bindings includes Python.h"),
        ("core/x.h", '#include "../../bindings/casters.h"', 1, "nothing includes the bindings"),
        ("core/x.h", '#include "electionlab/attic/y.h"', 1, "room attic is not in the table"),
        ("attic/x.h", "", 1, "room attic is not in the table"),
        ("x.h", "", 1, "in a room that is not in the table"),
    ],
)
def test_wrong_include_is_reported(tree: Path, name: str, text: str, where: int, rule: str) -> None:
    plant(tree, f"cpp/electionlab/{name}", text + "\n")
    result = check(tree)
    assert result.returncode == 1
    assert f"cpp/electionlab/{name}:{where}: " in result.stdout
    assert rule in result.stdout
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize("name", ["tests/cpp/x_test.cpp", "bench/x.cpp"])
def test_tests_and_benchmarks_see_no_python(tree: Path, name: str) -> None:
    plant(tree, name, '#include "catch_shim.h"\n#include <pybind11/embed.h>\n')
    result = check(tree)
    assert result.returncode == 1
    assert f"{name}:2: only cpp/bindings includes pybind11/embed.h" in result.stdout


@pytest.mark.parametrize(
    "text",
    [
        '// #include "electionlab/sim/y.h"',
        '/* #include "electionlab/sim/y.h" */',
        '/*\n#include "electionlab/sim/y.h"\n*/',
        'const char* sample = R"(\n#include "electionlab/sim/y.h"\n)";',
    ],
)
def test_include_in_a_comment_or_text_is_none(tree: Path, text: str) -> None:
    plant(tree, "cpp/electionlab/core/x.h", text + "\n")
    assert check(tree).returncode == 0


def test_comment_sign_in_a_text_hides_nothing(tree: Path) -> None:
    text = 'const char* sample = "/*";\n#include "electionlab/sim/y.h"\n'
    plant(tree, "cpp/electionlab/core/x.h", text)
    assert "cpp/electionlab/core/x.h:2: core may not include sim" in check(tree).stdout


@pytest.mark.parametrize(
    ("name", "text", "where", "rule"),
    [
        ("errors.py", "import electionlab.cluster", 1, "errors (room low) may not import cluster"),
        ("errors.py", "\nfrom . import plot", 2, "errors (room low) may not import plot"),
        ("sweep.py", "from .cli import main", 1, "sweep (room sweep) may not import cli"),
        ("sweep.py", "try:\n    from . import plot\nfinally:\n    pass", 2, "import plot"),
        ("sweep.py", "from electionlab import Cluster", 1, "may not import __init__"),
        ("plot/deep/x.py", "from ...cli import main", 1, "plot (room plot) may not import cli"),
        ("sweep.py", "import matplotlib.pyplot as plt", 1, "only under electionlab/plot"),
        ("sweep.py", "def f():\n    import matplotlib", 2, "only under electionlab/plot"),
        ("sweep.py", "import importlib\nimportlib.import_module('matplotlib')", 2, "only under"),
        ("attic.py", "", 1, "module attic has no room: add it"),
        ("attic/__init__.py", "", 1, "module attic has no room: add it"),
    ],
)
def test_wrong_import_is_reported(tree: Path, name: str, text: str, where: int, rule: str) -> None:
    plant(tree, f"python/electionlab/{name}", text + "\n")
    result = check(tree)
    assert result.returncode == 1
    assert f"python/electionlab/{name}:{where}: " in result.stdout
    assert rule in result.stdout
    assert len(result.stdout.splitlines()) == 1


def test_empty_tree_is_no_pass(tmp_path: Path) -> None:
    result = check(tmp_path)
    assert result.returncode == 1
    assert "there is no cpp/electionlab here" in result.stdout
    assert "there is no python/electionlab here" in result.stdout

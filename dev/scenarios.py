"""Runs every scenario under tests/scenarios and compares its output; --rewrite replaces it."""

from __future__ import annotations

import sys
from pathlib import Path

from electionlab import _core

ROOT = Path(__file__).resolve().parents[1] / "tests" / "scenarios"


def main() -> int:
    differing = []
    for path in sorted(ROOT.glob("*/*.scenario")):
        text = path.read_text(encoding="utf-8")
        result = _core.run_scenario(text)
        if result != text:
            differing.append(path.relative_to(ROOT).as_posix())
            if "--rewrite" in sys.argv[1:]:
                path.write_text(result, encoding="utf-8")
    print("\n".join(differing) or "every scenario holds")
    return 1 if differing and "--rewrite" not in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())

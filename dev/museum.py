#!/usr/bin/env python3
"""Writes docs/museum.md, and with --pictures the pictures in it; names after it: only of these."""

from __future__ import annotations

import sys
from pathlib import Path

from electionlab import museum
from electionlab.museum import Exhibit

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/museum.md"
PICTURES = ROOT / "docs/pictures/museum"

INTRODUCTION = """\
# The museum of election bugs

Failures of real systems, and mistakes that are taught. Each is a flag of a protocol, off unless its
name is given: `el.Raft(3, mutations={"double_vote"})`. [The checker](checker.md) finds the shortest
run in which it does harm, and shows that within the same bounds nothing breaks without it. Each
step of such a run can be looked at, drawn and replayed.

```sh
electionlab museum                                 # lists them
electionlab museum double-vote --plot double_vote.png --save double_vote.jsonl
```

```python
import electionlab as el

shown = el.museum.run("double-vote")
print(len(shown.run), shown.broken.violated, shown.repaired.violated)
print(shown.beside())
```

```text
6 True False
The repaired protocol does something else at step 3:
  broken: grants its vote of term 1 to node 2
  repaired: refuses: its vote of term 1 went to node 3
```

`shown.run` is the run; `shown.run.cluster(step=3)` a simulated cluster in it, to go on with by
hand; `shown.beside().cluster()` the cluster of the repaired protocol after the same steps. In the
pictures it stands below.
"""

GROUPS = {
    "A": "Failures of real systems",
    "B": "More failures of real systems",
    "textbook": "Mistakes that are taught",
}


def page() -> str:
    """The text of the page; it is made of the exhibits alone."""
    parts = [INTRODUCTION]
    every = list(museum.EXHIBITS.values())
    rows = ["| exhibit | breaks | steps | source |", "|---|---|---|---|"]
    rows += [
        f"| [{e.name}](#{e.name}) | `{e.invariant}` | {_length(e)} | {_link(e.sources[0])} |"
        for e in every
    ]
    parts.append("\n".join(rows) + "\n")
    for group, title in GROUPS.items():
        parts += [f"## {title}\n"] if any(e.group == group for e in every) else []
        parts += [_section(e) for e in every if e.group == group]
    return "\n".join([*parts, _textbook()])


def _textbook() -> str:
    lines = [
        "## What is taught, and what is right",
        "",
        "Claims that many notes on leader election print, as `el.museum.TEXTBOOK` has them.",
        "",
        "| | as told | what is right | source | see |",
        "|---|---|---|---|---|",
    ]
    for number, mistake in museum.TEXTBOOK.items():
        see = [f"[{name}](#{name})" for name in mistake.exhibits]
        see += [f"[{page.removesuffix('.md').split('/')[-1]}]({page})" for page in mistake.pages]
        lines.append(
            f"| {number} | {mistake.claim} | {mistake.right} | {mistake.source} | "
            f"{', '.join(see) or 'words only'} |"
        )
    return "\n".join(lines) + "\n"


def _length(exhibit: Exhibit) -> str:
    if isinstance(exhibit.length, int):
        return str(exhibit.length)
    prefix, cycle = exhibit.length
    return f"{prefix} + {cycle} for ever" if cycle else f"{prefix}, then nothing"


def _link(source: str) -> str:
    """An address as a link of a few characters; anything else as it is."""
    if not source.startswith("https://"):
        return source
    short = source.removeprefix("https://").rstrip("/")
    for host in ("github.com/", "www.", "issues.apache.org/jira/browse/"):
        short = short.removeprefix(host)
    short = short.replace("/issues/", "#").replace("/pull/", "#")
    return f"[{short}]({source})"


def _section(exhibit: Exhibit) -> str:
    kind = "goal" if exhibit.eventually else "invariant"
    facts = [
        ("flag", f"`{exhibit.flag}` in `{exhibit.broken!r}`"),
        ("repaired", f"`{exhibit.repaired!r}`"),
        (kind, f"`{exhibit.invariant}`"),
        ("shortest run", exhibit.steps),
        ("asked", ", ".join(_asked(exhibit)) or "any order of events, no faults"),
        ("hides", exhibit.hides),
        ("sources", "; ".join(_link(source) for source in exhibit.sources)),
        ("command", f"`electionlab museum {exhibit.name}`"),
    ]
    lines = [
        f'<a id="{exhibit.name}"></a>',
        "",
        f"### {exhibit.title}",
        "",
        exhibit.story,
        "",
        f"![{exhibit.title}: the run, and below it the same steps of the repaired protocol]"
        f"(pictures/museum/{exhibit.name}.png)",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in facts if text),
    ]
    return "\n".join(lines) + "\n"


def _asked(exhibit: Exhibit) -> list[str]:
    """What may happen in the runs, without what is as always."""
    said = []
    for value in (exhibit.faults, exhibit.bounds, exhibit.timing):
        if value is not None:
            fresh = type(value)()
            given = {
                name: getattr(value, name)
                for name in value.__dataclass_fields__
                if getattr(value, name) != getattr(fresh, name)
            }
            said.append(
                f"`{type(value).__name__}({', '.join(f'{n}={v!r}' for n, v in given.items())})`"
            )
    if exhibit.network != "multiset":
        said.append(f"`network={exhibit.network!r}`")
    for command in exhibit.commands:
        said.append(f"`{command['command']}` at node {command['node']}")
    if exhibit.initial_leader is not None:
        said.append(f"node {exhibit.initial_leader} leads at the start")
    return said


def draw(name: str) -> None:
    """Draws the picture of an exhibit, small enough for a page."""
    import matplotlib
    from PIL import Image

    matplotlib.use("Agg")
    from electionlab.plot.files import save

    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    save(museum.run(name).plot()[0], path, dpi=100.0)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(240, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--pictures"]:
        for name in arguments[1:] or museum.names():
            draw(name)
    elif arguments:
        print(f"unknown: {arguments[0]}; there is --pictures [NAME...]", file=sys.stderr)
        return 2
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

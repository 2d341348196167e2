"""The command that judges runs handed in: grade."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from electionlab._cli_output import check_targets, print_json, reports_errors, write_file
from electionlab._goals import GOALS
from electionlab.grading import Grade, Task, grades_frame, tasks
from electionlab.grading import grade as judge

#: What the exit of `grade` says.
GRADE_EXITS = "Exit codes: 0 all passed; 1 some did not; 2 wrong use."


@reports_errors
def grade(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="TRACE...", help="Traces, or folders with traces (*.jsonl)."),
    ] = None,
    task: Annotated[
        str,
        typer.Option(
            "--task", "-t", metavar="NAME|FILE.json", help=f"Which: {', '.join(tasks)}; or a file."
        ),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the table.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the table.")] = False,
) -> None:
    """Judge runs that students hand in: replay each one, and see whether it shows what was asked.

    A trace is replayed by the engine and compared row by row: one that was written or changed by
    hand is refused. Without --task and traces, the tasks and the goals of tasks are listed.

    \b
    Examples:
      electionlab grade
      electionlab grade ann.jsonl --task two_leaders
      electionlab grade handed_in/ --task my_task.json --csv grades.csv
    """  # noqa: D301
    if not paths and not task:
        _list_tasks(as_json)
        return
    if not task:
        raise ValueError(f"--task: must be one of {', '.join(tasks)}, or a JSON file")
    if not paths:
        raise ValueError("TRACE: must be one trace or folder, or more")
    check_targets(csv=csv)
    chosen = Task.load(task) if task.endswith(".json") else tasks[task]
    grades = judge(paths, chosen)
    if csv is not None:
        table = grades_frame(grades)
        write_file("csv", csv, lambda target: table.to_csv(target, index=False))
    if as_json:
        print_json({"task": dataclasses.asdict(chosen), "grades": [_fields(one) for one in grades]})
    else:
        _print(chosen, grades, quiet)
    raise typer.Exit(0 if all(one.passed for one in grades) else 1)


def _fields(one: Grade) -> dict[str, Any]:
    return {
        "who": one.who,
        "passed": one.passed,
        "points": one.points,
        "criteria": [criterion._asdict() for criterion in one.criteria],
        "same_as": list(one.same_as),
        "run": one.run,
    }


def _print(task: Task, grades: Sequence[Grade], quiet: bool) -> None:
    typer.echo(f"{task.name}: {task.title}\n")
    if not quiet:
        for one in grades:
            typer.echo(f"{one}\n")
    wide = max(len(one.who) for one in grades)
    for one in grades:
        missing = ", ".join(c.name for c in one.criteria if not c.met)
        note = f"  missing: {missing}" if missing else ""
        note += f"  same run as {', '.join(one.same_as)}" if one.same_as else ""
        verdict = "passed" if one.passed else "not passed"
        typer.echo(f"{one.who:<{wide}}  {verdict:<10}  {one.points:4.0%}{note}")
    passed = sum(one.passed for one in grades)
    typer.echo(f"{passed} of {len(grades)} passed")


def _list_tasks(as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "tasks": [dataclasses.asdict(one) for one in tasks.values()],
                "goals": {
                    name: {"text": goal.text, "bounds": list(goal.bounds)}
                    for name, goal in GOALS.items()
                },
            }
        )
        return
    typer.echo("Tasks")
    for one in tasks.values():
        typer.echo(f"  {one.name:<16}{one.title}")
    typer.echo("Goals, for tasks of your own")
    for name, goal in GOALS.items():
        bounds = f" ({', '.join(goal.bounds)})" if goal.bounds else ""
        typer.echo(f"  {name:<22}{goal.text}{bounds}")

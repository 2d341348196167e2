"""The commands of the checker: check, matrix."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from electionlab._cli_arguments import delay_like, duration_ms, protocol_of
from electionlab._cli_output import (
    check_targets,
    print_json,
    reports_errors,
    save_picture,
    write_file,
)
from electionlab.check_matrix import CONDITIONS, MOST_STATES, ROWS
from electionlab.check_matrix import matrix as fill
from electionlab.checker import Bounds, Budget, CheckResult, Run, Timing
from electionlab.checker import check as explore
from electionlab.protocols import PROTOCOLS

#: What the exit of `check` says.
CHECK_EXITS = (
    "Exit codes: 0 nothing is violated (within what bounds, is said); 1 something is; 2 wrong use; "
    "130 stopped by Ctrl-C before anything was found."
)
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def _faults(help_text: str) -> Any:
    return typer.Option(metavar="COUNT", help=help_text + " A number, or unlimited.")


def _count(name: str, text: str) -> int | str:
    if text == "unlimited" or text.isdecimal():
        return text if text == "unlimited" else int(text)
    raise ValueError(f"{name} {text!r}: must be a whole number of at least 0, or unlimited")


def _bytes(name: str, text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([kKMG]?B|)", text.strip())
    count = int(float(match[1]) * _BYTES[match[2].upper()]) if match else 0
    if count < 1:
        raise ValueError(f"{name} {text!r}: must be a number of bytes such as 500MB or 2GB")
    return count


def _timing(delay: str, tick: str, drift: float) -> Timing | None:
    if not delay:
        for name, given in (("--tick", tick), ("--clock-drift", drift)):
            if given:
                raise ValueError(f"{name} {given!r}: needs --timing-delay as well")
        return None
    delay_ms = delay_like("--timing-delay", delay.replace("..", ":"))
    tick_ms = duration_ms("--tick", tick) if tick else 10.0
    return Timing(tick_ms=tick_ms, one_way_delay_ms=delay_ms, clock_drift=drift)


@reports_errors
def check(
    protocol: Annotated[
        str, typer.Argument(metavar="PROTOCOL", help=f"Its name: {', '.join(PROTOCOLS)}.")
    ],
    nodes: Annotated[int, typer.Option("--nodes", "-n", help="How many members.")] = 3,
    invariant: Annotated[
        list[str] | None,
        typer.Option(
            "--invariant",
            "-i",
            metavar="NAME",
            help="What must hold always: one_leader_per_epoch, one_leader_at_a_time, or a promise "
            "or property of the protocol. Without it: all that the protocol promises.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the protocol."),
    ] = None,
    crashes: Annotated[str, _faults("Nodes that stop.")] = "0",
    restarts: Annotated[str, _faults("Of nodes that crashed.")] = "unlimited",
    reboots: Annotated[str, _faults("Crash and restart in one step.")] = "0",
    lost_disks: Annotated[str, _faults("Restarts that find an empty disk.")] = "0",
    losses: Annotated[str, _faults("Messages lost.")] = "0",
    duplicates: Annotated[int, typer.Option(help="Second copies of messages.")] = 0,
    pauses: Annotated[str, _faults("Nodes that stand still.")] = "0",
    partitions: Annotated[str, _faults("Cuts of the network; each may heal.")] = "0",
    one_way: Annotated[bool, typer.Option("--one-way", help="Also cuts in one direction.")] = False,
    epoch: Annotated[int | None, typer.Option(help="No node goes beyond this term.")] = None,
    depth: Annotated[int | None, typer.Option(help="Steps from the start.")] = None,
    messages: Annotated[int | None, typer.Option(help="Messages in flight at once.")] = None,
    copies: Annotated[int | None, typer.Option(help="Equal messages in flight at once.")] = None,
    states: Annotated[int | None, typer.Option(help="Stop after so many states.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    memory: Annotated[
        str, typer.Option(metavar="BYTES", help="Stop at so much memory: 500MB, 2GB.")
    ] = "",
    timing_delay: Annotated[
        str,
        typer.Option(
            metavar="TIME[:TIME]",
            help="With time: how long messages take. Without it a message may arrive, and an armed "
            "timer fire, at any moment.",
        ),
    ] = "",
    tick: Annotated[str, typer.Option(metavar="TIME", help="With time: its unit; 10ms.")] = "",
    clock_drift: Annotated[
        float, typer.Option(help="With time: rates of clocks are within 1 - DRIFT and 1 + DRIFT.")
    ] = 0.0,
    network: Annotated[
        str, typer.Option(help="Messages in flight: multiset, fifo or duplicating.")
    ] = "multiset",
    initial_leader: Annotated[
        int | None, typer.Option(metavar="NODE", help="Start with this leader in office.")
    ] = None,
    symmetry: Annotated[
        bool, typer.Option("--symmetry", help="Take states that differ by names only for one.")
    ] = False,
    drop_stale: Annotated[
        bool,
        typer.Option("--drop-stale", help="Take messages out of flight that can do nothing more."),
    ] = False,
    search: Annotated[
        str, typer.Option(help="Order of the search: breadth, depth, walks or swarm.")
    ] = "breadth",
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare whole states instead of fingerprints.")
    ] = False,
    runs: Annotated[int | None, typer.Option(help="Of walks and swarms: how many.")] = None,
    seed: Annotated[int, typer.Option(help="Of walks and swarms.")] = 0,
    every: Annotated[
        bool, typer.Option("--all", help="Go on after a violation: a run for each invariant.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Threads; 0: all cores.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw the run found: .png, .svg or .pdf."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Save the run found, for `replay`."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress line.")] = False,
) -> None:
    """Explore every order of events to a bound: a shortest run that breaks something, or none.

    Ctrl-C ends the search; what is known then is told.

    \b
    Examples:
      electionlab check raft --nodes 3 --crashes 1 --losses 1 --epoch 1 --copies 1
      electionlab check raft -i one_leader_at_a_time --epoch 2 --copies 1 --plot run.png
      electionlab check bully --timing-delay 5:20 --tick 5 --crashes 1 -i one_leader_at_a_time
      electionlab check raft -o 'mutations=["double_vote"]' --epoch 1 --copies 1 --save run.jsonl
    """  # noqa: D301
    check_targets(plot=plot, save=save)
    algorithm = protocol_of(protocol, nodes, option or [])
    given = {
        "crashes": crashes, "restarts": restarts, "reboots": reboots, "lost_disks": lost_disks,
        "losses": losses, "pauses": pauses, "partitions": partitions,
    }  # fmt: skip
    counts = {name: _count(f"--{name.replace('_', '-')}", text) for name, text in given.items()}
    result = explore(
        algorithm,
        invariant or None,
        faults=Budget(duplicates=duplicates, one_way=one_way, **counts),  # type: ignore[arg-type]
        bounds=Bounds(
            epoch=epoch, depth=depth, messages=messages, copies=copies, states=states,
            seconds=seconds, memory_bytes=_bytes("--memory", memory) if memory else None,
        ),
        timing=_timing(timing_delay, tick, clock_drift),
        network=network,
        initial_leader=initial_leader,
        symmetry=symmetry,
        drop_stale=drop_stale,
        search=search,
        exact=exact,
        runs=runs,
        seed=seed,
        stop_at_first=not every,
        threads=threads or None,
        progress=not quiet and sys.stderr.isatty(),
    )  # fmt: skip
    run = result.counterexample
    if run is None and (plot is not None or save is not None):
        typer.echo("no run to draw or save: nothing was found broken", err=True)
    if run is not None and save is not None:
        write_file("save", save, run.save)
    if run is not None and plot is not None:
        save_picture(run.plot, plot)
    if as_json:
        print_json(_document(result))
    else:
        typer.echo(str(result))
        for found in result.counterexamples:
            typer.echo(f"\n{found}")
    raise typer.Exit(1 if result.violated else 130 if result.by_signal else 0)


def _document(result: CheckResult) -> dict[str, Any]:
    def told(run: Run) -> dict[str, Any]:
        return {"invariant": run.name, "steps": run.steps, "text": str(run)}

    fields = (
        "invariants", "violated", "proved", "exhausted", "bounds_hit", "interrupted", "states",
        "transitions", "terminal", "with_leader", "depth", "levels", "seconds", "peak_bytes",
        "omission_probability", "shortest",
    )  # fmt: skip
    return {
        "protocol": result.protocol.name,
        "nodes": result.protocol.nodes,
        "options": getattr(result.protocol, "options", {}),
        "verdict": result.verdict,
        **{name: getattr(result, name) for name in fields},
        "counterexamples": [told(run) for run in result.counterexamples],
    }


@reports_errors
def matrix(
    rows: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ROW]...", help=f"Some of {', '.join(ROWS)}; none: all."),
    ] = None,
    under: Annotated[
        list[str] | None,
        typer.Option(
            "--under", "-u", metavar="TROUBLE", help=f"Only these: {', '.join(CONDITIONS)}."
        ),
    ] = None,
    states: Annotated[int, typer.Option(help="A cell is given up after so many.")] = MOST_STATES,
    threads: Annotated[int, typer.Option(help="Threads; 0: all cores.")] = 0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every cell with all its figures.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress line.")] = False,
) -> None:
    """Work out which protocols keep one leader, and under which troubles they do not.

    Each cell is a check: it holds (within what bounds, is said), it breaks in so many steps, or it
    is open because there were too many states.

    \b
    Examples:
      electionlab matrix
      electionlab matrix bully raft --under pause --under partition
      electionlab matrix --markdown --csv cells.csv
    """  # noqa: D301
    check_targets(csv=csv)
    found = fill(
        rows or None, under or None, states=states, threads=threads or None,
        progress=not quiet and sys.stderr.isatty(),
    )  # fmt: skip
    if csv is not None:
        write_file("csv", csv, lambda target: found.to_frame().to_csv(target, index=False))
    if as_json:
        print_json({"cells": found.to_frame().to_dict("records")})
    else:
        typer.echo(found.to_markdown().rstrip() if markdown else str(found))
    if any(cell.result.by_signal for cell in found):
        typer.echo("interrupted: these are the cells that were finished", err=True)
        raise typer.Exit(130)


__all__ = ["CHECK_EXITS", "check", "matrix"]

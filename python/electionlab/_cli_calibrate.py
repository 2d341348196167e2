"""The command that holds the simulation against real servers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from electionlab._cli_arguments import duration_ms
from electionlab._cli_output import check_targets, print_json, reports_errors, save_picture
from electionlab.real import Measured, NotInstalledError, ServerError
from electionlab.real import calibrate as compare
from electionlab.real.calibrations import MEASURE, TRIALS


@reports_errors
def calibrate(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help=f"One of {', '.join(MEASURE)}.")],
    kills: Annotated[int, typer.Option("--kills", "-k", help="How often the leader goes.")] = 50,
    nodes: Annotated[int, typer.Option("--nodes", "-n", help="Servers, or contenders.")] = 3,
    heartbeat: Annotated[
        str, typer.Option(metavar="TIME", help="etcd: heartbeat interval, its tick.")
    ] = "100ms",
    election: Annotated[
        str, typer.Option(metavar="TIME", help="etcd, etcd-lease: election time-out.")
    ] = "1s",
    pre_vote: Annotated[bool, typer.Option(help="etcd: ask before raising the term.")] = True,
    tick: Annotated[
        str, typer.Option(metavar="TIME", help="zookeeper, zk-session: tick.")
    ] = "200ms",
    fault: Annotated[
        str, typer.Option(help="zookeeper: crash, which closes connections, or pause.")
    ] = "crash",
    ttl: Annotated[
        str, typer.Option(metavar="TIME", help="etcd-lease: TTL; zk-session: session time-out.")
    ] = "2s",
    trials: Annotated[int, typer.Option(help="Simulated runs.")] = TRIALS,
    seed: Annotated[int, typer.Option(help="Of the simulation, and of the moments.")] = 1,
    measured: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare what an earlier --json measured; no servers."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it: .png, .svg or .pdf.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Kill leaders of real servers, simulate the same, and compare the downtimes.

    Starts etcd or ZooKeeper on loopback, in a temporary folder, and stops them at the end.
    KS is the Kolmogorov-Smirnov distance; when both distributions are the same, it stays below
    1.36 / sqrt(n) in 95 of 100 cases.

    \b
    Examples:
      electionlab calibrate etcd --heartbeat 30ms --election 150ms --kills 200 --plot etcd.png
      electionlab calibrate zookeeper --tick 200ms --fault pause
      electionlab calibrate etcd-lease --ttl 2s
      electionlab calibrate zk-session --ttl 2s --tick 200ms --json
    """  # noqa: D301
    if system not in MEASURE:
        raise ValueError(f"SYSTEM={system!r}: must be one of {', '.join(MEASURE)}")
    check_targets(plot=plot)
    os.environ.setdefault("MPLBACKEND", "Agg")
    try:
        if measured is not None:
            before = Measured.load(measured)
            if before.name != system:
                raise ValueError(f"--measured {measured}: is of {before.name!r}, not {system!r}")
            result = compare(before, trials=trials, seed=seed)
        else:
            own: dict[str, dict[str, Any]] = {
                "etcd": {
                    "nodes": nodes, "heartbeat_ms": _whole("--heartbeat", heartbeat, 1),
                    "election_ms": _whole("--election", election, 1), "pre_vote": pre_vote,
                },
                "zookeeper": {"nodes": nodes, "tick_ms": _whole("--tick", tick, 1), "fault": fault},
                "etcd-lease": {
                    "contenders": nodes, "ttl_s": _whole("--ttl", ttl, 1000),
                    "election_ms": _whole("--election", election, 1),
                },
                "zk-session": {
                    "contenders": nodes, "session_ms": _whole("--ttl", ttl, 1),
                    "tick_ms": _whole("--tick", tick, 1),
                },
            }  # fmt: skip
            result = compare(
                system, kills=kills, seed=seed, trials=trials,
                progress=not quiet and sys.stderr.isatty(), **own[system],
            )  # fmt: skip
    except (NotInstalledError, ServerError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if plot is not None:
        save_picture(result.plot, plot)
    if as_json:
        print_json(result.summary())
    else:
        typer.echo(str(result))


def _whole(name: str, text: str, unit_ms: int) -> int:
    value = duration_ms(name, text)
    if value % unit_ms or value <= 0:
        raise ValueError(f"{name} {text!r}: must be a whole number of {unit_ms} ms, at least one")
    return int(value) // unit_ms

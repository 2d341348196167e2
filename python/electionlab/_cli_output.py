"""What commands print and write: JSON, pictures, other files, and a run that is over."""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec

import typer

from electionlab.cluster import Cluster
from electionlab.story import failed, measure_lines, outcome_lines, outcome_of, tell

P = ParamSpec("P")

#: Kinds of pictures that are written.
PICTURES = (".png", ".svg", ".pdf")


def forget_stdout() -> None:
    """For when nobody reads what is still to come: it goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turns what a user can get wrong into one line on stderr and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of a pipe has seen enough
            forget_stdout()
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except OSError as error:
            typer.echo(f"error: {error.filename or 'output'}: {error.strerror or error}", err=True)
            raise typer.Exit(2) from None
        except ValueError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None

    return wrapped


def _clean(value: Any) -> Any:
    """The same for JSON: what is not a number is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One document of standard JSON."""
    typer.echo(json.dumps(_clean(value), indent=2, ensure_ascii=False, allow_nan=False))


def check_targets(*, plot: Path | None = None, **others: Path | None) -> None:
    """Refuses files that cannot be written before the work is done, not after."""
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise ValueError(f"--plot {str(plot)!r}: must end in one of {', '.join(PICTURES)}")
    for name, path in {"plot": plot, **others}.items():
        if path is not None and not path.parent.is_dir():
            raise ValueError(f"--{name} {str(path)!r}: there is no folder {str(path.parent)!r}")
        if path is not None and path.is_dir():
            raise ValueError(f"--{name} {str(path)!r}: must be a file, this is a folder")
        if path is not None and name != "plot" and plot is not None and path == plot:
            raise ValueError(f"--{name} {str(path)!r}: must be another file than --plot's")


def write_file(name: str, path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file that an option asked for, and says so on stderr."""
    try:
        write(path)
    except OSError as error:
        raise ValueError(f"--{name} {str(path)!r}: {error.strerror or error}") from None
    typer.echo(f"{name}: {path}", err=True)


def save_picture(draw: Callable[[], Any], path: Path) -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")  # no window is opened, so none is needed
    from electionlab.plot.files import save

    write_file("plot", path, lambda target: save(draw(), target))


def report_run(
    cluster: Cluster, *, as_json: bool, quiet: bool, everything: bool, plot: Path | None
) -> None:
    """Tells a run that is over, draws it if asked to, and ends the command."""
    trace = cluster.trace
    outcome = outcome_of(cluster)
    if plot is not None:  # before any text, of which a reader may have seen enough
        save_picture(trace.plot, plot)
    try:
        _print_run(cluster, outcome, as_json=as_json, quiet=quiet, everything=everything)
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()
    raise typer.Exit(1 if failed(outcome) else 0)


def _print_run(
    cluster: Cluster, outcome: Mapping[str, Any], *, as_json: bool, quiet: bool, everything: bool
) -> None:
    trace = cluster.trace
    if as_json:
        document = {
            "protocol": cluster.protocol.name,
            "nodes": cluster.protocol.nodes,
            "options": trace.recipe["protocol"]["options"],
            "seed": cluster.seed,
            "events": cluster.events,
            "trace_hash": trace.hash(),
            "outcome": outcome,
            "metrics": dict(cluster.metrics),
            "fault_report": dict(cluster.fault_report),
        }
        if everything:
            document["rows"] = [trace.row(i) for i in range(len(trace))]
        print_json(document)
    else:
        typer.echo(f"{cluster.protocol!r}, seed {cluster.seed}\n")
        if not quiet:
            for line in tell(trace, routine=everything):
                typer.echo(line)
            typer.echo()
        for line in outcome_lines(cluster) + measure_lines(cluster):
            typer.echo(line)

"""The commands `sweep` and `plot`: a sweep described in a file, and a picture of its result."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from electionlab import samplers, scenarios, settings
from electionlab._cli_output import (
    PICTURES,
    check_targets,
    print_json,
    reports_errors,
    save_picture,
    write_file,
)
from electionlab.formulas import FORMULAS
from electionlab.protocols import make_protocol
from electionlab.settings import Delay, Machine, Network
from electionlab.sweep_result import Sweep
from electionlab.sweeps import Precision, sweep

SWEEP_EXITS = "Exit codes: 0 done; 2 wrong use; 130 interrupted (--resume goes on)."

#: Entries of a sweep's file, and of its tables.
_ENTRIES = (
    "protocol", "nodes", "options", "scenario", "network", "machine", "faults", "over", "points",
    "zipped", "latin_hypercube", "trials", "seed", "measures", "common_random_numbers", "until",
)  # fmt: skip
_SCENARIOS = ("cold_start", "leader_crash", "partition", "pause", "rolling_restart", "schedule")
_WAYS = ("over", "points", "zipped", "latin_hypercube")


# --- the file -------------------------------------------------------------------------------------


def _read_toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no sweep: it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: is no TOML: {error}") from None


def _setting(value: Any) -> Any:
    """A value of the file as Python takes it: pairs, and tables that are distributions."""
    if isinstance(value, Mapping):
        if "kind" in value:
            return _delay(value)
        return {name: _setting(each) for name, each in value.items()}
    if isinstance(value, list):
        return tuple(_setting(each) for each in value)
    return value


def _delay(value: Mapping[str, Any]) -> Delay:
    kinds = ("exponential", "normal", "lognormal", "pareto", "hyperexponential", "empirical")
    kind = value["kind"]
    if kind not in kinds:
        raise ValueError(f"kind={kind!r}: must be one of {', '.join(kinds)}")
    given = {name: each for name, each in value.items() if name != "kind"}
    try:
        made = getattr(settings, kind)(**given)
    except TypeError as error:
        raise ValueError(f"kind={kind!r}: {str(error).split('() ')[-1]}") from None
    assert isinstance(made, Delay)
    return made


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}={value!r}: must be a table, [{name}]")
    return {key: _setting(each) for key, each in value.items()}


def _made(name: str, cls: Any, given: Mapping[str, Any]) -> Any:
    """An object of keyword arguments; one that it has not is named."""
    try:
        return cls(**given)
    except TypeError as error:
        raise ValueError(f"[{name}]: {str(error).split('() ')[-1]}") from None


def _scenario(document: Mapping[str, Any]) -> scenarios.Scenario | None:
    table = document.get("scenario")
    if table is None:
        return None
    if isinstance(table, str):
        table = {"kind": table}
    if not isinstance(table, Mapping) or table.get("kind") not in _SCENARIOS:
        raise ValueError(f"scenario={table!r}: its kind must be one of {', '.join(_SCENARIOS)}")
    given = {key: _setting(each) for key, each in table.items() if key != "kind"}
    if table["kind"] == "schedule":
        given["actions"] = [_moment(entry) for entry in table.get("actions", [])]
    made = _made("scenario", getattr(scenarios, table["kind"]), given)
    assert isinstance(made, scenarios.Scenario)
    return made


def _moment(entry: Any) -> tuple[Any, Any]:
    """{at_ms = 500, action = "crash", node = "leader"} of a schedule."""
    if not isinstance(entry, Mapping) or not {"at_ms", "action"} <= set(entry):
        raise ValueError(
            f"scenario.actions={entry!r}: must be such as "
            '{ at_ms = 500, action = "crash", node = "leader" }'
        )
    action = {key: value for key, value in entry.items() if key != "at_ms"}
    return _setting(entry["at_ms"]), settings.Action(action)


def _over(document: Mapping[str, Any]) -> Any:
    """What is swept, in the one way that the file has chosen."""
    chosen = [way for way in _WAYS if way in document]
    if len(chosen) > 1:
        raise ValueError(f"{' and '.join(chosen)}: must be only one of them")
    if not chosen:
        return ()
    way = chosen[0]
    if way == "points":
        points = document["points"]
        if not isinstance(points, list) or not all(isinstance(p, Mapping) for p in points):
            raise ValueError(f"points={points!r}: must be a list of tables, [[points]]")
        return [{key: _setting(value) for key, value in point.items()} for point in points]
    table = document[way]
    if not isinstance(table, Mapping):
        raise ValueError(f"{way}={table!r}: must be a table, [{way}]")
    if way == "latin_hypercube":
        ranges = {k: _setting(v) for k, v in table.items() if k not in ("points", "seed")}
        return samplers.latin_hypercube(ranges, table.get("points", 0), seed=table.get("seed", 0))
    lists: dict[str, Any] = {}
    for name, values in table.items():
        if not isinstance(values, list):
            raise ValueError(f"{way}.{name}={values!r}: must be a list of values")
        lists[name] = [_setting(value) for value in values]
    return samplers.zipped(lists) if way == "zipped" else samplers.grid(lists)


def sweep_arguments(document: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `electionlab.sweep` that a file describes.

    Raises:
        ValueError: An entry is unknown or bad; the message names it.
    """
    for name in document:
        if name not in _ENTRIES:
            raise ValueError(f"{name}: is no entry of a sweep; these are: {', '.join(_ENTRIES)}")
    if "protocol" not in document:
        raise ValueError('protocol: must be given, such as protocol = "raft"')
    options = _table(document, "options")
    protocol = make_protocol(document["protocol"], document.get("nodes", 5), options)
    arguments: dict[str, Any] = {
        "protocol": protocol,
        "over": _over(document),
        "scenario": _scenario(document),
        "network": _made("network", Network, _table(document, "network")),
        "machine": _made("machine", Machine, _table(document, "machine")),
    }
    if "faults" in document:
        arguments["faults"] = [settings.Action(action) for action in document["faults"]]
    for name in ("trials", "seed", "measures", "common_random_numbers"):
        if name in document:
            arguments[name] = document[name]
    if "until" in document:
        arguments["until"] = _made("until", Precision, _table(document, "until"))
    return arguments


# --- the commands ---------------------------------------------------------------------------------


@reports_errors
def sweep_command(
    file: Annotated[Path, typer.Argument(help="What to sweep; docs/sweeps.md tells how.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the trials go: a .parquet file.")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier run was ended.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Threads; 0: all cores.")] = 0,
    trials: Annotated[
        int | None, typer.Option(help="Trials of each point, instead of the file's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed, instead of the file's.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the table of points as JSON instead of text.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress bar and no table.")
    ] = False,
) -> None:
    """Run the trials that a TOML file describes, and write them to a Parquet file.

    While it runs, finished trials are in a journal beside it, FILE.journal: whatever ends the run,
    --resume goes on there, and the result is the same to the byte.

    \b
    Examples:
      electionlab sweep timeouts.toml --out timeouts.parquet
      electionlab sweep timeouts.toml --out timeouts.parquet --resume --trials 1000000
    """  # noqa: D301
    check_targets(out=out)
    if out.suffix != ".parquet":
        raise ValueError(f"--out {str(out)!r}: must end in .parquet")
    arguments = sweep_arguments(_read_toml(file))
    given = {"trials": trials, "seed": seed}
    arguments.update({name: value for name, value in given.items() if value is not None})
    journal = out.with_name(out.name + ".journal")
    if journal.exists() and not resume:
        raise ValueError(
            f"{journal}: an earlier run was ended; --resume goes on with it, or remove it"
        )
    result = sweep(
        **arguments,
        threads=threads,
        save=journal,
        resume=resume,
        progress=not quiet and sys.stderr.isatty(),  # a bar in a log file is noise
    )
    if result.interrupted:
        typer.echo(
            f"interrupted: {len(result):,} trials are in {journal}; --resume goes on", err=True
        )
        raise typer.Exit(130)
    write_file("out", out, result.to_parquet)
    journal.unlink()
    if as_json:
        frame = result.to_frame("point")
        print_json({"seed": result.seed, "version": result.version,
                    "points": frame.to_dict("records")})  # fmt: skip
    elif not quiet:
        typer.echo(table_of(result))


def table_of(result: Sweep) -> str:
    """The points of a result as text for people: median and mean times, with their intervals."""
    times = [name for name in ("agreed_ms", "elected_ms") if name in result.measures]
    others = [n for n in result.measures if n not in ("measured", "censored", "violated")]
    wanted = times[:1] or others[:1]
    head = [*result.parameters, "trials", *(f"median {name}" for name in wanted), "censored"]
    rows = [head]
    swept = result.to_frame("point")
    for k, count in enumerate(result.trials):
        cells = [str(swept[name].iloc[k]) for name in result.parameters]
        for name in wanted:
            figure = result.estimate(name, "median", point=k)
            cells.append(f"{figure.value:.5g} [{figure.low:.5g}, {figure.high:.5g}]")
        share = result.estimate("censored", "share", point=k)
        censored = f"{share.value:.3g} [{share.low:.2g}, {share.high:.2g}]"
        rows.append([*cells[: len(result.parameters)], f"{count:,}",
                     *cells[len(result.parameters) :], censored])  # fmt: skip
    wide = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


@reports_errors
def plot_command(
    file: Annotated[Path, typer.Argument(help="A result that `sweep` wrote.")],
    measure: Annotated[
        str, typer.Option("--measure", "-m", help="Which column: agreed_ms, split_votes, ...")
    ] = "agreed_ms",
    x: Annotated[
        str, typer.Option("--x", metavar="NAME", help="Swept name to the right: curves over it.")
    ] = "",
    y: Annotated[
        str, typer.Option("--y", metavar="NAME", help="Swept name upwards, with --x: a map.")
    ] = "",
    statistic: Annotated[
        str, typer.Option(help="mean, median, p99 and the like, or share (of trials above 0).")
    ] = "median",
    formula: Annotated[
        str, typer.Option(help=f"The closed form beside the curves: {', '.join(FORMULAS)}.")
    ] = "",
    pool: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Swept name whose trials are taken together."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The picture; without it: FILE's name, .png."),
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Distributions on a logarithmic axis.")
    ] = False,
) -> None:
    """Draw a sweep's result: distributions, curves over one swept value, or a map over two.

    Without --x: the distribution of the measure at every point.

    \b
    Examples:
      electionlab plot timeouts.parquet --measure agreed_ms
      electionlab plot timeouts.parquet --x nodes --measure split_votes --statistic share
      electionlab plot timeouts.parquet --x nodes --y election_timeout_ms --statistic p99
    """  # noqa: D301
    target = file.with_suffix(".png") if out is None else out
    if target.suffix.lower() not in PICTURES:
        raise ValueError(f"--out {str(target)!r}: must end in one of {', '.join(PICTURES)}")
    check_targets(out=target)
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file")
    if y and not x:
        raise ValueError("--y: needs --x as well")
    if (formula or pool) and (y or not x):
        raise ValueError("--formula, --pool: are for curves, with --x and without --y")
    result = Sweep.read_parquet(file)
    if not x:
        save_picture(lambda: result.plot_ecdf(measure, log=log), target)
    elif y:
        save_picture(lambda: result.plot_heatmap(x, y, measure, statistic), target)
    else:
        save_picture(
            lambda: result.plot_lines(
                x, measure, statistic, formula=formula or None, pool=pool or ()
            ),
            target,
        )


__all__ = ["SWEEP_EXITS", "plot_command", "sweep_arguments", "sweep_command"]

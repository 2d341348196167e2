"""The command line: runs, scenarios, experiments, cases, and the checker."""

from __future__ import annotations

import difflib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from electionlab import comparison
from electionlab import detectors as detection
from electionlab import fig16 as figure16
from electionlab import museum as halls
from electionlab._cli_arguments import (
    actions_of,
    delay_like,
    detectors_of,
    duration_ms,
    protocol_of,
)
from electionlab._cli_calibrate import calibrate
from electionlab._cli_check import CHECK_EXITS, check, matrix
from electionlab._cli_grade import GRADE_EXITS, grade
from electionlab._cli_output import (
    check_targets,
    print_json,
    report_run,
    reports_errors,
    save_picture,
    write_file,
)
from electionlab._cli_sweep import SWEEP_EXITS, plot_command, sweep_command
from electionlab._core import __version__, run_scenario
from electionlab._faults import FAULTS
from electionlab._requirements import requirements
from electionlab.cluster import Cluster
from electionlab.gallery import cases
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Machine, Network
from electionlab.trace import load_cluster

if TYPE_CHECKING:
    import pandas as pd

#: What a command's exit says.
EXITS = (
    "Exit codes: 0 done; 1 ran, but without a leader at the end or with a broken invariant; "
    "2 wrong use."
)
#: Without --until, a run ends when all agree, or so long after the last fault.
SETTLE_MS = 5_000.0

app = typer.Typer(
    name="electionlab",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main() -> None:
    """The console script ``electionlab``."""
    app()


# --- commands -------------------------------------------------------------------------------------

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Everything = Annotated[bool, typer.Option("--all", help="Also tell routine steps: heartbeats.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the outcome and the measures.")]
PlotFile = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw it: .png, .svg or .pdf.")
]
Seed = Annotated[int, typer.Option(help="Fixes everything that chance decides; 0 and up.")]
Threads = Annotated[int, typer.Option(help="Threads; 0: all cores.")]

# Where a cluster runs and what is done to it: the same for `run` and `report`.
Options = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the protocol."),
]
LinkDelay = Annotated[
    str, typer.Option(metavar="TIME[:TIME]", help="One-way delay of messages, or its range.")
]
Loss = Annotated[float, typer.Option(help="Chance that a message is lost, 0 to 1.")]
Duplicate = Annotated[float, typer.Option(help="Chance that a message arrives twice, 0 to 1.")]
WriteDelay = Annotated[
    str, typer.Option(metavar="TIME[:TIME]", help="Time of a durable write, or its range.")
]
Processing = Annotated[
    str, typer.Option(metavar="TIME[:TIME]", help="Time to handle a message, or its range.")
]
Crashes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NODE@TIME[:DOWN]",
        help="Crash a node (a number, leader, follower, random); restart it after DOWN.",
    ),
]
Restarts = Annotated[
    list[str] | None, typer.Option(metavar="NODE@TIME", help="Restart a crashed node.")
]
Pauses = Annotated[
    list[str] | None,
    typer.Option(metavar="NODE@TIME[:LASTING]", help="Hold a node still; let go after LASTING."),
]
Resumes = Annotated[
    list[str] | None, typer.Option(metavar="NODE@TIME", help="Let a paused node go on.")
]
Partitions = Annotated[
    list[str] | None,
    typer.Option(metavar="GROUPS@TIME", help="Cut the groups off each other: 1,2/3,4,5@400ms."),
]
Cuts = Annotated[
    list[str] | None,
    typer.Option(metavar="FROM/TO@TIME", help="Cut links in one direction: 1/2,3@400ms."),
]
Heals = Annotated[list[str] | None, typer.Option(metavar="TIME", help="Mend every link.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"electionlab {__version__}")
        raise typer.Exit(0)


@app.callback(epilog=EXITS)
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A leader-election laboratory: simulate, break and measure election protocols.

    \b
    Examples:
      electionlab run raft --nodes 5 --crash leader@500ms --seed 7
      electionlab fig16 --plot fig16.png
      electionlab demo --out out/
    """  # noqa: D301


@app.command(epilog=EXITS)
@reports_errors
def run(
    protocol: Annotated[
        str, typer.Argument(metavar="PROTOCOL", help=f"Its name: {', '.join(PROTOCOLS)}.")
    ],
    nodes: Annotated[int, typer.Option("--nodes", "-n", help="How many members.")] = 5,
    seed: Seed = 0,
    until: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Run so long. Without it: until after the last fault every live node names one "
            "leader, at most 5s after that fault.",
        ),
    ] = "",
    option: Options = None,
    delay: LinkDelay = "5:10",
    loss: Loss = 0.0,
    duplicate: Duplicate = 0.0,
    write_delay: WriteDelay = "0",
    processing: Processing = "0",
    initial_leader: Annotated[
        int | None, typer.Option(metavar="NODE", help="Start with this leader in office.")
    ] = None,
    crash: Crashes = None,
    restart: Restarts = None,
    pause: Pauses = None,
    resume: Resumes = None,
    partition: Partitions = None,
    cut: Cuts = None,
    heal: Heals = None,
    one_leader: Annotated[
        bool,
        typer.Option(
            "--one-leader-at-a-time", help="Two nodes that act as leader at once are a failure."
        ),
    ] = False,
    as_json: AsJson = False,
    everything: Everything = False,
    quiet: Quiet = False,
    plot: PlotFile = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Save the run for `replay`.")
    ] = None,
) -> None:
    """Run a protocol in a simulated cluster and tell what happens, event by event.

    Times are 500ms, 2s, 250us; a bare number is in ms. Faults may be given several times.

    \b
    Examples:
      electionlab run raft --nodes 5 --crash leader@500ms --seed 7
      electionlab run raft -o election_timeout_ms=150:155 --delay 1:3 --loss 0.01 --until 2s
      electionlab run bully -n 4 --partition 1,2/3,4@300ms --heal 900ms --until 2s --quiet
      electionlab run ring --crash 3@200ms:500ms --plot ring.png --trace ring.jsonl
      electionlab run raft --pause leader@300ms:400ms --json
    """  # noqa: D301
    check_targets(plot=plot, trace=trace)
    algorithm = protocol_of(protocol, nodes, option or [])
    given = {
        "crash": crash, "restart": restart, "pause": pause, "resume": resume,
        "partition": partition, "cut": cut, "heal": heal,
    }  # fmt: skip
    actions = actions_of({name: texts or [] for name, texts in given.items()})
    end_ms = duration_ms("--until", until) if until else None
    cluster = Cluster(
        algorithm,
        network=_network(delay, loss, duplicate),
        machine=_machine(write_delay, processing),
        initial_leader=initial_leader,
        actions=[action for _, _, action in actions],
        one_leader_at_a_time=one_leader,
        seed=seed,
    )
    if end_ms is not None:
        cluster.run(until=end_ms)
    else:
        cluster.run(until=max((end for _, end, _ in actions), default=0.0))
        cluster.run_until_leader(SETTLE_MS, agreed=True)
    if trace is not None:
        write_file("trace", trace, cluster.trace.save)
    report_run(cluster, as_json=as_json, quiet=quiet, everything=everything, plot=plot)


def _network(delay: str, loss: float, duplicate: float) -> Network:
    return Network(
        one_way_delay_ms=delay_like("--delay", delay),
        loss_probability=loss,
        duplicate_probability=duplicate,
    )


def _machine(write_delay: str, processing: str) -> Machine:
    return Machine(
        write_delay_ms=delay_like("--write-delay", write_delay),
        processing_ms=delay_like("--processing", processing),
    )


@app.command(epilog=EXITS)
@reports_errors
def replay(
    file: Annotated[Path, typer.Argument(help="A trace that `run --trace` or Python saved.")],
    as_json: AsJson = False,
    everything: Everything = False,
    quiet: Quiet = False,
    plot: PlotFile = None,
) -> None:
    """Run a saved trace again, check that every step comes out the same, and tell it.

    \b
    Example:
      electionlab replay ring.jsonl --quiet
    """  # noqa: D301
    check_targets(plot=plot)
    report_run(load_cluster(file), as_json=as_json, quiet=quiet, everything=everything, plot=plot)


@app.command(epilog="Exit codes: 0 all hold; 1 an output differs; 2 wrong use.")
@reports_errors
def scenario(
    files: Annotated[list[Path], typer.Argument(help="Scenario files.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only which files hold.")] = False,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Put what came out into the files.")
    ] = False,
) -> None:
    """Play scenarios: runs as text, with the output that they must have.

    \b
    Example:
      electionlab scenario tests/scenarios/bully/textbook.scenario
    """  # noqa: D301
    differing = False
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
            played = run_scenario(text)
        except UnicodeDecodeError:
            raise ValueError(f"{file}: not a scenario: it is not UTF-8 text") from None
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        if not quiet:
            typer.echo(played, nl=False)
        if played == text:
            typer.echo(f"{file}: holds", err=True)
        elif rewrite:
            file.write_text(played, encoding="utf-8")
            typer.echo(f"{file}: rewritten", err=True)
        else:
            differing = True
            typer.echo(f"{file}: differs", err=True)
            for line in difflib.unified_diff(
                text.splitlines(), played.splitlines(), "written", "played", lineterm="", n=1
            ):
                typer.echo(f"  {line}", err=True)
    raise typer.Exit(1 if differing else 0)


@app.command(name="list")
@reports_errors
def list_protocols(as_json: AsJson = False) -> None:
    """List the protocols: what each is, its source, its cost and its options.

    \b
    Example:
      electionlab list
    """  # noqa: D301
    if as_json:
        print_json([cls.about for cls in PROTOCOLS.values()])
        return
    for name, cls in PROTOCOLS.items():
        about = cls.about
        typer.echo(f"{name}: {about['title']}")
        for label in ("source", "assumptions", "cost", "weaknesses"):
            typer.echo(f"  {label + ':':<13}{about[label]}")
        typer.echo("  options:")
        for entry in about["options"]:
            choices = f" One of {', '.join(entry['choices'])}." if entry["choices"] else ""
            typer.echo(f"    {entry['name']}={_shown(entry['default'])}")
            typer.echo(f"        {entry['doc']}{choices}")
        typer.echo()


def _shown(value: Any) -> str:
    """A value as --option takes it."""
    if isinstance(value, list) and len(value) == 2:
        return ":".join(f"{end:g}" for end in value)
    return value if isinstance(value, str) else json.dumps(value)


@app.command()
@reports_errors
def fig16(
    trials: Annotated[int, typer.Option(help="Trials of each curve.")] = 1000,
    curves: Annotated[
        str, typer.Option(metavar="RANGES", help="Only these, such as 150-150,150-151.")
    ] = "",
    seed: Seed = 16,
    threads: Threads = 0,
    model: Annotated[
        str, typer.Option(help=f"Servers and links: {', '.join(figure16.MODELS)}.")
    ] = "fitted",
    as_json: AsJson = False,
    plot: PlotFile = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every trial: curve, trial, time.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Run the experiment behind Figure 16 of the Raft paper and compare with the published curves.

    Five servers; the leader crashes; how long until all others follow a new one? KS is the
    Kolmogorov-Smirnov distance to the published quantiles, limit what chance allows in 95 %.

    \b
    Examples:
      electionlab fig16
      electionlab fig16 --trials 100000 --curves 150-155,150-300 --plot fig16.png
      electionlab fig16 --model constant --trials 100
    """  # noqa: D301
    if model not in figure16.MODELS:
        raise ValueError(f"--model {model!r}: must be one of {', '.join(figure16.MODELS)}")
    check_targets(plot=plot, csv=csv)
    code = 0
    try:
        result = figure16.run(
            trials,
            seed,
            [curve.strip() for curve in curves.split(",")] if curves else None,
            threads,
            not quiet and sys.stderr.isatty(),  # a bar in a log file is noise
            model=figure16.MODELS[model],
        )
    except figure16.Interrupted as interrupted:
        result, code = interrupted.result, 130
        typer.echo("interrupted: these are the trials that were finished", err=True)
    if csv is not None and result.curves:
        write_file("csv", csv, lambda target: result.to_frame().to_csv(target, index=False))
    if as_json:
        lines = result.summary().to_dict("records")
        print_json({"model": model, "seed": seed, "unit": "ms", "curves": lines})
    else:
        typer.echo(f"Raft, 5 nodes, model {model}, seed {seed}: time without a leader\n")
        typer.echo(result.table())
    if plot is not None and result.curves:
        save_picture(lambda: result.plot()[0], plot)
    raise typer.Exit(code)


@app.command()
@reports_errors
def detectors(
    detector: Annotated[
        list[str] | None,
        typer.Option(
            "--detector",
            "-d",
            metavar="NAME[=VALUES]",
            help=f"Only these: {', '.join(detection.PARAMETERS)}; with the values of its parameter "
            "to try, such as fixed=100,200.",
        ),
    ] = None,
    heartbeat: Annotated[str, typer.Option(metavar="TIME", help="Heartbeat interval.")] = "50ms",
    delay: Annotated[
        str,
        typer.Option(
            metavar="TIME[:TIME]",
            help="One-way delay of messages, or its range. Without it: log-normal, median 20ms.",
        ),
    ] = "",
    loss: Annotated[float, typer.Option(help="Chance that a message is lost, 0 to 1.")] = 0.02,
    trials: Annotated[int, typer.Option(help="Trials of each point.")] = 200,
    observe: Annotated[
        str, typer.Option(metavar="TIME", help="How long each is observed before the crash.")
    ] = "30s",
    seed: Seed = 1,
    threads: Threads = 0,
    as_json: AsJson = False,
    plot: PlotFile = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every point with all measures.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Measure what fast detection costs in false alarms, for several failure detectors.

    Node 2 watches node 1 over a lossy, jittery link. While node 1 lives, each suspicion is a
    mistake; then it crashes: how long until node 2 knows?

    \b
    Examples:
      electionlab detectors --plot detectors.png
      electionlab detectors -d fixed=100,200,400 -d phi=1,4,8 --loss 0.1 --csv detectors.csv
      electionlab detectors -d nfd_s --delay 5:30 --heartbeat 100ms --trials 1000
    """  # noqa: D301
    check_targets(plot=plot, csv=csv)
    link = detection.JITTERY.one_way_delay_ms if not delay else delay_like("--delay", delay)
    curve = detection.detector_curve(
        detectors_of(detector),
        network=Network(one_way_delay_ms=link, loss_probability=loss),
        heartbeat_interval_ms=duration_ms("--heartbeat", heartbeat),
        trials=trials,
        observe_ms=duration_ms("--observe", observe),
        seed=seed,
        threads=threads,
        progress=not quiet and sys.stderr.isatty(),
    )
    if csv is not None:
        write_file("csv", csv, lambda target: curve.frame.to_csv(target, index=False))
    if plot is not None:
        save_picture(curve.plot, plot)
    if as_json:
        print_json({"seed": seed, "points": curve.frame.to_dict("records")})
    else:
        typer.echo(curve.table())


app.command(name="sweep", epilog=SWEEP_EXITS)(sweep_command)
app.command(name="plot", epilog="Exit codes: 0 done; 2 wrong use.")(plot_command)


@app.command(epilog="Exit codes: 0 done; 2 wrong use.")
@reports_errors
def compare(
    protocols: Annotated[
        list[str] | None, typer.Argument(metavar="[PROTOCOL]...", help="Names; none: all.")
    ] = None,
    nodes: Annotated[int, typer.Option("--nodes", "-n", help="How many members.")] = 5,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Silence after which a leader is suspected.")
    ] = "5s",
    runs: Annotated[int, typer.Option(help="Runs under each kind of trouble.")] = 100,
    trials: Annotated[int, typer.Option(help="Elections, or failovers, measured.")] = 200,
    hours: Annotated[int, typer.Option(help="Hours of rare trouble.")] = 10,
    seed: Seed = 1,
    threads: Threads = 0,
    as_json: AsJson = False,
    plot: PlotFile = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every figure with its interval.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Measure the trade-offs of protocols: guarantees, speed, cost, load, stability.

    The same network and comparable time-outs for all; docs/compare.md defines every figure.

    \b
    Examples:
      electionlab compare
      electionlab compare raft bully --runs 20 --plot trade-offs.png --csv figures.csv
    """  # noqa: D301
    check_targets(plot=plot, csv=csv)
    result = comparison.compare(
        protocols or None,
        nodes=nodes,
        timeout_ms=duration_ms("--timeout", timeout),
        runs=runs,
        trials=trials,
        hours=hours,
        seed=seed,
        threads=threads,
        progress=not quiet and sys.stderr.isatty(),
    )
    if csv is not None:
        write_file("csv", csv, lambda target: result.frame.to_csv(target, index=False))
    if plot is not None:
        save_picture(lambda: result.plot()[0], plot)
    if as_json:
        print_json({"seed": seed, "figures": result.frame.to_dict("records")})
        return
    typer.echo(f"{result.heading}\n")
    _print_rows(result.table())
    familiar = result.familiar()
    if len(familiar):
        typer.echo("\nThe table of lecture notes, beside what was measured [95 % confidence]")
        _print_rows(familiar)


def _print_rows(table: pd.DataFrame) -> None:
    """A paragraph for each row: its name, then a line for each column."""
    wide = max(len(title) for title in table.columns) + 2
    for name, row in table.iterrows():
        typer.echo(f"{name}")
        for title, value in row.items():
            if value:
                typer.echo(f"  {f'{title}:':<{wide}}{value}")


@app.command(epilog="Exit codes: 0 done; 2 wrong use.")
@reports_errors
def report(
    protocol: Annotated[str, typer.Argument(metavar="PROTOCOL", help="Its name.")],
    nodes: Annotated[int, typer.Option("--nodes", "-n", help="How many members.")] = 5,
    option: Options = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this kind of trouble, of {', '.join(FAULTS)}."),
    ] = None,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="What these kinds of trouble are scaled by.")
    ] = "5s",
    delay: LinkDelay = "5:10",
    loss: Loss = 0.0,
    duplicate: Duplicate = 0.0,
    write_delay: WriteDelay = "0",
    processing: Processing = "0",
    crash: Crashes = None,
    restart: Restarts = None,
    pause: Pauses = None,
    resume: Resumes = None,
    partition: Partitions = None,
    cut: Cuts = None,
    heal: Heals = None,
    runs: Annotated[int, typer.Option(help="Runs under each kind of trouble.")] = 100,
    seconds: Annotated[float, typer.Option(help="Simulated seconds of trouble in a run.")] = 100.0,
    seed: Seed = 1,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Measure what elections are asked for, under trouble.

    Uniqueness, liveness, fault tolerance, performance, stability; agreement and fairness.
    Faults at times, as for `run`, are a plan of your own, and then it alone is tried unless --fault
    names others as well. Network and machine hold for all.

    \b
    Examples:
      electionlab report raft --fault partition --fault pause
      electionlab report bully -n 7 --runs 20 --json
      electionlab report raft --loss 0.05 --crash leader@5s:20s --partition 1,2/3,4,5@40s --heal 60s
    """  # noqa: D301
    algorithm = protocol_of(protocol, nodes, option or [])
    given = {
        "crash": crash, "restart": restart, "pause": pause, "resume": resume,
        "partition": partition, "cut": cut, "heal": heal,
    }  # fmt: skip
    actions = actions_of({name: texts or [] for name, texts in given.items()})
    late = [action for at_ms, _, action in actions if at_ms > 1000 * seconds]
    if late:
        raise ValueError(f"--seconds {seconds:g}: must not end before {late[0]!r}")
    found = requirements(
        algorithm,
        [*(fault or (() if actions else FAULTS))],
        plan={"actions": [action for _, _, action in actions]} if actions else None,
        network=_network(delay, loss, duplicate), machine=_machine(write_delay, processing),
        runs=runs, seconds=seconds, timeout_ms=duration_ms("--timeout", timeout), seed=seed,
        threads=threads,
    )  # fmt: skip
    if as_json:
        print_json(
            {"protocol": protocol, "seed": seed, "effects": found.effects,
             "figures": found.frame.to_dict("records")}
        )  # fmt: skip
    else:
        typer.echo(str(found))


@app.command(epilog="Exit codes: 0 done; 2 wrong use.")
@reports_errors
def case(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; without one all are listed.")
    ] = None,
    seed: Seed = 1,
    runs: Annotated[int, typer.Option(help="Runs of each rate, from the seed on.")] = 50,
    as_json: AsJson = False,
    plot: PlotFile = None,
) -> None:
    """Run a use case or a known hard case, with and without its cure, or list them.

    \b
    Examples:
      electionlab case
      electionlab case database
      electionlab case chained --seed 3 --plot chained.png
    """  # noqa: D301
    if name is None:
        if plot is not None:
            raise ValueError(f"--plot {str(plot)!r}: needs the name of a case")
        _list_cases(as_json)
        return
    chosen = cases[name]
    check_targets(plot=plot)
    result = chosen.run(seed=seed, runs=runs)
    if plot is not None:
        save_picture(lambda: result.plot()[0], plot)
    if as_json:
        print_json({"case": name, "seed": seed, "runs": runs, "facts": result.facts})
    else:
        typer.echo(str(result))


def _list_cases(as_json: bool) -> None:
    if as_json:
        fields = ("name", "kind", "title", "question", "story", "source")
        print_json([{field: getattr(one, field) for field in fields} for one in cases.values()])
        return
    wide = max(len(name) for name in cases)
    for kind, title in (("use", "Use cases"), ("hard", "Hard cases")):
        typer.echo(title)
        for one in cases.values():
            if one.kind == kind:
                typer.echo(f"  {one.name:<{wide}}  {one.title}")


app.command(epilog="Exit codes: 0 done; 2 wrong use, or no such server.")(calibrate)
app.command(epilog=GRADE_EXITS)(grade)
app.command(epilog=CHECK_EXITS)(check)
app.command(epilog="Exit codes: 0 done; 2 wrong use; 130 stopped by Ctrl-C.")(matrix)


@app.command(epilog="Exit codes: 0 done; 2 wrong use.")
@reports_errors
def museum(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; without one all are listed.")
    ] = None,
    as_json: AsJson = False,
    plot: PlotFile = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="TRACE", help="Save the run for `replay`.")
    ] = None,
) -> None:
    """Show a documented bug of an election: the shortest run in which it does harm, or list them.

    \b
    Examples:
      electionlab museum
      electionlab museum double-vote
      electionlab museum double-vote --plot double_vote.png --save double_vote.jsonl
    """  # noqa: D301
    if name is None:
        for option, file in (("plot", plot), ("save", save)):
            if file is not None:
                raise ValueError(f"--{option} {str(file)!r}: needs the name of an exhibit")
        _list_exhibits(as_json)
        return
    exhibit = halls.EXHIBITS[name]
    check_targets(plot=plot, save=save)
    shown = exhibit.run()
    if plot is not None:
        save_picture(lambda: shown.plot()[0], plot)
    if save is not None:
        write_file("save", save, shown.save)
    if as_json:
        print_json(_exhibit_fields(exhibit) | {"run": shown.run.steps})
    else:
        typer.echo(str(shown))


def _exhibit_fields(exhibit: halls.Exhibit) -> dict[str, Any]:
    fields = ("name", "group", "title", "story", "sources", "flag", "invariant", "length", "hides")
    return {field: getattr(exhibit, field) for field in fields}


def _list_exhibits(as_json: bool) -> None:
    every = halls.EXHIBITS.values()
    if as_json:
        print_json([_exhibit_fields(one) for one in every])
        return
    table = [("exhibit", "breaks", "steps", "source")]
    for one in every:
        steps = one.length if isinstance(one.length, int) else sum(one.length)
        table.append((one.name, one.invariant, str(steps), one.sources[0]))
    wide = [max(len(row[column]) for row in table) for column in range(3)]
    for name, breaks, length, source in table:
        typer.echo(f"{name:<{wide[0]}}  {breaks:<{wide[1]}}  {length:>{wide[2]}}  {source}")


@app.command(
    epilog="Exit codes: 0 done; 1 an example did not end as the textbook says; 2 wrong use."
)
@reports_errors
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the pictures go.")] = Path("out"),
    seed: Seed = 7,
    trials: Annotated[int, typer.Option(help="Trials of each curve of Figure 16.")] = 1000,
    threads: Threads = 0,
) -> None:
    """The main job: elections and failovers told, the textbooks' examples, Figure 16, pictures.

    \b
    Example:
      electionlab demo --out out/
    """  # noqa: D301
    os.environ.setdefault("MPLBACKEND", "Agg")
    from electionlab.demo import run_demo

    raise typer.Exit(0 if run_demo(out, seed=seed, trials=trials, threads=threads) else 1)


if __name__ == "__main__":
    main()

"""The journal: whatever ends a sweep, and when, nothing finished is lost and nothing counts twice.

Two hundred kills. In 160 the process is not ended: the journal of a whole run is cut at a random
byte, which is all that a killed process leaves behind of it, and the sweep goes on from there. 40
are real: a process that sweeps is killed (SIGKILL) at a random moment, again and again, each going
on where the one before was killed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import electionlab as el
from electionlab._journal import Journal, JournalError

CUTS = 160
KILLS = 40
MANY = 3000  #: trials for each point where a process is killed: some time for it to be killed in

SWEEP: dict[str, Any] = {
    "over": {"election_timeout_ms": [(150, 155), (150, 300)], "nodes": [3, 5]},
    "scenario": el.scenarios.leader_crash(),
    "measures": ["agreed_ms", "messages"],
    "trials": 120,
    "seed": 4,
}


def run(**options: Any) -> el.Sweep:
    return el.sweep(el.Raft(nodes=5), **{**SWEEP, **options})


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """An uninterrupted result, as the bytes of its file, and its digest."""
    result = run()
    path = tmp_path_factory.mktemp("reference") / "result.parquet"
    result.to_parquet(path)
    return path.read_bytes(), result.digest


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "run.journal"
    run(save=path, threads=1)
    return path


def ends_of_records(path: Path) -> list[int]:
    from electionlab._journal import _record_at

    data = memoryview(path.read_bytes())
    ends = [0]
    while ends[-1] < len(data):
        record = _record_at(data, ends[-1])
        assert record is not None
        ends.append(record[2])
    return ends


def trials_in(path: Path) -> list[tuple[str, int]]:
    """Every trial of every chunk of a journal, as (point's id, number)."""
    found = []
    about = {"version": el.__version__, "seed": 4, "common_random_numbers": False,
             "measures": ["agreed_ms", "messages"]}  # fmt: skip
    log = Journal(path, about, resume=True)
    for point, first, count, columns in log.chunks():
        assert {len(column) for column in columns.values()} == {count}
        found += [(point, first + k) for k in range(count)]
    log.close()
    return found


def test_cut_anywhere_and_resumed_it_is_the_same(
    journal: Path, reference: tuple[bytes, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, ends = journal.read_bytes(), ends_of_records(journal)
    rng = random.Random(1)
    places = [0, 1, *ends[1:], *(end - 1 for end in ends[1:]), *(end + 1 for end in ends[1:-1])]
    places += [rng.randrange(len(data)) for _ in range(CUTS - len(places))]
    assert len(places) >= CUTS
    ran: list[int] = []
    from electionlab import _sweep_chunks

    def counting(work: Any, seed: int, first: int, trials: int, *rest: Any) -> Any:
        ran.append(trials)
        return original(work, seed, first, trials, *rest)

    original = _sweep_chunks.run_chunk
    monkeypatch.setattr(_sweep_chunks, "run_chunk", counting)
    for cut in places:
        journal.write_bytes(data[:cut])
        kept = len(trials_in(journal)) if cut >= ends[1] else 0
        ran.clear()
        result = run(save=journal, resume=True, threads=2)
        assert result.digest == reference[1], cut
        assert sum(ran) == 480 - kept, cut  # what was finished is not run again
        all_trials = trials_in(journal)
        assert len(all_trials) == len(set(all_trials)) == 480, cut


# Forks processes that sweep, which is quick as all is imported, and kills each after a while.
KILLER = """
import os, signal, sys, time
from test_sweep_journal import MANY, run
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        run(save=sys.argv[1], resume=True, threads=2, trials=MANY)
        os._exit(0)
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    ended = "killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
    print(ended, flush=True)
"""


def test_killed_at_random_moments_and_resumed_it_is_the_same(tmp_path: Path) -> None:
    path, script = tmp_path / "run.journal", tmp_path / "killer.py"
    script.write_text(KILLER)
    rng = random.Random(2)
    started = time.monotonic()
    whole = run(save=path, trials=MANY)
    usual_s = time.monotonic() - started
    path.unlink()
    kills, resumed, before = 0, 0, 0
    with subprocess.Popen(
        [sys.executable, str(script), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    ) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        while kills < KILLS or (resumed == 0 and kills < 5 * KILLS):
            killer.stdin.write(f"{rng.uniform(0, usual_s)}\n")
            killer.stdin.flush()
            ended = killer.stdout.readline().strip()
            if ended == "exit 0":  # it was faster; the next begins anew
                path.unlink()
                before = 0
                continue
            assert ended == "killed"
            kills += 1
            if path.exists() and path.stat().st_size:
                there = trials_in(path)
                assert len(there) == len(set(there)) >= before  # nothing finished was lost
                resumed += len(there) > before > 0
                before = len(there)
        killer.stdin.close()
    assert resumed > 0  # some went on where one before was killed, and were killed themselves
    result = run(save=path, resume=True, trials=MANY)
    assert result.digest == whole.digest
    result.to_parquet(tmp_path / "result.parquet")
    whole.to_parquet(tmp_path / "whole.parquet")
    assert (tmp_path / "result.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert len(set(trials_in(path))) == len(trials_in(path)) == 4 * MANY


def test_interrupted_run_is_in_the_journal(tmp_path: Path, reference: tuple[bytes, str]) -> None:
    """Ctrl-C, seen at the first chunk."""
    path = tmp_path / "run.journal"

    def press(done: int, planned: int) -> None:
        if done and path.exists():
            signal.raise_signal(signal.SIGINT)

    first = run(save=path, progress=press)
    assert first.interrupted
    assert 0 < len(first) == len(trials_in(path))
    second = run(save=path, resume=True)
    assert (second.interrupted, second.digest) == (False, reference[1])


def test_adaptive_sweep_resumes_to_the_same_number_of_trials(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    options = {"until": el.Precision("agreed_ms", "median", 0.02, max_trials=2000), "trials": 50}
    whole = run(save=path, **options)
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        assert run(save=path, resume=True, **options).digest == whole.digest
    # More trials than this sweep asks for may stand there: they are left alone.
    assert run(save=path, resume=True).digest == run().digest


def test_damage_and_other_sweeps_are_refused(journal: Path) -> None:
    data, ends = journal.read_bytes(), ends_of_records(journal)
    with pytest.raises(ValueError, match="is there already; resume=True goes on with it"):
        run(save=journal)
    for options, message in (
        ({"seed": 5}, "is of another sweep: seed is 4 there, 5 here"),
        ({"measures": None}, "is of another sweep: measures"),
        ({"common_random_numbers": True}, "common_random_numbers is False there"),
    ):
        with pytest.raises(JournalError, match=message):
            run(save=journal, resume=True, **options)
    rng = random.Random(3)
    for _ in range(60):
        at = rng.randrange(ends[1], ends[-2])  # not in the last record, which may be unfinished
        damaged = bytearray(data)
        damaged[at] ^= 1 << rng.randrange(8)
        journal.write_bytes(damaged)
        with pytest.raises(JournalError, match="was altered"):
            run(save=journal, resume=True)
    for text in (b"hello", b"PAR1" * 100, data[8:]):
        journal.write_bytes(text)
        with pytest.raises(JournalError, match="is no journal of a sweep"):
            run(save=journal, resume=True)
        assert journal.read_bytes() == text  # and nothing was written over it
    with pytest.raises(ValueError, match="there is no folder"):
        run(save=journal.parent / "none" / "x.journal")
    with pytest.raises(ValueError, match="save=3: must be the path of a file"):
        run(save=3)


def test_journal_in_use_is_refused(journal: Path) -> None:
    about = {"version": el.__version__, "seed": 4, "common_random_numbers": False,
             "measures": ["agreed_ms", "messages"]}  # fmt: skip
    log = Journal(journal, about, resume=True)
    with pytest.raises(JournalError, match="is in use by another process"):
        run(save=journal, resume=True)
    log.close()
    run(save=journal, resume=True)


def test_other_points_in_the_journal_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    small = {"over": {"nodes": [3]}}
    run(save=path, **small)
    size = path.stat().st_size
    larger = run(save=path, resume=True, over={"nodes": [3, 5]})
    assert larger.digest == run(over={"nodes": [3, 5]}).digest
    assert path.stat().st_size > size
    assert run(save=path, resume=True, **small).digest == run(**small).digest

"""Sweeps on other executors: threads, processes, loky, and Dask, a worker of which is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import electionlab as el

SWEEP: dict[str, Any] = {
    "over": {"election_timeout_ms": [(150, 155), (150, 300)], "nodes": [3, 5]},
    "scenario": el.scenarios.leader_crash(),
    "trials": 3000,
    "seed": 4,
}


def run(**options: Any) -> el.Sweep:
    return el.sweep(el.Raft(nodes=5), **{**SWEEP, **options})


def count_events(cluster: el.Cluster, until_ms: float) -> dict[str, float]:
    cluster.run(until=until_ms)
    return {"events": cluster.events}


class Late(Executor):
    """Runs what it is given when it is asked for three more, last first; some of it fails."""

    def __init__(self, fails: bool) -> None:
        self.fails = fails
        self.waiting: list[tuple[Future[Any], Any, Any]] = []

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, function, args))
        if len(self.waiting) > 3:
            while self.waiting:
                asked, work, given = self.waiting.pop()
                if self.fails:
                    asked.set_exception(OSError("the worker is gone"))
                else:
                    asked.set_result(work(*given))
        return future


def test_any_order_of_chunks_gives_the_same_result() -> None:
    late = Late(fails=False)
    late._max_workers = 2  # type: ignore[attr-defined]
    assert run(executor=late, trials=64).digest == run(trials=64).digest


def test_what_a_worker_raises_ends_the_sweep_and_keeps_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    run(save=path, trials=20)
    late = Late(fails=True)
    late._max_workers = 2  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="the worker is gone"):
        run(executor=late, save=path, resume=True)
    assert run(save=path, resume=True).digest == run().digest


def test_processes_give_the_same_result() -> None:
    context = multiprocessing.get_context("spawn")
    custom = el.scenarios.custom(count_events, until_ms=300)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert run(executor=pool).digest == run().digest
        far = run(executor=pool, scenario=custom, trials=5)
    assert far.digest == run(scenario=custom, trials=5).digest


def test_threads_of_an_executor_give_the_same_result() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert run(executor=pool).digest == run().digest


def test_loky_gives_the_same_result() -> None:
    from loky import get_reusable_executor

    pool = get_reusable_executor(max_workers=2)
    try:
        assert run(executor=pool).digest == run().digest
        custom = el.scenarios.custom(count_events, until_ms=300)
        far = run(executor=pool, scenario=custom, trials=5)
        assert far.digest == run(scenario=custom, trials=5).digest
    finally:
        pool.shutdown()


def test_dask_gives_the_same_result_though_a_worker_is_killed(tmp_path: Path) -> None:
    """A scheduler, and two worker processes of which one is killed in the middle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from distributed import Client, LocalCluster

        killed: list[int] = []
        with (
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=50,
                local_directory=str(tmp_path),
            ) as cluster,
            Client(cluster) as client,
        ):
            workers = client.run(os.getpid)
            small = run(executor=client.get_executor(), trials=100)
            assert small.digest == run(trials=100).digest

            def kill(done: int, planned: int) -> None:
                if not killed and done > planned // 8:
                    killed.append(next(iter(workers.values())))
                    os.kill(killed[0], signal.SIGKILL)

            path = tmp_path / "run.journal"
            far = run(executor=client, progress=kill, save=path, trials=6_000)
            assert killed
            assert not far.interrupted
    near = run(trials=6_000)
    assert far.digest == near.digest
    far.to_parquet(tmp_path / "far.parquet")
    near.to_parquet(tmp_path / "near.parquet")
    assert (tmp_path / "far.parquet").read_bytes() == (tmp_path / "near.parquet").read_bytes()

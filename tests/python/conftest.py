"""What all Python tests share; helper functions stand in support.py."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# Reproducible, and without a database of its own in the checkout: a failure prints its example.
settings.register_profile(
    "electionlab",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("electionlab")

#: What they wait for is done by other processes (servers, a browser, workers that are killed),
#: and a machine that is busy with something else may make them wait longer than they allow.
WITH_OTHER_PROCESSES = {
    "test_check_tools",
    "test_debugger_browser",
    "test_real_etcd",
    "test_real_existing",
    "test_real_zookeeper",
    "test_reality",
    "test_sweep_executors",
    "test_sweep_journal",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tries the tests of those files up to twice more; the report names each that needed it."""
    for item in items:
        if item.path.stem in WITH_OTHER_PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))

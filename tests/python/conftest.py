"""What all Python tests share; helper functions stand in support.py."""

from __future__ import annotations

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

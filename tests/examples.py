"""How many examples the property and fuzz tests try.

TYNDAU_FUZZ multiplies them (default 1; 100 takes minutes a test and is for long runs).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("TYNDAU_FUZZ", "1"))
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("thorough", max_examples=100 * TIMES, deadline=None)


def examples(count: int) -> settings:
    """`count` examples, or so many times more as asked, none of them timed."""
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=SHARED)

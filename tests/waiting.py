"""Waiting for real processes: until something is true, never for a fixed time."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(predicate: Callable[[], T], timeout_s: float, what: str) -> T:
    """The first true value of `predicate`; fails after `timeout_s`, naming `what`, with all threads' stacks."""
    deadline = time.monotonic() + timeout_s
    while not (value := predicate()):
        if time.monotonic() > deadline:
            faulthandler.dump_traceback(sys.__stderr__)
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(0.05)
    return value

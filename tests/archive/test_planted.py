"""`tyndau archive check` names every fault that the demo (tests/planted.py) plants, and has no code without one."""

from __future__ import annotations

from archive.jobs.context import job_context
from archive.reconcile.findings import Code
from config.settings import Settings
from tests.planted import FAULTS, planted, second_of


def test_each_planted_fault_is_named(database: Settings) -> None:
    with job_context(database.model_copy(update={"second_site": second_of(database)})) as context:
        missed = [(told.fault.what, told.codes) for told in planted(context) if not told.ok]
    assert missed == []
    assert {fault.code for fault in FAULTS} == set(Code)

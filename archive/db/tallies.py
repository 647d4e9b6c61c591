"""What runs of jobs came to. The queue forgets a job that went well; these counts stay, for all workers together."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db.operation_tables import JobTally


class Outcome(StrEnum):
    """How a run ended."""

    DONE = "done"
    RAISED = "raised"  # it will be tried again, or is parked
    LOST = "lost"  # its worker died


def count(session: Session, task: str, outcome: Outcome, seconds: float = 0.0) -> None:
    """One run more."""
    made = insert(JobTally).values(task=task, outcome=outcome, runs=1, seconds=seconds)
    more = {"runs": JobTally.runs + 1, "seconds": JobTally.seconds + made.excluded.seconds}
    session.execute(made.on_conflict_do_update(index_elements=["task", "outcome"], set_=more))

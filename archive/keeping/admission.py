"""Who may do what about keeping; what is done and what is refused stands in the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from archive.db import audit
from archive.db import keeping as db
from archive.db.keeping import Target
from archive.db.people import Person
from archive.db.session import Sessions
from archive.domain.access import Role
from archive.domain.errors import Denied, NotFound
from archive.domain.keeping import KeepAction, may_keep


def admit(sessions: Sessions, by: Person | None, target: Target, action: KeepAction) -> None:
    """Nothing when `by` (None: the server's console) may do this; a refusal is noted.

    Raises:
        NotFound: no such recording or case, or it is of another court.
        Denied: not in this role.
    """
    with sessions() as session:
        db.place(session, target)
        tied = db.relations_to(session, by, target) if by else frozenset()
    if by is None or may_keep(by.role, tied, action):
        return
    refuse(sessions, by, target, action, "none")
    if not tied and by.role is not Role.AUDITOR:
        raise NotFound("there is no such recording or case; check what was given")
    raise Denied("this is not open to you")


def refuse(sessions: Sessions, by: Person, target: Target, action: KeepAction, rule: str) -> None:
    """Note that somebody was refused, in a transaction of its own."""
    with sessions.begin() as session:
        audit.write(session, audit.Entry(action, False, rule, by, recording=target.recording, data=_case(target)))


def note(session: Session, by: Person | None, action: KeepAction, target: Target, data: Mapping[str, object]) -> None:
    """Note what was done, in the caller's transaction."""
    rule = f"{by.role}:keeping" if by else "console"
    entry = audit.Entry(action, True, rule, by, recording=target.recording, data={**_case(target), **data})
    audit.write(session, entry)


def _case(target: Target) -> dict[str, object]:
    return {"case": str(target.case)} if target.case else {}

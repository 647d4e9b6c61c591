"""Roles that take two administrators (archive.domain.offices): proposed by one, confirmed or refused by another."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from archive.db import audit, people, proposals, sessions
from archive.db import staff as db
from archive.db.people import Person
from archive.db.proposals import Proposal
from archive.db.staff import Account
from archive.domain.access import Role
from archive.domain.errors import Conflict, Denied
from archive.domain.offices import State, why_not_confirm


@dataclass(frozen=True, slots=True)
class Acting:
    """Who does something, and the rule by which; None at the command line."""

    person: Person | None
    rule: str


def confirm(session: Session, by: Acting, proposal: uuid.UUID, now: datetime) -> None:
    """Agree: from now on the account has the role, and may sign in; its sessions end.

    Raises:
        NotFound: there is no such proposal.
        Denied: whoever proposed it, or is concerned, may not.
        Conflict: it does not wait any more, or what it was made for has changed.
    """
    found, held = _held(session, proposal, now)
    against = why_not_confirm(found.by, found.user, id_of(by))
    if against:
        raise Denied(against)
    _require_waiting(found)
    proposer = people.by_id(session, found.by)
    still = (proposer.role, proposer.court, proposer.disabled_utc) == (Role.ADMIN, held.person.court, None)
    if not still or held.person.role is not found.before:
        raise Conflict("the account, or whoever proposed this, has another role by now; propose it anew")
    require_no_places(session, held.person)
    proposals.decide(session, proposal, State.CONFIRMED, id_of(by), now)
    people.set_place(session, found.user, found.role, held.person.court)
    db.enable(session, found.user)
    ended = sessions.end_others(session, found.user, "", now)
    changed = change("role", found.before.value, found.role.value)
    note(session, by, "user.confirm", found.username, **changed, ended=ended, **_about(found))


def refuse(session: Session, by: Acting, proposal: uuid.UUID, now: datetime) -> None:
    """Say no to what somebody else has proposed, or take back what one has proposed oneself.

    Raises:
        NotFound: there is no such proposal.
        Denied: it is about oneself.
        Conflict: it does not wait any more.
    """
    found, _ = _held(session, proposal, now)
    if found.user == id_of(by):
        raise Denied("nobody decides about his own role; another administrator must")
    _require_waiting(found)
    state = State.WITHDRAWN if found.by == id_of(by) else State.REFUSED
    proposals.decide(session, proposal, state, id_of(by), now)
    note(session, by, f"user.{'withdraw' if state is State.WITHDRAWN else 'refuse'}", found.username, **_about(found))


def _held(session: Session, proposal: uuid.UUID, now: datetime) -> tuple[Proposal, Account]:
    """The account first, as everywhere: two who change it wait for each other, not both for ever."""
    account = db.held(session, proposals.get(session, proposal, now).user, now)
    return proposals.held(session, proposal, now), account


def propose(
    session: Session, by: Acting, user: uuid.UUID, username: str, role: Role, before: Role, now: datetime
) -> uuid.UUID:
    """Have a role wait for another administrator; the proposal's id. Raises Conflict: another one waits."""
    made = proposals.propose(session, user, role, before, id_of(by), now)
    note(session, by, "user.propose", username, **change("role", before.value, role.value), proposal=str(made))
    return made


def _require_waiting(found: Proposal) -> None:
    if found.state is not State.WAITING:
        raise Conflict("this proposal does not wait any more; reload the page")


def require_no_places(session: Session, person: Person) -> None:
    """Nothing for whoever is a party to no case: as staff he or she would work on cases of his or her own.

    Raises:
        Conflict: a case names the party.
    """
    if person.role is Role.PARTY and db.has_places(session, person.id):
        raise Conflict("the account is a party's to a case; make another one for the office")


def id_of(by: Acting) -> uuid.UUID:
    """Who proposes or decides: an administrator, never the command line."""
    assert by.person is not None  # noqa: S101 - nobody proposes or decides at the command line
    return by.person.id


def change(what: str, before: str, after: str) -> dict[str, Mapping[str, str]]:
    """A change, for the audit log."""
    return {"before": {what: before}, "after": {what: after}}


def _about(found: Proposal) -> dict[str, str]:
    return {"proposal": str(found.id), "proposed_by": found.by_username}


def note(session: Session, by: Acting, action: str, username: str, **data: object) -> None:
    """Note what was done with an account, in the caller's transaction."""
    audit.write(session, audit.Entry(action, True, by.rule, by.person, data={"user": username, **data}))

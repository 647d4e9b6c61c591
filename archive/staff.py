"""What is done with accounts: by the administrators of their court, and at the command line.

Whose account it is and that its court is the administrator's is decided before. What takes two administrators
(archive.domain.offices) is proposed here by one and confirmed by another; until then the account stays what it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from archive import accounts
from archive.db import audit, people, proposals, second_factors, sessions
from archive.db import staff as db
from archive.db.people import Person
from archive.db.proposals import Proposal
from archive.db.staff import Account
from archive.domain.access import Role
from archive.domain.enrolment import new_code
from archive.domain.errors import BadInput, Conflict, Denied
from archive.domain.offices import BARE, BY_TWO, State, why_not_confirm

MOST_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Acting:
    """Who does something, and the rule by which; None at the command line."""

    person: Person | None
    rule: str


COMMAND_LINE = Acting(None, "command line")


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an administrator says of an account to be."""

    username: str
    display_name: str
    role: Role
    language: str


@dataclass(frozen=True, slots=True)
class Created:
    """A new account. The password is good for the first sign-in; `proposal`: the role waits to be confirmed."""

    user: uuid.UUID
    password: str
    proposal: uuid.UUID | None


def create(session: Session, by: Acting, court: uuid.UUID, asked: NewAccount, now: datetime) -> Created:
    """An account of a court, with a password that is shown now and never again.

    Raises:
        BadInput: a name that cannot be.
        Conflict: the user name is taken.
    """
    by_two = asked.role in BY_TWO
    password, code = new_code(), people.court_code(session, court)
    user = accounts.add_user(
        session,
        username=asked.username,
        password=password,
        display_name=checked_name(asked.display_name),
        role=BARE if by_two else asked.role,
        court=code,
        language=asked.language,
        must_change=True,
    )
    name = asked.username.lower()
    _note(session, by, "user.add", name, role=(BARE if by_two else asked.role).value, court=code)
    proposal = _propose(session, by, user, name, asked.role, BARE, now) if by_two else None
    return Created(user, password, proposal)


def rename(session: Session, by: Acting, held: Account, display_name: str) -> None:
    """Another name to be shown. Raises BadInput, Denied (one's own account)."""
    _require_another(by, held)
    name = checked_name(display_name)
    if name == held.person.display_name:
        return
    db.rename(session, held.person.id, name)
    _note(session, by, "user.name", held.person.username, **_change("name", held.person.display_name, name))


def change_role(session: Session, by: Acting, held: Account, role: Role, now: datetime) -> uuid.UUID | None:
    """Another role from now on; the account's sessions end. The proposal, where a second administrator must agree.

    Raises:
        Denied: it is one's own account.
        Conflict: the account is disabled or a party's to a case, or another role waits for it.
    """
    _require_another(by, held)
    person = held.person
    if person.disabled_utc is not None:
        raise Conflict("the account is disabled; enable it first")
    if role is person.role:
        return None
    _require_no_places(session, person)
    if role in BY_TWO:
        return _propose(session, by, person.id, person.username, role, person.role, now)
    proposals.withdraw_waiting(session, person.id, _id(by), now)
    people.set_place(session, person.id, role, person.court)
    ended = sessions.end_others(session, person.id, "", now)
    _note(session, by, "user.role", person.username, **_change("role", person.role.value, role.value), ended=ended)
    return None


def disable(session: Session, by: Acting, held: Account, now: datetime) -> None:
    """Shut the account now, with its sessions and whatever waits for it. Twice is once. Raises Denied."""
    _require_another(by, held)
    if held.person.disabled_utc is not None:
        return
    people.disable(session, held.person.id)
    proposals.withdraw_waiting(session, held.person.id, _id(by), now)
    ended = sessions.end_others(session, held.person.id, "", now)
    _note(session, by, "user.disable", held.person.username, **_change("state", "active", "disabled"), ended=ended)


def enable(session: Session, by: Acting, held: Account, now: datetime) -> uuid.UUID | None:
    """Let the account sign in again. The proposal, where its role is one that takes a second administrator.

    Raises:
        Denied: it is one's own account.
        Conflict: it waits to be confirmed already.
    """
    _require_another(by, held)
    person = held.person
    if person.disabled_utc is None:
        return None
    if person.role in BY_TWO:
        return _propose(session, by, person.id, person.username, person.role, person.role, now)
    db.enable(session, person.id)
    _note(session, by, "user.enable", person.username, **_change("state", "disabled", "active"))
    return None


def reset_password(session: Session, by: Acting, username: str, password: str, now: datetime) -> tuple[Person, int]:
    """A password for the next sign-in, which asks for an own one; who it is, and how many sessions have ended.

    Raises:
        NotFound: nobody has this name.
        PoorPassword: the password cannot be.
    """
    person = accounts.reset_password(session, username, password)
    ended = sessions.end_others(session, person.id, "", now)
    _note(session, by, "user.password", person.username)
    return person, ended


def reset_second_factor(session: Session, by: Acting, person: Person, now: datetime) -> int:
    """Take a lost authenticator off an account, recovery codes too; how many sessions have ended. Raises Denied."""
    _require_not_self(by, person)
    second_factors.remove(session, person.id)
    ended = sessions.end_others(session, person.id, "", now)
    _note(session, by, "user.second_factor", person.username)
    return ended


def end_sessions(session: Session, by: Acting, person: Person, now: datetime) -> int:
    """Sign somebody out everywhere; how many sessions those were. Raises Denied."""
    _require_not_self(by, person)
    ended = sessions.end_others(session, person.id, "", now)
    _note(session, by, "user.sessions", person.username, ended=ended)
    return ended


# --- two administrators ------------------------------------------------------------------------------


def confirm(session: Session, by: Acting, proposal: uuid.UUID, now: datetime) -> None:
    """Agree: from now on the account has the role, and may sign in; its sessions end.

    Raises:
        NotFound: there is no such proposal.
        Denied: whoever proposed it, or is concerned, may not.
        Conflict: it does not wait any more, or what it was made for has changed.
    """
    found, held = _held(session, proposal, now)
    against = why_not_confirm(found.by, found.user, _id(by))
    if against:
        raise Denied(against)
    _require_waiting(found)
    proposer = people.by_id(session, found.by)
    still = (proposer.role, proposer.court, proposer.disabled_utc) == (Role.ADMIN, held.person.court, None)
    if not still or held.person.role is not found.before:
        raise Conflict("the account, or whoever proposed this, has another role by now; propose it anew")
    _require_no_places(session, held.person)
    proposals.decide(session, proposal, State.CONFIRMED, _id(by), now)
    people.set_place(session, found.user, found.role, held.person.court)
    db.enable(session, found.user)
    ended = sessions.end_others(session, found.user, "", now)
    change = _change("role", found.before.value, found.role.value)
    _note(session, by, "user.confirm", found.username, **change, ended=ended, **_about(found))


def refuse(session: Session, by: Acting, proposal: uuid.UUID, now: datetime) -> None:
    """Say no to what somebody else has proposed, or take back what one has proposed oneself.

    Raises:
        NotFound: there is no such proposal.
        Denied: it is about oneself.
        Conflict: it does not wait any more.
    """
    found, _ = _held(session, proposal, now)
    if found.user == _id(by):
        raise Denied("nobody decides about his own role; another administrator must")
    _require_waiting(found)
    state = State.WITHDRAWN if found.by == _id(by) else State.REFUSED
    proposals.decide(session, proposal, state, _id(by), now)
    _note(session, by, f"user.{'withdraw' if state is State.WITHDRAWN else 'refuse'}", found.username, **_about(found))


def _held(session: Session, proposal: uuid.UUID, now: datetime) -> tuple[Proposal, Account]:
    """The account first, as everywhere: two who change it wait for each other, not both for ever."""
    account = db.held(session, proposals.get(session, proposal, now).user, now)
    return proposals.held(session, proposal, now), account


def _propose(
    session: Session, by: Acting, user: uuid.UUID, username: str, role: Role, before: Role, now: datetime
) -> uuid.UUID:
    made = proposals.propose(session, user, role, before, _id(by), now)
    _note(session, by, "user.propose", username, **_change("role", before.value, role.value), proposal=str(made))
    return made


def _require_waiting(found: Proposal) -> None:
    if found.state is not State.WAITING:
        raise Conflict("this proposal does not wait any more; reload the page")


def _require_no_places(session: Session, person: Person) -> None:
    """Nothing for whoever is a party to no case: as staff he or she would work on cases of his or her own.

    Raises:
        Conflict: a case names the party.
    """
    if person.role is Role.PARTY and db.has_places(session, person.id):
        raise Conflict("the account is a party's to a case; make another one for the office")


def _require_another(by: Acting, held: Account) -> None:
    _require_not_self(by, held.person)


def _require_not_self(by: Acting, person: Person) -> None:
    if by.person is not None and by.person.id == person.id:
        raise Denied("nobody changes his own account here; another administrator must")


def checked_name(text: str) -> str:
    """A name as it is kept.

    Raises:
        BadInput: empty, too long, or with characters that cannot be shown.
    """
    name = " ".join(text.split())
    if not 1 <= len(name) <= MOST_NAME_CHARS or not name.isprintable():
        raise BadInput(f"a name has 1 to {MOST_NAME_CHARS} characters that can be shown; give another")
    return name


def _id(by: Acting) -> uuid.UUID:
    assert by.person is not None  # noqa: S101 - nobody proposes or decides at the command line
    return by.person.id


def _change(what: str, before: str, after: str) -> dict[str, Mapping[str, str]]:
    return {"before": {what: before}, "after": {what: after}}


def _about(found: Proposal) -> dict[str, str]:
    return {"proposal": str(found.id), "proposed_by": found.by_username}


def _note(session: Session, by: Acting, action: str, username: str, **data: object) -> None:
    audit.write(session, audit.Entry(action, True, by.rule, by.person, data={"user": username, **data}))

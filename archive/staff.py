"""What is done with accounts: by the administrators of their court, and at the command line.

Whose account it is and that its court is the administrator's is decided before. What takes two administrators
(archive.domain.offices) is only proposed here (archive.promotions); until then the account stays what it is.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from archive import accounts
from archive.db import people, proposals, second_factors, sessions
from archive.db import staff as db
from archive.db.people import Person
from archive.db.staff import Account
from archive.domain.access import Role
from archive.domain.enrolment import new_code
from archive.domain.errors import BadInput, Conflict, Denied
from archive.domain.offices import BARE, BY_TWO
from archive.promotions import Acting, change, id_of, note, propose, require_no_places

MOST_NAME_CHARS = 200


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
    note(session, by, "user.add", name, role=(BARE if by_two else asked.role).value, court=code)
    proposal = propose(session, by, user, name, asked.role, BARE, now) if by_two else None
    return Created(user, password, proposal)


def rename(session: Session, by: Acting, held: Account, display_name: str) -> None:
    """Another name to be shown. Raises BadInput, Denied (one's own account)."""
    _require_another(by, held)
    name = checked_name(display_name)
    if name == held.person.display_name:
        return
    db.rename(session, held.person.id, name)
    note(session, by, "user.name", held.person.username, **change("name", held.person.display_name, name))


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
    require_no_places(session, person)
    if role in BY_TWO:
        return propose(session, by, person.id, person.username, role, person.role, now)
    proposals.withdraw_waiting(session, person.id, id_of(by), now)
    people.set_place(session, person.id, role, person.court)
    ended = sessions.end_others(session, person.id, "", now)
    note(session, by, "user.role", person.username, **change("role", person.role.value, role.value), ended=ended)
    return None


def disable(session: Session, by: Acting, held: Account, now: datetime) -> None:
    """Shut the account now, with its sessions and whatever waits for it. Twice is once. Raises Denied."""
    _require_another(by, held)
    if held.person.disabled_utc is not None:
        return
    people.disable(session, held.person.id)
    proposals.withdraw_waiting(session, held.person.id, by.person.id if by.person else None, now)
    ended = sessions.end_others(session, held.person.id, "", now)
    note(session, by, "user.disable", held.person.username, **change("state", "active", "disabled"), ended=ended)


def enable(session: Session, by: Acting, held: Account, now: datetime) -> uuid.UUID | None:
    """Let the account sign in again. The proposal, where its role is one that takes a second administrator.

    The command line needs none: whoever works there could write the row.

    Raises:
        Denied: it is one's own account.
        Conflict: it waits to be confirmed already.
    """
    _require_another(by, held)
    person = held.person
    if person.disabled_utc is None:
        return None
    if person.role in BY_TWO and by.person is not None:
        return propose(session, by, person.id, person.username, person.role, person.role, now)
    db.enable(session, person.id)
    note(session, by, "user.enable", person.username, **change("state", "disabled", "active"))
    return None


def reset_password(session: Session, by: Acting, username: str, password: str, now: datetime) -> tuple[Person, int]:
    """A password for the next sign-in, which asks for an own one; who it is, and how many sessions have ended.

    Raises:
        NotFound: nobody has this name.
        PoorPassword: the password cannot be.
    """
    person = accounts.reset_password(session, username, password)
    ended = sessions.end_others(session, person.id, "", now)
    note(session, by, "user.password", person.username)
    return person, ended


def reset_second_factor(session: Session, by: Acting, person: Person, now: datetime) -> int:
    """Take a lost authenticator off an account, recovery codes too; how many sessions have ended. Raises Denied."""
    _require_not_self(by, person)
    second_factors.remove_all(session, person.id)
    ended = sessions.end_others(session, person.id, "", now)
    note(session, by, "user.second_factor", person.username)
    return ended


def end_sessions(session: Session, by: Acting, person: Person, now: datetime) -> int:
    """Sign somebody out everywhere; how many sessions those were. Raises Denied."""
    _require_not_self(by, person)
    ended = sessions.end_others(session, person.id, "", now)
    note(session, by, "user.sessions", person.username, ended=ended)
    return ended


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

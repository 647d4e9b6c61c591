"""The accounts of a court, for its administrators; what takes two of them waits under /role-proposals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api import cursors, etags, guard
from api import problems as p
from api import schemas as s
from api.contract import BY_ACCESS, answers
from api.etags import IfMatch
from api.guard import Subject, Who
from api.schemas import Asked, Line
from api.services import Services, Use
from archive import staff
from archive.db import staff as db
from archive.db.sessions import SignedIn
from archive.db.staff import Account, AccountState
from archive.domain.access import CourtAction, Decision, Role, decide_in_court
from archive.domain.errors import Denied, NotFound
from archive.domain.wall import iso
from archive.promotions import Acting
from archive.staff import NewAccount

router = APIRouter(tags=["users"])

Limit = Annotated[int, Query(ge=1, le=200)]
Name = Annotated[Line, Field(min_length=1, max_length=200)]


class User(BaseModel):
    """An account. `waits_for`: the role that it gets once another administrator has confirmed it."""

    id: UUID
    username: str
    display_name: str
    role: Role
    language: Literal["kk", "ru", "en"]
    state: AccountState
    created_utc: str
    seen_utc: str | None
    must_change_password: bool
    second_factor: bool
    waits_for: Role | None
    mine: bool


class UserPage(BaseModel):
    items: list[User]
    next: str | None


class UserAsked(Asked):
    """It belongs to the court of whoever makes it."""

    username: Annotated[Line, Field(min_length=2, max_length=64, examples=["aigul.k"])]
    display_name: Annotated[Name, Field(examples=["Айгүл Қасымова"])]
    role: Role
    language: Literal["kk", "ru", "en"] = "kk"


class UserMade(BaseModel):
    """`password` is shown only now, and good for the first sign-in. `proposal`: the role waits to be confirmed."""

    user: User
    password: str
    proposal: UUID | None


class NameAsked(Asked):
    display_name: Name


class RoleAsked(Asked):
    role: Role


class AccountStateAsked(Asked):
    state: AccountState


@router.get("/users", responses=answers(p.DENIED, p.BAD_INPUT))
def list_users(
    who: Who,
    services: Use,
    role: Role | None = None,
    state: AccountState | None = None,
    q: Annotated[s.Line, Query(description="How the user name, or a word of the name, begins.")] = "",
    cursor: str | None = None,
    limit: Limit = 50,
) -> UserPage:
    """The accounts of my court, by user name."""
    court = guard.in_court(services, who, CourtAction.USERS)
    after = cursors.decode(cursor, str)[0].replace("\x00", "") if cursor is not None else ""
    wanted = db.Wanted(role, state, q.strip(), after, limit + 1)
    with services.sessions() as session:
        found = db.listed(session, court, wanted, services.clock.utc()) if court else []
    page = found[:limit]
    more = cursors.encode(page[-1].person.username) if len(found) > limit else None
    return UserPage(items=[_user(who, one) for one in page], next=more)


@router.post("/users", status_code=201, responses=answers(*BY_ACCESS, p.CONFLICT))
def create_user(asked: UserAsked, who: Who, services: Use, response: Response) -> UserMade:
    """An account of my court. A judge, auditor, archivist or administrator is a party until another one confirms it."""
    with acting(services, who, "user.add", asked.username) as (session, by):
        court = who.person.court
        if court is None:
            raise NotFound("you work at no court; there are no accounts of it")
        told = NewAccount(asked.username, asked.display_name, asked.role, asked.language)
        made = staff.create(session, by, court, told, services.clock.utc())
        account = db.account(session, made.user, services.clock.utc())
    etags.tell(response, account.version)
    return UserMade(user=_user(who, account), password=made.password, proposal=made.proposal)


@router.get("/users/{user}", responses=answers(*BY_ACCESS))
def get_user(user: UUID, who: Who, services: Use, response: Response) -> User:
    """One of them."""
    guard.in_court(services, who, CourtAction.USERS)
    with services.sessions() as session:
        found = _own(who, db.account(session, user, services.clock.utc()))
    return _shown(who, found, response)


@router.patch("/users/{user}", responses=answers(*BY_ACCESS, p.CONFLICT))
def rename_user(
    user: UUID, asked: NameAsked, who: Who, services: Use, response: Response, if_match: IfMatch = None
) -> User:
    """Another name to be shown."""
    with acting(services, who, "user.name", user) as (session, by):
        held = _held(session, services, who, user, if_match)
        staff.rename(session, by, held, asked.display_name)
        return _shown(who, db.account(session, user, services.clock.utc()), response)


@router.put("/users/{user}/role", responses=answers(*BY_ACCESS, p.CONFLICT))
def set_user_role(
    user: UUID, asked: RoleAsked, who: Who, services: Use, response: Response, if_match: IfMatch = None
) -> User:
    """Another role from now on; what takes two administrators waits for the other one (`waits_for`)."""
    with acting(services, who, "user.role", user) as (session, by):
        held = _held(session, services, who, user, if_match)
        staff.change_role(session, by, held, asked.role, services.clock.utc())
        return _shown(who, db.account(session, user, services.clock.utc()), response)


@router.put("/users/{user}/state", responses=answers(*BY_ACCESS, p.CONFLICT))
def set_user_state(
    user: UUID, asked: AccountStateAsked, who: Who, services: Use, response: Response, if_match: IfMatch = None
) -> User:
    """Disable an account, which ends its sessions at once, or enable it; some roles take two persons for that."""
    action = "user.disable" if asked.state is AccountState.DISABLED else "user.enable"
    with acting(services, who, action, user) as (session, by):
        held = _held(session, services, who, user, if_match)
        change = staff.disable if asked.state is AccountState.DISABLED else staff.enable
        change(session, by, held, services.clock.utc())
        return _shown(who, db.account(session, user, services.clock.utc()), response)


@router.delete("/users/{user}/second-factor", responses=answers(*BY_ACCESS, p.CONFLICT))
def reset_user_second_factor(user: UUID, who: Who, services: Use) -> s.Ended:
    """Take a lost authenticator off, recovery codes too; the password alone signs in until there is a new one."""
    with acting(services, who, "user.second_factor", user) as (session, by):
        held = _own(who, db.held(session, user, services.clock.utc()))
        return s.Ended(sessions=staff.reset_second_factor(session, by, held.person, services.clock.utc()))


@router.delete("/users/{user}/sessions", responses=answers(*BY_ACCESS, p.CONFLICT))
def end_user_sessions(user: UUID, who: Who, services: Use) -> s.Ended:
    """Sign somebody out everywhere, now."""
    with acting(services, who, "user.sessions", user) as (session, by):
        held = _own(who, db.held(session, user, services.clock.utc()))
        return s.Ended(sessions=staff.end_sessions(session, by, held.person, services.clock.utc()))


@contextmanager
def acting(services: Services, who: SignedIn, action: str, about: object) -> Iterator[tuple[Session, Acting]]:
    """A transaction of an administrator; what is refused in it is noted."""
    guard.in_court(services, who, CourtAction.USERS)
    try:
        with services.sessions.begin() as session:
            yield session, Acting(who.person, decide_in_court(who.person.role, True, CourtAction.USERS).rule)
    except Denied as error:
        told = Subject(data={"about": str(about), "said": str(error).partition(";")[0]})
        guard.note(services, who.person, action, Decision(False, True, "none"), told)
        raise


def _held(session: Session, services: Services, who: SignedIn, user: UUID, if_match: str | None) -> Account:
    """The account that is to be changed, as whoever changes it has seen it."""
    found = _own(who, db.held(session, user, services.clock.utc()))
    etags.require(if_match, found.version)
    return found


def _own(who: SignedIn, found: Account) -> Account:
    if who.person.court is None or found.person.court != who.person.court:
        raise NotFound("there is no such account; check the address")
    return found


def _shown(who: SignedIn, one: Account, response: Response) -> User:
    etags.tell(response, one.version)
    return _user(who, one)


def _user(who: SignedIn, one: Account) -> User:
    person = one.person
    return User.model_validate(
        {
            "id": person.id,
            "username": person.username,
            "display_name": person.display_name,
            "role": person.role,
            "language": person.language,
            "state": AccountState.ACTIVE if person.disabled_utc is None else AccountState.DISABLED,
            "created_utc": iso(one.created_utc),
            "seen_utc": iso(one.seen_utc) if one.seen_utc else None,
            "must_change_password": one.must_change_password,
            "second_factor": one.second_factor_utc is not None,
            "waits_for": one.waits_for,
            "mine": person.id == who.person.id,
        }
    )

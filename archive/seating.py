"""Places in hearings that were entered by hand (archive.entering): named by one person, agreed to by a judge."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from archive.db import audit, catalogue, places, seats
from archive.db import entered as db
from archive.db.cards import queue_cards, recordings_of
from archive.db.entered import Planned
from archive.db.people import Person
from archive.db.places import Holder, Place
from archive.db.seats import Seat
from archive.domain.access import Role
from archive.domain.entering import State, fits, gives, may_take_away, of_staff, same_name
from archive.domain.errors import BadInput, Conflict, Denied, NotFound
from archive.domain.keeping import checked_ground


@dataclass(frozen=True, slots=True)
class Acting:
    """Who does something, by which row of the access table, when."""

    person: Person
    rule: str
    now: datetime


def add_place(session: Session, by: Acting, hearing: uuid.UUID, place: Place) -> None:
    """Somebody takes part. With an account: once a judge of the case agrees.

    Raises:
        BadInput: the account cannot have this place.
        Conflict: the hearing is the court's system's, or cancelled; or the account has a place in it.
    """
    catalogue.one_at_a_time(session)
    found = by_hand(session, hearing)
    if found.cancelled:
        raise Conflict("the hearing is cancelled; enter another one")
    put(session, by, found, place)


def put(session: Session, by: Acting, hearing: Planned, place: Place) -> None:
    """The same for a hearing that was looked at. Raises BadInput, Conflict, Denied."""
    if place.username is None:
        made = places.add(session, hearing.hearing, place)
        told = {"participant": str(made), "name": place.name, "role": place.role, "gives": []}
        note(session, by, "participants.add", hearing.hearing, **told)
        queue_cards(session, recordings_of(session, hearing.hearing))
        return
    account = _fitting(session, by.person, hearing, place.role, place.username)
    made = seats.name(session, hearing.hearing, account.id, place, by.person, by.now)
    told = {"seat": str(made), "user": account.username, "role": place.role}
    note(session, by, "seats.name", hearing.hearing, **told, would_give=gives(account.role, hearing.access_class))


def confirm(session: Session, by: Acting, seat: uuid.UUID, ground: str | None) -> uuid.UUID:
    """Agree to a place: it opens from now on what the access table says. The hearing.

    Raises:
        NotFound: there is no such seat, or none that the person may know of.
        Denied: not by this person.
        Conflict: it does not wait any more, the account is another one by now, or the hearing the court's system's.
    """
    found, hearing = _deciding(session, by, seat)
    try:
        account = _fitting(session, by.person, hearing, found.role, found.username)
    except BadInput as error:
        raise Conflict(str(error)) from error
    participant = seats.confirm(session, seat, by.person, by.now)
    queue_cards(session, recordings_of(session, found.hearing))
    told = {**_about(found), "participant": str(participant), "ground": ground}
    note(session, by, "seats.confirm", found.hearing, **told, gives=gives(account.role, hearing.access_class))
    return found.hearing


def refuse(session: Session, by: Acting, seat: uuid.UUID, ground: str | None) -> None:
    """Do not agree. Raises BadInput (no ground), NotFound, Denied, Conflict."""
    ground = checked_ground(ground or "")
    found, _ = _deciding(session, by, seat)
    seats.close(session, seat, State.REFUSED, by.person, ground, by.now)
    note(session, by, "seats.refuse", found.hearing, **_about(found), ground=ground)


def withdraw(session: Session, by: Acting, seat: uuid.UUID) -> None:
    """Whoever has named somebody takes that back. Raises NotFound, Denied, Conflict."""
    catalogue.one_at_a_time(session)
    found = _seen(session, by, seat)
    if found.by != by.person.id:
        raise Denied("only whoever has named somebody takes that back")
    _require_waiting(found)
    seats.close(session, seat, State.WITHDRAWN, by.person, None, by.now)
    note(session, by, "seats.withdraw", found.hearing, **_about(found))


def take_away(session: Session, by: Acting, hearing: uuid.UUID, participant: uuid.UUID, ground: str) -> None:
    """Somebody takes part no more: what the place opened is closed from now on.

    Raises:
        BadInput: no ground.
        NotFound: there is no such participant in the hearing.
        Denied: not by this person.
        Conflict: the hearing is the court's system's, or it is the last judge of the case.
    """
    ground = checked_ground(ground)
    catalogue.one_at_a_time(session)
    planned = by_hand(session, hearing)
    held = places.holder(session, participant)
    if held is None or held.hearing != hearing:
        raise NotFound("there is no such participant in this hearing; reload the page")
    if not may_take_away(by.person.role, held.account):
        raise Denied("a judge of the case takes places of judges and secretaries away")
    if places.judges_of_case(session, planned.case) == {participant}:
        raise Conflict("this is the last judge of the case; agree to another one first")
    places.remove(session, participant, by.now)
    queue_cards(session, recordings_of(session, hearing))
    note(session, by, "participants.remove", hearing, **_removed(held), ground=ground)


def _deciding(session: Session, by: Acting, seat: uuid.UUID) -> tuple[Seat, Planned]:
    catalogue.one_at_a_time(session)
    found = _seen(session, by, seat)
    _require_waiting(found)
    if not found.decidable:
        raise Denied("a judge of the case agrees to places in it, and never to whom he has named himself")
    hearing = by_hand(session, found.hearing)
    if hearing.cancelled:
        raise Conflict("the hearing is cancelled; nobody takes part in it")
    return found, hearing


def _seen(session: Session, by: Acting, seat: uuid.UUID) -> Seat:
    found = seats.one(session, by.person, seat)
    if found is None:
        raise NotFound("there is no such place; reload the page")
    return found


def _require_waiting(found: Seat) -> None:
    if found.state is not State.WAITING:
        raise Conflict("this place does not wait for anybody any more; reload the page")


def _fitting(session: Session, by: Person, hearing: Planned, role: str, username: str) -> Person:
    """The account, if it may have the place; why it may not is not told: it may be of another court.

    Raises:
        BadInput: it may not.
        Denied: it is, or may be, an account of whoever names it, or agrees to it, as a party.
    """
    account = places.account_of(session, username)
    if account is None or not fits(account.role, role) or (of_staff(account.role) and account.court != hearing.court):
        raise BadInput(f"no account {username!r} of this court may have this place; check the user name and the role")
    if account.role is Role.PARTY and same_name(account.display_name, by.display_name):
        raise Denied("nobody makes himself, or somebody of his own name, a party; another person must do this")
    return account


def by_hand(session: Session, hearing: uuid.UUID) -> Planned:
    """A hearing that was entered by hand, locked.

    Raises:
        NotFound: there is none.
        Conflict: the court's own system tells of it.
    """
    found = db.planned(session, hearing)
    if found is None:
        raise NotFound("there is no such hearing; check the address")
    if not found.by_hand:
        raise Conflict("this hearing comes from the court's own system; change it there")
    return found


def _about(found: Seat) -> dict[str, str]:
    return {"seat": str(found.id), "user": found.username, "role": found.role, "named_by": str(found.by)}


def _removed(held: Holder) -> dict[str, str | None]:
    return {"participant": str(held.id), "user": held.username, "name": held.name, "role": held.role}


def note(session: Session, by: Acting, action: str, hearing: uuid.UUID | None, **data: object) -> None:
    """Note what was done, in the caller's transaction."""
    audit.write(session, audit.Entry(action, True, by.rule, by.person, hearing, data=data))

"""Courts, rooms, cases and hearings as the case-management system tells them; importing twice changes nothing.

The document is a plain dict (JSON):

    {"courts": [{"code", "name_kk", "name_ru", "name_en"}],
     "courtrooms": [{"court": code, "code", "name_kk", "name_ru", "name_en"}],
     "hearings": [{"external_id", "case": {"court": code, "number", "kind", "title", "ended_utc": ISO?},
                   "courtroom": code,
                   "scheduled_utc": ISO, "class": open|closed|sealed, "cancelled": bool?,
                   "automatic": bool?, "recorded": bool?,
                   "participants": [{"name", "role", "channel"?, "username"?}]}]}
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import notices, summonses
from archive.db import tables as t
from archive.db.agents import (
    agent_by_token,
    enrol_agent,
    finish_command,
    put_state,
    waiting_commands,
)
from archive.db.cards import queue_cards, recordings_of
from archive.db.entered import hand_over_case, hand_over_hearing
from archive.db.marks import ordered
from archive.domain.access import AccessClass
from archive.domain.errors import BadInput, Damaged, Denied
from archive.domain.ids import check_name
from archive.domain.wall import parse_iso

__all__ = [
    "agent_by_token",
    "enrol_agent",
    "finish_command",
    "import_courts",
    "import_hearings",
    "one_at_a_time",
    "put_state",
    "require_own",
    "waiting_commands",
]

NAMES = ("name_kk", "name_ru", "name_en")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('tyndau schedule'))")
CASE_KINDS = ("civil", "criminal", "administrative")


def one_at_a_time(session: Session) -> None:
    """Keep other imports out until this transaction ends."""
    session.execute(_ONE_AT_A_TIME)


def require_own(session: Session, court: uuid.UUID, document: Mapping[str, Any]) -> None:
    """Nothing if all of `document` is about this court, and nothing in it belongs to another one already.

    Raises:
        Denied: something is another court's; it may not be learnt what.
    """
    code = session.scalar(select(t.Court.code).where(t.Court.id == court))
    hearings = document.get("hearings", ())
    rooms = [one["code"] for one in document.get("courtrooms", ())] + [one["courtroom"] for one in hearings]
    numbers = [one["case"]["number"] for one in hearings]
    keys = [one["external_id"] for one in hearings]
    named = {room["court"] for room in document.get("courtrooms", ())} | {one["case"]["court"] for one in hearings}
    of_case = select(t.Hearing.id).join(t.Case, t.Case.id == t.Hearing.case_id)
    foreign = [
        select(t.Courtroom.id).where(t.Courtroom.code.in_(rooms), t.Courtroom.court_id != court),
        select(t.Case.id).where(t.Case.number.in_(numbers), t.Case.court_id != court),
        of_case.where(t.Hearing.external_id.in_(keys), t.Case.court_id != court),
    ]
    other = any(session.scalar(select(query.exists())) for query in foreign)
    if document.get("courts") or not named <= {code} or other:
        raise Denied("the document is not about your court alone; leave out courts, rooms and cases of others")


def import_courts(session: Session, document: Mapping[str, Any]) -> None:
    """Add or change the courts and courtrooms of `document`.

    Raises:
        BadInput: a field is missing, or a room's court is unknown.
    """
    try:
        for court in document.get("courts", ()):
            names = {name: court[name] for name in NAMES}
            _upsert(session, t.Court, {"code": court["code"]}, names)
        for room in document.get("courtrooms", ()):
            names = {name: room[name] for name in NAMES}
            key = {"code": check_name(room["code"], "courtroom")}
            _upsert(session, t.Courtroom, key, {"court_id": _id_of(session, t.Court, room["court"]), **names})
    except KeyError as error:
        raise BadInput(f"a court or courtroom lacks {error}; add it to the document") from error


def import_hearings(
    session: Session, document: Mapping[str, Any], summon_at: datetime | None = None
) -> dict[str, uuid.UUID]:
    """Add or change courts, rooms, cases, hearings and participants; the hearings' ids by external id.

    Participants that the document no longer names are taken off the hearing: their access ends. With `summon_at`, which
    is now, those who have an account are told of their hearings' time and room, and of changes.

    Raises:
        BadInput: a field is missing or wrong, or it names an unknown court, room or user.
    """
    one_at_a_time(session)
    import_courts(session, document)
    ids: dict[str, uuid.UUID] = {}
    for number, hearing in enumerate(document.get("hearings", ()), 1):
        try:
            ids[hearing["external_id"]] = _import_hearing(session, hearing)
        except KeyError as error:
            raise BadInput(f"hearing {number} lacks {error}; add it to the document") from error
        except (ValueError, Damaged) as error:
            raise BadInput(f"hearing {number}: {error}") from error
    if summon_at is not None:
        notices.wake(session, sum(summonses.summon(session, made, summon_at) for made in ids.values()))
    return ids


def _import_hearing(session: Session, hearing: Mapping[str, Any]) -> uuid.UUID:
    court = _id_of(session, t.Court, hearing["case"]["court"])
    hand_over_hearing(session, court, hearing["external_id"], hearing["case"]["number"])
    values = {
        "case_id": _import_case(session, hearing["case"]),
        "courtroom_id": _id_of(session, t.Courtroom, hearing["courtroom"]),
        "scheduled_utc": parse_iso(hearing["scheduled_utc"]),
        "access_class": AccessClass(hearing["class"]).value,
        "automatic": bool(hearing.get("automatic", False)),
        "recorded": bool(hearing.get("recorded", True)),
        "cancelled_utc": func.now() if hearing.get("cancelled") else None,
    }
    set_by_court = select(t.Hearing.access_class).where(t.Hearing.external_id == hearing["external_id"], ordered())
    values["access_class"] = session.scalar(set_by_court.with_for_update()) or values["access_class"]
    made = _upsert(session, t.Hearing, {"external_id": hearing["external_id"]}, values)
    _import_participants(session, made, hearing.get("participants", ()))
    queue_cards(session, recordings_of(session, made))
    return made


def _import_case(session: Session, case: Mapping[str, Any]) -> uuid.UUID:
    if case["kind"] not in CASE_KINDS:
        raise BadInput(f"case kind {case['kind']!r} is not one of {', '.join(CASE_KINDS)}")
    values = {"court_id": _id_of(session, t.Court, case["court"]), "kind": case["kind"], "title": case["title"]}
    if case.get("ended_utc"):  # a document that does not say so takes nothing back
        values["ended_utc"] = parse_iso(case["ended_utc"])
    made = _upsert(session, t.Case, {"number": case["number"]}, values)
    hand_over_case(session, made)
    return made


def _import_participants(session: Session, hearing: uuid.UUID, people: Sequence[Mapping[str, Any]]) -> None:
    """Rows stay while name, role, microphone and account stay; others are closed and new ones made."""
    told = {_place(session, person) for person in people}
    standing = session.scalars(
        select(t.Participant).where(t.Participant.hearing_id == hearing, t.Participant.removed_utc.is_(None))
    ).all()
    have = {(row.name, row.role, row.channel, row.user_id): row.id for row in standing}
    gone = [id_ for place, id_ in have.items() if place not in told]
    session.execute(
        update(t.Participant)
        .where(t.Participant.id.in_(gone))
        .values(removed_utc=func.now())
        .execution_options(synchronize_session=False)
    )
    session.add_all(
        t.Participant(hearing_id=hearing, name=name, role=role, channel=channel, user_id=user)
        for name, role, channel, user in sorted(told - have.keys(), key=repr)
    )
    session.flush()


def _place(session: Session, person: Mapping[str, Any]) -> tuple[str, str, str | None, uuid.UUID | None]:
    username = person.get("username")
    user = session.scalar(select(t.User.id).where(t.User.username == username.lower())) if username else None
    if username and user is None:
        raise BadInput(f"there is no user {username!r}; add the account first or leave the name out")
    return person["name"], person["role"], person.get("channel"), user


def _upsert(
    session: Session,
    table: type[t.Court] | type[t.Courtroom] | type[t.Case] | type[t.Hearing],
    key: Mapping[str, Any],
    values: Mapping[str, Any],
) -> uuid.UUID:
    statement = insert(table).values(**key, **values)
    made = session.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)).returning(table.id)
    )
    return made.scalar_one()


def _id_of(session: Session, table: type[t.Court] | type[t.Courtroom], code: str) -> uuid.UUID:
    found = session.scalar(select(table.id).where(table.code == code))
    if found is None:
        raise BadInput(f"there is no {table.__name__.lower()} {code!r}; add it first")
    return found

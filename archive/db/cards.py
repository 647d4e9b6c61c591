"""The card of a recording: what the catalogue alone knows of it — hearing, case, people, rooms — in one document.

With the card beside the evidence the object store is enough to rebuild the catalogue. Accounts are not part of it:
participants name them by user name, and are theirs again once the accounts are there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.marks import marks_card, orders_card, restore_orders
from archive.domain.wall import parse_iso
from archive.jobs.defer import defer

VERSION = 1
_NAMES = ("name_kk", "name_ru", "name_en")


def queue_cards(session: Session, recordings: Iterable[str]) -> None:
    """Have the cards of these recordings written anew when this transaction commits."""
    for recording in sorted(recordings):
        one = f"archive.card/{recording}"
        defer(session, "archive.card", queue="default", lock=one, queueing_lock=one, recording=recording)


def recordings_of(session: Session, hearing: uuid.UUID) -> Sequence[str]:
    """The recordings of a hearing."""
    return session.scalars(select(t.Recording.id).where(t.Recording.hearing_id == hearing)).all()


def courtroom_of(session: Session, recording: str) -> str | None:
    """The code of the room it was recorded in."""
    row = session.get(t.Recording, recording)
    return _code(session, row.courtroom_id) if row else None


def card(session: Session, recording: str) -> dict[str, Any] | None:
    """The card as the catalogue has it now; None for a recording that is unknown or destroyed."""
    row = session.get(t.Recording, recording)
    if row is None or row.destroyed_utc is not None:
        return None
    agent = session.get_one(t.Agent, row.agent_id)
    hearing = session.get(t.Hearing, row.hearing_id) if row.hearing_id else None
    case = session.get_one(t.Case, hearing.case_id) if hearing else None
    rooms = {row.courtroom_id, agent.courtroom_id} | ({hearing.courtroom_id} if hearing else set())
    return {
        "version": VERSION,
        "recording": recording,
        "agent": {
            "id": str(agent.id),
            "name": agent.name,
            "by_code": agent.by_code,
            "courtroom": _code(session, agent.courtroom_id),
        },
        "hearing": _hearing(session, hearing, case) if hearing and case else None,
        "marks": marks_card(session, recording),
        **_places(session, rooms, case),
    }


def _places(session: Session, rooms: set[uuid.UUID], case: t.Case | None) -> dict[str, Any]:
    found = session.scalars(select(t.Courtroom).where(t.Courtroom.id.in_(rooms)).order_by(t.Courtroom.code)).all()
    ids = {room.court_id for room in found} | ({case.court_id} if case else set())
    courts = session.scalars(select(t.Court).where(t.Court.id.in_(ids)).order_by(t.Court.code)).all()
    codes = {court.id: court.code for court in courts}
    return {
        "courts": [{"id": str(court.id), "code": court.code, **_names(court)} for court in courts],
        "courtrooms": [
            {"id": str(room.id), "code": room.code, "court": codes[room.court_id], **_names(room)} for room in found
        ],
    }


def _names(row: t.Court | t.Courtroom) -> dict[str, str]:
    return {name: getattr(row, name) for name in _NAMES}


def _code(session: Session, room: uuid.UUID) -> str:
    return session.get_one(t.Courtroom, room).code


def _hearing(session: Session, row: t.Hearing, case: t.Case) -> dict[str, Any]:
    people = session.execute(
        select(t.Participant, t.User.username)
        .outerjoin(t.User, t.User.id == t.Participant.user_id)
        .where(t.Participant.hearing_id == row.id)
        .order_by(t.Participant.id)
    )
    return {
        "id": str(row.id),
        "external_id": row.external_id,
        "courtroom": _code(session, row.courtroom_id),
        "scheduled_utc": _moment(row.scheduled_utc),
        "access_class": row.access_class,
        "class_orders": orders_card(session, row.id),
        "automatic": row.automatic,
        "recorded": row.recorded,
        "cancelled_utc": _moment(row.cancelled_utc),
        "case": {
            "id": str(case.id),
            "number": case.number,
            "kind": case.kind,
            "title": case.title,
            "court": session.get_one(t.Court, case.court_id).code,
        },
        "participants": [
            {
                "id": str(one.id),
                "name": one.name,
                "role": one.role,
                "channel": one.channel,
                "username": username,
                "removed_utc": _moment(one.removed_utc),
            }
            for one, username in people
        ],
    }


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None  # with microseconds: it goes back into the table it came from


def restore(session: Session, told: Mapping[str, Any]) -> uuid.UUID | None:
    """Put back what a card says; what the catalogue knows already stays as it is. The id of the recording's hearing.

    Raises:
        KeyError, ValueError, TypeError: it is no card.
    """
    courts = {one["code"]: _put(session, t.Court, one, ("code", *_NAMES)) for one in told["courts"]}
    rooms = {
        one["code"]: _put(session, t.Courtroom, one, ("code", *_NAMES), court_id=courts[one["court"]])
        for one in told["courtrooms"]
    }
    _put(session, t.Agent, told["agent"], ("name", "by_code"), courtroom_id=rooms[told["agent"]["courtroom"]])
    hearing = told["hearing"]
    if hearing is None:
        return None
    case = hearing["case"]
    case_id = _put(session, t.Case, case, ("number", "kind", "title"), court_id=courts[case["court"]])
    id_ = _put(
        session,
        t.Hearing,
        hearing,
        ("external_id", "access_class", "automatic", "recorded"),
        case_id=case_id,
        courtroom_id=rooms[hearing["courtroom"]],
        scheduled_utc=parse_iso(hearing["scheduled_utc"]),
        cancelled_utc=_read(hearing["cancelled_utc"]),
    )
    if id_ == uuid.UUID(hearing["id"]):
        for one in hearing["participants"]:
            user = session.scalar(select(t.User.id).where(t.User.username == one["username"]))
            removed = _read(one["removed_utc"])
            fields = ("name", "role", "channel")
            _put(session, t.Participant, one, fields, hearing_id=id_, user_id=user, removed_utc=removed)
        restore_orders(session, id_, hearing.get("class_orders", ()))
    return id_


def _read(text: str | None) -> datetime | None:
    return parse_iso(text) if text else None


_KEY = {t.Court: "code", t.Courtroom: "code", t.Agent: "name", t.Case: "number", t.Hearing: "external_id"}


def _put(session: Session, table: Any, told: Mapping[str, Any], fields: Sequence[str], **values: Any) -> uuid.UUID:
    """The row with the card's id or with its natural key; made if there is neither. Its id."""
    named = {name: told[name] for name in fields}
    row = {"id": uuid.UUID(told["id"]), **named, **values}
    session.execute(insert(table).values(**row).on_conflict_do_nothing())
    session.flush()
    natural = _KEY.get(table)
    same = table.id == row["id"]
    if natural and named.get(natural) is not None:
        same = same | (getattr(table, natural) == named[natural])
    found: uuid.UUID = session.scalars(select(table.id).where(same)).one()
    return found

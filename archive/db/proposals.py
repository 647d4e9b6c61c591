"""Roles that wait for a second administrator, and what became of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from archive.db import tables as t
from archive.db.tables_agreed import RoleProposal
from archive.domain.access import Role
from archive.domain.errors import Conflict, NotFound
from archive.domain.offices import CONFIRM_WITHIN, State


@dataclass(frozen=True, slots=True)
class Proposal:
    """A role that `by` wants an account to have. `before` == `role`: it is to be enabled again."""

    id: uuid.UUID
    user: uuid.UUID
    username: str
    display_name: str
    court: uuid.UUID | None
    role: Role
    before: Role
    by: uuid.UUID
    by_name: str
    by_username: str
    created_utc: datetime
    until_utc: datetime
    state: State
    decided_utc: datetime | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of proposals, the newest first; `after` the last one of the page before."""

    state: State | None = None
    after: tuple[datetime, uuid.UUID] | None = None
    limit: int = 50


def propose(session: Session, user: uuid.UUID, role: Role, before: Role, by: uuid.UUID, now: datetime) -> uuid.UUID:
    """A new proposal; its id.

    Raises:
        Conflict: another one for this account waits.
    """
    expire(session, user, now)
    values = {"user_id": user, "role": role, "before": before, "by_user_id": by, "state": State.WAITING}
    made: uuid.UUID | None = session.scalar(
        insert(RoleProposal)
        .values(**values, created_utc=now, until_utc=now + CONFIRM_WITHIN)
        .on_conflict_do_nothing(index_elements=["user_id"], index_where=RoleProposal.state == State.WAITING.value)
        .returning(RoleProposal.id)
    )
    if made is None:
        raise Conflict("another role waits to be confirmed for this account; confirm, refuse or withdraw that first")
    return made


def expire(session: Session, user: uuid.UUID, now: datetime) -> None:
    """What nobody has confirmed in time waits no longer."""
    over = (RoleProposal.user_id == user, RoleProposal.state == State.WAITING.value, RoleProposal.until_utc <= now)
    session.execute(
        update(RoleProposal)
        .where(*over)
        .values(state=State.EXPIRED.value, decided_utc=RoleProposal.until_utc)
        .execution_options(synchronize_session=False)
    )


def listed(session: Session, court: uuid.UUID, wanted: Wanted, now: datetime) -> list[Proposal]:
    """The proposals for accounts of a court."""
    query = _selected().where(t.User.court_id == court)
    if wanted.state is not None:
        waits = RoleProposal.state == State.WAITING.value
        over = RoleProposal.until_utc <= now
        stored = RoleProposal.state == wanted.state.value
        asked = {State.WAITING: waits & ~over, State.EXPIRED: stored | (waits & over)}
        query = query.where(asked.get(wanted.state, stored))
    if wanted.after is not None:
        query = query.where(tuple_(RoleProposal.created_utc, RoleProposal.id) < tuple_(*map(literal, wanted.after)))
    rows = session.execute(query.order_by(RoleProposal.created_utc.desc(), RoleProposal.id.desc()).limit(wanted.limit))
    return [_proposal(row, now) for row in rows]


def get(session: Session, proposal: uuid.UUID, now: datetime) -> Proposal:
    """A proposal, whoever asks.

    Raises:
        NotFound: there is none.
    """
    row = session.execute(_selected().where(RoleProposal.id == proposal)).first()
    if row is None:
        raise NotFound("there is no such proposal; reload the page")
    return _proposal(row, now)


def held(session: Session, proposal: uuid.UUID, now: datetime) -> Proposal:
    """The same; until the transaction ends nobody else decides about it."""
    session.execute(select(RoleProposal.id).where(RoleProposal.id == proposal).with_for_update())
    return get(session, proposal, now)


def decide(session: Session, proposal: uuid.UUID, state: State, by: uuid.UUID, now: datetime) -> None:
    """What became of a proposal that waits."""
    session.execute(
        update(RoleProposal)
        .where(RoleProposal.id == proposal, RoleProposal.state == State.WAITING.value)
        .values(state=state.value, decided_utc=now, decided_by_user_id=by)
    )


def withdraw_waiting(session: Session, user: uuid.UUID, by: uuid.UUID | None, now: datetime) -> None:
    """Nothing waits for this account any more. `by` None: at the command line."""
    session.execute(
        update(RoleProposal)
        .where(RoleProposal.user_id == user, RoleProposal.state == State.WAITING.value)
        .values(state=State.WITHDRAWN.value, decided_utc=now, decided_by_user_id=by)
        .execution_options(synchronize_session=False)
    )


def _selected() -> Select[*tuple[Any, ...]]:
    proposer, decider = aliased(t.User), aliased(t.User)
    return (
        select(
            RoleProposal,
            t.User.username,
            t.User.display_name,
            t.User.court_id,
            proposer.display_name.label("by_name"),
            proposer.username.label("by_username"),
            decider.display_name.label("decider"),
        )
        .join(t.User, t.User.id == RoleProposal.user_id)
        .join(proposer, proposer.id == RoleProposal.by_user_id)
        .outerjoin(decider, decider.id == RoleProposal.decided_by_user_id)
        .execution_options(populate_existing=True)
    )


def _proposal(row: Row[Any], now: datetime) -> Proposal:
    one: RoleProposal = row.RoleProposal
    over = one.state == State.WAITING and one.until_utc <= now
    return Proposal(
        id=one.id,
        user=one.user_id,
        username=row.username,
        display_name=row.display_name,
        court=row.court_id,
        role=Role(one.role),
        before=Role(one.before),
        by=one.by_user_id,
        by_name=row.by_name,
        by_username=row.by_username,
        created_utc=one.created_utc,
        until_utc=one.until_utc,
        state=State.EXPIRED if over else State(one.state),
        decided_utc=one.until_utc if over else one.decided_utc,
        decided_by=row.decider,
    )

"""Roles that take two administrators of a court: one proposes (api.routes.users), another one decides here."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from api import cursors, guard
from api import problems as p
from api.contract import BY_ACCESS, answers
from api.guard import Who
from api.routes.users import Limit, acting
from api.schemas import Asked
from api.services import Use
from archive import promotions
from archive.db import proposals
from archive.db.people import Person
from archive.db.proposals import Proposal
from archive.domain.access import CourtAction, Role
from archive.domain.errors import NotFound
from archive.domain.offices import State
from archive.domain.wall import iso

router = APIRouter(tags=["users"])


class RoleProposal(BaseModel):
    """A role that takes two administrators. `before` the same: a disabled account is to be enabled again.

    `mine`: I have proposed it, or it is about me, and another administrator has to decide.
    """

    id: UUID
    user: UUID
    username: str
    display_name: str
    before: Role
    role: Role
    by: str
    created_utc: str
    until_utc: str
    state: State
    decided_utc: str | None
    decided_by: str | None
    mine: bool


class ProposalPage(BaseModel):
    items: list[RoleProposal]
    next: str | None


class ProposalVerdict(Asked):
    confirm: bool


@router.get("/role-proposals", responses=answers(p.DENIED, p.BAD_INPUT))
def list_role_proposals(
    who: Who, services: Use, state: State | None = None, cursor: str | None = None, limit: Limit = 50
) -> ProposalPage:
    """The roles in my court that wait for a second administrator, and what became of others; the newest first."""
    court = guard.in_court(services, who, CourtAction.USERS)
    wanted = proposals.Wanted(state, cursors.after(cursor), limit + 1)
    with services.sessions() as session:
        found = proposals.listed(session, court, wanted, services.clock.utc()) if court else []
    page = found[:limit]
    more = cursors.of(page[-1].created_utc, page[-1].id) if len(found) > limit else None
    return ProposalPage(items=[_proposal(who.person, one) for one in page], next=more)


@router.post("/role-proposals/{proposal}/decision", responses=answers(*BY_ACCESS, p.CONFLICT))
def decide_role_proposal(proposal: UUID, asked: ProposalVerdict, who: Who, services: Use) -> RoleProposal:
    """Confirm within 72 h what another administrator has proposed, or refuse it; one's own one takes back so."""
    now = services.clock.utc()
    action = "user.confirm" if asked.confirm else "user.refuse"
    with acting(services, who, action, proposal) as (session, by):
        if proposals.get(session, proposal, now).court != who.person.court or who.person.court is None:
            raise NotFound("there is no such proposal; reload the page")
        (promotions.confirm if asked.confirm else promotions.refuse)(session, by, proposal, now)
        return _proposal(who.person, proposals.get(session, proposal, now))


def _proposal(person: Person, one: Proposal) -> RoleProposal:
    return RoleProposal(
        id=one.id,
        user=one.user,
        username=one.username,
        display_name=one.display_name,
        before=one.before,
        role=one.role,
        by=one.by_name,
        created_utc=iso(one.created_utc),
        until_utc=iso(one.until_utc),
        state=one.state,
        decided_utc=iso(one.decided_utc) if one.decided_utc else None,
        decided_by=one.decided_by,
        mine=person.id in (one.by, one.user),
    )

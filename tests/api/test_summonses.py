"""Summonses: made with the hearing, anew when it changes, acknowledged by their person, seen by the secretary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, select, update

from archive.db import catalogue, contacts, integrations
from archive.db import notice_tables as n
from archive.db import tables as t
from archive.db.contacts import Contact
from archive.db.integrations import Scope
from archive.domain.access import Action, Role
from archive.domain.wall import iso
from tests.api.conftest import Running
from tests.api.test_access import NOBODY, As, expected
from tests.api.world import Court, SignedIn, forget_notices

KEY = "summonses/1"
PEOPLE = ("secretary", "judge", "party")
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)


class Desk:
    """Where the schedule comes in."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.hearing = ""

    def put(self, *, people: tuple[str, ...] = PEOPLE, summon: bool = True, **changed: Any) -> None:
        named = [{"name": name.title(), "role": _role(name), "username": name} for name in people]
        told = {
            "external_id": KEY,
            "case": {"court": "saryarka", "number": "open-own", "kind": "civil", "title": "Дело open-own"},
            "courtroom": "room-1",
            "scheduled_utc": iso(SOON),
            "class": "open",
            "participants": [*named, {"name": "Ким А. Д.", "role": "witness"}],
            **changed,
        }
        now = self.running.services.clock.utc()
        with self.running.services.sessions.begin() as session:
            made = catalogue.import_hearings(session, {"hearings": [told]}, now if summon else None)
        self.hearing = str(made[KEY])

    def rows(self) -> list[tuple[str, bool]]:
        with self.running.services.sessions() as session:
            query = select(n.Summons.kind, n.Summons.superseded_utc).where(n.Summons.hearing_id == UUID(self.hearing))
            query = query.order_by(n.Summons.made_utc)
            return [(row.kind, row.superseded_utc is None) for row in session.execute(query)]


def _role(name: str) -> str:
    return "claimant" if name == "party" else name


@pytest.fixture
def desk(running: Running, court: Court) -> Iterator[Desk]:
    """A desk at which a hearing has come in; nothing of it is left."""
    with running.services.sessions.begin() as session:
        forget_notices(session)
    one = Desk(running)
    one.put()
    yield one
    with running.services.sessions.begin() as session:
        forget_notices(session)
        session.execute(delete(t.Participant).where(t.Participant.hearing_id == UUID(one.hearing)))
        session.execute(delete(t.Hearing).where(t.Hearing.external_id == KEY))
        session.execute(delete(t.Integration))


def of_party(client: SignedIn, desk: Desk) -> dict[str, Any]:
    found: list[dict[str, Any]] = client.get(f"/hearings/{desk.hearing}/summonses").json()
    assert [one["name"] for one in found] == ["Party", "Ким А. Д."]  # the court's own people are not summoned
    return found[0]


def test_who_comes_in_with_a_hearing_is_summoned_once_and_acknowledges(
    running: Running, court: Court, as_: As, desk: Desk
) -> None:
    desk.put()
    assert desk.rows() == [("summons", True)]
    party, secretary = as_(court.person("party")), as_(court.person("secretary"))
    (notice,) = party.get("/notices").json()["items"]
    assert (notice["topic"], notice["current"], notice["summons"]["scheduled_utc"]) == ("summons", True, iso(SOON))
    before = of_party(secretary, desk)
    assert (before["account"], before["reached"], before["summons"]["acknowledged_utc"]) == (True, False, None)
    path = f"/summonses/{notice['summons']['id']}/acknowledgement"
    assert secretary.post(path, {}).status_code == 404, "only one's own"
    for _ in range(2):
        assert party.post(path, {}).status_code == 204
    after = of_party(as_(court.person("judge")), desk)["summons"]
    assert after["acknowledged_utc"] == party.get("/notices").json()["items"][0]["summons"]["acknowledged_utc"]
    assert after["acknowledged_by"].startswith("python-httpx")
    with running.services.sessions() as session:
        row = session.scalars(select(n.Summons)).one()
        assert (row.address, row.device) == ("127.0.0.1", party.get("/session/devices").json()[0]["id"])
        noted = session.scalars(select(t.Audit.data).where(t.Audit.action == "acknowledge")).all()
    assert {"summons": str(row.id), "device": row.device} in noted


@pytest.mark.parametrize("change", [{"scheduled_utc": iso(SOON + timedelta(hours=1))}, {"courtroom": "room-2"}])
def test_a_change_has_to_be_acknowledged_anew(
    running: Running, court: Court, as_: As, desk: Desk, change: dict[str, str]
) -> None:
    with running.services.sessions.begin() as session:
        names = {"name_kk": "2-зал", "name_ru": "2-зал", "name_en": "2-зал"}
        catalogue.import_courts(session, {"courtrooms": [{"court": "saryarka", "code": "room-2", **names}]})
    party = as_(court.person("party"))
    (old,) = party.get("/notices").json()["items"]
    path = "/summonses/{}/acknowledgement"
    assert party.post(path.format(old["summons"]["id"]), {}).status_code == 204
    desk.put(automatic=True)  # of no concern to anybody
    assert desk.rows() == [("summons", True)]
    for _ in range(2):
        desk.put(**change)
    assert desk.rows() == [("summons", False), ("moved", True)]
    seen = of_party(as_(court.person("secretary")), desk)["summons"]
    assert (seen["kind"], seen["acknowledged_utc"]) == ("moved", None)
    new, old = party.get("/notices").json()["items"]
    assert (new["topic"], new["current"], old["current"]) == ("moved", True, False)
    assert party.post(path.format(old["summons"]["id"]), {}).status_code == 409
    assert party.post(path.format(new["summons"]["id"]), {}).status_code == 204
    desk.put()
    with running.services.sessions.begin() as session:
        session.execute(update(n.Summons).values(courtroom_id=court.rooms["room-1"]))
        session.execute(delete(t.Courtroom).where(t.Courtroom.code == "room-2"))


def test_what_is_cancelled_is_told_and_so_is_what_is_held_after_all(court: Court, as_: As, desk: Desk) -> None:
    for _ in range(2):
        desk.put(cancelled=True)
    desk.put()
    assert desk.rows() == [("summons", False), ("cancelled", False), ("summons", True)]
    topics = [one["topic"] for one in as_(court.person("party")).get("/notices").json()["items"]]
    assert topics == ["summons", "cancelled", "summons"]


def test_nobody_is_told_of_what_is_over_or_not_his_any_more(court: Court, as_: As, desk: Desk) -> None:
    party = as_(court.person("party"))
    (notice,) = party.get("/notices").json()["items"]
    desk.put(people=("secretary", "judge"))
    assert desk.rows() == [("summons", False)]
    assert as_(court.person("secretary")).get(f"/hearings/{desk.hearing}/summonses").json()[0]["account"] is False
    assert (
        party.post(f"/summonses/{notice['summons']['id']}/acknowledgement", {}).status_code == 409
    )  # of its case still
    past = iso(datetime.now(UTC) - timedelta(minutes=1))
    desk.put(scheduled_utc=past)
    assert desk.rows() == [("summons", False)]
    desk.put(summon=False)
    assert desk.rows() == [("summons", False)]


def test_the_secretary_tells_again(running: Running, court: Court, as_: As, desk: Desk) -> None:
    secretary, party = as_(court.person("secretary")), as_(court.person("party"))
    with running.services.sessions.begin() as session:
        wanted = Contact("party@example.kz", None, "kk", by_mail=True, by_sms=True)
        contacts.set_contact(session, UUID(party.me["id"]), wanted, running.services.clock.utc())
    summons = of_party(secretary, desk)["summons"]
    assert (summons["told"], summons["deliveries"]) == (1, [])
    path = f"/hearings/{desk.hearing}/summonses/{summons['id']}/sending"
    again = secretary.post(path, {}).json()[0]
    assert (again["reached"], again["summons"]["told"]) == (True, 2)
    assert [(one["way"], one["state"]) for one in again["summons"]["deliveries"]] == [("mail", "waiting")]
    assert secretary.post(path, {}).status_code == 409  # it is on its way
    assert party.get("/notices").json()["unread"] == 2
    other = f"/hearings/{court.one().hearing}/summonses/{summons['id']}/sending"
    assert secretary.post(other, {}).status_code == 404
    assert secretary.post(f"/hearings/{desk.hearing}/summonses/{NOBODY}/sending", {}).status_code == 404


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_summons(court: Court, as_: As, desk: Desk, role: str) -> None:
    person = court.person(role)
    client = as_(person)
    for held in court.held:
        answer = client.post(f"/hearings/{held.hearing}/summonses", {})
        assert answer.status_code == expected(person, held, Action.SUMMON), (role, held)
    want = 200 if person.role is Role.SECRETARY else 403
    assert client.post(f"/hearings/{desk.hearing}/summonses", {}).status_code == want
    assert desk.rows() == [("summons", True)]  # whoever knows is not told again; what is over is not told at all


def test_a_courts_own_system_summons(running: Running, court: Court, desk: Desk) -> None:
    with running.services.sessions.begin() as session:
        session.execute(delete(n.Notice))
        session.execute(delete(n.Summons))
        token = integrations.create(session, "saryarka", "Cases", [Scope.SCHEDULE], None, running.services.clock.utc())
    told = {
        "external_id": KEY,
        "case": {"court": "saryarka", "number": "open-own", "kind": "civil", "title": "Дело open-own"},
        "courtroom": "room-1",
        "scheduled_utc": iso(SOON),
        "class": "open",
        "participants": [{"name": "Party", "role": "claimant", "username": "party"}],
    }
    for _ in range(2):
        answer = httpx.put(
            f"{running.url}/api/v1/schedule",
            json={"hearings": [told]},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.text
    assert desk.rows() == [("summons", True)]

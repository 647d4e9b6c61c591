"""Cases and hearings by hand: nobody comes into a case by his own word, and what the court's system says stands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from archive.db import catalogue
from archive.db import tables as t
from archive.db.tables_agreed import EnteredCase, EnteredHearing, Seat
from archive.domain.access import AccessClass, Action, Relation, Role, decide
from tests.api.conftest import Running
from tests.api.test_access import NOBODY, As, expected
from tests.api.world import CLASSES, Court, Person, SignedIn, add_account, forget_notices, record

Enter = Callable[[str], SignedIn]
WHEN = "2030-09-14T10:00:00+05:00"
GROUND = "2030 жылғы 1 қыркүйектегі өкім"
MORE = {
    "e-secretary2": ("Екінші хатшы", Role.SECRETARY, "saryarka"),
    "e-judge2": ("Екінші судья", Role.JUDGE, "saryarka"),
    "e-judge9": ("Басқа сот", Role.JUDGE, "altai"),
    "e-secretary9": ("Басқа хатшы", Role.SECRETARY, "altai"),
    "e-namesake": (" SECRETARY ", Role.PARTY, None),
    "e-party2": ("Екінші тарап", Role.PARTY, None),
}


@pytest.fixture(scope="module", autouse=True)
def people(running: Running, court: Court) -> Iterator[None]:
    """More people."""
    with running.services.sessions.begin() as session:
        for username, (name, role, of) in MORE.items():
            add_account(session, username, role, of, name)
    yield
    with running.services.sessions.begin() as session:
        added = select(t.User.id).where(t.User.username.in_(MORE))
        session.execute(delete(t.Session).where(t.Session.user_id.in_(added)))
        session.execute(delete(t.User).where(t.User.username.in_(MORE)))


@pytest.fixture(autouse=True)
def clean(people: None, running: Running) -> Iterator[None]:
    """Whatever is entered is taken out again."""
    yield
    with running.services.sessions.begin() as session:
        forget_notices(session)
        mine = select(t.Hearing.id).join(t.Case, t.Case.id == t.Hearing.case_id).where(t.Case.number.like("hand/%"))
        hearings = [*session.scalars(mine), *session.scalars(select(EnteredHearing.hearing_id))]
        for table in (Seat, t.Participant, EnteredHearing, t.ClassOrder):
            session.execute(delete(table).where(table.hearing_id.in_(hearings)))
        session.execute(update(t.Recording).where(t.Recording.hearing_id.in_(hearings)).values(hearing_id=None))
        session.execute(delete(t.Hearing).where(t.Hearing.id.in_(hearings)))
        session.execute(delete(EnteredCase))
        session.execute(delete(t.Case).where(t.Case.number.like("hand/%")))


@pytest.fixture
def enter(court: Court, as_: As) -> Enter:
    """A signed-in client of an account by its user name; one for each."""
    known: dict[str, SignedIn] = {}

    def entered(username: str) -> SignedIn:
        if username not in known:
            known[username] = as_(Person(username, Role.SECRETARY, True))
        return known[username]

    return entered


def place(username: str | None, role: str | None = None) -> dict[str, Any]:
    return {"name": f"Имя {username}", "role": role or username, "username": username}


def hearing(court: Court, access_class: str = "closed", *people: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "courtroom": str(court.rooms["room-1"]),
        "scheduled_utc": WHEN,
        "class": access_class,
        "participants": list(people),
        **more,
    }


JUDGED = place("judge")
ALL = (JUDGED, place("secretary"), place("party", "claimant"))


def call(client: SignedIn, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
    answer = client.http.request(
        method, f"/api/v1{path}", json=body, headers={"X-CSRF-Token": client.me["csrf_token"], **headers}
    )
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def new_case(client: SignedIn, of: dict[str, Any], number: str = "hand/1", status: int = 201, **headers: str) -> Any:
    told = {"number": number, "kind": "civil", "title": "Қолмен енгізілген іс", "hearing": of}
    return call(client, "POST", "/cases", told, status, **headers)


def decide_seat(client: SignedIn, seat: str, confirm: bool = True, status: int = 204) -> None:
    call(client, "POST", f"/seats/{seat}/decision", {"confirm": confirm, "ground": GROUND}, status)


def waiting(client: SignedIn) -> dict[str, str]:
    """The seats that wait for this person, by user name."""
    told = client.get("/seats", params={"state": "waiting"}).json()
    mine = {one["username"]: one["id"] for one in told["items"] if one["may_decide"]}
    assert told["waiting"] == len(mine)
    return mine


def agreed(court: Court, enter: Enter, access_class: str = "closed", number: str = "hand/1") -> Any:
    """A case that secretary and judge have brought into being."""
    made = new_case(enter("secretary"), hearing(court, access_class, *ALL), number)
    judge = enter("judge")
    decide_seat(judge, waiting(judge)["judge"])
    for seat in waiting(judge).values():
        decide_seat(judge, seat)
    return made


def log(running: Running, action: str) -> list[Any]:
    """What the audit log says of an action, the newest first."""
    with running.services.sessions() as session:
        return list(
            session.execute(select(t.Audit).where(t.Audit.action == action).order_by(t.Audit.id.desc())).scalars()
        )


@pytest.mark.parametrize("access_class", CLASSES)
def test_nothing_opens_before_the_judge_agrees(running: Running, court: Court, enter: Enter, access_class: str) -> None:
    secretary, judge, party = enter("secretary"), enter("judge"), enter("party")
    made = new_case(secretary, hearing(court, access_class, *ALL))
    at = f"/hearings/{made['hearing']}"
    assert secretary.get(at).status_code == 404
    assert secretary.get(f"/cases/{made['case']}").status_code == 404
    assert party.get(at).status_code == 404
    assert judge.get(at).status_code == (200 if access_class == "open" else 404)
    assert judge.get(f"{at}/grants").status_code == (403 if access_class == "open" else 404)
    assert party.get("/seats").json()["items"] == []
    assert {one["username"] for one in secretary.get("/seats").json()["items"]} == {"judge", "secretary", "party"}
    assert waiting(secretary) == {}
    assert set(waiting(judge)) == {"judge"}  # of the others nothing is known to a judge who has not agreed
    decide_seat(judge, waiting(judge)["judge"])
    seats = waiting(judge)
    assert set(seats) == {"secretary", "party"}
    assert secretary.get(at).status_code == 404
    decide_seat(judge, seats["secretary"])
    decide_seat(judge, seats["party"])
    tied = {Relation.NAMED, Relation.CASE}
    for client, role in ((secretary, Role.SECRETARY), (judge, Role.JUDGE), (party, Role.PARTY)):
        shown = client.get(at).json()
        for action in Action:
            opens = decide(role, tied, AccessClass(access_class), action).allowed
            if action.value in ("view", "seal", "ask", "grant"):
                assert (action.value in shown["may"]) is opens, (role, action)
    assert secretary.get(f"/cases/{made['case']}").json()["title"] == "Қолмен енгізілген іс"
    row = log(running, "seats.confirm")[0]
    assert (row.allowed, str(row.hearing_id), str(row.user_id)) == (True, made["hearing"], judge.me["id"])
    assert (row.data["user"], row.data["named_by"]) == ("party", secretary.me["id"])
    assert row.data["gives"] == sorted(
        one.value for one in Action if decide(Role.PARTY, tied, AccessClass(access_class), one).allowed
    )


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_enters_and_who_decides(court: Court, as_: As, enter: Enter, role: str) -> None:
    """Secretaries alone enter; nobody else of the court comes near what they have entered."""
    person = court.person(role)
    client = as_(person)
    may = person.role is Role.SECRETARY
    made = new_case(client, hearing(court, "sealed", *ALL), "hand/role", 201 if may else 403)
    if may:
        return
    made = new_case(enter("secretary"), hearing(court, "sealed", *ALL))
    known = 403 if person.role in (Role.OPERATOR, Role.ARCHIVIST, Role.AUDITOR) else 404  # they list what is sealed
    at = f"/hearings/{made['hearing']}"
    call(client, "PATCH", at, {"scheduled_utc": WHEN}, known)
    call(client, "POST", f"{at}/cancellation", {"ground": GROUND}, known)
    call(client, "POST", f"{at}/participants", place(None, "witness"), known)
    call(client, "POST", f"{at}/participants/{NOBODY}/removal", {"ground": GROUND}, known)
    call(client, "POST", f"/cases/{made['case']}/hearings", hearing(court), known)
    assert client.get(f"{at}/participants").status_code == known
    for seat in enter("secretary").get("/seats").json()["items"]:
        if person.role is not Role.JUDGE:
            decide_seat(client, seat["id"], True, 404)
        sees = person.role is Role.JUDGE and seat["username"] == "judge"
        call(client, "POST", f"/seats/{seat['id']}/withdrawal", None, 403 if sees else 404)


def test_nobody_puts_himself_into_a_case_of_others(running: Running, court: Court, enter: Enter) -> None:
    """Not by its number, not by another hearing of it, not by a place in one; tries are on record."""
    theirs = agreed(court, enter)
    intruder = enter("e-secretary2")
    new_case(
        intruder, hearing(court, "closed", place("e-judge2", "judge"), place("e-secretary2", "secretary")), status=409
    )
    refused = log(running, "cases.enter")[0]
    assert (refused.allowed, refused.data["number"]) == (False, "hand/1")
    more = hearing(court, "closed", place("e-secretary2", "secretary"))
    call(intruder, "POST", f"/cases/{theirs['case']}/hearings", more, 404)
    at = f"/hearings/{theirs['hearing']}"
    call(intruder, "POST", f"{at}/participants", place("e-secretary2", "secretary"), 404)
    call(intruder, "PATCH", at, {"scheduled_utc": WHEN}, 404)
    assert intruder.get("/seats").json()["items"] == []
    own = court.one("closed")  # nor into a case that came from the court's system
    with running.services.sessions() as session:
        case = session.get_one(t.Hearing, own.hearing).case_id
    call(intruder, "POST", f"/cases/{case}/hearings", more, 404)
    there = enter("e-secretary9")
    call(there, "POST", f"/cases/{theirs['case']}/hearings", more, 404)


MISPLACED = [
    (place("secretary", "claimant"), 400),
    (place("secretary", "representative"), 400),
    (place("secretary", "judge"), 400),
    (place("e-namesake", "claimant"), 403),
    (place("party", "judge"), 400),
    (place("party", "secretary"), 400),
    (place("e-judge2", "claimant"), 400),
    (place("operator", "witness"), 400),
    (place("admin", "secretary"), 400),
    (place("archivist", "expert"), 400),
    (place("auditor", "judge"), 400),
    (place("e-judge9", "judge"), 400),
    (place("e-secretary9", "secretary"), 400),
    (place("nobody-here", "claimant"), 400),
]


def test_an_account_has_no_place_but_its_own(running: Running, court: Court, enter: Enter) -> None:
    """Staff are not parties, a secretary is not his own party, and other courts' people are not told from nobody."""
    secretary = enter("secretary")
    for asked, status in MISPLACED:
        new_case(secretary, hearing(court, "closed", JUDGED, asked), status=status)
    with running.services.sessions() as session:
        assert session.scalars(select(t.Case.id).where(t.Case.number == "hand/1")).all() == []  # all or nothing
    made = new_case(secretary, hearing(court, "closed", JUDGED))
    for asked, status in MISPLACED:
        call(secretary, "POST", f"/hearings/{made['hearing']}/participants", asked, status)


def test_a_judge_is_named(court: Court, enter: Enter) -> None:
    for people in ((), (place("secretary"),), (place(None, "judge"),)):
        new_case(enter("secretary"), hearing(court, "open", *people), status=400)


def test_whoever_names_does_not_agree(running: Running, court: Court, enter: Enter) -> None:
    """Not as a secretary, and not when he is a judge by now: the database says so, too."""
    agreed(court, enter)
    secretary = enter("secretary")
    made = enter("secretary").get("/seats").json()["items"][0]["hearing"]
    call(secretary, "POST", f"/hearings/{made}/participants", place("e-party2", "respondent"), 204)
    (seat,) = [one for one in secretary.get("/seats").json()["items"] if one["state"] == "waiting"]
    assert (seat["account"], seat["mine"], seat["may_decide"]) == ("Екінші тарап", True, False)
    decide_seat(secretary, seat["id"], True, 403)
    with running.services.sessions.begin() as session:
        session.execute(update(t.User).where(t.User.username == "secretary").values(role="judge"))
    try:
        decide_seat(secretary, seat["id"], True, 403)
    finally:
        with running.services.sessions.begin() as session:
            session.execute(update(t.User).where(t.User.username == "secretary").values(role="secretary"))
    values = {"state": "confirmed", "decided_by_user_id": Seat.by_user_id}
    with pytest.raises(IntegrityError, match="two_persons"), running.services.sessions.begin() as session:
        session.execute(update(Seat).where(Seat.id == UUID(seat["id"])).values(values))
    assert enter("e-party2").get(f"/hearings/{made}").status_code == 404


def test_a_second_judge_comes_by_the_first_alone(running: Running, court: Court, enter: Enter) -> None:
    made = agreed(court, enter)
    secretary, judge, second = enter("secretary"), enter("judge"), enter("e-judge2")
    at = f"/hearings/{made['hearing']}"
    call(secretary, "POST", f"{at}/participants", place("e-judge2", "judge"), 204)
    assert second.get("/seats").json()["items"] == []
    seat = waiting(judge)["e-judge2"]
    decide_seat(second, seat, True, 404)
    # Nor by taking the first one off the case: a secretary cannot, and the last judge stays.
    places = {one["username"]: one["id"] for one in secretary.get(f"{at}/participants").json()}
    call(secretary, "POST", f"{at}/participants/{places['judge']}/removal", {"ground": GROUND}, 403)
    call(judge, "POST", f"{at}/participants/{places['judge']}/removal", {"ground": GROUND}, 409)
    decide_seat(judge, seat)
    assert second.get(at).status_code == 200
    call(judge, "POST", f"{at}/participants/{places['judge']}/removal", {"ground": GROUND}, 204)
    assert judge.get(at).status_code == 404
    # The case has had a judge: another one who is named does not come in by his own word.
    with running.services.sessions.begin() as session:
        session.execute(
            update(t.Participant)
            .where(t.Participant.hearing_id == UUID(made["hearing"]), t.Participant.role == "judge")
            .values(removed_utc=datetime.now(UTC))
        )
    call(secretary, "POST", f"{at}/participants", place("judge"), 204)
    assert waiting(judge) == {}


def test_a_case_is_not_opened_by_a_hearing_of_it(court: Court, enter: Enter) -> None:
    made = agreed(court, enter, "closed")
    secretary = enter("secretary")
    more = f"/cases/{made['case']}/hearings"
    call(secretary, "POST", more, hearing(court, "open"), 409)
    second = call(secretary, "POST", more, hearing(court, "sealed"), 201)
    call(secretary, "POST", more, hearing(court, "closed"), 409)  # the least public one counts
    assert {one["id"] for one in secretary.get(f"/cases/{made['case']}").json()["hearings"]} == {
        made["hearing"],
        second["hearing"],
    }
    assert enter("party").get(f"/hearings/{second['hearing']}").status_code == 404


def test_what_comes_from_the_courts_system_is_changed_there(running: Running, court: Court, enter: Enter) -> None:
    own = court.one("closed")
    secretary, judge = enter("secretary"), enter("judge")
    at = f"/hearings/{own.hearing}"
    with running.services.sessions() as session:
        before = session.get_one(t.Hearing, own.hearing).scheduled_utc
        party = session.scalars(
            select(t.Participant.id).where(t.Participant.hearing_id == own.hearing, t.Participant.role == "party")
        ).one()
    call(secretary, "PATCH", at, {"scheduled_utc": WHEN}, 409)
    call(secretary, "POST", f"{at}/cancellation", {"ground": GROUND}, 409)
    call(secretary, "POST", f"{at}/participants", place("e-party2", "claimant"), 409)
    for client in (secretary, judge):
        call(client, "POST", f"{at}/participants/{party}/removal", {"ground": GROUND}, 409)
    with running.services.sessions() as session:
        assert session.get_one(t.Hearing, own.hearing).scheduled_utc == before
    assert enter("party").get(at).status_code == 200


def document(external_id: str, number: str, court: str = "saryarka", room: str = "room-1") -> dict[str, Any]:
    told = {
        "external_id": external_id,
        "case": {"court": court, "number": number, "kind": "criminal", "title": "Жүйеден"},
        "courtroom": room,
        "scheduled_utc": "2030-09-15T05:00:00Z",
        "class": "closed",
        "participants": [{"name": "Судья Ким", "role": "judge", "username": "judge"}],
    }
    return {"hearings": [told]}


def test_the_courts_system_takes_over_what_was_entered(running: Running, court: Court, enter: Enter) -> None:
    made = new_case(enter("secretary"), hearing(court, "open", *ALL, external_id="cms-hand-1"))
    judge = enter("judge")
    decide_seat(judge, waiting(judge)["judge"])
    seats = waiting(judge)
    decide_seat(judge, seats["secretary"])
    at = f"/hearings/{made['hearing']}"
    with running.services.sessions.begin() as session:
        ids = catalogue.import_hearings(session, document("cms-hand-1", "hand/1"))
    assert str(ids["cms-hand-1"]) == made["hearing"]  # the same hearing, not a second one
    shown = judge.get(at).json()
    assert (shown["class"], shown["case"]["title"], shown["scheduled_utc"]) == (
        "closed",
        "Жүйеден",
        "2030-09-15T05:00:00.000Z",
    )
    assert enter("secretary").get(at).status_code == 404  # its participants are the system's
    decide_seat(judge, seats["party"], True, 409)
    assert enter("party").get(at).status_code == 404
    call(enter("secretary"), "PATCH", at, {"scheduled_utc": WHEN}, 404)
    new_case(enter("e-secretary2"), hearing(court, "open", JUDGED, external_id="cms-hand-1"), "hand/2", 409)


def test_a_record_does_not_go_to_another_case_by_an_id_that_somebody_typed(
    running: Running, court: Court, enter: Enter
) -> None:
    made = new_case(enter("secretary"), hearing(court, "closed", *ALL, external_id="cms-hand-6"))
    judge = enter("judge")
    decide_seat(judge, waiting(judge)["judge"])
    recorded = record(running.url, running.services, court.agent_token, "room-1", UUID(made["hearing"]))
    told = document("cms-hand-6", "hand/other")
    told["hearings"][0]["class"] = "open"
    for _ in range(2):
        with running.services.sessions.begin() as session:
            ids = catalogue.import_hearings(session, told)
        assert str(ids["cms-hand-6"]) != made["hearing"]
    shown = judge.get(f"/recordings/{recorded}").json()["hearing"]
    assert (shown["id"], shown["class"], shown["case"]["number"]) == (made["hearing"], "closed", "hand/1")
    assert [(row.allowed, row.hearing_id) for row in log(running, "hearings.claim")][:1] == [
        (False, UUID(made["hearing"]))
    ]
    with running.services.sessions.begin() as session:
        session.execute(update(t.Hearing).where(t.Hearing.external_id == "cms-hand-6").values(external_id=None))


def test_a_case_of_the_system_takes_no_judge_at_his_own_word(running: Running, court: Court, enter: Enter) -> None:
    """The system tells of the case before the judge who was named by hand has agreed."""
    new_case(enter("secretary"), hearing(court, "closed", place("e-judge2", "judge")))
    second = enter("e-judge2")
    assert set(waiting(second)) == {"e-judge2"}
    with running.services.sessions.begin() as session:
        catalogue.import_hearings(session, document("cms-hand-2", "hand/1"))
    assert waiting(second) == {}
    assert set(waiting(enter("judge"))) == {"e-judge2"}  # the system's own judge decides
    with running.services.sessions.begin() as session:
        session.execute(update(t.Hearing).where(t.Hearing.external_id == "cms-hand-2").values(external_id=None))


def test_whoever_enters_a_number_first_is_not_in_the_case_later(running: Running, court: Court, enter: Enter) -> None:
    """With the system's first word about a case the places that were given by hand end; it names who belongs to it."""
    people = (place("e-judge2", "judge"), place("e-secretary2", "secretary"), place("party", "claimant"))
    made = new_case(enter("e-secretary2"), hearing(court, "closed", *people, place(None, "witness")))
    second = enter("e-judge2")
    decide_seat(second, waiting(second)["e-judge2"])
    for seat in waiting(second).values():
        decide_seat(second, seat)
    assert enter("e-secretary2").get(f"/cases/{made['case']}").status_code == 200
    with running.services.sessions.begin() as session:
        system = str(catalogue.import_hearings(session, document("cms-hand-5", "hand/1"))["cms-hand-5"])
    for name in ("e-judge2", "e-secretary2", "party"):
        for one in (system, made["hearing"]):
            assert enter(name).get(f"/hearings/{one}").status_code == 404, name
    shown = enter("judge").get(f"/cases/{made['case']}").json()
    assert {one["id"] for one in shown["hearings"]} == {system, made["hearing"]}
    (left,) = enter("judge").get(f"/hearings/{made['hearing']}/participants").json()
    assert left["role"] == "witness"
    ended = log(running, "participants.remove")[:3]
    assert {(row.rule, row.data["role"]) for row in ended} == {
        ("schedule", "judge"),
        ("schedule", "secretary"),
        ("schedule", "claimant"),
    }


def test_another_courts_claim_hinders_nobody(running: Running, court: Court, enter: Enter) -> None:
    there = hearing(court, "open", place("e-judge9", "judge"), external_id="cms-hand-3")
    there["courtroom"] = str(court.rooms["room-9"])
    made = new_case(enter("e-secretary9"), there, "hand/9")
    with running.services.sessions.begin() as session:
        ids = catalogue.import_hearings(session, document("cms-hand-3", "hand/1"))
    assert str(ids["cms-hand-3"]) != made["hearing"]
    stolen = hearing(court, "open", JUDGED)
    stolen["courtroom"] = str(court.rooms["room-9"])
    new_case(enter("secretary"), stolen, "hand/2", 400)


def test_an_account_is_looked_at_again_when_a_judge_agrees(running: Running, court: Court, enter: Enter) -> None:
    new_case(enter("secretary"), hearing(court, "closed", JUDGED, place("e-party2", "claimant")))
    judge = enter("judge")
    decide_seat(judge, waiting(judge)["judge"])
    seat = waiting(judge)["e-party2"]
    for change in ({"role": "secretary"}, {"role": "party", "disabled_utc": datetime.now(UTC)}):
        with running.services.sessions.begin() as session:
            session.execute(update(t.User).where(t.User.username == "e-party2").values(change))
        decide_seat(judge, seat, True, 409)
    decide_seat(judge, seat, False)
    decide_seat(judge, seat, True, 409)
    assert log(running, "seats.refuse")[0].data["ground"] == GROUND


def test_whoever_is_taken_off_is_out_at_once(court: Court, enter: Enter) -> None:
    made = agreed(court, enter)
    secretary, party = enter("secretary"), enter("party")
    at = f"/hearings/{made['hearing']}"
    assert party.get(at).status_code == 200
    (held,) = [one for one in secretary.get(f"{at}/participants").json() if one["username"] == "party"]
    for _ in range(1):
        call(secretary, "POST", f"{at}/participants/{held['id']}/removal", {"ground": GROUND}, 204)
    assert party.get(at).status_code == 404
    call(secretary, "POST", f"{at}/participants/{held['id']}/removal", {"ground": GROUND}, 404)
    call(secretary, "POST", f"{at}/participants", place("party", "claimant"), 204)  # back by the judge alone
    assert party.get(at).status_code == 404
    decide_seat(enter("judge"), waiting(enter("judge"))["party"])
    assert party.get(at).status_code == 200


def test_a_hearing_is_moved_and_cancelled_but_not_once_it_was_held(
    running: Running, court: Court, enter: Enter
) -> None:
    secretary = enter("secretary")
    made = new_case(secretary, hearing(court, "closed", *ALL))
    at = f"/hearings/{made['hearing']}"
    call(secretary, "PATCH", at, {"scheduled_utc": "2030-09-14T11:00:00+05:00"}, 204)  # a draft of one's own
    moved = log(running, "hearings.change")[0]
    assert (moved.rule, moved.data["before"]["scheduled_utc"], moved.data["after"]["scheduled_utc"]) == (
        "draft",
        "2030-09-14T05:00:00+00:00",
        "2030-09-14T06:00:00+00:00",
    )
    call(secretary, "PATCH", at, {"courtroom": str(court.rooms["room-9"])}, 400)
    judge = enter("judge")
    decide_seat(judge, waiting(judge)["judge"])
    call(secretary, "PATCH", at, {"scheduled_utc": WHEN}, 404)  # not a draft any more, and no place of his own yet
    decide_seat(judge, waiting(judge)["secretary"])
    call(secretary, "PATCH", at, {"scheduled_utc": WHEN}, 204)
    for _ in range(2):
        call(secretary, "POST", f"{at}/cancellation", {"ground": GROUND}, 204)
    assert [row.allowed for row in log(running, "hearings.cancel")].count(True) == 1
    assert secretary.get(at).json()["state"] == "cancelled"
    decide_seat(judge, waiting(judge)["party"], True, 409)
    call(secretary, "PATCH", at, {"scheduled_utc": WHEN}, 409)
    held = call(secretary, "POST", f"/cases/{made['case']}/hearings", hearing(court), 201)["hearing"]
    record(running.url, running.services, court.agent_token, "room-1", UUID(held))
    call(secretary, "PATCH", f"/hearings/{held}", {"scheduled_utc": WHEN}, 409)
    call(secretary, "POST", f"/hearings/{held}/cancellation", {"ground": GROUND}, 409)


def test_twice_is_once(running: Running, court: Court, enter: Enter) -> None:
    secretary = enter("secretary")
    first = new_case(secretary, hearing(court, "closed", *ALL), **{"Idempotency-Key": "k1"})
    assert new_case(secretary, hearing(court, "closed", *ALL), status=200, **{"Idempotency-Key": "k1"}) == first
    new_case(secretary, hearing(court, "open", *ALL), status=409, **{"Idempotency-Key": "k1"})
    new_case(secretary, hearing(court, "closed", *ALL), status=409)
    named = hearing(court, "closed", *ALL, external_id="cms-hand-4")
    second = new_case(secretary, named, "hand/2")
    assert new_case(secretary, named, "hand/2", 200) == second
    answers: list[int] = []

    def send() -> None:
        told = {"number": "hand/3", "kind": "civil", "title": "X", "hearing": hearing(court, "open", JUDGED)}
        headers = {"X-CSRF-Token": secretary.me["csrf_token"], "Idempotency-Key": "k3"}
        answers.append(secretary.http.post("/api/v1/cases", json=told, headers=headers).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 200, 200, 201]


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_cases_are_those_of_the_hearings_one_lists(running: Running, court: Court, as_: As, role: str) -> None:
    person = court.person(role)
    client = as_(person)
    with running.services.sessions() as session:
        of = {held.hearing: session.get_one(t.Hearing, held.hearing).case_id for held in court.held}
    listed = {str(of[held.hearing]) for held in court.held if expected(person, held, Action.LIST) == 200}
    detailed = {str(of[held.hearing]) for held in court.held if expected(person, held, Action.DETAILS) == 200}
    found, cursor = [], ""
    while True:
        page = client.get("/cases", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    assert {one["id"] for one in found} == listed
    assert len(found) == len(listed)
    assert {one["id"] for one in found if one["title"]} == detailed
    for case in set(map(str, of.values())):
        answer = client.get(f"/cases/{case}")
        assert answer.status_code == (200 if case in listed else 404)
        if case in listed:
            told = answer.json()
            its = [held for held in court.held if str(of[held.hearing]) == case]
            want = {str(held.hearing) for held in its if expected(person, held, Action.LIST) == 200}
            assert {one["id"] for one in told["hearings"]} == want
            assert bool(told["title"]) is (case in detailed)


WRONG: list[dict[str, Any]] = [
    {"class": "Closed"},
    {"klass": "closed"},
    {"scheduled_utc": "2030-09-14T10:00:00"},
    {"courtroom": "room-1"},
    {"participants": [{"name": "А\u0000Б", "role": "witness"}]},
    {"participants": [{"name": "A", "role": "Истец"}]},
    {"participants": [place(None, "witness")] * 201},
]


def test_what_cannot_be_is_said(court: Court, enter: Enter) -> None:
    for wrong in WRONG:
        new_case(enter("secretary"), hearing(court, "closed", *ALL) | wrong, status=422)


def test_parties_are_summoned_once_the_judge_has_agreed_and_told_of_changes(court: Court, enter: Enter) -> None:
    party, secretary = enter("party"), enter("secretary")

    def told() -> list[str]:
        return [one["topic"] for one in party.get("/notices").json()["items"]]

    judge, at = enter("judge"), f"/hearings/{new_case(secretary, hearing(court, 'closed', *ALL))['hearing']}"
    decide_seat(judge, waiting(judge)["judge"])
    assert told() == []
    for seat in waiting(judge).values():
        decide_seat(judge, seat)
    assert told() == ["summons"]
    moved = {"scheduled_utc": "2030-09-15T10:00:00+05:00"}
    for _ in range(2):
        call(secretary, "PATCH", at, moved, 204)
    assert told() == ["moved", "summons"]
    call(secretary, "POST", f"{at}/cancellation", {"ground": GROUND}, 204)
    assert told() == ["cancelled", "moved", "summons"]

"""Invariant 9: one table decides, as function and as SQL, for every route there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select

from archive.db import hearings as db
from archive.db import people, tables
from archive.domain import access
from archive.domain.access import GRANTABLE, AccessClass, Action, CourtAction, Relation, Role, decide
from archive.domain.exports import NEEDED, Kind
from tests.api.answers import ELSEWHERE, HERE, Answers, outcome
from tests.api.conftest import Running
from tests.api.world import Court, Held, Person, SignedIn

As = Callable[[Person], SignedIn]

TIES = {
    "own": {Relation.NAMED, Relation.CASE},
    "case": {Relation.CASE},
    "court": set(),
    "other": set(),
}


def relations(person: Person, held: Held) -> set[Relation]:
    """What ties a person of the test court to a hearing, worked out apart from the code."""
    tied = set(TIES[held.where]) if person.role in (Role.SECRETARY, Role.JUDGE, Role.PARTY) else set()
    return tied | ({Relation.COURT} if person.at_court and held.where != "other" else set())


def expected(person: Person, held: Held, *actions: Action) -> int:
    """The status an allowed, denied or hidden thing has that takes all of `actions`."""
    tied, access_class = relations(person, held), AccessClass(held.access_class)
    decisions = [decide(person.role, tied, access_class, action) for action in actions]
    refused = next((one for one in decisions if not one.allowed), None)
    return 200 if refused is None else 403 if refused.visible else 404


@pytest.fixture(scope="module")
def answers(running: Running) -> Iterator[Answers]:
    """What was answered to whom; `make matrix` prints it."""
    one = Answers()
    yield one
    paths = running.app.openapi()["paths"]
    tags = {(m.upper(), path): about["tags"][0] for path, methods in paths.items() for m, about in methods.items()}
    one.write(tags, {route: about for route, about in ROUTES.items() if isinstance(about, str)})


# --- the table itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("access_class", AccessClass)
def test_without_a_tie_there_is_no_content(role: Role, access_class: AccessClass) -> None:
    for action in (Action.VIEW, Action.READ, Action.READ_DRAFT):
        assert not decide(role, {Relation.COURT}, access_class, action).allowed


@pytest.mark.parametrize("action", [Action.VIEW, Action.READ, Action.BUNDLE])
def test_a_party_named_in_a_sealed_hearing_needs_an_order(action: Action) -> None:
    refused = decide(Role.PARTY, {Relation.NAMED}, AccessClass.SEALED, action)
    assert (refused.allowed, refused.visible) == (False, True)
    assert decide(Role.PARTY, {Relation.NAMED}, AccessClass.SEALED, action, {action}).allowed


def test_whoever_may_do_anything_may_know_of_it() -> None:
    for role, access_class, action in itertools.product(Role, AccessClass, Action):
        for tie in (set(combination) for n in range(4) for combination in itertools.combinations(Relation, n)):
            decision = decide(role, tie, access_class, action)
            assert decision.visible or not decision.allowed, (role, tie, access_class, action)


def test_a_grant_opens_nothing_but_what_may_be_granted() -> None:
    granted = frozenset(Action)
    for action in Action:
        decision = decide(Role.PARTY, set(), AccessClass.SEALED, action, granted)
        assert decision.allowed == (action in GRANTABLE | access.GRANT_CARRIES)


# --- function and SQL --------------------------------------------------------------------------------


@pytest.fixture(params=["without grants", "granted", "granted in the case", "granted while open", "expired", "revoked"])
def grants(request: pytest.FixtureRequest, running: Running, court: Court) -> str:
    """Grants of viewing to every person for every hearing, in a state; rolled back with the fixture."""
    return str(request.param)


def test_function_and_sql_agree(running: Running, court: Court, grants: str) -> None:
    """All roles × hearings (class × tie) × actions, with and without grants."""
    now = datetime.now(UTC)
    with running.services.sessions() as session:
        persons = {p.username: people.credentials(session, p.username) for p in court.people}
        if grants != "without grants":
            for (name, found), held in itertools.product(persons.items(), court.held):
                assert found is not None, name
                session.add(
                    tables.Grant(
                        hearing_id=held.hearing,
                        user_id=found.person.id,
                        actions=["view", "start"],
                        ground="order",
                        by_user_id=found.person.id,
                        until_utc=now + timedelta(hours=-1 if grants == "expired" else 1),
                        revoked_utc=now if grants == "revoked" else None,
                        while_in_case=grants == "granted in the case",
                        while_class="open" if grants == "granted while open" else None,
                    )
                )
            session.flush()
        given = frozenset({Action.VIEW, Action.START})
        compared = 0
        for person, action in itertools.product(court.people, Action):
            found = persons[person.username]
            assert found is not None
            listed = set(session.scalars(select(tables.Hearing.id).where(db.may(found.person, action))))
            for held in court.held:
                tied = relations(person, held)
                holds = {
                    "granted": True,
                    "granted in the case": Relation.CASE in tied,
                    "granted while open": held.access_class == "open",
                }.get(grants, False)
                order = given if holds else frozenset[Action]()
                by_hand = decide(person.role, tied, AccessClass(held.access_class), action, order).allowed
                standing = db.standing(session, found.person, held.hearing)
                assert standing is not None
                by_function = standing.decide(found.person, action).allowed
                where = (person.role, held.access_class, held.where, action)
                assert (held.hearing in listed, by_function) == (by_hand, by_hand), where
                compared += 1
        session.rollback()
    assert compared == len(Role) * len(Action) * 12


# --- routes ------------------------------------------------------------------------------------------

# Every route of the application: the action it asks for, or why it asks for none. A new route fails here.
HEARING, RECORDING = "hearing", "recording"
FROM_PROVIDER = "the provider's own token, in test_oidc"
OWN_ACCOUNTS = "own court, in test_users"
COURTS = "own court, in test_courts"
KEEPING = "may_keep, in test_retention_routes"
BY_HAND = "arrange and grant, in test_entering"
SCRAPED = "not there unless it is set, in test_metrics"
ROUTES: dict[tuple[str, str], tuple[str | Action, ...] | str] = {
    ("POST", "/api/v1/session"): "sign-in",
    ("GET", "/api/v1/session"): "own session",
    ("DELETE", "/api/v1/session"): "own session",
    ("POST", "/api/v1/session/second-factor"): "own session",
    ("GET", "/api/v1/session/terms"): "own session",
    ("PUT", "/api/v1/session/terms"): "own session",
    ("GET", "/api/v1/session/second-factor"): "own session",
    ("DELETE", "/api/v1/session/second-factor"): "own session",
    ("POST", "/api/v1/session/second-factor/enrolment"): "own session",
    ("PUT", "/api/v1/session/second-factor/enrolment"): "own session",
    ("POST", "/api/v1/session/recovery-codes"): "own session",
    ("POST", "/api/v1/session/passkeys/challenge"): "own session",
    ("POST", "/api/v1/session/passkeys/registration"): "own session",
    ("PUT", "/api/v1/session/passkeys/registration"): "own session",
    ("DELETE", "/api/v1/session/passkeys/{passkey}"): "own session",
    ("PUT", "/api/v1/session/password"): "own session",
    ("GET", "/api/v1/session/devices"): "own session",
    ("DELETE", "/api/v1/session/devices"): "own session",
    ("DELETE", "/api/v1/session/devices/{device}"): "own session",
    ("GET", "/api/v1/session/provider"): "public",
    ("POST", "/api/v1/session/provider"): "sign-in",
    ("POST", "/api/v1/session/provider/flows"): "sign-in",
    ("GET", "/api/v1/session/provider/leaving"): "public",
    ("POST", "/api/v1/session/provider/logout"): FROM_PROVIDER,
    ("GET", "/api/v1/session/signature"): "public",
    ("POST", "/api/v1/session/signature"): "sign-in",
    ("POST", "/api/v1/session/signature/flows"): "sign-in",
    ("GET", "/api/v1/hearings"): "filtered in SQL",
    ("GET", "/api/v1/hearings/{hearing}"): (HEARING, Action.LIST),
    ("POST", "/api/v1/hearings/{hearing}/commands"): "per kind, below",
    ("GET", "/api/v1/hearings/{hearing}/commands/{command}"): (HEARING, Action.LEVELS),
    ("GET", "/api/v1/recordings/unassigned"): "own court, in test_assignment",
    ("PUT", "/api/v1/recordings/{recording}/hearing"): "own court, in test_assignment",
    ("GET", "/api/v1/recordings/{recording}"): (RECORDING, Action.LIST),
    ("GET", "/api/v1/recordings/{recording}/transcript"): (RECORDING, Action.READ),
    ("GET", "/api/v1/recordings/{recording}/transcript/revisions"): (RECORDING, Action.READ_DRAFT),
    ("GET", "/api/v1/recordings/{recording}/transcript/comparison"): (RECORDING, Action.READ_DRAFT),
    ("GET", "/api/v1/recordings/{recording}/transcript/file"): (RECORDING, *NEEDED[Kind.DOCX]),
    ("POST", "/api/v1/recordings/{recording}/transcript/changes"): (RECORDING, Action.EDIT),
    ("POST", "/api/v1/recordings/{recording}/transcript/certification"): (RECORDING, Action.CERTIFY),
    ("POST", "/api/v1/recordings/{recording}/transcript/signature"): (RECORDING, Action.SIGN),
    ("POST", "/api/v1/recordings/{recording}/transcript/return"): (RECORDING, Action.SIGN),
    ("GET", "/api/v1/recordings/{recording}/live"): (RECORDING, Action.LEVELS),
    ("GET", "/api/v1/recordings/{recording}/media/{path}"): (RECORDING, Action.VIEW),
    ("HEAD", "/api/v1/recordings/{recording}/media/{path}"): (RECORDING, Action.VIEW),
    ("GET", "/api/v1/recordings/{recording}/live/{path}"): (RECORDING, Action.VIEW),
    ("GET", "/api/v1/recordings/{recording}/bundle"): (RECORDING, Action.BUNDLE),
    ("HEAD", "/api/v1/recordings/{recording}/bundle"): (RECORDING, Action.BUNDLE),
    ("GET", "/api/v1/recordings/{recording}/exports"): (RECORDING, Action.BUNDLE),
    ("POST", "/api/v1/recordings/{recording}/exports"): (RECORDING, *NEEDED[Kind.MP4]),
    ("DELETE", "/api/v1/recordings/{recording}/exports/{export}"): "one's own, in test_exports",
    ("GET", "/api/v1/recordings/{recording}/exports/{export}/file"): "one's own, in test_exports",
    ("HEAD", "/api/v1/recordings/{recording}/exports/{export}/file"): "one's own, in test_exports",
    ("GET", "/api/v1/recordings/{recording}/marks"): (RECORDING, Action.SEAL),
    ("POST", "/api/v1/recordings/{recording}/marks"): (RECORDING, Action.SEAL),
    ("POST", "/api/v1/recordings/{recording}/marks/{mark}/lift"): (RECORDING, Action.UNSEAL),
    ("PUT", "/api/v1/hearings/{hearing}/class"): (HEARING, Action.SEAL),  # and unseal, in test_marks
    ("GET", "/api/v1/requests"): "filtered in SQL, in test_requests",
    ("POST", "/api/v1/hearings/{hearing}/requests"): (HEARING, Action.ASK),
    ("POST", "/api/v1/requests/{request}/withdrawal"): "one's own, in test_requests",
    ("POST", "/api/v1/requests/{request}/decision"): "grant, in test_requests",
    ("POST", "/api/v1/requests/{request}/confirmation"): "confirm, in test_emergency",
    ("GET", "/api/v1/hearings/{hearing}/grants"): (HEARING, Action.REQUESTS),
    ("POST", "/api/v1/grants/{grant}/revocation"): "grant, in test_requests",
    ("GET", "/api/v1/notices"): "one's own, in test_notices",
    ("GET", "/api/v1/notices/{notice}"): "one's own, in test_notices",
    ("POST", "/api/v1/notices/{notice}/reading"): "one's own, in test_notices",
    ("POST", "/api/v1/notices/reading"): "one's own, in test_notices",
    ("GET", "/api/v1/hearings/{hearing}/summonses"): (HEARING, Action.SUMMONED),
    ("POST", "/api/v1/hearings/{hearing}/summonses"): "summon, in test_summonses",
    ("POST", "/api/v1/hearings/{hearing}/summonses/{summons}/sending"): "summon, in test_summonses",
    ("POST", "/api/v1/summonses/{summons}/acknowledgement"): "one's own, in test_summonses",
    ("GET", "/api/v1/recordings/{recording}/opinion"): (RECORDING, Action.VIEW),
    ("POST", "/api/v1/recordings/{recording}/opinion"): "view, in test_opinions",
    ("GET", "/api/v1/opinions"): "own court, in test_opinions",
    ("GET", "/api/v1/opinions/remarks"): "own court, in test_opinions",
    ("GET", "/api/v1/contact"): "one's own, in test_notices",
    ("PUT", "/api/v1/contact"): "one's own, in test_notices",
    ("GET", "/api/v1/search"): "filtered in SQL",
    ("GET", "/api/v1/rooms"): "room roles",
    ("GET", "/api/v1/rooms/live"): "room roles",
    ("POST", "/api/v1/rooms/{courtroom}/commands"): "own court, below",
    ("GET", "/api/v1/rooms/{courtroom}/commands/{command}"): "own court, below",
    ("GET", "/api/v1/rooms/{courtroom}/alarms"): "own court, below",
    ("PUT", "/api/v1/agent/recordings/{recording}"): "agent",
    ("POST", "/api/v1/agent/recordings/{recording}/chain"): "agent",
    ("POST", "/api/v1/agent/recordings/{recording}/manifest"): "agent",
    ("POST", "/api/v1/agent/state"): "agent",
    ("GET", "/api/v1/agent/schedule"): "agent",
    ("GET", "/api/v1/agent/recordings/{recording}/receipt"): "agent",
    ("POST", "/api/v1/agent/commands/{command}"): "agent",
    ("POST", "/api/v1/agent/enrolment"): "agent",
    ("GET", "/api/v1/agent/enrolment"): "agent",
    ("POST", "/api/v1/agent/token"): "agent",
    ("GET", "/api/v1/agents"): "own court, in test_enrolment",
    ("POST", "/api/v1/agents/codes"): "own court, in test_enrolment",
    ("POST", "/api/v1/agents/{agent}/confirm"): "own court, below",
    ("POST", "/api/v1/agents/{agent}/revoke"): "own court, below",
    ("PUT", "/api/v1/schedule"): "agent",  # another kind of token, in test_schedule
    ("GET", "/api/v1/glossary"): "own court, below",
    ("PUT", "/api/v1/glossary/{language}"): "own court, below",
    ("GET", "/api/v1/users"): OWN_ACCOUNTS,
    ("POST", "/api/v1/users"): OWN_ACCOUNTS,
    ("GET", "/api/v1/users/{user}"): OWN_ACCOUNTS,
    ("PATCH", "/api/v1/users/{user}"): OWN_ACCOUNTS,
    ("PUT", "/api/v1/users/{user}/role"): OWN_ACCOUNTS,
    ("PUT", "/api/v1/users/{user}/state"): OWN_ACCOUNTS,
    ("DELETE", "/api/v1/users/{user}/second-factor"): OWN_ACCOUNTS,
    ("DELETE", "/api/v1/users/{user}/sessions"): OWN_ACCOUNTS,
    ("GET", "/api/v1/role-proposals"): OWN_ACCOUNTS,
    ("POST", "/api/v1/role-proposals/{proposal}/decision"): OWN_ACCOUNTS,
    ("GET", "/api/v1/cases"): "filtered in SQL, in test_entering",
    ("POST", "/api/v1/cases"): BY_HAND,
    ("GET", "/api/v1/cases/{case}"): "filtered in SQL, in test_entering",
    ("POST", "/api/v1/cases/{case}/hearings"): BY_HAND,
    ("PATCH", "/api/v1/hearings/{hearing}"): BY_HAND,
    ("POST", "/api/v1/hearings/{hearing}/cancellation"): BY_HAND,
    ("GET", "/api/v1/hearings/{hearing}/participants"): (HEARING, Action.REQUESTS),
    ("POST", "/api/v1/hearings/{hearing}/participants"): BY_HAND,
    ("POST", "/api/v1/hearings/{hearing}/participants/{participant}/removal"): BY_HAND,
    ("GET", "/api/v1/seats"): "filtered in SQL, in test_entering",
    ("POST", "/api/v1/seats/{seat}/decision"): BY_HAND,
    ("POST", "/api/v1/seats/{seat}/withdrawal"): BY_HAND,
    ("GET", "/api/v1/audit"): "filtered in SQL, in test_audit_routes",
    ("GET", "/api/v1/audit/export"): "filtered in SQL, in test_audit_routes",
    ("GET", "/api/v1/retention/classes"): KEEPING,
    ("GET", "/api/v1/recordings/{recording}/retention"): KEEPING,
    ("GET", "/api/v1/holds"): KEEPING,
    ("POST", "/api/v1/holds"): KEEPING,
    ("POST", "/api/v1/holds/{hold}/release"): KEEPING,
    ("GET", "/api/v1/destructions"): KEEPING,
    ("POST", "/api/v1/destructions"): KEEPING,
    ("POST", "/api/v1/destructions/{destruction}/approval"): KEEPING,
    ("POST", "/api/v1/destructions/{destruction}/withdrawal"): KEEPING,
    ("GET", "/api/v1/courts"): COURTS,
    ("GET", "/api/v1/courtrooms"): COURTS,
    ("POST", "/api/v1/courtrooms"): COURTS,
    ("GET", "/api/v1/courtrooms/{courtroom}"): COURTS,
    ("PATCH", "/api/v1/courtrooms/{courtroom}"): COURTS,
    ("PUT", "/api/v1/courtrooms/{courtroom}/state"): COURTS,
    ("GET", "/api/v1/statistics"): "own court or all, in test_statistics",
    ("GET", "/healthz"): "public",
    ("GET", "/readyz"): "public",
    ("GET", "/metrics"): SCRAPED,
}
DECIDED = [(route, about[1:]) for route, about in ROUTES.items() if isinstance(about, tuple)]
OTHERS = ("sign-in", "agent", "public", FROM_PROVIDER, SCRAPED)
SIGNED_IN = [(m, p) for (m, p), about in ROUTES.items() if about not in OTHERS]
WITH_CODE = ("POST", "/api/v1/agent/enrolment")  # the code is the key, in test_enrolment
BY_TOKEN = [route for route, about in ROUTES.items() if about == "agent" and route != WITH_CODE]


NOBODY = "00000000-0000-0000-0000-000000000000"
REQUEST, GROUND = {"request": NOBODY}, {"ground": ""}
# What is sent where a body is needed, and how whoever is let in is answered: none of it changes anything, but that
# a party asks. Where 404 stands, being let in looks like not being allowed to know.
ALLOWED_AS: dict[tuple[str, str], tuple[int, dict[str, Any] | None]] = {
    ("GET", "/api/v1/hearings/{hearing}/commands/{command}"): (404, None),  # there is no such command
    ("GET", "/api/v1/recordings/{recording}/live/{path}"): (404, None),  # access copies are there (test_live_media)
    ("POST", "/api/v1/recordings/{recording}/transcript/changes"): (
        409,
        {**REQUEST, "changes": [{"do": "remove", "line": {"seq": 999, "since": 0}}]},
    ),
    ("POST", "/api/v1/recordings/{recording}/transcript/certification"): (409, {**REQUEST, "revision": 999}),
    ("POST", "/api/v1/recordings/{recording}/transcript/signature"): (
        409,
        {**REQUEST, "revision": 999, "text_sha256": "0" * 64},
    ),
    ("POST", "/api/v1/recordings/{recording}/transcript/return"): (409, {**REQUEST, "ground": "not signed"}),
    ("POST", "/api/v1/recordings/{recording}/exports"): (400, {"kind": "mp4", "camera": "none"}),
    ("POST", "/api/v1/recordings/{recording}/marks"): (400, GROUND),
    ("POST", "/api/v1/recordings/{recording}/marks/{mark}/lift"): (400, GROUND),
    ("PUT", "/api/v1/hearings/{hearing}/class"): (400, {**GROUND, "class": "sealed"}),
    ("POST", "/api/v1/hearings/{hearing}/requests"): (201, {"wants": "access", "reason": "to prepare"}),
}


def routes_of(running: Running) -> set[tuple[str, str]]:
    """What the application's own OpenAPI says it has."""
    paths = running.app.openapi()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_every_route_stands_in_the_table(running: Running) -> None:
    assert routes_of(running) == set(ROUTES)


def fill(path: str, held: Held) -> str:
    """An address of this hearing or recording."""
    values = {"{hearing}": str(held.hearing), "{recording}": held.recording, "{path}": "v1/mix.mp4"}
    values["{device}"] = "0" * 16
    values["{request}"] = values["{grant}"] = values["{mark}"] = values["{passkey}"] = NOBODY
    values["{notice}"] = values["{summons}"] = NOBODY
    values["{command}"] = values["{courtroom}"] = values["{agent}"] = NOBODY
    values["{user}"] = values["{proposal}"] = NOBODY
    values["{hold}"] = values["{destruction}"] = NOBODY
    values["{case}"] = values["{participant}"] = values["{seat}"] = NOBODY
    for name, value in values.items():
        path = path.replace(name, value)
    return path


@pytest.fixture
def no_requests(running: Running) -> Iterator[None]:
    """What was asked for is forgotten again."""
    yield
    with running.services.sessions.begin() as session:
        session.execute(delete(tables.Request))


@pytest.mark.usefixtures("no_requests")
@pytest.mark.parametrize("role", [role.value for role in Role])
def test_every_route_answers_as_the_table_says(court: Court, as_: As, answers: Answers, role: str) -> None:
    """404 for what one may not know of, 403 for what one may not do, else not refused."""
    person = court.person(role)
    client = as_(person)
    token = {"X-CSRF-Token": client.me["csrf_token"]}
    for ((method, path), actions), held in itertools.product(DECIDED, court.held):
        let_in, body = ALLOWED_AS.get((method, path), (200, None))
        with client.http.stream(method, fill(path, held), json=body, headers=token) as answer:
            status = answer.status_code
        want = expected(person, held, *actions)
        assert status == (let_in if want == 200 else want), (method, path, role, held.access_class, held.where)
        answers.note(method, path, role, f"{held.where}/{held.access_class}", outcome(status, let_in))


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_orders_to_rooms_follow_the_table(court: Court, as_: As, answers: Answers, role: str) -> None:
    person = court.person(role)
    client = as_(person)
    kinds = {"start": Action.START, "stop": Action.STOP, "pause": Action.PAUSE, "resume": Action.PAUSE}
    kinds |= {"note": Action.MARK, "undo": Action.MARK, "check": Action.START}
    path = "/api/v1/hearings/{hearing}/commands"
    for (kind, action), held in itertools.product(kinds.items(), court.held):
        answer = client.post(f"/hearings/{held.hearing}/commands", {"kind": kind})
        want = expected(person, held, action)
        assert answer.status_code == (202 if want == 200 else want), (kind, role, held.access_class, held.where)
        place = f"{held.where}/{held.access_class}"
        answers.note("POST", f"{path} ({kind})", role, place, outcome(answer.status_code))


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_what_belongs_to_a_court_is_for_its_own_people(court: Court, as_: As, answers: Answers, role: str) -> None:
    """Elsewhere it does not exist for anybody; at home the table of the court decides."""
    person = court.person(role)
    client = as_(person)
    for room in ("room-1", "room-9", NOBODY):
        at = court.rooms.get(room, room)
        own = room == "room-1" and person.at_court
        place = HERE if room == "room-1" else ELSEWHERE
        sees = person.role in access.COURT_TABLE[CourtAction.ROOMS]
        want = 404 if not own else 200 if sees else 403
        alarms = client.get(f"/rooms/{at}/alarms").status_code
        assert alarms == want, (role, room)
        answers.note("GET", "/api/v1/rooms/{courtroom}/alarms", role, place, outcome(alarms))
        may = person.role in access.COURT_TABLE[CourtAction.COMMAND]
        want = 404 if not own else 202 if may else 403
        ordered = client.post(f"/rooms/{at}/commands", {"kind": "check"})
        assert ordered.status_code == want, (role, room)
        answers.note("POST", "/api/v1/rooms/{courtroom}/commands", role, place, outcome(ordered.status_code))
        command = ordered.json()["id"] if want == 202 else NOBODY
        state = client.get(f"/rooms/{at}/commands/{command}").status_code
        assert state == (200 if want == 202 else want), (role, room)
        answers.note("GET", "/api/v1/rooms/{courtroom}/commands/{command}", role, place, outcome(state))


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_agents_are_the_business_of_the_courts_administrators(
    court: Court, as_: As, answers: Answers, role: str
) -> None:
    person = court.person(role)
    client = as_(person)
    for name, own in (("agent-1", True), ("agent-9", False), ("nobody", False)):
        at = court.agents.get(name, NOBODY)
        may = person.role in access.COURT_TABLE[CourtAction.AGENTS]
        for deed, bad, status in (("confirm", {"fingerprint": "x"}, 400), ("revoke", {"reason": ""}, 422)):
            want = 404 if not (own and person.at_court) else status if may else 403
            body = {"reason": "x"} if deed == "revoke" and want != 422 else bad
            answer = client.post(f"/agents/{at}/{deed}", body).status_code
            assert answer == want, (role, name, deed)
            place = HERE if own else ELSEWHERE
            answers.note("POST", f"/api/v1/agents/{{agent}}/{deed}", role, place, outcome(answer))


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_the_glossary_is_the_business_of_those_who_work_on_texts(
    court: Court, as_: As, answers: Answers, role: str
) -> None:
    person = court.person(role)
    client = as_(person)
    want = 200 if person.role in access.COURT_TABLE[CourtAction.GLOSSARY] and person.at_court else 403
    words = [" Қарағанды  қаласы ", "ЖШС", "ЖШС", ""]
    token = {"X-CSRF-Token": client.me["csrf_token"]}
    for method, path, body in (("GET", "/api/v1/glossary", None), ("PUT", "/api/v1/glossary/kk", {"words": words})):
        answer = client.http.request(method, path, json=body, headers=token)
        assert answer.status_code == want
        answers.note(method, path.replace("/kk", "/{language}"), role, HERE, outcome(answer.status_code))
    if want == 200:
        assert answer.json() == {"kk": ["Қарағанды қаласы", "ЖШС"], "ru": []}


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
def test_nobody_signed_in_is_told_nothing(
    running: Running, court: Court, answers: Answers, method: str, path: str
) -> None:
    answer = httpx.request(method, running.url + fill(path, court.one()), json={"kind": "start"})
    assert answer.status_code == 401
    if method != "HEAD":
        assert answer.json()["code"] == "AUTH-002"
    answers.note(method, path, "nobody", "", outcome(answer.status_code))


@pytest.mark.parametrize("who", ["nobody", *(role.value for role in Role)])
def test_what_agents_and_systems_call_opens_to_no_person(
    running: Running, court: Court, as_: As, answers: Answers, who: str
) -> None:
    client = None if who == "nobody" else as_(court.person(who))
    http = client.http if client else httpx
    token = {"X-CSRF-Token": client.me["csrf_token"]} if client else {}
    for method, path in BY_TOKEN:
        body = {"signature": "AAAA"} if path.endswith("/token") else None
        answer = http.request(method, running.url + fill(path, court.one()), json=body, headers=token)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-002"), (method, path)
        answers.note(method, path, who, "", outcome(answer.status_code))


OWN = [route for route, about in ROUTES.items() if about == "own session" and route[0] == "GET"]


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_lists_and_what_is_ones_own_are_open_to_those_who_have_some(
    court: Court, as_: As, answers: Answers, role: str
) -> None:
    client = as_(court.person(role))
    in_court = {"/api/v1/rooms": CourtAction.ROOMS, "/api/v1/agents": CourtAction.AGENTS}
    in_court |= {"/api/v1/recordings/unassigned": CourtAction.UNASSIGNED}
    everybodys = [path for _, path in OWN] + ["/api/v1/hearings", "/api/v1/search", "/api/v1/requests"]
    for path in [*in_court, *everybodys]:
        may = path not in in_court or Role(role) in access.COURT_TABLE[in_court[path]]
        answer = client.http.get(path)
        assert answer.status_code == (200 if may else 403), (path, role)
        answers.note("GET", path, role, HERE, outcome(answer.status_code))


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_lists_hold_what_the_table_lists(court: Court, as_: As, role: str) -> None:
    person = court.person(role)
    items = as_(person).get("/hearings", params={"limit": 200}).json()["items"]
    want = {str(h.hearing) for h in court.held if expected(person, h, Action.LIST) == 200}
    assert {item["id"] for item in items} == want
    for item in items:
        held = next(h for h in court.held if str(h.hearing) == item["id"])
        details = expected(person, held, Action.DETAILS) == 200
        assert bool(item["case"]["title"]) == bool(item["participants"]) == details


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_rooms_are_for_whoever_keeps_them(court: Court, as_: As, role: str) -> None:
    answer = as_(court.person(role)).get("/rooms")
    if Role(role) not in access.COURT_TABLE[CourtAction.ROOMS]:
        assert answer.status_code == 403
        return
    assert [room["courtroom"]["code"] for room in answer.json()] == ["room-1"]


def test_a_title_is_not_found_by_whoever_may_not_see_it(court: Court, as_: As) -> None:
    operator = as_(court.person("operator"))
    assert operator.get("/hearings", params={"q": "Дело closed"}).json()["items"] == []
    assert operator.get("/hearings", params={"q": "closed-court"}).json()["items"] != []


def test_refusals_and_viewings_are_in_the_audit_log(running: Running, court: Court, as_: As) -> None:
    party, own, sealed = as_(court.person("party")), court.one(), court.one("sealed")
    for _ in range(3):
        assert party.get(f"/recordings/{own.recording}/media/v1/mix.mp4").status_code == 200
    assert party.get(f"/recordings/{sealed.recording}/media/v1/mix.mp4").status_code == 403
    with running.services.sessions() as session:
        rows = session.scalars(select(tables.Audit).order_by(tables.Audit.id.desc()).limit(2)).all()
    refused, viewed = rows
    assert (viewed.action, viewed.allowed, viewed.recording_id) == ("view", True, own.recording)
    assert (refused.action, refused.allowed, refused.recording_id) == ("view", False, sealed.recording)
    assert str(viewed.user_id) == party.me["id"]

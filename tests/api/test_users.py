"""Accounts as a court's administrators keep them: their court's alone, never their own, some roles by two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from archive.db import tables as t
from archive.db.door_tables import Passkey
from archive.db.tables import Base
from archive.db.tables_agreed import RoleProposal
from archive.domain.access import COURT_TABLE, CourtAction, Role
from archive.domain.offices import BY_TWO
from tests.api.conftest import Running
from tests.api.test_access import NOBODY, As
from tests.api.world import Court, Person, SignedIn, add_account, sign_in

Enter = Callable[[str], SignedIn]
NEW = "correct horse battery 2"


ADMINS = {"u-admin2": "saryarka", "u-admin9": "altai"}


@pytest.fixture(autouse=True)
def staff(running: Running, court: Court) -> Iterator[None]:
    """A second administrator of the court and one of another; what is added is taken out again."""
    with running.services.sessions.begin() as session:
        for username, of in ADMINS.items():
            add_account(session, username, Role.ADMIN, of)
    yield
    with running.services.sessions.begin() as session:
        added = select(t.User.id).where(t.User.username.like("u-%"))
        session.execute(delete(RoleProposal))
        for table in (t.Session, t.SecondFactor, t.RecoveryCode):
            session.execute(delete(table).where(table.user_id.in_(added)))
        session.execute(delete(t.User).where(t.User.username.like("u-%")))


@pytest.fixture
def enter(court: Court, as_: As) -> Enter:
    """A signed-in client of an account by its user name."""
    return lambda username: as_(Person(username, Role.ADMIN, True))


def call(client: SignedIn, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
    answer = client.http.request(
        method, f"/api/v1{path}", json=body, headers={"X-CSRF-Token": client.me["csrf_token"], **headers}
    )
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def add(client: SignedIn, username: str, role: str = "operator", status: int = 201) -> Any:
    told = {"username": username, "display_name": "Айгүл Қасымова", "role": role}
    return call(client, "POST", "/users", told, status)


def tag(client: SignedIn, user: str) -> str:
    return client.get(f"/users/{user}").headers["etag"]


def change(client: SignedIn, user: str, what: str, value: str, status: int = 200) -> Any:
    """`what`: role or state."""
    return call(client, "PUT", f"/users/{user}/{what}", {what: value}, status, **{"If-Match": tag(client, user)})


def decide(client: SignedIn, proposal: str, confirm: bool, status: int = 200) -> Any:
    return call(client, "POST", f"/role-proposals/{proposal}/decision", {"confirm": confirm}, status)


def first_session(running: Running, username: str, password: str) -> SignedIn:
    """A session of a new account that has chosen its own password."""
    http = httpx.Client(base_url=running.url, timeout=30)
    me = http.post("/api/v1/session", json={"username": username, "password": password}).json()
    assert me["step"] == "password"
    assert http.get("/api/v1/hearings").json()["code"] == "AUTH-005"
    body = {"current": password, "new": NEW}
    changed = http.put("/api/v1/session/password", json=body, headers={"X-CSRF-Token": me["csrf_token"]})
    assert changed.status_code == 200, changed.text
    return SignedIn(http, changed.json())


def rows(running: Running, action: str) -> list[tuple[bool, Any]]:
    """What the audit log says of an action, the newest first."""
    with running.services.sessions() as session:
        found = session.execute(
            select(t.Audit.allowed, t.Audit.data).where(t.Audit.action == action).order_by(t.Audit.id.desc())
        )
        return [(row.allowed, row.data) for row in found]


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/users", None),
    ("POST", "/users", {"username": "u-x", "display_name": "X", "role": "operator"}),
    ("GET", f"/users/{NOBODY}", None),
    ("PATCH", f"/users/{NOBODY}", {"display_name": "X"}),
    ("PUT", f"/users/{NOBODY}/role", {"role": "operator"}),
    ("PUT", f"/users/{NOBODY}/state", {"state": "disabled"}),
    ("DELETE", f"/users/{NOBODY}/second-factor", None),
    ("DELETE", f"/users/{NOBODY}/sessions", None),
    ("GET", "/role-proposals", None),
    ("POST", f"/role-proposals/{NOBODY}/decision", {"confirm": True}),
]


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_accounts_are_the_business_of_administrators(court: Court, as_: As, role: str) -> None:
    client = as_(court.person(role))
    may = Role(role) in COURT_TABLE[CourtAction.USERS]
    for method, path, body in ROUTES:
        there = NOBODY not in path
        want = 403 if not may else 404 if not there else 201 if method == "POST" else 200
        call(client, method, path, body, want)


def test_a_new_account_chooses_its_own_password(running: Running, court: Court, enter: Enter) -> None:
    made = add(enter("admin"), "U-Asel")
    assert (made["user"]["username"], made["user"]["role"], made["proposal"]) == ("u-asel", "operator", None)
    asel = first_session(running, "u-asel", made["password"])
    again = httpx.post(f"{running.url}/api/v1/session", json={"username": "u-asel", "password": made["password"]})
    assert again.status_code == 401
    assert asel.get("/rooms").status_code == 200
    (listed,) = enter("admin").get("/users", params={"q": "u-as"}).json()["items"]
    assert (listed["must_change_password"], listed["seen_utc"] is not None) == (False, True)
    assert made["password"] not in repr(rows(running, "user.add"))
    assert rows(running, "user.add")[0] == (True, {"user": "u-asel", "role": "operator", "court": "saryarka"})
    add(enter("u-admin9"), "u-asel", status=409)
    asel.http.close()


@pytest.mark.parametrize("role", sorted(BY_TWO))
def test_some_roles_take_a_second_administrator(running: Running, court: Court, enter: Enter, role: str) -> None:
    first, second = enter("admin"), enter("u-admin2")
    made = add(first, "u-new", role)
    user, proposal = made["user"]["id"], made["proposal"]
    assert (made["user"]["role"], made["user"]["waits_for"]) == ("party", role)
    new = first_session(running, "u-new", made["password"])
    assert new.get("/hearings").json()["items"] == []
    decide(first, proposal, True, 403)
    assert rows(running, "user.confirm")[0][0] is False
    decide(enter("u-admin9"), proposal, True, 404)
    assert [one["mine"] for one in first.get("/role-proposals").json()["items"]] == [True]
    assert [one["mine"] for one in second.get("/role-proposals").json()["items"]] == [False]
    assert decide(second, proposal, True)["state"] == "confirmed"
    assert rows(running, "user.confirm")[0] == (
        True,
        {
            "user": "u-new",
            "before": {"role": "party"},
            "after": {"role": role},
            "ended": 1,
            "proposal": proposal,
            "proposed_by": "admin",
        },
    )
    assert new.get("/hearings").status_code == 401  # what it had opened as a party has ended
    told = first.get(f"/users/{user}").json()
    assert (told["role"], told["waits_for"]) == (role, None)
    decide(second, proposal, False, 409)
    new.http.close()


def test_nobody_confirms_a_role_of_his_own(running: Running, court: Court, enter: Enter) -> None:
    """An administrator about whom another one proposes something."""
    first, second = enter("admin"), enter("u-admin2")
    user = second.me["id"]
    assert change(first, user, "role", "judge")["waits_for"] == "judge"
    (waiting,) = first.get("/role-proposals", params={"state": "waiting"}).json()["items"]
    for confirm in (True, False):
        decide(second, waiting["id"], confirm, 403)
    change(first, user, "role", "auditor", 409)  # one at a time
    assert decide(first, waiting["id"], False)["state"] == "withdrawn"
    assert first.get(f"/users/{user}").json()["role"] == "admin"


def test_a_proposal_is_good_for_three_days(running: Running, court: Court, enter: Enter) -> None:
    first, second = enter("admin"), enter("u-admin2")
    made = add(first, "u-new", "judge")
    (waiting,) = second.get("/role-proposals", params={"state": "waiting"}).json()["items"]
    created, until = (datetime.fromisoformat(waiting[name]) for name in ("created_utc", "until_utc"))
    assert until - created == timedelta(hours=72)
    with running.services.sessions.begin() as session:
        session.execute(update(RoleProposal).values(until_utc=datetime.now(UTC) - timedelta(seconds=1)))
    decide(second, made["proposal"], True, 409)
    assert second.get("/role-proposals", params={"state": "waiting"}).json()["items"] == []
    assert [one["state"] for one in second.get("/role-proposals", params={"state": "expired"}).json()["items"]] == [
        "expired"
    ]
    assert first.get(f"/users/{made['user']['id']}").json()["waits_for"] is None
    assert change(first, made["user"]["id"], "role", "judge")["waits_for"] == "judge"  # anew


def test_whoever_has_lost_the_office_has_proposed_nothing(running: Running, court: Court, enter: Enter) -> None:
    first, second = enter("admin"), enter("u-admin2")
    made = add(second, "u-new", "judge")
    change(first, second.me["id"], "role", "operator")
    assert second.get("/users").status_code == 401
    decide(first, made["proposal"], True, 409)
    assert first.get(f"/users/{made['user']['id']}").json()["role"] == "party"


def test_a_disabled_account_is_out_at_once_and_waits_for_nothing(running: Running, court: Court, enter: Enter) -> None:
    first, second = enter("admin"), enter("u-admin2")
    made = add(first, "u-new", "judge")
    user = made["user"]["id"]
    decide(second, made["proposal"], True)
    new = first_session(running, "u-new", made["password"])
    change(first, user, "role", "auditor")
    assert change(first, user, "state", "disabled")["state"] == "disabled"
    assert new.get("/hearings").status_code == 401
    assert rows(running, "user.disable")[0] == (
        True,
        {"user": "u-new", "before": {"state": "active"}, "after": {"state": "disabled"}, "ended": 1},
    )
    assert second.get("/role-proposals", params={"state": "waiting"}).json()["items"] == []
    change(first, user, "role", "operator", 409)
    # A judge's account comes back by two, as it came into being.
    back = change(first, user, "state", "active")
    assert (back["state"], back["waits_for"]) == ("disabled", "judge")
    (waiting,) = second.get("/role-proposals", params={"state": "waiting"}).json()["items"]
    decide(first, waiting["id"], True, 403)
    decide(second, waiting["id"], True)
    assert first.get(f"/users/{user}").json()["state"] == "active"
    sign_in_again = httpx.post(f"{running.url}/api/v1/session", json={"username": "u-new", "password": NEW})
    assert sign_in_again.status_code == 200
    operator = add(first, "u-operator")["user"]["id"]
    change(first, operator, "state", "disabled")
    assert change(first, operator, "state", "active")["state"] == "active"
    new.http.close()


def test_nobody_changes_his_own_account(running: Running, court: Court, enter: Enter) -> None:
    admin = enter("admin")
    mine = admin.me["id"]
    change(admin, mine, "role", "operator", 403)
    change(admin, mine, "state", "disabled", 403)
    call(admin, "PATCH", f"/users/{mine}", {"display_name": "X"}, 403, **{"If-Match": tag(admin, mine)})
    call(admin, "DELETE", f"/users/{mine}/second-factor", None, 403)
    call(admin, "DELETE", f"/users/{mine}/sessions", None, 403)
    assert rows(running, "user.role")[0] == (
        False,
        {"about": mine, "said": "nobody changes his own account here"},
    )
    assert admin.get(f"/users/{mine}").json()["mine"]


def test_a_party_to_a_case_gets_no_office(running: Running, court: Court, enter: Enter) -> None:
    """As a secretary the party would work on the text of his own case: neither at once nor by a proposal."""
    first, second = enter("admin"), enter("u-admin2")
    made = add(first, "u-new", "judge")
    user = made["user"]["id"]
    held = court.one()
    with running.services.sessions.begin() as session:
        session.add(t.Participant(hearing_id=held.hearing, name="X", role="claimant", user_id=UUID(user)))
    try:
        change(first, user, "role", "secretary", 409)
        decide(second, made["proposal"], True, 409)
        assert first.get(f"/users/{user}").json()["role"] == "party"
    finally:
        with running.services.sessions.begin() as session:
            session.execute(delete(t.Participant).where(t.Participant.user_id == UUID(user)))


def test_another_courts_account_does_not_exist(court: Court, enter: Enter) -> None:
    there = enter("u-admin9").me["id"]
    admin = enter("admin")
    for method, path, body in ROUTES:
        if NOBODY in path and "proposal" not in path:
            call(admin, method, path.replace(NOBODY, there), body, 404, **{"If-Match": "*"})
    assert "u-admin9" not in [one["username"] for one in admin.get("/users").json()["items"]]
    assert {"party", "auditor", "archivist"}.isdisjoint(
        one["username"] for one in admin.get("/users", params={"limit": 200}).json()["items"]
    )


def test_a_change_says_what_it_changes(court: Court, enter: Enter) -> None:
    first, second = enter("admin"), enter("u-admin2")
    user = add(first, "u-new")["user"]["id"]
    seen = tag(first, user)
    assert tag(second, user) == seen
    call(first, "PATCH", f"/users/{user}", {"display_name": "Ә"}, 428)
    changed = call(first, "PATCH", f"/users/{user}", {"display_name": " Ә  Б "}, 200, **{"If-Match": seen})
    assert changed["display_name"] == "Ә Б"
    for path, body in ((f"/users/{user}/role", {"role": "secretary"}), (f"/users/{user}/state", {"state": "disabled"})):
        stale = call(second, "PUT", path, body, 412, **{"If-Match": seen})
        assert stale["code"] == "REQ-007"
    assert second.get(f"/users/{user}").json()["role"] == "operator"
    call(second, "PUT", f"/users/{user}/role", {"role": "secretary"}, 200, **{"If-Match": f'"x", {tag(second, user)}'})


FACTORS: dict[str, Callable[[UUID], Base]] = {
    "authenticator": lambda user: t.SecondFactor(user_id=user, secret="x", since_utc=datetime.now(UTC)),
    "passkey": lambda user: Passkey(
        user_id=user, credential_id=b"lost", public_key=b"y", sign_count=0, transports=[], name="Blue key"
    ),
}


@pytest.mark.parametrize("lost", FACTORS)
def test_who_has_lost_an_authenticator_begins_anew(running: Running, court: Court, enter: Enter, lost: str) -> None:
    admin = enter("admin")
    made = add(admin, "u-new")
    new = first_session(running, "u-new", made["password"])
    with running.services.sessions.begin() as session:
        session.add(FACTORS[lost](UUID(made["user"]["id"])))
    assert admin.get(f"/users/{made['user']['id']}").json()["second_factor"]
    assert call(admin, "DELETE", f"/users/{made['user']['id']}/second-factor") == {"sessions": 1}
    assert new.get("/hearings").status_code == 401
    assert not admin.get(f"/users/{made['user']['id']}").json()["second_factor"]
    there = sign_in(running.url, Person("u-admin2", Role.ADMIN, True))
    assert call(admin, "DELETE", f"/users/{there.me['id']}/sessions") == {"sessions": 1}
    assert there.get("/users").status_code == 401
    there.http.close()
    new.http.close()


def test_the_list_is_whole_and_finds_by_how_names_begin(court: Court, enter: Enter) -> None:
    admin = enter("admin")
    for number in range(5):
        add(admin, f"u-{number}", "operator" if number % 2 else "secretary")
    found, cursor = [], ""
    while True:
        page = admin.get("/users", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [one["username"] for one in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert found == sorted(set(found))
    assert {"admin", "judge", "u-0", "u-4", "u-admin2"} <= set(found)

    def usernames(**params: str) -> list[str]:
        return [one["username"] for one in admin.get("/users", params=params).json()["items"]]

    assert usernames(q="қас", role="operator") == ["u-1", "u-3"]
    assert usernames(q="гүл") == []
    assert usernames(q="%") == []
    assert usernames(state="disabled") == []
    assert admin.get("/users", params={"cursor": "x"}).status_code == 400


WRONG = [
    {"username": "u-", "display_name": "X", "role": "king"},
    {"username": "u new", "display_name": "X", "role": "operator"},
    {"username": "u-new", "display_name": "  ", "role": "operator"},
    {"username": "u-new", "display_name": "a\u202eb", "role": "operator"},
    {"username": "u-new", "display_name": "X", "role": "operator", "court": "altai"},
]


def test_what_cannot_be_is_said(court: Court, enter: Enter) -> None:
    admin = enter("admin")
    for asked in WRONG:
        answer = admin.post("/users", asked)
        assert answer.status_code in (400, 422), answer.text


def test_the_database_too_asks_for_two_persons(running: Running, court: Court, enter: Enter) -> None:
    made = add(enter("admin"), "u-new", "judge")
    for decider in (RoleProposal.by_user_id, RoleProposal.user_id, None):
        with pytest.raises(IntegrityError, match="two_persons"), running.services.sessions.begin() as session:
            session.execute(
                update(RoleProposal)
                .where(RoleProposal.id == UUID(made["proposal"]))
                .values(state="confirmed", decided_utc=func.now(), decided_by_user_id=decider)
            )

"""Sealed spans: from the moment they are set nobody who may not have them gets picture, sound, word or hit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text

from archive.db import catalogue, people, search, tables
from archive.domain import access
from archive.domain.access import AccessClass, Action, Role, decide
from archive.domain.marks import Mark, Picture, Sound, digest
from tests.api.conftest import Running
from tests.api.test_access import relations
from tests.api.world import NOW, SAID, Court, Held, Person, SignedIn, listed, record, write_down
from tests.waiting import wait_for

As = Callable[[Person], SignedIn]
SPAN = {"start_ms": 9_000, "end_ms": 16_000, "ground": "Определение суда от 14.09"}  # all that is said second


@pytest.fixture
def held(running: Running, court: Court) -> Iterator[Held]:
    """A recording of the open hearing of its own, with access copies and text."""
    own = court.one()
    made = record(running.url, running.services, court.agent_token, "room-1", own.hearing)
    found = Held(own.hearing, own.access_class, own.where, made)
    publish_as(running, made, "")
    write_down(running.services.sessions, made, [("judge", "ru", SAID[0]), ("claimant", "kk", SAID[1])])
    yield found
    with running.services.sessions.begin() as session:  # other tests count what is found
        for table in (tables.Utterance, tables.Transcript):
            session.execute(delete(table).where(table.recording_id == made))


def publish_as(running: Running, recording: str, marks: str, version: int = 1) -> None:
    prefix = f"{recording}/media/v{version}/"
    sound = b"sound " + marks.encode()
    running.services.derived.put(prefix + "mix.mp4", sound)
    files = {"mix.mp4": listed(sound, "video/mp4")}
    contents = {"master": "mix.mp4", "video": [], "audio": [], "poster": None, "thumbnails": None, "files": files}
    row = {"recording_id": recording, "version": version, "made_from": "0" * 64, "prefix": prefix, "ready_utc": NOW}
    with running.services.sessions.begin() as session:
        session.add(tables.AccessCopy(**row, contents=contents, marks=marks))


def said(client: SignedIn, held: Held) -> list[str]:
    return [one["text"] for one in client.get(f"/recordings/{held.recording}/transcript").json()["utterances"]]


def hits(client: SignedIn, held: Held, q: str) -> int:
    return sum(one["recording"] == held.recording for one in client.get("/search", params={"q": q}).json()["items"])


def test_a_sealed_span_is_kept_from_whoever_may_not_have_it_at_once(
    running: Running, court: Court, as_: As, held: Held
) -> None:
    secretary, judge, party = (as_(court.person(name)) for name in ("secretary", "judge", "party"))
    base = f"/recordings/{held.recording}"
    assert party.get(f"{base}/media/v1/mix.mp4").content == b"sound "
    assert (said(party, held), hits(party, held, "өтінішхат")) == ([*SAID], 1)
    assert party.post(f"{base}/marks", SPAN).status_code == 403
    made = secretary.post(f"{base}/marks", SPAN)
    assert made.status_code == 201, made.text
    # For the party the copies that were there are gone, the live one takes their place, the words are not there.
    assert party.get(f"{base}/media/v1/mix.mp4").status_code == 404
    seen = party.get(base).json()
    assert (seen["media"], bool(seen["live_media"])) == (None, True)
    (withheld,) = seen["withheld"]
    assert (withheld["start_ms"], withheld["end_ms"], withheld["class"]) == (9_000, 16_000, "sealed")
    assert "ground" not in withheld
    assert [event["code"] for event in seen["events"]] == ["opened"]
    assert (said(party, held), hits(party, held, "өтінішхат"), hits(party, held, "истец")) == ([SAID[0]], 0, 1)
    assert party.get(f"{base}/transcript").json()["withheld"] == seen["withheld"]
    # For judge and secretary nothing has changed, but for a copy of all of it to take away.
    for client in (judge, secretary):
        assert client.get(f"{base}/media/v1/mix.mp4").content == b"sound "
        assert (said(client, held), hits(client, held, "өтінішхат")) == ([*SAID], 1)
        assert client.get(base).json()["withheld"] == []
    assert secretary.get(f"{base}/bundle").status_code == 403
    with judge.http.stream("GET", f"/api/v1{base}/bundle") as answer:
        assert answer.status_code == 200
    # Copies in which exactly this is concealed are theirs, and nobody else's.
    mark = Mark(uuid.UUID(made.json()["id"]), 9_000, 16_000, AccessClass.SEALED, Picture.BLACK, Sound.SILENT)
    publish_as(running, held.recording, digest([mark]), 2)
    assert party.get(base).json()["media"]["master"].endswith("/v2/mix.mp4")
    assert party.get(f"{base}/media/v2/mix.mp4").content == b"sound " + digest([mark]).encode()
    assert judge.get(f"{base}/media/v2/mix.mp4").status_code == 404
    # The judge alone takes it back.
    lift = f"{base}/marks/{made.json()['id']}/lift"
    assert secretary.post(lift, {"ground": "Ошибка"}).status_code == 403
    for _ in range(2):
        assert judge.post(lift, {"ground": "Определение отменено"}).status_code == 204
    assert party.get(f"{base}/media/v1/mix.mp4").status_code == 200
    assert party.get(f"{base}/media/v2/mix.mp4").status_code == 404
    assert (said(party, held), hits(party, held, "өтінішхат")) == ([*SAID], 1)
    (told,) = judge.get(f"{base}/marks").json()
    assert (told["by"], told["role"], told["ground"], told["lifted_by"], told["lift_ground"]) == (
        "secretary",
        "secretary",
        SPAN["ground"],
        "judge",
        "Определение отменено",
    )
    assert party.get(f"{base}/marks").status_code == 403
    assert judge.post(f"{base}/marks/{held.hearing}/lift", {"ground": "Ошибка"}).status_code == 404
    _check_noted(running, held, told["id"])


def _check_noted(running: Running, held: Held, mark: str) -> None:
    with running.services.sessions() as session:
        log = session.execute(
            select(tables.Audit.action, tables.Audit.allowed, tables.Audit.data)
            .where(tables.Audit.recording_id == held.recording, tables.Audit.action.in_(["seal", "unseal", "bundle"]))
            .order_by(tables.Audit.id)
        ).all()
        jobs = session.scalars(
            text("SELECT task_name FROM procrastinate_jobs WHERE args->>'recording' = :r"), {"r": held.recording}
        ).all()
    done = [(row.action, row.allowed) for row in log]
    assert done.count(("seal", True)) == 1
    assert done.count(("unseal", True)) == 1
    assert ("bundle", False) in done
    assert [row.data["mark"] for row in log if row.allowed and "mark" in row.data] == [mark, mark]
    assert {"publish.recording", "archive.card"} <= set(jobs)


def test_a_mark_set_while_it_runs_begins_now_and_has_no_end(running: Running, court: Court, as_: As) -> None:
    secretary, party = as_(court.person("secretary")), as_(court.person("party"))
    own = court.one()
    made = record(running.url, running.services, court.agent_token, "room-1", own.hearing, close=False)
    base = f"/recordings/{made}"
    answer = secretary.post(f"{base}/marks", {"ground": "Свидетель под защитой", "picture": "blurred"})
    assert answer.status_code == 201, answer.text
    (withheld,) = party.get(base).json()["withheld"]
    assert withheld["end_ms"] is None
    assert withheld["start_ms"] >= 0
    assert (withheld["picture"], withheld["sound"]) == ("blurred", "silent")


def test_a_mark_without_an_end_holds_for_what_continues_the_recording(running: Running, court: Court, as_: As) -> None:
    """An agent that dies goes on in a new recording: who was to be protected still is."""
    secretary, party, own = as_(court.person("secretary")), as_(court.person("party")), court.one()

    def recorded(**start: str) -> str:
        services = running.services
        return record(running.url, services, court.agent_token, "room-1", own.hearing, close=False, **start)

    first = recorded()
    ended, endless = {**SPAN, "start_ms": 0, "end_ms": 2_000}, {"start_ms": 3_000, "ground": "Свидетель под защитой"}
    for span in (ended, endless):
        assert secretary.post(f"/recordings/{first}/marks", span).status_code == 201
    second = recorded(continues=first)
    third = recorded(continues=second)
    for recording in (second, third):
        assert [(w["start_ms"], w["end_ms"]) for w in party.get(f"/recordings/{recording}").json()["withheld"]] == [
            (0, None)
        ]
    later = {"start_ms": 4_000, "ground": "Другой свидетель", "picture": "blurred", "sound": "disguised"}
    assert secretary.post(f"/recordings/{first}/marks", later).status_code == 201
    assert len(party.get(f"/recordings/{third}").json()["withheld"]) == 2


def test_a_grant_opens_the_hearing_and_not_what_is_sealed_in_it(
    running: Running, court: Court, as_: As, held: Held
) -> None:
    """The order for one person may be older than the mark."""
    secretary, party = as_(court.person("secretary")), as_(court.person("party"))
    order = {"hearing_id": held.hearing, "actions": ["view", "read", "bundle"], "ground": "order 1"}
    order |= {"user_id": party.me["id"], "by_user_id": party.me["id"]}
    with running.services.sessions.begin() as session:
        made = insert(tables.Grant).values(**order, until_utc=func.now() + timedelta(hours=1))
        grant = session.scalar(made.returning(tables.Grant.id))
    try:
        assert party.get(f"/recordings/{held.recording}/bundle").status_code == 200
        assert secretary.post(f"/recordings/{held.recording}/marks", SPAN).status_code == 201
        assert party.get(f"/recordings/{held.recording}/media/v1/mix.mp4").status_code == 404
        assert party.get(f"/recordings/{held.recording}/bundle").status_code == 403
        assert (said(party, held), hits(party, held, "өтінішхат")) == ([SAID[0]], 0)
    finally:
        with running.services.sessions.begin() as session:
            session.execute(delete(tables.Grant).where(tables.Grant.id == grant))


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_ms": 5, "end_ms": 5},
        {"start_ms": 90_000_000, "end_ms": None},
        {"start_ms": 0, "end_ms": 1 << 50},
        {"picture": "shown", "sound": "heard"},
        {"class": "open"},
        {"ground": ""},
        {"ground": "  \u2003 "},
        {"start_ms": -1},
        {"more": 1},
    ],
)
def test_what_is_no_mark_is_refused(court: Court, as_: As, held: Held, wrong: dict[str, Any]) -> None:
    answer = as_(court.person("secretary")).post(f"/recordings/{held.recording}/marks", {**SPAN, **wrong})
    assert answer.status_code in (400, 422), answer.text


def test_the_class_that_the_court_has_set_stays(running: Running, court: Court, as_: As) -> None:
    secretary, judge, party = (as_(court.person(name)) for name in ("secretary", "judge", "party"))
    own = court.one("closed")
    address = f"/hearings/{own.hearing}/class"

    def put(client: SignedIn, access_class: str) -> int:
        body = {"class": access_class, "ground": "Определение суда"}
        headers = {"X-CSRF-Token": client.me["csrf_token"]}
        return client.http.put(f"/api/v1{address}", json=body, headers=headers).status_code

    assert party.get(f"/recordings/{own.recording}/transcript").status_code == 200
    assert put(party, "open") == 403
    assert put(secretary, "sealed") == 204
    try:
        assert party.get(f"/recordings/{own.recording}/transcript").status_code == 403
        with running.services.sessions.begin() as session:  # the schedule comes again
            row = session.get_one(tables.Hearing, own.hearing)
            case = session.get_one(tables.Case, row.case_id)
            told = {"external_id": row.external_id, "courtroom": "room-1", "scheduled_utc": NOW.isoformat()}
            told |= {"case": {"court": "saryarka", "number": case.number, "kind": "civil", "title": case.title}}
            seats = session.execute(
                select(
                    tables.Participant.name, tables.Participant.role, tables.User.username, tables.Participant.channel
                )
                .outerjoin(tables.User, tables.User.id == tables.Participant.user_id)
                .where(tables.Participant.hearing_id == own.hearing)
            )
            told |= {"participants": [dict(row) for row in seats.mappings()]}
            catalogue.import_hearings(session, {"hearings": [{**told, "class": "closed"}]})
        assert party.get(f"/recordings/{own.recording}/transcript").status_code == 403
        assert put(secretary, "closed") == 403
    finally:
        assert put(judge, "closed") == 204
    assert party.get(f"/recordings/{own.recording}/transcript").status_code == 200


def test_search_and_function_agree_on_every_span(running: Running, court: Court) -> None:
    """All roles × hearings × classes of span, with grants and without: found exactly when it may be read."""
    compared = found_some = 0
    with running.services.sessions() as session:
        persons = {p.username: people.credentials(session, p.username) for p in court.people}
        for granted, span in ((g, c) for g in (False, True) for c in (AccessClass.CLOSED, AccessClass.SEALED)):
            session.rollback()
            for one in court.held:
                session.execute(
                    insert(tables.Mark).values(
                        recording_id=one.recording, start_ms=10_000, access_class=span.value, picture="black",
                        sound="silent", ground="x", by_username="x", by_role="judge",
                    )
                )  # fmt: skip
                for person in persons.values() if granted else ():
                    assert person is not None
                    order = {"user_id": person.person.id, "by_user_id": person.person.id, "ground": "x"}
                    session.execute(
                        insert(tables.Grant).values(
                            hearing_id=one.hearing, actions=["read"], until_utc=func.now() + timedelta(hours=1), **order
                        )
                    )
            for account in court.people:
                person = persons[account.username]
                assert person is not None
                condition = search._readable(person.person)
                query = (
                    select(tables.Utterance.recording_id, tables.Utterance.seq)
                    .join(tables.Recording, tables.Recording.id == tables.Utterance.recording_id)
                    .join(tables.Hearing, tables.Hearing.id == tables.Recording.hearing_id)
                    .where(condition)
                )
                readable = {tuple(row) for row in session.execute(query)}
                for one in court.held:
                    order = frozenset({Action.READ}) if granted else frozenset()
                    own = AccessClass(one.access_class)
                    ties = relations(account, one)
                    may = decide(account.role, ties, own, Action.READ, order).allowed
                    cleared = access.clearance(account.role, ties, own, Action.READ, order)
                    through = (
                        may
                        and cleared is not None
                        and list(AccessClass).index(cleared) >= list(AccessClass).index(span)
                    )
                    where = (account.role, one.access_class, one.where, span, granted)
                    assert ((one.recording, 0) in readable) == may, where
                    assert ((one.recording, 1) in readable) == through, where
                    compared += 1
                    found_some += through
        session.rollback()
    assert compared == 4 * len(Role) * len(court.held)
    assert found_some


def test_whoever_watches_live_is_told(running: Running, court: Court, as_: As, held: Held) -> None:
    """The stream of news says when the copies that one may have are ready."""
    secretary = as_(court.person("secretary"))
    assert secretary.post(f"/recordings/{held.recording}/marks", SPAN).status_code == 201
    with secretary.http.stream("GET", f"/api/v1/recordings/{held.recording}/live") as stream:
        lines = stream.iter_lines()
        wait_for(lambda: "media_ready" in next(lines), 10, "the news")

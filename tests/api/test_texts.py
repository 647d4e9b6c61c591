"""Work on a text through the API: changes, search, certifying, signing, files, and who may do what."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from api import cursors
from archive.db import tables
from tests.api.conftest import Running
from tests.api.test_marks import SPAN, hits
from tests.api.world import SAID, Court, Held, Person, SignedIn, record, write_down

As = Callable[[Person], SignedIn]


@pytest.fixture
def held(running: Running, court: Court) -> Iterator[Held]:
    """A recording of the open hearing of its own with the machine's text."""
    own = court.one()
    made = record(running.url, running.services, court.agent_token, "room-1", own.hearing)
    write_down(running.services.sessions, made, [("judge", "ru", SAID[0]), ("claimant", "kk", SAID[1])])
    yield Held(own.hearing, own.access_class, own.where, made)
    with running.services.sessions.begin() as session:  # other tests count what is found
        for table in (tables.Utterance, tables.Transcript, tables.Mark):
            session.execute(delete(table).where(table.recording_id == made))


def text_of(client: SignedIn, held: Held, **params: Any) -> dict[str, Any]:
    answer = client.get(f"/recordings/{held.recording}/transcript", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ask(client: SignedIn, held: Held, what: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    path = f"/recordings/{held.recording}/transcript/{what}"
    answer = client.post(path, {"request": str(uuid.uuid4()), **body})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def change(client: SignedIn, held: Held, *changes: dict[str, Any], status: int = 201) -> dict[str, Any]:
    return ask(client, held, "changes", {"changes": list(changes)}, status)


def seen(line: dict[str, Any]) -> dict[str, int]:
    return {"seq": line["seq"], "since": line["since"]}


def test_a_long_text_comes_page_by_page(running: Running, court: Court, as_: As, held: Held) -> None:
    """Every line once and in order, however long the pages; a page of a text that is not the newest is refused."""
    secretary = as_(court.person("secretary"))
    line = text_of(secretary, held)["utterances"][0]
    for at in (1200, 1100, 1100, 900):  # lines at the same time have an order too
        added = {
            "do": "add",
            "start_ms": at,
            "end_ms": at + 50,
            "channel": "judge",
            "language": "ru",
            "text": f"в {at}",
        }
        change(secretary, held, added)
    whole = text_of(secretary, held)["utterances"]
    assert len(whole) == 6
    for limit in (1, 2, 5, 6, 7):
        pages = [text_of(secretary, held, limit=limit)]
        while pages[-1]["next"]:
            assert len(pages[-1]["utterances"]) == limit
            pages.append(text_of(secretary, held, limit=limit, cursor=pages[-1]["next"]))
        assert [one for page in pages for one in page["utterances"]] == whole
    begun = text_of(secretary, held, limit=1)
    change(secretary, held, {"do": "text", "line": seen(line), "text": "Иначе."})
    path = f"/recordings/{held.recording}/transcript"
    assert secretary.get(path, params={"cursor": begun["next"]}).status_code == 409
    for cursor in (cursors.encode(5, 999), cursors.encode(5, "a"), "x", ""):
        assert secretary.get(path, params={"cursor": cursor}).status_code == 400, cursor


def test_a_correction_is_read_and_found_at_once_and_the_old_words_are_not(
    running: Running, court: Court, as_: As, held: Held
) -> None:
    secretary, party = as_(court.person("secretary")), as_(court.person("party"))
    first, second = text_of(secretary, held)["utterances"]
    assert hits(party, held, "өтінішхат") == 1
    made = change(secretary, held, {"do": "text", "line": seen(second), "text": "Талап қоюшы қарсы емес."})
    assert (made["revision"], made["state"], made["removed"]) == (1, "edited", [])
    assert [(line["seq"], line["since"], line["text"]) for line in made["lines"]] == [
        (second["seq"], 1, "Талап қоюшы қарсы емес.")
    ]
    found = text_of(party, held)
    assert (found["state"], found["revision"]) == ("edited", "1")
    assert [line["text"] for line in found["utterances"]] == [first["text"], "Талап қоюшы қарсы емес."]
    assert (hits(party, held, "өтінішхат"), hits(party, held, "қарсы")) == (0, 1)
    assert [line["text"] for line in text_of(secretary, held, revision=0)["utterances"]] == [*SAID]
    base = f"/recordings/{held.recording}/transcript"
    assert party.get(base, params={"revision": 0}).status_code == 403
    assert secretary.get(base, params={"revision": 7}).status_code == 404
    with running.services.sessions() as session:
        row = session.scalars(
            select(tables.Audit).where(tables.Audit.action == "edit").order_by(tables.Audit.id.desc()).limit(1)
        ).one()
    assert (row.recording_id, row.data["revision"], row.data["lines"]) == (held.recording, 1, 1)


def test_lines_are_split_joined_added_and_taken_out_in_one_request(court: Court, as_: As, held: Held) -> None:
    secretary = as_(court.person("secretary"))
    first, second = text_of(secretary, held)["utterances"]
    made = change(
        secretary,
        held,
        {"do": "split", "line": seen(first), "word": 2},
        {"do": "remove", "line": seen(second)},
        {"do": "confirm", "lines": [seen(first)]},
    )
    assert made["removed"] == [second["seq"]]
    assert [line["confirmed"] for line in made["lines"]] == [True, False]
    one, other = text_of(secretary, held)["utterances"]
    assert f"{one['text']} {other['text']}" == first["text"]
    change(secretary, held, {"do": "merge", "line": seen(one), "other": seen(other)})
    (whole,) = text_of(secretary, held)["utterances"]
    assert (whole["text"], whole["confirmed"]) == (first["text"], False)
    compared = secretary.get(f"/recordings/{held.recording}/transcript/comparison").json()
    assert [(line["seq"], line["after"]) for line in compared["lines"]] == [(second["seq"], None)]
    history = secretary.get(f"/recordings/{held.recording}/transcript/revisions").json()
    assert [(one["revision"], one["deed"], one["lines"], one["confirmed"]) for one in history] == [
        (1, "edit", 3, 1),
        (2, "edit", 2, 0),
    ]


def test_the_second_of_two_editors_is_told_which_line(court: Court, as_: As, held: Held) -> None:
    secretary, other = as_(court.person("secretary")), as_(court.person("secretary"))
    first, second = text_of(other, held)["utterances"]
    request = str(uuid.uuid4())
    mine = {"request": request, "changes": [{"do": "text", "line": seen(first), "text": "Жаңа мәтін"}]}
    ask(secretary, held, "changes", mine)
    assert ask(secretary, held, "changes", mine)["revision"] == 1  # the reply was lost, the page sends it again
    refused = change(
        other,
        held,
        {"do": "text", "line": seen(second), "text": "Менің жолым"},
        {"do": "text", "line": seen(first), "text": "Басқа мәтін"},
        status=409,
    )
    assert (refused["code"], refused["lines"]) == ("TXT-001", [first["seq"]])
    assert [line["text"] for line in text_of(other, held)["utterances"]] == ["Жаңа мәтін", second["text"]]


def test_a_text_is_confirmed_certified_signed_and_given_back(
    running: Running, court: Court, as_: As, held: Held
) -> None:
    secretary, judge, party = (as_(court.person(name)) for name in ("secretary", "judge", "party"))
    lines = [seen(line) for line in text_of(secretary, held)["utterances"]]
    ask(secretary, held, "certification", {"revision": 0}, 409)
    change(secretary, held, {"do": "confirm", "lines": lines})
    certified = ask(secretary, held, "certification", {"revision": 1})
    assert certified["state"] == "certified"
    digest = certified["text_sha256"]
    ask(judge, held, "signature", {"revision": 2, "text_sha256": "0" * 64}, 409)
    assert ask(judge, held, "signature", {"revision": 2, "text_sha256": digest})["state"] == "signed"
    found = text_of(party, held)
    assert (found["state"], found["revision"], found["signed"]["text_sha256"]) == ("signed", "3", digest)
    assert found["certified"]["name"] == secretary.me["display_name"]
    change(secretary, held, {"do": "remove", "line": lines[0]}, status=409)
    ask(secretary, held, "return", {"ground": "қате бар"}, 403)
    ask(judge, held, "return", {"ground": "қате бар"})
    found = text_of(party, held)
    assert (found["state"], found["certified"], found["signed"]) == ("edited", None, None)
    with running.services.sessions() as session:
        rows = select(tables.Audit.action, tables.Audit.allowed).where(tables.Audit.recording_id == held.recording)
        done = session.execute(rows.where(tables.Audit.action.in_(["certify", "sign"])).order_by(tables.Audit.id)).all()
    assert [tuple(row) for row in done] == [("certify", True), ("sign", True), ("sign", False), ("sign", True)]


def test_a_sealed_line_is_no_part_of_what_others_are_told(court: Court, as_: As, held: Held) -> None:
    secretary, judge, party = (as_(court.person(name)) for name in ("secretary", "judge", "party"))
    _, second = text_of(secretary, held)["utterances"]
    change(secretary, held, {"do": "text", "line": seen(second), "text": "Құпия сөз"})
    assert secretary.post(f"/recordings/{held.recording}/marks", SPAN).status_code == 201
    assert [line["text"] for line in text_of(party, held)["utterances"]] == [SAID[0]]
    assert hits(party, held, "құпия") == 0
    assert hits(judge, held, "құпия") == 1


@pytest.mark.parametrize("form", ["vtt", "srt", "txt", "json"])
def test_a_file_names_its_record_and_revision(running: Running, court: Court, as_: As, form: str) -> None:
    held = court.one()
    with running.services.sessions.begin() as session:  # as if its manifest had come
        row = session.get_one(tables.Recording, held.recording)
        before, row.manifest_sha256 = row.manifest_sha256, "0" * 64
    try:
        secretary, party = as_(court.person("secretary")), as_(court.person("party"))
        path = f"/recordings/{held.recording}/transcript/file"
        answer = secretary.get(path, params={"form": form, "language": "ru"})
        assert answer.status_code == 200, answer.text
        assert f"{held.recording}-r0.{form}" in answer.headers["content-disposition"]
        assert SAID[1].split()[0] in answer.text
        for told in (held.recording, "редакция 0", secretary.me["display_name"], "не является протоколом"):
            assert told in answer.text, told
        if form == "json":
            assert json.loads(answer.text)["utterances"][0]["channel"] == "judge"
        else:
            assert "Истец" in answer.text
        assert party.get(path, params={"form": form}).status_code == 403
    finally:
        with running.services.sessions.begin() as session:
            session.get_one(tables.Recording, held.recording).manifest_sha256 = before


BAD: tuple[tuple[dict[str, Any], int], ...] = (
    ({"changes": []}, 422),
    ({"changes": [{"do": "rewrite"}]}, 422),
    ({"changes": [{"do": "text", "line": {"seq": 0, "since": 0}, "text": "а" * 5_001}]}, 422),
    ({"changes": [{"do": "text", "line": {"seq": 0, "since": 0}, "text": "\u0000"}]}, 422),
    ({"changes": [{"do": "text", "line": {"seq": 0, "since": 0}, "text": " \u200b "}]}, 400),
    ({"changes": [{"do": "split", "line": {"seq": 0, "since": 0}, "word": 1_000}]}, 400),
    ({"changes": [{"do": "channel", "line": {"seq": 0, "since": 0}, "channel": "roof"}]}, 400),
    ({"changes": [{"do": "text", "line": {"seq": -1, "since": 0}, "text": "а"}]}, 422),
    ({"changes": [{"do": "text", "line": {"seq": 1 << 63, "since": 0}, "text": "а"}]}, 422),
    ({"changes": [{"do": "confirm", "lines": [{"seq": 0, "since": 0}] * 10_001}]}, 422),
    ({"changes": [{"do": "confirm", "lines": [{"seq": 0, "since": 0, "x": "y" * 200}] * 9_000}]}, 413),
)


@pytest.mark.parametrize(("body", "status"), BAD)
def test_a_bad_change_changes_nothing(
    running: Running, court: Court, as_: As, held: Held, body: dict[str, Any], status: int
) -> None:
    ask(as_(court.person("secretary")), held, "changes", body, status)
    with running.services.sessions() as session:
        count = select(func.count()).where(tables.Transcript.recording_id == held.recording)
        assert session.scalar(count) == 1


def test_a_draft_is_corrected_while_the_hearing_runs(running: Running, court: Court, as_: As) -> None:
    own = court.one()
    made = record(running.url, running.services, court.agent_token, "room-1", own.hearing, close=False)
    held = Held(own.hearing, own.access_class, own.where, made)
    write_down(running.services.sessions, made, [("judge", "ru", "Иск об задолжность."), ("judge", "ru", "Да.")], -1)
    secretary, party = as_(court.person("secretary")), as_(court.person("party"))
    line = text_of(secretary, held)["utterances"][0]
    saved = change(secretary, held, {"do": "text", "line": seen(line), "text": "Иск о задолженности."})
    assert (saved["revision"], saved["state"], saved["removed"]) == (-1, "draft", [line["seq"]])
    (again,) = saved["lines"]
    assert (again["id"], again["confirmed"], again["text"]) == (line["id"], True, "Иск о задолженности.")
    assert hits(secretary, held, "задолженность") == 1
    assert hits(party, held, "задолженность") == 0
    change(secretary, held, {"do": "text", "line": seen(line), "text": "Другое."}, status=409)
    change(secretary, held, {"do": "remove", "line": seen(again)}, status=409)
    change(party, held, {"do": "text", "line": seen(again), "text": "Другое."}, status=403)
    with running.services.sessions.begin() as session:
        for table in (tables.Utterance, tables.Transcript):
            session.execute(delete(table).where(table.recording_id == made))

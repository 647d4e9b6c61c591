"""Films and texts to take away: only for whoever may have them, made as they may have them, loaded in parts."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from sqlalchemy import delete, insert, select, text, update

from api.cli import environment
from archive.db import people, tables
from archive.domain.exports import Kind
from archive.export import jobs, pieces
from archive.jobs.context import JobContext, job_context
from archive.publish.copies import make_copies, upload
from config.settings import Settings
from tests.api.conftest import Running
from tests.api.world import NOW, PASSWORD, SAID, Court, Held, Person, SignedIn, record, write_down
from tests.publish.conftest import hearing, tool
from tests.publish.hearing import Hearing

__all__ = ["hearing", "tool"]

As = Callable[[Person], SignedIn]
MARK = {"start_ms": 5_000, "end_ms": 7_000, "ground": "Определение суда"}


@pytest.fixture
def context(installation: Settings, tmp_path: Path) -> Iterator[JobContext]:
    """A worker's."""
    with job_context(installation.model_copy(update={"data_dir": tmp_path})) as made:
        yield made


@pytest.fixture
def held(running: Running, court: Court, hearing: Hearing, tmp_path: Path) -> Iterator[Held]:
    """A recording of the open hearing with real access copies, and a text."""
    own = court.one()
    made = record(running.url, running.services, court.agent_token, "room-1", own.hearing)
    found = Held(own.hearing, own.access_class, own.where, made)
    publish(running, found, hearing, tmp_path / "copies", "")
    write_down(running.services.sessions, made, [("judge", "ru", SAID[0]), ("claimant", "kk", SAID[1])])
    yield found
    with running.services.sessions.begin() as session:  # other tests count what is found
        for table in (tables.Export, tables.Utterance, tables.Transcript, tables.AccessCopy, tables.Mark):
            session.execute(delete(table).where(table.recording_id == made))


def publish(running: Running, held: Held, hearing: Hearing, folder: Path, marks: str, version: int = 1) -> None:
    folder.mkdir()
    copies = make_copies(hearing.plan, hearing.store, folder, folder.with_name(f"scratch{version}"))
    prefix = f"{held.recording}/media/v{version}/"
    assert upload(copies, running.services.derived, prefix)
    row = {"version": version, "made_from": "0" * 64, "prefix": prefix, "contents": copies.contents, "ready_utc": NOW}
    with running.services.sessions.begin() as session:
        session.add(tables.AccessCopy(recording_id=held.recording, **row, marks=marks))


def asked(client: SignedIn, held: Held, kind: str, **more: Any) -> dict[str, Any]:
    answer = client.post(f"/recordings/{held.recording}/exports", {"kind": kind, **more})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def made(context: JobContext, client: SignedIn, held: Held, export: dict[str, Any]) -> dict[str, Any]:
    """After a worker has done what was queued."""
    jobs.export_make(context, export=export["id"])
    (found,) = (one for one in listed(client, held) if one["id"] == export["id"])
    return found


def listed(client: SignedIn, held: Held) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/recordings/{held.recording}/exports").json()
    return found


@contextmanager
def grant(running: Running, held: Held, username: str, actions: list[str]) -> Iterator[None]:
    """A court's order for one person while the context lasts."""
    with running.services.sessions.begin() as session:
        found = people.credentials(session, username)
        assert found is not None
        one = {
            "ground": "определение",
            "by_user_id": found.person.id,
            "until_utc": datetime.now(UTC) + timedelta(hours=1),
        }
        made = session.execute(
            insert(tables.Grant)
            .returning(tables.Grant.id)
            .values(hearing_id=held.hearing, user_id=found.person.id, actions=actions, **one)
        ).scalar_one()
    yield
    with running.services.sessions.begin() as session:
        session.execute(delete(tables.Grant).where(tables.Grant.id == made))


def path(one: dict[str, Any]) -> str:
    return str(one["file"]).removeprefix("/api/v1")


def test_a_judge_takes_a_film_and_the_text_away(
    running: Running, court: Court, as_: As, held: Held, context: JobContext, tmp_path: Path
) -> None:
    judge = as_(court.person("judge"))
    for kind in Kind:
        first = asked(judge, held, kind.value, language="ru")
        assert (first["state"], first["file"], first["progress"]) == ("waiting", None, 0)
        assert asked(judge, held, kind.value, language="ru")["id"] == first["id"], "asked twice is asked once"
        early = judge.get(f"/recordings/{held.recording}/exports/{first['id']}/file")
        assert (early.status_code, early.json()["code"]) == (409, "REQ-006")
        one = made(context, judge, held, first)
        assert (one["state"], one["progress"], one["outdated"]) == ("ready", 1, False)
        answer = judge.get(path(one))
        assert answer.status_code == 200
        assert len(answer.content) == one["size"]
        assert hashlib.sha256(answer.content).hexdigest() == one["sha256"]
        assert answer.headers["etag"] == f'"{one["sha256"]}"'
        assert answer.headers["cache-control"] == "private, no-store"
        assert f'filename="{held.recording}.ru.{kind.value}"' in answer.headers["content-disposition"]
        (tmp_path / f"it.{kind.value}").write_bytes(answer.content)
    with av.open(str(tmp_path / "it.mp4")) as film:
        assert (len(film.streams.video), len(film.streams.audio), len(film.streams.subtitles)) == (1, 5, 2)
        assert "Judge (judge)" in film.metadata["comment"]
    assert [one["kind"] for one in listed(judge, held)] == ["pdf", "docx", "mp4"]
    with running.services.sessions() as session:
        log = select(tables.Audit.data).where(tables.Audit.recording_id == held.recording)
        told = [row for row in session.scalars(log.order_by(tables.Audit.id)) if "export" in row]
    assert [(row["kind"], "loaded" in row) for row in told] == [
        (kind.value, loaded) for kind in Kind for loaded in (False, True)
    ]


def test_a_download_that_broke_off_goes_on(
    running: Running, court: Court, as_: As, held: Held, context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 100_000)
    monkeypatch.setattr(pieces.store, "__defaults__", (100_000,))
    judge = as_(court.person("judge"))
    one = made(context, judge, held, asked(judge, held, "mp4"))
    whole = judge.get(path(one)).content
    assert len(whole) > 300_000, "it lies in several pieces"
    head = judge.http.head(one["file"])
    assert (head.headers["content-length"], head.headers["accept-ranges"]) == (str(len(whole)), "bytes")
    for first, last in ((0, 0), (99_990, 100_010), (150_000, 350_000), (len(whole) - 5, len(whole) + 9)):
        part = judge.get(path(one), headers={"Range": f"bytes={first}-{last}", "If-Range": head.headers["etag"]})
        assert part.status_code == 206
        assert part.content == whole[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{min(last, len(whole) - 1)}/{len(whole)}"
    other = judge.get(path(one), headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole)
    assert judge.get(path(one), headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    with running.services.sessions() as session:
        log = select(tables.Audit.data).where(tables.Audit.recording_id == held.recording)
        loaded = [row for row in session.scalars(log) if "loaded" in row]
    assert len(loaded) == 3, "a part that goes on with a download is no new one; what begins anew is"


def test_only_whoever_may_take_copies_away_gets_one_and_only_his_own(
    running: Running, court: Court, as_: As, held: Held, context: JobContext
) -> None:
    judge, party, secretary = (as_(court.person(role)) for role in ("judge", "party", "secretary"))
    base = f"/recordings/{held.recording}/exports"
    assert party.post(base, {"kind": "pdf"}).status_code == 403
    assert party.get(base).status_code == 403
    assert as_(court.person("operator")).post(base, {"kind": "pdf"}).status_code == 403
    assert as_(court.person("archivist")).post(base, {"kind": "pdf"}).status_code == 403, "custody, not reading"
    one = made(context, judge, held, asked(judge, held, "pdf"))
    assert listed(secretary, held) == []
    assert secretary.get(path(one)).status_code == 404
    assert party.get(path(one)).status_code == 404
    assert secretary.http.delete(f"/api/v1{base}/{one['id']}", headers=_token(secretary)).status_code == 404
    elsewhere = court.one("closed").recording
    assert judge.get(f"/recordings/{elsewhere}/exports/{one['id']}/file").status_code == 404
    assert judge.get(f"{base}/{uuid.UUID(int=1)}/file").status_code == 404
    with grant(running, held, "party", ["view", "read", "bundle"]):
        own = made(context, party, held, asked(party, held, "pdf"))
        assert party.get(path(own)).status_code == 200
    assert party.get(path(own)).status_code == 403, "the order is over"


def test_what_is_sealed_later_makes_an_earlier_film_unreachable_at_once(
    running: Running, court: Court, as_: As, held: Held, hearing: Hearing, context: JobContext, tmp_path: Path
) -> None:
    secretary, judge = as_(court.person("secretary")), as_(court.person("judge"))
    one = made(context, secretary, held, asked(secretary, held, "docx"))
    made(context, judge, held, asked(judge, held, "docx"))
    sealed = secretary.post(f"/recordings/{held.recording}/marks", MARK)
    assert sealed.status_code == 201
    # The secretary may see the span, yet may take nothing of it away; the judge may.
    (told,) = listed(secretary, held)
    assert (told["outdated"], told["file"], told["sha256"]) == (True, None, None)
    refused = secretary.get(path(one))
    assert (refused.status_code, refused.json()["code"]) == (409, "REQ-006")
    # What the judge has now shows something that is not for everybody: it has to name who takes it.
    assert listed(judge, held)[0]["outdated"] is True
    with running.services.sessions() as session:
        marked = session.scalars(select(tables.Export.marked).where(tables.Export.recording_id == held.recording)).all()
    assert marked == [False, False]
    again = made(context, judge, held, asked(judge, held, "docx"))
    assert judge.get(path(again)).status_code == 200
    assert secretary.post(f"/recordings/{held.recording}/exports", {"kind": "mp4"}).status_code == 409, "no copies yet"
    without = made(context, secretary, held, asked(secretary, held, "docx"))
    assert secretary.get(path(without)).status_code == 200
    judge.post(f"/recordings/{held.recording}/marks/{sealed.json()['id']}/lift", {"ground": "Отменено"})
    assert [one["outdated"] for one in listed(secretary, held)] == [True, False]
    # What nobody may have in this form any more is removed; the rest stays.
    assert jobs.tidy(context) == 1
    assert [one["id"] for one in listed(secretary, held)] == [one["id"]]
    assert secretary.get(path(one)).status_code == 200


def test_a_film_of_a_closed_hearing_names_who_takes_it(
    running: Running, court: Court, as_: As, held: Held, context: JobContext
) -> None:
    judge = as_(court.person("judge"))
    plain = made(context, judge, held, asked(judge, held, "mp4"))
    with running.services.sessions.begin() as session:
        session.execute(update(tables.Hearing).where(tables.Hearing.id == held.hearing).values(access_class="closed"))
    try:
        assert listed(judge, held)[0]["outdated"] is True
        assert judge.get(path(plain)).status_code == 409
        named = made(context, judge, held, asked(judge, held, "mp4"))
        first, second = (_packets(judge.get(path(one)).content) for one in (named, named))
        assert first == second
    finally:
        with running.services.sessions.begin() as session:
            session.execute(update(tables.Hearing).where(tables.Hearing.id == held.hearing).values(access_class="open"))
    assert judge.get(path(named)).status_code == 200, "with the name it is for an open hearing too"
    assert _packets(judge.get(path(plain)).content) != first


def test_what_cannot_be_made_says_so(running: Running, court: Court, as_: As, held: Held, context: JobContext) -> None:
    judge = as_(court.person("judge"))
    base = f"/recordings/{held.recording}/exports"
    for body in ({"kind": "avi"}, {"kind": "mp4", "language": "de"}, {"kind": "mp4", "cam": 1}, {}):
        assert judge.post(base, body).status_code == 422
    wrong = judge.post(base, {"kind": "mp4", "camera": "other"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "REQ-001")
    assert (
        "cam"
        in judge.http.post(
            f"/api/v1{base}", json={"kind": "mp4", "camera": "x"}, headers={**_token(judge), "Accept-Language": "en"}
        ).json()["detail"]
    )
    for number in range(running.services.settings.exports.waiting):
        asked(judge, held, ("mp4", "docx", "pdf")[number % 3], language=("kk", "ru", "en")[number // 3])
    assert judge.post(base, {"kind": "pdf", "language": "en"}).status_code == 409
    dropped, *_ = listed(judge, held)
    for _ in range(2):
        assert judge.http.delete(f"/api/v1{base}/{dropped['id']}", headers=_token(judge)).status_code == 204
    jobs.export_make(context, export=dropped["id"])
    assert dropped["id"] not in [one["id"] for one in listed(judge, held)]
    # The text is lost before it is made: the one who waits is told.
    waits = next(one for one in listed(judge, held) if one["kind"] == "docx")
    with running.services.sessions.begin() as session:
        for table in (tables.Utterance, tables.Transcript):
            session.execute(delete(table).where(table.recording_id == held.recording))
    assert made(context, judge, held, waits)["state"] == "failed"
    open_ = record(running.url, running.services, court.agent_token, "room-1", held.hearing, close=False)
    assert judge.post(f"/recordings/{open_}/exports", {"kind": "mp4"}).status_code == 409


def test_what_is_over_is_removed_with_its_bytes(
    running: Running, court: Court, as_: As, held: Held, context: JobContext
) -> None:
    judge = as_(court.person("judge"))
    kept, over = (made(context, judge, held, asked(judge, held, kind)) for kind in ("pdf", "docx"))
    root = f"{held.recording}/exports/"
    assert len(list(context.derived.list(root))) == 2
    with running.services.sessions.begin() as session:
        past = running.services.clock.utc() - timedelta(seconds=1)
        session.execute(update(tables.Export).where(tables.Export.id == uuid.UUID(over["id"])).values(expires_utc=past))
    assert judge.get(path(over)).status_code == 404
    for removed in (1, 0):
        assert jobs.tidy(context) == removed
    assert [one.key.split("/")[2] for one in context.derived.list(root)] == [kept["id"]]
    assert [one["id"] for one in listed(judge, held)] == [kept["id"]]
    lost = asked(judge, held, "pdf", language="ru")["id"]
    jobs.tidy(context)
    assert next(one for one in listed(judge, held) if one["id"] == lost)["state"] == "waiting"
    with running.services.sessions.begin() as session:  # a job that was given up leaves nobody waiting for ever
        given_up = text("UPDATE procrastinate_jobs SET status = 'failed' WHERE lock = :lock")
        session.execute(given_up, {"lock": f"export/{lost}"})
    jobs.tidy(context)
    assert next(one for one in listed(judge, held) if one["id"] == lost)["state"] == "failed"


def test_at_the_servers_console(
    running: Running, court: Court, held: Held, installation: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def tyndau(*words: str, typed: str = PASSWORD) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "archive.console", "export", held.recording, "--password-stdin", *words]
        env = dict(environment(installation))
        return subprocess.run(program, input=typed, capture_output=True, text=True, env=env, cwd=out, timeout=120)

    for kind, begins in (("mp4", b"ftyp"), ("docx", b"PK"), ("pdf", b"%PDF")):
        done = tyndau("--as", "judge", "--kind", kind, "--out", f"it.{kind}", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"file": f"it.{kind}", "size": (out / f"it.{kind}").stat().st_size}
        assert begins in (out / f"it.{kind}").read_bytes()[:12]
    whole = tyndau("--as", "judge")
    assert whole.returncode == 0, whole.stderr
    with zipfile.ZipFile(out / f"{held.recording}.zip") as bundle:
        assert bundle.testzip() is None
    part = tyndau("--as", "judge", "--from", "0:00:05", "--to", "0:00:07", "--out", "part.zip")
    assert part.returncode == 0, part.stderr
    for words, code, said in (
        (("--as", "judge"), 1, "is there already"),
        (("--as", "party", "--out", "no.zip"), 1, "not open to you"),
        (("--as", "party", "--kind", "pdf", "--out", "no.pdf"), 1, "not open to you"),
        (("--as", "judge", "--kind", "mp4", "--camera", "other", "--out", "no.mp4"), 1, "no camera"),
        (("--as", "judge", "--from", "5"), 2, "0:12:34"),
        (("--as", "judge", "--from", "0:05"), 2, "go together"),
        (("--as", "judge", "--camera", "cam"), 2, "mp4 alone"),
    ):
        refused = tyndau(*words)
        assert (refused.returncode, said in refused.stderr) == (code, True), refused.stderr
    assert tyndau("--as", "judge", "--out", "no.zip", typed="wrong").returncode == 1
    assert sorted(one.suffix for one in out.iterdir()) == [".docx", ".mp4", ".pdf", ".zip", ".zip"]
    with running.services.sessions() as session:
        log = session.execute(
            select(tables.Audit.allowed, tables.Audit.data).where(tables.Audit.recording_id == held.recording)
        ).all()
    told = [(allowed, data["kind"]) for allowed, data in log if data.get("address") == "console"]
    kinds = [(True, "mp4"), (True, "docx"), (True, "pdf"), (True, "bundle"), (True, "bundle")]
    assert told == [*kinds, (False, ""), (False, "")]


def _token(client: SignedIn) -> dict[str, str]:
    return {"X-CSRF-Token": client.me["csrf_token"]}


def _packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data)) as film:
        return [bytes(packet) for packet in film.demux(video=0) if packet.size]

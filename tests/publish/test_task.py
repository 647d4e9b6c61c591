"""The task publish.recording on a real database and a real object store, run twice and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from archive import sealing
from archive.db import audit
from archive.db import session as sessions
from archive.db import tables as t
from archive.db.people import Person
from archive.db.transcripts import put_final
from archive.domain.access import AccessClass, Role
from archive.domain.errors import Conflict, NotFound
from archive.domain.marks import Mark, digest
from archive.domain.marks import Picture as SeenAs
from archive.domain.marks import Sound as HeardAs
from archive.domain.revisions import Ref, Remove, SetText
from archive.domain.transcript import Flag, Language, Transcript, Utterance
from archive.domain.transcript_file import as_dict
from archive.embedded.servers import embedded
from archive.jobs.context import JobContext, job_context
from archive.publish.finished import COPIES, read_copies
from archive.publish.jobs import publish_recording, publish_text
from archive.revising import Act, save
from archive.storage.s3 import ensure_bucket
from config.settings import Settings
from tests.publish import hearing as hearings

OPEN = "20260914-061500-00000001"
MANIFEST = "ab" * 32
# Runs the task and kills its own process: before file number N is stored, or before the row is written.
DYING = """
import os, signal, sys
from dataclasses import replace
from archive.jobs.context import job_context
from archive.publish.jobs import publish_recording, publish_text
from config.settings import load_settings

recording, files = sys.argv[1], int(sys.argv[2])
work = publish_text if sys.argv[3:] else publish_recording

class Dying:
    def __init__(self, store):
        self.store, self.left = store, files
    def open_range(self, *args):
        return self.store.open_range(*args)
    def put(self, *args, **kwargs):
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return self.store.put(*args, **kwargs)
    def utc(self):
        os.kill(os.getpid(), signal.SIGKILL)

with job_context(load_settings()) as context:
    dying = Dying(context.derived)
    work(replace(context, derived=dying, clock=dying), recording=recording)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Embedded servers with an upgraded database and both buckets."""
    with embedded(tmp_path_factory.mktemp("data")) as servers:
        found = servers.settings(Settings())
        sessions.upgrade(found)
        ensure_bucket(found.storage, found.storage.evidence_bucket, object_lock=True)
        ensure_bucket(found.storage, found.storage.derived_bucket, object_lock=False)
        yield found


@pytest.fixture(scope="module")
def context(settings: Settings, hearing: hearings.Hearing) -> Iterator[JobContext]:
    """A worker's context; the hearing is in the store and in the catalogue, closed; another one is open."""
    with job_context(settings) as made:
        for segment in hearing.segments:
            made.evidence.put(segment.key, hearing.store.root / segment.key)
        with made.sessions.begin() as session:
            _catalogue(session, hearing)
        yield made


def _catalogue(session: Session, hearing: hearings.Hearing) -> None:
    court = t.Court(code="c", name_kk="c", name_ru="c", name_en="c")
    session.add(court)
    session.flush()
    room = t.Courtroom(court_id=court.id, code="room-1", name_kk="r", name_ru="r", name_en="r")
    session.add(room)
    session.flush()
    agent = t.Agent(courtroom_id=room.id, name="agent-1")
    session.add(agent)
    session.flush()
    session.add(t.AgentKey(sha256="k", agent_id=agent.id, public_pem=""))
    session.flush()
    for id_, manifest in ((hearings.RECORDING, MANIFEST), (OPEN, None)):
        common = {"courtroom_id": room.id, "agent_id": agent.id, "key_sha256": "k"}
        session.add(t.Recording(id=id_, started_utc=hearings.ZERO, manifest_sha256=manifest, **common))
    session.flush()
    for source in hearings.SOURCES:
        about = {"kind": source.kind, "channels": list(source.channels), "video": source.video}
        session.add(t.Source(recording_id=hearings.RECORDING, name=source.name, **about))
    session.add_all(_row(placed.segment) for placed in hearing.plan.segments)


def _row(segment: hearings.StoredSegment) -> t.Segment:
    return t.Segment(
        recording_id=hearings.RECORDING,
        seq=segment.seq + 3,
        source=segment.source,
        run=segment.run,
        file=segment.key,
        object_key=segment.key,
        sha256=segment.sha256,
        size_bytes=segment.size_bytes,
        start_ticks=segment.start_ticks,
        duration_ticks=segment.duration_ticks,
        start_ms=segment.start_ms,
        end_ms=segment.start_ms + segment.duration_ticks // 90,
        frames=0,
        samples=0,
        why="ok",
    )


def _copies(context: JobContext) -> list[t.AccessCopy]:
    with context.sessions() as session:
        query = select(t.AccessCopy).where(t.AccessCopy.recording_id == hearings.RECORDING)
        return list(session.scalars(query.order_by(t.AccessCopy.version)))


def _stored(context: JobContext) -> list[str]:
    return [stored.key for stored in context.derived.list(f"{hearings.RECORDING}/media/")]


@pytest.mark.crash
@pytest.mark.parametrize("files", [0, 5, 1000])
def test_a_killed_worker_leaves_nothing_reachable(context: JobContext, files: int) -> None:
    command = [sys.executable, "-c", DYING, hearings.RECORDING, str(files)]
    process = subprocess.run(command, env=_environment(context.settings), timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert len(_stored(context)) >= min(files, 10)
    assert _copies(context) == []
    assert len(read_copies(context.derived, hearings.RECORDING)) == (files == 1000)


def test_the_next_worker_finishes_and_clears_up(context: JobContext) -> None:
    publish_recording(context, recording=hearings.RECORDING)
    (copy,) = _copies(context)
    assert (copy.version, copy.made_from) == (1, MANIFEST)
    assert copy.prefix == f"{hearings.RECORDING}/media/v1/"
    assert sorted(_stored(context)) == sorted(copy.prefix + path for path in [*copy.contents["files"], COPIES])
    assert list((context.settings.data_dir / "publish").iterdir()) == []


def test_published_again_nothing_changes(context: JobContext) -> None:
    publish_recording(context, recording=hearings.RECORDING)
    before = [(c.version, c.ready_utc) for c in _copies(context)], _stored(context)
    publish_recording(context, recording=hearings.RECORDING)
    assert ([(c.version, c.ready_utc) for c in _copies(context)], _stored(context)) == before


def test_another_manifest_makes_the_next_version_and_keeps_the_first(context: JobContext) -> None:
    with context.sessions.begin() as session:
        row = session.get(t.Recording, hearings.RECORDING)
        assert row is not None
        row.manifest_sha256 = "cd" * 32
    foreign = f"{hearings.RECORDING}/media/v2/mix.mp4"
    context.derived.put(foreign, b"left by another version of the program")
    publish_recording(context, recording=hearings.RECORDING)
    assert [(c.version, c.made_from) for c in _copies(context)] == [(1, MANIFEST), (3, "cd" * 32)]


def test_finished_sets_are_found_without_the_catalogue(context: JobContext) -> None:
    assert f"{hearings.RECORDING}/media/v2/mix.mp4" in _stored(context)  # never finished
    found = [tuple(finished) for finished in read_copies(context.derived, hearings.RECORDING)]
    assert found == [(c.version, c.made_from, c.prefix, c.contents, c.marks) for c in _copies(context)]


def test_stored_files_have_their_content_type_and_size(context: JobContext) -> None:
    copy = _copies(context)[0]
    for path, about in copy.contents["files"].items():
        assert context.derived.head(copy.prefix + path).size == about["size"]


def _write_down(context: JobContext, *said: Utterance) -> None:
    key = f"{hearings.RECORDING}/transcripts/0.json"
    transcript = Transcript(70_400, said, "test")
    context.derived.put(key, json.dumps(as_dict(transcript)).encode())
    with context.sessions.begin() as session:
        assert put_final(session, hearings.RECORDING, transcript, key)


def _text(context: JobContext, path: str) -> str:
    with context.derived.open_range(_copies(context)[-1].prefix + path) as body:
        return body.read().decode()


@pytest.mark.crash
def test_text_comes_after_the_copies_and_survives_being_killed(context: JobContext) -> None:
    publish_text(context, recording=hearings.RECORDING)
    assert _copies(context)[-1].contents["text"] is None
    kk = Utterance(1_000, 2_500, "judge", Language.KK, "сот отырысы", (), (Flag.UNCLEAR,))
    ru = Utterance(61_000, 63_000, "witness", Language.RU, "да <так>")
    _write_down(context, kk, ru, Utterance(64_000, 64_500, "judge", Language.UNKNOWN, "мм"))
    with context.sessions() as session:
        jobs = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'publish.text'")
        assert session.scalar(jobs) == 3  # each time that copies or a text came
    for files in (1, 5):
        command = [sys.executable, "-c", DYING, hearings.RECORDING, str(files), "text"]
        process = subprocess.run(command, env=_environment(context.settings), timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert _copies(context)[-1].contents["text"] is None
    publish_text(context, recording=hearings.RECORDING)
    contents = _copies(context)[-1].contents
    assert [each["language"] for each in contents["text"]["subtitles"]] == ["kk", "ru"]
    assert (contents["text"]["manifest"], contents["text"]["revision"]) == ("cd" * 32, 0)
    kazakh, russian = (_text(context, each["file"]) for each in contents["text"]["subtitles"])
    assert "00:00:01.000 --> 00:00:02.500\n<v judge><lang kk>[?] сот отырысы</lang>" in kazakh
    assert "да &lt;так&gt;" in russian
    assert "сот" not in russian
    assert "мм" in russian
    assert "мм" in kazakh
    assert len([key for key in _stored(context) if "/text/" in key]) == 5
    publish_text(context, recording=hearings.RECORDING)
    assert _copies(context)[-1].contents == contents


def test_a_newer_revision_takes_the_place_of_the_older_for_who_comes_now(context: JobContext) -> None:
    before = _copies(context)[-1].contents
    by = Person(uuid.uuid4(), "secretary", "Хатшы", Role.SECRETARY, "kk", None)
    act = Act(hearings.RECORDING, by, context.clock.utc(), "one", audit.Entry("edit", True, "test"))
    first, others = Ref(0, 0), [Remove(Ref(1, 0)), Remove(Ref(2, 0))]
    with context.sessions.begin() as session:
        save(session, act, [SetText(first, "сот отырысы ашық"), *others], ())
        later = text("SELECT scheduled_at > now() FROM procrastinate_jobs ORDER BY id DESC LIMIT 1")
        assert session.scalar(later)  # who corrects saves again and again
    publish_text(context, recording=hearings.RECORDING)
    contents = _copies(context)[-1].contents
    assert contents["text"]["revision"] == 1
    assert contents["master"] != before["master"]
    assert before["files"].items() <= contents["files"].items()
    master = _text(context, contents["master"])
    assert master.count("TYPE=SUBTITLES") == 1
    assert 'LANGUAGE="kk"' in master
    assert ',SUBTITLES="text"\ncam/_video.m3u8' in master
    assert "ашық" in _text(context, contents["text"]["subtitles"][0]["file"])
    assert [f.version for f in read_copies(context.derived, hearings.RECORDING)] == [1, 3]


def test_copies_follow_the_marks_and_none_is_left_that_nobody_may_have(context: JobContext) -> None:
    judge = Person(uuid.uuid4(), "judge", "Судья", Role.JUDGE, "kk", None)
    mark = Mark(uuid.uuid4(), 500, 3_000, AccessClass.SEALED, SeenAs.BLACK, HeardAs.SILENT)
    noted = audit.Entry("seal", True, "test")
    whole = [(copy.version, copy.marks) for copy in _copies(context)]
    with context.sessions.begin() as session:
        sealing.set_mark(session, context.clock, judge, hearings.RECORDING, mark, "Определение суда", noted)
        queued = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'publish.recording'")
        assert session.scalar(queued) == 1
    publish_recording(context, recording=hearings.RECORDING)
    *before, veiled = _copies(context)
    assert [(copy.version, copy.marks) for copy in before] == whole
    assert veiled.marks == digest([mark])
    publish_text(context, recording=hearings.RECORDING)
    told = _copies(context)[-1].contents["text"]
    assert [each["language"] for each in told["subtitles"]] == []  # all that is said is said in the span
    assert [f.marks for f in read_copies(context.derived, hearings.RECORDING)] == ["", "", digest([mark])]
    with context.sessions.begin() as session:
        sealing.lift_mark(session, context.clock, judge, hearings.RECORDING, mark.id, "Отменено", noted)
    publish_recording(context, recording=hearings.RECORDING)
    assert [(copy.version, copy.marks) for copy in _copies(context)] == whole
    assert [key for key in _stored(context) if key.startswith(veiled.prefix)] == []


def test_an_open_recording_is_not_published(context: JobContext) -> None:
    with pytest.raises(Conflict):
        publish_recording(context, recording=OPEN)
    with pytest.raises(NotFound):
        publish_recording(context, recording="20260914-061500-00000009")


def _environment(settings: Settings) -> dict[str, str]:
    storage = settings.storage
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "TYNDAU_DATA_DIR": str(settings.data_dir),
        "TYNDAU_DATABASE__URL": settings.database.url.get_secret_value(),
        "TYNDAU_STORAGE__ENDPOINT": storage.endpoint,
        "TYNDAU_STORAGE__SECURE": str(storage.secure),
        "TYNDAU_STORAGE__ACCESS_KEY": storage.access_key.get_secret_value(),
        "TYNDAU_STORAGE__SECRET_KEY": storage.secret_key.get_secret_value(),
    }

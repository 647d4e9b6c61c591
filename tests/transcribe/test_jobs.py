"""Drafts while segments arrive, the final text after; run twice, killed anywhere, on a real catalogue and store."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import av
import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.transcripts import DRAFT, FINAL
from archive.jobs.context import JobContext, job_context
from config.settings import Settings
from tests.transcribe.conftest import CHANNELS, SAMPLE, whole
from transcribe.audio import RATE
from transcribe.jobs import final, live

pytestmark = pytest.mark.model

SEGMENT_S = 6
SEGMENTS = 8
# Runs a task and kills its own process at the n-th commit, before or after it, or at the n-th object stored.
DYING = """
import json, os, signal, sys
from contextlib import contextmanager
from dataclasses import replace
from archive.jobs.context import job_context
from config.settings import load_settings
from transcribe import jobs

task, recording, where, left = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
more = json.loads(sys.argv[5])

def step(now):
    global left
    if now == where:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

class Sessions:
    def __init__(self, made): self.made = made
    def __call__(self): return self.made()
    @contextmanager
    def begin(self):
        with self.made.begin() as session:
            yield session
            session.flush()
            step("before commit")
        step("after commit")

class Store:
    def __init__(self, made): self.made = made
    def __getattr__(self, name): return getattr(self.made, name)
    def put(self, *args, **kwargs):
        stored = self.made.put(*args, **kwargs)
        step("stored")
        return stored

with job_context(load_settings()) as context:
    dying = replace(context, sessions=Sessions(context.sessions), derived=Store(context.derived))
    getattr(jobs, task)(dying, recording=recording, **more)
"""


@dataclass(frozen=True)
class Room:
    """A recording in the catalogue whose segments arrive when the test says so."""

    context: JobContext
    settings: Settings
    recording: str
    pieces: tuple[bytes, ...]

    def arrive(self, *numbers: int, lines: bool = True) -> None:
        """Segments, numbered from 0, are stored and known; chain line 0 is the start, 1 the run."""
        with self.context.sessions.begin() as session:
            for number in numbers:
                self._store(session, number)
                if lines:
                    self.line(session, number + 2)

    def line(self, session: Session, seq: int) -> None:
        session.add(t.ChainLine(recording_id=self.recording, seq=seq, kind="segment", line=b"{}", signature=None))

    def _store(self, session: Session, number: int) -> None:
        key = f"{self.recording}/mics/{number:06d}.mp4"
        self.context.evidence.put(key, self.pieces[number])
        place: dict[str, Any] = {
            "start_ticks": number * SEGMENT_S * 90_000,
            "duration_ticks": SEGMENT_S * 90_000,
            "start_ms": number * SEGMENT_S * 1000,
            "end_ms": (number + 1) * SEGMENT_S * 1000,
        }
        session.add(
            t.Segment(
                recording_id=self.recording,
                seq=number + 2,
                source="mics",
                run=1,
                file=f"mics/{number:06d}.mp4",
                object_key=key,
                sha256="0" * 64,
                size_bytes=len(self.pieces[number]),
                frames=0,
                samples=SEGMENT_S * RATE,
                why="ok",
                **place,
            )
        )

    def rows(self, revision: int) -> list[t.Utterance]:
        with self.context.sessions() as session:
            chosen = (t.Utterance.recording_id == self.recording, t.Utterance.revision == revision)
            return list(session.scalars(select(t.Utterance).where(*chosen).order_by(t.Utterance.seq)))

    def said(self, revision: int) -> list[tuple[int, str, str]]:
        return sorted((row.start_ms, row.channel, row.text) for row in self.rows(revision))

    def killed(self, task: str, where: str, times: int, **more: str | int) -> None:
        """Run a task in a process of its own that kills itself there."""
        names = {
            "TYNDAU_DATABASE__URL": self.settings.database.url.get_secret_value(),
            "TYNDAU_STORAGE__ENDPOINT": self.settings.storage.endpoint,
            "TYNDAU_STORAGE__SECURE": "false",
            "TYNDAU_STORAGE__ACCESS_KEY": self.settings.storage.access_key.get_secret_value(),
            "TYNDAU_STORAGE__SECRET_KEY": self.settings.storage.secret_key.get_secret_value(),
            "TYNDAU_STORAGE__EVIDENCE_BUCKET": self.settings.storage.evidence_bucket,
            "TYNDAU_STORAGE__DERIVED_BUCKET": self.settings.storage.derived_bucket,
            "TYNDAU_DATA_DIR": str(self.settings.data_dir),
            "TYNDAU_RECOGNISER__PART_MINUTES": str(self.context.settings.recogniser.part_minutes),
        }
        command = [sys.executable, "-c", DYING, task, self.recording, where, str(times), json.dumps(more)]
        done = subprocess.run(command, env=os.environ | names, capture_output=True, text=True, timeout=120)
        assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture(scope="module")
def pieces() -> tuple[bytes, ...]:
    """The first 48 s of the sample hearing as the recorder writes it: a mono track a microphone, 6 s a file."""
    sound = whole(SAMPLE / "hearing.flac")
    step = SEGMENT_S * RATE
    return tuple(segment(sound[:, number * step : (number + 1) * step]) for number in range(SEGMENTS))


def segment(sound: NDArray[np.int16]) -> bytes:
    body = io.BytesIO()
    with av.open(body, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof"}) as container:
        streams = [container.add_stream("flac", rate=RATE, layout="mono") for _ in sound]
        for start in range(0, sound.shape[1], 4096):
            for stream, row in zip(streams, sound, strict=True):
                part = np.ascontiguousarray(row[start : start + 4096])[None, :]
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return body.getvalue()


@pytest.fixture
def room(database: Settings, pieces: tuple[bytes, ...]) -> Iterator[Room]:
    with job_context(database) as context:
        recording = f"20260914-051500-{uuid.uuid4().hex[:8]}"
        with context.sessions.begin() as session:
            _open(session, recording)
        made = Room(context, database, recording, pieces)
        with context.sessions.begin() as session:
            made.line(session, 0)
            made.line(session, 1)
        yield made


def _open(session: Session, recording: str) -> None:
    start = datetime(2026, 9, 14, 5, 15, tzinfo=UTC)
    court = t.Court(code="c", name_kk="c", name_ru="c", name_en="c")
    session.add(court)
    session.flush()
    courtroom = t.Courtroom(court_id=court.id, code="r", name_kk="r", name_ru="r", name_en="r")
    case = t.Case(court_id=court.id, number="1", kind="civil", title="t")
    session.add_all([courtroom, case])
    session.flush()
    agent = t.Agent(courtroom_id=courtroom.id, name="a")
    hearing = t.Hearing(case_id=case.id, courtroom_id=courtroom.id, scheduled_utc=start, access_class="open")
    session.add_all([agent, hearing])
    session.flush()
    session.add(t.Participant(hearing_id=hearing.id, name="Ахметова Айгуль", role="judge", channel="judge"))
    session.add(t.AgentKey(sha256="k", agent_id=agent.id, public_pem="p"))
    session.flush()
    session.add(
        t.Recording(
            id=recording,
            hearing_id=hearing.id,
            courtroom_id=courtroom.id,
            agent_id=agent.id,
            key_sha256="k",
            started_utc=start,
        )
    )
    session.flush()
    session.add_all(
        [
            t.Source(recording_id=recording, name="mics", kind="audio", channels=list(CHANNELS), video=False),
            t.Source(recording_id=recording, name="cam", kind="camera", channels=["cam"], video=True),
        ]
    )


def normal(said: str) -> str:
    return " ".join(re.sub(r"[^\w ]", " ", said.lower().replace("ё", "е")).split())


def test_drafts_grow_and_the_final_text_takes_their_place(room: Room, truth: list[dict[str, Any]]) -> None:
    counts = []
    for number in range(SEGMENTS):
        room.arrive(number)
        live(room.context, recording=room.recording)
        counts.append(len(room.rows(DRAFT)))
    assert counts == sorted(counts)
    assert counts[3] >= 3
    draft = room.rows(DRAFT)
    live(room.context, recording=room.recording)
    assert [row.id for row in room.rows(DRAFT)] == [row.id for row in draft]

    end_ms = max(row.end_ms for row in draft)
    said = " ".join(line["text"] for line in truth if line["end_ms"] <= end_ms)
    assert jiwer.wer(normal(said), normal(" ".join(row.text for row in draft))) < 0.4
    assert [row.seq for row in draft] == list(range(len(draft)))
    assert {row.channel for row in draft} == set(CHANNELS) - {"witness"}

    final(room.context, recording=room.recording)
    assert room.rows(DRAFT) == []
    rows = room.rows(FINAL)
    with room.context.derived.open_range(f"{room.recording}/transcripts/0.json") as body:
        stored = json.load(body)
    assert stored["duration_ms"] == SEGMENTS * SEGMENT_S * 1000
    assert [row.text for row in rows] == [line["text"] for line in stored["utterances"]]
    with room.context.sessions() as session:
        made = session.get_one(t.Transcript, (room.recording, FINAL))
        assert (made.state, made.object_key) == ("final", f"{room.recording}/transcripts/0.json")
        found = text("SELECT count(*) FROM utterances WHERE stems @@ '''r:задолженность'''::tsquery")
        assert session.scalar(found) >= 1

    final(room.context, recording=room.recording)
    live(room.context, recording=room.recording)
    assert [row.id for row in room.rows(FINAL)] == [row.id for row in rows]
    assert room.rows(DRAFT) == []


def test_a_draft_waits_for_an_earlier_segment_but_not_for_ever(room: Room) -> None:
    room.arrive(0)
    room.arrive(2, 3)
    live(room.context, recording=room.recording)
    assert max(row.end_ms for row in room.rows(DRAFT)) <= SEGMENT_S * 1000
    room.arrive(4, 5, 6, 7)
    live(room.context, recording=room.recording)
    assert max(row.end_ms for row in room.rows(DRAFT)) > 30_000
    room.arrive(1)
    final(room.context, recording=room.recording)
    assert any(6_000 < row.start_ms < 12_000 for row in room.rows(FINAL))


def test_a_segment_that_is_missing_or_broken_leaves_a_hole(room: Room) -> None:
    broken = Room(room.context, room.settings, room.recording, (room.pieces[0], b"nothing of use", *room.pieces[2:]))
    broken.arrive(*range(SEGMENTS))
    with room.context.sessions.begin() as session:
        gone = session.get_one(t.Segment, (room.recording, 5))
        gone.object_key = f"{room.recording}/mics/gone.mp4"
    final(room.context, recording=room.recording)
    rows = room.rows(FINAL)
    assert any(row.start_ms > 24_000 for row in rows)
    assert not any(7_000 < row.start_ms < 11_500 or 19_000 < row.start_ms < 23_500 for row in rows)


@pytest.mark.crash
@pytest.mark.parametrize("where", ["before commit", "after commit"])
def test_a_live_pass_that_is_killed_loses_and_doubles_nothing(room: Room, where: str) -> None:
    room.arrive(0, 1, 2)
    live(room.context, recording=room.recording)
    before = room.said(DRAFT)
    room.arrive(3, 4)
    room.killed("live", where, 1)
    assert (room.said(DRAFT) == before) is (where == "before commit")
    live(room.context, recording=room.recording)
    once = room.said(DRAFT)
    live(room.context, recording=room.recording)
    assert room.said(DRAFT) == once
    assert len({(start_ms, channel) for start_ms, channel, _ in once}) == len(once)
    assert once[-1][0] > 20_000


@pytest.mark.crash
@pytest.mark.parametrize("where", ["stored", "before commit"])
def test_a_final_pass_that_is_killed_is_finished_by_the_next(room: Room, where: str) -> None:
    room.arrive(0, 1, 2)
    live(room.context, recording=room.recording)
    room.killed("final", where, 1)
    final(room.context, recording=room.recording)
    with room.context.derived.open_range(f"{room.recording}/transcripts/0.json") as body:
        stored = json.load(body)
    assert [row.text for row in room.rows(FINAL)] == [line["text"] for line in stored["utterances"]]
    assert room.rows(DRAFT) == []


def test_a_recording_without_sound_gets_an_empty_text(room: Room) -> None:
    final(room.context, recording=room.recording)
    assert room.rows(FINAL) == []
    with room.context.sessions() as session:
        assert session.get_one(t.Transcript, (room.recording, FINAL)).state == "final"

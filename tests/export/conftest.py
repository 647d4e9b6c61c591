"""The recorded hearing of tests/publish as a record that exports are made of."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from archive.db import recordings as rows
from archive.db.hearings import Hearing as Heard
from archive.db.hearings import HearingState, Names, Participant, RecordingState, Standing
from archive.domain.access import AccessClass
from archive.domain.marks import Mark
from archive.domain.speakers import Speakers
from archive.domain.transcript import Flag, Language, Transcript, TranscriptState, Utterance
from archive.export.record import Record
from archive.publish.copies import Copies, make_copies, upload
from tests.publish.conftest import copies, hearing, tool
from tests.publish.hearing import CHANNELS, RECORDING, ZERO, Folder, Hearing

__all__ = ["copies", "hearing", "tool"]

END_MS = 70_400
ROOM = Names(uuid.UUID(int=1), "room-1", "Бірінші зал", "Первый зал", "First room")
PEOPLE = (Participant("Ахметов Н. С.", "judge", "judge"), Participant("ТОО «Қайнар»", "claimant", "claimant"))
TEXT = Transcript(
    END_MS,
    (
        Utterance(1_000, 3_000, "judge", Language.RU, "слушается дело"),
        Utterance(2_500, 4_000, "claimant", Language.KK, "талап арыз"),
        Utterance(61_000, 63_000, "judge", Language.RU, "продолжим", flags=(Flag.UNCLEAR,)),
        Utterance(64_000, 65_000, "witness", Language.UNKNOWN, "м-м", flags=(Flag.OVERLAP,)),
    ),
    "test",
)


@dataclass(frozen=True)
class Kept:
    """A record and the store that its access copies lie in."""

    record: Record
    store: Folder


def record_of(made: Copies, store: Folder, hidden: Sequence[Mark] = (), text: Transcript | None = TEXT) -> Record:
    standing = Standing(uuid.UUID(int=2), AccessClass.OPEN, frozenset(), frozenset())
    heard = Heard(
        uuid.UUID(int=2), uuid.UUID(int=3), "7119-26-00-2/123", "civil", "Иск о взыскании долга", ROOM, ROOM, ZERO,
        HearingState.READY, PEOPLE, (), standing,
    )  # fmt: skip
    gaps = rows.Gap("cam", 8_300, 12_500, "stalled"), rows.Gap("cam", 18_500, 20_000, "killed")
    recorded = rows.Recording(
        RECORDING, heard.id, ZERO, ZERO + timedelta(milliseconds=END_MS), END_MS, None, True,
        rows.Progress(RecordingState.RECEIPTED, 9, gaps, True),
        (rows.Source("cam", "camera", ()), rows.Source("mics", "audio", CHANNELS)),
        (rows.Pause(18_500, 60_000, "deliberation"),),
        (rows.Note(2_000, "opened", ""), rows.Note(15_000, "motion", "о вызове свидетеля")),
        rows.Copy(1, "x/", made.contents), tuple(hidden),
    )  # fmt: skip
    return Record(
        heard,
        recorded,
        Speakers({"judge": "judge", "claimant": "claimant"}),
        text,
        0,
        TranscriptState.FINAL,
        (),
        ZoneInfo("Asia/Almaty"),
        True,
    )


@pytest.fixture(scope="session")
def kept(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """The record as somebody has it from whom nothing is concealed."""
    store = Folder(tmp_path_factory.mktemp("derived"))
    assert upload(copies, store, "x/")
    return Kept(record_of(copies, store), store)


@pytest.fixture
def uninterrupted(hearing: Hearing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The first eight seconds of its camera, in files of some seconds each."""
    monkeypatch.setattr("archive.publish.rendition.LARGEST_FILE", 100_000)
    first = tuple(p for p in hearing.plan.segments if p.segment.run == 1 and p.segment.source == "cam")
    moved = [replace(p, offset=p.offset - first[0].span.start) for p in first]
    spans = [replace(p, span=replace(p.span, start=p.span.start - first[0].span.start,
                                     end=p.span.end - first[0].span.start)) for p in moved]  # fmt: skip
    end = spans[-1].span.end
    plan = replace(hearing.plan, segments=tuple(spans), holes=(), end=end, sources=hearing.plan.sources[:1])
    (tmp_path / "copies").mkdir()
    made = make_copies(plan, hearing.store, tmp_path / "copies", tmp_path / "scratch")
    store = Folder(tmp_path / "derived")
    assert upload(made, store, "x/")
    whole = record_of(made, store, text=None)
    recorded = replace(whole.recording, duration_ms=end // 90, pauses=(), sources=whole.recording.sources[:1])
    return Kept(replace(whole, recording=recorded), store)

"""A long recording in parts: the same text as of one pass, whoever hears which part, whenever one dies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import jiwer
import numpy as np
import pytest
from sqlalchemy import func, select, text

from archive.db import glossary
from archive.db import tables as t
from archive.db import transcript_parts as parts
from archive.db.transcripts import FINAL
from archive.domain.errors import BadInput
from archive.domain.transcript import Language, Utterance
from archive.jobs.worker import run_worker
from recorder.folder import Folder
from tests.transcribe.conftest import Sounds
from tests.transcribe.test_cutting import FIRST, WordCounter, heard, loudness, places, spoken
from tests.transcribe.test_jobs import SEGMENTS, Room, normal, pieces, room
from transcribe import jobs, pipeline
from transcribe.audio import RATE, SAMPLES_PER_MS, Sound
from transcribe.parts import Stretch, stretches
from transcribe.pipeline import Listener, Options, State, Until

__all__ = ["pieces", "room"]

WINDOW_S = 60


@pytest.fixture
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_WINDOW_S", WINDOW_S)


def arriving(sound: np.ndarray, random: Random, start: int = 0, end: int | None = None) -> Sounds:
    """The sound between two samples in blocks of a decoder."""
    end = sound.shape[1] if end is None else end
    block = random.randrange(500, 3_000)
    cuts = [start, *range(start - start % block + block, end, block), end]
    blocks = [Sound(first, sound[:, first:last]) for first, last in pairwise(cuts)]
    return Sounds(blocks, ("a", "b"))


def part_of(sound: np.ndarray, random: Random, one: Stretch) -> list[Utterance]:
    """As a worker hears it, from what the catalogue keeps."""
    state = State.from_json(json.loads(json.dumps(one.begins.to_json())), 0.0)
    until = Until.from_json(json.loads(json.dumps(one.until.to_json()))) if one.until else None
    feed = arriving(sound, random, state.cut.audible_from, until.heard_to if until else None)
    return list(Listener(WordCounter(), loudness, ("a", "b"), Options(), state).listen(feed, until=until))


def parted(sound: np.ndarray, random: Random, longest_s: int) -> list[Stretch]:
    def between(start: int, end: int) -> Sounds:
        return arriving(sound, random, start, min(end, sound.shape[1]))

    listener = Listener(WordCounter(), loudness, ("a", "b"), Options())
    return list(stretches(between, sound.shape[1], listener, longest_s))


@pytest.mark.parametrize("longest_pause_ms", [40, 400, 2_000])
@pytest.mark.parametrize("seed", range(8))
def test_parts_hold_every_word_once_at_its_microphone_and_time(
    seed: int, longest_pause_ms: int, short_windows: None
) -> None:
    random = Random(f"parts {seed} {longest_pause_ms}")
    sound = spoken(random, 500, longest_pause_ms)
    found = parted(sound, random, 70)
    assert len(found) > 2
    assert found[0].start_ms == 0
    assert [one.end_ms for one in found[:-1]] == [one.start_ms for one in found[1:]]
    assert found[-1].end_ms == sound.shape[1] // SAMPLES_PER_MS
    said = [line for one in found for line in part_of(sound, random, one)]
    assert sorted(heard([line.text for line in said])) == list(range(500))
    spoken_at = places(sound)
    for line in said:
        for word in line.words:
            channel, start, end = spoken_at[int(word.text)]
            assert line.channel == channel
            assert abs(word.start_ms - start // SAMPLES_PER_MS) < 500
            assert abs(word.end_ms - end // SAMPLES_PER_MS) < 500


def test_a_hole_where_a_border_would_be_is_no_border(short_windows: None) -> None:
    random = Random(7)
    first, second = spoken(random, 100, 400), spoken(random, 160, 400)
    second = np.where(second >= FIRST, second + 100, second).astype(np.int16)
    later = first.shape[1] + 90 * RATE

    def between(start: int, end: int) -> Sounds:
        blocks = [*arriving(first, Random(1))._pieces]
        blocks += [Sound(block.start + later, block.pcm) for block in arriving(second, Random(2))._pieces]
        return Sounds([block for block in blocks if start < block.end and block.end <= end], "ab")

    end = later + second.shape[1]
    listener = Listener(WordCounter(), loudness, ("a", "b"), Options())
    found = list(stretches(between, end, listener, (first.shape[1] + 45 * RATE) // RATE))
    assert len(found) == 1
    found = list(stretches(between, end, Listener(WordCounter(), loudness, ("a", "b"), Options()), 40))
    assert len(found) > 2
    said = []
    for one in found:
        hears = Listener(WordCounter(), loudness, ("a", "b"), Options(), one.begins.copy())
        until = one.until
        said += hears.listen(between(one.begins.cut.audible_from, until.heard_to if until else end), until=until)
    assert sorted(heard([line.text for line in said])) == list(range(260))


def test_what_is_short_is_one_part() -> None:
    (whole,) = parted(np.zeros((2, 30 * RATE), np.int16), Random(1), 60)
    assert (whole.start_ms, whole.end_ms, whole.until) == (0, 30_000, None)


# --- as jobs -----------------------------------------------------------------------------------------


@pytest.fixture
def long_room(room: Room, short_windows: None, monkeypatch: pytest.MonkeyPatch) -> Room:
    """The sample hearing three times over: long enough to be divided."""
    monkeypatch.setattr(jobs, "_NOT_WORTH_DIVIDING", 1.0)
    repeated = Room(room.context, room.settings, room.recording, room.pieces * 3)
    repeated.arrive(*range(SEGMENTS * 3))
    section = room.settings.recogniser.model_copy(update={"part_minutes": 1})
    repeated.context.settings.__dict__["recogniser"] = section
    return repeated


def _texts(lines: Iterable[t.Utterance | Utterance]) -> list[str]:
    return [line.text for line in lines]


def waiting(room: Room) -> int:
    with room.context.sessions() as session:
        table = t.TranscriptPart
        query = select(func.count()).where(table.recording_id == room.recording, table.said.is_(None))
        return session.scalar(query) or 0


@pytest.mark.crash
@pytest.mark.model
def test_parts_are_heard_by_workers_and_put_together(long_room: Room) -> None:
    room = long_room
    jobs.final(room.context, recording=room.recording)
    assert waiting(room) >= 2
    assert room.rows(FINAL) == []
    with room.context.sessions() as session:
        before = parts.progress(session, room.recording)
        planned = parts.parts(session, room.recording)
    assert before is not None
    assert (before.done_ms, before.left_s) == (0, None)
    jobs.final(room.context, recording=room.recording)  # twice divides it once
    with room.context.sessions() as session:
        assert parts.parts(session, room.recording) == planned
    for _ in range(2):  # twice is once
        jobs.part(room.context, recording=room.recording, source="mics", number=0)
    with room.context.sessions() as session:
        now = parts.progress(session, room.recording)
    assert now is not None
    assert 0 < now.done_ms < now.total_ms == before.total_ms
    assert now.left_s is not None
    whole = jobs.whole_transcript(room.context, jobs._expecting_names(room.context, room.recording), room.recording)
    run_worker(room.settings, ["asr"], stop_when_idle=True)
    made, wanted = (normal(" ".join(text)) for text in (_texts(room.rows(FINAL)), _texts(whole.utterances)))
    assert jiwer.wer(wanted, made) < 0.1
    assert waiting(room) == 0
    with room.context.sessions() as session:
        assert parts.progress(session, room.recording) is None


@pytest.mark.crash
@pytest.mark.model
@pytest.mark.parametrize("where", ["before commit", "after commit"])
def test_whoever_is_killed_at_a_part_loses_and_doubles_nothing(long_room: Room, where: str) -> None:
    room = long_room
    room.killed("final", where, 1)
    assert (waiting(room) > 0) is (where == "after commit")
    jobs.final(room.context, recording=room.recording)
    with room.context.sessions() as session:
        planned = parts.parts(session, room.recording)
    numbers = [one.number for one in planned]
    assert len(numbers) == waiting(room) >= 2
    room.killed("part", where, 1, source="mics", number=numbers[-1])
    assert (waiting(room) == len(numbers)) is (where == "before commit")
    for number in reversed(numbers):
        jobs.part(room.context, recording=room.recording, source="mics", number=number)
    with room.context.sessions() as session:
        said = [line for one in parts.parts(session, room.recording) for line in one.said or ()]
    room.killed("final", where, 1)
    assert (room.rows(FINAL) == []) is (where == "before commit")
    jobs.final(room.context, recording=room.recording)
    rows = room.rows(FINAL)
    assert sorted(row.text for row in rows) == sorted(line["text"] for line in said)
    assert len({(row.start_ms, row.channel) for row in rows}) == len(rows)
    assert any(row.start_ms > 100_000 for row in rows)
    assert waiting(room) == 0


@pytest.mark.model
def test_the_words_of_the_court_are_expected_after_the_names_of_the_case(room: Room) -> None:
    with room.context.sessions.begin() as session:
        court = session.scalars(select(t.Court.id)).one()
        glossary.put(session, court, Language.KK, ["Қарағанды", " сот  отырысы "], "secretary", datetime.now(UTC))
    hints = jobs._expecting_names(room.context, room.recording).options.hints
    assert hints[Language.KK][:3] == ("Ахметова Айгуль", "Қарағанды", "сот отырысы")
    assert hints[Language.KK].count("сот отырысы") == 1
    assert hints[Language.RU][:2] == ("Ахметова Айгуль", "судебное заседание")


@pytest.mark.parametrize("words", [["а" * 61], ["а\u0000б"], [str(number) for number in range(201)]])
def test_what_is_no_glossary_is_refused(words: list[str]) -> None:
    with pytest.raises(BadInput):
        glossary.checked_words(words)


@pytest.mark.model
def test_final_texts_wait_while_this_machine_records(long_room: Room, tmp_path: Path) -> None:
    room = long_room
    folder = Folder(tmp_path / "20260914-051500-0123abcd")
    folder.path.mkdir()
    agent = room.settings.agent.model_copy(update={"spool": tmp_path})
    room.context.settings.__dict__["agent"] = agent
    handle = folder.hold()
    try:
        jobs.final(room.context, recording=room.recording)
        assert (waiting(room), room.rows(FINAL)) == (0, [])
        with room.context.sessions() as session:
            later = text("SELECT scheduled_at > now() FROM procrastinate_jobs WHERE task_name = 'transcribe.final'")
            assert session.scalars(later).all() == [True]
    finally:
        os.close(handle)
    jobs.final(room.context, recording=room.recording)
    assert waiting(room) >= 2

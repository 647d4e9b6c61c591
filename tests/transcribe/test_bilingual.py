"""A hearing in Kazakh and Russian at two microphones, as it arrives: languages, microphones, draft, final text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from archive.db import tables as t
from archive.db.transcripts import DRAFT, FINAL
from tests.transcribe.conftest import CHANNELS, Recorded, noise, whole
from tests.transcribe.test_jobs import SEGMENT_S, Room, pieces, room, segment
from transcribe.audio import RATE
from transcribe.jobs import final, live

__all__ = ["pieces", "room"]
pytestmark = pytest.mark.model


@dataclass(frozen=True)
class Spoken:
    """A sentence at one microphone."""

    language: str
    channel: str
    start_ms: int
    end_ms: int


@pytest.fixture
def bilingual(room: Room, speech: list[Recorded]) -> tuple[Room, list[Spoken]]:
    """The judge in Kazakh, the claimant in Russian, in turn; every other microphone hears a fifth of them."""
    kazakh = [one for one in speech if "voxcpm" in one.path.name]
    russian = [one for one in speech if "festival" in one.path.name]
    turns = [
        (one, "judge") if one.language == "kk" else (one, "claimant")
        for pair in zip(kazakh, russian, strict=False)
        for one in pair
    ]
    own, spoken, at = [np.zeros((4, RATE))], [], RATE
    for one, channel in turns:
        clip = whole(one.path).astype(float)
        gains = np.where(np.array(CHANNELS) == channel, 1.0, 0.2)[:, None]
        own += [gains * clip * (9_000 / np.abs(clip).max()), np.zeros((4, RATE))]
        spoken.append(Spoken(one.language, channel, at // 16, (at + clip.shape[1]) // 16))
        at += clip.shape[1] + RATE
    sound = np.concatenate([*own, np.zeros((4, -(at + 0) % (SEGMENT_S * RATE)))], axis=1)
    sound = sound.astype(np.int16) + noise(sound.shape[1] / RATE, -60, 4)
    step = SEGMENT_S * RATE
    stored = tuple(segment(sound[:, start : start + step]) for start in range(0, sound.shape[1], step))
    return Room(room.context, room.settings, room.recording, stored), spoken


def check(lines: Sequence[t.Utterance], spoken: Sequence[Spoken]) -> None:
    for one in spoken:
        inside = [line for line in lines if min(line.end_ms, one.end_ms) - max(line.start_ms, one.start_ms) > 500]
        assert inside, one
        assert {(line.language, line.channel) for line in inside} == {(one.language, one.channel)}
        assert all(line.language_confidence > 0.5 for line in inside)


def test_draft_and_final_text_have_language_and_microphone(bilingual: tuple[Room, list[Spoken]]) -> None:
    room, spoken = bilingual
    for number in range(len(room.pieces)):
        room.arrive(number)
        live(room.context, recording=room.recording)
        drafted = room.rows(DRAFT)
        reached_ms = max((line.end_ms for line in drafted), default=0)
        check(drafted, [one for one in spoken if one.end_ms <= reached_ms])
    assert len(drafted) >= len(spoken) - 1
    final(room.context, recording=room.recording)
    check(room.rows(FINAL), spoken)
    assert room.rows(DRAFT) == []

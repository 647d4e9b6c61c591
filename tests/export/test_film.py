"""The film of a record: every picture and sound at the record's time, what happened as chapters and subtitles."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import av
import imageio_ffmpeg
import numpy as np
import pytest

from archive.domain.access import AccessClass
from archive.domain.errors import Damaged
from archive.domain.marks import Mark, Picture, Sound
from archive.export.film import Wish, chapters, film
from archive.export.words import WORDS
from archive.publish.copies import make_copies, upload
from archive.publish.plan import make_plan
from tests.export.conftest import END_MS, Kept, record_of
from tests.publish.hearing import (
    CAM_RUNS,
    CHANNELS,
    FPS,
    MICS_RUNS,
    RECORDING,
    SOURCES,
    ZERO,
    Folder,
    Hearing,
    microphones,
    record_run,
)
from tests.publish.test_conceal import pictures
from tests.publish.test_copies import AV_OFFSET_S, frames, onset, pitch, sound

PLAIN = Wish("ru", None, None, "Копия для: А")
MARKED = replace(PLAIN, mark="Ахметов Нұрлан (akhmetov), 27.11.2026")
SEALED = Mark(UUID(int=1), 5_000, 7_000, AccessClass.SEALED, Picture.BLACK, Sound.SILENT)


def made(kept: Kept, wish: Wish, folder: Path) -> Path:
    target, told = folder / "film.mp4", [0.0]
    film(kept.record, kept.store, wish, target, told.append)
    assert told == sorted(told)
    assert told[-1] > 0.95
    return target


@pytest.fixture(scope="module")
def whole(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(kept, PLAIN, tmp_path_factory.mktemp("film"))


def recorded() -> list[tuple[float, int]]:
    """Time and number of every picture that the camera gave."""
    runs = ((offset, n) for offset, length in CAM_RUNS for n in range(length * FPS // 1000))
    return [(offset / 1000 + n / FPS, offset * FPS // 1000 + n) for offset, n in runs]


def test_every_recorded_picture_is_in_it_at_its_time(whole: Path, tool: Any) -> None:
    shown = [(at, number) for at, number in frames(whole, tool) if number is not None]
    assert [number for _, number in shown] == [number for _, number in recorded()]
    assert max(abs(a - b) for (a, _), (b, _) in zip(shown, recorded(), strict=True)) < 0.001


def test_where_there_is_no_picture_a_card_stands(whole: Path, tool: Any) -> None:
    cards = [at for at, number in frames(whole, tool) if number is None]
    assert cards[0] == 0
    for begin, end in ((8.3, 12.5), (18.5, 60.4)):
        inside = [at for at in cards if begin <= at < end]
        assert inside[0] == pytest.approx(begin, abs=0.05)
        assert len(inside) >= int(end - begin)
    with av.open(str(whole)) as container:  # and says why: something is written on it
        card = next(f for f in container.decode(video=0) if f.time is not None and f.time > 30)
        luma = card.to_ndarray(format="gray")
    assert luma.max() > 200
    assert np.median(luma) < 20


@pytest.mark.parametrize("track", range(5))
def test_every_sound_is_in_step_and_silent_where_nobody_recorded(whole: Path, tmp_path: Path, track: int) -> None:
    only = tmp_path / "sound.mp4"
    _ffmpeg("-i", str(whole), "-map", f"0:a:{track}", "-c", "copy", str(only))
    line = sound(only, END_MS / 1000)
    for offset, length in MICS_RUNS:
        for second in range(1, length // 1000):
            due = offset / 1000 + second
            assert onset(line, due) == pytest.approx(due, abs=AV_OFFSET_S)
    assert np.abs(line[20 * 48_000 : 59 * 48_000]).max() < 0.01
    if track:
        own = 600 + 50 * ((3 + 8 * (track - 1)) % 32)
        assert pitch(line, 3.15) == pytest.approx(own, abs=8)


def test_it_says_what_is_in_it(whole: Path) -> None:
    with av.open(str(whole)) as container:
        assert container.duration == pytest.approx(END_MS * 1000, abs=50_000)
        assert container.metadata["comment"] == PLAIN.comment
        assert "7119-26-00-2/123" in container.metadata["title"]
        names = [stream.metadata["handler_name"] for stream in container.streams.audio]
        languages = [stream.metadata["language"] for stream in container.streams.subtitles]
        titles = [(one["start"], one["metadata"]["title"]) for one in container.chapters()]
    assert names == ["Все микрофоны", "Председательствующий", "Истец", "Ответчик", "Свидетель"]
    assert languages == ["kaz", "rus"]
    assert titles == [
        (0, "10:15:00 Запись начата"),
        (2_000, "10:15:02 Заседание открыто"),
        (15_000, "10:15:15 Ходатайство: о вызове свидетеля"),
        (18_500, "10:15:18 Запись приостановлена: совещательная комната"),
        (60_000, "10:16:00"),
    ]
    data = whole.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "it plays while it is loaded"


def test_subtitles_say_who_speaks_and_why_nobody_does(whole: Path, tmp_path: Path) -> None:
    russian, kazakh = (_subtitles(whole, tmp_path, track) for track in (1, 0))
    assert "00:00:01,000 --> 00:00:03,000\nПредседательствующий: слушается дело\n" in russian
    pause = "00:00:18,500 --> 00:01:00,000\nЗапись приостановлена: совещательная комната\n10:15:18–10:16:00\n"
    assert pause in russian
    assert "00:01:01,000 --> 00:01:03,000\nПредседательствующий: [?] продолжим\n" in russian
    assert "талап арыз" not in russian
    assert "00:00:02,500 --> 00:00:04,000\nТалапкер: талап арыз\n" in kazakh
    assert "Куә: м-м" in kazakh
    assert "Свидетель: м-м" in russian


def test_the_viewers_name_is_in_every_picture_and_the_picture_is_still_seen(
    kept: Kept, whole: Path, tmp_path: Path, tool: Any
) -> None:
    marked = made(kept, MARKED, tmp_path)
    assert [round(at, 3) for at, _ in frames(marked, tool)] == [round(at, 3) for at, _ in frames(whole, tool)]
    with av.open(str(marked)) as one, av.open(str(whole)) as other:
        for number, (seen, plain) in enumerate(zip(one.decode(video=0), other.decode(video=0), strict=True)):
            if number % 40:
                continue
            change = np.abs(seen.to_ndarray(format="gray").astype(int) - plain.to_ndarray(format="gray"))
            quarters = [part for half in np.array_split(change, 2) for part in np.array_split(half, 2, axis=1)]
            assert all((part > 24).mean() > 0.002 for part in quarters), f"picture {number} has a corner without it"
            assert np.median(change) < 16


def test_nothing_of_a_sealed_span_is_in_it(hearing: Hearing, kept: Kept, tmp_path: Path, tool: Any) -> None:
    (tmp_path / "copies").mkdir()
    veiled = make_copies(replace(hearing.plan, hidden=(SEALED,)), hearing.store, tmp_path / "copies", tmp_path / "s")
    store = Folder(tmp_path / "derived")
    assert upload(veiled, store, "x/")
    target = made(Kept(record_of(veiled, store, (SEALED,)), store), PLAIN, tmp_path)
    shown = {round(at, 3): number for at, number in frames(target, tool)}
    assert not any(number is not None for at, number in shown.items() if 5 <= at < 7)
    copied = {round(at, 3): number for at, number in pictures(tmp_path / "copies", tool) if number is not None}
    assert {at: number for at, number in shown.items() if number is not None} == copied
    assert np.abs(sound(target, END_MS / 1000)[5 * 48_000 : 7 * 48_000]).max() < 0.01
    with av.open(str(target)) as container:
        assert "10:15:05 Эта часть закрыта" in [one["metadata"]["title"] for one in container.chapters()]


def test_what_needs_no_change_is_not_encoded_anew(uninterrupted: Kept, tmp_path: Path, tool: Any) -> None:
    target = made(uninterrupted, PLAIN, tmp_path)
    videos = sorted(uninterrupted.store.root.rglob("_video*.mp4"), key=lambda path: len(path.name))
    assert len(videos) > 1
    copied = [packet for video in videos for packet in _packets(video)]
    assert _packets(target) == copied
    assert [n for _, n in frames(target, tool)] == [n for video in videos for _, n in frames(video, tool)]
    (tmp_path / "marked").mkdir()
    assert _packets(made(uninterrupted, MARKED, tmp_path / "marked")) != copied


def test_a_microphone_whose_rate_changed_is_heard_on_both_sides(tmp_path: Path, tool: Any) -> None:
    recorded_ = Folder(tmp_path / "evidence")
    segments = record_run(recorded_, "mics", 1, 0, microphones(tool, 6_000), 0)
    slower = [*microphones(tool, 6_000), "-ar", "44100"]
    segments += record_run(recorded_, "mics", 2, 8_000, slower, len(segments))
    (tmp_path / "copies").mkdir()
    plan = make_plan(RECORDING, "ab" * 32, ZERO, SOURCES[1:], segments)
    copied = make_copies(plan, recorded_, tmp_path / "copies", tmp_path / "scratch")
    assert "mics/judge.2.mp4" in copied.contents["files"]
    store = Folder(tmp_path / "derived")
    assert upload(copied, store, "x/")
    record = record_of(copied, store, text=None)
    record = replace(record, recording=replace(record.recording, duration_ms=14_000))
    target, only = made(Kept(record, store), PLAIN, tmp_path), tmp_path / "judge.mp4"
    _ffmpeg("-i", str(target), "-map", "0:a:1", "-c", "copy", str(only))
    line = sound(only, 15)
    for due in (1, 2, 3, 4, 5, 9, 10, 11, 12, 13):
        assert onset(line, due) == pytest.approx(due, abs=AV_OFFSET_S)
    assert np.abs(line[int(6.3 * 48_000) : int(7.7 * 48_000)]).max() < 0.01


def test_a_record_without_a_picture_is_heard(kept: Kept, tmp_path: Path) -> None:
    contents = {**kept.record.recording.copy.contents, "video": []}  # type: ignore[union-attr]
    recorded_ = replace(kept.record.recording, copy=replace(kept.record.recording.copy, contents=contents))  # type: ignore[type-var]
    target = made(Kept(replace(kept.record, recording=recorded_), kept.store), MARKED, tmp_path)
    with av.open(str(target)) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (0, 1 + len(CHANNELS))


def test_copies_that_are_not_what_they_should_be_make_no_film(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="no camera"):
        made(kept, replace(PLAIN, camera="other"), tmp_path)
    broken = Folder(tmp_path / "broken")
    for path in kept.store.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            key = path.relative_to(kept.store.root).as_posix()
            broken.put(key, b"no fMP4" + data[7:] if key.endswith("mix.mp4") else data)
    with pytest.raises(Damaged, match="cannot be read"):
        made(Kept(kept.record, broken), PLAIN, tmp_path)


@pytest.mark.parametrize("language", WORDS)
def test_chapters_follow_each_other_to_the_end(kept: Kept, language: str) -> None:
    found = list(chapters(kept.record, WORDS[language]))
    assert found[0]["start"] == 0
    assert found[-1]["end"] == END_MS
    assert all(one["end"] == other["start"] for one, other in pairwise(found))


def _packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def _subtitles(path: Path, folder: Path, track: int) -> str:
    target = folder / f"{track}.srt"
    _ffmpeg("-i", str(path), "-map", f"0:s:{track}", str(target))
    return target.read_text()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments], check=True)

"""Access copies of a really recorded hearing: complete, in step, on the recording's time line."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from archive.domain.chain import sha256_hex
from archive.domain.errors import BadInput
from archive.domain.media import Source, SourceKind
from archive.publish.copies import Copies, make_copies, upload
from archive.publish.finished import prefix_of, read_copies
from archive.publish.fragments import fragment_index
from archive.publish.plan import make_plan
from archive.publish.reading import units
from archive.publish.thumbnails import Thumbnails
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

AV_OFFSET_S = 0.040
RATE = 48_000


def frames(path: Path, tool: Any) -> list[tuple[float, int | None]]:
    """(time on the recording's time line, frame number) of every picture of an fMP4."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.reformat(format="gray").planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            assert frame.time is not None
            found.append((frame.time, tool.read_number(luma)))
    return found


def sound(path: Path, end_s: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The sound of an fMP4 as one line of 48 kHz samples from nought to `end_s`, holes as silence."""
    line = np.zeros(int(end_s * RATE) + RATE, np.float32)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            assert frame.time is not None
            at = round(frame.time * RATE)
            pcm = frame.to_ndarray()[0]
            line[at : at + len(pcm)] = pcm
    return line


def pitch(line: np.ndarray[Any, np.dtype[np.float32]], at_s: float) -> float:
    """The strongest frequency in the 150 ms from `at_s`."""
    part = line[int(at_s * RATE) : int((at_s + 0.15) * RATE)]
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part)), RATE))))


def onset(line: np.ndarray[Any, np.dtype[np.float32]], near_s: float) -> float:
    """When the tone that is due at `near_s` begins."""
    start = int((near_s - 0.3) * RATE)
    return (start + int(np.flatnonzero(np.abs(line[start : start + RATE]) > 0.1)[0])) / RATE


def entries(folder: Path, playlist: str) -> list[tuple[float, str | None, int, int]]:
    """(length, file or None for a gap, offset, size) of a media playlist."""
    text = (folder / playlist).read_text()
    found = []
    for block in re.findall(r"((?:#EXT-X-(?:GAP|PROGRAM|BYTERANGE)[^\n]*\n|#EXTINF[^\n]*\n)+)([^#\n]+)\n", text):
        length = float(re.search(r"#EXTINF:([\d.]+)", block[0])[1])  # type: ignore[index]
        bytes_ = re.search(r"BYTERANGE:(\d+)@(\d+)", block[0])
        file = str((Path(playlist).parent / block[1]).as_posix()) if bytes_ else None
        found.append((length, file, int(bytes_[2]) if bytes_ else 0, int(bytes_[1]) if bytes_ else 0))
    return found


def playlists(copies: Copies) -> list[str]:
    return sorted(p for p in copies.contents["files"] if p.endswith(".m3u8") and p != "master.m3u8")


@pytest.mark.parametrize(
    "harm", [b"{}", b"[]", b"\xff", b'{"format":2,"made_from":"ab","contents":{"files":{}}}', b"", None]
)
def test_a_set_that_is_not_whole_is_not_taken_over(copies: Copies, tmp_path: Path, harm: bytes | None) -> None:
    store = Folder(tmp_path)
    assert upload(copies, store, prefix_of(RECORDING, 3))
    (found,) = read_copies(store, RECORDING)
    assert found == (3, copies.made_from, f"{RECORDING}/media/v3/", copies.contents, "")
    if harm is None:
        (tmp_path / found.prefix / "poster.jpg").unlink()
    else:
        (tmp_path / found.prefix / "copies.json").write_bytes(harm)
    assert read_copies(store, RECORDING) == []


def test_every_recorded_frame_is_shown_once_at_its_time(copies: Copies, tool: Any) -> None:
    shown = frames(copies.folder / "cam" / "_video.mp4", tool)
    expected = [
        (offset / 1000 + n / FPS, offset * FPS // 1000 + n)
        for offset, length in CAM_RUNS
        for n in range(length * FPS // 1000)
    ]
    assert [number for _, number in shown] == [number for _, number in expected]
    assert max(abs(a - b) for (a, _), (b, _) in zip(shown, expected, strict=True)) < 0.001


def test_a_long_camera_lies_in_several_files(
    copies: Copies, hearing: Hearing, tmp_path: Path, tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.publish.rendition.LARGEST_FILE", 200_000)
    (tmp_path / "copies").mkdir()
    split = make_copies(hearing.plan, hearing.store, tmp_path / "copies", tmp_path / "segment")
    files = sorted(path for path in split.contents["files"] if re.fullmatch(r"cam/_video(\.\d+)?\.mp4", path))
    assert len(files) > 2
    whole = frames(copies.folder / "cam" / "_video.mp4", tool)
    parts = [each for file in files for each in frames(tmp_path / "copies" / file, tool)]
    assert sorted(parts) == whole
    listed = {file for _, file, *_ in entries(tmp_path / "copies", "cam/_video.m3u8")}
    assert listed == {None, *files, "cam/_video.none.mp4"}


def test_every_playlist_lasts_as_long_as_the_recording(copies: Copies, hearing: Hearing) -> None:
    assert len(playlists(copies)) == 6
    for playlist in playlists(copies):
        assert sum(length for length, *_ in entries(copies.folder, playlist)) == pytest.approx(
            hearing.plan.end / 90_000, abs=1e-5
        )


def test_each_byte_range_is_one_fragment_that_plays_where_the_playlist_says(copies: Copies) -> None:
    for playlist in playlists(copies):
        at = 0.0
        for length, file, offset, size in entries(copies.folder, playlist):
            if file is not None:
                path = copies.folder / file
                assert path.read_bytes()[offset + 4 : offset + 8] == b"moof"
                found = next(f for f in fragment_index(path) if f.offset == offset)
                assert found.size == size
                assert found.start / 90_000 == pytest.approx(at, abs=1e-5)
                assert found.duration / 90_000 == pytest.approx(length, abs=0.030)
            at += length


def test_where_nobody_recorded_all_playlists_have_a_gap_and_nowhere_else(copies: Copies) -> None:
    for playlist in playlists(copies):
        at, gaps = 0.0, []
        for length, file, *_ in entries(copies.folder, playlist):
            if file is None:
                gaps.append((at, at + length))
            at += length
        assert len(gaps) == 1
        assert gaps[0] == pytest.approx((18.5, 60.0), abs=0.03)


def test_a_camera_that_is_away_is_shown_black_while_the_sound_goes_on(copies: Copies, tool: Any) -> None:
    black = [time for time, number in frames(copies.folder / "cam" / "_video.none.mp4", tool) if number is None]
    assert black == pytest.approx([0, 8.3, 9.3, 10.3, 11.3, 12.3, 60.0], abs=0.001)
    line = sound(copies.folder / "mix.mp4", 75)
    assert onset(line, 10.12) == pytest.approx(10.12, abs=AV_OFFSET_S)


@pytest.mark.parametrize("rendition", ["mix", *(f"mics/{channel}" for channel in CHANNELS)])
def test_sound_is_in_step_with_the_picture(copies: Copies, rendition: str) -> None:
    line = sound(copies.folder / f"{rendition}.mp4", 75)
    for offset, length in MICS_RUNS:
        for second in range(1, length // 1000):
            due = offset / 1000 + second
            assert onset(line, due) == pytest.approx(due, abs=AV_OFFSET_S)


@pytest.mark.parametrize(("number", "channel"), list(enumerate(CHANNELS)))
def test_each_microphone_has_its_own_sound(copies: Copies, number: int, channel: str) -> None:
    line = sound(copies.folder / "mics" / f"{channel}.mp4", 75)
    for second in (3, 9):
        own = 600 + 50 * ((second + 8 * number) % 32)
        assert pitch(line, 0.12 + second + 0.03) == pytest.approx(own, abs=15)
        assert pitch(line, 60.0 + second + 0.03) == pytest.approx(own, abs=15)


def test_the_mix_holds_all_microphones_and_stays_below_full_scale(copies: Copies) -> None:
    line = sound(copies.folder / "mix.mp4", 75)
    part = line[int(3.15 * RATE) : int(3.30 * RATE)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), RATE))
    for number in range(len(CHANNELS)):
        own = 600 + 50 * ((3 + 8 * number) % 32)
        assert spectrum[own - 10 : own + 10].max() > spectrum.max() / 3
    assert np.abs(line).max() < 1.0


def test_waveforms_show_where_there_is_sound(copies: Copies) -> None:
    for name in ("mix", "mics/witness"):
        wave = json.loads((copies.folder / f"{name}.json").read_text())
        assert wave["per_s"] == 20
        assert len(wave["peaks"]) == 1408
        assert wave["peaks"][20 * 5 + 4] > 0.3  # within the tone of 5.12
        assert wave["peaks"][20 * 5 + 14] < 0.01
        assert max(wave["peaks"][20 * 19 : 20 * 59]) == 0


def test_the_poster_is_a_picture_of_the_camera(copies: Copies) -> None:
    with av.open(str(copies.folder / "poster.jpg")) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (640, 360)
        assert frame.to_ndarray(format="gray").std() > 20


def test_thumbnails_show_what_the_camera_saw_at_their_time(copies: Copies, tool: Any) -> None:
    assert copies.contents["thumbnails"] == "cam/_thumbs.vtt"
    text = (copies.folder / "cam/_thumbs.vtt").read_text()
    cues = re.findall(r"00:(\d\d):(\d\d)\.000 --> \S+\n(\S+)#xywh=(\d+),(\d+),160,90\n", text)
    starts = [int(minute) * 60 + int(second) for minute, second, *_ in cues]
    assert starts == [0, 10, 60]  # nobody recorded from 18.5 to 60; the last key frame is that of 68.4
    assert [(int(x), int(y)) for *_, x, y in cues] == [(0, 0), (160, 0), (320, 0)]
    with av.open(str(copies.folder / "cam" / cues[0][2])) as container:
        sheet = next(container.decode(video=0)).to_ndarray(format="rgb24").mean(axis=2)
    assert sheet.shape == (90, 1600)
    with av.open(str(copies.folder / "cam" / "_video.mp4")) as container:
        keys = [f for f in container.decode(video=0) if f.key_frame]
    for (minute, second, _, x, _), until in zip(cues, (10, 20, 70), strict=True):
        from_s = int(minute) * 60 + int(second)
        shown = next(f for f in keys if f.time is not None and from_s <= f.time < until)
        part = sheet[:, int(x) : int(x) + 160]
        small = (f.reformat(width=160, height=90, format="rgb24").to_ndarray().mean(axis=2) for f in keys)
        off = [np.abs(part - each).mean() for each in small]
        assert keys[int(np.argmin(off))] is shown
        assert min(off) < 12
    assert sheet[:, 496:].max() < 24  # black, but for what JPEG bleeds


def test_a_full_sheet_is_followed_by_another(copies: Copies, hearing: Hearing, tmp_path: Path) -> None:
    placed = next(p for p in hearing.plan.segments if p.segment.source == "cam")
    made = Thumbnails(tmp_path, "t")
    path = hearing.store.root / placed.segment.key
    for unit in units(path, placed):
        if unit.sample.key:
            for slot in range(101):
                made.take(unit._replace(sample=unit.sample._replace(shown=slot * 900_000)))
            break
    made.finish()
    track = (tmp_path / "t.vtt").read_text()
    assert track.count("t.1.jpg#xywh=") == 100
    assert "00:16:40.000 --> 00:16:50.000\nt.2.jpg#xywh=0,0,160,90" in track
    for name, size in (("t.1.jpg", (1600, 900)), ("t.2.jpg", (1600, 90))):
        with av.open(str(tmp_path / name)) as container:
            frame = next(container.decode(video=0))
            assert (frame.width, frame.height) == size


def test_contents_name_every_file_with_its_hash(copies: Copies) -> None:
    contents = copies.contents
    assert [a["id"] for a in contents["audio"]] == ["mix", *(f"mics/{channel}" for channel in CHANNELS)]
    assert contents["video"] == [{"source": "cam", "name": "cam", "thumbnails": "cam/_thumbs.vtt"}]
    named = {contents["master"], contents["poster"], *(a["playlist"] for a in contents["audio"])}
    assert named | {a["peaks"] for a in contents["audio"]} <= contents["files"].keys()
    assert {p.relative_to(copies.folder).as_posix() for p in copies.folder.rglob("*") if p.is_file()} == set(
        contents["files"]
    )
    assert contents["files"]["mix.m3u8"]["content_type"] == "application/vnd.apple.mpegurl"


def test_made_again_the_copies_are_the_same_bytes(copies: Copies, hearing: Hearing, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    again = make_copies(hearing.plan, hearing.store, tmp_path / "again", tmp_path / "segment")
    assert again.contents == copies.contents
    store = Folder(tmp_path / "derived")
    assert upload(copies, store, "x/")
    assert upload(again, store, "x/")
    (tmp_path / "derived" / "x" / "mix.mp4").write_bytes(b"of another program")
    assert not upload(again, store, "x/")


@pytest.mark.parametrize("harm", ["flipped", "absent", "nonsense"])
def test_a_broken_segment_is_a_hole_and_the_rest_is_published(
    hearing: Hearing, tmp_path: Path, tool: Any, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    victim = next(p for p in hearing.plan.segments if p.segment.key == "cam/3-000000.mp4")
    store = Folder(tmp_path / "evidence")
    plan = hearing.plan
    for placed in plan.segments:
        store.put(placed.segment.key, hearing.store.root / placed.segment.key)
    path = store.root / victim.segment.key
    if harm == "absent":
        path.unlink()
    elif harm == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        path.write_bytes(b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n")
        signed = replace(victim.segment, sha256=sha256_hex(path.read_bytes()))
        segments = tuple(replace(p, segment=signed) if p is victim else p for p in plan.segments)
        plan = replace(plan, segments=segments)
    (tmp_path / "copies").mkdir()
    with caplog.at_level(logging.WARNING):
        made = make_copies(plan, store, tmp_path / "copies", tmp_path / "segment")
    assert made.unreadable == (victim.segment.seq,)
    assert [r.getMessage()[:7] for r in caplog.records] == ["PUB-001"]
    numbers = [n for _, n in frames(made.folder / "cam" / "_video.mp4", tool)]
    lost = set(range(60_400 * FPS // 1000, 60_400 * FPS // 1000 + 150))
    assert len(numbers) == 450
    assert not lost & set(numbers)
    assert sum(length for length, *_ in entries(made.folder, "cam/_video.m3u8")) == pytest.approx(70.4, abs=1e-4)


def test_without_a_camera_the_mix_is_the_variant(hearing: Hearing, tmp_path: Path) -> None:
    segments = [s for s in hearing.segments if s.source == "mics"]
    plan = make_plan(RECORDING, "cd" * 32, ZERO, SOURCES[1:], segments)
    (tmp_path / "copies").mkdir()
    made = make_copies(plan, hearing.store, tmp_path / "copies", tmp_path / "segment")
    master = (made.folder / "master.m3u8").read_text().splitlines()
    assert master[-1] == "mix.m3u8"
    assert made.contents["video"] == []
    assert made.contents["poster"] is None


def test_flac_microphones_are_encoded_for_browsers(tmp_path: Path, tool: Any) -> None:
    store = Folder(tmp_path / "evidence")
    args = microphones(tool, 8_000)
    args[args.index("aac")] = "flac"
    del args[args.index("-b:a") :]
    segments = record_run(store, "mics", 1, 500, args, 0)
    plan = make_plan(RECORDING, "cd" * 32, ZERO, [Source("mics", SourceKind.AUDIO, CHANNELS)], segments)
    (tmp_path / "copies").mkdir()
    made = make_copies(plan, store, tmp_path / "copies", tmp_path / "segment")
    line = sound(made.folder / "mics" / "witness.mp4", 10)
    assert onset(line, 2.5) == pytest.approx(2.5, abs=AV_OFFSET_S)
    assert pitch(line, 3.53) == pytest.approx(600 + 50 * (3 + 24), abs=15)


def test_reordered_pictures_keep_their_times(tmp_path: Path, tool: Any) -> None:
    """A camera's own encoder may use B-frames."""
    store = Folder(tmp_path / "evidence")
    graph = tool.lavfi_video(FPS, "640x360", 0)
    codec = ["-c:v", "libx264", "-bf", "3", "-b_strategy", "0", "-g", "50", "-pix_fmt", "yuv420p"]
    segments = record_run(store, "cam", 1, 200, ["-i", graph, "-t", "14", *codec], 0)
    plan = make_plan(RECORDING, "cd" * 32, ZERO, SOURCES[:1], segments)
    (tmp_path / "copies").mkdir()
    made = make_copies(plan, store, tmp_path / "copies", tmp_path / "segment")
    shown = frames(made.folder / "cam" / "_video.mp4", tool)
    assert [number for _, number in shown] == list(range(350))
    steps = [round((b - a) * 1000) for (a, _), (b, _) in pairwise(shown)]
    assert set(steps) == {40}
    first = fragment_index(made.folder / "cam" / "_video.mp4")[0]  # the encoder holds two pictures back
    assert first.start / 90_000 == pytest.approx(0.2 + 2 / FPS, abs=0.001)
    assert made.contents["audio"] == []


def test_a_camera_with_other_parameters_gets_a_file_and_header_of_its_own(tmp_path: Path, tool: Any) -> None:
    store = Folder(tmp_path / "evidence")
    segments = []
    for run, size in enumerate(("640x360", "480x272", "640x360"), start=1):
        graph = tool.lavfi_video(FPS, size, (run - 1) * 5 * FPS)
        args = ["-i", graph, "-t", "5", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "50"]
        segments += record_run(store, "cam", run, (run - 1) * 5_000, args, len(segments))
    plan = make_plan(RECORDING, "cd" * 32, ZERO, SOURCES[:1], segments)
    (tmp_path / "copies").mkdir()
    made = make_copies(plan, store, tmp_path / "copies", tmp_path / "segment")
    files = [f"cam/_video{n}.mp4" for n in ("", ".2", ".3")]
    assert set(files) <= made.contents["files"].keys()
    assert [n for file in files for _, n in frames(made.folder / file, tool)] == list(range(375))
    assert (made.folder / "cam" / "_video.m3u8").read_text().count("#EXT-X-MAP") == 3


def test_a_camera_with_a_microphone_of_its_own(tmp_path: Path, tool: Any) -> None:
    store = Folder(tmp_path / "evidence")
    inputs = ["-i", tool.lavfi_video(FPS, "640x360", 0), "-f", "lavfi", "-i", tool.lavfi_audio(0)]
    codec = ["-c:v", "libx264", "-tune", "zerolatency", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    segments = record_run(store, "cam", 1, 1_000, [*inputs, *codec, "-t", "8"], 0)
    plan = make_plan(RECORDING, "cd" * 32, ZERO, [Source("cam", SourceKind.CAMERA, ("room",), True)], segments)
    (tmp_path / "copies").mkdir()
    made = make_copies(plan, store, tmp_path / "copies", tmp_path / "segment")
    assert [a["id"] for a in made.contents["audio"]] == ["mix", "cam/room"]
    times = {n: time for time, n in frames(made.folder / "cam" / "_video.mp4", tool)}
    for name in ("mix", "cam/room"):
        line = sound(made.folder / f"{name}.mp4", 12)
        for second in range(1, 8):
            assert onset(line, 1 + second) == pytest.approx(times[second * FPS], abs=AV_OFFSET_S)


def test_nothing_at_all_is_published_as_nothing(tmp_path: Path) -> None:
    plan = make_plan(RECORDING, "cd" * 32, ZERO, SOURCES, [])
    (tmp_path / "copies").mkdir()
    made = make_copies(plan, Folder(tmp_path), tmp_path / "copies", tmp_path / "segment")
    assert made.contents["master"] is None
    assert made.contents["files"] == {}


def test_names_that_leave_the_folder_are_refused() -> None:
    with pytest.raises(BadInput):
        make_plan(RECORDING, "cd" * 32, ZERO, [Source("mics", SourceKind.AUDIO, ("../judge",))], [])

"""The live copy: what the segments hold comes out at its place, once, and what was told is never told anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.domain.errors import NotFound
from archive.domain.media import TICKS_PER_S, Source, SourceKind
from archive.publish.codecs import samples_of
from archive.publish.fragments import Fragment, fragment_index
from archive.publish.live_catalogue import LiveRecording
from archive.publish.live_copy import Copy, Rendition, mix_of, picture_of
from archive.publish.live_line import LiveLine
from archive.publish.live_parts import Parts
from archive.publish.live_playlists import Line, live_playlist
from archive.publish.plan import StoredSegment
from archive.publish.shared import Shared
from tests.publish.hearing import (
    CHANNELS,
    RECORDING,
    SOURCES,
    ZERO,
    Folder,
    Hearing,
    record_run,
)

CAMERA, MIX = picture_of(SOURCES[0]), mix_of(SOURCES)
MICROPHONES = [Rendition(f"mics/{name}", ("mics",), track) for track, name in enumerate(CHANNELS)]
S = TICKS_PER_S


class Counted(Folder):
    """A store that counts what is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []

    @contextmanager
    def open_range(self, key: str, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        self.opened.append(key)
        with super().open_range(key, start, length) as body:
            yield body


@dataclass
class Watched:
    """A live copy of segments that arrived."""

    copy: Copy
    parts: Parts

    def file(self, rendition: Rendition, name: str) -> bytes:
        if name.endswith(".init.mp4"):
            return self.parts.header(self.copy, rendition, name.split(".")[0])
        if name.startswith("none-"):
            return self.parts.filler(self.copy, rendition, int(name[5:-4]))
        make = self.parts.encoded if rendition.encoded else self.parts.own
        return make(self.copy, rendition, int(name[:-4]))

    def written(self, rendition: Rendition, folder: Path) -> list[tuple[str, Path, list[Line]]]:
        """One file for the lines that follow each other with one header, as a player appends them."""
        made = []
        groups = groupby(self.copy.lines(rendition), key=lambda line: (line.stretch, line.header))
        for number, ((_, header), lines) in enumerate(groups):
            told, path = list(lines), folder / f"{rendition.stem.replace('/', '-')}-{number}.mp4"
            path.write_bytes(b"".join(self.file(rendition, name) for name in (header, *(x.file for x in told))))
            made.append((header, path, told))
        return made


def watched(store: Folder, segments: list[StoredSegment], sources: tuple[Source, ...] = SOURCES) -> Watched:
    """The copy after all have arrived, in this order, and the recording has been closed."""
    line = LiveLine([source.name for source in sources])
    for segment in segments:
        line.take(segment)
    line.close()
    recording = LiveRecording(RECORDING, ZERO, sources, True)
    return Watched(Copy(recording, line, known=set()), Parts(store, Shared(64 << 20)))


def arrival(segments: tuple[StoredSegment, ...]) -> list[StoredSegment]:
    return sorted(segments, key=lambda s: s.start_ms + s.duration_ticks // 90)


@pytest.fixture(scope="module")
def live(hearing: Hearing) -> Watched:
    return watched(hearing.store, arrival(hearing.segments))


def packets(path: Path, kind: str, track: int = 0) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[track]
        return [bytes(p) for p in container.demux(stream) if p.size]


@pytest.mark.parametrize("rendition", [CAMERA, *MICROPHONES], ids=lambda r: r.stem)
def test_every_packet_comes_out_once_where_it_belongs(
    live: Watched, hearing: Hearing, rendition: Rendition, tmp_path: Path
) -> None:
    kind = "video" if rendition.track is None else "audio"
    stored = [s for s in hearing.segments if s.source == rendition.sources[0]]
    given_ = [p for s in stored for p in packets(hearing.store.root / s.key, kind, rendition.track or 0)]
    runs, told = [], []
    for header, path, lines in live.written(rendition, tmp_path):
        _check_times(fragment_index(path), lines, 0 if kind == "video" else 2_000)
        frames = _decoded(path, kind)
        if header != "none.init.mp4":
            told += packets(path, kind)
            runs.append(header)
            assert frames == len(packets(path, kind))
    assert told == given_
    assert runs == sorted({f"{s.run}.init.mp4" for s in stored})


def _check_times(found: list[Fragment], lines: list[Line], tolerance: int) -> None:
    """Parts follow each other to the tick, and begin where the playlist says."""
    assert len(found) == len(lines)
    assert all(a.start + a.duration == b.start for a, b in pairwise(found))
    assert all(abs(f.start - line.span.start) <= tolerance for f, line in zip(found, lines, strict=True))


def _decoded(path: Path, kind: str) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(getattr(container.streams, kind)[0]))


def test_parts_are_the_same_bytes_each_time(live: Watched, hearing: Hearing) -> None:
    again = watched(hearing.store, arrival(hearing.segments))
    for rendition in (CAMERA, MICROPHONES[2], MIX):
        for line in live.copy.lines(rendition):
            assert live.file(rendition, line.file) == again.file(rendition, line.file)


def test_all_playlists_have_the_same_holes_and_lengths(live: Watched) -> None:
    told = {r.stem: live_playlist(live.copy.lines(r), "x", ZERO, True) for r in (CAMERA, *MICROPHONES, MIX)}
    for text in told.values():
        stretches = text.split("#EXT-X-DISCONTINUITY\n")
        lengths = [sum(map(float, re.findall(r"#EXTINF:([\d.]+),", part))) for part in stretches]
        assert lengths == pytest.approx([18.5, 10.4], abs=0.03)
        dates = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", text)
        assert dates == ["2026-09-14T05:15:00.123Z", "2026-09-14T05:16:00.123Z"]
        assert "#EXT-X-PLAYLIST-TYPE:EVENT\n" in text
        assert text.endswith("#EXT-X-ENDLIST\n")
        assert "#EXT-X-TARGETDURATION:8\n" in text
    assert "none-747000.m4s" in told["cam/_video"]  # 8.3 s: the camera is away, the others go on


# --- sound without clicks ----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["aac", "flac"])
def tone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """20 s of one tone in segments."""
    store = Folder(tmp_path_factory.mktemp("tone"))
    codec = ["-c:a", request.param, *(["-b:a", "128k"] if request.param == "aac" else ["-strict", "-2"])]
    graph = ["-i", "sine=frequency=440:sample_rate=48000:duration=20", *codec]
    found = record_run(store, "mics", 1, 0, graph, 0)
    return watched(store, found, (Source("mics", SourceKind.AUDIO, ("judge",)),))


@pytest.mark.parametrize("stem", ["mix", "mics/judge"])
def test_a_tone_has_no_click_between_parts(tone: Watched, stem: str, tmp_path: Path) -> None:
    codec = tone.parts.codec(tone.copy, "mics", 0)
    assert codec is not None
    plain = Rendition(stem, ("mics",), 0, encoded=codec.format is None)
    rendition = mix_of(tone.copy.recording.sources) if stem == "mix" else plain
    [(_, path, lines)] = tone.written(rendition, tmp_path)
    with av.open(str(path)) as container:
        pcm = np.concatenate([f.to_ndarray()[0] for f in container.decode(container.streams.audio[0])])
    # of a pure tone the next sample follows from the two before it; what differs was not in it
    off = np.abs(pcm[2:] - 2 * np.cos(2 * np.pi * 440 / 48_000) * pcm[1:-1] + pcm[:-2])
    spans = [line.span for line in lines[1:]] + [piece.span for piece in tone.copy.pieces("mics")[1:]]
    borders = [samples_of(span.start) for span in spans]
    near = np.zeros(len(off), bool)
    for border in borders:
        near[border - 3_000 : border + 3_000] = True
    near[:4_096] = near[-4_096:] = False
    calm = ~near
    calm[:4_096] = calm[-4_096:] = False
    assert len(borders) >= 3
    assert np.abs(pcm[48_000:96_000]).max() > 0.1
    assert off[near].max() < 2 * off[calm].max() + 1e-4


# --- growing -----------------------------------------------------------------------------------------

RUNS = st.lists(st.tuples(st.integers(-500, 90_000), st.integers(1, 6)), min_size=1, max_size=4)


@given(cam=RUNS, mics=RUNS, delays=st.lists(st.integers(0, 20_000), min_size=48, max_size=48), lost=st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_what_was_told_stays(
    cam: list[tuple[int, int]], mics: list[tuple[int, int]], delays: list[int], lost: int
) -> None:
    """Whatever comes late, twice over or never: playlists only get longer, and all end together."""
    segments = [*_segments("cam", cam, 0), *_segments("mics", mics, 100)]
    segments = [s for n, s in enumerate(segments) if n != lost]
    order = sorted(zip(segments, delays, strict=False), key=lambda p: p[0].start_ms + 6_000 + p[1])
    line = LiveLine(["cam", "mics"])
    copy = Copy(LiveRecording(RECORDING, ZERO, SOURCES, False), line)
    renditions = (CAMERA, MICROPHONES[0], MIX)
    told: list[list[Line]] = [[] for _ in renditions]
    for segment, _ in order:
        line.take(segment)
        told = [_grown(before, copy.lines(r)) for before, r in zip(told, renditions, strict=True)]
    line.close()
    told = [_grown(before, copy.lines(r)) for before, r in zip(told, renditions, strict=True)]
    for lines in told:
        for a, b in pairwise(lines):
            assert a.span.end == b.span.start if a.stretch == b.stretch else a.span.end < b.span.start
        assert [x.span.end for x in lines[-1:]] == [line.reach] * bool(lines)
    assert line.reach == 0 or all(told)


def _segments(source: str, runs: list[tuple[int, int]], seq: int) -> list[StoredSegment]:
    found, at_ms = [], 0
    for run, (after_ms, count) in enumerate(runs, start=1):
        at_ms = max(0, at_ms + after_ms)
        for n in range(count):
            number = seq + len(found)
            found.append(StoredSegment(number, source, run, "k", "", 1, n * 6 * S, 6 * S, at_ms + n * 6_000))
        at_ms += count * 6_000
    return found


def _grown(before: list[Line], now: list[Line]) -> list[Line]:
    assert now[: len(before)] == before
    return now


def test_a_dead_camera_does_not_stop_the_others() -> None:
    line = LiveLine(["cam", "mics"])
    line.take(_segments("cam", [(0, 1)], 0)[0])
    for n, segment in enumerate(_segments("mics", [(0, 20)], 100)):
        line.take(segment)
        assert line.tracks["mics"].reach == (n + 1) * 6 * S
        assert line.tracks["cam"].reach >= min((n + 1) * 6 * S, max(6 * S, (n + 1) * 6 * S - 21 * S))
    assert [p.placed is None for p in line.tracks["cam"].pieces][:3] == [False, True, True]


def test_a_camera_that_is_behind_is_waited_for() -> None:
    line = LiveLine(["cam", "mics"])
    cam, mics = _segments("cam", [(0, 2)], 0), _segments("mics", [(0, 5)], 100)
    for segment in (cam[0], *mics[:4], cam[1], mics[4]):  # it comes 12 s after the others' of the same time
        line.take(segment)
    assert [p.placed is not None for p in line.tracks["cam"].pieces[:2]] == [True, True]


def test_after_a_pause_nobody_is_left_out() -> None:
    """The one whose first segment arrives later is not black for its length."""
    line = LiveLine(["cam", "mics"])
    for segment in (*_segments("cam", [(0, 2)], 0), *_segments("mics", [(0, 2)], 100)):
        line.take(segment)
    back = [_segments(name, [(0, 2), (300_000 + late, 1)], 50)[-1] for name, late in (("mics", 400), ("cam", 0))]
    line.take(back[0])
    assert len(line.stretches) == 1
    line.take(back[1])
    assert [s.start for s in line.stretches] == [0, 312 * S]
    assert line.tracks["cam"].pieces[-1].placed is not None
    assert [p.span.end - p.span.start for p in line.tracks["mics"].pieces[-2:]] == [400 * 90, 6 * S]


def test_a_drifting_clock_is_followed() -> None:
    """A camera that is 100 parts in a million slow: after an hour its pictures are 360 ms later than it counts."""
    line = LiveLine(["cam"])
    for n in range(600):
        line.take(StoredSegment(n, "cam", 1, "k", "", 1, n * 6 * S, 6 * S, n * 6_000, n * 6 // 10))
    assert line.reach / S == pytest.approx(3600.36, abs=0.03)


# --- bad input, many viewers ---------------------------------------------------------------------------


def test_an_altered_segment_becomes_a_gap(hearing: Hearing) -> None:
    order = arrival(hearing.segments)
    second = next(n for n, s in enumerate(order) if s.source == "cam" and s.start_ticks)
    order[second] = replace(order[second], sha256="00" * 32)
    live = watched(hearing.store, order)
    with pytest.raises(NotFound):
        live.file(CAMERA, f"{order[second].seq}.m4s")
    lost = [line.file for line in live.copy.lines(CAMERA) if line.lost]
    assert lost == [f"{order[second].seq}.m4s"]
    text = live_playlist(live.copy.lines(CAMERA), "_video", ZERO, True)
    assert re.search(r"#EXT-X-GAP\n#EXTINF:[\d.]+,\n_video/" + re.escape(lost[0]), text)


def test_many_viewers_cost_one_reading(hearing: Hearing) -> None:
    store = Counted(hearing.store.root)
    live = watched(store, arrival(hearing.segments))
    second = next(s for s in hearing.segments if s.source == "mics" and s.start_ticks)
    asked = [rendition for rendition in MICROPHONES for _ in range(5)]
    with ThreadPoolExecutor(len(asked)) as pool:
        made = list(pool.map(lambda r: live.file(r, f"{second.seq}.m4s"), asked))
    assert len(set(made)) == len(MICROPHONES)
    assert store.opened == [second.key]
    for line in live.copy.lines(MIX)[1:2]:  # half of it lies in the segment that is known already
        live.file(MIX, line.file)
    assert len(store.opened) <= 4


def test_what_is_kept_stays_within_its_bound() -> None:
    shared = Shared(1_000)
    for n in range(50):
        shared.get(n, lambda: b"x" * 300, len)
    assert shared.total_bytes <= 1_000
    made: list[int] = []
    shared.get(49, lambda: made.append(1) or b"", len)
    shared.get(0, lambda: made.append(0) or b"", len)
    assert made == [0]

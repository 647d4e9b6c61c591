"""A small hearing, really recorded: FFmpeg writes segments with the recorder's flags.

    cam   run 1  0.30 …  8.30   run 2  12.50 … 18.50      (nothing)       run 3  60.40 … 70.40
    mics  run 1  0.12 … 18.12                             (nothing)       run 2  60.00 … 70.00

So the camera is away from 8.3 to 12.5 while the microphones go on, and nobody records from 18.5 to 60.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import av
import imageio_ffmpeg

from archive.domain.errors import NotFound, StoreRefused
from archive.domain.media import Source, SourceKind
from archive.publish.plan import Plan, StoredSegment, make_plan
from archive.storage.port import StoredObject

ZERO = datetime(2026, 9, 14, 5, 15, 0, 123_000, tzinfo=UTC)
RECORDING = "20260914-051500-1f3a9c02"
CHANNELS = ("judge", "claimant", "respondent", "witness")
SOURCES = (Source("cam", SourceKind.CAMERA, (), True), Source("mics", SourceKind.AUDIO, CHANNELS))
CAM_RUNS = ((300, 8_000), (12_500, 6_000), (60_400, 10_000))  # offset and length, ms
MICS_RUNS = ((120, 18_000), (60_000, 10_000))
FPS = 25
_FLAGS = "movflags=+delay_moov+default_base_moof+frag_discont:frag_duration=400000:flush_packets=1"
_SEGMENTS = ["-f", "segment", "-segment_time", "6", "-segment_format", "mp4", "-reset_timestamps", "0"]
_SEGMENTS += ["-segment_format_options", _FLAGS]
_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "50", "-pix_fmt", "yuv420p"]


def load_tool(path: Path) -> Any:
    """The continuity checker as a module."""
    spec = importlib.util.spec_from_file_location("continuity", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Folder:
    """Objects as files, for tests of media alone; the tests of the task use a real store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/octet-stream",
        retain_until: datetime | None = None,
        sha256: str | None = None,
    ) -> bool:
        data = body if isinstance(body, bytes) else body.read_bytes()
        target = self.root / key
        if target.exists():
            if target.read_bytes() != data:
                raise StoreRefused(key)
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return True

    def head(self, key: str) -> StoredObject:
        if not (self.root / key).is_file():
            raise NotFound(key)
        return StoredObject(key, (self.root / key).stat().st_size, {})

    @contextmanager
    def open_range(self, key: str, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        self.head(key)
        with (self.root / key).open("rb") as file:
            file.seek(start)
            yield file

    def list(self, prefix: str) -> Iterator[StoredObject]:
        keys = sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())
        yield from (self.head(key) for key in keys if key.startswith(prefix))

    def sign_url(self, key: str, expires: timedelta) -> str:
        return (self.root / key).as_uri()


@dataclass(frozen=True, slots=True)
class Hearing:
    """The recorded segments, their store, and the plan to publish them."""

    store: Folder
    segments: tuple[StoredSegment, ...]
    plan: Plan


def record_hearing(root: Path, tool: Any) -> Hearing:
    """Record the hearing of this module's picture under `root`."""
    store = Folder(root)
    segments: list[StoredSegment] = []
    for run, (offset, length) in enumerate(CAM_RUNS, start=1):
        graph = tool.lavfi_video(FPS, "640x360", offset * FPS // 1000)
        segments += record_run(
            store, "cam", run, offset, ["-i", graph, "-t", str(length / 1000), *_X264], len(segments)
        )
    for run, (offset, length) in enumerate(MICS_RUNS, start=1):
        segments += record_run(store, "mics", run, offset, microphones(tool, length), len(segments))
    return Hearing(store, tuple(segments), make_plan(RECORDING, "ab" * 32, ZERO, SOURCES, segments))


def microphones(tool: Any, length_ms: int) -> list[str]:
    """Four microphones, each with its own pitches: 8 steps of 50 Hz apart."""
    tones = [tool.lavfi_audio(8 * n) for n in range(len(CHANNELS))]
    graph = ";".join(f"{tone}[t{n}]" for n, tone in enumerate(tones))
    outs = "".join(f";[t{n}]anull[out{n}]" for n in range(len(tones)))
    maps = [arg for n in range(len(tones)) for arg in ("-map", f"0:a:{n}")]
    return ["-i", graph + outs, *maps, "-t", str(length_ms / 1000), *["-c:a", "aac", "-b:a", "96k"]]


def record_run(store: Folder, source: str, run: int, offset_ms: int, args: list[str], seq: int) -> list[StoredSegment]:
    """One FFmpeg run of a lavfi source; its segments with what the chain would say of them."""
    folder = store.root / source
    folder.mkdir(parents=True, exist_ok=True)
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-v", "error", "-y", "-f", "lavfi", *args, *_SEGMENTS, str(folder / f"{run}-%06d.mp4")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    found = []
    for path in sorted(folder.glob(f"{run}-*.mp4")):
        found.append(_segment(path, source, run, offset_ms, seq + len(found)))
    return found


def _segment(path: Path, source: str, run: int, offset_ms: int, seq: int) -> StoredSegment:
    data = path.read_bytes()
    with av.open(str(path)) as container:
        stream = container.streams[0]
        assert stream.start_time is not None
        assert stream.time_base is not None
        assert container.duration is not None
        ends = [p.pts + p.duration for p in container.demux(stream) if p.pts is not None and p.duration is not None]
        start, end = (round(v * stream.time_base * 90_000) for v in (stream.start_time, max(ends)))
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"{source}/{path.name}"
    return StoredSegment(seq, source, run, key, sha256, len(data), start, end - start, offset_ms + start // 90)

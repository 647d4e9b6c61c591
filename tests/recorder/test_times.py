"""Times in the chain: who sets the wall clock moves nothing; picture and sound of different sources are in step."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from archive.domain.media import Source, SourceKind, StopReason
from archive.domain.wall import parse_iso
from archive.signing import Signer
from archive.verify import verify
from config.clock import SystemClock, TiedClock
from config.settings import Recording as RecordingOptions
from config.settings import Settings
from recorder.alarms import AlarmBook
from recorder.folder import Folder
from recorder.lead import AAC_LEAD_TICKS, lead_ticks
from recorder.plan import plan_sources
from recorder.process import Progress
from recorder.program import ffmpeg_program
from recorder.recording import CLOCK_SET_S, Origin, Recording
from recorder.run import Run, RunPlan
from tests.recorder.console import chain
from tests.waiting import wait_for

SOURCES = {"cam": "lavfi:testsrc2=s=160x90:r=25", "mics": "lavfi:sine=440"}


class Setting(SystemClock):
    """The machine's clocks, with a wall clock that a test sets and a steady clock that it hurries."""

    def __init__(self) -> None:
        self.set_by = timedelta(0)
        self.hurried_s = 0.0

    def utc(self) -> datetime:
        return super().utc() + self.set_by

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.hurried_s


class Still:
    """Clocks that stand where they are put."""

    def __init__(self) -> None:
        self.wall, self.steady_s = datetime(2026, 12, 31, 23, 59, 58, tzinfo=UTC), 100.0

    def utc(self) -> datetime:
        return self.wall

    def monotonic_s(self) -> float:
        return self.steady_s

    def sleep(self, seconds: float) -> None:
        self.on(seconds)

    def on(self, seconds: float) -> None:
        """Time goes by."""
        self.wall += timedelta(seconds=seconds)
        self.steady_s += seconds


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, -30.0, -1.0])
def test_a_step_is_told_once_and_moves_no_time(step_s: float) -> None:
    """An hour for a wrong time zone, 30 s back by a time server, the second that a leap second takes back."""
    clock = Still()
    tied = TiedClock(clock)
    begun = tied.utc()
    clock.on(7.0)
    assert tied.step_ms(500) == 0
    clock.wall += timedelta(seconds=step_s)
    assert tied.step_ms(500) == step_s * 1000
    assert tied.step_ms(500) == 0
    clock.on(2.0)
    assert tied.utc() - begun == timedelta(seconds=9)
    assert tied.moment_s(tied.at(104.5)) == 104.5


def test_a_clock_that_is_steered_is_no_step_until_it_has_gone_half_a_second() -> None:
    clock = Still()
    tied = TiedClock(clock)
    told = 0
    for _ in range(100):
        clock.on(1.0)
        clock.wall += timedelta(milliseconds=20)
        told += tied.step_ms(500)
    assert told == 2000


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A recording of two sources during which the clock is set four times and FFmpeg is killed after two of them."""
    clock, settings = Setting(), Settings()
    alarms, codes = AlarmBook(clock), list[str]()
    planned = plan_sources(SOURCES, {}, ffmpeg_program(settings), print)
    parent = tmp_path_factory.mktemp("stepped")
    recording = Recording(parent, planned, Origin("room-1", "a"), Signer.generate(), settings, clock, alarms=alarms)
    begun_s = time.monotonic()
    recording.start()

    def until(seconds: float) -> None:
        while time.monotonic() - begun_s < seconds:
            recording.tick()
            codes.extend(alarm.code for alarm in alarms.now())
            time.sleep(0.02)

    for number, step_s in enumerate([3600, -3600, -30, -1]):
        until(2.0 + number * 1.5)
        clock.set_by += timedelta(seconds=step_s)
        until(2.1 + number * 1.5)
        if number in (1, 2):
            _ffmpeg_of(list(SOURCES)[number - 1]).kill()
    until(8.5)
    length_s = time.monotonic() - begun_s
    seen = {alarm.code for alarm in alarms.now()}
    clock.hurried_s, clock.set_by = CLOCK_SET_S + 1, clock.set_by + timedelta(seconds=CLOCK_SET_S + 1)
    recording.tick()
    over = {alarm.code for alarm in alarms.now()}
    clock.hurried_s, clock.set_by = 0.0, clock.set_by - timedelta(seconds=CLOCK_SET_S + 1)
    summary = recording.close(StopReason.STOPPED)
    return Path(summary.dir), length_s, seen, over


def _ffmpeg_of(source: str) -> psutil.Process:
    found = psutil.Process().children()
    return next(p for p in found if any(word.startswith(f"{source}/") for word in p.cmdline()))


def test_steps_of_the_wall_clock_are_lines_of_the_chain(stepped: Any) -> None:
    folder, _, seen, over = stepped
    assert verify(folder).ok
    lines = chain(folder, "clock")
    assert [line["step_ms"] for line in lines] == pytest.approx([3_600_000, -3_600_000, -30_000, -1000], abs=100)
    assert [line["at_ms"] for line in lines] == pytest.approx([2000, 3500, 5000, 6500], abs=400)
    assert "REC-008" in seen
    assert "REC-008" not in over
    told = [line["state"] for line in chain(folder, "alarm") if line["code"] == "REC-008"]
    assert told == ["raised", "cleared"]


def test_lengths_and_gaps_are_by_the_steady_clock(stepped: Any) -> None:
    folder, length_s, _, _ = stepped
    times = [parse_iso(line["t"]) for line in chain(folder) if line["kind"] != "alarm"]
    assert times == sorted(times)
    stopped = parse_iso(chain(folder, "run_end")[-1]["t"]) - times[0]
    assert stopped.total_seconds() == pytest.approx(length_s, abs=1.5)
    gaps = [gap for gap in chain(folder, "gap") if gap["cause"] == "killed"]  # a busy machine may also start late
    assert sorted(gap["source"] for gap in gaps) == ["cam", "mics"]
    for gap in gaps:
        missing_s = _length_s(gap)
        recorded_s = sum(s["duration_ticks"] for s in chain(folder, "segment") if s["source"] == gap["source"]) / 90_000
        others_s = sum(_length_s(g) for g in chain(folder, "gap") if g["source"] == gap["source"]) - missing_s
        assert 0 < missing_s < 3
        assert recorded_s + missing_s + others_s == pytest.approx(length_s, abs=1.5)


def _length_s(gap: dict[str, Any]) -> float:
    return (parse_iso(gap["to_utc"]) - parse_iso(gap["from_utc"])).total_seconds()


def test_what_the_encoder_puts_before_the_sound_is_taken_off_the_runs_zero(tmp_path: Path) -> None:
    sound = Source("mics", SourceKind.AUDIO, ("judge",))
    lead_s = lead_ticks(sound, RecordingOptions()) / 90_000
    assert lead_ticks(Source("cam", SourceKind.CAMERA, video=True), RecordingOptions()) == 0
    assert lead_ticks(sound, RecordingOptions(audio_codec="flac")) == 0
    process: Any = SimpleNamespace(progress=Progress(out_s=2.0, zero_s=102.0))
    clock = Still()
    run = Run(RunPlan("mics", 1, True, None, 1.0, lead_s), process, Folder(tmp_path), clock, lambda *_: None)
    assert run.zero_s() == pytest.approx(102.0 - 0.02133, abs=1e-4)
    assert (run.zero() - clock.wall).total_seconds() == pytest.approx(2.0 - 0.02133, abs=1e-4)


def test_a_click_lies_where_it_was_made(tmp_path: Path) -> None:
    """A camera's flash and a microphone's click, each a second after its source's first moment."""
    flash = "lavfi:color=black:s=160x90:r=25,geq=lum='if(gte(T,1),235,16)':cb=128:cr=128"
    click = "lavfi:aevalsrc='if(gte(t,1),0.8*sin(2*PI*1000*t),0)':s=48000"
    settings, clock = Settings(), SystemClock()
    planned = plan_sources({"cam": flash, "mics": click}, {}, ffmpeg_program(settings), print)
    recording = Recording(tmp_path, planned, Origin("room-1", "a"), Signer.generate(), settings, clock, duration_s=3)
    recording.start()
    wait_for(recording.tick, 20, "three seconds")
    folder = Path(recording.close(StopReason.DURATION).dir)
    after_s = {
        "cam": _first(folder / "cam/000001.mp4", lambda frame: frame.to_ndarray(format="gray").mean() > 100),
        "mics": _first(folder / "mics/000001.mp4", None),
    }
    lead_s = {"cam": 0.0, "mics": AAC_LEAD_TICKS / 90_000}
    for source, seconds in after_s.items():
        assert seconds - lead_s[source] == pytest.approx(1.0, abs=0.003), source


def _first(path: Path, bright: Any) -> float:
    """Media time of the first bright picture, or of the first loud sample."""
    import av
    import numpy as np

    with av.open(str(path)) as container:
        for frame in container.decode(video=0) if bright else container.decode(audio=0):
            if bright:
                if bright(frame):
                    return float(frame.time)
                continue
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2)
            if loud.size:
                return float(frame.time) + float(loud[0]) / frame.sample_rate
    raise AssertionError(f"nothing happens in {path}")

"""What keeps a hearing recorded: the memory of what is wanted, the volumes, the locks, the standby."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.errors import Conflict, Unavailable
from archive.domain.media import RunEnd, Source, SourceKind
from archive.signing import Signer
from archive.verify import verify
from config.clock import SystemClock
from config.settings import Agent, Settings
from config.settings import Recording as RecordingOptions
from recorder.address import parse_address
from recorder.alarms import AlarmBook
from recorder.exclusive import Exclusive
from recorder.folder import held
from recorder.keeper import Keeper
from recorder.process import Process
from recorder.rate import Rate, expected_bytes_per_s
from recorder.run import Intent
from recorder.spool import Spool
from recorder.wanted import Wanted
from tests.recorder.console import chain, tyndau
from tests.waiting import wait_for

MOST_AWAY_MS = 4000  # on a busy machine; 0.3 s on an idle one
PICTURE = "lavfi:testsrc2=s=160x90:r=25"


def test_what_is_wanted_is_read_from_whichever_volume_is_left(tmp_path: Path) -> None:
    volumes = [tmp_path / "a", tmp_path / "b"]
    for volume in volumes:
        volume.mkdir()
    wanted = Wanted(volumes)
    assert wanted.read() is None
    wanted.write({"hearing": "h1"})
    for volume in volumes:
        assert json.loads((volume / "wanted.json").read_bytes())["hearing"] == "h1"
    shutil.rmtree(volumes[0])
    wanted.write({"hearing": "h2"})
    volumes[0].mkdir()
    (volumes[0] / "wanted.json").write_text('{"hearing": "h1", "number": 1}')  # the disk is back with what it knew
    found = wanted.read()
    assert found is not None
    assert found["hearing"] == "h2"
    wanted.clear()
    assert wanted.read() is None
    assert not list(tmp_path.rglob("wanted.json"))


def test_a_volume_that_was_away_does_not_bring_a_stopped_hearing_back(tmp_path: Path) -> None:
    volumes = [tmp_path / "a", tmp_path / "b"]
    for volume in volumes:
        volume.mkdir()
    wanted = Wanted(volumes)
    wanted.write({"hearing": "h1"})
    volumes[0].rename(tmp_path / "away")
    wanted.clear()
    (tmp_path / "away").rename(volumes[0])
    assert (volumes[0] / "wanted.json").exists()
    assert wanted.read() is None


def test_no_volume_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="wanted"):
        Wanted([tmp_path / "not" / "there"]).write({"hearing": "h"})


def test_a_volume_is_chosen_that_takes_something(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool([tmp_path / "file" / "under", tmp_path / "second"])
    assert spool.home == tmp_path / "second"
    assert spool.choose(0) == tmp_path / "second"
    with pytest.raises(Unavailable, match="cannot be written"):
        spool.choose(0, but=tmp_path / "second")
    with held(*spool.volumes), pytest.raises(Conflict), ExitStack() as other:
        other.enter_context(held(*spool.volumes))


def test_a_volume_that_failed_comes_last(tmp_path: Path) -> None:
    spool = Spool([tmp_path / "a", tmp_path / "b"])
    assert spool.choose(0) == tmp_path / "a"
    spool.distrust(tmp_path / "a")
    assert spool.choose(0) == tmp_path / "b"
    assert spool.choose(0, but=tmp_path / "b") == tmp_path / "a"


@given(rate=st.integers(1, 10_000_000), looks=st.integers(5, 100))
def test_the_rate_is_that_of_the_last_minutes(rate: int, looks: int) -> None:
    measured = Rate()
    assert measured.bytes_per_s() is None
    for number in range(looks):
        measured.look(100.0 + number * 5, number * 5 * rate)
    assert measured.bytes_per_s() == pytest.approx(rate)


def test_before_anything_is_measured_the_settings_say_what_comes() -> None:
    sources = [Source("cam", SourceKind.CAMERA, ("sound",), True), Source("mics", SourceKind.AUDIO, ("a", "b"))]
    options = RecordingOptions(video_bitrate_kbit=2000, audio_bitrate_kbit=100)
    assert expected_bytes_per_s(sources, options) == (2000 + 300) * 125
    left_s = Spool.seconds_left(Path("/"), 1e6)
    assert left_s is not None
    assert left_s == pytest.approx(shutil.disk_usage("/").free / 1e6, rel=0.01)


@pytest.fixture
def lock_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's runtime folder of this test."""
    monkeypatch.setattr("recorder.exclusive.MACHINE", tmp_path / "run")
    return tmp_path / "run"


def test_one_recorder_a_camera(lock_folder: Path) -> None:
    address = parse_address("cam", "rtsp://user:secret@127.0.0.1:1/main")
    first = Exclusive.take(address)
    with pytest.raises(Conflict, match="another process") as refused:
        Exclusive.take(parse_address("other", "rtsp://somebody:else@127.0.0.1:1/main"), patience_s=0.1)
    assert "secret" not in str(refused.value)
    Exclusive.take(parse_address("cam2", "rtsp://127.0.0.1:1/sub")).give_back()
    Exclusive.take(parse_address("cam3", PICTURE)).give_back()
    first.give_back()
    Exclusive.take(address).give_back()
    assert len(list(lock_folder.iterdir())) == 2


def test_a_camera_that_is_being_recorded_is_refused_in_one_line(home: Path, tmp_path: Path) -> None:
    camera = f"rtsp://user:secret@127.0.0.1:1/{tmp_path.name}"
    taken = Exclusive.take(parse_address("cam", camera))
    answer = tyndau(home, "record", "--source", f"cam={camera}", "--out", str(tmp_path / "out"), "--duration", "5")
    taken.give_back()
    assert answer.code == 1
    assert "is being recorded by another process" in answer.err
    assert "Traceback" not in answer.err
    assert not list(tmp_path.glob("out/*"))


def test_the_lock_lives_as_long_as_whoever_inherited_it(lock_folder: Path) -> None:
    address = parse_address("cam", "rtsp://127.0.0.1:1/main")
    ours = Exclusive.take(address)
    inherited = os.dup(ours.handles[0])
    ours.give_back()
    with pytest.raises(Conflict):
        Exclusive.take(address, patience_s=0.1)
    fcntl.flock(inherited, fcntl.LOCK_UN)
    os.close(inherited)


class Listening:
    """A standby that notes when it listens, and may fail."""

    def __init__(self) -> None:
        self.on: list[bool] = []
        self.fails = False

    def start(self) -> None:
        self.on.append(True)
        if self.fails:
            raise RuntimeError("no sound card")

    def stop(self) -> None:
        self.on.append(False)
        if self.fails:
            raise RuntimeError("no sound card")


@pytest.fixture
def listening() -> Listening:
    return Listening()


@pytest.fixture
def keeper(tmp_path: Path, listening: Listening) -> Iterator[Keeper]:
    """A keeper of one small camera on two volumes."""
    agent = Agent(
        spool=tmp_path / "a", second_spool=tmp_path / "b", key_file=tmp_path / "key", sources={"cam": PICTURE}
    )
    settings = Settings(agent=agent, recording=RecordingOptions(min_free_mb=0))
    clock = SystemClock()
    made = Keeper(settings, Signer.generate(), clock, Spool.of(agent), AlarmBook(clock), listening)
    yield made
    made.park()


def _media(keeper: Keeper) -> bool:
    recording = keeper.recording
    return recording is not None and any(p.stat().st_size for p in recording.folder.path.glob("*/.open/*.part"))


def _until(keeper: Keeper, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        keeper.tick()
        time.sleep(0.02)


def test_whoever_listens_lets_go_before_a_recording_and_listens_again_after_it(
    keeper: Keeper, listening: Listening
) -> None:
    keeper.take_up()
    assert listening.on == [True]
    keeper.start("h")
    assert listening.on == [True, False]
    keeper.stop()
    assert listening.on == [True, False, True]
    listening.fails = True
    keeper.start("h")
    assert keeper.recording is not None
    keeper.stop()


def test_a_pause_survives_the_agent(keeper: Keeper, tmp_path: Path) -> None:
    """A deliberation must not be recorded because the machine was restarted."""
    keeper.start("h")
    wait_for(lambda: _media(keeper), 10, "media")
    keeper.pause("deliberation", "clerk")
    keeper.park()
    first = next(tmp_path.glob("a/2*"))
    keeper.take_up()
    assert keeper.recording is not None
    assert keeper.recording.intent is Intent.PAUSE
    _until(keeper, 1.0)
    assert not _media(keeper)
    keeper.resume("clerk")
    wait_for(lambda: _media(keeper), 10, "media after the pause")
    second = keeper.recording.folder.path
    keeper.stop()
    kinds = [line["kind"] for line in chain(second) if line["kind"] in ("start", "pause", "run", "resume")]
    assert kinds == ["start", "pause", "resume", "run"]
    assert chain(second, "start")[0]["continues"] == first.name
    assert chain(second, "gap") == []
    assert verify(first).ok
    assert verify(second).ok


def test_a_parked_hearing_goes_on_and_says_what_is_between(keeper: Keeper, tmp_path: Path) -> None:
    keeper.start("h")
    wait_for(lambda: _media(keeper), 10, "media")
    keeper.park()
    first = next(tmp_path.glob("a/2*"))
    time.sleep(1.0)
    keeper.take_up()
    wait_for(lambda: _media(keeper), 10, "media again")
    assert keeper.recording is not None
    second = keeper.recording.folder.path
    keeper.stop()
    gap = chain(second, "gap")[0]
    last = chain(first, "segment")[-1]
    assert gap["cause"] == "killed"
    assert gap["from_utc"] <= chain(second, "start")[0]["t"]
    assert abs(_ms(gap["from_utc"]) - _ms(last["utc"]) - last["duration_ticks"] / 90) < 20
    assert 1000 <= _ms(gap["to_utc"]) - _ms(gap["from_utc"]) < 4000


def _ms(text: str) -> float:
    from archive.domain.wall import parse_iso

    return parse_iso(text).timestamp() * 1000


def test_a_folder_that_vanishes_is_left_for_the_other_volume(keeper: Keeper, tmp_path: Path) -> None:
    keeper.start("h")
    wait_for(lambda: _media(keeper), 10, "media")
    at_ms = time.time() * 1000
    (tmp_path / "a").rename(tmp_path / "gone")  # the cable of the first disk
    (tmp_path / "a").touch()
    wait_for(lambda: keeper.tick() or ((tmp_path / "b").exists() and _media(keeper)), 10, "media on the second volume")
    assert keeper.recording is not None
    second = keeper.recording.folder.path
    assert second.parent == tmp_path / "b"
    keeper.stop()
    assert verify(second).ok
    gap = chain(second, "gap")[0]
    assert (gap["source"], gap["cause"]) == ("cam", "disk_error")
    assert gap["from_utc"] <= chain(second, "start")[0]["t"]
    print(f"disk taken away: recording again after {(_ms(gap['to_utc']) - at_ms) / 1000:.2f} s")
    assert _ms(gap["to_utc"]) - at_ms <= MOST_AWAY_MS


def test_a_run_that_cannot_even_start_is_tried_for_ever(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([OSError(24, "Too many open files"), MemoryError("no room"), ValueError("a mistake of ours")])
    whole = Process.__init__

    def failing(self: Process, *arguments: object, **named: object) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure
        whole(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Process, "__init__", failing)
    keeper.start("h")
    wait_for(lambda: keeper.tick() or _media(keeper), 20, "media in the end")
    assert keeper.recording is not None
    folder = keeper.recording.folder.path
    keeper.stop()
    assert [end["reason"] for end in chain(folder, "run_end")] == ["source_failed"] * 3 + ["stopped"]
    assert verify(folder).ok
    assert threading.active_count() < 20
    assert RunEnd.SOURCE_FAILED == "source_failed"

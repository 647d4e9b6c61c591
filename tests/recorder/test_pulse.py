"""A real sound server: eight microphones of one interface, the upper eight of another, at the same time, in order."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from tests.recorder.console import chain, tyndau
from tests.waiting import wait_for

RATE = 48_000
EIGHT = "front-left,front-right,front-center,lfe,rear-left,rear-right,side-left,side-right"
AUX = [f"aux{number}" for number in range(16)]  # what a sound server calls the inputs of an interface for studios
BENCH = ("judge", "clerk", "claimant", "respondent", "witness", "expert", "prosecutor", "counsel")
DOCK = tuple(f"accused{number}" for number in range(1, 9))


def pitches(first: int, count: int) -> list[int]:
    """A pitch in Hz for each channel."""
    return [first + 200 * number for number in range(count)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sound server of our own with two interfaces that nobody else hears."""
    if not (shutil.which("pulseaudio") and shutil.which("pacat")):
        assert "CI" not in os.environ, "pulseaudio is missing; .ci/run installs it"
        pytest.skip("no sound server here: install pulseaudio and pulseaudio-utils")
    home = tmp_path_factory.mktemp("pulse")
    home.chmod(0o700)
    socket = home / "native"
    modules = [
        f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
        f"module-null-sink sink_name=bench channels=8 rate={RATE} channel_map={EIGHT}",
        f"module-null-sink sink_name=dock channels=16 rate={RATE} channel_map={','.join(AUX)}",
        "module-remap-source source_name=upper master=dock.monitor channels=8 remix=no"  # config/deploy/README.md
        f" channel_map={EIGHT} master_channel_map={','.join(AUX[8:])}",
    ]
    loaded = [word for module in modules for word in ("-L", module)]
    quiet = ["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm", "--realtime=no"]
    told = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PULSE_RUNTIME_PATH": str(home)}
    process = subprocess.Popen(
        ["pulseaudio", "-n", *quiet, *loaded],
        env=os.environ | told,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(socket.exists, 20, "the sound server")
        yield f"unix:{socket}"
    finally:
        process.kill()
        process.wait()


def play(folder: Path, device: str, layout: str, tones: list[int]) -> subprocess.Popen[bytes]:
    """Half a minute of a tone on each channel of `device`."""
    at = np.arange(RATE)  # a second; all pitches are whole
    block = np.stack([np.sin(2 * np.pi * tone * at / RATE) for tone in tones], axis=1)
    raw = folder / f"{device}.raw"
    raw.write_bytes((block * 8000).astype("<i2").tobytes() * 30)
    shape = [f"--rate={RATE}", "--format=s16le", f"--channels={len(tones)}", f"--channel-map={layout}"]
    return subprocess.Popen(["pacat", "--playback", "--raw", f"--device={device}", *shape, str(raw)])


def heard(folder: Path, source: str) -> dict[str, list[int]]:
    """The strongest pitch of every track in each segment that is long enough, by the track's name."""
    found: dict[str, list[int]] = {}
    for path in sorted((folder / source).glob("*.mp4")):
        with av.open(str(path)) as container:
            tracks = [stream.metadata["handler_name"] for stream in container.streams.audio]
        for number, name in enumerate(tracks):
            with av.open(str(path)) as container:
                pcm = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=number)])
            if len(pcm) >= 3 * RATE:
                second = pcm[RATE : 2 * RATE]
                found.setdefault(name, []).append(int(np.argmax(np.abs(np.fft.rfft(second)))))
    return found


def test_every_microphone_is_recorded_under_its_own_name(
    home: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SERVER", server)
    players = [
        play(tmp_path, "bench", EIGHT, pitches(400, 8)),
        play(tmp_path, "dock", ",".join(AUX), pitches(3000, 16)),
    ]
    try:
        answer = tyndau(
            home,
            *("record", "--source", "bench=pulse:bench.monitor", "--channels", f"bench={','.join(BENCH)}"),
            *("--source", "dock=pulse:upper", "--channels", f"dock={','.join(DOCK)}"),
            *("--out", str(tmp_path / "out"), "--duration", "5", "--json"),
        )
    finally:
        for player in players:
            player.kill()
            player.wait()
    assert answer.code == 0, answer.err
    folder = Path(answer.json["dir"])
    assert heard(folder, "bench") == {name: [tone] for name, tone in zip(BENCH, pitches(400, 8), strict=True)}
    assert heard(folder, "dock") == {name: [tone] for name, tone in zip(DOCK, pitches(3000, 16)[8:], strict=True)}
    assert not chain(folder, "gap")
    assert tyndau(home, "verify", str(folder)).code == 0


def test_no_sound_server_is_told_in_words(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")
    answer = tyndau(
        home,
        *("record", "--source", "bench=pulse:default", "--channels", "bench=judge"),
        *("--source", "cam=lavfi:testsrc2=s=160x90"),
        *("--out", str(tmp_path / "out"), "--duration", "3", "--json"),
    )
    assert "start PulseAudio or PipeWire" in answer.err
    [folder] = (tmp_path / "out").iterdir()
    assert {s["source"] for s in chain(folder, "segment")} == {"cam"}

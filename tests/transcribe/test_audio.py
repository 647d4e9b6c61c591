"""Every channel at its true time, whatever the container."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from archive.domain.errors import BadInput, Damaged
from tests.transcribe.conftest import SAMPLE, noise, tone, whole, write
from transcribe.audio import BLOCK, RATE, AudioFile


def loud(pcm: np.ndarray, start_s: float, end_s: float) -> bool:
    return bool(np.abs(pcm[int(start_s * RATE) : int(end_s * RATE)].astype(int)).max() > 1000)


def test_a_hole_is_silence_and_what_follows_keeps_its_time(tmp_path: Path) -> None:
    sound = np.concatenate([tone(3), np.zeros((1, RATE), np.int16), tone(2)], axis=1)
    path = write(tmp_path / "hole.mka", sound, holes=[(RATE, 2 * RATE)])
    pcm = whole(path)[0]
    assert abs(len(pcm) - 6 * RATE) < RATE // 100
    assert loud(pcm, 0.1, 0.95)
    assert not loud(pcm, 1.05, 1.95)
    assert loud(pcm, 2.05, 2.95)
    assert not loud(pcm, 3.05, 3.95)
    assert loud(pcm, 4.05, 5.9)


def test_blocks_follow_each_other_without_gap_in_constant_size(tmp_path: Path) -> None:
    path = write(tmp_path / "long.mka", noise(65, -30), holes=[(20 * RATE, 45 * RATE)])
    reached = 0
    with AudioFile(path) as audio:
        for block in audio.blocks():
            assert block.start == reached
            assert block.pcm.shape[1] <= BLOCK
            reached = block.end
    assert abs(reached - 65 * RATE) < RATE // 10


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_become_16_khz_of_the_same_length(tmp_path: Path, rate: int) -> None:
    pcm = whole(write(tmp_path / "rate.wav", tone(4, rate=rate), rate=rate))[0]
    assert abs(len(pcm) - 4 * RATE) < RATE // 100
    spectrum = np.abs(np.fft.rfft(pcm))
    assert abs(spectrum.argmax() * RATE / len(pcm) - 440) < 2


def test_four_channels_of_one_track_stay_apart() -> None:
    with AudioFile(SAMPLE / "hearing.flac") as audio:
        assert audio.channels == ("ch1", "ch2", "ch3", "ch4")


def test_sixteen_channels_keep_their_order(tmp_path: Path) -> None:
    sound = np.concatenate([tone(1, 200.0 + 100 * row) for row in range(16)])
    pcm = whole(write(tmp_path / "sixteen.wav", sound))
    peaks = [np.abs(np.fft.rfft(row)).argmax() * RATE / len(row) for row in pcm]
    assert np.allclose(peaks, [200.0 + 100 * row for row in range(16)], atol=3)


def test_many_mono_tracks_are_channels_with_the_tracks_names(tmp_path: Path) -> None:
    path = tmp_path / "tracks.mp4"
    titles = ("judge", "witness")
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("aac", rate=48_000, layout="mono") for _ in titles]
        for stream, title in zip(streams, titles, strict=True):
            stream.metadata["title"] = title
        for start in range(0, 3 * 48_000, 1024):
            for row, stream in enumerate(streams):
                wave = np.sin(2 * np.pi * (500 + 500 * row) * np.arange(start, start + 1024) / 48_000)
                frame = av.AudioFrame.from_ndarray(wave[None, :].astype(np.float32) * 0.3, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48_000, start
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    with AudioFile(path) as audio:
        assert audio.channels == titles
        pcm = np.concatenate([block.pcm for block in audio.blocks()], axis=1)
    peaks = [np.abs(np.fft.rfft(row)).argmax() * RATE / len(row) for row in pcm]
    assert np.allclose(peaks, [500, 1000], atol=5)


def test_bytes_in_memory_are_read_like_a_file() -> None:
    data = io.BytesIO((SAMPLE / "hearing.flac").read_bytes())
    with AudioFile(data) as audio:
        assert sum(block.pcm.shape[1] for block in audio.blocks()) == whole(SAMPLE / "hearing.flac").shape[1]


def test_a_torn_file_gives_what_it_holds_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "torn.flac"
    path.write_bytes((SAMPLE / "hearing.flac").read_bytes()[:1_000_000])
    with AudioFile(path) as audio:
        samples = sum(block.pcm.shape[1] for block in audio.blocks())
        assert audio.torn
    assert samples > 10 * RATE


def test_names_must_fit_the_channels() -> None:
    with pytest.raises(BadInput, match="4 channels"):
        AudioFile(SAMPLE / "hearing.flac", ("judge", "claimant"))


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not there"):
        AudioFile(tmp_path / "missing.wav")
    junk = tmp_path / "junk.wav"
    junk.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(Damaged):
        AudioFile(junk)
    silent = tmp_path / "picture.mkv"
    with av.open(str(silent), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(BadInput, match="no sound"):
        AudioFile(silent)


def test_a_playlist_cannot_open_other_files(tmp_path: Path) -> None:
    target = SAMPLE / "hearing.flac"
    playlist = tmp_path / "hearing.mp4"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:200\n#EXTINF:100,\nfile:{target}\n#EXT-X-ENDLIST\n")
    with pytest.raises(Damaged):
        AudioFile(playlist)

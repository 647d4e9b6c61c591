"""What the demo may be given to record."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from api.demo.court import CHANNELS, people
from api.demo.media import SAMPLE, own_show, sample_show
from archive.domain.errors import BadInput


def test_the_sample_has_four_microphones_and_its_truth_fits_it() -> None:
    show = sample_show(None)
    truth = json.loads(SAMPLE.with_name("truth.json").read_text())
    assert show.channels == {"mics": CHANNELS}
    assert {row["channel"] for row in truth} == set(CHANNELS)
    assert max(row["end_ms"] for row in truth) < show.duration_s * 1000


def test_a_sound_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(4 * 8000))
    show = own_show(file, None)
    assert show.sources == {"mics": f"file:{file}"}
    assert show.channels == {"mics": ("judge", "claimant")}
    assert show.duration_s == pytest.approx(1.0)


@pytest.mark.parametrize("content", [b"", b"not a film" * 50])
def test_what_is_no_media_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.mp4"
    file.write_bytes(content)
    with pytest.raises(BadInput, match="name a video or sound file"):
        own_show(file, None)


def test_accounts_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first = people(tmp_path)
    assert people(tmp_path) == first
    assert (tmp_path / "demo-accounts.json").stat().st_mode & 0o077 == 0
    assert len({person.password for person in first}) == len(first)

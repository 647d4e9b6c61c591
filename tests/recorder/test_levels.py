"""Levels: the lines of FFmpeg's astats, over several tracks."""

from __future__ import annotations

from recorder.levels import FLOOR_DB, LevelReader


def _feed(reader: LevelReader, track: int, *values: tuple[str, str]) -> None:
    reader.line("frame:0    pts:0       pts_time:0")
    for number, (rms, peak) in enumerate(values, 1):
        reader.line(f"lavfi.astats.{number}.Peak_level={peak}")
        reader.line(f"lavfi.astats.{number}.RMS_level={rms}")
    reader.line(f"tyndau.track={track}")


def test_channels_of_two_tracks_do_not_mix() -> None:
    reader = LevelReader(("judge", "witness", "room"), (2, 1))
    _feed(reader, 0, ("-20.04", "-6"), ("-80", "-70"))
    _feed(reader, 1, ("-25", "-12"))
    assert [(level.channel, level.rms_db, level.speech) for level in reader.latest()] == [
        ("judge", -20.0, True),
        ("witness", -80.0, False),
        ("room", -25.0, True),
    ]


def test_digital_silence_is_the_floor() -> None:
    reader = LevelReader(("judge",), (1,))
    _feed(reader, 0, ("-inf", "nan"))
    assert [(level.rms_db, level.peak_db) for level in reader.latest()] == [(FLOOR_DB, FLOOR_DB)]


def test_who_only_overhears_a_voice_is_not_said_to_speak() -> None:
    reader = LevelReader(("judge", "claimant", "witness"), (3,))
    _feed(reader, 0, ("-20", "-9"), ("-40", "-30"), ("-26", "-15"))
    assert [level.speech for level in reader.latest()] == [True, False, True]

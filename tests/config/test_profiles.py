"""The shipped profiles are settings that the agent takes, and say the truth of what they cost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.settings import load_settings
from recorder.address import parse_address
from recorder.plan import plan_names
from recorder.profiles import Profile, fitting, profiles

FOLDER = Path(__file__).resolve().parents[2] / "config" / "deploy" / "profiles"


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_it_is_accepted_and_true(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = FOLDER / f"{profile.name}.toml"
    monkeypatch.setenv("TYNDAU_CONFIG", str(path))
    agent = load_settings().agent
    plan_names(agent.sources, agent.channels)
    parsed = [parse_address(name, text) for name, text in agent.sources.items()]
    assert sum(address.remote for address in parsed) == profile.cameras
    assert len(agent.channels["mics"]) == profile.microphones
    text = path.read_text()
    assert f"= {profile.kbit} kbit/s" in text
    [hours] = re.findall(r"^# 100 GB: (\d+) hours$", text, re.MULTILINE)
    assert int(hours) == int(profile.hours(100_000_000_000))


@pytest.mark.parametrize(
    ("cameras", "microphones", "name"),
    [
        (0, 0, "cameras-1-microphones-4"),
        (1, 8, "cameras-2-microphones-8"),
        (3, 4, "cameras-3-microphones-12"),
        (9, 32, "cameras-4-microphones-16"),
    ],
)
def test_the_smallest_with_room_is_proposed(cameras: int, microphones: int, name: str) -> None:
    assert fitting(cameras, microphones).name == name

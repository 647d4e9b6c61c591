"""The PIN: kept as a hash that only the agent's user reads, slow after wrong tries, its sessions ended by a new one."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive.domain.errors import BadInput, NotSignedIn, Throttled
from recorder.console.pin import FREE_TRIES, LONGEST_WAIT_S, SESSION_S, Doorkeeper, set_pin

PIN = "246810"


class StillClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def utc(self) -> datetime:
        return datetime(2027, 3, 14, tzinfo=UTC) + timedelta(seconds=self.now_s)

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def door(tmp_path: Path, clock: StillClock) -> Doorkeeper:
    set_pin(tmp_path / "console.pin", PIN)
    return Doorkeeper(tmp_path / "console.pin", clock)


def test_the_file_tells_nobody_the_pin(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "console.pin"
    set_pin(path, PIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PIN not in path.read_text()
    first = path.read_text()
    set_pin(path, PIN)
    assert path.read_text() != first  # another salt, another session key
    assert [p.name for p in path.parent.iterdir()] == ["console.pin"]


@pytest.mark.parametrize("pin", ["", "12345", "1" * 65])
def test_a_pin_that_is_too_short_or_too_long_is_refused(tmp_path: Path, pin: str) -> None:
    with pytest.raises(BadInput):
        set_pin(tmp_path / "console.pin", pin)
    assert not (tmp_path / "console.pin").exists()


def test_without_a_pin_nobody_gets_in(tmp_path: Path, clock: StillClock) -> None:
    door = Doorkeeper(tmp_path / "console.pin", clock)
    assert not door.has_pin()
    with pytest.raises(NotSignedIn):
        door.let_in("", "")
    (tmp_path / "console.pin").write_text("{}")  # half-made by hand: still none
    assert not door.has_pin()


def test_a_session_holds_for_a_day_of_court_and_outlives_the_agent(
    tmp_path: Path, door: Doorkeeper, clock: StillClock
) -> None:
    cookie, session = door.let_in(PIN, "  Серікқызы   А. ")
    assert session.name == "Серікқызы А."
    later = Doorkeeper(tmp_path / "console.pin", clock)  # the agent was started again
    assert later.who(cookie) == session
    clock.sleep(SESSION_S + 1)
    assert later.who(cookie) is None


def test_a_forged_or_altered_cookie_opens_nothing(tmp_path: Path, door: Doorkeeper, clock: StillClock) -> None:
    cookie, _ = door.let_in(PIN, "")
    body, _, seal = cookie.partition(".")
    for forged in ("", ".", body, f"{body}.", f"{body}.{'0' * 64}", f"{body[:-4]}AAAA.{seal}", f"x{cookie}", "é.ü"):
        assert door.who(forged) is None
    set_pin(tmp_path / "console.pin", PIN)
    assert door.who(cookie) is None  # a new PIN, be it the same, ends what was begun before


def test_wrong_tries_wait_longer_and_longer(door: Doorkeeper, clock: StillClock) -> None:
    for _ in range(FREE_TRIES):
        with pytest.raises(NotSignedIn):
            door.let_in("000000", "")
    with pytest.raises(Throttled) as first:
        door.let_in(PIN, "")  # not even the right one, or trying on would be worth while
    waits = [first.value.retry_after_s]
    for _ in range(8):
        clock.sleep(waits[-1])
        with pytest.raises(NotSignedIn):
            door.let_in("000000", "")
        with pytest.raises(Throttled) as again:
            door.let_in("000000", "")
        waits.append(again.value.retry_after_s)
    assert waits == sorted(waits)
    assert waits[-1] >= LONGEST_WAIT_S
    clock.sleep(waits[-1])
    door.let_in(PIN, "")
    assert door.tries() == 0


def test_the_settings_pin_is_adopted_once(tmp_path: Path, clock: StillClock) -> None:
    door = Doorkeeper(tmp_path / "console.pin", clock)
    door.adopt(PIN)
    cookie, _ = door.let_in(PIN, "")
    door.adopt(PIN)
    assert door.who(cookie) is not None
    door.adopt("another one")
    assert door.who(cookie) is None

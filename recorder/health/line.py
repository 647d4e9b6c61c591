"""Microphones that are not there: no signal at all (REC-010), or no sign of life while others speak (REC-011).

A person who listens for hours is no fault. A microphone that works shows life even then: the others' speech reaches
it and moves its level, and a room's noise is never as still as an electric circuit's. REC-011 needs all of it: others
spoke for long, nothing here moved with them, and the level is lower, or stiller, than any room is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.health.held import Finding, Held
from recorder.levels import BLOCKS_PER_S, FLOOR_DB, Block, Flags, Floats

DEAD, SILENT = "REC-010", "REC-011"
DEAD_DB = -85.0  # quieter than any microphone that is connected
DEAD_BLOCKS, ALIVE_BLOCKS = 8 * BLOCKS_PER_S, BLOCKS_PER_S
WINDOW = 15 * BLOCKS_PER_S
LEAST_WINDOW = 10 * BLOCKS_PER_S
EACH = BLOCKS_PER_S  # signs of life are looked for once a second
MOVES_R = 0.4  # correlation with the loudest other's level; by chance it stays far below
MOVES_DB = 1.0  # and by so much, over the range of the other's level
NO_ROOM_DB = -75.0  # of the voice band: no room is so quiet, ...
CALM_DB = 0.5  # ... and even the quietest booth is less calm
UNDER_OWN_DB = 15.0  # below the noise that it had while it was known to live
STIFF_DB, STIFF_BELOW_DB = 0.2, -55.0  # spread of an electric noise over tenths of a second; a room's is 0.5 and more
FORGET = 0.01  # a second
BACK_DB = 10.0  # above where it was when the alarm was raised


class DeadLines:
    """REC-010."""

    def __init__(self, channels: int) -> None:
        self._held = Held(channels, DEAD_BLOCKS, ALIVE_BLOCKS)

    def take(self, block: Block) -> Flags:
        """Who is dead after this block."""
        return self._held.take(block.rms_db < DEAD_DB)


class SilentLines:
    """REC-011."""

    def __init__(self, channels: int, after_s: float) -> None:
        self._channels = channels
        self._after = int(after_s * BLOCKS_PER_S)
        self._levels = np.full((WINDOW, channels), FLOOR_DB)  # of the voice band
        self._whole = np.full((WINDOW, channels), FLOOR_DB)  # of all there is: rumble tells a room
        self._others = np.full((WINDOW, channels), FLOOR_DB)  # the loudest other
        self._seen = 0
        self._spoken = np.zeros((WINDOW, channels), int)  # blocks in which others spoke, up to each block
        self._lived = np.zeros(channels, int)  # the same at the last sign of life
        self._since_own = np.full(channels, WINDOW)  # blocks since somebody spoke here
        self._own_noise = np.full(channels, FLOOR_DB)  # while it was known to live
        self._raised_at = np.full(channels, FLOOR_DB)
        self.on = np.zeros(channels, bool)

    def take(self, block: Block, elsewhere_db: float | None = None) -> Flags:
        """Who is silent after this block. `elsewhere_db`: level of a voice at another source, None for none."""
        others_db, others_speak = self._others_of(block, elsewhere_db)
        at = self._seen % WINDOW
        self._levels[at], self._whole[at], self._others[at] = block.voice_db, block.rms_db, others_db
        self._seen += 1
        self._since_own = np.where(block.speech, 0, self._since_own + 1)
        self._spoken[at] = spoken = self._spoken[at - 1] + (others_speak & ~block.speech)
        self._lived = np.where(block.speech, spoken, self._lived)
        self.on &= ~block.speech
        if self._seen % EACH == 0 and self._seen >= LEAST_WINDOW:
            self._judge()
        return self.on

    def new_run(self) -> None:
        """The source was opened anew: what was heard before says nothing of the lines now."""
        self._lived = self._spoken[self._seen % WINDOW - 1].copy()
        self._spoken[-1] = self._lived
        self._seen = 0

    def _others_of(self, block: Block, elsewhere_db: float | None) -> tuple[Floats, Flags]:
        """For each channel the level of the loudest other, and whether another speaks."""
        levels = np.where(np.eye(self._channels, dtype=bool), FLOOR_DB, block.voice_db[None, :]).max(axis=1)
        speak = (block.speech.sum() - block.speech) > 0
        if elsewhere_db is not None:
            levels, speak = np.maximum(levels, elsewhere_db), np.ones(self._channels, bool)
        return levels, speak

    def _judge(self) -> None:
        count = min(self._seen, WINDOW)
        levels, others = self._window(self._levels, count), self._window(self._others, count)
        whole = self._window(self._whole, count)
        middle, moves = np.median(levels, axis=0), _moves(levels, others)
        spoken = self._window(self._spoken, count)
        self._lived = np.where(
            moves, np.maximum(self._lived, spoken[0]), self._lived
        )  # it lived in the window, or later
        self._learn(np.percentile(levels, 20, axis=0), moves | (self._since_own < LEAST_WINDOW))
        spread = np.subtract(*np.percentile(whole, [84, 16], axis=0)) / 2
        stiff = (spread < STIFF_DB) & (np.median(whole, axis=0) < STIFF_BELOW_DB)
        low = ((middle < NO_ROOM_DB) & (spread < CALM_DB)) | (middle < self._own_noise - UNDER_OWN_DB)
        bad = ~moves & (spoken[-1] - self._lived >= self._after) & (stiff | low)
        self._raised_at = np.where(bad & ~self.on, middle, self._raised_at)
        last_second = np.median(levels[-BLOCKS_PER_S:], axis=0)
        self.on = (self.on | bad) & ~moves & ~(last_second > self._raised_at + BACK_DB)

    def _learn(self, noise_db: Floats, alive: Flags) -> None:
        """The noise of a line that lives: taken over at once when it rises; slowly when it falls, it may be dying."""
        risen = noise_db > self._own_noise
        learnt = np.where(risen, noise_db, self._own_noise + FORGET * (noise_db - self._own_noise))
        self._own_noise = np.where(alive, learnt, self._own_noise)

    def _window(self, ring: NDArray[Any], count: int) -> NDArray[Any]:
        """The last `count` rows, oldest first."""
        return np.roll(ring, -(self._seen % WINDOW), axis=0)[WINDOW - count :] if count == WINDOW else ring[:count]


def _moves(levels: Floats, others: Floats) -> Flags:
    """Whose level goes up and down with the others'."""
    own, other = levels - levels.mean(axis=0), others - others.mean(axis=0)
    spread = np.sqrt((own**2).mean(axis=0) * (other**2).mean(axis=0))
    together = (own * other).mean(axis=0)
    follows_db = together / np.maximum((other**2).mean(axis=0), 1e-9) * np.ptp(others, axis=0)
    return np.asarray((together > MOVES_R * np.maximum(spread, 1e-9)) & (follows_db > MOVES_DB))


class Lines:
    """Both watches over the channels of a source."""

    def __init__(self, channels: Sequence[str], excused: Sequence[str], silent_after_s: float) -> None:
        self._channels = tuple(channels)
        self._excused = np.array([channel in excused for channel in channels], bool)
        self._dead = DeadLines(len(channels))
        self._silent = SilentLines(len(channels), silent_after_s)
        self.dead = np.zeros(len(channels), bool)

    def new_run(self) -> None:
        """The source was opened anew."""
        self._silent.new_run()

    def take(self, block: Block, elsewhere_db: float | None) -> list[Finding]:
        """What is wrong after this block."""
        dead = self._dead.take(block) & ~self._excused
        silent = self._silent.take(block, elsewhere_db) & ~self._excused & ~dead
        self.dead = dead
        found = [Finding(DEAD, name) for name, on in zip(self._channels, dead, strict=True) if on]
        return found + [Finding(SILENT, name) for name, on in zip(self._channels, silent, strict=True) if on]

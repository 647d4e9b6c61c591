"""The reading ends of what FFmpeg writes for us to look at. `feed` only sorts bytes; what nobody takes is dropped."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recorder.filters import BLOCK_SAMPLES, GREY_HEIGHT, GREY_WIDTH
from recorder.levels import Samples

Grey = NDArray[np.uint8]  # (GREY_HEIGHT, GREY_WIDTH)
_KEPT_BLOCKS = 50  # five seconds of sound
_KEPT_PICTURES = 4
_PICTURE_END = b"\xff\xd9"
_LARGEST_PICTURE = 1 << 20


class Tap(Protocol):
    """The reading end of a pipe that FFmpeg writes to; `feed` is called by the process's listener and must not wait."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        ...


class _Pieces:
    """Bytes cut into pieces of one size."""

    def __init__(self, piece_bytes: int, keep: int, wake: threading.Event) -> None:
        self._piece_bytes, self._wake = piece_bytes, wake
        self._rest = bytearray()
        self._pieces: deque[bytes] = deque(maxlen=keep)

    def feed(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= self._piece_bytes:
            self._pieces.append(bytes(self._rest[: self._piece_bytes]))
            del self._rest[: self._piece_bytes]
            self._wake.set()

    def __len__(self) -> int:
        return len(self._pieces)

    def next(self) -> bytes | None:
        try:
            return self._pieces.popleft()
        except IndexError:
            return None


class SoundTap:
    """The samples of one audio track; sets `wake` for each tenth of a second that came."""

    def __init__(self, channels: int, wake: threading.Event) -> None:
        self.channels = channels
        self._pieces = _Pieces(BLOCK_SAMPLES * channels * 2, _KEPT_BLOCKS, wake)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._pieces.feed(data)

    def __len__(self) -> int:
        return len(self._pieces)

    def next(self) -> Samples | None:
        """The oldest tenth of a second that nobody took yet."""
        piece = self._pieces.next()
        return None if piece is None else np.frombuffer(piece, "<i2").reshape(BLOCK_SAMPLES, self.channels)


class GreyTap:
    """Small grey pictures; sets `wake` for each."""

    def __init__(self, wake: threading.Event) -> None:
        self._pieces = _Pieces(GREY_WIDTH * GREY_HEIGHT, _KEPT_PICTURES, wake)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._pieces.feed(data)

    def next(self) -> Grey | None:
        """The oldest picture that nobody took yet."""
        piece = self._pieces.next()
        return None if piece is None else np.frombuffer(piece, np.uint8).reshape(GREY_HEIGHT, GREY_WIDTH)


class PreviewTap:
    """Keeps the newest of a row of JPEG pictures."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.newest: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._rest += data
        while (at := self._rest.find(_PICTURE_END)) >= 0:  # inside a picture's data FF is always followed by 00
            self.newest = bytes(self._rest[: at + 2])
            del self._rest[: at + 2]
        if len(self._rest) > _LARGEST_PICTURE:
            self._rest.clear()

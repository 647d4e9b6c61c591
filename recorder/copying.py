"""Which cameras' H.264 is written as it comes, and which must be encoded after all.

What a run learns of a camera holds for every later run of this process: its address is remembered here.
"""

from __future__ import annotations

import logging
import threading

from archive.domain.media import TICKS_PER_S
from config.log import report
from config.settings import Recording
from recorder.address import Address
from recorder.streams import Streams

log = logging.getLogger(__name__)

GOP_S = 4.0  # key frames further apart make segments so much longer than `segment_s`: told, and encoded from then on
HOPELESS_S = 30.0  # a part that is still open after so long never sees a key frame: this run is ended


class Encoded:
    """Addresses whose picture must be encoded. Used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._targets: set[str] = set()

    def add(self, address: Address) -> bool:
        """Encode `address` from its next run on; whether that is news."""
        with self._lock:
            news = address.target not in self._targets
            self._targets.add(address.target)
            return news

    def __contains__(self, address: Address) -> bool:
        with self._lock:
            return address.target in self._targets


encoded = Encoded()


def copied(address: Address, streams: Streams, options: Recording) -> bool:
    """Whether the picture is written as it comes."""
    asked = address.option("copy", "yes" if options.copy_h264 else "no") == "yes"
    return asked and address.remote and streams.video and streams.copyable and address not in encoded


def longest_part_s(address: Address, streams: Streams, options: Recording) -> float | None:
    """How long a part of a run may stay open; None where we set the key frames ourselves."""
    return HOPELESS_S if copied(address, streams, options) else None


def judge(address: Address, streams: Streams, duration_ticks: int, options: Recording) -> None:
    """A segment of this length was closed: a copied camera is encoded from its next run on if it is too long."""
    duration_s = duration_ticks / TICKS_PER_S
    too_long = duration_s > options.segment_s + GOP_S
    if too_long and copied(address, streams, options):
        give_up(address, f"a file of {duration_s:.0f} s where {options.segment_s} s were asked for")


def give_up(address: Address, why: str = "no key frame to cut at") -> None:
    """Encode `address` from its next run on, and say so once."""
    if encoded.add(address):
        report(log, "REC-024", source=address.name, detail=why)

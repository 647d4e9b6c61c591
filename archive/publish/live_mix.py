"""Sound that has to be encoded while the hearing runs, in parts that fit each other without a click.

Parts lie on a grid of whole AAC blocks from the beginning of a stretch. Each is encoded by an encoder and a
limiter of its own, which begin earlier and hear further than the part: so its first block overlaps with the
last one of the part before as if one encoder had made both.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from archive.domain.media import TICKS_PER_S
from archive.publish.boxes import Sample
from archive.publish.codecs import AAC_BLOCK, RATE, AacEncoder, Pcm, samples_of
from archive.publish.plan import Span
from archive.publish.sound import Limiter

BLOCK_TICKS = AAC_BLOCK * TICKS_PER_S // RATE
PART_BLOCKS = 300  # 6.4 s
PART_TICKS = PART_BLOCKS * BLOCK_TICKS
_LED_IN = RATE // 2  # within half a second the limiter has come back to where it would be
_WARM_BLOCKS = 8
_AHEAD_BLOCKS = 3
AHEAD_TICKS = _AHEAD_BLOCKS * BLOCK_TICKS  # sound behind a part that must be known

Placed = tuple[int, Pcm]  # where it begins, in 48 kHz samples


def parts(stretch: Span, known: int, ended: bool) -> list[Span]:
    """The parts of a stretch that can be made when sound is known up to `known`; all of it once it has `ended`."""
    found: list[Span] = []
    at = stretch.start
    while at + PART_TICKS + AHEAD_TICKS <= known:
        found.append(Span(at, at + PART_TICKS))
        at += PART_TICKS
    while ended and at < stretch.end:
        found.append(Span(at, min(at + PART_TICKS, stretch.end)))
        at += PART_TICKS
    return found


def heard(span: Span) -> Span:
    """What must be mixed to encode the part `span`."""
    return Span(span.start - _LED_IN * TICKS_PER_S // RATE, span.end + AHEAD_TICKS)


def mixed(span: Span, stretch: Span, sounds: Iterable[Placed]) -> list[Sample]:
    """The part `span` of the sum of `sounds`: AAC blocks that follow each other to its end."""
    first = samples_of(span.start)
    blocks = -(-(span.end - span.start) // BLOCK_TICKS)
    length = (blocks + _AHEAD_BLOCKS) * AAC_BLOCK
    total: Pcm = np.zeros(_LED_IN + length, np.float32)
    for start, pcm in sounds:
        _add(total, start - (first - _LED_IN), pcm)
    # before the stretch nothing was recorded, whatever a segment's first packets say
    total[: max(0, samples_of(stretch.start) - (first - _LED_IN))] = 0
    limited = Limiter().pass_on(total, last=True)[_LED_IN - _WARM_BLOCKS * AAC_BLOCK : _LED_IN + length]
    encoded = list(AacEncoder(0).encode(limited))[_WARM_BLOCKS : _WARM_BLOCKS + blocks]
    starts = [span.start + n * BLOCK_TICKS for n in range(blocks)]
    ends = [*starts[1:], span.end]
    return [Sample(a, a, max(b - a, 1), True, s.data) for a, b, s in zip(starts, ends, encoded, strict=True)]


def _add(total: Pcm, at: int, pcm: Pcm) -> None:
    begin, end = max(0, at), min(len(total), at + len(pcm))
    if begin < end:
        total[begin:end] += pcm[begin - at : end - at]

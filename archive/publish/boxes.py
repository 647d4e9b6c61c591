"""Writing fragmented MP4 (ISO/IEC 14496-12): one track a file, 90 000 ticks a second, times as given.

Written here and not by a muxer because the time stamps, the fragments' borders and their byte ranges
are what the access copies are about: no edit lists, no shifts, every fragment's decode time is its
place on the recording's time line.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archive.domain.errors import Damaged
from archive.domain.media import TICKS_PER_S

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_ROW = struct.Struct(">3Ii")  # of a trun: duration, size, flags, composition offset
_KEY, _OTHER = 0x02000000, 0x01010000  # sample flags: depends on none; depends on others and is no key frame


@dataclass(frozen=True, slots=True)
class Picture:
    """What a decoder must know of an H.264 track; `avcc` is the AVCDecoderConfigurationRecord."""

    width: int
    height: int
    avcc: bytes

    @property
    def codec(self) -> str:
        """RFC 6381: profile, constraints and level."""
        if len(self.avcc) < 7 or self.avcc[0] != 1:
            raise Damaged("the picture has no H.264 parameters")
        return f"avc1.{self.avcc[1:4].hex()}"


@dataclass(frozen=True, slots=True)
class Sound:
    """What a decoder must know of an AAC track; `config` is the AudioSpecificConfig."""

    rate: int
    channels: int
    config: bytes

    @property
    def codec(self) -> str:
        """RFC 6381: the audio object type."""
        if len(self.config) < 2:
            raise Damaged("the sound has no AAC parameters")
        return f"mp4a.40.{self.config[0] >> 3}"


Format = Picture | Sound


class Sample(NamedTuple):
    """A coded picture or block of sound. `shown` is its presentation time, `decoded` its decode time.

    A tuple, for there are hundreds of them for every second of a hearing.
    """

    decoded: int
    shown: int
    duration: int
    key: bool
    data: bytes

    @property
    def end(self) -> int:
        return self.decoded + self.duration


def header(format_: Format) -> bytes:
    """The initialisation segment: ftyp and moov of a track with id 1."""
    moov = _box("moov", _mvhd(), _trak(format_), _box("mvex", _full("trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0))))
    return _box("ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcmp41") + moov


def fragment(number: int, samples: Sequence[Sample]) -> bytes:
    """moof and mdat of `samples`, which follow each other without holes."""
    mdat = _box("mdat", *[s.data for s in samples])
    rows = b"".join(
        [_ROW.pack(s.duration, len(s.data), _KEY if s.key else _OTHER, s.shown - s.decoded) for s in samples]
    )
    moof = _moof(number, samples, rows, 0)
    return _moof(number, samples, rows, len(moof) + 8) + mdat


def _moof(number: int, samples: Sequence[Sample], rows: bytes, data_offset: int) -> bytes:
    traf = _box(
        "traf",
        _full("tfhd", 0, 0x020000, struct.pack(">I", 1)),
        _full("tfdt", 1, 0, struct.pack(">Q", samples[0].decoded)),
        _full("trun", 1, 0xF01, struct.pack(">Ii", len(samples), data_offset), rows),
    )
    return _box("moof", _full("mfhd", 0, 0, struct.pack(">I", number)), traf)


def _box(kind: str, *parts: bytes) -> bytes:
    size = 8 + sum(map(len, parts))
    return b"".join((struct.pack(">I", size), kind.encode("ascii"), *parts))


def _full(kind: str, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _mvhd() -> bytes:
    times = struct.pack(">4I", 0, 0, TICKS_PER_S, 0)
    return _full("mvhd", 0, 0, times, struct.pack(">IH10x", 0x10000, 0x100), _MATRIX, bytes(24), struct.pack(">I", 2))


def _trak(format_: Format) -> bytes:
    width, height = (format_.width, format_.height) if isinstance(format_, Picture) else (0, 0)
    volume = 0 if isinstance(format_, Picture) else 0x100
    tkhd = (
        struct.pack(">5I8x2hH2x", 0, 0, 1, 0, 0, 0, 0, volume) + _MATRIX + struct.pack(">2I", width << 16, height << 16)
    )
    return _box("trak", _full("tkhd", 0, 3, tkhd), _mdia(format_))


def _mdia(format_: Format) -> bytes:
    picture = isinstance(format_, Picture)
    mdhd = _full("mdhd", 0, 0, struct.pack(">4I2H", 0, 0, TICKS_PER_S, 0, 0x55C4, 0))  # language "und"
    handler = b"vide" if picture else b"soun"
    hdlr = _full("hdlr", 0, 0, bytes(4), handler, bytes(12), b"tyndau\0")
    media = _full("vmhd", 0, 1, bytes(8)) if picture else _full("smhd", 0, 0, bytes(4))
    dinf = _box("dinf", _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1)))
    tables = [_full(kind, 0, 0, bytes(4)) for kind in ("stts", "stsc")]
    tables += [_full("stsz", 0, 0, bytes(8)), _full("stco", 0, 0, bytes(4))]
    stsd = _full("stsd", 0, 0, struct.pack(">I", 1), _entry(format_))
    return _box("mdia", mdhd, hdlr, _box("minf", media, dinf, _box("stbl", stsd, *tables)))


def _entry(format_: Format) -> bytes:
    if isinstance(format_, Picture):
        size = struct.pack(">2H", format_.width, format_.height)
        rest = struct.pack(">3IH32xHh", 0x480000, 0x480000, 0, 1, 0x18, -1)
        return _box("avc1", bytes(6), struct.pack(">H", 1), bytes(16), size, rest, _box("avcC", format_.avcc))
    fields = struct.pack(">2H4xI", format_.channels, 16, min(format_.rate, 0xFFFF) << 16)
    return _box("mp4a", bytes(6), struct.pack(">H", 1), bytes(8), fields, _full("esds", 0, 0, _es(format_.config)))


def _es(config: bytes) -> bytes:
    """The elementary stream descriptor of AAC (ISO/IEC 14496-1, 7.2.6.5)."""
    decoder = struct.pack(">BB3x2I", 0x40, 0x15, 0, 0) + _descriptor(5, config)
    return _descriptor(3, struct.pack(">HB", 1, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02"))


def _descriptor(tag: int, body: bytes) -> bytes:
    if len(body) > 127:
        raise Damaged("the sound's parameters are too long")
    return bytes((tag, len(body))) + body

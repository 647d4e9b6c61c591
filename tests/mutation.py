"""Bytes that were something real, and are not any more."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

Change = Callable[[bytes], bytes]
PLACE = st.floats(0, 1, exclude_max=True)  # where in the bytes, as a share
INTERESTING = [b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\x08", b"["]


def _at(data: bytes, place: float) -> int:
    return int(len(data) * place)


def _flip(place: float, bit: int) -> Change:
    def change(data: bytes) -> bytes:
        if not data:
            return data
        at = _at(data, place)
        return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]

    return change


def _over(place: float, new: bytes) -> Change:
    return lambda data: data[: _at(data, place)] + new + data[_at(data, place) + len(new) :]


def _insert(place: float, new: bytes) -> Change:
    return lambda data: data[: _at(data, place)] + new + data[_at(data, place) :]


def _cut(place: float) -> Change:
    return lambda data: data[: _at(data, place)]


def _take_out(place: float, length: int) -> Change:
    return lambda data: data[: _at(data, place)] + data[_at(data, place) + length :]


def _double(place: float, length: int) -> Change:
    def change(data: bytes) -> bytes:
        at = _at(data, place)
        return data[: at + length] + data[at:]

    return change


NEW = st.binary(min_size=1, max_size=8) | st.sampled_from(INTERESTING)
LENGTH = st.integers(1, 64)
CHANGE: st.SearchStrategy[Change] = st.one_of(
    st.builds(_flip, PLACE, st.integers(0, 7)),
    st.builds(_over, PLACE, NEW),
    st.builds(_insert, PLACE, NEW),
    st.builds(_cut, PLACE),
    st.builds(_take_out, PLACE, LENGTH),
    st.builds(_double, PLACE, LENGTH),
)
CHANGES = st.lists(CHANGE, min_size=1, max_size=4)


def altered(data: bytes, changes: list[Change]) -> bytes:
    """`data` after all changes, in their order."""
    for change in changes:
        data = change(data)
    return data

"""Every part of every chain proves itself, and nothing can be taken out of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain import merkle
from archive.domain.chain import Kind, Record
from archive.domain.errors import BadInput, Damaged
from archive.domain.span import Part, check_lines, check_proof, cut, decode_part, encode_part, uncovered
from archive.domain.wall import parse_iso
from tests.archive.court import Recorded

WHOLE = Recorded(None).whole(random.Random(5)).records
ROOT = merkle.root([r.line for r in WHOLE])
SEGMENTS = [r for r in WHOLE if r.kind is Kind.SEGMENT]
FIRST = min(parse_iso(r.fields["utc"]) for r in SEGMENTS)
SPANS = st.tuples(st.integers(-20_000, 60_000), st.integers(1, 60_000))


@given(SPANS)
def test_a_part_proves_itself_and_shows_all_of_its_span(span: tuple[int, int]) -> None:
    begin = FIRST + timedelta(milliseconds=span[0])
    end = begin + timedelta(milliseconds=span[1])
    touched = [
        r
        for r in SEGMENTS
        if parse_iso(r.fields["utc"]) < end
        and begin < parse_iso(r.fields["utc"]) + timedelta(seconds=r.fields["duration_ticks"] / 90_000)
    ]
    if not touched:
        with pytest.raises(BadInput):
            cut(WHOLE, begin, end)
        return
    part, lines = cut(WHOLE, begin, end)
    assert {r.seq for r in touched} <= {r.seq for r in lines}
    assert decode_part(encode_part(part)) == part
    check_lines(part, lines)
    check_proof(part, lines, len(WHOLE), ROOT)
    assert uncovered(part, lines, len(WHOLE)) == []


@given(SPANS, st.data())
def test_nothing_that_belongs_to_the_span_can_be_taken_out(span: tuple[int, int], data: st.DataObject) -> None:
    begin = FIRST + timedelta(milliseconds=max(0, span[0]) % 17_000)
    part, lines = cut(WHOLE, begin, begin + timedelta(milliseconds=span[1]))
    gone = data.draw(st.integers(0, len(lines) - 1))
    left = [*lines[:gone], *lines[gone + 1 :]]
    told = replace(part, first=left[0].seq) if left else part
    if 0 < gone < len(lines) - 1:  # each names the one before
        assert _is_refused(told, left)
    elif lines[gone].kind is Kind.SEGMENT and _is_touched(lines[gone], part) and not _is_refused(told, left):
        # What may go is all of a source of which nothing else is here: the part says nothing about that source.
        assert lines[gone].fields["source"] not in {r.fields["source"] for r in left if r.kind is Kind.SEGMENT}


def _is_refused(part: Part, lines: Sequence[Record]) -> bool:
    try:
        check_lines(part, lines)
        check_proof(part, lines, len(WHOLE), ROOT)
    except Damaged:
        return True
    return bool(uncovered(part, lines, len(WHOLE)))


def _is_touched(record: Record, part: Part) -> bool:
    """For certain: the wall clock of segments that follow each other is some milliseconds off."""
    start = parse_iso(record.fields["utc"]) + timedelta(milliseconds=100)
    until = start + timedelta(seconds=record.fields["duration_ticks"] / 90_000) - timedelta(milliseconds=200)
    return start < part.end and part.begin < until


@pytest.mark.parametrize(
    "forged",
    [b"", b"[]", b"null", b"\xff", b"{}", b'{"version":1}', b'{"version":2,"recording":"x","begin":"x"}'],
)
def test_what_is_no_span_is_damaged(forged: bytes) -> None:
    with pytest.raises(Damaged):
        decode_part(forged)

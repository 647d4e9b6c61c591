"""The chain and its manifest: whole chains are accepted, anything altered is not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain import merkle
from archive.domain.chain import Head, Kind, Record, after, canonical, make_record, parse_chain, parse_line
from archive.domain.errors import Damaged
from archive.domain.manifest import build_manifest, decode_manifest, encode_manifest

T = "2026-09-14T05:15:00.000Z"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
fields = st.dictionaries(
    texts.filter(lambda k: k not in {"seq", "prev", "t", "kind"}),
    st.one_of(st.integers(), texts, st.booleans(), st.none(), st.lists(st.integers(), max_size=3)),
    max_size=5,
)


def chain_of(parts: list[dict[str, Any]]) -> list[Record]:
    head, records = Head(), []
    for part in parts:
        records.append(make_record(head, T, Kind.NOTE, part))
        head = after(records[-1])
    return records


def written(records: list[Record]) -> bytes:
    return b"".join(record.line + b"\n" for record in records)


@given(st.lists(fields, max_size=6))
def test_a_written_chain_reads_back(parts: list[dict[str, Any]]) -> None:
    records = chain_of(parts)
    assert parse_chain(written(records)) == records


@given(st.lists(fields, min_size=1, max_size=5), st.data())
def test_a_flipped_bit_is_found_by_the_links_or_moves_the_head(
    parts: list[dict[str, Any]], data: st.DataObject
) -> None:
    records = chain_of(parts)
    original = written(records)
    place = data.draw(st.integers(0, len(original) - 1))
    altered = bytearray(original)
    altered[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = parse_chain(bytes(altered))
    except Damaged:
        return
    assert not found or after(found[-1]) != after(records[-1])


@given(st.binary(max_size=200))
def test_nonsense_is_damaged_never_a_crash(data: bytes) -> None:
    for reader in (parse_line, decode_manifest):
        with pytest.raises(Damaged):
            reader(data)


def test_lines_may_not_be_left_out_or_change_places() -> None:
    records = chain_of([{"n": n} for n in range(4)])
    for wrong in (records[1:], [records[0], *records[2:]], [records[1], records[0], *records[2:]]):
        with pytest.raises(Damaged):
            parse_chain(written(wrong))


def test_one_value_has_one_line() -> None:
    assert canonical({"б": 1, "a": "ә"}) == '{"a":"ә","б":1}'.encode()
    with pytest.raises(Damaged, match="canonical"):
        parse_line(json.dumps({"seq": 0, "prev": "0" * 64, "t": T, "kind": "note"}).encode())


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
COMMON = {"seq": 0, "prev": "0" * 64, "t": T, "kind": "note"}
SPELLINGS: dict[str, Callable[[Any], str]] = {
    "spaces": lambda value: json.dumps(value, sort_keys=True, ensure_ascii=False),
    "escapes": lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")),
    "order": lambda value: json.dumps(
        dict(sorted(value.items(), reverse=True)), separators=(",", ":"), ensure_ascii=False
    ),
    "a name twice": lambda value: canonical(value).decode().replace("{", '{"kind":"gap",', 1),
    "signs and zeros": lambda value: canonical(value).decode().replace(":0,", ":-0,"),
    "an exponent": lambda value: canonical(value).decode().replace(":0,", ":0e0,"),
    "a mark in front": lambda value: "\ufeff" + canonical(value).decode(),
}


@given(VALUES)
def test_any_value_has_one_line_whose_parsing_gives_it_back(value: Any) -> None:
    line = canonical({**COMMON, "x": value})
    found = parse_line(line)
    assert canonical({**COMMON, **found.fields}) == line
    assert found.fields["x"] == value
    assert type(found.fields["x"]) is type(value)
    for spell in SPELLINGS.values():
        if (other := spell({**COMMON, "x": value}).encode()) != line:
            with pytest.raises(Damaged):
                parse_line(other)


@pytest.mark.parametrize(
    "spoilt",
    [
        b'"x":"\\ud800"',  # half a character
        b'"x":"\xed\xa0\x80"',  # the same as bytes
        b'"x":' + b"9" * 5000,
        b'"x":1.00',
        b'"x":1e400',
        b'"x":NaN',
        b'"x":-Infinity',
        b'"x":' + b"[" * 32 + b"]" * 32,
        b'"x":' + b'{"":' * 100_000 + b"0" + b"}" * 100_000,
        b'"x":[],"x":[]',
    ],
)
def test_what_readers_might_read_differently_is_damaged(spoilt: bytes) -> None:
    with pytest.raises(Damaged):
        parse_line(canonical(COMMON)[:-1] + b"," + spoilt + b"}")


def test_a_number_that_no_catalogue_holds_is_damaged() -> None:
    with pytest.raises(Damaged, match="wrong seq"):
        parse_line(canonical({**COMMON, "seq": 1 << 63}))


@given(st.lists(fields, min_size=2, max_size=6), st.data())
def test_lines_moved_doubled_left_out_or_foreign_are_found(parts: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain_of(parts)
    foreign = chain_of([{"foreign": True}, *parts])
    places = st.integers(0, len(records) - 1)
    at, to = data.draw(places), data.draw(places)
    rest = records[:at] + records[at + 1 :]
    changed = {
        "moved": [*rest[:to], records[at], *rest[to:]],
        "doubled": [*records[:to], records[at], *records[to:]],
        "left out": rest,
        "foreign": [*records[:at], foreign[at], *records[at + 1 :]],
        "cut": records[:at],
        "another tail": records[:at] + foreign[at:],
    }
    manifest_root = merkle.root([r.line for r in records])
    for lines in changed.values():
        if lines == records:
            continue
        assert merkle.root([r.line for r in lines]) != manifest_root
        try:
            found = parse_chain(written(lines))
        except Damaged:
            continue
        assert len(found) < len(records) or after(found[-1]) != after(records[-1])


def segment(n: int) -> dict[str, Any]:
    return {"source": "cam", "run": 1, "file": f"cam/{n:06d}.mp4", "size": 10, "duration_ticks": 540_000}


def closed_chain() -> list[Record]:
    head, records = Head(), []
    start = {
        "recording": "20260914-051500-1f3a9c02",
        "courtroom": "room-1",
        "agent": "pc",
        "key_sha256": "ab" * 32,
        "sources": [{"name": "cam", "kind": "camera", "channels": [], "video": True}],
    }
    rows = [
        (Kind.START, start),
        (Kind.RUN, {"source": "cam", "run": 1}),
        (Kind.SEGMENT, segment(1)),
        (Kind.SEGMENT, segment(2)),
        (Kind.STOP, {"reason": "stopped"}),
    ]
    for kind, content in rows:
        records.append(make_record(head, T, kind, content))
        head = after(records[-1])
    return records


def test_the_manifest_counts_what_the_chain_holds() -> None:
    records = closed_chain()
    manifest = build_manifest(records)
    assert (manifest.segments, manifest.gaps, manifest.bytes) == (2, 0, 20)
    assert manifest.sources["cam"].duration_ms == 12_000
    assert manifest.chain_sha256 == hashlib.sha256(written(records)).hexdigest()
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_each_altered_fact_gives_another_manifest() -> None:
    """Whatever is altered in a line, the manifest that is built of the chain is not the signed one."""
    records, manifest = closed_chain(), encode_manifest(build_manifest(closed_chain()))
    for at, record in enumerate(records):
        for name in record.fields:
            head, other = Head(), []
            for number, old in enumerate(records):
                fields = {k: v for k, v in old.fields.items() if (number, k) != (at, name)}
                other.append(make_record(head, old.t, old.kind, fields | {name + "_": 0} if number == at else fields))
                head = after(other[-1])
            try:
                assert encode_manifest(build_manifest(other)) != manifest
            except Damaged:
                continue


def test_an_open_chain_has_no_manifest() -> None:
    with pytest.raises(Damaged, match="start to stop"):
        build_manifest(closed_chain()[:-1])


def test_a_manifest_of_a_later_version_is_refused() -> None:
    later = dataclasses.replace(build_manifest(closed_chain()), version=2)
    with pytest.raises(Damaged, match="version 2"):
        decode_manifest(encode_manifest(later))


def test_merkle_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

"""Whatever comes from outside: each reader says what is wrong in its own words, and proves nothing false."""

from __future__ import annotations

import base64
import contextlib
import io
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import example, given
from hypothesis import strategies as st

from archive.domain.chain import Head, Kind, canonical, make_record, parse_chain, parse_line, sha256_hex
from archive.domain.errors import BadInput, Damaged
from archive.domain.manifest import decode_manifest
from archive.domain.wall import parse_iso
from archive.ingest.lines import Entry, entry
from archive.signing import Signer, Verifier
from archive.timestamps import check_certificates, check_token, make_request
from archive.verify import verify
from tests.archive.authority import make_ca, reply
from tests.archive.court import Recorded
from tests.examples import examples
from tests.mutation import CHANGE, CHANGES, Change, altered

T = "2026-09-14T05:15:00.000Z"
EVIDENCE = ("chain.jsonl", "manifest.json", "manifest.sig", "receipt.json", "receipt.sig")


@dataclass(frozen=True, repr=False)
class Sample:
    """A closed record with receipt and time stamp: names and bytes."""

    made: Recorded
    files: dict[str, bytes]

    def __repr__(self) -> str:
        return "Sample"

    @property
    def media(self) -> list[str]:
        return [name for name in self.files if name.endswith(".mp4")]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    made = Recorded(None).whole()
    manifest, archive = made.manifest(), Signer.generate()
    said = decode_manifest(manifest)
    receipt = canonical(
        {
            "version": 1,
            "recording": made.id,
            "courtroom": made.courtroom,
            "manifest_sha256": sha256_hex(manifest),
            "chain_head": said.chain_head,
            "segments": said.segments,
            "bytes": said.bytes,
            "received": T,
            "key_sha256": archive.public().sha256(),
        }
    )
    authority = tmp_path_factory.mktemp("authority")
    make_ca(authority)
    files = {
        "chain.jsonl": b"".join(r.line + b"\n" for r in made.records),
        "manifest.json": manifest,
        "manifest.sig": made.sign(manifest),
        "agent.pub": made.signer.public().pem(),
        "receipt.json": receipt,
        "receipt.sig": archive.sign(receipt),
        "archive.pub": archive.public().pem(),
        "receipt.tsr": reply(authority, make_request(receipt).query),
        "tsa-ca.pem": (authority / "ca.pem").read_bytes(),
    }
    media = {r.fields["file"]: made.media[r.seq] for r in made.records if r.kind is Kind.SEGMENT}
    return Sample(made, files | media)


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as bundle:
        for name, data in files.items():
            bundle.writestr(f"record/{name}", data)
    return sink.getvalue()


def test_the_sample_holds(sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(packed(sample.files))
    verdict = verify(path)
    assert [check.name for check in verdict.checks if not check.ok] == ["key_register"], verdict  # not in the sample


SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 1 << 31, 1 << 63, 10**400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ["", "cam", "../x", "0" * 64, T, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "a\0b"]
    )
)
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
)


PICK = st.integers(0, 999)  # one of a list, whatever its length


@examples(300)
@given(
    pick=PICK,
    kind=st.none() | st.sampled_from(Kind),
    changes=st.lists(st.tuples(PICK, st.none() | st.tuples(VALUE)), max_size=3),
    of_source=st.none() | st.tuples(st.sampled_from(["name", "kind", "channels", "video"]), VALUE),
)
def test_a_signed_line_of_any_fields_is_an_entry_or_damaged(
    sample: Sample,
    pick: int,
    kind: Kind | None,
    changes: list[tuple[int, tuple[Any] | None]],
    of_source: tuple[str, Any] | None,
) -> None:
    """An agent's key signs whatever the agent says: a line is canonical and linked, its fields are anything."""
    like = sample.made.records[pick % len(sample.made.records)]
    fields = dict(like.fields)
    if of_source and like.kind is Kind.START:
        fields["sources"] = [{**fields["sources"][0], of_source[0]: of_source[1]}]
    for at, value in changes:
        names = [*like.fields, "new"]
        fields.pop(names[at % len(names)], None)
        if value:
            fields[names[at % len(names)]] = value[0]
    record = make_record(Head(), T, kind or like.kind, fields)
    try:
        found = entry(parse_line(record.line))
    except (Damaged, BadInput):
        return
    assert isinstance(found, Entry)


@examples(200)
@given(changes=CHANGES)
def test_an_altered_chain_file_is_damaged_or_ends_elsewhere(sample: Sample, changes: list[Change]) -> None:
    original = sample.files["chain.jsonl"]
    data = altered(original, changes)
    try:
        records = parse_chain(data)
    except Damaged:
        return
    assert data == original or not records or records[-1].line != sample.made.records[-1].line
    for record in records:
        with contextlib.suppress(Damaged):
            entry(record)


@examples(200)
@given(changes=CHANGES)
@example([lambda _: b"[" * 100_000])
@example([lambda data: data.replace(b'"segments":7', b'"segments":"7"')])
@example([lambda data: data.replace(b'"version":1', b'"version":true')])
def test_an_altered_manifest_is_damaged_or_of_the_right_types(sample: Sample, changes: list[Change]) -> None:
    try:
        found = decode_manifest(altered(sample.files["manifest.json"], changes))
    except Damaged:
        return
    numbers = (found.chain_length, found.segments, found.gaps, found.bytes, found.version)
    assert all(type(number) is int and number >= 0 for number in numbers)
    assert all(isinstance(text, str) for text in (found.recording, found.chain_head, found.merkle_root))


@examples(200)
@given(changes=CHANGES)
@example([lambda pem: pem.replace(b"MCowBQYDK2VwAyEA", b"MCowBQYDK2VxAyEA")])  # another algorithm
def test_an_altered_key_is_damaged_or_another_key(sample: Sample, changes: list[Change]) -> None:
    pem = altered(sample.files["agent.pub"], changes)
    try:
        Verifier.from_pem(pem).holds(b"", bytes(64))
    except Damaged:
        return


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_before_or_after_all_time_is_damaged(text: str) -> None:
    with pytest.raises(Damaged):
        parse_iso(text)


@examples(100)
@given(changes=CHANGES)
def test_an_altered_time_stamp_is_damaged_or_says_the_same(sample: Sample, changes: list[Change]) -> None:
    receipt, token, ca = (sample.files[name] for name in ("receipt.json", "receipt.tsr", "tsa-ca.pem"))
    truth = check_token(token, receipt, ca)
    with contextlib.suppress(Damaged):
        assert check_token(altered(token, changes), receipt, ca) == truth


@examples(100)
@given(changes=CHANGES)
def test_altered_certificates_are_damaged_or_certificates(sample: Sample, changes: list[Change]) -> None:
    ca = altered(sample.files["tsa-ca.pem"], changes)
    for look in (lambda: check_certificates(ca), lambda: check_token(sample.files["receipt.tsr"], b"", ca)):
        with contextlib.suppress(Damaged):
            look()


def test_a_certificate_without_a_readable_name_is_damaged(sample: Sample) -> None:
    certificate = x509.load_pem_x509_certificate(sample.files["tsa-ca.pem"])
    der = certificate.public_bytes(serialization.Encoding.DER)
    at = der.rfind(certificate.subject.public_bytes())
    spoilt = base64.encodebytes(der[:at] + b"\xfc" + der[at + 1 :])
    with pytest.raises(Damaged):
        check_certificates(b"-----BEGIN CERTIFICATE-----\n" + spoilt + b"-----END CERTIFICATE-----\n")


@examples(100)
@given(pick=PICK, changes=CHANGES)
def test_no_altered_file_of_a_record_holds(sample: Sample, tmp_path: Path, pick: int, changes: list[Change]) -> None:
    names = [*EVIDENCE, *sample.media]
    name = names[pick % len(names)]
    changed = altered(sample.files[name], changes)
    path = tmp_path / "bundle.zip"
    path.write_bytes(packed(sample.files | {name: changed}))
    assert verify(path).ok is (changed == sample.files[name])


@examples(200)
@given(
    changes=st.lists(CHANGE, min_size=1, max_size=2), method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
)
def test_an_altered_bundle_holds_only_with_every_byte(
    sample: Sample, tmp_path: Path, changes: list[Change], method: int
) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(altered(packed(sample.files, method), changes))
    try:
        verdict = verify(path)
    except Damaged:
        return
    if verdict.ok:
        with zipfile.ZipFile(path) as bundle:
            found = {n.split("/", 1)[1]: bundle.read(n) for n in bundle.namelist()}
        checked = (*EVIDENCE[:3], *sample.media)
        assert {n: found[n] for n in checked} == {n: sample.files[n] for n in checked}


def _twice(files: dict[str, bytes]) -> bytes:
    """The manifest stands twice: zip programs do not agree on which one is unpacked."""
    data = packed(files | {"manifest.jsoN": files["manifest.json"].replace(b'"gaps":1', b'"gaps":0')})
    return data.replace(b"manifest.jsoN", b"manifest.json")


def _way_out(files: dict[str, bytes]) -> bytes:
    return packed(files | {"../../../etc/cron.d/x": b"* * * * * root sh"})


def _media_beside(files: dict[str, bytes]) -> bytes:
    return packed(files | {"../other/000001.mp4": b"x"}).replace(b"record/../other", b"recor_/./_other")


def _link(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO(packed(files))
    with zipfile.ZipFile(sink, "a") as bundle:
        link = zipfile.ZipInfo("record/README.txt")
        link.external_attr = 0o120777 << 16
        bundle.writestr(link, "/etc/passwd")
    return sink.getvalue()


def _encrypted(files: dict[str, bytes]) -> bytes:
    data = bytearray(packed(files))
    for at in range(len(data) - 4):
        if data[at : at + 4] in (b"PK\x01\x02", b"PK\x03\x04"):
            data[at + (8 if data[at + 2] == 1 else 6)] |= 1
    return bytes(data)


def _nameless(files: dict[str, bytes]) -> bytes:
    return packed(files | {"./": b""}).replace(b"record/./", b"record/.\0")


def _deep_checkpoints(files: dict[str, bytes]) -> bytes:
    return packed(files | {"checkpoints.jsonl": b"[" * 100_000 + b"\n"})


def _deep_receipt(files: dict[str, bytes]) -> bytes:
    key = Signer.generate()
    receipt = b"[" * 100_000
    forged = {"receipt.json": receipt, "receipt.sig": key.sign(receipt), "archive.pub": key.public().pem()}
    return packed(files | forged)


def _of_newlines(files: dict[str, bytes]) -> bytes:
    """Empty lines pack a thousandfold; a list of them would be eight times as large."""
    return packed(files | {"chain.jsonl": b"\n" * (20 << 20)}, zipfile.ZIP_DEFLATED)


def _bomb(files: dict[str, bytes]) -> bytes:
    return packed(files | {"manifest.json": bytes(25 << 20)}, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("make", "found_by"),
    [
        (_twice, "no_other_media"),
        (_way_out, "no_other_media"),
        (_media_beside, "no_other_media"),
        (_link, "no_other_media"),
        (_nameless, ""),  # no fault, and no crash
        (_encrypted, "chain"),
        (_deep_checkpoints, "checkpoints"),
        (_deep_receipt, "receipt"),
        (_of_newlines, "chain"),
        (_bomb, "manifest"),
    ],
)
def test_a_forged_bundle_is_refused_in_one_line(
    sample: Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[dict[str, bytes]], bytes],
    found_by: str,
) -> None:
    monkeypatch.setattr("archive.verify.MOST_SMALL_BYTES", 24 << 20)
    path = tmp_path / "bundle.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile tells of doubles
        path.write_bytes(make(sample.files))
    tracemalloc.start()
    found = [check.name for check in verify(path).checks if check.ok is False]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 60 << 20
    assert found_by in found if found_by else not found

"""Whether a recording's folder or bundle holds the whole recording, unchanged.

Needs nothing but the folder: no database, no network. Media are read once, as a stream.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from archive.attested import NotChecked, check_key, check_receipt, check_stamp
from archive.domain import merkle
from archive.domain.chain import Kind, Record, canonical, parse_chain, parse_line
from archive.domain.errors import Damaged
from archive.domain.manifest import Manifest, build_manifest, decode_manifest, encode_manifest
from archive.domain.span import SPAN, Part, check_lines, check_proof, decode_part, uncovered
from archive.domain.wall import iso
from archive.holders import UNREADABLE, Holder, open_holder
from archive.signing import Verifier

MEDIA = (".mp4", ".part")
CHUNK_BYTES = 1 << 20
MOST_SMALL_BYTES = 256 << 20  # chain and manifest of the longest hearing are far below
Progress = Callable[[int], None]
# What a forged file may do to a check that expects another form; a deep one overruns the stack (RuntimeError).
OTHER_FORM = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `detail` says what was found, in one line. `ok` None = it could not be checked."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one recording."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing that could be checked fails."""
        return all(check.ok is not False for check in self.checks)


def verify(path: Path, progress: Progress = lambda _bytes: None, archive_key: str = "") -> Verdict:
    """Look at the folder or bundle at `path`. `progress` is told of media bytes read; `archive_key` is the
    fingerprint of the archive's key as the court has published it, if that is known.

    Raises:
        Damaged: it is neither a folder nor a zip.
    """
    with open_holder(path) as holder:
        return Verdict(tuple(_all_checks(holder, progress, archive_key)))


def media_bytes(path: Path) -> int:
    """How many bytes `verify` will read, about."""
    with open_holder(path) as holder:
        return sum(holder.size(name) or 0 for name in holder.names())


def _all_checks(holder: Holder, progress: Progress, archive_key: str) -> list[Check]:
    checks: list[Check] = []
    part = _attempt(checks, "span", lambda: _part(holder)) if holder.size(SPAN) is not None else None
    if checks and part is None:
        return checks
    records = _attempt(checks, "chain", lambda: _chain(holder) if part is None else _lines(holder, part))
    if records is None:
        return checks
    key = _attempt(checks, "key", lambda: _key(holder, records, part))
    manifest = _attempt(checks, "manifest", lambda: _manifest(holder, records, part))
    if key is not None:
        _attempt(checks, "signature", lambda: _signature(holder, key))
        _attempt(checks, "checkpoints", lambda: _checkpoints(holder, records, key))
    if manifest is not None:
        _attempt(checks, "merkle", lambda: _merkle(records, manifest, part))
        _attempt(checks, "receipt", lambda: _receipt(holder, manifest, archive_key))
        _attempt(checks, "timestamp", lambda: _stamp(holder))
        if key is not None:
            _attempt(checks, "key_register", lambda: (True, check_key(lambda name: _read_if_there(holder, name), key)))
    if part is not None and manifest is not None:
        _attempt(checks, "whole_span", lambda: _whole_span(part, records, manifest))
    _attempt(checks, "segments", lambda: _segments(holder, records, progress))
    _attempt(checks, "no_other_media", lambda: _no_other_media(holder, records))
    return checks


T = TypeVar("T")


def _attempt(checks: list[Check], name: str, look: Callable[[], tuple[T, str]]) -> T | None:
    """What `look` found, with its check added; None when it does not hold."""
    try:
        found, detail = look()
    except NotChecked as reason:
        checks.append(Check(name, None, str(reason)))
        return None
    except (Damaged, OSError) as error:
        checks.append(Check(name, False, str(error)))
        return None
    except (*UNREADABLE, *OTHER_FORM) as error:
        checks.append(Check(name, False, f"not of the expected form ({error!r:.100})"))
        return None
    checks.append(Check(name, True, detail))
    return found


def _read(holder: Holder, name: str) -> bytes:
    size = holder.size(name)
    if size is None:
        raise Damaged(f"{name} is missing")
    if size > MOST_SMALL_BYTES:
        raise Damaged(f"{name} is {size} bytes, far more than such a file can have")
    with holder.open(name) as file:
        return file.read()


def _chain(holder: Holder) -> tuple[list[Record], str]:
    records = parse_chain(_read(holder, "chain.jsonl"))
    if not records or records[0].kind is not Kind.START:
        raise Damaged("the chain does not begin with a start")
    if records[-1].kind is not Kind.STOP or sum(r.kind is Kind.STOP for r in records) != 1:
        raise Damaged("the chain does not end with its one stop: the recording is open, or its end is cut off")
    return records, f"{len(records)} lines, each names the one before"


def _part(holder: Holder) -> tuple[Part, str]:
    part = decode_part(_read(holder, SPAN))
    return part, f"a part of {part.recording}: {iso(part.begin)} to {iso(part.end)}; of the rest nothing is said"


def _lines(holder: Holder, part: Part) -> tuple[list[Record], str]:
    data = _read(holder, "chain.jsonl")
    if not data.endswith(b"\n"):
        raise Damaged("chain ends in the middle of a line")
    records = [parse_line(line[:-1]) for line in io.BytesIO(data)]
    check_lines(part, records)
    return records, f"lines {records[0].seq} to {records[-1].seq}, each names the one before"


def _whole_span(part: Part, records: Sequence[Record], manifest: Manifest) -> tuple[bool, str]:
    if left_out := uncovered(part, records, manifest.chain_length):
        raise Damaged(f"the lines do not show all that these recorded in the span: {', '.join(left_out)}")
    return True, "the lines show what was recorded from before its beginning to behind its end"


def _key(holder: Holder, records: Sequence[Record], part: Part | None) -> tuple[Verifier, str]:
    key = Verifier.from_pem(_read(holder, "agent.pub"))
    begun = records[0].fields.get("key_sha256")
    if part is not None:
        begun = decode_manifest(_read(holder, "manifest.json")).key_sha256
    if key.sha256() != begun:
        raise Damaged("agent.pub is not the key that the recording was begun with")
    return key, f"fingerprint {key.sha256()}"


def _manifest(holder: Holder, records: Sequence[Record], part: Part | None) -> tuple[Manifest, str]:
    data = _read(holder, "manifest.json")
    manifest = decode_manifest(data)
    if part is not None:
        if manifest.recording != part.recording:
            raise Damaged("the manifest is of another recording than span.json")
        return manifest, f"of the whole recording: {manifest.segments} segments, {manifest.gaps} gaps"
    built = build_manifest(records)
    if encode_manifest(built) != data:
        wrong = [name for name in Manifest.__slots__ if getattr(built, name) != getattr(manifest, name)]
        raise Damaged(f"the manifest says otherwise than the chain: {', '.join(wrong) or 'other bytes'}")
    return manifest, f"{manifest.segments} segments, {manifest.gaps} gaps, as the chain says"


def _signature(holder: Holder, key: Verifier) -> tuple[bool, str]:
    if not key.holds(_read(holder, "manifest.json"), _read(holder, "manifest.sig")):
        raise Damaged("manifest.sig is not agent.pub's signature over manifest.json")
    return True, "Ed25519 over manifest.json"


def _merkle(records: Sequence[Record], manifest: Manifest, part: Part | None) -> tuple[bool, str]:
    if part is not None:
        check_proof(part, records, manifest.chain_length, bytes.fromhex(manifest.merkle_root))
        return True, f"{len(part.path)} hashes lead from line {records[-1].seq} to {manifest.merkle_root}"
    root = merkle.root([r.line for r in records]).hex()
    if root != manifest.merkle_root:
        raise Damaged("the Merkle root of the chain is not the manifest's")
    return True, root


def _receipt(holder: Holder, manifest: Manifest, archive_key: str) -> tuple[bool, str]:
    said = check_receipt(
        lambda name: _read_if_there(holder, name), _read(holder, "manifest.json"), manifest, archive_key
    )
    return True, said


def _stamp(holder: Holder) -> tuple[bool, str]:
    return True, check_stamp(lambda name: _read_if_there(holder, name))


def _read_if_there(holder: Holder, name: str) -> bytes | None:
    return None if holder.size(name) is None else _read(holder, name)


def _checkpoints(holder: Holder, records: Sequence[Record], key: Verifier) -> tuple[int, str]:
    if holder.size("checkpoints.jsonl") is None:  # they bind an open recording; a closed one is bound by its manifest
        return 0, "none here; the signed manifest covers the whole chain"
    number = 0
    for number, line in enumerate(io.BytesIO(_read(holder, "checkpoints.jsonl")), 1):
        body = json.loads(line)
        signature = base64.b64decode(body.pop("signature"), validate=True)
        if not key.holds(canonical(body), signature):
            raise Damaged(f"checkpoint {number} is not signed by agent.pub")
        seq = body["seq"]
        named = body["recording"] == records[0].fields["recording"]
        if not named or not 0 <= seq < len(records) or records[seq].sha256 != body["head"]:
            raise Damaged(f"checkpoint {number} is of another chain than this")
    if not number:
        raise Damaged("checkpoints.jsonl is empty")
    return number, f"{number} signed on the way"


def _segments(holder: Holder, records: Sequence[Record], progress: Progress) -> tuple[int, str]:
    wrong: list[str] = []
    segments = [r.fields for r in records if r.kind is Kind.SEGMENT]
    for segment in segments:
        fault = _fault(holder, segment, progress)
        wrong += [f"{segment['file']} {fault}"] if fault else []
    counts = Counter(s["file"] for s in segments)
    wrong += [f"{name} stands twice in the chain" for name, count in sorted(counts.items()) if count > 1]
    if wrong:
        raise Damaged("; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""))
    return len(segments), f"{len(segments)} files, {sum(s['size'] for s in segments)} bytes, each as it was recorded"


def _fault(holder: Holder, segment: Mapping[str, Any], progress: Progress) -> str:
    name: str = segment["file"]
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return "is not a name inside the recording"
    size = holder.size(name)
    if size is None:
        return "is missing"
    if size != segment["size"]:
        return f"has {size} bytes instead of {segment['size']}"
    with holder.open(name) as file:
        return "" if _sha256(file, progress) == segment["sha256"] else "was altered"


def _sha256(file: BinaryIO, progress: Progress) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        progress(len(chunk))
    return digest.hexdigest()


def _no_other_media(holder: Holder, records: Sequence[Record]) -> tuple[int, str]:
    known = {r.fields["file"] for r in records if r.kind is Kind.SEGMENT}
    start = records[0].fields.get("sources")  # a part may begin behind it
    sources = {s["name"] for s in start} if start else {r.fields["source"] for r in records if r.kind is Kind.SEGMENT}
    media = [n for n in holder.names() if _is_media(PurePosixPath(n), sources)]
    if other := sorted(set(media) - known):
        raise Damaged(f"not in the chain: {', '.join(other[:5])}")
    if odd := holder.odd():
        raise Damaged(f"twice in the bundle, a link, or leading out of it: {', '.join(odd[:5])}")
    return len(media), "nothing that the chain does not name"


def _is_media(path: PurePosixPath, sources: set[str]) -> bool:
    return path.suffix.lower() in MEDIA or (path.parts[:1] != () and path.parts[0] in sources)

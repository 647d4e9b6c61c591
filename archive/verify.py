"""Whether a recording's folder or bundle holds the whole recording, unchanged.

Needs nothing but the folder: no database, no network. Media are read once, as a stream.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import lzma
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, TypeVar

from archive.attested import NotChecked, check_key, check_receipt, check_stamp
from archive.domain import merkle
from archive.domain.chain import Kind, Record, canonical, parse_chain
from archive.domain.errors import Damaged
from archive.domain.manifest import Manifest, build_manifest, decode_manifest, encode_manifest
from archive.signing import Verifier

MEDIA = (".mp4", ".part")
CHUNK_BYTES = 1 << 20
MOST_SMALL_BYTES = 256 << 20  # chain and manifest of the longest hearing are far below
Progress = Callable[[int], None]
# What a zip that is altered, encrypted or packed in another way does to zipfile when it is opened or read.
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, RuntimeError)
# What a forged file may do to a check that expects another form; a deep one overruns the stack (RuntimeError).
OTHER_FORM = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `detail` says what was found, in one line. `ok` None = it could not be checked."""

    name: str
    ok: bool | None
    detail: str


class Holder(Protocol):
    """A folder or a zip: names and bytes."""

    def names(self) -> list[str]:
        """Relative names of all files, with `/`."""
        ...

    def odd(self) -> list[str]:
        """Names that are no plain files, lead out, or stand twice: who unpacks it may get something else."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file's bytes as a stream."""
        ...


class FolderHolder:
    """A recording's folder. Links that lead out of it are not followed."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def names(self) -> list[str]:
        """Relative names of all files."""
        return sorted(p.relative_to(self._path).as_posix() for p in self._path.rglob("*") if not p.is_dir())

    def odd(self) -> list[str]:
        """None: a name stands for one thing here, and links that lead out are not followed."""
        return []

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        path = self._path / name
        if not path.is_file() or not path.resolve().is_relative_to(self._path):
            return None
        return path.stat().st_size

    def open(self, name: str) -> BinaryIO:
        """A file's bytes as a stream."""
        return (self._path / name).open("rb")


class ZipHolder:
    """A bundle; the recording may lie in one folder inside."""

    def __init__(self, bundle: zipfile.ZipFile) -> None:
        self._bundle = bundle
        chains = [n for n in bundle.namelist() if PurePosixPath(n).name == "chain.jsonl"]
        self._prefix = min(chains, key=len).removesuffix("chain.jsonl") if chains else ""

    def names(self) -> list[str]:
        """Relative names of all files, those outside of the recording's folder with `../`."""
        files = [n for n in self._bundle.namelist() if not n.endswith("/")]
        return sorted(
            n.removeprefix(self._prefix) if n.startswith(self._prefix) else f"../{n.lstrip('/')}" for n in files
        )

    def odd(self) -> list[str]:
        """Names that stand twice or lead out, and links."""
        entries = self._bundle.infolist()
        counts = Counter(entry.filename for entry in entries)
        return sorted({e.filename for e in entries if counts[e.filename] > 1 or _leads_out(e) or _is_special(e)})

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        try:
            return self._bundle.getinfo(self._prefix + name).file_size
        except KeyError:
            return None

    def open(self, name: str) -> BinaryIO:
        """A file's bytes as a stream."""
        return self._bundle.open(self._prefix + name)  # type: ignore[return-value]


def _leads_out(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts


def _is_special(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR)


@contextmanager
def open_holder(path: Path) -> Iterator[Holder]:
    """The folder or zip at `path`.

    Raises:
        Damaged: neither of them.
    """
    if path.is_dir():
        yield FolderHolder(path)
        return
    try:
        bundle = zipfile.ZipFile(path)
    except (*UNREADABLE, OSError, ValueError) as error:
        raise Damaged(f"{path} is neither a recording's folder nor a bundle ({error}); check the path") from error
    with bundle:
        yield ZipHolder(bundle)


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
    records = _attempt(checks, "chain", lambda: _chain(holder))
    if records is None:
        return checks
    key = _attempt(checks, "key", lambda: _key(holder, records))
    manifest = _attempt(checks, "manifest", lambda: _manifest(holder, records))
    if key is not None:
        _attempt(checks, "signature", lambda: _signature(holder, key))
        _attempt(checks, "checkpoints", lambda: _checkpoints(holder, records, key))
    if manifest is not None:
        _attempt(checks, "merkle", lambda: _merkle(records, manifest))
        _attempt(checks, "receipt", lambda: _receipt(holder, manifest, archive_key))
        _attempt(checks, "timestamp", lambda: _stamp(holder))
        if key is not None:
            _attempt(checks, "key_register", lambda: (True, check_key(lambda name: _read_if_there(holder, name), key)))
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


def _key(holder: Holder, records: Sequence[Record]) -> tuple[Verifier, str]:
    key = Verifier.from_pem(_read(holder, "agent.pub"))
    if key.sha256() != records[0].fields["key_sha256"]:
        raise Damaged("agent.pub is not the key that the recording was begun with")
    return key, f"fingerprint {key.sha256()}"


def _manifest(holder: Holder, records: Sequence[Record]) -> tuple[Manifest, str]:
    data = _read(holder, "manifest.json")
    manifest = decode_manifest(data)
    built = build_manifest(records)
    if encode_manifest(built) != data:
        wrong = [name for name in Manifest.__slots__ if getattr(built, name) != getattr(manifest, name)]
        raise Damaged(f"the manifest says otherwise than the chain: {', '.join(wrong) or 'other bytes'}")
    return manifest, f"{manifest.segments} segments, {manifest.gaps} gaps, as the chain says"


def _signature(holder: Holder, key: Verifier) -> tuple[bool, str]:
    if not key.holds(_read(holder, "manifest.json"), _read(holder, "manifest.sig")):
        raise Damaged("manifest.sig is not agent.pub's signature over manifest.json")
    return True, "Ed25519 over manifest.json"


def _merkle(records: Sequence[Record], manifest: Manifest) -> tuple[bool, str]:
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
    sources = {s["name"] for s in records[0].fields["sources"]}
    media = [n for n in holder.names() if _is_media(PurePosixPath(n), sources)]
    if other := sorted(set(media) - known):
        raise Damaged(f"not in the chain: {', '.join(other[:5])}")
    if odd := holder.odd():
        raise Damaged(f"twice in the bundle, a link, or leading out of it: {', '.join(odd[:5])}")
    return len(media), "nothing that the chain does not name"


def _is_media(path: PurePosixPath, sources: set[str]) -> bool:
    return path.suffix.lower() in MEDIA or (path.parts[:1] != () and path.parts[0] in sources)

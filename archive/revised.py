"""Documents of a text's revisions in the evidence bucket: `text-<number>-<sha256[:16]>.json`, signed by the archive.

Each names the one before by its hash. Two with one number can lie there when a catalogue was restored from an older
copy; the line of documents that reaches furthest, of two alike the later one, is the text.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta

from archive.db import revisions as rows
from archive.db.cards import courtroom_of
from archive.db.copied import queue_copy
from archive.db.keeping import want
from archive.domain.chain import sha256_hex
from archive.domain.keys import document_key, recording_prefix
from archive.domain.revision_file import MACHINE, Revision, read_machine, read_revision
from archive.domain.transcript import Transcript
from archive.jobs.context import JobContext
from archive.signing import Verifier
from archive.storage.port import ObjectStore


def keep_revisions(context: JobContext, recording: str) -> int:
    """Store the documents that are not in the store yet; how many there were. Again it stores nothing new.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    with context.sessions() as session:
        waiting = rows.unstored(session, recording)
        courtroom = courtroom_of(session, recording)
    if not waiting or courtroom is None:
        return 0
    keys = {one.number: _store(context, courtroom, recording, one.number, one.body) for one in waiting}
    with context.sessions.begin() as session:
        for number, key in keys.items():
            if number != MACHINE:
                rows.set_stored(session, recording, number, key)
        want(session, [recording])
        if context.second is not None:
            queue_copy(session, recording)
    return len(waiting)


def _store(context: JobContext, courtroom: str, recording: str, number: int, body: bytes) -> str:
    key = document_key(courtroom, recording, f"text-{number:06d}.json", sha256_hex(body))
    days = context.settings.storage.retention_days
    context.evidence.put(
        key,
        body,
        metadata={"signature": base64.b64encode(context.signer.sign(body)).decode()},
        content_type="application/json",
        retain_until=context.clock.utc() + timedelta(days=days) if days else None,
    )
    return key


@dataclass(frozen=True, slots=True)
class Kept:
    """A text as the store has it: the machine's, and what people did, with the keys of their documents."""

    machine: Transcript
    revisions: tuple[tuple[str, Revision], ...]


@dataclass(frozen=True, slots=True)
class _Found:
    key: str
    sha256: str
    number: int
    previous: str
    at: str
    body: bytes


def read_revisions(evidence: ObjectStore, courtroom: str, recording: str, archives: Sequence[Verifier]) -> Kept | None:
    """The text of the documents that one of the archive's keys has signed; None when there are none that hold.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    found = {one.sha256: one for one in _documents(evidence, courtroom, recording, archives)}
    for newest in sorted(found.values(), key=lambda one: (one.number, one.at), reverse=True):
        line = _line(found, newest)
        if line and newest.number != MACHINE:
            engine, said = read_machine(json.loads(line[0].body))
            made = tuple((one.key, read_revision(json.loads(one.body))) for one in line[1:])
            return Kept(Transcript(max((one.end_ms for one in said), default=0), said, engine), made)
    return None


def _line(found: Mapping[str, _Found], newest: _Found) -> list[_Found]:
    """All documents up to this one; empty when one is missing."""
    line = [newest]
    while line[0].number != MACHINE:
        before = found.get(line[0].previous)
        if before is None or before.number != line[0].number - 1:
            return []
        line.insert(0, before)
    return line


def _documents(evidence: ObjectStore, courtroom: str, recording: str, archives: Sequence[Verifier]) -> Iterator[_Found]:
    for listed in evidence.list(recording_prefix(courtroom, recording) + "text-"):
        with evidence.open_range(listed.key) as stream, closing(stream):
            body = stream.read()
        signature = b""
        with suppress(binascii.Error):
            signature = base64.b64decode(evidence.head(listed.key).metadata.get("signature", ""), validate=True)
        if any(archive.holds(body, signature) for archive in archives):
            told = json.loads(body)
            if told["recording"] == recording:
                at = told.get("at", "")
                yield _Found(listed.key, sha256_hex(body), told["revision"], told.get("previous", ""), at, body)

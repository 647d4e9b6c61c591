"""One recording in the store beside the same recording in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from archive.cards import read_card
from archive.db.holdings import Held, held
from archive.db.intake import lines as known_lines
from archive.domain.chain import Kind, sha256_hex
from archive.domain.errors import NotFound
from archive.domain.keys import SHA_CHARS, document_key
from archive.domain.revision_file import MACHINE
from archive.domain.wall import parse_iso
from archive.ingest.check import stored_sha256
from archive.ingest.stored import Proven, Stored, agent_keys, proven_lines, signed_manifest
from archive.jobs.context import JobContext
from archive.reconcile.adopt import proven_receipt
from archive.reconcile.findings import Code, Finding
from archive.signing import Verifier

GRACE = timedelta(minutes=10)  # what is younger may still be on its way
_CLOSING = ("manifest.sig", "agent.pub", "chain.jsonl")
_RECEIVED = ("receipt.json", "receipt.sig")


class Comparison:
    """What differs in one recording; `hash_bytes` reads every byte of its segments."""

    def __init__(
        self, context: JobContext, found: Stored, archives: Sequence[Verifier], *, hash_bytes: bool = False
    ) -> None:
        self._context, self._found, self._archives, self._hash = context, found, archives, hash_bytes
        self._now = context.clock.utc()

    def findings(self) -> Iterator[Finding]:
        """All of them, in no set order.

        Raises:
            StoreUnavailable, StoreRefused, DatabaseUnavailable: it could not be looked at.
        """
        with self._context.sessions() as session:
            here = held(session, self._found.recording)
        if here is None or here.courtroom != self._found.courtroom:
            yield from self._unknown()
            return
        yield from (self._finding(Code.OBJECT_FOREIGN, key) for key in self._found.foreign)
        yield from self._segments(here)
        yield from self._documents(here)
        if here.manifest_sha256 is None:
            yield from self._lines(here)

    def _finding(self, code: Code, detail: str) -> Finding:
        return Finding(code, self._found.courtroom, self._found.recording, detail)

    def _unknown(self) -> Iterator[Finding]:
        if self._found.objects:
            yield self._finding(Code.RECORDING_UNKNOWN, f"{len(self._found.objects)} objects")
        yield from (self._finding(Code.OBJECT_FOREIGN, key) for key in self._found.foreign)

    def _segments(self, here: Held) -> Iterator[Finding]:
        for key, (seq, size, sha256) in here.segments.items():
            stored = self._found.sizes.get(key)
            if stored is None:
                yield self._finding(Code.OBJECT_MISSING, f"chain line {seq}: {key}")
            elif stored != size:
                yield self._finding(Code.OBJECT_SIZE, f"{key} has {stored} bytes instead of {size}")
            elif self._hash and self._sha256(key) != sha256:
                yield self._finding(Code.OBJECT_ALTERED, f"chain line {seq}: {key}")
        if here.manifest_sha256 is None:
            return  # a segment may be stored before its line has come
        for key in self._found.of("segment"):
            if key not in here.segments:
                yield self._finding(Code.OBJECT_EXTRA, key)

    def _sha256(self, key: str) -> str:
        try:
            return stored_sha256(self._context.evidence, key)
        except NotFound:  # it was there when it was listed
            return "nothing"

    def _documents(self, here: Held) -> Iterator[Finding]:
        if read_card(self._context.evidence, here.courtroom, here.id, self._archives) is None:
            yield self._finding(Code.CARD_MISSING, "no card that this archive has signed")
        if here.manifest_sha256 is None:
            return
        manifest = document_key(here.courtroom, here.id, "manifest.json", here.manifest_sha256)
        needed = {"manifest.json": manifest in self._found.objects}
        kinds = _CLOSING + _RECEIVED if here.verified_ok else _CLOSING
        needed |= {kind: bool(self._found.of(kind)) for kind in kinds}
        for kind, there in needed.items():
            if not there:
                yield self._finding(Code.DOCUMENT_MISSING, kind)
        yield from self._altered_documents()
        if self._chain_sha256(here) != here.chain_sha256:
            yield self._finding(Code.LINE_DIFFERS, "the catalogue's lines are not those of the manifest")
        if all(needed.values()):
            yield from self._signatures(here)
        if not here.verified_ok:
            yield self._finding(
                Code.RECEIPT_MISSING, "not found whole yet" if here.verified_ok is None else "not whole"
            )
        if not here.copies:
            yield self._finding(Code.COPIES_MISSING, "nothing to watch or hear was made of it")
        if not here.text:
            yield self._finding(Code.TEXT_MISSING, "no final text")
        yield from self._revisions(here)

    def _revisions(self, here: Held) -> Iterator[Finding]:
        stored = {key: self._found.objects[key].first for key in self._found.of("text.json")}
        lost = [
            number
            for number, (key, made) in here.revisions.items()
            if (key not in stored if key else self._is_late(made))
        ]
        if any(key for key, _ in here.revisions.values()) and MACHINE not in stored.values():
            lost.insert(0, MACHINE)
        if lost:
            yield self._finding(Code.REVISION_MISSING, f"{len(lost)} revisions of the text, the first is {lost[0]}")
        known = {key for key, _ in here.revisions.values()}
        if here.text:
            unknown = (key for key, number in stored.items() if number != MACHINE and key not in known)
            yield from (self._finding(Code.REVISION_DIFFERS, key) for key in unknown)

    def _signatures(self, here: Held) -> Iterator[Finding]:
        """A document counts for nothing while its signature does not hold."""
        store = self._context.evidence
        key = agent_keys(store, self._found).get(here.key_sha256)
        signed = signed_manifest(store, self._found, key) if key else None
        if signed is None:
            yield self._finding(Code.DOCUMENT_MISSING, "no manifest.sig of the agent's key holds")
        elif here.verified_ok and proven_receipt(store, self._found, signed[0], self._archives)[0] is None:
            yield self._finding(
                Code.DOCUMENT_MISSING, "no receipt.json with a receipt.sig of this archive's that holds"
            )

    def _chain_sha256(self, here: Held) -> str:
        with self._context.sessions() as session:
            return sha256_hex(b"".join(line + b"\n" for line in known_lines(session, here.id).values()))

    def _altered_documents(self) -> Iterator[Finding]:
        """Documents are small: their bytes are always held against their names."""
        for key, name in self._found.objects.items():
            if name.kind != "segment" and self._sha256(key)[:SHA_CHARS] != name.sha:
                yield self._finding(Code.OBJECT_ALTERED, key)

    def _lines(self, here: Held) -> Iterator[Finding]:
        """What the store proves of an open recording and the catalogue does not have, unless it is still on its way."""
        key = agent_keys(self._context.evidence, self._found).get(here.key_sha256)
        if key is None:
            return
        proven = proven_lines(self._context.evidence, self._found, key)
        known = self._known(here, proven)
        forked = proven.doubled | {seq for seq, line in known.items() if proven.records[seq].line != line}
        late = [r for seq, r in proven.records.items() if seq not in known and self._is_late(parse_iso(r.t))]
        if forked:
            yield self._finding(Code.LINE_DIFFERS, f"chain line {min(forked)} is proven with other bytes")
        elif late:
            yield self._finding(Code.LINE_MISSING, f"{len(late)} lines, the first is {min(r.seq for r in late)}")
        elif self._stopped_late(proven) and signed_manifest(self._context.evidence, self._found, key):
            yield self._finding(Code.NOT_CLOSED, "its signed manifest lies in the store")

    def _known(self, here: Held, proven: Proven) -> dict[int, bytes]:
        with self._context.sessions() as session:
            return known_lines(session, here.id, list(proven.records))

    def _stopped_late(self, proven: Proven) -> bool:
        return any(r.kind is Kind.STOP and self._is_late(parse_iso(r.t)) for r in proven.records.values())

    def _is_late(self, since: datetime) -> bool:
        return self._now - since > GRACE

"""A recording taken into the catalogue from the object store alone.

It may have been stored by an agent that never reached the centre, or the catalogue may have been lost. What is taken is
what the agent's key proves, and the key must be one that the catalogue knows as this agent's. One transaction; again it
changes nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from archive.attested import ARCHIVE_KEY, RECEIPT, SIGNATURE, NotChecked, check_receipt
from archive.cards import read_card
from archive.db import cards, evidence, revisions, transcripts
from archive.db import intake as rows
from archive.db import keys as register
from archive.db.agents import Agent, agent_by_name
from archive.db.cards import queue_cards
from archive.db.intake import Intake
from archive.db.marks import carry_on, restore_marks
from archive.db.session import notify
from archive.domain.chain import Record, sha256_hex
from archive.domain.errors import Damaged, NotFound
from archive.domain.manifest import decode_manifest
from archive.domain.register import Statement
from archive.domain.transcript import Transcript
from archive.domain.transcript_file import from_dict
from archive.domain.wall import parse_iso
from archive.ingest.derive import take
from archive.ingest.intake import assignable, check_whole, queue_copies, queue_receipt
from archive.ingest.lines import Start, entry
from archive.ingest.stored import Proven, Stored, agent_keys, objects_of, proven_lines, signed_manifest, start_lines
from archive.jobs.context import JobContext
from archive.publish.catalogue import take_over
from archive.publish.finished import read_copies
from archive.receipts import Receipt, read_receipt
from archive.reconcile.findings import Code, Refused
from archive.revised import Kept, read_revisions
from archive.signing import Verifier
from archive.stamps import read_stamp
from archive.storage.port import ObjectStore


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was new to the catalogue."""

    registered: bool
    lines: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe: the archive's keys, and what the register in the bucket says of others (rebuilding)."""

    archives: Sequence[Verifier]
    register: dict[str, Statement]


@dataclass(frozen=True, slots=True)
class _Whole:
    """All that the store says of one recording."""

    start: Start
    key: Verifier
    proven: Proven
    manifest: bytes | None
    receipt: Receipt | None
    received: datetime | None


def adopt(context: JobContext, found: Stored, trust: Trust) -> Adopted:
    """Take what the store proves of a recording.

    Raises:
        Refused: it proves nothing that may be taken; the code says why.
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    whole = _read(context.evidence, found, trust.archives)
    kept, text = _texts(context, found, trust) if whole.manifest else (None, None)
    copies = read_copies(context.derived, found.recording) if whole.manifest else []
    with context.sessions.begin() as session:
        registered = rows.intake(session, found.recording) is None
        if registered:
            _register(session, context, found, whole, trust)
        here = rows.intake(session, found.recording)
        if here is None:
            raise NotFound(f"recording {found.recording} went away")
        lines = _take(session, here, found, whole)
        closed = whole.manifest is not None and here.manifest_sha256 is None
        if whole.manifest is not None and closed:
            _close(session, context, found, whole, whole.manifest, text)
            _revise(session, found.recording, kept)
            take_over(session, found.recording, sha256_hex(whole.manifest), copies, context.clock.utc())
        if registered or lines or closed:
            notify(session, "tyndau_recording", found.recording)
    return Adopted(registered, lines, closed)


def _read(store: ObjectStore, found: Stored, archives: Sequence[Verifier]) -> _Whole:
    keys = agent_keys(store, found)
    for record in start_lines(store, found):
        start = _start(record)
        if start is None or start.key_sha256 not in keys:
            continue
        if (start.recording, start.courtroom) != (found.recording, found.courtroom):
            continue
        key = keys[start.key_sha256]
        proven = proven_lines(store, found, key)
        if 0 in proven.records and proven.records[0].line == record.line:
            signed = signed_manifest(store, found, key)
            manifest = signed[0] if signed else None
            return _Whole(start, key, proven, manifest, *proven_receipt(store, found, manifest, archives))
    raise Refused(Code.CHAIN_UNPROVEN, "no start line of this recording is proven by a key beside it")


def _start(record: Record) -> Start | None:
    try:
        meaning = entry(record)
    except Damaged:
        return None
    return meaning if isinstance(meaning, Start) else None


def proven_receipt(
    store: ObjectStore, found: Stored, manifest: bytes | None, archives: Sequence[Verifier]
) -> tuple[Receipt | None, datetime | None]:
    """The archive's receipt for exactly this manifest, and when it had the record; none that does not hold.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    receipt = read_receipt(store, found.courtroom, found.recording) if manifest else None
    if manifest is None or receipt is None:
        return None, None
    beside = {RECEIPT: receipt.receipt, SIGNATURE: receipt.signature, ARCHIVE_KEY: receipt.archive_key_pem}
    ours = {key.sha256() for key in archives}
    with suppress(Damaged, NotChecked):
        if Verifier.from_pem(receipt.archive_key_pem).sha256() in ours:
            check_receipt(beside.get, manifest, decode_manifest(manifest))
            return receipt, parse_iso(json.loads(receipt.receipt)["received"])
    return None, None


def _register(session: Session, context: JobContext, found: Stored, whole: _Whole, trust: Trust) -> None:
    hearing = None
    card = read_card(context.evidence, found.courtroom, found.recording, trust.archives)
    if card:
        hearing = cards.restore(session, card)
    if whole.key.sha256() in trust.register:
        register.restore(session, trust.register[whole.key.sha256()])
    agent = agent_by_name(session, whole.start.agent)
    if agent is None or (agent.courtroom != found.courtroom and not whole.receipt):
        raise Refused(Code.ROOM_UNKNOWN, f"agent {whole.start.agent} of courtroom {found.courtroom} is not known here")
    _check_key(session, agent, whole)
    if hearing is None:
        hearing = assignable(session, agent, found.recording, _uuid(whole.start.hearing))
    if hearing is None and whole.start.continues:
        hearing = rows.hearing_of(session, whole.start.continues, agent.courtroom_id)
    record = whole.proven.records[0]
    new = rows.NewRecording(
        found.recording,
        hearing,
        parse_iso(record.t),
        whole.key.sha256(),
        whole.start.continues,
        whole.start.adhoc,
    )
    rows.add_recording(session, agent, new)
    restore_marks(session, found.recording, card.get("marks", ()) if card else ())
    rows.add_sources(session, found.recording, whole.start.sources)
    rows.add_lines(session, found.recording, [rows.Line(0, record.kind, record.line, whole.proven.signatures.get(0))])
    if whole.start.continues:
        carry_on(session, whole.start.continues, found.recording, parse_iso(record.t))
    if card is None:
        queue_cards(session, [found.recording])


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None


def _check_key(session: Session, agent: Agent, whole: _Whole) -> None:
    """A withdrawn key is believed for what the archive had before."""
    known = register.one(session, whole.key.sha256())
    if known is None or known.name != agent.name:
        raise Refused(Code.KEY_UNKNOWN, f"it is signed with {whole.key.sha256()}, which is no key of {agent.name}")
    if known.void is not None and (whole.received is None or whole.received >= known.void):
        raise Refused(Code.KEY_WITHDRAWN, f"its key was withdrawn ({known.reason}) and counts for nothing by now")


def _take(session: Session, here: Intake, found: Stored, whole: _Whole) -> int:
    proven = whole.proven
    known = rows.lines(session, here.id, list(proven.records))
    forked = proven.doubled | {seq for seq, line in known.items() if proven.records[seq].line != line}
    if forked:
        raise Refused(Code.LINE_DIFFERS, f"chain line {min(forked)} is proven with other bytes than are known here")
    new = [(proven.records[seq], proven.signatures.get(seq)) for seq in sorted(proven.records) if seq not in known]
    if new and here.manifest_sha256:
        raise Refused(Code.LINE_DIFFERS, f"there are proven lines beyond its manifest, the first is {new[0][0].seq}")
    if new:
        take(session, here, new, objects_of(found, [record for record, _ in new]), live=whole.manifest is None)
    return len(new)


def _close(
    session: Session, context: JobContext, found: Stored, whole: _Whole, manifest: bytes, text: Transcript | None
) -> None:
    check_whole(session, found.recording, manifest)
    rows.set_manifest(session, found.recording, json.loads(manifest), sha256_hex(manifest))
    if whole.receipt and whole.received:
        evidence.set_all_checked(session, found.recording, whole.received)
        evidence.set_verified(session, found.recording, True, whole.received)
        stamp = read_stamp(context.evidence, found.courtroom, found.recording, whole.receipt.receipt)
        if stamp:
            evidence.set_stamped(session, found.recording, stamp.at)
    else:
        queue_receipt(session, found.recording)
    if text is None:
        transcripts.queue_final(session, found.recording)
    else:
        transcripts.put_final(session, found.recording, text, transcripts.final_key(found.recording))
    queue_copies(session, found.recording)


def restore_text(context: JobContext, found: Stored, trust: Trust) -> bool:
    """Put the text back on which people have worked, where the catalogue has none; whether the store has one.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    kept = read_revisions(context.evidence, found.courtroom, found.recording, trust.archives)
    if kept is None:
        return False
    key = transcripts.final_key(found.recording)
    with context.sessions.begin() as session:
        if transcripts.put_final(session, found.recording, kept.machine, key):
            _revise(session, found.recording, kept)
    return True


def _revise(session: Session, recording: str, kept: Kept | None) -> None:
    for key, revision in kept.revisions if kept else ():
        revisions.add(session, recording, revision, key)


def _texts(context: JobContext, found: Stored, trust: Trust) -> tuple[Kept | None, Transcript | None]:
    """What people made of the text, and the machine's text itself."""
    kept = read_revisions(context.evidence, found.courtroom, found.recording, trust.archives)
    return kept, kept.machine if kept else _text(context.derived, found.recording)


def _text(derived: ObjectStore, recording: str) -> Transcript | None:
    try:
        with derived.open_range(transcripts.final_key(recording)) as body:
            return from_dict(json.load(body))
    except (NotFound, KeyError, ValueError, TypeError):
        return None

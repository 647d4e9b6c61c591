"""From an agent's signed lines to rows and jobs.

What must hold: a line is taken only with the signature of the recording's key; a line taken twice
changes nothing; other bytes under a known number are refused; whatever the order of arrival, the same
lines leave the same rows. Rows, jobs and the wake-up call are of one transaction.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from archive.db import intake as rows
from archive.db import webhooks
from archive.db.agents import Agent, accept_key
from archive.db.cards import queue_cards
from archive.db.intake import Intake, Line
from archive.db.marks import carry_on
from archive.db.session import notify
from archive.db.transcripts import queue_final
from archive.domain.chain import ZERO, Record, check_links, parse_line, sha256_hex
from archive.domain.chain import Head as ChainHead
from archive.domain.errors import BadInput, Conflict, Damaged, Denied, NotFound
from archive.domain.ids import check_recording_id
from archive.domain.manifest import build_manifest, decode_manifest, encode_manifest
from archive.domain.wall import parse_iso
from archive.domain.webhooks import EventKind
from archive.ingest.derive import take
from archive.ingest.lines import Start, entry
from archive.jobs.defer import defer
from archive.signing import Verifier
from config.log import report

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many lines were new and how many were here already."""

    accepted: int
    known: int


def register_recording(
    session: Session,
    agent: Agent,
    *,
    recording: str,
    hearing: uuid.UUID | None,
    started_utc: datetime,
    public_key_pem: str,
    start_line: bytes,
    signature: bytes,
) -> bool:
    """Open a recording of this agent; False when it was open already.

    A hearing that is unknown or of another room does not stop a recording: it stays unassigned. One that
    names no hearing and continues another recording belongs to that one's hearing.

    Raises:
        Damaged: the line, the key or the signature is not what it should be.
        BadInput: the line says other things than the request.
        Conflict: the id is taken by something else.
        Denied: the agent may not sign with this key.
    """
    check_recording_id(recording)
    key = Verifier.from_pem(public_key_pem.encode())
    record = _verified(start_line, signature, key)
    start = _check_start(record, agent, recording, hearing, started_utc, key)
    fingerprint = accept_key(session, agent, key)
    ours = assignable(session, agent, recording, hearing)
    if hearing is None and start.continues:
        ours = rows.hearing_of(session, start.continues, agent.courtroom_id)
    new = rows.NewRecording(recording, ours, parse_iso(record.t), fingerprint, start.continues, start.adhoc)
    if not rows.add_recording(session, agent, new):
        _check_same(session, agent, recording, start_line)
        return False
    rows.add_sources(session, recording, start.sources)
    rows.add_lines(session, recording, [Line(0, record.kind, start_line, signature)])
    if start.continues:
        carry_on(session, start.continues, recording, started_utc)
    queue_cards(session, [recording])
    notify(session, "tyndau_recording", recording)
    webhooks.of_recording(session, EventKind.RECORDING_STARTED, recording)
    return True


def accept_lines(
    session: Session,
    agent: Agent,
    recording: str,
    lines: Sequence[bytes],
    signatures: Sequence[bytes],
    objects: Mapping[int, str],
) -> Accepted:
    """Take chain lines in any order; `objects` names the stored object of each segment line by its number.

    Raises:
        NotFound: no such recording of this agent.
        Damaged: a line or signature does not hold; nothing of the call is taken.
        BadInput: a segment line without its object, or with an object of another name.
        Conflict: other bytes under a known number, or new lines for a closed recording.
        Denied: the recording's key is revoked.
    """
    if len(lines) != len(signatures):
        raise BadInput("each line needs its signature")
    found = _owned(session, agent, recording)
    key = Verifier.from_pem(found.public_pem.encode())
    offered: dict[int, tuple[Record, bytes]] = {}
    for line, signature in zip(lines, signatures, strict=True):
        record = _verified(line, signature, key)
        if offered.setdefault(record.seq, (record, signature))[0].line != line:
            raise Conflict(f"chain line {record.seq} comes in two versions")
    known = rows.lines(session, recording, list(offered))
    new = [offered[seq] for seq in sorted(offered) if not _is_known(offered[seq][0], known)]
    if new:
        take(session, found, new, objects)
    return Accepted(len(new), len(lines) - len(new))


def accept_manifest(session: Session, agent: Agent, recording: str, manifest: bytes, signature: bytes) -> bool:
    """Close a recording whose every line is here; False when it was closed with this manifest already.

    Queues the receipt, the final text and the access copies.

    Raises:
        NotFound: no such recording of this agent.
        Damaged: the signature or the chain does not hold, or the manifest is not that of the chain.
        Conflict: lines are missing, or it was closed with another manifest.
        Denied: the recording's key is revoked.
    """
    found = _owned(session, agent, recording)
    sha256 = sha256_hex(manifest)
    if found.manifest_sha256 == sha256:
        return False
    if found.manifest_sha256:
        raise Conflict(f"recording {recording} is closed with another manifest")
    if not Verifier.from_pem(found.public_pem.encode()).holds(manifest, signature):
        raise Damaged("the manifest's signature does not hold")
    check_whole(session, recording, manifest)
    rows.set_manifest(session, recording, json.loads(manifest), sha256)
    queue_receipt(session, recording)
    queue_final(session, recording)
    queue_copies(session, recording)
    queue_cards(session, [recording])
    notify(session, "tyndau_recording", recording)
    webhooks.of_recording(session, EventKind.RECORDING_CLOSED, recording)
    return True


def queue_receipt(session: Session, recording: str) -> None:
    """Have a closed recording checked as a whole and its receipt signed."""
    defer(session, "receipt.recording", queue="default", recording=recording)


def queue_copies(session: Session, recording: str) -> None:
    """Have the access copies of a closed recording made."""
    defer(session, "publish.recording", queue="media", lock=f"publish/{recording}", recording=recording)


def _check_start(
    record: Record, agent: Agent, recording: str, hearing: uuid.UUID | None, started_utc: datetime, key: Verifier
) -> Start:
    start = entry(record)
    if not isinstance(start, Start) or (record.seq, record.prev) != (0, ZERO):
        raise Damaged("a recording begins with its start line")
    told = (recording, agent.courtroom, str(hearing) if hearing else None, key.sha256())
    if told != (start.recording, start.courtroom, start.hearing, start.key_sha256):
        raise BadInput("the start line names another recording, courtroom, hearing or key than the request")
    if parse_iso(record.t) != started_utc:
        raise BadInput("the start line has another time than the request")
    return start


def assignable(session: Session, agent: Agent, recording: str, hearing: uuid.UUID | None) -> uuid.UUID | None:
    """The hearing itself if it is one of the agent's room, else None (ING-002)."""
    if hearing is None or rows.hearing_in_room(session, hearing, agent.courtroom_id):
        return hearing
    report(logger, "ING-002", recording=recording, hearing=hearing, courtroom=agent.courtroom)
    return None


def _check_same(session: Session, agent: Agent, recording: str, start_line: bytes) -> None:
    found = rows.intake(session, recording)
    if found is None or found.agent_id != agent.id or rows.lines(session, recording, [0]).get(0) != start_line:
        raise Conflict(f"recording {recording} is registered with other particulars")


def _owned(session: Session, agent: Agent, recording: str) -> Intake:
    found = rows.intake(session, recording)
    if found is None or found.agent_id != agent.id:
        raise NotFound(f"there is no recording {recording} of this agent; register it first")
    if found.key_revoked:
        raise Denied("the key of this recording is revoked")
    return found


def _verified(line: bytes, signature: bytes, key: Verifier) -> Record:
    if not key.holds(line, signature):
        raise Damaged("a chain line's signature does not hold")
    return parse_line(line)


def _is_known(record: Record, known: Mapping[int, bytes]) -> bool:
    if record.seq not in known:
        return False
    if known[record.seq] != record.line:
        raise Conflict(f"chain line {record.seq} is here with other bytes; the agent's chain has forked")
    return True


def check_whole(session: Session, recording: str, manifest: bytes) -> None:
    """Look whether a manifest is that of the lines that are here.

    Raises:
        Conflict: lines are missing.
        Damaged: it is not.
    """
    told = decode_manifest(manifest)
    known = rows.lines(session, recording)
    if (missing := told.chain_length - len(known)) > 0:
        first = next(seq for seq in range(told.chain_length) if seq not in known)
        raise Conflict(f"{missing} chain lines are missing, the first is {first}; send them first")
    records = [parse_line(line) for line in known.values()]
    check_links(records, ChainHead())
    if encode_manifest(build_manifest(records)) != manifest:
        raise Damaged("the manifest is not that of the chain")

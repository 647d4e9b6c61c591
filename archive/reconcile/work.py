"""The whole bucket beside the whole catalogue: check, repair, rebuild."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain

from sqlalchemy.orm import Session

from archive import audit
from archive.db import holdings, revisions
from archive.db import keys as register
from archive.db.cards import queue_cards
from archive.db.transcripts import queue_final
from archive.domain.errors import BadInput
from archive.domain.ids import RECORDING_ID
from archive.ingest.intake import queue_copies, queue_receipt
from archive.ingest.stored import Stored, recordings, stored
from archive.jobs.context import JobContext
from archive.key_register import read_register
from archive.reconcile.adopt import Trust, adopt, restore_text
from archive.reconcile.compare import Comparison
from archive.reconcile.findings import Code, Finding, Refused
from archive.signing import Verifier

Told = Callable[[str], None]
SILENT = timedelta(minutes=5)
TAKEN = {Code.RECORDING_UNKNOWN, Code.LINE_MISSING, Code.NOT_CLOSED}
QUEUED: Mapping[Code, Callable[[Session, str], object]] = {
    Code.CARD_MISSING: lambda session, recording: queue_cards(session, [recording]),
    Code.RECEIPT_MISSING: queue_receipt,
    Code.COPIES_MISSING: queue_copies,
    Code.TEXT_MISSING: queue_final,
    Code.REVISION_MISSING: revisions.store_again,
}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a catalogue was made of."""

    recordings: int
    lines: int
    keys: int
    findings: tuple[Finding, ...]
    audit: audit.Restored


def trusted(context: JobContext, more: Sequence[Verifier] = ()) -> Trust:
    """This archive's key and `more` of its keys, with what they state of the keys of others.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    archives = [context.signer.public(), *more]
    with context.sessions() as session:
        known = [Verifier.from_pem(one.public_pem.encode()) for one in register.archive_keys(session)]
    all_ = {key.sha256(): key for key in [*archives, *known]}
    told = [read_register(context.evidence, key) for key in all_.values()]
    return Trust(list(all_.values()), dict(chain.from_iterable(one.items() for one in told)))


def check(
    context: JobContext,
    only: Sequence[str] = (),
    *,
    hash_bytes: bool = False,
    repair: bool = False,
    copies: bool = False,
    told: Told = lambda _recording: None,
) -> Iterator[Finding]:
    """Findings of all recordings, or of those in `only`, one recording after another.

    With `copies` the context's evidence is that of the second site, which has only what was copied.

    Raises:
        BadInput: one of `only` is neither in the catalogue nor in the store.
        StoreUnavailable, StoreRefused, DatabaseUnavailable: it could not be looked at.
    """
    trust = trusted(context)
    for found in _all(context, only, copies=copies):
        if isinstance(found, str):
            yield Finding(Code.OBJECT_FOREIGN, "", "", found)
            continue
        findings = list(Comparison(context, found, trust.archives, hash_bytes=hash_bytes).findings())
        yield from _mend(context, found, trust, findings) if repair else findings
        told(found.recording)


def rebuild(context: JobContext, more: Sequence[Verifier] = (), told: Told = lambda _recording: None) -> Rebuilt:
    """Make the catalogue of records anew from the store; what is there stays. Again it changes nothing.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    trust = trusted(context, more)
    log = audit.restore(context, trust.archives)  # first: what is done from here on may be noted there
    count = lines = 0
    findings: list[Finding] = []
    for found in recordings(context.evidence):
        if isinstance(found, str):
            findings.append(Finding(Code.OBJECT_FOREIGN, "", "", found))
            continue
        try:
            taken = adopt(context, found, trust)
            count, lines = count + taken.registered, lines + taken.lines
        except Refused as reason:
            findings.append(Finding(reason.code, found.courtroom, found.recording, str(reason)))
        told(found.recording)
    with context.sessions.begin() as session:
        keys = sum(register.restore(session, said) for said in trust.register.values())
    return Rebuilt(count, lines, keys, tuple(findings), log)


def adopt_strays(context: JobContext) -> int:
    """Take what agents have stored of the last two days that have not spoken to the centre; how many recordings.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    now, taken = context.clock.utc(), 0
    with context.sessions() as session:
        rooms = holdings.silent_rooms(session, now - SILENT)
    trust = trusted(context) if rooms else None
    for room in rooms:
        for day in (now - timedelta(days=1), now):
            for found in recordings(context.evidence, f"{room}/{day:%Y%m%d}-"):
                if trust and isinstance(found, Stored):
                    with suppress(Refused):  # archive check says so
                        made = adopt(context, found, trust)
                        taken += made.registered or made.lines > 0 or made.closed
    return taken


def _all(context: JobContext, only: Sequence[str], *, copies: bool) -> Iterator[Stored | str]:
    if only:
        yield from (_one(context, recording) for recording in only)
        return
    with context.sessions() as session:
        awaited = holdings.all_known(session, uncopied=False if copies else None)
        on_the_way = holdings.all_known(session, uncopied=True) if copies else set()
    for found in recordings(context.evidence):  # not every store lists quite in the order of the keys
        if isinstance(found, Stored):
            awaited.discard((found.courtroom, found.recording))
        if isinstance(found, str) or (found.courtroom, found.recording) not in on_the_way:
            yield found
    with context.sessions() as session:
        awaited &= holdings.all_known(session)
    for room, recording in sorted(awaited):
        yield Stored(room, recording, {}, {}, ())


def _one(context: JobContext, recording: str) -> Stored:
    with context.sessions() as session:
        here = holdings.held(session, recording)
        rooms = [here.courtroom] if here else holdings.rooms(session)
    if not RECORDING_ID.fullmatch(recording):
        raise BadInput(f"{recording!r} is not a recording id; it looks like 20260914-051500-1f3a9c02")
    for room in rooms:
        found = stored(context.evidence, room, recording)
        if here or found.objects:
            return found
    raise BadInput(f"recording {recording} is neither in the catalogue nor in the store; check its id")


def _mend(context: JobContext, found: Stored, trust: Trust, findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings, each with what was done about it; nothing is ever deleted or replaced."""
    for one in findings:
        if one.code in TAKEN:
            try:
                adopt(context, found, trust)
                yield replace(one, mended="taken into the catalogue")
            except Refused as reason:
                yield replace(one, code=reason.code, detail=str(reason))
        elif one.code is Code.TEXT_MISSING and restore_text(context, found, trust):
            yield replace(one, mended="taken from the store")
        elif one.code in QUEUED:
            with context.sessions.begin() as session:
                QUEUED[one.code](session, one.recording)
            yield replace(one, mended="queued")
        else:
            yield one

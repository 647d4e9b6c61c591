"""The task that makes an export, and what removes exports that nobody may have any more.

The record is loaded as the person may have it when the work begins; the row says what is concealed in the file, and
each download compares that with what must be concealed then. The row is ready once all bytes are stored: half an export
is never offered. Killed in between, the next run makes the file again; equal bytes have an equal name and are kept.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from archive.db import exports
from archive.db.session import notify
from archive.domain.errors import BadInput, Conflict, Damaged, Denied, NotFound
from archive.domain.exports import CONTENT_TYPES, Kind
from archive.export import pieces, requests
from archive.export.document import document
from archive.export.docx import to_docx
from archive.export.film import Progress, Wish, film
from archive.export.pdf import to_pdf
from archive.export.requests import Ready
from archive.export.words import WORDS
from archive.jobs.app import task
from archive.jobs.context import JobContext
from archive.jobs.workplace import workplace
from archive.storage.port import ObjectStore
from config.clock import Clock
from config.settings import Settings

_TELL_EVERY_S = 2.0


class Unwanted(Exception):
    """Nobody waits for it any more."""


@task("export.make", queue="media")
def export_make(context: JobContext, *, export: str) -> None:
    """Make an export that was asked for; nothing when it is there, or not wanted any more.

    Raises:
        StoreUnavailable, StoreRefused: the bucket does not answer, or says no.
        Misconfigured: what makes such files is not installed.
    """
    id_ = uuid.UUID(export)
    with context.sessions.begin() as session:
        found = exports.find(session, id_)
        if found is None or found.ready_utc or found.failed is not None or found.expires_utc <= context.clock.utc():
            return
        person = exports.owner(session, found)
        if person is None:
            exports.set_failed(session, id_, "the account is closed")
            return
        try:
            ready = requests.load(session, context.settings, person, found.order)
        except (NotFound, Denied, BadInput, Conflict) as error:
            exports.set_failed(session, id_, str(error))
            notify(session, "tyndau_recording", found.order.recording)
            return
        exports.set_made_for(session, id_, ready.order)
    with suppress(Unwanted):
        try:
            _make(context, found, ready)
        except (Damaged, NotFound) as error:
            with context.sessions.begin() as session:
                exports.set_failed(session, id_, str(error))
                notify(session, "tyndau_recording", found.order.recording)


def _make(context: JobContext, found: exports.Export, ready: Ready) -> None:
    told = _Telling(context, found.id)
    with workplace(context.settings.data_dir / "exports") as place:
        file = place / f"export.{found.order.kind.value}"
        write(ready, context.derived, context.settings, file, f"{found.id}"[:8], found.requested_utc, told)
        root = pieces.root_of(found.order.recording, found.id)
        stored = pieces.store(context.derived, root, file, CONTENT_TYPES[found.order.kind])
    with context.sessions.begin() as session:
        wanted = exports.set_ready(session, found.id, stored.prefix, stored.sizes, stored.sha256, context.clock.utc())
        notify(session, "tyndau_recording", found.order.recording)
    if not wanted:
        pieces.remove(context.derived, root)


def write(
    ready: Ready, derived: ObjectStore, settings: Settings, file: Path, name: str, at: datetime, told: Progress
) -> None:
    """Write the file; in it stand its `name`, who takes it and when it was asked for.

    Raises:
        Damaged, NotFound: the copies are not what the catalogue says.
        Misconfigured: what makes such files is not installed.
    """
    person, record, order = ready.person, ready.record, ready.order
    words = WORDS[order.language]
    copy_for = f"{person.display_name} ({person.username}), {at.astimezone(record.zone):%d.%m.%Y}, {name}"
    if order.kind is Kind.MP4:
        mark = copy_for if order.marked else None
        film(record, derived, Wish(order.language, order.camera, mark, f"{words.copy_for}: {copy_for}"), file, told)
        return
    text = document(record, words, copy_for)
    if order.kind is Kind.PDF:
        file.write_bytes(to_pdf(text, at))
    else:
        file.write_bytes(to_docx(text, at, settings.exports.docx_template))


class _Telling:
    """Says now and then how far the work is; stops it when nobody wants it any more."""

    def __init__(self, context: JobContext, export: uuid.UUID) -> None:
        self._context, self._export = context, export
        self._told_s = context.clock.monotonic_s()

    def __call__(self, share: float) -> None:
        now_s = self._context.clock.monotonic_s()
        if now_s - self._told_s < _TELL_EVERY_S:
            return
        self._told_s = now_s
        with self._context.sessions.begin() as session:
            if not exports.set_permille(session, self._export, min(999, int(share * 1000))):
                raise Unwanted


def tidy(context: JobContext) -> int:
    """Remove exports whose time is over or in which can be seen what must be concealed now; how many."""
    clock: Clock = context.clock
    with context.sessions.begin() as session:
        exports.fail_abandoned(session, "it could not be made; ask for it again")
        found = exports.unwanted(session, clock.utc())
        for id_, _ in found:
            exports.expire(session, id_, clock.utc())
    for id_, recording in found:
        pieces.remove(context.derived, pieces.root_of(recording, id_))
        with context.sessions.begin() as session:
            exports.forget(session, id_)
    return len(found)

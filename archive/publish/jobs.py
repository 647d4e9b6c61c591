"""The tasks that make a closed recording's access copies, and their subtitles.

1. Nothing to do when copies made from this manifest are in the catalogue.
2. Make all files in a folder of this process; a folder that a killed worker left is removed first.
3. Put them under `{recording}/media/v{N}/`. Files of an earlier, killed attempt are there already: equal
   ones are kept, and where one differs (another version of the program made it) N grows by one.
   The last one is copies.json: the set is whole, and a rebuilt catalogue can take it over.
4. Write the AccessCopy row: only now can anybody reach the set.
5. Sets that nobody may have any more are let go, their files removed, and only then their rows.
"""

from __future__ import annotations

from archive.domain.errors import StoreRefused, Unavailable
from archive.jobs.app import task
from archive.jobs.context import JobContext
from archive.jobs.workplace import workplace
from archive.publish import catalogue
from archive.publish.copies import MASTER, Copies, make_copies, upload
from archive.publish.finished import prefix_of
from archive.publish.subtitles import Source, make_subtitles
from archive.storage.port import ObjectStore, VersionedStore

_VERSIONS_TRIED = 20


@task("publish.recording", queue="media")
def publish_recording(context: JobContext, *, recording: str) -> None:
    """Publish a closed recording: once per manifest for each set of marks that somebody may not see through.

    Raises:
        NotFound, Conflict, BadInput: as catalogue.open_order.
        StoreUnavailable, StoreRefused: a bucket does not answer, or says no.
    """
    for _ in range(_VERSIONS_TRIED):
        with context.sessions() as session:
            order = catalogue.open_order(session, recording)
        if order is None:
            break
        _publish(context, recording, order)
    else:
        raise Unavailable(f"the marks of {recording} change faster than it can be published; it is tried again")
    with context.sessions.begin() as session:
        unwanted = catalogue.let_go(session, recording)
    for prefix in unwanted.values():
        _remove(context.derived, prefix)
    with context.sessions.begin() as session:
        catalogue.forget(session, recording, unwanted)


def _publish(context: JobContext, recording: str, order: catalogue.Order) -> None:
    with workplace(context.settings.data_dir / "publish") as place:
        (place / "copies").mkdir()
        copies = make_copies(order.plan, context.evidence, place / "copies", place / "segment")
        version = _store(copies, context.derived, recording, order.version)
    prefix = prefix_of(recording, version)
    with context.sessions.begin() as session:
        now = context.clock.utc()
        catalogue.close_order(session, order.plan, version, prefix, copies.contents, now)
        offered = catalogue.is_offered(session, recording, version)
    if not offered:
        _remove(context.derived, prefix)


def _remove(store: VersionedStore, prefix: str) -> None:
    """Copies that nobody may have; nothing refers to them."""
    for version in list(store.versions(prefix)):
        store.delete(version)


@task("publish.text", queue="media")
def publish_text(context: JobContext, *, recording: str) -> None:
    """Put the newest text under the newest copies as subtitles; nothing to do until both are there. Whichever
    comes last queues this.

    Raises:
        NotFound: the stored master playlist is gone.
        StoreUnavailable, StoreRefused: the bucket does not answer, or says no.
    """
    while True:
        with context.sessions() as session:
            order = catalogue.text_order(session, recording)
        if order is None:
            return
        _publish_text(context, recording, order)


def _publish_text(context: JobContext, recording: str, order: catalogue.TextOrder) -> None:
    master = _read(context.derived, order.prefix + MASTER).decode()
    made = make_subtitles(order.transcript, Source(order.made_from, order.revision, order.sha256), master)
    for path, (body, content_type) in made.files.items():
        context.derived.put(order.prefix + path, body, content_type=content_type)
    with context.sessions.begin() as session:
        catalogue.close_text(session, recording, order, made)


def _read(store: ObjectStore, key: str) -> bytes:
    with store.open_range(key) as body:
        return body.read()


def _store(copies: Copies, derived: ObjectStore, recording: str, version: int) -> int:
    for number in range(version, version + _VERSIONS_TRIED):
        if upload(copies, derived, prefix_of(recording, number)):
            return number
    raise StoreRefused(f"{_VERSIONS_TRIED} unfinished versions of {recording} are in the store; remove them")

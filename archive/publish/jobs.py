"""The tasks that make a closed recording's access copies, and their subtitles.

1. Nothing to do when copies made from this manifest are in the catalogue.
2. Make all files in a folder of this process; a folder that a killed worker left is removed first.
3. Put them under `{recording}/media/v{N}/`. Files of an earlier, killed attempt are there already: equal
   ones are kept, and where one differs (another version of the program made it) N grows by one.
   The last one is copies.json: the set is whole, and a rebuilt catalogue can take it over.
4. Write the AccessCopy row: only now can anybody reach the set.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archive.domain.errors import StoreRefused
from archive.domain.transcript_file import from_dict
from archive.jobs.app import task
from archive.jobs.context import JobContext
from archive.publish import catalogue
from archive.publish.copies import MASTER, Copies, make_copies, upload
from archive.publish.finished import prefix_of
from archive.publish.subtitles import Source, make_subtitles
from archive.storage.port import ObjectStore

_VERSIONS_TRIED = 20


@task("publish.recording", queue="media")
def publish_recording(context: JobContext, *, recording: str) -> None:
    """Publish a closed recording, once per manifest.

    Raises:
        NotFound, Conflict, BadInput: as catalogue.open_order.
        StoreUnavailable, StoreRefused: a bucket does not answer, or says no.
    """
    with context.sessions() as session:
        order = catalogue.open_order(session, recording)
    if order is None:
        return
    with _workplace(context.settings.data_dir / "publish") as place:
        copies = make_copies(order.plan, context.evidence, place / "copies", place / "segment")
        version = _store(copies, context.derived, recording, order.version)
    with context.sessions.begin() as session:
        prefix = prefix_of(recording, version)
        catalogue.close_order(session, order.plan, version, prefix, copies.contents, context.clock.utc())


@task("publish.text", queue="media")
def publish_text(context: JobContext, *, recording: str) -> None:
    """Put the newest text under the newest copies as subtitles; nothing to do until both are there. Whichever
    comes last queues this.

    Raises:
        NotFound: the stored text or master playlist is gone.
        StoreUnavailable, StoreRefused: the bucket does not answer, or says no.
    """
    with context.sessions() as session:
        order = catalogue.text_order(session, recording)
    if order is None:
        return
    document = _read(context.derived, order.transcript)
    source = Source(order.made_from, order.revision, hashlib.sha256(document).hexdigest())
    master = _read(context.derived, order.prefix + MASTER).decode()
    made = make_subtitles(from_dict(json.loads(document)), source, master)
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


@contextmanager
def _workplace(root: Path) -> Iterator[Path]:
    """An empty folder that is ours as long as we live; those of dead processes are removed."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.iterdir():
        with (left / "lock").open("a") if left.is_dir() else left.open() as lock:
            if _held(lock.fileno()):
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as name:
        place = Path(name)
        with (place / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (place / "copies").mkdir()
            yield place


def _held(file: int) -> bool:
    """Whether the lock could be taken: nobody alive holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

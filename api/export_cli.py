"""`tyndau export`."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive.at_console import AS, STDIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.db.hearings import Standing
    from archive.db.people import Person
    from archive.db.session import Sessions
    from archive.domain.access import Decision
    from archive.storage.port import ObjectStore
    from config.settings import Settings

_MOMENT = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})")


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Time since the beginning of a record, in milliseconds."""
    if value is None:
        return None
    match = _MOMENT.fullmatch(value)
    if match is None or int(match[2]) > 59 or int(match[3]) > 59:
        raise click.BadParameter(f"{value!r} is no time such as 0:12:34", context, parameter)
    return ((int(match[1] or 0) * 60 + int(match[2])) * 60 + int(match[3])) * 1000


@click.command("export", epilog="Example: tyndau export 20260914-051500-1f3a9c02 --as judge --kind pdf --out text.pdf")
@click.argument("recording")
@AS
@STDIN
@click.option("--kind", type=click.Choice(["bundle", "mp4", "docx", "pdf"]), default="bundle", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; default: here, named after it."
)
@click.option("--language", type=click.Choice(["kk", "ru", "en"]), help="Of headings; default: the person's.")
@click.option("--camera", help="Of a film; default: the first.")
@click.option("--from", "from_ms", callback=_moment, metavar="H:MM:SS", help="Of a bundle: a part, with --to.")
@click.option("--to", "to_ms", callback=_moment, metavar="H:MM:SS")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON.")
def export(
    recording: str,
    username: str,
    password_stdin: bool,
    kind: str,
    out: Path | None,
    language: str | None,
    camera: str | None,
    from_ms: int | None,
    to_ms: int | None,
    as_json: bool,
) -> None:
    """Write a record to a file, as the person named may have it: a bundle that verifies, a film, or the text."""
    from archive.at_console import person_at_console
    from archive.db.session import make_sessions
    from archive.domain.errors import BadInput
    from config.settings import load_settings

    if (from_ms is None) != (to_ms is None) or (from_ms is not None and kind != "bundle"):
        raise click.UsageError("--from and --to go together, and with --kind bundle alone")
    if camera is not None and kind != "mp4":
        raise click.UsageError("--camera goes with --kind mp4 alone")
    target = out or Path(f"{recording}.{'zip' if kind == 'bundle' else kind}")
    if target.exists():
        raise BadInput(f"{target} is there already; name another file")
    settings = load_settings()
    sessions = make_sessions(settings, pool_size=2)
    try:
        person = person_at_console(sessions, username, password_stdin)
        with _whole(target) as part:
            if kind == "bundle":
                span = None if from_ms is None or to_ms is None else (from_ms, to_ms)
                _bundle(settings, sessions, person, recording, span, part)
            else:
                _made(settings, sessions, person, recording, kind, language or person.language, camera, part)
    finally:
        sessions.kw["bind"].dispose()
    told = {"file": str(target), "size": target.stat().st_size}
    click.echo(json.dumps(told) if as_json else f"{target}: {told['size']} bytes")


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its name once it is whole, and is removed if it never is."""
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _bundle(
    settings: Settings, sessions: Sessions, person: Person, recording: str, span: tuple[int, int] | None, part: Path
) -> None:
    from api import bundle
    from archive.domain.access import Action, Decision
    from archive.domain.errors import Denied
    from archive.storage.s3 import open_store

    evidence = open_store(settings.storage, settings.storage.evidence_bucket)
    standing = _standing(sessions, person, recording)
    decision = standing.decide(person, Action.BUNDLE)
    _admit(sessions, person, standing, recording, decision)
    with sessions() as session:
        contents = bundle.contents(session, evidence, recording, bundle.Span(*span) if span else None)
        is_sealed = bundle.is_sealed(session, person, standing, contents)
    _note(sessions, person, standing, recording, Decision(False, True, "mark") if is_sealed else decision, "bundle")
    if is_sealed:
        raise Denied("a part of that is sealed, and a bundle shows all of it; take another span, or ask the judge")
    layout = bundle.laid_out(contents, evidence)
    with _progress("writing") as told, part.open("wb") as file:
        for piece in bundle.read(contents, layout, evidence, 0, layout.size):
            file.write(piece)
            told(file.tell() / layout.size)


def _made(
    settings: Settings,
    sessions: Sessions,
    person: Person,
    recording: str,
    kind: str,
    language: str,
    camera: str | None,
    part: Path,
) -> None:
    from archive.db.exports import Order
    from archive.domain.exports import Kind
    from archive.export import requests
    from archive.export.jobs import write
    from archive.storage.s3 import open_store
    from config.clock import SystemClock

    derived: ObjectStore = open_store(settings.storage, settings.storage.derived_bucket)
    standing = _standing(sessions, person, recording)
    order = Order(recording, Kind(kind), language, camera, "", False, None)
    decision = requests.decision(standing, person, order.kind)
    _admit(sessions, person, standing, recording, decision)
    with sessions() as session:
        ready = requests.load(session, settings, person, order)
    _note(sessions, person, standing, recording, decision, kind)
    with _progress("making") as told:
        write(ready, derived, settings, part, uuid.uuid4().hex[:8], SystemClock().utc(), told)


def _standing(sessions: Sessions, person: Person, recording: str) -> Standing:
    from archive.db.hearings import standing_of_recording
    from archive.domain.errors import NotFound

    with sessions() as session:
        found = standing_of_recording(session, person, recording)
    if found is None or found.destroyed:
        raise NotFound("there is no such recording; check its number")
    return found


def _admit(sessions: Sessions, person: Person, standing: Standing, recording: str, decision: Decision) -> None:
    if not decision.allowed:
        _note(sessions, person, standing, recording, decision, "")
    decision.require()


def _note(
    sessions: Sessions, person: Person, standing: Standing, recording: str, decision: Decision, kind: str
) -> None:
    from archive.db import audit
    from archive.domain.access import Action

    data = {"kind": kind, "address": "console"}
    entry = audit.Entry(Action.BUNDLE.value, decision.allowed, decision.rule, person, standing.hearing, recording, data)
    with sessions.begin() as session:
        audit.write(session, entry)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)

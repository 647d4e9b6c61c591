"""`tyndau archive …`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TextColumn

from archive import stamps
from archive.db.session import make_sessions
from archive.domain.errors import BadInput, Damaged, Misconfigured
from archive.jobs.context import JobContext, job_context
from archive.reconcile.findings import Finding
from archive.reconcile.work import check as compare
from archive.reconcile.work import rebuild as make_anew
from archive.second_site import work as second_site
from archive.signing import Verifier
from config.log import configure
from config.settings import load_settings

ALL_RECORDINGS = 1_000_000  # more than a nation's of a year


@click.group("archive")
def archive_group() -> None:
    """Look after what is kept.

    Example: tyndau archive stamp
    """


@archive_group.command("stamp")
@click.option("--json", "as_json", is_flag=True, help="Print the count as JSON.")
def archive_stamp(as_json: bool) -> None:
    """Queue a time stamp for every receipt that has none; a worker then asks the authority.

    Workers do this by themselves every ten minutes; call it when the authority answers again.

    Example: tyndau archive stamp
    """
    settings = load_settings()
    if stamps.authority(settings.timestamps) is None:
        raise Misconfigured("no time stamp authority is set; name one in timestamps.url")
    columns = (TextColumn("queueing"), TextColumn("{task.completed}"))
    sessions = make_sessions(settings, pool_size=1)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("", total=None)
        queued = stamps.catch_up(sessions, settings, ALL_RECORDINGS, lambda _recording: bar.advance(row))
    sessions.kw["bind"].dispose()
    click.echo(json.dumps({"queued": queued}) if as_json else f"{queued} time stamps are queued.")


@archive_group.command("check")
@click.argument("recordings", metavar="[RECORDING]…", nargs=-1)
@click.option("--hash", "hash_bytes", is_flag=True, help="Read every byte of evidence, not names and lengths alone.")
@click.option("--site", type=click.Choice(["first", "second"]), default="first", help="Which site's store to look at.")
@click.option("--repair", is_flag=True, help="Mend what can be mended from the store; nothing is deleted or replaced.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def archive_check(recordings: tuple[str, ...], hash_bytes: bool, site: str, repair: bool, as_json: bool) -> int:
    """Hold the catalogue against the object store. Exit code 0 only if nothing is left to be mended.

    Example: tyndau archive check --hash
    """
    configure()
    if repair and site == "second":
        raise click.UsageError("--repair looks at the first site; use: tyndau archive copy, or restore")
    with job_context(load_settings()) as context, _counting("recordings") as told:
        found = list(
            compare(
                _at(context, site), recordings, hash_bytes=hash_bytes, repair=repair, copies=site == "second", told=told
            )
        )
    left = [one for one in found if not one.mended]
    if as_json:
        click.echo(json.dumps({"ok": not left, "findings": [asdict(one) for one in found]}, ensure_ascii=False))
        return 1 if left else 0
    _print(found)
    click.echo(f"{len(found)} findings, {len(found) - len(left)} of them mended." if found else "Nothing is amiss.")
    return 1 if left else 0


@archive_group.command("rebuild")
@click.option(
    "--archive-key",
    "keys",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Public key (PEM) with which this archive signed earlier; its own key is always believed.",
)
@click.option("--site", type=click.Choice(["first", "second"]), default="first", help="From which site's store.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def archive_rebuild(keys: tuple[Path, ...], site: str, as_json: bool) -> int:
    """Make the catalogue of records anew from the object store. What is there stays; again it changes nothing.

    Run "tyndau db upgrade" first, and start the workers afterwards: they make access copies anew, and texts that are
    not kept. The audit log comes back from its sealed pieces. Accounts, grants and access tokens of machines are not in
    the store: restore a backup, or make them anew.

    Example: tyndau archive rebuild
    """
    configure()
    with job_context(load_settings()) as context, _counting("recordings") as told:
        made = make_anew(_at(context, site), [_key(path) for path in keys], told)
    wrong = bool(made.findings or made.audit.stopped)
    if as_json:
        click.echo(json.dumps({"ok": not wrong, **asdict(made)}, ensure_ascii=False))
        return int(wrong)
    _print(made.findings)
    if made.audit.stopped:
        click.echo(f"The audit log is not whole: {made.audit.stopped}.")
    click.echo(f"{made.recordings} recordings with {made.lines} more lines and {made.keys} more keys were taken.")
    if made.audit.pieces:
        click.echo(f"{made.audit.rows} rows of the audit log came back; what was written after its last piece is lost.")
    return int(wrong)


@archive_group.command("copy")
@click.option("--json", "as_json", is_flag=True, help="Print the count as JSON.")
def archive_copy(as_json: bool) -> None:
    """Queue for the second site what it lacks, and copy the audit log and the register of keys there at once.

    Workers do this by themselves every ten minutes; call it when the second site answers again.

    Example: tyndau archive copy
    """
    configure()
    with job_context(load_settings()) as context, _counting("copying") as told:
        second_site.second_site(context)
        queued = second_site.catch_up(context, ALL_RECORDINGS, told)
    click.echo(json.dumps({"queued": queued}) if as_json else f"{queued} recordings are queued.")


@archive_group.command("restore")
@click.argument("recordings", metavar="[RECORDING]…", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def archive_restore(recordings: tuple[str, ...], as_json: bool) -> None:
    """Bring back from the second site what the first lacks; every byte is looked at, nothing is replaced.

    Example: tyndau archive restore 20260914-051500-1f3a9c02
    """
    configure()
    with job_context(load_settings()) as context, _counting("objects") as told:
        done = second_site.restore(context, recordings, told)
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    click.echo(f"{done.objects} objects of {done.bytes} bytes were brought back.")


def _at(context: JobContext, site: str) -> JobContext:
    return context if site == "first" else replace(context, evidence=second_site.second_site(context))


def _print(findings: Iterable[Finding]) -> None:
    for one in findings:
        word = "mended" if one.mended else "FOUND "
        where = f"{one.courtroom}/{one.recording}: " if one.recording else ""
        done = f" ({one.mended})" if one.mended else ""
        click.echo(f"{word}  {one.code}: {where}{one.detail}{done}")


def _key(path: Path) -> Verifier:
    try:
        return Verifier.from_pem(path.read_bytes())
    except (OSError, Damaged) as error:
        raise BadInput(f"{path} is no public key ({error}); name a PEM file") from error


@contextmanager
def _counting(what: str) -> Iterator[Callable[[str], None]]:
    columns = (TextColumn(what), TextColumn("{task.completed}"), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task("", total=None)
        yield lambda recording: bar.update(row, advance=1, description=recording)

"""`tyndau record`, `tyndau salvage`, `tyndau agent` and its sub-commands."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from archive.domain.errors import BadInput, Misconfigured, TyndauError, Unavailable
from archive.domain.ids import check_name
from archive.domain.media import StopReason
from config.clock import SystemClock
from config.log import configure
from config.settings import Settings, load_settings
from recorder.address import split_pair
from recorder.agent import make_agent
from recorder.console.cli import pin
from recorder.enrol import enrol
from recorder.folder import find_recordings, held
from recorder.keys import load_signer
from recorder.plan import plan_names, plan_sources
from recorder.probe import probe
from recorder.program import ffmpeg_program
from recorder.recording import Origin, Recording, Summary, as_json
from recorder.salvage import salvage as salvage_one
from recorder.spool import Spool
from recorder.status import status_table

LOOK_S = 0.1
GIVE_UP_S = 20.0  # when no source at all has opened by then and no duration was asked
LEAST_FREE_BYTES = 4 << 20
config_option = click.option("--config", type=click.Path(), help="Settings file (TOML).")
json_option = click.option("--json", "as_json_", is_flag=True, help="Print the result as JSON.")


@click.command()
@click.option("--source", "sources", multiple=True, required=True, metavar="NAME=ADDRESS", help="May be repeated.")
@click.option("--channels", multiple=True, metavar="NAME=A,B,…", help="Names of a source's microphones, in order.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder that gets the recording's folder.")
@click.option("--duration", type=click.FloatRange(min=1), metavar="SECONDS", help="Stop by itself after so long.")
@click.option("--courtroom", help="Courtroom code; default from the settings.")
@click.option("--hearing", metavar="UUID", help="The hearing that is recorded.")
@config_option
@json_option
def record(
    sources: Sequence[str],
    channels: Sequence[str],
    out: Path,
    duration: float | None,
    courtroom: str | None,
    hearing: str | None,
    config: str | None,
    as_json_: bool,
) -> int:
    """Record one hearing into a folder; no server is needed. Ctrl-C stops it in order.

    ADDRESS is lavfi:GRAPH, file:PATH, rtsp://…, rtsps://…, v4l2:DEVICE, pulse:NAME, alsa:NAME or srt://….

    Example: tyndau record --source cam=rtsp://10.0.0.5/main --source mics=alsa:hw:1
    --channels mics=judge,claimant,respondent,witness --out /srv/hearings
    """
    settings = settings_of(config)
    addresses = _pairs(sources, "--source")
    names = {name: tuple(text.split(",")) for name, text in _pairs(channels, "--channels").items()}
    program = ffmpeg_program(settings)
    with _plain_warnings():
        planned = plan_sources(addresses, names, program, _say)
        _check_room(out, settings)
        origin = Origin(check_name(courtroom or settings.agent.courtroom, "courtroom"), settings.agent.name, hearing)
        recording = Recording(out, planned, origin, load_signer(settings), settings, SystemClock(), duration)
        summary, trouble = _run(recording, duration)
    _print_summary(summary, as_json_)
    if trouble:
        raise Unavailable(trouble)
    return 0


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@config_option
@json_option
def salvage(folder: Path, config: str | None, as_json_: bool) -> int:
    """Close what a killed `tyndau record` left in FOLDER: one recording, or a folder of recordings.

    Example: tyndau salvage /srv/hearings
    """
    settings, done, failed = settings_of(config), [], []
    with _plain_warnings(quiet=True):
        for found in find_recordings(folder):
            try:
                done.append(salvage_one(found, settings, SystemClock()))
            except TyndauError as error:
                failed.append(str(error))
    if as_json_:
        rows = [
            as_json(s.summary, changed=s.changed, recovered=s.recovered, torn_chain_bytes=s.torn_chain_bytes)
            for s in done
        ]
        click.echo(json.dumps({"recordings": rows, "failed": failed}, ensure_ascii=False))
    else:
        for s in done:
            word = f"closed, {s.recovered} segments recovered" if s.changed else "was closed already"
            click.echo(f"{s.summary.dir}: {word}, {len(s.summary.gaps)} gaps stated")
    for line in failed:
        _say(line)
    return 1 if failed else 0


@click.group(invoke_without_command=True)
@click.option("--until-idle", is_flag=True, help="End when something was recorded and the archive has all of it.")
@config_option
@click.pass_context
def agent(context: click.Context, until_idle: bool, config: str | None) -> int:
    """Serve one courtroom: record when the centre asks, carry the recordings to the archive. Ctrl-C stops it.

    Example: tyndau agent --config /etc/tyndau/agent.toml
    """
    if context.invoked_subcommand is not None:
        return 0
    settings = settings_of(config)
    configure()
    ffmpeg_program(settings)
    if not settings.agent.sources:
        raise Misconfigured("agent.sources is empty; name at least one camera or microphone")
    plan_names(settings.agent.sources, settings.agent.channels)
    stop = threading.Event()
    with _stopping(stop), held(*Spool.of(settings.agent).volumes):
        service = make_agent(settings, load_signer(settings), SystemClock())
        click.echo(f"tyndau agent {settings.agent.name} serves {settings.agent.courtroom}", err=True)
        service.run(stop, until_idle=until_idle)
    return 0


agent.add_command(enrol)
agent.add_command(pin)
agent.add_command(probe)


def settings_of(config: str | None) -> Settings:
    """The settings, from the file named on the command line if there is one."""
    if config:
        os.environ["TYNDAU_CONFIG"] = config
    return load_settings()


def _run(recording: Recording, duration_s: float | None) -> tuple[Summary, str]:
    """Record until it is over; what was recorded, and what to complain of (empty if nothing)."""
    stop = threading.Event()
    with _stopping(stop):
        recording.start()
        with _shown(recording, duration_s):
            reason = _until_over(recording, stop, duration_s)
        disk = recording.disk_trouble()
        try:
            summary = recording.close(reason)
        except OSError as error:
            raise Unavailable(
                f"{recording.folder.path} could not be closed ({error.strerror}); make room, then: tyndau salvage"
            ) from error
    if disk:
        return summary, f"{recording.folder.path}: recording stopped, {disk}; free some space and start again"
    silent = [owner for owner in recording.owners if not owner.opened]
    lines = [f"source {o.name} never opened: {o.detail or 'nothing came; check its power and address'}" for o in silent]
    return summary, " · ".join(lines)


def _until_over(recording: Recording, stop: threading.Event, duration_s: float | None) -> StopReason:
    while not stop.wait(LOOK_S):
        if reason := recording.tick():
            return reason
        hopeless = duration_s is None and not any(owner.opened for owner in recording.owners)
        if hopeless and recording.elapsed_s() > GIVE_UP_S:
            return StopReason.STOPPED
    return StopReason.STOPPED


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for an orderly stop."""
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(recording: Recording, duration_s: float | None) -> Iterator[None]:
    """State and levels on a terminal's stderr; nothing where nobody looks."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return

    def render() -> object:
        return status_table(recording, duration_s)

    with Live(get_renderable=render, console=console, refresh_per_second=5, transient=True):  # type: ignore[arg-type]
        yield


def _print_summary(summary: Summary, as_json_: bool) -> None:
    if as_json_:
        click.echo(json.dumps(as_json(summary), ensure_ascii=False))
        return
    click.echo(summary.dir)
    for name, source in summary.sources.items():
        seconds = source["duration_ms"] / 1000
        click.echo(f"  {name}: {seconds:.1f} s in {source['segments']} segments, {source['runs']} runs")
    for gap in summary.gaps:
        click.echo(f"  gap: {gap['source']} {gap['from_utc']} - {gap['to_utc']} ({gap['cause']})")


def _pairs(texts: Sequence[str], what: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, value = split_pair(text, what)
        if name in pairs:
            raise BadInput(f"{what} {name} is given twice; give each source its own name")
        pairs[name] = value
    return pairs


def _check_room(out: Path, settings: Settings) -> None:
    out = out.expanduser()
    try:
        out.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise BadInput(f"{out} cannot be used ({error.strerror}); name a folder that can be written") from error
    if free < LEAST_FREE_BYTES:
        raise Unavailable(f"{out} has {free >> 20} MB free; make room before recording")
    if free < settings.recording.min_free_mb << 20:
        _say(f"{out} has only {free >> 20} MB free; recording will stop when it is full")


def _say(text: str) -> None:
    click.echo(f"tyndau: {text}", err=True)


class _Plain(logging.Handler):
    """Warnings as one line for the person at the terminal, each once in a row."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {})
        detail = ": ".join(str(fields[key]) for key in ("source", "detail") if fields.get(key))
        line = f"{record.getMessage()}{f' ({detail})' if detail else ''}"
        if line != self._last:
            self._last = line
            print(f"tyndau: {line}", file=sys.stderr)


@contextmanager
def _plain_warnings(*, quiet: bool = False) -> Iterator[None]:
    handler: logging.Handler = logging.NullHandler() if quiet else _Plain()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)

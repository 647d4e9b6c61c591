"""`tyndau demo`."""

from __future__ import annotations

import json
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from api.demo.client import Client
    from api.demo.play import Course
    from api.demo.stage import Stage


@click.command(epilog="Example: tyndau demo --input hearing.mp4")
@click.option(
    "--input", "file", type=click.Path(path_type=Path), help="Record this video or sound instead of the sample hearing."
)
@click.option("--once", is_flag=True, help="Do everything without a person, then end.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON (with --once).")
@click.option("--duration", type=click.FloatRange(min=5), help="Seconds to record; default: the whole sample or file.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Data folder; default: <data_dir>/demo, with --once a new one."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web pages; default 8420, or any free one.")
def demo(
    file: Path | None, once: bool, as_json: bool, duration: float | None, data: Path | None, port: int | None
) -> None:
    """A sample court on this machine: records a hearing in real time, transcribes, plays, searches."""
    from api.demo.media import own_show, sample_show
    from api.demo.play import Course
    from api.demo.stage import running
    from config.clock import SystemClock
    from config.settings import load_settings

    if as_json and not once:
        raise click.UsageError("--json needs --once")
    show = own_show(file, duration) if file else sample_show(duration)
    settings, clock = load_settings(), SystemClock()
    started = clock.monotonic_s()
    signal.signal(signal.SIGTERM, _as_interrupt)
    with ExitStack() as stack:
        temporary = (
            stack.enter_context(tempfile.TemporaryDirectory(prefix="tyndau-demo-")) if once and not data else None
        )
        folder = data or (Path(temporary) if temporary else settings.data_dir / "demo")
        _say("starting PostgreSQL, the object store, the API, a worker and an agent …")
        stage = stack.enter_context(running(settings, folder, show, port, clock.utc()))
        course = Course(stage, show, clock, _say)
        if once:
            _once(course, as_json, started)
        else:
            _with_people(course)


def _once(course: Course, as_json: bool, started: float) -> None:
    with _client(course.stage, "secretary") as secretary, _client(course.stage, "judge") as judge:
        recording = course.record(secretary)
        summary = course.summary(judge, recording)
    summary["seconds"] = round(course.clock.monotonic_s() - started, 1)
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False))
    else:
        for key, value in summary.items():
            click.echo(f"{key}: {value}")
    if not summary["verified"]:
        raise click.ClickException("the record did not verify; see the checks with: tyndau verify")


def _with_people(course: Course) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("sign in as", "password", "role", title=course.stage.url, title_style="bold", title_justify="left")
    for person in course.stage.people:
        table.add_row(person.username, person.password, person.role)
    Console(stderr=True).print(table)
    try:
        with _client(course.stage, "secretary") as secretary, _client(course.stage, "judge") as judge:
            recording = course.record(secretary)
            course.finished(judge, recording)
        _say(f"ready: {course.stage.url}/recordings/{recording}   (Ctrl-C ends the demo)")
        course.stay()
    except KeyboardInterrupt:
        _say("ending …")


def _client(stage: Stage, role: str) -> Client:
    from api.demo.client import Client

    person = next(person for person in stage.people if person.role == role)
    return Client(stage.url, person.username, person.password)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

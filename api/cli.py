"""`tyndau serve`."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from archive.db.session import Sessions
    from config.settings import Settings


@click.command(epilog="Example: tyndau serve --embedded --data /srv/tyndau")
@click.option("--host", help="Address to listen on; default: api.host of the settings.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 = any free one; default: api.port.")
@click.option("--embedded", is_flag=True, help="Also run PostgreSQL, the object store and a worker on this machine.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the embedded servers.")
@click.option("--workers-off", is_flag=True, help="With --embedded: no worker; start `tyndau worker` yourself.")
@click.option("--json", "as_json", is_flag=True, help="Say where it answers as JSON.")
def serve(
    host: str | None, port: int | None, embedded: bool, data: Path | None, workers_off: bool, as_json: bool
) -> None:
    """The API and the web pages. Ends with Ctrl-C or SIGTERM."""
    from config import log
    from config.settings import load_settings

    if (data or workers_off) and not embedded:
        raise click.UsageError("--data and --workers-off need --embedded")
    log.configure()
    signal.signal(signal.SIGTERM, _as_interrupt)
    settings = load_settings()
    try:
        with ExitStack() as stack:
            if embedded:
                settings = _start_servers(stack, settings, data or settings.data_dir, workers=not workers_off)
            _serve(settings, host or settings.api.host, settings.api.port if port is None else port, as_json)
    except KeyboardInterrupt:
        sys.exit(130)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """Before and after uvicorn's own handling SIGTERM unwinds like Ctrl-C: what was started is ended."""
    raise KeyboardInterrupt


def _start_servers(stack: ExitStack, settings: Settings, folder: Path, *, workers: bool) -> Settings:
    from archive.db.session import upgrade
    from archive.embedded import embedded
    from config.children import Children

    servers = stack.enter_context(embedded(folder, settings.storage))
    settings = servers.settings(settings)
    upgrade(settings)
    if workers:
        children = stack.enter_context(Children(servers.data_dir / "logs", patience_s=8))
        program = [sys.executable, "-m", "archive.console", "worker"]
        children.start("worker", program, environment(settings))
    return settings


def environment(settings: Settings) -> Mapping[str, str]:
    """This process's environment with the servers of `settings`, for a child."""
    storage = settings.storage
    return {
        **os.environ,
        "TYNDAU_DATA_DIR": str(settings.data_dir),
        "TYNDAU_DATABASE__URL": settings.database.url.get_secret_value(),
        "TYNDAU_STORAGE__ENDPOINT": storage.endpoint,
        "TYNDAU_STORAGE__SECURE": str(storage.secure).lower(),
        "TYNDAU_STORAGE__REGION": storage.region,
        "TYNDAU_STORAGE__ACCESS_KEY": storage.access_key.get_secret_value(),
        "TYNDAU_STORAGE__SECRET_KEY": storage.secret_key.get_secret_value(),
        "TYNDAU_STORAGE__EVIDENCE_BUCKET": storage.evidence_bucket,
        "TYNDAU_STORAGE__DERIVED_BUCKET": storage.derived_bucket,
    }


def _serve(settings: Settings, host: str, port: int, as_json: bool) -> None:
    from api.app import create_app
    from api.server import Server, bind

    app = create_app(settings)
    _check_database(app.state.services.sessions)
    bound = bind(host, port)
    url = settings.api.public_url or f"http://{_shown(host)}:{bound.getsockname()[1]}"

    def ready() -> None:
        click.echo(json.dumps({"url": url}) if as_json else f"Tyndau answers at {url}")
        sys.stdout.flush()

    gc.collect()
    gc.freeze()  # the program itself is never garbage: to look through it again and again holds all answers up
    Server(app, ready).run(sockets=[bound])


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _check_database(sessions: Sessions) -> None:
    """Nothing when the database answers and has our tables.

    Raises:
        DatabaseUnavailable: it does not answer.
        Misconfigured: it has no tables.
    """
    from sqlalchemy import text

    from archive.domain.errors import Misconfigured

    with sessions() as session:
        if session.scalar(text("SELECT to_regclass('hearings')")) is None:
            raise Misconfigured("the database has no tables yet; run 'tyndau db upgrade'")

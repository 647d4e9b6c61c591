"""`tyndau worker`: the work behind the pages."""

from __future__ import annotations

import click

from archive.jobs.app import QUEUES
from archive.jobs.beside import step_back
from archive.jobs.worker import run_worker
from config.log import configure
from config.settings import load_settings


@click.command()
@click.option(
    "--queues", default=",".join(QUEUES), show_default=True, help="What this machine works on, separated by commas."
)
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs at a time.")
@click.option(
    "--nice", type=click.IntRange(0, 19), default=10, show_default=True, help="Everything else here goes first by this."
)
@click.option("--until-idle", is_flag=True, help="Stop when nothing is left to do.")
def worker(queues: str, concurrency: int, nice: int, until_idle: bool) -> None:
    """Recognise speech, publish access copies, check what was stored; any number of machines may do so.

    On the machine of an agent final texts wait while it records; drafts are written all the same.

    Example: tyndau worker --queues asr --concurrency 1
    """
    names = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = set(names) - set(QUEUES)
    if unknown or not names:
        raise click.UsageError(f"--queues takes {', '.join(QUEUES)}, separated by commas")
    configure()
    step_back(nice)
    run_worker(load_settings(), names, concurrency, stop_when_idle=until_idle)

"""`tyndau worker`: the work behind the pages."""

from __future__ import annotations

import sys

import click

from archive.jobs.app import QUEUES
from archive.jobs.beside import step_back
from archive.jobs.sandbox import Sandbox, run_inside
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
@click.option(
    "--sandbox",
    type=click.Choice([one.value for one in Sandbox]),
    default=Sandbox.AUTO.value,
    show_default=True,
    help="Work in a box of bubblewrap: where the machine has it, never, or not without.",
)
def worker(queues: str, concurrency: int, nice: int, until_idle: bool, sandbox: str) -> None:
    """Recognise speech, publish access copies, check what was stored; any number of machines may do so.

    On the machine of an agent final texts wait while it records; drafts are written all the same.

    Example: tyndau worker --queues asr --concurrency 1
    """
    names = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = set(names) - set(QUEUES)
    if unknown or not names:
        raise click.UsageError(f"--queues takes {', '.join(QUEUES)}, separated by commas")
    configure()
    settings = load_settings()
    ended = run_inside(Sandbox(sandbox), settings, [sys.executable, *sys.orig_argv[1:]])
    if ended is not None:
        sys.exit(ended)
    from archive.jobs.worker import run_worker

    step_back(nice)
    run_worker(settings, names, concurrency, stop_when_idle=until_idle)

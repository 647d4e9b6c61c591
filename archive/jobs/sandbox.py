"""A box of the worker's own, for it opens what courtrooms have sent: bubblewrap, where the machine has it.

Inside, the file system is read-only but for the data folder, the models' cache and a /tmp of its own; home folders are
not there, nor any capability of root. No core is dumped, in which a hearing would be heard. The network stays: there
are the catalogue and the store. The shipped systemd unit does as much, and forbids what bubblewrap needs.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from archive.domain.errors import Misconfigured
from config.log import report
from config.settings import Settings

logger = logging.getLogger(__name__)

_OF_SYSTEMD = "INVOCATION_ID"  # set for its services
INSIDE = "TYNDAU_IN_SANDBOX"  # set for the program that runs there
PROGRAM = "bwrap"
_HOMES = ("/home", "/root")
# Bound as they are, they would show what is hidden, or put /tmp back.
_WHOLE = {Path("/"), Path("/tmp"), *map(Path, _HOMES)}  # noqa: S108
_TRY_S = 60  # a full machine is slow, and no worker at all is worse
_LOOK_EVERY_S = 0.2  # for a signal that came: Python waits on through them
_PASSED_ON = (signal.SIGTERM, signal.SIGINT)
_BY_SIGNAL = 128  # as a shell says it


class Sandbox(StrEnum):
    """Whether to go into one: where there is one, not at all, or not to work without."""

    AUTO = "auto"
    OFF = "off"
    REQUIRED = "required"


def run_inside(wanted: Sandbox, settings: Settings, program: Sequence[str]) -> int | None:
    """Run `program`, the caller's own command, inside and return how it ended; None where the caller goes on itself.

    It is told of SIGTERM and Ctrl-C, and killed when this process is. For the main thread.

    Raises:
        Misconfigured: a sandbox is required, and the machine has none.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if wanted is Sandbox.OFF or os.environ.get(INSIDE):
        return None
    why = _missing(settings)
    if why is None:
        return _told_of_signals(command(settings, program))
    if wanted is Sandbox.REQUIRED:
        raise Misconfigured(f"there is no sandbox here: {why}; mend that, or use --sandbox auto")
    if not os.environ.get(_OF_SYSTEMD):
        report(logger, "JOB-004", reason=why)
    return None


def _told_of_signals(words: list[str]) -> int:
    """Run bubblewrap, which itself passes no signal on. Of its own session: Ctrl-C would end it at once."""
    ours, theirs = os.pipe()
    asked: list[int] = []
    for number in _PASSED_ON:
        signal.signal(number, lambda got, _frame: asked.append(got))
    box = subprocess.Popen(
        [words[0], "--info-fd", str(theirs), *words[1:]],
        env={**os.environ, INSIDE: "1"},
        pass_fds=(theirs,),
        start_new_session=True,
    )
    os.close(theirs)
    with os.fdopen(ours) as info:
        told = info.read()  # ends when the program begins
    inner = json.loads(told)["child-pid"] if told else None
    while True:
        while asked and inner is not None:
            with suppress(ProcessLookupError):
                os.kill(inner, asked.pop())
        try:
            code = box.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
        return code if code >= 0 else _BY_SIGNAL - code


def command(settings: Settings, program: Sequence[str]) -> list[str]:
    """The argument list that runs `program` inside."""
    for folder in _written(settings):
        with suppress(OSError):  # whoever needs it says so
            folder.mkdir(parents=True, exist_ok=True)
    found = shutil.which(PROGRAM) or PROGRAM
    words = [found, "--die-with-parent", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL"]
    words += ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - one of its own
    words += [word for home in _HOMES if Path(home).is_dir() for word in ("--tmpfs", home)]
    for path in sorted({path.absolute() for path in _read(settings)} - _WHOLE - {Path.home()}):
        words += ["--ro-bind-try", str(path), str(path)]
    for path in sorted({path.absolute() for path in _written(settings)}):
        words += ["--bind-try", str(path), str(path)]
    here = str(Path.cwd())
    return [*words, "--dir", here, "--chdir", here, "--", *program]


def _read(settings: Settings) -> Iterator[Path]:
    """What the worker reads wherever it lies: itself, and whatever the settings name."""
    yield from (Path(one) for one in (sys.prefix, sys.base_prefix, *sys.path) if one)
    yield from _named(settings)
    if os.sep in settings.recogniser.model:
        yield Path(settings.recogniser.model)


def _named(section: BaseModel) -> Iterator[Path]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            yield value
        elif isinstance(value, BaseModel):
            yield from _named(value)
        elif isinstance(value, tuple):
            yield from (one for one in value if isinstance(one, Path))


def _written(settings: Settings) -> Iterator[Path]:
    yield settings.data_dir
    yield settings.recogniser.model_cache or _cache()


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tyndau"


def _missing(settings: Settings) -> str | None:
    """Why there is no sandbox here in which the worker would run; None where there is one."""
    if shutil.which(PROGRAM) is None:
        return "bubblewrap is not installed (Debian's package bubblewrap)"
    begins = [sys.executable, "-c", "import tempfile; tempfile.gettempdir(); import archive.jobs.app"]
    try:
        tried = subprocess.run(command(settings, begins), capture_output=True, text=True, timeout=_TRY_S, check=False)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:  # RuntimeError: the user has no home
        return f"bubblewrap does not start: {error}"
    return None if tried.returncode == 0 else f"nothing runs in bubblewrap here: {tried.stderr.strip()}"

"""Which FFmpeg is run."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

from archive.domain.errors import Misconfigured
from config.settings import Settings
from recorder.address import Address, Scheme

_DEMUXERS = {Scheme.ALSA: "alsa", Scheme.PULSE: "pulse", Scheme.V4L2: "video4linux2", Scheme.X11: "x11grab"}


def ffmpeg_program(settings: Settings) -> str:
    """The path of FFmpeg: the one of the settings, else the one that comes with imageio-ffmpeg.

    Raises:
        Misconfigured: it is not there.
    """
    named = settings.agent.ffmpeg
    if named:
        found = shutil.which(named)
        if not found:
            raise Misconfigured(f"agent.ffmpeg names {named}, which is not a program here; correct or remove it")
        return str(Path(found).resolve())
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise Misconfigured("FFmpeg is missing; install tyndau[recorder] or set agent.ffmpeg") from error


def fitting_program(program: str, address: Address) -> str:
    """`program`, or the system's FFmpeg where only that can open such an address (ALSA).

    Raises:
        Misconfigured: neither can.
    """
    demuxer = _DEMUXERS.get(address.scheme)
    if demuxer is None or demuxer in _devices(program):
        return program
    system = shutil.which("ffmpeg")
    if system and demuxer in _devices(system):
        return system
    raise Misconfigured(
        f"source {address.name}: this FFmpeg knows no {address.scheme}: devices; install Debian's ffmpeg package"
        + (" or use pulse: instead" if address.scheme is Scheme.ALSA else "")
    )


@functools.cache
def _devices(program: str) -> frozenset[str]:
    """The device demuxers that an FFmpeg has."""
    try:
        told = subprocess.run([program, "-hide_banner", "-devices"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured(f"{program} does not run ({error}); set agent.ffmpeg") from error
    rows = (line.split() for line in told.stdout.splitlines())
    return frozenset(name for row in rows if len(row) > 1 and "D" in row[0] for name in row[1].split(","))

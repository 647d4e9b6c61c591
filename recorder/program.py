"""Which FFmpeg is run."""

from __future__ import annotations

import shutil
from pathlib import Path

from archive.domain.errors import Misconfigured
from config.settings import Settings


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

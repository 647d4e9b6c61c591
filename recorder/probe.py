"""`tyndau agent probe`: what a courtroom machine has, and settings that would record it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from archive.domain.errors import TyndauError
from config.settings import Settings, load_settings
from recorder.address import parse_address
from recorder.encoders import HARDWARE, SOFTWARE, bench
from recorder.profiles import fitting, profiles
from recorder.program import ffmpeg_program
from recorder.streams import look

GB = 1_000_000_000
_CARD = re.compile(r"^\s*(\d+) \[\S+\s*\]: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """What is here; a camera's words say what it brings, or what to do."""

    video: Sequence[str]  # addresses
    sound: Mapping[str, str]  # address -> the card's name
    cameras: Mapping[str, str]  # address without its password -> what it brings
    encoders: Mapping[str, str]  # name -> empty if it works, else why not
    free_gb: float
    hours: float  # of a room of the profile on this disk
    profile: str  # of config/deploy/profiles: the smallest with room for what was found


def find(settings: Settings, cameras: Sequence[str]) -> Found:
    """Look at this machine and at the network cameras named."""
    program = ffmpeg_program(settings)
    spool = next(path for path in (settings.agent.spool, *settings.agent.spool.parents) if path.exists())
    free = shutil.disk_usage(spool).free
    devices = [f"v4l2:{path}" for path in sorted(Path("/dev").glob("video[0-9]*"))]
    cards = _cards()
    profile = fitting(len(devices) + len(cameras), microphones=4 * len(cards))  # how many inputs has each, nobody says
    return Found(
        devices,
        cards,
        dict(_camera(number, text, program) for number, text in enumerate(cameras, 1)),
        {encoder.name: bench.trouble(program, encoder) for encoder in (SOFTWARE, *HARDWARE)},
        round(free / GB, 1),
        round(profile.hours(free), 1),
        profile.name,
    )


def proposal(found: Found) -> str:
    """Settings for what was found, as TOML; passwords are not repeated."""
    sources = [*(name for name in found.cameras if "://" in name), *found.video]
    rows = [f"cam{number} = {json.dumps(address)}" for number, address in enumerate(sources, 1)]
    rows += [f"mics{number} = {json.dumps(address)}" for number, address in enumerate(found.sound, 1)]
    names = [f'mics{number} = ["judge"]  # name each microphone in order' for number in range(1, len(found.sound) + 1)]
    profile = next(known for known in profiles() if known.name == found.profile)
    recording = [f"# config/deploy/profiles/{profile.name}.toml", "[recording]"]
    recording += [f"{key} = {getattr(profile, key)}" for key in ("video_bitrate_kbit", "audio_bitrate_kbit")]
    return "\n".join([*recording, "", "[agent.sources]", *rows, "", "[agent.channels]", *names]) + "\n"


def _cards() -> dict[str, str]:
    cards = Path("/proc/asound/cards")
    return {f"alsa:hw:{n}": name for n, name in _CARD.findall(cards.read_text())} if cards.exists() else {}


def _camera(number: int, text: str, program: str) -> tuple[str, str]:
    try:
        address = parse_address(f"cam{number}", text)
        streams = look(address, program)
    except TyndauError as error:
        return text.partition(":")[0] + f":#{number}", str(error)
    how = "written as it comes" if streams.copyable else "encoded here"
    picture = f"{streams.codec}, {how}" if streams.video else "no picture"
    return address.shown(), f"{picture}; sound: {streams.channels} channels"


@click.command()
@click.option("--camera", "cameras", multiple=True, metavar="ADDRESS", help="A network camera to look at.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def probe(cameras: Sequence[str], config: Path | None, as_json: bool) -> int:
    """List this machine's devices, the encoders that work and the room on its disk; propose settings.

    Example: tyndau agent probe --camera rtsp://10.0.0.20/stream1
    """
    if config:
        os.environ["TYNDAU_CONFIG"] = str(config)
    found = find(load_settings(), cameras)
    if as_json:
        click.echo(json.dumps({**asdict(found), "proposal": proposal(found)}, ensure_ascii=False))
        return 0
    for name, what in {**found.cameras, **dict.fromkeys(found.video, "camera"), **found.sound}.items():
        click.echo(f"{name}: {what}")
    for name, why in found.encoders.items():
        click.echo(f"{name}: {f'does not work ({why[:80]})' if why else 'works'}")
    click.echo(f"disk: {found.free_gb} GB free, {found.hours} hours with {found.profile}")
    click.echo(f"\n{proposal(found)}", nl=False)
    return 0

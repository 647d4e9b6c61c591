"""`tyndau transcribe FILE`: what was said in a sound or video file."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from archive.domain.errors import BadInput
from archive.domain.transcript import Language, Transcript
from archive.domain.transcript_formats import MACHINE, WRITERS
from config.settings import load_settings
from transcribe.audio import RATE, SAMPLES_PER_MS, AudioFile
from transcribe.recogniser import Recogniser, prepare, with_model


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "form", flag_value="json", help="One JSON document with words and their times.")
@click.option("--vtt", "form", flag_value="vtt", help="WebVTT subtitles.")
@click.option("--srt", "form", flag_value="srt", help="SubRip subtitles.")
@click.option("--txt", "form", flag_value="txt", default=True, help="A line an utterance (default).")
@click.option("--channels", default="", metavar="A,B,…", help="Names of all sound channels, in order.")
@click.option("--language", type=click.Choice(["auto", "kk", "ru"]), default="auto", show_default=True)
@click.option("--model", default="", help="base (bundled), a CTranslate2 or ONNX folder, or a hub name.")
def transcribe(file: Path, form: str, channels: str, language: str, model: str) -> None:
    """Write down what is said in FILE, per microphone, in Kazakh and Russian.

    The text goes to the standard output, progress to the standard error. It is a machine's draft,
    not a protocol; what it is not sure of is marked.

    Example: tyndau transcribe hearing.mp4 --channels judge,claimant,respondent,witness --vtt > hearing.vtt
    """
    section = load_settings().recogniser
    names = [name.strip() for name in channels.split(",")] if channels else []
    with AudioFile(file, names) as audio:
        recogniser = prepare(with_model(section, model), None if language == "auto" else Language(language))
        about = (MACHINE,) if form == "vtt" else ()
        text = WRITERS[form or "txt"](_listened(audio, recogniser), about)
        if audio.torn:
            click.echo(f"tyndau: {file} ends torn; what could be read was transcribed", err=True)
    sys.stdout.write(text)


def _listened(audio: AudioFile, recogniser: Recogniser) -> Transcript:
    listener = recogniser.listener(audio.channels)
    with _progress() as bar:
        task = bar.add_task("listening", total=audio.duration_s or None)
        done = tuple(listener.listen(audio, lambda sample: bar.update(task, completed=sample / RATE)))
    duration_ms = listener.state.cut.at // SAMPLES_PER_MS
    if not duration_ms:
        raise BadInput("the file's sound is empty; nothing to transcribe")
    return Transcript(duration_ms, done, recogniser.engine.name)


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} s"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

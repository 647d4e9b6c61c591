"""`tyndau bench …`: how good a model is on the court's own speech."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from archive.domain.errors import BadInput
from archive.domain.transcript import Language
from config.settings import Recogniser as Section
from config.settings import load_settings
from transcribe.bench.calibration import CONDITIONS, GOOD, Calibrated, Weighed, calibrate, right, weigh
from transcribe.bench.manifest import read_manifest
from transcribe.bench.report import Report, measure
from transcribe.bench.settings_file import set_options
from transcribe.recogniser import prepare, with_model

_MANIFEST = click.option(
    "--manifest",
    required=True,
    type=click.Path(path_type=Path),
    help="Speech whose words are known: a tab-separated table with path, language (kk, ru) and transcript.",
)
_MODEL = click.option("--model", default="", help="base (bundled), a CTranslate2 or ONNX folder, or a hub name.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_MEASURES = {
    "lines": ("lines", "{}"),
    "words": ("words", "{}"),
    "wer": ("WER", "{:.1%}"),
    "cer": ("CER", "{:.1%}"),
    "language_right": ("language right", "{:.1%}"),
    "microphone_right": ("microphone right", "{:.1%}"),
    "word_start_off_ms_median": ("word start off, ms", "{}"),
    "word_start_off_ms_p90": ("… 90 % below, ms", "{}"),
    "word_start_within_400_ms": ("… within 400 ms", "{:.1%}"),
    "certain_words_right": ("certain words right", "{:.1%}"),
    "doubtful_words": ("words marked unclear", "{}"),
    "doubtful_words_right": ("… right", "{:.1%}"),
    "words_outside_of_lines": ("words out of place", "{}"),
}


@click.group("bench")
def bench() -> None:
    """Measure a model on speech of one's own rooms, whose words are known.

    Example: tyndau bench asr --manifest rooms/manifest.tsv
    """


@bench.command("language")
@_MANIFEST
@_MODEL
@_JSON
@click.option("--write", is_flag=True, help="Write the bias into the settings file, with the model's hash.")
def language(manifest: Path, model: str, as_json: bool, write: bool) -> None:
    """Find the bias with which a model tells Kazakh from Russian; another model needs another one.

    Example: tyndau --config tyndau.toml bench language --manifest rooms/manifest.tsv --write
    """
    named = os.environ.get("TYNDAU_CONFIG")
    if write and not named:
        raise BadInput("there is no settings file to write to; name it: tyndau --config FILE bench language …")
    section, files = _section(model), read_manifest(manifest)
    recogniser = prepare(section, Language.RU)  # the languages themselves are asked for here
    sha256 = recogniser.engine.model_sha256
    with _progress("files", len(files)) as told:
        weighed = weigh(recogniser.engine, recogniser.vad, files, told)
    found = calibrate(weighed)
    before = section.language_bias if section.language_bias_model_sha256 == sha256 else 0.0
    if write and named:
        set_options(Path(named), "recogniser", {"language_bias": found.bias, "language_bias_model_sha256": sha256})
    if as_json:
        click.echo(json.dumps(_told(found, weighed, before, recogniser.engine.name), ensure_ascii=False))
        return
    Console().print(_languages(found, weighed, before, recogniser.engine.name))
    click.echo(f"Bias {found.bias:g}; on files that it was not chosen on it tells {found.unseen.mean:.1%} right.")
    if min(found.spans.values()) < GOOD:
        click.echo(
            f"That is little speech: {GOOD} spans of each language, of the court's own rooms, are a measure to rely on."
        )
    if write:
        click.echo(f"It stands in {named} now.")
    else:
        click.echo(f'In the settings: language_bias = {found.bias:g}, language_bias_model_sha256 = "{sha256}"')


@bench.command("asr")
@_MANIFEST
@_MODEL
@_JSON
@click.option("--language", "forced", type=click.Choice(["auto", "kk", "ru"]), default="auto", show_default=True)
def asr(manifest: Path, model: str, as_json: bool, forced: str) -> None:
    """Recognise the speech of MANIFEST and say how much of it is right.

    WER and CER are the shares of words and of characters that are wrong; language and microphone are counted by lines;
    certain words are those that nothing marks; words out of place stand where no line is. Lines with start_s, end_s and
    channel tell whether the right microphone was found; a column words (a table of start_s, end_s, word) how true the
    times are.

    Example: tyndau bench asr --manifest rooms/manifest.tsv --model /models/large-v3-turbo
    """
    files = read_manifest(manifest)
    recogniser = prepare(_section(model), None if forced == "auto" else Language(forced))
    with _progress("files", len(files)) as told:
        report = measure(recogniser, files, told)
    if as_json:
        click.echo(json.dumps(_reported(report), ensure_ascii=False))
    else:
        _print(report)


def _section(model: str) -> Section:
    return with_model(load_settings().recogniser, model)


def _told(found: Calibrated, weighed: list[Weighed], before: float, engine: str) -> dict[str, Any]:
    rows = {
        condition: {name: _both(one) for name, one in _with(found, weighed, condition, before).items()}
        for condition in CONDITIONS
    }
    return {
        "engine": engine,
        "bias": found.bias,
        "spans": {language.value: count for language, count in found.spans.items()},
        "right": _both(found.right),
        "right_on_unseen_files": _both(found.unseen),
        "conditions": rows,
    }


def _both(one: Any) -> dict[str, float]:
    return {"kk": round(one.kk, 3), "ru": round(one.ru, 3)}


def _with(found: Calibrated, weighed: list[Weighed], condition: str, before: float) -> Mapping[str, Any]:
    own = [one for one in weighed if one.condition == condition]
    biases = {"none": 0.0, "settings": before, "found": found.bias}
    return {name: right(own, bias) for name, bias in biases.items()}


def _languages(found: Calibrated, weighed: list[Weighed], before: float, engine: str) -> Table:
    spans = ", ".join(f"{count} spans of {language.value}" for language, count in found.spans.items())
    heads = ("no bias", f"settings, {before:g}", f"found, {found.bias:g}")
    table = Table("told right, kk / ru", *heads, title=f"{engine}: {spans}")
    for condition in CONDITIONS:
        cells = (f"{one.kk:.1%} / {one.ru:.1%}" for one in _with(found, weighed, condition, before).values())
        table.add_row(condition, *cells)
    return table


def _reported(report: Report) -> dict[str, Any]:
    return {
        "engine": report.engine,
        "rows": [
            {"language": language, "condition": condition, **score.as_dict()}
            for (language, condition), score in sorted(report.scores.items())
        ],
        "all": report.all.as_dict(),
        "sound_s": round(report.sound_s, 1),
        "wall_s": round(report.wall_s, 2),
        "times_real_time": round(report.sound_s / report.wall_s, 2) if report.wall_s else None,
        "peak_mb": report.peak_mb,
    }


def _print(report: Report) -> None:
    columns = {
        f"{language} {condition}".strip(): score for (language, condition), score in sorted(report.scores.items())
    }
    if len(columns) > 1:
        columns["all"] = report.all
    table = Table(Column("", no_wrap=True), *columns, title=report.engine)
    told = [score.as_dict() for score in columns.values()]
    for name, (label, form) in _MEASURES.items():
        if any(one[name] is not None for one in told):
            table.add_row(label, *("–" if one[name] is None else form.format(one[name]) for one in told))
    Console().print(table)
    pace = report.sound_s / report.wall_s if report.wall_s else 0.0
    click.echo(
        f"{report.sound_s:.0f} s of sound in {report.wall_s:.1f} s ({pace:.1f} × real time), {report.peak_mb} MB."
    )


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)

"""The recogniser as the settings name it, made ready once per process."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archive.domain.transcript import Language
from config.log import report
from config.settings import Recogniser as Section
from transcribe import whisper
from transcribe.engine import Engine, VoiceActivity
from transcribe.glossary import hints
from transcribe.pipeline import Listener, Options, State

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recogniser:
    """An engine, a voice-activity detector and how to use them."""

    engine: Engine
    vad: VoiceActivity
    options: Options
    hot_words: tuple[str, ...] = ()

    def listener(self, channels: Sequence[str], state: State | None = None) -> Listener:
        """Listens to one source, from `state` on."""
        return Listener(self.engine, self.vad, channels, self.options, state)

    def expecting(self, names: Sequence[str], own: Mapping[Language, Sequence[str]] | None = None) -> Recogniser:
        """The same, with the names of a case's participants and a court's own words expected too."""
        return replace(self, options=replace(self.options, hints=hints((*names, *self.hot_words), own)))


def prepare(section: Section, language: Language | None = None) -> Recogniser:
    """Load what `section` names; `language` None = decide per span.

    Raises:
        Misconfigured, BadInput, Damaged, Unavailable: see transcribe.whisper.load.
    """
    engine = whisper.load(section)
    calibrated = engine.model_sha256 == section.language_bias_model_sha256
    if not calibrated and language is None:
        report(_LOG, "ASR-001", model=section.model, sha256=engine.model_sha256)
    bias = section.language_bias if calibrated else 0.0
    options = Options(bias, language, hints(section.hot_words))
    return Recogniser(engine, whisper.voice_activity, options, section.hot_words)

"""The recogniser as the settings name it, made ready once per process."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archive.domain.errors import BadInput
from archive.domain.transcript import Language
from config.log import report
from config.settings import Models
from config.settings import Recogniser as Section
from transcribe import ctc, whisper
from transcribe.engine import Engine, VoiceActivity
from transcribe.glossary import hints
from transcribe.per_language import PerLanguage
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
        Misconfigured, BadInput, Damaged, Unavailable: see transcribe.whisper.load and transcribe.ctc.load.
    """
    engine = _loaded(section)
    calibrated = engine.model_sha256 == section.language_bias_model_sha256
    if not calibrated and language is None:
        report(_LOG, "ASR-001", model=section.model, sha256=engine.model_sha256)
    bias = section.language_bias if calibrated else 0.0
    options = Options(bias, language, hints(section.hot_words))
    return Recogniser(engine, whisper.voice_activity, options, section.hot_words)


def with_model(section: Section, name: str) -> Section:
    """The same with the model `name` for everything; as it was if that is empty."""
    return section.model_copy(update={"model": name, "models": Models()}) if name else section


def _loaded(section: Section) -> Engine:
    """What the settings name, each model once: `model` tells the languages, and writes those that have no other."""
    names = {Language.KK: section.models.kk or section.model, Language.RU: section.models.ru or section.model}
    engines = {name: _one(with_model(section, name)) for name in dict.fromkeys((section.model, *names.values()))}
    kazakh = engines[names[Language.KK]]
    if section.models.kk and isinstance(kazakh, ctc.CtcEngine) and not kazakh.writes_kazakh:
        raise BadInput(f"the model {section.models.kk} has no Kazakh letters; name another in recogniser.models.kk")
    if len(engines) == 1:
        return engines[section.model]
    return PerLanguage(engines[section.model], {language: engines[name] for language, name in names.items()})


def _one(section: Section) -> Engine:
    return ctc.load(section) if ctc.fits(section.model) else whisper.load(section)

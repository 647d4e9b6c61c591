"""Several engines as one: one tells the languages apart, each language is written by its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archive.domain.transcript import Language
from transcribe.engine import Clip, Engine, Heard, LanguageOdds, Samples


class PerLanguage:
    """An engine port over others (engine.Engine).

    `model_sha256` is the telling engine's: a bias is true for that one, whoever writes.
    """

    def __init__(self, telling: Engine, writing: Mapping[Language, Engine]) -> None:
        """`writing` has an engine for each language of a clip."""
        self._telling = telling
        self._writing = dict(writing)

    @property
    def name(self) -> str:
        parts = [f"{language} {engine.name}" for language, engine in self._writing.items()]
        if self._telling not in self._writing.values():
            parts.append(f"languages {self._telling.name}")
        return ", ".join(parts)

    @property
    def model_sha256(self) -> str:
        return self._telling.model_sha256

    def languages(self, clips: Sequence[Samples]) -> list[LanguageOdds]:
        return self._telling.languages(clips)

    def recognise(self, clips: Sequence[Clip], hints: Mapping[Language, Sequence[str]]) -> list[Heard]:
        heard: dict[int, Heard] = {}
        for language, engine in self._writing.items():
            places = [place for place, clip in enumerate(clips) if clip.language is language]
            heard.update(zip(places, engine.recognise([clips[place] for place in places], hints), strict=True))
        return [heard[place] for place in range(len(clips))]

    def recognise_again(self, clip: Clip) -> Heard:
        return self._writing[clip.language].recognise_again(clip)

"""faster-whisper and CTranslate2 behind the engine port; the only file that imports them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from faster_whisper.utils import download_model
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

from archive.domain.errors import BadInput, Misconfigured, Unavailable
from archive.domain.transcript import Language, Word
from config.settings import Recogniser
from transcribe.batches import DeviceFull, in_batches
from transcribe.engine import MAX_CLIP_S, Clip, Heard, LanguageOdds, Samples
from transcribe.model import BUNDLED_SHA256, ModelFolder, locate

_RATE = 16_000
_HOP = 160
_FULL_FRAMES = 3000
# Whisper pads every clip to 30 s; on a CPU the encoder is spared most of that. In 10-ms frames: silence after
# the clip, and the least length to recognise words: below 10 s the decoder tends to say a short text twice
# (measured in DESIGN.md). To tell languages the clip's own length is enough.
_PAD_FRAMES = 100
_LEAST_FRAMES = 1000
# No speaker says more tokens a second than this; a loop would otherwise run to the model's limit.
_TOKENS_PER_S = 14
_TOKENS_MORE = 30
_AGAIN_BEAM = 5
_SENTENCE_END = ".!?…"


def load(settings: Recogniser) -> WhisperEngine:
    """The recogniser that the settings name, loaded.

    Raises:
        Misconfigured, BadInput, Damaged: no such model, an incomplete one, or one this device cannot run.
        Unavailable: a hub model could not be fetched.
    """
    folder = locate(settings.model, settings.model_cache, download)
    try:
        model = WhisperModel(
            str(folder.path),
            device=settings.device,
            compute_type=settings.compute_type,
            cpu_threads=settings.threads,
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise Misconfigured(
            f"the model {settings.model} cannot be loaded ({_first_line(error)}); check model, device "
            "and compute_type in the settings"
        ) from error
    if not model.model.is_multilingual:
        raise BadInput(f"the model {settings.model} knows English only; take a multilingual one")
    return WhisperEngine(model, folder, settings)


def voice_activity(samples: Samples) -> list[tuple[int, int]]:
    """Silero's voice activity on mono sound (engine.VoiceActivity)."""
    options = VadOptions(min_speech_duration_ms=150, min_silence_duration_ms=200, speech_pad_ms=0)
    # The detector writes into what it is given.
    return [(int(found["start"]), int(found["end"])) for found in get_speech_timestamps(samples.copy(), options)]


def download(name: str, cache: Path) -> Path:
    try:
        return Path(download_model(name, cache_dir=str(cache)))
    except ValueError as error:
        raise BadInput(f"no model is called {name}; give a folder, a hub name or 'base'") from error
    except Exception as error:  # the hub client has many ways to say that it cannot be reached
        raise Unavailable(
            f"the model {name} could not be fetched ({_first_line(error)}); copy its folder here and name it"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class WhisperEngine:
    """A loaded Whisper model."""

    def __init__(self, model: WhisperModel, folder: ModelFolder, settings: Recogniser) -> None:
        self._model = model
        self._beam = settings.beam_size
        self._batch = settings.batch_size
        self._truncate = model.model.device == "cpu"
        self.model_sha256 = folder.sha256
        # Whisper puts a sound's description into capitals. Of a model that writes nothing else they are words:
        # so they are taken for speech until it has been seen to write small letters.
        self._writes_small = folder.sha256 == BUNDLED_SHA256
        self._tokenizers = {
            language: Tokenizer(model.hf_tokenizer, True, task="transcribe", language=language.value)
            for language in (Language.KK, Language.RU)
        }
        self._suppressed = get_suppressed_tokens(self._tokenizers[Language.RU], [-1])

    @property
    def name(self) -> str:
        return f"faster-whisper {self.model_sha256[:12]}"

    def languages(self, clips: Sequence[Samples]) -> list[LanguageOdds]:
        return in_batches(clips, self._batch, self._languages)

    def recognise(self, clips: Sequence[Clip], hints: Mapping[Language, Sequence[str]]) -> list[Heard]:
        heard: list[Heard | None] = [None] * len(clips)
        for language, tokenizer in self._tokenizers.items():
            chosen = [place for place, clip in enumerate(clips) if clip.language is language]
            prompt = self._prompt(tokenizer, hints.get(language, ()))
            samples = [clips[place].samples for place in chosen]
            decode = partial(self._decode, tokenizer=tokenizer, prompt=prompt, beam=self._beam)
            found = in_batches(samples, self._batch, decode)
            for place, one in zip(chosen, found, strict=True):
                heard[place] = one
        if any(one is None for one in heard):
            raise ValueError("a clip's language must be kk or ru")
        return [one for one in heard if one is not None]

    def recognise_again(self, clip: Clip) -> Heard:
        tokenizer = self._tokenizers[clip.language]
        prompt = self._prompt(tokenizer, ())
        return self._decode([clip.samples], tokenizer, prompt, _AGAIN_BEAM, full=True)[0]

    def _prompt(self, tokenizer: Tokenizer, hints: Sequence[str]) -> list[int]:
        joined = ", ".join(hints) or None
        prompt: list[int] = self._model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=joined)
        return prompt

    def _languages(self, clips: Sequence[Samples]) -> list[LanguageOdds]:
        with _on_device():
            encoded, _ = self._encode(clips, least=0)
            return [_odds(result) for result in self._model.model.detect_language(encoded)]

    def _decode(
        self, clips: Sequence[Samples], tokenizer: Tokenizer, prompt: list[int], beam: int, *, full: bool = False
    ) -> list[Heard]:
        with _on_device():
            encoded, frames = self._encode(clips, least=_FULL_FRAMES if full else _LEAST_FRAMES)
            most = len(prompt) + int(max(frames) * _TOKENS_PER_S / 100) + _TOKENS_MORE
            results = self._model.model.generate(
                encoded,
                [list(prompt) for _ in clips],
                beam_size=beam,
                max_length=min(most, self._model.max_length),
                suppress_tokens=self._suppressed,
                return_scores=True,
                return_no_speech_prob=True,
            )
            tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
            words = self._words(tokens, tokenizer, encoded, frames)
            self._writes_small |= any(word.text[1:].islower() for found in words for word in found)
            return [
                Heard(found, _avg_logprob(result), float(result.no_speech_prob), subtitles=self._writes_small)
                for result, found in zip(results, words, strict=True)
            ]

    def _words(
        self, tokens: list[list[int]], tokenizer: Tokenizer, encoded: Any, frames: list[int]
    ) -> list[tuple[Word, ...]]:
        aligned = self._model.find_alignment(tokenizer, tokens, encoded, frames)
        return [_joined(timings, count * 10) for timings, count in zip(aligned, frames, strict=True)]

    def _encode(self, clips: Sequence[Samples], *, least: int) -> tuple[Any, list[int]]:
        frames = [min(len(clip), MAX_CLIP_S * _RATE) // _HOP for clip in clips]
        wanted = max(max(frames) + _PAD_FRAMES, least) if self._truncate else _FULL_FRAMES
        features = np.stack([self._features(clip, min(wanted, _FULL_FRAMES)) for clip in clips])
        return self._model.encode(features), frames

    def _features(self, clip: Samples, length: int) -> NDArray[np.float32]:
        """The clip's log-mel picture, `length` frames of 10 ms, digital silence after the clip."""
        clip = clip[: MAX_CLIP_S * _RATE]
        features = self._model.feature_extractor(clip, padding=length * _HOP - len(clip) + _HOP)
        return np.asarray(features[..., :length], dtype=np.float32)


@contextmanager
def _on_device() -> Iterator[None]:
    """CTranslate2 has one error for all that goes wrong on a device; that its memory is full is told by its text."""
    try:
        yield
    except RuntimeError as error:
        if "out of memory" not in str(error).lower():
            raise
        raise DeviceFull(
            f"the memory of the graphics card is full ({_first_line(error)}); free it, lower batch_size, take "
            'compute_type = "int8_float16", or set device = "cpu"'
        ) from error


def _odds(result: list[tuple[str, float]]) -> LanguageOdds:
    p = dict(result)
    strongest, strongest_p = result[0]
    return LanguageOdds(
        kk=math.log(p.get("<|kk|>", 0.0) + 1e-9),
        ru=math.log(p.get("<|ru|>", 0.0) + 1e-9),
        strongest=strongest.strip("<|>"),
        strongest_p=strongest_p,
    )


def _avg_logprob(result: Any) -> float:
    """Whisper's measure: the end token counts too."""
    length = len(result.sequences_ids[0])
    return float(result.scores[0]) * length / (length + 1)


def _joined(timings: list[dict[str, Any]], length_ms: int) -> tuple[Word, ...]:
    """Whisper's pieces as words: a piece without a leading space belongs to the word before it.

    Bare punctuation lends its sign but not its time: it is aligned with the pause.
    """
    words: list[Word] = []
    for timing in timings:
        text = timing["word"]
        start_ms, end_ms = (min(length_ms, max(0, round(timing[key] * 1000))) for key in ("start", "end"))
        if not text.strip():
            continue
        if not words or text.startswith(" "):
            words.append(Word(text.strip(), start_ms, end_ms, round(float(timing["probability"]), 3)))
            continue
        before = words[-1]
        spoken = any(letter.isalnum() for letter in text)
        words[-1] = replace(before, text=before.text + text.strip(), end_ms=end_ms if spoken else before.end_ms)
    return _without_stretched(words)


def _without_stretched(words: list[Word]) -> tuple[Word, ...]:
    """A word beside a pause is not longer than twice the usual: the alignment gives it the pause too."""
    usual_ms = min(700, median([word.end_ms - word.start_ms for word in words] or [0]))
    longest_ms = round(2 * usual_ms)
    shortened = []
    for place, word in enumerate(words):
        if word.end_ms - word.start_ms > longest_ms:
            if place == 0 or words[place - 1].text[-1] in _SENTENCE_END:
                word = replace(word, start_ms=word.end_ms - longest_ms)
            elif word.text[-1] in _SENTENCE_END:
                word = replace(word, end_ms=word.start_ms + longest_ms)
        shortened.append(word)
    return tuple(shortened)

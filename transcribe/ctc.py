"""CTC models in ONNX form (GigaAM, NeMo) behind the engine port, by onnx-asr; the only file that imports it.

Such a model writes the likeliest letter of each frame of 40 to 80 ms. It takes no words to expect, so hints are
ignored; it does not know which language it writes, so languages are told by the letters of its text (letters.py); most
give neither capitals nor punctuation. The same sound always gives the same text: `recognise_again` differs from
`recognise` only by the clip it is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_asr
import onnxruntime
from numpy.typing import NDArray
from onnx_asr.adapters import TimestampedResultsAsrAdapter
from onnx_asr.loader import create_asr_resolver
from onnx_asr.utils import ModelFileNotFoundError, ModelLoadingError

from archive.domain.errors import BadInput, Misconfigured, Unavailable
from archive.domain.transcript import Language
from config.settings import Recogniser
from transcribe import letters
from transcribe.batches import in_batches
from transcribe.engine import MAX_CLIP_S, Clip, Heard, LanguageOdds, Samples
from transcribe.model import default_cache, is_onnx, sha256_of
from transcribe.tokens import heard

# Kinds of models, as onnx-asr calls them, and how the weights of GigaAM are named: their config.json does not tell the
# kind. NeMo's does.
_GIGAAM = {
    "gigaam-multilingual-ctc": "multilingual_ctc",
    "gigaam-multilingual-large-ctc": "multilingual_large_ctc",
    "gigaam-v3-e2e-ctc": "v3_e2e_ctc",
    "gigaam-v3-ctc": "v3_ctc",
    "gigaam-v2-ctc": "v2_ctc",
}
_NEMO = "nemo-conformer-ctc"
_HUB_NAMES = frozenset({*_GIGAAM, "nemo-fastconformer-ru-ctc"})
_BLANK = "<blk>"

_RATE = 16_000
_LEAST = _RATE // 5  # samples; of less there are too few frames to make features of
_TAIL = _RATE // 40  # silence after each clip: its last frames are the same whatever it is batched with

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def fits(name: str) -> bool:
    """Whether `name` (a folder or a hub name) means an ONNX model."""
    return name in _HUB_NAMES or is_onnx(Path(name).expanduser())


def load(settings: Recogniser) -> CtcEngine:
    """The ONNX model that the settings name, loaded and tried out.

    Of a folder with several files of weights, compute_type "int8" takes the one that is named so, any other the plain
    one; "int8" takes the plain one too where there is no other.

    Raises:
        BadInput: an incomplete folder, no CTC model, or a vocabulary of another model.
        Misconfigured: weights that cannot be read, or a device that is not there or is full.
        Unavailable: a hub model could not be fetched.
    """
    found = _found(settings)
    vocabulary = _vocabulary(found.files["vocab"])
    providers = _looked_at(found, vocabulary, settings)
    engine = CtcEngine(_model(found, settings, providers), found, vocabulary, settings)
    engine.try_out()
    return engine


class CtcEngine:
    """A loaded CTC model (engine.Engine)."""

    def __init__(
        self,
        model: TimestampedResultsAsrAdapter,
        found: _Found,
        vocabulary: Sequence[str],
        settings: Recogniser,
    ) -> None:
        self._model = model
        self._settings = settings
        self.model_sha256 = found.sha256()
        self.name = f"onnx-asr {found.kind} {self.model_sha256[:12]}"
        self.writes_kazakh = letters.KAZAKH.issubset("".join(vocabulary).lower())

    def languages(self, clips: Sequence[Samples]) -> list[LanguageOdds]:
        """By the letters of each clip's text; `letters.UNTOLD` where the model cannot write Kazakh."""
        if not self.writes_kazakh:
            return [letters.UNTOLD] * len(clips)
        return [letters.odds(one.text) for one in self._heard(clips)]

    def recognise(self, clips: Sequence[Clip], hints: Mapping[Language, Sequence[str]]) -> list[Heard]:
        return self._heard([clip.samples for clip in clips])

    def recognise_again(self, clip: Clip) -> Heard:
        return self._heard([clip.samples])[0]

    def try_out(self) -> None:
        """Raise Misconfigured if the model does not take two clips of different length at once."""
        faint = np.random.default_rng(1).normal(0, 1e-3, _RATE).astype(np.float32)
        self._decode([faint, faint[: _RATE // 2]])

    def _heard(self, clips: Sequence[Samples]) -> list[Heard]:
        return in_batches(clips, self._settings.batch_size, self._decode)

    def _decode(self, clips: list[Samples]) -> list[Heard]:
        clips = [clip[: MAX_CLIP_S * _RATE] for clip in clips]
        padded: list[str | Path | NDArray[np.float32]] = [_padded(clip) for clip in clips]
        try:
            results = self._model.recognize(padded)
        except Exception as error:  # onnxruntime's errors have no common base
            raise Misconfigured(
                f"the model {self._settings.model} fails on clips of sound ({_first_line(error)}); if the device's "
                'memory is full lower batch_size or set device = "cpu", else take an export with free batch and length'
            ) from error
        return [
            heard(result.tokens or (), result.timestamps or (), result.logprobs or (), len(clip) * 1000 // _RATE)
            for result, clip in zip(results, clips, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Found:
    """A model's files; `files` has at least "model" and "vocab"."""

    kind: str
    folder: Path
    quantization: str | None
    files: Mapping[str, Path]

    def sha256(self) -> str:
        """Of the weights, also of those that lie in a second file."""
        weights = self.files["model"]
        return sha256_of([weights, *sorted(weights.parent.glob(f"{weights.name}?data"))])


def _found(settings: Recogniser) -> _Found:
    from_hub = settings.model in _HUB_NAMES
    cache = settings.model_cache or default_cache()
    folder = cache / settings.model if from_hub else Path(settings.model).expanduser()
    kind = settings.model if from_hub else _kind(folder)
    try:
        found = _resolved(kind, folder, settings.compute_type, offline=not from_hub)
    except ModelLoadingError as error:
        raise BadInput(
            f"{folder} is no complete {kind} model ({_first_line(error)}); copy weights, vocabulary and config.json of "
            "one export there, and for weights that are not int8 set another compute_type"
        ) from error
    except Exception as error:  # the hub client has many ways to say that it cannot be reached
        raise Unavailable(
            f"the model {kind} could not be fetched ({_first_line(error)}); copy its folder here and name it"
        ) from error
    _check_features(kind, found.folder)
    return found


def _resolved(kind: str, folder: Path, compute_type: str, *, offline: bool) -> _Found:
    """The files that onnx-asr would load; what a hub has is put into `folder` first."""
    resolver = create_asr_resolver(kind, folder, offline=offline)
    if compute_type == "int8":
        try:
            return _Found(kind, folder, "int8", resolver.resolve_model(quantization="int8"))
        except ModelFileNotFoundError:
            pass
    return _Found(kind, folder, None, resolver.resolve_model())


def _kind(folder: Path) -> str:
    told = _config(folder).get("model_type")
    if told in (*_GIGAAM, _NEMO):
        return str(told)
    for kind, weights in _GIGAAM.items():
        if any(folder.glob(f"{weights}*.onnx")):
            return kind
    what = f"a model of the kind {told}" if told else "an ONNX model whose config.json has no model_type"
    raise BadInput(
        f"{folder} holds {what}; a CTC model is needed ({', '.join((*_GIGAAM, _NEMO))}), or a Whisper model as a "
        "CTranslate2 folder"
    )


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise BadInput(
            f"{file} is no JSON ({_first_line(error)}); copy it again from where the model is from"
        ) from error
    return config if isinstance(config, dict) else {}


def _check_features(kind: str, folder: Path) -> None:
    """Without a version the features of GigaAM v2 would be made, and the later models would write nonsense of them."""
    if kind in _GIGAAM and kind != "gigaam-v2-ctc" and "version" not in _config(folder):
        raise BadInput(
            f"{folder / 'config.json'} does not say which features the model {kind} hears; "
            'copy it from where the model is from, or write {"version": "v3", "subsampling_factor": 4}'
        )


def _vocabulary(file: Path) -> list[str]:
    """The tokens in the order of their numbers; each line of the file has a token, a space and its number."""
    try:
        pairs = [line.split(" ") for line in file.read_text(encoding="utf-8").split("\n") if line]
        tokens = {int(number): token for token, number in pairs}
    except ValueError:
        tokens = {}
    if sorted(tokens) != list(range(len(tokens))) or _BLANK not in tokens.values():
        raise BadInput(
            f"{file} is no vocabulary (a line each: token, space, number from 0 on; {_BLANK} among them); "
            "take the one that was made with the model"
        )
    return [tokens[number] for number in range(len(tokens))]


def _looked_at(found: _Found, vocabulary: Sequence[str], settings: Recogniser) -> list[str]:
    """Where the model will run, as onnxruntime calls it.

    The weights are read once for this alone, unoptimised: onnx-asr shows neither their shapes nor their device.
    """
    session = _opened(found.files["model"], settings)
    _check_output(session, vocabulary, found)
    providers: list[str] = session.get_providers()
    if settings.device == "cuda" and _CUDA not in providers:
        raise Misconfigured(
            'onnxruntime cannot use the graphics card; install the CUDA and cuDNN it asks for, or set device = "cpu"'
        )
    return providers


def _opened(weights: Path, settings: Recogniser) -> Any:
    cuda = settings.device != "cpu" and _CUDA in onnxruntime.get_available_providers()
    if settings.device == "cuda" and not cuda:
        raise Misconfigured(
            'the onnxruntime installed here has no CUDA; put onnxruntime-gpu in its place, or set device = "cpu"'
        )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = [_CUDA, _CPU] if cuda else [_CPU]
    try:
        return onnxruntime.InferenceSession(weights, options, providers, enable_fallback=False)
    except Exception as error:  # onnxruntime's errors have no common base
        raise _not_loaded(weights, error) from error


def _model(found: _Found, settings: Recogniser, providers: Sequence[str]) -> TimestampedResultsAsrAdapter:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    try:
        return onnx_asr.load_model(
            found.kind, found.folder, quantization=found.quantization, sess_options=options, providers=providers
        ).with_timestamps()
    except Exception as error:  # onnxruntime's errors have no common base
        raise _not_loaded(found.folder, error) from error


def _check_output(session: Any, vocabulary: Sequence[str], found: _Found) -> None:
    """A vocabulary of another size is another model's: every letter would be a wrong one."""
    shape = session.get_outputs()[0].shape  # clips, frames, tokens; a name stands for what is free
    if len(shape) != 3:
        raise BadInput(
            f"{found.files['model']} does not give probabilities of tokens per frame; take a CTC model's export"
        )
    size = shape[-1]
    if isinstance(size, int) and size != len(vocabulary):
        raise BadInput(
            f"{found.files['vocab']} has {len(vocabulary)} tokens and the model tells {size} apart; "
            "take the vocabulary that was made with the model"
        )


def _not_loaded(what: Path, error: Exception) -> Misconfigured:
    return Misconfigured(
        f"the model {what} cannot be loaded ({_first_line(error)}); copy it again, or check device in the settings "
        "and what else fills its memory"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _padded(clip: Samples) -> Samples:
    return np.pad(clip, (0, max(_TAIL, _LEAST - len(clip))))

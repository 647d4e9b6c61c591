"""A CTC model of a few numbers, in ONNX form: each token is a tone, and its output says which tone sounds.

It has the inputs, outputs and files of GigaAM Multilingual (or of a NeMo model), so everything around it is real.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from transcribe.audio import RATE
from transcribe.engine import Samples
from transcribe.letters import KAZAKH

SPACE = "▁"
RUSSIAN = "абвгдежзийклмнопрстуфхцчшщыэюя"
LETTER_MS = 120
_BINS = 64
_FIRST = 20  # the filters below lie closer together than the spectrum resolves
_FRAMES = 4  # of 10 ms in one of the output
_NONE = -1e4


def gigaam(folder: Path, letters: str = "соташықең", *, tokens: Sequence[str] | None = None, name: str = "") -> Path:
    """A folder as of the hub: weights, vocabulary, config.json; the tones of `letters` are heard.

    The vocabulary (`tokens`) knows all Kazakh and Russian letters, as the large models do.
    """
    known = tokens or [SPACE, *RUSSIAN, *sorted(KAZAKH), "<blk>"]
    folder.mkdir(exist_ok=True)
    onnx.save(graph(known, letters), folder / (name or "multilingual_ctc.onnx"))
    vocabulary(folder / "multilingual_vocab.txt", known)
    config = {"model_type": "gigaam", "version": "v3", "features_size": _BINS, "subsampling_factor": _FRAMES}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def nemo(folder: Path, letters: str = "соташықең") -> Path:
    """A folder with a NeMo model."""
    known = [SPACE, *RUSSIAN, *sorted(KAZAKH), "<blk>"]
    folder.mkdir(exist_ok=True)
    made = graph(known, letters, bins=80, names=("audio_signal", "length", "logprobs"), blank=1.0, scale=8.0)
    onnx.save(made, folder / "model.onnx")
    vocabulary(folder / "vocab.txt", known)
    config = {"model_type": "nemo-conformer-ctc", "features_size": 80, "subsampling_factor": _FRAMES}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def vocabulary(file: Path, tokens: Sequence[str]) -> None:
    file.write_text("".join(f"{token} {number}\n" for number, token in enumerate(tokens)), encoding="utf-8")


def graph(
    tokens: Sequence[str],
    letters: str,
    *,
    bins: int = _BINS,
    names: tuple[str, str, str] = ("features", "feature_lengths", "log_probs"),
    shape: Sequence[int | str] = ("batch", "length"),
    blank: float = 0.0,
    scale: float = 4.0,
    longest: int = 3000,
) -> onnx.ModelProto:
    """Mean of four frames of features → one tone a token → log probabilities. Fails beyond `longest` frames."""
    weights = np.zeros((bins, len(tokens)), np.float32)
    bias = np.full(len(tokens), _NONE, np.float32)
    for number, token in enumerate(tokens):
        if token == "<blk>":
            bias[number] = blank * scale
        elif token == SPACE or token in letters:
            weights[_bin(token, letters), number] = scale
            bias[number] = 0
    batch, length = shape
    features, lengths, log_probs = names
    given = [
        helper.make_tensor_value_info(features, TensorProto.FLOAT, [batch, bins, length]),
        helper.make_tensor_value_info(lengths, TensorProto.INT64, [batch]),
    ]
    taken = helper.make_tensor_value_info(log_probs, TensorProto.FLOAT, [batch, "frames", len(tokens)])
    nodes = [
        helper.make_node("Shape", [features], ["frames_in"], start=2, end=3),
        helper.make_node("Slice", ["limit", "zero", "frames_in", "two"], ["nothing"]),
        helper.make_node("Add", [features, "nothing"], ["heard"]),
        helper.make_node("AveragePool", ["heard"], ["pooled"], kernel_shape=[_FRAMES], strides=[_FRAMES], ceil_mode=1),
        helper.make_node("Transpose", ["pooled"], ["by_frame"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["by_frame", "weights"], ["weighed"]),
        helper.make_node("Add", ["weighed", "bias"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], [log_probs], axis=-1),
    ]
    constants = {
        "weights": weights,
        "bias": bias,
        "limit": np.zeros((1, 1, longest), np.float32),
        "zero": np.zeros(1, np.int64),
        "two": np.full(1, 2, np.int64),
    }
    made = helper.make_graph(
        nodes, "tones", given, [taken], [numpy_helper.from_array(value, key) for key, value in constants.items()]
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def spoken(text: str, letters: str = "соташықең", *, level: float = 0.3, bins: int = _BINS) -> Samples:
    """The sound of `text`: each letter a tone of 80 ms, then 40 ms of silence."""
    letter = np.arange(RATE * 80 // 1000) / RATE
    rest = np.zeros(RATE * 40 // 1000)
    parts: list[NDArray[np.float64]] = []
    for one in text:
        hertz = _hertz(_bin(SPACE if one == " " else one, letters), bins)
        parts += [level * np.sin(2 * np.pi * hertz * letter), rest]
    return np.asarray(np.concatenate([*parts, rest]), np.float32)


def _bin(token: str, letters: str) -> int:
    """Every fourth filter: a tone is clearly louder in its own than in any other letter's."""
    return _FIRST + 4 * (SPACE + letters).index(token)


def _hertz(number: int, bins: int) -> float:
    """The middle of a filter, from 0 to 8 kHz on the mel scale: HTK's for GigaAM, Slaney's for NeMo."""
    part = (number + 1) / (bins + 1)
    if bins == _BINS:
        return float(700 * ((1 + 8000 / 700) ** part - 1))
    step = np.log(6.4) / 27
    mel = part * (15 + np.log(8) / step)
    return float(mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * step))

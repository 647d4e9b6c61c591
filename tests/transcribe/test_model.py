"""The bundled model is joined once, whole, whoever else is doing it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archive.domain.errors import BadInput, TyndauError
from config.settings import Recogniser as Section
from transcribe.model import BUNDLED_SHA256, default_cache, locate
from transcribe.whisper import load

pytestmark = pytest.mark.model
JOIN = """
import sys
from pathlib import Path
from transcribe.model import locate
locate("base", Path(sys.argv[1]), None)
"""


def refuse(name: str, cache: Path) -> Path:
    raise BadInput(f"asked for {name}")


def test_it_is_joined_and_checked(tmp_path: Path) -> None:
    found = locate("base", tmp_path, refuse)
    assert found.sha256 == BUNDLED_SHA256
    assert {file.name for file in found.path.iterdir()} == {
        "model.bin",
        "config.json",
        "tokenizer.json",
        "vocabulary.json",
    }
    assert [child.name for child in tmp_path.iterdir()] == [found.path.name]


@pytest.mark.parametrize("damage", ["shorter", "other bytes", "missing file"])
def test_a_damaged_copy_is_made_again(tmp_path: Path, damage: str) -> None:
    folder = locate("base", tmp_path, refuse).path
    model = folder / "model.bin"
    if damage == "shorter":
        model.write_bytes(model.read_bytes()[:1000])
    elif damage == "other bytes":
        with model.open("r+b") as file:
            file.write(b"otherwise")
    else:
        (folder / "tokenizer.json").unlink()
    assert locate("base", tmp_path, refuse).sha256 == BUNDLED_SHA256
    assert (folder / "tokenizer.json").is_file()
    assert [child.name for child in tmp_path.iterdir()] == [folder.name]


def test_processes_that_start_together_do_not_disturb_each_other(tmp_path: Path) -> None:
    command = [sys.executable, "-c", JOIN, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [(process.communicate(timeout=60), process.returncode) for process in running]
    assert all(code == 0 for _, code in ended), ended
    assert len(list(tmp_path.iterdir())) == 1
    assert locate("base", tmp_path, refuse).sha256 == BUNDLED_SHA256


def test_a_folder_is_taken_as_it_is_if_it_is_whole(tmp_path: Path) -> None:
    folder = locate("base", None, refuse).path
    assert locate(str(folder), tmp_path, refuse).sha256 == BUNDLED_SHA256
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"model\.bin, tokenizer\.json"):
        locate(str(tmp_path), None, refuse)
    with pytest.raises(BadInput, match="no model folder"):
        locate("/nowhere/at/all", None, refuse)


def test_a_hub_name_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="asked for someone/whisper-kk"):
        locate("someone/whisper-kk", tmp_path, refuse)


def test_a_folder_with_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    good = locate("base", None, refuse).path
    for name in ("config.json", "tokenizer.json", "vocabulary.json"):
        (tmp_path / name).write_bytes((good / name).read_bytes())
    (tmp_path / "model.bin").write_bytes(b"not a model at all" * 100)
    with pytest.raises(TyndauError, match="cannot be loaded"):
        load(Section(model=str(tmp_path)))


def test_the_cache_follows_the_users_wish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "tyndau" / "models"

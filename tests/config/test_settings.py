"""Settings: the example file is whole and true, wrong options refuse to start."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from config.settings import Settings, load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "tyndau.example.toml"


def test_example_file_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TYNDAU_CONFIG", str(EXAMPLE))
    settings = load_settings()
    assert settings.agent.channels["mics"] == ("judge", "claimant", "respondent", "witness")
    assert settings.storage.endpoint == "127.0.0.1:9000"


def test_example_file_explains_every_option() -> None:
    text = EXAMPLE.read_text()
    missing = [
        f"{section}.{option}"
        for section, field in Settings.model_fields.items()
        if isinstance(field.default, BaseModel)
        for option in type(field.default).model_fields
        if option not in text
    ]
    assert missing == ["recogniser.model_cache", "recogniser.language_bias_model_sha256"]


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TYNDAU_CONFIG", str(EXAMPLE))
    monkeypatch.setenv("TYNDAU_API__PORT", "9000")
    settings = load_settings()
    assert (settings.api.port, settings.api.session_hours) == (9000, 12)


def test_a_model_per_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tyndau.toml"
    file.write_text('[recogniser]\nmodels = {kk = "/models/x", ru = "base"}\n')
    monkeypatch.setenv("TYNDAU_CONFIG", str(file))
    monkeypatch.setenv("TYNDAU_RECOGNISER__MODELS__RU", "/models/y")
    section = load_settings().recogniser
    assert (section.model, section.models.kk, section.models.ru) == ("base", "/models/x", "/models/y")
    assert hash(section) == hash(load_settings().recogniser), "a worker loads a model once"


def test_a_misspelt_option_refuses_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tyndau.toml"
    file.write_text("[api]\nprot = 1\n")
    monkeypatch.setenv("TYNDAU_CONFIG", str(file))
    with pytest.raises(ValidationError, match=r"api\.prot"):
        load_settings()


def test_secrets_do_not_show_when_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TYNDAU_STORAGE__SECRET_KEY", "open-sesame")
    assert "open-sesame" not in repr(load_settings())

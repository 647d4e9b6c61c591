"""Fixtures that every part shares."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared_audio() -> Path:
    """The folder of test speech that lies beside the repository; it is not part of it."""
    folder = SHARED / "audio"
    if not (folder / "manifest.tsv").is_file():
        pytest.skip("test speech is not here: ../shared/audio/manifest.tsv is missing")
    return folder


@pytest.fixture(scope="session")
def continuity_tool() -> Path:
    """The checker of counter pictures that lies beside the repository."""
    tool = SHARED / "tools" / "continuity.py"
    if not tool.is_file():
        pytest.skip("the continuity checker is not here: ../shared/tools/continuity.py is missing")
    return tool

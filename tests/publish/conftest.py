"""A recorded hearing and its access copies, made once for all tests here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archive.publish.copies import Copies, make_copies
from tests.publish import hearing as hearings


@pytest.fixture(scope="session")
def tool(continuity_tool: Path) -> Any:
    """The continuity checker as a module."""
    return hearings.load_tool(continuity_tool)


@pytest.fixture(scope="session")
def hearing(tmp_path_factory: pytest.TempPathFactory, tool: Any) -> hearings.Hearing:
    """Segments with holes, as hearing.py draws them."""
    return hearings.record_hearing(tmp_path_factory.mktemp("evidence"), tool)


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory, hearing: hearings.Hearing) -> Copies:
    """The access copies of the hearing."""
    folder = tmp_path_factory.mktemp("copies")
    return make_copies(hearing.plan, hearing.store, folder, tmp_path_factory.mktemp("scratch") / "segment")

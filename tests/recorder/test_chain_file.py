"""The growing chain: a torn end is cut off, an altered line is not taken for a torn one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.domain.chain import Kind, parse_chain
from archive.domain.errors import Conflict, Damaged
from archive.signing import Signer
from recorder.folder import ChainFile, Folder


def _chain(folder: Folder) -> ChainFile:
    return ChainFile(folder, lambda: datetime(2026, 9, 14, tzinfo=UTC), Signer.generate())


def _filled(path: Path, lines: int) -> Folder:
    folder = Folder(path)
    folder.chain.unlink(missing_ok=True)
    chain = _chain(folder)
    for number in range(lines):
        chain.append(Kind.NOTE, code="n", text=f"№ {number}", by="")
    return folder


@given(cut=st.integers(0, 600))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_chain_torn_at_any_byte_goes_on(tmp_path: Path, cut: int) -> None:
    folder = _filled(tmp_path, 4)
    whole = folder.chain.read_bytes()
    folder.chain.write_bytes(whole[:cut])
    chain = _chain(folder)
    lost = chain.load()
    kept = whole[:cut].count(b"\n")
    assert len(chain.records) == kept
    assert lost == len(whole[:cut]) - len(folder.chain.read_bytes())
    chain.append(Kind.NOTE, code="n", text="after", by="")
    assert len(parse_chain(folder.chain.read_bytes())) == kept + 1


def test_zeros_of_a_power_cut_are_cut_off(tmp_path: Path) -> None:
    folder = _filled(tmp_path, 2)
    with folder.chain.open("ab") as file:
        file.write(b"\0" * 200 + b"\n")
    chain = _chain(folder)
    assert chain.load() == 201
    assert len(chain.records) == 2


def test_an_altered_line_is_not_mended(tmp_path: Path) -> None:
    folder = _filled(tmp_path, 3)
    folder.chain.write_bytes(folder.chain.read_bytes().replace("№ 1".encode(), "№ 7".encode()))
    with pytest.raises(Damaged):
        _chain(folder).load()


def test_two_recorders_never_hold_one_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.hold()
    with pytest.raises(Conflict):
        folder.hold()

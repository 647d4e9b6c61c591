"""The systemd units are understood by systemd, and keep what the record needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).resolve().parents[2] / "config" / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_it(unit: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        assert "CI" not in os.environ, "systemd-analyze is missing; .ci/run installs it"
        pytest.skip("no systemd-analyze here: install systemd")
    program = tmp_path / "tyndau"  # the installed one is not here
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/tyndau/bin/tyndau", str(program)))
    told = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True)
    ours = [line for line in told.stderr.splitlines() if unit.name in line]
    assert not ours, told.stderr


def test_the_agent_always_comes_back_and_waits_for_no_network() -> None:
    unit = next(path for path in UNITS if path.stem == "tyndau-agent").read_text()
    lines = unit.splitlines()
    assert {"Restart=always", "StartLimitIntervalSec=0", "ProtectSystem=strict", "NoNewPrivileges=yes"} <= set(lines)
    assert not any("network" in line for line in lines if line.startswith(("After=", "Wants=", "Requires=")))

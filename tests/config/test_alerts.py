"""The alerts that are shipped: they load, and they ring when they should (promtool, Debian's package prometheus)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "deploy" / "prometheus"
SERIES = Path(__file__).with_name("alerts.yml")


def promtool(*arguments: str, said: str = "") -> str:
    """What it prints; fails where it finds fault. Without it a test skips; with CI=true it fails."""
    program = shutil.which("promtool")
    if program is None and os.environ.get("CI") == "true":
        pytest.fail("promtool is missing; install Debian's package prometheus")
    if program is None:
        pytest.skip("promtool is not here; install Debian's package prometheus")
    done = subprocess.run([program, *arguments], input=said, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_rules_and_configuration_load() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(SHIPPED / "tyndau.rules.yml"))
    promtool("check", "config", str(SHIPPED / "prometheus.yml"))


def test_they_ring_when_they_should(tmp_path: Path) -> None:
    rules = tmp_path / "tyndau.rules.yml"
    rules.write_text((SHIPPED / "tyndau.rules.yml").read_text())
    series = tmp_path / "alerts.yml"
    series.write_text(SERIES.read_text())
    promtool("test", "rules", str(series))

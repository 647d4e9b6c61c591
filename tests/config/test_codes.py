"""Codes and logs: every code speaks Kazakh, Russian and English, and nobody can forge a log line."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path

from config import codes
from config.log import JsonLines, report

ROOT = Path(__file__).resolve().parents[2]


def test_every_code_has_its_form_and_three_texts() -> None:
    for code, entry in codes.CODES.items():
        assert re.fullmatch(r"[A-Z]{3}-\d{3}", code)
        assert entry.level >= logging.WARNING
        assert all(len(text) > 10 for text in (entry.kk, entry.ru, entry.en)), code


def test_every_code_is_reported_somewhere() -> None:
    sources = [p for part in ("archive", "recorder", "transcribe", "api") for p in (ROOT / part).rglob("*.py")]
    used = {code for path in sources for code in re.findall(r'"([A-Z]{3}-\d{3})"', path.read_text())}
    assert set(codes.CODES) <= used, f"never reported: {sorted(set(codes.CODES) - used)}"


def test_a_line_break_in_a_value_stays_in_its_line() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("test-codes")
    logger.propagate = False
    logger.addHandler(handler)
    report(logger, "REC-001", source='cam\n{"level": "info"}')
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["code"] == "REC-001"

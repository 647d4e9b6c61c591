"""Structured logs with stable codes: one JSON object a line on stderr, UTC, no personal data."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from config.codes import CODES


class JsonLines(logging.Formatter):
    """A log record as one line of JSON; line breaks inside values cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "t": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: int = logging.INFO) -> None:
    """Send this process's logs to stderr as JSON lines; calling it twice changes nothing."""
    root = logging.getLogger()
    root.setLevel(level)
    if any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    for noisy in ("httpx", "httpcore", "urllib3", "faster_whisper", "alembic", "procrastinate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def report(logger: logging.Logger, code: str, **fields: Any) -> None:
    """Log a defined code with its English text and `fields`; an undefined code is a programming error."""
    entry = CODES[code]
    logger.log(entry.level, "%s %s", code, entry.en, extra={"fields": {"code": code, **fields}})

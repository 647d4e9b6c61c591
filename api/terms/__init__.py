"""The terms of viewing: what people agree to, once for each version, before they see a record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archive.domain.errors import Misconfigured

LANGUAGES = ("kk", "ru", "en")
MAX_BYTES = 64 * 1024
_OURS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Terms:
    """The text by language; `version` is the SHA-256 of all of it, so that any other text is accepted anew."""

    texts: Mapping[str, str]
    version: str


def load(folder: Path | None) -> Terms:
    """The terms that lie in `folder` as kk.txt, ru.txt and en.txt; ours without a folder.

    Raises:
        Misconfigured: a text is missing, empty, too long or no UTF-8.
    """
    texts = {language: _text((folder or _OURS) / f"{language}.txt") for language in LANGUAGES}
    return Terms(texts, hashlib.sha256("\0".join(texts.values()).encode()).hexdigest())


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{path} cannot be read as the terms of viewing; api.terms_dir needs it: {error}"
        ) from error
    if not text or len(text.encode()) > MAX_BYTES:
        raise Misconfigured(f"{path} is empty or over {MAX_BYTES} bytes; put the terms of viewing there")
    return text

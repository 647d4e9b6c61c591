"""Words that a court says often, for the recogniser to expect: names, places, articles; per language."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.domain.errors import BadInput
from archive.domain.transcript import Language

MOST, LONGEST = 200, 60
LANGUAGES = (Language.KK, Language.RU)


def checked_words(words: Sequence[str]) -> list[str]:
    """The words as they are kept: each once, in the order of the list.

    Raises:
        BadInput: too many, or one that is too long or no text.
    """
    tidy = [unicodedata.normalize("NFC", " ".join(word.split())) for word in words]
    found = list(dict.fromkeys(word for word in tidy if word))
    if len(found) > MOST:
        raise BadInput(f"a glossary has {MOST} words at most; keep those that are heard wrongly most often")
    for word in found:
        if len(word) > LONGEST or any(unicodedata.category(c).startswith("C") for c in word):
            raise BadInput(f"{word[:LONGEST]!r} is no word for a glossary; write words of {LONGEST} letters at most")
    return found


def put(session: Session, court: uuid.UUID, language: Language, words: Sequence[str], by: str, now: datetime) -> None:
    """Put `words` in the place of what the court had in this language.

    Raises:
        BadInput: as checked_words.
    """
    row = {"words": checked_words(words), "by_username": by, "changed_utc": now}
    session.execute(
        insert(t.Glossary)
        .values(court_id=court, language=language.value, **row)
        .on_conflict_do_update(index_elements=["court_id", "language"], set_=row)
    )


def of_court(session: Session, court: uuid.UUID) -> dict[Language, tuple[str, ...]]:
    """A court's words in each language."""
    found: Mapping[str, list[str]] = dict(
        session.execute(select(t.Glossary.language, t.Glossary.words).where(t.Glossary.court_id == court)).all()
    )
    return {language: tuple(found.get(language.value, ())) for language in LANGUAGES}


def of_recording(session: Session, recording: str) -> dict[Language, tuple[str, ...]]:
    """Those of the court in whose room it was recorded."""
    court = session.scalar(
        select(t.Courtroom.court_id)
        .join(t.Recording, t.Recording.courtroom_id == t.Courtroom.id)
        .where(t.Recording.id == recording)
    )
    return of_court(session, court) if court else dict.fromkeys(LANGUAGES, ())

"""What notices say outside of the pages: templates in three languages, plain text.

No names, no titles of cases: who reads somebody's mail or telephone learns that there is news of a case number. Of a
hearing that is not open not even that: that there is news, and where to sign in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from archive.db.hearings import Names
from archive.db.notice_subjects import About
from archive.db.outbox import Due
from config.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = ("kk", "ru", "en")
_NEUTRAL = "news"  # of whom no particulars may be said


@dataclass(frozen=True, slots=True)
class Particulars:
    """Of an open hearing that the person may know of."""

    case_number: str
    court: Names
    courtroom: Names
    scheduled_utc: datetime
    about: About


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in words: as an e-mail, and in one short text."""

    subject: str
    body: str
    short: str


class Writer:
    """Puts notices into words. Links hold a notice's id, which opens nothing to anybody but its person."""

    def __init__(self, settings: Settings) -> None:
        self._zone = ZoneInfo(settings.keeping.time_zone)
        self._pages = settings.api.public_url.rstrip("/")
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters["moment"] = self._moment

    def message(self, due: Due, language: str, shown: Particulars | None) -> Message:
        """The words for one person in one language; `shown` None: that there is news, no more."""
        facts: dict[str, object] = {"link": f"{self._pages}/notices/{due.notice}" if self._pages else ""}
        if shown:
            facts |= {
                "case": shown.case_number,
                "court": getattr(shown.court, language),
                "courtroom": getattr(shown.courtroom, language),
                "scheduled": shown.scheduled_utc,
                "wants": shown.about.wants,
                "until": shown.about.until_utc,
            }
        name = due.topic.value if shown else _NEUTRAL
        said = vars(self._environment.get_template(f"{language}/{name}.txt").make_module(facts))
        subject, news = str(said["subject"]), str(said["news"])
        letter = self._environment.get_template(f"{language}/letter.txt").render(facts, news=news)
        return Message(subject, letter, f"{news} {facts['link']}".rstrip())

    def _moment(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%d.%m.%Y %H:%M}"

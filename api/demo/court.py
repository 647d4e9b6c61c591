"""The sample court: rooms, people, cases. Names are invented; passwords are made anew for each data folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

COURT = "saryarka"
COURTROOM = "saryarka-3"
AGENT = "saryarka-3-pc"
CHANNELS = ("judge", "claimant", "respondent", "witness")


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the demo."""

    username: str
    password: str
    role: str
    display_name: str


_PEOPLE = (
    ("secretary", "secretary", "Нұрлан Сәбитов"),
    ("judge", "judge", "Айгүл Қасымова"),
    ("akhmetov", "party", "Ахметов Б. С."),
    ("petrova", "party", "Петрова Е. В."),
    ("operator", "operator", "Ерлан Оспанов"),
)


def people(folder: Path) -> tuple[Person, ...]:
    """The accounts of this data folder; made at the first start and kept there, readable by the owner alone."""
    file = folder / "demo-accounts.json"
    if file.exists():
        return tuple(Person(**row) for row in json.loads(file.read_text()))
    made = tuple(Person(name, secrets.token_urlsafe(9), role, shown) for name, role, shown in _PEOPLE)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        json.dump([asdict(person) for person in made], out, ensure_ascii=False)
    return made


def todays_hearings(now: datetime) -> dict[str, Any]:
    """What a case-management system would push: a court, its rooms, and hearings at `now`, one of them closed."""
    stamp = f"{now:%Y%m%d%H%M%S}"
    return {
        "courts": [
            {
                "code": COURT,
                "name_kk": "Сарыарқа аудандық соты",
                "name_ru": "Сарыаркинский районный суд",
                "name_en": "Saryarka District Court",
            }
        ],
        "courtrooms": [_room("saryarka-3", 3), _room("saryarka-4", 4)],
        "hearings": [
            _hearing(f"demo-{stamp}-1", now, ("7135-26-00-2/4501", "Ахметов Б. С. — «Дала Трейд» ЖШС"), "open", True),
            _hearing(f"demo-{stamp}-2", now, ("7135-26-00-2/4502", "Отбасы дауы / Семейный спор"), "closed", False),
        ],
    }


def _room(code: str, number: int) -> dict[str, str]:
    return {
        "court": COURT,
        "code": code,
        "name_kk": f"{number}-зал",
        "name_ru": f"Зал {number}",
        "name_en": f"Room {number}",
    }


def _hearing(
    external_id: str, when: datetime, case: tuple[str, str], access_class: str, recorded: bool
) -> dict[str, Any]:
    staff = [
        {"name": "Айгүл Қасымова", "role": "judge", "username": "judge", "channel": "judge"},
        {"name": "Нұрлан Сәбитов", "role": "secretary", "username": "secretary"},
    ]
    parties = [
        {"name": "Ахметов Б. С.", "role": "claimant", "username": "akhmetov", "channel": "claimant"},
        {"name": "Петрова Е. В.", "role": "respondent", "username": "petrova", "channel": "respondent"},
        {"name": "Ким А. Д.", "role": "witness", "channel": "witness"},
    ]
    return {
        "external_id": external_id,
        "case": {"court": COURT, "number": case[0], "kind": "civil", "title": case[1]},
        "courtroom": COURTROOM if recorded else "saryarka-4",
        "scheduled_utc": when.isoformat(),
        "class": access_class,
        "participants": staff + (parties if recorded else []),
    }

"""The events of a hearing: what an operator marks while it is recorded, with one key each.

An event is a `note` line of the chain with one of these codes. Pauses and their ends are lines of their own
(`pause`, `resume`); the codes that they stand for carry who writes them in `implied` and are never noted as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NOTE = "note"  # free text, without a code of its own
UNDO = "undo"  # takes back the note whose line number stands in `of`
LATE_START = "late_start"  # written by the agent; the text says by how many minutes
OPEN_MODE, CLOSED_MODE = "open_mode", "closed_mode"
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class EventCode:
    """An event with its words; `key` is the key that the console suggests, `implied` the line that says it already."""

    code: str
    kk: str
    ru: str
    en: str
    key: str = ""
    implied: str = ""  # pause, resume or start


EVENTS: tuple[EventCode, ...] = (
    EventCode("opened", "сот отырысы ашылды", "заседание открыто", "hearing opened", "F1"),
    EventCode(OPEN_MODE, "ашық сот отырысы", "открытое заседание", "open hearing", "Shift+F1"),
    EventCode(CLOSED_MODE, "жабық сот отырысы", "закрытое заседание", "closed hearing", "Shift+F2"),
    EventCode(
        "recording_announced",
        "аудио-, бейнежазу жүргізілетіні жарияланды",
        "объявлено о применении АВФ",
        "recording announced",
        "F2",
    ),
    EventCode("attendance", "келгендерді тексеру", "проверка явки", "attendance checked", "F3"),
    EventCode(
        "rights_explained",
        "құқықтары мен міндеттерін түсіндіру",
        "разъяснение прав и обязанностей",
        "rights and duties explained",
        "F4",
    ),
    EventCode("recusal", "қарсылық білдіру", "отвод", "challenge", "Shift+F4"),
    EventCode("motion", "өтінішхат", "ходатайство", "motion", "F6"),
    EventCode("ruling", "ұйғарым", "определение", "ruling", "F7"),
    EventCode(
        "evidence",
        "дәлелдемелерді зерттеу (сот тергеуі)",
        "исследование доказательств (судебное следствие)",
        "examination of evidence",
        "F8",
    ),
    EventCode("testimony", "жауап алу", "допрос", "testimony", "F9"),
    EventCode("debates", "сот жарыссөзі", "прения", "debates", "F10"),
    EventCode("reply", "реплика", "реплика", "reply", "Shift+F10"),
    EventCode("last_word", "соңғы сөз", "последнее слово", "last word", "Shift+F9"),
    EventCode("recess", "үзіліс", "перерыв", "recess", implied="pause"),
    EventCode("resumed", "жалғастырылды", "продолжено", "resumed", implied="resume"),
    EventCode(
        "deliberation_out",
        "кеңесу бөлмесіне кетті",
        "удаление в совещательную комнату",
        "court retires to deliberate",
        implied="pause",
    ),
    EventCode(
        "deliberation_in",
        "кеңесу бөлмесінен оралды",
        "возвращение из совещательной комнаты",
        "court returns from deliberation",
        implied="resume",
    ),
    EventCode("announced", "сот актісін жариялау", "оглашение судебного акта", "judgment announced", "Shift+F6"),
    EventCode("postponed", "кейінге қалдыру", "отложение", "postponed", "Shift+F7"),
    EventCode("closed", "сот отырысы жабылды", "заседание закрыто", "hearing closed", "Shift+F8"),
    EventCode("tech_failure", "техникалық ақау", "техническая неисправность", "technical failure", "Shift+F3"),
    EventCode("interpretation_on", "аударма басталды", "перевод начат", "interpretation begins", "Alt+F1"),
    EventCode("interpretation_off", "аударма аяқталды", "перевод окончен", "interpretation ends", "Alt+F2"),
    EventCode(LATE_START, "жазба кеш басталды", "запись начата с опозданием", "recording began late", implied="start"),
    EventCode(NOTE, "жазба", "заметка", "note"),
)
BY_CODE: Mapping[str, EventCode] = {event.code: event for event in EVENTS}

# What a pause and the return from it mean, by the pause's reason.
PAUSE_REASONS = ("recess", "deliberation", "other")
PAUSED_AS: Mapping[str, str] = {"deliberation": "deliberation_out"}
RESUMED_AS: Mapping[str, str] = {"deliberation": "deliberation_in"}


def undone(notes: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """The line numbers that the undo notes among `notes` (their fields) take back."""
    return frozenset(f["of"] for f in notes if f.get("code") == UNDO and type(f.get("of")) is int)

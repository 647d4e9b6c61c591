"""Words of the courtroom in Kazakh, Russian and English."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One word in three languages."""

    kk: str
    ru: str
    en: str


# Roles of participants; microphones are named after the role that sits there.
ROLES: dict[str, Term] = {
    "judge": Term("төрағалық етуші", "председательствующий", "presiding judge"),
    "secretary": Term("хатшы", "секретарь", "secretary"),
    "prosecutor": Term("прокурор", "прокурор", "prosecutor"),
    "claimant": Term("талапкер", "истец", "claimant"),
    "respondent": Term("жауапкер", "ответчик", "respondent"),
    "third_party": Term("үшінші тұлға", "третье лицо", "third party"),
    "representative": Term("өкіл", "представитель", "representative"),
    "defender": Term("қорғаушы", "защитник", "defender"),
    "defendant": Term("сотталушы", "подсудимый", "defendant"),
    "accused": Term("айыпталушы", "обвиняемый", "accused"),
    "victim": Term("жәбірленуші", "потерпевший", "victim"),
    "witness": Term("куә", "свидетель", "witness"),
    "expert": Term("сарапшы", "эксперт", "expert"),
    "specialist": Term("маман", "специалист", "specialist"),
    "interpreter": Term("аудармашы", "переводчик", "interpreter"),
    "juror": Term("алқаби", "присяжный заседатель", "juror"),
    "bailiff": Term("сот приставы", "судебный пристав", "bailiff"),
    "hall": Term("зал", "зал", "hall"),
    "defence": Term("қорғау тарабы", "сторона защиты", "defence"),
    "unknown": Term("сөйлеуші белгісіз", "говорящий не определён", "unknown speaker"),
    "prosecution": Term("айыптау тарабы", "сторона обвинения", "prosecution"),
}


def role_term(code: str) -> Term:
    """The words for a role; a code without any stands for itself."""
    return ROLES.get(code) or Term(code, code, code)

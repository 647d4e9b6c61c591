"""Words of the court that a recogniser should expect, in both languages (60 with the names at most)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archive.domain.transcript import Language

MOST = 60

COURT: Mapping[Language, tuple[str, ...]] = {
    Language.KK: (
        "сот отырысы",
        "төрағалық етуші",
        "талап қоюшы",
        "жауапкер",
        "өкіл",
        "прокурор",
        "қорғаушы",
        "сотталушы",
        "жәбірленуші",
        "куә",
        "сарапшы",
        "өтінішхат",
        "ұйғарым",
        "үкім",
        "хаттама",
    ),
    Language.RU: (
        "судебное заседание",
        "председательствующий",
        "истец",
        "ответчик",
        "представитель",
        "прокурор",
        "адвокат",
        "подсудимый",
        "потерпевший",
        "свидетель",
        "эксперт",
        "ходатайство",
        "определение",
        "приговор",
        "исковое заявление",
    ),
}


def hints(names: Sequence[str], own: Mapping[Language, Sequence[str]] | None = None) -> dict[Language, tuple[str, ...]]:
    """What to expect in each language: names of a case first, then the court's own words, then those of all."""
    own = own or {}
    return {
        language: tuple(dict.fromkeys((*names, *own.get(language, ()), *words)))[:MOST]
        for language, words in COURT.items()
    }

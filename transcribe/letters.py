"""Kazakh or Russian by the letters of a text, for engines that write what they hear without knowing its language."""

from __future__ import annotations

import math
from collections.abc import Mapping

from transcribe.engine import LanguageOdds

KAZAKH = frozenset("әғқңөұүһі")  # letters that Russian has not
# How much likelier a letter is in Kazakh than in Russian (natural logarithm), counted over 76 000 Kazakh and 1.7
# million Russian letters of program messages and capped at 4: a recogniser's one wrong letter does not decide.
_WEIGHTS: Mapping[str, float] = {
    letter: weight
    for letters, weight in (
        ("щюч", -4.0),
        ("ё", -3.1),
        ("в", -2.7),
        ("ь", -2.1),
        ("хъ", -1.3),
        ("оия", -1.2),
        ("ц", -0.8),
        ("п", -0.6),
        ("з", -0.4),
        ("ейн", -0.2),
        ("ф", -0.1),
        ("дкгмрстэ", 0.0),
        ("л", 0.2),
        ("а", 0.3),
        ("у", 0.4),
        ("бж", 0.5),
        ("ш", 1.1),
        ("ы", 1.2),
        ("".join(sorted(KAZAKH)), 4.0),
    )
    for letter in letters
}
# Letters follow from one another, so their sum says too much; half of it fits texts with a tenth of wrong letters best.
_TRUST = 0.5
UNTOLD = LanguageOdds(math.log(0.5), math.log(0.5))
_NEITHER = LanguageOdds(math.log(1e-9), math.log(1e-9), "und", 1.0)


def odds(text: str) -> LanguageOdds:
    """Which of the two languages a text is in.

    `UNTOLD` without letters, a third language ("und") when most of them are neither Kazakh nor Russian.
    """
    letters = [letter for letter in text.lower() if letter.isalpha()]
    known = [_WEIGHTS[letter] for letter in letters if letter in _WEIGHTS]
    if not letters:
        return UNTOLD
    if len(known) < len(letters) / 2:
        return _NEITHER
    for_kazakh = _TRUST * sum(known)
    kk, ru = -_log1p_exp(-for_kazakh), -_log1p_exp(for_kazakh)
    strongest, log_p = ("kk", kk) if kk > ru else ("ru", ru)
    return LanguageOdds(kk, ru, strongest, math.exp(log_p))


def _log1p_exp(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

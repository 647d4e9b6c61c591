"""The number of a person in Kazakhstan (жеке сәйкестендіру нөмірі, ИИН): twelve digits, the last checks the others."""

from __future__ import annotations

import re

from archive.domain.errors import BadInput

_IIN = re.compile(r"[0-9]{12}")
_FIRST = range(1, 12)
_SECOND = (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)  # where the first weights leave no digit


def check_iin(text: str) -> str:
    """The number, if it can be one.

    Raises:
        BadInput: it is not twelve digits, or the last one does not fit.
    """
    if not _IIN.fullmatch(text) or _check_digit(text[:11]) != int(text[11]):
        raise BadInput("this cannot be an IIN; check its twelve digits")
    return text


def _check_digit(first: str) -> int | None:
    for weights in (_FIRST, _SECOND):
        rest = sum(int(digit) * weight for digit, weight in zip(first, weights, strict=True)) % 11
        if rest < 10:
            return rest
    return None

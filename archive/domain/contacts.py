"""Addresses at which people can be reached: what can be one, and how it is kept."""

from __future__ import annotations

import re

from archive.domain.errors import BadEmail, BadPhone

MOST_EMAIL_CHARS = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets

# What a browser's <input type=email> takes (HTML, "valid e-mail address"), less what RFC 5321 lets nobody send to:
# dots at an end or side by side, a domain of one label.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
_PHONE = re.compile(r"\+[1-9][0-9]{7,14}")  # E.164
_TYPED_BETWEEN = re.compile(r"[\s()\u2010-\u2015-]+")
_AT_HOME = re.compile(r"8(7[0-9]{9})")  # as numbers of Kazakhstan are dialled there


def email_address(typed: str) -> str:
    """The address as it is kept.

    Raises:
        BadEmail: it cannot be one.
    """
    address = typed.strip()
    if len(address) > MOST_EMAIL_CHARS or not _EMAIL.fullmatch(address):
        raise BadEmail("this cannot be an e-mail address; write it as name@example.kz")
    return address


def phone_number(typed: str) -> str:
    """The number in E.164; spaces, hyphens and brackets are left out, 8 7.. is +7 7..

    Raises:
        BadPhone: it cannot be one.
    """
    plain = _TYPED_BETWEEN.sub("", typed)
    number = _AT_HOME.sub(r"+7\1", plain) if _AT_HOME.fullmatch(plain) else plain
    if not _PHONE.fullmatch(number):
        raise BadPhone("this cannot be a telephone number; write it as +7 701 234 56 78")
    return number

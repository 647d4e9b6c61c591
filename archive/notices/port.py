"""What carries notices out of the house.

Whoever implements one raises CarrierAway where nothing can go out now, NoticeDelayed and NoticeRefused where it is only
this one that cannot, now or ever. A return means that the other side has taken it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail to one person. `id`: by it a mailbox may know a letter that comes twice."""

    id: uuid.UUID
    to: str
    name: str  # whose address it is; any text
    subject: str
    body: str
    language: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text message to a number in E.164. `id`: by it a gateway sends one that comes twice only once."""

    id: uuid.UUID
    to: str
    body: str


class Mail(Protocol):
    """A mail server."""

    def send(self, letter: Letter) -> None:
        """Hand a letter over.

        Raises:
            CarrierAway, NoticeDelayed, NoticeRefused: it was not taken.
        """
        ...


class Sms(Protocol):
    """A gateway to the telephone network."""

    def send(self, text: Text) -> None:
        """Hand a text message over.

        Raises:
            CarrierAway, NoticeDelayed, NoticeRefused: it was not taken.
        """
        ...

"""What people are told of, by which way, and what becomes of each try."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from archive.domain.access import Action


class Topic(StrEnum):
    """What a notice tells of."""

    GRANTED = "granted"  # access or a copy that was asked for
    REFUSED = "refused"
    ENDING = "ending"  # a grant ends soon
    REVOKED = "revoked"  # a grant was taken back
    EMERGENCY = "emergency"  # somebody sees a record of one's case in an emergency
    EXPORT = "export"  # a copy is ready to be taken
    SUMMONS = "summons"  # to a hearing
    MOVED = "moved"  # its time or room have changed
    CANCELLED = "cancelled"  # it is not held


class Way(StrEnum):
    """How a notice goes out; in the pages each stands anyway."""

    MAIL = "mail"
    SMS = "sms"


class State(StrEnum):
    """Where a delivery stands. From WAITING it comes to one of the others, and stays there."""

    WAITING = "waiting"
    SENT = "sent"  # the mail server or the gateway has taken it
    FAILED = "failed"  # it was refused for good
    GIVEN_UP = "given_up"  # it could not be sent for too long
    WITHHELD = "withheld"  # its person may not, or need not, have it any more


class Reason(StrEnum):
    """Why a delivery waits or was not made."""

    REFUSED = "refused"  # the server or gateway will not take it, however often
    DELAYED = "delayed"  # it said: later
    AWAY = "away"  # it does not answer, or lets us not in
    NO_SERVER = "no_server"  # none is set
    NO_ADDRESS = "no_address"  # the address or the wish was taken back
    NO_ACCESS = "no_access"  # the person may not know of it any more
    OUTDATED = "outdated"  # what it tells of is over


# What somebody must still be allowed when a notice goes out, and to find it in the list. Who loses a grant learns of
# that in any case.
NEEDED: Mapping[Topic, Action | None] = {
    Topic.GRANTED: Action.LIST,
    Topic.REFUSED: Action.LIST,
    Topic.ENDING: Action.LIST,
    Topic.REVOKED: None,
    Topic.EMERGENCY: Action.REQUESTS,
    Topic.EXPORT: Action.BUNDLE,
    Topic.SUMMONS: Action.LIST,
    Topic.MOVED: Action.LIST,
    Topic.CANCELLED: Action.LIST,
}

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_NAMES = uuid.UUID("9a1d6f0c-3c1e-5f0b-8d53-6b6e6f746963")  # any fixed one


def pause(tries: int) -> timedelta:
    """How long to wait after so many tries: 1, 2, 4 … minutes, at most an hour."""
    doublings: int = 2 ** min(tries - 1, 10)
    return min(_FIRST_PAUSE * doublings, _LONGEST_PAUSE)


def notice_id(person: uuid.UUID, topic: Topic, subject: uuid.UUID, number: int) -> uuid.UUID:
    """The name of a notice. The same again has the same name, so whoever is killed and begins anew tells it once."""
    return uuid.uuid5(_NAMES, f"{person}/{topic}/{subject}/{number}")


def delivery_id(notice: uuid.UUID, way: Way) -> uuid.UUID:
    """The name of its delivery, by which a gateway or a mailbox knows one that comes twice."""
    return uuid.uuid5(notice, way.value)

"""What another system is told of a court (webhooks): that something happened to something, by ids and states alone."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from archive.domain.errors import BadInput

MOST_CHARS = 2000
GIVEN_UP_AFTER = timedelta(days=1)
# How long a system is left alone after so many failures one after another.
PAUSES_S = (5, 60, 300, 1800, 2 * 3600, 4 * 3600)
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class EventKind(StrEnum):
    """What happened; the `type` of what is sent."""

    RECORDING_STARTED = "recording.started"
    RECORDING_CLOSED = "recording.closed"  # its chain is whole here
    RECORDING_RECEIPTED = "recording.receipted"  # all stored bytes are those of the chain
    RECORDING_PUBLISHED = "recording.published"  # it can be played
    TEXT_FINAL = "text.final"  # by the machine
    TEXT_CERTIFIED = "text.certified"
    TEXT_SIGNED = "text.signed"
    ALARM_RAISED = "alarm.raised"
    ALARM_CLEARED = "alarm.cleared"
    REQUEST_DECIDED = "request.decided"


TEST = "webhook.test"  # sent by an administrator alone, once


class Outcome(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # another status than 2xx; a redirect is one
    GONE = "gone"  # 410: it wants to be told no more
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"  # its name leads into a network that webhooks may not go to
    NO_KEY = "no_key"  # this machine cannot open the secret, or read the authorities' file


class Why(StrEnum):
    """Why nothing more is tried."""

    TOO_LONG = "too_long"  # a day has passed
    GONE = "gone"
    DISABLED = "disabled"  # by an administrator
    REVOKED = "revoked"  # the system's token is not good any more
    TEST = "test"  # is tried once


def pause(failures: int) -> timedelta:
    """How long a system is left alone after its n-th failure in a row."""
    return timedelta(seconds=PAUSES_S[min(failures, len(PAUSES_S)) - 1])


def check_url(url: str) -> str:
    """The address, if webhooks may have such a one.

    Raises:
        BadInput: it is not https, has a password in it, or is none.
    """
    try:
        parts = urlsplit(url)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError as error:
        raise BadInput(f"{url[:100]!r} is no address; write https://host/path") from error
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= MOST_CHARS
    if not plain or not parts.hostname or not port_is_one or parts.fragment:
        raise BadInput(f"{url[:100]!r} is no plain address; write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise BadInput("the address has a name or a password in it; the signature proves who sends")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise BadInput(f"{url[:100]!r} is not https; only on loopback could nobody between read and change it")
    return url

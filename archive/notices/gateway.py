"""Text messages by a gateway that is asked over HTTP.

The request, which a court's gateway (or a small program before it) has to understand:

    POST <notices.sms.url>
    Authorization: Bearer <the content of token_file>
    Idempotency-Key: <uuid; the same again is the same message>
    Content-Type: application/json

    {"to": "+77012345678", "text": "…", "from": "SOT"}

`from` is left out where none is set. 2xx: taken. 400, 404, 410, 413, 422: this one never. 408, 409, 425, 429: this
one later. Anything else, 401 and 403 among it: the gateway is away. No redirect is followed, nothing of a body is read.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from archive.domain.errors import CarrierAway, Misconfigured, NoticeDelayed, NoticeRefused
from archive.notices.port import Text
from config.settings import SmsGateway

_NEVER = frozenset({400, 404, 410, 413, 422})
_LATER = frozenset({408, 409, 425, 429})


class HttpGateway:
    """One connection a message."""

    def __init__(self, settings: SmsGateway) -> None:
        self._settings = settings

    def send(self, text: Text) -> None:
        """Hand a text message over.

        Raises:
            CarrierAway: the gateway does not answer, not in time, or lets us not in.
            NoticeDelayed, NoticeRefused: it does not take this message.
            Misconfigured: the token or the certificates cannot be read.
        """
        at = self._settings
        sender = {"from": at.sender} if at.sender else {}
        headers = {"Authorization": f"Bearer {_token(at.token_file)}", "Idempotency-Key": str(text.id)}
        body = {"to": text.to, "text": text.body, **sender}
        try:
            with (
                httpx.Client(verify=_trust(at), timeout=at.timeout_s, trust_env=False) as client,
                client.stream("POST", at.url, json=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except httpx.HTTPError as error:
            raise CarrierAway(f"the SMS gateway does not answer ({type(error).__name__}); check notices.sms") from error
        _judge(status)


def _judge(status: int) -> None:
    if 200 <= status < 300:
        return
    if status in _NEVER:
        raise NoticeRefused(f"the SMS gateway refuses the message ({status}); check the number", str(status))
    if status in _LATER:
        raise NoticeDelayed(f"the SMS gateway takes the message later ({status}); it will be tried again", str(status))
    raise CarrierAway(f"the SMS gateway says {status}; check notices.sms and the gateway")


def _token(file: Path | None) -> str:
    """Read for each message, so it may be renewed."""
    if file is None:
        raise Misconfigured("notices.sms.token_file is not set; without a token no gateway should send anything")
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{file} cannot be read ({error}); put the gateway's token there") from error


def _trust(settings: SmsGateway) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        raise Misconfigured(f"notices.sms.ca_file cannot be read ({error}); check it") from error

"""Mail by SMTP (RFC 5321), with STARTTLS or TLS from the first byte, and sign-in."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from archive.domain.errors import CarrierAway, Misconfigured, NoticeDelayed, NoticeRefused
from archive.notices.port import Letter
from config.clock import Clock
from config.settings import MailServer

_MOST_NAME_CHARS = 100
_CLOSING = 421
_POLICY = "5.7."  # RFC 3463: what we may not do there, such as sending at all; an administrator mends it
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")  # RFC 3463


class Smtp:
    """One connection a letter: the server may have gone away since the last one."""

    def __init__(self, settings: MailServer, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def send(self, letter: Letter) -> None:
        """Hand a letter over.

        Raises:
            CarrierAway: the server does not answer, not in time, not with the wanted security, or lets us not in.
            NoticeDelayed, NoticeRefused: it does not take this letter (4yz and 5yz, RFC 5321, 4.2.1).
            Misconfigured: the password or the certificates cannot be read.
        """
        try:
            message = _message(letter, self._settings, self._clock.utc())
        except ValueError as error:  # an address of which the library thinks otherwise than we
            raise NoticeRefused("this cannot be an e-mail address; give another") from error
        try:
            line = self._connected()
        except (OSError, smtplib.SMTPException, UnicodeError) as error:  # UnicodeError: of a password
            raise CarrierAway(
                f"the mail server lets nobody in ({_numbers_or_kind(error)}); check notices.mail"
            ) from error
        try:
            self._hand_over(line, letter.to, message)
        finally:
            with suppress(OSError, smtplib.SMTPException):  # what was taken is taken, however the server says goodbye
                line.quit()
            line.close()

    def _connected(self) -> smtplib.SMTP:
        """A line to the server on which letters may be handed over. Raises OSError and SMTPException."""
        at = self._settings
        own = at.sender.rpartition("@")[2]  # asking the resolver for a name could take a minute
        if at.security == "tls":
            return self._signed_in(smtplib.SMTP_SSL(at.host, at.port, own, timeout=at.timeout_s, context=_trust(at)))
        line = smtplib.SMTP(at.host, at.port, own, timeout=at.timeout_s)
        try:
            if at.security == "starttls":
                line.starttls(context=_trust(at))
            return self._signed_in(line)
        except BaseException:
            line.close()
            raise

    def _signed_in(self, line: smtplib.SMTP) -> smtplib.SMTP:
        if self._settings.user:
            line.login(self._settings.user, _secret(self._settings.password_file))
        return line

    def _hand_over(self, line: smtplib.SMTP, to: str, message: EmailMessage) -> None:
        try:
            line.send_message(message, self._settings.sender, [to])
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(*error.recipients[to]) from error
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise CarrierAway(f"the mail server broke off ({_numbers_or_kind(error)}); check notices.mail") from error


def _message(letter: Letter, settings: MailServer, now: datetime) -> EmailMessage:
    """A name cannot become a header: what is no plain text of one line is left out of it."""
    message = EmailMessage()
    message["From"] = Address(display_name=settings.sender_name, addr_spec=settings.sender)
    message["To"] = Address(display_name=_one_line(letter.name)[:_MOST_NAME_CHARS], addr_spec=letter.to)
    message["Subject"] = _one_line(letter.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{letter.id}@{settings.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    message.set_content(letter.body, charset="utf-8", cte="base64")
    message["Content-Language"] = letter.language
    return message


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _refusal(code: int, said: bytes | str) -> CarrierAway | NoticeDelayed | NoticeRefused:
    """The server's numbers alone are kept: its words name the address."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    found = _ENHANCED.match(text)
    answer = f"{code} {found[1]}" if found else str(code)
    if code == _CLOSING:
        return CarrierAway("the mail server is closing (421); check it")
    if 500 <= code < 600 and not (found and found[1].startswith(_POLICY)):
        return NoticeRefused(f"the mail server refuses the letter ({answer}); check the address", answer)
    return NoticeDelayed(f"the mail server takes the letter later ({answer}); it will be tried again", answer)


def _numbers_or_kind(error: Exception) -> str:
    code = getattr(error, "smtp_code", None)
    return str(code) if isinstance(code, int) else type(error).__name__


def _trust(settings: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        raise Misconfigured(f"notices.mail.ca_file cannot be read ({error}); check it") from error


def _secret(file: Path | None) -> str:
    """Read at each connection, so it may be renewed."""
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{file} cannot be read ({error}); put the secret there") from error

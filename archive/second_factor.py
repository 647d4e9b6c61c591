"""The second factor: codes of an authenticator (TOTP, RFC 6238) and recovery codes.

Secrets are encrypted with a key that lies beside the other keys, so that a copy of the database makes no codes.
A code is good for its half minute and one to each side, and once. A recovery code is 80 random bits, good once,
kept as its SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from archive.domain.errors import Misconfigured
from config.files import write_once

KEY_FILE = "second-factor.key"  # in data_dir; the same on every machine that serves the API
STEP_S = 30
DIGITS = 6
RECOVERY_CODES = 10
_SECRET_BYTES = 20
_RECOVERY_BYTES = 10
_AROUND = (0, -1, 1)  # steps: clocks differ, people are slow
_TOTP_CODE = re.compile(rf"\d{{{DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A new secret as a person sees it, once: to scan (`uri`) or to type."""

    secret: str
    uri: str


class Vault:
    """Encrypts secrets with a key of this installation, and names what anybody could guess."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)
        self._naming = HKDF(SHA256(), 32, None, b"tyndau names").derive(base64.urlsafe_b64decode(key))

    @classmethod
    def load_or_create(cls, path: Path) -> Vault:
        """The vault of the key in `path`; it is made there (mode 600, durable) when there is none.

        Raises:
            Misconfigured: the file is no such key, or cannot be read or written.
        """
        try:
            if not path.exists():
                write_once(path, Fernet.generate_key())
            return cls(path.read_bytes().strip())
        except (OSError, ValueError) as error:
            raise Misconfigured(f"the key {path} cannot be used ({error}); restore it from its copy") from error

    def close(self, secret: bytes) -> str:
        """The secret as it is stored."""
        return self._fernet.encrypt(secret).decode()

    def open(self, stored: str) -> bytes:
        """The secret again.

        Raises:
            Misconfigured: it was stored with another key.
        """
        try:
            return self._fernet.decrypt(stored.encode())
        except InvalidToken as error:
            raise Misconfigured(
                f"second factors were stored with another key than this machine's {KEY_FILE}; restore that file"
            ) from error

    def name_of(self, guessable: str) -> str:
        """What stands in the database for something with few possible values: HMAC-SHA-256 by a key from this one."""
        return hmac.new(self._naming, guessable.encode(), hashlib.sha256).hexdigest()


def new_secret() -> bytes:
    """160 random bits, as RFC 4226 advises."""
    return os.urandom(_SECRET_BYTES)


def shown(secret: bytes, username: str, issuer: str) -> Shown:
    """The secret for a person's authenticator."""
    text = base64.b32encode(secret).decode()
    label = f"{quote(issuer, safe='')}:{quote(username, safe='')}"
    uri = f"otpauth://totp/{label}?secret={text}&issuer={quote(issuer, safe='')}&algorithm=SHA1&digits=6&period=30"
    return Shown(" ".join(text[at : at + 4] for at in range(0, len(text), 4)), uri)


def matching_step(secret: bytes, code: str, now_s: float, last_step: int) -> int | None:
    """The half minute that a code belongs to, if it is good now and later than `last_step`."""
    plain = re.sub(r"\s", "", code)
    if not _TOTP_CODE.fullmatch(plain) or not plain.isascii():
        return None
    totp = TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303 -- what authenticators speak; as an HMAC it is sound
    for around in _AROUND:
        step = int(now_s) // STEP_S + around
        if step > last_step and constant_time.bytes_eq(totp.generate(step * STEP_S), plain.encode()):
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Codes to print, in groups of four letters and digits."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)]


def recovery_sha256(code: str) -> str:
    """How a recovery code is kept; case, spaces and hyphens do not matter."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).upper().encode()).hexdigest()


def _grouped(code: str) -> str:
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def qr_rows(uri: str) -> Sequence[str]:
    """A QR code as rows of `0` and `1`, without its quiet border."""
    import segno  # only whoever sets up a second factor needs it

    return ["".join("1" if dark else "0" for dark in row) for row in segno.make(uri, error="m").matrix]

"""Secrets of webhooks and signatures by them (Standard Webhooks 1.0, HMAC-SHA256)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from standardwebhooks import Webhook

from archive.domain.errors import Misconfigured
from config.files import write_once
from config.settings import Settings

KEY_FILE = "webhooks.key"
_BYTES = 32
_PREFIX = "whsec_"


def new_secret() -> str:
    """256 random bits, as they are shown to whoever receives."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def key_file(settings: Settings) -> Path:
    """Where the key lies that opens the secrets."""
    return settings.webhooks.key_file or settings.data_dir / KEY_FILE


def close(settings: Settings, secret: str) -> str:
    """The secret as it is stored; the key is made when there is none.

    Raises:
        Misconfigured: the key cannot be used.
    """
    path = key_file(settings)
    try:
        if not path.exists():
            write_once(path, Fernet.generate_key())
        return Fernet(path.read_bytes().strip()).encrypt(secret.encode()).decode()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"the key {path} cannot be used ({error}); restore it from its copy") from error


def open_(settings: Settings, stored: str) -> str:
    """The secret again.

    Raises:
        Misconfigured: the key is not here, or another one.
    """
    path = key_file(settings)
    try:
        return Fernet(path.read_bytes().strip()).decrypt(stored.encode()).decode()
    except (OSError, ValueError, InvalidToken) as error:
        raise Misconfigured(
            f"{path} does not open the secrets of webhooks; copy it from where they were made"
        ) from error


def headers(id_: str, at: datetime, body: str, with_: Iterable[str]) -> dict[str, str]:
    """What is sent beside `body`: who it is, when, and a signature by each secret."""
    signatures = (Webhook(secret).sign(msg_id=id_, timestamp=at, data=body) for secret in with_)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }

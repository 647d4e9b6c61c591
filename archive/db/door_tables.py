"""Tables of other ways to prove who one is than a password and a code; beside `archive.db.tables`."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from archive.db.tables import Base


class Passkey(Base):
    """A passkey or security key (WebAuthn) that a person uses as second factor."""

    __tablename__ = "passkeys"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    credential_id: Mapped[bytes] = mapped_column(unique=True)  # the authenticator's own name for it
    public_key: Mapped[bytes]  # COSE
    sign_count: Mapped[int]  # as it last said; 0 for ever = this one does not count
    transports: Mapped[list[str]]  # how the browser reaches it: usb, nfc, ble, hybrid, internal
    name: Mapped[str]  # as its person calls it
    created_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    used_utc: Mapped[datetime | None]
    __table_args__ = (Index(None, "user_id"),)


class SignatureIdentity(Base):
    """Whose account it is by an electronic signature."""

    __tablename__ = "signature_identities"
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    iin_hmac: Mapped[str] = mapped_column(unique=True)  # archive.second_factor.Vault.name_of the person's number
    created_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    used_utc: Mapped[datetime | None]


class SignatureFlow(Base):
    """A text that is to be signed in one browser, once."""

    __tablename__ = "signature_flows"
    browser_sha256: Mapped[str] = mapped_column(primary_key=True)  # of a secret in its cookie
    text: Mapped[str]
    created_utc: Mapped[datetime]
    until_utc: Mapped[datetime]


class PasskeyChallenge(Base):
    """What a passkey is to sign in a session, once."""

    __tablename__ = "passkey_challenges"
    session_sha256: Mapped[str] = mapped_column(primary_key=True)  # of the session's token: with another one it is void
    purpose: Mapped[str] = mapped_column(primary_key=True)  # archive.db.passkeys.Purpose
    challenge: Mapped[bytes]
    until_utc: Mapped[datetime]

"""A security key in software (WebAuthn, level 2): makes credentials and signs with them, and can be made to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, ATTESTED = 0x01, 0x40
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One key. What it says of itself may be changed: `origin`, `rp_id`, `count` (None = it does not count)."""

    origin: str
    rp_id: str
    count: int | None = 0
    flags: int = USER_PRESENT
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """As `navigator.credentials.create` gives it."""
        assert options["rp"]["id"] == self.rp_id
        named = len(self.id).to_bytes(2) + self.id + cbor2.dumps(self._cose())
        data = self._data(self.flags | ATTESTED) + bytes(16) + named
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = {"attestationObject": b64(made), "transports": ["usb", "mind-reading"]}
        return self._reply({**said, "clientDataJSON": b64(self._client("webauthn.create", options["challenge"]))})

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        """As `navigator.credentials.get` gives it."""
        client = self._client("webauthn.get", options["challenge"])
        if self.count is not None:
            self.count += 1
        data = self._data(self.flags)
        over = data + hashlib.sha256(client).digest()
        made = self.key.sign(over) if isinstance(self.key, ed25519.Ed25519PrivateKey) else self._ecdsa(over)
        said = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(made)}
        return self._reply({**said, "userHandle": None})

    def _ecdsa(self, over: bytes) -> bytes:
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        return self.key.sign(over, ec.ECDSA(SHA256()))

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + (self.count or 0).to_bytes(4)

    def _cose(self) -> dict[int, Any]:
        """RFC 9053: ES256 on P-256, or EdDSA on Ed25519."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return {1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()}
        at = self.key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: at.x.to_bytes(32), -3: at.y.to_bytes(32)}

    def _reply(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": b64(self.id),
            "rawId": b64(self.id),
            "type": "public-key",
            "response": response,
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
        }

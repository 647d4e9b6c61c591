"""Ed25519 keys (RFC 8032): the agent signs what it recorded, the archive what it received.

Keys are PEM files that `openssl pkeyutl` reads; a signature is the raw 64 bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from archive.domain.errors import Damaged, Misconfigured
from config.files import write_once


class Verifier:
    """A public key."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def from_pem(cls, pem: bytes) -> Verifier:
        """The key of a PEM SubjectPublicKeyInfo.

        Raises:
            Damaged: not an Ed25519 public key.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Damaged("public key cannot be read") from error
        if not isinstance(key, Ed25519PublicKey):
            raise Damaged("public key is not an Ed25519 key")
        return cls(key)

    def pem(self) -> bytes:
        """PEM SubjectPublicKeyInfo, as `openssl pkey -pubin` reads it."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sha256(self) -> str:
        """The fingerprint: hexadecimal SHA-256 of the key's DER."""
        der = self._key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).hexdigest()

    def holds(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `data`."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> Signer:
        """A new key from the system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load_or_create(cls, path: Path) -> Signer:
        """The key in `path`; made there (mode 600, durable) when there is none.

        Two processes that start at once end with the same key.

        Raises:
            Misconfigured: the file is not an Ed25519 private key or cannot be read or written.
        """
        try:
            if not path.exists():
                write_once(path, cls.generate().private_pem())
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise Misconfigured(
                f"signing key {path} cannot be used ({error}); restore it or name another file"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Misconfigured(f"signing key {path} is not an Ed25519 key; name another file")
        return cls(key)

    def public(self) -> Verifier:
        """The public half."""
        return Verifier(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        """The raw 64-byte signature over `data`."""
        return self._key.sign(data)

    def private_pem(self) -> bytes:
        """Unencrypted PKCS #8 PEM; write it only where nobody else reads."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

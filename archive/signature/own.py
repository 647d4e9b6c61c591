"""Verifying a signature here: RSA (PKCS#1 v1.5 and PSS) and ECDSA, with SHA-2."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, Hash, HashAlgorithm

from archive.domain.errors import BadSignature
from archive.signature.cms import Signed
from archive.signature.trust import Revocation, Trust

_DIGESTS: dict[str, type[HashAlgorithm]] = {"sha256": SHA256, "sha384": SHA384, "sha512": SHA512}


class OwnVerifier:
    """Says whether a signature holds, by the roots of the settings."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    def verify(self, signed: Signed, text: bytes, now: datetime) -> Revocation:
        """What is known of the revocation of a signature's certificate, once all else holds.

        Raises:
            BadSignature: it is not over this text, was altered, or takes other algorithms.
            BadCertificate: the certificate is not accepted.
            VerifierAway: whether it was revoked cannot be known, and the settings ask for that.
        """
        digest = _hash(signed.digest)
        made = Hash(digest)
        made.update(text)
        if not hmac.compare_digest(made.finalize(), signed.message_digest):
            raise BadSignature("the signature is over another text; sign the one that was shown last", "text")
        _check(signed, digest)
        return self._trust.check(signed.certificate, signed.others, now)


def _check(signed: Signed, digest: HashAlgorithm) -> None:
    """Nothing for a signature that the certificate's key has made."""
    try:
        _verify(signed, digest)
    except InvalidSignature as error:
        raise BadSignature("the signature was altered, or made with another key; sign anew", "signature") from error
    except (UnsupportedAlgorithm, ValueError, TypeError, OverflowError) as error:
        raise _unknown() from error


def _verify(signed: Signed, digest: HashAlgorithm) -> None:
    key, way = signed.certificate.public_key(), signed.algorithm.signature_algo
    if _said_digest(signed.algorithm) not in (None, digest.name):
        raise ValueError("two different digests")
    if isinstance(key, rsa.RSAPublicKey) and way == "rsassa_pkcs1v15":
        key.verify(signed.signature, signed.covered, padding.PKCS1v15(), digest)
    elif isinstance(key, rsa.RSAPublicKey) and way == "rsassa_pss":
        key.verify(signed.signature, signed.covered, _pss(signed.algorithm["parameters"], digest), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and way == "ecdsa":
        key.verify(signed.signature, signed.covered, ec.ECDSA(digest))
    else:
        raise ValueError(way)


def _hash(algorithm: Any) -> HashAlgorithm:
    found = _DIGESTS.get(algorithm["algorithm"].native)
    if found is None:
        raise _unknown()
    return found()


def _said_digest(algorithm: Any) -> str | None:
    """The digest that the signature's algorithm names; plain RSA (PKCS#1 v1.5) names none."""
    try:
        return str(algorithm.hash_algo)
    except ValueError:
        return None


def _pss(parameters: Any, digest: HashAlgorithm) -> padding.PSS:
    """RFC 4056: the mask by the same digest, the salt as long as it says."""
    mask = parameters["mask_gen_algorithm"]
    if mask["algorithm"].native != "mgf1" or mask["parameters"]["algorithm"].native != digest.name:
        raise ValueError("another mask")
    return padding.PSS(padding.MGF1(digest), parameters["salt_length"].native)


def _unknown() -> BadSignature:
    return BadSignature("the signature takes algorithms that are not accepted; use RSA or ECDSA, SHA-2", "algorithm")

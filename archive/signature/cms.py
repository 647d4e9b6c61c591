"""From bytes that anybody may have sent to the one signature in them (CMS SignedData, RFC 5652). Nothing is trusted.

Only what a signature for signing in has is taken: one signer, over plain data, with signed attributes, and its
certificate beside it, once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import cms, pem
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from archive.domain.errors import BadSignature

MOST_CERTIFICATES = 10
_GOST = ("1.2.398.3.10.", "1.2.643.")  # algorithms of Kazakhstan and of Russia
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")
_SET = b"\x31"
# What asn1crypto and cryptography raise over bytes that are no such structure.
_BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    x509.InvalidVersion,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature. `content` None = detached. `covered`: the bytes that the signature is over."""

    der: bytes
    content: bytes | None
    certificate: x509.Certificate
    others: list[x509.Certificate]  # may lead to a root
    key_algorithm: str  # of the certificate, by its number
    digest: Any  # AlgorithmIdentifier
    algorithm: Any  # AlgorithmIdentifier
    signature: bytes
    covered: bytes
    message_digest: bytes
    signing_time: datetime | None

    @property
    def is_gost(self) -> bool:
        """Whether it takes algorithms that we cannot reckon."""
        used = (self.key_algorithm, self.digest["algorithm"].dotted, self.algorithm["algorithm"].dotted)
        return any(one.startswith(_GOST) for one in used)

    @property
    def certificate_sha256(self) -> str:
        """The certificate's fingerprint."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


def read(sent: str) -> Signed:
    """The signature in what was sent: PEM, or in base64 a file with DER, PEM or base64.

    Raises:
        BadSignature: there is none, or it is not of the form above.
    """
    try:
        return _signed(_der(sent.encode()))
    except _BROKEN as error:
        raise BadSignature("this is no signature file; send a CMS signature (.p7s, .cms, .sig)", "format") from error


def _der(sent: bytes, inner: bool = False) -> bytes:
    if sent.lstrip().startswith(b"-----BEGIN"):
        return bytes(pem.unarmor(sent.strip())[2])
    if not _BASE64.fullmatch(sent):
        if inner:
            return sent
        raise ValueError("neither PEM nor base64")
    try:
        plain = base64.b64decode(b"".join(sent.split()), validate=True)
    except binascii.Error:
        if inner:
            return sent
        raise
    return plain if inner else _der(plain, inner=True)


def _signed(der: bytes) -> Signed:
    info = cms.ContentInfo.load(der, strict=True)
    if info["content_type"].native != "signed_data":
        raise BadSignature("this file is no signature; sign the text, do not encrypt it", "format")
    data = info["content"]
    if len(data["signer_infos"]) != 1:
        raise BadSignature("the file holds no signature, or several; sign alone", "signers")
    signer = data["signer_infos"][0]
    certificate, others = _certificates(data["certificates"], signer["sid"])
    attributes = _attributes(signer["signed_attrs"])
    said = attributes["signing_time"].native if "signing_time" in attributes else None
    if said is not None and said.tzinfo is None:
        raise BadSignature("the signature says a time without a zone", "time")
    for algorithm in (signer["digest_algorithm"], signer["signature_algorithm"]):
        _ = algorithm["algorithm"].dotted  # is read late, and may be none
    return Signed(
        der=der,
        content=_content(data["encap_content_info"]),
        certificate=certificate,
        others=others,
        key_algorithm=certificate.public_key_algorithm_oid.dotted_string,
        digest=signer["digest_algorithm"],
        algorithm=signer["signature_algorithm"],
        signature=signer["signature"].native,
        covered=_SET + signer["signed_attrs"].dump()[1:],  # RFC 5652, 5.4: as SET OF, not under its tag
        message_digest=bytes(attributes["message_digest"].native),
        signing_time=said,
    )


def _content(inside: Any) -> bytes | None:
    if inside["content_type"].native != "data":
        raise BadSignature("the signature is over something else than a text", "content")
    content = inside["content"]
    return None if content.native is None else bytes(content)


def _attributes(signed: Any) -> dict[str, Any]:
    """The value of each signed attribute; none comes twice, and those that must be there are."""
    found: dict[str, Any] = {}
    for one in signed if signed.native is not None else ():
        name = one["type"].native
        if name in found or len(one["values"]) != 1:
            raise BadSignature("the signature says something twice", "attributes")
        found[name] = one["values"][0]
    if not {"content_type", "message_digest"} <= set(found) or found["content_type"].native != "data":
        raise BadSignature("the signature lacks signed attributes; sign with them", "attributes")
    return found


def _certificates(held: Any, sid: Any) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """The signer's certificate and the others."""
    choices = [one.chosen for one in held if one.name == "certificate"] if held.native is not None else []
    if len(choices) > MOST_CERTIFICATES:
        raise BadSignature("the file holds too many certificates", "certificates")
    mine = [one for one in choices if _is_of(one, sid)]
    if len(mine) != 1:
        raise BadSignature("the signer's certificate is not in the file; sign so that it is", "certificates")
    others = [x509.load_der_x509_certificate(one.dump()) for one in choices if one is not mine[0]]
    return x509.load_der_x509_certificate(mine[0].dump()), others


def _is_of(certificate: Any, sid: Any) -> bool:
    if sid.name == "issuer_and_serial_number":
        named = sid.chosen
        same = bool(certificate.issuer == named["issuer"])
        return same and certificate.serial_number == named["serial_number"].native
    return bool(certificate.key_identifier == sid.chosen.native)

"""Time stamps of RFC 3161: an authority outside the archive says that these bytes were there at a time.

A token is kept as the authority's whole answer (TimeStampResp, DER), which `openssl ts -verify -in` reads.
Only this file knows the package rfc3161-client; it is imported when a token is made or looked at, so that
a machine without it can still verify everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from archive.domain.errors import Damaged, Misconfigured

MOST_BYTES = 1 << 20  # a token with a long chain of certificates is below 20 kB
SHA256_OID = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to the authority (DER), and the number that its answer must repeat."""

    query: bytes
    nonce: int


def have_library() -> bool:
    """Whether tokens can be looked at on this machine."""
    try:
        import rfc3161_client  # noqa: F401
    except ImportError:
        return False
    return True


def make_request(data: bytes) -> Request:
    """A request for a token over SHA-256 of `data`, with a nonce, that asks for the certificates too.

    Raises:
        Misconfigured: the package is missing.
    """
    try:
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder
    except ImportError as error:
        raise Misconfigured("time stamps need the package rfc3161-client; install tyndau[server]") from error
    made = TimestampRequestBuilder(data=data, hash_algorithm=HashAlgorithm.SHA256).build()
    if made.nonce is None:
        raise Misconfigured("rfc3161-client made a request without a nonce; install the version of constraints.txt")
    return Request(made.as_bytes(), made.nonce)


def check_token(answer: bytes, data: bytes, ca_pem: bytes, nonce: int | None = None) -> datetime:
    """The time (UTC) that `answer` states for `data`.

    Holds only if the token is over SHA-256 of `data`, is signed by a certificate for time stamping that
    was good then, that one leads to a self-signed certificate of `ca_pem`, and the nonce (if given) is ours.

    Raises:
        Damaged: any of it does not hold.
        Misconfigured: the package is missing.
    """
    try:
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
    except ImportError as error:
        raise Misconfigured("time stamps need the package rfc3161-client; install tyndau[server]") from error
    roots, between = _certificates(ca_pem)
    try:
        token = decode_timestamp_response(answer)
        imprint = token.tst_info.message_imprint
        if imprint.hash_algorithm.dotted_string != SHA256_OID or imprint.message != hashlib.sha256(data).digest():
            raise Damaged("the time stamp is over other bytes than these")
        verifier = VerifierBuilder(roots=roots, intermediates=between, nonce=nonce).build()
        verifier.verify_message(token, data)
        return token.tst_info.gen_time
    except VerificationError as error:
        raise Damaged(f"the time stamp does not hold ({error})") from error
    except (ValueError, TypeError, KeyError) as error:  # refusals and nonsense have no token inside
        raise Damaged(f"this is no time stamp ({error!r:.120})") from error


def check_certificates(ca_pem: bytes) -> None:
    """Raises Damaged unless `ca_pem` holds at least one self-signed certificate."""
    _certificates(ca_pem)


def _certificates(ca_pem: bytes) -> tuple[list[x509.Certificate], list[x509.Certificate]]:
    try:
        found: Sequence[x509.Certificate] = x509.load_pem_x509_certificates(ca_pem)
        own = [one.issuer == one.subject for one in found]  # read only now, and may be nonsense
    except ValueError as error:
        raise Damaged("the authority's certificates are not PEM certificates") from error
    roots, between = ([one for one, is_own in zip(found, own, strict=True) if is_own is want] for want in (True, False))
    if not roots:
        raise Damaged("the authority's certificates hold no self-signed one")
    return roots, between

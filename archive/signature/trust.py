"""Whether a person's certificate leads to one of the roots of the settings, is good now, and was not revoked.

The path is built and checked by cryptography (RFC 5280: signatures, times, path lengths, critical extensions that
nobody knows); what a certificate may be used for, and revocation by complete CRLs, is looked at here.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from archive.domain.errors import BadCertificate, Misconfigured, VerifierAway
from config.settings import Signature

_BETWEEN = 3  # certificates between a person's and the root, at most


class Revocation(StrEnum):
    """What is known of it."""

    GOOD = "good"
    NOT_CHECKED = "not checked"


def _is_authority(_policy: Policy, _certificate: x509.Certificate, found: x509.BasicConstraints) -> None:
    if not found.ca:
        raise ValueError("signed by a certificate that is no authority's")


def _may_certify(_policy: Policy, _certificate: x509.Certificate, found: x509.KeyUsage) -> None:
    if not found.key_cert_sign:
        raise ValueError("signed by an authority that may not sign certificates")


def _may_sign(_policy: Policy, _certificate: x509.Certificate, found: x509.KeyUsage) -> None:
    if not found.digital_signature:
        raise ValueError("not for signatures")


_AUTHORITIES = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority)
    .require_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_certify)
)
_PEOPLE = ExtensionPolicy.permit_all().require_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)


class Trust:
    """The roots of the settings, and the CRLs, read again when their files change."""

    def __init__(self, settings: Signature) -> None:
        """Read them.

        Raises:
            Misconfigured: a file cannot be read or holds no certificate.
        """
        assert settings.roots_file is not None  # noqa: S101 - without roots nobody signs in so
        self._settings = settings
        self._roots = Store(_certificates(settings.roots_file))
        between = settings.intermediates_file
        self._between = _certificates(between) if between else []
        self._crls = [CrlFile(path) for path in settings.crl_files]

    def check(self, certificate: x509.Certificate, others: Sequence[x509.Certificate], now: datetime) -> Revocation:
        """What is known of the revocation of a certificate that is good now and leads to a root.

        Raises:
            BadCertificate: it is not, does not, is revoked, or is not for signatures.
            VerifierAway: whether it was revoked cannot be known, and the settings ask for that.
        """
        check_use(certificate, now)
        return self._revocation(self._chain(certificate, others, now), now)

    def _chain(
        self, certificate: x509.Certificate, others: Sequence[x509.Certificate], now: datetime
    ) -> list[x509.Certificate]:
        policy = PolicyBuilder().store(self._roots).time(now).max_chain_depth(_BETWEEN)
        verifier = policy.extension_policies(ca_policy=_AUTHORITIES, ee_policy=_PEOPLE).build_client_verifier()
        try:
            return verifier.verify(certificate, [*others, *self._between]).chain
        except (VerificationError, ValueError) as error:
            raise BadCertificate(
                "the certificate leads to none of the authorities that are trusted here", "chain"
            ) from error

    def _revocation(self, chain: Sequence[x509.Certificate], now: datetime) -> Revocation:
        known = Revocation.GOOD
        for certificate, issuer in pairwise(chain):
            crl = self._crl_of(issuer, now)
            if crl is None and self._settings.crl_required:
                raise VerifierAway("the authority's list of revoked certificates is missing or too old; renew its file")
            if crl is None:
                known = Revocation.NOT_CHECKED
            elif crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                raise BadCertificate("the certificate was revoked; use another one", "revoked")
        return known

    def _crl_of(self, issuer: x509.Certificate, now: datetime) -> x509.CertificateRevocationList | None:
        """The newest complete list of an authority that is good now."""
        lists = [crl for file in self._crls if (crl := file.read()) is not None and _is_of(crl, issuer, now)]
        return max(lists, key=lambda crl: crl.last_update_utc, default=None)


def check_use(certificate: x509.Certificate, now: datetime) -> None:
    """Nothing for a certificate that is good now and meant for signatures.

    Raises:
        BadCertificate: it is not.
    """
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise BadCertificate("the certificate has expired, or is not good yet; use another one", "expired")
    try:
        use = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError) as error:
        raise BadCertificate(
            "the certificate does not say that it is for signatures; use another one", "usage"
        ) from error
    if not use.digital_signature:
        raise BadCertificate("the certificate is not for signatures; use another one", "usage")


def _is_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime) -> bool:
    """Whether a list is this authority's, in time, and complete: parts and changes of one carry critical extensions."""
    if crl.issuer != issuer.subject or crl.next_update_utc is None:
        return False
    if not crl.last_update_utc <= now < crl.next_update_utc:
        return False
    try:
        if any(one.critical for one in crl.extensions):
            return False
        use = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        return use.crl_sign and crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


@dataclass(slots=True)
class CrlFile:
    """A list of revoked certificates in a file, DER or PEM, that somebody else renews."""

    path: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read: tuple[tuple[int, int, int], x509.CertificateRevocationList | None] | None = None

    def read(self) -> x509.CertificateRevocationList | None:
        """The list as it is in the file now; None where there is none."""
        try:
            found = self.path.stat()
            state = (found.st_ino, found.st_size, found.st_mtime_ns)
            with self._lock:
                if self._read is None or self._read[0] != state:
                    self._read = (state, _crl(self.path.read_bytes()))
                return self._read[1]
        except OSError:
            return None


def _crl(data: bytes) -> x509.CertificateRevocationList | None:
    try:
        pem = data.lstrip().startswith(b"-----BEGIN")
        return x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
    except ValueError:
        return None  # half written, perhaps: it is looked at again when it changes


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} holds no certificates in PEM ({error}); check [signature]") from error

"""Which verifier a signature goes to, and what all of them leave to us."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Protocol

from archive.domain.errors import BadSignature, CannotVerify
from archive.signature.cms import Signed
from archive.signature.trust import Revocation

ASKEW = timedelta(minutes=10)  # so far the signer's clock may be off, in either direction


class Verifier(Protocol):
    """Says whether a signature holds."""

    def verify(self, signed: Signed, text: bytes, now: datetime) -> Revocation:
        """What is known of the revocation of its certificate.

        Raises:
            BadSignature: it does not hold.
            BadCertificate: its certificate is not accepted.
            VerifierAway: that cannot be known now.
        """


class Checker:
    """Our own verifier for what it can reckon, another one for GOST, if there is one."""

    def __init__(self, own: Verifier, gost: Verifier | None) -> None:
        self._own = own
        self._gost = gost

    def check(self, signed: Signed, text: bytes, asked_utc: datetime, now: datetime) -> Revocation:
        """What is known of the revocation of a certificate whose signature over this text holds.

        Raises:
            BadSignature, BadCertificate, VerifierAway: as the verifiers say.
            CannotVerify: nobody here can.
        """
        if signed.content is not None and not hmac.compare_digest(signed.content, text):
            raise BadSignature("the signature is over another text; sign the one that was shown last", "text")
        said = signed.signing_time
        if said is not None and not asked_utc - ASKEW <= said <= now + ASKEW:
            raise BadSignature("the signature says another time; check the clock of the computer", "time")
        if not signed.is_gost:
            return self._own.verify(signed, text, now)
        if self._gost is None:
            raise CannotVerify("GOST signatures cannot be verified here; use an RSA certificate, or a password", "gost")
        return self._gost.verify(signed, text, now)

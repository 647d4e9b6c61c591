"""Having a signature verified by another server: for GOST, which no library that we use can reckon.

Speaks to NCANode 3 (`POST /cms/verify`), which stands beside the application; what it says is believed. It has the
signature, the text and, by its own rules, the authority's OCSP. Tried against a server made in the tests alone.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

from archive.domain.errors import BadCertificate, BadSignature, VerifierAway
from archive.door import Door, Held, trust_of
from archive.signature.cms import Signed
from archive.signature.person import iin_of
from archive.signature.trust import Revocation, check_use
from config.clock import Clock
from config.settings import Signature

_MAKES_NOTHING_OF_IT = (400, 422)  # another refusal is about us, not about the signature


class HttpVerifier:
    """The server at `verifier_url`."""

    def __init__(self, settings: Signature, clock: Clock) -> None:
        self._url = settings.verifier_url.rstrip("/") + "/cms/verify"
        self._timeout_s = settings.timeout_s
        own = urlsplit(self._url)
        trust = trust_of(settings.verifier_ca_file, "signature.verifier_ca_file")
        self._door = Door(lambda url: urlsplit(url)[:2] == own[:2], trust, settings.timeout_s, clock)

    def verify(self, signed: Signed, text: bytes, now: datetime) -> Revocation:
        """What is known of the revocation of a signature's certificate, once the server says that all holds.

        Raises:
            BadSignature: the server says that it does not hold.
            BadCertificate: the certificate is not accepted.
            VerifierAway: the server does not answer, or not as it should.
        """
        check_use(signed.certificate, now)
        said = self._ask(
            {
                "cms": base64.b64encode(signed.der).decode(),
                "data": base64.b64encode(text).decode(),
                "revocationCheck": ["OCSP"],
            }
        )
        if said is None or said.get("valid") is not True:
            raise BadSignature("the signature does not hold, or its certificate is not accepted; sign anew", "verifier")
        self._check_signer(signed, said.get("signers"))
        return Revocation.GOOD

    def _check_signer(self, signed: Signed, signers: Any) -> None:
        """That one certificate was looked at, and whose: an empty list counts as valid there."""
        try:
            [signer] = signers
            [certificate] = signer["certificates"]
            named = certificate["subject"]["iin"]
            good = certificate["valid"] is True
        except (TypeError, ValueError, KeyError) as error:
            raise VerifierAway("the verifier says nothing of the signer; check signature.verifier_url") from error
        if not good or named != iin_of(signed.certificate):
            raise BadCertificate("the verifier does not accept the certificate; use another one", "verifier")

    def _ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the server could make nothing of the signature."""
        try:
            with httpx2.Client(transport=Held(self._door), timeout=self._timeout_s, trust_env=False) as client:
                answer = client.post(self._url, json=question)
            if answer.status_code in _MAKES_NOTHING_OF_IT:
                return None
            said = answer.raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise VerifierAway("the verifier of signatures does not answer; sign in with a password") from error
        if not isinstance(said, dict):
            raise VerifierAway("the verifier's answer is none; check signature.verifier_url")
        return said

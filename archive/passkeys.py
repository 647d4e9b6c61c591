"""Passkeys and security keys (WebAuthn, level 2): what a browser is asked, and whether what it brings back holds.

Nothing is asked of who has made the authenticator (attestation `none`): any that its person trusts will do.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    options_to_json,
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from archive.db.passkeys import NewPasskey, Passkey
from archive.db.people import Person
from archive.domain.errors import CopiedPasskey, WrongPasskey

NAME = "Tyndau"
CHALLENGE_S = 300  # so long a person may look for the key
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_CHALLENGE_BYTES = 32
_TRANSPORTS = tuple(one.value for one in AuthenticatorTransport)

# What the library lets through of bytes that nobody checked before: its own errors, and those of CBOR, JSON and keys.
_BROKEN = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Site:
    """Whose passkeys they are: a name of this host (`rp_id`), and the origin of its pages."""

    rp_id: str
    origin: str


def site_of(public_url: str) -> Site | None:
    """The site of an address as people type it; None where browsers know no passkeys: no https, or no name."""
    url = urlsplit(public_url)
    host = (url.hostname or "").encode("idna").decode()
    if not host or _is_number(host) or (url.scheme != "https" and host != "localhost"):
        return None
    default = {"https": 443, "http": 80}[url.scheme]
    port = f":{url.port}" if url.port not in (None, default) else ""
    return Site(host, f"{url.scheme}://{host}{port}")


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def new_challenge() -> bytes:
    """256 random bits."""
    return secrets.token_bytes(_CHALLENGE_BYTES)


def creation_options(site: Site, person: Person, held: Sequence[Passkey], challenge: bytes) -> dict[str, Any]:
    """What `navigator.credentials.create` is asked, as JSON of the specification."""
    wanted = AuthenticatorSelectionCriteria(
        resident_key=ResidentKeyRequirement.DISCOURAGED,  # the name is given before: no place on the key is needed
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name=NAME,
        user_id=person.id.bytes,
        user_name=person.username,
        user_display_name=person.display_name,
        challenge=challenge,
        timeout=CHALLENGE_S * 1000,
        authenticator_selection=wanted,
        exclude_credentials=_known(held),
        supported_pub_key_algs=ALGORITHMS,
    )
    return _plain(options_to_json(options))


def request_options(site: Site, held: Sequence[Passkey], challenge: bytes) -> dict[str, Any]:
    """What `navigator.credentials.get` is asked, as JSON of the specification."""
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=CHALLENGE_S * 1000,
        allow_credentials=_known(held),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return _plain(options_to_json(options))


def registered(site: Site, challenge: bytes, reply: Mapping[str, Any]) -> NewPasskey:
    """The passkey that the browser has made (RegistrationResponseJSON).

    Raises:
        WrongPasskey: the reply does not hold.
    """
    try:
        made = webauthn.verify_registration_response(
            credential=parse_registration_credential_json(dict(reply)),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=False,
            supported_pub_key_algs=ALGORITHMS,
        )
    except _BROKEN as error:
        raise WrongPasskey("what the passkey has sent does not hold; begin anew", "reply") from error
    said = reply.get("response", {}).get("transports") or ()
    transports = [one for one in _TRANSPORTS if one in said]
    return NewPasskey(made.credential_id, made.credential_public_key, made.sign_count, transports)


def credential_of(reply: Mapping[str, Any]) -> bytes:
    """The name of the passkey by which a reply (AuthenticationResponseJSON) is signed.

    Raises:
        WrongPasskey: it names none.
    """
    try:
        return base64url_to_bytes(reply["rawId"])
    except _BROKEN as error:
        raise WrongPasskey("what the passkey has sent cannot be read; begin anew", "reply") from error


def used(site: Site, challenge: bytes, reply: Mapping[str, Any], passkey: NewPasskey) -> int:
    """How often the passkey now says it was used, once its signature over the challenge holds.

    A passkey that counts counts upwards. One whose count does not grow may be a copy, and is refused: of two that
    use one key the one that lags behind is found so.

    Raises:
        WrongPasskey: the reply does not hold.
        CopiedPasskey: it does, but it counts less than before.
    """
    try:
        said = webauthn.verify_authentication_response(
            credential=parse_authentication_credential_json(dict(reply)),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # looked at below, once the signature holds
            require_user_verification=False,
        )
    except _BROKEN as error:
        raise WrongPasskey("what the passkey has signed does not hold; begin anew", "reply") from error
    before, now = passkey.sign_count, said.new_sign_count
    if (before or now) and now <= before:
        raise CopiedPasskey(
            "this passkey was used more often than it says, so there may be a copy of it; remove it", "counter"
        )
    return now


def _known(held: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=one.made.credential_id, transports=[AuthenticatorTransport(way) for way in one.made.transports] or None
        )
        for one in held
    ]


def _plain(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found

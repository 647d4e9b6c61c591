"""What the provider has signed: ID tokens (OpenID Connect Core 3.1.3.7) and logout tokens (Back-Channel Logout 2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.claims import JWTClaims
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from archive.domain.errors import BadReply

# Signatures by a private key alone. Neither `none` nor HS*, whose key would be the client's secret or, by a known
# attack, the provider's public key.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
LEEWAY_S = 60  # clocks differ
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_AGE = timedelta(minutes=5)  # older logout tokens are not taken; their numbers are remembered longer
# What joserfc and Authlib raise, and what else happens to them in headers and claims of the wrong types.
ODD = (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
_REGISTRY = JWSRegistry(algorithms=[*ALGORITHMS], strict_check_header=False)
_MOST_CHARS = 64 << 10


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose tokens are taken, for whom, when."""

    issuer: str
    client_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Logout:
    """Whose sessions end: of a subject, of a session at the provider, or of both in one."""

    subject: str | None
    sid: str | None
    number: str  # jti


def opened(token: str, keys: KeySet) -> jwt.Token:
    """A token whose signature is of one of these keys, by an algorithm that may be.

    Raises:
        joserfc.errors.InvalidKeyIdError: none of the keys has its name.
        BadReply: it is no token, or not signed so; whatever stands in it.
    """
    if len(token) > _MOST_CHARS:
        raise BadReply("the token is too long", "token")
    try:
        return jwt.decode(token, keys, registry=_REGISTRY)
    except InvalidKeyIdError:
        raise
    except ODD as error:
        raise BadReply(f"the token is not signed as it must be ({type(error).__name__})", "token") from error


def check_id_token(token: jwt.Token, expected: Expected, nonce: str, access_token: str | None) -> dict[str, Any]:
    """The claims of an ID token that answers this very sign-in.

    Raises:
        BadReply: another issuer, audience or nonce; expired or of the future; an access token that is not its own.
    """
    claims = CodeIDToken(
        token.claims,
        token.header,
        options=_whose(expected),
        params={"nonce": nonce, "client_id": expected.client_id, "access_token": access_token},
    )
    _validate(claims, expected)
    _texts(token.claims, "sub")
    return token.claims


def check_logout_token(token: jwt.Token, expected: Expected) -> Logout:
    """Whom a logout token is about.

    Raises:
        BadReply: it is none, or not for us, or not of now.
    """
    claims = token.claims
    options = {**_whose(expected), "jti": {"essential": True}, "iat": {"essential": True}}
    _validate(JWTClaims(claims, token.header, options=options), expected)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict) or "nonce" in claims:
        raise BadReply("this is no logout token", "token")
    if claims["iat"] < (expected.now - LOGOUT_AGE).timestamp():
        raise BadReply("the logout token is old", "token")
    _texts(claims, "jti")
    named = [name for name in ("sub", "sid") if name in claims]
    if not named:
        raise BadReply("the logout token names nobody", "token")
    _texts(claims, *named)
    return Logout(claims.get("sub"), claims.get("sid"), claims["jti"])


def _whose(expected: Expected) -> dict[str, Any]:
    return {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
    }


def _validate(claims: JWTClaims, expected: Expected) -> None:
    try:
        claims.validate(int(expected.now.timestamp()), LEEWAY_S)
    except ODD as error:
        raise BadReply(f"the token does not hold ({type(error).__name__})", "token") from error


def _texts(claims: Mapping[str, Any], *names: str) -> None:
    """Nothing where these are short texts that a database takes."""
    for name in names:
        value = claims.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 255 or not value.isprintable():
            raise BadReply(f"the token's {name} is no name", "token")

"""Tokens that nobody honest has made: every one of them is refused as such, and none is a fault of ours."""

from __future__ import annotations

import base64
import itertools
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from archive.domain.errors import BadReply
from archive.provider import tokens
from archive.provider.tokens import Expected

RSA = RSAKey.generate_key(2048)
KEYS = KeySet([RSA, ECKey.generate_key("P-256"), ECKey.generate_key("P-521"), OKPKey.generate_key("Ed25519")])
EXPECTED = Expected("https://id.example", "tyndau", datetime(2027, 3, 1, tzinfo=UTC))
NOW = int(EXPECTED.now.timestamp())
ODD = (5, None, True, "x", ["x"], {}, {"x": 1}, [[]], "", 1e400, -1)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refused(token: str) -> None:
    with pytest.raises((BadReply, InvalidKeyIdError)):
        tokens.opened(token, KEYS)


@pytest.mark.parametrize("alg", [*tokens.ALGORITHMS, "none", "HS256", "EdDSA", "RS1", *ODD], ids=str)
def test_no_header_opens_a_token(alg: object) -> None:
    more: list[dict[str, Any]] = [{}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"jku": "https://x", "jwk": {}}]
    more += [{name: value} for name, value in itertools.product(("kid", "typ", "crit", "x5c", "zip"), ODD)]
    for key, extra, signature in itertools.product(KEYS, more, ("", "AAAA", part("x" * 256))):
        refused(f"{part({'alg': alg, 'kid': key.kid, **extra})}.{part({})}.{signature}")


@given(st.one_of(st.text(max_size=200), st.lists(st.text("abcdefgAZ019-_=", max_size=40), max_size=5).map(".".join)))
def test_what_is_no_token_is_refused(text: str) -> None:
    refused(text)


def test_nests_of_brackets_are_refused() -> None:
    for nest in ("[", '{"a":'):
        deep = base64.urlsafe_b64encode((nest * 4000).encode()).decode()
        refused(f"{deep}.e30.AA")
        refused(f"{part({'alg': 'RS256', 'kid': RSA.kid})}.{deep}.AA")


def signed(claims: dict[str, Any]) -> jwt.Token:
    text = jwt.encode({"alg": "RS256", "kid": RSA.kid}, claims, RSA)
    return tokens.opened(text, KEYS)


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "nonce", "sub", "azp", "at_hash", "jti", "events", "sid"])
def test_odd_claims_are_refused_or_taken_and_break_nothing(name: str) -> None:
    whole = {"iss": EXPECTED.issuer, "aud": "tyndau", "exp": NOW + 60, "iat": NOW, "sub": "s", "jti": "j"}
    for odd in ODD:
        identity = {**whole, "nonce": "n", name: odd}
        logout = {**whole, "events": {tokens.LOGOUT: {}}, name: odd}
        for check in (
            lambda claims=identity: tokens.check_id_token(signed(claims), EXPECTED, "n", "access"),
            lambda claims=logout: tokens.check_logout_token(signed(claims), EXPECTED),
        ):
            with suppress(BadReply):
                check()

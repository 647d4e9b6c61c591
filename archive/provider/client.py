"""The provider as we ask it: its discovery document, its keys, tokens for a code (Authlib)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import Token

from archive.domain.errors import BadReply, Misconfigured, ProviderAway
from archive.door import MOST_AT_ONCE, Held
from archive.provider import tokens
from archive.provider.door import door_of, may_be_asked
from archive.provider.tokens import Expected, Logout
from config.clock import Clock
from config.settings import Oidc

RETURN = "/sign-in/return"  # the page to which the provider sends people back
AFTER_LOGOUT = "/sign-in"
FRESH_S = 3600.0  # how long the document and the keys are good
OF_THE_CODE = ("invalid_grant", "invalid_request")  # RFC 6749, 5.2; the others are of our settings
STANDS_S = 60.0  # so lately the provider has answered when people are sent to it
AGAIN_S = 10.0  # after a failure, and before keys are asked for because of a name that nobody knows

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider's document says (OpenID Connect Discovery 3); `says_issuer`: its replies carry `iss`."""

    authorization: str
    token: str
    keys: str
    end_session: str | None
    says_issuer: bool
    in_body: bool  # it takes the client's secret in the body alone


@dataclass(frozen=True, slots=True)
class Asking:
    """What one sign-in is recognised by; `verifier` is PKCE's."""

    state: str
    nonce: str
    verifier: str


class Kept(Generic[T]):
    """Something that is fetched at times, by one thread for all; few wait for it."""

    def __init__(self, fetch: Callable[[], T], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._held: tuple[T, float] | None = None  # with when it was fetched
        self._failed_s = float("-inf")

    def get(self, max_age_s: float = FRESH_S) -> T:
        """It, not older than that.

        Raises:
            ProviderAway: it cannot be had, or could not a moment ago, or too many wait for it.
        """
        held = self._present(max_age_s)
        if held is not None:
            return held[0]
        if not self._places.acquire(blocking=False):
            raise ProviderAway("many are waiting for the provider; sign in with a password")
        try:
            with self._lock:
                held = self._present(max_age_s) or self._fetched()
                return held[0]
        finally:
            self._places.release()

    def _present(self, max_age_s: float) -> tuple[T, float] | None:
        now_s, held = self._clock.monotonic_s(), self._held
        if held is not None and now_s - held[1] < max_age_s:
            return held
        if now_s - self._failed_s < AGAIN_S:
            raise ProviderAway("the provider did not answer a moment ago; sign in with a password")
        return None

    def _fetched(self) -> tuple[T, float]:
        began_s = self._clock.monotonic_s()
        try:
            self._held = (self._fetch(), began_s)
        except ProviderAway:
            self._failed_s = self._clock.monotonic_s()
            raise
        return self._held


class Provider:
    """The configured provider; nothing is asked before somebody signs in."""

    def __init__(self, settings: Oidc, public_url: str, clock: Clock) -> None:
        self.settings = settings
        self._own = public_url.rstrip("/")
        self._clock = clock
        self._door = door_of(settings, clock)
        self._metadata = Kept(self._fetch_metadata, clock)
        self._keys = Kept(self._fetch_keys, clock)

    def address(self, asking: Asking, language: str) -> str:
        """Where a person goes to sign in.

        Raises:
            ProviderAway: it does not answer.
        """
        said = self._metadata.get(STANDS_S)
        with self._client(said) as client:
            url, _ = client.create_authorization_url(
                said.authorization,
                state=asking.state,
                code_verifier=asking.verifier,
                nonce=asking.nonce,
                ui_locales=language,
            )
        return str(url)

    def claims(self, code: str, issuer: str | None, asking: Asking) -> dict[str, Any]:
        """What the provider says of whoever comes back with a code; the tokens are forgotten with this call.

        Raises:
            BadReply: the code is wrong or was used; another provider answers; the ID token does not hold.
            ProviderAway: it does not answer.
        """
        said = self._metadata.get()
        self.check_issuer(issuer)
        told = self._exchange(said, code, asking.verifier)
        token, access = told.get("id_token"), told.get("access_token")
        if not isinstance(token, str):
            raise BadReply("the provider gives no ID token", "token")
        access = access if isinstance(access, str) else None
        return tokens.check_id_token(self._opened(token), self._expected(), asking.nonce, access)

    def check_issuer(self, issuer: str | None) -> None:
        """Nothing where the reply is of this provider (RFC 9207).

        Raises:
            BadReply: it is of another one, or does not say so though it should.
            ProviderAway: it does not answer.
        """
        if issuer != self.settings.issuer and (issuer is not None or self._metadata.get().says_issuer):
            raise BadReply("the reply is not of this provider", "issuer")

    def logout(self, token: str) -> Logout:
        """Whom a logout token is about.

        Raises:
            BadReply: it does not hold.
            ProviderAway: the keys cannot be had.
        """
        return tokens.check_logout_token(self._opened(token), self._expected())

    def leaving(self) -> str | None:
        """Where a person signs out at the provider too; None where it has no such page.

        The client's name goes with it and no ID token: a token has no place in an address, and would have to be kept.

        Raises:
            ProviderAway: it does not answer.
        """
        end = self._metadata.get().end_session
        if end is None:
            return None
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": self._own + AFTER_LOGOUT}
        return f"{end}{'&' if urlsplit(end).query else '?'}{urlencode(query)}"

    def _exchange(self, said: Metadata, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            with self._client(said) as client:
                told: dict[str, Any] = client.fetch_token(
                    said.token, grant_type="authorization_code", code=code, code_verifier=verifier
                )
        except OAuthError as error:
            if error.error in OF_THE_CODE:
                raise BadReply("the provider does not take the code", "code") from error
            raise ProviderAway(f"the provider does not take us ({_word(error.error)}); check oidc.client_id") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise _away(error) from error
        return told

    def _opened(self, token: str) -> Token:
        """Keys change: a name that is not known is looked for once more."""
        try:
            return tokens.opened(token, self._keys.get())
        except InvalidKeyIdError:
            pass
        try:
            return tokens.opened(token, self._keys.get(AGAIN_S))
        except InvalidKeyIdError as error:
            raise BadReply("the token is signed with a key that the provider does not publish", "token") from error

    def _expected(self) -> Expected:
        return Expected(self.settings.issuer, self.settings.client_id, self._clock.utc())

    def _client(self, said: Metadata | None = None) -> OAuth2Client:
        secret = self._secret()
        return OAuth2Client(
            client_id=self.settings.client_id,
            client_secret=secret or None,
            token_endpoint_auth_method="client_secret_post" if secret and said and said.in_body else None,
            scope=" ".join(self.settings.scopes),
            redirect_uri=self._own + RETURN,
            code_challenge_method="S256",
            transport=Held(self._door),
            timeout=self.settings.timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    def _secret(self) -> str:
        file = self.settings.client_secret_file
        if file is None:
            return self.settings.client_secret.get_secret_value()
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise Misconfigured(f"oidc.client_secret_file {file} cannot be read; check it") from error

    def _fetch(self, url: str) -> dict[str, Any]:
        try:
            with self._client() as client:
                answer = client.request("GET", url, withhold_token=True, headers={"Accept": "application/json"})
                if answer.status_code != httpx2.codes.OK:
                    raise ProviderAway(f"the provider answers {answer.status_code}; sign in with a password")
                said = answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise _away(error) from error
        if not isinstance(said, dict):
            raise ProviderAway("the provider's document is none; sign in with a password")
        return said

    def _fetch_metadata(self) -> Metadata:
        said = self._fetch(self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != self.settings.issuer:
            raise ProviderAway("the provider calls itself otherwise than oidc.issuer; check the setting")
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Metadata(
            authorization=self._own_address(said, "authorization_endpoint"),
            token=self._own_address(said, "token_endpoint"),
            keys=self._own_address(said, "jwks_uri"),
            end_session=self._own_address(said, "end_session_endpoint") if said.get("end_session_endpoint") else None,
            says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
            in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
        )

    def _own_address(self, said: Mapping[str, Any], name: str) -> str:
        value = said.get(name)
        if not isinstance(value, str) or not may_be_asked(value, self.settings):
            raise ProviderAway(f"the provider's {name} is of another host; name it in oidc.hosts if it is right")
        return value

    def _fetch_keys(self) -> KeySet:
        said = self._fetch(self._metadata.get().keys)
        try:
            return KeySet.import_key_set({"keys": [one for one in said["keys"] if one.get("use", "sig") == "sig"]})
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderAway("the provider's keys cannot be read; sign in with a password") from error


def _away(error: Exception) -> ProviderAway:
    return ProviderAway(f"the provider does not answer ({type(error).__name__}); sign in with a password")


def _word(said: object) -> str:
    """An error's code as the provider names it, if it is one."""
    text = str(said)
    return text if text.isascii() and text.replace("_", "").isalnum() and len(text) < 60 else "?"

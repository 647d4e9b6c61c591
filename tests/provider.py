"""An OpenID provider on loopback, made with the server side of Authlib: codes, PKCE, ID tokens, and signing out.

People sign in by a form that asks for nothing but who they are. A test may change what is signed (`tamper`), with
which key, take the provider down, or sign any token with its own keys.
"""

from __future__ import annotations

import base64
import html
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207.parameter import IssuerParameter
from authlib.oidc.core import OpenIDCode
from authlib.oidc.core.models import AuthorizationCodeMixin
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT_ID, SECRET = "tyndau", "a secret of the client & more"
LIFE_S = 300
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
PAGE = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">
<title>Provider</title><h1>{title}</h1><form method="post">{fields}</form></html>"""

Tamper = Callable[[dict[str, Any], dict[str, Any]], None]  # header and claims, to be changed


@dataclass
class Code(AuthorizationCodeMixin):
    """An authorization code, kept until it is used."""

    code: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    user: Account

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())


@dataclass
class Account:
    """Somebody at the provider and what it says of him or her."""

    sub: str
    claims: dict[str, Any]
    sid: str = ""


@dataclass
class Client(ClientMixin):
    """Us, as we are registered."""

    redirect_uris: list[str] = field(default_factory=list)

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Provider:
    """A running provider; `close` ends it."""

    def __init__(self, host: str = "localhost") -> None:
        self.client = Client()
        self.after_logout: list[str] = []
        self.people: dict[str, Account] = {}
        self.codes: dict[str, Code] = {}
        self.keys = [new_key()]  # the first one signs
        self.published = list(self.keys)
        self.tamper: Tamper | None = None
        self.sign_with: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
        self.more: dict[str, Any] = {}  # of the discovery document
        self.down = False
        self.now: Callable[[], int] = lambda: int(time.time())
        self.asked: list[str] = []
        self.server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.issuer = f"http://{host}:{self.server.server_port}/realm"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(10)

    def add(self, sub: str, **claims: Any) -> Account:
        self.people[sub] = Account(sub, claims)
        return self.people[sub]

    def rotate(self) -> None:
        """Another key from now on; the old one is published no more."""
        self.keys = [new_key()]
        self.published = list(self.keys)

    # --- tokens --------------------------------------------------------------------------------------

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        key = self.keys[0]
        return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key)

    def logout_token(self, **claims: Any) -> str:
        """A logout token of now; a claim given as None is left out."""
        now = self.now()
        base = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": str(uuid.uuid4())}
        whole = {**base, "events": {LOGOUT: {}}, **claims}
        return self.sign({name: value for name, value in whole.items() if value is not None}, typ="logout+jwt")

    def id_token(self, made: str) -> str:
        """The ID token as Authlib made it, or as the test wants it."""
        if self.tamper is None and self.sign_with is None:
            return made
        header, claims = (json.loads(_unb64(part)) for part in made.split(".")[:2])
        if self.tamper is not None:
            self.tamper(header, claims)
        if self.sign_with is not None:
            return self.sign_with(header, claims)
        return jwt.encode(header, claims, self.keys[0], [header["alg"]])

    # --- HTTP ----------------------------------------------------------------------------------------

    def _app(self) -> flask.Flask:
        app = flask.Flask("provider")
        server = AuthorizationServer(app, query_client=self._client, save_token=lambda token, request: None)
        server.register_grant(_grant(self), [_OpenId(self), CodeChallenge(required=True)])
        server.register_extension(_Issuer(self))

        @app.before_request
        def _look() -> flask.Response | None:
            self.asked.append(flask.request.path)
            return flask.Response("down", 503) if self.down else None

        app.get("/realm/.well-known/openid-configuration")(self._document)
        app.get("/realm/keys")(self._published)
        app.post("/realm/token")(server.create_token_response)
        both = ["GET", "POST"]
        app.add_url_rule("/realm/authorize", "authorize", lambda: self._authorize(server), methods=both)
        app.add_url_rule("/realm/logout", "logout", self._logout, methods=both)
        return app

    def _client(self, client_id: str) -> Client | None:
        return self.client if client_id == CLIENT_ID else None

    def _published(self) -> dict[str, Any]:
        return {**KeySet(list(self.published)).as_dict()}

    def _document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            **self.more,
        }

    def _authorize(self, server: Any) -> Any:
        try:
            grant = server.get_consent_grant()
        except OAuth2Error as error:
            return flask.Response(html.escape(str(error)), 400)
        if flask.request.method == "GET":
            fields = '<label>Who <input name="sub"></label> <button>Go on</button> <button name="no">No</button>'
            return PAGE.format(title="Sign in", fields=fields)
        account = None if "no" in flask.request.form else self.people.get(flask.request.form["sub"])
        if account is not None:
            account.sid = account.sid or str(uuid.uuid4())
        return server.create_authorization_response(grant_user=account, grant=grant)

    def _logout(self) -> Any:
        back = flask.request.args.get("post_logout_redirect_uri", "")
        if flask.request.args.get("client_id") != CLIENT_ID or back not in self.after_logout:
            return flask.Response("not registered", 400)
        if flask.request.method == "GET":
            return PAGE.format(title="Sign out?", fields="<button>Yes</button>")
        for account in self.people.values():
            account.sid = ""
        return flask.redirect(back)


def _grant(provider: Provider) -> type[grants.AuthorizationCodeGrant]:
    class Grant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload
            provider.codes[code] = Code(
                code,
                asked.redirect_uri,
                asked.scope,
                asked.data.get("nonce"),
                asked.data.get("code_challenge"),
                asked.data.get("code_challenge_method"),
                request.user,
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            provider.codes.pop(authorization_code.code, None)

        def authenticate_user(self, authorization_code: Code) -> Account:
            return authorization_code.user

    return Grant


class _OpenId(OpenIDCode):  # type: ignore[misc]
    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=True)
        self._provider = provider

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def resolve_client_private_key(self, client: Client) -> RSAKey:
        return self._provider.keys[0]

    def get_client_algorithm(self, client: Client) -> str:
        return "RS256"

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        now = self._provider.now()
        return {"iss": self._provider.issuer, "aud": [CLIENT_ID], "iat": now, "exp": now + LIFE_S}

    def get_encode_header(self, client: Client) -> dict[str, Any]:
        return {"alg": "RS256", "kid": self._provider.keys[0].kid}

    def generate_user_info(self, user: Account, scope: str) -> dict[str, Any]:
        return {"sub": user.sub, "sid": user.sid, **user.claims}

    def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
        return self._provider.id_token(super().encode_id_token(token, request))


class _Issuer(IssuerParameter):  # type: ignore[misc]
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def get_issuer(self) -> str:
        return self._provider.issuer


def new_key() -> RSAKey:
    key = RSAKey.generate_key(2048)
    key.ensure_kid()
    return key


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token that says `none`, with an empty signature."""
    parts = ({**header, "alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def _unb64(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@contextmanager
def running(host: str = "localhost") -> Iterator[Provider]:
    """A provider for a while. Authlib's server side refuses http unless it is told that this is a test."""
    before = os.environ.get("AUTHLIB_INSECURE_TRANSPORT")
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    provider = Provider(host)
    try:
        yield provider
    finally:
        provider.close()
        if before is None:
            del os.environ["AUTHLIB_INSECURE_TRANSPORT"]
        else:
            os.environ["AUTHLIB_INSECURE_TRANSPORT"] = before

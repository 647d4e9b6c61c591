"""Signing in and out at the provider (OpenID Connect).

The provider sends people back to a page of ours, and that page asks here: a request of our own site, which has our
cookies though SameSite is Strict, is held to our origin, and gets problems in the reader's language.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response

from api import problems as p
from api import schemas as s
from api.contract import answers
from api.flow_cookies import FlowCookie, address_of
from api.problems import language_of
from api.routes.session import entered
from api.services import Use
from archive.domain.errors import BadInput, NotFound
from archive.provider.entrance import AWAY, Entrance, Reply

router = APIRouter(prefix="/session/provider", tags=["session"])

COOKIE = FlowCookie("tyndau-provider", AWAY)
_FORM = "application/x-www-form-urlencoded"
_LOGOUT = {"type": "object", "required": ["logout_token"], "properties": {"logout_token": {"type": "string"}}}


def entrance_of(services: Use) -> Entrance:
    """The way in by the provider.

    Raises:
        NotFound: none is set.
    """
    if services.entrance is None:
        raise NotFound("no provider is set; sign in with a password")
    return services.entrance


By = Annotated[Entrance, Depends(entrance_of)]


@router.get("")
def get_provider(services: Use) -> s.Provider:
    """Whether one can sign in at a provider too, and what its button says."""
    if services.entrance is None:
        return s.Provider(there=False)
    settings = services.settings.oidc
    host = settings.issuer.split("/")[2]
    return s.Provider(
        there=True,
        name_kk=settings.name.kk or host,
        name_ru=settings.name.ru or host,
        name_en=settings.name.en or host,
    )


@router.post("/flows", status_code=201, responses=answers(p.NOT_FOUND, p.THROTTLED, p.PROVIDER_AWAY))
def begin_at_provider(asked: s.GoingAsked, request: Request, response: Response, services: Use, by: By) -> s.Going:
    """Where the browser goes to sign in; what recognises it afterwards is in a cookie of ten minutes."""
    language = language_of(request.headers.get("accept-language", ""))
    going = by.begin(asked.next, language, address_of(request))
    COOKIE.keep(services, response, going.secret)
    return s.Going(url=going.address)


@router.post(
    "", responses=answers(p.NOT_FOUND, p.BAD_REPLY, p.DECLINED, p.NO_ACCOUNT, p.NO_ROLE, p.THROTTLED, p.PROVIDER_AWAY)
)
def finish_at_provider(reply: s.ProviderReply, request: Request, response: Response, services: Use, by: By) -> s.Come:
    """Begin a session with what came back from the provider; it is good once."""
    secret = COOKIE.secret(services, request)
    given = Reply(reply.state, reply.code, reply.error, reply.iss)
    come = by.finish(given, secret, address_of(request), request.headers.get("user-agent", ""))
    COOKIE.drop(services, response)
    return s.Come(me=entered(services, response, come.opened), next=come.next_path)


@router.get("/leaving", responses=answers(p.NOT_FOUND, p.PROVIDER_AWAY))
def get_provider_leaving(by: By) -> s.Going:
    """Where one signs out at the provider too."""
    return s.Going(url=by.provider.leaving())


async def logout_token(request: Request) -> str:
    """The token of a form, which the provider sends.

    Raises:
        BadInput: there is none, or several.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise BadInput("a logout token comes in a form")
    try:
        found = parse_qs((await request.body()).decode("ascii"), max_num_fields=20).get("logout_token", [])
    except ValueError as error:
        raise BadInput("this form cannot be read") from error
    if len(found) != 1:
        raise BadInput("the form has no logout_token, or several")
    return found[0]


@router.post(
    "/logout",
    responses=answers(p.NOT_FOUND, p.BAD_REPLY, p.THROTTLED, p.PROVIDER_AWAY),
    openapi_extra={"requestBody": {"required": True, "content": {_FORM: {"schema": _LOGOUT}}}},
)
def end_provider_sessions(token: Annotated[str, Depends(logout_token)], request: Request, by: By) -> s.Ended:
    """The provider says that its sessions are over: ours that came from them end now (Back-Channel Logout 1.0)."""
    return s.Ended(sessions=by.logout(token, address_of(request)))

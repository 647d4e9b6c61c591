"""Signing in by an electronic signature: a text to be signed, and the signature over it, by whatever tool makes one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api import door_schemas as d
from api import problems as p
from api import schemas as s
from api.contract import answers
from api.flow_cookies import FlowCookie, address_of
from api.routes.session import entered
from api.services import Use
from archive.domain.errors import NotFound
from archive.domain.wall import iso
from archive.signature.entrance import LASTS, SignatureEntrance

router = APIRouter(prefix="/session/signature", tags=["session"])

COOKIE = FlowCookie("tyndau-signature", LASTS)


def entrance_of(services: Use) -> SignatureEntrance:
    """The way in by a signature.

    Raises:
        NotFound: no roots are set.
    """
    if services.signature is None:
        raise NotFound("nobody signs in by a signature here; sign in with a password")
    return services.signature


By = Annotated[SignatureEntrance, Depends(entrance_of)]


@router.get("")
def get_signature_way(services: Use) -> d.SignatureWay:
    """Whether one can sign in by an electronic signature."""
    there = services.signature is not None
    return d.SignatureWay(there=there, gost=there and bool(services.settings.signature.verifier_url))


@router.post("/flows", status_code=201, responses=answers(p.NOT_FOUND, p.THROTTLED))
def begin_by_signature(request: Request, response: Response, services: Use, by: By) -> d.ToSign:
    """A text to be signed as it is (UTF-8, one line); good once, for ten minutes, in this browser."""
    asked = by.begin(address_of(request))
    COOKIE.keep(services, response, asked.secret)
    return d.ToSign(text=asked.text, until_utc=iso(asked.until_utc))


@router.post(
    "",
    responses=answers(
        p.NOT_FOUND,
        p.BAD_REPLY,
        p.BAD_SIGNATURE,
        p.BAD_CERTIFICATE,
        p.CANNOT_VERIFY,
        p.NO_ACCOUNT,
        p.NO_ROLE,
        p.THROTTLED,
        p.VERIFIER_AWAY,
    ),
)
def finish_by_signature(asked: d.SignatureGiven, request: Request, response: Response, services: Use, by: By) -> s.Me:
    """Begin a session with the signature (CMS SignedData, detached or with the text in it); the text is used up."""
    secret, client = COOKIE.secret(services, request), request.headers.get("user-agent", "")
    opened = by.finish(asked.signature, secret, address_of(request), client)
    COOKIE.drop(services, response)
    return entered(services, response, opened)

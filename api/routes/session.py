"""Signing in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import schemas as s
from api.guard import Who, cookie_name
from api.services import Use
from archive.accounts import NewSession
from archive.db.people import Person

router = APIRouter(prefix="/session", tags=["session"])


@router.post("")
def sign_in(asked: s.SignIn, request: Request, response: Response, services: Use) -> s.Me:
    """Begin a session: a new token in the cookie, whatever cookie came."""
    address = request.client.host if request.client else "unknown"
    made = services.doorkeeper.sign_in(asked.username, asked.password, address)
    response.set_cookie(
        cookie_name(services), made.token, httponly=True, samesite="strict", secure=services.secure, path="/"
    )
    return _me(made)


@router.get("")
def me(who: Who) -> s.Me:
    """Who is signed in."""
    return _shown(who.person, who.csrf_token)


@router.delete("", status_code=204)
def sign_out(who: Who, response: Response, services: Use) -> None:
    """End the session at the server; its token opens nothing any more."""
    services.doorkeeper.sign_out(who)
    response.delete_cookie(cookie_name(services), path="/", secure=services.secure, httponly=True, samesite="strict")


def _me(made: NewSession) -> s.Me:
    return _shown(made.person, made.csrf_token)


def _shown(person: Person, csrf_token: str) -> s.Me:
    return s.Me.model_validate(
        {
            "id": person.id,
            "username": person.username,
            "display_name": person.display_name,
            "role": person.role,
            "language": person.language,
            "csrf_token": csrf_token,
        }
    )

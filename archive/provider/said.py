"""From the claims of an ID token to what we know of a person, by the mapping of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive.accounts import LANGUAGES
from archive.domain.access import Role
from archive.domain.errors import NoRole
from config.settings import Oidc

COURTLESS = (Role.PARTY, Role.ARCHIVIST, Role.AUDITOR)  # work at no court
_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Said:
    """What the provider says of a person. `court` is a court's code."""

    subject: str
    username: str  # lower case; empty where it names none
    display_name: str
    language: str
    sid: str | None
    second_factor: bool


def said_of(claims: Mapping[str, Any], settings: Oidc) -> Said:
    """Who signs in."""
    sid = _text(claims.get("sid"))
    return Said(
        subject=claims["sub"],
        username=_text(_at(claims, settings.username_claim)).lower(),
        display_name=_text(claims.get("name"))[:_NAME_CHARS],
        language=next((one for one in LANGUAGES if one == _text(claims.get("locale"))[:2].lower()), "ru"),
        sid=sid if 0 < len(sid) <= 255 else None,
        second_factor=_second(claims, settings),
    )


def role_of(claims: Mapping[str, Any], settings: Oidc) -> Role | None:
    """The role that the provider's word stands for; None where no mapping is set.

    Raises:
        NoRole: it names none of those that are mapped.
    """
    if not settings.roles:
        return None
    held = _several(_at(claims, settings.roles_claim))
    for theirs, ours in settings.roles.items():
        if theirs in held:
            return Role(ours)
    raise NoRole("the provider gives none of the roles that are known here; ask its administrator", "role")


def court_of(claims: Mapping[str, Any], settings: Oidc, role: Role) -> str | None:
    """The code of the court where a person of this role works, by the provider's word.

    Raises:
        NoRole: it names none, and the role needs one; or one that is not mapped.
    """
    named = sorted(_several(_at(claims, settings.court_claim)))
    if role is Role.PARTY or (not named and role in COURTLESS):
        return None
    if len(named) != 1:
        raise NoRole("the provider names no court, or several; ask its administrator", "court")
    code = settings.courts.get(named[0]) if settings.courts else named[0]
    if code is None:
        raise NoRole("the provider names a court that is not known here; ask its administrator", "court")
    return code


def _second(claims: Mapping[str, Any], settings: Oidc) -> bool:
    by_methods = _several(claims.get("amr")) & set(settings.second_factor_amr)
    return bool(by_methods) or _text(claims.get("acr")) in settings.second_factor_acr


def _at(claims: Mapping[str, Any], path: str) -> object:
    """The claim of this very name, else what the dots lead to."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""


def _several(value: object) -> set[str]:
    values = value if isinstance(value, list) else [value]
    return {one for one in values if isinstance(one, str) and one}

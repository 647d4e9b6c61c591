"""Signing in and out: password, second factor, my other sessions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import door_schemas as d
from api import problems as p
from api import schemas as s
from api.contract import answers
from api.flow_cookies import address_of
from api.guard import Entering, Who, cookie_name
from api.services import Services, Use
from archive.db import people
from archive.db.passkeys import Passkey
from archive.db.sessions import SignedIn, Step, Through, Way
from archive.domain.wall import iso
from archive.doorkeeper import Opened
from archive.second_factor import qr_rows

router = APIRouter(prefix="/session", tags=["session"])

# How it is proved once more who one is.
BY_FACTOR = (p.WRONG_CODE, p.WRONG_PASSKEY, p.COPIED_PASSKEY, p.CONFLICT, p.THROTTLED)
PROVING = (*BY_FACTOR, p.WRONG_PASSWORD, p.NOT_RECENT)


@router.post("", responses=answers(p.SIGN_IN, p.THROTTLED))
def sign_in(asked: s.SignIn, request: Request, response: Response, services: Use) -> s.Me:
    """Begin a session: a new token in the cookie, whatever cookie came.

    Where a `step` is left it opens nothing but that.
    """
    client = request.headers.get("user-agent", "")
    opened = services.doorkeeper.sign_in(asked.username, asked.password, address_of(request), client)
    return entered(services, response, opened)


@router.get("")
def get_me(who: Entering, services: Use) -> s.Me:
    """Who is signed in, or on the way to it."""
    return _me(who, services)


@router.delete("", status_code=204)
def sign_out(who: Entering, response: Response, services: Use) -> None:
    """End the session at the server; its token opens nothing any more."""
    services.doorkeeper.sign_out(who)
    response.delete_cookie(cookie_name(services), path="/", secure=services.secure, httponly=True, samesite="strict")


@router.post("/second-factor", responses=answers(*BY_FACTOR))
def give_second_factor(asked: d.ProofGiven, who: Entering, response: Response, services: Use) -> s.Me:
    """Go on with signing in: a code of the authenticator, a recovery code, or what a passkey has signed."""
    giving = services.giving
    return entered(services, response, giving.give(who, giving.proof(who, asked.code, asked.signed)))


@router.get("/second-factor")
def get_second_factor(who: Who, services: Use) -> d.SecondFactor:
    """What second factors I have, and whether I have to."""
    found = services.factors.standing(who)
    return d.SecondFactor(
        enrolled=found.authenticator or bool(found.passkeys),
        required=found.required,
        recovery_codes_left=found.recovery_codes_left,
        authenticator=found.authenticator,
        passkeys=[_passkey(one) for one in found.passkeys],
        passkeys_possible=found.possible,
    )


@router.delete("/second-factor", status_code=204, responses=answers(*PROVING))
def remove_authenticator(asked: d.TakingAway, who: Who, services: Use) -> None:
    """Go on without the authenticator; without any second factor, where my role may. My other sessions end."""
    proof = services.giving.proof(who, asked.code, asked.signed)
    services.factors.remove_authenticator(who, asked.password, proof)


@router.post("/second-factor/enrolment", responses=answers(*PROVING))
def enrol_authenticator(asked: d.SettingUp, who: Entering, services: Use) -> d.Enrolment:
    """A new secret for my authenticator; it takes effect with its first code."""
    proof = services.giving.proof(who, asked.code, asked.signed)
    shown = services.factors.begin_authenticator(who, asked.password, proof)
    return d.Enrolment(secret=shown.secret, uri=shown.uri, qr=list(qr_rows(shown.uri)))


@router.put("/second-factor/enrolment", responses=answers(p.WRONG_CODE, p.CONFLICT, p.THROTTLED))
def confirm_authenticator(asked: s.CodeGiven, who: Entering, response: Response, services: Use) -> d.Enrolled:
    """Take the new secret into use with its first code; my other sessions end, and I get ten recovery codes."""
    opened, codes = services.factors.finish_authenticator(who, asked.code)
    return d.Enrolled(me=entered(services, response, opened), recovery_codes=codes)


@router.post("/recovery-codes", responses=answers(*BY_FACTOR))
def make_recovery_codes(asked: d.ProofGiven, who: Who, services: Use) -> d.RecoveryCodes:
    """Ten new recovery codes instead of the old ones."""
    proof = services.giving.proof(who, asked.code, asked.signed)
    return d.RecoveryCodes(recovery_codes=services.factors.new_recovery_codes(who, proof))


@router.put("/password", responses=answers(p.WRONG_PASSWORD, p.POOR_PASSWORD, p.CONFLICT, p.THROTTLED))
def change_password(asked: s.NewPassword, who: Entering, response: Response, services: Use) -> s.Me:
    """Another password; all my other sessions end."""
    return entered(services, response, services.doorkeeper.change_password(who, asked.current, asked.new))


@router.get("/terms")
def get_terms(who: Entering, services: Use) -> s.Terms:
    """The terms of viewing, and when I accepted them, if I have."""
    with services.sessions() as session:
        accepted = people.terms_accepted(session, who.person.id, services.terms.version)
    return s.Terms(
        version=services.terms.version, accepted_utc=iso(accepted) if accepted else None, **services.terms.texts
    )


@router.put("/terms", responses=answers(p.CONFLICT))
def accept_terms(asked: s.TermsAccepted, who: Entering, response: Response, services: Use) -> s.Me:
    """Accept the terms of viewing."""
    return entered(services, response, services.doorkeeper.accept_terms(who, asked.version))


@router.get("/devices")
def list_devices(who: Who, services: Use) -> list[s.Device]:
    """Where I am signed in."""
    return [
        s.Device(
            id=one.id,
            created_utc=iso(one.created_utc),
            used_utc=iso(one.used_utc),
            address=one.address,
            client=one.client,
            current=one.token_sha256 == who.token_sha256,
        )
        for one in services.doorkeeper.devices(who)
    ]


@router.delete("/devices")
def end_other_devices(who: Who, services: Use) -> s.Ended:
    """Sign me out everywhere but here."""
    return s.Ended(sessions=services.doorkeeper.end_other_devices(who))


@router.delete("/devices/{device}", status_code=204, responses=answers(p.NOT_FOUND))
def end_device(device: str, who: Who, services: Use) -> None:
    """Sign me out there."""
    services.doorkeeper.end_device(who, device)


def entered(services: Services, response: Response, opened: Opened) -> s.Me:
    """The session's token in its cookie, and whose it is."""
    response.set_cookie(
        cookie_name(services), opened.token, httponly=True, samesite="strict", secure=services.secure, path="/"
    )
    return _me(opened.signed_in, services)


def _me(who: SignedIn, services: Services) -> s.Me:
    return s.Me.model_validate(
        {
            "id": who.person.id,
            "username": who.person.username,
            "display_name": who.person.display_name,
            "role": who.person.role,
            "language": who.person.language,
            "csrf_token": who.csrf_token,
            "step": who.step,
            "by_provider": who.through is Through.PROVIDER,
            "without_password": who.without_password,
            "ways": _ways(who, services),
        }
    )


def _passkey(one: Passkey) -> d.Passkey:
    used = iso(one.used_utc) if one.used_utc else None
    return d.Passkey(id=one.id, name=one.name, created_utc=iso(one.created_utc), used_utc=used)


def _ways(who: SignedIn, services: Services) -> list[Way]:
    """By what the next step is done: what the person has, or could set up."""
    choice = who.ways if who.step is Step.SECOND_FACTOR else tuple(Way) if who.step is Step.ENROL else ()
    return [one for one in choice if one is not Way.PASSKEY or services.giving.possible]

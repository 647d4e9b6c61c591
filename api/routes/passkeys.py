"""Passkeys and security keys (WebAuthn): registering them, what they are to sign, taking them away.

What a passkey has signed is given where a code is given: `POST /session/second-factor` and what changes the account.
"""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from api import door_schemas as d
from api import problems as p
from api.contract import answers
from api.guard import Entering, Who
from api.routes.session import PROVING, entered
from api.services import Use

router = APIRouter(prefix="/session/passkeys", tags=["session"])


@router.post("/challenge", responses=answers(p.NOT_FOUND, p.CONFLICT, p.THROTTLED))
def challenge_passkey(who: Entering, services: Use) -> d.PasskeyOptions:
    """What one of my passkeys is to sign; good once, in this session, for five minutes."""
    return d.PasskeyOptions(options=services.giving.challenge(who))


@router.post("/registration", responses=answers(*PROVING, p.NOT_FOUND))
def begin_passkey(asked: d.SettingUp, who: Entering, services: Use) -> d.PasskeyOptions:
    """What my browser is asked to make a passkey; good once, in this session, for five minutes."""
    proof = services.giving.proof(who, asked.code, asked.signed)
    return d.PasskeyOptions(options=services.factors.begin_passkey(who, asked.password, proof))


@router.put("/registration", responses=answers(*PROVING, p.NOT_FOUND))
def finish_passkey(asked: d.PasskeyNamed, who: Entering, response: Response, services: Use) -> d.Enrolled:
    """Take the passkey into use; my other sessions end, and I get ten recovery codes if I have none."""
    opened, codes = services.factors.finish_passkey(who, asked.name, asked.passkey.model_dump())
    return d.Enrolled(me=entered(services, response, opened), recovery_codes=codes)


@router.delete("/{passkey}", status_code=204, responses=answers(*PROVING, p.NOT_FOUND))
def remove_passkey(passkey: UUID, asked: d.TakingAway, who: Who, services: Use) -> None:
    """Go on without this passkey; without any second factor, where my role may. My other sessions end."""
    proof = services.giving.proof(who, asked.code, asked.signed)
    services.factors.remove_passkey(who, passkey, asked.password, proof)

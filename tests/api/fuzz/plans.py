"""What is sent to each operation so that it is done, not only refused; and what is never done here, with the reason.

An operation that takes a body must stand in BODIES (OF_THE_CALLER when each caller's is another one), a place in an
address in `Real.values`: a new route without a plan fails the test.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from archive.domain.chain import Kind
from archive.domain.enrolment import renewal_proof
from archive.domain.manifest import build_manifest, encode_manifest
from archive.signing import Signer
from tests.api.fuzz.callers import Caller
from tests.api.fuzz.real import GROUND, LATER, THREE, Real, b64, chain, registration, word
from tests.api.world import NOW, PASSWORD, Recorder

# Why an operation is never done here; the test checks that each of them was asked and that none was done.
NEVER_DONE: Mapping[str, str] = {
    **dict.fromkeys(
        ("begin_at_provider", "finish_at_provider", "get_provider_leaving", "end_provider_sessions"),
        "no provider is set here: test_oidc",
    ),
    **dict.fromkeys(("begin_by_signature", "finish_by_signature"), "no roots are set here: test_signature"),
    **dict.fromkeys(
        ("remove_authenticator", "confirm_authenticator", "make_recovery_codes"),
        "takes an authenticator: test_second_factor",
    ),
    **dict.fromkeys(
        ("challenge_passkey", "begin_passkey", "finish_passkey", "remove_passkey"), "takes a passkey: test_passkeys"
    ),
    **dict.fromkeys(
        ("request_destruction", "approve_destruction", "withdraw_destruction"),
        "takes a term that is over: test_retention_routes",
    ),
    **dict.fromkeys(("get_export_file", "head_export_file"), "takes a worker: test_exports"),
    "get_metrics": "not there unless it is set: test_metrics",
    "get_receipt": "takes a worker: test_agent_routes",
    "get_live_media": "takes real segments: test_live_media",
    "give_second_factor": "takes a session that waits for it: test_second_factor",
}


Body = Callable[[Real], dict[str, Any]]


def fixed(**body: Any) -> Body:
    return lambda real: body


def requested(**body: Any) -> Body:
    """With a name of the sender's own."""
    return lambda real: {"request": str(uuid.uuid4()), **body}


def _confirmed(real: Real) -> dict[str, Any]:
    """The text of the open hearing's recording, all of its lines confirmed by its secretary."""
    secretary = real.callers.of("secretary")
    path = f"/api/v1/recordings/{real.court.one().recording}/transcript"
    lines = secretary.http.get(path).json()["utterances"]
    changes = [{"do": "confirm", "lines": [{"seq": one["seq"], "since": one["since"]} for one in lines]}]
    secretary.send("POST", f"{path}/changes", {"request": str(uuid.uuid4()), "changes": changes})
    found: dict[str, Any] = secretary.http.get(path).json()
    return found


def _changes(real: Real) -> dict[str, Any]:
    line = _confirmed(real)["utterances"][0]
    change = {"do": "language", "line": {"seq": line["seq"], "since": line["since"]}, "language": "ru"}
    return {"request": str(uuid.uuid4()), "changes": [change]}


def _certification(real: Real) -> dict[str, Any]:
    return {"request": str(uuid.uuid4()), "revision": int(_confirmed(real)["revision"])}


def _signature(real: Real) -> dict[str, Any]:
    secretary, recording = real.callers.of("secretary"), real.court.one().recording
    path = f"/api/v1/recordings/{recording}/transcript/certification"
    certified = secretary.send("POST", path, _certification(real)).json()
    digest = certified.get("text_sha256") or "0" * 64
    return {"request": str(uuid.uuid4()), "revision": certified.get("revision", 0), "text_sha256": digest}


def _sign_in(real: Real, caller: Caller) -> dict[str, Any]:
    return {"username": caller.person.username if caller.person else "judge", "password": PASSWORD}


def _renewal(real: Real, caller: Caller) -> dict[str, Any]:
    return {"signature": b64(real.callers.signer.sign(renewal_proof(caller.token)))}


def _fingerprint(real: Real) -> dict[str, Any]:
    return {"fingerprint": real.waiting.public().sha256()}


def _registration(real: Real) -> dict[str, Any]:
    return registration(real.recorder())


def _registered(real: Real) -> Recorder:
    made = real.recorder()
    real.as_agent("PUT", made, "", registration(made))
    made.add(Kind.STOP, reason="stopped")
    return made


def _chain(real: Real) -> dict[str, Any]:
    return chain(_registered(real))


def _manifest(real: Real) -> dict[str, Any]:
    made = _registered(real)
    real.as_agent("POST", made, "/chain", chain(made))
    manifest = encode_manifest(build_manifest(made.records))
    return {"manifest": b64(manifest), "signature": b64(made.signer.sign(manifest))}


def _emergency(real: Real) -> dict[str, Any]:
    for one in real.ask("archivist", "GET", "/requests?state=waiting", None)["items"]:
        if one["mine"]:
            real.ask("archivist", "POST", f"/requests/{one['id']}/withdrawal", None)
    asked = {"wants": "emergency", "reason": GROUND}
    made = real.ask("archivist", "POST", f"/hearings/{real.court.one('sealed').hearing}/requests", asked)
    real.at["request"] = made["id"]
    return {"ground": GROUND}


def _schedule(real: Real) -> dict[str, Any]:
    hearing = {
        "external_id": "fuzz-1",
        "case": {"court": "saryarka", "number": "fuzz/1", "kind": "civil", "title": "А — Б"},
        "courtroom": "room-1",
        "scheduled_utc": NOW.isoformat(),
        "class": "open",
        "participants": [{"name": "Истец", "role": "claimant"}],
    }
    return {"hearings": [hearing]}


_PASSKEY = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "response": {"clientDataJSON": "AAAA", "attestationObject": "AAAA"},
}


def _removal(real: Real) -> dict[str, Any]:
    """Of a witness in a hearing that was entered by hand, to whose judge he or she has agreed."""
    seat, hearing = real.seat(), real.at["hearing"]
    real.ask("secretary", "POST", f"/hearings/{hearing}/participants", {"name": "Куә", "role": "witness"})
    real.ask("judge", "POST", f"/seats/{seat}/decision", {"confirm": True})
    found = real.ask("judge", "GET", f"/hearings/{hearing}/participants", None)
    real.at["participant"] = next(one["id"] for one in found if one["role"] == "witness")
    return {"ground": GROUND}


def _closing(real: Real) -> dict[str, Any]:
    real.at["courtroom"] = real.room()
    return {"state": "closed"}


OF_THE_CALLER: Mapping[str, Callable[[Real, Caller], dict[str, Any]]] = {"sign_in": _sign_in, "renew_token": _renewal}
BODIES: Mapping[str, Body] = {
    "give_second_factor": fixed(code="123456"),
    "remove_authenticator": fixed(password=PASSWORD, code="123456"),
    "enrol_authenticator": fixed(password=PASSWORD),
    "confirm_authenticator": fixed(code="123456"),
    "make_recovery_codes": fixed(code="123456"),
    "change_password": fixed(current=PASSWORD, new="another horse battery"),
    "begin_at_provider": fixed(next="/"),
    "finish_at_provider": fixed(state="state", code="code"),
    "end_provider_sessions": fixed(logout_token="token"),
    "command_hearing": fixed(kind="check"),
    "command_room": fixed(kind="check"),
    "assign_recording": lambda real: {"hearing": str(real.court.one().hearing)},
    "change_transcript": _changes,
    "certify_transcript": _certification,
    "sign_transcript": _signature,
    "return_transcript": requested(ground=GROUND),
    "ask_export": fixed(kind="docx", language="ru"),
    "set_mark": fixed(start_ms=1000, end_ms=2000, ground=GROUND, **{"class": "sealed"}),
    "lift_mark": fixed(ground=GROUND),
    "set_hearing_class": fixed(ground=GROUND, **{"class": "closed"}),
    "ask_for_access": fixed(wants="copy", reason="Дайындалу үшін"),
    "decide_request": fixed(days=7, ground=GROUND),
    "revoke_grant": fixed(ground=GROUND),
    "set_glossary": fixed(words=["Қарағанды қаласы"]),
    "make_enrolment_code": lambda real: {"courtroom": str(real.court.rooms["room-1"]), "name": "agent-3"},
    "confirm_agent": _fingerprint,
    "revoke_agent": fixed(reason="ұрланған"),
    "put_schedule": _schedule,
    "enrol_agent": lambda real: real.enrolment("agent-4", Signer.generate()),
    "register_recording": _registration,
    "send_chain": _chain,
    "send_manifest": _manifest,
    "send_state": fixed(state="idle"),
    "acknowledge_command": fixed(ok=True),
    "accept_terms": lambda real: {"version": real.services.terms.version},
    "begin_passkey": fixed(password=PASSWORD),
    "finish_passkey": fixed(name="Кілт", passkey=_PASSKEY),
    "remove_passkey": fixed(password=PASSWORD, code="123456"),
    "finish_by_signature": fixed(signature="MIIB"),
    "confirm_request": _emergency,
    "create_user": lambda real: {"username": word("user"), "display_name": "Айгүл", "role": "secretary"},
    "rename_user": fixed(display_name="Айгүл Қасымова"),
    "set_user_role": fixed(role="operator"),
    "set_user_state": fixed(state="disabled"),
    "decide_role_proposal": fixed(confirm=True),
    "enter_case": lambda real: real.case(),
    "enter_hearing": lambda real: real.hearing(),
    "change_hearing": lambda real: real.entered() and {"scheduled_utc": LATER},
    "cancel_hearing": lambda real: real.entered() and {"ground": GROUND},
    "add_participant": lambda real: real.entered() and {"name": "Куә", "role": "witness"},
    "remove_participant": _removal,
    "decide_seat": lambda real: {"confirm": bool(real.seat()), "ground": GROUND},
    "add_hold": lambda real: {"recording": real.court.one().recording, "ground": GROUND},
    "release_hold": fixed(ground=GROUND),
    "request_destruction": lambda real: {"recording": real.court.one().recording, "ground": GROUND},
    "withdraw_destruction": fixed(ground=GROUND),
    "set_contact": fixed(email="a@example.kz", phone="+7 701 234 56 78", language="kk", by_mail=True, by_sms=False),
    "give_opinion": fixed(sound=5, picture=None, text=4),
    "add_courtroom": lambda real: {"code": word("room-"), **THREE},
    "rename_courtroom": fixed(**THREE),
    "set_courtroom_state": _closing,
}

"""A courtroom machine comes in by a code and its key, stays by renewing its token, and is shut out at once."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from archive.db import enrolments, tables
from archive.domain.enrolment import enrolment_proof, new_code, renewal_proof
from archive.domain.errors import Denied
from archive.signing import Signer
from config.clock import SystemClock
from config.settings import Settings
from recorder.alarms import AlarmBook
from recorder.centre import Centre
from recorder.credentials import Credentials, Held, write
from tests.api.conftest import Running
from tests.api.world import Court, Person, Recorder, SignedIn
from tests.waiting import wait_for

As = Callable[[Person], SignedIn]
IDLE = {"state": "idle", "recording": None}


@dataclass
class Machine:
    """A courtroom machine that wants in."""

    url: str
    signer: Signer
    token: str = ""

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token or 'none'}", "Accept-Language": "en"}
        return httpx.request(method, f"{self.url}/api/v1/agent{path}", json=body, headers=headers, timeout=30)

    def come(self, code: str) -> httpx.Response:
        """Come with a code; keeps the token."""
        public = self.signer.public()
        proof = self.signer.sign(enrolment_proof(code, public.sha256()))
        body = {"code": code, "public_key_pem": public.pem().decode(), "signature": _b64(proof)}
        answer = self.call("POST", "/enrolment", body)
        self.token = answer.json().get("token", "")
        return answer

    def renew(self, signer: Signer | None = None) -> httpx.Response:
        """Ask for the next token."""
        proof = (signer or self.signer).sign(renewal_proof(self.token))
        return self.call("POST", "/token", {"signature": _b64(proof)})

    def state(self) -> int:
        return self.call("POST", "/state", IDLE).status_code


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def admin(court: Court, as_: As) -> SignedIn:
    """The administrator of the court."""
    return as_(court.person("admin"))


@pytest.fixture
def name(running: Running) -> Iterator[str]:
    """A name for an agent of this test, which is shut out at its end."""
    made = f"pc-{uuid.uuid4().hex[:8]}"
    yield made
    with running.services.sessions.begin() as session:
        if (agent := enrolments.agent_named(session, made)) is not None:
            enrolments.revoke(session, agent, keys=True)


def code_for(admin: SignedIn, court: Court, name: str) -> str:
    answer = admin.post("/agents/codes", {"courtroom": str(court.rooms["room-1"]), "name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def seen(admin: SignedIn, name: str) -> dict[str, Any]:
    """The agent as the administrator sees it."""
    return next(one for one in admin.get("/agents").json() if one["name"] == name)


def let_in(admin: SignedIn, court: Court, name: str, url: str) -> Machine:
    """A machine that was enrolled and confirmed."""
    machine = Machine(url, Signer.generate())
    assert machine.come(code_for(admin, court, name)).status_code == 201
    found = seen(admin, name)
    assert admin.post(f"/agents/{found['id']}/confirm", {"fingerprint": found["waiting"]}).status_code == 204
    return machine


def registration(machine: Machine, name: str, signer: Signer) -> int:
    """What the archive says to a recording signed with `signer`."""
    made = Recorder(name, "room-1", None, signer)
    start = made.records[0]
    body = {
        "hearing": None,
        "started_utc": start.t,
        "public_key_pem": signer.public().pem().decode(),
        "start_line": _b64(start.line),
        "signature": _b64(signer.sign(start.line)),
    }
    return machine.call("PUT", f"/recordings/{made.id}", body).status_code


def test_a_machine_is_let_in_once_a_person_has_compared_its_key(
    running: Running, admin: SignedIn, court: Court, name: str
) -> None:
    machine = Machine(running.url, Signer.generate())
    told = machine.come(code_for(admin, court, name).lower().replace("-", " ")).json()
    assert (told["state"], told["agent"], told["courtroom"]) == ("pending", name, "room-1")
    assert told["key_sha256"] == machine.signer.public().sha256()
    assert [machine.state(), registration(machine, name, machine.signer), machine.renew().status_code] == [401] * 3
    assert machine.call("GET", "/schedule").status_code == 401
    found = seen(admin, name)
    assert (found["state"], found["waiting"].replace(" ", "")) == ("waiting", told["key_sha256"])
    wrong = admin.post(f"/agents/{found['id']}/confirm", {"fingerprint": "0" * 64})
    assert wrong.status_code == 409
    assert machine.call("GET", "/enrolment").json()["state"] == "pending"
    assert admin.post(f"/agents/{found['id']}/confirm", {"fingerprint": found["waiting"].upper()}).status_code == 204
    assert machine.call("GET", "/enrolment").json()["state"] == "confirmed"
    assert machine.state() == 200
    assert registration(machine, name, machine.signer) == 201
    assert registration(machine, name, Signer.generate()) == 403
    assert seen(admin, name)["state"] == "enrolled"


def test_a_code_is_good_once(running: Running, admin: SignedIn, court: Court, name: str) -> None:
    code = code_for(admin, court, name)
    machine, thief = Machine(running.url, Signer.generate()), Machine(running.url, Signer.generate())
    assert machine.come(code).status_code == 201
    first = machine.token
    assert machine.come(code).status_code == 201  # the answer was lost
    assert Machine(running.url, machine.signer, first).call("GET", "/enrolment").status_code == 401
    assert thief.come(code).status_code == 403
    found = seen(admin, name)
    assert admin.post(f"/agents/{found['id']}/confirm", {"fingerprint": found["waiting"]}).status_code == 204
    assert machine.come(code).status_code == 403
    with running.services.sessions() as session:
        kept = session.scalars(select(tables.Enrolment.code_sha256)).all()
        assert not any(code.replace("-", "") in one for one in kept)


def test_a_code_needs_the_keys_signature_and_does_not_live_long(
    running: Running, admin: SignedIn, court: Court, name: str
) -> None:
    code = code_for(admin, court, name)
    key, other = Signer.generate(), Signer.generate()
    body = {
        "code": code,
        "public_key_pem": key.public().pem().decode(),
        "signature": _b64(other.sign(enrolment_proof(code, key.public().sha256()))),
    }
    assert httpx.post(f"{running.url}/api/v1/agent/enrolment", json=body).status_code == 403
    with running.services.sessions.begin() as session:
        passed = func.now() - timedelta(seconds=1)
        session.execute(update(tables.Enrolment).where(tables.Enrolment.name == name).values(expires_utc=passed))
    assert Machine(running.url, key).come(code).status_code == 403


def test_whoever_guesses_codes_is_slowed_down(installation: Settings, court: Court) -> None:
    guessed = Running(installation)
    machine = Machine(guessed.url, Signer.generate())
    try:
        answers = [machine.come(new_code()).status_code for _ in range(installation.api.sign_in_attempts + 1)]
    finally:
        assert guessed.stop()
    assert answers == [403] * installation.api.sign_in_attempts + [429]


def test_a_lost_answer_to_a_renewal_locks_nobody_out(
    running: Running, admin: SignedIn, court: Court, name: str
) -> None:
    machine = let_in(admin, court, name, running.url)
    lost = machine.renew().json()["token"]
    made = machine.renew().json()
    assert Machine(running.url, machine.signer, lost).state() == 401  # nobody holds what was never used
    assert machine.state() == 200
    newer = Machine(running.url, machine.signer, made["token"])
    assert newer.state() == 200
    with running.services.sessions() as session:
        left = session.scalars(
            select(tables.AgentToken.ended_utc - func.now()).where(
                tables.AgentToken.sha256 == enrolments.sha256_of(machine.token)
            )
        ).one()
    assert left is not None
    assert timedelta(0) < left <= timedelta(seconds=60)
    with running.services.sessions.begin() as session:
        session.execute(
            update(tables.AgentToken)
            .where(tables.AgentToken.sha256 == enrolments.sha256_of(machine.token))
            .values(ended_utc=func.now())
        )
    assert [machine.state(), machine.renew().status_code, newer.state()] == [401, 401, 200]


def test_an_expired_token_is_worth_nothing_without_the_key(
    running: Running, admin: SignedIn, court: Court, name: str
) -> None:
    machine = let_in(admin, court, name, running.url)
    with running.services.sessions.begin() as session:
        of_this = tables.AgentToken.sha256 == enrolments.sha256_of(machine.token)
        session.execute(update(tables.AgentToken).where(of_this).values(expires_utc=func.now()))
    assert machine.state() == 401
    assert machine.renew(Signer.generate()).status_code == 401
    machine.token = machine.renew().json()["token"]  # it was away for longer than a token lives
    assert machine.state() == 200


def test_a_revoked_machine_is_out_at_once_and_its_key_too(
    running: Running, admin: SignedIn, court: Court, name: str
) -> None:
    machine = let_in(admin, court, name, running.url)
    assert machine.state() == 200
    address = f"/agents/{seen(admin, name)['id']}/revoke"
    assert admin.post(address, {"reason": "stolen", "keys": True}).status_code == 204
    assert [machine.state(), machine.renew().status_code, machine.call("GET", "/schedule").status_code] == [401] * 3
    assert seen(admin, name)["state"] == "out"
    again = machine.come(code_for(admin, court, name))
    assert again.status_code == 403
    anew = let_in(admin, court, name, running.url)
    assert (anew.state(), registration(anew, name, machine.signer)) == (200, 403)
    with running.services.sessions() as session:
        rows = session.scalars(
            select(tables.Audit).where(tables.Audit.action.startswith("agents.")).order_by(tables.Audit.id)
        )
        told = [(row.action, row.allowed) for row in rows if row.data.get("agent", name) == name]
    deeds = ["agents.code", "agents.enrol", "agents.confirm"]
    assert [action for action, allowed in told if allowed] == [*deeds, "agents.revoke", "agents.code", *deeds]


def test_enrolling_again_leaves_the_running_agent_alone_until_it_is_confirmed(
    running: Running, admin: SignedIn, court: Court, name: str
) -> None:
    machine = let_in(admin, court, name, running.url)
    anew = Machine(running.url, Signer.generate())
    assert anew.come(code_for(admin, court, name)).status_code == 201
    assert (machine.state(), anew.state()) == (200, 401)
    found = seen(admin, name)
    assert admin.post(f"/agents/{found['id']}/confirm", {"fingerprint": found["waiting"]}).status_code == 204
    assert (machine.state(), anew.state(), machine.state()) == (200, 200, 200)  # the old one has a minute left


def test_agents_are_the_administrators_of_their_own_court(court: Court, as_: As, admin: SignedIn) -> None:
    with pytest.raises(StopIteration):
        seen(admin, "agent-9")
    elsewhere = {"courtroom": str(court.rooms["room-9"]), "name": "thief"}
    assert admin.post("/agents/codes", elsewhere).status_code == 404
    taken = {"courtroom": str(court.rooms["room-1"]), "name": "agent-9"}
    assert admin.post("/agents/codes", taken).status_code == 409
    for role in ("operator", "secretary", "judge"):
        person = as_(court.person(role))
        assert person.get("/agents").status_code == 403
        assert person.post("/agents/codes", taken).status_code == 403


def test_the_agents_client_renews_in_time_and_says_when_it_is_refused(
    installation: Settings, running: Running, admin: SignedIn, court: Court, name: str, tmp_path: Path
) -> None:
    """Through the real client with a token that lives 6 s, and a second API process on the same database."""
    brief = Running(installation.model_copy(update={"api": installation.api.model_copy(update={"agent_token_s": 6})}))
    try:
        machine = let_in(admin, court, name, brief.url)
        agent = Settings().agent.model_copy(
            update={"server": brief.url, "token": SecretStr(""), "key_file": tmp_path / "agent.key"}
        )
        agent = type(agent)(**agent.model_dump())
        (tmp_path / "agent.key").write_bytes(machine.signer.private_pem())
        clock = SystemClock()
        kept = Credentials(agent, clock)
        write(kept.path, Held(machine.token, 6, name, "room-1", brief.url))
        alarms = AlarmBook(clock)
        centre = Centre(agent, clock=clock, alarms=alarms)
        tokens: set[str] = set()

        def third() -> bool:
            centre.state(IDLE)
            tokens.add(kept.token())
            return len(tokens) == 3

        wait_for(third, 60, "the third token")
        assert kept.path.stat().st_mode & 0o777 == 0o600
        assert alarms.now() == []
        assert admin.post(f"/agents/{seen(admin, name)['id']}/revoke", {"reason": "test"}).status_code == 204
        with pytest.raises(Denied):
            centre.state(IDLE)
        assert [alarm.code for alarm in alarms.now()] == ["UPL-003"]
        machine = let_in(admin, court, name, running.url)  # enrolled anew: taken up without a restart
        (tmp_path / "agent.key").write_bytes(machine.signer.private_pem())
        write(kept.path, Held(machine.token, 86400, name, "room-1", brief.url))
        centre.state(IDLE)
        assert alarms.now() == []
        centre.close()
    finally:
        assert brief.stop()


def test_a_token_that_cannot_be_written_down_is_not_used(
    running: Running, admin: SignedIn, court: Court, name: str, tmp_path: Path
) -> None:
    """A full disk: the machine goes on with the token it has, and says what is wrong."""
    machine = let_in(admin, court, name, running.url)
    key = tmp_path / "agent.key"
    key.write_bytes(machine.signer.private_pem())
    agent = type(Settings().agent)(server=running.url, key_file=key)
    clock = SystemClock()
    kept, alarms = Credentials(agent, clock), AlarmBook(clock)
    write(kept.path, Held(machine.token, 86400, name, "room-1", running.url))
    kept.path.with_name(f".{kept.path.name}.new").mkdir()  # where the new token would be written
    centre = Centre(agent, clock=clock, alarms=alarms)
    centre.state(IDLE)
    centre.state(IDLE)
    assert kept.token() == machine.token
    assert [alarm.code for alarm in alarms.now()] == ["UPL-003"]
    centre.close()

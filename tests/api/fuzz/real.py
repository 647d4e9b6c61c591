"""What there is in the court: ids by the names that addresses have for them, and making more of it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update

from api.services import Services
from archive.db import catalogue, enrolments, notice_tables, rooms
from archive.db import tables as t
from archive.db.tables_agreed import RoleProposal, Seat
from archive.domain.access import Role
from archive.domain.enrolment import enrolment_proof
from archive.signing import Signer
from tests.api.fuzz.callers import AGENT, Caller, Callers
from tests.api.world import Court, Person, Recorder, add_account, record

GROUND = "Определение суда"
VICTIM = "agent-2"  # the machine that is let in and shut out
_IN_CASE = {"judge": "judge", "secretary": "secretary", "party": "claimant"}
NOBODY = "00000000-0000-0000-0000-000000000000"
LATER = "2030-09-14T10:00:00+05:00"
THREE = {"name_kk": "Жаңа зал", "name_ru": "Новый зал", "name_en": "New room"}
PATHS = ("v1/mix.mp4", "v1/master.m3u8", "v1/text/r0-x/ru.vtt", "v1/mix.json")


@dataclass(slots=True)
class Real:
    """The court's own ids, by the names that addresses have for them; what is most open comes first."""

    services: Services
    court: Court
    callers: Callers
    running: str = ""  # a recording that goes on
    waiting: Signer = field(default_factory=Signer.generate)  # the key of a machine that waits to be confirmed
    at: dict[str, str] = field(default_factory=dict)  # what the address of the body made last has to name
    second: Caller | None = None  # another administrator

    def prepare(self) -> None:
        """What is not there from the beginning."""
        own = self.court.one().hearing
        with self.services.sessions.begin() as session:
            add_account(session, "admin-2", Role.ADMIN, "saryarka")
        self.second = self.callers.beside(Person("admin-2", Role.ADMIN, True))
        self.running = record(self.callers.url, self.services, self.court.agent_token, "room-1", own, close=False)
        self.callers.of(AGENT).token = self._enrolled()

    def _enrolled(self) -> str:
        """The token of agent-1, which came by a code and was confirmed."""
        body = self.enrolment("agent-1", self.callers.signer)
        answer = self.callers.of("nobody").http.post("/api/v1/agent/enrolment", json=body)
        with self.services.sessions.begin() as session:
            enrolments.confirm(session, self.court.agents["agent-1"], answer.json()["key_sha256"])
        return str(answer.json()["token"])

    def come(self, name: str) -> None:
        """A machine comes with a code and waits to be confirmed."""
        self.waiting = Signer.generate()
        body = self.enrolment(name, self.waiting)
        self.callers.of("nobody").http.post("/api/v1/agent/enrolment", json=body).raise_for_status()

    def enrolment(self, name: str, signer: Signer) -> dict[str, Any]:
        """What a machine comes with that has a code."""
        with self.services.sessions.begin() as session:
            code = enrolments.make_code(session, "room-1", name, None).code
        public = signer.public()
        proof = signer.sign(enrolment_proof(code, public.sha256()))
        return {"code": code, "public_key_pem": public.pem().decode(), "signature": b64(proof)}

    def refresh(self, path: str) -> None:
        """Make anew what an address speaks of and what an answer may have used up."""
        makers: dict[str, Callable[[], object]] = {
            "{agent}": lambda: self.come(VICTIM),
            "{request}": self._asked,
            "{grant}": self._granted,
            "{mark}": self._marked,
            "{user}": self.user,
            "{proposal}": self._proposed,
            "{hold}": self._held,
            "{notice}": self._summoned,
            "{summons}": self._summoned,
            "{export}": self._exported,
            "{command}": lambda: self._ordered(in_room="{courtroom}" in path),
        }
        for name, make in makers.items():
            if name in path:
                make()

    def _asked(self) -> None:
        asked = {"wants": "copy", "reason": GROUND}
        self.callers.of("party").send("POST", f"/api/v1/hearings/{self.court.one().hearing}/requests", asked)

    def _granted(self) -> None:
        self._asked()
        for request in self.values("")["request"]:
            decision = {"days": 7, "ground": GROUND}
            self.callers.of("judge").send("POST", f"/api/v1/requests/{request}/decision", decision)

    def _marked(self) -> None:
        span = {"start_ms": 1000, "end_ms": 2000, "ground": GROUND}
        self.ask("judge", "POST", f"/recordings/{self.court.one().recording}/marks", span)

    def _proposed(self) -> None:
        assert self.second
        about = f"/api/v1/users/{self.user()}/role"
        self.second.send("PUT", about, {"role": "judge"}, headers={"If-Match": "*"}).raise_for_status()

    def _summoned(self) -> None:
        """The party was told of a hearing that is to come."""
        named = [{"name": role.title(), "role": _IN_CASE[role], "username": role} for role in _IN_CASE]
        hearing = {
            "external_id": word("fuzz-"),
            "case": {"court": "saryarka", "number": "fuzz/summons", "kind": "civil", "title": "А — Б"},
            "courtroom": "room-1",
            "scheduled_utc": LATER,
            "class": "open",
            "participants": named,
        }
        with self.services.sessions.begin() as session:
            made = catalogue.import_hearings(session, {"hearings": [hearing]}, self.services.clock.utc())
            sent = {"state": "sent", "ended_utc": func.now()}
            session.execute(
                update(notice_tables.Delivery).where(notice_tables.Delivery.state == "waiting").values(sent)
            )
        self.at["hearing"] = str(next(iter(made.values())))

    def _held(self) -> None:
        self.ask("archivist", "POST", "/holds", {"recording": self.court.one().recording, "ground": GROUND})

    def _exported(self) -> None:
        self.callers.of("judge").send(
            "POST", f"/api/v1/recordings/{self.court.one().recording}/exports", {"kind": "docx"}
        )

    def _ordered(self, *, in_room: bool) -> None:
        with self.services.sessions.begin() as session:
            by = session.scalars(select(t.User.id).where(t.User.username == "operator")).one()
            if in_room:
                rooms.order_room(session, self.court.rooms["room-1"], "check", {}, by)
            else:
                rooms.order(session, self.court.one().hearing, "check", {}, by)

    def values(self, path: str) -> dict[str, list[str]]:
        """By the name of the place in the address."""
        held = self.court.held
        about_room = t.Command.hearing_id.is_(None) if "{courtroom}" in path else t.Command.hearing_id.is_not(None)
        cases = select(t.Hearing.case_id).where(t.Hearing.id.in_([held[0].hearing, held[8].hearing, held[7].hearing]))
        judge = select(t.User.id).where(t.User.username == "judge").scalar_subquery()
        with self.services.sessions() as session:

            def newest(what: Any, by: Any, *where: Any) -> list[str]:
                return [str(one) for one in session.scalars(select(what).where(*where).order_by(by.desc()).limit(5))]

            return {
                "hearing": [str(one.hearing) for one in held],
                "recording": [*(one.recording for one in held), self.running],
                "courtroom": [str(self.court.rooms[code]) for code in ("room-1", "room-9")],
                "agent": newest(t.Agent.id, t.Agent.name, t.Agent.name.in_((VICTIM, "agent-9")))[::-1],
                "command": newest(t.Command.id, t.Command.created_utc, t.Command.done_utc.is_(None), about_room),
                "request": newest(t.Request.id, t.Request.created_utc, t.Request.state == "waiting"),
                "grant": newest(t.Grant.id, t.Grant.created_utc),
                "mark": newest(t.Mark.id, t.Mark.created_utc),
                "export": newest(t.Export.id, t.Export.requested_utc),
                "device": newest(
                    func.left(t.Session.token_sha256, 16), t.Session.created_utc, t.Session.user_id == judge
                ),
                "user": newest(t.User.id, t.User.created_utc, t.User.username.like("user%")),
                "proposal": newest(RoleProposal.id, RoleProposal.created_utc),
                "hold": newest(t.Hold.id, t.Hold.created_utc),
                "seat": [self.seat()] if "{seat}/w" in path else newest(Seat.id, Seat.created_utc),
                "participant": newest(
                    t.Participant.id, t.Participant.name, t.Participant.hearing_id == held[0].hearing
                ),
                "notice": newest(notice_tables.Notice.id, notice_tables.Notice.created_utc),
                "summons": newest(notice_tables.Summons.id, notice_tables.Summons.made_utc),
                "passkey": [NOBODY],
                "destruction": [NOBODY],
                "case": [str(one) for one in session.scalars(cases)],
                "language": ["kk", "ru"],
                "path": list(PATHS),
            }

    def recorder(self) -> Recorder:
        """A recording of agent-1's that is about to begin."""
        made = Recorder("agent-1", "room-1", None, self.callers.signer)
        self.at["recording"] = made.id
        return made

    def user(self) -> str:
        """An account of the court that is there to be changed."""
        with self.services.sessions.begin() as session:
            return str(add_account(session, word("user"), Role.SECRETARY, "saryarka"))

    def ask(self, caller: str, method: str, path: str, body: Any) -> Any:
        """What somebody's request has made."""
        answer = self.callers.of(caller).send(method, f"/api/v1{path}", body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def case(self) -> dict[str, Any]:
        """A case with its first hearing, as a secretary enters it."""
        judge = {"name": "Судья", "role": "judge", "username": "judge"}
        return {"number": f"fuzz/{word()}", "kind": "civil", "title": "А — Б", "hearing": self.hearing(judge)}

    def hearing(self, *places: dict[str, Any]) -> dict[str, Any]:
        room = str(self.court.rooms["room-1"])
        return {"courtroom": room, "scheduled_utc": LATER, "class": "open", "participants": list(places)}

    def entered(self) -> dict[str, Any]:
        """The ids of a case that was entered by hand, and of its hearing."""
        made: dict[str, Any] = self.ask("secretary", "POST", "/cases", self.case())
        self.at["hearing"] = made["hearing"]
        return made

    def seat(self) -> str:
        """A place that waits for the judge."""
        self.entered()
        with self.services.sessions() as session:
            found = session.scalars(select(Seat.id).order_by(Seat.created_utc.desc())).first()
        self.at["seat"] = str(found)
        return self.at["seat"]

    def room(self) -> str:
        """A room that nobody uses."""
        made = self.ask("admin", "POST", "/courtrooms", {"code": word("room-"), **THREE})
        return str(made["id"])

    def as_agent(self, method: str, made: Recorder, what: str, body: dict[str, Any]) -> None:
        path = f"/api/v1/agent/recordings/{made.id}{what}"
        self.callers.of(AGENT).send(method, path, body).raise_for_status()


def word(beginning: str = "") -> str:
    """Something that nobody has called so before."""
    return f"{beginning}{uuid.uuid4().hex[:12]}"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def registration(made: Recorder) -> dict[str, Any]:
    start = made.records[0]
    return {
        "hearing": None,
        "started_utc": start.t,
        "public_key_pem": made.signer.public().pem().decode(),
        "start_line": b64(start.line),
        "signature": b64(made.signer.sign(start.line)),
    }


def chain(made: Recorder) -> dict[str, Any]:
    lines = [one.line for one in made.records]
    return {"lines": [b64(line) for line in lines], "signatures": [b64(made.signer.sign(line)) for line in lines]}

"""Webhooks: written with what happened, told to whom it concerns, tried for a day, signed, nothing but ids."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from api.told import Told
from archive import accounts, receipts, revising
from archive.db import alarms, audit, integrations, people, requests, webhook_log, webhooks
from archive.db import tables as t
from archive.db.alarms import Told as Wrong
from archive.db.catalogue import import_hearings
from archive.db.integrations import Scope
from archive.db.session import Sessions
from archive.db.transcripts import put_final
from archive.db.webhook_tables import Webhook as Row
from archive.db.webhook_tables import WebhookAttempt, WebhookDelivery
from archive.db.webhooks import Attempt
from archive.domain.access import Role
from archive.domain.asking import Wants
from archive.domain.errors import BadInput, NotFound
from archive.domain.revisions import Confirm, Ref
from archive.domain.transcript import Language, Transcript, Utterance
from archive.domain.webhooks import PAUSES_S, EventKind, Outcome, Why
from archive.jobs.context import job_context
from archive.publish import catalogue
from archive.publish.catalogue import close_order
from archive.webhooks import signing
from archive.webhooks.deliver import make
from config.clock import SystemClock
from config.settings import Settings, Webhooks
from tests.archive.court import DOCUMENT, Recorded, Room
from tests.archive.receiver import Receiver, receiving, status
from tests.archive.test_cli import tyndau
from tests.archive.test_jobs import environment

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Ahead(SystemClock):
    """The machine's clock, some time ahead."""

    by = timedelta(0)

    def utc(self) -> datetime:
        return super().utc() + self.by


@dataclass
class Case:
    """A court's system that is told of everything."""

    settings: Settings
    sessions: Sessions
    receiver: Receiver
    clock: Ahead
    integration: uuid.UUID
    webhook: uuid.UUID
    secret: str

    def happens(self, room: Room, code: str = "REC-010") -> Attempt:
        """An alarm; the first attempt to tell of it."""
        with self.sessions.begin() as session:
            kind = EventKind.ALARM_RAISED
            webhook_of(session, kind, room, code)
            return Attempt(newest(session).id, 1)

    def attempt(self, one: Attempt) -> Outcome | None:
        verdict = make(self.sessions, self.settings, self.clock, one)
        return verdict and verdict.outcome

    def delivery(self, one: Attempt) -> WebhookDelivery:
        with self.sessions() as session:
            return session.get_one(WebhookDelivery, one.delivery)

    def waiting_jobs(self) -> list[tuple[Attempt, float]]:
        """Attempts that are queued, and how long they wait (s)."""
        query = text(
            "SELECT args, extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs"
            " WHERE task_name = 'webhook.deliver' ORDER BY id"
        )
        with self.sessions() as session:
            rows = session.execute(query).all()
        return [(Attempt(uuid.UUID(args["delivery"]), args["attempt"]), float(wait or 0)) for args, wait in rows]

    def idle(self) -> None:
        with self.sessions.begin() as session:
            session.execute(text("DELETE FROM procrastinate_jobs"))


def webhook_of(session: Any, kind: EventKind, room: Room, code: str) -> None:
    webhooks.of_room(session, kind, room.agent.courtroom_id, code=code)


def newest(session: Any) -> WebhookDelivery:
    found = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.created_utc.desc()).limit(1)).one()
    assert isinstance(found, WebhookDelivery)
    return found


def let_in(session: Any, court: str = "saryarka", **more: Any) -> uuid.UUID:
    integrations.create(session, court, "CMS", [Scope.SCHEDULE], more.get("expires"), datetime.now(UTC))
    found = session.scalars(select(t.Integration.id).order_by(t.Integration.created_utc.desc()).limit(1)).one()
    assert isinstance(found, uuid.UUID)
    return found


@pytest.fixture
def case(database: Settings, sessions: Sessions, room: Room) -> Iterator[Case]:
    settings = database.model_copy(update={"webhooks": Webhooks(allow_hosts=("localhost",), timeout_s=2)})
    secret = signing.new_secret()
    with receiving(status(204)) as receiver:
        with sessions.begin() as session:
            integration = let_in(session)
            stored = signing.close(settings, secret)
            made = webhook_log.create(session, integration, receiver.url, list(EventKind), stored)
        yield Case(settings, sessions, receiver, Ahead(), integration, made, secret)


# --- what is told ------------------------------------------------------------------------------------


def test_the_life_of_a_recording_is_told_by_ids_alone(case: Case, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with job_context(case.settings) as context:
        made.store(context.evidence)
        with case.sessions.begin() as session:
            made.register(session, room.agent)
            made.register(session, room.agent)
        with case.sessions.begin() as session:
            made.send(session, room.agent, made.records)
            made.close(session, room.agent)
            made.close(session, room.agent)
        assert receipts.issue_receipt(context, made.id)
        assert receipts.issue_receipt(context, made.id)
    now = datetime.now(UTC)
    with case.sessions.begin() as session:
        order = catalogue.open_order(session, made.id)
        assert order
        assert close_order(session, order.plan, order.version, "p/", {"files": {}}, now)
        said = Utterance(500, 2_500, "judge", Language.RU, "слушается дело Иванова")
        for _ in range(2):
            put_final(session, made.id, Transcript(8_000, (said,), "test"), "key")
    by = people.Person(uuid.uuid4(), "secretary", "Хатшы", Role.SECRETARY, "kk", None)  # type: ignore[arg-type]
    acts = (revising.Act(made.id, by, now, str(number), audit.Entry("edit", True, "test")) for number in range(9))
    with case.sessions.begin() as session:
        revising.save(session, next(acts), [Confirm((Ref(0, 0),))], ())
        certified = revising.certify(session, next(acts), 1, ())
        revising.sign(session, next(acts), 2, certified.text_sha256 or "")
        revising.give_back(session, next(acts), "проверка")
    with case.sessions() as session:
        bodies = [json.loads(one) for one in session.scalars(select(WebhookDelivery.body))]
    assert {body["type"] for body in bodies} == set(EventKind) - {"alarm.raised", "alarm.cleared", "request.decided"}
    assert len(bodies) == 7, "each once"
    hearing = {"recording": made.id, "courtroom": "room-1", "hearing": str(room.hearing), "external_id": "h-1"}
    for body in bodies:
        assert datetime.fromisoformat(body["timestamp"]).tzinfo
        assert body["data"].items() >= hearing.items()
        assert set(body["data"]) - set(hearing) <= {"revision"}
        Told.model_validate(body)
    told = json.dumps(bodies, ensure_ascii=False)
    for secret in ("Иванова", "А — Б", "Судья", "Истец", "7135-26/1", "Хатшы", "secretary"):
        assert secret not in told
    assert len(case.waiting_jobs()) == 7


def test_alarms_and_decisions_are_told(case: Case, room: Room) -> None:
    wrong = Wrong("REC-010", "mics", "judge", "Иванов молчит")
    with case.sessions.begin() as session:
        for told in ([wrong], [wrong], []):
            alarms.become(session, room.agent.courtroom_id, alarms.AGENT, told, datetime.now(UTC))
        for name in ("party", "judge"):
            accounts.add_user(session, username=name, password="long enough", display_name=name, role=Role(name))
        party, judge = (found.person for name in ("party", "judge") if (found := people.credentials(session, name)))
        asked = [requests.ask(session, room.hearing, party, wants, "нужно", datetime.now(UTC)) for wants in Wants]
        requests.grant(session, asked[0], judge, "определение", DAY, datetime.now(UTC))
        requests.refuse(session, asked[1], judge, "определение", datetime.now(UTC))
    with case.sessions() as session:
        bodies = [
            json.loads(one) for one in session.scalars(select(WebhookDelivery.body).order_by(WebhookDelivery.kind))
        ]
    for body in bodies:
        Told.model_validate(body)
    about = {"code": "REC-010", "origin": "agent", "hearing": None, "recording": None, "courtroom": "room-1"}
    assert [body["data"] for body in bodies[:2]] == [about, about]
    assert [body["type"] for body in bodies[:2]] == ["alarm.cleared", "alarm.raised"]
    decided = {body["data"]["request"]: body["data"] for body in bodies[2:]}
    assert {one: data["state"] for one, data in decided.items()} == {str(asked[0]): "granted", str(asked[1]): "refused"}
    assert set(decided[str(asked[0])]) == {"request", "hearing", "external_id", "state", "wants"}


def test_what_did_not_happen_is_not_told(case: Case, room: Room) -> None:
    with case.sessions() as session:
        webhook_of(session, EventKind.ALARM_RAISED, room, "REC-010")
        session.rollback()
    with case.sessions() as session:
        assert session.scalars(select(WebhookDelivery)).all() == []
    assert case.waiting_jobs() == []


@pytest.mark.parametrize("why", ["other kind", "other court", "revoked", "expired", "disabled"])
def test_who_is_not_told(case: Case, room: Room, why: str) -> None:
    with case.sessions.begin() as session:
        row = session.get_one(Row, case.webhook)
        if why == "other kind":
            row.kinds = [EventKind.ALARM_CLEARED.value]
        elif why == "disabled":
            webhook_log.disable(session, case.webhook, Why.DISABLED, datetime.now(UTC))
        elif why == "other court":
            other = {"code": "altai", "name_kk": "А", "name_ru": "А", "name_en": "A"}
            import_hearings(session, {**DOCUMENT, "courts": [*DOCUMENT["courts"], other]})
            row.integration_id = let_in(session, "altai")
        elif why == "revoked":
            integrations.revoke(session, case.integration, datetime.now(UTC))
        else:
            session.get_one(t.Integration, case.integration).expires_utc = datetime.now(UTC) - HOUR
        session.flush()
        webhook_of(session, EventKind.ALARM_RAISED, room, "REC-010")
        assert session.scalars(select(WebhookDelivery)).all() == []


# --- how it is told ----------------------------------------------------------------------------------


def test_it_is_signed_and_says_what_it_is(case: Case, room: Room) -> None:
    one = case.happens(room)
    assert case.attempt(one) is Outcome.DELIVERED
    assert case.attempt(one) is None, "the same attempt once more: nothing is sent"
    (taken,) = case.receiver.taken
    assert taken.headers["webhook-id"] == str(one.delivery)
    assert taken.headers["content-type"] == "application/json"
    assert taken.headers["host"] == f"localhost:{case.receiver.port}"
    told = Webhook(case.secret).verify(taken.body, taken.headers)
    assert (told["type"], told["data"]["code"]) == ("alarm.raised", "REC-010")
    with pytest.raises(WebhookVerificationError):
        Webhook(case.secret).verify(taken.body.replace(b"REC-010", b"REC-011"), taken.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(taken.body, taken.headers)
    assert case.delivery(one).delivered_utc


def test_signatures_are_those_of_the_specification() -> None:
    """The example of Standard Webhooks 1.0, worked out apart from the library."""
    body = '{"test": 2432232314}'
    told = signing.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        body,
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert told == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_replaced_while_both_are_good(case: Case, room: Room) -> None:
    new = signing.new_secret()
    with case.sessions.begin() as session:
        webhook_log.rotate(session, case.webhook, signing.close(case.settings, new), HOUR, case.clock.utc())
        assert case.secret not in (session.get_one(Row, case.webhook).old_secret or "")
    case.attempt(case.happens(room))
    for secret in (case.secret, new):
        Webhook(secret).verify(case.receiver.taken[-1].body, case.receiver.taken[-1].headers)
    case.clock.by = 2 * HOUR
    case.attempt(case.happens(room))
    assert len(case.receiver.taken[-1].headers["webhook-signature"].split()) == 1


# --- when it does not go -----------------------------------------------------------------------------


def test_a_receiver_that_fails_is_left_alone_longer_and_longer(case: Case, room: Room) -> None:
    case.receiver.answer = status(503)
    one = case.happens(room)
    other = case.happens(room)
    for number, pause_s in enumerate((*PAUSES_S[:4], PAUSES_S[4]), start=1):
        case.idle()
        assert case.attempt(Attempt(one.delivery, number)) is Outcome.REFUSED
        ((again, wait_s),) = case.waiting_jobs()
        assert again == Attempt(one.delivery, number + 1)
        assert wait_s == pytest.approx(pause_s, abs=5)
        case.idle()
        assert case.attempt(other) is None, "put off, without a question"
        ((again, put_off_s),) = case.waiting_jobs()
        assert again == other
        assert put_off_s == pytest.approx(pause_s, abs=5)
        case.clock.by += timedelta(seconds=pause_s + 1)
    assert len(case.receiver.taken) == 5
    assert len({taken.body for taken in case.receiver.taken}) == 1, "each time the same"
    assert len({taken.headers["webhook-id"] for taken in case.receiver.taken}) == 1
    case.receiver.answer = status(200)
    assert case.attempt(other) is Outcome.DELIVERED
    with case.sessions() as session:
        row = session.get_one(Row, case.webhook)
        assert (row.failures, row.rest_until_utc) == (0, None)
        outcomes = session.scalars(
            select(WebhookAttempt.outcome).where(WebhookAttempt.delivery_id == one.delivery)
        ).all()
    assert outcomes == ["refused"] * 5


def test_after_a_day_it_is_given_up_and_said(case: Case, room: Room, caplog: pytest.LogCaptureFixture) -> None:
    case.receiver.answer = status(500)
    one = case.happens(room)
    case.idle()
    case.clock.by = DAY - timedelta(seconds=3)
    assert case.attempt(one) is Outcome.REFUSED
    kept = case.delivery(one)
    assert (kept.given_up_why, kept.attempts) == (Why.TOO_LONG, 1)
    assert case.waiting_jobs() == []
    assert "HOK-001" in caplog.text
    assert case.attempt(Attempt(one.delivery, 2)) is None


def test_how_long_a_receiver_asks_for_is_heard(case: Case, room: Room) -> None:
    case.receiver.answer = status(429, Retry_After="900")
    one = case.happens(room)
    case.idle()
    case.attempt(one)
    ((_, wait_s),) = case.waiting_jobs()
    assert wait_s == pytest.approx(900, abs=5)


def test_who_says_410_is_told_no_more(case: Case, room: Room, caplog: pytest.LogCaptureFixture) -> None:
    case.receiver.answer = status(410)
    one, other = case.happens(room), case.happens(room)
    assert case.attempt(one) is Outcome.GONE
    assert case.attempt(other) is None
    assert (case.delivery(one).given_up_why, case.delivery(other).given_up_why) == (Why.GONE, Why.GONE)
    assert "HOK-002" in caplog.text
    with case.sessions.begin() as session:
        assert webhook_log.one(session, case.webhook).disabled_why == Why.GONE
        webhook_of(session, EventKind.ALARM_RAISED, room, "REC-010")
        assert len(session.scalars(select(WebhookDelivery)).all()) == 2


def test_what_waits_for_a_system_that_was_shut_out_is_not_told(case: Case, room: Room) -> None:
    one = case.happens(room)
    with case.sessions.begin() as session:
        integrations.revoke(session, case.integration, datetime.now(UTC))
    assert case.attempt(one) is None
    assert case.delivery(one).given_up_why == Why.REVOKED
    assert case.receiver.taken == []


def test_a_machine_without_the_key_sends_nothing_and_says_so(
    case: Case, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    one = case.happens(room)
    key = signing.key_file(case.settings)
    kept = key.read_bytes()
    for content in (None, signing.Fernet.generate_key(), b"no key"):
        key.unlink(missing_ok=True)
        if content:
            key.write_bytes(content)
        number = case.delivery(one).attempts + 1
        case.clock.by += HOUR
        assert case.attempt(Attempt(one.delivery, number)) is Outcome.NO_KEY
    assert "HOK-003" in caplog.text
    assert case.receiver.taken == []
    key.write_bytes(kept)
    case.clock.by += HOUR
    assert case.attempt(Attempt(one.delivery, 4)) is Outcome.DELIVERED


def test_the_log_is_kept_for_a_month(case: Case, room: Room) -> None:
    case.attempt(case.happens(room))
    case.happens(room)
    with case.sessions.begin() as session:
        webhook_log.forget_old(session, datetime.now(UTC) + webhook_log.KEPT - HOUR)
        assert len(webhook_log.deliveries(session, case.webhook, 10)) == 2
        webhook_log.forget_old(session, datetime.now(UTC) + webhook_log.KEPT + HOUR)
        assert webhook_log.deliveries(session, case.webhook, 10) == []


def test_what_cannot_be_added(case: Case) -> None:
    with case.sessions() as session:
        with pytest.raises(NotFound):
            webhook_log.create(session, uuid.uuid4(), "https://cms.example/", [EventKind.TEXT_FINAL], "")
        with pytest.raises(BadInput):
            webhook_log.create(session, case.integration, "http://cms.example/", [EventKind.TEXT_FINAL], "")
        with pytest.raises(BadInput):
            webhook_log.create(session, case.integration, "https://cms.example/", [], "")
        with pytest.raises(NotFound):
            webhook_log.one(session, uuid.uuid4())


def test_at_the_console(case: Case, room: Room) -> None:
    env = {**environment(case.settings), "TYNDAU_WEBHOOKS__ALLOW_HOSTS": '["localhost"]'}

    def run(*words: str) -> tuple[int, str, str]:
        done = tyndau("webhook", *words, env=env)
        return done.returncode, done.stdout, done.stderr

    code, secret, told = run("add", str(case.integration), case.receiver.url, "--kind", "text.signed")
    assert (code, secret[:6]) == (0, "whsec_")
    made = told.split()[1].rstrip(";")
    assert run("test", made)[:2] == (0, "delivered 204\n")
    Webhook(secret.strip()).verify(case.receiver.taken[0].body, case.receiver.taken[0].headers)
    case.receiver.answer = status(500)
    assert run("test", made)[:2] == (1, "refused 500\n")
    assert secret.strip() not in run("list")[1]
    assert "webhook.test" in run("log", made)[1]
    assert run("disable", made)[0] == 0
    assert run("test", made)[0] == 1
    assert case.waiting_jobs() == [], "what is tried by hand is not tried again"
    with case.sessions() as session:
        actions = session.scalars(select(t.Audit.action).order_by(t.Audit.id)).all()
    assert actions == ["webhook.add", "webhook.disable"]

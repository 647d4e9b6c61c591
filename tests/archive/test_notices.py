"""Notices on their way: told once, decided when they go out, tried again, given up, withheld."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from archive import accounts
from archive.db import contacts, notices, people, requests
from archive.db import notice_tables as n
from archive.db import tables as t
from archive.db.catalogue import import_hearings
from archive.db.contacts import Contact
from archive.db.hearings import Names
from archive.db.notice_subjects import About
from archive.db.outbox import Due
from archive.db.people import Person
from archive.db.session import make_sessions
from archive.domain.access import AccessClass, Role
from archive.domain.asking import Wants
from archive.domain.notices import Topic, Way
from archive.jobs.context import JobContext, job_context
from archive.notices.send import catch_up, send_due
from archive.notices.words import LANGUAGES, TEMPLATES, Particulars, Writer
from config.clock import SystemClock
from config.settings import Api, Notices, Settings
from tests.archive.court import DOCUMENT
from tests.carriers import Gateway, MailBox, mail_server, nobody_there, sms_gateway

EMAIL, PHONE = "party@example.kz", "+77012345678"
TERM = timedelta(days=30)


class Moved(SystemClock):
    """A clock whose wall time a test moves."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def utc(self) -> datetime:
        return super().utc() + self.by


@dataclass
class House:
    """A court with a hearing, its judge, a party who wants to be told by both ways, and what carries that."""

    context: JobContext
    clock: Moved
    hearing: uuid.UUID
    judge: Person
    party: Person
    box: MailBox
    gateway: Gateway

    def ask(self, wants: Wants = Wants.ACCESS) -> uuid.UUID:
        with self.context.sessions.begin() as session:
            return requests.ask(session, self.hearing, self.party, wants, "керек", self.clock.utc())

    def refuse(self, *wants: Wants) -> None:
        for one in wants or (Wants.ACCESS,):
            asked = self.ask(one)
            with self.context.sessions.begin() as session:
                requests.refuse(session, asked, self.judge, "ұйғарым", self.clock.utc())

    def grant(self, term: timedelta = TERM) -> uuid.UUID:
        asked = self.ask()
        with self.context.sessions.begin() as session:
            return requests.grant(session, asked, self.judge, "ұйғарым", term, self.clock.utc())

    def want(self, **changed: Any) -> None:
        wanted = replace(Contact(EMAIL, PHONE, "ru", True, True), **changed)
        with self.context.sessions.begin() as session:
            contacts.set_contact(session, self.party.id, wanted, self.clock.utc())

    def send(self) -> None:
        send_due(self.context)

    def later(self, **by: float) -> None:
        self.clock.by += timedelta(**by)

    def states(self, way: Way = Way.MAIL) -> list[tuple[str, str | None, int]]:
        with self.context.sessions() as session:
            query = select(n.Delivery.state, n.Delivery.reason, n.Delivery.tries).join(n.Notice)
            rows = session.execute(query.where(n.Delivery.way == way).order_by(n.Notice.created_utc, n.Notice.topic))
            return [(row.state, row.reason, row.tries) for row in rows]

    def change(self, statement: Any) -> None:
        with self.context.sessions.begin() as session:
            session.execute(statement)


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailBox, Gateway, Notices]]:
    folder = tmp_path_factory.mktemp("carriers")
    with mail_server(folder) as box, sms_gateway() as gateway:
        yield box, gateway, Notices(mail=box.settings, sms=gateway.settings(folder))


@contextmanager
def opened(database: Settings, carriers: tuple[MailBox, Gateway, Notices], **changed: Any) -> Iterator[House]:
    box, gateway, section = carriers
    box.taken.clear()
    box.answers.clear()
    gateway.sent.clear()
    gateway.status = 202
    api = Api(public_url="https://court.example/")
    settings = database.model_copy(update={"notices": section.model_copy(update=changed), "api": api})
    clock = Moved()
    with job_context(settings) as context, context.sessions.begin() as session:
        hearing = import_hearings(session, DOCUMENT)["h-1"]
        made = []
        for name, role in (("judge", Role.JUDGE), ("party", Role.PARTY)):
            words = {"username": name, "password": None, "display_name": "Иванов Иван", "language": "kk"}
            made.append(people.by_id(session, accounts.add_user(session, role=role, **words)))
            session.add(t.Participant(hearing_id=hearing, user_id=made[-1].id, name="И", role=role.value))
        session.commit()
        house = House(replace(context, clock=clock), clock, hearing, *made, box, gateway)
        house.want()
        yield house


@pytest.fixture
def house(database: Settings, carriers: tuple[MailBox, Gateway, Notices]) -> Iterator[House]:
    with opened(database, carriers) as one:
        yield one


def test_a_decision_goes_out_by_both_ways_once(house: House) -> None:
    house.refuse()
    for _ in range(2):
        house.send()
        house.later(hours=2)
        catch_up(house.context)
    ((to, letter),) = house.box.taken
    (message,) = house.gateway.sent.values()
    assert (to, message["to"]) == (EMAIL, PHONE)
    with house.context.sessions() as session:
        notice = session.scalars(select(n.Notice.id)).one()
    for said in (letter.get_content(), message["text"]):
        assert "7135-26/1" in said
        assert f"https://court.example/notices/{notice}" in said
        assert "А — Б" not in said  # the case's title is made of names
        assert "Иванов" not in said
    assert house.states() == house.states(Way.SMS) == [("sent", None, 1)]


@pytest.mark.parametrize("access_class", [AccessClass.CLOSED, AccessClass.SEALED])
def test_of_a_hearing_that_is_not_open_it_says_that_there_is_news(house: House, access_class: AccessClass) -> None:
    """Also when it was open as the notice was written."""
    house.refuse()
    house.change(update(t.Hearing).values(access_class=access_class.value))
    house.send()
    letter = house.box.taken[0][1]
    (message,) = house.gateway.sent.values()
    for said in (letter.get_content(), letter["Subject"], message["text"]):
        for word in ("7135", "2026", "Сарыарка", "обращени", "Суд отказал"):
            assert word not in said
    assert "уведомление" in message["text"]


def test_who_may_not_have_it_any_more_gets_none(house: House) -> None:
    house.refuse()
    taken_off = update(t.Participant).where(t.Participant.user_id == house.party.id)
    house.change(taken_off.values(removed_utc=house.clock.utc()))
    house.send()
    assert house.states() == [("withheld", "no_access", 1)]
    house.change(taken_off.values(removed_utc=None))
    house.refuse(Wants.COPY)
    house.change(update(t.User).values(disabled_utc=house.clock.utc()))
    house.send()
    assert house.states()[1:] == [("withheld", "no_access", 1)]
    house.change(update(t.User).values(disabled_utc=None))
    house.refuse()
    house.want(by_mail=False)
    house.send()
    assert house.states()[2:] == [("withheld", "no_address", 1)]
    assert house.states(Way.SMS)[2:] == [("sent", None, 1)]
    assert not house.box.taken


def test_what_was_taken_back_is_told_and_what_was_granted_before_is_not(house: House) -> None:
    granted = house.grant()
    for _ in range(2):
        with house.context.sessions.begin() as session:
            requests.revoke(session, granted, house.judge, "қате", house.clock.utc())
    house.send()
    assert house.states() == [("withheld", "outdated", 1), ("sent", None, 1)]
    assert "отменил" in house.box.taken[0][1].get_content()
    house.change(update(t.Participant).values(removed_utc=house.clock.utc()))
    house.change(update(t.Grant).values(revoked_utc=None, while_in_case=False))
    house.change(delete(n.Delivery))
    house.change(delete(n.Notice))
    with house.context.sessions.begin() as session:  # of whom the hearing is nobody's business any more
        requests.revoke(session, granted, house.judge, "қате", house.clock.utc())
    house.send()
    assert "7135" not in house.box.taken[1][1].get_content()


def test_what_is_delayed_waits_longer_each_time(house: House) -> None:
    house.box.answers[EMAIL] = "450 4.2.0 greylisted"
    house.refuse()
    house.send()
    for tries, minutes in ((1, 1), (2, 2), (3, 4), (4, 8)):
        assert house.states() == [("waiting", "delayed", tries)]
        house.later(minutes=minutes, seconds=-5)
        house.send()
        assert house.states() == [("waiting", "delayed", tries)]
        house.later(seconds=5)
        catch_up(house.context)
        with house.context.sessions() as session:
            assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'notices.send'"))
        house.send()
    house.box.answers.clear()
    house.later(hours=1)
    house.send()
    assert house.states() == [("sent", None, 6)]
    assert len(house.box.taken) == 1


def test_a_refused_one_stands_in_nobodys_way(house: House) -> None:
    house.box.answers[EMAIL] = "550 5.1.1 no such user"
    house.refuse()
    house.send()
    house.later(days=1)
    house.box.answers.clear()
    house.refuse(Wants.COPY)
    house.send()
    assert house.states() == [("failed", "refused", 1), ("sent", None, 1)]
    with house.context.sessions() as session:
        answers = session.scalars(select(n.Delivery.answer).where(n.Delivery.way == "mail"))
        assert set(answers) == {"550 5.1.1", None}


def test_a_server_that_is_away_is_asked_seldom_and_loses_nothing(
    database: Settings, carriers: tuple[MailBox, Gateway, Notices], caplog: pytest.LogCaptureFixture
) -> None:
    there = carriers[0].settings
    gone = there.model_copy(update={"port": nobody_there()})
    with opened(database, carriers, mail=gone) as house:
        house.refuse(Wants.ACCESS, Wants.COPY)
        house.send()
        assert sorted(house.states(), key=str) == [("waiting", "away", 1), ("waiting", None, 0)]
        assert [state for state, *_ in house.states(Way.SMS)] == ["sent", "sent"]  # the other way goes on
        for tries, minutes in ((2, 1), (3, 2), (4, 4)):  # tried by turns, yet the pause grows
            house.later(minutes=minutes, seconds=1)
            house.send()
            house.send()
            assert max(tried for _, _, tried in house.states()) == tries
        assert len([one for one in caplog.records if "NTC-001" in one.message]) == 4
        back = house.context.settings.notices.model_copy(update={"mail": there})
        house.context = replace(house.context, settings=house.context.settings.model_copy(update={"notices": back}))
        house.later(hours=1)
        house.send()
        assert [state for state, *_ in house.states()] == ["sent", "sent"]


def test_what_cannot_be_sent_for_days_is_given_up(
    database: Settings, carriers: tuple[MailBox, Gateway, Notices]
) -> None:
    gone = carriers[0].settings.model_copy(update={"port": nobody_there()})
    with opened(database, carriers, mail=gone, give_up_hours=2) as house:
        house.refuse()
        for _ in range(4):
            house.send()
            house.later(hours=1)
        assert [one[:2] for one in house.states()] == [("given_up", "away")]


def test_one_letter_on_which_the_server_breaks_off_does_not_stop_the_others(house: House) -> None:
    house.refuse(Wants.ACCESS, Wants.COPY)
    house.box.answers[EMAIL] = "421 4.3.2 closing"
    house.send()
    assert sorted(house.states(), key=str) == [("waiting", "away", 1), ("waiting", None, 0)]
    house.later(minutes=2)
    house.box.answers = Once(house.box.answers)  # the first to be tried is taken, and only that
    house.send()
    assert sorted(house.states(), key=str) == [("sent", None, 1), ("waiting", "delayed", 2)]


class Once(dict[str, str]):
    """Takes the first address it is asked about."""

    def get(self, key: str, default: Any = None) -> Any:
        if not self.__dict__.pop("done", None):
            self.done = True
            return default
        self.done = True
        return super().get(key, default)


def test_two_workers_send_each_once(house: House) -> None:
    for wants in (Wants.ACCESS, Wants.COPY) * 3:
        house.refuse(wants)
    threads = [threading.Thread(target=send_due, args=(house.context,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.states() == [("sent", None, 1)] * 6
    assert len({letter["Message-ID"] for _, letter in house.box.taken}) == len(house.box.taken) == 6


def test_without_a_server_it_stands_in_the_pages_alone(
    database: Settings, carriers: tuple[MailBox, Gateway, Notices]
) -> None:
    without = Notices()
    with opened(database, carriers, mail=without.mail, sms=without.sms) as house:
        house.refuse()
        house.send()
        assert house.states() == house.states(Way.SMS) == [("failed", "no_server", 1)]
        with house.context.sessions() as session:
            assert [one.topic for one in notices.listed(session, house.party, None, 9)] == [Topic.REFUSED]
            assert notices.unread(session, house.party) == 1


def test_nobody_who_gave_no_address_is_written_to(house: House) -> None:
    house.want(email=None, phone=None)
    house.refuse()
    house.send()
    assert house.states() == []
    with house.context.sessions() as session:
        assert notices.unread(session, house.party) == 1
        assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0


def test_access_that_ends_is_told_of_a_day_before_and_once(house: House) -> None:
    house.grant(timedelta(days=30))
    house.later(days=28, hours=23)
    catch_up(house.context)
    assert Topic.ENDING not in topics(house)
    house.later(hours=2)
    for _ in range(2):
        catch_up(house.context)
    house.send()
    assert topics(house).count(Topic.ENDING) == 1
    assert house.states()[-1][0] == "sent"


def test_a_short_grant_needs_no_word_of_its_end(house: House) -> None:
    house.grant(timedelta(days=1))
    catch_up(house.context)
    assert topics(house) == [Topic.GRANTED]


def topics(house: House) -> list[Topic]:
    with house.context.sessions() as session:
        return [one.topic for one in notices.listed(session, house.party, None, 99)]


def test_nothing_is_told_of_what_is_rolled_back(house: House) -> None:
    asked = house.ask()
    sessions = make_sessions(house.context.settings, pool_size=1)
    with sessions() as session:
        requests.refuse(session, asked, house.judge, "ұйғарым", house.clock.utc())
        session.rollback()
    sessions.kw["bind"].dispose()
    house.send()
    assert (topics(house), house.box.taken) == ([], [])


def test_every_notice_has_words_in_every_language(database: Settings) -> None:
    name = Names(uuid.uuid4(), "c", "Сот", "Суд", "Court")
    now = datetime(2026, 9, 14, 5, 15, tzinfo=UTC)
    writer = Writer(database)
    assert {path.parent.name for path in TEMPLATES.glob("*/*.txt")} == set(LANGUAGES)
    for topic, language in ((topic, language) for topic in Topic for language in LANGUAGES):
        due = Due(*[uuid.uuid4(), Way.MAIL, 0, *[uuid.uuid4()] * 3], topic, uuid.uuid4(), now)
        shown = Particulars("7135-26/1", name, name, now, About(True, Wants.COPY, now))
        said, neutral = writer.message(due, language, shown), writer.message(due, language, None)
        assert len({said.subject, neutral.subject}) == 2
        assert "\n" not in said.subject + said.short + neutral.short
        assert "7135-26/1" in said.short
        assert "14.09.2026 10:15" in said.body
        assert "7135" not in neutral.body + neutral.short + neutral.subject
        assert len(said.short) <= 3 * 67  # three parts in UCS-2, with a link some more

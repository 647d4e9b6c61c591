"""The job that sends what is due, and what wakes it up.

Who may have a notice is decided when it goes out, in the transaction that takes it. Then it is handed over, and then
noted. A run ends after a while, and at the first try of a way that is away: other jobs of the worker wait for it.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy.orm import Session

from archive.db import notices, outbox, requests
from archive.db.contacts import Contact, contact
from archive.db.hearings import Standing, hearing, standing
from archive.db.notice_subjects import About, about
from archive.db.outbox import Due, Outcome
from archive.db.people import Person, by_id
from archive.domain.access import AccessClass, Action
from archive.domain.errors import CarrierAway, Misconfigured, NoticeDelayed, NoticeRefused
from archive.domain.notices import NEEDED, Reason, State, Way
from archive.jobs.context import JobContext
from archive.notices.gateway import HttpGateway
from archive.notices.port import Letter, Mail, Sms, Text
from archive.notices.smtp import Smtp
from archive.notices.words import Message, Particulars, Writer
from config.log import report

log = logging.getLogger(__name__)

_BUDGET_S = 20.0  # of one run
_LEASE = timedelta(seconds=50)  # less than the first pause, more than a try takes unless a server drips


class Post:
    """The ways out that this installation has."""

    def __init__(self, context: JobContext) -> None:
        settings = context.settings.notices
        self._context = context
        self._writer = Writer(context.settings)
        self._mail: Mail | None = Smtp(settings.mail, context.clock) if settings.mail.host else None
        self._sms: Sms | None = HttpGateway(settings.sms) if settings.sms.url else None
        self._worked: set[Way] = set()  # in this run
        self.shut: set[Way] = set()

    def send_one(self) -> bool:
        """Bring what has been due for longest to its end, or to its next pause; False when nothing is due."""
        context = self._context
        with context.sessions.begin() as session:
            due = outbox.take(session, context.clock.utc(), _LEASE, self.shut)
            if due is None:
                return False
            made = self._made(session, due)
            if isinstance(made, Outcome):
                outbox.settle(session, due, made, context.clock.utc())
                return True
        outcome = self._tried(due, made)
        with context.sessions.begin() as session:
            outbox.settle(session, due, outcome, context.clock.utc())
        return True

    def _made(self, session: Session, due: Due) -> Letter | Text | Outcome:
        """What is to be handed over, or why nothing is."""
        if (self._mail if due.way is Way.MAIL else self._sms) is None:
            return Outcome(State.FAILED, Reason.NO_SERVER)
        whose = contact(session, due.person)
        to = whose.address(due.way)
        if to is None:
            return Outcome(State.WITHHELD, Reason.NO_ADDRESS)
        person = by_id(session, due.person)
        stands = standing(session, person, due.hearing)
        action = NEEDED[due.topic]
        known = stands is not None and stands.decide(person, Action.LIST).allowed
        if person.disabled_utc or stands is None or (action and not stands.decide(person, action).allowed):
            return Outcome(State.WITHHELD, Reason.NO_ACCESS)
        tells = about(session, due.topic, due.subject, self._context.clock.utc())
        if not tells.current:
            return Outcome(State.WITHHELD, Reason.OUTDATED)
        shown = _particulars(session, person, stands, tells) if known else None
        return _addressed(due, to, person, self._writer.message(due, whose.language, shown), whose)

    def _tried(self, due: Due, made: Letter | Text) -> Outcome:
        try:
            if isinstance(made, Letter) and self._mail:
                self._mail.send(made)
            elif isinstance(made, Text) and self._sms:
                self._sms.send(made)
        except NoticeRefused as error:
            return Outcome(State.FAILED, Reason.REFUSED, error.answer)
        except NoticeDelayed as error:
            return self._later(due, Reason.DELAYED, error.answer)
        except (CarrierAway, Misconfigured) as error:
            if due.way in self._worked:  # it took others just now: the fault lies with this one
                return self._later(due, Reason.DELAYED)
            self.shut.add(due.way)
            report(log, "NTC-001", way=due.way.value, said=str(error))
            return self._later(due, Reason.AWAY)
        except Exception as error:  # whatever it is: it counts as a try of this one, and others wait behind it
            report(log, "NTC-001", way=due.way.value, said=type(error).__name__)
            return self._later(due, Reason.DELAYED)
        self._worked.add(due.way)
        return Outcome(State.SENT)

    def _later(self, due: Due, why: Reason, answer: str | None = None) -> Outcome:
        age = self._context.clock.utc() - due.created_utc
        too_old = age >= timedelta(hours=self._context.settings.notices.give_up_hours)
        return Outcome(State.GIVEN_UP if too_old else State.WAITING, why, answer)


def _addressed(due: Due, to: str, person: Person, message: Message, whose: Contact) -> Letter | Text:
    if due.way is Way.SMS:
        return Text(due.id, to, message.short)
    return Letter(due.id, to, person.display_name, message.subject, message.body, whose.language)


def _particulars(session: Session, person: Person, stands: Standing, tells: About) -> Particulars | None:
    """What may be said outside of the pages; None of a hearing that is not open."""
    found = hearing(session, person, stands.hearing)
    if found is None or stands.access_class is not AccessClass.OPEN:
        return None
    return Particulars(found.case_number, found.court, found.courtroom, found.scheduled_utc, tells)


def send_due(context: JobContext) -> None:
    """Send what is due, until a while is over; then let others go on."""
    post, clock = Post(context), context.clock
    until_s = clock.monotonic_s() + _BUDGET_S
    while post.send_one():
        if clock.monotonic_s() >= until_s:
            with context.sessions.begin() as session:
                notices.wake(session, outbox.is_due(session, clock.utc(), post.shut))
            return


def catch_up(context: JobContext) -> None:
    """Tell of what ends soon, and wake the sender up for what is due by now."""
    now = context.clock.utc()
    ahead = timedelta(hours=context.settings.notices.ending_hours)
    with context.sessions.begin() as session:
        requests.remind(session, now, ahead)
        notices.wake(session, outbox.is_due(session, now))

"""How long a recording is kept, and who may destroy it: retention classes, legal hold, two persons.

The term of a recording is that of the class of its case's kind on the day the hearing was held, counted from the end
of the recording, or of the case where that is known and later. A class that is added can make terms longer, never
shorter; a legal hold wins over everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from archive.domain.access import Relation, Role
from archive.domain.errors import BadInput


class Unit(StrEnum):
    """What a term is counted in."""

    DAYS = "days"
    YEARS = "years"


MOST = {Unit.DAYS: 36_525, Unit.YEARS: 100}


@dataclass(frozen=True, slots=True)
class Term:
    """A length of time; years are calendar years."""

    number: int
    unit: Unit

    def __post_init__(self) -> None:
        if not 1 <= self.number <= MOST[self.unit]:
            raise BadInput(f"a term has 1 to {MOST[self.unit]} {self.unit}; give another")

    def after(self, moment: datetime) -> datetime:
        """When the term is over that begins at `moment`; a 29 February ends on 1 March."""
        if self.unit is Unit.DAYS:
            return moment + timedelta(days=self.number)
        year = moment.year + self.number
        try:
            return moment.replace(year=year)
        except ValueError:
            return moment.replace(year=year, month=3, day=1)


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """How long recordings of one kind of case are kept that were made from `valid_from` until before `valid_to`."""

    code: str
    case_kind: str
    term: Term
    valid_from: date
    valid_to: date | None  # None = goes on
    ground_kk: str
    ground_ru: str

    def holds_on(self, day: date) -> bool:
        """Whether it is valid that day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


def class_on(classes: Iterable[RetentionClass], case_kind: str, day: date) -> RetentionClass | None:
    """The class of a kind of case that day; of several valid ones that with the longest term. None: there is none."""
    somewhen = datetime(2000, 1, 1)  # noqa: DTZ001 - only to compare lengths
    fitting = (one for one in classes if one.case_kind == case_kind and one.holds_on(day))
    return max(fitting, key=lambda one: (one.term.after(somewhen), one.code), default=None)


def replaced_from(old: RetentionClass, new: RetentionClass, today: date) -> date | None:
    """When a class ends because `new` follows it; a day that has begun keeps its class. None: it stays as it is."""
    end = max(new.valid_from, today + timedelta(days=1))
    if old.case_kind != new.case_kind or (old.valid_to is not None and old.valid_to <= end):
        return None
    return max(end, old.valid_from)


def counted_from(recording_ended: datetime, case_ended: datetime | None) -> datetime:
    """The moment at which the term begins."""
    return max(recording_ended, case_ended) if case_ended else recording_ended


def extended(until: datetime | None, term_over: datetime) -> datetime:
    """Until when a recording is kept that was to be kept `until`; never shorter."""
    return max(until, term_over) if until else term_over


# --- who may ---------------------------------------------------------------------------------------------


class KeepAction(StrEnum):
    """What people do about keeping; also the word in the audit log."""

    READ = "retention.read"  # how long something is kept, what holds it, what is to be destroyed
    CLASS = "retention.set"
    HOLD = "hold.add"
    RELEASE = "hold.release"
    REQUEST = "destroy.request"
    APPROVE = "destroy.approve"
    WITHDRAW = "destroy.withdraw"


CUSTODIANS = frozenset({Role.ARCHIVIST, Role.ADMIN})


def may_keep(role: Role, relations: frozenset[Relation], action: KeepAction) -> bool:
    """Whether a person may do this, tied to the recording or case by `relations`.

    The archivist keeps the records of all courts and their terms, a court's administrator the records of the court. Of
    the two who destroy one is an archivist and the other an administrator (`why_not_approve`). The auditor reads.
    """
    if role is Role.ARCHIVIST:
        return True
    if role is Role.ADMIN:
        return Relation.COURT in relations and action is not KeepAction.CLASS
    if role is Role.AUDITOR:
        return action is KeepAction.READ
    own = bool(relations & {Relation.NAMED, Relation.CASE})
    return role is Role.JUDGE and own and action in {KeepAction.READ, KeepAction.HOLD, KeepAction.RELEASE}


def ever_keeps(role: Role, action: KeepAction) -> bool:
    """Whether people of this role do this at all, tied to whatever they are."""
    return may_keep(role, frozenset(Relation), action)


# --- destruction -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """What a destruction must know of a recording.

    `until`: when its term is over; None while it has no class. `second_copy`: whether the other site has confirmed that
    it holds the same; None where there is no other site.
    """

    until: datetime | None
    held: bool
    receipted: bool
    busy: bool  # jobs about it wait or run
    destroyed: bool
    second_copy: bool | None = None


class Refusal(StrEnum):
    """Why a recording may not be destroyed."""

    DESTROYED = "destroyed"
    HELD = "held"
    NO_RECEIPT = "no_receipt"
    NO_SECOND_COPY = "no_second_copy"
    NO_CLASS = "no_class"
    TERM = "term"
    BUSY = "busy"


SAID = {
    Refusal.DESTROYED: "it is destroyed, or about to be; see: tyndau destroy list",
    Refusal.HELD: "a legal hold is on it; see: tyndau hold list",
    Refusal.NO_RECEIPT: "the archive has no receipt for it, so its bytes are not proven; mend it first",
    Refusal.NO_SECOND_COPY: "the second site has not confirmed its copy; wait until both are the same",
    Refusal.NO_CLASS: "it has no retention class; assign it to a hearing, see: tyndau retention list",
    Refusal.TERM: "its term is not over; see: tyndau retention list",
    Refusal.BUSY: "jobs about it are waiting or running; try again when they are done",
}


def why_not_destroy(kept: Kept, now: datetime) -> Refusal | None:
    """The first reason against destroying a recording at `now`; None when there is none."""
    reasons = {
        Refusal.DESTROYED: kept.destroyed,
        Refusal.HELD: kept.held,
        Refusal.NO_RECEIPT: not kept.receipted,
        Refusal.NO_SECOND_COPY: kept.second_copy is False,
        Refusal.NO_CLASS: kept.until is None,
        Refusal.TERM: kept.until is not None and kept.until > now,
        Refusal.BUSY: kept.busy,
    }
    return next((reason for reason, against in reasons.items() if against), None)


def why_not_approve(requester: tuple[object, Role], approver: tuple[object, Role]) -> str:
    """Why these two (id, role) may not destroy together; empty when they may."""
    if requester[0] == approver[0]:
        return "whoever requested it cannot approve it; another person must"
    if {requester[1], approver[1]} != CUSTODIANS:
        return "one of the two must be an archivist and the other an administrator"
    return ""


def checked_ground(text: str) -> str:
    """A ground as it is kept.

    Raises:
        BadInput: empty, or longer than 1000 characters.
    """
    ground = " ".join(text.replace("\0", " ").split())
    if not 3 <= len(ground) <= 1000:
        raise BadInput("a ground has 3 to 1000 characters; name the order or the rule")
    return ground

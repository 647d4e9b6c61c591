"""Cases and hearings that are entered by hand: whom a place in them may be given to, what it gives, and who must agree.

A secretary names people, a judge of the case agrees: until then a place opens nothing, to whomever, of whatever class
the hearing is. For a place in one hearing opens the others of its case, and a class can be raised later.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from archive.domain.access import AccessClass, Action, Relation, Role, decide

JUDGE, SECRETARY = "judge", "secretary"  # places that only accounts of these roles have
MOST_PLACES = 200


class State(StrEnum):
    """Where a place that somebody was named for stands."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


def fits(role: Role, place: str) -> bool:
    """Whether an account of `role` may have this place: what it opens is decided by the account's role, not by it."""
    if role is Role.JUDGE:
        return place == JUDGE
    if role is Role.SECRETARY:
        return place == SECRETARY
    return role is Role.PARTY and place not in (JUDGE, SECRETARY)


def of_staff(role: Role) -> bool:
    """Whether such an account works at the hearing's court, or comes to it."""
    return role in (Role.JUDGE, Role.SECRETARY)


def same_name(one: str, other: str) -> bool:
    """Whether two names may be one person's: nobody enters, or confirms, a party of his own name."""
    return one.casefold().split() == other.casefold().split()


def may_take_away(remover: Role, account: Role | None) -> bool:
    """Whether somebody of the case may take a place in it away; `account`: whose it is, None = nobody's account.

    Whoever names people cannot remove those who agree to it.
    """
    if remover is Role.JUDGE:
        return True
    return remover is Role.SECRETARY and account in (None, Role.PARTY)


def gives(role: Role, access_class: AccessClass) -> list[str]:
    """What a place in a hearing opens to an account, for the audit log."""
    tied = {Relation.NAMED, Relation.CASE}
    return sorted(one.value for one in Action if decide(role, tied, access_class, one).allowed)


def highest(classes: Iterable[AccessClass]) -> AccessClass:
    """The least public of these; open when there are none."""
    order = list(AccessClass)
    return max(classes, key=order.index, default=AccessClass.OPEN)

"""The rules of keeping, for any classes, terms and persons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.access import Relation, Role
from archive.domain.errors import BadInput
from archive.domain.keeping import (
    KeepAction,
    Kept,
    Refusal,
    RetentionClass,
    Term,
    Unit,
    checked_ground,
    class_on,
    counted_from,
    ever_keeps,
    extended,
    may_keep,
    replaced_from,
    why_not_approve,
    why_not_destroy,
)

moments = st.integers(0, 60 * 365 * 86_400).map(lambda s: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
days = st.dates(date(2020, 1, 1), date(2080, 1, 1))
terms = st.one_of(
    st.builds(Term, st.integers(1, 3000), st.just(Unit.DAYS)), st.builds(Term, st.integers(1, 75), st.just(Unit.YEARS))
)
kinds = st.sampled_from(["civil", "criminal"])
lists = st.lists(
    st.builds(RetentionClass, st.uuids().map(str), kinds, terms, days, st.none() | days, st.just(""), st.just(""))
)
kept = st.builds(
    Kept, st.none() | moments, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.none() | st.booleans()
)
persons = st.tuples(st.integers(1, 3), st.sampled_from(Role))


@given(kept, moments)
def test_nothing_is_destroyed_that_is_held_or_within_its_term_or_not_proven(one: Kept, now: datetime) -> None:
    against = why_not_destroy(one, now)
    if against is None:
        assert [one.held, one.busy, one.destroyed] == [False] * 3
        assert one.receipted
        assert one.second_copy is not False
        assert one.until is not None
        assert one.until <= now
    held = why_not_destroy(replace(one, held=True, destroyed=False), now)
    assert held is Refusal.HELD  # whatever else


@given(persons, persons)
def test_it_takes_two_persons_of_two_offices(requester: tuple[int, Role], approver: tuple[int, Role]) -> None:
    if not why_not_approve(requester, approver):
        assert requester[0] != approver[0]
        assert {requester[1], approver[1]} == {Role.ARCHIVIST, Role.ADMIN}
        for _, role in (requester, approver):
            assert may_keep(role, frozenset({Relation.COURT}), KeepAction.REQUEST)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", KeepAction)
def test_who_may(role: Role, action: KeepAction) -> None:
    at_court = may_keep(role, frozenset({Relation.COURT}), action)
    elsewhere = may_keep(role, frozenset(), action)
    of_the_case = may_keep(role, frozenset({Relation.CASE}), action)
    holding = action in {KeepAction.READ, KeepAction.HOLD, KeepAction.RELEASE}
    everywhere = role is Role.ARCHIVIST or (role is Role.AUDITOR and action is KeepAction.READ)
    assert elsewhere is everywhere
    assert at_court is (everywhere or (role is Role.ADMIN and action is not KeepAction.CLASS))
    assert of_the_case is (everywhere or (role is Role.JUDGE and holding))
    assert ever_keeps(role, action) is (at_court or of_the_case)


@given(st.none() | moments, st.lists(moments))
def test_a_term_is_only_ever_extended(before: datetime | None, told: list[datetime]) -> None:
    until = before
    for term_over in told:
        longer = extended(until, term_over)
        assert longer >= term_over
        assert until is None or longer >= until
        until = longer


@given(lists, st.builds(RetentionClass, st.just("new"), kinds, terms, days, st.none(), st.just(""), st.just("")), days)
def test_a_new_class_takes_nothing_from_hearings_that_were_held(
    classes: list[RetentionClass], new: RetentionClass, today: date
) -> None:
    ended = [replace(one, valid_to=replaced_from(one, new, today) or one.valid_to) for one in classes]
    some = datetime(2001, 1, 1, tzinfo=UTC)
    for kind in ("civil", "criminal"):
        for day in {today, new.valid_from, *(one.valid_from for one in classes)}:
            was, will_be = class_on(classes, kind, day), class_on([*ended, new], kind, day)
            if was is not None and day <= today:
                assert will_be is not None
                assert will_be.term.after(some) >= was.term.after(some)
    later = max(today, new.valid_from) + timedelta(days=1)
    fitting = [one for one in ended if one.case_kind == new.case_kind and one.holds_on(later)]
    assert not fitting  # from then on the new one alone


@given(moments, st.none() | moments, terms)
def test_the_term_begins_with_whichever_ends_later(ended: datetime, case: datetime | None, term: Term) -> None:
    begins = counted_from(ended, case)
    assert begins in (ended, case)
    assert begins >= ended
    over = term.after(begins)
    days_of = {Unit.DAYS: term.number, Unit.YEARS: term.number * 365.2425}[term.unit]
    assert abs(over - begins - timedelta(days=days_of)) < timedelta(days=2)


def test_what_cannot_be() -> None:
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert Term(1, Unit.YEARS).after(leap) == datetime(2029, 3, 1, 12, tzinfo=UTC)
    for number, unit in ((0, Unit.DAYS), (101, Unit.YEARS)):
        with pytest.raises(BadInput):
            Term(number, unit)
    for ground in ("", " \0 ", "x" * 1001):
        with pytest.raises(BadInput):
            checked_ground(ground)

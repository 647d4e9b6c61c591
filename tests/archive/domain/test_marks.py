"""Marks conceal what is above a person's clearance, and copies are named by exactly that."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.access import GRANTABLE, AccessClass, Action, Relation, Role, clearance, decide
from archive.domain.errors import BadInput
from archive.domain.marks import (
    SHORTEST_MS,
    Mark,
    Picture,
    Sound,
    beyond,
    checked_concealment,
    checked_span,
    digest,
    higher,
    wordless,
)

MARKS = st.builds(
    Mark,
    st.integers(0, 99).map(lambda n: UUID(int=n)),
    st.integers(0, 60_000),
    st.none() | st.integers(60_001, 99_000),
    st.sampled_from([AccessClass.CLOSED, AccessClass.SEALED]),
    st.sampled_from(Picture),
    st.sampled_from(Sound),
)


@given(st.lists(MARKS), st.sampled_from(AccessClass))
def test_whoever_may_have_more_is_kept_from_less(marks: list[Mark], cleared: AccessClass) -> None:
    hidden = beyond(marks, cleared)
    assert set(hidden) == {mark for mark in marks if higher(mark.access_class, cleared)}
    assert set(beyond(marks, AccessClass.SEALED)) == set()
    assert set(hidden) <= set(beyond(marks, AccessClass.OPEN))


@given(st.lists(MARKS), st.lists(MARKS))
def test_copies_are_the_same_where_the_same_is_concealed(one: list[Mark], other: list[Mark]) -> None:
    def told(marks: list[Mark]) -> list[tuple[object, ...]]:
        return sorted((m.start_ms, m.until_ms, m.picture, m.sound) for m in marks)

    assert (digest(one) == digest(other)) == (told(one) == told(other))
    assert (digest(one) == "") == (not one)


@given(st.lists(MARKS, min_size=1), st.integers(0, 99_000), st.integers(0, 5_000))
def test_words_go_where_any_part_of_them_is_silent(marks: list[Mark], start: int, length: int) -> None:
    moments = range(start, start + max(length, 1))
    silent = [m for m in marks if m.sound is Sound.SILENT]
    expected = any(m.start_ms <= moment < m.until_ms for m in silent for moment in (moments[0], moments[-1]))
    expected |= any(start <= m.start_ms < start + length for m in silent)
    assert wordless(marks, start, start + length) == expected


@given(
    st.sampled_from(Role),
    st.frozensets(st.sampled_from(Relation)),
    st.sampled_from(AccessClass),
    st.sampled_from(Action),
    st.frozensets(st.sampled_from(sorted(GRANTABLE))),
)
def test_clearance_is_what_the_table_says(
    role: Role, ties: frozenset[Relation], own: AccessClass, action: Action, granted: frozenset[Action]
) -> None:
    found = clearance(role, ties, own, action, granted)
    assert (found is None) == (not decide(role, ties, own, action, granted).allowed)
    if found is not None:
        assert not higher(own, found)
        assert found is own or decide(role, ties, found, action).allowed  # a grant opens nothing above
        above = [one for one in AccessClass if higher(one, found)]
        assert not any(decide(role, ties, one, action).allowed for one in above)


def test_what_cannot_be() -> None:
    assert checked_span(5_000, 5_001, 60_000) == (5_000, 5_000 + SHORTEST_MS)
    assert checked_span(5_000, None, None) == (5_000, None)
    for start, end, length in ((-1, 5, None), (60_000, None, 60_000), (7_000, 7_000, None), (7_000, 6_000, 60_000)):
        with pytest.raises(BadInput):
            checked_span(start, end, length)
    with pytest.raises(BadInput, match="conceals nothing"):
        checked_concealment(AccessClass.SEALED, Picture.SHOWN, Sound.HEARD)
    with pytest.raises(BadInput, match="open span"):
        checked_concealment(AccessClass.OPEN, Picture.BLACK, Sound.SILENT)

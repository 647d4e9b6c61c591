"""Lines of an older analysis are indexed again, each once, by however many workers."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Text, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from archive.db import tables as t
from archive.db.session import Sessions
from archive.db.transcripts import put_final
from archive.domain.transcript import Language, Transcript, Utterance
from archive.search import again
from archive.search.again import index_again
from archive.search.analysis import VERSION
from tests.archive.court import Recorded, open_room

SAID = [Utterance(at, at + 500, "judge", Language.RU, f"Взыскать {at} тысяч тенге.") for at in range(1, 41)]


@pytest.fixture
def old_lines(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty lines as version 1 left them."""
    monkeypatch.setattr(again, "_BATCH", 7)
    with sessions.begin() as session:
        room = open_room(session)
        made = Recorded(room.hearing)
        made.register(session, room.agent)
        put_final(session, made.id, Transcript(60_000, tuple(SAID), "test"), "key")
        session.execute(update(t.Utterance).values(analysed=1, stems=cast(literal("'r:взыскать':1"), TSVECTOR)))


def found(sessions: Sessions, key: str) -> int:
    with sessions() as session:
        has = t.Utterance.stems.bool_op("@@")(cast(cast(f"'{key}'", Text), TSQUERY))
        return session.scalar(select(func.count()).select_from(t.Utterance).where(has)) or 0


def test_old_lines_are_found_by_numbers_then(sessions: Sessions, old_lines: None) -> None:
    assert found(sessions, "n:12000") == 0
    assert index_again(sessions) == len(SAID)
    assert found(sessions, "n:12000") == 1
    with sessions() as session:
        assert session.scalars(select(t.Utterance.analysed).distinct()).all() == [VERSION]
    assert index_again(sessions) == 0


def test_a_short_time_does_a_part_and_two_share_the_rest(sessions: Sessions, old_lines: None) -> None:
    assert index_again(sessions, at_once_s=-1) == 7
    done: list[int] = []
    workers = [threading.Thread(target=lambda: done.append(index_again(sessions))) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert 7 + sum(done) + index_again(sessions) == len(SAID)
    assert found(sessions, "n:40000") == 1

"""A destroyed recording: gone for those who may know that there was one, nothing for everybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select, update

from archive.db import tables as t
from tests.api.conftest import Running
from tests.api.world import Court, Held, Person, SignedIn

PATHS = ("", "/transcript", "/media/v1/mix.m3u8", "/bundle")


@contextmanager
def gone(held: Held, running: Running) -> Iterator[Held]:
    """A recording whose destruction has begun; its rows are there still."""

    def mark(at: object) -> None:
        with running.services.sessions.begin() as session:
            session.execute(update(t.Recording).where(t.Recording.id == held.recording).values(destroyed_utc=at))

    mark(func.now())
    try:
        yield held
    finally:
        mark(None)


@pytest.fixture
def destroyed(court: Court, running: Running) -> Iterator[Held]:
    with gone(court.one("open", "own"), running) as held:
        yield held


def test_it_is_gone_or_unknown(
    destroyed: Held, court: Court, running: Running, as_: Callable[[Person], SignedIn]
) -> None:
    judge, party, admin = (as_(court.person(role)) for role in ("judge", "party", "admin"))
    for path in PATHS:
        told = judge.get(f"/recordings/{destroyed.recording}{path}", headers={"Accept-Language": "kk"})
        assert (told.status_code, told.json()["code"]) == (410, "ACC-003"), path
        assert "жойылған" in told.json()["title"]
    assert party.get(f"/recordings/{destroyed.recording}").status_code == 410
    assert admin.get(f"/recordings/{destroyed.recording}/transcript").status_code == 410  # may list, may not read
    with running.services.sessions.begin() as session:
        session.execute(update(t.Hearing).where(t.Hearing.id == destroyed.hearing).values(access_class="sealed"))
    try:
        assert admin.get(f"/recordings/{destroyed.recording}").status_code == 404
    finally:
        with running.services.sessions.begin() as session:
            session.execute(update(t.Hearing).where(t.Hearing.id == destroyed.hearing).values(access_class="open"))
    with running.services.sessions() as session:
        noted = session.scalars(select(t.Audit.rule).where(t.Audit.recording_id == destroyed.recording)).all()
    assert "destroyed" in noted


def test_nobody_finds_it(destroyed: Held, court: Court, running: Running, as_: Callable[[Person], SignedIn]) -> None:
    judge = as_(court.person("judge"))
    hits = judge.get("/search", params={"q": "заседание"}).json()["items"]
    assert hits
    assert destroyed.recording not in {hit["recording"] for hit in hits}
    with gone(court.one("closed", "case"), running) as alone:  # other tests record nothing of that hearing
        hearing = judge.get(f"/hearings/{alone.hearing}").json()
        assert (hearing["recordings"], hearing["state"]) == ([], "ready")

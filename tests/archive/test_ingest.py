"""Ingest: idempotent, order-free, nothing without the right signature (invariants 2, 6, 10)."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, text

from archive.db import recordings
from archive.db import tables as t
from archive.db.agents import agent_by_token, enrol_agent
from archive.db.catalogue import import_hearings
from archive.db.session import Sessions
from archive.domain.chain import Head, Kind, canonical, make_record
from archive.domain.errors import BadInput, Conflict, Damaged, Denied, NotFound, TyndauError
from archive.domain.wall import iso
from archive.ingest import accept_lines, accept_manifest
from archive.signing import Signer
from tests.archive.court import DOCUMENT, START, TICKS, Recorded, Room

TABLES: list[type[t.Base]] = [t.Recording, t.ChainLine, t.Source, t.Run, t.Segment, t.Gap, t.Event]
OF_THE_MOMENT = {"created_utc", "received_utc", "stored_utc"}


def dump(sessions: Sessions) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a recording, without the moments of their writing."""
    found = {}
    with sessions() as session:
        for table in TABLES:
            columns = [c for c in table.__table__.columns if c.name not in OF_THE_MOMENT]
            found[table.__tablename__] = sorted(map(tuple, session.execute(select(*columns))), key=repr)
    return found


def jobs(sessions: Sessions) -> list[tuple[str, str]]:
    with sessions() as session:
        rows = session.execute(text("SELECT task_name, args::text FROM procrastinate_jobs ORDER BY task_name, id"))
        return [(row[0], row[1]) for row in rows]


def send_whole(sessions: Sessions, room: Room, made: Recorded) -> None:
    with sessions.begin() as session:
        made.register(session, room.agent)
    with sessions.begin() as session:
        made.send(session, room.agent, made.records)
    with sessions.begin() as session:
        assert made.close(session, room.agent)


def test_a_whole_recording_becomes_rows_on_the_time_line(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    send_whole(sessions, room, made)
    with sessions() as session:
        recording = session.get_one(t.Recording, made.id)
        assert (recording.hearing_id, recording.stop_reason) == (room.hearing, "stopped")
        assert (recording.ended_utc, recording.verified_ok) == (START.replace(second=41), None)
        placed = session.execute(
            select(t.Segment.source, t.Segment.run, t.Segment.start_ms, t.Segment.end_ms).order_by(
                t.Segment.source, t.Segment.start_ms
            )
        )
        assert [tuple(row) for row in placed] == [
            ("cam", 1, 500, 6500),
            ("cam", 1, 6500, 12500),
            ("cam", 1, 12500, 18500),
            ("cam", 2, 20000, 26000),
            ("mics", 1, 250, 6250),
            ("mics", 1, 6250, 12250),
            ("mics", 1, 12250, 18250),
        ]
        gap = session.scalars(select(t.Gap)).one()
        assert (gap.source, gap.start_ms, gap.end_ms, gap.cause) == ("cam", 18500, 20000, "source_failed")
        events = session.scalars(select(t.Event).order_by(t.Event.seq)).all()
        assert [(e.kind, e.at_ms) for e in events] == [("note", 21000), ("pause", 27000), ("resume", 40000)]


def test_jobs_are_queued_once_with_the_rows(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    send_whole(sessions, room, made)
    with sessions.begin() as session:
        assert made.send(session, room.agent, made.records) == (0, len(made.records))
        assert made.close(session, room.agent) is False
    names = [name for name, _ in jobs(sessions)]
    assert names == [
        "archive.card",
        "ingest.segments",
        "publish.recording",
        "receipt.recording",
        "transcribe.final",
        "transcribe.live",
    ]


@pytest.mark.parametrize("seed", range(8))
def test_any_order_and_any_repetition_leave_the_same_rows(sessions: Sessions, room: Room, seed: int) -> None:
    rng = random.Random(seed)
    made = Recorded(room.hearing).whole(rng)
    send_whole(sessions, room, made)
    expected = dump(sessions)
    with sessions.begin() as session:
        names = ", ".join(f'"{table.__tablename__}"' for table in TABLES)
        session.execute(text(f"TRUNCATE {names} CASCADE"))

    shuffled = made.records[:]
    rng.shuffle(shuffled)
    with sessions.begin() as session:
        assert made.register(session, room.agent)
        assert made.register(session, room.agent) is False
    while shuffled:
        size = rng.randint(1, 4)
        with sessions.begin() as session:
            made.send(session, room.agent, shuffled[:size])
        if rng.random() < 0.5:  # the answer was lost: sent again
            with sessions.begin() as session:
                accepted, _ = made.send(session, room.agent, shuffled[: rng.randint(1, size)])
            assert accepted == 0
        del shuffled[:size]
    with sessions.begin() as session:
        made.close(session, room.agent)
    assert dump(sessions) == expected


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_run_whose_clock_drifts_is_placed_where_its_media_really_were(
    sessions: Sessions, room: Room, seed: int | None
) -> None:
    """500 parts in a million over ten minutes, in whatever order the lines come."""
    made = Recorded(room.hearing)
    made.add(Kind.RUN, 0, source="mics", run=1)
    for number in range(100):
        made.segment("mics", 1, number, zero_s=1, drift_ms=3 * number + number % 3)
    ended = {"source": "mics", "run": 1, "reason": "stopped", "utc": iso(START + timedelta(seconds=1))}
    made.add(Kind.RUN_END, 602, **ended, end_ticks=100 * TICKS)
    made.add(Kind.STOP, 602, reason="stopped")
    sent = made.records[:]
    if seed is not None:
        random.Random(seed).shuffle(sent)
    with sessions.begin() as session:
        made.register(session, room.agent)
    for at in range(0, len(sent), 17):
        with sessions.begin() as session:
            made.send(session, room.agent, sent[at : at + 17])
    with sessions() as session:
        rows = session.scalars(select(t.Segment).order_by(t.Segment.start_ticks)).all()
    assert [row.drift_ms for row in rows][:4] == [0, 4, 8, 9]
    assert all(before.end_ms == after.start_ms for before, after in pairwise(rows))
    for number, row in enumerate(rows):
        assert row.start_ms == pytest.approx(1000 + number * 6003, abs=30)  # level in the last minute
    assert rows[-1].start_ms == 1000 + 99 * 6000 + 270  # the same whatever came first


def test_an_altered_line_is_refused_and_nothing_is_taken(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
    before, queued = dump(sessions), jobs(sessions)
    good, victim = made.records[1], made.records[3]
    altered = canonical(json.loads(victim.line) | {"duration_ticks": 1})
    with pytest.raises(Damaged, match="signature"), sessions.begin() as session:
        accept_lines(
            session,
            room.agent,
            made.id,
            [good.line, altered],
            [made.sign(good.line), made.sign(victim.line)],
            made.objects([victim]),
        )
    assert dump(sessions) == before
    assert jobs(sessions) == queued


def test_a_forked_chain_is_a_conflict(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing)
    first = made.add(Kind.RUN, 0, source="cam", run=1)
    other = make_record(Head(1, made.records[0].sha256), iso(START), Kind.RUN, {"source": "mics", "run": 1})
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, [first])
    with pytest.raises(Conflict, match="forked"), sessions.begin() as session:
        made.send(session, room.agent, [other])


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.RUN, {"source": "cam"}),
        (Kind.RUN, {"source": "../x", "run": 1}),
        (Kind.RUN, {"source": "cam", "run": -1}),
        (Kind.RUN, {"source": "cam", "run": True}),
        (Kind.RUN, {"source": "cam2", "run": 1}),
        (Kind.RUN_END, {"source": "cam", "run": 1, "reason": "bored", "utc": None, "end_ticks": 1}),
        (Kind.GAP, {"source": "cam", "from_utc": "yesterday", "to_utc": iso(START), "cause": "killed", "detail": ""}),
        (Kind.STOP, {}),
    ],
)
def test_a_signed_line_that_makes_no_sense_is_named(
    sessions: Sessions, room: Room, kind: Kind, fields: dict[str, object]
) -> None:
    made = Recorded(room.hearing)
    line = made.add(kind, 1, **fields)
    with sessions.begin() as session:
        made.register(session, room.agent)
    with pytest.raises(Damaged, match="chain line 1"), sessions.begin() as session:
        made.send(session, room.agent, [line])


def test_a_segment_needs_its_object(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing)
    line = made.segment("cam", 1, 0, zero_s=0)
    with sessions.begin() as session:
        made.register(session, room.agent)
    for objects in ({}, {line.seq: "room-1/other/cam/000001-0.mp4"}):
        with pytest.raises(BadInput, match="store it first"), sessions.begin() as session:
            accept_lines(session, room.agent, made.id, [line.line], [made.sign(line.line)], objects)


def test_two_segments_cannot_have_one_place(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing)
    twice = [made.segment("cam", 1, 0, zero_s=0), made.segment("cam", 1, 0, zero_s=0)]
    with sessions.begin() as session:
        made.register(session, room.agent)
    with pytest.raises(Conflict, match="place"), sessions.begin() as session:
        made.send(session, room.agent, twice)


def test_a_manifest_needs_every_line(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records[:4] + made.records[5:])
    with pytest.raises(Conflict, match="1 chain lines are missing, the first is 4"), sessions.begin() as session:
        made.close(session, room.agent)


def test_a_manifest_of_another_chain_or_hand_is_refused(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records)
    edited = canonical(json.loads(made.manifest()) | {"gaps": 0})
    for data, signature in ((edited, made.sign(edited)), (made.manifest(), Signer.generate().sign(made.manifest()))):
        with pytest.raises(Damaged), sessions.begin() as session:
            accept_manifest(session, room.agent, made.id, data, signature)
    with sessions() as session:
        assert session.get_one(t.Recording, made.id).manifest_sha256 is None


def test_a_closed_recording_takes_no_more(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    send_whole(sessions, room, made)
    late = made.add(Kind.NOTE, 60, code="x", text="", by="")
    with pytest.raises(Conflict, match="closed"), sessions.begin() as session:
        made.send(session, room.agent, [late])


def test_an_agent_reaches_its_own_recordings_alone(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
        token = enrol_agent(session, "room-1", "agent-2")
        other = agent_by_token(session, token)
        assert other
    with pytest.raises(NotFound), sessions.begin() as session:
        made.send(session, other, made.records)
    with pytest.raises(Conflict), sessions.begin() as session:
        made.register(session, other)


def test_a_second_key_needs_a_second_enrolment(sessions: Sessions, room: Room) -> None:
    with sessions.begin() as session:
        Recorded(room.hearing).register(session, room.agent)
    with pytest.raises(Denied, match="enrol"), sessions.begin() as session:
        Recorded(room.hearing).register(session, room.agent)
    with sessions.begin() as session:
        enrol_agent(session, "room-1", "agent-1")
    with sessions.begin() as session:
        assert Recorded(room.hearing).register(session, room.agent)
        assert agent_by_token(session, room.token) is None


@pytest.mark.parametrize("hearing", [None, uuid.UUID(int=7)])
def test_an_unknown_hearing_never_stops_a_recording(sessions: Sessions, room: Room, hearing: uuid.UUID | None) -> None:
    made = Recorded(hearing)
    with sessions.begin() as session:
        assert made.register(session, room.agent)
    with sessions() as session:
        assert session.get_one(t.Recording, made.id).hearing_id is None


def test_a_start_line_of_another_room_is_refused(sessions: Sessions, room: Room) -> None:
    with pytest.raises(BadInput, match="courtroom"), sessions.begin() as session:
        Recorded(room.hearing, courtroom="room-2").register(session, room.agent)


def test_nonsense_is_an_error_of_ours(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing)
    with sessions.begin() as session:
        made.register(session, room.agent)
    for line in (b"", b"{}", b"[1]", b"\xff", b"[" * 5000, b'{"seq":1}', canonical({"seq": 1, "kind": "run"})):
        with pytest.raises(TyndauError), sessions.begin() as session:
            accept_lines(session, room.agent, made.id, [line], [made.sign(line)], {})


def test_a_note_that_the_database_cannot_hold_is_taken_all_the_same(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing)
    note = made.add(Kind.NOTE, 1, code="x", text="a\0b", by={"n": ["\0"]})
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, [note])
    with sessions() as session:
        assert session.scalars(select(t.Event)).one().data == {"code": "x", "text": "a\ufffdb", "by": {"n": ["\ufffd"]}}
        assert session.get_one(t.ChainLine, (made.id, 1)).line == note.line


def test_a_note_that_was_taken_back_is_kept_but_not_shown(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing)
    made.add(Kind.NOTE, 1, code="debates", text="", by="clerk", at_ms=1000)
    wrong = made.add(Kind.NOTE, 2, code="closed_mode", text="", by="clerk", at_ms=2000)
    made.add(Kind.NOTE, 3, code="undo", text="", by="clerk", at_ms=3000, of=wrong.seq)
    made.add(Kind.PAUSE, 4, reason="recess", by="clerk", at_ms=4000, command="c-1")
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records[1:])
    with sessions() as session:
        shown = recordings.recording(session, made.id)
        assert shown is not None
        assert [(note.at_ms, note.code) for note in shown.notes] == [(1000, "debates")]
        assert len(session.scalars(select(t.Event)).all()) == 4


def test_importing_twice_changes_nothing_and_removal_ends_access(sessions: Sessions, room: Room) -> None:
    def participants() -> list[tuple[uuid.UUID, str, bool]]:
        with sessions() as session:
            rows = session.scalars(select(t.Participant).order_by(t.Participant.name))
            return [(row.id, row.name, row.removed_utc is None) for row in rows]

    before = participants()
    with sessions.begin() as session:
        assert import_hearings(session, DOCUMENT) == {"h-1": room.hearing}
    assert participants() == before
    hearing = DOCUMENT["hearings"][0]
    with sessions.begin() as session:
        import_hearings(session, {**DOCUMENT, "hearings": [{**hearing, "participants": hearing["participants"][:1]}]})
    assert [(name, stays) for _, name, stays in participants()] == [("Истец", False), ("Судья", True)]


def test_a_document_that_lacks_something_names_it(sessions: Sessions, room: Room) -> None:
    hearing = DOCUMENT["hearings"][0]
    for change, named in (
        ({"class": "secret"}, "secret"),
        ({"courtroom": "nowhere"}, "nowhere"),
        ({"scheduled_utc": "tomorrow"}, "tomorrow"),
        ({"participants": [{"name": "x", "role": "judge", "username": "ghost"}]}, "ghost"),
        ({"case": {"court": "saryarka", "number": "1", "title": ""}}, "kind"),
    ):
        with pytest.raises(BadInput, match=named), sessions.begin() as session:
            import_hearings(session, {"hearings": [{**hearing, **change}]})


def test_another_agents_key_is_refused(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing)
    with sessions.begin() as session:
        made.register(session, room.agent)
        other = agent_by_token(session, enrol_agent(session, "room-1", "agent-2"))
        assert other
    with pytest.raises(Conflict, match="another agent"), sessions.begin() as session:
        replace(made, id="20260914-051500-00000002", records=[], head=Head()).register(session, other)

"""How long statistics and metrics take on the catalogue of a year: 20 courts of five rooms, four hearings a day each.

    python -m tests.bench.statistics [--rooms 100] [--days 365] [--json]

The rows are made up by PostgreSQL itself, in an embedded database: hearings with participants, closed recordings with
gaps, copies, texts and views. Segments and lines are left out: no question here reads them, but for those that are not
read back yet. Each question is asked three times; the median counts, the first one (cold) stands beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from archive.db import measures, people, stored_sizes, text_tallies
from archive.db import statistics as db
from archive.db.session import Sessions, make_sessions, upgrade
from archive.domain.access import Role
from archive.domain.statistics import By, Period
from archive.embedded import embedded
from config.codes import CODES
from config.settings import Settings

A_COURT = 5  # rooms
TIMES = 3
LAST = date(2026, 11, 30)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)

FILL = (
    "SELECT setseed(0.5)",
    """INSERT INTO courts (code, name_kk, name_ru, name_en)
       SELECT 'court-' || n, n || '-аудандық сот', 'Районный суд № ' || n, 'District court ' || n
         FROM generate_series(1, :rooms / 5) n""",
    """INSERT INTO courtrooms (court_id, code, name_kk, name_ru, name_en)
       SELECT id, code || '-' || n, n || '-зал', 'Зал ' || n, 'Room ' || n FROM courts, generate_series(1, 5) n""",
    """INSERT INTO agents (courtroom_id, name, created_utc) SELECT id, code || '-pc', '2025-01-01' FROM courtrooms""",
    """INSERT INTO agent_keys (sha256, agent_id, public_pem) SELECT 'key', id, '' FROM agents LIMIT 1""",
    """INSERT INTO cases (court_id, number, kind, title)
       SELECT court_id, r.code || '/' || n, 'civil', 'Дело' FROM courtrooms r, generate_series(1, :days * 2) n""",
    """INSERT INTO hearings (case_id, courtroom_id, scheduled_utc, access_class, recorded, cancelled_utc)
       SELECT c.id, r.id, :last - make_interval(days => day) + make_interval(hours => 4 + slot * 2),
              (ARRAY['open','open','open','open','open','open','open','open','closed','sealed'])
                  [1 + floor(random() * 10)],
              random() > 0.01, CASE WHEN random() < 0.03 THEN now() END
         FROM courtrooms r, generate_series(0, :days - 1) day, generate_series(0, 3) slot
         JOIN LATERAL (SELECT 1) one ON true
         CROSS JOIN LATERAL (SELECT id FROM cases WHERE number = r.code || '/' || (day * 2 + 1 + slot / 2)) c
        WHERE extract(isodow FROM :last - make_interval(days => day)) < 6""",
    """INSERT INTO participants (hearing_id, name, role)
       SELECT id, 'Қатысушы ' || n, 'witness' FROM hearings, generate_series(1, 4) n""",
    """INSERT INTO recordings (id, hearing_id, courtroom_id, agent_id, key_sha256, started_utc, ended_utc, manifest,
                               manifest_sha256, verified_ok)
       SELECT 'rec-' || row_number() OVER (), h.id, h.courtroom_id, a.id, 'key', h.scheduled_utc + interval '5 min',
              h.scheduled_utc + interval '5 min' + took,
              jsonb_build_object('bytes', extract(epoch FROM took)::bigint * 300000, 'sources', jsonb_build_object(
                  'cam', jsonb_build_object('duration_ms', extract(epoch FROM took)::bigint * 1000, 'segments', 600),
                  'mics', jsonb_build_object('duration_ms', extract(epoch FROM took)::bigint * 1000, 'segments', 600))),
              'sha', true
         FROM (SELECT *, (1800 + floor(random() * 5400)) * interval '1 second' AS took FROM hearings
                WHERE cancelled_utc IS NULL AND recorded AND random() < 0.985) h
         JOIN agents a ON a.courtroom_id = h.courtroom_id""",
    """INSERT INTO gaps (recording_id, seq, source, start_ms, end_ms, cause, detail)
       SELECT id, n, 'cam', 1000 * n, 1000 * n + floor(random() * 20000),
              (ARRAY['source_failed','stalled','killed','late_start'])[1 + floor(random() * 4)], ''
         FROM recordings, generate_series(1, 2) n WHERE random() < 0.03""",
    """INSERT INTO marks (recording_id, start_ms, end_ms, access_class, picture, sound, ground, by_username, by_role)
       SELECT id, 0, 60000, 'closed', 'black', 'silent', '', 'judge', 'judge' FROM recordings WHERE random() < 0.01""",
    """INSERT INTO access_copies (recording_id, version, made_from, prefix, contents, ready_utc)
       SELECT r.id, 1, 'sha', r.id, jsonb_build_object('master', 'm', 'files', files.all),
              r.ended_utc + (60 + random() * random() * 900) * interval '1 second'
         FROM recordings r, (SELECT jsonb_object_agg('file-' || n, jsonb_build_object('size', 4000000 * n, 'sha256',
              repeat('0', 64), 'content_type', 'video/mp4')) AS all FROM generate_series(1, 12) n) files""",
    """INSERT INTO transcripts (recording_id, revision, state, engine, made_utc)
       SELECT id, 0, 'final', 'bench', ended_utc + (120 + random() * random() * 7200) * interval '1 second'
         FROM recordings""",
    """INSERT INTO transcripts (recording_id, revision, state, engine, document)
       SELECT id, n, CASE n WHEN 1 THEN 'edited' ELSE 'certified' END, 'bench', '{}'
         FROM recordings, generate_series(1, 2) n WHERE hashtext(id) % 3 = 0""",
    """INSERT INTO text_tallies (recording_id, revision, lines, unclear_lines, words, unclear_words, kk_lines, ru_lines,
                                 corrected_lines)
       SELECT id, CASE WHEN hashtext(id) % 3 = 0 THEN 2 ELSE 0 END, 400, floor(random() * 40), 4000,
              floor(random() * 500), n, 390 - n, CASE WHEN hashtext(id) % 3 = 0 THEN floor(random() * 90) ELSE 0 END
         FROM (SELECT id, floor(random() * 390)::int AS n FROM recordings) r""",
    """INSERT INTO audit (at_utc, role, action, hearing_id, recording_id, allowed, rule, data)
       SELECT started_utc + random() * interval '20 days',
              (ARRAY['judge','secretary','party','party','archivist'])[1 + floor(random() * 5)],
              (ARRAY['view','view','read','list','levels','search'])[1 + n % 6], hearing_id, id,
              random() < 0.97, '', '{}'
         FROM recordings, generate_series(1, 12) n""",
    """INSERT INTO room_alarms (courtroom_id, origin, code, source, channel, detail, raised_utc, cleared_utc)
       SELECT id, 'centre', (ARRAY['ROM-001','ROM-002','REC-010','REC-001'])[1 + n % 4], '', '', '', at,
              at + interval '9 min'
         FROM courtrooms, generate_series(1, 1000) n
         CROSS JOIN LATERAL (SELECT :last - n * interval '8 hours' AS at) moments""",
    """INSERT INTO commands (courtroom_id, hearing_id, kind, args, ok, done_utc)
       SELECT courtroom_id, id, kind, '{}', random() < 0.999, now()
         FROM hearings, unnest(ARRAY['start', 'stop']) kind""",
    """INSERT INTO stored_sizes (day, court_id, kind, class_code, size_bytes, counted_utc)
       SELECT (:last - make_interval(days => day))::date, id, kind, class_code, (1000 - day) * 1000000000::bigint,
              now()
         FROM courts, generate_series(1, :days) day, unnest(ARRAY['evidence', 'copies']) kind,
              unnest(ARRAY['civil', 'criminal', '']) class_code""",
    "ANALYZE",
)


def fill(session: Session, rooms: int, days: int, last: datetime) -> None:
    """A catalogue of so many rooms and days back from `last`."""
    for one in FILL:
        session.execute(text(one), {"rooms": rooms, "days": days, "last": last})


def measured(sessions: Sessions, ask: Callable[[Session], object]) -> dict[str, float]:
    """Seconds of a question."""
    took: list[float] = []
    for _ in range(TIMES):
        with sessions() as session:
            began = time.perf_counter()
            ask(session)
            took.append(time.perf_counter() - began)
    return {"first_s": round(took[0], 2), "median_s": round(statistics.median(took), 2)}


def run(sessions: Sessions) -> dict[str, dict[str, float]]:
    """All questions, by what they are."""
    zone = ZoneInfo("Asia/Almaty")
    year = Period(LAST - timedelta(days=364), LAST, zone)
    month = Period(LAST - timedelta(days=29), LAST, zone)
    with sessions() as session:
        court = people.court_id(session, "court-1")
        nobody = court
    assert nobody is not None
    admin = people.Person(nobody, "admin", "", Role.ADMIN, court, "ru")
    auditor = people.Person(nobody, "auditor", "", Role.AUDITOR, None, "ru")
    scopes = {
        "a month of a court, by day's administrator": db.Scope(court, admin, month, By.MONTH, NOW),
        "a year of a court, by room": db.Scope(court, admin, year, By.ROOM, NOW),
        "a month of all courts, by court": db.Scope(None, auditor, month, By.COURT, NOW),
        "a year of all courts, by month": db.Scope(None, auditor, year, By.MONTH, NOW),
        "a year of all courts, by room, without limit": db.Scope(None, None, year, By.ROOM, NOW),
    }
    found = {name: measured(sessions, lambda s, one=scope: db.gather(s, one)) for name, scope in scopes.items()}
    seconds = timedelta(seconds=30)
    found["metrics of a scrape"] = measured(sessions, lambda s: measures.read(s, CODES, seconds, seconds, seconds))
    found["counting what is stored"] = measured(sessions, lambda s: stored_sizes.count(s, LAST, NOW))
    found["seeking texts to count"] = measured(sessions, text_tallies.stale)
    return found


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)) as servers:
        settings = servers.settings(Settings())
        upgrade(settings)
        sessions = make_sessions(settings)
        began = time.perf_counter()
        with sessions.begin() as session:
            fill(session, asked.rooms, asked.days, datetime(2026, 11, 30, tzinfo=UTC))
        with sessions() as session:
            made = {
                table: session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names of ours
                for table in ("hearings", "recordings", "audit", "text_tallies")
            }
        filled_s = time.perf_counter() - began
        found = run(sessions)
        sessions.kw["bind"].dispose()
    if asked.json:
        print(json.dumps({"rows": made, "questions": found}))
        return
    print(f"{made}, made in {filled_s:.0f} s")
    for name, took in found.items():
        print(f"{took['median_s']:8.2f} s  (first {took['first_s']:.2f} s)  {name}")


if __name__ == "__main__":
    main()

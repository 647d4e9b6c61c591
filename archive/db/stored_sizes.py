"""How much is stored, by the catalogue: counted now and then, for reading all of it takes seconds.

Evidence is the media of recordings that are not destroyed: of a closed one what its manifest says, of an open one its
segments so far. Chains, receipts and documents are small and not counted, nor is what the second site holds.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from archive.db.operation_tables import StoredSize

EVERY = timedelta(hours=1)
_ONE_AT_A_TIME = text("SELECT pg_try_advisory_xact_lock(8390880602276)")  # any fixed number


class Kind(StrEnum):
    """What is stored."""

    EVIDENCE = "evidence"
    COPIES = "copies"  # access copies
    EXPORTS = "exports"  # made for one person, for some days


_FORGET_TODAY = text("DELETE FROM stored_sizes WHERE day = :day")
_COUNT = text("""
    INSERT INTO stored_sizes (day, court_id, kind, class_code, size_bytes, counted_utc)
    SELECT :day, room.court_id, found.kind, coalesce(keepings.class_code, ''),
           coalesce(sum(found.size_bytes), 0), :now
      FROM (SELECT id AS recording_id, 'evidence' AS kind, CAST(manifest ->> 'bytes' AS bigint) AS size_bytes
              FROM recordings WHERE manifest IS NOT NULL AND destroyed_utc IS NULL
            UNION ALL
            SELECT s.recording_id, 'evidence', s.size_bytes
              FROM recordings r JOIN segments s ON s.recording_id = r.id
             WHERE r.manifest IS NULL AND r.destroyed_utc IS NULL
            UNION ALL
            SELECT c.recording_id, 'copies', CAST(file.value ->> 'size' AS bigint)
              FROM access_copies c, jsonb_each(c.contents -> 'files') AS file
            UNION ALL
            SELECT e.recording_id, 'exports', size_bytes FROM exports e, unnest(e.sizes) AS size_bytes) AS found
      JOIN recordings ON recordings.id = found.recording_id
      JOIN courtrooms room ON room.id = recordings.courtroom_id
      LEFT JOIN keepings ON keepings.recording_id = found.recording_id
     GROUP BY room.court_id, found.kind, coalesce(keepings.class_code, '')
""")
# Where nothing is stored, that stands there too: otherwise an older day would be taken for the newest.
_NOTHING = text("""
    INSERT INTO stored_sizes (day, court_id, kind, class_code, size_bytes, counted_utc)
    SELECT :day, id, 'evidence', '', 0, :now FROM courts ON CONFLICT DO NOTHING
""")


def count(session: Session, day: date, now: datetime) -> bool:
    """Count what is stored on this day; False when somebody has done so lately, or does it now."""
    if not session.scalar(_ONE_AT_A_TIME):
        return False
    last = session.scalar(select(func.max(StoredSize.counted_utc)).where(StoredSize.day == day))
    if last is not None and now - last < EVERY:
        return False
    session.execute(_FORGET_TODAY, {"day": day})
    session.execute(_COUNT, {"day": day, "now": now})
    session.execute(_NOTHING, {"day": day, "now": now})
    return True

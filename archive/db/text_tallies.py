"""How sure the machine was of its texts, and what people corrected: a row for each text, made from its lines."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

UNCLEAR_WORD = 0.5  # less likely words are shown as doubtful
MOST = 1000

_STALE = text("""
    SELECT made.recording_id
      FROM (SELECT recording_id, max(revision) AS newest
              FROM transcripts WHERE revision >= 0 GROUP BY recording_id) AS made
      LEFT JOIN text_tallies tally ON tally.recording_id = made.recording_id
     WHERE tally.revision IS DISTINCT FROM made.newest
     ORDER BY made.recording_id LIMIT :most
""")

# Whoever destroys the recording says so in its row first, and waits for us or is seen by us.
_HOLD = text("SELECT 1 FROM recordings WHERE id = :recording AND destroyed_utc IS NULL FOR SHARE")
_COUNT = text("""
    INSERT INTO text_tallies (recording_id, revision, lines, unclear_lines, words, unclear_words, kk_lines, ru_lines,
                              corrected_lines)
    SELECT :recording, (SELECT max(revision) FROM transcripts WHERE recording_id = :recording AND revision >= 0),
           count(*), count(*) FILTER (WHERE 'unclear' = ANY(flags)),
           coalesce(sum(jsonb_array_length(words)), 0),
           coalesce(sum((SELECT count(*) FROM jsonb_array_elements(words) AS word
                          WHERE CAST(word ->> 3 AS float8) < :unclear)), 0),
           count(*) FILTER (WHERE language = 'kk'), count(*) FILTER (WHERE language = 'ru'),
           count(*) FILTER (WHERE replaced_in IS NOT NULL)
      FROM utterances WHERE recording_id = :recording AND revision = 0
    HAVING EXISTS (SELECT FROM transcripts WHERE recording_id = :recording AND revision >= 0)
    ON CONFLICT (recording_id) DO UPDATE SET
        revision = excluded.revision, lines = excluded.lines, unclear_lines = excluded.unclear_lines,
        words = excluded.words, unclear_words = excluded.unclear_words, kk_lines = excluded.kk_lines,
        ru_lines = excluded.ru_lines, corrected_lines = excluded.corrected_lines
""")


def stale(session: Session) -> list[str]:
    """Recordings whose text is new or was changed since it was counted; some of them."""
    return list(session.scalars(_STALE, {"most": MOST}))


def count(session: Session, recording: str) -> None:
    """Count a recording's text as it is; nothing for one that is being destroyed."""
    if session.scalar(_HOLD, {"recording": recording}):
        session.execute(_COUNT, {"recording": recording, "unclear": UNCLEAR_WORD})

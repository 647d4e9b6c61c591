"""Lines that an older analysis has indexed, indexed again: a new version of it finds old texts too."""

from __future__ import annotations

import time

from sqlalchemy import cast, literal, select, update
from sqlalchemy.dialects.postgresql import TSVECTOR

from archive.db import tables as t
from archive.db.session import Sessions
from archive.search.analysis import VERSION, index_vectors

_BATCH = 500
_AT_ONCE_S = 20.0  # per call: whoever works here has other things to do as well


def index_again(sessions: Sessions, at_once_s: float = _AT_ONCE_S) -> int:
    """Index some of those lines, in transactions of 500; how many. Two at once share the work."""
    until = time.monotonic() + at_once_s
    done = 0
    while True:
        some = _batch(sessions)
        done += some
        if some < _BATCH or time.monotonic() > until:
            return done


def _batch(sessions: Sessions) -> int:
    table = t.Utterance
    with sessions.begin() as session:
        old = select(table.id, table.text, table.language).where(table.analysed < VERSION).order_by(table.analysed)
        rows = session.execute(old.limit(_BATCH).with_for_update(skip_locked=True)).all()
        for row in rows:
            exact, stems = (cast(literal(vector), TSVECTOR) for vector in index_vectors(row.text, row.language))
            made = update(table).where(table.id == row.id).values(exact=exact, stems=stems, analysed=VERSION)
            session.execute(made.execution_options(synchronize_session=False))
    return len(rows)

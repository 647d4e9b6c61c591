"""A court in the database of a test."""

from __future__ import annotations

import pytest

from archive.db.session import Sessions
from tests.archive.court import Room, open_room


@pytest.fixture
def room(sessions: Sessions) -> Room:
    with sessions.begin() as session:
        return open_room(session)

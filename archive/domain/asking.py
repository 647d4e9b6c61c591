"""What people may ask a court for, and what a grant of it opens."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from archive.domain.access import Action

MAX_DAYS = 365  # of a grant; whoever needs it longer asks again
EMERGENCY_HOURS = 8  # a working day


class Wants(StrEnum):
    """What is asked for."""

    ACCESS = "access"  # to play the recording and read its text
    COPY = "copy"  # that, and a copy to take away
    EMERGENCY = "emergency"  # to play and read for some hours, without the judge; a second person confirms it

    @property
    def asking(self) -> Action:
        """What one must be allowed to do to ask for it."""
        return Action.EMERGENCY if self is Wants.EMERGENCY else Action.ASK

    @property
    def deciding(self) -> Action:
        """And to answer."""
        return Action.CONFIRM if self is Wants.EMERGENCY else Action.GRANT


class State(StrEnum):
    """Where a request stands. What became of a grant stands with the grant."""

    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


OPENS: Mapping[Wants, frozenset[Action]] = {
    Wants.ACCESS: frozenset({Action.VIEW, Action.READ}),
    Wants.COPY: frozenset({Action.VIEW, Action.READ, Action.BUNDLE}),
    Wants.EMERGENCY: frozenset({Action.VIEW, Action.READ}),
}

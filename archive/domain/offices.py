"""Who gives people their roles: one administrator, or two.

A role that reads beyond what its person is assigned to, or that gives others something, is never one person's to give.
An administrator proposes it, another one of the same court confirms it, and neither is the person concerned.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from archive.domain.access import Role

# Judges decide who sees what; auditors and archivists reach the records of all courts; administrators make all these.
BY_TWO = frozenset({Role.JUDGE, Role.AUDITOR, Role.ARCHIVIST, Role.ADMIN})
BARE = Role.PARTY  # what an account is that waits for its role: opens nothing unless a case names it
CONFIRM_WITHIN = timedelta(hours=72)


class State(StrEnum):
    """Where a proposal stands."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # by whoever made it, or because the account was disabled
    EXPIRED = "expired"  # nobody has confirmed it in time


def why_not_confirm(proposer: object, concerned: object, confirmer: object) -> str:
    """Why this person may not confirm a proposal; empty when he or she may."""
    if confirmer == proposer:
        return "whoever proposed it cannot confirm it; another administrator must"
    if confirmer == concerned:
        return "nobody confirms a role of his own; another administrator must"
    return ""

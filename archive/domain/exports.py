"""Exports: files made of a record for one person, who takes them away."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from archive.domain.access import AccessClass, Action


class Kind(StrEnum):
    """What is made."""

    MP4 = "mp4"  # picture of one camera, all sounds, chapters, subtitles
    DOCX = "docx"  # the text with time codes
    PDF = "pdf"


class State(StrEnum):
    """Where an export stands."""

    WAITING = "waiting"  # or being made
    READY = "ready"
    FAILED = "failed"


LANGUAGES = ("kk", "ru", "en")  # of headings and chapters; what was said stays in its own

# What somebody must be allowed to have an export; the strictest says what is concealed in it.
NEEDED: Mapping[Kind, tuple[Action, ...]] = {
    Kind.MP4: (Action.BUNDLE, Action.VIEW, Action.READ),
    Kind.DOCX: (Action.BUNDLE, Action.READ),
    Kind.PDF: (Action.BUNDLE, Action.READ),
}
CONTENT_TYPES: Mapping[Kind, str] = {
    Kind.MP4: "video/mp4",
    Kind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    Kind.PDF: "application/pdf",
}


def needs_mark(access_class: AccessClass, shown: AccessClass) -> bool:
    """Whether whoever takes it is named in the picture: the hearing, or a part that is shown, is not for everybody."""
    return AccessClass.OPEN is not access_class or AccessClass.OPEN is not shown

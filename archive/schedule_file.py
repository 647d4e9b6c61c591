"""The document by which courts, rooms and hearings come in: as a file, or from a case-management system.

Every field is checked before anything is stored; what is not known is an error, not ignored: a misspelt
`class` must not leave a closed hearing open.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from archive.db.catalogue import CASE_KINDS
from archive.domain.errors import BadInput
from archive.domain.wall import iso

MOST_HEARINGS = 5_000
_MOST_PEOPLE = 200
_TOLD = 20  # errors of a document that are told at once


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that cannot be shown")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # the first and last days have no UTC in some zones
        raise ValueError("is not a UTC time") from error


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_printable)
]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Part(BaseModel):
    """A part of the document; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class PlannedCourt(Part):
    """A court by its code, which never changes."""

    code: Code
    name_kk: Text
    name_ru: Text
    name_en: Text


class PlannedCourtroom(Part):
    """A room of a court."""

    court: Code
    code: Code
    name_kk: Text
    name_ru: Text
    name_en: Text


class PlannedCase(Part):
    """A case. `ended_utc`: its term of keeping begins to run."""

    court: Code
    number: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    kind: Literal["civil", "criminal", "administrative"]
    title: Text
    ended_utc: Moment | None = None


class PlannedParticipant(Part):
    """Who takes part. `channel`: his or her microphone; `username`: the account that may see the record."""

    name: Text
    role: Word
    channel: Code | None = None
    username: Annotated[str, Field(min_length=2, max_length=64)] | None = None


class PlannedHearing(Part):
    """A hearing by the id that the sender gives it. Participants that are not named any more lose their access."""

    external_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    case: PlannedCase
    courtroom: Code
    scheduled_utc: Moment
    access_class: Literal["open", "closed", "sealed"] = Field(alias="class")
    cancelled: bool = False
    automatic: bool = False
    recorded: bool = True
    participants: Annotated[list[PlannedParticipant], Field(max_length=_MOST_PEOPLE)]  # left out, it would shut all out


class Schedule(Part):
    """Courts and rooms first, for hearings name them."""

    courts: Annotated[list[PlannedCourt], Field(max_length=1_000)] = []
    courtrooms: Annotated[list[PlannedCourtroom], Field(max_length=5_000)] = []
    hearings: Annotated[list[PlannedHearing], Field(max_length=MOST_HEARINGS)] = []

    def plain(self) -> dict[str, Any]:
        """As `archive.db.catalogue` takes it."""
        plain = self.model_dump(mode="python", by_alias=True, exclude_none=True)
        for hearing in plain["hearings"]:
            hearing["scheduled_utc"] = iso(hearing["scheduled_utc"])
            if "ended_utc" in hearing["case"]:
                hearing["case"]["ended_utc"] = iso(hearing["case"]["ended_utc"])
        return plain


def read(body: bytes) -> Schedule:
    """The document of a file.

    Raises:
        BadInput: it is not JSON, or not such a document; the message names the places.
    """
    try:
        return Schedule.model_validate(json.loads(body))
    except ValidationError as error:
        places = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:_TOLD]]
        raise BadInput("the document is refused, nothing was stored; " + "; ".join(places)) from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the document is not JSON ({error}); nothing was stored") from error


assert set(CASE_KINDS) == {"civil", "criminal", "administrative"}  # noqa: S101 -- two tables of one thing

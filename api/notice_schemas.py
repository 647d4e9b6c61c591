"""The shapes of notices to people and of where they want to be reached."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Asked, Courtroom
from archive.domain.contacts import MOST_EMAIL_CHARS
from archive.domain.notices import Reason, State, Topic, Way


class Contact(BaseModel):
    """Where I am told of news beside these pages. `mail_set`, `sms_set`: whether the court has such a server at all."""

    email: str | None
    phone: str | None
    language: Literal["kk", "ru", "en"]
    by_mail: bool
    by_sms: bool
    mail_set: bool
    sms_set: bool


class ContactAsked(Asked):
    """Null or empty takes an address out. Telephone numbers as people write them; they are kept in E.164."""

    email: Annotated[str, Field(max_length=MOST_EMAIL_CHARS)] | None
    phone: Annotated[str, Field(max_length=40)] | None
    language: Literal["kk", "ru", "en"]
    by_mail: bool
    by_sms: bool


class Delivery(BaseModel):
    """How far a notice has come. `sent`: the mail server or gateway has taken it. `at_utc` null = it waits."""

    way: Way
    state: State
    reason: Reason | None
    at_utc: str | None


class NoticeHearing(BaseModel):
    """The hearing that a notice is about, as I may know of it now; `title` may be empty."""

    id: UUID
    case_number: str
    title: str
    courtroom: Courtroom
    scheduled_utc: str


class SummonsToMe(BaseModel):
    """When and where a hearing is held, as a notice has told me."""

    id: UUID
    scheduled_utc: str
    courtroom: Courtroom
    acknowledged_utc: str | None


class Notice(BaseModel):
    """`current` false: it is over. `hearing` null: I may not know of it any more. `recording`: where a copy lies."""

    id: UUID
    topic: Topic
    created_utc: str
    read_utc: str | None
    current: bool
    hearing: NoticeHearing | None
    wants: Literal["access", "copy", "emergency"] | None
    until_utc: str | None
    recording: str | None
    summons: SummonsToMe | None
    deliveries: list[Delivery]


class NoticePage(BaseModel):
    """`unread`: of all my notices."""

    items: list[Notice]
    next: str | None
    unread: int

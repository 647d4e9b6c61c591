"""The shapes of summonses to hearings."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from api.notice_schemas import Delivery
from api.schemas import Courtroom


class Summons(BaseModel):
    """To one person, as it was told. `told`: how often; `deliveries`: of the last time, beside the person's own list.

    `acknowledged_by`: what the browser calls itself in which the person did so.
    """

    id: UUID
    kind: Literal["summons", "moved", "cancelled"]
    scheduled_utc: str
    courtroom: Courtroom
    made_utc: str
    acknowledged_utc: str | None
    acknowledged_by: str | None
    told: int
    deliveries: list[Delivery]


class Summoned(BaseModel):
    """A participant. Without an `account` nobody is summoned here; `reached`: an address for news was given."""

    name: str
    role: str
    role_kk: str
    role_ru: str
    role_en: str
    account: bool
    reached: bool
    summons: Summons | None

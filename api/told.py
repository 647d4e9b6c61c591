"""What a system receives by webhooks, for the API's description; the sending is done by archive.webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI, Header
from pydantic import BaseModel, ConfigDict

from archive.domain.asking import State, Wants
from archive.domain.webhooks import EventKind


class About(BaseModel):
    """Ids and states alone; which there are depends on the kind. Whatever else is asked for by the receiver's token."""

    model_config = ConfigDict(extra="forbid")
    courtroom: str | None = None  # its code
    recording: str | None = None
    hearing: str | None = None
    external_id: str | None = None  # of the hearing, as the court's own system calls it
    revision: int | None = None  # of the text
    code: str | None = None  # of the alarm
    origin: Literal["agent", "centre"] | None = None
    request: str | None = None
    state: State | None = None  # of the request
    wants: Wants | None = None


class Told(BaseModel):
    """Signed as Standard Webhooks 1.0 says; `timestamp`: when it happened."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "type": "text.certified",
                "timestamp": "2026-09-14T06:40:12.481Z",
                "data": {
                    "recording": "20260914-051500-1f3a9c02",
                    "courtroom": "saryarka-3",
                    "hearing": "0b5a7c1e-3f0e-4f5e-9f3a-0a4d6c1b2e3f",
                    "external_id": "7135-26-00-2/118/1",
                    "revision": 12,
                },
            }
        },
    )
    type: EventKind | Literal["webhook.test"]  # the latter when an administrator tries it
    timestamp: str
    data: About


def describe(app: FastAPI) -> None:
    """Say in the API's description what is sent."""

    @app.webhooks.post("event", status_code=204, tags=["webhooks"], operation_id="receive_event")
    def event(
        body: Told,
        webhook_id: Annotated[str, Header(description="The same at each attempt: what came twice is one event.")],
        webhook_timestamp: Annotated[int, Header(description="When this attempt was made, in seconds.")],
        webhook_signature: Annotated[str, Header(description="`v1,` and base64 of the HMAC-SHA256; two when rotated.")],
    ) -> None:
        """Something happened at the court. Answer 2xx within ten seconds; the order of events is not promised.

        What is not taken is sent again for a day; 410 ends it for good. Redirects are not followed.
        """
